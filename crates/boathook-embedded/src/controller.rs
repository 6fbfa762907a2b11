//! Controllers: what reacts to changes of objects. They run inside the request that made the change, until nothing
//! changes any more, so a client sees every step in its watch and nothing depends on a background loop; only delays
//! wait. Nothing here runs a container: whatever ends a Pod or a Job says `simulated`.

pub(crate) mod event;
pub(crate) mod garbage;
pub(crate) mod job;
pub(crate) mod namespace;
pub(crate) mod outcome;
pub(crate) mod pod;
pub(crate) mod workload;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::Cluster;
use crate::managed::{self, Writer};
use crate::options::{DeleteOptions, Propagation};
use crate::schema;
use crate::store::{Change, ChangeKind, Entry};
use crate::{crd, defaults};

/// Set to `true` on every Job and Pod that was ended without a container.
pub(crate) const SIMULATED: &str = "embedded.boathook.dev/simulated";
/// The node on which simulated Pods say they run.
pub(crate) const NODE: &str = "simulated";

/// The key of CRDs in the store.
pub(crate) const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions";
/// The key of Jobs in the store.
pub(crate) const JOBS: &str = "batch/jobs";
/// The key of Pods in the store.
pub(crate) const PODS: &str = "/pods";

/// What happens to an object after a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The Pod ends as its annotations say.
    EndPod,
    /// The Job has been active for too long.
    JobDeadline,
    /// The finished Job is removed.
    JobExpiry,
}

/// A step that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delayed {
    /// How long.
    pub(crate) delay: Duration,
    /// What then.
    pub(crate) step: Step,
    /// The object's namespace and name.
    pub(crate) key: (String, String),
    /// Its UID: a later object of the same name is another one.
    pub(crate) uid: String,
}

impl Delayed {
    /// A step of an object.
    pub(crate) fn new(object: &Value, step: Step, delay: Duration) -> Self {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        Self { delay, step, key: (text("namespace"), text("name")), uid: text("uid") }
    }
}

/// Reacts to all changes since the last time, and to the changes that this makes. Answers the steps that wait.
pub(crate) fn settle(cluster: &mut Cluster) -> Vec<Delayed> {
    let mut delayed = Vec::new();
    while cluster.settled < cluster.store.revision() {
        let changes: Vec<Change> = match cluster.store.since(cluster.settled) {
            Some(changes) => changes.cloned().collect(),
            // More changes than the history holds: look at every object once.
            None => everything(cluster),
        };
        cluster.settled = cluster.store.revision();
        for change in &changes {
            react(cluster, change, &mut delayed);
        }
    }
    delayed
}

/// Takes a step whose time has come.
pub(crate) fn resume(cluster: &mut Cluster, step: &Delayed) {
    let resource = if step.step == Step::EndPod { PODS } else { JOBS };
    let Some(entry) = cluster.store.get(resource, &step.key.0, &step.key.1).cloned() else { return };
    if entry.value["metadata"]["uid"] != step.uid.as_str() {
        return;
    }
    match step.step {
        Step::EndPod => pod::end(cluster, &entry),
        Step::JobDeadline => job::deadline(cluster, &entry),
        Step::JobExpiry => remove(cluster, JOBS, &entry.value),
    }
}

/// The steps that wait in a state that was read from a file. Delays start anew: nobody counted the time in between.
pub(crate) fn waiting(cluster: &Cluster) -> Vec<Delayed> {
    let pods = cluster.store.iter(PODS, None).filter_map(|(_, entry)| pod::waits(&entry.value));
    let jobs = cluster.store.iter(JOBS, None).filter_map(|(_, entry)| job::waits(&entry.value));
    pods.chain(jobs).collect()
}

