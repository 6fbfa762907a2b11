//! Makes plugins of the WAT files, and calls to run them with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use boathook_core::permissions::{Permissions, PolicyRule};
use boathook_core::plan::{ChartInfo, ReleaseRef};
use boathook_core::run_event::LogLevel;
use boathook_core::wasm_hook::Limits;
use boathook_engine::cluster::Cluster;
use boathook_engine::plugin_host::{
    CommandExtras, PluginCall, PluginError, PluginHost as _, PluginReference, PluginReport, PluginSignal,
    RunInfo,
};
use boathook_wasm::{BuiltInPlugin, WasmHost, WasmHostOptions};
use serde_json::{Map, Value};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata};
use wit_parser::{LiftLowerAbi, ManglingAndAbi, Resolve, WorldId};

use crate::fake_cluster::FakeCluster;

/// Every guest. A file that is not here fails `every_guest_is_used`.
pub(crate) const GUESTS: [&str; 22] = [
    "command",
    "exit-code",
    "get",
    "huge-list",
    "junk",
    "log",
    "log-flood",
    "long-line",
    "long-string",
    "loop",
    "many-calls",
    "memory-growth",
    "memory-minimum",
    "ok",
    "recursion",
    "send",
    "start-loop",
    "table-growth",
    "trap",
    "trap-in-call",
    "unread-answers",
    "wait",
];

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests")
}

/// The bytes of a guest: a command as it is, anything else as a component of our world.
pub(crate) fn wasm(name: &str) -> Vec<u8> {
    let text = std::fs::read_to_string(folder().join(format!("{name}.wat"))).unwrap();
    let module = wat::parse_str(&text).unwrap();
    if text.contains("\"_start\"") { module } else { component(module) }
}

/// A core module with canonical-ABI names as a component.
pub(crate) fn component(module: Vec<u8>) -> Vec<u8> {
    let (resolve, world) = world("hook");
    encode(module, &resolve, world)
}

/// A component that imports every function of a world, and traps when it is run.
pub(crate) fn importing_everything(name: &str) -> Vec<u8> {
    let (resolve, world) = world(name);
    let module = dummy_module(&resolve, world, ManglingAndAbi::Legacy(LiftLowerAbi::Sync));
    encode(module, &resolve, world)
}

fn world(name: &str) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let wit = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../wit");
    let (package, _) = resolve.push_dir(wit).unwrap();
    let world = resolve.select_world(&[package], Some(name)).unwrap();
    (resolve, world)
}

fn encode(mut module: Vec<u8>, resolve: &Resolve, world: WorldId) -> Vec<u8> {
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// A host whose built-in plugins are these guests.
pub(crate) fn host(names: &[&'static str]) -> WasmHost {
    let guests: Vec<_> = names.iter().map(|name| (*name, wasm(name))).collect();
    host_of(guests)
}

/// A host with these built-in plugins.
pub(crate) fn host_of(plugins: Vec<(&'static str, Vec<u8>)>) -> WasmHost {
    host_with(plugins, None, false)
}

/// A host with these built-in plugins, a cache, a pool.
pub(crate) fn host_with(
    plugins: Vec<(&'static str, Vec<u8>)>,
    cache_dir: Option<PathBuf>,
    pooling: bool,
) -> WasmHost {
    let built_in = plugins
        .into_iter()
        .map(|(name, bytes)| BuiltInPlugin { name, bytes: Box::leak(bytes.into_boxed_slice()) })
        .collect();
    WasmHost::new(WasmHostOptions {
        built_in,
        packed: Vec::new(),
        plugin_dirs: Vec::new(),
        cache_dir,
        pooling,
    })
}

/// By name, not by path.
pub(crate) fn named(name: &str) -> PluginReference {
    PluginReference { text: name.to_owned(), base: None }
}

/// What may read ConfigMaps.
pub(crate) fn may_read() -> Permissions {
    let rule = PolicyRule {
        api_groups: vec![String::new()],
        resources: vec!["configmaps".to_owned()],
        verbs: ["get", "list", "watch"].map(str::to_owned).to_vec(),
        ..PolicyRule::default()
    };
    Permissions { kubernetes: vec![rule], http: Vec::new() }
}

/// A run, and what it said.
pub(crate) struct Run {
    pub(crate) result: Result<PluginReport, PluginError>,
    pub(crate) signals: Vec<PluginSignal>,
}

impl Run {
    /// Its log lines.
    pub(crate) fn lines(&self) -> Vec<&str> {
        self.signals
            .iter()
            .filter_map(|signal| match signal {
                PluginSignal::Log { line, .. } => Some(line.as_str()),
                _ => None,
            })
            .collect()
    }

    /// What a dry run left undone.
    pub(crate) fn withheld(&self) -> Vec<Value> {
        self.signals
            .iter()
            .filter_map(|signal| match signal {
                PluginSignal::Withheld(effect) => Some(serde_json::to_value(effect).unwrap()),
                _ => None,
            })
            .collect()
    }

    /// The level of its first log line.
    pub(crate) fn first_level(&self) -> Option<LogLevel> {
        self.signals.iter().find_map(|signal| match signal {
            PluginSignal::Log { level, .. } => Some(*level),
            _ => None,
        })
    }
}

/// A call with everything at its default; tests change what they are about.
pub(crate) async fn call(host: &WasmHost, name: &str) -> (PluginCall, UnboundedReceiver<PluginSignal>) {
    let (signals, receiver) = unbounded_channel();
    let cluster: Arc<dyn Cluster> = Arc::new(FakeCluster::default());
    let call = PluginCall {
        plugin: host.inspect(&named(name)).await.unwrap(),
        release: ReleaseRef { name: "web".to_owned(), namespace: "prod".to_owned(), revision: 1 },
        chart: ChartInfo::default(),
        run: RunInfo {
            id: "op/pre-install/1".to_owned(),
            hook_name: name.to_owned(),
            event: "pre-install".to_owned(),
            attempt: 1,
            dry_run: false,
        },
        config: Map::new(),
        permissions: Permissions::default(),
        credentials: BTreeMap::new(),
        limits: Limits::default(),
        timeout: Duration::from_secs(20),
        cluster,
        signals,
        extras: CommandExtras::default(),
    };
    (call, receiver)
}

/// Runs one call to its end.
pub(crate) async fn run_call(
    host: &WasmHost,
    call: PluginCall,
    mut receiver: UnboundedReceiver<PluginSignal>,
) -> Run {
    let result = host.run(call).await;
    let mut signals = Vec::new();
    while let Ok(signal) = receiver.try_recv() {
        signals.push(signal);
    }
    Run { result, signals }
}

/// Runs a guest on a host of its own, after `change` changed its call.
pub(crate) async fn run(name: &'static str, change: impl FnOnce(&mut PluginCall)) -> Run {
    let host = host(&[name]);
    let (mut call, receiver) = call(&host, name).await;
    change(&mut call);
    run_call(&host, call, receiver).await
}

#[test]
fn every_guest_is_used() {
    let mut found: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    found.sort();
    assert_eq!(found, GUESTS, "tests/guests and the list of guests");
    let tests = ["components.rs", "commands.rs", "hostile.rs", "lookup.rs", "webhook.rs"].map(|file| {
        std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it").join(file))
            .unwrap()
    });
    for guest in GUESTS {
        assert!(tests.iter().any(|test| test.contains(&format!("\"{guest}\""))), "no test uses {guest}");
    }
}
