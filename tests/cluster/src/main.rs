//! The developer's side of the test cluster; `cargo xtask cluster` calls it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program tells what it does")]

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use boathook_test_cluster::Cluster;
use boathook_test_cluster::tools::Tool;
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["tools"] => tools(),
        ["serve", folder] => serve(Path::new(folder)),
        _ => {
            eprintln!("usage: boathook-test-cluster tools | serve FOLDER");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("test cluster: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Makes every tool that can be made, and prints variables that name them.
fn tools() -> Result<()> {
    let mut tell = |text: &str| eprintln!("{text}");
    for tool in Tool::ALL {
        match tool.make(&mut tell) {
            Ok(path) => println!("{}={}", tool.variable(), path.display()),
            Err(error) => eprintln!("{tool:?} cannot be had: {error:#}"),
        }
    }
    Ok(())
}

/// Runs a cluster until SIGTERM or SIGINT; says on stdout that it is ready.
fn serve(folder: &Path) -> Result<()> {
    let cluster = Cluster::start_in(folder)?;
    println!("{}", cluster.kubeconfig().display());
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        // A terminal that closes does not end the cluster.
        let _hangup = signal(SignalKind::hangup())?;
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        Ok(())
    })
}
