//! Why a Job or Pod of a hook failed, or an object is not ready: which container with which exit code, and what the cluster says
//! in Events. Helm shows one word of it, or none. Looking never fails: what cannot be read is left out.

use std::time::Duration;

use boathook_core::names::{Collection, Plural, Resource, Target};
use boathook_core::plan::HookWait;
use boathook_core::readiness::{Waiter, controlled, pod_problem};
use boathook_core::run_event::{ErrorCode, RunError};
use boathook_core::{Gvk, Object};
use tokio::time::timeout;

use crate::cluster::{Cluster, ClusterErrorKind, ListOptions};
use crate::follow::pods_of;
use crate::locate::waiter_name;

/// An explanation that takes longer than this is given up.
const PATIENCE: Duration = Duration::from_secs(5);
/// Events shown of one object.
const EVENTS: usize = 5;

/// The error of an object that says it failed, Helm's text first (that of its legacy waiter, which keeps the reason),
/// then the first container that failed. For a Pod the reason names it already.
pub(crate) async fn failed(cluster: &dyn Cluster, target: &Target, wait: HookWait, reason: &str) -> RunError {
    let mut why = explain(cluster, target, wait).await;
    // The Job controller writes the reason into an Event too, a moment later.
    let repeated = format!("event {}", reason.replacen(": ", &format!(" of {}: ", target.name), 1));
    why.details.retain(|detail| *detail != repeated);
    let (code, message) = match (wait, why.problem) {
        (HookWait::Job, Some(problem)) => {
            (ErrorCode::JobFailed, format!("job {} failed: {reason}; {problem}", target.name))
        }
        (HookWait::Job, None) => (ErrorCode::JobFailed, format!("job {} failed: {reason}", target.name)),
        (HookWait::Pod | HookWait::None, _) => {
            (ErrorCode::PodFailed, format!("pod {} failed: {reason}", target.name))
        }
    };
    RunError { details: why.details, ..RunError::new(code, message) }
}

/// The error of an object that was not done in time.
pub(crate) async fn timed_out(cluster: &dyn Cluster, target: &Target, wait: HookWait) -> RunError {
    let kind = if wait == HookWait::Job { "Job" } else { "Pod" };
    let details = explain(cluster, target, wait).await.details;
    let message = format!(
        "{}\ncontext deadline exceeded",
        not_ready(target, "InProgress", &format!("{kind} in progress"))
    );
    RunError {
        details,
        hint: Some(
            "raise the hook's timeout, or look at why it hangs; its object was left running".to_owned(),
        ),
        ..RunError::new(ErrorCode::Timeout, message)
    }
}

#[derive(Default)]
struct Why {
    /// The first problem of a Pod.
    problem: Option<String>,
    /// Every problem by Pod, and Events.
    details: Vec<String>,
}

async fn explain(cluster: &dyn Cluster, target: &Target, wait: HookWait) -> Why {
    timeout(PATIENCE, look(cluster, target, wait)).await.unwrap_or_else(|_| Why {
        details: vec![format!("the API server did not say why within {} s", PATIENCE.as_secs())],
        ..Why::default()
    })
}

async fn look(cluster: &dyn Cluster, target: &Target, wait: HookWait) -> Why {
    let mut why = Why::default();
    let object = cluster.get(target).await;
    if let Err(error) = &object
        && error.kind == ClusterErrorKind::Unreachable
    {
        why.details.push(error.message.clone());
        return why;
    }
    let pods = match wait {
        HookWait::Job => pods_of(cluster, target).await,
        HookWait::Pod => object.into_iter().collect(),
        HookWait::None => Vec::new(),
    };
    for pod in &pods {
        if let Some(problem) = pod_problem(pod) {
            why.details.push(format!("pod {}: {problem}", pod.name()));
            why.problem.get_or_insert(problem);
        }
    }
    why.details.extend(events(cluster, target, &pods).await);
    why
}

/// What is wrong with the Pods of an object that is not ready, and the last warnings about it and them.
pub(crate) async fn unready(cluster: &dyn Cluster, target: &Target) -> Vec<String> {
    let looking = async {
        let Ok(object) = cluster.get(target).await else { return Vec::new() };
        let pods = pods_behind(cluster, target, object).await;
        let problem = |pod: &Object| Some(format!("pod {}: {}", pod.name(), pod_problem(pod)?));
        let mut details: Vec<String> = pods.iter().filter_map(problem).collect();
        details.extend(events(cluster, target, &pods).await);
        details
    };
    timeout(PATIENCE, looking).await.unwrap_or_default()
}

async fn pods_behind(cluster: &dyn Cluster, target: &Target, object: Object) -> Vec<Object> {
    match target.resource.gvk.kind.as_str() {
        "Job" => return pods_of(cluster, target).await,
        "Pod" => return vec![object],
        _ => {}
    }
    // What a Deployment's ReplicaSets are found by finds its Pods.
    let waiters = [Waiter::Watcher { jobs: false }, Waiter::Legacy { jobs: false }];
    let Some(made) = waiters.into_iter().find_map(|waiter| controlled(waiter, &object)) else {
        return Vec::new();
    };
    let resource = Resource {
        gvk: Gvk::new("v1", "Pod"),
        plural: Plural::new("pods").expect("is a valid resource name"),
        namespaced: true,
    };
    let options = ListOptions { label_selector: Some(made.selector), ..ListOptions::default() };
    let collection = Collection { resource, namespace: target.namespace.clone() };
    cluster.list(&collection, &options).await.map(|page| page.items).unwrap_or_default()
}

/// The last warnings about an object and its Pods.
async fn events(cluster: &dyn Cluster, target: &Target, pods: &[Object]) -> Vec<String> {
    let mut names = vec![target.name.to_string()];
    names.extend(pods.iter().map(|pod| pod.name().to_owned()));
    names.dedup();
    let mut details = Vec::new();
    for name in names {
        details.extend(warnings(cluster, target, &name).await);
    }
    details
}

/// The last warnings about an object.
pub(crate) async fn warnings(cluster: &dyn Cluster, target: &Target, name: &str) -> Vec<String> {
    let collection = Collection {
        resource: Resource {
            gvk: Gvk::new("v1", "Event"),
            plural: Plural::new("events").expect("is a valid resource name"),
            namespaced: true,
        },
        namespace: target.namespace.clone(),
    };
    let options = ListOptions {
        field_selector: Some(format!("involvedObject.name={name},type=Warning")),
        ..ListOptions::default()
    };
    let events = match cluster.list(&collection, &options).await {
        Ok(page) => page.items,
        Err(error) => {
            tracing::debug!(name, %error, "cannot list the events of a hook");
            Vec::new()
        }
    };
    let from = events.len().saturating_sub(EVENTS);
    events[from..]
        .iter()
        .map(|event| {
            let text = |key| event.str(&[key]).unwrap_or_default();
            format!("event {} of {name}: {}", text("reason"), text("message"))
        })
        .collect()
}

/// Helm's text for an object that did not become what it should.
fn not_ready(target: &Target, status: &str, message: &str) -> String {
    format!("resource {} not ready. status: {status}, message: {message}", waiter_name(target))
}
