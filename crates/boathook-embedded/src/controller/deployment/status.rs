//! What a Deployment says of its rollout: counts, whether it is available, and whether it goes on, is done or takes too
//! long.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{AVAILABLE, REVISION, RUNNING, Rollout};
use crate::cluster::Cluster;
use crate::controller::controlled::{number, sorted};
use crate::controller::{DEPLOYMENTS, Delayed, MANAGER, Step, write};
use crate::store::Entry;

/// Whether all Pods are of the current template and available, and no others are left.
pub(super) fn is_complete(rollout: &Rollout<'_>) -> bool {
    let new = rollout.new.as_ref().map_or(&Value::Null, |entry| &entry.value);
    let counts = [number(new, RUNNING), rollout.sum(RUNNING), rollout.sum(AVAILABLE)];
    counts.iter().all(|count| *count == rollout.replicas())
}

/// Writes the status and the revision, if they are others. A rollout that got on gets its time anew.
pub(super) fn report(cluster: &mut Cluster, rollout: &Rollout<'_>, delayed: &mut Vec<Delayed>) {
    let old = rollout.deployment;
    let mut next = old.clone();
    if let Some(new) = &rollout.new {
        next["metadata"]["annotations"][REVISION] = new.value["metadata"]["annotations"][REVISION].clone();
    }
    let available = rollout.sum(AVAILABLE);
    let updated = rollout.new.as_ref().map_or(0, |new| number(&new.value, RUNNING));
    let mut status = json!({
        "observedGeneration": old["metadata"]["generation"],
        "replicas": rollout.sum(RUNNING), "updatedReplicas": updated,
        "readyReplicas": rollout.sum(["status", "readyReplicas"]), "availableReplicas": available,
        "unavailableReplicas": (rollout.sum(super::SIZE) - available).max(0),
    });
    if let Value::Object(counts) = &mut status {
        counts.retain(|_, count| *count != 0);
    }
    let got_on = ["updatedReplicas", "readyReplicas", "availableReplicas"]
        .iter()
        .any(|field| status[*field].as_i64() > old["status"][*field].as_i64())
        || old["status"]["observedGeneration"] != old["metadata"]["generation"];
    let mut conditions = vec![available_condition(rollout, available)];
    conditions.extend(progress(rollout, got_on));
    let now = cluster.clock.stamp();
    status["conditions"] =
        conditions.into_iter().map(|condition| dated(old, condition, got_on, &now)).collect();
    next["status"] = status;
    if sorted(&next) == sorted(old) {
        return;
    }
    let entry = write(cluster, DEPLOYMENTS, old, next, MANAGER);
    if got_on {
        delayed.extend(waits(&entry.value));
    }
}

fn available_condition(rollout: &Rollout<'_>, available: i64) -> Value {
    let (_, unavailable) = rollout.fence();
    if available >= rollout.replicas() - unavailable {
        condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    } else {
        let message = "Deployment does not have minimum availability.";
        condition("Available", "False", "MinimumReplicasUnavailable", message)
    }
}

fn progress(rollout: &Rollout<'_>, got_on: bool) -> Option<Value> {
    if rollout.paused() {
        return Some(condition("Progressing", "Unknown", "DeploymentPaused", "Deployment is paused"));
    }
    let new = rollout.new.as_ref()?;
    let about = |text: &str| {
        format!("ReplicaSet \"{}\" {text}", new.value["metadata"]["name"].as_str().unwrap_or_default())
    };
    Some(if is_complete(rollout) {
        condition("Progressing", "True", "NewReplicaSetAvailable", &about("has successfully progressed."))
    } else if !got_on && has(rollout.deployment, "ProgressDeadlineExceeded") {
        late(&about("has timed out progressing."))
    } else {
        condition("Progressing", "True", "ReplicaSetUpdated", &about("is progressing."))
    })
}

fn late(message: &str) -> Value {
    condition("Progressing", "False", "ProgressDeadlineExceeded", message)
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": format!("simulated: {message}")})
}

fn has(deployment: &Value, reason: &str) -> bool {
    deployment["status"]["conditions"].as_array().into_iter().flatten().any(|one| one["reason"] == reason)
}

/// A condition with its times: that of the last change of its status, and that of the last news.
fn dated(old: &Value, mut condition: Value, got_on: bool, now: &str) -> Value {
    let before = old["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|one| one["type"] == condition["type"]);
    let same = |field: &str| before.filter(|before| before[field] == condition[field]);
    let news = got_on && condition["type"] == "Progressing";
    let updated =
        same("status").and(same("reason")).filter(|_| !news).map(|before| before["lastUpdateTime"].clone());
    let changed = same("status").map(|before| before["lastTransitionTime"].clone());
    condition["lastUpdateTime"] = updated.unwrap_or_else(|| json!(now));
    condition["lastTransitionTime"] = changed.unwrap_or_else(|| json!(now));
    condition
}

/// The step for which a rollout waits: that it takes too long.
pub(crate) fn waits(deployment: &Value) -> Option<Delayed> {
    let deadline = deployment["spec"]["progressDeadlineSeconds"].as_u64()?;
    has(deployment, "ReplicaSetUpdated")
        .then(|| Delayed::new(DEPLOYMENTS, deployment, Step::RolloutDeadline, Duration::from_secs(deadline)))
}

/// The rollout took too long, if it did not get on meanwhile.
pub(crate) fn deadline(cluster: &mut Cluster, entry: &Arc<Entry>) {
    let old = &entry.value;
    let mut next = old.clone();
    let now = cluster.clock.now();
    let deadline = SignedDuration::from_secs(number(old, ["spec", "progressDeadlineSeconds"]));
    for one in next["status"]["conditions"].as_array_mut().into_iter().flatten() {
        let since = one["lastUpdateTime"].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        if one["reason"] == "ReplicaSetUpdated"
            && since.is_some_and(|since| now.duration_since(since) >= deadline)
        {
            let message = one["message"].as_str().unwrap_or_default();
            let message = message.replace("is progressing.", "has timed out progressing.");
            *one = late(message.trim_start_matches("simulated: "));
            one["lastUpdateTime"] = json!(cluster.clock.stamp());
            one["lastTransitionTime"] = one["lastUpdateTime"].clone();
        }
    }
    if next != *old {
        write(cluster, DEPLOYMENTS, old, next, MANAGER);
    }
}
