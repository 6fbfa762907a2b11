//! DaemonSets: one Pod, on the one node.

use std::sync::Arc;

use serde_json::{Value, json};

use super::replica_set::Pods;
use super::{DAEMON_SETS, PODS, controlled, remove, revision};
use crate::cluster::Cluster;
use crate::store::Entry;

const HASH: &str = "controller-revision-hash";

/// Brings it on: its Pod, of the current template if it is to be updated, and its status.
pub(crate) fn sync(cluster: &mut Cluster, entry: &Arc<Entry>) {
    let set = &entry.value;
    let revision = revision::current(cluster, set);
    let hash = &revision.value["metadata"]["labels"][HASH];
    let pods = Pods::of(cluster, set);
    let is_updated = |pod: &Value| pod["metadata"]["labels"][HASH] == *hash;
    let updated = pods.all.iter().filter(|pod| is_updated(&pod.value)).count();
    let scheduled = pods.all.len().min(1);
    let status = json!({
        "observedGeneration": set["metadata"]["generation"],
        "desiredNumberScheduled": 1, "currentNumberScheduled": scheduled, "updatedNumberScheduled": updated,
        "numberReady": pods.ready, "numberAvailable": pods.available, "numberUnavailable": 1_usize.saturating_sub(pods.available),
        "numberMisscheduled": 0,
    });
    let kept = ["currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady"];
    controlled::report(cluster, DAEMON_SETS, set, status, &kept);
    match pods.all.first() {
        None => {
            let mut pod = controlled::pod(set, &set["spec"]["template"]);
            pod["metadata"]["labels"][HASH] = hash.clone();
            let generation = &set["metadata"]["annotations"]["deprecated.daemonset.template.generation"];
            pod["metadata"]["labels"]["pod-template-generation"] = generation.clone();
            controlled::create_pod(cluster, set, pod);
        }
        Some(pod) if !is_updated(&pod.value) => {
            if set["spec"]["updateStrategy"]["type"] == "RollingUpdate" {
                remove(cluster, PODS, &pod.value);
            }
        }
        Some(_) => {
            revision::clean_up(cluster, set, |one| one["metadata"]["labels"][HASH] == *hash);
        }
    }
}
