//! An in-memory Kubernetes API, served as a [`tower::Service`] to the same `kube::Client` code that talks to a real
//! cluster, and on loopback to kubectl.
//!
//! ```text
//! bytes --service--> Call + Path --route--> read | watch | write | delete --> Cluster { Registry, Store, Clock }
//!                                                    |                              |
//!                                             decode, patch, validate        controller::settle (reacts to each change)
//! ```
//!
//! It is strict where clients rest on the API (versions, ownership, preconditions, watches, names, limits) and simulates
//! the rest: no container runs here, Jobs and Pods are ended by a controller that says `simulated` in everything it
//! writes. It never reads a clock but its own, never writes outside the state file it was given, and authenticates
//! nobody; what a user may do it decides by Roles and bindings where that is asked for.

mod authorize;
mod clock;
mod cluster;
mod controller;
mod crd;
mod decode;
mod defaults;
mod delete;
mod discovery;
mod logs;
mod managed;
mod names;
mod openapi;
mod options;
mod patch;
mod protobuf;
mod read;
mod request;
mod resource;
mod review;
mod route;
mod scale;
mod schema;
mod selectors;
mod serve;
mod service;
mod shared;
mod state;
mod status;
mod store;
mod table;
mod uid;
mod validate;
mod watch;
mod write;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub use serve::{kubeconfig, serve};
pub use service::{EmbeddedBody, EmbeddedService};
pub use state::StateError;

use authorize::User;
use cluster::Cluster;
use shared::Shared;
use state::StateFile;

/// How long [`Embedded::open`] waits for another process to let go of the state file.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// An embedded cluster. Cheap to clone; all clones are the same cluster.
#[derive(Clone, Debug)]
pub struct Embedded {
    shared: Arc<Shared>,
    rbac: bool,
}

impl Embedded {
    /// A fresh cluster. Needs no runtime until it is used.
    pub fn new() -> Self {
        Self { shared: Shared::new(Cluster::new(), None), rbac: false }
    }

    /// The cluster of a state file, which is created if it is missing, saved shortly after changes and at
    /// [`Embedded::close`]. Waits up to five seconds for another process to let go of it.
    ///
    /// # Errors
    /// [`StateError`]; the file is left as it was.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        Self::open_within(path, LOCK_WAIT)
    }

    /// As [`Embedded::open`], waiting at most `wait` for another process. It blocks: call it outside async code, or
    /// with a short wait.
    ///
    /// # Errors
    /// [`StateError`]; the file is left as it was.
    pub fn open_within(path: &Path, wait: Duration) -> Result<Self, StateError> {
        let (file, cluster) = StateFile::open(path, wait)?;
        Ok(Self { shared: Shared::new(cluster.unwrap_or_else(Cluster::new), Some(file)), rbac: false })
    }

    /// The same cluster where users may do only what Roles and bindings allow them. It gets the roles that every cluster has.
    /// Who asks is in group `system:masters`, and may act as anybody by the headers of impersonation. Must be called in a tokio
    /// runtime.
    #[must_use]
    pub fn with_rbac(self) -> Self {
        self.shared.change(authorize::roles::bootstrap);
        Self { rbac: true, ..self }
    }

    /// The API as a service, to somebody who may do everything.
    pub fn service(&self) -> EmbeddedService {
        EmbeddedService { shared: self.shared.clone(), rbac: self.rbac, user: User::admin() }
    }

    /// A client of the API. Must be called in a tokio runtime.
    pub fn client(&self, default_namespace: &str) -> kube::Client {
        kube::Client::new(self.service(), default_namespace)
    }

    /// A client of a user; without groups, of a member of those that go with the name. Must be called in a tokio runtime.
    pub fn client_as(&self, user: &str, groups: &[String], default_namespace: &str) -> kube::Client {
        let service = EmbeddedService { user: User::new(user, groups), ..self.service() };
        kube::Client::new(service, default_namespace)
    }

    /// Forgets the history of changes, as etcd does every few minutes: watches and paged lists that started before are
    /// told 410.
    pub fn compact(&self) {
        self.shared.lock().store.compact();
    }

    /// Saves the state file for the last time. Without one there is nothing to do.
    ///
    /// # Errors
    /// [`StateError::Unwritable`].
    pub async fn close(&self) -> Result<(), StateError> {
        let shared = self.shared.clone();
        let saved = tokio::task::spawn_blocking(move || match &shared.file {
            Some(file) => file.save(&shared),
            None => Ok(()),
        });
        match saved.await {
            Ok(result) => result,
            Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
        }
    }
}

impl Default for Embedded {
    fn default() -> Self {
        Self::new()
    }
}
