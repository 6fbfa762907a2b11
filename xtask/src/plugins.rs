//! Builds the first-party plugins: each folder of plugins/ says in its plugin.toml how. A missing toolchain is an error that
//! says what to do; without Go alone the program is whole all the same, and it is said what will be different.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{execute, root};

const TARGET: &str = "wasm32-wasip2";
/// The largest plugin that may go into the program, bytes.
const MAX_SIZE: usize = 250_000;
/// The largest compressed command that may, bytes.
const MAX_PACKED: usize = 5_000_000;
/// The oldest Go that builds what is written in it.
const GO: (u32, u32) = (1, 26);

/// `plugin.toml`.
struct Manifest {
    name: String,
    language: String,
    build: String,
    test: Option<String>,
    declare: Option<String>,
    output: String,
    /// It goes into the program compressed and under its digest, not as a plugin that hooks can name.
    packed: bool,
}

/// Builds all plugins into target/boathook-plugins/NAME.wasm, with their declarations.
pub(crate) fn build() -> Result<()> {
    ensure_target()?;
    let out = root().join("target/boathook-plugins");
    std::fs::create_dir_all(&out)?;
    for folder in folders()? {
        let manifest = Manifest::read(&folder)?;
        if manifest.language == "go" && !go_is_there() {
            println!("no plugin {}: it needs Go {}.{} or newer", manifest.name, GO.0, GO.1);
            println!("  the program will render charts with the user's own helm");
            continue;
        }
        println!("building plugin {}", manifest.name);
        execute(&mut command(&manifest.build, &folder)?)?;
        let path = build_folder().join(&manifest.output);
        let built = std::fs::read(&path).with_context(|| format!("{} was not built", path.display()))?;
        if manifest.packed {
            pack(&manifest.name, &built, &out)?;
            continue;
        }
        let component = match &manifest.declare {
            Some(declare) => {
                boathook_sdk::declaration::append(built, &declaration(declare, &manifest, &folder)?)
            }
            None => bail!("plugin {} says nothing of itself: plugin.toml has no declare", manifest.name),
        };
        if component.len() > MAX_SIZE {
            bail!("plugin {} has {} bytes, more than {MAX_SIZE}", manifest.name, component.len());
        }
        write_changed(&out.join(format!("{}.wasm", manifest.name)), &component)?;
    }
    Ok(())
}

/// Writes NAME.wasm.gz, and NAME.digest with the digest and the size of what is in it.
fn pack(name: &str, built: &[u8], out: &Path) -> Result<()> {
    let hash: String = Sha256::digest(built).iter().map(|byte| format!("{byte:02x}")).collect();
    let digest = format!("sha256:{hash} {}\n", built.len());
    let (archive, label) = (out.join(format!("{name}.wasm.gz")), out.join(format!("{name}.digest")));
    if archive.exists() && std::fs::read_to_string(&label).ok().as_deref() == Some(&digest) {
        return Ok(());
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(built)?;
    let packed = encoder.finish()?;
    println!("  {} bytes, {} compressed", built.len(), packed.len());
    if packed.len() > MAX_PACKED {
        bail!("plugin {name} has {} bytes compressed, more than {MAX_PACKED}", packed.len());
    }
    std::fs::write(archive, packed)?;
    Ok(std::fs::write(label, digest)?)
}

/// Left alone if it is the same: the program is not linked again then.
fn write_changed(file: &Path, content: &[u8]) -> Result<()> {
    if std::fs::read(file).ok().as_deref() != Some(content) {
        std::fs::write(file, content)?;
    }
    Ok(())
}

/// Whether the engine that renders charts was built.
pub(crate) fn has_chart_engine() -> bool {
    root().join("target/boathook-plugins/chart-engine.wasm.gz").is_file()
}

/// Whether there is a Go that is new enough.
fn go_is_there() -> bool {
    let output = Command::new("go").args(["env", "GOVERSION"]).output().ok();
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok()).unwrap_or_default();
    let mut numbers = text.trim().trim_start_matches("go").split('.').map(|part| part.parse().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= GO
}

/// Runs the plugins' own tests, on the host.
pub(crate) fn test() -> Result<()> {
    for folder in folders()? {
        let manifest = Manifest::read(&folder)?;
        if manifest.language == "go" && !go_is_there() {
            println!("plugin {} is not tested: there is no Go", manifest.name);
            continue;
        }
        execute(&mut command(manifest.test.as_deref().unwrap_or("cargo test --quiet"), &folder)?)?;
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

fn declaration(declare: &str, manifest: &Manifest, folder: &Path) -> Result<Value> {
    let output = command(declare, folder)?.output()?;
    if !output.status.success() {
        bail!("{declare} of plugin {}: {}", manifest.name, String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("the declaration of plugin {}", manifest.name))
}

impl Manifest {
    fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("plugin.toml");
        let text = std::fs::read_to_string(&path)?;
        let table: toml::Table = text.parse().with_context(|| path.display().to_string())?;
        let optional = |name: &str| table.get(name).and_then(toml::Value::as_str).map(str::to_owned);
        let field = |name: &str| optional(name).with_context(|| format!("{}: no {name}", path.display()));
        Ok(Self {
            name: field("name")?,
            language: field("language")?,
            build: field("build")?,
            test: optional("test"),
            declare: optional("declare"),
            output: field("output")?,
            packed: table.get("packed").and_then(toml::Value::as_bool).unwrap_or(false),
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
