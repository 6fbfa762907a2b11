//! Executes a plan over two ports: [`cluster::Cluster`] and [`plugin_host::PluginHost`]. It decides nothing that the plan
//! could have decided; what it did it says in run events.
//!
//! ```text
//! execute --begin--> what must hold, the record
//!    |
//!    `--phases--> hook_runner --one hook--> resource_hook | plugin_hook
//!    |              apply, delete, wait (ordinary objects)
//!    `--end--> the last write of the records
//!                   record: the only one who writes them
//! ```

pub mod cluster;
pub mod context;
pub mod execute;
pub mod plugin_host;
pub mod release_store;
pub mod retry;

mod apply;
mod at_once;
mod begin;
mod credentials;
mod delete;
mod deletion;
mod diagnose;
mod end;
mod fault;
mod fence;
mod follow;
mod hook_object;
mod hook_runner;
mod hook_wait;
mod journal;
mod lease;
mod locate;
mod look;
mod ownership;
mod plugin_hook;
mod record;
mod resource_hook;
mod run;
#[cfg(test)]
mod testing;
mod unborn;
mod wait;

pub use context::{Context, Options};
pub use execute::execute;
pub use lease::wait_for_lock;

/// The manager of every field that an operation writes: Helm's own name, so that a release can move between the
/// tools without conflicts over its fields.
pub const FIELD_MANAGER: &str = "helm";
