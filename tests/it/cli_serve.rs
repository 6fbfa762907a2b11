//! `boathook embedded serve`, looked at with the real kubectl.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::env::{Run, TestEnv, tool};

struct Served {
    env: TestEnv,
    server: Child,
    kubectl: PathBuf,
}

impl Served {
    fn start(kubectl: PathBuf) -> Self {
        let env = TestEnv::new();
        let mut command =
            env.command(&["embedded", "serve", "--state", "state.json", "--kubeconfig-out", "kubeconfig"]);
        let mut server = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("Serving the embedded Kubernetes API on http://127.0.0.1:"), "{line}");
        Self { env, server, kubectl }
    }

    fn kubectl(&self, args: &[&str]) -> Run {
        let args = [&["--kubeconfig", "kubeconfig", "--request-timeout", "20s"][..], args].concat();
        let output = self.env.prepare(Command::new(&self.kubectl), &args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Ends the server as Ctrl-C does.
    fn stop(mut self) -> TestEnv {
        kill(Pid::from_raw(i32::try_from(self.server.id()).unwrap()), Signal::SIGINT).unwrap();
        assert_eq!(self.server.wait().unwrap().code(), Some(0));
        self.env
    }
}

#[test]
fn kubectl_creates_reads_applies_watches_and_deletes() {
    let Some(kubectl) = tool("kubectl") else { return };
    let served = Served::start(kubectl);
    let created = served.kubectl(&["create", "configmap", "a", "--from-literal=k=v"]).ok();
    assert_eq!(created.stdout, "configmap/a created\n");
    let table = served.kubectl(&["get", "configmaps"]).ok();
    assert!(table.stdout.starts_with("NAME"), "{table}");
    assert!(table.stdout.lines().any(|line| line.starts_with("a ") && line.contains(" 1 ")), "{table}");

    served.env.write("b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {k: one}\n");
    assert_eq!(served.kubectl(&["apply", "-f", "b.yaml"]).ok().stdout, "configmap/b created\n");
    served.env.write("b.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {k: two}\n");
    assert_eq!(served.kubectl(&["apply", "-f", "b.yaml"]).ok().stdout, "configmap/b configured\n");
    assert_eq!(served.kubectl(&["get", "configmap", "b", "-o", "jsonpath={.data.k}"]).ok().stdout, "two");

    let mut watch = Command::new(&served.kubectl);
    let args = ["--kubeconfig", "kubeconfig", "get", "configmaps", "--watch", "--output-watch-events"];
    watch = served.env.prepare(watch, &args);
    let mut watch = watch.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("ADDED") && line.contains(" b ")), "what is there comes first");
    let deleted = served.kubectl(&["delete", "configmap", "b"]).ok();
    assert!(deleted.stdout.starts_with("configmap \"b\" deleted"), "{deleted}");
    assert!(lines.any(|line| line.starts_with("DELETED") && line.contains(" b ")), "the deletion is seen");
    watch.kill().unwrap();
    watch.wait().unwrap();

    let gone = served.kubectl(&["get", "configmap", "b"]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.stderr.contains("configmaps \"b\" not found"), "{gone}");
    let env = served.stop();
    let state = std::fs::read_to_string(env.path("state.json")).unwrap();
    assert!(state.contains(r#""k":"v""#), "the state was kept");
}

#[test]
fn an_install_is_seen_by_kubectl_and_the_other_way_round() {
    let Some(kubectl) = tool("kubectl") else { return };
    let served = Served::start(kubectl);
    served.env.example("ordering", 8642);
    // Over HTTP, as with any cluster: `--cluster kube` and the kubeconfig that was written.
    served.env.run(&["install", "web", "ordering", "--kubeconfig", "kubeconfig"]).ok();
    let jobs = served.kubectl(&["get", "jobs"]).ok();
    assert!(jobs.stdout.lines().any(|line| line.starts_with("a ") && line.contains("Complete")), "{jobs}");
    let record = served.kubectl(&[
        "get",
        "secret",
        "sh.helm.release.v1.web.v1",
        "-o",
        "jsonpath={.metadata.labels.status}",
    ]);
    assert_eq!(record.ok().stdout, "deployed");
    served.kubectl(&["delete", "secret", "sh.helm.release.v1.web.v1"]).ok();
    assert_eq!(served.env.run(&["status", "web", "--kubeconfig", "kubeconfig"]).code, Some(1));
    served.stop();
}
