//! `boathook list`: the releases of a namespace, or of all.

use boathook_core::release::Status;
use boathook_engine::release_store::{ReleaseStore, Stored};
use clap::Args;

use super::warn_unreadable;
use crate::error::CliError;
use crate::global::GlobalArgs;
use crate::output::{Format, Printer, release};
use crate::wiring;

/// List releases, also those that Helm made
#[derive(Args)]
#[command(
    alias = "ls",
    after_help = "Examples:
  boathook list -n prod
  boathook list --all-namespaces -o json"
)]
pub(crate) struct ListArgs {
    /// Of every namespace
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Also releases that were uninstalled with their history kept
    #[arg(short, long)]
    all: bool,
    /// Format
    #[arg(short, long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output: Format,
}

pub(crate) async fn run(args: ListArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    let session = wiring::session(global).await?;
    let namespace = (!args.all_namespaces).then_some(session.namespace.as_str());
    let listing = ReleaseStore::new(session.cluster.as_ref()).list(namespace).await?;
    warn_unreadable(&listing, printer);
    let releases = newest(listing.releases, args.all);
    match args.output {
        Format::Text => printer.result(&release::list(&releases)),
        Format::Json => printer.json(&release::list_json(&releases))?,
    }
    session.close().await?;
    Ok(0)
}

/// The newest revision of each release; the store sorts by namespace, name, revision.
fn newest(stored: Vec<Stored>, all: bool) -> Vec<Stored> {
    let mut releases: Vec<Stored> = Vec::new();
    for next in stored {
        match releases.last_mut() {
            Some(last)
                if last.record.name == next.record.name && last.record.namespace == next.record.namespace =>
            {
                *last = next;
            }
            _ => releases.push(next),
        }
    }
    releases.retain(|stored| all || stored.record.info.status != Status::Uninstalled);
    releases
}
