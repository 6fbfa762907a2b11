//! A cluster that writes down what is asked of it, and refuses what a case says. It decides nothing else.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use boathook_core::names::{Collection, Resource, Target};
use boathook_core::{Gvk, Object};
use boathook_engine::cluster::{
    Cluster, ClusterError, ClusterErrorKind, ListOptions, Page, Patch, Preconditions, Until, WriteOptions,
};

use tokio_util::sync::CancellationToken;

use crate::case::Refusal;

/// A cluster under observation.
pub(crate) struct Recording {
    inner: Arc<dyn Cluster>,
    refusals: Vec<Refusal>,
    /// Requests with which something happens to the process: its token is cancelled.
    triggers: Vec<(String, CancellationToken)>,
    /// Nothing is sent any more.
    killed: CancellationToken,
    requests: Mutex<Vec<String>>,
    reads: Mutex<Vec<String>>,
}

impl Recording {
    pub(crate) fn new(
        inner: Arc<dyn Cluster>,
        refusals: Vec<Refusal>,
        triggers: Vec<(String, CancellationToken)>,
        killed: CancellationToken,
    ) -> Self {
        Self { inner, refusals, triggers, killed, requests: Mutex::default(), reads: Mutex::default() }
    }

    /// The requests that write, in order.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The requests that look, in order.
    pub(crate) fn reads(&self) -> Vec<String> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn read(&self, line: String) {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    async fn write(
        &self,
        verb: &str,
        slug: String,
        object: Option<&Object>,
        dry: bool,
    ) -> Result<(), ClusterError> {
        let mut line = format!("{verb} {slug}");
        // What a release record says is the point of writing it.
        if let Some(status) = object.and_then(|object| object.str(&["metadata", "labels", "status"])) {
            line += &format!(" status={status}");
        }
        if dry {
            line += " (dry run)";
        }
        let refusal = self.refusals.iter().find(|refusal| refusal.request == line).cloned();
        if refusal.is_some() {
            line += " (refused)";
        }
        self.trigger(&line);
        if self.killed.is_cancelled() {
            std::future::pending::<()>().await;
        }
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        match refusal {
            Some(refusal) => Err(ClusterError::new(ClusterErrorKind::Forbidden, refusal.message)),
            None => Ok(()),
        }
    }

    fn trigger(&self, line: &str) {
        for (_, token) in self.triggers.iter().filter(|(request, _)| request == line) {
            token.cancel();
        }
    }

    /// Notes that the object of the last request was not there. Requests of an operation do not overlap where it
    /// matters: hooks run one by one.
    fn answered(&self, error: Option<&ClusterError>) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(line), true) = (requests.last_mut(), error.is_some_and(ClusterError::is_not_found)) {
            *line += " (not there)";
        }
    }
}

#[async_trait]
impl Cluster for Recording {
    async fn resolve(&self, gvk: &Gvk) -> Result<Resource, ClusterError> {
        self.inner.resolve(gvk).await
    }

    async fn get(&self, target: &Target) -> Result<Object, ClusterError> {
        self.read(format!("get {}", target.reference().slug()));
        self.inner.get(target).await
    }

    async fn list(&self, collection: &Collection, options: &ListOptions) -> Result<Page, ClusterError> {
        self.read(format!("list {}", collection.resource.gvk.kind));
        self.inner.list(collection, options).await
    }

    async fn create(
        &self,
        collection: &Collection,
        object: &Object,
        options: &WriteOptions,
    ) -> Result<Object, ClusterError> {
        self.write("create", object.reference().slug(), Some(object), options.dry_run).await?;
        self.inner.create(collection, object, options).await
    }

    async fn patch(
        &self,
        target: &Target,
        patch: &Patch,
        options: &WriteOptions,
    ) -> Result<Object, ClusterError> {
        let (verb, object) = match patch {
            Patch::Apply { object, .. } => ("apply", Some(object)),
            Patch::Replace(object) => ("update", Some(object)),
            Patch::JsonMerge(_) | Patch::StrategicMerge(_) | Patch::Json(_) => ("patch", None),
        };
        self.write(verb, target.reference().slug(), object, options.dry_run).await?;
        let answer = self.inner.patch(target, patch, options).await;
        self.answered(answer.as_ref().err());
        answer
    }

    async fn delete(
        &self,
        target: &Target,
        preconditions: &Preconditions,
        options: &WriteOptions,
    ) -> Result<(), ClusterError> {
        let slug = target.reference().slug();
        let answer = match self.write("delete", slug, None, options.dry_run).await {
            Ok(()) => self.inner.delete(target, preconditions, options).await,
            Err(refused) => Err(refused),
        };
        self.answered(answer.as_ref().err());
        answer
    }

    /// Waits are no requests that write; a trigger may name one.
    async fn wait(&self, target: &Target, until: &mut Until<'_>) -> Result<Option<Object>, ClusterError> {
        self.trigger(&format!("wait {}", target.reference().slug()));
        self.inner.wait(target, until).await
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
