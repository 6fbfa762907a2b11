//! The life of one pod: init containers in order, then the others side by side, restarts, deletion. What is told of it is a
//! fold over the containers' states (`status`).

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::ResourceExt as _;
use rustix::process::Signal;
use serde_json::json;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::node::environment::{self, Variables, expand};
use crate::node::log::Log;
use crate::node::status::{self, Report, RestartPolicy, Role, State, Status, Terminated};
use crate::node::{Context, image, process};

/// A test does not wait longer for a program that does not hear SIGTERM, whatever its grace period is.
const LONGEST_GRACE: Duration = Duration::from_secs(2);
/// How often something that failed is tried again, where a kubelet does so at its next look at the pod.
const AGAIN: Duration = Duration::from_secs(1);
/// The second restart waits so long, each further one twice as long.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);

/// Whether the pod is to go, and how long it may take. Closed: it is gone already.
pub(crate) type Deletion = watch::Receiver<Option<Duration>>;

/// Lives one pod, until it is deleted.
pub(crate) async fn live(node: Arc<Context>, pod: Pod, mut deletion: Deletion) {
    let life = Arc::new(Life::new(node, pod));
    let publisher = tokio::spawn(life.clone().publish());
    {
        let containers = life.clone().containers();
        tokio::pin!(containers);
        tokio::select! {
            () = &mut containers => {}
            grace = asked_to_go(&mut deletion) => {
                life.stopping.cancel();
                life.signal(Signal::TERM, |_| true);
                if timeout(grace.unwrap_or_default().min(LONGEST_GRACE), &mut containers).await.is_err() {
                    life.signal(Signal::KILL, |_| true);
                    containers.await;
                }
            }
        }
    }
    life.over.store(true, Ordering::Relaxed);
    life.changed.notify_one();
    drop(publisher.await);
    if asked_to_go(&mut deletion).await.is_some() {
        life.node.delete(&life.pod).await;
    }
    life.node.logs.forget(&life.pod);
    // Nothing in it is wanted any more.
    drop(std::fs::remove_dir_all(life.folder()));
}

async fn asked_to_go(deletion: &mut Deletion) -> Option<Duration> {
    deletion.wait_for(Option::is_some).await.ok().and_then(|grace| *grace)
}

struct Life {
    node: Arc<Context>,
    pod: Pod,
    address: String,
    statuses: Mutex<Vec<Status>>,
    changed: Notify,
    /// No container is started again.
    stopping: CancellationToken,
    /// Nothing changes any more.
    over: AtomicBool,
}

/// A container that is not done yet, and the rules for it.
struct Task<'a> {
    index: usize,
    container: &'a Container,
    policy: RestartPolicy,
    stopping: CancellationToken,
}

impl Life {
    fn new(node: Arc<Context>, pod: Pod) -> Self {
        Self {
            address: node.next_address(),
            statuses: Mutex::new(status::waiting(&pod)),
            changed: Notify::new(),
            stopping: node.stopping.child_token(),
            over: AtomicBool::new(false),
            node,
            pod,
        }
    }

    /// Keeps the pod's status up to date.
    async fn publish(self: Arc<Self>) {
        let mut report = Report::new(self.address.clone(), Timestamp::now());
        let mut told = None;
        loop {
            let over = self.over.load(Ordering::Relaxed);
            let statuses = self.statuses.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let stopped = self.stopping.is_cancelled();
            let mut patch = report.patch(&self.pod, &statuses, stopped, Timestamp::now());
            // This pod, not a later one of its name.
            patch["metadata"] = json!({"uid": self.pod.metadata.uid});
            if told.as_ref() != Some(&patch) {
                self.node.patch_status(&self.pod, &patch).await;
                told = Some(patch);
            }
            if over {
                return;
            }
            self.changed.notified().await;
        }
    }

