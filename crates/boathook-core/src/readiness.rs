//! When is an object done, and what is wrong with it: pure readings of its status. Asks no API and no clock; who
//! waits, and for how long, is the caller's.

mod condition;
mod controlled;
mod kstatus;
mod legacy;
mod pod;

pub use condition::{InvalidJsonPath, JsonPath, WaitCondition, condition_met};
pub use controlled::{Controlled, controlled};
pub use kstatus::kstatus;
pub use pod::{ContainerFailure, failed_containers, image_problem, pod_problem};

use jiff::Timestamp;
use serde_json::Value;

use crate::{Object, ObjectRef};

/// How far an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It is what its spec asks for.
    Current,
    /// Not yet; what is missing, in a few words.
    InProgress(String),
    /// It will not get there by itself; why.
    Failed(String),
    /// It is being deleted.
    Terminating,
    /// It is not there.
    NotFound,
}

/// How Helm waits for ordinary objects (`--wait`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    /// Helm 4's: the rules of kstatus for every object, custom ones too.
    Watcher {
        /// `--wait-for-jobs`: a Job is done when it is complete, not when it has started.
        jobs: bool,
    },
    /// Helm 3's: rules for the kinds it knows, all others are ready at once.
    Legacy {
        /// `--wait-for-jobs`: Jobs are waited for at all.
        jobs: bool,
    },
}

/// What a verdict needs beside the object. All of it may be left out, where it does not matter or is not known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Around<'a> {
    /// What [`controlled`] asks for: ReplicaSets or Pods of the object's namespace.
    pub controlled: &'a [Object],
    /// The time, to tell for how long a Pod has found no node.
    pub now: Option<Timestamp>,
    /// The claim's storage class binds it when its first consumer comes (`WaitForFirstConsumer`). Helm waits for such a
    /// claim in vain if nothing of the release uses it; with this it counts as ready.
    pub binds_at_first_consumer: bool,
}

/// How far an object is, as a waiter judges it.
pub fn judge(waiter: Waiter, object: Option<&Object>, around: &Around<'_>) -> Readiness {
    let Some(object) = object else { return Readiness::NotFound };
    let gvk = object.reference().gvk();
    let claim = gvk.group.is_empty() && gvk.kind == "PersistentVolumeClaim";
    if claim && around.binds_at_first_consumer && object.str(&["status", "phase"]) == Some("Pending") {
        return Readiness::Current;
    }
    match waiter {
        Waiter::Watcher { jobs } => kstatus::watcher(object, around, jobs),
        Waiter::Legacy { jobs } => legacy::judge(object, around, jobs),
    }
}

/// A hook Job, as Helm 3 and 4 judge it: only its conditions count, never the numbers of its Pods. `Complete` wins
/// over `Failed` in the order in which they stand. The message of a failure is the condition's reason and text, which
/// Helm 4 loses.
pub fn hook_job(job: &Object) -> Readiness {
    for condition in conditions(job).filter(|condition| condition.status == "True") {
        match condition.kind {
            "Complete" => return Readiness::Current,
            "Failed" => return Readiness::Failed(condition.explanation("Job failed")),
            _ => {}
        }
    }
    Readiness::in_progress("Job in progress")
}

/// A hook Pod, as Helm 3 and 4 judge it: by its phase alone, so a sidecar that never ends keeps it going.
pub fn hook_pod(pod: &Object) -> Readiness {
    match pod.str(&["status", "phase"]) {
        Some("Succeeded") => Readiness::Current,
        Some("Failed") => {
            Readiness::Failed(pod_problem(pod).unwrap_or_else(|| "Pod ended in phase Failed".to_owned()))
        }
        _ => Readiness::in_progress("Pod in progress"),
    }
}

impl Readiness {
    fn in_progress(message: impl Into<String>) -> Self {
        Self::InProgress(message.into())
    }

    /// kstatus' word for it.
    pub fn status(&self) -> &'static str {
        match self {
            Self::Current => "Current",
            Self::InProgress(_) => "InProgress",
            Self::Failed(_) => "Failed",
            Self::Terminating => "Terminating",
            Self::NotFound => "NotFound",
        }
    }

    /// What is missing, or what the status means.
    pub fn message(&self) -> &str {
        match self {
            Self::Current => "Resource is current",
            Self::InProgress(message) | Self::Failed(message) => message,
            Self::Terminating => "Resource scheduled for deletion",
            Self::NotFound => "Resource not found",
        }
    }

    /// What Helm prints of an object that was not ready in time, or failed.
    pub fn not_ready(&self, object: &ObjectRef) -> String {
        self.told(object, "not ready")
    }

    /// What Helm prints of an object that should be gone and is not.
    pub fn still_exists(&self, object: &ObjectRef) -> String {
        self.told(object, "still exists")
    }

    fn told(&self, object: &ObjectRef, fault: &str) -> String {
        let ObjectRef { kind, namespace, name, .. } = object;
        let namespace = namespace.as_deref().unwrap_or_default();
        let (status, message) = (self.status(), self.message());
        format!("resource {kind}/{namespace}/{name} {fault}. status: {status}, message: {message}")
    }
}

/// One entry of `status.conditions`; what is absent reads as empty.
struct StatusCondition<'a> {
    kind: &'a str,
    status: &'a str,
    reason: &'a str,
    message: &'a str,
}

