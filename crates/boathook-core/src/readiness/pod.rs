//! What a Pod's status says: is it ready, and if not, which container is to blame. Log lines and Events are not in the
//! object; who wants them asks the API.

use std::fmt;

use serde_json::Value;

use super::{Readiness, conditions};
use crate::Object;

/// Why the kubelet cannot start a container when its image or its settings are wrong. None of them heals without a
/// change by somebody, though the kubelet goes on trying.
const IMAGE_REASONS: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
];
const START_REASONS: [&str; 4] =
    ["CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff"];

/// A container that ended badly or cannot start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerFailure {
    /// Its name; init containers count too.
    pub container: String,
    /// What its process returned, if it ran.
    pub exit_code: Option<i64>,
    /// The kubelet's word: `Error`, `OOMKilled`, `ImagePullBackOff`.
    pub reason: String,
    /// The kubelet's text, or the container's termination message.
    pub message: String,
}

impl fmt::Display for ContainerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "container {}", self.container)?;
        if let Some(code) = self.exit_code {
            write!(f, " exited with code {code}")?;
        }
        match (self.exit_code, self.reason.as_str()) {
            // `Error` is the kubelet's word for any code but 0.
            (_, "") | (Some(_), "Error") => {}
            (Some(_), reason) => write!(f, " ({reason})")?,
            (None, reason) => write!(f, " cannot start: {reason}")?,
        }
        if self.message.is_empty() { Ok(()) } else { write!(f, ": {}", self.message.trim_end()) }
    }
}

/// The containers of a Pod that ended with another code than 0 or cannot start, in the Pod's order, init containers
/// first. One that is waiting to be restarted is judged by how it ended.
pub fn failed_containers(pod: &Object) -> Vec<ContainerFailure> {
    ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .filter_map(|field| pod.get(&["status", field])?.as_array())
        .flatten()
        .filter_map(container_failure)
        .collect()
}

/// An image that cannot be had, or one refused by name: known long before a deadline ends the wait.
pub fn image_problem(pod: &Object) -> Option<String> {
    let failure = failed_containers(pod)
        .into_iter()
        .find(|failure| failure.exit_code.is_none() && IMAGE_REASONS.contains(&failure.reason.as_str()))?;
    Some(failure.to_string())
}

/// What is wrong with a Pod, in one line: its containers, what the Pod as a whole says (evicted, over its deadline),
/// or that no node takes it. `None` if nothing is.
pub fn pod_problem(pod: &Object) -> Option<String> {
    let failures: Vec<String> = failed_containers(pod).iter().map(ToString::to_string).collect();
    if !failures.is_empty() {
        return Some(failures.join("; "));
    }
    let text = |field| pod.str(&["status", field]).unwrap_or_default();
    match (text("reason"), text("message")) {
        ("", "") => {}
        (text, "") | ("", text) => return Some(text.to_owned()),
        (reason, message) => return Some(format!("{reason}: {message}")),
    }
    unschedulable(pod)
}

/// The Pod rule of kstatus. A Pod that failed counts as current there: it will not change any more.
pub(super) fn kstatus(pod: &Object) -> Readiness {
    match pod.str(&["status", "phase"]) {
        Some("Succeeded" | "Failed") => Readiness::Current,
        Some("Running") if conditions(pod).any(|c| c.kind == "Ready" && c.status == "True") => {
            Readiness::Current
        }
        phase => {
            let crash = failed_containers(pod).into_iter().find(|_| crash_looping(pod));
            match (crash, phase) {
                (Some(failure), _) => Readiness::Failed(format!("CrashLoopBackOff: {failure}")),
                (None, Some("Running")) => Readiness::in_progress("Pod is running but not ready"),
                (None, phase) => {
                    let phase = format!("Pod is in phase {}", phase.unwrap_or("Pending"));
                    Readiness::InProgress(unschedulable(pod).unwrap_or(phase))
                }
            }
        }
    }
}

fn container_failure(status: &Value) -> Option<ContainerFailure> {
    let container = status.get("name")?.as_str()?.to_owned();
    let text =
        |state: &Value, key: &str| state.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let waiting =
        status.pointer("/state/waiting").map(|state| (text(state, "reason"), text(state, "message")));
    let ended = ["/state/terminated", "/lastState/terminated"]
        .into_iter()
        .filter_map(|path| status.pointer(path))
        .find_map(|state| {
            let code = state.get("exitCode").and_then(Value::as_i64).filter(|code| *code != 0)?;
            Some((code, text(state, "reason"), text(state, "message")))
        });
    // A running container is no failure, however its last attempt ended.
    if status.pointer("/state/running").is_some() {
        return None;
    }
    if let Some((reason, message)) = &waiting
        && reason != "CrashLoopBackOff"
        && (IMAGE_REASONS.contains(&reason.as_str()) || START_REASONS.contains(&reason.as_str()))
    {
        return Some(ContainerFailure {
            container,
            exit_code: None,
            reason: reason.clone(),
            message: message.clone(),
        });
    }
    match (ended, waiting) {
        (Some((code, reason, message)), _) => {
            Some(ContainerFailure { container, exit_code: Some(code), reason, message })
        }
        (None, Some((reason, message))) if START_REASONS.contains(&reason.as_str()) => {
            Some(ContainerFailure { container, exit_code: None, reason, message })
        }
        _ => None,
    }
}

