//! `boathook history`: the revisions of a release.

use boathook_engine::release_store::ReleaseStore;
use clap::Args;

use super::{no_release, warn_unreadable};
use crate::error::CliError;
use crate::global::GlobalArgs;
use crate::output::{Format, Printer, release};
use crate::wiring;

/// List the revisions of a release, oldest first
#[derive(Args)]
#[command(after_help = "Example:
  boathook history web -n prod")]
pub(crate) struct HistoryArgs {
    /// The release
    #[arg(value_name = "NAME")]
    name: String,
    /// At most so many of the newest revisions
    #[arg(long, value_name = "NUMBER", default_value_t = 256)]
    max: usize,
    /// Show which revision a rollback went back to
    #[arg(long)]
    show_rollback_revision: bool,
    /// Format
    #[arg(short, long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output: Format,
}

pub(crate) async fn run(args: HistoryArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    let session = wiring::session(global).await?;
    let listing = ReleaseStore::new(session.cluster.as_ref()).history(&session.namespace, &args.name).await?;
    warn_unreadable(&listing, printer);
    if listing.releases.is_empty() {
        return Err(no_release(&args.name, &session.namespace));
    }
    let newest = &listing.releases[listing.releases.len().saturating_sub(args.max)..];
    match args.output {
        Format::Text => printer.result(&release::history(newest, args.show_rollback_revision)),
        Format::Json => printer.json(&release::history_json(newest))?,
    }
    session.close().await?;
    Ok(0)
}
