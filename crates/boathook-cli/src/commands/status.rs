//! `boathook status`: one release, with its hooks.

use clap::Args;

use super::{carried, find, hooks};
use crate::error::CliError;
use crate::global::GlobalArgs;
use crate::output::{Format, Printer, release};
use crate::wiring;

/// Show a release and how each of its hooks ended. Also of releases that Helm made
#[derive(Args)]
#[command(after_help = "Examples:
  boathook status web -n prod
  boathook status web --revision 2 -o json")]
pub(crate) struct StatusArgs {
    /// The release
    #[arg(value_name = "NAME")]
    name: String,
    /// A revision; the newest if none is named
    #[arg(long, value_name = "NUMBER")]
    revision: Option<u32>,
    /// Format
    #[arg(short, long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output: Format,
}

pub(crate) async fn run(args: StatusArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    let session = wiring::session(global).await?;
    let (history, place) = find(&session, &args.name, args.revision, printer).await?;
    let (record, hooks) = (&history[place].record, hooks(&history, place));
    match args.output {
        Format::Text => {
            let carried = carried(&history, place);
            printer.result(&release::status(record, &hooks, carried.as_deref()));
        }
        Format::Json => printer.json(&release::status_json(record, &hooks))?,
    }
    session.close().await?;
    Ok(0)
}