fn crash_looping(pod: &Object) -> bool {
    ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .filter_map(|field| pod.get(&["status", field])?.as_array())
        .flatten()
        .any(|status| {
            status.pointer("/state/waiting/reason").and_then(Value::as_str) == Some("CrashLoopBackOff")
        })
}

fn unschedulable(pod: &Object) -> Option<String> {
    conditions(pod)
        .find(|c| c.kind == "PodScheduled" && c.status == "False" && c.reason == "Unschedulable")
        .map(|condition| condition.explanation("Unschedulable"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;

    fn pod(status: Value) -> Object {
        Object::from_value(json!({"apiVersion": "v1", "kind": "Pod", "status": status})).unwrap()
    }

    #[test_case(json!({}) => None; "nothing known")]
    #[test_case(json!({"containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "ContainerCreating"}}}]}) => None; "starting")]
    #[test_case(json!({"containerStatuses": [{"name": "a", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}]}) => None; "ended well")]
    #[test_case(json!({"containerStatuses": [{"name": "a", "state": {"terminated": {"exitCode": 3, "reason": "Error", "message": "no host\n"}}}]}) => Some("container a exited with code 3: no host".into()); "exit code")]
    #[test_case(json!({"containerStatuses": [{"name": "a", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}]}) => Some("container a exited with code 137 (OOMKilled)".into()); "out of memory")]
    #[test_case(json!({"containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}}}]}) => Some("container a exited with code 1".into()); "crash loop says how it ended")]
    #[test_case(json!({"containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]}) => Some("container a cannot start: CrashLoopBackOff".into()); "crash loop without an end")]
    #[test_case(json!({"containerStatuses": [{"name": "a", "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}}]}) => None; "restarted and running")]
    #[test_case(json!({"containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "CreateContainerConfigError", "message": "secret \"x\" not found"}}}]}) => Some("container a cannot start: CreateContainerConfigError: secret \"x\" not found".into()); "missing secret")]
    #[test_case(json!({"initContainerStatuses": [{"name": "i", "state": {"terminated": {"exitCode": 2}}}], "containerStatuses": [{"name": "a", "state": {"terminated": {"exitCode": 3}}}]}) => Some("container i exited with code 2; container a exited with code 3".into()); "two containers")]
    #[test_case(json!({"reason": "DeadlineExceeded"}) => Some("DeadlineExceeded".into()); "pod as a whole")]
    #[test_case(json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}]}) => Some("Unschedulable: 0/1 nodes".into()); "no node")]
    fn problems(status: Value) -> Option<String> {
        pod_problem(&pod(status))
    }

    #[test_case("ErrImagePull" => true)]
    #[test_case("ImagePullBackOff" => true)]
    #[test_case("InvalidImageName" => true)]
    #[test_case("ErrImageNeverPull" => true)]
    #[test_case("ContainerCreating" => false)]
    #[test_case("CreateContainerConfigError" => false; "settings are no image")]
    fn image_reasons(reason: &str) -> bool {
        let waiting = json!({"waiting": {"reason": reason, "message": "m"}});
        image_problem(&pod(json!({"containerStatuses": [{"name": "a", "state": waiting}]})))
            .is_some_and(|problem| problem == format!("container a cannot start: {reason}: m"))
    }

    #[test_case(json!({"phase": "Succeeded"}) => Readiness::Current)]
    #[test_case(json!({"phase": "Failed"}) => Readiness::Current; "failed will not change")]
    #[test_case(json!({"phase": "Running"}) => Readiness::in_progress("Pod is running but not ready"))]
    #[test_case(json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}) => Readiness::Current; "running and ready")]
    #[test_case(json!({"phase": "Pending"}) => Readiness::in_progress("Pod is in phase Pending"))]
    #[test_case(json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "full"}]}) => Readiness::in_progress("Unschedulable: full"); "no node")]
    #[test_case(json!({"phase": "Running", "containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}}]}) => Readiness::Failed("CrashLoopBackOff: container a exited with code 1".into()); "crash loop")]
    fn readiness(status: Value) -> Readiness {
        super::super::kstatus(&pod(status))
    }
}
