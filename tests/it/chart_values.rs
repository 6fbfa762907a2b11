//! `--set` and its kin: what the engine makes of 560 command lines, held against what Helm 4.3.1's own `pkg/cli/values` made
//! of them. Through the crates and not the program, because the merged values alone are what is compared.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use boathook_chart::{
    Engine, Named, RenderError, RenderOptions, Rendered, Values, render, set_file_names, source,
};
use boathook_core::plan::ReleaseRef;
use boathook_wasm::{PackedCommand, WasmHost, WasmHostOptions};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::env::{TestEnv, root};

/// One command line.
#[derive(Deserialize)]
struct Case {
    id: String,
    /// A values file.
    base: Option<Value>,
    /// The files at hand.
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Flags and their texts.
    args: Vec<(String, String)>,
    /// What comes out,
    values: Option<Map<String, Value>>,
    /// or the length of the one list in it,
    list_length: Option<usize>,
    /// or the error.
    error: Option<String>,
}

/// Names of files that are no URLs either, which Helm refuses and we read.
const DIFFERENT: [&str; 1] = ["file-026"];

/// The engine that was built, in a host as the program makes it.
fn engine() -> Engine {
    let built = root().join("target/boathook-plugins");
    let label = std::fs::read_to_string(built.join("chart-engine.digest")).unwrap();
    let (digest, size) = label.trim().split_once(' ').unwrap();
    let gzip = std::fs::read(built.join("chart-engine.wasm.gz")).unwrap();
    let digest: &'static str = digest.to_owned().leak();
    let host = WasmHost::new(WasmHostOptions {
        built_in: Vec::new(),
        packed: vec![PackedCommand { digest, gzip: gzip.leak() }],
        plugin_dirs: Vec::new(),
        cache_dir: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("engine-cache/boathook/compiled")),
        pooling: false,
    });
    Engine::new(Arc::new(host), "0", digest, size.parse().unwrap())
}

fn options(case: &Case) -> RenderOptions {
    let of = |flag: &str| -> Vec<String> {
        case.args.iter().filter(|(name, _)| name == flag).map(|(_, text)| text.clone()).collect()
    };
    let base = case.base.as_ref().map(|base| Named {
        name: "base.yaml".to_owned(),
        content: Ok(Arc::new(base.to_string().into_bytes())),
    });
    let named = |name: String| {
        let text = case.files.get(name.trim_start_matches("./"));
        let content =
            text.map(|text| Arc::new(text.clone().into_bytes())).ok_or_else(|| match name.as_str() {
                "." => "read .: is a directory".to_owned(),
                name => format!("open {name}: no such file or directory"),
            });
        Named { content, name }
    };
    let set_file = of("set-file");
    let values = Values {
        files: base.into_iter().chain(of("values").into_iter().map(named)).collect(),
        set_json: of("set-json"),
        set: of("set"),
        set_string: of("set-string"),
        set_files: set_file_names(&set_file).into_iter().map(named).collect(),
        set_file,
        set_literal: of("set-literal"),
    };
    RenderOptions { values, record: true, ..RenderOptions::default() }
}

#[tokio::test]
async fn values_are_merged_as_helm_merges_them() {
    let Some(env) = TestEnv::with_engine() else { return };
    env.write("chart/Chart.yaml", "apiVersion: v2\nname: c\nversion: 0.1.0\n");
    let chart = source::read(&env.path("chart")).unwrap();
    let release = ReleaseRef { name: "web".to_owned(), namespace: "default".to_owned(), revision: 1 };
    let engine = engine();
    let cases: Vec<Case> =
        serde_json::from_str(&std::fs::read_to_string(root().join("tests/charts/set.json")).unwrap())
            .unwrap();
    assert_eq!(cases.len(), 560);
    let mut wrong = String::new();
    for case in cases {
        let found = render(&engine, &chart, &release, &options(&case), &|_| {}).await;
        let found = match found {
            Ok(Rendered { record: Some(record), .. }) => Ok(record.config),
            Err(RenderError::Chart { message, .. }) => Err(message),
            other => panic!("{}: {other:?}", case.id),
        };
        let right = match (&found, &case.error) {
            (Err(message), Some(error)) => message == error,
            (Ok(values), None) => match (&case.values, case.list_length) {
                (Some(wanted), _) => same(&Value::Object(values.clone()), &Value::Object(wanted.clone())),
                (None, length) => values.values().next().and_then(Value::as_array).map(Vec::len) == length,
            },
            _ => false,
        };
        if right == DIFFERENT.contains(&case.id.as_str()) {
            wrong += &format!(
                "{}: {:?}\n  found {found:?}\n  wanted {:?} {:?}\n",
                case.id, case.args, case.values, case.error
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Equal, where `1` and `1.0` are one number.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}
