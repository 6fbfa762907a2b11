//! Deleting an object, and waiting until it is gone. Helm 4 does not wait by default, and then patches the
//! dying object; we always wait, for that very UID.

use std::time::Duration;

use boathook_core::Object;
use boathook_core::names::Target;
use boathook_core::run_event::{ErrorCode, RunError};

use crate::cluster::{Cluster, ClusterErrorKind, Preconditions, Verdict, WriteOptions};
use crate::fault;
use crate::locate::waiter_name;

/// Asks for the deletion of one object, this very one. False if it was gone already.
pub(crate) async fn delete(
    cluster: &dyn Cluster,
    target: &Target,
    uid: Option<&str>,
    options: &WriteOptions,
) -> Result<bool, RunError> {
    let preconditions = Preconditions { uid: uid.map(str::to_owned), resource_version: None };
    match cluster.delete(target, &preconditions, options).await {
        Ok(()) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        // Only the UID was asked for: another object has the name now, so this one is gone.
        Err(error) if error.kind == ClusterErrorKind::Conflict && uid.is_some() => Ok(false),
        Err(error) => Err(fault::of_cluster(&error, error.message.clone())),
    }
}

/// How Go says that time is up.
pub(crate) const DEADLINE: &str = "context deadline exceeded";

/// Waits until the object with this UID is gone, whatever has its name then, at most for a time.
pub(crate) async fn wait_until_gone(
    cluster: &dyn Cluster,
    target: &Target,
    uid: Option<&str>,
    timeout: Duration,
) -> Result<(), RunError> {
    match tokio::time::timeout(timeout, until_gone(cluster, target, uid)).await {
        Ok(gone) => gone,
        Err(_) => {
            let message = format!("{}\n{DEADLINE}", still_exists(target));
            Err(RunError::new(ErrorCode::Timeout, message))
        }
    }
}

/// The same without an end.
pub(crate) async fn until_gone(
    cluster: &dyn Cluster,
    target: &Target,
    uid: Option<&str>,
) -> Result<(), RunError> {
    let mut until = |object: Option<&Object>| match object {
        Some(object) if uid.is_none() || object.uid() == uid => Verdict::Waiting,
        Some(_) | None => Verdict::Done,
    };
    match cluster.wait(target, &mut until).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(fault::of_cluster(&error, error.message.clone())),
    }
}

/// Helm's words for an object that outlives its deletion.
pub(crate) fn still_exists(target: &Target) -> String {
    let name = waiter_name(target);
    format!("resource {name} still exists. status: Terminating, message: Resource scheduled for deletion")
}
