//! The `PluginHost` port on wasmtime: components of the world `boathook:hook`, and WASI preview 1 commands.
//!
//! ```text
//! reference --load--> bytes --inspect--> PluginInfo        (no compiling)
//! PluginInfo --runtime, cache--> Ready --component | command--> PluginReport | PluginError
//!                                            `-- capability --authorize--> Cluster port, http_sender
//! ```
//!
//! A guest reaches the world through `capability` only, where every call becomes a typed request that
//! `boathook_core::authorize` decides on. This crate never names a Kubernetes client, prints nothing, reads no
//! environment, and keeps nothing of a run after it: one store per run, thrown away at its end.

mod bindings;
mod cache;
mod capability;
mod command;
mod component;
mod dry_run;
mod engine;
mod host;
mod http_sender;
mod inspect;
pub mod limits;
mod load;
mod log_lines;
mod runtime;
mod scrub;
mod state;
mod trap;

pub use host::{WasmHost, WasmHostOptions};
pub use load::{BuiltInPlugin, PackedCommand};
