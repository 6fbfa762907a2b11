//! The hooks of one event, strictly one after another, and what is cleaned up after them: the runner of Helm, step
//! for step, but for the deviations in docs/differences-from-helm.md. How a single hook runs is in `resource_hook`
//! and `plugin_hook`.

use std::collections::BTreeMap;

use boathook_core::Diagnostic;
use boathook_core::Severity;
use boathook_core::hook::DeletePolicy;
use boathook_core::names::Target;
use boathook_core::operation::{ItemOutcome, Touched};
use boathook_core::plan::{HookRun, HookStep, Step, StepAction, StepId};
use boathook_core::run_event::{Calls, ErrorCode, Happening, HookResult, Phase, RunError};
use serde_json::Value;
use tokio::time::Instant;

use crate::run::{Run, Stop, elapsed};
use crate::{begin, deletion, locate, plugin_hook, resource_hook};

/// A kind that no policy ever deletes: with the definition every object of the kind would go.
pub(crate) const CRD: &str = "CustomResourceDefinition";

/// How one hook ended, in the cases that Helm tells apart.
#[derive(Debug)]
pub(crate) enum End {
    /// It did what it should.
    Succeeded,
    /// It ran and failed: policies apply, to it and to the hooks before it.
    Failed(RunError),
    /// Its object could not be created: recorded as failed, but no policy applies, not even to the hooks before it.
    NotCreated(RunError),
    /// It did not get as far as being recorded: its old object could not be deleted, or it could not be built.
    NotStarted(RunError),
    /// The operation was cancelled. Its object, if any, is left.
    Interrupted,
}

/// What is known of a hook that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// How.
    pub(crate) end: End,
    /// Objects that its policies may delete.
    pub(crate) created: Vec<Created>,
    /// For the report.
    pub(crate) facts: Facts,
}

impl Ended {
    /// A hook that left nothing behind.
    pub(crate) fn without_objects(end: End) -> Self {
        Self { end, created: Vec::new(), facts: Facts::default() }
    }
}

/// An object that a hook created (or, without `before-hook-creation`, changed).
#[derive(Clone, Debug)]
pub(crate) struct Created {
    /// Its place.
    pub(crate) target: Target,
    /// This very object.
    pub(crate) uid: Option<String>,
}

/// What a hook says of itself.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) attempts: u32,
    pub(crate) message: String,
    pub(crate) changed: Option<bool>,
    pub(crate) simulated: bool,
    pub(crate) calls: Calls,
    pub(crate) outputs: BTreeMap<String, Value>,
}

/// A hook that succeeded in this run of the event.
struct Done<'p> {
    id: &'p StepId,
    hook: &'p HookStep,
    created: Vec<Created>,
}

impl Done<'_> {
    /// Whether its policy deletes anything when all went well.
    fn is_to_go(&self) -> bool {
        self.hook.has_policy(&DeletePolicy::HookSucceeded) && !self.created.is_empty()
    }
}

/// Runs the steps of one event.
pub(crate) async fn run_event<'p>(run: &mut Run<'p>, steps: &[&'p Step]) -> Result<(), Stop> {
    let mut done: Vec<Done<'p>> = Vec::new();
    for step in steps {
        let StepAction::Hook(hook) = &step.action else { continue };
        if run.context.cancel.is_cancelled() {
            return Err(Stop::Interrupted);
        }
        let before = run.recorder.journal().and_then(|journal| journal.ended(&step.id));
        let ended = match before {
            Some((outcome, objects)) => recalled(run, &step.id, outcome, objects).await?,
            None => run_hook(run, &step.id, hook).await,
        };
        match ended.end {
            End::Succeeded => done.push(Done { id: &step.id, hook, created: ended.created }),
            End::Failed(error) => {
                let own = hook.has_policy(&DeletePolicy::HookFailed) && !ended.created.is_empty();
                if own || done.iter().any(Done::is_to_go) {
                    settle(run).await?;
                }
                clean_up_failure(run, &step.id, hook, &ended.created, &done).await;
                return Err(Stop::failed(error));
            }
            End::NotCreated(error) | End::NotStarted(error) => return Err(Stop::failed(error)),
            End::Interrupted => return Err(Stop::Interrupted),
        }
    }
    let is_last = run.plan.operation.phases().last() == Some(&run.phase);
    if done.iter().any(Done::is_to_go) || (!done.is_empty() && !is_last) {
        settle(run).await?;
    }
    clean_up_success(run, &done).await
}

/// Writes down how the hooks ended, before their objects may go and before anything else comes; the end of the operation is
/// written anyway.
async fn settle(run: &mut Run<'_>) -> Result<(), Stop> {
    let written = run.recorder.write_journal(run.context).await;
    written.map_err(|error| Stop::failed(begin::store_error(&error)))
}

/// A hook that ended before the operation was taken over: it does not run again, but its policies apply.
async fn recalled(
    run: &mut Run<'_>,
    id: &StepId,
    outcome: ItemOutcome,
    objects: Vec<Touched>,
) -> Result<Ended, Stop> {
    let mut created = Vec::new();
    for Touched { object, uid } in objects {
        let located = locate::place(run.context.cluster.as_ref(), &object, "").await;
        let target = located.map_err(|error| {
            let message = error.to_string();
            Stop::failed(error.into_run_error(message))
        })?;
        created.push(Created { target, uid: Some(uid) });
    }
    let told = tell_again(run, id);
    let end = match outcome {
        ItemOutcome::Succeeded => End::Succeeded,
        ItemOutcome::Failed(message) => {
            let error = told.unwrap_or_else(|| RunError::new(ErrorCode::ObjectRefused, message));
            End::Failed(error)
        }
    };
    Ok(Ended { end, created, facts: Facts::default() })
}

