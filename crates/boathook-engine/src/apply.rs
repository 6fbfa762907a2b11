//! The ordinary objects of an install: neighbours of one kind at once, kinds one after another; where something is
//! adopted, one by one. The order itself is the plan's.

use boathook_core::Object;
use boathook_core::run_event::{Happening, ResourceResult, RunError};
use tokio::task::JoinSet;

use crate::cluster::Patch;
use crate::fault;
use crate::preflight::{AT_ONCE, Prepared};
use crate::resource_hook::apply_failure;
use crate::run::{Run, Stop};

/// Applies everything. As with Helm, an error does not keep the other batches from being applied; all errors are
/// joined at the end. Where objects are adopted, a failed creation stops at once.
pub(crate) async fn apply(run: &mut Run<'_>, prepared: Vec<Prepared<'_>>) -> Result<(), Stop> {
    let adopting = prepared.iter().any(|object| object.existing.is_some());
    let mut errors = Vec::new();
    let mut rest = prepared.into_iter().peekable();
    while let Some(first) = rest.next() {
        if run.context.cancel.is_cancelled() {
            return Err(Stop::Interrupted);
        }
        let creating = first.existing.is_none();
        let kind = first.located.target.resource.gvk.kind.clone();
        let mut batch = vec![first];
        while !adopting && let Some(next) = rest.next_if(|next| next.located.target.resource.gvk.kind == kind)
        {
            batch.push(next);
        }
        let Some(failed) = apply_batch(run, batch).await else { return Err(Stop::Interrupted) };
        let stop = adopting && creating && !failed.is_empty();
        errors.extend(failed);
        if stop {
            break;
        }
    }
    match join(errors) {
        None => Ok(()),
        Some(error) => Err(Stop::Failed { during: String::new(), error: Box::new(error) }),
    }
}

fn join(errors: Vec<RunError>) -> Option<RunError> {
    let message = errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("\n");
    Some(RunError { message, ..errors.into_iter().next()? })
}

/// Applies objects at once. `None`: cancelled.
async fn apply_batch(run: &mut Run<'_>, batch: Vec<Prepared<'_>>) -> Option<Vec<RunError>> {
    let mut errors = Vec::new();
    let mut working = JoinSet::new();
    let mut waiting = batch.into_iter();
    loop {
        while working.len() < AT_ONCE {
            let Some(Prepared { step, located, existing }) = waiting.next() else { break };
            let resource = Some(located.target.reference());
            run.emit(Happening::StepStarted { step: step.id.clone(), resource });
            let (cluster, options, id) =
                (run.context.cluster.clone(), run.context.writing(), step.id.clone());
            working.spawn(async move {
                let patch = Patch::Apply { object: located.object, force: false };
                let applied = cluster.patch(&located.target, &patch, &options).await;
                (id, located.target, existing, applied)
            });
        }
        let finished = match run.context.unless_cancelled(working.join_next()).await? {
            None => return Some(errors),
            Some(Ok(finished)) => finished,
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        };
        let (step, target, existing, applied) = finished;
        let (result, error) = match applied {
            Ok(applied) => (judge(existing.as_ref(), &applied, run.context.options.dry_run), None),
            Err(error) => {
                let error = fault::of_cluster(&error, apply_failure(&target, &error));
                errors.push(error.clone());
                (ResourceResult::Failed, Some(error))
            }
        };
        run.emit(Happening::ResourceFinished { step, resource: target.reference(), result, error });
    }
}

/// What became of an object. The API leaves the resourceVersion alone if nothing changed; a dry run leaves it alone
/// anyway, so there the content tells.
fn judge(existing: Option<&Object>, applied: &Object, dry_run: bool) -> ResourceResult {
    match existing {
        None => ResourceResult::Created,
        Some(existing) if dry_run => {
            if content(existing) == content(applied) {
                ResourceResult::Unchanged
            } else {
                ResourceResult::Configured
            }
        }
        Some(existing) if existing.resource_version() == applied.resource_version() => {
            ResourceResult::Unchanged
        }
        Some(_) => ResourceResult::Configured,
    }
}

fn content(object: &Object) -> Object {
    let mut object = object.clone();
    for field in ["managedFields", "resourceVersion", "generation"] {
        object.metadata_mut().shift_remove(field);
    }
    object
}

#[cfg(test)]
mod tests;
