//! The life cycle of releases beside Helm 3 and Helm 4 on a real API server: wall time, requests, processor time and memory,
//! interleaved, as medians. The requests are what the server counted meanwhile.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use super::median;
use crate::{built, cargo, cluster, target};

const ROUNDS: usize = 3;
const OBJECTS: usize = 1_000;

/// What one command took.
#[derive(Clone, Copy, Debug)]
struct Taken {
    seconds: f64,
    requests: f64,
    cpu_seconds: f64,
    mebibytes: f64,
}

/// Who is timed.
struct Tool {
    name: &'static str,
    program: PathBuf,
}

pub(super) fn run(boathook: &Path, folder: &Path) -> Result<()> {
    cargo(&["build", "--quiet", "--package", "boathook-tests", "--bin", "measure"])?;
    cargo(&["build", "--quiet", "--package", "boathook-test-cluster"])?;
    let parts = cluster::tools(&built())?;
    let part = |name: &str| {
        let found = parts.iter().find(|(variable, _)| variable == name);
        found.map(|(_, path)| PathBuf::from(path)).with_context(|| format!("{name} could not be made"))
    };
    let tools = [
        Tool { name: "boathook", program: boathook.to_path_buf() },
        Tool { name: "helm 4", program: part("BOATHOOK_HELM")? },
        Tool { name: "helm 3", program: part("BOATHOOK_HELM3")? },
    ];
    cluster::up()?;
    let bench = Bench {
        measure: target().join("debug/measure"),
        kubectl: part("BOATHOOK_KUBECTL")?,
        kubeconfig: target().join("test-cluster/kubeconfig"),
        folder: folder.to_path_buf(),
    };
    let timed = bench.all(&tools);
    cluster::down()?;
    timed
}

struct Bench {
    measure: PathBuf,
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    folder: PathBuf,
}

impl Bench {
    fn all(&self, tools: &[Tool]) -> Result<()> {
        self.chart("many", &config_maps(OBJECTS))?;
        self.chart("one", &config_maps(1))?;
        self.chart("jobs", &(config_maps(1) + &hooks(5, JOB)))?;
        self.chart("plugins", &(config_maps(1) + &hooks(5, PLUGIN)))?;
        let steps: [(&str, &[&str]); 4] = [
            ("install of 1,000 ConfigMaps", &["install", "web", "many"]),
            ("upgrade, nothing changed", &["upgrade", "web", "many"]),
            ("upgrade, 10 changed", &["upgrade", "web", "many", "--set", "word=changed"]),
            ("uninstall", &["uninstall", "web"]),
        ];
        self.sequence(tools, &steps)?;
        self.sequence(tools, &[("install of one object", &["install", "web", "one"])])?;
        self.sequence(tools, &[("install with 5 Job hooks", &["install", "web", "jobs"])])?;
        self.sequence(&tools[..1], &[("install with 5 Wasm hooks", &["install", "web", "plugins"])])
    }

    /// Runs the steps with every tool in turn, each time in a namespace of its own.
    fn sequence(&self, tools: &[Tool], steps: &[(&str, &[&str])]) -> Result<()> {
        let mut taken = vec![Vec::new(); tools.len() * steps.len()];
        for round in 0..ROUNDS {
            for (place, tool) in tools.iter().enumerate() {
                let namespace = format!("bench-{}-{place}-{round}", std::process::id());
                self.kubectl(&["create", "namespace", &namespace])?;
                for (number, (_, args)) in steps.iter().enumerate() {
                    taken[number * tools.len() + place].push(self.once(tool, args, &namespace)?);
                }
                self.kubectl(&["delete", "namespace", &namespace])?;
            }
        }
        for (number, (what, _)) in steps.iter().enumerate() {
            let all = &taken[number * tools.len()..(number + 1) * tools.len()];
            for (tool, runs) in tools.iter().zip(all) {
                let of =
                    |figure: fn(&Taken) -> f64, runs: &[Taken]| median(runs.iter().map(figure).collect());
                let seconds = of(|taken| taken.seconds, runs);
                println!(
                    "| {what} | {} | {seconds:.2} s | {:.2} | {:.0} | {:.2} s | {:.0} MiB |",
                    tool.name,
                    of(|taken| taken.seconds, &all[0]) / seconds,
                    of(|taken| taken.requests, runs),
                    of(|taken| taken.cpu_seconds, runs),
                    of(|taken| taken.mebibytes, runs),
                );
            }
        }
        Ok(())
    }

    fn once(&self, tool: &Tool, args: &[&str], namespace: &str) -> Result<Taken> {
        let used = self.folder.join("used");
        let before = self.requests()?;
        let mut command = Command::new(&self.measure);
        command.arg(&used).arg(&tool.program).args(args).args(["--namespace", namespace]);
        command.current_dir(&self.folder).env("KUBECONFIG", &self.kubeconfig).stdin(Stdio::null());
        let began = Instant::now();
        let output = command.output()?;
        let seconds = began.elapsed().as_secs_f64();
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} {args:?}: {}: {errors}", tool.name, output.status);
        // The first look was itself counted by the second.
        let requests = self.requests()? - before - 1.0;
        let text = std::fs::read_to_string(used)?;
        let (kib, millis) = text.split_once(' ').context("what measure writes")?;
        Ok(Taken {
            seconds,
            requests,
            cpu_seconds: millis.parse::<f64>()? / 1e3,
            mebibytes: kib.parse::<f64>()? / 1024.0,
        })
    }

    /// All requests that the server has answered, those of its own controllers and of the node included: a few a second.
    fn requests(&self) -> Result<f64> {
        let metrics = self.kubectl(&["get", "--raw", "/metrics"])?;
        let counted =
            |line: &&str| line.starts_with("apiserver_request_total{") && !line.contains("verb=\"WATCH\"");
        let lines = metrics.lines().filter(counted).filter_map(|line| line.rsplit(' ').next());
        Ok(lines.filter_map(|number| number.parse::<f64>().ok()).sum())
    }

    fn kubectl(&self, args: &[&str]) -> Result<String> {
        let output = Command::new(&self.kubectl).args(args).env("KUBECONFIG", &self.kubeconfig).output()?;
        ensure!(output.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    fn chart(&self, name: &str, template: &str) -> Result<()> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(folder.join("templates"))?;
        std::fs::write(folder.join("Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: 1.2.3\n"))?;
        std::fs::write(folder.join("values.yaml"), "word: first\n")?;
        Ok(std::fs::write(folder.join("templates/all.yaml"), template)?)
    }
}

/// ConfigMaps, ten of which say a word of the values.
fn config_maps(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        let word = if number < 10 { "{{ .Values.word }}" } else { "always" };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c{number}\ndata:\n  a: \"{number}\"\n  b: {word}\n"
        );
    }
    text
}

fn hooks(count: usize, text: &str) -> String {
    (0..count).map(|number| text.replace('@', &number.to_string())).collect()
}

const JOB: &str = "---
apiVersion: batch/v1
kind: Job
metadata:
  name: hook@
  annotations: {helm.sh/hook: pre-install}
spec:
  template:
    spec:
      restartPolicy: Never
      containers:
      - {name: main, image: busybox, command: [\"true\"]}
";

const PLUGIN: &str = "---
apiVersion: boathook.dev/v1alpha1
kind: WasmHook
metadata:
  name: hook@
  annotations: {helm.sh/hook: pre-install}
spec:
  plugin: ensure
  config: {object: {apiVersion: v1, kind: ConfigMap, metadata: {name: made@}, data: {a: b}}}
  permissions:
    kubernetes: [{apiGroups: [\"\"], resources: [configmaps], verbs: [get, create]}]
";
