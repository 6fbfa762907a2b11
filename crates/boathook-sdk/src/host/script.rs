//! The side of a unit test: calls become JSON, in the words of the protocol for WASI commands, and are answered by the
//! script of the running [`crate::case`]. A call that the script does not expect ends the test.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::http::{self, Request, Response};
use crate::kubernetes::{self, ApplyOptions, Condition, ListOptions, ObjectRef, Page, Patch, Preconditions};
use crate::log::Level;
use crate::{Denial, Failure};

thread_local! {
    static SCRIPT: RefCell<Option<Script>> = const { RefCell::new(None) };
}

/// Expected calls with their answers, and what was said without asking.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// Which case it is of, for messages.
    pub(crate) name: String,
    /// Pairs of a call and its answer, `{"ok": …}` or `{"error": {…}}`.
    pub(crate) exchange: VecDeque<(Value, Value)>,
    /// Log lines, `info: text`.
    pub(crate) log: Vec<String>,
    /// Outputs, by key.
    pub(crate) outputs: Map<String, Value>,
}

impl Script {
    /// Runs a function under this script and answers what is left of it.
    pub(crate) fn play<T>(self, run: impl FnOnce() -> T) -> (T, Self) {
        SCRIPT.set(Some(self));
        let result = run();
        (result, SCRIPT.take().unwrap_or_default())
    }
}

/// Looks up the answer of the next call.
fn ask(call: Value) -> Result<Value, Value> {
    SCRIPT.with_borrow_mut(|script| {
        let script = script.as_mut().unwrap_or_else(|| panic!("a host call outside of a case: {call}"));
        let Some((expected, answer)) = script.exchange.pop_front() else {
            panic!("{}: expected no more calls, got {call}", script.name);
        };
        assert!(call == expected, "{}: expected the call {expected}\n  got {call}", script.name);
        match answer.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(answer.get("ok").cloned().unwrap_or(Value::Null)),
        }
    })
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn denial(error: &Value, capability: &str) -> Denial {
    Denial {
        capability: capability.to_owned(),
        reason: text(error, "message"),
        grant_hint: text(error, "grantHint"),
    }
}

fn kubernetes_call(call: Value) -> Result<Value, kubernetes::Error> {
    ask(call).map_err(|error| {
        let message = text(&error, "message");
        match error["code"].as_str().unwrap_or_default() {
            "denied" => kubernetes::Error::Denied(denial(&error, "kubernetes")),
            "not-found" => kubernetes::Error::NotFound,
            "already-exists" => kubernetes::Error::AlreadyExists,
            "conflict" => kubernetes::Error::Conflict(message),
            "invalid" => kubernetes::Error::Invalid(message),
            "too-large" => kubernetes::Error::TooLarge(error["limit"].as_u64().unwrap_or_default()),
            "timeout" => kubernetes::Error::Timeout,
            "unavailable" => kubernetes::Error::Unavailable(message),
            _ => kubernetes::Error::Other(message),
        }
    })
}

/// A JSON object without the members that are null, as the protocol leaves out what is not given.
fn sparse(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            Value::Object(members.into_iter().filter(|(_, member)| !member.is_null()).collect())
        }
        other => other,
    }
}

fn reference(target: &ObjectRef) -> Value {
    sparse(json!({
        "apiVersion": target.api_version, "kind": target.kind, "namespace": target.namespace, "name": target.name,
    }))
}

pub(crate) fn kubernetes_get(target: &ObjectRef, fields: &[&str]) -> Result<Value, kubernetes::Error> {
    let mut call = json!({"call": "kubernetes.get", "target": reference(target)});
    if !fields.is_empty() {
        call["fields"] = json!(fields);
    }
    kubernetes_call(call)
}

pub(crate) fn kubernetes_list(
    api_version: &str,
    kind: &str,
    namespace: Option<&str>,
    options: &ListOptions,
) -> Result<Page, kubernetes::Error> {
    let options = sparse(json!({
        "labelSelector": options.label_selector, "fieldSelector": options.field_selector,
        "fields": Some(&options.fields).filter(|fields| !fields.is_empty()),
        "limit": Some(options.limit).filter(|limit| *limit > 0), "continue": options.continue_token,
    }));
    let page = kubernetes_call(sparse(json!({
        "call": "kubernetes.list", "apiVersion": api_version, "kind": kind, "namespace": namespace,
        "options": options,
    })))?;
    Ok(Page {
        items: page["items"].as_array().cloned().unwrap_or_default(),
        continue_token: page["continue"].as_str().map(str::to_owned),
    })
}

pub(crate) fn kubernetes_create(object: &Value) -> Result<Value, kubernetes::Error> {
    kubernetes_call(json!({"call": "kubernetes.create", "object": object}))
}

