//! `boathook template`: what a chart's templates give, as `helm template` prints it.

use boathook_chart::{RenderError, RenderOptions, TemplateOptions, template};
use boathook_core::plan::ReleaseRef;
use clap::Args;

use crate::error::{BAD_INPUT, CliError};
use crate::global::GlobalArgs;
use crate::input::{self, CapabilityArgs, Charts, ValuesArgs, chart};
use crate::output::Printer;
use crate::planning;
use crate::wiring::{self, PluginDirArgs};

/// Render a chart, and print what its templates give: the same text as `helm template`. Needs no cluster
#[derive(Args)]
#[command(after_help = "Examples:
  boathook template web ./chart -n prod -f values.yaml
  boathook template web ./chart --show-only templates/deployment.yaml
  boathook template web oci://registry.example.com/charts/web --version 1.2.3
  boathook template web ./chart --kube-version 1.34 --api-versions monitoring.coreos.com/v1

Charts are rendered by Helm 4's own code in a sandbox, without network, environment and files but the chart's. docs/charts.md
lists what is different from Helm.")]
pub(crate) struct TemplateArgs {
    /// The release
    #[arg(value_name = "NAME")]
    name: String,
    /// The chart: a folder, a .tgz, oci://…, REPOSITORY/CHART of `helm repo list`, or a URL
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
    #[command(flatten)]
    capabilities: CapabilityArgs,
}

pub(crate) async fn run(args: TemplateArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    planning::check_names(&args.name, global.namespace.as_deref())?;
    let namespace = global.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let host = wiring::host(&PluginDirArgs::default(), &[]);
    let charts = Charts::without_cluster(&host, args.capabilities.clone(), printer);
    let Some(engine) = charts.engine(&args.values) else {
        printer.document(&input::helm_template(&args.chart, &args.values, &helm_words(&args, &namespace))?);
        return Ok(0);
    };
    let TemplateArgs {
        name, chart, values, show_only, include_crds, skip_tests, no_hooks, is_upgrade, ..
    } = args;
    let release = ReleaseRef { name, namespace, revision: 1 };
    let (chart, asked) = charts.open(&chart, &values, &engine).await?;
    let options = RenderOptions { is_upgrade, ..asked };
    let what = TemplateOptions { include_crds, no_hooks, skip_tests };
    let rendered = template(&engine, &chart, &release, &options, &what, &charts.progress()).await;
    let rendered = rendered.map_err(|error| {
        if let RenderError::Chart { log, .. } = &error {
            chart::print_log(printer, log);
        }
        chart::render_error(error)
    })?;
    chart::print_log(printer, &rendered.log);
    if show_only.is_empty() {
        printer.document(&rendered.text());
    } else {
        printer.document(&rendered.only(&show_only).map_err(|error| CliError::new(BAD_INPUT, error))?);
    }
    Ok(0)
}

/// The flags for the helm program, whose names they have.
fn helm_words(args: &TemplateArgs, namespace: &str) -> Vec<String> {
    let mut words: Vec<String> =
        [args.name.as_str(), &args.chart, "--namespace", namespace].map(str::to_owned).into();
    for (flag, is_set) in [
        ("--include-crds", args.include_crds),
        ("--skip-tests", args.skip_tests),
        ("--no-hooks", args.no_hooks),
        ("--is-upgrade", args.is_upgrade),
    ] {
        words.extend(is_set.then(|| flag.to_owned()));
    }
    for (flag, list) in [
        ("--show-only", args.show_only.as_slice()),
        ("--kube-version", args.capabilities.kube_version.as_slice()),
        ("--api-versions", args.capabilities.api_versions.as_slice()),
    ] {
        words.extend(list.iter().flat_map(|value| [flag.to_owned(), value.clone()]));
    }
    words
}
