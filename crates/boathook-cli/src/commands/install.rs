//! `boathook install`: hooks, objects, hooks, recorded as Helm records a release.

use std::path::PathBuf;
use std::time::Duration;

use boathook_core::plan::RevisionOptions;
use boathook_engine::plugin_host::PluginHost;
use boathook_engine::release_store::Listing;
use clap::Args;

use super::plan::{self, OutArgs};
use crate::error::CliError;
use crate::flags::{
    DryRunArg, DryRunFlags, LockFlags, RecordFlags, ServerSideArg, WaitFlags, no_revision_options,
};
use crate::global::GlobalArgs;
use crate::input::{CapabilityArgs, Charts, SourceArgs};
use crate::output::Printer;
use crate::planning::file::{self, Command, PlanFile};
use crate::planning::{self, InstallChoices, Material, NotPlanned, PlanFlags, Planned, Planner};
use crate::running::{self, Choices, OutputFlags, Reporting};
use crate::wiring::{self, PluginDirArgs};

/// Install a release: crds/, pre-install hooks, the objects, post-install hooks. Recorded as Helm does it
#[derive(Args)]
#[command(mut_args(file::or_plan))]
#[command(after_help = "Examples:
  boathook install web ./manifests -n prod --create-namespace
  boathook install web ./manifests --cluster embedded:state.json     without a cluster
  boathook install web ./chart -f values.yaml --rollback-on-failure  uninstalled again if it fails
  boathook install web ./chart --wait --timeout 2m                   until its objects are ready
  boathook install web ./chart --dry-run=server                      what would change, field by field
  boathook install web hooks.yaml -o jsonl                           run events as they happen, then the report
  boathook install --plan web.plan                                   what was planned with --out

A second install of the same name is refused, as Helm refuses it: `boathook upgrade --install` does either.")]
pub(crate) struct InstallArgs {
    #[command(flatten)]
    plan: InstallPlanArgs,
    /// Carry out what `boathook plan install --out FILE` wrote: exactly what was rendered and shown then, and nothing at all
    /// if the release was changed since
    #[arg(
        id = "plan",
        long,
        value_name = "FILE",
        conflicts_with_all = file::PLANNED.into_iter().chain(["replace"])
    )]
    from: Option<PathBuf>,
    #[command(flatten)]
    record: RecordFlags,
    /// Use the name of a release that was uninstalled with its history kept, or that failed
    #[arg(long)]
    replace: bool,
    /// Create the release's namespace if it does not exist
    #[arg(long)]
    create_namespace: bool,
    /// Take over objects that belong to no release or to another one
    #[arg(long)]
    take_ownership: bool,
    /// Apply objects on the server; =false creates and patches them as Helm 3 does it
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    server_side: bool,
    /// Take fields of adopted objects from other field managers
    #[arg(long)]
    force_conflicts: bool,
    /// Uninstall the release if the install fails; objects are waited for (--wait=watcher), unless --wait says legacy
    #[arg(long, alias = "atomic")]
    rollback_on_failure: bool,
    #[command(flatten)]
    lock: LockFlags,
    #[command(flatten)]
    dry_run: DryRunFlags,
    #[command(flatten)]
    output: OutputFlags,
}

/// What the plan of an install depends on.
#[derive(Args)]
pub(crate) struct InstallPlanArgs {
    /// The release
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    flags: PlanFlags,
    #[command(flatten)]
    wait: WaitFlags,
    /// Leave the chart's crds/ alone: else definitions that are not there are created first
    #[arg(long)]
    skip_crds: bool,
    #[command(flatten)]
    pub(crate) plugins: PluginDirArgs,
}

impl InstallArgs {
    /// What its report says of it.
    pub(crate) fn reporting(&self) -> Reporting {
        Reporting { operation: "install", release: self.plan.name.clone(), output: self.output.clone() }
    }
}

impl InstallPlanArgs {
    /// The plan of a first install, on a history that must be empty.
    pub(crate) async fn plan(
        &self,
        namespace: &str,
        history: &Listing,
        host: &dyn PluginHost,
        charts: &Charts<'_>,
    ) -> Result<Planned, NotPlanned> {
        let choices = self.choices(false, no_revision_options());
        let material = Material::Source(&self.source, charts);
        planning::install(&self.planner(namespace, host), history, material, &choices).await
    }

    /// What is to be kept of that plan.
    pub(crate) fn file(&self, planned: &Planned, history: &Listing) -> PlanFile {
        let options = self.wait.with(self.flags.options());
        PlanFile::new(Command::Install, planned, history, options, self.skip_crds)
    }

    fn choices(&self, replace: bool, revision: RevisionOptions) -> InstallChoices {
        InstallChoices { skip_crds: self.skip_crds, replace, revision }
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
}

pub(crate) async fn run(args: InstallArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    let (file, global) = PlanFile::given(args.from.as_deref(), Command::Install, &args.plan.name, global)?;
    let server_side = if args.server_side { ServerSideArg::True } else { ServerSideArg::False };
    let revision = RevisionOptions {
        labels: args.record.labels()?,
        server_side: server_side.into(),
        description: args.record.description.clone(),
        rollback_on_failure: args.rollback_on_failure,
        ..no_revision_options()
    };
    if args.dry_run.dry_run == DryRunArg::Client && file.is_none() {
        let (out, capabilities) = (OutArgs::default(), CapabilityArgs::default());
        let output = args.output.output.into();
        return plan::without_cluster(&args.plan, &out, capabilities, output, &global, printer).await;
    }
    let session = wiring::session(&global).await?;
    let host = wiring::host(&args.plan.plugins, &session.api_servers);
    let planned = if let Some(file) = file {
        file.planned(&session, host.as_ref(), revision).await
    } else {
        let charts = Charts::on(&session, &host, printer);
        let planner = Planner {
            patience: args.lock.patience(),
            ..args.plan.planner(&session.namespace, host.as_ref())
        };
        let history = planner.history(&session).await?;
        let choices = args.plan.choices(args.replace, revision);
        planning::install(&planner, &history, Material::Source(&args.plan.source, &charts), &choices).await
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
