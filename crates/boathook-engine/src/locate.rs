//! Where an object of a manifest lives on the cluster: its kind resolved by discovery, its names parsed. Whether a
//! kind has namespaces is known only here.

use boathook_core::names::{InvalidName, Name, Namespace, Target};
use boathook_core::run_event::{ErrorCode, RunError};
use boathook_core::{Object, ObjectRef};

use crate::cluster::{Cluster, ClusterError, ClusterErrorKind};
use crate::fault;

/// An object and its place.
#[derive(Clone, Debug)]
pub(crate) struct Located {
    /// Its place.
    pub(crate) target: Target,
    /// The object, without a namespace if its kind has none.
    pub(crate) object: Object,
}

/// Why an object has no place. The texts are Helm's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LocateError {
    #[error(
        "resource mapping not found for name: {:?} namespace: \"\" from \"\": no matches for kind {:?} in version {:?}\nensure CRDs are installed first",
        .0.name, .0.kind, .0.api_version
    )]
    NoSuchKind(ObjectRef),
    #[error("resource name may not be empty")]
    NoName,
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error(transparent)]
    Cluster(ClusterError),
}

impl LocateError {
    /// The error of a run, under a message that says what was tried.
    pub(crate) fn into_run_error(self, message: String) -> RunError {
        match &self {
            Self::Cluster(error) => fault::of_cluster(error, message),
            Self::NoSuchKind(_) | Self::NoName | Self::Name(_) => {
                RunError::new(ErrorCode::ObjectRefused, message)
            }
        }
    }
}

/// Finds the place of an object; its own namespace wins over the release's.
pub(crate) async fn locate(
    cluster: &dyn Cluster,
    object: &Object,
    namespace: &str,
) -> Result<Located, LocateError> {
    let target = place(cluster, &object.reference(), namespace).await?;
    let mut object = object.clone();
    match &target.namespace {
        Some(place) => {
            object.metadata_mut().insert("namespace".to_owned(), place.as_str().into());
        }
        None => {
            object.metadata_mut().shift_remove("namespace");
        }
    }
    Ok(Located { target, object })
}

/// Finds the place of what a reference names.
pub(crate) async fn place(
    cluster: &dyn Cluster,
    reference: &ObjectRef,
    namespace: &str,
) -> Result<Target, LocateError> {
    let resource = match cluster.resolve(&reference.gvk()).await {
        Ok(resource) => resource,
        Err(error) if error.kind == ClusterErrorKind::NoSuchKind => {
            return Err(LocateError::NoSuchKind(reference.clone()));
        }
        Err(error) => return Err(LocateError::Cluster(error)),
    };
    if reference.name.is_empty() {
        return Err(LocateError::NoName);
    }
    let own = reference.namespace.as_deref().unwrap_or(namespace);
    let namespace = if resource.namespaced { Some(Namespace::new(own)?) } else { None };
    Ok(Target { name: Name::new(&reference.name)?, namespace, resource })
}

/// A target as Helm's own texts name it: `prod/a batch/v1, Kind=Job`.
pub(crate) fn helm_name(target: &Target) -> String {
    let namespace = target.namespace.as_ref().map(ToString::to_string).unwrap_or_default();
    let gvk = &target.resource.gvk;
    format!("{namespace}/{} {}/{}, Kind={}", target.name, gvk.group, gvk.version, gvk.kind)
}

/// A target as Helm's waiters name it: `Job/prod/a`.
pub(crate) fn waiter_name(target: &Target) -> String {
    let namespace = target.namespace.as_ref().map(ToString::to_string).unwrap_or_default();
    format!("{}/{namespace}/{}", target.resource.gvk.kind, target.name)
}
