//! Files that nobody but this user can have written: a folder of mode 0700 and files of mode 0600, owned by us, no
//! links. Checked at every use, on the open file where it can be.

use std::fs::{DirBuilder, File, Metadata};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// More than any compiled plugin of an allowed size.
const MAX_BYTES: u64 = 256 << 20;
/// Any right of group or others.
const OTHERS: u32 = 0o077;

/// The content of a private file; `None` if there is no such file.
///
/// # Errors
/// Why it cannot be trusted or read.
pub(super) fn read(folder: &Path, path: &Path) -> Result<Option<Vec<u8>>, String> {
    open(folder, path)?.map(|file| content(&file)).transpose()
}

/// Opens a private file; `None` if there is no such file.
///
/// # Errors
/// Why it cannot be trusted.
pub(super) fn open(folder: &Path, path: &Path) -> Result<Option<File>, String> {
    match std::fs::symlink_metadata(folder) {
        Ok(metadata) => check_folder(&metadata)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file: File = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => file.into(),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(rustix::io::Errno::LOOP) => return Err("the file is a link".to_owned()),
        Err(error) => return Err(error.to_string()),
    };
    let metadata = file.metadata().map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no regular file".to_owned());
    }
    check_owner(&metadata, "the file")?;
    if metadata.len() > MAX_BYTES {
        return Err("it is too large".to_owned());
    }
    Ok(Some(file))
}

/// What stands in an open file.
///
/// # Errors
/// Why it cannot be read.
pub(super) fn content(mut file: &File) -> Result<Vec<u8>, String> {
    file.rewind().map_err(|error| error.to_string())?;
    let size = file.metadata().map_err(|error| error.to_string())?.len();
    let mut content = Vec::with_capacity(usize::try_from(size.min(MAX_BYTES)).unwrap_or(0));
    file.take(MAX_BYTES).read_to_end(&mut content).map_err(|error| error.to_string())?;
    Ok(content)
}

/// Writes a private file under a new name and moves it into place: a reader sees all of it or none of it.
///
/// # Errors
/// Why it cannot be written.
pub(super) fn write(folder: &Path, path: &Path, parts: &[&[u8]]) -> Result<(), String> {
    // Folders above it are made private too; existing ones stay as they are.
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| error.to_string())?;
    check_folder(&std::fs::symlink_metadata(folder).map_err(|error| error.to_string())?)?;
    // Made with mode 0600 and O_EXCL.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|error| error.to_string())?;
    for part in parts {
        file.write_all(part).map_err(|error| error.to_string())?;
    }
    file.persist(path).map_err(|error| error.to_string())?;
    Ok(())
}

fn check_folder(metadata: &Metadata) -> Result<(), String> {
    if !metadata.is_dir() {
        return Err("the cache folder is a link or no folder".to_owned());
    }
    check_owner(metadata, "the cache folder")
}

fn check_owner(metadata: &Metadata, what: &str) -> Result<(), String> {
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(format!("{what} belongs to another user"));
    }
    if metadata.mode() & OTHERS != 0 {
        return Err(format!(
            "{what} is open to others (mode {:o}, not 0{}00)",
            metadata.mode() & 0o777,
            if metadata.is_dir() { 7 } else { 6 }
        ));
    }
    Ok(())
}
