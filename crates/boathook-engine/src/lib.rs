//! Executes a plan over two ports: [`cluster::Cluster`] and [`plugin_host::PluginHost`]. It decides nothing that the plan
//! could have decided; what it did it says in run events.
//!
//! ```text
//! execute --phases--> hook_runner --one hook--> resource_hook | plugin_hook
//!    |                     `----------- apply (ordinary objects)
//!    `-- record: the release record, at the points where Helm writes it
//! ```

pub mod cluster;
pub mod context;
pub mod execute;
pub mod plugin_host;
pub mod release_store;
pub mod retry;

mod apply;
mod credentials;
mod deletion;
mod diagnose;
mod fault;
mod follow;
mod hook_object;
mod hook_runner;
mod hook_wait;
mod locate;
mod ownership;
mod plugin_hook;
mod preflight;
mod record;
mod resource_hook;
mod run;
#[cfg(test)]
mod testing;

pub use context::{Context, Options};
pub use execute::execute;

/// The manager of every field that an operation writes: Helm's own name, so that a release can move between the
/// tools without conflicts over its fields.
pub const FIELD_MANAGER: &str = "helm";
