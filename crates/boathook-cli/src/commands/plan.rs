//! `boathook plan`: what an operation would do.

use boathook_core::plan::{Operation, PlanDocument, ReleaseRef};
use clap::{Args, ValueEnum};

use crate::error::CliError;
use crate::global::GlobalArgs;
use crate::input::{CapabilityArgs, Charts, SourceArgs};
use crate::output::{self, Format, Printer, diagnostic};
use crate::planning::{self, PlanFlags};
use crate::wiring::{self, PluginDirArgs};

/// Show what an operation would do, in order, and what each hook may touch. Needs no cluster and changes nothing
#[derive(Args)]
#[command(after_help = "Examples:
  boathook plan install web ./manifests
  boathook plan install web ./manifests -v           every object, too
  boathook plan install web hooks.yaml -o json | jq '.steps[].id'")]
pub(crate) struct PlanArgs {
    /// The operation
    #[arg(value_enum, value_name = "OPERATION")]
    operation: Planned,
    /// The release
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    flags: PlanFlags,
    #[command(flatten)]
    capabilities: CapabilityArgs,
    #[command(flatten)]
    plugins: PluginDirArgs,
    /// Format of the result on stdout
    #[arg(short, long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Planned {
    /// Hooks and objects of a first install
    Install,
}

pub(crate) async fn run(args: PlanArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    let PlanArgs { operation: Planned::Install, name, source, flags, capabilities, plugins, output } = args;
    let namespace = global.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let release = ReleaseRef { name, namespace, revision: 1 };
    let host = wiring::host(&plugins, &[]);
    let charts = Charts::without_cluster(&host, capabilities, printer);
    let planned =
        planning::plan(Operation::Install, release, &source, &flags, host.as_ref(), &charts).await?;
    match output {
        Format::Json => printer.json(&PlanDocument::from(&planned.plan))?,
        Format::Text => printer.result(&output::plan::render(&planned.plan, printer.verbose)),
    }
    diagnostic::print(printer, &planned.plan.diagnostics, &planned.sources);
    let code = planned.refusal().unwrap_or(0);
    // The process ends: to give back the memory of a thousand objects one by one would be a tenth of its time.
    std::mem::forget(planned);
    Ok(code)
}
