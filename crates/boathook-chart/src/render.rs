//! The one way from a chart to manifests: everything that Helm's code needs goes into one request, everything that it says
//! comes back in one report.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use boathook_core::Source;
use boathook_core::plan::{ChartInfo, ReleaseRef};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::Chart;
use crate::engine::{Engine, Ran, RenderError, internal};
use crate::lookup::Lookup;
use crate::values::{Named, Values};

/// How a chart is rendered.
#[derive(Clone, Default)]
pub struct RenderOptions {
    /// What the user says of values.
    pub values: Values,
    /// What an upgrade takes over.
    pub lent: Option<Lent>,
    /// `.Release.IsUpgrade`; `.Release.IsInstall` otherwise.
    pub is_upgrade: bool,
    /// What `.Capabilities` says.
    pub capabilities: Capabilities,
    /// Where `lookup` may look.
    pub lookup: Lookup,
    /// Do not check values against the charts' schemas.
    pub skip_schema_validation: bool,
    /// Notes of subcharts count, too.
    pub subchart_notes: bool,
    /// Everything that a release record holds is wanted.
    pub record: bool,
    /// How much later than now it is for the templates.
    pub ahead: Duration,
    /// The name of the zone in which templates print times.
    pub time_zone: Option<String>,
}

/// What the record of the revision before lends to an upgrade.
#[derive(Clone, Debug, Serialize)]
pub struct Lent {
    /// How much of it is taken.
    pub mode: LentMode,
    /// The user's values of that revision.
    pub config: Map<String, Value>,
    /// The default values of its chart.
    pub defaults: Map<String, Value>,
}

/// Which values an upgrade starts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LentMode {
    /// The last ones, if no new ones are given.
    LastIfNoneGiven,
    /// None.
    Reset,
    /// The last ones, over the old chart's defaults.
    Reuse,
    /// The last ones, over the new chart's defaults.
    ResetThenReuse,
}

/// What templates are told of the cluster.
#[derive(Clone, Debug)]
pub enum Capabilities {
    /// Helm's defaults, with what the user says instead and besides.
    Told {
        /// `--kube-version`.
        kube_version: Option<String>,
        /// `--api-versions`.
        api_versions: Vec<String>,
    },
    /// What the cluster says of itself.
    Discovered {
        /// `gitVersion` of its version.
        version: String,
        /// `major`.
        major: String,
        /// `minor`.
        minor: String,
        /// `apps/v1`, and `apps/v1/Deployment`, of everything that it serves.
        api_versions: Vec<String>,
    },
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::Told { kube_version: None, api_versions: Vec::new() }
    }
}

/// What a chart became.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// What it says of itself.
    pub chart: ChartInfo,
    /// The rendered templates by path; notes are not among them.
    pub sources: Vec<Source>,
    /// The files of its `crds/` folders and its subcharts', in the order in which Helm installs them.
    pub crds: Vec<Source>,
    /// The rendered NOTES.txt.
    pub notes: String,
    /// What only a release record holds, if it was wanted.
    pub record: Option<ChartRecord>,
    /// What Helm logged meanwhile.
    pub log: Vec<String>,
}

/// What a release record holds besides the documents.
#[derive(Clone, Debug, Deserialize)]
pub struct ChartRecord {
    /// The chart as Helm stores it.
    pub chart: Value,
    /// The user's values.
    #[serde(deserialize_with = "null_is_empty")]
    pub config: Map<String, Value>,
    /// What the templates saw: the user's values over the chart's.
    #[serde(deserialize_with = "null_is_empty")]
    pub values: Map<String, Value>,
}

/// Documents in Helm's order.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Sorted {
    /// The ordinary ones.
    #[serde(default, deserialize_with = "null_is_default")]
    pub manifests: Vec<SortedDocument>,
    /// The hooks.
    #[serde(default, deserialize_with = "null_is_default")]
    pub hooks: Vec<SortedDocument>,
}

/// One document of them.
#[derive(Clone, Debug, Deserialize)]
pub struct SortedDocument {
    /// The template's path.
    pub path: String,
    /// Its text.
    pub text: String,
    /// When a hook fires.
    #[serde(default)]
    pub events: Vec<String>,
}

