//! A developer's cluster: a process in the background with its folder in target/test-cluster. What it is, is in tests/cluster.

use std::fs::{File, TryLockError};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::{cargo, execute, target};

/// Starts it unless it runs, and tells how to use it.
pub(crate) fn up() -> Result<()> {
    if running()?.is_none() {
        let program = program()?;
        execute(Command::new(&program).arg("tools").stdout(Stdio::null()))?;
        let folder = folder();
        let errors = folder.with_extension("log");
        let mut serve = Command::new(program);
        serve.arg("serve").arg(&folder).stdin(Stdio::null()).stdout(Stdio::piped());
        // Nothing ties it to this terminal: neither its output nor Ctrl-C.
        serve.stderr(File::create(&errors)?).process_group(0);
        let mut serve = serve.spawn()?;
        let mut ready = String::new();
        BufReader::new(serve.stdout.take().context("its output")?).read_line(&mut ready)?;
        if ready.is_empty() {
            bail!("it did not start ({}): {}", serve.wait()?, std::fs::read_to_string(errors)?.trim());
        }
        std::fs::write(folder.join("pid"), serve.id().to_string())?;
    }
    status()
}

/// Ends it.
pub(crate) fn down() -> Result<()> {
    let Some(pid) = running()? else {
        println!("no cluster runs");
        return Ok(());
    };
    execute(Command::new("kill").arg(&pid))?;
    for _ in 0..100 {
        if running()?.is_none() {
            println!("the cluster has ended; its logs are in {}", folder().join("logs").display());
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    bail!("process {pid} does not end")
}

/// Tells whether it runs, and where everything is.
pub(crate) fn status() -> Result<()> {
    let Some(pid) = running()? else {
        println!("no cluster runs; `cargo xtask cluster up` starts one");
        return Ok(());
    };
    let folder = folder();
    println!("# Kubernetes 1.36.3 with one node, process {pid}; `cargo xtask cluster down` ends it.");
    println!(
        "# kubeconfig.limited is a user that may do nothing yet. Logs and audit log: {}",
        folder.join("logs").display()
    );
    println!("export KUBECONFIG={}", folder.join("kubeconfig").display());
    Ok(())
}

/// Makes the tools and prints where they are, for `eval`.
pub(crate) fn tools() -> Result<()> {
    let output = Command::new(program()?).arg("tools").stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the tools cannot be made: {}", output.status);
    for line in String::from_utf8(output.stdout)?.lines() {
        println!("export {line}");
    }
    Ok(())
}

fn folder() -> PathBuf {
    target().join("test-cluster")
}

fn program() -> Result<PathBuf> {
    cargo(&["build", "--quiet", "--package", "boathook-test-cluster"])?;
    Ok(target().join("debug/boathook-test-cluster"))
}

/// The process that runs the cluster: it holds the lock of the folder.
fn running() -> Result<Option<String>> {
    let Ok(lock) = File::open(folder().join("lock")) else { return Ok(None) };
    match lock.try_lock() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => {
            Ok(Some(std::fs::read_to_string(folder().join("pid")).context("it is just starting")?))
        }
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}
