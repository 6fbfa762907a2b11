//! The side of a plugin: SDK types to generated types and back. Each function names one import, so that a plugin which
//! does not use it does not import it.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::http::{self, Request, Response};
use crate::kubernetes::{self, ApplyOptions, Condition, ListOptions, ObjectRef, Page, Patch, Preconditions};
use crate::log::Level;
use crate::{Context, Denial, Failure, ReleaseInfo, Report, RunInfo};

#[allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    unused_lifetimes,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::semicolon_if_nothing_returned,
    clippy::uninlined_format_args,
    reason = "generated; calls of the host are calls of C functions"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "hook",
        pub_export_macro: true,
        export_macro_name: "export",
        default_bindings_module: "boathook_sdk::host::bindings",
    });
}

pub use bindings::export;
pub use bindings::exports::boathook::hook::run::{Failure as GuestFailure, Guest, Report as GuestReport};

use bindings::boathook::hook::{context, http as wit_http, kubernetes as wit, log, outputs, types};

/// Reads the config and the context, runs the plugin's function, and says how it ended.
///
/// # Errors
/// The plugin's failure, or that its config is not what it takes.
pub fn run<Config: DeserializeOwned>(
    plugin: fn(Config, &Context) -> Result<Report, Failure>,
) -> Result<GuestReport, GuestFailure> {
    let config = serde_json::from_str(&context::config_json())
        .map_err(|error| GuestFailure::Permanent(format!("config: {error}")))?;
    match plugin(config, &the_context()) {
        Ok(report) => Ok(GuestReport {
            message: report.message,
            changed: report.changed,
            data_json: report.data.map(|data| data.to_string()),
        }),
        Err(Failure::Retryable(message)) => Err(GuestFailure::Retryable(message)),
        Err(Failure::RetryAfter(message, wait)) => {
            Err(GuestFailure::RetryAfter((message, milliseconds(wait))))
        }
        Err(Failure::Permanent(message)) => Err(GuestFailure::Permanent(message)),
    }
}

