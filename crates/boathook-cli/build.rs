//! Puts the built plugins into the program. `cargo xtask plugins` builds them into target/boathook-plugins; without them
//! the program builds all the same and has no built-in plugins, which `boathook plugin list` then shows.

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
        "/// The plugins in the program itself.\nstatic BUILT_IN_PLUGINS: &[BuiltInPlugin] = &[\n{entries}];\n"
    );
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("built_in_plugins.rs");
    fs::write(out, code).expect("cargo's OUT_DIR can be written");
}
