//! Commands that are killed, and what the same command makes of it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::env::TestEnv;
use crate::every_kill::{Ground, every_kill};
use crate::killer::{Death, Killer};
use crate::snapshot;

/// The embedded API as a server of its own, killed in the end.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Served {
    fn start(env: &TestEnv) -> Self {
        let mut command = env.command(&["embedded", "serve", "--kubeconfig-out", "kubeconfig"]);
        let mut server = Self(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
        let mut line = String::new();
        BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("Serving"), "{line}");
        server
    }

    /// Where it listens, as the kubeconfig of the test has it.
    fn address(env: &TestEnv) -> SocketAddr {
        let kubeconfig = std::fs::read_to_string(env.path("kubeconfig")).unwrap();
        let address = kubeconfig.split("http://").nth(1).unwrap().lines().next().unwrap();
        address.trim_end_matches(|end: char| !end.is_ascii_digit()).parse().unwrap()
    }

    fn signal(&self, signal: Signal) {
        send(&self.0, signal);
    }
}

fn send(process: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(process.id()).unwrap()), signal).unwrap();
}

fn kills(operation: &str) -> usize {
    let env = TestEnv::new();
    let _served = Served::start(&env);
    let server = Served::address(&env);
    every_kill(Ground { server, namespace: "default", at_once: 3 }, operation)
}

/// The first signal stops the command in order, but the server does not answer any more; the second ends it at once. What it left
/// is taken over without a wait.
#[test]
fn a_second_interrupt_ends_at_once_and_another_plan_takes_the_release_over() {
    let env = TestEnv::new();
    let served = Served::start(&env);
    let hangs = "apiVersion: batch/v1
kind: Job
metadata:
  name: waits
  annotations: {helm.sh/hook: pre-install, embedded.boathook.dev/outcome: hang}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: busybox}]}}}
";
    env.write("hooks.yaml", hangs);
    env.write("a.yaml", "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n");
    let on = ["--kubeconfig", "kubeconfig"];
    let mut command = env.command(&[&["install", "web", "hooks.yaml", "-o", "jsonl"][..], &on].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains(r#""type":"log""#)), "the hook runs");
    served.signal(Signal::SIGSTOP);
    send(&child, Signal::SIGINT);
    assert!(lines.any(|line| line.contains(r#""type":"hook-finished""#)), "the hook is given up");
    send(&child, Signal::SIGINT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(lines.next(), None, "no report: nothing more is written");
    served.signal(Signal::SIGCONT);

    let status = env.run(&[&["status", "web"][..], &on].concat()).ok();
    assert!(status.stdout.contains("STATUS: pending-install"), "{status}");
    let install = env.run(&[&["install", "web", "a.yaml"][..], &on].concat());
    assert_eq!(install.code, Some(1), "{install}");
    assert!(install.stderr.contains("`boathook upgrade --install web` goes on with these"), "{install}");
    env.run(&[&["upgrade", "--install", "web", "a.yaml"][..], &on].concat()).ok();
    snapshot!(env.run(&[&["history", "web"][..], &on].concat()).ok().stdout, @r#"
    REVISION  UPDATED                  STATUS      CHART        APP VERSION  DESCRIPTION
           1  [time]  superseded  hooks-0.0.0               Release "web" failed: not finished by the command that began it
           2  [time]  deployed    a-0.0.0                   Upgrade complete
    "#);
}

/// A chart that renders differently each time would be another plan.
#[test]
fn a_kept_plan_that_was_killed_goes_on() {
    let env = TestEnv::new();
    let _served = Served::start(&env);
    let killer = Killer::before(Served::address(&env));
    env.write("kubeconfig", killer.kubeconfig());
    env.write("chart/Chart.yaml", "{apiVersion: v2, name: chance, version: 1.0.0}\n");
    let chance =
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: chance}, data: {a: {{ randAlphaNum 9 }}}}\n";
    env.write("chart/templates/a.yaml", chance);
    env.run(&["plan", "install", "web", "chart", "--out", "web.plan"]).ok();
    let install = ["install", "--plan", "web.plan", "--kubeconfig", "kubeconfig"];
    // Behind the lease and the record.
    killer.arm(Some((Death::Before, 3)));
    let mut child = env.command(&install).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    killer.watch(child.id());
    assert_eq!(child.wait().unwrap().code(), None);
    killer.arm(None);
    snapshot!(env.run(&install), @r"
    exit 0
    --- stdout
    Release web is deployed in default, revision 1 · [duration]
      1 object: 1 created (ConfigMap/chance)
      note revision 1 was begun before and not finished: this command goes on with it
    ");
    let again = env.run(&install);
    assert_eq!(again.code, Some(5), "{again}");
}

#[test]
fn an_install_killed_at_any_change_ends_well_with_the_same_command() {
    assert!(kills("install") > 20);
}

#[test]
fn an_upgrade_killed_at_any_change_ends_well_with_the_same_command() {
    assert!(kills("upgrade") > 20);
}

/// Without a revision to go back to: the second command must not take the one before the unfinished one for it.
#[test]
fn a_rollback_killed_at_any_change_ends_well_with_the_same_command() {
    assert!(kills("rollback") > 20);
}

#[test]
fn an_uninstall_killed_at_any_change_ends_well_with_the_same_command() {
    assert!(kills("uninstall") > 12);
}