fn the_context() -> Context {
    let (release, run) = (context::release(), context::run());
    Context {
        release: ReleaseInfo {
            name: release.name,
            namespace: release.namespace,
            revision: release.revision,
            chart: release.chart,
            chart_version: release.chart_version,
            app_version: release.app_version,
        },
        run: RunInfo {
            id: run.id,
            hook_name: run.hook_name,
            event: run.event,
            attempt: run.attempt,
            dry_run: run.dry_run,
            deadline_ms: run.deadline_ms,
        },
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn denial(denial: types::Denial) -> Denial {
    Denial { capability: denial.capability, reason: denial.reason, grant_hint: denial.grant_hint }
}

fn kubernetes_error(error: wit::Error) -> kubernetes::Error {
    match error {
        wit::Error::Denied(refused) => kubernetes::Error::Denied(denial(refused)),
        wit::Error::NotFound => kubernetes::Error::NotFound,
        wit::Error::AlreadyExists => kubernetes::Error::AlreadyExists,
        wit::Error::Conflict(message) => kubernetes::Error::Conflict(message),
        wit::Error::Invalid(message) => kubernetes::Error::Invalid(message),
        wit::Error::TooLarge(limit) => kubernetes::Error::TooLarge(limit),
        wit::Error::Timeout => kubernetes::Error::Timeout,
        wit::Error::Unavailable(message) => kubernetes::Error::Unavailable(message),
        wit::Error::Other(message) => kubernetes::Error::Other(message),
    }
}

fn reference(target: &ObjectRef) -> types::ObjectRef {
    types::ObjectRef {
        api_version: target.api_version.clone(),
        kind: target.kind.clone(),
        namespace: target.namespace.clone(),
        name: target.name.clone(),
    }
}

fn object(answer: Result<String, wit::Error>) -> Result<Value, kubernetes::Error> {
    parse(&answer.map_err(kubernetes_error)?)
}

fn parse(text: &str) -> Result<Value, kubernetes::Error> {
    serde_json::from_str(text)
        .map_err(|error| kubernetes::Error::Other(format!("the host's answer is no JSON: {error}")))
}

pub(crate) fn kubernetes_get(target: &ObjectRef, fields: &[&str]) -> Result<Value, kubernetes::Error> {
    let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
    object(wit::get(&reference(target), &fields))
}

pub(crate) fn kubernetes_list(
    api_version: &str,
    kind: &str,
    namespace: Option<&str>,
    options: &ListOptions,
) -> Result<Page, kubernetes::Error> {
    let options = wit::ListOptions {
        label_selector: options.label_selector.clone(),
        field_selector: options.field_selector.clone(),
        fields: options.fields.clone(),
        limit: options.limit,
        continue_token: options.continue_token.clone(),
    };
    let page = wit::list(api_version, kind, namespace, &options).map_err(kubernetes_error)?;
    let items = page.items_json.iter().map(|item| parse(item)).collect::<Result<_, _>>()?;
    Ok(Page { items, continue_token: page.continue_token })
}

pub(crate) fn kubernetes_create(manifest: &Value) -> Result<Value, kubernetes::Error> {
    object(wit::create(&manifest.to_string()))
}

pub(crate) fn kubernetes_apply(manifest: &Value, options: ApplyOptions) -> Result<Value, kubernetes::Error> {
    let options = wit::ApplyOptions { force: options.force, adopt: options.adopt };
    object(wit::apply(&manifest.to_string(), options))
}

pub(crate) fn kubernetes_patch(target: &ObjectRef, patch: &Patch) -> Result<Value, kubernetes::Error> {
    let patch = match patch {
        Patch::JsonMerge(value) => wit::Patch::JsonMerge(value.to_string()),
        Patch::StrategicMerge(value) => wit::Patch::StrategicMerge(value.to_string()),
        Patch::Json(value) => wit::Patch::JsonPatch(value.to_string()),
    };
    object(wit::patch_object(&reference(target), &patch))
}

pub(crate) fn kubernetes_delete(
    target: &ObjectRef,
    preconditions: &Preconditions,
) -> Result<(), kubernetes::Error> {
    let preconditions = wit::Preconditions {
        uid: preconditions.uid.clone(),
        resource_version: preconditions.resource_version.clone(),
    };
    wit::delete(&reference(target), &preconditions).map_err(kubernetes_error)
}

pub(crate) fn kubernetes_wait(
    target: &ObjectRef,
    condition: &Condition,
    timeout: Duration,
) -> Result<Option<Value>, kubernetes::Error> {
    let condition = match condition {
        Condition::Exists => wit::WaitCondition::Exists,
        Condition::Absent => wit::WaitCondition::Absent,
        Condition::Status { condition, status } => {
            wit::WaitCondition::StatusCondition((condition.clone(), status.clone()))
        }
        Condition::JsonPath { path, value } => wit::WaitCondition::JsonPath((path.clone(), value.clone())),
        Condition::Ready => wit::WaitCondition::Ready,
    };
    let text = wit::wait(&reference(target), &condition, milliseconds(timeout)).map_err(kubernetes_error)?;
    if text.is_empty() { Ok(None) } else { parse(&text).map(Some) }
}

pub(crate) fn http_send(request: &Request) -> Result<Response, http::Error> {
    let header =
        |(name, value): &(String, String)| wit_http::Header { name: name.clone(), value: value.clone() };
    let credential = |(name, placement): &(String, String)| wit_http::Credential {
        name: name.clone(),
        placement: placement.clone(),
    };
    let request = wit_http::Request {
        method: request.method.clone(),
        url: request.url.clone(),
        headers: request.headers.iter().map(header).collect(),
        body: request.body.clone(),
        timeout_ms: request.timeout.map(milliseconds),
        credentials: request.credentials.iter().map(credential).collect(),
    };
    match wit_http::send(&request) {
        Ok(response) => Ok(Response {
            status: response.status,
            headers: response.headers.into_iter().map(|header| (header.name, header.value)).collect(),
            body: response.body,
        }),
        Err(error) => Err(match error {
            wit_http::Error::Denied(refused) => http::Error::Denied(denial(refused)),
            wit_http::Error::InvalidRequest(message) => http::Error::InvalidRequest(message),
            wit_http::Error::Dns => http::Error::Dns,
            wit_http::Error::Connect => http::Error::Connect,
            wit_http::Error::Tls(message) => http::Error::Tls(message),
            wit_http::Error::Timeout => http::Error::Timeout,
            wit_http::Error::TooLarge(limit) => http::Error::TooLarge(limit),
            wit_http::Error::Other(message) => http::Error::Other(message),
        }),
    }
}

pub(crate) fn log_emit(level: Level, message: &str, fields: &[(&str, &str)]) {
    let level = match level {
        Level::Trace => log::Level::Trace,
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
        Level::Error => log::Level::Error,
    };
    let fields: Vec<(String, String)> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    log::emit(level, message, &fields);
}

pub(crate) fn outputs_set(key: &str, value: &Value) -> Result<(), String> {
    outputs::set(key, &value.to_string())
}

pub(crate) fn outputs_progress(message: &str, percent: Option<u8>) {
    outputs::progress(message, percent);
}
