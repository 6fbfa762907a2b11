//! `boathook plan`: what an operation would do.

use boathook_core::plan::PlanDocument;
use clap::{Args, Subcommand};

use super::install::InstallPlanArgs;
use super::rollback::RollbackPlanArgs;
use super::test::TestPlanArgs;
use super::uninstall::UninstallPlanArgs;
use super::upgrade::UpgradePlanArgs;
use crate::error::CliError;
use crate::global::GlobalArgs;
use crate::input::{CapabilityArgs, Charts};
use crate::output::{self, Format, Printer, diagnostic};
use crate::planning::{NotPlanned, Planned};
use crate::wiring::{self, PluginDirArgs, Session};

/// Show what an operation would do, in order, and what each hook may touch. Changes nothing
#[derive(Args)]
#[command(after_help = "Examples:
  boathook plan install web ./manifests              needs no cluster
  boathook plan install web ./manifests -v           every object, too
  boathook plan upgrade web ./chart -n prod          what changes against the release that is there
  boathook plan uninstall web -n prod -o json | jq '.steps[].id'")]
pub(crate) struct PlanArgs {
    #[command(subcommand)]
    operation: Operation,
}

#[derive(Subcommand)]
enum Operation {
    /// Hooks and objects of a first install; needs no cluster
    #[command(after_help = "Example:\n  boathook plan install web ./manifests -v")]
    Install(Box<Of<WithoutCluster>>),
    #[command(flatten)]
    OfRelease(OfRelease),
}

/// An install, and the cluster that its chart is told of.
#[derive(Args)]
struct WithoutCluster {
    #[command(flatten)]
    install: InstallPlanArgs,
    #[command(flatten)]
    capabilities: CapabilityArgs,
}

/// Operations on a release that is there: it is read from the cluster.
#[derive(Subcommand)]
enum OfRelease {
    /// Hooks, changed and deleted objects of an upgrade
    #[command(after_help = "Example:\n  boathook plan upgrade web ./chart -n prod")]
    Upgrade(Box<Of<UpgradePlanArgs>>),
    /// Hooks, changed and deleted objects of a rollback
    #[command(after_help = "Example:\n  boathook plan rollback web 3 -n prod")]
    Rollback(Of<RollbackPlanArgs>),
    /// Hooks and deleted objects of an uninstall
    #[command(after_help = "Example:\n  boathook plan uninstall web -n prod -v")]
    Uninstall(Of<UninstallPlanArgs>),
    /// Test hooks of a release
    #[command(after_help = "Example:\n  boathook plan test web -n prod")]
    Test(Of<TestPlanArgs>),
}

/// An operation's arguments, and how its plan is shown.
#[derive(Args)]
struct Of<T: Args> {
    #[command(flatten)]
    plan: T,
    /// Format of the result on stdout
    #[arg(short, long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output: Format,
}

pub(crate) async fn run(args: PlanArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    match args.operation {
        Operation::Install(install) => {
            let Of { plan: WithoutCluster { install, capabilities }, output } = *install;
            without_cluster(&install, capabilities, output, global, printer).await
        }
        Operation::OfRelease(operation) => {
            let session = wiring::session(global).await?;
            let (planned, output) = of_release(&operation, &session, printer).await;
            session.close().await?;
            told(planned, output, printer)
        }
    }
}

/// Shows the plan of a first install.
pub(crate) async fn without_cluster(
    install: &InstallPlanArgs,
    capabilities: CapabilityArgs,
    output: Format,
    global: &GlobalArgs,
    printer: &Printer,
) -> Result<u8, CliError> {
    let namespace = global.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let host = wiring::host(&install.plugins, &[]);
    let charts = Charts::without_cluster(&host, capabilities, printer);
    told(install.plan(&namespace, host.as_ref(), &charts).await, output, printer)
}

async fn of_release(
    operation: &OfRelease,
    session: &Session,
    printer: &Printer,
) -> (Result<Planned, NotPlanned>, Format) {
    let host = |plugins: &PluginDirArgs| wiring::host(plugins, &session.api_servers);
    match operation {
        OfRelease::Upgrade(upgrade) => {
            let Of { plan, output } = upgrade.as_ref();
            (plan.plan(session, &host(&plan.plugins), printer).await, *output)
        }
        OfRelease::Rollback(Of { plan, output }) => {
            (plan.plan(session, host(&plan.plugins).as_ref()).await, *output)
        }
        OfRelease::Uninstall(Of { plan, output }) => {
            (plan.plan(session, host(&plan.plugins).as_ref()).await, *output)
        }
        OfRelease::Test(Of { plan, output }) => {
            (plan.plan(session, host(&plan.plugins).as_ref()).await, *output)
        }
    }
}

fn told(planned: Result<Planned, NotPlanned>, output: Format, printer: &Printer) -> Result<u8, CliError> {
    match planned {
        Ok(planned) => show(planned, output, printer),
        Err(NotPlanned::Error(error)) => Err(error),
        Err(NotPlanned::Refused(refusal)) => Err(refusal.error.into()),
    }
}

/// Prints a plan.
pub(crate) fn show(planned: Planned, output: Format, printer: &Printer) -> Result<u8, CliError> {
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
