//! Signals and readers that go away.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::env::TestEnv;

const HANGING: &str = "apiVersion: batch/v1
kind: Job
metadata:
  name: waits
  annotations: {helm.sh/hook: pre-install, embedded.boathook.dev/outcome: hang}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox}]}}}
";

/// Starts an install that waits for ever, sends a signal once its hook runs, and gives exit code and report.
fn interrupt(env: &TestEnv, signal: Signal) -> (Option<i32>, Value) {
    env.write("hooks.yaml", HANGING);
    let mut command =
        env.command(&["install", "web", "hooks.yaml", "--cluster", "embedded:state.json", "-o", "jsonl"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains(r#""type":"step-started""#)), "the hook began");
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
    let report = serde_json::from_str(&lines.last().unwrap()).unwrap();
    (child.wait().unwrap().code(), report)
}

#[test]
fn an_interrupt_ends_the_operation_and_says_so() {
    let env = TestEnv::new();
    let (code, report) = interrupt(&env, Signal::SIGINT);
    assert_eq!(code, Some(130));
    assert_eq!((&report["outcome"], &report["exitCode"]), (&"interrupted".into(), &130.into()), "{report}");
    assert_eq!(report["hooks"][0]["phase"], "Unknown", "its end was not seen");
    let status = env.run(&["status", "web", "--cluster", "embedded:state.json"]).ok();
    assert!(status.stdout.contains("STATUS: failed"), "{status}");
}

#[test]
fn a_termination_has_its_own_exit_code() {
    let (code, report) = interrupt(&TestEnv::new(), Signal::SIGTERM);
    assert_eq!((code, &report["exitCode"]), (Some(143), &143.into()));
}

#[test]
fn a_reader_that_went_away_is_no_panic() {
    let env = TestEnv::new();
    for args in [
        &["--help"][..],
        &["plugin", "list"],
        &["completion", "bash"],
        &["plan", "install", "web", "ordering"],
    ] {
        env.example("ordering", 8642);
        let mut child = env.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!stderr.contains("panicked"), "{args:?}: {stderr}");
        assert!(output.status.code().is_some(), "{args:?} was killed");
    }
}
