//! 2,022 YAML texts against `sigs.k8s.io/yaml` and the reader of Helm's `Build`. Every difference stands in a list
//! below; a difference that is not listed fails, and so does a listed one that is gone.

use std::collections::BTreeMap;

use base64::Engine as _;
use boathook_core::dialect::{self, helm::HOOK};
use boathook_core::manifest::{parse, read_yaml};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::vectors::{cases, first_error, same, source};

/// Read as another value than Go gives: silent, so few. A block scalar as a whole document at column 0 is no
/// manifest; `{a:}` is key `a:` in YAML 1.1 and key `a` in YAML 1.2.
const OTHER_VALUE: &[&str] = &[
    "block-044",
    "block-064",
    "block-084",
    "block-169",
    "block-189",
    "block-209",
    "flow-041",
    "flow-042",
    "flow-049",
    "flow-050",
];

/// Refused for a reason that the message names and that is no plain syntax error: class and number of cases.
const REFUSED_BY_CODE: &[(&str, usize)] =
    &[("duplicate-key", 22), ("line-separator", 16), ("text-after-document", 34), ("document-limit", 28)];

/// Refused as invalid, by cause.
const REFUSED: &[(&str, &[&str])] = &[
    ("tag !!timestamp", &["date-064", "date-065", "key-066"]),
    ("byte-order mark inside the text", &["string-081", "enc-006", "enc-007", "enc-008"]),
    ("comment glued to a scalar", &["string-094", "string-095", "block-020", "block-145"]),
    ("list or map as a key", &["key-074", "key-075"]),
    ("anchor name that ends in a colon", &["key-098"]),
    ("base64 of something other than UTF-8", &["tag-047", "tag-168"]),
    ("comma or bracket in a tag", &["tag-135", "tag-136", "tag-137", "tag-138", "tag-139", "tag-140"]),
    ("escape \\'", &["escape-018"]),
    ("tab as indentation in brackets", &["enc-058", "enc-059"]),
    ("- before a bracket", &["flow-062", "flow-063"]),
];

/// Read though Go refuses it: no manifest that works with Helm changes its meaning.
const ACCEPTED: &[(&str, &[&str])] = &[
    ("anchor names", &["string-141", "anchor-016", "anchor-018", "anchor-019"]),
    ("escapes of JSON", &["escape-012", "escape-026", "json-016", "json-018"]),
    (
        "tabs",
        &[
            "block-093",
            "block-218",
            "doc-005",
            "doc-006",
            "enc-049",
            "enc-051",
            "enc-053",
            "enc-055",
            "enc-056",
            "enc-062",
            "enc-063",
            "enc-064",
            "enc-070",
        ],
    ),
    ("flow collections", &["plain-027", "flow-064", "flow-065", "flow-070", "flow-071"]),
    ("only document ends", &["doc-017", "doc-018", "doc-019"]),
    ("directives", &["doc-037", "doc-038", "doc-040", "doc-044"]),
];

/// The text of a case; `None` where it is no UTF-8 and so never reaches the parser.
fn input(case: &Value) -> Option<String> {
    if let Some(text) = case.get("in") {
        return Some(text.as_str().unwrap().to_owned());
    }
    if let Some(parts) = case.get("parts") {
        let repeat = |part: &Value| {
            part[0].as_str().unwrap().repeat(usize::try_from(part[1].as_u64().unwrap()).unwrap())
        };
        return Some(parts.as_array().unwrap().iter().map(repeat).collect());
    }
    let bytes = base64::engine::general_purpose::STANDARD.decode(case["in64"].as_str().unwrap()).unwrap();
    String::from_utf8(bytes).ok()
}

/// Whether our value is the expected answer, which is JSON text or, where that is long, its digest.
fn answers(ours: &Value, expected: &Value) -> bool {
    let text = go_json(ours);
    if let Some(expected) = expected.as_str() {
        // serde_json reads 127 levels, one less than we do: such an answer is compared as text.
        return text == expected
            || serde_json::from_str(expected).is_ok_and(|expected| same(ours, &expected));
    }
    expected["bytes"] == text.len() && expected["sha256"] == hex(&Sha256::digest(&text))
}

/// JSON as Go writes it: keys sorted. The long answers hold no character that Go escapes and serde_json does not.
fn go_json(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(map) => {
                let map: BTreeMap<_, _> = map.iter().map(|(key, value)| (key, sorted(value))).collect();
                map.into_iter().map(|(key, value)| (key.clone(), value)).collect()
            }
            Value::Array(items) => items.iter().map(sorted).collect(),
            other => other.clone(),
        }
    }
    sorted(value).to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Same,
    OtherValue,
    Refused(String),
    Accepted,
}

fn outcome(case: &Value, text: &str) -> Outcome {
    let wanted = case.get("any").and_then(Value::as_array).cloned().unwrap_or_else(|| vec![case.clone()]);
    match read_yaml("a.yaml", text) {
        Ok(ours)
            if wanted.iter().any(|wanted| wanted.get("json").is_some_and(|json| answers(&ours, json))) =>
        {
            Outcome::Same
        }
        Ok(_) if case.get("json").is_some() => Outcome::OtherValue,
        Ok(_) => Outcome::Accepted,
        Err(_) if case.get("json").is_none() => Outcome::Same,
        Err(diagnostic) => Outcome::Refused(diagnostic.code),
    }
}

