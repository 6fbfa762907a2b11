//! Why a Job or Pod of a hook failed: which container with which exit code, and what the cluster says in Events. Helm
//! shows one word of it, or none. Looking never fails: what cannot be read is left out.

use std::time::Duration;

use boathook_core::Gvk;
use boathook_core::names::{Collection, Plural, Resource, Target};
use boathook_core::plan::HookWait;
use boathook_core::readiness::pod_problem;
use boathook_core::run_event::{ErrorCode, RunError};
use tokio::time::timeout;

use crate::cluster::{Cluster, ListOptions};
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
    timeout(PATIENCE, look(cluster, target, wait)).await.unwrap_or_default()
}

async fn look(cluster: &dyn Cluster, target: &Target, wait: HookWait) -> Why {
    let pods = match wait {
        HookWait::Job => pods_of(cluster, target).await,
        HookWait::Pod => cluster.get(target).await.into_iter().collect(),
        HookWait::None => Vec::new(),
    };
    let mut why = Why::default();
    for pod in &pods {
        if let Some(problem) = pod_problem(pod) {
            why.details.push(format!("pod {}: {problem}", pod.name()));
            why.problem.get_or_insert(problem);
        }
    }
    let mut names = vec![target.name.to_string()];
    names.extend(pods.iter().map(|pod| pod.name().to_owned()));
    names.dedup();
    for name in names {
        why.details.extend(warnings(cluster, target, &name).await);
    }
    why
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
