//! The ordinary objects that a revision has. A first creation goes kind by kind, neighbours of one kind at once; a change of
//! what is there goes one by one. The order itself is the plan's.

mod change;

use boathook_core::names::Target;
use boathook_core::plan::{Operation, StepId};
use boathook_core::run_event::{Happening, ResourceResult, RunError};
use tokio::task::JoinSet;

use self::change::Hand;
use crate::at_once::AT_ONCE;
use crate::begin::Prepared;
use crate::run::{Placed, Run, Stop};

/// Applies everything.
pub(crate) async fn apply(run: &mut Run<'_>, prepared: Vec<Prepared<'_>>) -> Result<(), Stop> {
    run.applied = prepared.iter().map(|object| object.located.target.clone()).collect();
    let creates =
        run.plan.operation == Operation::Install && prepared.iter().all(|object| object.existing.is_none());
    if creates { create(run, prepared).await } else { update(run, prepared).await }
}

/// As with Helm, an error does not keep the other batches from being created; all errors are joined at the end.
async fn create(run: &mut Run<'_>, prepared: Vec<Prepared<'_>>) -> Result<(), Stop> {
    let mut errors = Vec::new();
    let mut rest = prepared.into_iter().peekable();
    while let Some(first) = rest.next() {
        if run.context.cancel.is_cancelled() {
            return Err(Stop::Interrupted);
        }
        let kind = first.located.target.resource.gvk.kind.clone();
        let mut batch = vec![first];
        while let Some(next) = rest.next_if(|next| next.located.target.resource.gvk.kind == kind) {
            batch.push(next);
        }
        errors.extend(create_batch(run, batch).await.ok_or(Stop::Interrupted)?);
    }
    joined(errors, "\n")
}

/// Creates objects at once. `None`: cancelled.
async fn create_batch(run: &mut Run<'_>, batch: Vec<Prepared<'_>>) -> Option<Vec<RunError>> {
    // Helm never forces a creation.
    let mut hand = Hand::of(run);
    hand.force = false;
    let mut errors = Vec::new();
    let mut working = JoinSet::new();
    let mut waiting = batch.into_iter();
    loop {
        while working.len() < AT_ONCE {
            let Some(Prepared { step, located, .. }) = waiting.next() else { break };
            started(run, &step.id, &located.target);
            let (hand, id) = (hand.clone(), step.id.clone());
            working.spawn(async move {
                let created = hand.create(&located).await;
                (id, located.target, created)
            });
        }
        let (step, target, created) = match run.context.unless_cancelled(working.join_next()).await? {
            None => return Some(errors),
            Some(Ok(finished)) => finished,
            Some(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        };
        errors.extend(finished(run, step, target, created.map(|uid| (ResourceResult::Created, uid))));
    }
}

/// One by one. As with Helm, an object that cannot be looked at or created stops everything; patches that are refused are
/// collected.
async fn update(run: &mut Run<'_>, prepared: Vec<Prepared<'_>>) -> Result<(), Stop> {
    let hand = Hand::of(run);
    let mut errors = Vec::new();
    for Prepared { step, resource, located, existing } in prepared {
        started(run, &step.id, &located.target);
        let changing = hand.update(&located, resource.original.as_ref(), existing.is_some());
        let done = run.context.unless_cancelled(changing).await.ok_or(Stop::Interrupted)?;
        let (stops, done) = match done {
            Ok(done) => (false, Ok(done)),
            Err(failure) => (failure.stops, Err(failure.error)),
        };
        let error = finished(run, step.id.clone(), located.target, done);
        match error {
            Some(error) if stops => return Err(Stop::failed(error)),
            error => errors.extend(error),
        }
    }
    joined(errors, " && ")
}

fn started(run: &mut Run<'_>, step: &StepId, target: &Target) {
    run.emit(Happening::StepStarted { step: step.clone(), resource: Some(target.reference()) });
}

/// Tells what became of an object, and remembers it if it is new.
fn finished(
    run: &mut Run<'_>,
    step: StepId,
    target: Target,
    done: Result<(ResourceResult, Option<String>), RunError>,
) -> Option<RunError> {
    let resource = target.reference();
    let (result, error) = match done {
        Ok((result, uid)) => {
            if result == ResourceResult::Created {
                run.created.push(Placed { target, uid });
            }
            (result, None)
        }
        Err(error) => (ResourceResult::Failed, Some(error)),
    };
    run.emit(Happening::ResourceFinished { step, resource, result, error: error.clone() });
    error
}

/// Several errors as one: the first, with the messages of all.
pub(crate) fn joined(errors: Vec<RunError>, between: &str) -> Result<(), Stop> {
    let message = errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join(between);
    match errors.into_iter().next() {
        None => Ok(()),
        Some(first) => Err(Stop::failed(RunError { message, ..first })),
    }
}

#[cfg(test)]
mod tests;
