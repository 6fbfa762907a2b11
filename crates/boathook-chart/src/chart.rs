//! A chart as files in memory: what every source gives, and what is rendered. The limits that hold for all of them.

use std::sync::Arc;

/// Bytes of all files together; Helm's own limit, and its words for it.
pub const MAX_BYTES: u64 = 100 << 20;
/// Files of a chart.
pub const MAX_FILES: usize = 20_000;
/// Folders in folders.
pub(crate) const MAX_DEPTH: usize = 64;

/// A chart that was read, not looked into.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// Its files, in the order in which Helm's loader takes them.
    pub files: Vec<ChartFile>,
    /// What Helm's loader says while it reads, as lines of its log.
    pub notices: Vec<String>,
    bytes: u64,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartFile {
    /// Relative to the chart, with `/`.
    pub name: String,
    /// When it was changed last, nanoseconds since 1970.
    pub modified: i64,
    /// The content, without a byte-order mark.
    pub data: Arc<Vec<u8>>,
}

impl Chart {
    /// Adds a file, within the limits.
    ///
    /// # Errors
    /// Which limit it passes, in Helm's words where Helm has it.
    pub(crate) fn add(&mut self, name: String, modified: i64, mut data: Vec<u8>) -> Result<(), String> {
        if self.files.len() >= MAX_FILES {
            return Err(format!("the chart has more than {MAX_FILES} files"));
        }
        if data.len() as u64 > self.room() {
            return Err(too_large());
        }
        self.bytes += data.len() as u64;
        if data.starts_with(b"\xef\xbb\xbf") {
            data.drain(..3);
        }
        self.files.push(ChartFile { name, modified, data: Arc::new(data) });
        Ok(())
    }

    /// How many bytes may still be added.
    pub(crate) fn room(&self) -> u64 {
        MAX_BYTES - self.bytes
    }
}

/// Helm's words.
pub(crate) fn too_large() -> String {
    format!("chart exceeds maximum decompressed size of {MAX_BYTES} bytes")
}
