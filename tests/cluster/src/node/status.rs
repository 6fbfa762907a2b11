//! What a node says of a pod: from the states of its containers to phase, conditions and statuses. Pure, and as the kubelet
//! does it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use serde_json::{Value, json};

/// What a container is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Runs to its end before the next one starts.
    Init,
    /// An init container with `restartPolicy: Always`: runs beside the others, and ends with them.
    Sidecar,
    /// What the pod is there for.
    Main,
}

/// `spec.restartPolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

impl RestartPolicy {
    pub(crate) fn of(pod: &Pod) -> Self {
        match pod.spec.as_ref().and_then(|spec| spec.restart_policy.as_deref()) {
            Some("Never") => Self::Never,
            Some("OnFailure") => Self::OnFailure,
            _ => Self::Always,
        }
    }

    /// Whether a container that ended so is started again.
    pub(crate) fn restarts(self, exit_code: i32) -> bool {
        match self {
            Self::Always => true,
            Self::OnFailure => exit_code != 0,
            Self::Never => false,
        }
    }
}

/// How a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terminated {
    pub(crate) exit_code: i32,
    pub(crate) reason: &'static str,
    pub(crate) message: Option<String>,
    pub(crate) started: Timestamp,
    pub(crate) finished: Timestamp,
}

/// What a container does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting { reason: &'static str, message: Option<String> },
    Running { since: Timestamp },
    Terminated(Terminated),
}

impl State {
    pub(crate) fn waiting(reason: &'static str) -> Self {
        Self::Waiting { reason, message: None }
    }
}

/// One container of a pod.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) role: Role,
    pub(crate) state: State,
    pub(crate) last: Option<Terminated>,
    pub(crate) restarts: i32,
}

impl Status {
    fn new(container: &Container, role: Role, reason: &'static str) -> Self {
        Self {
            name: container.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            role,
            state: State::waiting(reason),
            last: None,
            restarts: 0,
        }
    }

    fn runs(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    fn succeeded(&self) -> bool {
        matches!(&self.state, State::Terminated(end) if end.exit_code == 0)
    }

    fn failed(&self) -> bool {
        matches!(&self.state, State::Terminated(end) if end.exit_code != 0)
    }
}

/// All containers of a pod as they start: init containers first.
pub(crate) fn waiting(pod: &Pod) -> Vec<Status> {
    let Some(spec) = &pod.spec else { return Vec::new() };
    let init = spec.init_containers.iter().flatten().map(|container| {
        let role =
            if container.restart_policy.as_deref() == Some("Always") { Role::Sidecar } else { Role::Init };
        Status::new(container, role, "PodInitializing")
    });
    let reason = if spec.init_containers.as_ref().is_some_and(|list| !list.is_empty()) {
        "PodInitializing"
    } else {
        "ContainerCreating"
    };
    init.chain(spec.containers.iter().map(|container| Status::new(container, Role::Main, reason))).collect()
}

/// The pod's phase. `stopped`: nothing is started again.
pub(crate) fn phase(statuses: &[Status], policy: RestartPolicy, stopped: bool) -> &'static str {
    let policy = if stopped { RestartPolicy::Never } else { policy };
    let mut init = statuses.iter().filter(|status| status.role == Role::Init);
    if init.clone().any(Status::failed) && policy == RestartPolicy::Never {
        return "Failed";
    }
    if !init.all(Status::succeeded) {
        return "Pending";
    }
    let main: Vec<&Status> = statuses.iter().filter(|status| status.role == Role::Main).collect();
    let never_ran = |status: &&Status| matches!(status.state, State::Waiting { .. }) && status.last.is_none();
    if main.iter().any(never_ran) {
        return if stopped { "Failed" } else { "Pending" };
    }
    if main.iter().any(|status| status.runs()) || policy == RestartPolicy::Always {
        return "Running";
    }
    if main.iter().all(|status| status.succeeded()) {
        return "Succeeded";
    }
    if policy == RestartPolicy::Never { "Failed" } else { "Running" }
}

/// What is told of one pod over its life.
pub(crate) struct Report {
    address: String,
    started: Timestamp,
    /// Conditions with the time of their last change.
    conditions: BTreeMap<&'static str, (bool, Timestamp)>,
}

impl Report {
    /// For a pod that begins now.
    pub(crate) fn new(address: String, started: Timestamp) -> Self {
        Self { address, started, conditions: BTreeMap::new() }
    }

    /// The patch of `status`: a strategic merge, which leaves the scheduler's condition alone.
    pub(crate) fn patch(&mut self, pod: &Pod, statuses: &[Status], stopped: bool, now: Timestamp) -> Value {
        let phase = phase(statuses, RestartPolicy::of(pod), stopped);
        let over = matches!(phase, "Succeeded" | "Failed");
        let initialized = statuses.iter().filter(|status| status.role == Role::Init).all(Status::succeeded);
        let ready = statuses.iter().filter(|status| status.role == Role::Main).all(Status::runs);
        let reason = if phase == "Succeeded" { "PodCompleted" } else { "ContainersNotReady" };
        let mut condition = |name: &'static str, is: bool, reason: &str| {
            let entry = self.conditions.entry(name).or_insert((is, now));
            if entry.0 != is {
                *entry = (is, now);
            }
            let mut condition = json!({
                "type": name, "status": if is { "True" } else { "False" }, "lastTransitionTime": seconds(entry.1),
                "observedGeneration": pod.metadata.generation,
            });
            condition["reason"] = if is { Value::Null } else { reason.into() };
            condition
        };
        let conditions = json!([
            condition("PodReadyToStartContainers", !over, ""),
            condition("Initialized", initialized, "ContainersNotInitialized"),
            condition("ContainersReady", ready, reason),
            condition("Ready", ready, reason),
        ]);
        let of = |main: bool| -> Vec<Value> {
            statuses
                .iter()
                .filter(|status| (status.role == Role::Main) == main)
                .map(container_status)
                .collect()
        };
        json!({"status": {
            "phase": phase,
            "observedGeneration": pod.metadata.generation,
            "startTime": seconds(self.started),
            "hostIP": "127.0.0.1",
            "hostIPs": [{"ip": "127.0.0.1"}],
            "podIP": self.address,
            "podIPs": [{"ip": self.address}],
            "conditions": conditions,
            "initContainerStatuses": of(false),
            "containerStatuses": of(true),
        }})
    }
}

