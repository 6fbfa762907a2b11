//! JSON merge patches (RFC 7386): kinds without merge keys.

use serde_json::{Map, Value};

use super::{Fault, Unmergeable};

/// The patch from one map to another.
pub(super) fn difference(old: &Map<String, Value>, new: &Map<String, Value>) -> Map<String, Value> {
    let mut patch = Map::new();
    for (key, after) in new {
        match (old.get(key), after) {
            (Some(before), after) if before == after => {}
            (Some(Value::Object(before)), Value::Object(after)) => {
                patch.insert(key.clone(), Value::Object(difference(before, after)));
            }
            (_, after) => {
                patch.insert(key.clone(), after.clone());
            }
        }
    }
    patch.extend(old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null)));
    patch
}

/// What is new against the live object, and what is gone against the original.
pub(super) fn three_way(
    original: &Map<String, Value>,
    modified: &Map<String, Value>,
    live: &Map<String, Value>,
) -> Result<Map<String, Value>, Unmergeable> {
    let mut patch = only_nulls(difference(original, modified));
    add(&mut patch, without_nulls(difference(live, modified)));
    let renamed = patch.get("metadata").is_some_and(|metadata| metadata.get("name").is_some());
    if renamed || patch.contains_key("apiVersion") || patch.contains_key("kind") {
        return Err(Unmergeable::new(Fault::OtherObject));
    }
    Ok(patch)
}

fn only_nulls(patch: Map<String, Value>) -> Map<String, Value> {
    patch
        .into_iter()
        .filter_map(|(key, value)| match value {
            Value::Null => Some((key, Value::Null)),
            Value::Object(map) => {
                let map = only_nulls(map);
                (!map.is_empty()).then_some((key, Value::Object(map)))
            }
            _ => None,
        })
        .collect()
}

/// A map that was empty before is a value; one of which only deletions are left is not.
fn without_nulls(patch: Map<String, Value>) -> Map<String, Value> {
    patch
        .into_iter()
        .filter_map(|(key, value)| match value {
            Value::Null => None,
            Value::Object(map) if !map.is_empty() => {
                let map = without_nulls(map);
                (!map.is_empty()).then_some((key, Value::Object(map)))
            }
            other => Some((key, other)),
        })
        .collect()
}

fn add(patch: &mut Map<String, Value>, changes: Map<String, Value>) {
    for (key, value) in changes {
        match (patch.get_mut(&key), value) {
            (Some(Value::Object(map)), Value::Object(changes)) => add(map, changes),
            (_, mut value) => {
                drop_nulls(&mut value);
                patch.insert(key, value);
            }
        }
    }
}

/// What is added has no nulls, in the items of its lists neither.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