fn everything(cluster: &Cluster) -> Vec<Change> {
    let mut changes = Vec::new();
    for resource in cluster.store.resources() {
        for (key, entry) in cluster.store.iter(&resource, None) {
            changes.push(Change {
                kind: ChangeKind::Added,
                resource: resource.clone(),
                key: key.clone(),
                entry: entry.clone(),
                previous: None,
            });
        }
    }
    changes
}

fn react(cluster: &mut Cluster, change: &Change, delayed: &mut Vec<Delayed>) {
    if change.kind == ChangeKind::Deleted {
        garbage::deleted(cluster, &change.entry.value);
        match &*change.resource {
            DEFINITIONS => {
                crd::withdraw(&mut cluster.registry, &change.entry.value);
                garbage::empty_custom(cluster, &change.entry.value);
            }
            PODS => job::pod_changed(cluster, &change.entry.value, delayed),
            _ => {}
        }
        namespace::check(cluster, &change.key.0);
        return;
    }
    // Later changes of this round may have replaced or removed it.
    let Some(entry) = cluster.store.get(&change.resource, &change.key.0, &change.key.1).cloned() else {
        return;
    };
    if entry.revision != change.entry.revision && change.kind == ChangeKind::Modified {
        return;
    }
    let object = &entry.value;
    if object["metadata"]["deletionTimestamp"].is_string() {
        if &*change.resource == "/namespaces" {
            namespace::empty(cluster, &change.key.1);
        }
        garbage::deleting(cluster, &change.resource, &entry);
        return;
    }
    if change.kind == ChangeKind::Added && garbage::orphaned(cluster, object) {
        remove(cluster, &change.resource, object);
        return;
    }
    match &*change.resource {
        DEFINITIONS => {
            crd::serve(&mut cluster.registry, object);
            if object["status"]["conditions"].is_null() {
                let now = cluster.clock.stamp();
                let mut established = object.clone();
                crd::establish(&mut established, &now);
                write(cluster, DEFINITIONS, object, established, "kube-apiserver");
            }
        }
        "/namespaces" => namespace::welcome(cluster, &change.key.1),
        JOBS => job::sync(cluster, &entry, delayed),
        PODS => {
            pod::sync(cluster, &entry, delayed);
            job::pod_changed(cluster, object, delayed);
        }
        resource => workload::sync(cluster, resource, &entry),
    }
}

/// Writes an object as a controller: status belongs to it, no rule of clients applies.
pub(crate) fn write(
    cluster: &mut Cluster,
    resource: &str,
    old: &Value,
    mut new: Value,
    manager: &str,
) -> Arc<Entry> {
    if let Some(kind) = cluster.registry.by_key(resource) {
        let (api_version, now) = (kind.api_version(), cluster.clock.stamp());
        let created = old.is_null();
        let writer = Writer {
            manager,
            subresource: if kind.has_status && !created { "status" } else { "" },
            api_version: &api_version,
            time: &now,
        };
        if created {
            managed::record_creation(&defaults::zero(&kind), &mut new, &schema::type_of(&kind), &writer);
        } else {
            managed::record_update(old, &mut new, &schema::type_of(&kind), &writer);
        }
    }
    cluster.store.put(resource, new)
}

/// Removes an object as a controller does: finalizers hold it.
pub(crate) fn remove(cluster: &mut Cluster, resource: &str, object: &Value) {
    let Some(kind) = cluster.registry.by_key(resource) else {
        // A kind that is no longer served has nobody who could finish its finalizers.
        cluster.store.remove(resource, object.clone());
        return;
    };
    let options = DeleteOptions {
        uid: object["metadata"]["uid"].as_str().map(str::to_owned),
        resource_version: None,
        propagation: Some(Propagation::Background),
        dry_run: false,
    };
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    if let Err(refusal) = cluster.delete(&kind, object["metadata"]["namespace"].as_str(), &name, &options) {
        // It is gone already, or another object has its name now: either way there is nothing left to remove.
        tracing::debug!(resource, name, reason = refusal.reason, "object was not removed");
    }
}
