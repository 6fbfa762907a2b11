//! What is waited for besides hooks: that ordinary objects are ready, or, in an uninstall, that they are gone.

mod judging;
mod ready;

use boathook_core::plan::{Operation, StepAction, StepPhase};
use boathook_core::run_event::{ErrorCode, Happening, RunError};
use tokio::time::{Instant, timeout_at};

use crate::at_once::in_order;
use crate::context::Context;
use crate::deletion;
use crate::run::{Placed, Run, Stop};

/// Waits, if the plan has a step for it: all objects have one deadline.
pub(crate) async fn wait(run: &mut Run<'_>) -> Result<(), Stop> {
    let step = run.plan.steps_of(StepPhase::Wait).find_map(|step| match step.action {
        StepAction::Wait(wait) => Some((step.id.clone(), wait)),
        _ => None,
    });
    let Some((id, wait)) = step else { return Ok(()) };
    if run.context.options.dry_run {
        return Ok(());
    }
    run.emit(Happening::StepStarted { step: id.clone(), resource: None });
    if run.plan.operation != Operation::Uninstall {
        return ready::ready(run, &id, wait).await;
    }
    let deleted = std::mem::take(&mut run.deleted);
    let gone = gone(run.context, deleted, Instant::now() + wait.timeout);
    run.context.unless_cancelled(gone).await.ok_or(Stop::Interrupted)?.map_err(Stop::failed)
}

async fn gone(context: &Context, objects: Vec<Placed>, deadline: Instant) -> Result<(), RunError> {
    let waits = objects.into_iter().map(|Placed { target, uid }| {
        let cluster = context.cluster.clone();
        async move {
            let waiting = deletion::until_gone(cluster.as_ref(), &target, uid.as_deref());
            match timeout_at(deadline, waiting).await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some((ErrorCode::ObjectRefused, error.message)),
                Err(_) => Some((ErrorCode::Timeout, deletion::still_exists(&target))),
            }
        }
    });
    let failures: Vec<(ErrorCode, String)> = in_order(waits.collect()).await.into_iter().flatten().collect();
    let Some((code, _)) = failures.first() else { return Ok(()) };
    let mut lines: Vec<&str> = failures.iter().map(|(_, message)| message.as_str()).collect();
    if failures.iter().any(|(code, _)| *code == ErrorCode::Timeout) {
        lines.push(deletion::DEADLINE);
    }
    Err(RunError::new(*code, lines.join("\n")))
}
