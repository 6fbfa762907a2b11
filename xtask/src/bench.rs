//! Whole-process benchmarks: the release build of the program beside `true`, interleaved, as medians and ratios. The figures
//! are recorded in docs/performance.md; nothing asserts them.

mod charts;
mod releases;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{cargo, plugins, root, target};

const RUNS: usize = 41;

pub(crate) fn run() -> Result<()> {
    let (boathook, folder) = prepare()?;
    println!("release binary: {:.1} MB", std::fs::metadata(&boathook)?.len() as f64 / 1e6);

    let examples = root().join("examples/first");
    let examples = examples.to_string_lossy().into_owned();
    let hook = ["run", "pre-install", "web", &examples, "--cluster", "embedded", "--quiet"];
    compare("one Wasm hook on the embedded cluster, plugin compiled before", &boathook, &hook, RUNS)?;
    compare("--version", &boathook, &["--version"], RUNS)?;

    let plan = file(&folder, "plan-1000.yaml", &manifests(800, 200))?;
    compare("plan of 1,000 documents, 200 of them hooks", &boathook, &["plan", "install", "web", &plan], 11)?;
    for objects in [1_000, 2_000, 4_000] {
        let source = file(&folder, &format!("install-{objects}.yaml"), &manifests(objects, 0))?;
        let install = ["install", "web", &source, "--cluster", "embedded", "--quiet"];
        compare(&format!("install of {objects} ConfigMaps on the embedded cluster"), &boathook, &install, 5)?;
    }
    charts::run(&boathook, &folder)
}

/// Only the charts.
pub(crate) fn run_charts() -> Result<()> {
    let (boathook, folder) = prepare()?;
    charts::run(&boathook, &folder)
}

/// Only releases on a real API server.
pub(crate) fn run_releases() -> Result<()> {
    let (boathook, folder) = prepare()?;
    releases::run(&boathook, &folder)
}

/// The program, and a folder for what it is given.
fn prepare() -> Result<(PathBuf, PathBuf)> {
    plugins::build()?;
    cargo(&["build", "--release", "--package", "boathook-cli"])?;
    let folder = target().join("bench");
    std::fs::create_dir_all(&folder)?;
    Ok((target().join("release/boathook"), folder))
}

fn manifests(objects: usize, hooks: usize) -> String {
    let mut text = String::new();
    for index in 0..objects + hooks {
        let hook = if index < hooks {
            format!("\n  annotations: {{helm.sh/hook: pre-install, helm.sh/hook-weight: \"{}\"}}", index % 10)
        } else {
            String::new()
        };
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c{index}{hook}\ndata:\n  a: \"{index}\"\n  b: some text\n"
        );
    }
    text
}

fn file(folder: &Path, name: &str, text: &str) -> Result<String> {
    let path = folder.join(name);
    std::fs::write(&path, text)?;
    Ok(path.to_string_lossy().into_owned())
}

/// Runs the command and `true` in turn, and prints the medians and their ratio.
fn compare(what: &str, program: &Path, args: &[&str], runs: usize) -> Result<()> {
    once(program, args)?;
    let (mut ours, mut floor) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        ours.push(once(program, args)?);
        floor.push(once(Path::new("true"), &[])?);
    }
    let (ours, floor) = (median(ours), median(floor));
    println!("{what}: {ours:.2} ms; true: {floor:.2} ms; ratio {:.1} (medians of {runs})", ours / floor);
    Ok(())
}

fn once(program: &Path, args: &[&str]) -> Result<f64> {
    let began = Instant::now();
    let status = Command::new(program).args(args).stdin(Stdio::null()).stdout(Stdio::null()).status()?;
    let took: Duration = began.elapsed();
    if !status.success() {
        bail!("{} {args:?}: {status}", program.display());
    }
    Ok(took.as_secs_f64() * 1e3)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
