//! The source of an operation: a file, a folder, stdin or a chart becomes named texts. Nothing is parsed here but a chart's
//! name.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use boathook_core::manifest::limit;
use boathook_core::plan::{ChartInfo, ReleaseRef};
use boathook_core::{Diagnostic, Source};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) mod chart;
mod helm;

use crate::error::{BAD_INPUT, CliError};
use crate::planning::positive_duration;
pub(crate) use chart::Charts;
pub(crate) use helm::template_text as helm_template;

/// Heading of the flags that only charts have.
const CHARTS: &str = "Charts";

/// Where the manifests come from.
#[derive(Args, Clone)]
pub(crate) struct SourceArgs {
    /// A manifest file, a folder (every *.yaml, *.yml, *.json below it), `-` for stdin, or a chart (a folder, a .tgz, oci://…,
    /// REPOSITORY/CHART of `helm repo list`, a URL)
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) values: ValuesArgs,
}

/// Values of a chart, with Helm's meaning and order, and what else only charts have.
#[derive(Args, Clone)]
#[cfg_attr(test, derive(Default))]
pub(crate) struct ValuesArgs {
    /// A file of values (repeatable)
    #[arg(help_heading = CHARTS, short = 'f', long, value_name = "FILE", value_delimiter = ',')]
    pub(crate) values: Vec<String>,
    /// A value, `a.b=c` (repeatable)
    #[arg(help_heading = CHARTS, long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// A value that stays a string
    #[arg(help_heading = CHARTS, long, value_name = "KEY=VALUE")]
    pub(crate) set_string: Vec<String>,
    /// A value read from a file
    #[arg(help_heading = CHARTS, long, value_name = "KEY=FILE")]
    pub(crate) set_file: Vec<String>,
    /// A value as JSON
    #[arg(help_heading = CHARTS, long, value_name = "KEY=JSON")]
    pub(crate) set_json: Vec<String>,
    /// A value that is taken as it stands, commas and all
    #[arg(help_heading = CHARTS, long, value_name = "KEY=TEXT")]
    pub(crate) set_literal: Vec<String>,
    /// Which version of a chart in a registry or repository: an exact one, or a constraint such as ^1.2; else the newest
    #[arg(help_heading = CHARTS, long, value_name = "VERSION")]
    pub(crate) version: Option<String>,
    /// The URL of the repository that has the chart
    #[arg(help_heading = CHARTS, long, value_name = "URL")]
    pub(crate) repo: Option<String>,
    /// Ask the registry without TLS
    #[arg(help_heading = CHARTS, long)]
    pub(crate) plain_http: bool,
    /// Do not check the values against the charts' schemas
    #[arg(help_heading = CHARTS, long)]
    pub(crate) skip_schema_validation: bool,
    /// The notes of subcharts count, too
    #[arg(help_heading = CHARTS, long)]
    pub(crate) render_subchart_notes: bool,
    /// What `lookup` of templates may read of the cluster: a file with what stands under `permissions:` of a hook
    #[arg(help_heading = CHARTS, long, value_name = "FILE")]
    pub(crate) lookup_grant: Option<PathBuf>,
    /// Time that rendering a chart may take
    #[arg(help_heading = CHARTS, long, value_name = "DURATION", default_value = "60s", value_parser = positive_duration)]
    pub(crate) render_timeout: Duration,
    /// Have this helm program (3.x or 4.x) render charts, instead of Helm's engine in the sandbox [env: BOATHOOK_HELM=]
    #[arg(help_heading = CHARTS, long, value_name = "PATH")]
    helm: Option<String>,
}

impl ValuesArgs {
    /// The helm program that the user wants. The variable is no argument: it may be set where `--helm` would be wrong.
    fn wanted_helm(&self) -> Option<String> {
        let named = || std::env::var("BOATHOOK_HELM").ok().filter(|path| !path.is_empty());
        self.helm.clone().or_else(named)
    }

    /// The helm program to call.
    fn helm(&self) -> String {
        self.wanted_helm().unwrap_or_else(|| "helm".to_owned())
    }
}

