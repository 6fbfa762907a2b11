//! The state file: the whole cluster as one JSON document, written beside itself and moved into place, and a lock file
//! that keeps a second writer out. A file that cannot be read is never written over.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fs4::fs_std::FileExt as _;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::shared::Shared;
use crate::store::Store;

/// Opens no link.
const NOFOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
/// Name and version of the format.
const FORMAT: &str = "boathook-embedded/1";
/// How long changes are gathered before they are saved.
const SAVE_AFTER: Duration = Duration::from_millis(200);

/// The largest file that is read, bytes: a real one of this size would take minutes to work with.
const MAX_BYTES: u64 = 256 << 20;

/// Why a state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read.
    #[error("state file {path} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is no JSON, or ends too early.
    #[error("state file {path} is damaged: {reason}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        reason: String,
    },
    /// It is JSON, but no state of the embedded cluster.
    #[error("file {path} is no state of the embedded cluster")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It was written by a newer version.
    #[error("state file {path} has the format {found}, this version reads {FORMAT}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// Another process uses it.
    #[error("state file {path} is in use by process {holder}")]
    Locked {
        /// The file.
        path: PathBuf,
        /// The process id, or `unknown`.
        holder: String,
    },
    /// It cannot be written.
    #[error("state file {path} cannot be written")]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// An open state file, locked while it lives.
#[derive(Debug)]
pub(crate) struct StateFile {
    path: PathBuf,
    /// Holds the lock until it is dropped.
    _lock: File,
    /// The revision that the file holds.
    saved: AtomicU64,
    pending: AtomicBool,
    /// Held while the file is written: an older state must never replace a newer one.
    writing: Mutex<()>,
}

