//! The built program as its users meet it: arguments in; stdout, stderr, exit code and files out. Nothing here looks
//! inside. `cargo xtask test` builds the program and its plugins first.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no, also in what tests share")]

mod cases;
mod chart_values;
mod cli_arguments;
mod cli_authorization;
mod cli_bad_manifests;
mod cli_bad_plugins;
mod cli_chart;
mod cli_chart_hostile;
mod cli_chart_plan;
mod cli_chart_sources;
mod cli_clusters;
mod cli_dry_run;
mod cli_examples;
mod cli_hostile;
mod cli_json;
mod cli_life_cycle;
mod cli_plugin;
mod cli_recovery;
mod cli_serve;
mod cli_signals;
mod cli_wait;
mod reference;

pub(crate) use boathook_tests::{env, every_kill, killer, receiver, snapshot};
