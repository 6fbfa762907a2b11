//! A cluster that takes no more writes once the release's lease is lost. Everything that an operation writes goes through it,
//! what plugins write too; a write that is under way then is dropped.

use std::sync::Arc;

use async_trait::async_trait;
use boathook_core::names::{Collection, Resource, Target};
use boathook_core::{Gvk, Object};
use tokio_util::sync::CancellationToken;

use crate::cluster::{
    Cluster, ClusterError, ClusterErrorKind, ListOptions, Page, Patch, Preconditions, Until, WriteOptions,
};

/// A cluster whose writes all pass one gate; what only looks does not.
pub(crate) struct Fence<G> {
    pub(crate) cluster: Arc<dyn Cluster>,
    pub(crate) gate: G,
}

/// Decides what becomes of a write.
pub(crate) trait Gate: Send + Sync {
    /// Sends it, or does not.
    fn pass<T: Send>(
        &self,
        write: impl Future<Output = Result<T, ClusterError>> + Send,
    ) -> impl Future<Output = Result<T, ClusterError>> + Send;
}

/// Shut once the lease is lost.
pub(crate) struct WhileHeld {
    pub(crate) lost: CancellationToken,
}

impl Gate for WhileHeld {
    async fn pass<T: Send>(
        &self,
        write: impl Future<Output = Result<T, ClusterError>> + Send,
    ) -> Result<T, ClusterError> {
        tokio::select! {
            biased;
            () = self.lost.cancelled() => {
                let message = "the lease of the release was lost: nothing more is written";
                Err(ClusterError::new(ClusterErrorKind::Other, message))
            }
            answer = write => answer,
        }
    }
}

#[async_trait]
impl<G: Gate> Cluster for Fence<G> {
    async fn resolve(&self, gvk: &Gvk) -> Result<Resource, ClusterError> {
        self.cluster.resolve(gvk).await
    }

    async fn get(&self, target: &Target) -> Result<Object, ClusterError> {
        self.cluster.get(target).await
    }

    async fn list(&self, collection: &Collection, options: &ListOptions) -> Result<Page, ClusterError> {
        self.cluster.list(collection, options).await
    }

    async fn create(
        &self,
        collection: &Collection,
        object: &Object,
        options: &WriteOptions,
    ) -> Result<Object, ClusterError> {
        self.gate.pass(self.cluster.create(collection, object, options)).await
    }

    async fn patch(
        &self,
        target: &Target,
        patch: &Patch,
        options: &WriteOptions,
    ) -> Result<Object, ClusterError> {
        self.gate.pass(self.cluster.patch(target, patch, options)).await
    }

    async fn delete(
        &self,
        target: &Target,
        preconditions: &Preconditions,
        options: &WriteOptions,
    ) -> Result<(), ClusterError> {
        self.gate.pass(self.cluster.delete(target, preconditions, options)).await
    }

    async fn wait(&self, target: &Target, until: &mut Until<'_>) -> Result<Option<Object>, ClusterError> {
        self.cluster.wait(target, until).await
    }

    async fn logs(
        &self,
        pod: &Target,
        container: &str,
        line: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), ClusterError> {
        self.cluster.logs(pod, container, line).await
    }
}
