//! The places of ordinary objects, found before anything changes: a kind that nobody serves, or an object of somebody else,
//! ends the operation here.

use boathook_core::Object;
use boathook_core::names::Target;
use boathook_core::plan::{DeleteStep, Plan, ResourceStep, Step, StepAction, StepPhase};
use boathook_core::run_event::{ErrorCode, RunError};

use super::resources;
use crate::at_once::in_order;
use crate::cluster::ClusterError;
use crate::context::Context;
use crate::locate::{LocateError, Located, locate, place};
use crate::{fault, ownership};

/// One ordinary object, ready to be applied.
pub(crate) struct Prepared<'p> {
    /// Its step.
    pub(crate) step: &'p Step,
    /// What to do with it.
    pub(crate) resource: &'p ResourceStep,
    /// Its place, and what is applied, with Helm's marks.
    pub(crate) located: Located,
    /// What was there, of an object that is new to the release.
    pub(crate) existing: Option<Object>,
}

/// One ordinary object that leaves the release.
pub(crate) struct Departing<'p> {
    /// Its step.
    pub(crate) step: &'p Step,
    /// What becomes of it.
    pub(crate) delete: &'p DeleteStep,
    /// Its place.
    pub(crate) target: Target,
}

/// Helm's words, which differ from operation to operation.
pub(super) struct Texts {
    /// Before the reason why an object has no place.
    pub(super) unbuilt: &'static str,
    /// Before the reason why an existing object may not become part of the release; nothing: it may in any case.
    pub(super) conflict: Option<&'static str>,
}

/// Finds the place of every object to apply, and what is there of those that are new to the release; the first in order that
/// may not be the release's is the error.
pub(super) async fn prepare<'p>(
    context: &Context,
    plan: &'p Plan,
    texts: &Texts,
) -> Result<Vec<Prepared<'p>>, RunError> {
    let steps: Vec<(&Step, &ResourceStep)> = resources(plan, StepPhase::Apply).collect();
    let looks = steps.iter().map(|(_, resource)| {
        let (cluster, object) = (context.cluster.clone(), resource.object.clone());
        let namespace = plan.release.namespace.clone();
        let is_new = texts.conflict.is_some() && resource.original.is_none();
        async move {
            let located = locate(cluster.as_ref(), &object, &namespace).await.map_err(Look::NotBuilt)?;
            if !is_new {
                return Ok((located, None));
            }
            match cluster.get(&located.target).await {
                Ok(existing) => Ok((located, Some(existing))),
                Err(error) if error.is_not_found() => Ok((located, None)),
                Err(error) => Err(Look::Unreadable(located, error)),
            }
        }
    });
    let found = in_order(looks.collect()).await;
    let mut prepared = Vec::with_capacity(steps.len());
    for ((step, resource), found) in steps.into_iter().zip(found) {
        let (mut located, existing) = found.map_err(|look| look.into_error(texts))?;
        if let (Some(existing), Some(conflict), false) =
            (&existing, texts.conflict, context.options.take_ownership)
        {
            ownership::check(existing, &located.target, &plan.release).map_err(|message| RunError {
                hint: Some("rename it, delete the existing one, or use --take-ownership".to_owned()),
                ..RunError::new(ErrorCode::ReleaseConflict, format!("{conflict}{message}"))
            })?;
        }
        ownership::stamp(&mut located.object, &plan.release);
        prepared.push(Prepared { step, resource, located, existing });
    }
    Ok(prepared)
}

/// Finds the place of every object that leaves the release.
pub(super) async fn departing<'p>(
    context: &Context,
    plan: &'p Plan,
    unbuilt: &str,
) -> Result<Vec<Departing<'p>>, RunError> {
    let mut departing = Vec::new();
    for step in plan.steps_of(StepPhase::Delete).collect::<Vec<_>>() {
        let StepAction::Delete(delete) = &step.action else { continue };
        let target = place(context.cluster.as_ref(), &delete.reference, &plan.release.namespace).await;
        let target = target.map_err(|error| {
            let message = format!("{unbuilt}{error}");
            error.into_run_error(message)
        })?;
        departing.push(Departing { step, delete, target });
    }
    Ok(departing)
}

/// Why an object cannot be part of the release.
enum Look {
    NotBuilt(LocateError),
    Unreadable(Located, ClusterError),
}

impl Look {
    fn into_error(self, texts: &Texts) -> RunError {
        match self {
            Self::NotBuilt(error) => {
                let message = format!("{}{error}", texts.unbuilt);
                error.into_run_error(message)
            }
            Self::Unreadable(located, error) => {
                let before = texts.conflict.unwrap_or_default();
                let text = format!(
                    "{before}could not get information about the resource {}: {error}",
                    located.target
                );
                fault::of_cluster(&error, text)
            }
        }
    }
}
