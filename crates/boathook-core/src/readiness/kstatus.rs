//! The rules of kstatus (sigs.k8s.io/cli-utils), which Helm 4's `--wait` follows: from an object alone to how far it
//! is. Each rule stands in the order of the original, because the first that holds gives the message.

use serde_json::Value;

use super::{Readiness, conditions, pod};
use crate::Object;

/// How far an object of any kind is.
///
/// Differences from the original, all towards not hanging or not guessing: an `observedGeneration` that is no integer
/// counts as absent (Argo Rollouts writes a string; helm #32615), and an unschedulable Pod stays in progress, because
/// telling for how long needs a clock. A Job that has started is current; use [`super::hook_job`] to wait for its end.
/// A claim of a `WaitForFirstConsumer` class stays in progress until a Pod uses it.
pub fn kstatus(object: &Object) -> Readiness {
    if object.get(&["metadata", "deletionTimestamp"]).is_some_and(|time| !time.is_null()) {
        return Readiness::in_progress("being deleted");
    }
    let generation = int(object, &["metadata", "generation"]);
    let observed = int(object, &["status", "observedGeneration"]);
    if let (Some(generation), Some(observed)) = (generation, observed)
        && generation != observed
    {
        return Readiness::in_progress(format!(
            "generation is {generation}, but the last one its controller saw is {observed}"
        ));
    }
    for condition in conditions(object).filter(|condition| condition.status == "True") {
        match condition.kind {
            "Reconciling" => return Readiness::in_progress(condition.explanation("reconciling")),
            "Stalled" => return Readiness::Failed(condition.explanation("stalled")),
            _ => {}
        }
    }
    let gvk = object.reference().gvk();
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("apps", "Deployment") => deployment(object),
        ("apps", "StatefulSet") => stateful_set(object),
        ("apps", "DaemonSet") => daemon_set(object),
        ("apps", "ReplicaSet") => replica_set(object),
        ("batch", "Job") => job(object),
        ("" | "batch" | "policy", "ConfigMap" | "Secret" | "CronJob" | "PodDisruptionBudget") => {
            Readiness::Current
        }
        ("", "Pod") => pod::kstatus(object),
        ("", "PersistentVolumeClaim") => match object.str(&["status", "phase"]) {
            Some("Bound") => Readiness::Current,
            phase => Readiness::in_progress(format!("phase {}, not Bound", phase.unwrap_or("unknown"))),
        },
        ("", "Service") => service(object),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => custom_resource_definition(object),
        _ => other(object),
    }
}

fn deployment(object: &Object) -> Readiness {
    let deadline = int(object, &["spec", "progressDeadlineSeconds"]);
    // The API server writes the largest int32 where a user wants no deadline.
    let mut progressed = deadline.is_none_or(|seconds| seconds == i64::from(i32::MAX));
    let mut available = false;
    for condition in conditions(object) {
        match condition.kind {
            "Progressing" if condition.reason == "ProgressDeadlineExceeded" => {
                return Readiness::Failed(condition.explanation("ProgressDeadlineExceeded"));
            }
            "Progressing" if condition.status == "True" && condition.reason == "NewReplicaSetAvailable" => {
                progressed = true;
            }
            "Available" => available = condition.status == "True",
            _ => {}
        }
    }
    let wanted = int(object, &["spec", "replicas"]).unwrap_or(1);
    let [replicas, updated, ready, free] =
        ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"]
            .map(|field| count(object, field));
    at_least("replicas", replicas, wanted)
        .or_else(|| at_least("updated", updated, wanted))
        .or_else(|| surplus(replicas, wanted))
        .or_else(|| at_least("available", free, updated))
        .or_else(|| at_least("ready", ready, wanted))
        .or_else(|| unless(progressed, "new ReplicaSet is not available"))
        .or_else(|| unless(available, "Deployment is not available"))
        .unwrap_or(Readiness::Current)
}

