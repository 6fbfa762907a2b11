//! What must hold before an install begins: the name is free, the namespace is there, every ordinary object has a
//! place and may be ours. Nothing is written here but the namespace.

use std::sync::Arc;

use boathook_core::names::{Collection, Name, Plural, Resource, Target};
use boathook_core::plan::{Plan, ResourceStep, Step, StepAction};
use boathook_core::release::Status;
use boathook_core::run_event::{ErrorCode, RunError};
use boathook_core::{Gvk, Object};
use serde_json::json;
use tokio::task::JoinSet;

use crate::cluster::{Cluster, ClusterError, ClusterErrorKind};
use crate::context::Context;
use crate::locate::{LocateError, Located, locate};
use crate::release_store::{ReleaseStore, StoreError, Stored};
use crate::{fault, ownership};

/// Requests at once. Enough to hide the latency of an API server, few enough not to be throttled by one.
pub(crate) const AT_ONCE: usize = 32;

/// One ordinary object, ready to be applied.
pub(crate) struct Prepared<'p> {
    /// Its step.
    pub(crate) step: &'p Step,
    /// Its place, and what is applied, with Helm's marks.
    pub(crate) located: Located,
    /// What is there now.
    pub(crate) existing: Option<Object>,
}

/// An install that may begin.
pub(crate) struct Preflight<'p> {
    /// The ordinary objects, in order.
    pub(crate) objects: Vec<Prepared<'p>>,
    /// The uninstalled revision that this one takes the place of.
    pub(crate) replaced: Option<Stored>,
}

/// Checks everything that can be checked before the release exists.
pub(crate) async fn check<'p>(plan: &'p Plan, context: &Context) -> Result<Preflight<'p>, RunError> {
    let replaced = check_name(plan, context).await?;
    let missing = namespace_missing(plan, context).await?;
    let objects = prepare(context.cluster.clone(), plan, context.options.take_ownership).await?;
    if missing {
        create_namespace(plan, context).await?;
    }
    Ok(Preflight { objects, replaced })
}

/// The error of a store that was asked for a release.
pub(crate) fn store_error(error: &StoreError) -> RunError {
    match error {
        StoreError::AlreadyExists => name_in_use(),
        StoreError::Conflict { .. } => RunError::new(ErrorCode::Locked, error.to_string()),
        StoreError::Cluster(cluster) => fault::of_records(cluster, error.to_string()),
        StoreError::NotFound | StoreError::Name(_) | StoreError::Decode(_) => {
            RunError::new(ErrorCode::ReleaseConflict, error.to_string())
        }
    }
}

fn name_in_use() -> RunError {
    RunError {
        hint: Some("choose another name, or uninstall the release first".to_owned()),
        ..RunError::new(
            ErrorCode::ReleaseConflict,
            "release name check failed: cannot reuse a name that is still in use",
        )
    }
}

/// As Helm 4: any history occupies the name, an uninstalled one too. Only a plan for a later revision (what
/// `upgrade --install` makes after `uninstall --keep-history`) may follow an uninstalled one.
async fn check_name(plan: &Plan, context: &Context) -> Result<Option<Stored>, RunError> {
    let release = &plan.release;
    let store = ReleaseStore::new(context.cluster.as_ref());
    let last = store.last(&release.namespace, &release.name).await.map_err(|error| store_error(&error))?;
    match last {
        None => Ok(None),
        Some(last)
            if last.record.info.status == Status::Uninstalled
                && release.revision == last.record.version.saturating_add(1) =>
        {
            Ok(Some(last))
        }
        Some(_) => Err(name_in_use()),
    }
}

async fn namespace_missing(plan: &Plan, context: &Context) -> Result<bool, RunError> {
    let name = &plan.release.namespace;
    let target = namespace_at(name).map_err(|message| RunError::new(ErrorCode::ObjectRefused, message))?;
    match context.cluster.get(&target).await {
        Ok(_) => Ok(false),
        Err(error) if error.is_not_found() && context.options.create_namespace => Ok(true),
        Err(error) if error.is_not_found() => Err(RunError {
            hint: Some("create it, or use --create-namespace".to_owned()),
            ..RunError::new(ErrorCode::ObjectRefused, format!("namespaces {name:?} not found"))
        }),
        // Who may not look at namespaces may still work in one; the first write will tell.
        Err(error) if error.kind == ClusterErrorKind::Forbidden => Ok(context.options.create_namespace),
        Err(error) => Err(fault::of_cluster(&error, error.to_string())),
    }
}