    /// Runs all containers to their end.
    async fn containers(self: Arc<Self>) {
        let Some(spec) = self.pod.spec.clone() else { return };
        let policy = RestartPolicy::of(&self.pod);
        let Some(variables) = self.variables().await else { return };
        let init: Vec<Container> = spec.init_containers.unwrap_or_default();
        let beside = self.stopping.child_token();
        let mut sidecars = JoinSet::new();
        for (index, container) in init.iter().enumerate() {
            if self.role(index) == Role::Sidecar {
                let (life, container, variables) = (self.clone(), container.clone(), variables.clone());
                let stopping = beside.clone();
                sidecars.spawn(async move {
                    let task = Task { index, container: &container, policy: RestartPolicy::Always, stopping };
                    life.container(&task, &variables).await;
                });
                continue;
            }
            // An init container that has succeeded is never run again.
            let policy =
                if policy == RestartPolicy::Never { RestartPolicy::Never } else { RestartPolicy::OnFailure };
            let task = Task { index, container, policy, stopping: self.stopping.clone() };
            if self.container(&task, &variables).await != Some(0) {
                break;
            }
        }
        let initialized =
            (0..init.len()).all(|index| self.role(index) != Role::Init || self.exit_code(index) == Some(0));
        if initialized {
            for index in 0..spec.containers.len() {
                self.set(init.len() + index, |status| status.state = State::waiting("ContainerCreating"));
            }
            let mut main = JoinSet::new();
            for (index, container) in spec.containers.into_iter().enumerate() {
                let (life, variables) = (self.clone(), variables.clone());
                let (index, stopping) = (init.len() + index, self.stopping.clone());
                main.spawn(async move {
                    let task = Task { index, container: &container, policy, stopping };
                    life.container(&task, &variables).await;
                });
            }
            while main.join_next().await.is_some() {}
        }
        beside.cancel();
        self.signal(Signal::TERM, |index| self.role(index) == Role::Sidecar);
        while sidecars.join_next().await.is_some() {}
    }

    /// Runs one container as often as it must be run. The exit code of the last run, if there was one.
    async fn container(&self, task: &Task<'_>, variables: &Variables) -> Option<i32> {
        let image = task.container.image.as_deref().unwrap_or_default();
        if let Some(error) = image::pull_error(image) {
            self.cannot_pull(task, image, &error).await;
            return None;
        }
        let mut failures = 0_u32;
        loop {
            let end = self.run_once(task, variables).await?;
            let code = end.exit_code;
            self.set(task.index, |status| status.state = State::Terminated(end.clone()));
            if task.stopping.is_cancelled() || !task.policy.restarts(code) {
                return Some(code);
            }
            // The first restart is at once.
            if failures > 0 {
                let wait = FIRST_BACKOFF.saturating_mul(1 << (failures - 1).min(10)).min(LONGEST_BACKOFF);
                self.back_off(task, wait, end.clone()).await;
            }
            if task.stopping.is_cancelled() {
                return Some(code);
            }
            failures += 1;
            self.set(task.index, |status| {
                status.last = Some(end);
                status.restarts += 1;
            });
        }
    }

    /// One run; nothing if the pod has to go before it could be started.
    async fn run_once(&self, task: &Task<'_>, variables: &Variables) -> Option<Terminated> {
        let (client, container) = (&self.node.client, task.container);
        let mut told = None;
        let variables = loop {
            let own =
                environment::extend(variables.clone(), client, &self.pod, container, &self.address).await;
            match own {
                Ok(own) => break own,
                Err(message) => {
                    let reason = "CreateContainerConfigError";
                    self.set(task.index, |status| {
                        status.state = State::Waiting { reason, message: Some(message.clone()) };
                    });
                    if told.as_ref() != Some(&message) {
                        self.node
                            .warn(&self.pod, &container.name, "Failed", &format!("Error: {message}"))
                            .await;
                        told = Some(message);
                    }
                    if !pause(task, AGAIN).await {
                        return None;
                    }
                }
            }
        };
        let expanded = |words: &Option<Vec<String>>| -> Vec<String> {
            words.iter().flatten().map(|word| expand(word, &variables)).collect()
        };
        let image = container.image.as_deref().unwrap_or_default();
        let line = image::command_line(image, &expanded(&container.command), &expanded(&container.args));
        let log = Arc::new(Log::default());
        self.node.logs.begin(&self.pod, &container.name, log.clone());
        let started = Timestamp::now();
        if task.stopping.is_cancelled() {
            return None;
        }
        let (exit_code, reason, message) =
            match process::start(&line, &variables, &self.folder().join(&container.name), log.clone()) {
                Ok(process) => {
                    let key = (self.pod.uid().unwrap_or_default(), task.index);
                    self.node.running().insert(key.clone(), process.group);
                    self.set(task.index, |status| status.state = State::Running { since: started });
                    let code = process.exit_code().await;
                    self.node.running().remove(&key);
                    (code, if code == 0 { "Completed" } else { "Error" }, None)
                }
                Err(error) => {
                    log.end();
                    self.node.warn(&self.pod, &container.name, "Failed", &format!("Error: {error}")).await;
                    (128, "StartError", Some(error))
                }
            };
        Some(Terminated { exit_code, reason, message, started, finished: Timestamp::now() })
    }

