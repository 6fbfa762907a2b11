//! `boathook uninstall`: hooks, deletions, hooks, and the records go.

use std::time::Duration;

use boathook_core::plan::{PlanOptions, RevisionOptions};
use boathook_engine::cluster::Propagation;
use boathook_engine::plugin_host::PluginHost;
use clap::{Args, ValueEnum};

use crate::error::CliError;
use crate::flags::{DryRunFlags, LockFlags, WaitArg, no_revision_options};
use crate::global::GlobalArgs;
use crate::output::Printer;
use crate::planning::{self, NotPlanned, PlanFlags, Planned, Planner};
use crate::running::{self, Choices, OutputFlags, Reporting};
use crate::wiring::{self, PluginDirArgs, Session};

/// Uninstall a release: pre-delete hooks, its objects, post-delete hooks; then its records go
#[derive(Args)]
#[command(
    visible_aliases = ["delete", "del", "un"],
    after_help = "Examples:
  boathook uninstall web -n prod
  boathook uninstall web -n prod --keep-history    `boathook history` still shows it, `rollback` brings it back
  boathook uninstall web -n prod --wait            until every object is gone

Objects with annotation helm.sh/resource-policy: keep stay, and so do objects that are not the release's any more."
)]
pub(crate) struct UninstallArgs {
    #[command(flatten)]
    plan: UninstallPlanArgs,
    /// What the release's history says, with --keep-history
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// What becomes of the objects that a deleted one owns, such as the Pods of a Job
    #[arg(long, value_enum, default_value_t = Cascade::Background, value_name = "HOW")]
    cascade: Cascade,
    #[command(flatten)]
    lock: LockFlags,
    #[command(flatten)]
    dry_run: DryRunFlags,
    #[command(flatten)]
    output: OutputFlags,
}

/// What the plan of an uninstall depends on.
#[derive(Args)]
pub(crate) struct UninstallPlanArgs {
    /// The release
    #[arg(value_name = "NAME")]
    name: String,
    /// Keep the records, marked as uninstalled
    #[arg(long)]
    keep_history: bool,
    /// Wait until the objects are gone, all together at most --timeout: watcher (bare --wait), legacy or hookOnly
    #[arg(
        long,
        value_enum,
        hide_possible_values = true,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = WaitArg::HookOnly,
        default_missing_value = "watcher",
        value_name = "STRATEGY"
    )]
    wait: WaitArg,
    #[command(flatten)]
    flags: PlanFlags,
    #[command(flatten)]
    pub(crate) plugins: PluginDirArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Cascade {
    /// They go after it
    Background,
    /// They go before it
    Foreground,
    /// They stay
    Orphan,
}

impl UninstallArgs {
    /// What its report says of it.
    pub(crate) fn reporting(&self) -> Reporting {
        Reporting { operation: "uninstall", release: self.plan.name.clone(), output: self.output.clone() }
    }
}

impl UninstallPlanArgs {
    /// The plan; the release is read from the cluster.
    pub(crate) async fn plan(&self, session: &Session, host: &dyn PluginHost) -> Result<Planned, NotPlanned> {
        self.plan_with(session, host, None, Duration::ZERO).await
    }

    async fn plan_with(
        &self,
        session: &Session,
        host: &dyn PluginHost,
        description: Option<String>,
        patience: Duration,
    ) -> Result<Planned, NotPlanned> {
        planning::check_names(&self.name, Some(&session.namespace))?;
        let planner = Planner {
            name: &self.name,
            namespace: &session.namespace,
            options: PlanOptions { wait: self.wait.into(), ..self.flags.options() },
            host,
            patience,
        };
        let history = planner.history(session).await?;
        let options =
            RevisionOptions { description, keep_history: self.keep_history, ..no_revision_options() };
        planning::uninstall(&planner, &history, &options).await
    }
}

pub(crate) async fn run(args: UninstallArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    planning::check_names(&args.plan.name, global.namespace.as_deref())?;
    let session = wiring::session(global).await?;
    let host = wiring::host(&args.plan.plugins, &session.api_servers);
    let patience = args.lock.patience();
    let planned = args.plan.plan_with(&session, host.as_ref(), args.description.clone(), patience).await;
    let propagation = match args.cascade {
        Cascade::Background => Propagation::Background,
        Cascade::Foreground => Propagation::Foreground,
        Cascade::Orphan => Propagation::Orphan,
    };
    let choices =
        Choices { propagation, wait_for_lock: patience, dry_run: args.dry_run.dry_run, ..Choices::default() };
    running::carry_out(planned, session, host, choices, &args.output, printer).await
}
