//! 277 multi-document texts against Helm's `SplitManifests`, `SortManifests` and `Build`.

use std::collections::BTreeMap;

use boathook_core::manifest::{Document, parse};
use boathook_core::{Object, dialect};
use serde_json::{Value, json};

use super::vectors::{cases, first_error, same, source};

/// Refused, though Helm reads on, by code.
const REFUSED: &[(&str, &[&str])] = &[
    ("duplicate-key", &["glued-007", "glued-008", "error-027", "error-028", "error-030"]),
    ("invalid-yaml", &["bom-003", "bom-007"]),
    ("line-separator", &["blank-017"]),
    (
        "text-after-document",
        &[
            "separator-025",
            "dots-003",
            "directive-004",
            "directive-005",
            "crlf-013",
            "crlf-014",
            "json-003",
            "json-004",
            "hook-013",
        ],
    ),
];
/// Read, though Helm refuses it, by reason.
const ACCEPTED: &[(&str, &[&str])] = &[
    ("a line of three dots first", &["dots-004", "dots-005", "dots-006", "dots-011"]),
    ("escapes of JSON", &["hook-012"]),
];

/// A file's byte-order mark is dropped when Helm loads a chart, which these answers leave out: see the test below.
const BOM_AT_START: &[&str] = &["bom-001", "bom-002", "bom-005", "bom-006"];

fn values<'a>(objects: impl Iterator<Item = &'a Object>) -> Vec<Value> {
    objects.map(|object| object.clone().into_value()).collect()
}

/// The documents that `Build` gives, lists taken apart.
fn wanted(read: &Value) -> Vec<Value> {
    let docs = read["docs"].as_array().unwrap().iter();
    docs.map(|text| serde_json::from_str(text.as_str().unwrap()).unwrap())
        .flat_map(|value: Value| match value.get("items") {
            Some(Value::Array(items)) => items.clone(),
            _ => vec![value],
        })
        .collect()
}

fn assert_same(id: &str, what: &str, ours: &[Value], wanted: &[Value]) {
    let equal =
        ours.len() == wanted.len() && ours.iter().zip(wanted).all(|(ours, wanted)| same(ours, wanted));
    assert!(equal, "{id}: {what} {ours:?} is not {wanted:?}");
}

#[test]
fn every_text_gives_the_documents_that_helm_gives() {
    let cases = cases("documents.json");
    assert_eq!(cases.len(), 277);
    let mut refused: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut accepted = Vec::new();
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        let helm = &case["helm4"];
        if BOM_AT_START.contains(&id) {
            assert!(case["in"].as_str().unwrap().starts_with('\u{feff}'), "{id}");
            continue;
        }
        let parsed = parse(&[source(case["in"].as_str().unwrap())]);
        let mut diagnostics = parsed.diagnostics.clone();
        let texts: Vec<&str> = parsed.documents.iter().map(|document| document.text.as_str()).collect();
        let hooks_of = |document: &Document| document.head.annotations.contains_key(dialect::helm::HOOK);
        let (hooks, _): (Vec<Document>, Vec<Document>) = parsed.documents.iter().cloned().partition(hooks_of);
        let read = dialect::read(parsed.documents.clone());
        // What is incomplete (no kind, no name) is read here all the same; only reading is compared.
        diagnostics.extend(read.diagnostics.iter().filter(|found| found.code.contains("yaml")).cloned());
        let fails = helm.get("err").is_some()
            || helm["read"].get("err").is_some()
            || helm["hooks"].as_array().into_iter().flatten().any(|hook| hook["read"].get("err").is_some());
        match (first_error(&diagnostics), fails) {
            (Some(_), true) => continue,
            (Some(error), false) => {
                refused.entry(error.code.clone()).or_default().push(id.to_owned());
                continue;
            }
            (None, true) => {
                accepted.push(id.to_owned());
                continue;
            }
            (None, false) => {}
        }
        assert_eq!(json!(texts), helm["split"], "{id}");
        let heads: Vec<Value> =
            read.resources.iter().map(|document| json!([document.head.kind, document.head.name])).collect();
        assert_eq!(json!(heads), helm["heads"], "{id}");
        let manifest: String = read.resources.iter().map(Document::stored).collect();
        assert_eq!(json!(manifest), helm["manifest"], "{id}");
        let objects = values(read.resources.iter().flat_map(|document| &document.objects));
        assert_same(id, "ordinary", &objects, &wanted(&helm["read"]));
        for (hook, helm) in hooks.iter().zip(helm["hooks"].as_array().into_iter().flatten()) {
            assert_eq!(json!(hook.text), helm["manifest"], "{id}");
            assert_same(id, "hook", &values(hook.objects.iter()), &wanted(&helm["read"]));
        }
    }
    let listed: BTreeMap<String, Vec<String>> = REFUSED
        .iter()
        .map(|(code, ids)| ((*code).to_owned(), ids.iter().map(ToString::to_string).collect()))
        .collect();
    assert_eq!(refused, listed);
    let listed: Vec<&str> = ACCEPTED.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
    assert_eq!(accepted, listed);
}

#[test]
fn a_byte_order_mark_at_the_start_of_a_file_is_dropped() {
    let text = "kind: A\nmetadata:\n  name: a\n";
    let marked = parse(&[source(&format!("\u{feff}{text}"))]);
    assert_eq!(marked, parse(&[source(text)]));
    assert_eq!(marked.documents[0].objects[0].kind(), "A");
}
