//! `boathook plugin`: which plugins there are, what one says of itself, and one run of one.

mod inspect;
mod list;
mod run;

use clap::{Args, Subcommand};

use crate::error::CliError;
use crate::global::GlobalArgs;
use crate::output::Printer;

/// Plugins: list, inspect, run
#[derive(Args)]
pub(crate) struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Subcommand)]
enum PluginCommand {
    List(list::ListArgs),
    Inspect(inspect::InspectArgs),
    Run(run::RunArgs),
}

pub(crate) async fn run(args: PluginArgs, global: &GlobalArgs, printer: &Printer) -> Result<u8, CliError> {
    match args.command {
        PluginCommand::List(args) => list::run(args, printer).await,
        PluginCommand::Inspect(args) => inspect::run(args, printer).await,
        PluginCommand::Run(args) => run::run(args, global, printer).await,
    }
}
