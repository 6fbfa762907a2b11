//! The entry of the engine: one plan, executed phase by phase. It only says in which order things happen. How each operation
//! begins is in `begin`, hooks run in `hook_runner`, ordinary objects are dealt with in `apply` and `delete`, records are
//! kept by `record`, and `end` closes.

use std::sync::Arc;

use boathook_core::plan::{HookRun, OnFailure, Plan, Step, StepAction, StepPhase};
use boathook_core::release::lifecycle;
use boathook_core::run_event::{Happening, HookLabel, Outcome, PluginLabel, RunError, RunEvent};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::begin::{self, Work};
use crate::context::Context;
use crate::fence::{Fence, WhileHeld};
use crate::run::{Run, Stop, elapsed};
use crate::{apply, delete, end, hook_runner, wait};

/// Executes a plan. What happens is told to `emit`, from `OperationStarted` to `OperationFinished`; the latter carries
/// the exit code. The future must be driven to its end: to stop the operation cancel the context's token, so that the
/// record can say so.
pub async fn execute(plan: &Plan, context: &Context, emit: &mut (dyn FnMut(RunEvent) + Send)) -> Outcome {
    let began = Instant::now();
    let lost = CancellationToken::new();
    let fence = Fence { cluster: context.cluster.clone(), gate: WhileHeld { lost: lost.clone() } };
    let context =
        Context { cluster: Arc::new(fence), cancel: context.cancel.child_token(), ..context.clone() };
    let mut run = Run::new(plan, &context, emit);
    run.lost = lost;
    run.emit(Happening::OperationStarted {
        operation: plan.operation.as_str().to_owned(),
        release: plan.release.clone(),
        hooks: hooks(plan),
        resources: resources(plan),
        dry_run: context.options.dry_run,
    });
    for diagnostic in &plan.diagnostics {
        run.note(diagnostic.clone());
    }
    let span = tracing::info_span!(
        "execute",
        operation = plan.operation.as_str(),
        release = plan.release.name,
        id = context.options.operation_id
    );
    let (outcome, mut error) = carry_out(&mut run).instrument(span).await;
    if let Some(failure) = error.take() {
        error = Some(recover(&mut run, outcome, failure).await);
    }
    if let Some(lease) = run.lease.take() {
        lease.give_back().await;
    }
    let exit_code = error.as_ref().map_or(0, |error| error.code.exit_code());
    let status = run.recorder.status();
    run.emit(Happening::OperationFinished { outcome, exit_code, status, duration_ms: elapsed(began), error });
    outcome
}

/// From the beginning to the last write of the record.
async fn carry_out(run: &mut Run<'_>) -> (Outcome, Option<RunError>) {
    let result = match begin::begin(run).await {
        Ok(work) => phases(run, work).await,
        Err(stop) => Err(stop),
    };
    end::close(run, result).await
}

async fn phases(run: &mut Run<'_>, mut work: Work<'_>) -> Result<(), Stop> {
    let plan = run.plan;
    let mut tolerated = Vec::new();
    for phase in plan.operation.phases() {
        run.phase = phase;
        if let Some(journal) = run.recorder.journal() {
            if journal.is_done(phase) && matches!(phase, StepPhase::Hooks(_)) {
                hook_runner::recall(run, &plan.steps_of(phase).collect::<Vec<_>>());
                continue;
            }
            journal.enter(phase);
        }
        let result = match phase {
            // Part of the beginning: nothing is recorded before it.
            StepPhase::Crds => Ok(()),
            StepPhase::Hooks(_) => {
                let steps: Vec<&Step> = plan.steps_of(phase).collect();
                hook_runner::run_event(run, &steps).await
            }
            StepPhase::Apply => {
                let (objects, unborn) = (std::mem::take(&mut work.objects), std::mem::take(&mut work.unborn));
                apply::apply(run, objects, unborn).await
            }
            StepPhase::Delete => delete::delete(run, std::mem::take(&mut work.departing)).await,
            StepPhase::Wait => wait::wait(run).await,
        };
        match result {
            Err(Stop::Failed(error)) if lifecycle::goes_on_after(plan.operation, phase) => {
                tolerated.push(*error);
            }
            result => result?,
        }
        if let Some(journal) = run.recorder.journal() {
            journal.leave(phase);
        }
    }
    // A signal after the last step was done finds nothing left to interrupt.
    if tolerated.is_empty() { Ok(()) } else { Err(Stop::Incomplete(tolerated)) }
}

/// Undoes a failed operation, if its plan says how. The signal that stopped it does not stop this; the next one ends the
/// process.
async fn recover(run: &mut Run<'_>, outcome: Outcome, failure: RunError) -> RunError {
    let (lost, dry) = (run.lost.is_cancelled(), run.context.options.dry_run);
    if !matches!(outcome, Outcome::Failed | Outcome::Interrupted) || lost || dry {
        return failure;
    }
    let recovery = match &run.plan.on_failure {
        OnFailure::Leave => return failure,
        OnFailure::NothingToRecover => return end::nothing_to_recover(run.plan, run.phase, failure),
        OnFailure::Recover(recovery) => recovery.as_ref(),
    };
    run.emit(Happening::RecoveryStarted {
        operation: recovery.operation.as_str().to_owned(),
        revision: recovery.release.revision,
        hooks: hooks(recovery),
        resources: resources(recovery),
    });
    let context = Context { cancel: CancellationToken::new(), ..run.context.clone() };
    let (mut lease, lost) = (run.lease.take(), run.lost.clone());
    let (outcome, status, error) = {
        let mut emit = |event: RunEvent| run.pass_on(event);
        let mut inner = Run::new(recovery, &context, &mut emit);
        (inner.lease, inner.lost) = (lease, lost);
        let (outcome, error) = carry_out(&mut inner).await;
        lease = inner.lease.take();
        (outcome, inner.recorder.status(), error)
    };
    run.lease = lease;
    run.emit(Happening::RecoveryFinished { outcome, status });
    end::recovered(run.plan, run.phase, recovery, failure, error)
}

/// The hooks of a plan, as reports name them.
fn hooks(plan: &Plan) -> Vec<HookLabel> {
    let label = |step: &Step| match &step.action {
        StepAction::Hook(hook) => Some(HookLabel {
            id: step.id.clone(),
            event: hook.event,
            kind: hook.kind.clone(),
            name: hook.name.clone(),
            weight: hook.weight,
            plugin: match &hook.run {
                HookRun::Plugin(plugin) => Some(PluginLabel {
                    name: plugin.plugin.name.clone(),
                    digest: plugin.plugin.digest.clone(),
                }),
                HookRun::Resource { .. } => None,
            },
        }),
        StepAction::Resource(_) | StepAction::Delete(_) | StepAction::Wait(_) => None,
    };
    plan.steps.iter().filter_map(label).collect()
}

fn resources(plan: &Plan) -> usize {
    let is_object = |step: &&Step| matches!(step.action, StepAction::Resource(_) | StepAction::Delete(_));
    plan.steps.iter().filter(is_object).count()
}

#[cfg(test)]
mod tests;
