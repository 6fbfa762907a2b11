//! One attempt at a component: a fresh store, one call of `run`, and what came of it.

use std::net::SocketAddr;
use std::time::Duration;

use boathook_core::run_event::LogLevel;
use boathook_engine::plugin_host::{PluginCall, PluginError, PluginReport};
use serde_json::Value;
use tokio::time::Instant;
use wasmtime::Engine;
use wasmtime_wasi::I32Exit;

use crate::bindings::HookPre;
use crate::bindings::exports::boathook::hook::run::{Failure, Report};
use crate::capability::Capabilities;
use crate::limits::{MAX_LINE_BYTES, MAX_OUTPUT_BYTES, RunLimiter};
use crate::log_lines::LogLines;
use crate::scrub::Scrubber;
use crate::state::{ComponentState, GuestStreams, store};
use crate::trap;

/// Runs it.
///
/// # Errors
/// Every way in which it can fail.
pub(crate) async fn run(
    engine: &Engine,
    hook: &HookPre<ComponentState>,
    call: &PluginCall,
    api_servers: &[SocketAddr],
) -> Result<PluginReport, PluginError> {
    let deadline = Instant::now() + call.timeout;
    let log = LogLines::new(call.signals.clone(), Scrubber::new(&call.credentials), call.limits.log_bytes);
    let streams = GuestStreams::new(&log);
    let capabilities = Capabilities::new(call, log.clone(), deadline, api_servers)?;
    let state = ComponentState::new(capabilities, call.limits.memory, &streams);
    let mut store = store(engine, state, deadline);
    let attempt = async {
        let instance = hook.instantiate_async(&mut store).await?;
        instance.boathook_hook_run().call_run(&mut store).await
    };
    let ended = tokio::time::timeout_at(deadline, attempt).await;
    streams.finish();
    log.finish();
    let capabilities = &store.data().capabilities;
    trace_memory(&store.data().limiter);
    match ended {
        Err(_elapsed) => Err(PluginError::Timeout { limit: call.timeout }),
        Ok(Ok(Ok(report))) => Ok(finish(report, capabilities)),
        Ok(Ok(Err(failure))) => Err(because_denied(failed(failure, capabilities), capabilities)),
        Ok(Err(error)) => {
            let error = match error.downcast_ref::<I32Exit>() {
                Some(I32Exit(code)) => PluginError::Failed {
                    message: format!("exited with code {code} and without a report"),
                    retryable: false,
                    retry_after: None,
                    calls: capabilities.calls(),
                },
                None => trap::plugin_error(&error, call.timeout, &log.last()),
            };
            Err(because_denied(error, capabilities))
        }
    }
}

/// A guest that was denied a call and then gave up, gave up because of it; one that reached a cap or its deadline did
/// not.
pub(crate) fn because_denied(error: PluginError, capabilities: &Capabilities) -> PluginError {
    match error {
        PluginError::Trap { .. } => capabilities.denied(String::new()).unwrap_or(error),
        PluginError::Failed { ref message, .. } => capabilities.denied(message.clone()).unwrap_or(error),
        other => other,
    }
}

/// Says how much memory a run took, for those who set its limit.
fn trace_memory(limiter: &RunLimiter) {
    tracing::debug!(memory = limiter.peak_memory(), "guest ended");
}

fn failed(failure: Failure, capabilities: &Capabilities) -> PluginError {
    let (message, retryable, retry_after) = match failure {
        Failure::Permanent(message) => (message, false, None),
        Failure::Retryable(message) => (message, true, None),
        Failure::RetryAfter((message, milliseconds)) => {
            (message, true, Some(Duration::from_millis(milliseconds)))
        }
    };
    PluginError::Failed {
        message: clean(message, MAX_LINE_BYTES, capabilities),
        retryable,
        retry_after,
        calls: capabilities.calls(),
    }
}

fn finish(report: Report, capabilities: &Capabilities) -> PluginReport {
    let data = report.data_json.and_then(|text| match read_data(&text) {
        Ok(data) => Some(capabilities.log().scrubber().value(data)),
        Err(reason) => {
            capabilities.log().emit(LogLevel::Warn, &format!("the report's data is left out: {reason}"));
            None
        }
    });
    PluginReport {
        message: clean(report.message, MAX_LINE_BYTES, capabilities),
        changed: Some(report.changed),
        data,
        calls: capabilities.calls(),
    }
}

fn read_data(text: &str) -> Result<Value, String> {
    if text.len() > MAX_OUTPUT_BYTES {
        return Err(format!("more than {MAX_OUTPUT_BYTES} bytes"));
    }
    serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))
}

/// A guest's message: without credentials, and of at most so many bytes.
pub(crate) fn clean(message: String, cap: usize, capabilities: &Capabilities) -> String {
    let mut message = capabilities.log().scrubber().text(message);
    message.truncate(message.floor_char_boundary(cap));
    message
}
