//! Compiled plugins on disk. A compiled plugin is native code: whoever can write such a file can run anything as us.
//! So a file is used only if it lies in a folder that is ours alone, is ours alone itself, and carries the hash of its
//! content; it is read once, and what was checked is what is used. Anything else is compiled again and replaced. A
//! cache that cannot be used is no error, only slow. Large code is not read but mapped (`mapped`).

#[cfg(unix)]
mod mapped;
#[cfg(unix)]
mod private;
mod trusted;

use std::hash::{Hash as _, Hasher};
use std::path::PathBuf;

use boathook_core::plugin::PluginForm;
use sha2::{Digest as _, Sha256};
use wasmtime::{Engine, Module, component::Component};

use crate::inspect::hex;

/// Starts every file; the number changes with the layout: magic, key, SHA-256 of the code, code.
const MAGIC: &[u8; 16] = b"boathook-code-1\n";
const HASH: usize = 32;
/// From this size on a command is mapped: reading and hashing it would take longer than running it.
const MAPPED: usize = 8 << 20;
const HEADER: usize = MAGIC.len() + 2 * HASH;

/// A plugin as native code.
#[derive(Clone)]
pub(crate) enum Code {
    /// Of a component.
    Component(Component),
    /// Of a WASI command.
    Command(Module),
}

/// What identifies a compiled plugin: its content and everything that shaped the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key([u8; HASH]);

impl Key {
    /// The key of a plugin with this digest on this engine.
    pub(crate) fn new(engine: &Engine, digest: &str, form: PluginForm) -> Self {
        let mut hasher = Sha256Hasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let mut sha = hasher.0;
        for part in [
            digest,
            match form {
                PluginForm::Component => "component",
                PluginForm::Command => "command",
            },
            env!("CARGO_PKG_VERSION"),
            std::env::consts::ARCH,
            std::env::consts::OS,
        ] {
            sha.update((part.len() as u64).to_le_bytes());
            sha.update(part);
        }
        Self(sha.finalize().into())
    }
}

/// Feeds what is hashed to SHA-256: the standard hasher is neither stable nor strong.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        u64::from_le_bytes(self.0.clone().finalize()[..8].try_into().unwrap_or_default())
    }
}

/// A folder of compiled plugins.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The code under this key, if there is some that can be trusted.
    pub(crate) fn load(&self, engine: &Engine, key: &Key, form: PluginForm) -> Option<Code> {
        let path = self.path(key);
        let code = match private::read(&self.folder, &path) {
            Ok(Some(file)) => check(&file, key)
                .and_then(|code| trusted::deserialize(engine, code, form).map_err(|e| e.to_string()))
                .map(Some),
            Ok(None) if form == PluginForm::Command => mapped::load(self, engine, key),
            Ok(None) => Ok(None),
            Err(reason) => Err(reason),
        };
        code.inspect_err(|reason| tracing::warn!(path = %path.display(), reason, "compiled plugin not used"))
            .ok()
            .flatten()
    }

    /// Keeps code under a key.
    pub(crate) fn store(&self, key: &Key, code: &Code) {
        let is_command = matches!(*code, Code::Command(_));
        let serialized = match code {
            Code::Component(component) => component.serialize(),
            Code::Command(module) => module.serialize(),
        };
        let stored = serialized.map_err(|error| error.to_string()).and_then(|code| {
            if is_command && code.len() >= MAPPED {
                mapped::store(self, key, &code)
            } else {
                private::write(&self.folder, &self.path(key), &[&header(key, &code), &code])
            }
        });
        if let Err(reason) = stored {
            tracing::warn!(folder = %self.folder.display(), reason, "compiled plugin not kept");
        }
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.folder.join(format!("{}.code", hex(&key.0)))
    }
}

fn header(key: &Key, code: &[u8]) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&key.0);
    header.extend_from_slice(&Sha256::digest(code));
    header
}

/// The code in a file, if the file is whole and says what it should.
fn check<'a>(file: &'a [u8], key: &Key) -> Result<&'a [u8], String> {
    let (found, code) = file.split_at_checked(HEADER).ok_or("it is truncated")?;
    if found == header(key, code) { Ok(code) } else { Err("it is damaged".to_owned()) }
}

/// Where the system cannot say who may write a file, nothing is kept.
#[cfg(not(unix))]
mod private {
    use std::path::Path;

    pub(super) fn read(_folder: &Path, _path: &Path) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }

    pub(super) fn write(_folder: &Path, _path: &Path, _parts: &[&[u8]]) -> Result<(), String> {
        Ok(())
    }
}

/// There too.
#[cfg(not(unix))]
mod mapped {
    use wasmtime::Engine;

    use super::{Cache, Code, Key};

    pub(super) fn load(_: &Cache, _: &Engine, _: &Key) -> Result<Option<Code>, String> {
        Ok(None)
    }

    pub(super) fn store(_: &Cache, _: &Key, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
