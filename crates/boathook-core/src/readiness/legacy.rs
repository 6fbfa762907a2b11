//! The rules of Helm 3's waiter, which Helm 4 keeps as `--wait=legacy`. What it does not know is ready at once.

use serde_json::Value;

use super::{Around, Readiness, controlled, count, holds, int};
use crate::Object;

pub(super) fn judge(object: &Object, around: &Around<'_>, jobs: bool) -> Readiness {
    let gvk = object.reference().gvk();
    match (gvk.group.as_str(), gvk.version.as_str(), gvk.kind.as_str()) {
        ("", "v1", "Pod") => pod(object),
        ("batch", "v1", "Job") if jobs => job(object),
        ("apps", "v1", "Deployment") => deployment(object, around),
        ("", "v1", "PersistentVolumeClaim") => {
            unless(object.str(&["status", "phase"]) == Some("Bound"), "PersistentVolumeClaim is not bound")
        }
        ("", "v1", "Service") => service(object),
        ("apps", "v1", "DaemonSet") => daemon_set(object),
        ("apiextensions.k8s.io", _, "CustomResourceDefinition") => definition(object),
        ("apps", "v1", "StatefulSet") => stateful_set(object),
        ("", "v1", "ReplicationController") | ("apps", "v1", "ReplicaSet") => pods(object, around),
        _ => Readiness::Current,
    }
}

fn pod(pod: &Object) -> Readiness {
    unless(holds(pod, "Ready"), "Pod is not ready")
}

/// By counters. Helm tries a failed one thirty times more; it does not recover.
fn job(job: &Object) -> Readiness {
    // What the API server fills in if the manifest does not.
    let limit = int(job, &["spec", "backoffLimit"]).unwrap_or(6);
    if count(job, "failed") > limit {
        let namespace = job.namespace().unwrap_or_default();
        return Readiness::Failed(format!("job is failed: {namespace}/{}", job.name()));
    }
    match int(job, &["spec", "completions"]) {
        Some(completions) => at_least("succeeded", count(job, "succeeded"), completions),
        None => Readiness::Current,
    }
}

/// As many Pods of the newest template are ready as the update strategy wants at any time.
fn deployment(deployment: &Object, around: &Around<'_>) -> Readiness {
    if deployment.get(&["spec", "paused"]) == Some(&Value::Bool(true)) {
        return Readiness::Current;
    }
    let Some(newest) = new_replica_set(deployment, around) else {
        return Readiness::in_progress("the new ReplicaSet is not there");
    };
    if !observed(newest) || !observed(deployment) {
        return not_observed();
    }
    let wanted = int(deployment, &["spec", "replicas"]).unwrap_or(1);
    at_least("ready", count(newest, "readyReplicas"), wanted - max_unavailable(deployment, wanted))
}

/// The oldest ReplicaSet that the Deployment controls and that has its Pod template.
fn new_replica_set<'a>(deployment: &Object, around: &Around<'a>) -> Option<&'a Object> {
    let template = |object: &Object| {
        let mut template = object.get(&["spec", "template"]).cloned().unwrap_or_default();
        if let Some(Value::Object(labels)) = template.pointer_mut("/metadata/labels") {
            labels.shift_remove("pod-template-hash");
        }
        drop_empty(&mut template);
        template
    };
    let is_controlled = |set: &&Object| {
        let owners = set.get(&["metadata", "ownerReferences"]).and_then(Value::as_array);
        owners.into_iter().flatten().any(|owner| {
            owner["controller"] == true
                && owner["uid"].as_str().is_some_and(|uid| deployment.uid() == Some(uid))
        })
    };
    let wanted = template(deployment);
    controlled::of(deployment, around.controlled)
        .filter(is_controlled)
        .filter(|set| template(set) == wanted)
        .min_by_key(|set| (set.str(&["metadata", "creationTimestamp"]).unwrap_or_default(), set.name()))
}

/// Absent, null and empty are one to Kubernetes.
fn drop_empty(value: &mut Value) {
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    };
    match value {
        Value::Object(map) => {
            map.values_mut().for_each(drop_empty);
            map.retain(|_, value| !is_empty(value));
        }
        Value::Array(list) => list.iter_mut().for_each(drop_empty),
        _ => {}
    }
}

/// How many Pods an update may take away at a time. Percentages of surge are rounded up, of unavailability down; if both
/// come to nothing, one may be missing.
fn max_unavailable(deployment: &Object, replicas: i64) -> i64 {
    if deployment.str(&["spec", "strategy", "type"]) != Some("RollingUpdate") || replicas == 0 {
        return 0;
    }
    let fence = |field, up| {
        let value = deployment.get(&["spec", "strategy", "rollingUpdate", field]);
        value.map_or(Some(0), |value| scaled(value, replicas, up))
    };
    match (fence("maxSurge", true), fence("maxUnavailable", false)) {
        (Some(0), Some(0)) => 1,
        (Some(_), Some(unavailable)) => unavailable.min(replicas),
        _ => 0,
    }
}

/// A number, or a percentage of a number.
fn scaled(value: &Value, of: i64, up: bool) -> Option<i64> {
    match value {
        Value::String(text) => {
            let percent: i64 = text.strip_suffix('%')?.parse().ok()?;
            let hundredfold = percent.checked_mul(of)?;
            Some(if up {
                hundredfold.div_euclid(100) + i64::from(hundredfold % 100 != 0)
            } else {
                hundredfold / 100
            })
        }
        other => other.as_i64(),
    }
}

