//! `boathook get`: what a release consists of, as it is stored.

use boathook_core::release::{HookEntry, Record};
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{carried, find, hooks};
use crate::error::CliError;
use crate::global::GlobalArgs;
use crate::output::{Printer, release};
use crate::wiring;

/// Print parts of a stored release
#[derive(Args)]
#[command(after_help = "Examples:
  boathook get hooks web -n prod            every hook, also those that run as plugins
  boathook get manifest web --revision 2")]
pub(crate) struct GetArgs {
    /// Which part
    #[arg(value_enum, value_name = "PART")]
    part: Part,
    /// The release
    #[arg(value_name = "NAME")]
    name: String,
    /// A revision; the newest if none is named
    #[arg(long, value_name = "NUMBER")]
    revision: Option<u32>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Part {
    /// Hooks of all events
    Hooks,
    /// Ordinary objects
    Manifest,
    /// The user's values
    Values,
    /// What the chart's NOTES.txt said
    Notes,
    /// Everything
    All,
}

pub(crate) async fn run(args: GetArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    let session = wiring::session(global).await?;
    let (history, place) = find(&session, &args.name, args.revision, printer).await?;
    let (record, hooks) = (&history[place].record, hooks(&history, place));
    let text = match args.part {
        Part::Hooks => documents(&hooks),
        Part::Manifest => record.manifest.clone(),
        Part::Values => values(record)?,
        Part::Notes => {
            release::notes(record.info.rest.get("notes").and_then(Value::as_str)).trim_start().to_owned()
        }
        Part::All => format!(
            "{}\nUSER-SUPPLIED VALUES:\n{}\nHOOKS:\n{}MANIFEST:\n{}",
            release::status(record, &hooks, carried(&history, place).as_deref()),
            values(record)?,
            documents(&hooks),
            record.manifest
        ),
    };
    printer.result(&text);
    session.close().await?;
    Ok(0)
}

/// As `helm get hooks` prints them.
fn documents(hooks: &[&HookEntry]) -> String {
    let one = |hook: &&HookEntry| {
        format!("---\n# Source: {}\n{}\n", hook.path, hook.manifest.trim_end_matches('\n'))
    };
    hooks.iter().map(one).collect()
}

/// As JSON, which is YAML too.
fn values(record: &Record) -> Result<String, CliError> {
    let values = record.config.clone().unwrap_or(Value::Null);
    let text =
        serde_json::to_string_pretty(&values).map_err(|error| CliError::internal(error.to_string()))?;
    Ok(text + "\n")
}
