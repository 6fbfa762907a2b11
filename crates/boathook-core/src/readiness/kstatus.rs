//! The rules of kstatus (sigs.k8s.io/cli-utils), which Helm 4's watcher follows: from an object to how far it is, in
//! kstatus' words. Each rule stands in the order of the original, because the first that holds gives the message.

use jiff::Timestamp;
use serde_json::Value;

use super::{Around, Readiness, conditions, controlled, count, holds, int, is_deleted, pod};
use crate::Object;

/// How far an object of any kind is, by itself alone.
///
/// Differences from the original, all towards not hanging: an `observedGeneration` that is no integer counts as absent
/// (Argo Rollouts writes a string; helm #32615), so do a status and conditions of another shape, and an unknown phase of a
/// Pod is progress. Where a Job or a container failed, the reason is told behind kstatus' text. An unschedulable Pod stays
/// in progress, because telling for how long needs a clock. A Job that has started is current; use [`super::hook_job`]
/// to wait for its end. A claim of a `WaitForFirstConsumer` class stays in progress until a Pod uses it.
pub fn kstatus(object: &Object) -> Readiness {
    compute(object, None)
}

/// As Helm 4's watcher has it: paused Deployments are not waited for, and Pods that have failed tell of the controller
/// that made them.
pub(super) fn watcher(object: &Object, around: &Around<'_>, jobs: bool) -> Readiness {
    let gvk = object.reference().gvk();
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("apps", "Deployment") if object.get(&["spec", "paused"]) == Some(&Value::Bool(true)) => {
            Readiness::Current
        }
        ("batch", "Job") if jobs => {
            job_end(object).unwrap_or_else(|| Readiness::in_progress("Job in progress"))
        }
        ("apps", "StatefulSet" | "ReplicaSet") => match compute(object, around.now) {
            Readiness::InProgress(message) => {
                failed_pods(object, around).unwrap_or(Readiness::InProgress(message))
            }
            other => other,
        },
        _ => compute(object, around.now),
    }
}

