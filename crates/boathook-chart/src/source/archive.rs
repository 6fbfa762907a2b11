//! A chart that is a `.tgz`: looked at whole, in memory, before anything of it is used. Names are read as Helm reads them;
//! what could lie outside of the chart, links and what is no regular file are refused, where Helm overlooks some of it.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use super::{SourceError, refused};
use crate::chart::{Chart, MAX_BYTES, MAX_FILES, too_large};

/// How gzip begins.
const MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// Reads an archive. `shown` names it in errors.
pub(super) fn read(bytes: &[u8], shown: &str) -> Result<Chart, SourceError> {
    if !bytes.starts_with(&MAGIC) {
        let yaml = shown.ends_with(".yaml") || shown.ends_with(".yml");
        return Err(refused(if yaml {
            format!("file '{shown}' seems to be a YAML file, but expected a gzipped archive")
        } else {
            format!("file '{shown}' does not appear to be a gzipped archive")
        }));
    }
    // A byte more than Helm takes shows that there is more; the headers of the archive come on top.
    let most = MAX_BYTES + 1 + MAX_FILES as u64 * 2048;
    let mut archive = tar::Archive::new(MultiGzDecoder::new(bytes).take(most));
    let mut chart = Chart::default();
    let unreadable =
        |error: &dyn std::fmt::Display| refused(format!("unable to load chart archive: {error}"));
    for entry in archive.entries().map_err(|error| unreadable(&error))? {
        let mut entry = entry.map_err(|error| unreadable(&error))?;
        let kind = entry.header().entry_type();
        if kind == EntryType::XGlobalHeader {
            continue;
        }
        let raw = entry.path_bytes().into_owned();
        let raw =
            std::str::from_utf8(&raw).map_err(|_| unreadable(&"a file's name is not UTF-8"))?.to_owned();
        if !matches!(kind, EntryType::Regular | EntryType::Continuous | EntryType::Directory) {
            return Err(unreadable(&format!("{raw:?} is a link or a special file")));
        }
        if kind == EntryType::Directory || raw.ends_with('/') {
            continue;
        }
        let name = name(&raw).map_err(|reason| unreadable(&reason))?;
        let modified = entry.header().mtime().unwrap_or(0);
        let modified = i64::try_from(modified).unwrap_or(0).saturating_mul(1_000_000_000);
        let mut data = Vec::new();
        entry.by_ref().take(chart.room() + 1).read_to_end(&mut data).map_err(|error| unreadable(&error))?;
        if data.len() as u64 > chart.room() {
            return Err(unreadable(&too_large()));
        }
        chart.add(name, modified, data).map_err(|reason| unreadable(&reason))?;
    }
    if chart.files.is_empty() {
        return Err(unreadable(&"no files in chart archive"));
    }
    if !chart.files.iter().any(|file| file.name == "Chart.yaml") {
        return Err(refused("unable to detect chart version, no Chart.yaml found".to_owned()));
    }
    Ok(chart)
}

/// The name of a file in the chart: the archive's without its first part, which is the chart's folder.
fn name(raw: &str) -> Result<String, String> {
    let outside = || format!("{raw:?} lies outside of the chart");
    // Archives made on Windows.
    let delimiter = if raw.contains('\\') { '\\' } else { '/' };
    let mut parts = raw.split(delimiter);
    let top = parts.next().unwrap_or_default();
    if top == "Chart.yaml" {
        return Err("chart yaml not in base directory".to_owned());
    }
    if top.is_empty() {
        return Err(outside());
    }
    let mut kept = Vec::new();
    for part in std::iter::once(top).chain(parts) {
        // With two kinds of delimiters a part may hold more of them.
        if part == ".." || part.contains(['/', '\\']) || part.ends_with(':') {
            return Err(outside());
        }
        kept.push(part);
    }
    let name: Vec<&str> = kept.into_iter().skip(1).filter(|part| !matches!(*part, "" | ".")).collect();
    if name.is_empty() { Err(outside()) } else { Ok(name.join("/")) }
}
