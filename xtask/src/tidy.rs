//! What no compiler checks: which crates may not know IO, how large a file may grow, and that documents link to what exists.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::root;

/// A source file beyond this is two files.
const MAX_LINES: usize = 800;
/// What the pure crate must not have in its tree.
const NOT_IN_CORE: [&str; 6] = ["tokio", "kube", "wasmtime", "hyper", "clap", "indicatif"];
/// Crates and what they must never name (the arrows of the architecture).
const NEVER: [(&str, &[&str]); 4] = [
    ("boathook-core", &NOT_IN_CORE),
    ("boathook-engine", &["kube", "wasmtime", "clap"]),
    ("boathook-wasm", &["kube"]),
    ("boathook-kube", &["wasmtime"]),
];

pub(crate) fn run() -> Result<()> {
    let mut faults = Vec::new();
    for (package, never) in NEVER {
        let tree = dependencies(package)?;
        for name in never {
            if tree.iter().any(|dependency| dependency == name) {
                faults.push(format!("{package} must not depend on {name}"));
            }
        }
    }
    vendored_wit(&mut faults)?;
    for path in tracked()? {
        file(&path, &mut faults)?;
    }
    if faults.is_empty() {
        println!("tidy");
        return Ok(());
    }
    bail!("{} to tidy:\n  {}", faults.len(), faults.join("\n  "))
}

fn dependencies(package: &str) -> Result<Vec<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(root())
        .output()?;
    if !output.status.success() {
        bail!("cargo tree of {package}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

/// wit/deps/wasi-NAME@VERSION/NAME.wit is the file of the wasmtime-wasi crate in use, byte for byte.
fn vendored_wit(faults: &mut Vec<String>) -> Result<()> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("cargo metadata")?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let wasi =
        packages.iter().find(|package| package["name"] == "wasmtime-wasi").context("no wasmtime-wasi")?;
    let manifest = Path::new(wasi["manifest_path"].as_str().unwrap_or_default());
    let theirs = manifest.with_file_name("src").join("p2/wit/deps");
    for folder in std::fs::read_dir(root().join("wit/deps"))? {
        for file in std::fs::read_dir(folder?.path())? {
            let file = file?;
            if std::fs::read(file.path())? != std::fs::read(theirs.join(file.file_name()))? {
                faults.push(format!(
                    "{}: not the file of the wasmtime-wasi crate in use",
                    file.path().display()
                ));
            }
        }
    }
    Ok(())
}

/// Files under version control.
fn tracked() -> Result<Vec<PathBuf>> {
    let output = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output().context("git")?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.split('\0').filter(|path| !path.is_empty()).map(|path| root().join(path)).collect())
}

fn file(path: &Path, faults: &mut Vec<String>) -> Result<()> {
    let shown = path.strip_prefix(root()).unwrap_or(path).display().to_string();
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    if !matches!(extension, "rs" | "md") || !path.exists() {
        return Ok(());
    }
    let text = std::fs::read_to_string(path).with_context(|| shown.clone())?;
    if extension == "rs" {
        let lines = text.lines().count();
        if lines > MAX_LINES {
            faults.push(format!("{shown}: {lines} lines, more than {MAX_LINES}"));
        }
        if shown.contains("/src/") && !text.starts_with("//!") {
            faults.push(format!("{shown}: does not open with what it is for (//!)"));
        }
    } else {
        links(path, &shown, &text, faults);
    }
    if shown == "ARCHITECTURE.md" && text.lines().count() > 200 {
        faults.push("ARCHITECTURE.md: more than 200 lines".to_owned());
    }
    Ok(())
}

/// Relative links must lead somewhere.
fn links(path: &Path, shown: &str, text: &str, faults: &mut Vec<String>) {
    let folder = path.parent().unwrap_or(path);
    for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let target = link.split('#').next().unwrap_or_default();
        let is_relative =
            !target.is_empty() && !target.contains("://") && !target.contains(char::is_whitespace);
        if is_relative && !folder.join(target).exists() {
            faults.push(format!("{shown}: broken link {link}"));
        }
    }
}