fn container_status(status: &Status) -> Value {
    let ready = match status.role {
        Role::Init => status.succeeded(),
        Role::Sidecar | Role::Main => status.runs(),
    };
    json!({
        "name": status.name,
        "image": status.image,
        "imageID": "",
        "ready": ready,
        "started": status.runs(),
        "restartCount": status.restarts,
        "state": state(&status.state),
        "lastState": status.last.as_ref().map_or_else(|| json!({}), |last| json!({"terminated": terminated(last)})),
    })
}

fn state(state: &State) -> Value {
    match state {
        State::Waiting { reason, message } => json!({"waiting": {"reason": reason, "message": message}}),
        State::Running { since } => json!({"running": {"startedAt": seconds(*since)}}),
        State::Terminated(end) => json!({"terminated": terminated(end)}),
    }
}

fn terminated(end: &Terminated) -> Value {
    json!({
        "exitCode": end.exit_code, "reason": end.reason, "message": end.message,
        "startedAt": seconds(end.started), "finishedAt": seconds(end.finished),
    })
}

/// As Kubernetes writes a time.
pub(crate) fn seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(role: Role, state: State) -> Status {
        Status { name: "a".into(), image: "i".into(), role, state, last: None, restarts: 0 }
    }

    fn end(exit_code: i32) -> State {
        let at = Timestamp::UNIX_EPOCH;
        State::Terminated(Terminated { exit_code, reason: "", message: None, started: at, finished: at })
    }

    fn running() -> State {
        State::Running { since: Timestamp::UNIX_EPOCH }
    }

    fn phase_of(states: &[(Role, State)], policy: RestartPolicy, stopped: bool) -> &'static str {
        let statuses: Vec<Status> = states.iter().map(|(role, state)| status(*role, state.clone())).collect();
        phase(&statuses, policy, stopped)
    }

    #[test]
    fn phases_are_the_kubelets() {
        use RestartPolicy::{Always, Never, OnFailure};
        use Role::{Init, Main, Sidecar};
        let waiting = || State::waiting("ContainerCreating");
        assert_eq!(phase_of(&[(Main, waiting())], Never, false), "Pending");
        assert_eq!(phase_of(&[(Main, running())], Never, false), "Running");
        assert_eq!(phase_of(&[(Main, end(0))], Never, false), "Succeeded");
        assert_eq!(phase_of(&[(Main, end(3))], Never, false), "Failed");
        assert_eq!(phase_of(&[(Main, end(3))], OnFailure, false), "Running", "it is started again");
        assert_eq!(phase_of(&[(Main, end(0))], OnFailure, false), "Succeeded");
        assert_eq!(phase_of(&[(Main, end(0))], Always, false), "Running");
        assert_eq!(phase_of(&[(Main, end(0))], Always, true), "Succeeded", "it was deleted");
        assert_eq!(phase_of(&[(Main, end(0)), (Main, running())], Never, false), "Running");
        assert_eq!(phase_of(&[(Main, end(0)), (Main, end(1))], Never, false), "Failed");
        assert_eq!(phase_of(&[(Main, running()), (Main, waiting())], Never, false), "Pending");
        assert_eq!(phase_of(&[(Init, running()), (Main, waiting())], Never, false), "Pending");
        assert_eq!(phase_of(&[(Init, end(1)), (Main, waiting())], Never, false), "Failed");
        assert_eq!(phase_of(&[(Init, end(1)), (Main, waiting())], OnFailure, false), "Pending");
        assert_eq!(phase_of(&[(Init, end(0)), (Main, end(0))], Never, false), "Succeeded");
        assert_eq!(phase_of(&[(Sidecar, running()), (Main, end(0))], Never, false), "Succeeded");
    }

    #[test]
    fn what_crashed_and_waits_to_be_started_again_runs() {
        let mut crashed = status(Role::Main, State::waiting("CrashLoopBackOff"));
        assert_eq!(phase(std::slice::from_ref(&crashed), RestartPolicy::Always, false), "Pending");
        if let State::Terminated(last) = end(1) {
            crashed.last = Some(last);
        }
        assert_eq!(phase(&[crashed], RestartPolicy::Always, false), "Running");
    }

    #[test]
    fn conditions_keep_the_time_of_their_change() {
        let pod = Pod::default();
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut report = Report::new("10.0.0.1".to_owned(), at(0));
        let mut statuses = vec![status(Role::Main, running())];
        let ready = |patch: &Value| {
            let list = patch["status"]["conditions"].as_array().unwrap().clone();
            let ready = list.into_iter().find(|condition| condition["type"] == "Ready").unwrap();
            (ready["status"].clone(), ready["lastTransitionTime"].clone())
        };
        let first = ready(&report.patch(&pod, &statuses, false, at(1)));
        let second = ready(&report.patch(&pod, &statuses, false, at(2)));
        assert_eq!(first, ("True".into(), "1970-01-01T00:00:01Z".into()));
        assert_eq!(second, first);
        statuses[0].state = end(0);
        let third = ready(&report.patch(&pod, &statuses, false, at(3)));
        assert_eq!(third, ("False".into(), "1970-01-01T00:00:03Z".into()));
    }
}
