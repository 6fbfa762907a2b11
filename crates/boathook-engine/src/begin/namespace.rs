//! The release's namespace: it must be there, or be asked for.

use boathook_core::names::{Collection, Name, Plural, Resource, Target};
use boathook_core::plan::Plan;
use boathook_core::run_event::{ErrorCode, RunError};
use boathook_core::{Gvk, Object};
use serde_json::json;

use crate::cluster::ClusterErrorKind;
use crate::context::Context;
use crate::fault;

/// Whether the namespace is missing and to be made.
pub(super) async fn missing(plan: &Plan, context: &Context) -> Result<bool, RunError> {
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

/// Makes it; answers what was made.
pub(super) async fn create(plan: &Plan, context: &Context) -> Result<Object, RunError> {
    let name = &plan.release.namespace;
    let object = Object::from_value(json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {"name": name}},
    }))
    .unwrap_or_default();
    let collection = Collection { resource: namespaces(), namespace: None };
    match context.cluster.create(&collection, &object, &context.writing()).await {
        Ok(made) => Ok(made),
        Err(error) if error.kind == ClusterErrorKind::AlreadyExists => Ok(object),
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