#[test]
fn every_text_reads_as_go_reads_it_but_for_the_listed_ones() {
    let cases = cases("yaml-scalars.json");
    assert_eq!(cases.len(), 2022);
    let mut found: BTreeMap<Outcome, Vec<String>> = BTreeMap::new();
    for case in &cases {
        let Some(text) = input(case) else { continue };
        found.entry(outcome(case, &text)).or_default().push(case["id"].as_str().unwrap().to_owned());
    }
    let mut expected: BTreeMap<Outcome, Vec<String>> = BTreeMap::new();
    let listed = |lists: &[(&str, &[&str])]| -> Vec<String> {
        lists.iter().flat_map(|(_, ids)| ids.iter().map(ToString::to_string)).collect()
    };
    expected.insert(Outcome::OtherValue, OTHER_VALUE.iter().map(ToString::to_string).collect());
    expected.insert(Outcome::Accepted, listed(ACCEPTED));
    expected.insert(Outcome::Refused("invalid-yaml".to_owned()), listed(REFUSED));
    for (outcome, ids) in &mut expected {
        let mut found = found.remove(outcome).unwrap_or_default();
        ids.sort();
        found.sort();
        assert_eq!(found, *ids, "{outcome:?}");
    }
    for (code, number) in REFUSED_BY_CODE {
        let found = found.remove(&Outcome::Refused((*code).to_owned())).unwrap_or_default();
        assert_eq!(found.len(), *number, "{code}: {found:?}");
    }
    found.remove(&Outcome::Same);
    assert!(found.is_empty(), "differences of a kind that is not listed: {found:?}");
}

/// Texts that are no UTF-8 never reach the parser: a [`boathook_core::Source`] holds text.
#[test]
fn texts_in_other_encodings_are_few_and_known() {
    let cases = cases("yaml-scalars.json");
    let other: Vec<&str> = cases
        .iter()
        .filter(|case| input(case).is_none() && case.get("json").is_some())
        .map(|case| case["id"].as_str().unwrap())
        .collect();
    assert_eq!(other, ["utf8-017", "utf8-018", "utf8-021", "utf8-022", "utf8-025"]);
}

/// The objects that go to the API server: for a hook's text, and with the line break that ordinary documents get.
#[test]
fn objects_are_those_that_build_sends() {
    let mut compared = 0;
    for case in cases("yaml-scalars.json") {
        let Some(text) = input(&case) else { continue };
        // Where `Build` alone fails at a `---`, it was given text that Helm would have split before.
        let fails = |field: &str| case.get(field).is_some_and(|read| read.get("err").is_some());
        let other_value = OTHER_VALUE.iter().any(|id| case["id"] == *id);
        // What happens before `Build` sees a text is left out of these answers: a file's byte-order mark is dropped
        // and so is white space at its start, of which YAML knows only a part.
        let first = text.chars().next().unwrap_or(' ');
        if first == '\u{feff}' || (first.is_whitespace() && !first.is_ascii()) || text.trim().is_empty() {
            continue;
        }
        // A list is taken apart here: documents.rs compares those.
        let list = text.contains("items:");
        if list || other_value || case.get("any").is_some() || fails("hook") || fails("manifest") {
            continue;
        }
        let parsed = parse(&[source(&text)]);
        if first_error(&parsed.diagnostics).is_some() {
            continue;
        }
        let once = case.get("json").map(|json| vec![json.clone()]);
        let docs = |field: &str| case.get(field).map(|read| read["docs"].as_array().unwrap().clone());
        let hook = case.get("wire").map(|wire| wire.as_array().unwrap().clone());
        let Some(hook) = hook.or_else(|| docs("hook")).or_else(|| once.clone()) else { continue };
        let objects = parsed.documents.iter().flat_map(|document| &document.objects);
        let objects: Vec<Value> = objects.map(|object| object.clone().into_value()).collect();
        if case["id"] == "json-038" {
            // `1E400` in JSON: text here and in an ordinary document, no object in a hook.
            assert!(hook[0].as_str().unwrap().starts_with("error"));
            continue;
        }
        compared += compare(&case, &objects, &hook);

        let is_hook = parsed.documents.iter().any(|document| document.head.annotations.contains_key(HOOK));
        if is_hook || text.contains("\n---") {
            // These answers are for the text as one ordinary piece, and Helm would have split it.
            continue;
        }
        let ordinary = docs("manifest").or_else(|| docs("hook")).or(once).unwrap_or_default();
        let read = dialect::read(parsed.documents);
        let objects = read.resources.iter().flat_map(|document| &document.objects);
        let objects: Vec<Value> = objects.map(|object| object.clone().into_value()).collect();
        compare(&case, &objects, &ordinary);
    }
    assert!(compared > 1250, "only {compared} texts are manifests");
}

fn compare(case: &Value, ours: &[Value], wanted: &[Value]) -> usize {
    let wanted: Vec<&Value> = wanted.iter().filter(|text| **text != "null").collect();
    assert!(
        ours.len() == wanted.len() && ours.iter().zip(&wanted).all(|(ours, wanted)| answers(ours, wanted)),
        "{}: {ours:?} is not {wanted:?}",
        case["id"]
    );
    1
}
