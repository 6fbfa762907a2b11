//! Tasks of the project: `cargo xtask demo | test | plugins | cluster | receiver | bench | tidy`. Plain programs that call cargo; nothing of
//! the product is in here.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a task tells what it does")]

mod bench;
mod cluster;
mod demo;
mod plugins;
mod receiver;
mod tidy;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail};

const HELP: &str = "usage: cargo xtask TASK

  demo       build everything, plugins included, and run the two worked examples on the embedded cluster
  test       build everything, plugins included, and run all tests; those on a real cluster need programs that are made the first
             time (6 minutes on two cores), and are left out where that is not possible
  plugins    build the plugins into target/boathook-plugins
  cluster up|down|status
             start a real Kubernetes API server on this machine for tests and trials, end it, or tell whether it runs
  cluster tools
             make what it and its tests consist of (kube-apiserver and others, Helm 3 and 4, kubectl) and print where it is
  receiver   print every webhook that arrives at http://127.0.0.1:8642/ (or --port N) until Ctrl-C
  bench      time the release build beside `true`, and what it makes of charts beside `helm template`
  bench charts
             only the latter
  bench releases
             install, upgrade and uninstall on a real API server beside Helm 3 and 4
  tidy       check what the compiler does not: crates without IO, file sizes, links of the documents";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["demo"] => demo::run(),
        ["test", rest @ ..] => test(rest),
        ["plugins"] => plugins::build(),
        ["cluster", "up"] => cluster::up(),
        ["cluster", "down"] => cluster::down(),
        ["cluster", "status"] => cluster::status(),
        ["cluster", "tools"] => cluster::print_tools(),
        ["receiver"] => receiver::run(receiver::PORT),
        ["receiver", "--port", port] => match port.parse() {
            Ok(port) => receiver::run(port),
            Err(_) => Err(anyhow::anyhow!("--port takes a number")),
        },
        ["bench"] => bench::run(),
        ["bench", "charts"] => bench::run_charts(),
        ["bench", "releases"] => bench::run_releases(),
        ["tidy"] => tidy::run(),
        _ => {
            eprintln!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Everything that is tested: the plugins on the host, then the workspace, whose tests use the built plugins.
fn test(extra: &[&str]) -> Result<()> {
    plugins::build()?;
    plugins::test()?;
    // The program and its plugins are inputs of the tests.
    build_all()?;
    // What cannot be had was told; the tests that need it say so.
    let tools = cluster::tools(&built())?;
    execute(cargo_command(&["test", "--workspace"]).args(extra).envs(tools))
}

/// The program of the test cluster, as [`build_all`] makes it.
fn built() -> PathBuf {
    target().join("debug/boathook-test-cluster")
}

/// Builds the program, and the tests with it. The demo and the tests share this one build: another selection of packages
/// selects other features of the dependencies, and builds wasmtime and kube a second time.
fn build_all() -> Result<()> {
    println!("building boathook and its tests (about ten minutes on two cores the first time)");
    cargo(&["build", "--workspace", "--all-targets"])
}

/// The folder of the workspace.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_path_buf()
}

/// Where cargo builds to.
fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Runs cargo in the workspace.
fn cargo(args: &[&str]) -> Result<()> {
    execute(&mut cargo_command(args))
}

/// Cargo as the user would call it: without the variables that the cargo which runs us has set for us. Build scripts look at
/// them (that of ring does), and all that depends on such a crate would be built anew with every change between the two.
fn cargo_command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(args).current_dir(root());
    for (name, _) in std::env::vars_os() {
        let ours = name.to_str().is_some_and(|name| {
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix))
        });
        if ours {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command and says which one failed.
fn execute(command: &mut Command) -> Result<()> {
    let shown = format!("{command:?}");
    let status = command.status().with_context(|| format!("cannot start {shown}"))?;
    if !status.success() {
        bail!("{shown} failed: {status}");
    }
    Ok(())
}
