//! The entry of the engine: one plan, executed phase by phase. It only says in which order things happen; hooks run in
//! `hook_runner`, ordinary objects in `apply`, records are kept by `record`.

use boathook_core::plan::{HookRun, Operation, Plan, Step, StepAction, StepPhase};
use boathook_core::release::Status;
use boathook_core::run_event::{ErrorCode, Happening, HookLabel, Outcome, PluginLabel, RunError, RunEvent};
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::context::Context;
use crate::preflight::{self, Prepared};
use crate::run::{Run, Stop, elapsed};
use crate::{apply, hook_runner};

/// Executes a plan. What happens is told to `emit`, from `OperationStarted` to `OperationFinished`; the latter carries
/// the exit code. The future must be driven to its end: to stop the operation cancel the context's token, so that the
/// record can say so.
pub async fn execute(plan: &Plan, context: &Context, emit: &mut (dyn FnMut(RunEvent) + Send)) -> Outcome {
    let began = Instant::now();
    let mut run = Run::new(plan, context, emit);
    run.emit(started(plan));
    for diagnostic in &plan.diagnostics {
        run.note(diagnostic.clone());
    }
    let span = tracing::info_span!(
        "execute",
        operation = plan.operation.as_str(),
        release = plan.release.name,
        id = context.options.operation_id
    );
    let result = phases(&mut run).instrument(span).await;
    let (outcome, error) = close(&mut run, result).await;
    let exit_code = error.as_ref().map_or(0, |error| error.code.exit_code());
    let status = run.recorder.status();
    run.emit(Happening::OperationFinished { outcome, exit_code, status, duration_ms: elapsed(began), error });
    outcome
}

async fn phases(run: &mut Run<'_>) -> Result<(), Stop> {
    let plan = run.plan;
    let mut objects = match plan.operation {
        Operation::Install => begin_install(run).await?,
        Operation::Run(_) => Vec::new(),
    };
    for phase in plan.operation.phases() {
        match phase {
            StepPhase::Hooks(event) => {
                let steps: Vec<&Step> = plan.steps.iter().filter(|step| step.phase == phase).collect();
                hook_runner::run_event(run, event, &steps).await?;
            }
            StepPhase::Apply => apply::apply(run, std::mem::take(&mut objects)).await?,
        }
    }
    // A signal after the last step was done finds nothing left to interrupt.
    Ok(())
}

async fn begin_install<'p>(run: &mut Run<'p>) -> Result<Vec<Prepared<'p>>, Stop> {
    let checked = run
        .context
        .unless_cancelled(preflight::check(run.plan, run.context))
        .await
        .ok_or(Stop::Interrupted)?;
    let preflight = checked.map_err(|error| Stop::Refused(Box::new(error)))?;
    if !run.context.options.dry_run {
        let (plan, context) = (run.plan, run.context);
        if let Err(error) = run.recorder.begin(plan, context, preflight.replaced).await {
            let error = Box::new(preflight::store_error(&error));
            return Err(match run.recorder.status() {
                None => Stop::Refused(error),
                Some(_) => Stop::Failed { during: String::new(), error },
            });
        }
    }
    Ok(preflight.objects)
}

/// Writes the end into the record, with Helm's descriptions.
async fn close(run: &mut Run<'_>, result: Result<(), Stop>) -> (Outcome, Option<RunError>) {
    let name = &run.plan.release.name;
    let context = run.context;
    let (status, description, outcome, error) = match result {
        Ok(()) => {
            let description = context.options.description.clone();
            let description = description.unwrap_or_else(|| "Install complete".to_owned());
            (Status::Deployed, description, Outcome::Succeeded, None)
        }
        Err(Stop::Refused(error)) => return (Outcome::Refused, Some(*error)),
        Err(Stop::Failed { during, error }) => {
            let description = format!("Release {name:?} failed: {during}{}", error.message);
            (Status::Failed, description, Outcome::Failed, Some(*error))
        }
        Err(Stop::Interrupted) => {
            let error = RunError::new(ErrorCode::Interrupted, "interrupted");
            let description = format!("Release {name:?} failed: context canceled");
            (Status::Failed, description, Outcome::Interrupted, Some(error))
        }
    };
    match run.recorder.finish(context, status, description, outcome, error.as_ref()).await {
        Ok(()) => (outcome, error),
        Err(reason) if outcome == Outcome::Succeeded => {
            let message = format!("everything was done, but the release could not be recorded: {reason}");
            (Outcome::Failed, Some(RunError::new(ErrorCode::ClusterUnavailable, message)))
        }
        Err(reason) => {
            let message = format!("the end of the operation could not be recorded: {reason}");
            run.note(boathook_core::Diagnostic::warning("not-recorded", message));
            (outcome, error)
        }
    }
}

fn started(plan: &Plan) -> Happening {
    let mut resources = 0;
    let mut hooks = Vec::new();
    for step in &plan.steps {
        match &step.action {
            StepAction::Resource(_) => resources += 1,
            StepAction::Hook(hook) => hooks.push(HookLabel {
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
        }
    }
    Happening::OperationStarted {
        operation: plan.operation.as_str().to_owned(),
        release: plan.release.clone(),
        hooks,
        resources,
    }
}

#[cfg(test)]
mod tests;
