//! From the word by which a hook names its plugin to the plugin's bytes: plugin folders, built-in plugins, files beside
//! the manifest. It reads; what the bytes are is `inspect`'s business.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use boathook_core::plugin::{PluginInfo, PluginOrigin};
use boathook_engine::plugin_host::{PluginError, PluginReference};

use crate::inspect::{self, inspect};
use crate::limits::{MAX_PLUGIN_BYTES, bytes};

/// A plugin in the program itself.
#[derive(Clone, Copy, Debug)]
pub struct BuiltInPlugin {
    /// By which hooks name it.
    pub name: &'static str,
    /// The file.
    pub bytes: &'static [u8],
}

/// A command in the program itself that no hook can name: whoever runs it knows its digest.
#[derive(Clone, Copy, Debug)]
pub struct PackedCommand {
    /// `sha256:…` of the file.
    pub digest: &'static str,
    /// The file, compressed with gzip. It is unpacked only to be compiled.
    pub gzip: &'static [u8],
}

/// Where plugins are found.
#[derive(Clone, Debug)]
pub(crate) struct Library {
    pub(crate) built_in: Vec<BuiltInPlugin>,
    pub(crate) packed: Vec<PackedCommand>,
    pub(crate) plugin_dirs: Vec<PathBuf>,
}

/// A plugin that was found and read.
#[derive(Debug)]
struct Loaded {
    origin: PluginOrigin,
    bytes: Cow<'static, [u8]>,
    /// Its name, if it does not say one itself.
    name: String,
    /// What errors call it.
    place: String,
}

impl Library {
    /// Finds, reads and inspects.
    ///
    /// # Errors
    /// [`PluginError::NotFound`], [`PluginError::Invalid`].
    pub(crate) fn inspect(&self, reference: &PluginReference) -> Result<PluginInfo, PluginError> {
        let loaded = self.find(reference)?;
        inspect(&loaded.bytes, loaded.origin, &loaded.place, &loaded.name)
    }

    /// Every plugin with a name; of two with one name the one that is found.
    pub(crate) fn list(&self) -> Vec<(String, Result<PluginInfo, PluginError>)> {
        self.names()
            .into_iter()
            .map(|name| {
                let found = self.inspect(&PluginReference { text: name.clone(), base: None });
                (name, found)
            })
            .collect()
    }

    /// Reads a plugin again that was inspected before.
    ///
    /// # Errors
    /// [`PluginError::Invalid`] if it is not the same any more.
    pub(crate) fn reload(&self, plugin: &PluginInfo) -> Result<Cow<'static, [u8]>, PluginError> {
        let bytes = match &plugin.origin {
            PluginOrigin::BuiltIn => match self.packed.iter().find(|packed| packed.digest == plugin.digest) {
                Some(packed) => Some(Cow::Owned(unpack(packed)?)),
                None => self
                    .built_in
                    .iter()
                    .find(|built_in| inspect::digest(built_in.bytes) == plugin.digest)
                    .map(|built_in| Cow::Borrowed(built_in.bytes)),
            },
            PluginOrigin::Installed(path) | PluginOrigin::File(path) => {
                Some(Cow::Owned(read(Path::new(path), path)?))
            }
        };
        bytes.filter(|bytes| inspect::digest(bytes) == plugin.digest).ok_or_else(|| PluginError::Invalid {
            message: format!("{}: changed since the plan was made", plugin.origin),
            help: Some("run the command again to see what the new file may do".to_owned()),
        })
    }

    fn find(&self, reference: &PluginReference) -> Result<Loaded, PluginError> {
        let text = reference.text.as_str();
        if text.starts_with("oci://") {
            return Err(PluginError::Invalid {
                message: format!("{text}: plugins from registries are not supported yet"),
                help: Some("download the .wasm file and name it by its path, ./plugin.wasm".to_owned()),
            });
        }
        if text.contains('/') || Path::new(text).extension().is_some_and(|extension| extension == "wasm") {
            return file(text, reference.base.as_deref());
        }
        self.named(text)
    }

    fn named(&self, name: &str) -> Result<Loaded, PluginError> {
        // A name becomes a file name: what could lead out of the folder is no name.
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
            && name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if is_name {
            for folder in &self.plugin_dirs {
                let path = folder.join(format!("{name}.wasm"));
                if path.exists() {
                    let place = path.display().to_string();
                    let bytes = Cow::Owned(read(&path, &place)?);
                    return Ok(Loaded {
                        origin: PluginOrigin::Installed(place.clone()),
                        bytes,
                        name: name.to_owned(),
                        place,
                    });
                }
            }
            if let Some(built_in) = self.built_in.iter().find(|built_in| built_in.name == name) {
                return Ok(Loaded {
                    origin: PluginOrigin::BuiltIn,
                    bytes: Cow::Borrowed(built_in.bytes),
                    name: name.to_owned(),
                    place: format!("built-in plugin {name}"),
                });
            }
        }
        Err(PluginError::NotFound { name: name.to_owned(), help: self.help() })
    }

    fn names(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let installed = self.plugin_dirs.iter().flat_map(|folder| {
            let mut names: Vec<String> = std::fs::read_dir(folder)
                .into_iter()
                .flatten()
                .flatten()
                .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".wasm")?.to_owned()))
                .collect();
            names.sort();
            names
        });
        let built_in = self.built_in.iter().map(|built_in| built_in.name.to_owned());
        installed.chain(built_in).filter(|name| seen.insert(name.clone())).collect()
    }

    fn help(&self) -> String {
        let names = self.names();
        let exist = if names.is_empty() {
            "there are none".to_owned()
        } else {
            format!("there are {}", names.join(", "))
        };
        let folders: Vec<String> =
            self.plugin_dirs.iter().map(|folder| folder.display().to_string()).collect();
        let looked =
            if folders.is_empty() { String::new() } else { format!(" (looked in {})", folders.join(", ")) };
        format!("{exist}{looked}; a file is named by its path, ./plugin.wasm")
    }
}