fn stateful_set(object: &Object) -> Readiness {
    if object.str(&["spec", "updateStrategy", "type"]) == Some("OnDelete") {
        return Readiness::Current;
    }
    let wanted = int(object, &["spec", "replicas"]).unwrap_or(1);
    let [replicas, updated, ready, current] =
        ["replicas", "updatedReplicas", "readyReplicas", "currentReplicas"].map(|field| count(object, field));
    let missing = at_least("replicas", replicas, wanted)
        .or_else(|| at_least("ready", ready, wanted))
        .or_else(|| surplus(replicas, wanted));
    if let Some(missing) = missing {
        return missing;
    }
    if let Some(partition) = int(object, &["spec", "updateStrategy", "rollingUpdate", "partition"])
        && partition != 0
    {
        return at_least("updated", updated, wanted - partition).unwrap_or(Readiness::Current);
    }
    let revision = |field| object.str(&["status", field]);
    at_least("current", current, wanted)
        .or_else(|| {
            unless(
                revision("currentRevision") == revision("updateRevision"),
                "waiting for the update of all Pods to the new revision",
            )
        })
        .unwrap_or(Readiness::Current)
}

fn daemon_set(object: &Object) -> Readiness {
    if int(object, &["metadata", "generation"]).is_none()
        || int(object, &["status", "observedGeneration"]).is_none()
    {
        return Readiness::in_progress("its controller has not seen it yet");
    }
    let Some(desired) = int(object, &["status", "desiredNumberScheduled"]) else {
        return Readiness::in_progress("the number of nodes is not known yet");
    };
    at_least("current", count(object, "currentNumberScheduled"), desired)
        .or_else(|| at_least("updated", count(object, "updatedNumberScheduled"), desired))
        .or_else(|| at_least("available", count(object, "numberAvailable"), desired))
        .or_else(|| at_least("ready", count(object, "numberReady"), desired))
        .unwrap_or(Readiness::Current)
}

fn replica_set(object: &Object) -> Readiness {
    let failure = conditions(object).find(|c| c.kind == "ReplicaFailure" && c.status == "True");
    if let Some(failure) = failure {
        return Readiness::in_progress(failure.explanation("ReplicaFailure"));
    }
    let wanted = int(object, &["spec", "replicas"]).unwrap_or(1);
    at_least("labelled", count(object, "fullyLabeledReplicas"), wanted)
        .or_else(|| at_least("available", count(object, "availableReplicas"), wanted))
        .or_else(|| at_least("ready", count(object, "readyReplicas"), wanted))
        .or_else(|| surplus(count(object, "replicas"), wanted))
        .unwrap_or(Readiness::Current)
}

fn job(object: &Object) -> Readiness {
    let suspend = object.get(&["spec", "suspend"]).and_then(Value::as_bool) == Some(true);
    for condition in conditions(object).filter(|condition| condition.status == "True") {
        match condition.kind {
            "Complete" => return Readiness::Current,
            "Failed" => return Readiness::Failed(condition.explanation("Job failed")),
            "Suspended" if suspend => return Readiness::Current,
            _ => {}
        }
    }
    unless(object.str(&["status", "startTime"]).is_some(), "Job has not started")
        .unwrap_or(Readiness::Current)
}

fn service(object: &Object) -> Readiness {
    let balancer = object.str(&["spec", "type"]) == Some("LoadBalancer");
    let address = object.str(&["spec", "clusterIP"]).is_some_and(|address| !address.is_empty());
    unless(!balancer || address, "load balancer has no clusterIP yet").unwrap_or(Readiness::Current)
}

fn custom_resource_definition(object: &Object) -> Readiness {
    for condition in conditions(object) {
        match (condition.kind, condition.status) {
            ("NamesAccepted", "False") => return Readiness::Failed(condition.explanation("names refused")),
            ("Established", "False") if condition.reason != "Installing" => {
                return Readiness::Failed(condition.explanation("not established"));
            }
            ("Established", "True") => return Readiness::Current,
            _ => {}
        }
    }
    Readiness::in_progress("not established yet")
}

