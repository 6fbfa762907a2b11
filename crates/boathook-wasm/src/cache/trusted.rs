//! The one place where bytes become native code.

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