async fn create_namespace(plan: &Plan, context: &Context) -> Result<(), RunError> {
    let name = &plan.release.namespace;
    let object = Object::from_value(json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"name": name}},
    }))
    .unwrap_or_default();
    let collection = Collection { resource: namespaces(), namespace: None };
    match context.cluster.create(&collection, &object, &context.writing()).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind == ClusterErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(fault::of_cluster(&error, format!("failed to create namespace {name}: {error}"))),
    }
}

fn namespaces() -> Resource {
    Resource {
        gvk: Gvk::new("v1", "Namespace"),
        plural: Plural::new("namespaces").expect("is a valid resource name"),
        namespaced: false,
    }
}

fn namespace_at(name: &str) -> Result<Target, String> {
    let name = Name::new(name).map_err(|error| error.to_string())?;
    Ok(Target { resource: namespaces(), namespace: None, name })
}

/// Finds the place of every ordinary object, and what is there; the first in order that may not be ours is the error.
async fn prepare(
    cluster: Arc<dyn Cluster>,
    plan: &Plan,
    take_ownership: bool,
) -> Result<Vec<Prepared<'_>>, RunError> {
    let steps: Vec<(&Step, &ResourceStep)> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            StepAction::Resource(resource) => Some((step, resource.as_ref())),
            StepAction::Hook(_) => None,
        })
        .collect();
    let mut looking = JoinSet::new();
    let mut found: Vec<Option<Looked>> = Vec::new();
    found.resize_with(steps.len(), || None);
    let mut next = steps.iter().enumerate();
    loop {
        while looking.len() < AT_ONCE {
            let Some((index, (_, resource))) = next.next() else { break };
            let (cluster, object) = (cluster.clone(), resource.object.clone());
            let namespace = plan.release.namespace.clone();
            looking.spawn(async move { (index, look(cluster.as_ref(), &object, &namespace).await) });
        }
        match looking.join_next().await {
            None => break,
            Some(Ok((index, result))) => found[index] = Some(result),
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        }
    }
    let mut prepared = Vec::with_capacity(steps.len());
    for ((step, _), found) in steps.into_iter().zip(found) {
        let Some(found) = found else { continue };
        let (mut located, existing) = found.map_err(Unfit::into_error)?;
        if let Some(existing) = &existing
            && !take_ownership
        {
            ownership::check(existing, &located.target, &plan.release).map_err(|message| RunError {
                hint: Some("rename it, delete the existing one, or use --take-ownership".to_owned()),
                ..RunError::new(
                    ErrorCode::ReleaseConflict,
                    format!("unable to continue with install: {message}"),
                )
            })?;
        }
        ownership::stamp(&mut located.object, &plan.release);
        prepared.push(Prepared { step, located, existing });
    }
    Ok(prepared)
}

/// An object's place and what is there, or why it cannot be part of the release.
type Looked = Result<(Located, Option<Object>), Unfit>;

enum Unfit {
    NotBuilt(LocateError),
    Unreadable(Located, ClusterError),
}

impl Unfit {
    fn into_error(self) -> RunError {
        match self {
            Self::NotBuilt(error) => {
                let message = format!("unable to build kubernetes objects from release manifest: {error}");
                error.into_run_error(message)
            }
            Self::Unreadable(located, error) => fault::of_cluster(
                &error,
                format!(
                    "unable to continue with install: could not get information about the resource {}: {error}",
                    located.target
                ),
            ),
        }
    }
}

async fn look(cluster: &dyn Cluster, object: &Object, namespace: &str) -> Looked {
    let located = locate(cluster, object, namespace).await.map_err(Unfit::NotBuilt)?;
    match cluster.get(&located.target).await {
        Ok(existing) => Ok((located, Some(existing))),
        Err(error) if error.is_not_found() => Ok((located, None)),
        Err(error) => Err(Unfit::Unreadable(located, error)),
    }
}