fn unpack(packed: &PackedCommand) -> Result<Vec<u8>, PluginError> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(packed.gzip).read_to_end(&mut bytes).map_err(|error| {
        PluginError::Internal { message: format!("unpacking {}: {error}", packed.digest) }
    })?;
    Ok(bytes)
}

/// A file named by its path. Below `base` (links followed) if there is one.
fn file(text: &str, base: Option<&Path>) -> Result<Loaded, PluginError> {
    let outside = || PluginError::Invalid {
        message: format!("{text}: lies outside the folder of the manifest that names it"),
        help: Some("copy the file into the folder, or install it as a plugin".to_owned()),
    };
    let path = match base {
        None => PathBuf::from(text),
        Some(_) if Path::new(text).is_absolute() => return Err(outside()),
        Some(base) => base.join(text),
    };
    let missing = |error: &std::io::Error| PluginError::NotFound {
        name: text.to_owned(),
        help: format!("{}: {error}", path.display()),
    };
    let real = path.canonicalize().map_err(|error| missing(&error))?;
    if let Some(base) = base {
        let base = base.canonicalize().map_err(|error| missing(&error))?;
        if !real.starts_with(base) {
            return Err(outside());
        }
    }
    let bytes = Cow::Owned(read(&real, text)?);
    let name = real.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Loaded { origin: PluginOrigin::File(real.display().to_string()), bytes, name, place: text.to_owned() })
}

/// Reads a regular file of bounded size.
fn read(path: &Path, place: &str) -> Result<Vec<u8>, PluginError> {
    let refuse = |message: String, help: Option<&str>| PluginError::Invalid {
        message: format!("{place}: {message}"),
        help: help.map(str::to_owned),
    };
    let cannot = |error: std::io::Error| refuse(format!("cannot be read: {error}"), None);
    let metadata = path.metadata().map_err(cannot)?;
    if !metadata.is_file() {
        return Err(refuse("not a file".to_owned(), None));
    }
    let too_large = |size: u64| {
        let message =
            format!("the file has {}, plugins have at most {}", bytes(size), bytes(MAX_PLUGIN_BYTES));
        refuse(message, Some("build it with optimisation for size, without debug information"))
    };
    if metadata.len() > MAX_PLUGIN_BYTES {
        return Err(too_large(metadata.len()));
    }
    let mut contents = Vec::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    // The file may have grown since.
    file.take(MAX_PLUGIN_BYTES + 1).read_to_end(&mut contents).map_err(cannot)?;
    if contents.len() as u64 > MAX_PLUGIN_BYTES {
        return Err(too_large(contents.len() as u64));
    }
    Ok(contents)
}