pub(crate) fn kubernetes_apply(object: &Value, options: ApplyOptions) -> Result<Value, kubernetes::Error> {
    let options = json!({"force": options.force, "adopt": options.adopt});
    kubernetes_call(json!({"call": "kubernetes.apply", "object": object, "options": options}))
}

pub(crate) fn kubernetes_patch(target: &ObjectRef, patch: &Patch) -> Result<Value, kubernetes::Error> {
    let (kind, patch) = match patch {
        Patch::JsonMerge(patch) => ("json-merge", patch),
        Patch::StrategicMerge(patch) => ("strategic-merge", patch),
        Patch::Json(patch) => ("json-patch", patch),
    };
    kubernetes_call(
        json!({"call": "kubernetes.patch", "target": reference(target), "type": kind, "patch": patch}),
    )
}

pub(crate) fn kubernetes_delete(
    target: &ObjectRef,
    preconditions: &Preconditions,
) -> Result<(), kubernetes::Error> {
    let mut call = json!({"call": "kubernetes.delete", "target": reference(target)});
    if *preconditions != Preconditions::default() {
        call["preconditions"] = sparse(json!({
            "uid": preconditions.uid, "resourceVersion": preconditions.resource_version,
        }));
    }
    kubernetes_call(call).map(|_| ())
}

pub(crate) fn kubernetes_wait(
    target: &ObjectRef,
    condition: &Condition,
    timeout: Duration,
) -> Result<Option<Value>, kubernetes::Error> {
    let condition = match condition {
        Condition::Exists => json!("exists"),
        Condition::Absent => json!("absent"),
        Condition::Ready => json!("ready"),
        Condition::Status { condition, status } => json!({"type": condition, "status": status}),
        Condition::JsonPath { path, value } => json!({"jsonPath": path, "value": value}),
    };
    let timeout = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let answer = kubernetes_call(json!({
        "call": "kubernetes.wait", "target": reference(target), "condition": condition, "timeoutMs": timeout,
    }))?;
    Ok(Some(answer).filter(|answer| !answer.is_null()))
}

pub(crate) fn http_send(request: &Request) -> Result<Response, http::Error> {
    let headers: Vec<Value> =
        request.headers.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    let credentials: Vec<Value> = request
        .credentials
        .iter()
        .map(|(name, placement)| json!({"name": name, "placement": placement}))
        .collect();
    let answer = ask(sparse(json!({
        "call": "http.send", "method": request.method, "url": request.url,
        "headers": Some(headers).filter(|headers| !headers.is_empty()),
        "body": request.body.as_ref().map(|body| String::from_utf8_lossy(body)),
        "timeoutMs": request.timeout.map(|timeout| timeout.as_millis() as u64),
        "credentials": Some(credentials).filter(|credentials| !credentials.is_empty()),
    })));
    match answer {
        Ok(answer) => Ok(Response {
            status: answer["status"]
                .as_u64()
                .and_then(|status| u16::try_from(status).ok())
                .unwrap_or_default(),
            headers: answer["headers"]
                .as_array()
                .map(|headers| {
                    headers.iter().map(|header| (text(header, "name"), text(header, "value"))).collect()
                })
                .unwrap_or_default(),
            body: text(&answer, "body").into_bytes(),
        }),
        Err(error) => {
            let message = text(&error, "message");
            Err(match error["code"].as_str().unwrap_or_default() {
                "denied" => http::Error::Denied(denial(&error, "http")),
                "invalid" => http::Error::InvalidRequest(message),
                "dns" => http::Error::Dns,
                "connect" => http::Error::Connect,
                "tls" => http::Error::Tls(message),
                "timeout" => http::Error::Timeout,
                "too-large" => http::Error::TooLarge(error["limit"].as_u64().unwrap_or_default()),
                _ => http::Error::Other(message),
            })
        }
    }
}

fn note(write: impl FnOnce(&mut Script)) {
    SCRIPT.with_borrow_mut(|script| script.as_mut().map(write));
}

pub(crate) fn log_emit(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    note(|script| script.log.push(format!("{}: {message}{fields}", level.as_str())));
}

pub(crate) fn outputs_set(key: &str, value: &Value) -> Result<(), String> {
    note(|script| {
        script.outputs.insert(key.to_owned(), value.clone());
    });
    Ok(())
}

pub(crate) fn outputs_progress(message: &str, percent: Option<u8>) {
    let percent = percent.map(|percent| format!(" {percent}%")).unwrap_or_default();
    note(|script| script.log.push(format!("progress: {message}{percent}")));
}

impl Failure {
    /// The failure as a case writes it.
    pub(crate) fn to_case(&self) -> Value {
        match self {
            Self::Retryable(message) => json!({"retryable": true, "message": message}),
            Self::RetryAfter(message, wait) => {
                json!({"retryable": true, "message": message, "retryAfterMs": wait.as_millis() as u64})
            }
            Self::Permanent(message) => json!({"retryable": false, "message": message}),
        }
    }
}
