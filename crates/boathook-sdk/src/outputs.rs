//! Results besides the report's message, and how far the hook is.

use serde_json::Value;

use crate::{Failure, host};

/// Puts a value into the report, under a key of letters, digits, `-`, `_` and `.`.
///
/// # Errors
/// A permanent [`Failure`] if the host does not take the key or the value.
pub fn set(key: &str, value: &Value) -> Result<(), Failure> {
    host::outputs_set(key, value).map_err(|message| Failure::permanent(format!("output {key}: {message}")))
}

/// Says how far the hook is, for those who watch it run.
pub fn progress(message: &str, percent: Option<u8>) {
    host::outputs_progress(message, percent);
}