impl StatusCondition<'_> {
    /// Its message; its reason, if it gives no message.
    fn told(&self) -> String {
        if self.message.is_empty() { self.reason } else { self.message }.to_owned()
    }

    /// Reason and message in one line, or `fallback` if the condition gives neither.
    fn explanation(&self, fallback: &str) -> String {
        match (self.reason, self.message) {
            ("", "") => fallback.to_owned(),
            (text, "") | ("", text) => text.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        }
    }
}

fn conditions(object: &Object) -> impl Iterator<Item = StatusCondition<'_>> {
    let entries = object.get(&["status", "conditions"]).and_then(Value::as_array);
    entries.into_iter().flatten().map(|entry| {
        let text = |key| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        StatusCondition {
            kind: text("type"),
            status: text("status"),
            reason: text("reason"),
            message: text("message"),
        }
    })
}

/// Whether an entry of `status.conditions` is true.
fn holds(object: &Object, kind: &str) -> bool {
    conditions(object).any(|condition| condition.kind == kind && condition.status == "True")
}

fn int(object: &Object, path: &[&str]) -> Option<i64> {
    object.get(path).and_then(Value::as_i64)
}

/// A number of `status`; absent means 0, as in Go.
fn count(object: &Object, field: &str) -> i64 {
    int(object, &["status", field]).unwrap_or(0)
}

fn is_deleted(object: &Object) -> bool {
    object.get(&["metadata", "deletionTimestamp"]).is_some_and(|time| !time.is_null())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;

    fn job(conditions: Value) -> Object {
        Object::from_value(json!({"kind": "Job", "status": {"failed": 3, "conditions": conditions}})).unwrap()
    }

    #[test_case(json!([]) => Readiness::in_progress("Job in progress"); "failed pods alone decide nothing")]
    #[test_case(json!([{"type": "Complete", "status": "False"}]) => Readiness::in_progress("Job in progress"); "condition that is false")]
    #[test_case(json!([{"type": "SuccessCriteriaMet", "status": "True"}]) => Readiness::in_progress("Job in progress"); "criteria met is not complete")]
    #[test_case(json!([{"type": "FailureTarget", "status": "True"}]) => Readiness::in_progress("Job in progress"); "failure target is not failed")]
    #[test_case(json!([{"type": "SuccessCriteriaMet", "status": "True"}, {"type": "Complete", "status": "True"}]) => Readiness::Current; "complete")]
    #[test_case(json!([{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "no more tries"}]) => Readiness::Failed("BackoffLimitExceeded: no more tries".into()); "failed with reason")]
    #[test_case(json!([{"type": "Failed", "status": "True"}]) => Readiness::Failed("Job failed".into()); "failed without a word")]
    #[test_case(json!("x") => Readiness::in_progress("Job in progress"); "conditions of another type")]
    fn a_hook_job_is_judged_by_its_conditions(conditions: Value) -> Readiness {
        hook_job(&job(conditions))
    }

    #[test_case(json!({"phase": "Pending"}) => Readiness::in_progress("Pod in progress"))]
    #[test_case(json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}) => Readiness::in_progress("Pod in progress"); "ready is not done")]
    #[test_case(json!({"phase": "Succeeded"}) => Readiness::Current)]
    #[test_case(json!({"phase": "Failed"}) => Readiness::Failed("Pod ended in phase Failed".into()))]
    #[test_case(json!({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}) => Readiness::Failed("Evicted: low on memory".into()))]
    #[test_case(json!(null) => Readiness::in_progress("Pod in progress"); "no status")]
    fn a_hook_pod_is_judged_by_its_phase(status: Value) -> Readiness {
        hook_pod(&Object::from_value(json!({"kind": "Pod", "status": status})).unwrap())
    }

    const WAITERS: [Waiter; 2] = [Waiter::Watcher { jobs: false }, Waiter::Legacy { jobs: false }];

    #[test]
    fn a_claim_that_waits_for_its_first_consumer_is_ready_if_the_caller_says_so() {
        let claim =
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": {"phase": "Pending"}});
        let claim = Object::from_value(claim).unwrap();
        for waiter in WAITERS {
            assert!(matches!(judge(waiter, Some(&claim), &Around::default()), Readiness::InProgress(_)));
            let around = Around { binds_at_first_consumer: true, ..Around::default() };
            assert_eq!(judge(waiter, Some(&claim), &around), Readiness::Current);
        }
    }

    #[test]
    fn texts_are_helms() {
        let mut deployment = ObjectRef {
            api_version: "apps/v1".to_owned(),
            kind: "Deployment".to_owned(),
            namespace: Some("ns".to_owned()),
            name: "web".to_owned(),
        };
        assert_eq!(
            Readiness::in_progress("Available: 0/1").not_ready(&deployment),
            "resource Deployment/ns/web not ready. status: InProgress, message: Available: 0/1"
        );
        for waiter in WAITERS {
            assert_eq!(
                judge(waiter, None, &Around::default()).not_ready(&deployment),
                "resource Deployment/ns/web not ready. status: NotFound, message: Resource not found"
            );
        }
        deployment.namespace = None;
        assert_eq!(
            Readiness::Terminating.still_exists(&deployment),
            "resource Deployment//web still exists. status: Terminating, message: Resource scheduled for deletion"
        );
    }
}
