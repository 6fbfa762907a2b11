//! The log lines of a running Job or Pod, as they are written. Failing to read a log never fails a hook: what cannot
//! be read is left out.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use boathook_core::Gvk;
use boathook_core::Object;
use boathook_core::names::{Collection, Name, Plural, Resource, Target};
use boathook_core::readiness::image_problem;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;

use crate::cluster::{Cluster, ListOptions, Verdict};
use crate::diagnose;

/// A Job that has no Pod for this long is asked why, and again until it says something.
const NO_POD: Duration = Duration::from_secs(3);

/// What a follower has to say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// One line of one container.
    Line {
        /// `pod/container`.
        source: String,
        /// Without its line break.
        text: String,
    },
    /// A container cannot start because of its image, or a Job gets no Pod: long before a deadline says so.
    Trouble(String),
}

/// Follows every container of a Pod, or of every Pod that a Job makes; new Pods are looked for at each change of the
/// Job, and once more when `changes` closes. Ends when all containers have.
pub(crate) async fn follow(
    cluster: Arc<dyn Cluster>,
    target: Target,
    own_containers: Vec<String>,
    mut changes: UnboundedReceiver<()>,
    signs: UnboundedSender<Sign>,
) {
    let mut logs = JoinSet::new();
    if target.resource.gvk.kind == "Pod" {
        for container in own_containers {
            logs.spawn(follow_container(cluster.clone(), target.clone(), container, signs.clone()));
        }
    } else {
        let mut seen = HashSet::new();
        let mut told = false;
        loop {
            let open = tokio::select! {
                change = changes.recv() => change.is_some(),
                () = tokio::time::sleep(NO_POD), if seen.is_empty() && !told => {
                    // A quota, an admission, a service account that is not there: only Events tell.
                    let warning = diagnose::warnings(cluster.as_ref(), &target, target.name.as_str()).await.pop();
                    told = warning.is_some();
                    drop(warning.map(|warning| signs.send(Sign::Trouble(warning))));
                    continue;
                }
            };
            while changes.try_recv().is_ok() {}
            for pod in pods_of(cluster.as_ref(), &target).await {
                if !seen.insert(pod.uid().unwrap_or_default().to_owned()) {
                    continue;
                }
                let Some(place) = pod_at(&target, &pod) else { continue };
                for container in containers(&pod) {
                    logs.spawn(follow_container(cluster.clone(), place.clone(), container, signs.clone()));
                }
            }
            if !open {
                break;
            }
        }
    }
    drop(signs);
    while logs.join_next().await.is_some() {}
}

/// The containers of a Pod. Helm prints nothing of init containers; one that fails is the reason why the Pod does.
pub(crate) fn containers(pod: &Object) -> Vec<String> {
    ["initContainers", "containers"]
        .into_iter()
        .filter_map(|field| pod.get(&["spec", field])?.as_array())
        .flatten()
        .filter_map(|container| Some(container.get("name")?.as_str()?.to_owned()))
        .collect()
}

/// The Pods of a Job, as far as they can be read.
pub(crate) async fn pods_of(cluster: &dyn Cluster, job: &Target) -> Vec<Object> {
    let collection = Collection { resource: pods(), namespace: job.namespace.clone() };
    let options =
        ListOptions { label_selector: Some(format!("job-name={}", job.name)), ..ListOptions::default() };
    match cluster.list(&collection, &options).await {
        Ok(page) => page.items,
        Err(error) => {
            tracing::debug!(job = %job, %error, "cannot list the pods of a hook");
            Vec::new()
        }
    }
}

/// The place of a Pod beside its Job.
pub(crate) fn pod_at(job: &Target, pod: &Object) -> Option<Target> {
    Some(Target { resource: pods(), namespace: job.namespace.clone(), name: Name::new(pod.name()).ok()? })
}

fn pods() -> Resource {
    Resource {
        gvk: Gvk::new("v1", "Pod"),
        plural: Plural::new("pods").expect("is a valid resource name"),
        namespaced: true,
    }
}

async fn follow_container(
    cluster: Arc<dyn Cluster>,
    pod: Target,
    container: String,
    signs: UnboundedSender<Sign>,
) {
    let mut told = false;
    let mut until = |object: Option<&Object>| match object {
        Some(object) if !has_log(object, &container) => {
            let own = |problem: &String| problem.starts_with(&format!("container {container} "));
            if let Some(problem) = image_problem(object).filter(own)
                && !told
            {
                told = true;
                drop(signs.send(Sign::Trouble(format!("pod {}: {problem}", pod.name))));
            }
            Verdict::Waiting
        }
        Some(_) | None => Verdict::Done,
    };
    let result = match cluster.wait(&pod, &mut until).await {
        Ok(None) => return,
        Ok(Some(_)) => {
            let source = format!("{}/{container}", pod.name);
            // The receiver is gone once nobody listens; the rest is then dropped.
            let mut line = |text| drop(signs.send(Sign::Line { source: source.clone(), text }));
            cluster.logs(&pod, &container, &mut line).await
        }
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        tracing::debug!(%pod, container, %error, "cannot read a log");
    }
}

/// A log can be asked for once the container runs or ran; before, the API refuses.
fn has_log(pod: &Object, container: &str) -> bool {
    let over = matches!(pod.str(&["status", "phase"]), Some("Succeeded" | "Failed"));
    let mut statuses = ["initContainerStatuses", "containerStatuses"]
        .into_iter()
        .filter_map(|field| pod.get(&["status", field])?.as_array())
        .flatten();
    over || statuses.any(|status| {
        status.get("name").and_then(Value::as_str) == Some(container)
            && status
                .get("state")
                .is_some_and(|state| state.get("running").is_some() || state.get("terminated").is_some())
    })
}
