//! The built program is killed at every request by which one release changes something, and the same command is run again.
//! Whichever API server it talks to, the same must hold then.
#![expect(clippy::unwrap_used, reason = "a panic is how a test says no")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::env::{Run, TestEnv};
use crate::killer::{Death, Killer};
use crate::receiver::Receiver;

/// More changes than any operation of these makes.
const FAR: usize = 80;

/// An API server over plain HTTP, and the namespace to work in.
#[derive(Clone, Copy)]
pub struct Ground<'a> {
    /// Where it is.
    pub server: SocketAddr,
    /// In which the releases are.
    pub namespace: &'a str,
    /// How many releases are worked on at the same time.
    pub at_once: usize,
}

/// Kills an operation at each of its changes, and says at how many: the lease may be renewed in between, so it is not always the
/// same number.
pub fn every_kill(ground: Ground<'_>, operation: &str) -> usize {
    let (next, last) = (AtomicUsize::new(1), AtomicUsize::new(FAR));
    std::thread::scope(|scope| {
        for _ in 0..ground.at_once {
            scope.spawn(|| {
                let worker = Worker::new(ground);
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    if n > last.load(Ordering::SeqCst) {
                        return;
                    }
                    for death in [Death::Before, Death::After] {
                        if !worker.killed_at(operation, death, n) {
                            last.fetch_min(n - 1, Ordering::SeqCst);
                        }
                    }
                }
            });
        }
    });
    let last = last.into_inner();
    assert!(last < FAR, "it never came to its end");
    last
}

struct Worker<'a> {
    ground: Ground<'a>,
    env: TestEnv,
    killer: Killer,
    receiver: Receiver,
}

impl<'a> Worker<'a> {
    fn new(ground: Ground<'a>) -> Self {
        let (env, killer) = (TestEnv::new(), Killer::before(ground.server));
        env.write("kubeconfig", killer.kubeconfig());
        Self { ground, env, killer, receiver: Receiver::start() }
    }

