//! One release in the hands of three tools: `hand_over.toml` says who does what. Whoever wrote last, all understand the release in the same
//! way, and nothing that stood in a record is lost.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use boathook_tests::env::{TestEnv, root};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Surroundings;
use crate::record::{self, Record};
use crate::tool::Tool;

/// `hand_over.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HandOver {
    steps: Vec<Step>,
    /// The files of chart `app`.
    app: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    tool: Tool,
    run: String,
}

/// What everybody must answer in the same way; the second is Boathook's words, the third those of Helm 3, where they are not Helm 4's.
const QUESTIONS: [(&str, Option<&str>, Option<&str>); 7] = [
    ("get values web -o json", Some("get values web"), None),
    ("get manifest web", None, None),
    ("get hooks web", None, None),
    ("get notes web", None, None),
    ("history web -o json", None, None),
    ("status web -o json", None, None),
    ("list -o json", Some("list --all -o json"), Some("list --all -o json")),
];

struct Desk<'a> {
    surroundings: &'a Surroundings,
    namespace: String,
    env: TestEnv,
}

pub(crate) fn run(surroundings: &Surroundings) -> Result<()> {
    let file = root().join("tests/differential/hand_over.toml");
    let plan: HandOver = toml::from_str(&std::fs::read_to_string(file)?)?;
    let env = TestEnv::with_engine().context("the chart engine was not built")?;
    for (path, text) in &plan.app {
        env.write(&format!("app/{path}"), text);
    }
    std::fs::copy(surroundings.cluster.kubeconfig(), env.path("kubeconfig"))?;
    let desk = Desk { surroundings, namespace: surroundings.cluster.namespace("hand-over")?, env };
    let mut before = Vec::new();
    for Step { tool, run } in &plan.steps {
        desk.ask(*tool, run)?;
        let doing = || format!("after `{} {run}`", tool.name());
        desk.all_agree().with_context(doing)?;
        let after = desk.records()?;
        nothing_is_lost(&before, &after).with_context(doing)?;
        before = after;
    }
    desk.ask(Tool::Helm3, "uninstall web")?;
    ensure!(desk.records()?.is_empty(), "records are left");
    Ok(())
}

impl Desk<'_> {
    /// Runs a tool, which must succeed; gives its stdout.
    fn ask(&self, tool: Tool, words: &str) -> Result<String> {
        let words: Vec<&str> = words.split_whitespace().collect();
        let output = tool.command(&self.env, &words, &self.namespace)?.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} {}: {said}", tool.name(), words.join(" "));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Every tool gives the same answers.
    fn all_agree(&self) -> Result<()> {
        for (question, boathooks, helm3s) in QUESTIONS {
            let told = |tool, words| answer(question, &self.ask(tool, words)?);
            let helm4 = told(Tool::Helm4, question)?;
            for (tool, words) in [(Tool::Helm3, helm3s), (Tool::Boathook, boathooks)] {
                let given = told(tool, words.unwrap_or(question))?;
                let name = tool.name();
                ensure!(helm4 == given, "{question}: helm4 says\n{helm4}\nand {name}\n{given}");
            }
        }
        Ok(())
    }

    fn records(&self) -> Result<Vec<Record>> {
        let path = format!("/api/v1/namespaces/{}/secrets?labelSelector=owner%3Dhelm", self.namespace);
        record::read(&self.surroundings.cluster.get(&path)?.unwrap_or_default(), &str::to_owned)
    }
}

/// What an answer says of a release, in every tool's.
const SAID: [&str; 13] = [
    "name",
    "namespace",
    "revision",
    "version",
    "status",
    "chart",
    "app_version",
    "description",
    "info",
    "notes",
    "config",
    "manifest",
    "hooks",
];

/// An answer without what is written differently and means the same (empty lines, the order of keys) and what only some show.
fn answer(question: &str, text: &str) -> Result<String> {
    if !question.contains("-o json") {
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        return Ok(lines.join("\n"));
    }
    let mut value: Value = serde_json::from_str(text)?;
    if !question.starts_with("get values") {
        only_what_all_say(&mut value);
    }
    value.sort_all_objects();
    Ok(serde_json::to_string_pretty(&value)?)
}

fn only_what_all_say(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(only_what_all_say),
        Value::Object(map) => {
            map.retain(|key, _| SAID.contains(&key.as_str()));
            for key in ["info", "hooks"] {
                map.get_mut(key).into_iter().for_each(only_what_all_say);
            }
            for text in map.values_mut().filter(|value| value.is_string()) {
                *text = text.as_str().unwrap_or_default().trim().into();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Revisions that were there before are still there, and hold what they held: chart, values, manifest, hooks, notes, labels.
fn nothing_is_lost(before: &[Record], after: &[Record]) -> Result<()> {
    for old in before {
        let new = after.iter().find(|new| new.revision() == old.revision());
        let new = new.with_context(|| format!("revision {} is gone", old.revision()))?;
        for key in ["name", "namespace", "version", "chart", "config", "manifest"] {
            ensure!(old.release[key] == new.release[key], "revision {}: {key} has changed", old.revision());
        }
        let notes = |record: &Record| record.release["info"]["notes"].clone();
        ensure!(notes(old) == notes(new), "revision {}: the notes have changed", old.revision());
        ensure!(hooks(old) == hooks(new), "revision {}: the hooks have changed", old.revision());
        ensure!(labels(old) == labels(new), "revision {}: the labels have changed", old.revision());
    }
    Ok(())
}

/// What hooks are, without how they ran: `test` runs them in any revision, and moves those that ran to the end.
fn hooks(record: &Record) -> BTreeMap<String, Value> {
    let hooks = record.release["hooks"].as_array().into_iter().flatten();
    let told = hooks.map(|hook| {
        let policies = match &hook["delete_policies"] {
            // The default is written down when a hook runs.
            Value::Null => json!(["before-hook-creation"]),
            policies => policies.clone(),
        };
        (hook["name"].to_string(), json!([hook["manifest"], hook["events"], hook["weight"], policies]))
    });
    told.collect()
}

fn labels(record: &Record) -> serde_json::Map<String, Value> {
    let mut labels = record.labels.clone();
    // Helm 3 and 4 write the time of a change where there was none.
    labels.retain(|name, _| !matches!(name.as_str(), "status" | "modifiedAt"));
    labels
}
