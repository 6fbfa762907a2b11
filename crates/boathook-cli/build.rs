//! Puts the built plugins and the chart engine into the program. `cargo xtask plugins` builds them into
//! target/boathook-plugins; without them the program builds all the same and has no built-in plugins, which
//! `boathook plugin list` then shows, and renders charts with the user's helm, which it says.

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = env::var_os("BOATHOOK_BUILT_PLUGINS")
        .map_or_else(|| root.join("target/boathook-plugins"), PathBuf::from);
    println!("cargo::rerun-if-env-changed=BOATHOOK_BUILT_PLUGINS");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut plugins: Vec<PathBuf> = fs::read_dir(&folder)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    plugins.retain(|path| path.extension().is_some_and(|extension| extension == "wasm"));
    plugins.sort();
    if plugins.is_empty() {
        println!(
            "cargo::warning=no built-in plugins: run `cargo xtask plugins` first to have them in the program"
        );
    }
    let entries: String = plugins
        .iter()
        .map(|path| {
            println!("cargo::rerun-if-changed={}", path.display());
            let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            format!("    BuiltInPlugin {{ name: {name:?}, bytes: include_bytes!({:?}) }},\n", path.display())
        })
        .collect();
    let code = format!(
        "/// The plugins in the program itself.\nstatic BUILT_IN_PLUGINS: &[BuiltInPlugin] = &[\n{entries}];\n\
         /// The chart engine and its size, unless the program was built without.\n\
         static CHART_ENGINE: Option<(PackedCommand, u64)> = {};\n",
        chart_engine(&folder)
    );
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("built_in_plugins.rs");
    fs::write(out, code).expect("cargo's OUT_DIR can be written");
}

/// The engine as an expression.
fn chart_engine(folder: &Path) -> String {
    let (packed, label) = (folder.join("chart-engine.wasm.gz"), folder.join("chart-engine.digest"));
    // A file that is not there would count as changed at every build.
    for file in [&packed, &label].into_iter().filter(|file| file.is_file()) {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    let label = fs::read_to_string(label).unwrap_or_default();
    match label.trim().split_once(' ') {
        Some((digest, size)) if packed.is_file() => format!(
            "Some((PackedCommand {{ digest: {digest:?}, gzip: include_bytes!({:?}) }}, {size}))",
            packed.display()
        ),
        _ => {
            println!("cargo::warning=no chart engine: the program will render charts with the user's helm");
            "None".to_owned()
        }
    }
}
