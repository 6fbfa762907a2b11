//! Patches of client-side updates against the answers of apimachinery and Helm (`vectors/three-way.json`), and laws.

#![allow(clippy::unwrap_used, reason = "tests: shared functions of a test binary are not #[test] themselves")]

mod json_patch;

use std::sync::LazyLock;

use boathook_core::Object;
use boathook_core::three_way::{CustomKinds, Unmergeable, Update, three_way};
use json_patch::edited;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::subsequence;
use serde_json::{Value, json};

static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("vectors/three-way.json")).unwrap());

fn answer(case: &Value) -> Result<Update, Unmergeable> {
    let base = &VECTORS["objects"][case["base"].as_str().unwrap()];
    let object = |part: &str| {
        let names = case[part].as_array().unwrap().iter();
        let object = names.fold(base["object"].clone(), |object, name| {
            edited(&object, &base["edits"][name.as_str().unwrap()]).unwrap()
        });
        Object::from_value(object).unwrap()
    };
    let custom = if case["takeOwnership"] == true { CustomKinds::ThreeWay } else { CustomKinds::TwoWay };
    three_way(&object("original"), &object("modified"), &object("live"), custom)
}

#[test]
fn every_patch_is_helms() {
    let cases = VECTORS["cases"].as_array().unwrap();
    assert!(cases.len() > 500);
    let mut wrong = Vec::new();
    for case in cases {
        let expected = match (case["type"].as_str(), &case["patch"]) {
            (None, _) => None,
            (_, patch) if *patch == json!({}) => Some(Update::Nothing),
            (Some("strategic"), patch) => Some(Update::StrategicMerge(patch.clone())),
            (_, patch) => Some(Update::JsonMerge(patch.clone())),
        };
        let answer = answer(case);
        if answer.clone().ok() != expected {
            wrong.push(format!("{case}\n  {answer:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// RFC 7386, as it stands there.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(target.as_object_mut().unwrap().entry(key).or_insert(Value::Null), value);
        }
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<bool>().prop_map(Value::from), any::<u8>().prop_map(Value::from)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            btree_map("[a-c]", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn widget(spec: &Value) -> Object {
    let widget =
        json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec});
    Object::from_value(widget).unwrap()
}

proptest! {
    #[test]
    fn a_patch_of_a_custom_object_leads_from_one_manifest_to_the_other(old in value(), new in value()) {
        let (old, new) = (widget(&old), widget(&new));
        let mut object = old.clone().into_value();
        match three_way(&old, &new, &old, CustomKinds::TwoWay).unwrap() {
            Update::Nothing => {}
            Update::JsonMerge(patch) => merge(&mut object, &patch),
            Update::StrategicMerge(_) => panic!("a custom object"),
        }
        prop_assert_eq!(object, new.into_value());
    }

    #[test]
    fn a_three_way_patch_of_a_custom_object_is_the_last_one(old in value(), new in value(), live in value()) {
        let (old, new, live) = (widget(&old), widget(&new), widget(&live));
        let mut object = live.clone().into_value();
        if let Update::JsonMerge(patch) = three_way(&old, &new, &live, CustomKinds::ThreeWay).unwrap() {
            merge(&mut object, &patch);
        }
        let patched = Object::from_value(object).unwrap();
        prop_assert_eq!(three_way(&new, &new, &patched, CustomKinds::ThreeWay), Ok(Update::Nothing));
    }

    /// In any three states that a Deployment gets into by the edits of the vectors.
    #[test]
    fn what_only_others_set_is_left_alone(picks in vec(subsequence((0..40).collect::<Vec<usize>>(), 0..6), 3)) {
        let base = &VECTORS["objects"]["deployment"];
        let edits: Vec<&Value> = base["edits"].as_object().unwrap().values().collect();
        let mut states: Vec<Value> = picks
            .iter()
            .map(|picks| {
                picks.iter().fold(base["object"].clone(), |object, pick| {
                    edited(&object, edits[*pick]).unwrap_or(object)
                })
            })
            .collect();
        let same = Object::from_value(states[1].clone()).unwrap();
        if let Ok(update) = three_way(&same, &same, &same, CustomKinds::TwoWay) {
            prop_assert_eq!(update, Update::Nothing);
        }
        states[2]["metadata"]["annotations"] = json!({"only-live": "1"});
        if let Some(containers) = states[2]["spec"]["template"]["spec"]["containers"].as_array_mut() {
            containers.push(json!({"name": "only-live", "image": "x"}));
        }
        let [original, modified, live] =
            <[Value; 3]>::try_from(states).unwrap().map(|state| Object::from_value(state).unwrap());
        if let Ok(Update::StrategicMerge(patch)) = three_way(&original, &modified, &live, CustomKinds::TwoWay) {
            prop_assert!(!patch.to_string().contains("only-live"), "{}", patch);
        }
    }
}
