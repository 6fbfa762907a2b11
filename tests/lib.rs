//! Tests of the whole program: `conformance/` holds cases as data, `it/` runs the built program. There is nothing of the
//! product in here.