fn daemon_set(set: &Object) -> Readiness {
    if !observed(set) {
        return not_observed();
    }
    if set.str(&["spec", "updateStrategy", "type"]) != Some("RollingUpdate") {
        return Readiness::Current;
    }
    let desired = count(set, "desiredNumberScheduled");
    let updated = count(set, "updatedNumberScheduled");
    if updated != desired {
        return Readiness::in_progress(format!("updated: {updated}/{desired}"));
    }
    let unavailable = set.get(&["spec", "updateStrategy", "rollingUpdate", "maxUnavailable"]);
    // What cannot be read as a number means that all may be missing.
    let unavailable = unavailable.and_then(|value| scaled(value, desired, true)).unwrap_or(desired);
    at_least("ready", count(set, "numberReady"), desired - unavailable)
}

fn stateful_set(set: &Object) -> Readiness {
    if !observed(set) {
        return not_observed();
    }
    if set.str(&["spec", "updateStrategy", "type"]) != Some("RollingUpdate") {
        return Readiness::Current;
    }
    let partition = int(set, &["spec", "updateStrategy", "rollingUpdate", "partition"]).unwrap_or(0);
    let replicas = int(set, &["spec", "replicas"]).unwrap_or(1);
    let (updated, ready) = (count(set, "updatedReplicas"), count(set, "readyReplicas"));
    let revision = |field| set.str(&["status", field]);
    if updated < replicas - partition {
        Readiness::in_progress(format!("updated: {updated}/{}", replicas - partition))
    } else if ready != replicas {
        Readiness::in_progress(format!("ready: {ready}/{replicas}"))
    } else if partition == 0 && revision("currentRevision") != revision("updateRevision") {
        Readiness::in_progress("currentRevision is not updateRevision yet")
    } else {
        Readiness::Current
    }
}

fn pods(set: &Object, around: &Around<'_>) -> Readiness {
    if !observed(set) {
        return not_observed();
    }
    let waiting = controlled::of(set, around.controlled).find(|pod| !holds(pod, "Ready"));
    match waiting {
        Some(pod) => Readiness::in_progress(format!("Pod {} is not ready", pod.name())),
        None => Readiness::Current,
    }
}

fn service(service: &Object) -> Readiness {
    let kind = service.str(&["spec", "type"]).unwrap_or_default();
    let any = |path: &[&str]| service.get(path).and_then(Value::as_array);
    if kind == "ExternalName" {
        return Readiness::Current;
    }
    if service.str(&["spec", "clusterIP"]).unwrap_or_default().is_empty() {
        return Readiness::in_progress("Service does not have cluster IP address");
    }
    let reachable = any(&["spec", "externalIPs"]).is_some_and(|list| !list.is_empty())
        || any(&["status", "loadBalancer", "ingress"]).is_some();
    let message = "Service does not have load balancer ingress IP address";
    unless(kind != "LoadBalancer" || reachable, message)
}

/// Names that are taken are not the waiter's fault: nothing would come of waiting.
fn definition(definition: &Object) -> Readiness {
    let done = super::conditions(definition)
        .any(|c| matches!((c.kind, c.status), ("Established", "True") | ("NamesAccepted", "False")));
    unless(done, "CustomResourceDefinition is not established")
}

/// Whether the controller saw the current spec.
fn observed(object: &Object) -> bool {
    count(object, "observedGeneration") == int(object, &["metadata", "generation"]).unwrap_or(0)
}

fn not_observed() -> Readiness {
    Readiness::in_progress("its controller has not seen it yet")
}

fn at_least(what: &str, has: i64, wanted: i64) -> Readiness {
    if has < wanted { Readiness::in_progress(format!("{what}: {has}/{wanted}")) } else { Readiness::Current }
}

fn unless(ready: bool, message: &str) -> Readiness {
    if ready { Readiness::Current } else { Readiness::in_progress(message) }
}

#[cfg(test)]
mod tests {
    //! What the vectors in `tests/readiness.rs` cannot ask Helm.

    use serde_json::json;
    use test_case::test_case;

    use super::*;

    #[test_case(json!([]) => false)]
    #[test_case(json!([{"type": "Established", "status": "False"}]) => false)]
    #[test_case(json!([{"type": "NamesAccepted", "status": "True"}]) => false; "names alone")]
    #[test_case(json!([{"type": "NamesAccepted", "status": "True"}, {"type": "Established", "status": "True"}]) => true; "established")]
    #[test_case(json!([{"type": "NamesAccepted", "status": "False"}]) => true; "names are taken")]
    fn a_definition_is_ready(conditions: Value) -> bool {
        let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "status": {"conditions": conditions}});
        judge(&Object::from_value(definition).unwrap(), &Around::default(), false) == Readiness::Current
    }

    #[test_case("25%", 10, true => Some(3); "rounded up")]
    #[test_case("25%", 10, false => Some(2); "rounded down")]
    #[test_case("25%", 8, true => Some(2); "even")]
    #[test_case("0%", 8, true => Some(0); "nothing")]
    #[test_case("half", 8, true => None; "no number")]
    #[test_case("99999999999999999%", 999, true => None; "too large")]
    fn percentages(text: &str, of: i64, up: bool) -> Option<i64> {
        scaled(&json!(text), of, up)
    }
}
