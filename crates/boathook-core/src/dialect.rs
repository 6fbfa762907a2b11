//! What documents mean: which are hooks, which are ordinary resources, and which are dropped. One file per dialect
//! (a tool's annotations); Helm's is the only one so far.

pub mod helm;
mod similar;
mod stored;
mod wasm;

pub use helm::{Class, Read, classify, read};
pub use stored::read_stored;
