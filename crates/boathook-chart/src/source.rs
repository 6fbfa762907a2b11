//! Where charts come from. All of it ends in a [`Chart`] in memory; nothing of a chart is understood here but the names
//! of its files.

mod archive;
mod credentials;
mod folder;
mod http;
mod oci;
mod repository;
mod version;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

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
    /// A server did not give it.
    #[error("cannot fetch {what}: {reason}")]
    Unreachable {
        /// What was asked for.
        what: String,
        /// Why not.
        reason: String,
    },
}

/// Where and how charts are looked for.
#[derive(Clone, Debug, Default)]
pub struct SourceOptions {
    /// Which version, where there are several: an exact one, or a constraint.
    pub version: Option<String>,
    /// The URL of the repository that has the chart.
    pub repository: Option<String>,
    /// Registries are asked without TLS.
    pub plain_http: bool,
    /// The user's files.
    pub places: Places,
}

/// Files that Helm and Docker keep.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Helm's repositories.yaml.
    pub repositories: PathBuf,
    /// The folder of its indexes.
    pub repository_cache: PathBuf,
    /// Files with logins of registries, the first counts.
    pub registry_configs: Vec<PathBuf>,
}

/// Whether a reference is a chart's, and not that of plain manifests.
pub fn is_chart(reference: &str, options: &SourceOptions) -> bool {
    let path = Path::new(reference);
    options.repository.is_some()
        || is_remote(reference)
        || reference.ends_with(".tgz")
        || path.join("Chart.yaml").is_file()
        || (!path.exists() && matches!(repository::named(reference, &options.places), Ok(Some(_))))
}

fn is_remote(reference: &str) -> bool {
    ["oci://", "https://", "http://"].iter().any(|scheme| reference.starts_with(scheme))
}

/// Finds and reads a chart, in Helm's order: on the disk, in a registry, at a URL, in a repository.
///
/// # Errors
/// Why there is none.
pub async fn open(reference: &str, options: &SourceOptions) -> Result<Chart, SourceError> {
    let bytes = if let Some(url) = &options.repository {
        repository::at(url).chart(reference, options.version.as_deref(), &options.places).await?
    } else if reference.starts_with("oci://") {
        oci::pull(reference, options).await?
    } else if is_remote(reference) {
        http::get(reference, None, MAX_BYTES).await?
    } else if Path::new(reference).exists() {
        return read(Path::new(reference));
    } else {
        match repository::named(reference, &options.places)? {
            Some((repository, chart)) if !reference.starts_with(['.', '/']) => {
                repository.chart(chart, options.version.as_deref(), &options.places).await?
            }
            _ => return read(Path::new(reference)),
        }
    };
    archive::read(&bytes, reference)
}

/// Reads a chart from the disk: a folder or an archive.
///
/// # Errors
/// Why it is refused.
pub fn read(path: &Path) -> Result<Chart, SourceError> {
    let shown = path.display().to_string();
    let metadata = path.metadata().map_err(|_| refused(format!("path {shown:?} not found")))?;
    if metadata.is_dir() {
        return folder::read(path);
    }
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

/// The bytes, if they have this digest (`sha256:` may stand before it, as registries write it); an empty one is none.
fn checked(bytes: Vec<u8>, digest: &str, shown: &str) -> Result<Vec<u8>, SourceError> {
    let expected = digest.strip_prefix("sha256:").unwrap_or(digest);
    let found: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if expected.is_empty() || expected.eq_ignore_ascii_case(&found) {
        return Ok(bytes);
    }
    Err(refused(format!("{shown}: the archive has the digest {found}, not {expected}")))
}

fn refused(reason: String) -> SourceError {
    SourceError::Refused { reason, help: None }
}

/// A text as Go's log prints it.
pub(crate) fn log_quoted(text: &str) -> String {
    let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '='));
    if plain && !text.is_empty() { text.to_owned() } else { format!("{text:?}") }
}