/// The report as the engine writes it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    name: String,
    version: String,
    app_version: Option<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    sorted: Option<Sorted>,
    notes: String,
    #[serde(default)]
    crds: Vec<Crd>,
    record: Option<ChartRecord>,
}

#[derive(Deserialize)]
struct Crd {
    path: String,
    text: String,
}

/// Renders a chart. `progress` is told what takes long.
///
/// # Errors
/// Helm's own error; or what a template took too much of; or a denied look into the cluster.
pub async fn render(
    engine: &Engine,
    chart: &Chart,
    release: &ReleaseRef,
    options: &RenderOptions,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<Rendered, RenderError> {
    let (report, log) = run(engine, chart, release, options, false, progress).await?;
    Ok(Rendered {
        chart: ChartInfo { name: report.name, version: report.version, app_version: report.app_version },
        sources: report.files.into_iter().map(|(path, text)| Source { path, text }).collect(),
        crds: report.crds.into_iter().map(|Crd { path, text }| Source { path, text }).collect(),
        notes: report.notes,
        record: report.record,
        log,
    })
}

/// Renders a chart once more, and has Helm split and sort its documents: for what our own reader refuses, so that Helm's
/// opinion of it is known. It takes several times longer.
///
/// # Errors
/// As [`render`]; for a document that is no YAML Helm's text, which names the file.
pub async fn render_sorted(
    engine: &Engine,
    chart: &Chart,
    release: &ReleaseRef,
    options: &RenderOptions,
) -> Result<Sorted, RenderError> {
    let (report, _) = run(engine, chart, release, options, true, &|_| {}).await?;
    report.sorted.ok_or_else(|| internal("it did not sort"))
}

async fn run(
    engine: &Engine,
    chart: &Chart,
    release: &ReleaseRef,
    options: &RenderOptions,
    sort: bool,
    progress: &(dyn Fn(&str) + Send + Sync),
) -> Result<(Report, Vec<String>), RenderError> {
    let (config, input) = request(chart, options, sort);
    let ran = engine.run(release, config, input, options, progress);
    let Ran { report, log } = ran.await?;
    let report = Report::deserialize(report).map_err(|error| internal(&format!("its report: {error}")))?;
    Ok((report, chart.notices.iter().cloned().chain(log).collect()))
}

/// The request, and the bytes that follow it: of the chart's files, the values files, the files of `--set-file`.
fn request(chart: &Chart, options: &RenderOptions, sort: bool) -> (Map<String, Value>, Vec<Arc<Vec<u8>>>) {
    let values = &options.values;
    let mut input = Vec::with_capacity(chart.files.len());
    let files: Vec<Value> = chart
        .files
        .iter()
        .map(|file| {
            input.push(file.data.clone());
            json!({"name": file.name, "size": file.data.len(), "modTime": file.modified})
        })
        .collect();
    let mut named = |files: &[Named]| -> Vec<Value> {
        let one = |file: &Named| match &file.content {
            Ok(data) => {
                input.push(data.clone());
                json!({"name": file.name, "size": data.len()})
            }
            Err(error) => json!({"name": file.name, "error": error}),
        };
        files.iter().map(one).collect()
    };
    let mut config = json!({
        "chart": files,
        "values": named(&values.files),
        "setFiles": named(&values.set_files),
        "set": values.set,
        "setString": values.set_string,
        "setFile": values.set_file,
        "setJson": values.set_json,
        "setLiteral": values.set_literal,
        "lent": options.lent,
        "isUpgrade": options.is_upgrade,
        "skipSchemaValidation": options.skip_schema_validation,
        "subNotes": options.subchart_notes,
        "lookup": options.lookup.reaches_a_cluster(),
        "sort": sort,
        "record": options.record,
    });
    match &options.capabilities {
        Capabilities::Told { kube_version, api_versions } => {
            config["kubeVersion"] = json!(kube_version.as_deref().unwrap_or_default());
            config["apiVersions"] = json!(api_versions);
        }
        Capabilities::Discovered { version, major, minor, api_versions } => {
            config["cluster"] =
                json!({"version": version, "major": major, "minor": minor, "apiVersions": api_versions});
        }
    }
    match config {
        Value::Object(config) => (config, input),
        _ => (Map::new(), input),
    }
}

fn null_is_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    null_is_default(deserializer)
}

/// Go writes an empty map or slice that was never made as `null`.
fn null_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