    async fn back_off(&self, task: &Task<'_>, wait: Duration, end: Terminated) {
        let Container { name, .. } = task.container;
        let (pod, uid) = (self.pod.name_any(), self.pod.uid().unwrap_or_default());
        let namespace = self.pod.namespace().unwrap_or_default();
        let message = format!(
            "back-off {} restarting failed container={name} pod={pod}_{namespace}({uid})",
            minutes(wait)
        );
        self.set(task.index, |status| {
            status.state = State::Waiting { reason: "CrashLoopBackOff", message: Some(message) };
            status.last = Some(end);
        });
        let text = format!("Back-off restarting failed container {name} in pod {pod}_{namespace}({uid})");
        self.node.warn(&self.pod, name, "BackOff", &text).await;
        pause(task, wait).await;
    }

    /// Tries again and again, until the pod has to go.
    async fn cannot_pull(&self, task: &Task<'_>, image: &str, error: &str) {
        let name = &task.container.name;
        let mut wait = FIRST_BACKOFF;
        loop {
            let set = |reason, message: String| {
                self.set(task.index, |status| {
                    status.state = State::Waiting { reason, message: Some(message) }
                });
            };
            set("ErrImagePull", error.to_owned());
            self.node
                .warn(&self.pod, name, "Failed", &format!("Failed to pull image {image:?}: {error}"))
                .await;
            self.node.warn(&self.pod, name, "Failed", "Error: ErrImagePull").await;
            if !pause(task, AGAIN).await {
                return;
            }
            set("ImagePullBackOff", format!("Back-off pulling image {image:?}: ErrImagePull: {error}"));
            self.node.warn(&self.pod, name, "Failed", "Error: ImagePullBackOff").await;
            if !pause(task, wait).await {
                return;
            }
            wait = wait.saturating_mul(2).min(LONGEST_BACKOFF);
        }
    }

    /// What every container of the pod finds in its environment; nothing if the pod has to go before it is known.
    async fn variables(&self) -> Option<Variables> {
        let spec = self.pod.spec.as_ref()?;
        let mut folders = Vec::new();
        for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
            folders.push(self.folder().join(&container.name));
        }
        for folder in &folders {
            // A container without its folder says so when it starts.
            drop(std::fs::create_dir_all(folder));
        }
        let mut variables = self.node.variables(&self.pod);
        variables.insert("HOME".to_owned(), self.folder().display().to_string());
        while self.node.mounts_token(&self.pod) {
            match self.node.kubeconfig(&self.pod).await {
                Ok(kubeconfig) => {
                    let path = self.folder().join("kubeconfig");
                    if crate::control_plane::write_private(&path, kubeconfig.as_bytes()).is_ok() {
                        variables.insert("KUBECONFIG".to_owned(), path.display().to_string());
                    }
                    break;
                }
                Err(error) => {
                    self.node.warn(&self.pod, "", "FailedMount", &format!("no token: {error:#}")).await;
                    tokio::select! {
                        () = self.stopping.cancelled() => return None,
                        () = sleep(AGAIN) => {}
                    }
                }
            }
        }
        Some(variables)
    }

    fn folder(&self) -> PathBuf {
        self.node.folder.join("pods").join(self.pod.uid().unwrap_or_default())
    }

    fn signal(&self, signal: Signal, to: impl Fn(usize) -> bool) {
        let uid = self.pod.uid().unwrap_or_default();
        for ((of, index), group) in self.node.running().iter() {
            if *of == uid && to(*index) {
                group.signal(signal);
            }
        }
    }

    fn role(&self, index: usize) -> Role {
        self.statuses.lock().unwrap_or_else(PoisonError::into_inner)[index].role
    }

    fn exit_code(&self, index: usize) -> Option<i32> {
        match &self.statuses.lock().unwrap_or_else(PoisonError::into_inner)[index].state {
            State::Terminated(end) => Some(end.exit_code),
            State::Waiting { .. } | State::Running { .. } => None,
        }
    }

    fn set(&self, index: usize, change: impl FnOnce(&mut Status)) {
        change(&mut self.statuses.lock().unwrap_or_else(PoisonError::into_inner)[index]);
        self.changed.notify_one();
    }
}

/// Waits; false if the pod has to go.
async fn pause(task: &Task<'_>, wait: Duration) -> bool {
    tokio::select! {
        () = task.stopping.cancelled() => false,
        () = sleep(wait) => true,
    }
}

/// As Go writes a duration of whole seconds: `10s`, `2m40s`.
fn minutes(duration: Duration) -> String {
    match (duration.as_secs() / 60, duration.as_secs() % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}
