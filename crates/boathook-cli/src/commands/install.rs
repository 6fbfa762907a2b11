//! `boathook install`: hooks, objects, hooks, recorded as Helm records a release.

use std::collections::BTreeMap;

use boathook_core::plan::{Operation, ReleaseRef};
use clap::Args;

use crate::error::CliError;
use crate::global::GlobalArgs;
use crate::input::{Charts, SourceArgs};
use crate::output::Printer;
use crate::planning::{self, PlanFlags};
use crate::running::{self, Choices, OutputFlags};
use crate::wiring::{self, PluginDirArgs};

/// Install a release: pre-install hooks, the objects, post-install hooks. Recorded as Helm does it
#[derive(Args)]
#[command(after_help = "Examples:
  boathook install web ./manifests -n prod --create-namespace
  boathook install web ./manifests --cluster embedded:state.json     without a cluster
  boathook install web hooks.yaml -o jsonl                           run events as they happen, then the report

A second install of the same name is refused, as Helm refuses it.")]
pub(crate) struct InstallArgs {
    /// The release
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    flags: PlanFlags,
    /// Create the release's namespace if it does not exist
    #[arg(long)]
    create_namespace: bool,
    /// Take over objects that belong to no release or to another one
    #[arg(long)]
    take_ownership: bool,
    /// What the release's history says of this revision, instead of "Install complete"
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A label of the release record (repeatable)
    #[arg(short, long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = label)]
    labels: Vec<(String, String)>,
    #[command(flatten)]
    plugins: PluginDirArgs,
    #[command(flatten)]
    output: OutputFlags,
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

pub(crate) async fn run(args: InstallArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    let InstallArgs {
        name,
        source,
        flags,
        create_namespace,
        take_ownership,
        description,
        labels,
        plugins,
        output,
    } = args;
    planning::check_names(&name, global.namespace.as_deref())?;
    let session = wiring::session(global).await?;
    let release = ReleaseRef { name, namespace: session.namespace.clone(), revision: 1 };
    let host = wiring::host(&plugins, &session.api_servers);
    let charts = Charts::on(&session, &host, printer);
    let planned =
        planning::plan(Operation::Install, release, &source, &flags, host.as_ref(), &charts).await?;
    if let Some(code) = running::refuse(&planned, &output, printer)? {
        return Ok(code);
    }
    let labels: BTreeMap<String, String> = labels.into_iter().collect();
    let choices = Choices { create_namespace, take_ownership, dry_run: false, description, labels };
    running::run(planned, session, host, choices, &output, printer).await
}
