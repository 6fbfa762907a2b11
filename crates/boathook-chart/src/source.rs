//! Where charts come from. All of it ends in a [`Chart`] in memory; nothing of a chart is understood here but the names
//! of its files.

mod archive;
mod folder;

use std::io::Read as _;
use std::path::Path;

use crate::chart::{Chart, MAX_BYTES};

/// Why there is no chart.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is not there, or is none that we take.
    #[error("{reason}")]
    Refused {
        /// Why, in Helm's words where Helm has any.
        reason: String,
        /// The way out.
        help: Option<String>,
    },
}

/// A text as Go's log prints it.
pub(crate) fn log_quoted(text: &str) -> String {
    let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '='));
    if plain && !text.is_empty() { text.to_owned() } else { format!("{text:?}") }
}

/// Reads a chart from the disk: a folder or an archive.
///
/// # Errors
/// Why it is refused.
pub fn read(path: &Path) -> Result<Chart, SourceError> {
    let refused = |reason: String| SourceError::Refused { reason, help: None };
    let metadata =
        path.metadata().map_err(|_| refused(format!("path {:?} not found", path.display().to_string())))?;
    if metadata.is_dir() {
        return folder::read(path);
    }
    let shown = path.display().to_string();
    if !metadata.is_file() {
        return Err(refused(format!("{shown}: neither a file nor a folder")));
    }
    let cannot = |error: std::io::Error| refused(format!("cannot read {shown}: {error}"));
    let mut bytes = Vec::new();
    std::fs::File::open(path).map_err(cannot)?.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(refused(format!("{shown}: more than {} MiB", MAX_BYTES >> 20)));
    }
    archive::read(&bytes, &shown)
}
