//! `boathook plan`: what an operation would do.

use std::path::PathBuf;

use boathook_core::plan::PlanDocument;
use boathook_engine::release_store::Listing;
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
use crate::planning::file::PlanFile;
use crate::planning::{NotPlanned, Planned};
use crate::wiring::{self, PluginDirArgs, Session};

/// Show what an operation would do, in order, and what each hook may touch. Changes nothing
#[derive(Args)]
#[command(after_help = "Examples:
  boathook plan install web ./manifests              needs no cluster
  boathook plan install web ./manifests -v           every object, too
  boathook plan upgrade web ./chart -n prod          what changes against the release that is there
  boathook plan install web ./chart --out web.plan   kept, for `boathook install --plan web.plan`
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
    /// Ask the cluster as an install does: what it serves, what --lookup-grant lets templates read, whether the name is free
    #[arg(long, conflicts_with = "CapabilityArgs")]
    on_cluster: bool,
    #[command(flatten)]
    capabilities: CapabilityArgs,
    #[command(flatten)]
    out: OutArgs,
}

#[derive(Args)]
struct Upgrade {
    #[command(flatten)]
    upgrade: UpgradePlanArgs,
    #[command(flatten)]
    out: OutArgs,
}

/// Where the plan is kept.
#[derive(Args, Default)]
pub(crate) struct OutArgs {
    /// Also write the plan to FILE, with everything that was rendered, for --plan of the command itself. It holds the
    /// chart's Secrets: it is readable by you alone
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A plan file, and where it goes.
type Kept = (PathBuf, PlanFile);

impl OutArgs {
    fn kept(
        &self,
        planned: &Result<Planned, NotPlanned>,
        file: impl FnOnce(&Planned) -> PlanFile,
    ) -> Option<Kept> {
        Some((self.out.clone()?, file(planned.as_ref().ok()?)))
    }
}

/// Operations on a release that is there: it is read from the cluster.
#[derive(Subcommand)]
enum OfRelease {
    /// Hooks, changed and deleted objects of an upgrade
    #[command(after_help = "Example:\n  boathook plan upgrade web ./chart -n prod")]
    Upgrade(Box<Of<Upgrade>>),
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
            let Of { plan: WithoutCluster { install, on_cluster, capabilities, out }, output } = *install;
            if !on_cluster {
                return without_cluster(&install, &out, capabilities, output, global, printer).await;
            }
            let session = wiring::session(global).await?;
            let (planned, kept) = install_on(&session, &install, &out, printer).await;
            session.close().await?;
            told(planned, output, kept, printer)
        }
        Operation::OfRelease(operation) => {
            let session = wiring::session(global).await?;
            let (planned, output, kept) = of_release(&operation, &session, printer).await;
            session.close().await?;
            told(planned, output, kept, printer)
        }
    }
}

/// Shows the plan of a first install.
pub(crate) async fn without_cluster(
    install: &InstallPlanArgs,
    out: &OutArgs,
    capabilities: CapabilityArgs,
    output: Format,
    global: &GlobalArgs,
    printer: &Printer,
) -> Result<u8, CliError> {
    let namespace = global.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let host = wiring::host(&install.plugins, &[]);
    let charts = Charts::without_cluster(&host, capabilities, printer).twice();
    let history = Listing::default();
    let planned = install.plan(&namespace, &history, host.as_ref(), &charts).await;
    let kept = out.kept(&planned, |planned| install.file(planned, &history));
    told(planned, output, kept, printer)
}

async fn install_on(
    session: &Session,
    install: &InstallPlanArgs,
    out: &OutArgs,
    printer: &Printer,
) -> (Result<Planned, NotPlanned>, Option<Kept>) {
    let host = wiring::host(&install.plugins, &session.api_servers);
    let history = match install.planner(&session.namespace, host.as_ref()).history(session).await {
        Ok(history) => history,
        Err(error) => return (Err(error.into()), None),
    };
    let charts = Charts::on(session, &host, printer).twice();
    let planned = install.plan(&session.namespace, &history, host.as_ref(), &charts).await;
    let kept = out.kept(&planned, |planned| install.file(planned, &history));
    (planned, kept)
}

async fn of_release(
    operation: &OfRelease,
    session: &Session,
    printer: &Printer,
) -> (Result<Planned, NotPlanned>, Format, Option<Kept>) {
    let host = |plugins: &PluginDirArgs| wiring::host(plugins, &session.api_servers);
    let planned = match operation {
        OfRelease::Upgrade(upgrade) => {
            let Of { plan: Upgrade { upgrade, out }, output } = upgrade.as_ref();
            let host = host(&upgrade.plugins);
            let history = match upgrade.planner(&session.namespace, host.as_ref()).history(session).await {
                Ok(history) => history,
                Err(error) => return (Err(error.into()), *output, None),
            };
            let charts = Charts::on(session, &host, printer).twice();
            let planned = upgrade.plan(&session.namespace, &history, host.as_ref(), &charts).await;
            let kept = out.kept(&planned, |planned| upgrade.file(planned, &history));
            return (planned, *output, kept);
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
    };
    (planned.0, planned.1, None)
}

fn told(
    planned: Result<Planned, NotPlanned>,
    output: Format,
    kept: Option<Kept>,
    printer: &Printer,
) -> Result<u8, CliError> {
    let code = match planned {
        Ok(planned) => show(planned, output, printer)?,
        Err(NotPlanned::Error(error)) => return Err(error),
        Err(NotPlanned::Refused(refusal)) => return Err(refusal.error.into()),
    };
    // A plan with errors is never carried out.
    if let (0, Some((path, file))) = (code, kept) {
        file.write(&path)?;
        if !printer.quiet {
            printer.note(&format!("The plan is in {}: `{}`\n", path.display(), file.carry_out(&path)));
        }
    }
    Ok(code)
}

/// Prints a plan.
pub(crate) fn show(planned: Planned, output: Format, printer: &Printer) -> Result<u8, CliError> {
    match output {
        Format::Json => printer.json(&PlanDocument::from(&planned.plan))?,
        Format::Text => printer.result(&output::plan::render(&planned.plan, printer.verbose)),
    }
    diagnostic::print(printer, &planned.plan.diagnostics, &planned.texts.sources);
    let code = planned.refusal().unwrap_or(0);
    // The process ends: to give back the memory of a thousand objects one by one would be a tenth of its time.
    std::mem::forget(planned);
    Ok(code)
}
