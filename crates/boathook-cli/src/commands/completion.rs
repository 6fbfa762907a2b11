//! `boathook completion`: a script for the shell.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::error::CliError;
use crate::output::Printer;

/// Print a completion script for a shell
#[derive(Args)]
#[command(after_help = "Example:
  source <(boathook completion bash)")]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

pub(crate) fn run(args: CompletionArgs, command: &mut Command, printer: &Printer) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "boathook", &mut script);
    printer.result(&String::from_utf8_lossy(&script));
    Ok(0)
}
