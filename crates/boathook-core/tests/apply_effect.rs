//! Effects of server-side applies against the answers of apimachinery's field manager (`vectors/apply-effect.json`), and
//! laws.

#![allow(clippy::unwrap_used, reason = "tests: shared functions of a test binary are not #[test] themselves")]

mod json_patch;

use std::sync::LazyLock;

use boathook_core::Object;
use boathook_core::apply_effect::{ApplyEffect, apply_effect};
use boathook_core::field_set::FieldSet;
use boathook_core::managed_fields;
use boathook_core::managed_fields::Ownership;
use boathook_core::schema::Type;
use json_patch::edited;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What the server keeps in another form than it was applied, and what only the field manager of the vectors takes.
const SENT_NEEDLESSLY: [&str; 8] = [
    ".data.new has another value",
    ".spec.metrics has another value",
    ".spec.paused has another value",
    ".spec.template.spec.containers[name=\"app\"].env[name=\"A\"].value has another value",
    ".spec.template.spec.containers[name=\"app\"].resources.limits.cpu has another value",
    ".spec.template.spec.hostNetwork has another value",
    ".spec.volumeClaimTemplates has another value",
    ".status.conditions has another value",
];

fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors/apply-effect.json")).unwrap()
}

struct Case {
    title: String,
    desired: Object,
    live: Object,
    kind: Type,
    effect: String,
    fields: Value,
}

fn cases() -> Vec<Case> {
    let vectors = vectors();
    let read = |case: &Value| {
        let base = &vectors["objects"][case["base"].as_str().unwrap()];
        let desired = match case["edit"].as_str() {
            Some(edit) => edited(&base["object"], &base["edits"][edit]).unwrap(),
            None => base["object"].clone(),
        };
        let desired = Object::from_value(desired).unwrap();
        let live = Object::from_value(base["live"][case["live"].as_str().unwrap()].clone()).unwrap();
        let kind =
            Type::built_in(&desired.reference().gvk()).unwrap_or_else(|| Type::custom(&base["schema"]));
        let title = format!("{}: {} onto {}", case["base"], case["edit"], case["live"]);
        let effect = case["effect"].as_str().unwrap().to_owned();
        Case { title, desired, live, kind, effect, fields: case["fields"].clone() }
    };
    vectors["cases"].as_array().unwrap().iter().map(read).collect()
}

#[test]
fn unchanged_is_said_only_where_nothing_changes() {
    let cases = cases();
    assert!(cases.len() > 1000);
    let mut wrong = Vec::new();
    // What is sent though nothing changes. Allowed, but each is a request.
    let mut needless = Vec::new();
    for case in &cases {
        match (apply_effect(&case.desired, &case.live, "helm", &case.kind), case.effect.as_str()) {
            (ApplyEffect::Unchanged, "none") | (ApplyEffect::MayChange(_), "change" | "refused") => {}
            (ApplyEffect::MayChange(why), _) => needless.push(why.to_string()),
            (effect, _) => wrong.push(format!("{}: {effect:?}, but {}", case.title, case.effect)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    needless.sort();
    needless.dedup();
    assert_eq!(needless, SENT_NEEDLESSLY);
}

#[test]
fn fields_are_those_that_the_server_records() {
    let mut compared = 0;
    for case in cases().iter().filter(|case| case.fields.is_object()) {
        let mut fields = FieldSet::of(&case.desired.clone().into_value(), &case.kind);
        managed_fields::strip(&mut fields);
        assert_eq!(fields, FieldSet::from_value(&case.fields), "{}", case.title);
        compared += 1;
    }
    assert!(compared > 100);
}

/// A value of the custom kind of the vectors. Lists that merge have items: an empty one says nothing.
fn spec() -> impl Strategy<Value = Value> {
    let map = || btree_map("[a-d]", "[x-z]", 0..3);
    let named = btree_map("[a-d]", ("[x-z]", vec("[x-z]", 0..3)), 1..4);
    let lists = (named, btree_set("[a-d]", 1..4), vec(0..9, 0..3));
    (0..9, lists, map(), map(), map()).prop_map(|(size, (named, set, list), whole, free, any)| {
        let named: Vec<Value> = named
            .into_iter()
            .map(|(name, (value, tags))| json!({"name": name, "value": value, "tags": tags}))
            .collect();
        let list: Vec<Value> = list.into_iter().map(|a| json!({"a": a})).collect();
        json!({"size": size, "named": named, "set": set, "list": list, "whole": whole, "free": free,
               "any": {"map": any, "list": [size]}})
    })
}

/// Every change of one place: another value, one less, one more, another order.
fn edits(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match value {
        Value::String(text) => all.push(json!(format!("{text}e"))),
        Value::Number(number) => all.push(json!(number.as_i64().unwrap() + 10)),
        Value::Object(map) => {
            for (key, inner) in map {
                let mut less = map.clone();
                less.remove(key);
                all.push(Value::Object(less));
                for changed in edits(inner) {
                    let mut map = map.clone();
                    map.insert(key.clone(), changed);
                    all.push(Value::Object(map));
                }
            }
        }
        Value::Array(list) => {
            for (at, inner) in list.iter().enumerate() {
                let mut less = list.clone();
                less.remove(at);
                all.push(Value::Array(less));
                for changed in edits(inner) {
                    let mut list = list.clone();
                    list[at] = changed;
                    all.push(Value::Array(list));
                }
            }
            if list.len() > 1 && list[0] != list[1] {
                let mut list = list.clone();
                list.swap(0, 1);
                all.push(Value::Array(list));
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
    all
}

static WIDGET: LazyLock<Type> = LazyLock::new(|| Type::custom(&vectors()["objects"]["custom"]["schema"]));

fn widget(spec: &Value) -> Object {
    let widget =
        json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec});
    Object::from_value(widget).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn an_applied_object_is_unchanged_until_anything_is_edited(spec in spec()) {
        let kind = &*WIDGET;
        let desired = widget(&spec);
        let mut fields = FieldSet::of(&desired.clone().into_value(), kind);
        managed_fields::strip(&mut fields);
        let own = Ownership {
            manager: "helm".to_owned(),
            applied: true,
            subresource: String::new(),
            api_version: "example.com/v1".to_owned(),
            time: String::new(),
            fields,
        };
        let read_back = |object: &Object| {
            let mut live = object.clone().into_value();
            managed_fields::write(&mut live, vec![own.clone()]);
            live["metadata"]["uid"] = json!("u");
            live["status"] = json!({"ready": true});
            Object::from_value(live).unwrap()
        };
        let effect = |desired: &Object, live: &Object| apply_effect(desired, live, "helm", kind);
        prop_assert_eq!(effect(&desired, &read_back(&desired)), ApplyEffect::Unchanged);
        for edited in edits(&spec) {
            let other = widget(&edited);
            prop_assert_ne!(effect(&other, &read_back(&desired)), ApplyEffect::Unchanged, "{}", edited);
            prop_assert_ne!(effect(&desired, &read_back(&other)), ApplyEffect::Unchanged, "{}", edited);
        }
    }
}
