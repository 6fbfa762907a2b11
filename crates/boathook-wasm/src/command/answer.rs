//! Answers a command's calls through the same host functions that components call. Nothing is checked here: a line is
//! turned into the arguments of the function, its result into a line.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::protocol::{self, Body, Call, Condition, ConditionWord, Level, PatchType, Target};
use crate::bindings::boathook::hook::{http, kubernetes, log, outputs, types};
use crate::capability::Capabilities;
use crate::limits::LimitError;

/// Answers one call; `None` for those that have no answer.
///
/// # Errors
/// A cap of the run that ends it.
pub(super) async fn answer(
    capabilities: &mut Capabilities,
    call: Call,
) -> Result<Option<String>, LimitError> {
    match call {
        Call::Log { level, message, fields } => {
            let fields = fields.into_iter().map(|(key, value)| (key, text(value))).collect();
            unlimited(log::Host::emit(capabilities, level.into(), message, fields).await)?;
            Ok(None)
        }
        Call::Progress { message, percent } => {
            unlimited(outputs::Host::progress(capabilities, message, percent).await)?;
            Ok(None)
        }
        Call::Set { key, value } => {
            let set = unlimited(outputs::Host::set(capabilities, key, value.to_string()).await)?;
            Ok(Some(match set {
                Ok(()) => protocol::ok("null"),
                Err(message) => protocol::error("invalid", &message, None),
            }))
        }
        Call::Send { method, url, headers, body, timeout_ms, credentials } => {
            let body = match body.map(bytes).transpose() {
                Ok(body) => body,
                Err(message) => return Ok(Some(protocol::error("invalid", &message, None))),
            };
            let headers =
                headers.into_iter().map(|header| http::Header { name: header.name, value: header.value });
            let credentials = credentials.into_iter().map(|credential| http::Credential {
                name: credential.name,
                placement: credential.placement,
            });
            let request = http::Request {
                method,
                url,
                headers: headers.collect(),
                body,
                timeout_ms,
                credentials: credentials.collect(),
            };
            Ok(Some(match unlimited(http::Host::send(capabilities, request).await)? {
                Ok(response) => protocol::ok(&response_json(response)),
                Err(error) => http_error(&error),
            }))
        }
        call => {
            let answer = unlimited(kubernetes_call(capabilities, call).await)?;
            Ok(Some(answer.map_or_else(|error| kubernetes_error(&error), |json| protocol::ok(&json))))
        }
    }
}

async fn kubernetes_call(
    capabilities: &mut Capabilities,
    call: Call,
) -> wasmtime::Result<Result<String, kubernetes::Error>> {
    use kubernetes::Host;

    match call {
        Call::Get { target, fields } => Host::get(capabilities, target.into(), fields).await,
        Call::List { api_version, kind, namespace, options } => {
            let options = kubernetes::ListOptions {
                label_selector: options.label_selector,
                field_selector: options.field_selector,
                fields: options.fields,
                limit: options.limit,
                continue_token: options.r#continue,
            };
            let page = Host::list(capabilities, api_version, kind, namespace, options).await?;
            Ok(page.map(page_json))
        }
        Call::Create { object } => Host::create(capabilities, Value::Object(object).to_string()).await,
        Call::Apply { object, options } => {
            let options = kubernetes::ApplyOptions { force: options.force, adopt: options.adopt };
            Host::apply(capabilities, Value::Object(object).to_string(), options).await
        }
        Call::Patch { target, r#type, patch } => {
            let patch = match r#type {
                PatchType::JsonMerge => kubernetes::Patch::JsonMerge(patch.to_string()),
                PatchType::StrategicMerge => kubernetes::Patch::StrategicMerge(patch.to_string()),
                PatchType::JsonPatch => kubernetes::Patch::JsonPatch(patch.to_string()),
            };
            Host::patch_object(capabilities, target.into(), patch).await
        }
        Call::Delete { target, preconditions } => {
            let preconditions = kubernetes::Preconditions {
                uid: preconditions.uid,
                resource_version: preconditions.resource_version,
            };
            let deleted = Host::delete(capabilities, target.into(), preconditions).await?;
            Ok(deleted.map(|()| "null".to_owned()))
        }
        Call::Wait { target, condition, timeout_ms } => {
            // Without a limit of its own it waits as long as the attempt may last.
            let timeout = timeout_ms.unwrap_or(u64::MAX);
            let waited = Host::wait(capabilities, target.into(), condition.into(), timeout).await?;
            Ok(waited.map(|object| if object.is_empty() { "null".to_owned() } else { object }))
        }
        Call::Send { .. } | Call::Set { .. } | Call::Progress { .. } | Call::Log { .. } => {
            Err(wasmtime::Error::msg("not a call of kubernetes"))
        }
    }
}

