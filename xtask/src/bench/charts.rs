//! `boathook template` beside `helm template` of the version whose engine is built in: processor time and memory, interleaved,
//! as medians. The charts are made here: as small as a first one, 200 kB of output, and 3.5 MB.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::median;
use crate::{cargo, cluster, root, target};

const RUNS: usize = 21;

/// A chart, by how much it renders.
struct Size {
    name: &'static str,
    templates: usize,
    /// Deployments of each template.
    documents: usize,
}

const SIZES: [Size; 3] = [
    Size { name: "small", templates: 1, documents: 2 },
    Size { name: "200 kB", templates: 20, documents: 12 },
    Size { name: "3.5 MB", templates: 100, documents: 42 },
];

/// What one process used.
struct Used {
    kib: f64,
    millis: f64,
}

pub(super) fn run(boathook: &Path, folder: &Path) -> Result<()> {
    cargo(&["build", "--quiet", "--package", "boathook-tests", "--bin", "measure"])?;
    let packed = root().join("target/boathook-plugins/chart-engine.wasm.gz");
    let Ok(packed) = packed.metadata() else {
        println!("charts: not measured, the program was built without the chart engine (it needs Go)");
        return Ok(());
    };
    println!("chart engine, compressed in the program: {:.2} MB", packed.len() as f64 / 1e6);
    let bench = Bench { measure: target().join("debug/measure"), folder: folder.to_path_buf() };
    bench.chart(&SIZES[0])?;
    let cold = bench.once(boathook, &SIZES[0], &folder.join("cold"))?;
    std::fs::remove_dir_all(folder.join("cold"))?;
    println!("first compile of the engine: {:.1} CPU-s, {:.0} MiB", cold.millis / 1e3, cold.kib / 1024.0);
    let helm = helm()?;
    for size in &SIZES {
        bench.chart(size)?;
        bench.compare(size, boathook, helm.as_deref())?;
    }
    Ok(())
}

/// Helm of the engine's version.
fn helm() -> Result<Option<PathBuf>> {
    cargo(&["build", "--quiet", "--package", "boathook-test-cluster"])?;
    let tools = cluster::tools(&crate::built())?;
    let helm =
        tools.into_iter().find(|(name, _)| name == "BOATHOOK_HELM").map(|(_, path)| PathBuf::from(path));
    if helm.is_none() {
        println!("charts: without helm beside it, which could not be made");
    }
    Ok(helm)
}

struct Bench {
    measure: PathBuf,
    folder: PathBuf,
}

impl Bench {
    /// Runs both programs in turn.
    fn compare(&self, size: &Size, boathook: &Path, helm: Option<&Path>) -> Result<()> {
        let cache = self.folder.join("cache");
        let rendered = self.template(size, &cache, Command::new(boathook)).output()?;
        let (mut ours, mut theirs, mut memory) = (Vec::new(), Vec::new(), 0_f64);
        for _ in 0..RUNS {
            let used = self.once(boathook, size, &cache)?;
            ours.push(used.millis);
            memory = memory.max(used.kib);
            if let Some(helm) = helm {
                theirs.push(self.once(helm, size, &cache)?.millis);
            }
        }
        let ours = median(ours);
        let beside = match theirs.is_empty() {
            true => String::new(),
            false => {
                let theirs = median(theirs);
                format!("; helm: {theirs:.0} ms; ratio {:.2}", ours / theirs)
            }
        };
        println!(
            "template of a chart, {} ({} bytes of output): {ours:.0} ms of CPU, {:.0} MiB{beside} (medians of {RUNS})",
            size.name,
            rendered.stdout.len(),
            memory / 1024.0
        );
        Ok(())
    }

    /// Has a command render a chart.
    fn template(&self, size: &Size, cache: &Path, mut command: Command) -> Command {
        command.args(["template", "web"]).arg(self.folder.join(size.name)).stdin(Stdio::null());
        command.env("XDG_CACHE_HOME", cache).env_remove("BOATHOOK_HELM");
        command
    }

    fn once(&self, program: &Path, size: &Size, cache: &Path) -> Result<Used> {
        let used = self.folder.join("used");
        let mut command = Command::new(&self.measure);
        command.arg(&used).arg(program);
        let status = self.template(size, cache, command).stdout(Stdio::null()).status()?;
        ensure!(status.success(), "{} template: {status}", program.display());
        let text = std::fs::read_to_string(used)?;
        let (kib, millis) = text.split_once(' ').context("what measure writes")?;
        Ok(Used { kib: kib.parse()?, millis: millis.parse()? })
    }

    /// Writes a chart.
    fn chart(&self, size: &Size) -> Result<()> {
        let folder = self.folder.join(size.name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(folder.join("templates"))?;
        std::fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: web\nversion: 1.2.3\n")?;
        std::fs::write(folder.join("values.yaml"), VALUES)?;
        std::fs::write(folder.join("templates/_helpers.tpl"), HELPERS)?;
        for template in 0..size.templates {
            let mut text = String::new();
            for document in 0..size.documents {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "---{}", DEPLOYMENT.replace("@", &format!("{template}-{document}")));
            }
            std::fs::write(folder.join(format!("templates/part-{template}.yaml")), text)?;
        }
        Ok(())
    }
}

const VALUES: &str = "image: {repository: registry.example.com/web, tag: 1.2.3}
replicas: 2
resources:
  limits: {cpu: 500m, memory: 128Mi}
  requests: {cpu: 100m, memory: 64Mi}
env: {LOG_LEVEL: info, LISTEN: '0.0.0.0:8080', UPSTREAM: 'http://upstream.example.com'}
";

const HELPERS: &str = r#"{{- define "web.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Values.image.tag | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end }}
"#;

const DEPLOYMENT: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-@
  labels:
    {{- include "web.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas | default 1 }}
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ .Chart.Name }}-@
  template:
    metadata:
      labels:
        app.kubernetes.io/name: {{ .Chart.Name }}-@
    spec:
      containers:
      - name: web
        image: "{{ .Values.image.repository }}:{{ .Values.image.tag }}"
        env:
        {{- range $name, $value := .Values.env }}
        - name: {{ $name }}
          value: {{ tpl $value $ | quote }}
        {{- end }}
        {{- with .Values.resources }}
        resources:
          {{- toYaml . | nindent 10 }}
        {{- end }}"#;
