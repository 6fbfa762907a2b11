//! `boathook upgrade`: from the revision that is deployed to a new one.

use std::path::PathBuf;
use std::time::Duration;

use boathook_core::plan::RevisionOptions;
use boathook_engine::plugin_host::PluginHost;
use boathook_engine::release_store::Listing;
use clap::Args;

use crate::error::CliError;
use crate::flags::{
    DryRunFlags, HistoryFlags, LockFlags, RecordFlags, ServerSideArg, WaitFlags, no_revision_options,
};
use crate::global::GlobalArgs;
use crate::input::{Charts, SourceArgs, ValuesMode};
use crate::output::Printer;
use crate::planning::file::{self, Command, PlanFile};
use crate::planning::{self, Material, NotPlanned, PlanFlags, Planned, Planner, UpgradeChoices};
use crate::running::{self, Choices, OutputFlags, Reporting};
use crate::wiring::{self, PluginDirArgs};

/// Upgrade a release: pre-upgrade hooks, the objects that changed or are new, those that are gone, post-upgrade hooks
#[derive(Args)]
#[command(mut_args(file::or_plan))]
#[command(after_help = "Examples:
  boathook upgrade web ./chart -n prod -f values.yaml
  boathook upgrade --install web ./chart -n prod --create-namespace    installs it if it is not there
  boathook upgrade web ./chart --reuse-values --set image.tag=1.3
  boathook upgrade web ./chart --rollback-on-failure                   back to the last success if it fails
  boathook upgrade --plan web.plan                                     what was planned with --out

Without values of its own an upgrade uses the last ones, as Helm does.")]
pub(crate) struct UpgradeArgs {
    #[command(flatten)]
    plan: UpgradePlanArgs,
    /// Carry out what `boathook plan upgrade --out FILE` wrote: exactly what was rendered and shown then, and nothing at all
    /// if the release was changed since
    #[arg(
        id = "plan",
        long,
        value_name = "FILE",
        conflicts_with_all = file::PLANNED.into_iter().chain(["install", "reset_values", "reuse_values", "reset_then_reuse_values"])
    )]
    from: Option<PathBuf>,
    #[command(flatten)]
    record: RecordFlags,
    #[command(flatten)]
    history: HistoryFlags,
    /// With --install: create the release's namespace if it does not exist
    #[arg(long)]
    create_namespace: bool,
    /// Take over objects that are new to the release and belong to no release or to another one
    #[arg(long)]
    take_ownership: bool,
    /// Where objects are merged
    #[arg(long, value_enum, default_value_t = ServerSideArg::Auto, value_name = "WHERE")]
    server_side: ServerSideArg,
    /// Take fields from other field managers
    #[arg(long)]
    force_conflicts: bool,
    /// Delete the objects that the upgrade created if it fails
    #[arg(long)]
    cleanup_on_fail: bool,
    /// Roll back to the last success if the upgrade fails; objects are waited for (--wait=watcher), unless --wait says legacy
    #[arg(long, alias = "atomic")]
    rollback_on_failure: bool,
    #[command(flatten)]
    lock: LockFlags,
    #[command(flatten)]
    dry_run: DryRunFlags,
    #[command(flatten)]
    output: OutputFlags,
}

/// What the plan of an upgrade depends on.
#[derive(Args)]
pub(crate) struct UpgradePlanArgs {
    /// The release
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    flags: PlanFlags,
    #[command(flatten)]
    wait: WaitFlags,
    /// Install the release if it is not there
    #[arg(short, long)]
    install: bool,
    /// With --install: leave the chart's crds/ alone
    #[arg(long)]
    skip_crds: bool,
    /// Forget the last values: start from the chart's defaults
    #[arg(long)]
    reset_values: bool,
    /// Start from the last values, and from the defaults that the chart had then
    #[arg(long)]
    reuse_values: bool,
    /// Start from the last values, over the chart's new defaults
    #[arg(long)]
    reset_then_reuse_values: bool,
    #[command(flatten)]
    pub(crate) plugins: PluginDirArgs,
}

impl UpgradeArgs {
    /// What its report says of it.
    pub(crate) fn reporting(&self) -> Reporting {
        Reporting { operation: "upgrade", release: self.plan.name.clone(), output: self.output.clone() }
    }
}

impl UpgradePlanArgs {
    /// The plan; the release is read from the cluster.
    pub(crate) async fn plan(
        &self,
        namespace: &str,
        history: &Listing,
        host: &dyn PluginHost,
        charts: &Charts<'_>,
    ) -> Result<Planned, NotPlanned> {
        self.plan_with(&self.planner(namespace, host), history, charts, no_revision_options()).await
    }

    /// What is to be kept of that plan.
    pub(crate) fn file(&self, planned: &Planned, history: &Listing) -> PlanFile {
        let options = self.wait.with(self.flags.options());
        PlanFile::new(Command::Upgrade, planned, history, options, self.skip_crds)
    }

    pub(crate) fn planner<'a>(&'a self, namespace: &'a str, host: &'a dyn PluginHost) -> Planner<'a> {
        Planner {
            name: &self.name,
            namespace,
            options: self.wait.with(self.flags.options()),
            host,
            patience: Duration::ZERO,
        }
    }

    async fn plan_with(
        &self,
        planner: &Planner<'_>,
        history: &Listing,
        charts: &Charts<'_>,
        revision: RevisionOptions,
    ) -> Result<Planned, NotPlanned> {
        planning::check_names(&self.name, Some(planner.namespace))?;
        let choices = UpgradeChoices {
            install: self.install,
            skip_crds: self.skip_crds,
            values: self.values(),
            revision,
        };
        planning::upgrade(planner, history, Material::Source(&self.source, charts), &choices).await
    }

    /// Of several modes the first counts, as with Helm.
    fn values(&self) -> ValuesMode {
        if self.reset_values {
            ValuesMode::Reset
        } else if self.reuse_values {
            ValuesMode::Reuse
        } else if self.reset_then_reuse_values {
            ValuesMode::ResetThenReuse
        } else {
            ValuesMode::LastIfNoneGiven
        }
    }
}

pub(crate) async fn run(args: UpgradeArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    let (file, global) = PlanFile::given(args.from.as_deref(), Command::Upgrade, &args.plan.name, global)?;
    let revision = RevisionOptions {
        labels: args.record.labels()?,
        server_side: args.server_side.into(),
        history_max: args.history.history_max,
        description: args.record.description.clone(),
        cleanup_on_fail: args.cleanup_on_fail,
        rollback_on_failure: args.rollback_on_failure,
        keep_history: false,
    };
    let session = wiring::session(&global).await?;
    let host = wiring::host(&args.plan.plugins, &session.api_servers);
    let planned = if let Some(file) = file {
        file.planned(&session, host.as_ref(), revision).await
    } else {
        let planner = Planner {
            patience: args.lock.patience(),
            ..args.plan.planner(&session.namespace, host.as_ref())
        };
        let history = planner.history(&session).await?;
        args.plan.plan_with(&planner, &history, &Charts::on(&session, &host, printer), revision).await
    };
    let choices = Choices {
        create_namespace: args.create_namespace,
        take_ownership: args.take_ownership,
        force_conflicts: args.force_conflicts,
        wait_for_lock: args.lock.patience(),
        dry_run: args.dry_run.dry_run,
        ..Choices::default()
    };
    running::carry_out(planned, session, host, choices, &args.output, printer).await
}
