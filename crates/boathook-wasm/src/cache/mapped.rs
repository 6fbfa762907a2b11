//! Large commands: a file of nothing but code, which is mapped, so that only the pages that run are ever read; and beside it
//! a small file, the seal, with the hash of the code and what the system said of the code's file when that hash was
//! taken (which file it is, how large, when it was changed). While it says the same, the content is what was hashed.
//! When it says something else, the content is hashed once more.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use boathook_core::plugin::PluginForm;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use super::{Cache, Code, HASH, Key, private, trusted};
use crate::inspect::hex;

/// Starts every seal; the number changes with the layout: magic, key, SHA-256 of the code, identity.
const MAGIC: &[u8; 16] = b"boathook-seal-1\n";

/// What the system says of a file: another file, or a change, makes it another. Nobody can set the time of the last change
/// of a file's node (`ctime`).
type Identity = [u8; 7 * 8];

/// The code under this key, if there is some that can be trusted.
pub(super) fn load(cache: &Cache, engine: &Engine, key: &Key) -> Result<Option<Code>, String> {
    let (image, seal) = paths(cache, key);
    let (Some(file), Some(sealed)) =
        (private::open(&cache.folder, &image)?, private::read(&cache.folder, &seal)?)
    else {
        return Ok(None);
    };
    let sealed = sealed.strip_prefix(MAGIC).and_then(|sealed| sealed.strip_prefix(&key.0));
    let (hash, identity) =
        sealed.and_then(|sealed| sealed.split_at_checked(HASH)).ok_or("its seal is damaged")?;
    let check = || match private::content(&file)? {
        code if Sha256::digest(&code)[..] == *hash => Ok(code),
        _ => Err("it is damaged".to_owned()),
    };
    if identity != identity_of(&metadata(&file)?) {
        // Copied from elsewhere, or restored.
        check()?;
        private::write(&cache.folder, &seal, &[MAGIC, &key.0, hash, &identity_of(&metadata(&file)?)])?;
    }
    let mapped = file.try_clone().map_err(|error| error.to_string())?;
    match trusted::map(engine, mapped) {
        Ok(code) => Ok(Some(code)),
        // The file system may not let files be run.
        Err(_) => trusted::deserialize(engine, &check()?, PluginForm::Command)
            .map(Some)
            .map_err(|error| error.to_string()),
    }
}

/// Keeps code under a key.
pub(super) fn store(cache: &Cache, key: &Key, code: &[u8]) -> Result<(), String> {
    let (image, seal) = paths(cache, key);
    private::write(&cache.folder, &image, &[code])?;
    // Looked at in its place: moving it there has changed its node.
    let file = private::open(&cache.folder, &image)?.ok_or("it is gone again")?;
    let identity = identity_of(&metadata(&file)?);
    private::write(&cache.folder, &seal, &[MAGIC, &key.0, &Sha256::digest(code), &identity])
}

fn paths(cache: &Cache, key: &Key) -> (PathBuf, PathBuf) {
    let name = hex(&key.0);
    (cache.folder.join(format!("{name}.image")), cache.folder.join(format!("{name}.seal")))
}

fn metadata(file: &File) -> Result<Metadata, String> {
    file.metadata().map_err(|error| error.to_string())
}

fn identity_of(metadata: &Metadata) -> Identity {
    let parts = [
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        metadata.mtime().cast_unsigned(),
        metadata.mtime_nsec().cast_unsigned(),
        metadata.ctime().cast_unsigned(),
        metadata.ctime_nsec().cast_unsigned(),
    ];
    let mut identity = [0; 7 * 8];
    for (place, part) in identity.chunks_exact_mut(8).zip(parts) {
        place.copy_from_slice(&part.to_le_bytes());
    }
    identity
}
