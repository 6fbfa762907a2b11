//! The end of an operation: what its result writes into the records, and what the user is told.

use boathook_core::Diagnostic;
use boathook_core::plan::{Operation, Plan, StepPhase};
use boathook_core::release::lifecycle::{self, End};
use boathook_core::run_event::{ErrorCode, Outcome, RunError};

use crate::delete;
use crate::run::{Run, Stop};

/// Writes the end into the records, with Helm's descriptions.
pub(crate) async fn close(run: &mut Run<'_>, result: Result<(), Stop>) -> (Outcome, Option<RunError>) {
    let subject = run.plan.subject();
    let phase = run.phase;
    let (end, outcome, error) = match &result {
        Ok(()) => (End::Succeeded, Outcome::Succeeded, None),
        Err(Stop::Refused(error)) => return (Outcome::Refused, Some((**error).clone())),
        Err(Stop::Failed(error)) => {
            let message = lifecycle::told(&subject, phase, &error.message);
            let told = RunError { message, ..(**error).clone() };
            (End::Failed(phase, &error.message), Outcome::Failed, Some(told))
        }
        Err(Stop::Incomplete(errors)) => (End::Incomplete, Outcome::Failed, incomplete(errors)),
        Err(Stop::Interrupted) => {
            let message = match run.lost.is_cancelled() {
                true => {
                    "interrupted: the lease of the release could not be renewed in time, so nothing more was written"
                }
                false => "interrupted",
            };
            let hint = run.recorder.status().map(|_| match run.plan.revision {
                Some(_) => "run the same command again: it goes on where this one stopped",
                None => "run the same command again",
            });
            let hint = hint.map(str::to_owned);
            let error = RunError { hint, ..RunError::new(ErrorCode::Interrupted, message) };
            (End::Interrupted(phase), Outcome::Interrupted, Some(error))
        }
    };
    let ending = lifecycle::ending(&subject, end);
    let written = run.recorder.finish(run.plan, run.context, ending, outcome, error.as_ref()).await;
    let error = clean_up(run, outcome, error).await;
    match written {
        Ok(()) => (outcome, error),
        Err(reason) if outcome == Outcome::Succeeded => {
            let message = format!("everything was done, but the release could not be recorded: {reason}");
            (Outcome::Failed, Some(RunError::new(ErrorCode::ClusterUnavailable, message)))
        }
        Err(reason) => {
            let message = format!("the end of the operation could not be recorded: {reason}");
            run.note(Diagnostic::warning("not-recorded", message));
            (outcome, error)
        }
    }
}

/// What an uninstall could not do after the objects were deleted.
fn incomplete(errors: &[RunError]) -> Option<RunError> {
    let causes: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    let message = format!("uninstallation completed with {} error(s): {}", errors.len(), causes.join("; "));
    Some(RunError { message, ..errors.first()?.clone() })
}

/// Deletes what a failed upgrade created (`--cleanup-on-fail`); of a rollback only if its objects failed, as Helm has it.
async fn clean_up(run: &mut Run<'_>, outcome: Outcome, error: Option<RunError>) -> Option<RunError> {
    let error = error?;
    let concerned = match run.plan.operation {
        Operation::Upgrade => true,
        Operation::Rollback => matches!(run.phase, StepPhase::Apply | StepPhase::Delete),
        _ => false,
    };
    let wanted = run.plan.cleanup_on_fail && concerned && !run.context.options.dry_run;
    if !wanted || outcome != Outcome::Failed || run.created.is_empty() {
        return Some(error);
    }
    let created = std::mem::take(&mut run.created);
    let failures = delete::placed(run.context, created).await;
    if failures.is_empty() {
        return Some(error);
    }
    let operation = run.plan.operation.as_str();
    let message = format!(
        "an error occurred while cleaning up resources. original {operation} error: {}{}: unable to cleanup resources: {}",
        lifecycle::during(run.plan.operation, run.phase),
        error.message,
        failures.join(", ")
    );
    Some(RunError { message, ..error })
}

/// A failed upgrade, and there is no success to go back to.
pub(crate) fn nothing_to_recover(plan: &Plan, phase: StepPhase, failure: RunError) -> RunError {
    let message = format!(
        "unable to find a previously successful release when attempting to rollback. original upgrade error: {}{}",
        lifecycle::during(plan.operation, phase),
        failure.message
    );
    RunError { message, ..failure }
}

/// What the user is told after `--rollback-on-failure`: Helm's words around the first cause, and around the second if undoing
/// failed as well.
pub(crate) fn recovered(
    plan: &Plan,
    phase: StepPhase,
    recovery: &Plan,
    failure: RunError,
    second: Option<RunError>,
) -> RunError {
    let name = &plan.release.name;
    let first = format!("{}{}", lifecycle::during(plan.operation, phase), failure.message);
    let (doing, done) = match recovery.operation {
        Operation::Uninstall => ("uninstalling", "uninstalled"),
        _ => ("rolling back", "rolled back"),
    };
    let message = match second {
        None => format!(
            "release {name} failed, and has been {done} due to rollback-on-failure being set: {first}"
        ),
        Some(second) => format!(
            "an error occurred while {doing} the release. original {} error: {first}: {}",
            plan.operation.as_str(),
            second.message
        ),
    };
    RunError { message, ..failure }
}