    /// Kills one command, and runs it again; false if it was not killed.
    fn killed_at(&self, operation: &str, death: Death, n: usize) -> bool {
        let name = format!("{operation}-{}-{n}", format!("{death:?}").to_lowercase());
        let place = format!("{operation} killed {} change {n}", format!("{death:?}").to_lowercase());
        let args: &[&str] = match operation {
            "rollback" | "uninstall" => &[operation, &name, "-o", "json"],
            _ => &[operation, &name, "new.yaml", "-o", "json"],
        };
        self.env.write("old.yaml", manifest(&name, "old", self.receiver.port));
        self.env.write("new.yaml", manifest(&name, "new", self.receiver.port));
        self.killer.arm(None);
        for earlier in earlier(operation) {
            self.run(&[&[earlier[0], &name][..], &earlier[1..], &["--no-hooks"]].concat()).ok();
        }
        self.killer.arm(Some((death, n)));
        let mut command = self.env.command(args);
        command.args(["--namespace", self.ground.namespace, "--kubeconfig", "kubeconfig"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.killer.watch(child.id());
        let status = child.wait().unwrap();
        if status.signal().is_none() {
            assert!(status.success(), "{place}: {status}");
            self.told();
            return false;
        }
        self.killer.arm(None);
        let statuses = self.statuses(&name);
        match operation {
            "uninstall" if statuses.is_empty() => {
                // Only the lease is left; whoever comes next gets it.
                self.run(&["install", &name, "old.yaml", "--no-hooks"]).ok();
                self.run(&["uninstall", &name, "--no-hooks"]).ok();
                self.told();
            }
            // Its hooks run again: there is no new revision that could tell which have.
            "uninstall" => {
                let run = self.run(args);
                assert_eq!(run.code, Some(0), "{place}:\n{run}");
                assert!((1..=2).contains(&self.told()), "{place}");
            }
            _ if statuses.len() == revision(operation) && statuses.last().unwrap() == "deployed" => {
                let run = self.run(&["test", &name]);
                assert_eq!(run.code, Some(0), "{place}:\n{run}");
                self.told();
            }
            _ => self.again(args, &place),
        }
        self.ended_well(operation, &name, &place);
        true
    }

    /// The same command: it goes on where the other one was.
    fn again(&self, args: &[&str], place: &str) {
        let run = self.run(args);
        assert_eq!(run.code, Some(0), "{place}:\n{run}");
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(report["outcome"], "succeeded", "{place}: {report}");
        let hooks = report["hooks"].as_array().unwrap();
        for hook in hooks {
            assert_eq!(hook["phase"], "Succeeded", "{place}: {report}");
        }
        let notify = hooks.iter().find(|hook| hook["kind"] == "WasmHook").unwrap();
        let times = self.told();
        // A plugin leaves nothing to be adopted: killed in between it runs once more, and the report says so.
        let attempts = notify["attempts"].as_u64().unwrap();
        assert!(times == 1 || (times, attempts) == (2, 2), "{place}: told {times} times; {report}");
    }

    /// What must hold at the end, wherever the command was killed.
    fn ended_well(&self, operation: &str, name: &str, place: &str) {
        let mut expected = vec!["superseded".to_owned(); revision(operation).saturating_sub(1)];
        expected.extend((operation != "uninstall").then(|| "deployed".to_owned()));
        assert_eq!(self.statuses(name), expected, "{place}");
        assert!(!self.secrets(name).contains("boathook.dev/unfinished"), "{place}");
        let namespace = self.ground.namespace;
        let get = |path: &str| self.get(&format!("/{path}"));
        assert_eq!(
            get(&format!("apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/boathook.{name}")),
            None
        );
        let config = |suffix: &str| get(&format!("api/v1/namespaces/{namespace}/configmaps/{name}-{suffix}"));
        if operation == "uninstall" {
            for suffix in ["both", "new", "old", "passing"] {
                assert_eq!(config(suffix), None, "{place}");
            }
            return;
        }
        assert_eq!(config("both").unwrap()["data"]["is"], "new", "{place}");
        assert!(config("new").is_some() && config("old").is_none(), "{place}");
        assert_eq!(config("passing"), None, "{place}: its policy is hook-succeeded");
        assert!(
            get(&format!("apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.{name}.example.com"))
                .is_some()
        );
        let job = |suffix: &str| get(&format!("apis/batch/v1/namespaces/{namespace}/jobs/{name}-{suffix}"));
        assert!(job("check").is_some() && job("migrate").is_none(), "{place}");
        let asked = self.killer.asked();
        for made in [format!("jobs/{name}-migrate"), format!("jobs/{name}-check")] {
            let times =
                asked.iter().filter(|line| line.starts_with("PATCH") && line.ends_with(&made)).count();
            assert_eq!(times, 1, "{place}: {made} is made once: {asked:#?}");
        }
    }

    fn run(&self, args: &[&str]) -> Run {
        let mut command = self.env.command(args);
        command.args(["--namespace", self.ground.namespace, "--kubeconfig", "kubeconfig"]);
        Run::of(&command.output().unwrap())
    }

    /// How often the plugin did its work.
    fn told(&self) -> usize {
        std::iter::from_fn(|| (!self.receiver.is_empty()).then_some(())).count()
    }

    fn secrets(&self, name: &str) -> String {
        let namespace = self.ground.namespace;
        let selector = format!("owner%3Dhelm%2Cname%3D{name}");
        let path = format!("/api/v1/namespaces/{namespace}/secrets?labelSelector={selector}");
        self.get(&path).unwrap().to_string()
    }

    /// Of each revision, the first first.
    fn statuses(&self, name: &str) -> Vec<String> {
        let list: Value = serde_json::from_str(&self.secrets(name)).unwrap();
        let labels = list["items"].as_array().unwrap().iter().map(|secret| &secret["metadata"]["labels"]);
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let mut found: Vec<(u32, String)> = labels
            .map(|labels| (text(&labels["version"]).parse().unwrap(), text(&labels["status"])))
            .collect();
        found.sort();
        found.into_iter().map(|(_, status)| status).collect()
    }

    /// What is at a path of the API.
    fn get(&self, path: &str) -> Option<Value> {
        let mut stream = TcpStream::connect(self.ground.server).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.0\r\nhost: {}\r\naccept: application/json\r\n\r\n",
            self.ground.server
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        match head.split(' ').nth(1) {
            Some("200") => Some(serde_json::from_str(body).unwrap()),
            Some("404") => None,
            _ => panic!("{path}: {answer}"),
        }
    }
}

/// What comes before it.
fn earlier(operation: &str) -> &'static [&'static [&'static str]] {
    match operation {
        "upgrade" => &[&["install", "old.yaml"]],
        "rollback" => &[&["install", "new.yaml"], &["upgrade", "old.yaml"]],
        "uninstall" => &[&["install", "new.yaml"]],
        _ => &[],
    }
}

/// The revision that an operation makes.
fn revision(operation: &str) -> usize {
    if operation == "uninstall" { 0 } else { earlier(operation).len() + 1 }
}

/// A mixed release: a Job that goes, a plugin, objects and a definition, an object that goes, a Job that stays.
fn manifest(name: &str, is: &str, port: u16) -> String {
    let job = |suffix: &str, annotations: &str| {
        format!(
            "apiVersion: batch/v1
kind: Job
metadata: {{name: {name}-{suffix}, annotations: {{{annotations}}}}}
spec: {{template: {{spec: {{restartPolicy: Never, containers: [{{name: main, image: busybox, command: ['true']}}]}}}}}}
---
"
        )
    };
    let migrate = job(
        "migrate",
        "helm.sh/hook: 'pre-install,pre-upgrade,pre-rollback,pre-delete', helm.sh/hook-weight: '1', helm.sh/hook-delete-policy: hook-succeeded",
    );
    let check = job(
        "check",
        "helm.sh/hook: 'post-install,post-upgrade,post-rollback,post-delete', helm.sh/hook-weight: '2'",
    );
    format!(
        "{migrate}{check}apiVersion: boathook.dev/v1alpha1
kind: WasmHook
metadata: {{name: notify, annotations: {{helm.sh/hook: 'pre-install,pre-upgrade,pre-rollback,pre-delete', helm.sh/hook-weight: '2'}}}}
spec:
  plugin: notify
  config: {{url: 'http://127.0.0.1:{port}/', text: done}}
  permissions: {{http: [{{url: 'http://127.0.0.1:{port}/', methods: [POST], network: loopback}}]}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}-passing
  annotations: {{helm.sh/hook: 'post-install,post-upgrade,post-rollback,post-delete', helm.sh/hook-weight: '1', helm.sh/hook-delete-policy: 'before-hook-creation,hook-succeeded'}}
---
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}-both}}, data: {{is: {is}}}}}
---
{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}-{is}}}}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: things.{name}.example.com}}
spec:
  group: {name}.example.com
  scope: Namespaced
  names: {{plural: things, kind: Thing}}
  versions: [{{name: v1, served: true, storage: true, schema: {{openAPIV3Schema: {{type: object}}}}}}]
"
    )
}