/// Any kind without a rule of its own: its `Ready` condition, if it has one.
fn other(object: &Object) -> Readiness {
    match conditions(object).find(|condition| condition.kind == "Ready") {
        Some(ready) if ready.status != "True" => Readiness::in_progress(ready.explanation("not ready")),
        _ => Readiness::Current,
    }
}

fn int(object: &Object, path: &[&str]) -> Option<i64> {
    object.get(path).and_then(Value::as_i64)
}

/// A number of `status`; absent means 0, as in Go.
fn count(object: &Object, field: &str) -> i64 {
    int(object, &["status", field]).unwrap_or(0)
}

fn at_least(what: &str, has: i64, wanted: i64) -> Option<Readiness> {
    (has < wanted).then(|| Readiness::in_progress(format!("{what}: {has}/{wanted}")))
}

fn surplus(has: i64, wanted: i64) -> Option<Readiness> {
    (has > wanted).then(|| Readiness::in_progress(format!("pending termination: {}", has - wanted)))
}

fn unless(holds: bool, message: &str) -> Option<Readiness> {
    (!holds).then(|| Readiness::in_progress(message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;

    fn state(api_version: &str, kind: &str, rest: Value) -> String {
        let mut object = json!({"apiVersion": api_version, "kind": kind});
        if let (Some(object), Value::Object(rest)) = (object.as_object_mut(), rest) {
            object.extend(rest);
        }
        match kstatus(&Object::from_value(object).unwrap()) {
            Readiness::Current => "current".to_owned(),
            Readiness::InProgress(message) => format!("in progress: {message}"),
            Readiness::Failed(message) => format!("failed: {message}"),
        }
    }

    #[test_case(json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}) => "in progress: being deleted"; "terminating comes first")]
    #[test_case(json!({"metadata": {"generation": 2}, "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}}) => "in progress: generation is 2, but the last one its controller saw is 1"; "old generation")]
    #[test_case(json!({"metadata": {"generation": 2}, "status": {"observedGeneration": "1"}}) => "current"; "generation that is a string is absent")]
    #[test_case(json!({"status": {"conditions": [{"type": "Reconciling", "status": "True", "reason": "R", "message": "m"}]}}) => "in progress: R: m"; "reconciling")]
    #[test_case(json!({"status": {"conditions": [{"type": "Stalled", "status": "True", "reason": "R"}]}}) => "failed: R"; "stalled")]
    #[test_case(json!({"status": {"conditions": [{"type": "Stalled", "status": "False"}]}}) => "current"; "not stalled")]
    #[test_case(json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}}) => "current"; "ready")]
    #[test_case(json!({"status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}}) => "in progress: not ready"; "ready unknown")]
    #[test_case(json!({"status": {"conditions": [{"type": "Ready", "status": "False", "message": "m"}]}}) => "in progress: m"; "not ready")]
    #[test_case(json!({}) => "current"; "nothing known")]
    fn any_kind(rest: Value) -> String {
        state("example.com/v1", "Widget", rest)
    }

    fn deploy(spec: Value, status: Value) -> String {
        state("apps/v1", "Deployment", json!({"spec": spec, "status": status}))
    }

    #[test_case(json!({}), json!({}) => "in progress: replicas: 0/1"; "fresh: one replica is the default")]
    #[test_case(json!({"replicas": 2}), json!({"replicas": 2, "updatedReplicas": 1}) => "in progress: updated: 1/2")]
    #[test_case(json!({"replicas": 1}), json!({"replicas": 2, "updatedReplicas": 1}) => "in progress: pending termination: 1")]
    #[test_case(json!({"replicas": 1}), json!({"replicas": 1, "updatedReplicas": 1}) => "in progress: available: 0/1")]
    #[test_case(json!({"replicas": 1}), json!({"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}) => "in progress: ready: 0/1")]
    #[test_case(json!({"replicas": 1}), json!({"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1}) => "in progress: Deployment is not available")]
    #[test_case(json!({"replicas": 1, "progressDeadlineSeconds": 600}), json!({"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1, "conditions": [{"type": "Available", "status": "True"}]}) => "in progress: new ReplicaSet is not available")]
    #[test_case(json!({"replicas": 1, "progressDeadlineSeconds": 600}), json!({"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1, "conditions": [{"type": "Available", "status": "True"}, {"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]}) => "current"; "rolled out")]
    #[test_case(json!({"replicas": 1, "progressDeadlineSeconds": 2_147_483_647}), json!({"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1, "conditions": [{"type": "Available", "status": "True"}]}) => "current"; "no deadline")]
    #[test_case(json!({"replicas": 1}), json!({"conditions": [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "late"}]}) => "failed: ProgressDeadlineExceeded: late")]
    #[test_case(json!({"replicas": 0}), json!({"conditions": [{"type": "Available", "status": "True"}]}) => "current"; "scaled to nothing")]
    fn deployments(spec: Value, status: Value) -> String {
        deploy(spec, status)
    }

    #[test_case(json!({"updateStrategy": {"type": "OnDelete"}}), json!({}) => "current"; "on delete")]
    #[test_case(json!({"replicas": 2}), json!({"replicas": 1}) => "in progress: replicas: 1/2")]
    #[test_case(json!({"replicas": 2}), json!({"replicas": 2, "readyReplicas": 1}) => "in progress: ready: 1/2")]
    #[test_case(json!({"replicas": 1}), json!({"replicas": 2, "readyReplicas": 2}) => "in progress: pending termination: 1")]
    #[test_case(json!({"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}}), json!({"replicas": 3, "readyReplicas": 3}) => "in progress: updated: 0/1")]
    #[test_case(json!({"replicas": 3, "updateStrategy": {"rollingUpdate": {"partition": 2}}}), json!({"replicas": 3, "readyReplicas": 3, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"}) => "current"; "partition is updated")]
    #[test_case(json!({"replicas": 1}), json!({"replicas": 1, "readyReplicas": 1}) => "in progress: current: 0/1")]
    #[test_case(json!({"replicas": 1}), json!({"replicas": 1, "readyReplicas": 1, "currentReplicas": 1, "currentRevision": "a", "updateRevision": "b"}) => "in progress: waiting for the update of all Pods to the new revision")]
    #[test_case(json!({"replicas": 1}), json!({"replicas": 1, "readyReplicas": 1, "currentReplicas": 1, "currentRevision": "a", "updateRevision": "a"}) => "current"; "rolled out")]
    fn stateful_sets(spec: Value, status: Value) -> String {
        state("apps/v1", "StatefulSet", json!({"spec": spec, "status": status}))
    }

    #[test_case(json!({}) => "in progress: its controller has not seen it yet")]
    #[test_case(json!({"observedGeneration": 1}) => "in progress: the number of nodes is not known yet")]
    #[test_case(json!({"observedGeneration": 1, "desiredNumberScheduled": 1}) => "in progress: current: 0/1")]
    #[test_case(json!({"observedGeneration": 1, "desiredNumberScheduled": 1, "currentNumberScheduled": 1}) => "in progress: updated: 0/1")]
    #[test_case(json!({"observedGeneration": 1, "desiredNumberScheduled": 1, "currentNumberScheduled": 1, "updatedNumberScheduled": 1}) => "in progress: available: 0/1")]
    #[test_case(json!({"observedGeneration": 1, "desiredNumberScheduled": 1, "currentNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1}) => "in progress: ready: 0/1")]
    #[test_case(json!({"observedGeneration": 1, "desiredNumberScheduled": 1, "currentNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1, "numberReady": 1}) => "current"; "all nodes")]
    #[test_case(json!({"observedGeneration": 1, "desiredNumberScheduled": 0}) => "current"; "no nodes")]
    fn daemon_sets(status: Value) -> String {
        state("apps/v1", "DaemonSet", json!({"metadata": {"generation": 1}, "status": status}))
    }

    #[test_case(json!({}) => "in progress: labelled: 0/1")]
    #[test_case(json!({"fullyLabeledReplicas": 1}) => "in progress: available: 0/1")]
    #[test_case(json!({"fullyLabeledReplicas": 1, "availableReplicas": 1}) => "in progress: ready: 0/1")]
    #[test_case(json!({"fullyLabeledReplicas": 1, "availableReplicas": 1, "readyReplicas": 1, "replicas": 3}) => "in progress: pending termination: 2")]
    #[test_case(json!({"fullyLabeledReplicas": 1, "availableReplicas": 1, "readyReplicas": 1, "replicas": 1}) => "current"; "complete")]
    #[test_case(json!({"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "Quota"}]}) => "in progress: Quota"; "refused pods")]
    fn replica_sets(status: Value) -> String {
        state("apps/v1", "ReplicaSet", json!({"status": status}))
    }

    #[test_case(json!({}), json!({}) => "in progress: Job has not started")]
    #[test_case(json!({}), json!({"startTime": "2026-01-01T00:00:00Z"}) => "current"; "started is enough")]
    #[test_case(json!({}), json!({"conditions": [{"type": "Complete", "status": "True"}]}) => "current"; "complete")]
    #[test_case(json!({}), json!({"startTime": "t", "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}) => "failed: BackoffLimitExceeded")]
    #[test_case(json!({"suspend": true}), json!({"conditions": [{"type": "Suspended", "status": "True"}]}) => "current"; "suspended on purpose")]
    #[test_case(json!({}), json!({"conditions": [{"type": "Suspended", "status": "True"}]}) => "in progress: Job has not started"; "no longer suspended")]
    fn jobs(spec: Value, status: Value) -> String {
        state("batch/v1", "Job", json!({"spec": spec, "status": status}))
    }

    #[test_case("v1", "ConfigMap", json!({}) => "current"; "config map")]
    #[test_case("v1", "Secret", json!({}) => "current"; "secret")]
    #[test_case("batch/v1", "CronJob", json!({}) => "current"; "cron job")]
    #[test_case("policy/v1", "PodDisruptionBudget", json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}}) => "current"; "disruption budget")]
    #[test_case("v1", "PersistentVolumeClaim", json!({"status": {"phase": "Bound"}}) => "current"; "bound claim")]
    #[test_case("v1", "PersistentVolumeClaim", json!({"status": {"phase": "Pending"}}) => "in progress: phase Pending, not Bound"; "pending claim")]
    #[test_case("v1", "PersistentVolumeClaim", json!({}) => "in progress: phase unknown, not Bound"; "new claim")]
    #[test_case("v1", "Service", json!({"spec": {"type": "ClusterIP"}}) => "current"; "service")]
    #[test_case("v1", "Service", json!({"spec": {"type": "LoadBalancer"}}) => "in progress: load balancer has no clusterIP yet"; "balancer without address")]
    #[test_case("v1", "Service", json!({"spec": {"type": "LoadBalancer", "clusterIP": "10.0.0.1"}}) => "current"; "balancer")]
    fn small_kinds(api_version: &str, kind: &str, rest: Value) -> String {
        state(api_version, kind, rest)
    }

    #[test_case(json!([]) => "in progress: not established yet")]
    #[test_case(json!([{"type": "NamesAccepted", "status": "False", "reason": "Taken"}]) => "failed: Taken")]
    #[test_case(json!([{"type": "Established", "status": "False", "reason": "Installing"}]) => "in progress: not established yet"; "installing")]
    #[test_case(json!([{"type": "Established", "status": "False", "reason": "NotAccepted"}]) => "failed: NotAccepted")]
    #[test_case(json!([{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}]) => "current"; "established")]
    fn definitions(conditions: Value) -> String {
        state(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            json!({"status": {"conditions": conditions}}),
        )
    }

    #[test]
    fn a_kind_of_another_group_has_no_rule_of_a_built_in_one() {
        assert_eq!(state("example.com/v1", "Deployment", json!({})), "current");
    }
}
