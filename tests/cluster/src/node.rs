//! A stand-in for a kubelet and the scheduler: one node that takes every pod and runs the commands of its containers as processes
//! of this machine. There are no images, volumes, networks, probes or limits of resources.

mod environment;
mod image;
mod log;
mod pod;
mod process;
mod register;
mod server;
mod status;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use futures::{StreamExt as _, TryStreamExt as _};
use http::Request;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Client, ResourceExt as _};
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::leash::Group;
use crate::node::environment::Variables;
use crate::node::server::Logs;
use crate::{control_plane, user};

/// The name of the node.
const NAME: &str = "host";

/// A node that runs. Dropping it ends all its containers.
pub(crate) struct Node {
    context: Arc<Context>,
    tasks: Vec<JoinHandle<()>>,
}

impl Drop for Node {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        for group in self.context.running().values() {
            group.signal(Signal::KILL);
        }
    }
}

/// What the pods of the node share.
struct Context {
    client: Client,
    /// The cluster's folder.
    folder: PathBuf,
    /// Where containers look for programs; those of alpine look elsewhere first.
    path: String,
    server: String,
    logs: Arc<Logs>,
    /// The processes of containers, by pod and index.
    running: Mutex<HashMap<(String, usize), Group>>,
    addresses: AtomicU32,
}

/// Starts the node and waits until it is registered and takes pods.
pub(crate) async fn start(kube: &Path, folder: &Path, server: &str) -> Result<Node> {
    let client = control_plane::client(&user::kubeconfig_path(folder, user::NODE)).await?;
    let logs = Arc::new(Logs::default());
    let port = server::start(&folder.join("certs"), logs.clone()).await?;
    let tools = kube.parent().context("the folder of kubectl")?;
    let host = std::env::var("PATH").unwrap_or_default();
    let context = Arc::new(Context {
        client: client.clone(),
        folder: folder.to_path_buf(),
        path: format!("{}:{host}", tools.display()),
        server: server.to_owned(),
        logs,
        running: Mutex::default(),
        addresses: AtomicU32::new(0),
    });
    register::write_apk(&context.alpine())?;
    register::register(&client, port).await?;
    let tasks =
        vec![tokio::spawn(register::renew_lease(client.clone())), tokio::spawn(watch_pods(context.clone()))];
    Ok(Node { context, tasks })
}