impl StateFile {
    /// Locks a state file, waiting for another process at most this long, and reads it if it is there.
    pub(crate) fn open(path: &Path, wait: Duration) -> Result<(Self, Option<Cluster>), StateError> {
        let unreadable = |source| StateError::Unreadable { path: path.to_owned(), source };
        let real = real_path(path).map_err(unreadable)?;
        let path = real.as_path();
        let lock = lock(path, wait)?;
        let cluster = match read(path) {
            Ok(bytes) => Some(parse(path, &bytes)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(unreadable(source)),
        };
        let saved = AtomicU64::new(cluster.as_ref().map_or(0, |cluster| cluster.store.revision()));
        let file = Self {
            path: path.to_owned(),
            _lock: lock,
            saved,
            pending: AtomicBool::new(false),
            writing: Mutex::new(()),
        };
        if cluster.is_none() {
            // A folder that cannot be written is told now, not after the work.
            file.check_writable()?;
        }
        Ok((file, cluster))
    }

    fn check_writable(&self) -> Result<(), StateError> {
        let folder = folder(&self.path);
        tempfile::NamedTempFile::new_in(folder)
            .map(drop)
            .map_err(|source| StateError::Unwritable { path: self.path.clone(), source })
    }

    /// Saves some time after a change, once for many.
    pub(crate) fn save_soon(&self, shared: &Arc<Shared>) {
        if self.pending.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = Arc::downgrade(shared);
        drop(tokio::spawn(async move {
            tokio::time::sleep(SAVE_AFTER).await;
            let Some(shared) = shared.upgrade() else { return };
            let saved = tokio::task::spawn_blocking(move || {
                let file = shared.file.as_ref()?;
                file.pending.store(false, Ordering::Release);
                file.save(&shared).err()
            });
            if let Ok(Some(error)) = saved.await {
                tracing::warn!(error = %error, "the state file was not saved");
            }
        }));
    }

    /// Saves now, if anything changed.
    pub(crate) fn save(&self, shared: &Shared) -> Result<(), StateError> {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (revision, value) = {
            let cluster = shared.lock();
            let revision = cluster.store.revision();
            if revision == self.saved.load(Ordering::Acquire) {
                return Ok(());
            }
            (revision, document(&cluster))
        };
        let written = (|| {
            let mut file = tempfile::NamedTempFile::new_in(folder(&self.path))?;
            file.write_all(value.to_string().as_bytes())?;
            file.as_file().sync_all()?;
            file.persist(&self.path).map_err(|error| error.error)?;
            // The rename itself must survive a power cut too.
            File::open(folder(&self.path))?.sync_all()
        })();
        written.map_err(|source| StateError::Unwritable { path: self.path.clone(), source })?;
        self.saved.store(revision, Ordering::Release);
        drop(writing);
        Ok(())
    }
}

/// Where the file really lies: saving moves a new file into its place, and would put it in the place of a link. What is
/// there must be a regular file: a pipe or a device would be read for ever.
fn real_path(path: &Path) -> io::Result<PathBuf> {
    let is_link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
    let path = if is_link { path.canonicalize()? } else { path.to_owned() };
    match path.metadata() {
        Ok(metadata) if !metadata.is_file() => Err(io::Error::other("it is no regular file")),
        Ok(_) | Err(_) => Ok(path),
    }
}

/// Reads a file of bounded size.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it has more than {} MiB", MAX_BYTES >> 20)));
    }
    Ok(bytes)
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn lock(path: &Path, wait: Duration) -> Result<File, StateError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let unreadable = |source| StateError::Unreadable { path: path.to_owned(), source };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        // It is written to: in a folder of many users it could be somebody's link to one of our files.
        .custom_flags(NOFOLLOW)
        .open(&name)
        .map_err(unreadable)?;
    let give_up = Instant::now() + wait;
    loop {
        match file.try_lock_exclusive() {
            Ok(true) => break,
            Ok(false) if Instant::now() >= give_up => {
                let mut holder = String::new();
                let read = file.read_to_string(&mut holder);
                let known = read.is_ok() && holder.trim().parse::<u32>().is_ok();
                let holder = if known { holder.trim().to_owned() } else { "unknown".to_owned() };
                return Err(StateError::Locked { path: path.to_owned(), holder });
            }
            // Opening happens before any work and outside async code, so a short sleep harms nobody.
            Ok(false) => std::thread::sleep(Duration::from_millis(20)),
            Err(source) => return Err(unreadable(source)),
        }
    }
    let note = (|| {
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(std::process::id().to_string().as_bytes())
    })();
    note.map_err(unreadable)?;
    Ok(file)
}

fn document(cluster: &Cluster) -> Value {
    let mut objects = Vec::new();
    for resource in cluster.store.resources() {
        for (_, entry) in cluster.store.iter(&resource, None) {
            objects.push(json!({"resource": &*resource, "object": entry.value}));
        }
    }
    json!({"format": FORMAT, "revision": cluster.store.revision(), "objects": objects})
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Cluster, StateError> {
    let damaged = |reason: String| StateError::Damaged { path: path.to_owned(), reason };
    let value: Value = serde_json::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    match value["format"].as_str() {
        Some(FORMAT) => {}
        Some(found) if found.starts_with("boathook-embedded/") => {
            return Err(StateError::Newer { path: path.to_owned(), found: found.to_owned() });
        }
        _ => return Err(StateError::Foreign { path: path.to_owned() }),
    }
    let revision = value["revision"].as_u64().ok_or_else(|| damaged("no revision".to_owned()))?;
    let Value::Object(mut map) = value else { return Err(StateError::Foreign { path: path.to_owned() }) };
    let Some(Value::Array(list)) = map.shift_remove("objects") else {
        return Err(damaged("no objects".to_owned()));
    };
    let objects = list
        .into_iter()
        .enumerate()
        .map(|(index, mut item)| {
            let resource = item["resource"].as_str().map(str::to_owned);
            let object = item["object"].take();
            match (resource, object["metadata"]["name"].is_string()) {
                (Some(resource), true) => Ok((resource, object)),
                _ => Err(damaged(format!("object {index} has no resource or no name"))),
            }
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Cluster::with_store(Store::restore(revision, objects)))
}
