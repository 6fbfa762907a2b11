//! When is an object done, and what is wrong with it: pure readings of its status. Asks no API and no clock; who
//! waits, and for how long, is the caller's.

mod condition;
mod kstatus;
mod pod;

pub use condition::{InvalidJsonPath, JsonPath, WaitCondition, condition_met};
pub use kstatus::kstatus;
pub use pod::{ContainerFailure, failed_containers, image_problem, pod_problem};

use serde_json::Value;

use crate::Object;

/// How far an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It is what its spec asks for.
    Current,
    /// Not yet; what is missing, in a few words.
    InProgress(String),
    /// It will not get there by itself; why.
    Failed(String),
}

impl Readiness {
    fn in_progress(message: impl Into<String>) -> Self {
        Self::InProgress(message.into())
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

/// One entry of `status.conditions`; what is absent reads as empty.
struct StatusCondition<'a> {
    kind: &'a str,
    status: &'a str,
    reason: &'a str,
    message: &'a str,
}

impl StatusCondition<'_> {
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
}
