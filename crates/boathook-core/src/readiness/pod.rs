//! What a Pod's status says: is it ready, and if not, which container is to blame. Log lines and Events are not in the
//! object; who wants them asks the API.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Readiness, conditions, holds};
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

/// How long a Pod may look for a node before kstatus gives it up.
const SCHEDULE_WINDOW: SignedDuration = SignedDuration::from_secs(15);

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
pub(super) fn kstatus(pod: &Object, now: Option<Timestamp>) -> Readiness {
    match pod.str(&["status", "phase"]).unwrap_or_default() {
        "Succeeded" | "Failed" => Readiness::Current,
        "Running" if holds(pod, "Ready") => Readiness::Current,
        "Running" => {
            let crashing = crash_looping(pod);
            if crashing.is_empty() {
                return Readiness::in_progress("Pod is running but is not Ready");
            }
            let mut message = format!("Containers in CrashLoop state: {}", crashing.join(","));
            let failures = failed_containers(pod).into_iter();
            let ends: Vec<String> =
                failures.filter(|one| one.exit_code.is_some()).map(|one| one.to_string()).collect();
            if !ends.is_empty() {
                message += &format!(": {}", ends.join("; "));
            }
            Readiness::Failed(message)
        }
        "Pending" => match unschedulable(pod) {
            Some(why) if waited_in_vain(pod, now) => {
                Readiness::Failed(format!("Pod could not be scheduled: {why}"))
            }
            Some(why) => Readiness::InProgress(format!("Pod has not been scheduled: {why}")),
            None => Readiness::in_progress("Pod is in the Pending phase"),
        },
        "" => Readiness::in_progress("Pod phase not available"),
        phase => Readiness::in_progress(format!("unknown phase {phase}")),
    }
}

/// Whether no node takes the Pod.
pub(super) fn is_unschedulable(pod: &Object) -> bool {
    unschedulable(pod).is_some()
}

/// Whether a Pod without a node is older than what its scheduler is given.
fn waited_in_vain(pod: &Object, now: Option<Timestamp>) -> bool {
    let created = pod.str(&["metadata", "creationTimestamp"]).and_then(|time| time.parse::<Timestamp>().ok());
    match (created, now) {
        (Some(created), Some(now)) => now.duration_since(created) > SCHEDULE_WINDOW,
        _ => false,
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

/// The names of containers that are restarted again and again; init containers are not among them, as in kstatus.
fn crash_looping(pod: &Object) -> Vec<&str> {
    let statuses = pod.get(&["status", "containerStatuses"]).and_then(Value::as_array);
    statuses
        .into_iter()
        .flatten()
        .filter(|status| {
            status.pointer("/state/waiting/reason").and_then(Value::as_str) == Some("CrashLoopBackOff")
        })
        .filter_map(|status| status.get("name")?.as_str())
        .collect()
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

    #[test_case("2026-01-01T00:00:10Z" => Readiness::in_progress("Pod has not been scheduled: Unschedulable: full"); "in time")]
    #[test_case("2026-01-01T00:00:16Z" => Readiness::Failed("Pod could not be scheduled: Unschedulable: full".into()); "too long")]
    fn no_node(now: &str) -> Readiness {
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
            "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "full"}]},
        });
        kstatus(&Object::from_value(pod).unwrap(), now.parse().ok())
    }

    #[test]
    fn a_crash_loop_says_how_the_container_ended() {
        let waiting = json!({"name": "a", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "lastState": {"terminated": {"exitCode": 1}}});
        let crashing = pod(json!({"phase": "Running", "containerStatuses": [waiting]}));
        assert_eq!(
            kstatus(&crashing, None),
            Readiness::Failed("Containers in CrashLoop state: a: container a exited with code 1".to_owned())
        );
    }
}
