//! Builds the first-party plugins: each folder of plugins/ says in its plugin.toml how. A missing toolchain is an error that
//! says what to do, never a silent skip.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{execute, root};

const TARGET: &str = "wasm32-wasip2";
/// The largest plugin that may go into the program, bytes.
const MAX_SIZE: usize = 250_000;

/// `plugin.toml`.
struct Manifest {
    name: String,
    build: String,
    declare: String,
    output: String,
}

/// Builds all plugins into target/boathook-plugins/NAME.wasm, with their declarations.
pub(crate) fn build() -> Result<()> {
    ensure_target()?;
    let out = root().join("target/boathook-plugins");
    std::fs::create_dir_all(&out)?;
    for folder in folders()? {
        let manifest = Manifest::read(&folder)?;
        println!("building plugin {}", manifest.name);
        execute(&mut command(&manifest.build, &folder)?)?;
        let path = build_folder().join(&manifest.output);
        let component = std::fs::read(&path).with_context(|| format!("{} was not built", path.display()))?;
        let component = boathook_sdk::declaration::append(component, &declaration(&manifest, &folder)?);
        if component.len() > MAX_SIZE {
            bail!("plugin {} has {} bytes, more than {MAX_SIZE}", manifest.name, component.len());
        }
        let file = out.join(format!("{}.wasm", manifest.name));
        // Left alone if it is the same: the program is not linked again then.
        if std::fs::read(&file).ok().as_deref() != Some(component.as_slice()) {
            std::fs::write(&file, &component)?;
        }
    }
    Ok(())
}

/// Runs the plugins' own tests, on the host.
pub(crate) fn test() -> Result<()> {
    for folder in folders()? {
        execute(&mut command("cargo test --quiet", &folder)?)?;
    }
    Ok(())
}

fn folders() -> Result<Vec<PathBuf>> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(root().join("plugins"))?.flatten().map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("plugin.toml").is_file());
    folders.sort();
    Ok(folders)
}

/// All plugins share one folder of build results.
fn build_folder() -> PathBuf {
    root().join("target/plugins")
}

/// A command line of plugin.toml, in the plugin's folder. `cargo` is the one that runs this task.
fn command(line: &str, folder: &Path) -> Result<Command> {
    let mut words = line.split_whitespace();
    let program = words.next().context("an empty command in plugin.toml")?;
    let mut command = Command::new(if program == "cargo" { env!("CARGO") } else { program });
    command.args(words).current_dir(folder).env("CARGO_TARGET_DIR", build_folder());
    Ok(command)
}

fn declaration(manifest: &Manifest, folder: &Path) -> Result<Value> {
    let output = command(&manifest.declare, folder)?.output()?;
    if !output.status.success() {
        bail!(
            "{} of plugin {}: {}",
            manifest.declare,
            manifest.name,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("the declaration of plugin {}", manifest.name))
}

impl Manifest {
    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("plugin.toml");
        let text = std::fs::read_to_string(&path)?;
        let table: toml::Table = text.parse().with_context(|| path.display().to_string())?;
        let field = |name: &str| match table.get(name).and_then(toml::Value::as_str) {
            Some(value) => Ok(value.to_owned()),
            None => bail!("{}: no {name}", path.display()),
        };
        Ok(Self {
            name: field("name")?,
            build: field("build")?,
            declare: field("declare")?,
            output: field("output")?,
        })
    }
}

/// rustup adds the target of rust-toolchain.toml by itself only where RUSTUP_AUTO_INSTALL is not 0.
fn ensure_target() -> Result<()> {
    let sysroot =
        Command::new("rustc").args(["--print", "sysroot"]).current_dir(root()).output().context("rustc")?;
    let sysroot = PathBuf::from(String::from_utf8(sysroot.stdout)?.trim());
    if sysroot.join("lib/rustlib").join(TARGET).is_dir() {
        return Ok(());
    }
    println!("the target {TARGET} is missing: running `rustup target add {TARGET}`");
    execute(Command::new("rustup").args(["target", "add", TARGET]).current_dir(root())).with_context(|| {
        format!("plugins need the target {TARGET}; without rustup install it for your rustc")
    })
}
