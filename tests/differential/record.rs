//! Release records as Helm stores them, read without any code of the product: what is kept of a revision, and what of it can be
//! compared.

use std::io::Read as _;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use serde_json::{Map, Value, json};

use crate::object::MARKS;
use crate::story::{Line, details};
use crate::tool::one_error;

/// A stored revision.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    /// The Secret's labels, without times and what only Boathook has.
    pub(crate) labels: Map<String, Value>,
    /// The JSON in it.
    pub(crate) release: Value,
}

/// The records among Secrets, by release and revision. `shown` makes their text the same in every run.
pub(crate) fn read(secrets: &Value, shown: &dyn Fn(&str) -> String) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for secret in secrets["items"].as_array().into_iter().flatten() {
        let name = secret["metadata"]["name"].as_str().unwrap_or_default();
        let mut release = decode(secret, shown).with_context(|| name.to_owned())?;
        read_chart(&mut release["chart"], shown);
        let mut labels = secret["metadata"]["labels"].as_object().cloned().unwrap_or_default();
        labels.retain(|name, _| !name.starts_with(MARKS));
        for time in ["createdAt", "modifiedAt"] {
            labels.entry(time).and_modify(|value| *value = "set".into());
        }
        records.push(Record { labels, release });
    }
    records.sort_by_key(|record| (record.release["name"].to_string(), record.revision()));
    Ok(records)
}

/// Changes the record in a Secret by a JSON merge patch, and stores it as JSON that is not compressed.
pub(crate) fn edit(secret: &mut Value, patch: &Value) -> Result<()> {
    let mut release = decode(secret, &str::to_owned)?;
    merge(&mut release, patch);
    secret["data"]["release"] = STANDARD.encode(STANDARD.encode(release.to_string())).into();
    Ok(())
}

/// RFC 7386.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else { return target.clone_from(patch) };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        match (value, target.as_object_mut()) {
            (Value::Null, Some(target)) => drop(target.shift_remove(key)),
            _ => merge(&mut target[key], value),
        }
    }
}

fn decode(secret: &Value, shown: &dyn Fn(&str) -> String) -> Result<Value> {
    let wire = secret["data"]["release"].as_str().context("no data")?;
    let bytes = STANDARD.decode(STANDARD.decode(wire)?)?;
    let mut json = String::new();
    match bytes.first() {
        Some(b'{') => json = String::from_utf8(bytes)?,
        _ => drop(GzDecoder::new(bytes.as_slice()).read_to_string(&mut json)?),
    }
    Ok(serde_json::from_str(&shown(&json))?)
}

/// The chart with its files as text, and only with what Helm 3 and 4 both record of it.
fn read_chart(chart: &mut Value, shown: &dyn Fn(&str) -> String) {
    for list in ["templates", "files"] {
        for file in chart[list].as_array_mut().into_iter().flatten() {
            let data = file["data"].as_str().and_then(|data| STANDARD.decode(data).ok()).unwrap_or_default();
            *file = json!({"name": file["name"], "data": shown(&String::from_utf8_lossy(&data))});
        }
    }
    if let Some(chart) = chart.as_object_mut() {
        chart.retain(|key, value| key != "schemamodtime" && key != "modtime" && !value.is_null());
    }
}

/// What is kept of a time: no two runs have the same.
fn is_set(time: Option<&Value>) -> &'static str {
    match time.map(Value::as_str) {
        None => "left out",
        Some(None | Some("")) => "empty",
        Some(Some(_)) => "set",
    }
}

impl Record {
    pub(crate) fn revision(&self) -> u64 {
        self.release["version"].as_u64().unwrap_or_default()
    }

    /// The release and its revision.
    pub(crate) fn id(&self) -> String {
        format!("{} {}", self.release["name"].as_str().unwrap_or_default(), self.revision())
    }

    fn text(&self, key: &str) -> &str {
        self.release["info"][key].as_str().unwrap_or_default()
    }

    /// Status and hooks, for people. `error` is what the command said when it failed: in the description it stands for itself.
    pub(crate) fn summary(&self, error: &str) -> Vec<String> {
        let mut description = one_error(self.text("description"));
        if !error.is_empty() {
            description = description.replace(error, "<the error>");
        }
        let label = self.labels.get("status").and_then(Value::as_str).unwrap_or_default();
        let status = match self.text("status") {
            status if status == label => status.to_owned(),
            status => format!("{status} (labelled {label})"),
        };
        let description = description.replace('\n', "\\n");
        let mut lines = vec![format!("  release {} {status}: {description}", self.id())];
        for hook in self.release["hooks"].as_array().into_iter().flatten() {
            let words = |key: &str| {
                let words: Vec<String> = hook[key]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|word| {
                        word.as_str()
                            .map_or_else(|| word.to_string(), |word| format!("{word:?}").replace('"', ""))
                    })
                    .collect();
                words.join(",")
            };
            let run = &hook["last_run"];
            let set = |key: &str| run[key].as_str().is_some_and(|time| !time.is_empty());
            let phase = match run["phase"].as_str().unwrap_or_default() {
                "" => "-".to_owned(),
                phase if set("completed_at") => phase.to_owned(),
                phase => format!("{phase} (not completed)"),
            };
            let policies = hook["delete_policies"]
                .as_array()
                .map_or_else(|| "-".to_owned(), |_| format!("[{}]", words("delete_policies")));
            lines.push(format!(
                "    {}/{} {} weight={} {policies} {phase}",
                hook["kind"].as_str().unwrap_or_default(),
                hook["name"].as_str().unwrap_or_default(),
                words("events"),
                hook["weight"].as_i64().unwrap_or_default(),
            ));
        }
        lines
    }

    /// Everything else in it, as lines to compare. Left out are times, and what the summary says.
    pub(crate) fn details(&self) -> Vec<Line> {
        let mut release = self.release.clone();
        if let Some(info) = release["info"].as_object_mut() {
            info.retain(|key, _| !matches!(key.as_str(), "status" | "description"));
            for time in ["first_deployed", "last_deployed", "deleted"] {
                info.insert(time.to_owned(), is_set(info.get(time)).into());
            }
        }
        if let Some(manifest) = release["manifest"].as_str() {
            release["manifest"] = documents(manifest).into();
        }
        for hook in release["hooks"].as_array_mut().into_iter().flatten() {
            if let Some(hook) = hook.as_object_mut() {
                for time in ["started_at", "completed_at"] {
                    hook.insert(time.into(), is_set(hook["last_run"].get(time)).into());
                }
                hook.retain(|key, _| {
                    !matches!(key.as_str(), "kind" | "events" | "weight" | "delete_policies" | "last_run")
                });
                if let Some(manifest) = hook.get("manifest").and_then(Value::as_str) {
                    let manifest = Value::from(manifest.trim());
                    hook.insert("manifest".into(), manifest);
                }
            }
        }
        release.as_object_mut().into_iter().for_each(|map| map.retain(|_, value| !value.is_null()));
        let mut labels = self.labels.clone();
        labels.retain(|name, _| name != "status");
        release["labels"] = labels.into();
        release.sort_all_objects();
        details(&format!("record {}", self.id()), &release)
    }
}

/// The documents of a manifest. Helm 4 keeps white space at their ends, Helm 3 does not, and neither means anything.
fn documents(manifest: &str) -> Vec<Value> {
    format!("\n{manifest}")
        .split("\n---\n")
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(Value::from)
        .collect()
}
