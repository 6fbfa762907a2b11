//! The ordinary objects that a revision has: kind by kind, neighbours of one kind at once. The order itself is the plan's.

mod change;
mod live;

use std::collections::BTreeMap;

use boathook_core::effect::Effect;
use boathook_core::names::Target;
use boathook_core::plan::{Operation, ResourceStep, Step, StepId};
use boathook_core::run_event::{Happening, ResourceResult, RunError};
use tokio::task::JoinSet;

use self::change::{Done, Failure, Hand};
use crate::at_once::AT_ONCE;
use crate::begin::Prepared;
use crate::run::{Placed, Run, Stop};

/// Applies everything.
pub(crate) async fn apply(
    run: &mut Run<'_>,
    prepared: Vec<Prepared<'_>>,
    unborn: Vec<(&Step, &ResourceStep)>,
) -> Result<(), Stop> {
    if run.context.options.dry_run {
        let sent = prepared.iter().map(|object| object.resource);
        for resource in sent.chain(unborn.iter().map(|(_, resource)| *resource)) {
            run.unborn.made(&resource.object, &run.plan.release.namespace);
        }
    }
    for (step, ResourceStep { object, reference, .. }) in unborn {
        let (step, resource) = (step.id.clone(), reference.clone());
        run.emit(Happening::StepStarted { step: step.clone(), resource: Some(resource.clone()) });
        run.withhold(&step, Effect::of_write(resource.clone(), None, object));
        run.emit(Happening::ResourceFinished {
            step,
            resource,
            result: ResourceResult::Created,
            error: None,
        });
    }
    run.applied = prepared.iter().map(|object| object.located.target.clone()).collect();
    let creates = run.plan.operation == Operation::Install && prepared.iter().all(|object| !object.adopted);
    if creates { create(run, prepared).await } else { update(run, prepared).await }
}

/// As with Helm, an error does not keep the other batches from being created; all errors are joined at the end.
async fn create(run: &mut Run<'_>, prepared: Vec<Prepared<'_>>) -> Result<(), Stop> {
    // Helm never forces a creation.
    let mut hand = Hand::of(run);
    hand.force = false;
    let mut errors = Vec::new();
    for batch in by_kind(&prepared) {
        let creations = batch.iter().map(|object| {
            let (hand, located) = (hand.clone(), object.located.clone());
            let creating = async move {
                let created = hand.create(&located).await;
                created.map_err(|error| Failure { error, stops: false })
            };
            (object.step, &object.located.target, creating)
        });
        errors.extend(at_once(run, creations).await?);
    }
    joined(errors, "\n")
}

/// Looks at what is there of a batch, and changes what is not so already. As with Helm, an object that cannot be looked at or
/// created stops everything; patches that are refused are collected.
async fn update(run: &mut Run<'_>, prepared: Vec<Prepared<'_>>) -> Result<(), Stop> {
    let hand = Hand::of(run);
    let mut errors = Vec::new();
    for batch in by_kind(&prepared) {
        let looking = hand.look(batch);
        let found = run.context.unless_cancelled(looking).await.ok_or(Stop::Interrupted)?;
        let updates = batch.iter().zip(found).map(|(object, live)| {
            let (hand, located, adopted) = (hand.clone(), object.located.clone(), object.adopted);
            let original = object.resource.original.clone();
            let updating = async move { hand.update(&located, original.as_ref(), adopted, live).await };
            (object.step, &object.located.target, updating)
        });
        errors.extend(at_once(run, updates).await?);
    }
    joined(errors, " && ")
}

/// Neighbours of one kind.
fn by_kind<'o, 'p>(prepared: &'o [Prepared<'p>]) -> impl Iterator<Item = &'o [Prepared<'p>]> {
    let kind = |object: &Prepared<'p>| object.located.target.resource.gvk.kind.clone();
    prepared.chunk_by(move |a, b| kind(a) == kind(b))
}

/// Deals with objects at once, and tells of them in their order; the errors that stop nothing. After one that does, nothing new is
/// begun.
async fn at_once<'a, F>(
    run: &mut Run<'_>,
    tasks: impl Iterator<Item = (&'a Step, &'a Target, F)>,
) -> Result<Vec<RunError>, Stop>
where
    F: Future<Output = Result<Done, Failure>> + Send + 'static,
{
    if run.context.cancel.is_cancelled() {
        return Err(Stop::Interrupted);
    }
    let mut tasks = tasks.enumerate();
    let mut working = JoinSet::new();
    // What is done, and has one before it that is not.
    let mut done: BTreeMap<usize, (StepId, Target, Result<Done, Failure>)> = BTreeMap::new();
    let mut told = 0;
    let (mut stopping, mut stop) = (false, None);
    let mut errors = Vec::new();
    loop {
        while working.len() < AT_ONCE && !stopping {
            let Some((index, (step, target, task))) = tasks.next() else { break };
            run.emit(Happening::StepStarted { step: step.id.clone(), resource: Some(target.reference()) });
            let (id, target) = (step.id.clone(), target.clone());
            working.spawn(async move { (index, id, target, task.await) });
        }
        match run.context.unless_cancelled(working.join_next()).await {
            None => {
                for (step, target, answer) in done.into_values() {
                    finished(run, step, target, answer);
                }
                return Err(Stop::Interrupted);
            }
            Some(None) => return stop.map_or(Ok(errors), |error| Err(Stop::failed(error))),
            Some(Some(Ok((index, step, target, answer)))) => {
                stopping |= matches!(&answer, Err(failure) if failure.stops);
                done.insert(index, (step, target, answer));
            }
            Some(Some(Err(error))) => std::panic::resume_unwind(error.into_panic()),
        }
        while let Some((step, target, answer)) = done.remove(&told) {
            told += 1;
            let stops = matches!(&answer, Err(failure) if failure.stops);
            match finished(run, step, target, answer) {
                Some(error) if stops => stop = stop.or(Some(error)),
                error => errors.extend(error),
            }
        }
    }
}

/// Tells what became of an object, and remembers it if it is new.
fn finished(
    run: &mut Run<'_>,
    step: StepId,
    target: Target,
    done: Result<Done, Failure>,
) -> Option<RunError> {
    let resource = target.reference();
    let (result, error) = match done {
        Ok(Done { result, uid, effect }) => {
            if let Some(effect) = effect {
                run.withhold(&step, effect);
            }
            if result == ResourceResult::Created {
                run.created.push(Placed { target, uid });
            }
            (result, None)
        }
        Err(failure) => (ResourceResult::Failed, Some(failure.error)),
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
