//! Cases: what a plugin is given, what it asks of the host, what it is answered, and how it must end. A case is data, in the
//! words of the protocol for WASI commands, so that a plugin in another language could be held to the same ones.
//!
//! ```json
//! {
//!   "why": "what exists is left as it is",
//!   "config": {"object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}},
//!   "release": {"namespace": "prod"},
//!   "run": {"event": "pre-install"},
//!   "exchange": [{"call": {"call": "kubernetes.create", "object": {}}, "answer": {"error": {"code": "already-exists"}}}],
//!   "report": {"message": "ConfigMap prod/a exists, left as it is", "changed": false}
//! }
//! ```
//!
//! `report` or `failure` (`retryable`, `message`, `retryAfterMs`) says how it ends; `log` and `outputs` are compared where a
//! case has them. What `release` and `run` leave out is filled in.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::host::Script;
use crate::{Context, Failure, ReleaseInfo, Report, RunInfo};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// Why it exists: read by people, and demanded.
    why: String,
    config: Value,
    #[serde(default)]
    release: ReleaseInfo,
    #[serde(default)]
    run: RunInfo,
    #[serde(default)]
    exchange: Vec<Exchange>,
    report: Option<Value>,
    failure: Option<Value>,
    log: Option<Vec<String>>,
    outputs: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    call: Value,
    answer: Value,
}

/// Runs every `*.json` of a folder, for a `#[test]`. Answers how many there were.
///
/// # Panics
/// With the case's file and what differs, for the first that fails; and if there are none.
pub fn run_all<Config: DeserializeOwned>(
    folder: impl AsRef<Path>,
    plugin: fn(Config, &Context) -> Result<Report, Failure>,
) -> usize {
    let folder = folder.as_ref();
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no cases in {}", folder.display());
    for file in &files {
        let text =
            std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        if let Err(difference) = run(&file.display().to_string(), &text, plugin) {
            panic!("{}: {difference}", file.display());
        }
    }
    files.len()
}

/// Runs one case; its name is for messages.
///
/// # Errors
/// What differs.
///
/// # Panics
/// If the plugin makes a call that the case does not expect.
pub fn run<Config: DeserializeOwned>(
    name: &str,
    text: &str,
    plugin: fn(Config, &Context) -> Result<Report, Failure>,
) -> Result<(), String> {
    let case: Case = serde_json::from_str(text).map_err(|error| format!("not a case: {error}"))?;
    if case.why.is_empty() {
        return Err("a case must say why it exists".to_owned());
    }
    let context = Context { release: case.release, run: case.run };
    let exchange = case.exchange.into_iter().map(|exchange| (exchange.call, exchange.answer)).collect();
    let script = Script { name: name.to_owned(), exchange, ..Script::default() };
    let (end, rest) = script.play(|| match serde_json::from_value(case.config) {
        Ok(config) => plugin(config, &context),
        Err(error) => Err(Failure::permanent(format!("config: {error}"))),
    });
    let (report, failure) = match end {
        Ok(report) => (Some(report_to_case(&report)), None),
        Err(failure) => (None, Some(failure.to_case())),
    };
    if (&report, &failure) != (&case.report, &case.failure) {
        let shown = |end: &Option<Value>| end.as_ref().map_or_else(|| "none".to_owned(), Value::to_string);
        return Err(format!(
            "ended with report {}, failure {}\n  expected report {}, failure {}",
            shown(&report),
            shown(&failure),
            shown(&case.report),
            shown(&case.failure)
        ));
    }
    if let Some((call, _)) = rest.exchange.front() {
        return Err(format!("ended without the call {call}"));
    }
    if case.log.as_ref().is_some_and(|log| *log != rest.log) {
        return Err(format!("logged {:?}", rest.log));
    }
    if case.outputs.as_ref().is_some_and(|outputs| *outputs != rest.outputs) {
        return Err(format!("put out {}", Value::Object(rest.outputs)));
    }
    Ok(())
}

fn report_to_case(report: &Report) -> Value {
    let mut value = json!({"message": report.message, "changed": report.changed});
    if let Some(data) = &report.data {
        value["data"] = data.clone();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::{self, ObjectRef};
    use crate::{http, info, outputs};

    #[derive(Deserialize)]
    struct Config {
        name: String,
    }

    fn plugin(config: Config, context: &Context) -> Result<Report, Failure> {
        let target = ObjectRef::new("v1", "ConfigMap", &config.name);
        let found = kubernetes::get(&target)?;
        info!("{}: found {target}", context.release.name);
        outputs::set("data", &found["data"])?;
        http::Request::new("GET", "https://example.com/")
            .credential("token", http::Placement::Bearer)
            .send()?;
        Ok(Report::unchanged("looked"))
    }

    const FOUND: &str = r#"{"why": "x", "config": {"name": "a"}, "exchange": [
        {"call": {"call": "kubernetes.get", "target": {"apiVersion": "v1", "kind": "ConfigMap", "name": "a"}},
         "answer": {"ok": {"data": {"k": "v"}}}},
        {"call": {"call": "http.send", "method": "GET", "url": "https://example.com/",
                  "credentials": [{"name": "token", "placement": "bearer"}]}, "answer": {"ok": {"status": 500}}}],
        "report": {"message": "looked", "changed": false}, "log": ["info: web: found ConfigMap a"],
        "outputs": {"data": {"k": "v"}}}"#;

    #[test]
    fn a_case_that_holds_passes() {
        assert_eq!(run("x", FOUND, plugin), Ok(()));
    }

    #[test]
    fn each_part_of_a_case_is_compared() {
        for (part, other) in [
            ("looked", "looked twice"),
            (r#""changed": false"#, r#""changed": true"#),
            ("info: web", "warn: web"),
            (r#""outputs": {"data": {"k": "v"}}"#, r#""outputs": {}"#),
            (r#""config": {"name": "a"}"#, r#""config": {}"#),
            (r#""report":"#, r#""failure":"#),
            (r#""why": "x""#, r#""why": """#),
            (r#""status": 500}}}]"#, r#""status": 500}}}, {"call": {}, "answer": {}}]"#),
        ] {
            let text = FOUND.replacen(part, other, 1);
            assert_ne!(text, FOUND, "{part} is in the case");
            assert!(run("x", &text, plugin).is_err(), "{other} passes");
        }
    }

    #[test]
    #[should_panic(expected = "x: expected the call")]
    fn another_call_panics() {
        let _ended = run("x", &FOUND.replacen(r#""name": "a"}}"#, r#""name": "b"}}"#, 1), plugin);
    }

    #[test]
    fn errors_of_the_host_become_failures() {
        for (error, failure) in [
            (
                r#"{"code": "timeout"}"#,
                r#"{"retryable": true, "message": "the Kubernetes API did not answer in time"}"#,
            ),
            (r#"{"code": "not-found"}"#, r#"{"retryable": false, "message": "not found"}"#),
            (
                r#"{"code": "denied", "message": "no", "grantHint": "permissions: x"}"#,
                r#"{"retryable": false, "message": "no\npermissions: x"}"#,
            ),
        ] {
            let case = format!(
                r#"{{"why": "x", "config": {{"name": "a"}}, "exchange": [{{"call": {{"call": "kubernetes.get",
                "target": {{"apiVersion": "v1", "kind": "ConfigMap", "name": "a"}}}}, "answer": {{"error": {error}}}}}],
                "failure": {failure}}}"#
            );
            assert_eq!(run("x", &case, plugin), Ok(()));
        }
    }
}