/// The hooks of an event that was done before the operation was taken over.
pub(crate) fn recall(run: &mut Run<'_>, steps: &[&Step]) {
    for step in steps {
        tell_again(run, &step.id);
    }
}

/// Tells how a hook ended when it ran. Answers its error.
fn tell_again(run: &mut Run<'_>, id: &StepId) -> Option<RunError> {
    let mut result = run.recorder.result(id)?;
    result.message = format!("{} (done before)", result.message).trim_start().to_owned();
    let error = result.error.clone();
    run.emit(Happening::StepStarted { step: id.clone(), resource: None });
    run.emit(Happening::HookFinished { step: id.clone(), result });
    error
}

async fn run_hook(run: &mut Run<'_>, id: &StepId, hook: &HookStep) -> Ended {
    let began = Instant::now();
    run.emit(Happening::StepStarted { step: id.clone(), resource: None });
    run.recorder.reached(hook);
    let mut ended = match (run.recorder.intend(id, hook, run.context).await, &hook.run) {
        (Err(error), _) => Ended::without_objects(End::NotStarted(begin::store_error(&error))),
        (Ok(intent), HookRun::Resource { objects, wait }) => {
            resource_hook::run(run, id, hook, objects, *wait, intent).await
        }
        (Ok(intent), HookRun::Plugin(plugin)) => plugin_hook::run(run, id, hook, plugin, intent).await,
    };
    let phase = match &mut ended.end {
        End::Succeeded => Phase::Succeeded,
        End::Failed(error) | End::NotCreated(error) | End::NotStarted(error) => {
            error.hook.get_or_insert_with(|| id.clone());
            Phase::Failed
        }
        End::Interrupted => Phase::Unknown,
    };
    let error = match &ended.end {
        End::Failed(error) | End::NotCreated(error) | End::NotStarted(error) => Some(error.clone()),
        End::Succeeded | End::Interrupted => None,
    };
    let facts = std::mem::take(&mut ended.facts);
    let result = HookResult {
        phase,
        attempts: facts.attempts,
        duration_ms: elapsed(began),
        message: facts.message,
        changed: facts.changed,
        simulated: facts.simulated,
        calls: facts.calls,
        outputs: facts.outputs,
        error,
    };
    let now = (run.context.clock)();
    let touched =
        |created: &Created| Some(Touched { object: created.target.reference(), uid: created.uid.clone()? });
    let objects = ended.created.iter().filter_map(touched).collect();
    run.recorder.ended(id, hook, &ended.end, objects, &result, now);
    run.emit(Happening::HookFinished { step: id.clone(), result });
    ended
}

/// After a failure: the hook itself by `hook-failed`, then the earlier ones by `hook-succeeded`, forwards. An error
/// ends the walk. The hook's own error stays the operation's (Helm lets the walk's error take its place).
async fn clean_up_failure(
    run: &mut Run<'_>,
    id: &StepId,
    hook: &HookStep,
    created: &[Created],
    done: &[Done<'_>],
) {
    if let Err(error) = delete_by(run, id, hook, created, &DeletePolicy::HookFailed).await {
        note_left(run, hook, &error);
    }
    for earlier in done {
        let deleted =
            delete_by(run, earlier.id, earlier.hook, &earlier.created, &DeletePolicy::HookSucceeded).await;
        if let Err(error) = deleted {
            note_left(run, earlier.hook, &error);
            return;
        }
    }
}

/// After success of all: backwards by `hook-succeeded`. An error ends the walk, but is a warning only: the work is
/// done, and the next run deletes what is left.
async fn clean_up_success(run: &mut Run<'_>, done: &[Done<'_>]) -> Result<(), Stop> {
    for last in done.iter().rev() {
        if run.context.cancel.is_cancelled() {
            return Err(Stop::Interrupted);
        }
        if let Err(error) =
            delete_by(run, last.id, last.hook, &last.created, &DeletePolicy::HookSucceeded).await
        {
            note_left(run, last.hook, &error);
            break;
        }
    }
    Ok(())
}

fn note_left(run: &mut Run<'_>, hook: &HookStep, error: &RunError) {
    let message = format!(
        "{} was not deleted after {}: {}",
        hook.slug(),
        hook.event,
        error.message.replace('\n', "; ")
    );
    run.note(
        Diagnostic::new(Severity::Warning, "hook-not-deleted", message)
            .help("the next run of the hook deletes it, or delete it with kubectl"),
    );
}

/// Deletes a hook's objects if it has the policy, and waits until they are gone. Cancelling leaves them.
async fn delete_by(
    run: &mut Run<'_>,
    id: &StepId,
    hook: &HookStep,
    created: &[Created],
    policy: &DeletePolicy,
) -> Result<(), RunError> {
    if !hook.has_policy(policy) || run.context.options.dry_run {
        return Ok(());
    }
    let cluster = run.context.cluster.clone();
    let options = run.context.writing();
    for Created { target, uid } in created {
        if target.resource.gvk.kind == CRD {
            continue;
        }
        let deleting = async {
            let deleted = deletion::delete(cluster.as_ref(), target, uid.as_deref(), &options).await?;
            if deleted {
                deletion::wait_until_gone(cluster.as_ref(), target, uid.as_deref(), hook.timeout).await?;
            }
            Ok(deleted)
        };
        match run.context.unless_cancelled(deleting).await {
            None => return Ok(()),
            Some(Err(error)) => return Err(error),
            Some(Ok(false)) => {}
            Some(Ok(true)) => run.emit(Happening::HookDeleted {
                step: id.clone(),
                object: target.reference(),
                policy: policy.as_str().to_owned(),
            }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
