//! Finding plugins, and the words for those that cannot be used.

use std::path::Path;

use boathook_core::plugin::PluginOrigin;
use boathook_engine::plugin_host::{PluginError, PluginHost as _, PluginReference};
use boathook_wasm::{BuiltInPlugin, WasmHost, WasmHostOptions};

use crate::guests::{call, host, named, run_call, wasm};

fn host_in(folder: &Path) -> WasmHost {
    let built_in = vec![BuiltInPlugin { name: "ok", bytes: Box::leak(wasm("ok").into_boxed_slice()) }];
    let plugin_dirs = vec![folder.join("absent"), folder.to_owned()];
    WasmHost::new(WasmHostOptions {
        built_in,
        packed: Vec::new(),
        plugin_dirs,
        cache_dir: None,
        pooling: false,
    })
}

fn beside(folder: &Path, text: &str) -> PluginReference {
    PluginReference { text: text.to_owned(), base: Some(folder.to_owned()) }
}

async fn refused(host: &WasmHost, reference: PluginReference) -> String {
    match host.inspect(&reference).await {
        Err(PluginError::Invalid { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn plugin_folders_come_before_built_in_plugins() {
    let folder = tempfile::tempdir().unwrap();
    let host = host_in(folder.path());
    assert_eq!(host.inspect(&named("ok")).await.unwrap().origin, PluginOrigin::BuiltIn);
    std::fs::write(folder.path().join("ok.wasm"), wasm("loop")).unwrap();
    let info = host.inspect(&named("ok")).await.unwrap();
    assert_eq!(info.origin, PluginOrigin::Installed(folder.path().join("ok.wasm").display().to_string()));
    assert_eq!(host.list().await.len(), 1, "the built-in one is hidden");
}

#[tokio::test]
async fn an_unknown_name_is_told_what_exists() {
    let folder = tempfile::tempdir().unwrap();
    let error = host_in(folder.path()).inspect(&named("../ok")).await.unwrap_err();
    assert!(matches!(error, PluginError::NotFound { .. }), "{error:?}");
    match host_in(folder.path()).inspect(&named("nope")).await {
        Err(PluginError::NotFound { name, help }) => {
            assert_eq!(name, "nope");
            assert!(help.starts_with("there are ok (looked in "), "{help}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_path_stays_within_the_folder_of_the_manifest() {
    let outer = tempfile::tempdir().unwrap();
    let inner = outer.path().join("chart");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(outer.path().join("out.wasm"), wasm("ok")).unwrap();
    std::fs::write(inner.join("in.wasm"), wasm("ok")).unwrap();
    std::os::unix::fs::symlink(outer.path().join("out.wasm"), inner.join("link.wasm")).unwrap();
    let host = host(&[]);
    let found = host.inspect(&beside(&inner, "./in.wasm")).await.unwrap();
    assert_eq!(found.name, "in");
    let absolute = outer.path().join("out.wasm").display().to_string();
    for text in ["../out.wasm", "./link.wasm", absolute.as_str()] {
        let message = refused(&host, beside(&inner, text)).await;
        assert_eq!(message, format!("{text}: lies outside the folder of the manifest that names it"));
    }
    let anywhere = PluginReference { text: absolute, base: None };
    assert!(host.inspect(&anywhere).await.is_ok(), "given on the command line, any path is fine");
}

#[tokio::test]
async fn files_that_are_no_plugins_are_refused_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let host = host_in(folder.path());
    let whole = wasm("ok");
    let other_world = wat::parse_str("(component (import \"acme:db/store@1.0.0\" (instance)))").unwrap();
    // The same component with everything renamed, as of a world of somebody else.
    let renamed = replace(&whole, b"boathook:hook", b"goathook:hook");
    for (name, bytes, message) in [
        ("empty", Vec::new(), "the file is empty"),
        ("text", b"hello".to_vec(), "not WebAssembly (the file does not start with \\0asm)"),
        ("wat", b"(module)".to_vec(), "this is WebAssembly text; translate it to a .wasm file first"),
        ("short", whole[..3].to_vec(), "the file is truncated"),
        ("half", whole[..whole.len() / 2].to_vec(), "the file is truncated"),
        ("core", wat::parse_str("(module)").unwrap(), "a core module without `_start`"),
        (
            "imports",
            wat::parse_str("(module (import \"env\" \"f\" (func)) (func (export \"_start\")))").unwrap(),
            "the command imports what is not WASI preview 1: env.f",
        ),
        (
            "world",
            other_world,
            "a component of another world: it does not export boathook:hook/run@0.1.0 (it exports nothing)",
        ),
        (
            "renamed",
            renamed,
            "a component of another world: it does not export boathook:hook/run@0.1.0 (it exports goathook",
        ),
        ("large", vec![0; 17 << 20], "the file has 17 MiB, plugins have at most 16 MiB"),
    ] {
        std::fs::write(folder.path().join(format!("{name}.wasm")), bytes).unwrap();
        let found = refused(&host, beside(folder.path(), &format!("./{name}.wasm"))).await;
        assert!(found.starts_with(&format!("./{name}.wasm: {message}")), "{name}: {found}");
    }
    std::fs::create_dir(folder.path().join("folder.wasm")).unwrap();
    assert_eq!(refused(&host, beside(folder.path(), "./folder.wasm")).await, "./folder.wasm: not a file");
    assert!(matches!(
        host.inspect(&beside(folder.path(), "./absent.wasm")).await,
        Err(PluginError::NotFound { .. })
    ));
    let registry = refused(&host, named("oci://example.com/a:1")).await;
    assert_eq!(registry, "oci://example.com/a:1: plugins from registries are not supported yet");
}

#[tokio::test]
async fn a_plugin_that_changed_since_it_was_inspected_does_not_run() {
    let folder = tempfile::tempdir().unwrap();
    let host = host_in(folder.path());
    std::fs::write(folder.path().join("mine.wasm"), wasm("ok")).unwrap();
    let (call, receiver) = call(&host, "mine").await;
    std::fs::write(folder.path().join("mine.wasm"), wasm("loop")).unwrap();
    match run_call(&host, call, receiver).await.result {
        Err(PluginError::Invalid { message, .. }) => {
            assert!(message.ends_with("changed since the plan was made"), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn compiled_plugins_are_kept_and_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache/compiled");
    let host = || {
        let built_in = vec![BuiltInPlugin { name: "ok", bytes: Box::leak(wasm("ok").into_boxed_slice()) }];
        let cache_dir = Some(cache.clone());
        WasmHost::new(WasmHostOptions {
            built_in,
            packed: Vec::new(),
            plugin_dirs: Vec::new(),
            cache_dir,
            pooling: false,
        })
    };
    for _ in 0..2 {
        let host = host();
        let (call, receiver) = call(&host, "ok").await;
        run_call(&host, call, receiver).await.result.unwrap();
    }
    let files: Vec<_> = std::fs::read_dir(&cache).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    // A damaged file is compiled again and replaced.
    let good = std::fs::read(&files[0]).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    std::fs::write(&files[0], &bad).unwrap();
    let host = host();
    let (call, receiver) = call(&host, "ok").await;
    run_call(&host, call, receiver).await.result.unwrap();
    assert_eq!(std::fs::read(&files[0]).unwrap().len(), good.len());
    assert_ne!(std::fs::read(&files[0]).unwrap(), bad);
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "sizes in the file must not change");
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len() - from.len() {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    bytes
}
