//! The places of ordinary objects, found before anything changes: a kind that nobody serves, or an object of somebody else,
//! ends the operation here.

use std::sync::Arc;

use boathook_core::Object;
use boathook_core::names::Target;
use boathook_core::plan::{DeleteStep, Plan, ResourceStep, Step, StepAction, StepPhase};
use boathook_core::run_event::{ErrorCode, RunError};

use super::{Work, resources};
use crate::at_once::in_order;
use crate::context::Context;
use crate::locate::{Located, locate, place};
use crate::look::look;
use crate::unborn::Unborn;
use crate::{fault, ownership};

/// One ordinary object, ready to be applied.
pub(crate) struct Prepared<'p> {
    /// Its step.
    pub(crate) step: &'p Step,
    /// What to do with it.
    pub(crate) resource: &'p ResourceStep,
    /// Its place, and what is applied, with Helm's marks.
    pub(crate) located: Arc<Located>,
    /// It is new to the release, and was there before.
    pub(crate) adopted: bool,
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
    unborn: &Unborn,
    texts: &Texts,
) -> Result<Work<'p>, RunError> {
    let steps: Vec<(&Step, &ResourceStep)> = resources(plan, StepPhase::Apply).collect();
    let looks = steps.iter().map(|(_, resource)| {
        let (cluster, object) = (context.cluster.clone(), resource.object.clone());
        let namespace = plan.release.namespace.clone();
        async move { locate(cluster.as_ref(), &object, &namespace).await }
    });
    let mut prepared = Vec::with_capacity(steps.len());
    let mut unsent = Vec::new();
    for (&(step, resource), located) in steps.iter().zip(in_order(looks.collect()).await) {
        if unborn.holds(&resource.reference.gvk(), located.as_ref().map(|located| &located.target)) {
            unsent.push((step, resource));
            continue;
        }
        let mut located = located.map_err(|error| {
            let message = format!("{}{error}", texts.unbuilt);
            error.into_run_error(message)
        })?;
        ownership::stamp(&mut located.object, &plan.release);
        prepared.push(Prepared { step, resource, located: Arc::new(located), adopted: false });
    }
    if let Some(conflict) = texts.conflict {
        check_new(context, plan, conflict, &mut prepared).await?;
    }
    Ok(Work { objects: prepared, unborn: unsent, ..Work::default() })
}

/// Looks whether objects that are new to the release are there, and may be its own.
async fn check_new(
    context: &Context,
    plan: &Plan,
    conflict: &str,
    prepared: &mut [Prepared<'_>],
) -> Result<(), RunError> {
    let new: Vec<&mut Prepared<'_>> =
        prepared.iter_mut().filter(|object| object.resource.original.is_none()).collect();
    let targets: Arc<[Target]> = new.iter().map(|object| object.located.target.clone()).collect();
    let (release, places) = (plan.release.clone(), targets.clone());
    let keep = move |index: usize, existing: Option<Object>| {
        existing.map(|existing| ownership::check(&existing, &places[index], &release))
    };
    let found = look(&context.cluster, &targets, Arc::new(keep)).await;
    for (object, found) in new.into_iter().zip(found) {
        let existing = found.map_err(|error| {
            let target = &object.located.target;
            let text = format!("{conflict}could not get information about the resource {target}: {error}");
            fault::of_cluster(&error, text)
        })?;
        object.adopted = existing.is_some();
        if let (Some(Err(message)), false) = (existing, context.options.take_ownership) {
            return Err(RunError {
                hint: Some("rename it, delete the existing one, or use --take-ownership".to_owned()),
                ..RunError::new(ErrorCode::ReleaseConflict, format!("{conflict}{message}"))
            });
        }
    }
    Ok(())
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
