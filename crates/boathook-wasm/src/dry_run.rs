//! The cluster of a dry run: every write says `dryRun=All`, whatever the caller asked for, and what it would have
//! changed is told. The property lies in the object that a run holds, not in a flag that each call might forget.

use std::sync::Arc;

use async_trait::async_trait;
use boathook_core::effect::Effect;
use boathook_core::names::{Collection, Resource, Target};
use boathook_core::run_event::LogLevel;
use boathook_core::{Gvk, Object};
use boathook_engine::cluster::{
    Cluster, ClusterError, ListOptions, Page, Patch, Preconditions, Until, Verdict, WriteOptions,
};

use crate::log_lines::LogLines;

/// A [`Cluster`] whose writes are not kept.
pub(crate) struct DryRunCluster {
    inner: Arc<dyn Cluster>,
    log: Arc<LogLines>,
}

impl DryRunCluster {
    pub(crate) fn new(inner: Arc<dyn Cluster>, log: Arc<LogLines>) -> Self {
        Self { inner, log }
    }

    /// What is there now, as far as one may know.
    async fn before(&self, target: &Target) -> Option<Object> {
        self.inner.get(target).await.ok()
    }
}

fn dry(options: &WriteOptions) -> WriteOptions {
    WriteOptions { dry_run: true, ..options.clone() }
}

#[async_trait]
impl Cluster for DryRunCluster {
    async fn resolve(&self, gvk: &Gvk) -> Result<Resource, ClusterError> {
        self.inner.resolve(gvk).await
    }

    async fn get(&self, target: &Target) -> Result<Object, ClusterError> {
        self.inner.get(target).await
    }

    async fn list(&self, collection: &Collection, options: &ListOptions) -> Result<Page, ClusterError> {
        self.inner.list(collection, options).await
    }

    async fn create(
        &self,
        collection: &Collection,
        object: &Object,
        options: &WriteOptions,
    ) -> Result<Object, ClusterError> {
        let created = self.inner.create(collection, object, &dry(options)).await?;
        self.log.withhold(Effect::of_write(created.reference(), None, &created));
        Ok(created)
    }

    async fn patch(
        &self,
        target: &Target,
        patch: &Patch,
        options: &WriteOptions,
    ) -> Result<Object, ClusterError> {
        let before = self.before(target).await;
        let patched = self.inner.patch(target, patch, &dry(options)).await?;
        self.log.withhold(Effect::of_write(target.reference(), before.as_ref(), &patched));
        Ok(patched)
    }

    async fn delete(
        &self,
        target: &Target,
        preconditions: &Preconditions,
        options: &WriteOptions,
    ) -> Result<(), ClusterError> {
        self.inner.delete(target, preconditions, &dry(options)).await?;
        self.log.withhold(Effect::Delete { object: target.reference() });
        Ok(())
    }

    /// Looks once: a condition that an unsent write would bring about never comes.
    async fn wait(&self, target: &Target, until: &mut Until<'_>) -> Result<Option<Object>, ClusterError> {
        let current = match self.inner.get(target).await {
            Ok(object) => Some(object),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        if until(current.as_ref()) == Verdict::Waiting {
            self.log.emit(LogLevel::Info, &format!("dry run: would wait for {target}"));
        }
        Ok(current)
    }

    async fn logs(
        &self,
        pod: &Target,
        container: &str,
        line: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), ClusterError> {
        self.inner.logs(pod, container, line).await
    }
}
