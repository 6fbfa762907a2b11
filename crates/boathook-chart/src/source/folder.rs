//! A chart that is a folder: which files belong to it, and their contents. Links are followed while they stay inside the
//! chart; what is no regular file is refused, because reading it might never end.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::{SourceError, log_quoted, refused};
use crate::chart::{Chart, MAX_DEPTH, MAX_FILES, too_large};
use crate::ignore::{self, Rules};

/// Reads a folder.
pub(super) fn read(folder: &Path) -> Result<Chart, SourceError> {
    let shown = std::path::absolute(folder).unwrap_or_else(|_| folder.to_path_buf());
    let manifest = shown.join("Chart.yaml");
    if let Err(error) = manifest.metadata() {
        let manifest = manifest.display();
        let reason = format!("unable to detect chart at {manifest}: open {manifest}: {}", words(&error));
        return Err(SourceError::Refused { reason, help: None });
    }
    let root = shown.canonicalize().map_err(|error| cannot_read(&shown, &error))?;
    let rules = match open(&root.join(ignore::FILE)) {
        Ok((file, _)) => Some(content(file, &root.join(ignore::FILE), crate::chart::MAX_BYTES)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(cannot_read(&shown.join(ignore::FILE), &error)),
    };
    let rules = Rules::read(rules.as_deref()).map_err(refused)?;
    let mut walk = Walk { root: &root, shown: &shown, rules, chart: Chart::default(), entries: 0 };
    walk.folder(&root, "", &mut vec![root.clone()])?;
    Ok(walk.chart)
}

struct Walk<'a> {
    /// Where the chart really is: what links must not leave.
    root: &'a Path,
    /// The same as the user named it.
    shown: &'a Path,
    rules: Rules,
    chart: Chart,
    /// What was looked at: links may lead to one folder in very many ways.
    entries: usize,
}

impl Walk<'_> {
    /// Takes what is in a folder, by name. `above` holds the real places of this folder and of those it is in.
    fn folder(&mut self, folder: &Path, name: &str, above: &mut Vec<PathBuf>) -> Result<(), SourceError> {
        if above.len() > MAX_DEPTH {
            return Err(refused(format!("{name}: folders are nested more than {MAX_DEPTH} deep")));
        }
        let entries =
            std::fs::read_dir(folder).map_err(|error| cannot_read(&self.shown.join(name), &error))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| cannot_read(&self.shown.join(name), &error))?;
            let Ok(entry) = entry.file_name().into_string() else {
                let path = self.shown.join(name).join(entry.file_name());
                return Err(refused(format!("{}: the file's name is not UTF-8", path.display())));
            };
            names.push(entry);
        }
        names.sort();
        for entry in names {
            let path = folder.join(&entry);
            let name = if name.is_empty() { entry } else { format!("{name}/{entry}") };
            self.entry(&path, name, above)?;
        }
        Ok(())
    }

    fn entry(&mut self, path: &Path, name: String, above: &mut Vec<PathBuf>) -> Result<(), SourceError> {
        self.entries += 1;
        if self.entries > 2 * MAX_FILES {
            return Err(refused(format!("the chart has more than {} files and folders", 2 * MAX_FILES)));
        }
        let shown = self.shown.join(&name);
        let mut metadata = path.symlink_metadata().map_err(|error| cannot_read(&shown, &error))?;
        let mut path = path.to_path_buf();
        if metadata.is_symlink() {
            let target = path.canonicalize().map_err(|error| {
                let target = shown.with_file_name("").join(path.read_link().unwrap_or_default());
                let (link, target) = (shown.display(), target.display());
                refused(format!("error evaluating symlink {link}: lstat {target}: {}", words(&error)))
            })?;
            metadata = target.symlink_metadata().map_err(|error| cannot_read(&shown, &error))?;
            if self.rules.ignore(&name, metadata.is_dir()) {
                return Ok(());
            }
            if !target.starts_with(self.root) {
                return Err(SourceError::Refused {
                    reason: format!(
                        "{}: a link to {}, outside of the chart",
                        shown.display(),
                        target.display()
                    ),
                    help: Some("copy what it leads to into the chart, or name it in .helmignore".to_owned()),
                });
            }
            if above.contains(&target) {
                return Err(refused(format!("{}: a link to a folder that it lies in", shown.display())));
            }
            self.chart.notices.push(link_notice(&shown, &target));
            path = target;
        } else if self.rules.ignore(&name, metadata.is_dir()) {
            return Ok(());
        }
        if metadata.is_dir() {
            above.push(path.clone());
            self.folder(&path, &name, above)?;
            above.pop();
            return Ok(());
        }
        let irregular = || {
            let shown = shown.display();
            refused(format!("cannot load irregular file {shown} as it has file mode type bits set"))
        };
        if !metadata.is_file() {
            return Err(irregular());
        }
        let (file, metadata) = open(&path).map_err(|error| cannot_read(&shown, &error))?;
        // It may be another file by now.
        if !metadata.is_file() {
            return Err(irregular());
        }
        let modified = modified(&metadata);
        let data = content(file, &shown, self.chart.room())?;
        self.chart.add(name, modified, data).map_err(refused)
    }
}

/// Opens a file for reading, without waiting for anybody at the other end of it.
fn open(path: &Path) -> io::Result<(File, Metadata)> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let file = options.open(path)?;
    let metadata = file.metadata()?;
    Ok((file, metadata))
}

/// What a file holds, if it is at most so many bytes.
fn content(file: File, shown: &Path, most: u64) -> Result<Vec<u8>, SourceError> {
    // At once: a large file in a growing buffer would be held twice.
    let size = file.metadata().map_or(0, |metadata| metadata.len().min(most));
    let mut data = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    // It may have grown since it was looked at.
    file.take(most + 1).read_to_end(&mut data).map_err(|error| cannot_read(shown, &error))?;
    if data.len() as u64 > most {
        return Err(refused(format!("error reading {}: {}", shown.display(), too_large())));
    }
    Ok(data)
}

fn modified(metadata: &Metadata) -> i64 {
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

/// As Helm logs it.
fn link_notice(path: &Path, target: &Path) -> String {
    format!(
        "level=INFO msg=\"found symbolic link in path. Contents of linked file included and used\" path={} resolved={}",
        log_quoted(&path.display().to_string()),
        log_quoted(&target.display().to_string())
    )
}

/// The reason of an error as Go words it.
fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}

fn cannot_read(path: &Path, error: &io::Error) -> SourceError {
    refused(format!("cannot read {}: {}", path.display(), words(error)))
}
