//! The lines between the host and a WASI command, as data: one JSON document a line. It reads and prints; what a call
//! does is `answer`'s business.

use std::collections::BTreeMap;

use boathook_engine::plugin_host::PluginCall;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::limits::bytes;

/// A line of a guest.
#[derive(Debug)]
pub(super) enum Line {
    /// A call.
    Call(Box<Call>),
    /// The last line that counts.
    Ending(Ending),
}

/// How a guest says that it is done.
#[derive(Debug, PartialEq)]
pub(super) enum Ending {
    /// It did its work.
    Report { message: String, changed: Option<bool>, data: Option<Value> },
    /// It did not.
    Failure { retryable: bool, message: String },
}

/// The calls, with the names and fields of the WIT functions.
#[derive(Debug, Deserialize)]
#[serde(tag = "call", rename_all_fields = "camelCase")]
pub(super) enum Call {
    #[serde(rename = "kubernetes.get")]
    Get {
        target: Target,
        #[serde(default)]
        fields: Vec<String>,
    },
    #[serde(rename = "kubernetes.list")]
    List {
        api_version: String,
        kind: String,
        namespace: Option<String>,
        #[serde(default)]
        options: ListOptions,
    },
    #[serde(rename = "kubernetes.create")]
    Create { object: Map<String, Value> },
    #[serde(rename = "kubernetes.apply")]
    Apply {
        object: Map<String, Value>,
        #[serde(default)]
        options: ApplyOptions,
    },
    #[serde(rename = "kubernetes.patch")]
    Patch { target: Target, r#type: PatchType, patch: Value },
    #[serde(rename = "kubernetes.delete")]
    Delete {
        target: Target,
        #[serde(default)]
        preconditions: Preconditions,
    },
    #[serde(rename = "kubernetes.wait")]
    Wait { target: Target, condition: Condition, timeout_ms: Option<u64> },
    #[serde(rename = "http.send")]
    Send {
        method: String,
        #[serde(default)]
        url: String,
        #[serde(default)]
        headers: Vec<Header>,
        body: Option<Body>,
        timeout_ms: Option<u64>,
        #[serde(default)]
        credentials: Vec<Credential>,
    },
    #[serde(rename = "outputs.set")]
    Set { key: String, value: Value },
    #[serde(rename = "outputs.progress")]
    Progress { message: String, percent: Option<u8> },
    #[serde(rename = "log.emit")]
    Log {
        level: Level,
        message: String,
        #[serde(default)]
        fields: BTreeMap<String, Value>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Target {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) namespace: Option<String>,
    pub(super) name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ListOptions {
    pub(super) label_selector: Option<String>,
    pub(super) field_selector: Option<String>,
    pub(super) fields: Vec<String>,
    pub(super) limit: u32,
    pub(super) r#continue: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ApplyOptions {
    pub(super) force: bool,
    pub(super) adopt: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum PatchType {
    JsonMerge,
    StrategicMerge,
    JsonPatch,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Preconditions {
    pub(super) uid: Option<String>,
    pub(super) resource_version: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Condition {
    Word(ConditionWord),
    Status {
        r#type: String,
        status: String,
    },
    #[serde(rename_all = "camelCase")]
    JsonPath {
        json_path: String,
        value: Value,
    },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ConditionWord {
    Exists,
    Absent,
    Ready,
}

#[derive(Debug, Deserialize)]
pub(super) struct Header {
    pub(super) name: String,
    pub(super) value: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Body {
    Text(String),
    Base64 { base64: String },
}

#[derive(Debug, Deserialize)]
pub(super) struct Credential {
    pub(super) name: String,
    pub(super) placement: String,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// Reads a line. A report's data has at most `data_cap` bytes.
///
/// # Errors
/// Why it is neither a call nor an ending, for the guest.
pub(super) fn read(line: &[u8], data_cap: usize) -> Result<Line, String> {
    #[derive(Deserialize)]
    struct Report {
        message: String,
        changed: Option<bool>,
        data: Option<Value>,
    }
    #[derive(Deserialize)]
    struct Failure {
        #[serde(default)]
        retryable: bool,
        message: String,
    }
    let mut document: Map<String, Value> =
        serde_json::from_slice(line).map_err(|error| format!("a line is one JSON object: {error}"))?;
    if let Some(report) = document.shift_remove("report") {
        let Report { message, changed, data } =
            Report::deserialize(report).map_err(|error| format!("report: {error}"))?;
        // The data are part of the line: only where that has more bytes are they to be counted.
        if line.len() > data_cap && data.as_ref().is_some_and(|data| data.to_string().len() > data_cap) {
            return Err(format!("the report's data has more than {}", bytes(data_cap as u64)));
        }
        return Ok(Line::Ending(Ending::Report { message, changed, data }));
    }
    if let Some(failure) = document.get("failure") {
        let Failure { retryable, message } =
            Failure::deserialize(failure).map_err(|error| format!("failure: {error}"))?;
        return Ok(Line::Ending(Ending::Failure { retryable, message }));
    }
    if !document.contains_key("call") {
        return Err("a line is a call, a report or a failure".to_owned());
    }
    Call::deserialize(Value::Object(document))
        .map(|call| Line::Call(Box::new(call)))
        .map_err(|error| error.to_string())
}

/// What the host says first: which release, which run, which settings.
pub(super) fn first_line(call: &PluginCall) -> String {
    let mut document = json!({
        "release": {
            "name": call.release.name,
            "namespace": call.release.namespace,
            "revision": call.release.revision,
            "chart": call.chart.name,
            "chartVersion": call.chart.version,
            "appVersion": call.chart.app_version,
        },
        "run": {
            "id": call.run.id,
            "hookName": call.run.hook_name,
            "event": call.run.event,
            "attempt": call.run.attempt,
            "dryRun": call.run.dry_run,
            "deadlineMs": u64::try_from(call.timeout.as_millis()).unwrap_or(u64::MAX),
        },
        "config": call.config,
    });
    let revealed: Map<String, Value> = call
        .credentials
        .iter()
        .filter(|(_, credential)| credential.reveal)
        .map(|(name, credential)| (name.clone(), credential.value.clone().into()))
        .collect();
    if !revealed.is_empty() {
        document["credentials"] = Value::Object(revealed);
    }
    document.to_string()
}

/// An answer. `json` is one JSON value, on one line.
pub(super) fn ok(json: &str) -> String {
    format!("{{\"ok\":{json}}}")
}

/// An answer that is an error.
pub(super) fn error(code: &str, message: &str, grant_hint: Option<&str>) -> String {
    let mut error = json!({"code": code, "message": message});
    if let Some(hint) = grant_hint {
        error["grantHint"] = hint.into();
    }
    json!({ "error": error }).to_string()
}
