//! `boathook template`: what a chart's templates give, as `helm template` prints it.

use boathook_chart::{Capabilities, RenderOptions, TemplateOptions, template};
use boathook_core::plan::ReleaseRef;
use clap::Args;

use crate::error::{BAD_INPUT, CliError};
use crate::global::GlobalArgs;
use crate::input::{ValuesArgs, chart};
use crate::output::Printer;
use crate::planning;
use crate::wiring::{self, PluginDirArgs};

/// Render a chart, and print what its templates give: the same text as `helm template`. Needs no cluster
#[derive(Args)]
#[command(after_help = "Examples:
  boathook template web ./chart -n prod -f values.yaml
  boathook template web ./chart --show-only templates/deployment.yaml
  boathook template web ./chart --kube-version 1.34 --api-versions monitoring.coreos.com/v1

Charts are rendered by Helm 4's own code in a sandbox, without network, environment and files but the chart's. docs/charts.md
lists what is different from Helm.")]
pub(crate) struct TemplateArgs {
    /// The release
    #[arg(value_name = "NAME")]
    name: String,
    /// The chart: a folder or a .tgz
    #[arg(value_name = "CHART")]
    chart: String,
    #[command(flatten)]
    values: ValuesArgs,
    /// Print only what these templates give, paths in the chart such as templates/a.yaml (repeatable, * and ? match)
    #[arg(short, long, value_name = "TEMPLATE")]
    show_only: Vec<String>,
    /// Print the files of crds/, too
    #[arg(long)]
    include_crds: bool,
    /// Print no hooks that are tests
    #[arg(long)]
    skip_tests: bool,
    /// Print no hooks
    #[arg(long)]
    no_hooks: bool,
    /// Set .Release.IsUpgrade instead of .Release.IsInstall
    #[arg(long)]
    is_upgrade: bool,
    /// The version of Kubernetes that templates see
    #[arg(long, value_name = "VERSION")]
    kube_version: Option<String>,
    /// API versions that templates see besides those of Kubernetes (repeatable)
    #[arg(short, long, value_name = "API", value_delimiter = ',')]
    api_versions: Vec<String>,
}

pub(crate) async fn run(args: TemplateArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    let TemplateArgs {
        name,
        chart,
        values,
        show_only,
        include_crds,
        skip_tests,
        no_hooks,
        is_upgrade,
        kube_version,
        api_versions,
    } = args;
    planning::check_names(&name, global.namespace.as_deref())?;
    let host = wiring::host(&PluginDirArgs::default(), &[]);
    let engine =
        wiring::chart_engine(&host).ok_or_else(|| CliError::internal("built without the chart engine"))?;
    let chart = chart::open(&chart)?;
    let namespace = global.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let release = ReleaseRef { name, namespace, revision: 1 };
    let options = RenderOptions {
        values: values.read(),
        skip_schema_validation: values.skip_schema_validation,
        is_upgrade,
        capabilities: Capabilities::Told { kube_version, api_versions },
        time_zone: chart::time_zone(),
        ..RenderOptions::default()
    };
    let what = TemplateOptions { include_crds, no_hooks, skip_tests };
    let progress = |message: &str| printer.note(&format!("{message}\n"));
    let rendered = template(&engine, &chart, &release, &options, &what, &progress).await;
    let rendered = rendered.map_err(|error| chart::render_error(error, printer))?;
    chart::print_log(printer, &rendered.log);
    if show_only.is_empty() {
        printer.document(&rendered.text());
    } else {
        printer.document(&rendered.only(&show_only).map_err(|error| CliError::new(BAD_INPUT, error))?);
    }
    Ok(0)
}
