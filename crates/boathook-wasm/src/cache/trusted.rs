//! The one place where bytes become native code.

use std::fs::File;

use boathook_core::plugin::PluginForm;
use wasmtime::{Engine, Module, component::Component};

use super::Code;

/// Turns bytes that this program wrote into code.
///
/// # Errors
/// wasmtime's, if the bytes were made with other settings.
#[expect(
    unsafe_code,
    reason = "deserializing is loading native code; the caller read the bytes from a private file of ours and checked their hash"
)]
pub(super) fn deserialize(engine: &Engine, bytes: &[u8], form: PluginForm) -> wasmtime::Result<Code> {
    // SAFETY: `bytes` are the output of `Component::serialize` or `Module::serialize` of this program: `Cache::load`
    // took them from a file that nobody else could write and compared their SHA-256 with the one stored beside them,
    // and no one can change them any more, since they are in our memory.
    unsafe {
        match form {
            PluginForm::Component => Component::deserialize(engine, bytes).map(Code::Component),
            PluginForm::Command => Module::deserialize(engine, bytes).map(Code::Command),
        }
    }
}

/// Maps a file that this program wrote as the code of a command (of a component wasmtime maps paths only).
///
/// # Errors
/// wasmtime's, if the file was made with other settings, or the file system does not let files be run.
#[expect(
    unsafe_code,
    reason = "mapping is loading native code; the caller opened a private file of ours and knows that its content is what was hashed"
)]
pub(super) fn map(engine: &Engine, file: File) -> wasmtime::Result<Code> {
    // SAFETY: the file holds the output of `Module::serialize` of this program: `mapped::load` opened it where nobody else
    // could have written it, and saw that it is the very file, unchanged, whose SHA-256 was taken. Only this user could
    // change it while it is mapped, and this user can run anything as this user anyhow.
    unsafe { Module::deserialize_open_file(engine, file).map(Code::Command) }
}