/// What a chart is told of a cluster that is not asked.
#[derive(Args, Clone, Default)]
pub(crate) struct CapabilityArgs {
    /// The version of Kubernetes that templates see
    #[arg(help_heading = CHARTS, long, value_name = "VERSION")]
    pub(crate) kube_version: Option<String>,
    /// API versions that templates see besides those of Kubernetes (repeatable)
    #[arg(help_heading = CHARTS, short, long, value_name = "API", value_delimiter = ',')]
    pub(crate) api_versions: Vec<String>,
}

/// What a chart is rendered for. Plain manifests are the same for every operation.
#[derive(Debug)]
pub(crate) struct Rendering<'a> {
    /// `.Release.Name`, `.Namespace` and `.Revision`.
    pub(crate) release: &'a ReleaseRef,
    /// `.Release.IsUpgrade`; `.Release.IsInstall` otherwise.
    pub(crate) is_upgrade: bool,
    /// Whether a release record will be made of it: then crds, values, notes and the chart itself are wanted, too.
    pub(crate) recorded: bool,
    /// What the revision before lends to an upgrade.
    pub(crate) lent: Option<Lent<'a>>,
}

/// What an upgrade may take over from the revision before it.
#[derive(Debug)]
pub(crate) struct Lent<'a> {
    /// The user's values of that revision: `config` of its record.
    pub(crate) config: &'a Map<String, Value>,
    /// The default values of its chart: `chart.values` of its record (without those of subcharts, which no record holds).
    pub(crate) defaults: &'a Map<String, Value>,
    /// How much of them is taken.
    pub(crate) mode: ValuesMode,
}

/// Which values an upgrade starts from. The user's new values are put over them in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ValuesMode {
    /// Helm's default: the last values if no new ones are given, else only the new ones; over the new chart's defaults.
    LastIfNoneGiven,
    /// `--reset-values`: none; the new chart's defaults.
    Reset,
    /// `--reuse-values`: the last ones; the *old* chart's defaults take the place of the new chart's.
    Reuse,
    /// `--reset-then-reuse-values`: the last ones, over the new chart's defaults.
    ResetThenReuse,
}

/// A source that was read. Plan files hold it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Input {
    /// The texts, by path.
    pub(crate) sources: Vec<Source>,
    /// The files of `crds/` of the chart and its subcharts, in the order in which Helm installs them. They are no
    /// templates and no part of the release.
    pub(crate) crds: Vec<Source>,
    /// The folder that plugin paths are relative to.
    pub(crate) base: PathBuf,
    /// What the release's chart says of itself.
    pub(crate) chart: ChartInfo,
    /// What only the release record needs.
    pub(crate) recorded: Recorded,
    /// What was noticed while reading.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// What a source gives to the release record besides its documents.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// The chart as Helm stores it, if the source is one.
    pub(crate) chart: Option<Value>,
    /// The user's values.
    pub(crate) config: Map<String, Value>,
    /// The rendered NOTES.txt.
    pub(crate) notes: Option<String>,
}

/// Reads a source; a chart is rendered. The one way to do so: nothing behind it knows what rendered.
pub(crate) async fn read(
    args: &SourceArgs,
    rendering: &Rendering<'_>,
    charts: &Charts<'_>,
) -> Result<Input, CliError> {
    let source = args.source.as_str();
    if source == "-" {
        return Ok(plain(vec![stdin()?], PathBuf::from("."), "stdin"));
    }
    let path = Path::new(source);
    if boathook_chart::source::is_chart(source, &args.values.source()) {
        return match charts.engine(&args.values) {
            Some(engine) => chart::render(args, rendering, charts, &engine).await,
            None => helm::render(args, rendering),
        };
    }
    let metadata = std::fs::metadata(path).map_err(|error| cannot_read(source, &error))?;
    let name = file_name(path);
    if metadata.is_dir() {
        let mut sources = Vec::new();
        folder(path, path, &mut sources, &mut 0)?;
        if sources.is_empty() {
            return Err(CliError::new(
                BAD_INPUT,
                format!("{source}: no *.yaml, *.yml or *.json file in this folder"),
            )
            .hint("name a manifest file, a folder of manifests, or a chart (a folder with Chart.yaml)"));
        }
        return Ok(plain(sources, path.to_path_buf(), &name));
    }
    if !metadata.is_file() {
        return Err(CliError::new(BAD_INPUT, format!("{source}: neither a file nor a folder"))
            .hint("manifests on stdin are read with `-`"));
    }
    let text = file(path, &mut 0)?;
    let base = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok(plain(vec![Source { path: name.clone(), text }], base.to_path_buf(), &name))
}

