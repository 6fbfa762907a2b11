//! 390 documents with hook annotations against Helm's `SortManifests`.

use boathook_core::manifest::parse;
use boathook_core::{Hook, dialect};
use serde_json::{Value, json};

use super::vectors::{PATH, cases, first_error, source};

/// Refused, by code: equal keys, of which Helm takes the last; raw line separators; text that Helm ignores; and a
/// weight of `.inf`, with which Helm cannot build the object.
const REFUSED: &[(&str, &[&str])] = &[
    ("duplicate-key", &["head-013", "map-007", "map-008", "map-023", "shape-016", "shape-017"]),
    ("line-separator", &["list-045", "list-046"]),
    ("text-after-document", &["shape-020"]),
    ("invalid-yaml", &["weight-072", "weight-073"]),
];

fn as_vector(hook: &Hook) -> Value {
    json!({
        "name": hook.name,
        "kind": hook.kind,
        "path": hook.origin.path,
        "events": hook.events,
        "weight": hook.weight,
        "delete_policies": hook.delete_policies,
        "output_log_policies": hook.output_log_policies,
    })
}

#[test]
fn every_document_is_the_hook_that_helm_makes_of_it() {
    let cases = cases("hooks.json");
    assert_eq!(cases.len(), 390);
    let mut refused = Vec::new();
    for case in &cases {
        let id = case["id"].as_str().unwrap();
        let parsed = parse(&[source(case["in"].as_str().unwrap())]);
        let wanted = &case["helm4"];
        if wanted.get("error").is_some() {
            assert!(first_error(&parsed.diagnostics).is_some(), "{id} is read");
            continue;
        }
        if let Some(error) = first_error(&parsed.diagnostics) {
            refused.push((error.code.clone(), id.to_owned()));
            continue;
        }
        let read = dialect::read(parsed.documents);
        let found = match (&read.hooks[..], &read.resources[..]) {
            ([hook], []) => json!({"hook": as_vector(hook)}),
            ([], [document]) => {
                assert_eq!(document.origin.path, PATH);
                json!({"resource": true})
            }
            ([], []) => {
                assert!(!read.diagnostics.is_empty(), "{id} is dropped without a word");
                json!({"dropped": true})
            }
            other => panic!("{id}: {other:?}"),
        };
        assert_eq!(&found, wanted, "{id}");
    }
    let mut expected: Vec<(String, String)> = REFUSED
        .iter()
        .flat_map(|(code, ids)| ids.iter().map(|id| ((*code).to_owned(), (*id).to_owned())))
        .collect();
    refused.sort();
    expected.sort();
    assert_eq!(refused, expected);
}
