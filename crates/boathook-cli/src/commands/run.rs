//! `boathook run`: the hooks of one event, for use around another deployer.

use std::time::Duration;

use boathook_core::HookEvent;
use clap::Args;

use super::event;
use crate::error::CliError;
use crate::flags::DryRunFlags;
use crate::global::GlobalArgs;
use crate::input::{Charts, SourceArgs};
use crate::output::Printer;
use crate::planning::{self, PlanFlags, Planner};
use crate::running::{self, Choices, OutputFlags, Reporting};
use crate::wiring::{self, PluginDirArgs};

/// Run only the hooks of one event. Nothing is recorded as a release
#[derive(Args)]
#[command(after_help = "Example, around an existing pipeline:
  boathook run pre-upgrade web ./chart -n prod
  helm upgrade web ./chart -n prod --no-hooks
  boathook run post-upgrade web ./chart -n prod")]
pub(crate) struct RunArgs {
    /// The event: pre-install, post-install, pre-upgrade, post-upgrade, pre-rollback, post-rollback, pre-delete,
    /// post-delete or test
    #[arg(value_name = "EVENT", value_parser = event)]
    event: HookEvent,
    /// The release
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    flags: PlanFlags,
    #[command(flatten)]
    plugins: PluginDirArgs,
    #[command(flatten)]
    dry_run: DryRunFlags,
    #[command(flatten)]
    output: OutputFlags,
}

impl RunArgs {
    /// What its report says of it.
    pub(crate) fn reporting(&self) -> Reporting {
        Reporting { operation: "run", release: self.name.clone(), output: self.output.clone() }
    }
}

pub(crate) async fn run(args: RunArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    let RunArgs { event, name, source, flags, plugins, dry_run, output } = args;
    planning::check_names(&name, global.namespace.as_deref())?;
    let session = wiring::session(global).await?;
    let host = wiring::host(&plugins, &session.api_servers);
    let charts = Charts::on(&session, &host, printer);
    let planned = {
        let (namespace, options) = (&session.namespace, flags.options());
        // It belongs to somebody else's operation: it has no lease, and waits for none.
        let patience = Duration::ZERO;
        let planner = Planner { name: &name, namespace, options, host: host.as_ref(), patience };
        planning::run(&planner, event, &source, &charts).await
    };
    let choices = Choices { dry_run: dry_run.dry_run, ..Choices::default() };
    running::carry_out(planned, session, host, choices, &output, printer).await
}