/// Sees every pod of the cluster, by list and watch, over and over.
async fn watch_pods(context: Arc<Context>) {
    let mut pods = Pods { context: context.clone(), lives: HashMap::new() };
    let api: Api<Pod> = Api::all(context.client.clone());
    loop {
        // The API server goes away only with us; a watch ends by design.
        if let Err(error) = follow(&api, &mut pods).await {
            context.note(&format!("watching pods: {error}"));
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

async fn follow(api: &Api<Pod>, pods: &mut Pods) -> Result<()> {
    let listed = api.list(&ListParams::default()).await?;
    let version = listed.metadata.resource_version.clone().unwrap_or_default();
    let there: Vec<Option<String>> = listed.items.iter().map(|pod| pod.uid()).collect();
    pods.lives.retain(|uid, _| there.contains(&Some(uid.clone())));
    for pod in listed.items {
        pods.seen(pod).await;
    }
    let mut events = api.watch(&WatchParams::default(), &version).await?.boxed();
    while let Some(event) = events.try_next().await? {
        match event {
            WatchEvent::Added(pod) | WatchEvent::Modified(pod) => pods.seen(pod).await,
            WatchEvent::Deleted(pod) => drop(pods.lives.remove(&pod.uid().unwrap_or_default())),
            WatchEvent::Bookmark(_) => {}
            WatchEvent::Error(status) => anyhow::bail!("{}", status.message),
        }
    }
    Ok(())
}

struct Pods {
    context: Arc<Context>,
    /// Says to each pod of the node when it has to go.
    lives: HashMap<String, watch::Sender<Option<Duration>>>,
}

impl Pods {
    async fn seen(&mut self, pod: Pod) {
        let uid = pod.uid().unwrap_or_default();
        match pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) {
            None if pod.metadata.deletion_timestamp.is_none() => self.context.bind(&pod).await,
            Some(NAME) => {
                let grace = pod.metadata.deletion_timestamp.as_ref().map(|_| {
                    let seconds = pod.metadata.deletion_grace_period_seconds.unwrap_or_default();
                    Duration::from_secs(u64::try_from(seconds).unwrap_or_default())
                });
                let context = self.context.clone();
                let life = self.lives.entry(uid).or_insert_with(|| {
                    let (sender, receiver) = watch::channel(None);
                    tokio::spawn(pod::live(context, pod, receiver));
                    sender
                });
                if grace.is_some() {
                    life.send_replace(grace);
                }
            }
            Some(_) | None => {}
        }
    }
}

impl Context {
    /// What the scheduler does: every pod that may run here does.
    async fn bind(&self, pod: &Pod) {
        let spec = pod.spec.as_ref();
        let gated =
            spec.and_then(|spec| spec.scheduling_gates.as_ref()).is_some_and(|gates| !gates.is_empty());
        if gated || spec.and_then(|spec| spec.scheduler_name.as_deref()) != Some("default-scheduler") {
            return;
        }
        let selector = spec.and_then(|spec| spec.node_selector.clone()).unwrap_or_default();
        if !selector.iter().all(|(key, value)| register::labels().get(key) == Some(value)) {
            let message = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector.";
            self.cannot_schedule(pod, message).await;
            return;
        }
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": {"name": pod.name_any(), "uid": pod.uid()},
            "target": {"apiVersion": "v1", "kind": "Node", "name": NAME},
        });
        self.send("POST", &format!("{}/binding", path_of(pod)), "application/json", &binding).await;
    }

    async fn cannot_schedule(&self, pod: &Pod, message: &str) {
        let told = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
        if told.into_iter().any(|condition| condition.reason.as_deref() == Some("Unschedulable")) {
            return;
        }
        let condition = json!({
            "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message,
            "lastTransitionTime": status::seconds(Timestamp::now()),
        });
        self.patch_status(pod, &json!({"status": {"conditions": [condition]}})).await;
        self.warn(pod, "", "FailedScheduling", message).await;
    }

    async fn patch_status(&self, pod: &Pod, patch: &Value) {
        let path = format!("{}/status", path_of(pod));
        self.send("PATCH", &path, "application/strategic-merge-patch+json", patch).await;
    }

    /// Deletes a pod whose containers have ended.
    async fn delete(&self, pod: &Pod) {
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid()},
        });
        self.send("DELETE", &path_of(pod), "application/json", &options).await;
    }

    /// An Event of type Warning about a container (or the pod, if it has no name).
    async fn warn(&self, pod: &Pod, container: &str, reason: &str, message: &str) {
        let now = Timestamp::now();
        // As a kubelet names them: in the order of time.
        let name = format!("{}.{:x}", pod.name_any(), now.as_nanosecond());
        let now = status::seconds(now);
        let namespace = pod.namespace().unwrap_or_default();
        let mut event = json!({
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": "v1", "kind": "Pod", "namespace": namespace, "name": pod.name_any(), "uid": pod.uid(),
            },
            "reason": reason, "message": message, "type": "Warning", "count": 1,
            "source": {"component": "kubelet", "host": NAME},
            "firstTimestamp": now, "lastTimestamp": now,
        });
        if !container.is_empty() {
            event["involvedObject"]["fieldPath"] = format!("spec.containers{{{container}}}").into();
        }
        self.send("POST", &format!("/api/v1/namespaces/{namespace}/events"), "application/json", &event)
            .await;
    }

    /// Asks the API. What it refuses is noted, but that something is gone already.
    async fn send(&self, method: &str, path: &str, media_type: &str, body: &Value) {
        let request = Request::builder().method(method).uri(path).header("content-type", media_type);
        let Ok(request) = request.body(body.to_string().into_bytes()) else { return };
        match self.client.request::<Value>(request).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => self.note(&format!("{method} {path}: {error}")),
        }
    }

    /// A line for logs/node.log.
    fn note(&self, text: &str) {
        use std::io::Write as _;
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("logs/node.log"));
        // Where no log can be written nothing can be told.
        drop(log.and_then(|mut log| writeln!(log, "{} {text}", Timestamp::now())));
    }

    /// What every container has.
    fn variables(&self, pod: &Pod) -> Variables {
        let spec = pod.spec.as_ref();
        let containers = spec.map(|spec| spec.containers.iter().chain(spec.init_containers.iter().flatten()));
        let alpine = containers
            .into_iter()
            .flatten()
            .any(|container| container.image.as_deref().is_some_and(image::is_alpine));
        let path =
            if alpine { format!("{}:{}", self.alpine().display(), self.path) } else { self.path.clone() };
        let host = self.server.strip_prefix("https://").and_then(|address| address.split_once(':'));
        let (host, port) = host.unwrap_or_default();
        let pairs = [
            ("PATH", path.as_str()),
            ("HOSTNAME", &pod.name_any()),
            ("KUBERNETES_SERVICE_HOST", host),
            ("KUBERNETES_SERVICE_PORT", port),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The folder of the programs that only images of alpine have.
    fn alpine(&self) -> PathBuf {
        self.folder.join("alpine")
    }

    /// Whether the pod's containers would find a token of its account: admission gave it a volume for it.
    fn mounts_token(&self, pod: &Pod) -> bool {
        let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_ref());
        let projected = volumes.into_iter().flatten().filter_map(|volume| volume.projected.as_ref());
        projected
            .flat_map(|volume| volume.sources.iter().flatten())
            .any(|source| source.service_account_token.is_some())
    }

    /// A kubeconfig with a token of the pod's own account, which ends with the pod.
    async fn kubeconfig(&self, pod: &Pod) -> Result<String> {
        let namespace = pod.namespace().unwrap_or_default();
        let account = pod.spec.as_ref().and_then(|spec| spec.service_account_name.clone());
        let account = account.unwrap_or_else(|| "default".to_owned());
        let asked = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "spec": {
                "expirationSeconds": 3600,
                "boundObjectRef": {"apiVersion": "v1", "kind": "Pod", "name": pod.name_any(), "uid": pod.uid()},
            },
        });
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let request = Request::post(path).header("content-type", "application/json");
        let answer: Value = self.client.request(request.body(asked.to_string().into_bytes())?).await?;
        let token = answer["status"]["token"].as_str().context("a token")?;
        let authority = std::fs::read(self.folder.join("certs/apiserver.crt"))?;
        Ok(user::kubeconfig(&self.server, &authority, &account, token, &namespace).to_string())
    }

    fn next_address(&self) -> String {
        let number = self.addresses.fetch_add(1, Ordering::Relaxed);
        format!("10.244.{}.{}", number / 254 % 256, number % 254 + 1)
    }

    fn running(&self) -> MutexGuard<'_, HashMap<(String, usize), Group>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn path_of(pod: &Pod) -> String {
    format!("/api/v1/namespaces/{}/pods/{}", pod.namespace().unwrap_or_default(), pod.name_any())
}