/// Host functions fail only where a cap is reached; the guest's errors are inside.
fn unlimited<T>(result: wasmtime::Result<T>) -> Result<T, LimitError> {
    result.map_err(|error| match error.downcast::<LimitError>() {
        Ok(limit) => limit,
        Err(other) => LimitError::Host { message: other.to_string() },
    })
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

fn bytes(body: Body) -> Result<Vec<u8>, String> {
    match body {
        Body::Text(text) => Ok(text.into_bytes()),
        Body::Base64 { base64 } => STANDARD.decode(base64).map_err(|error| format!("body: {error}")),
    }
}

fn page_json(page: kubernetes::Page) -> String {
    let next =
        page.continue_token.map(|token| format!(",\"continue\":{}", Value::from(token))).unwrap_or_default();
    format!("{{\"items\":[{}]{next}}}", page.items_json.join(","))
}

fn response_json(response: http::Response) -> String {
    let headers: Vec<Value> = response
        .headers
        .into_iter()
        .map(|header| json!({"name": header.name, "value": header.value}))
        .collect();
    let body = match String::from_utf8(response.body) {
        Ok(text) => Value::String(text),
        Err(error) => json!({"base64": STANDARD.encode(error.as_bytes())}),
    };
    json!({"status": response.status, "headers": headers, "body": body}).to_string()
}

fn kubernetes_error(error: &kubernetes::Error) -> String {
    use kubernetes::Error;

    match error {
        Error::Denied(denial) => denied(denial),
        Error::NotFound => protocol::error("not-found", "not found", None),
        Error::AlreadyExists => protocol::error("already-exists", "already exists", None),
        Error::Conflict(message) => protocol::error("conflict", message, None),
        Error::Invalid(message) => protocol::error("invalid", message, None),
        Error::TooLarge(limit) => too_large(*limit),
        Error::Timeout => protocol::error("timeout", "timed out", None),
        Error::Unavailable(message) => protocol::error("unavailable", message, None),
        Error::Other(message) => protocol::error("other", message, None),
    }
}

fn http_error(error: &http::Error) -> String {
    use http::Error;

    match error {
        Error::Denied(denial) => denied(denial),
        Error::InvalidRequest(message) => protocol::error("invalid", message, None),
        Error::Dns => protocol::error("dns", "the host's name does not resolve", None),
        Error::Connect => protocol::error("connect", "no connection to the host", None),
        Error::Tls(message) => protocol::error("tls", message, None),
        Error::Timeout => protocol::error("timeout", "timed out", None),
        Error::TooLarge(limit) => too_large(*limit),
        Error::Other(message) => protocol::error("other", message, None),
    }
}

fn denied(denial: &types::Denial) -> String {
    protocol::error("denied", &denial.reason, Some(&denial.grant_hint))
}

fn too_large(limit: u64) -> String {
    protocol::error("too-large", &format!("more than {limit} bytes"), None)
}

impl From<Target> for types::ObjectRef {
    fn from(target: Target) -> Self {
        let Target { api_version, kind, namespace, name } = target;
        Self { api_version, kind, namespace, name }
    }
}

impl From<Condition> for kubernetes::WaitCondition {
    fn from(condition: Condition) -> Self {
        match condition {
            Condition::Word(ConditionWord::Exists) => Self::Exists,
            Condition::Word(ConditionWord::Absent) => Self::Absent,
            Condition::Word(ConditionWord::Ready) => Self::Ready,
            Condition::Status { r#type, status } => Self::StatusCondition((r#type, status)),
            Condition::JsonPath { json_path, value } => Self::JsonPath((json_path, text(value))),
        }
    }
}

impl From<Level> for log::Level {
    fn from(level: Level) -> Self {
        match level {
            Level::Trace => Self::Trace,
            Level::Debug => Self::Debug,
            Level::Info => Self::Info,
            Level::Warn => Self::Warn,
            Level::Error => Self::Error,
        }
    }
}
