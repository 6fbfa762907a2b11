//! A scenario as its file gives it: what is run, on what, and where the tools may differ. Nothing is run here.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::tool::Tool;

/// A file below `scenarios/`. `NAMESPACE` stands for the namespace of the run, everywhere.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Scenario {
    /// The rule that it shows.
    pub(crate) why: String,
    /// Its number in the list of conformance cases, if it has one; and where the rule comes from: a place in Helm's source, an issue.
    pub(crate) source: String,
    /// What is done, in order.
    pub(crate) steps: Vec<Step>,
    /// Manifests that the cluster holds before.
    #[serde(default)]
    pub(crate) before: String,
    /// What the user may do in the namespace, as the rules of a Role; absent: everything.
    pub(crate) rights: Option<String>,
    /// Why Boathook is left out: what it does is held elsewhere.
    pub(crate) without_boathook: Option<String>,
    /// Charts by name.
    #[serde(default)]
    charts: BTreeMap<String, Chart>,
    /// Where a tool does otherwise than Helm 4 here; what it does everywhere stands in `differences.toml`.
    #[serde(default, rename = "difference")]
    pub(crate) differences: Vec<Difference>,
}

/// A chart: its only template, or its files by path. `Chart.yaml` is made unless it is given.
#[derive(Deserialize)]
#[serde(untagged)]
enum Chart {
    Template(String),
    Files(BTreeMap<String, String>),
}

/// One command of the tool, or something that others do. A text is a command.
#[derive(Deserialize)]
#[serde(try_from = "toml::Value")]
pub(crate) struct Step {
    pub(crate) act: Act,
    /// The words for Helm 3, where its flags have other names.
    helm3: Option<String>,
    /// The words for Boathook, where its flags have other names.
    boathook: Option<String>,
    /// The exit code of Helm 4.
    pub(crate) exit: i32,
    /// Boathook's, where it tells failures apart.
    boathook_exit: Option<i32>,
    /// What must stand in stdout or stderr of every tool.
    pub(crate) says: Vec<String>,
    /// Stdout is part of the story, without empty lines.
    pub(crate) output: bool,
    /// Something that happens while the tool runs.
    pub(crate) meanwhile: Option<Meanwhile>,
}

/// What a step is.
pub(crate) enum Act {
    /// The words after the tool's name; a chart is a folder of its name.
    Run(String),
    /// What others do between the tool's commands: the words after `kubectl`, and its standard input.
    Kubectl { words: String, input: String },
    /// Changes a record by hand, by a JSON merge patch; it is stored without compression.
    Edit { revision: Revision, patch: String },
}

/// A step as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct StepTable {
    run: Option<String>,
    helm3: Option<String>,
    boathook: Option<String>,
    #[serde(default)]
    exit: i32,
    boathook_exit: Option<i32>,
    #[serde(default)]
    says: Vec<String>,
    #[serde(default)]
    output: bool,
    meanwhile: Option<Meanwhile>,
    kubectl: Option<String>,
    edit: Option<Revision>,
    #[serde(default)]
    input: String,
}

/// A stored revision.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revision {
    pub(crate) release: String,
    pub(crate) revision: u32,
}

/// Something that happens once the tool has made a request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Meanwhile {
    /// The object of the request, as the story names it: `jobs/h`.
    pub(crate) after: String,
    /// A signal to the tool: `INT`, `TERM` or `KILL`.
    pub(crate) signal: Option<String>,
    /// A command of kubectl.
    pub(crate) kubectl: Option<String>,
}

/// Lines in which a tool's story differs from that of Helm 4.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Difference {
    /// Which tool.
    pub(crate) tool: Tool,
    /// Of Helm 3: the reason.
    #[serde(default)]
    pub(crate) why: String,
    /// Of Boathook: the first cell of the row of docs/differences-from-helm.md that says so, with its reason.
    pub(crate) row: Option<String>,
    /// `- ` what Helm 4's story has and the tool's has not, `+ ` the other way round.
    pub(crate) lines: String,
}

impl Scenario {
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).with_context(|| name.clone())?;
        let scenario: Self = toml::from_str(&text).with_context(|| name.clone())?;
        ensure!(!scenario.why.trim().is_empty() && !scenario.source.trim().is_empty(), "{name}: no reason");
        ensure!(scenario.steps.iter().any(|step| matches!(step.act, Act::Run(_))), "{name}: no tool runs");
        Ok(scenario)
    }

    /// The files of its charts, by path.
    pub(crate) fn files(&self) -> Vec<(String, &str)> {
        const CHART: &str = "apiVersion: v2\nname: app\nversion: 1.0.0\nappVersion: '1'\n";
        let mut files = Vec::new();
        for (name, chart) in &self.charts {
            files.push((format!("{name}/Chart.yaml"), CHART));
            match chart {
                Chart::Template(text) => files.push((format!("{name}/templates/a.yaml"), text.as_str())),
                Chart::Files(given) => {
                    files.extend(given.iter().map(|(path, text)| (format!("{name}/{path}"), text.as_str())));
                }
            }
        }
        files
    }
}

impl TryFrom<toml::Value> for Step {
    type Error = toml::de::Error;

    fn try_from(value: toml::Value) -> Result<Self, Self::Error> {
        let table: StepTable = match value {
            toml::Value::String(run) => {
                toml::Table::from_iter([("run".to_owned(), run.into())]).try_into()?
            }
            other => other.try_into()?,
        };
        let StepTable { helm3, boathook, exit, boathook_exit, says, output, meanwhile, input, .. } = table;
        let act = match (table.run, table.kubectl, table.edit) {
            (Some(words), None, None) => Act::Run(words),
            (None, Some(words), None) => Act::Kubectl { words, input },
            (None, None, Some(revision)) => Act::Edit { revision, patch: input },
            _ => return Err(serde::de::Error::custom("a step is one of `run`, `kubectl` and `edit`")),
        };
        Ok(Self { act, helm3, boathook, exit, boathook_exit, says, output, meanwhile })
    }
}

impl Step {
    /// The tool's own words for a command.
    pub(crate) fn words<'a>(&'a self, tool: Tool, run: &'a str) -> &'a str {
        let own = match tool {
            Tool::Helm3 => self.helm3.as_deref(),
            Tool::Helm4 => None,
            Tool::Boathook => self.boathook.as_deref(),
        };
        own.unwrap_or(run)
    }

    /// The exit code that the tool must end with.
    pub(crate) fn exit(&self, tool: Tool) -> i32 {
        self.boathook_exit.filter(|_| tool == Tool::Boathook).unwrap_or(self.exit)
    }
}