fn compute(object: &Object, now: Option<Timestamp>) -> Readiness {
    if is_deleted(object) {
        return Readiness::Terminating;
    }
    let generation = int(object, &["metadata", "generation"]);
    let observed = int(object, &["status", "observedGeneration"]);
    if let (Some(generation), Some(observed)) = (generation, observed)
        && generation != observed
    {
        let kind = object.kind();
        return Readiness::in_progress(format!(
            "{kind} generation is {generation}, but latest observed generation is {observed}"
        ));
    }
    for condition in conditions(object).filter(|condition| condition.status == "True") {
        match condition.kind {
            "Reconciling" => return Readiness::InProgress(condition.told()),
            "Stalled" => return Readiness::Failed(condition.told()),
            _ => {}
        }
    }
    let gvk = object.reference().gvk();
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("apps" | "extensions", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps" | "extensions", "DaemonSet") => daemon_set(object),
        ("apps" | "extensions", "ReplicaSet") => replica_set(object),
        ("batch", "Job") => job(object),
        ("", "ConfigMap" | "Secret") | ("batch", "CronJob") | ("policy", "PodDisruptionBudget") => {
            Readiness::Current
        }
        ("", "Pod") => pod::kstatus(object, now),
        ("", "PersistentVolumeClaim") => match object.str(&["status", "phase"]) {
            Some("Bound") => Readiness::Current,
            phase => {
                let phase = phase.unwrap_or("unknown");
                Readiness::in_progress(format!("PVC is not Bound. phase: {phase}"))
            }
        },
        ("", "Service") => service(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => custom_resource_definition(object),
        _ => other(object),
    }
}

/// Pods of a controller that have failed for good; those that are going away or find no node may still come.
fn failed_pods(object: &Object, around: &Around<'_>) -> Option<Readiness> {
    let failed: Vec<String> = controlled::of(object, around.controlled)
        .filter(|pod| !is_deleted(pod) && !pod::is_unschedulable(pod))
        .filter_map(|pod| match compute(pod, around.now) {
            Readiness::Failed(message) => Some(format!("Pod {}: {message}", pod.name())),
            _ => None,
        })
        .collect();
    let count = failed.len();
    let first = failed.into_iter().next()?;
    Some(Readiness::Failed(format!("{count} pods have failed: {first}")))
}

fn deployment(object: &Object) -> Readiness {
    let deadline = int(object, &["spec", "progressDeadlineSeconds"]);
    // The API server writes the largest int32 where a user wants no deadline.
    let mut progressed = deadline.is_none_or(|seconds| seconds == i64::from(i32::MAX));
    for condition in conditions(object).filter(|condition| condition.kind == "Progressing") {
        if condition.reason == "ProgressDeadlineExceeded" {
            return Readiness::Failed("Progress deadline exceeded".to_owned());
        }
        progressed |= condition.status == "True" && condition.reason == "NewReplicaSetAvailable";
    }
    let wanted = int(object, &["spec", "replicas"]).unwrap_or(1);
    let [replicas, updated, ready, available] =
        ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"]
            .map(|field| count(object, field));
    at_least("Replicas", replicas, wanted)
        .or_else(|| at_least("Updated", updated, wanted))
        .or_else(|| surplus(replicas, wanted))
        .or_else(|| at_least("Available", available, updated))
        .or_else(|| at_least("Ready", ready, wanted))
        .or_else(|| unless(progressed, "ReplicaSet not Available"))
        .or_else(|| unless(holds(object, "Available"), "Deployment not Available"))
        .unwrap_or(Readiness::Current)
}

fn stateful_set(object: &Object) -> Readiness {
    if object.str(&["spec", "updateStrategy", "type"]) == Some("OnDelete") {
        return Readiness::Current;
    }
    let wanted = int(object, &["spec", "replicas"]).unwrap_or(1);
    let [replicas, updated, ready, current] =
        ["replicas", "updatedReplicas", "readyReplicas", "currentReplicas"].map(|field| count(object, field));
    let missing = at_least("Replicas", replicas, wanted)
        .or_else(|| at_least("Ready", ready, wanted))
        .or_else(|| surplus(replicas, wanted));
    if let Some(missing) = missing {
        return missing;
    }
    // The API server fills in a partition of 0.
    if let Some(partition) = int(object, &["spec", "updateStrategy", "rollingUpdate", "partition"]) {
        return at_least("updated", updated, wanted - partition).unwrap_or(Readiness::Current);
    }
    let revision = |field| object.str(&["status", field]).unwrap_or_default();
    let same = revision("currentRevision") == revision("updateRevision");
    at_least("current", current, wanted)
        .or_else(|| unless(same, "Waiting for updated revision to match current"))
        .unwrap_or(Readiness::Current)
}

fn daemon_set(object: &Object) -> Readiness {
    for path in [["metadata", "generation"], ["status", "observedGeneration"]] {
        if int(object, &path).is_none() {
            let kind = object.kind();
            return Readiness::in_progress(format!("{kind} {} not found", path.join(".")));
        }
    }
    let Some(desired) = int(object, &["status", "desiredNumberScheduled"]) else {
        return Readiness::in_progress("Missing .status.desiredNumberScheduled");
    };
    at_least("Current", count(object, "currentNumberScheduled"), desired)
        .or_else(|| at_least("Updated", count(object, "updatedNumberScheduled"), desired))
        .or_else(|| at_least("Available", count(object, "numberAvailable"), desired))
        .or_else(|| at_least("Ready", count(object, "numberReady"), desired))
        .unwrap_or(Readiness::Current)
}

fn replica_set(object: &Object) -> Readiness {
    if holds(object, "ReplicaFailure") {
        return Readiness::in_progress("Replica Failure condition. Check Pods");
    }
    let wanted = int(object, &["spec", "replicas"]).unwrap_or(1);
    at_least("Labelled", count(object, "fullyLabeledReplicas"), wanted)
        .or_else(|| at_least("Available", count(object, "availableReplicas"), wanted))
        .or_else(|| at_least("Ready", count(object, "readyReplicas"), wanted))
        .or_else(|| surplus(count(object, "replicas"), wanted))
        .unwrap_or(Readiness::Current)
}

fn job(object: &Object) -> Readiness {
    let started = object.str(&["status", "startTime"]).is_some_and(|time| !time.is_empty());
    job_end(object).or_else(|| unless(started, "Job not started")).unwrap_or(Readiness::Current)
}

/// How a Job ended, if it has.
fn job_end(object: &Object) -> Option<Readiness> {
    conditions(object).filter(|condition| condition.status == "True").find_map(|condition| {
        match condition.kind {
            "Complete" => Some(Readiness::Current),
            "Failed" => {
                let parallelism = int(object, &["spec", "parallelism"]).unwrap_or(1);
                let completions = int(object, &["spec", "completions"]).unwrap_or(parallelism);
                let mut message = format!("Job Failed. failed: {}/{completions}", count(object, "failed"));
                match condition.explanation("").as_str() {
                    "" => {}
                    reason => message += &format!(": {reason}"),
                }
                Some(Readiness::Failed(message))
            }
            _ => None,
        }
    })
}

fn service(object: &Object) -> Readiness {
    let balancer = object.str(&["spec", "type"]) == Some("LoadBalancer");
    let address = object.str(&["spec", "clusterIP"]).is_some_and(|address| !address.is_empty());
    unless(!balancer || address, "ClusterIP not set. Service type: LoadBalancer")
        .unwrap_or(Readiness::Current)
}

fn custom_resource_definition(object: &Object) -> Readiness {
    for condition in conditions(object) {
        match (condition.kind, condition.status) {
            ("NamesAccepted", "False") => return Readiness::Failed(condition.told()),
            ("Established", "False") if condition.reason != "Installing" => {
                return Readiness::Failed(condition.told());
            }
            ("Established", "True") => return Readiness::Current,
            _ => {}
        }
    }
    Readiness::in_progress("Install in progress")
}

/// Any kind without a rule of its own: its first `Ready` condition that says something.
fn other(object: &Object) -> Readiness {
    conditions(object)
        .filter(|condition| condition.kind == "Ready")
        .find_map(|ready| match ready.status {
            "True" => Some(Readiness::Current),
            "False" | "Unknown" => Some(Readiness::InProgress(ready.told())),
            _ => None,
        })
        .unwrap_or(Readiness::Current)
}

fn at_least(what: &str, has: i64, wanted: i64) -> Option<Readiness> {
    (has < wanted).then(|| Readiness::in_progress(format!("{what}: {has}/{wanted}")))
}

fn surplus(has: i64, wanted: i64) -> Option<Readiness> {
    (has > wanted).then(|| Readiness::in_progress(format!("Pending termination: {}", has - wanted)))
}

fn unless(holds: bool, message: &str) -> Option<Readiness> {
    (!holds).then(|| Readiness::in_progress(message))
}

#[cfg(test)]
mod tests {
    //! Where this differs from kstatus. Where it does not is held by the vectors in `tests/readiness.rs`.

    use serde_json::json;
    use test_case::test_case;

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).unwrap()
    }

    #[test_case(json!({"observedGeneration": "1"}) => Readiness::Current; "a generation that is text")]
    #[test_case(json!({"observedGeneration": 1.5}) => Readiness::Current; "a generation that is no integer")]
    #[test_case(json!("fine") => Readiness::Current; "a status that is text")]
    #[test_case(json!({"conditions": {"Ready": "False"}}) => Readiness::Current; "conditions that are a map")]
    #[test_case(json!({"conditions": [{"type": "Ready", "status": "False", "reason": 5, "message": "m"}]}) => Readiness::in_progress("m"); "a reason that is a number")]
    #[test_case(json!({"conditions": [{"type": "Ready", "status": "False", "reason": "R"}]}) => Readiness::in_progress("R"); "a reason without a message")]
    fn a_status_of_another_shape_is_none(status: Value) -> Readiness {
        let metadata = json!({"generation": 2});
        kstatus(&object(
            json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata, "status": status}),
        ))
    }

    #[test]
    fn a_lost_node_is_no_verdict() {
        let pod = object(json!({"apiVersion": "v1", "kind": "Pod", "status": {"phase": "Unknown"}}));
        assert_eq!(kstatus(&pod), Readiness::in_progress("unknown phase Unknown"));
    }

    #[test]
    fn the_reason_of_a_failure_is_kept() {
        let failed = json!({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "enough"});
        let job = object(
            json!({"apiVersion": "batch/v1", "kind": "Job", "status": {"failed": 2, "conditions": [failed]}}),
        );
        let told = Readiness::Failed("Job Failed. failed: 2/1: BackoffLimitExceeded: enough".to_owned());
        assert_eq!(kstatus(&job), told);
        assert_eq!(watcher(&job, &Around::default(), true), told);
    }
}
