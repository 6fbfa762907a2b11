//! `boathook rollback`: an earlier revision once more.

use std::time::Duration;

use boathook_core::plan::RevisionOptions;
use boathook_engine::plugin_host::PluginHost;
use clap::Args;

use crate::error::{CliError, USAGE};
use crate::flags::{DryRunFlags, HistoryFlags, LockFlags, ServerSideArg, WaitFlags, no_revision_options};
use crate::global::GlobalArgs;
use crate::output::Printer;
use crate::planning::{self, NotPlanned, PlanFlags, Planned, Planner};
use crate::running::{self, Choices, OutputFlags, Reporting};
use crate::wiring::{self, PluginDirArgs, Session};

/// Helm's limit.
const LONGEST_DESCRIPTION: usize = 256;

/// Roll a release back to an earlier revision, with that revision's hooks, objects and values
#[derive(Args)]
#[command(after_help = "Examples:
  boathook rollback web -n prod          to the revision before the last
  boathook rollback web 3 -n prod
  boathook history web -n prod           which revisions there are

It is also the way out of a release that Helm left in pending-upgrade.")]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    plan: RollbackPlanArgs,
    /// What the release's history says of the new revision, instead of \"Rollback to N\"
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    #[command(flatten)]
    history: HistoryFlags,
    /// Where objects are merged
    #[arg(long, value_enum, default_value_t = ServerSideArg::Auto, value_name = "WHERE")]
    server_side: ServerSideArg,
    /// Take fields from other field managers
    #[arg(long)]
    force_conflicts: bool,
    /// Delete the objects that the rollback created if it fails
    #[arg(long)]
    cleanup_on_fail: bool,
    #[command(flatten)]
    lock: LockFlags,
    #[command(flatten)]
    dry_run: DryRunFlags,
    #[command(flatten)]
    output: OutputFlags,
}

/// What the plan of a rollback depends on.
#[derive(Args)]
pub(crate) struct RollbackPlanArgs {
    /// The release
    #[arg(value_name = "NAME")]
    name: String,
    /// The revision to go back to; without it, or 0: the one before the last
    #[arg(value_name = "REVISION", default_value_t = 0, hide_default_value = true)]
    revision: u32,
    #[command(flatten)]
    flags: PlanFlags,
    #[command(flatten)]
    wait: WaitFlags,
    #[command(flatten)]
    pub(crate) plugins: PluginDirArgs,
}

impl RollbackArgs {
    /// What its report says of it.
    pub(crate) fn reporting(&self) -> Reporting {
        Reporting { operation: "rollback", release: self.plan.name.clone(), output: self.output.clone() }
    }
}

impl RollbackPlanArgs {
    /// The plan; the release is read from the cluster.
    pub(crate) async fn plan(&self, session: &Session, host: &dyn PluginHost) -> Result<Planned, NotPlanned> {
        self.plan_with(session, host, &no_revision_options(), Duration::ZERO).await
    }

    async fn plan_with(
        &self,
        session: &Session,
        host: &dyn PluginHost,
        options: &RevisionOptions,
        patience: Duration,
    ) -> Result<Planned, NotPlanned> {
        planning::check_names(&self.name, Some(&session.namespace))?;
        let planner = Planner {
            name: &self.name,
            namespace: &session.namespace,
            options: self.wait.with(self.flags.options()),
            host,
            patience,
        };
        let history = planner.history(session).await?;
        let to = (self.revision > 0).then_some(self.revision);
        planning::rollback(&planner, &history, to, options).await
    }
}

pub(crate) async fn run(args: RollbackArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    planning::check_names(&args.plan.name, global.namespace.as_deref())?;
    let length = args.description.as_ref().map_or(0, |text| text.chars().count());
    if length > LONGEST_DESCRIPTION {
        let message = format!("description must be {LONGEST_DESCRIPTION} characters or less, got {length}");
        return Err(CliError::new(USAGE, message));
    }
    let options = RevisionOptions {
        server_side: args.server_side.into(),
        history_max: args.history.history_max,
        description: args.description.clone(),
        cleanup_on_fail: args.cleanup_on_fail,
        ..no_revision_options()
    };
    let session = wiring::session(global).await?;
    let host = wiring::host(&args.plan.plugins, &session.api_servers);
    let planned = args.plan.plan_with(&session, host.as_ref(), &options, args.lock.patience()).await;
    let choices = Choices {
        force_conflicts: args.force_conflicts,
        wait_for_lock: args.lock.patience(),
        dry_run: args.dry_run.dry_run,
        ..Choices::default()
    };
    running::carry_out(planned, session, host, choices, &args.output, printer).await
}
