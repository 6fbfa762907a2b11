//! StatefulSets: Pods with numbers, one after the other, and a claim of each for its volumes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::controlled::{self, number};
use super::replica_set::{MOST, Pods};
use super::{CLAIMS, PODS, REVISIONS, STATEFUL_SETS, pod, remove, revision};
use crate::cluster::Cluster;
use crate::store::Entry;

const REVISION: &str = "controller-revision-hash";

/// Brings it on by one step; the change that this makes leads to the next.
pub(crate) fn sync(cluster: &mut Cluster, entry: &Arc<Entry>) {
    let set = &entry.value;
    let newest = revision::current(cluster, set);
    let update = name(&newest.value);
    let pods = Pods::of(cluster, set);
    let replicas = set["spec"]["replicas"].as_i64().unwrap_or(1);
    let current = report(cluster, set, &pods, replicas, update);
    let start = number(&set["spec"], ["ordinals", "start"]);
    let strategy = &set["spec"]["updateStrategy"];
    let rolling = strategy["type"] == "RollingUpdate";
    let partition = if rolling { number(strategy, ["rollingUpdate", "partition"]) } else { 0 };
    let in_turn = set["spec"]["podManagementPolicy"] != "Parallel";
    let most = i64::try_from(MOST).unwrap_or(replicas);
    let wanted = start..start.saturating_add(replicas.min(most));
    let named: BTreeMap<&str, &Arc<Entry>> = pods.all.iter().map(|pod| (name(&pod.value), pod)).collect();
    let of = |ordinal: i64| named.get(format!("{}-{ordinal}", name(set)).as_str()).copied();
    for ordinal in wanted.clone() {
        match of(ordinal) {
            None => {
                create(cluster, set, ordinal, if ordinal < partition { &current } else { update });
                if in_turn {
                    return;
                }
            }
            // Also if it would be replaced: as in a real cluster, somebody has to delete it.
            Some(pod) if in_turn && !pod::is_ready(&pod.value) => return,
            Some(_) => {}
        }
    }
    let kept: BTreeSet<&str> = wanted.clone().filter_map(of).map(|pod| name(&pod.value)).collect();
    for pod in pods.all.iter().filter(|pod| !kept.contains(name(&pod.value))) {
        remove(cluster, PODS, &pod.value);
    }
    if rolling {
        // From the last one down; each must be ready before the next is replaced.
        for ordinal in wanted.rev().take_while(|ordinal| *ordinal >= partition) {
            match of(ordinal) {
                Some(pod) if outdated(&pod.value, update) => {
                    remove(cluster, PODS, &pod.value);
                    return;
                }
                Some(pod) if pod::is_ready(&pod.value) => {}
                _ => return,
            }
        }
    }
    let live = |one: &Value| name(one) == update || name(one) == current;
    revision::clean_up(cluster, set, live);
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

fn outdated(pod: &Value, update: &str) -> bool {
    pod["metadata"]["labels"][REVISION] != update
}

/// Writes the status. Answers the current revision: that of all Pods when the last update was done.
fn report(cluster: &mut Cluster, set: &Value, pods: &Pods, replicas: i64, update: &str) -> String {
    let of = |revision: &str| pods.all.iter().filter(|pod| !outdated(&pod.value, revision)).count();
    let all = pods.all.len();
    let done = [all, pods.ready, of(update)].iter().all(|count| i64::try_from(*count) == Ok(replicas));
    let before = set["status"]["currentRevision"].as_str();
    let current = if done { update } else { before.unwrap_or(update) }.to_owned();
    let status = json!({
        "observedGeneration": set["metadata"]["generation"],
        "replicas": all, "readyReplicas": pods.ready, "availableReplicas": pods.available,
        "currentReplicas": of(&current), "updatedReplicas": of(update),
        "currentRevision": current, "updateRevision": update, "collisionCount": 0,
    });
    controlled::report(
        cluster,
        STATEFUL_SETS,
        set,
        status,
        &["replicas", "availableReplicas", "collisionCount"],
    );
    current
}

/// Creates a Pod of a revision, and the claims that it has not yet.
fn create(cluster: &mut Cluster, set: &Value, ordinal: i64, revision: &str) {
    let namespace = set["metadata"]["namespace"].as_str().unwrap_or_default();
    let stored = cluster.store.get(REVISIONS, namespace, revision).map(|entry| entry.value.clone());
    let template = match &stored {
        Some(stored) => &stored["data"]["spec"]["template"],
        None => &set["spec"]["template"],
    };
    let mut pod = controlled::pod(set, template);
    let name = format!("{}-{ordinal}", name(set));
    pod["metadata"]["name"] = json!(name);
    let labels = &mut pod["metadata"]["labels"];
    labels["apps.kubernetes.io/pod-index"] = json!(ordinal.to_string());
    labels[REVISION] = json!(revision);
    labels["statefulset.kubernetes.io/pod-name"] = json!(name);
    pod["spec"]["hostname"] = json!(name);
    if set["spec"]["serviceName"].is_string() {
        pod["spec"]["subdomain"] = set["spec"]["serviceName"].clone();
    }
    for claim in set["spec"]["volumeClaimTemplates"].as_array().into_iter().flatten() {
        let volume = claim["metadata"]["name"].as_str().unwrap_or_default();
        let claimed = format!("{volume}-{name}");
        if cluster.store.get(CLAIMS, namespace, &claimed).is_none() {
            let mut made = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": claim["metadata"], "spec": claim["spec"]});
            made["metadata"]["name"] = json!(claimed);
            made["metadata"]["namespace"] = json!(namespace);
            made["metadata"]["labels"] = set["spec"]["selector"]["matchLabels"].clone();
            controlled::create(cluster, CLAIMS, made);
        }
        let mounted = json!({"name": volume, "persistentVolumeClaim": {"claimName": claimed}});
        match &mut pod["spec"]["volumes"] {
            Value::Array(volumes) => volumes.push(mounted),
            none => *none = json!([mounted]),
        }
    }
    controlled::create_pod(cluster, set, pod);
}
