//! One object's readiness: what the verdict needs besides the object is read for it.

use std::sync::Arc;

use boathook_core::names::{Collection, Name, Target};
use boathook_core::plan::{WaitStep, WaitStrategy};
use boathook_core::readiness::{Around, Readiness, Waiter, controlled, judge};
use boathook_core::{Gvk, Object};

use crate::cluster::{Cluster, ClusterError, ListOptions};
use crate::context::{Clock, Context};

/// Who judges, by which rules.
#[derive(Clone)]
pub(super) struct Judge {
    pub(super) cluster: Arc<dyn Cluster>,
    clock: Arc<Clock>,
    waiter: Waiter,
}

impl Judge {
    pub(super) fn new(context: &Context, wait: WaitStep) -> Self {
        let waiter = match wait.strategy {
            WaitStrategy::Legacy => Waiter::Legacy { jobs: wait.jobs },
            WaitStrategy::Watcher | WaitStrategy::HookOnly => Waiter::Watcher { jobs: wait.jobs },
        };
        Self { cluster: context.cluster.clone(), clock: context.clock.clone(), waiter }
    }

    /// Helm's older waiter gives up at the first object that failed; the newer one waits for the others.
    pub(super) fn gives_up(&self) -> bool {
        matches!(self.waiter, Waiter::Legacy { .. })
    }

    /// The verdict, as far as the object alone tells; `None`: more has to be read.
    pub(super) fn alone(&self, object: Option<&Object>) -> Option<Readiness> {
        if object.is_some_and(|object| controlled(self.waiter, object).is_some() || is_pending_claim(object))
        {
            return None;
        }
        Some(self.judge(object, &[], false))
    }

    /// The verdict.
    pub(super) async fn assess(
        &self,
        target: &Target,
        object: Option<&Object>,
    ) -> Result<Readiness, ClusterError> {
        let Some(seen) = object else { return Ok(self.judge(None, &[], false)) };
        let mut made = Vec::new();
        if let Some(wanted) = controlled(self.waiter, seen) {
            let resource = self.cluster.resolve(&wanted.gvk).await?;
            let collection = Collection { resource, namespace: target.namespace.clone() };
            let options = ListOptions { label_selector: Some(wanted.selector), ..ListOptions::default() };
            made = self.pages(&collection, options).await?;
        }
        let late = is_pending_claim(seen) && self.binds_at_first_consumer(seen).await;
        Ok(self.judge(object, &made, late))
    }

    /// Whether a verdict may change although the object does not: the time counts, or other objects do.
    pub(super) fn depends_on_more(&self, object: Option<&Object>) -> bool {
        object.is_some_and(|object| controlled(self.waiter, object).is_some() || object.kind() == "Pod")
    }

    fn judge(&self, object: Option<&Object>, made: &[Object], late: bool) -> Readiness {
        let around = Around { controlled: made, now: Some((self.clock)()), binds_at_first_consumer: late };
        judge(self.waiter, object, &around)
    }

    async fn pages(
        &self,
        collection: &Collection,
        mut options: ListOptions,
    ) -> Result<Vec<Object>, ClusterError> {
        let mut objects = Vec::new();
        loop {
            let page = self.cluster.list(collection, &options).await?;
            objects.extend(page.items);
            options.continue_token = page.continue_token;
            if options.continue_token.is_none() {
                return Ok(objects);
            }
        }
    }

    /// Storage classes belong to the cluster: who may not read them waits as Helm does.
    async fn binds_at_first_consumer(&self, claim: &Object) -> bool {
        let Some(Ok(name)) = claim.str(&["spec", "storageClassName"]).map(Name::new) else { return false };
        let Ok(resource) = self.cluster.resolve(&Gvk::new("storage.k8s.io/v1", "StorageClass")).await else {
            return false;
        };
        let class = self.cluster.get(&Target { resource, namespace: None, name }).await;
        class.is_ok_and(|class| class.str(&["volumeBindingMode"]) == Some("WaitForFirstConsumer"))
    }
}

fn is_pending_claim(object: &Object) -> bool {
    object.kind() == "PersistentVolumeClaim" && object.str(&["status", "phase"]) == Some("Pending")
}
