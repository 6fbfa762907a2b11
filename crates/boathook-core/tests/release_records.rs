//! Round trip of 18 release records written by Helm 3.22.0 and 4.3.1 (`vectors/release-record.json`): what Boathook
//! reads and writes back says the same, field for field.

#![allow(clippy::unwrap_used, reason = "tests: shared functions of a test binary are not #[test] themselves")]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use boathook_core::Object;
use boathook_core::release::codec::{self, Stamp};
use jiff::Timestamp;
use serde_json::{Value, json};

fn secrets() -> Vec<(String, Value)> {
    let text = include_str!("vectors/release-record.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    let cases = vectors["cases"].as_array().unwrap().clone();
    cases
        .into_iter()
        .flat_map(|case| {
            let id = case["id"].as_str().unwrap().to_owned();
            let secrets = case["secrets"].as_array().unwrap().clone();
            secrets
                .into_iter()
                .map(move |secret| (format!("{id}/{}", secret["name"].as_str().unwrap()), secret))
        })
        .collect()
}

fn stored(vector: &Value) -> Object {
    let inner = STANDARD.encode(serde_json::to_vec(&vector["release"]).unwrap());
    Object::from_value(json!({
        "apiVersion": "v1", "kind": "Secret", "type": vector["type"],
        "metadata": {"name": vector["name"], "namespace": vector["release"]["namespace"], "labels": vector["labels"]},
        "data": {"release": STANDARD.encode(inner)},
    }))
    .unwrap()
}

/// Helm 3 writes a zero time as `""`, Helm 4 (and Boathook) leave it out: the only difference there may be.
fn without_zero_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for key in ["started_at", "completed_at", "deleted"] {
                if map.get(key) == Some(&json!("")) {
                    map.remove(key);
                }
            }
            map.values_mut().for_each(without_zero_times);
        }
        Value::Array(items) => items.iter_mut().for_each(without_zero_times),
        _ => {}
    }
}

#[test]
fn every_record_of_helm_survives() {
    let vectors = secrets();
    assert_eq!(vectors.len(), 18);
    for (id, vector) in vectors {
        let secret = stored(&vector);
        let record = codec::decode(&secret).unwrap_or_else(|error| panic!("{id}: {error}"));
        let labels = codec::user_labels(&secret);
        assert_eq!(labels, BTreeMap::new(), "{id}");
        let modified = vector["labels"]["modifiedAt"].as_str().unwrap().parse().unwrap();
        let stamp = Stamp::Modified(Timestamp::from_second(modified).unwrap());
        let written = codec::encode(&record, &labels, stamp);
        assert_eq!(written.name(), vector["name"].as_str().unwrap(), "{id}");
        assert_eq!(written.get(&["metadata", "labels"]), Some(&vector["labels"]), "{id}");
        assert_eq!(written.get(&["type"]), Some(&vector["type"]), "{id}");
        let again = codec::decode(&written).unwrap();
        assert_eq!(again, record, "{id}");
        let mut expected = vector["release"].clone();
        without_zero_times(&mut expected);
        assert_eq!(serde_json::to_value(&again).unwrap(), expected, "{id}");
    }
}

#[test]
fn unknown_fields_survive_at_every_level() {
    let (_, mut vector) = secrets().remove(0);
    vector["release"]["x-top"] = json!({"a": [1, null]});
    vector["release"]["info"]["x-info"] = json!(true);
    vector["release"]["hooks"][0]["x-hook"] = json!("y");
    vector["release"]["hooks"][0]["last_run"]["x-run"] = json!(7);
    vector["release"]["chart"]["metadata"]["x-chart"] = json!("z");
    let record = codec::decode(&stored(&vector)).unwrap();
    let again = serde_json::to_value(&record).unwrap();
    assert_eq!(again["x-top"], json!({"a": [1, null]}));
    assert_eq!(again["info"]["x-info"], json!(true));
    assert_eq!(again["hooks"][0]["x-hook"], json!("y"));
    assert_eq!(again["hooks"][0]["last_run"]["x-run"], json!(7));
    assert_eq!(again["chart"]["metadata"]["x-chart"], json!("z"));
}