fn plain(sources: Vec<Source>, base: PathBuf, name: &str) -> Input {
    let name = name.split('.').next().unwrap_or(name).to_owned();
    let chart = ChartInfo { name, version: "0.0.0".to_owned(), app_version: None };
    Input { sources, crds: Vec::new(), base, chart, recorded: Recorded::default(), diagnostics: Vec::new() }
}

fn file_name(path: &Path) -> String {
    let full = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    full.file_name().map_or_else(|| "manifests".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// All manifests below a folder, by path with `/`. Hidden files and folders are left out; links are followed to files only.
fn folder(
    root: &Path,
    folder_path: &Path,
    sources: &mut Vec<Source>,
    total: &mut usize,
) -> Result<(), CliError> {
    let shown = folder_path.display().to_string();
    let entries = std::fs::read_dir(folder_path).map_err(|error| cannot_read(&shown, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| cannot_read(&shown, &error))?;
        let path = entry.path();
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(CliError::new(
                BAD_INPUT,
                format!("{}: the file's name is not UTF-8", path.display()),
            ));
        };
        if name.starts_with('.') {
            continue;
        }
        let kind = entry.file_type().map_err(|error| cannot_read(&path.display().to_string(), &error))?;
        if kind.is_dir() {
            folder(root, &path, sources, total)?;
        } else if [".yaml", ".yml", ".json"].iter().any(|end| name.ends_with(end)) {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            let parts: Vec<_> =
                relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
            sources.push(Source { path: parts.join("/"), text: file(&path, total)? });
        }
    }
    Ok(())
}

/// One file, as UTF-8 text, within the limit of the whole input.
fn file(path: &Path, total: &mut usize) -> Result<String, CliError> {
    let shown = path.display().to_string();
    let metadata = std::fs::metadata(path).map_err(|error| cannot_read(&shown, &error))?;
    if !metadata.is_file() {
        return Err(CliError::new(BAD_INPUT, format!("{shown}: not a regular file")));
    }
    let opened = std::fs::File::open(path).map_err(|error| cannot_read(&shown, &error))?;
    text(opened, &shown, total)
}

fn stdin() -> Result<Source, CliError> {
    let text = text(std::io::stdin().lock(), "stdin", &mut 0)?;
    Ok(Source { path: "stdin".to_owned(), text })
}

fn text(reader: impl std::io::Read, shown: &str, total: &mut usize) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    let left = limit::TOTAL_BYTES.saturating_sub(*total);
    reader.take(left as u64 + 1).read_to_end(&mut bytes).map_err(|error| cannot_read(shown, &error))?;
    if bytes.len() > left {
        let limit = limit::TOTAL_BYTES >> 20;
        return Err(CliError::new(BAD_INPUT, format!("{shown}: the input has more than {limit} MiB"))
            .hint("install large sets of manifests as several releases"));
    }
    *total += bytes.len();
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        let hint = if utf16 { "it is UTF-16: save it as UTF-8" } else { "save it as UTF-8" };
        CliError::new(BAD_INPUT, format!("{shown}:{line}: not UTF-8 text")).hint(hint)
    })
}

fn cannot_read(shown: &str, error: &std::io::Error) -> CliError {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    CliError::new(BAD_INPUT, format!("cannot read {shown}: {reason}"))
}
