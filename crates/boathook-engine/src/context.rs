//! What an operation needs besides its plan. The caller decides all of it; there is no default.

use std::sync::Arc;
use std::time::Duration;

use boathook_core::operation::Timings;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::FIELD_MANAGER;
use crate::cluster::{Cluster, Propagation, WriteOptions};
use crate::plugin_host::PluginHost;

/// Looks up a variable of the environment, for credentials.
pub type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;
/// Tells the time.
pub type Clock = dyn Fn() -> Timestamp + Send + Sync;
/// Gives a number from 0 up to 1 that is different each time; see [`crate::retry::seeded`].
pub type Jitter = dyn Fn() -> f64 + Send + Sync;

/// Tells whether a holder of a lease is alive, by its name; nothing where this machine cannot tell.
pub type Alive = dyn Fn(&str) -> Option<bool> + Send + Sync;

/// The world around one operation.
#[derive(Clone)]
pub struct Context {
    /// Where objects and records live.
    pub cluster: Arc<dyn Cluster>,
    /// What runs plugins.
    pub plugins: Arc<dyn PluginHost>,
    /// Ends the operation: no new step, waits are dropped, the record says so.
    pub cancel: CancellationToken,
    /// For `credentials[].env`.
    pub environment: Arc<Environment>,
    /// For events and records.
    pub clock: Arc<Clock>,
    /// For the waits between attempts.
    pub jitter: Arc<Jitter>,
    /// For leases that somebody holds.
    pub alive: Arc<Alive>,
    /// What the user chose.
    pub options: Options,
}

impl Context {
    /// How the operation writes.
    pub(crate) fn writing(&self) -> WriteOptions {
        WriteOptions { dry_run: self.options.dry_run, ..WriteOptions::by(FIELD_MANAGER) }
    }

    /// The future's answer, or nothing if the operation was cancelled first.
    pub(crate) async fn unless_cancelled<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => None,
            answer = future => Some(answer),
        }
    }
}

/// What the user chose for one operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// Unique for this operation, at most 63 of `a-z`, `0-9` and `-`: it stands in a label of hook objects.
    pub operation_id: String,
    /// Who begins, for others to read, and for [`Context::alive`]: unique for the process.
    pub holder: String,
    /// How long the release's lease lasts.
    pub lock: Timings,
    /// How long somebody who is at work on the release is waited for.
    pub wait_for_lock: Duration,
    /// Create the release's namespace if it is not there.
    pub create_namespace: bool,
    /// Take over ordinary objects of other owners, and replace hook objects of others.
    pub take_ownership: bool,
    /// Every write is checked by the API and not kept; nothing is deleted, waited for or recorded.
    pub dry_run: bool,
    /// Take fields of ordinary objects from other managers.
    pub force_conflicts: bool,
    /// What becomes of the objects that a deleted ordinary object owns.
    pub propagation: Propagation,
}
