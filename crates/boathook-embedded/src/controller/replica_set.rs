//! ReplicaSets and ReplicationControllers: as many Pods of a template as they want.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::controlled::{self, number};
use super::{PODS, pod, remove};
use crate::cluster::Cluster;
use crate::store::Entry;

/// As many Pods of one workload are made: what a kubelet takes. Whatever wants more does not get ready, as on a real cluster
/// of one node, and nobody fills this machine's memory by a number.
pub(crate) const MOST: usize = 110;

/// The Pods that an object controls and that have not ended.
pub(crate) struct Pods {
    /// All of them, oldest first.
    pub(crate) all: Vec<Arc<Entry>>,
    /// How many are ready.
    pub(crate) ready: usize,
    /// How many have been ready for `minReadySeconds`.
    pub(crate) available: usize,
}

impl Pods {
    /// Those of an object.
    pub(crate) fn of(cluster: &Cluster, owner: &Value) -> Self {
        let mut all = controlled::of(cluster, owner, PODS);
        all.retain(|pod| {
            !matches!(pod.value["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
                && !pod.value["metadata"]["deletionTimestamp"].is_string()
        });
        let ready = all.iter().filter(|pod| pod::is_ready(&pod.value)).count();
        let available = all.iter().filter(|pod| is_available(cluster, owner, &pod.value)).count();
        Self { all, ready, available }
    }
}

/// Whether a Pod has been ready for as long as its owner wants.
pub(crate) fn is_available(cluster: &Cluster, owner: &Value, pod: &Value) -> bool {
    let wanted = SignedDuration::from_secs(number(owner, ["spec", "minReadySeconds"]));
    let since = pod::ready_condition(pod)
        .and_then(|one| one["lastTransitionTime"].as_str()?.parse::<Timestamp>().ok());
    let long_enough = || since.is_some_and(|since| cluster.clock.now().duration_since(since) >= wanted);
    pod::is_ready(pod) && (wanted.is_zero() || long_enough())
}

/// Brings it on: Pods where they are missing or too many, status where it changed.
pub(crate) fn sync(cluster: &mut Cluster, resource: &str, entry: &Arc<Entry>) {
    let set = &entry.value;
    let pods = Pods::of(cluster, set);
    let wanted = usize::try_from(set["spec"]["replicas"].as_i64().unwrap_or(1)).unwrap_or(0);
    let status = json!({
        "observedGeneration": set["metadata"]["generation"],
        "replicas": pods.all.len(), "fullyLabeledReplicas": pods.all.len(),
        "readyReplicas": pods.ready, "availableReplicas": pods.available,
    });
    controlled::report(cluster, resource, set, status, &["replicas"]);
    for _ in pods.all.len()..wanted.min(MOST) {
        let pod = controlled::pod(set, &set["spec"]["template"]);
        controlled::create_pod(cluster, set, pod);
    }
    // Those that do not work go first, then the youngest.
    let mut surplus = pods.all;
    surplus.reverse();
    surplus.sort_by_key(|pod| pod::is_ready(&pod.value));
    let count = surplus.len().saturating_sub(wanted);
    for pod in &surplus[..count] {
        remove(cluster, PODS, &pod.value);
    }
}
