//! Controllers: what reacts to changes of objects. They run inside the request that made the change, until nothing
//! changes any more, so a client sees every step in its watch and nothing depends on a background loop; only delays
//! wait. Nothing here runs a container: whatever ends a Pod or a Job says `simulated`.

mod controlled;
mod daemon_set;
mod deployment;
mod event;
mod garbage;
mod job;
mod namespace;
pub(crate) mod outcome;
mod pod;
mod provider;
mod replica_set;
mod revision;
mod stateful_set;

pub(crate) use controlled::create;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::authorize::roles;
use crate::cluster::Cluster;
use crate::managed::{self, Writer};
use crate::options::{DeleteOptions, Propagation};
use crate::schema;
use crate::store::{Change, ChangeKind, Entry};
use crate::{crd, defaults};

/// Set to `true` on every Pod, and on every Job that was ended, without a container.
pub(crate) const SIMULATED: &str = "embedded.boathook.dev/simulated";
/// The node on which simulated Pods say they run.
pub(crate) const NODE: &str = "simulated";

/// The key of CRDs in the store.
const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions";
/// The keys of kinds in the store.
const CLAIMS: &str = "/persistentvolumeclaims";
const CLUSTER_ROLES: &str = "rbac.authorization.k8s.io/clusterroles";
const CONTROLLERS: &str = "/replicationcontrollers";
const DAEMON_SETS: &str = "apps/daemonsets";
const DEPLOYMENTS: &str = "apps/deployments";
const JOBS: &str = "batch/jobs";
const NAMESPACES: &str = "/namespaces";
pub(crate) const PODS: &str = "/pods";
const REPLICA_SETS: &str = "apps/replicasets";
const REVISIONS: &str = "apps/controllerrevisions";
const STATEFUL_SETS: &str = "apps/statefulsets";
/// The field manager of the controllers.
const MANAGER: &str = "kube-controller-manager";

/// What happens to an object after a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The Pod ends or gets ready, as its annotations say.
    SettlePod,
    /// The Job has been active for too long.
    JobDeadline,
    /// The finished Job is removed.
    JobExpiry,
    /// The Deployment's rollout has taken too long.
    RolloutDeadline,
    /// A Pod of the workload has been ready for long enough to count.
    Recount,
}

/// A step that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delayed {
    /// How long.
    pub(crate) delay: Duration,
    /// What then.
    step: Step,
    /// The key of the object's kind.
    resource: &'static str,
    /// The object's namespace and name.
    key: (String, String),
    /// Its UID: a later object of the same name is another one.
    uid: String,
}

impl Delayed {
    /// A step of an object.
    fn new(resource: &'static str, object: &Value, step: Step, delay: Duration) -> Self {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        Self { delay, step, resource, key: (text("namespace"), text("name")), uid: text("uid") }
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
        // What controls Pods looks at them once a round, not once a Pod.
        let mut owners = BTreeSet::new();
        for change in &changes {
            react(cluster, change, &mut delayed);
            if let Some((resource, owner)) = owner(cluster, &change.entry.value) {
                delayed.extend(recount(cluster, &change.entry.value));
                owners.insert((resource, change.key.0.clone(), name(&owner.value)));
            }
        }
        for (resource, namespace, name) in owners {
            let found = cluster.store.get(resource, &namespace, &name).cloned();
            if let Some(owner) =
                found.filter(|owner| !owner.value["metadata"]["deletionTimestamp"].is_string())
            {
                sync(cluster, resource, &owner, &mut delayed);
            }
        }
    }
    delayed
}

/// Takes a step whose time has come.
pub(crate) fn resume(cluster: &mut Cluster, step: &Delayed) {
    let Some(entry) = cluster.store.get(step.resource, &step.key.0, &step.key.1).cloned() else { return };
    if entry.value["metadata"]["uid"] != step.uid.as_str() {
        return;
    }
    match step.step {
        Step::SettlePod => pod::settle(cluster, &entry),
        Step::JobDeadline => job::deadline(cluster, &entry),
        Step::JobExpiry => remove(cluster, JOBS, &entry.value),
        Step::RolloutDeadline => deployment::deadline(cluster, &entry),
        // What this makes wait is asked for when it changes.
        Step::Recount => sync(cluster, step.resource, &entry, &mut Vec::new()),
    }
}

/// The steps that wait in a state that was read from a file. Delays start anew: nobody counted the time in between.
pub(crate) fn waiting(cluster: &Cluster) -> Vec<Delayed> {
    let all = |resource| cluster.store.iter(resource, None).map(|(_, entry)| &entry.value);
    let pods = all(PODS).filter_map(pod::waits);
    let recounts = all(PODS).filter_map(|pod| recount(cluster, pod));
    let jobs = all(JOBS).filter_map(job::waits);
    pods.chain(recounts).chain(jobs).chain(all(DEPLOYMENTS).filter_map(deployment::waits)).collect()
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
        if &*change.resource == CLUSTER_ROLES {
            roles::gather(cluster);
        }
        if &*change.resource == DEFINITIONS {
            crd::withdraw(&mut cluster.registry, &change.entry.value);
            garbage::empty_custom(cluster, &change.entry.value);
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
        if &*change.resource == NAMESPACES {
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
        NAMESPACES => namespace::welcome(cluster, &change.key.1),
        resource => sync(cluster, resource, &entry, delayed),
    }
}

/// Brings an object on, if its kind has a controller.
fn sync(cluster: &mut Cluster, resource: &str, entry: &Arc<Entry>, delayed: &mut Vec<Delayed>) {
    match resource {
        PODS => pod::sync(cluster, entry, delayed),
        JOBS => job::sync(cluster, entry, delayed),
        DEPLOYMENTS => deployment::sync(cluster, entry, delayed),
        REPLICA_SETS | CONTROLLERS => replica_set::sync(cluster, resource, entry),
        STATEFUL_SETS => stateful_set::sync(cluster, entry),
        DAEMON_SETS => daemon_set::sync(cluster, entry),
        CLUSTER_ROLES => roles::gather(cluster),
        resource => provider::sync(cluster, resource, entry),
    }
}

fn name(object: &Value) -> String {
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

/// What controls an object, if it is there.
fn owner(cluster: &Cluster, object: &Value) -> Option<(&'static str, Arc<Entry>)> {
    let owner = controlled::controller(object)?;
    let resource = match (owner["apiVersion"].as_str()?, owner["kind"].as_str()?) {
        ("batch/v1", "Job") => JOBS,
        ("apps/v1", "Deployment") => DEPLOYMENTS,
        ("apps/v1", "ReplicaSet") => REPLICA_SETS,
        ("apps/v1", "StatefulSet") => STATEFUL_SETS,
        ("apps/v1", "DaemonSet") => DAEMON_SETS,
        ("v1", "ReplicationController") => CONTROLLERS,
        _ => return None,
    };
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let entry = cluster.store.get(resource, namespace, owner["name"].as_str()?)?;
    (entry.value["metadata"]["uid"] == owner["uid"]).then(|| (resource, entry.clone()))
}

/// The step for which the owner of a Pod waits that is ready, but not for long enough yet.
fn recount(cluster: &Cluster, pod: &Value) -> Option<Delayed> {
    let (resource, owner) = owner(cluster, pod)?;
    let seconds = owner.value["spec"]["minReadySeconds"].as_u64().filter(|seconds| *seconds > 0)?;
    let waits = pod::is_ready(pod) && !replica_set::is_available(cluster, &owner.value, pod);
    waits.then(|| Delayed::new(resource, &owner.value, Step::Recount, Duration::from_secs(seconds)))
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
