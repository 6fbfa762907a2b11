//! The folder of one cluster. Whoever runs the cluster holds a lock in it, which ends with the process: so it is known which
//! folders are left over.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

const PREFIX: &str = "boathook-test-cluster-";
const LOCK: &str = "lock";

/// A folder that is ours as long as this lives.
pub(crate) struct Folder {
    path: PathBuf,
    temporary: bool,
    lock: File,
}

impl Folder {
    /// One for a test run, removed at its end. Those that killed runs left behind are removed now.
    pub(crate) fn temporary() -> Result<Self> {
        let parent = std::env::temp_dir();
        remove_leftovers(&parent);
        let path = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent)?.keep();
        // Under its name only once it is locked: nobody takes the folder for a leftover.
        let new = path.join("lock.new");
        let lock = File::create(&new)?;
        lock.lock()?;
        std::fs::rename(new, path.join(LOCK))?;
        Ok(Self { path, temporary: true, lock })
    }

    /// One that stays, for a developer's cluster; what a former cluster left in it goes.
    pub(crate) fn lasting(path: &Path) -> Result<Self> {
        std::fs::create_dir_all(path).with_context(|| path.display().to_string())?;
        let path = path.canonicalize()?;
        let lock = File::options().create(true).append(true).open(path.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("a cluster runs in {} already", path.display()),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        for old in std::fs::read_dir(&path)? {
            let old = old?;
            if old.file_type()?.is_dir() {
                std::fs::remove_dir_all(old.path())?;
            } else if old.file_name() != LOCK {
                std::fs::remove_file(old.path())?;
            }
        }
        Ok(Self { path, temporary: false, lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            // What cannot be removed is a leftover, for the next run.
            drop(std::fs::remove_dir_all(&self.path));
        }
        // Closing the file is not enough while a process that is just being started has it too.
        drop(self.lock.unlock());
    }
}

fn remove_leftovers(parent: &Path) {
    let Ok(entries) = std::fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_ours && File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok()) {
            drop(std::fs::remove_dir_all(entry.path()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_holds_is_a_leftover() {
        let parent = tempfile::tempdir().unwrap();
        let (held, left) =
            (parent.path().join(format!("{PREFIX}a")), parent.path().join(format!("{PREFIX}b")));
        let folder = Folder::lasting(&held).unwrap();
        drop(Folder::lasting(&left).unwrap());
        remove_leftovers(parent.path());
        assert!(held.exists() && !left.exists());
        assert!(Folder::lasting(&held).is_err(), "two clusters in one folder");
        drop(folder);
        std::fs::write(held.join("old"), "").unwrap();
        Folder::lasting(&held).unwrap();
        assert!(!held.join("old").exists());
    }
}
