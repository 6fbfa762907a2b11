//! Deployments: a ReplicaSet for each template they had, and the Pods moved from the old ones to the new one as the
//! strategy wants.

mod status;

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::controlled::{self, number, sorted};
use super::{Delayed, REPLICA_SETS, event, remove};
use crate::cluster::Cluster;
use crate::store::Entry;

pub(crate) use status::{deadline, waits};

const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";
/// Annotations of a Deployment that are its own.
const OWN: &[&str] = &["kubectl.kubernetes.io/last-applied-configuration", REVISION];

/// A Deployment with its ReplicaSets.
struct Rollout<'a> {
    deployment: &'a Value,
    /// The one with the current template.
    new: Option<Arc<Entry>>,
    /// The others, oldest first.
    old: Vec<Arc<Entry>>,
}

impl<'a> Rollout<'a> {
    fn of(cluster: &Cluster, deployment: &'a Value) -> Self {
        let mut old = controlled::of(cluster, deployment, REPLICA_SETS);
        let wanted = sorted(&deployment["spec"]["template"]);
        let new = old.iter().position(|set| sorted(&without_hash(&set.value["spec"]["template"])) == wanted);
        let new = new.map(|index| old.remove(index));
        Self { deployment, new, old }
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        self.old.iter().chain(&self.new).map(|entry| &entry.value)
    }

    fn replicas(&self) -> i64 {
        self.deployment["spec"]["replicas"].as_i64().unwrap_or(1)
    }

    fn recreates(&self) -> bool {
        self.deployment["spec"]["strategy"]["type"] == "Recreate"
    }

    fn paused(&self) -> bool {
        self.deployment["spec"]["paused"] == true
    }

    /// How many Pods more than wanted there may be, and how many fewer.
    fn fence(&self) -> (i64, i64) {
        let replicas = self.replicas();
        let limit = |field, up: bool| match &self.deployment["spec"]["strategy"]["rollingUpdate"][field] {
            Value::String(text) => {
                let percent: i64 = text.trim_end_matches('%').parse().unwrap_or(0);
                let hundredfold = percent.saturating_mul(replicas);
                hundredfold / 100 + i64::from(up && hundredfold % 100 != 0)
            }
            number => number.as_i64().unwrap_or(0),
        };
        match (limit("maxSurge", true), limit("maxUnavailable", false).min(replicas)) {
            _ if self.recreates() => (0, 0),
            (0, 0) if replicas > 0 => (0, 1),
            fence => fence,
        }
    }

    /// The sum of a number over all ReplicaSets.
    fn sum(&self, path: [&str; 2]) -> i64 {
        self.all().map(|set| number(set, path)).sum()
    }
}

/// Brings it on by one step; the change that this makes leads to the next.
pub(crate) fn sync(cluster: &mut Cluster, entry: &Arc<Entry>, delayed: &mut Vec<Delayed>) {
    let rollout = Rollout::of(cluster, &entry.value);
    status::report(cluster, &rollout, delayed);
    if rollout.paused() {
        return;
    }
    if rollout.recreates()
        && rollout.old.iter().any(|set| number(&set.value, SIZE) > 0 || number(&set.value, RUNNING) > 0)
    {
        for set in &rollout.old {
            resize(cluster, &rollout, &set.value, 0);
        }
        return;
    }
    let Some(new) = &rollout.new else {
        create(cluster, &rollout);
        return;
    };
    if annotate(cluster, &rollout, &new.value) {
        return;
    }
    let (surge, unavailable) = rollout.fence();
    let (replicas, size) = (rollout.replicas(), number(&new.value, SIZE));
    let room = (replicas + surge - rollout.sum(SIZE)).max(0);
    let grown = if rollout.recreates() { replicas } else { replicas.min(size + room) };
    if grown != size {
        resize(cluster, &rollout, &new.value, grown);
        return;
    }
    shrink_old(cluster, &rollout, replicas - unavailable, size - number(&new.value, AVAILABLE));
    if status::is_complete(&rollout) {
        clean_up(cluster, &rollout);
    }
}

const SIZE: [&str; 2] = ["spec", "replicas"];
const RUNNING: [&str; 2] = ["status", "replicas"];
const AVAILABLE: [&str; 2] = ["status", "availableReplicas"];

/// Takes Pods from old ReplicaSets: first those that do not work, then as many as may be missing.
fn shrink_old(cluster: &mut Cluster, rollout: &Rollout<'_>, least: i64, starting: i64) {
    let mut budget = rollout.sum(SIZE) - least - starting;
    let mut spare = rollout.sum(AVAILABLE) - least;
    for set in &rollout.old {
        let (size, available) = (number(&set.value, SIZE), number(&set.value, AVAILABLE));
        let broken = (size - available).clamp(0, budget.max(0));
        let working = available.min(size).clamp(0, spare.max(0)).min((budget - broken).max(0));
        if broken + working > 0 {
            resize(cluster, rollout, &set.value, size - broken - working);
            budget -= broken + working;
            spare -= working;
        }
    }
}

