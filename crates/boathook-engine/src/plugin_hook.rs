//! One hook that is a plugin: credentials, attempts, signals. There is no object, so no policy has anything to delete.

use std::time::Duration;

use boathook_core::plan::{HookStep, PluginRun, StepId};
use boathook_core::run_event::{Calls, Happening};
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::timeout;

use crate::hook_runner::{End, Ended, Facts};
use crate::journal::Intent;
use crate::plugin_host::{CommandExtras, PluginCall, PluginError, PluginReport, PluginSignal, RunInfo};
use crate::retry::backoff;
use crate::run::{Run, millis};
use crate::{credentials, fault};

/// The host ends an attempt at its timeout; this much later we stop waiting for the host.
const GUARD: Duration = Duration::from_secs(5);

/// Runs the plugin until it succeeds, fails for good, or has no attempt left.
pub(crate) async fn run(
    run: &mut Run<'_>,
    id: &StepId,
    hook: &HookStep,
    plugin: &PluginRun,
    intent: Intent,
) -> Ended {
    let namespace = &run.plan.release.namespace;
    if run.unborn.has_namespace(namespace) {
        let message = format!("not run: namespace {namespace} is made by this operation");
        return Ended {
            end: End::Succeeded,
            created: Vec::new(),
            facts: Facts { message, ..Facts::default() },
        };
    }
    run.recorder.running(hook, run.context).await;
    let context = run.context;
    let looked_up = run
        .context
        .unless_cancelled(credentials::resolve(
            &plugin.credentials,
            context.cluster.as_ref(),
            context.environment.as_ref(),
            &run.plan.release.namespace,
            &run.unborn,
        ))
        .await;
    let values = match looked_up {
        None => return Ended::without_objects(End::Interrupted),
        Some(Err(error)) => return Ended::without_objects(End::NotCreated(error)),
        Some(Ok(values)) => values,
    };
    let mut facts = Facts::default();
    let end = loop {
        facts.attempts += 1;
        let (signals, received) = unbounded_channel();
        let call = PluginCall {
            plugin: plugin.plugin.clone(),
            release: run.plan.release.clone(),
            chart: run.plan.chart.clone(),
            run: RunInfo {
                id: format!("{}/{id}", run.recorder.operation(context)),
                hook_name: hook.name.clone(),
                event: hook.event.as_str().to_owned(),
                attempt: intent.before + facts.attempts,
                dry_run: context.options.dry_run,
            },
            config: plugin.config.clone(),
            permissions: plugin.permissions.clone(),
            credentials: values.clone(),
            limits: plugin.limits,
            timeout: hook.timeout,
            cluster: context.cluster.clone(),
            signals,
            extras: CommandExtras::default(),
        };
        let source = plugin.plugin.name.as_str();
        let error = match attempt(run, id, source, call, received, &mut facts).await {
            None => break End::Interrupted,
            Some(Ok(report)) => {
                finish(&mut facts, report);
                break End::Succeeded;
            }
            Some(Err(error)) => error,
        };
        let wish = match &error {
            PluginError::Failed { retryable: true, retry_after, .. } => Some(*retry_after),
            _ => None,
        };
        let (error, calls) = fault::of_plugin(error);
        add(&mut facts.calls, calls);
        let Some(retry_after) = wish.filter(|_| facts.attempts <= plugin.backoff_limit) else {
            break End::Failed(error);
        };
        let pause = backoff(facts.attempts, (context.jitter)(), retry_after, hook.timeout);
        run.emit(Happening::AttemptFailed {
            step: id.clone(),
            attempt: facts.attempts,
            error,
            retry_in_ms: millis(pause),
        });
        if run.context.unless_cancelled(tokio::time::sleep(pause)).await.is_none() {
            break End::Interrupted;
        }
    };
    facts.attempts += intent.before;
    Ended { end, created: Vec::new(), facts }
}

/// One attempt, its signals passed on as they come. `None`: cancelled; the guest's future is dropped and with it the
/// guest.
async fn attempt(
    run: &mut Run<'_>,
    id: &StepId,
    source: &str,
    call: PluginCall,
    mut received: tokio::sync::mpsc::UnboundedReceiver<PluginSignal>,
    facts: &mut Facts,
) -> Option<Result<PluginReport, PluginError>> {
    let limit = call.timeout;
    let plugins = run.context.plugins.clone();
    let cancel = run.context.cancel.clone();
    let answer = {
        let running = timeout(limit.saturating_add(GUARD), plugins.run(call));
        tokio::pin!(running);
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break None,
                Some(signal) = received.recv() => pass_on(run, id, source, signal, facts),
                answer = &mut running => break Some(answer),
            }
        }
    };
    while let Ok(signal) = received.try_recv() {
        pass_on(run, id, source, signal, facts);
    }
    Some(answer?.unwrap_or(Err(PluginError::Timeout { limit })))
}

fn pass_on(run: &mut Run<'_>, id: &StepId, source: &str, signal: PluginSignal, facts: &mut Facts) {
    let step = id.clone();
    match signal {
        PluginSignal::Log { level, line } => {
            run.emit(Happening::Log { step, source: source.to_owned(), level, line });
        }
        PluginSignal::Progress { message, percent } => {
            run.emit(Happening::StepProgress { step, message, percent });
        }
        PluginSignal::Output { key, value } => {
            facts.outputs.insert(key, value);
        }
        PluginSignal::Withheld(effect) => run.emit(Happening::Withheld { step, effect }),
    }
}

/// The guest's report; its data stands among the outputs, unless an output has that name.
fn finish(facts: &mut Facts, report: PluginReport) {
    add(&mut facts.calls, report.calls);
    facts.message = report.message;
    facts.changed = report.changed;
    if let Some(data) = report.data {
        facts.outputs.entry("data".to_owned()).or_insert(data);
    }
}

fn add(sum: &mut Calls, calls: Calls) {
    sum.kubernetes = sum.kubernetes.saturating_add(calls.kubernetes);
    sum.http = sum.http.saturating_add(calls.http);
}

#[cfg(test)]
mod tests;
