//! The program `boathook`: arguments in, an exit code out. Everything else is in the modules.

mod cli;
mod commands;
mod error;
mod flags;
mod global;
mod holder;
mod input;
mod output;
mod planning;
mod running;
mod telemetry;
mod wiring;
mod yaml;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(cli::main())
}
