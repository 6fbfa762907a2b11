//! What Helm's own code answered (vectors/README.md), against what this crate answers; laws that hold for any input; and
//! input that is meant to do harm. One binary, so that it is linked once.

mod documents;
mod hooks;
mod order;
mod vectors;
mod yaml_scalars;