fn resize(cluster: &mut Cluster, rollout: &Rollout<'_>, set: &Value, size: i64) {
    let before = number(set, SIZE);
    if before == size {
        return;
    }
    controlled::scale(cluster, REPLICA_SETS, set, size);
    tell(cluster, rollout.deployment, set, before, size);
}

fn tell(cluster: &mut Cluster, deployment: &Value, set: &Value, before: i64, size: i64) {
    let (verb, name) =
        (if before < size { "up" } else { "down" }, set["metadata"]["name"].as_str().unwrap_or_default());
    let message = format!("Scaled {verb} replica set {name} from {before} to {size}");
    event::record(cluster, deployment, "Normal", "ScalingReplicaSet", &message);
}

/// Creates the ReplicaSet of the current template.
fn create(cluster: &mut Cluster, rollout: &Rollout<'_>) {
    let deployment = rollout.deployment;
    let text = |field: &str| deployment["metadata"][field].as_str().unwrap_or_default();
    let template = &deployment["spec"]["template"];
    // The name may be taken by something else.
    let mut hash = controlled::hash(template);
    while cluster.store.get(REPLICA_SETS, text("namespace"), &format!("{}-{hash}", text("name"))).is_some() {
        hash = controlled::hash(&json!([hash, template]));
    }
    let mut set = controlled::new(deployment, "apps/v1", "ReplicaSet", &format!("{}-{hash}", text("name")));
    let (surge, _) = rollout.fence();
    let room = (rollout.replicas() + surge - rollout.sum(SIZE)).max(0);
    let size = rollout.replicas().min(room);
    set["metadata"]["labels"] = template["metadata"]["labels"].clone();
    set["metadata"]["labels"][HASH] = json!(hash);
    set["metadata"]["annotations"] = annotations(rollout, &Value::Null);
    set["spec"] = json!({"replicas": size, "selector": deployment["spec"]["selector"], "template": template});
    set["spec"]["selector"]["matchLabels"][HASH] = json!(hash);
    set["spec"]["template"]["metadata"]["labels"][HASH] = json!(hash);
    if deployment["spec"]["minReadySeconds"].is_u64() {
        set["spec"]["minReadySeconds"] = deployment["spec"]["minReadySeconds"].clone();
    }
    let entry = controlled::create(cluster, REPLICA_SETS, set);
    if size > 0 {
        tell(cluster, deployment, &entry.value, 0, size);
    }
}

/// The annotations of the new ReplicaSet: the Deployment's, and what kubectl and Helm read.
fn annotations(rollout: &Rollout<'_>, set: &Value) -> Value {
    let revision = |set: &Value| set["metadata"]["annotations"][REVISION].as_str()?.parse::<i64>().ok();
    let newest = rollout.old.iter().filter_map(|set| revision(&set.value)).max().unwrap_or(0);
    let own = revision(set).filter(|own| *own > newest).unwrap_or(newest + 1);
    let mut annotations: Map<String, Value> = rollout.deployment["metadata"]["annotations"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| !OWN.contains(&key.as_str()))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let (surge, _) = rollout.fence();
    for (key, value) in [
        ("deployment.kubernetes.io/desired-replicas", rollout.replicas()),
        ("deployment.kubernetes.io/max-replicas", rollout.replicas() + surge),
        (REVISION, own),
    ] {
        annotations.insert(key.to_owned(), json!(value.to_string()));
    }
    Value::Object(annotations)
}

/// Brings the annotations of the new ReplicaSet up to date. Whether there was anything to do.
fn annotate(cluster: &mut Cluster, rollout: &Rollout<'_>, set: &Value) -> bool {
    let wanted = annotations(rollout, set);
    if sorted(&set["metadata"]["annotations"]) == sorted(&wanted) {
        return false;
    }
    let mut next = set.clone();
    next["metadata"]["annotations"] = wanted;
    cluster.store.put(REPLICA_SETS, next);
    true
}

/// Removes the oldest ReplicaSets without Pods, beyond how many are to be kept.
fn clean_up(cluster: &mut Cluster, rollout: &Rollout<'_>) {
    let kept = rollout.deployment["spec"]["revisionHistoryLimit"].as_u64();
    let kept = kept.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(10);
    let empty: Vec<_> = rollout
        .old
        .iter()
        .filter(|set| number(&set.value, SIZE) == 0 && number(&set.value, RUNNING) == 0)
        .collect();
    for set in &empty[..empty.len().saturating_sub(kept)] {
        remove(cluster, REPLICA_SETS, &set.value);
    }
}

fn without_hash(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(labels) = template["metadata"]["labels"].as_object_mut() {
        labels.shift_remove(HASH);
    }
    template
}
