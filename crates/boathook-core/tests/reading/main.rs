//! What Helm's own code answered (vectors/README.md), against what this crate answers; laws that hold for any input; and
//! input that is meant to do harm. One binary, so that it is linked once.
#![expect(clippy::unwrap_used, reason = "a vector or example that cannot be read fails its test")]

mod diagnostics;
mod documents;
mod examples;
mod hooks;
mod limits;
mod order;
mod properties;
mod vectors;
mod yaml_scalars;
