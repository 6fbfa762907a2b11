//! What a tool does otherwise than Helm 4 wherever it comes up, from `differences.toml`: such lines are made equal before stories are
//! compared, so that a scenario lists only what is its own.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result};
use regex::Regex;
use serde::Deserialize;

use crate::tool::Tool;

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Everywhere {
    #[serde(rename = "difference")]
    pub(crate) rules: Vec<Rule>,
}

/// A difference that comes up in many scenarios.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Rule {
    /// Which tool.
    pub(crate) tool: Tool,
    /// Of Helm 3: the reason.
    #[serde(default)]
    pub(crate) why: String,
    /// Of Boathook: the first cell of the row of docs/differences-from-helm.md that says so, with its reason.
    pub(crate) row: Option<String>,
    /// What the stories say of it, a regular expression.
    #[serde(deserialize_with = "regex")]
    text: Regex,
    /// What both are read as; `$1` is what the first parentheses found. Absent: such lines are left out.
    #[serde(rename = "as")]
    replacement: Option<String>,
    /// Whether a scenario has shown it.
    #[serde(skip)]
    shown: AtomicBool,
}

fn regex<'de, D: serde::Deserializer<'de>>(text: D) -> Result<Regex, D::Error> {
    Regex::new(&String::deserialize(text)?).map_err(serde::de::Error::custom)
}

impl Everywhere {
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        toml::from_str(&text).with_context(|| file.display().to_string())
    }

    /// Makes lines of Helm 4 and of a tool equal where a rule says so. Lines that are equal already stay as they are.
    pub(crate) fn apply(&self, tool: Tool, helm4: Vec<String>, lines: Vec<String>) -> [Vec<String>; 2] {
        let both: BTreeSet<String> = helm4.iter().filter(|line| lines.contains(line)).cloned().collect();
        [helm4, lines].map(|story| {
            story
                .into_iter()
                .filter_map(|line| if both.contains(&line) { Some(line) } else { self.read_as(tool, line) })
                .collect()
        })
    }

    fn read_as(&self, tool: Tool, mut line: String) -> Option<String> {
        for rule in self.rules.iter().filter(|rule| rule.tool == tool) {
            if !rule.text.is_match(&line) {
                continue;
            }
            rule.shown.store(true, Ordering::Relaxed);
            line = rule.text.replace_all(&line, rule.replacement.as_deref()?).into_owned();
        }
        Some(line)
    }

    /// What is listed and no scenario has shown.
    pub(crate) fn not_shown(&self) -> Vec<String> {
        let unseen = self.rules.iter().filter(|rule| !rule.shown.load(Ordering::Relaxed));
        unseen.map(|rule| format!("{}: {}", rule.tool.name(), rule.text)).collect()
    }
}
