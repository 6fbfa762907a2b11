//! Tests of the whole program: conformance cases, the command line.
