//! Server-side apply: merges what a manager applies into the live object, removes what it applied before and no longer
//! does, and finds the fields that others own. Follows structured-merge-diff's `merge.Updater.Apply`.

use serde_json::{Map, Value};

use crate::managed::{self, Ownership, Writer};
use crate::schema::{ListKind, Scalar, Type};
use boathook_core::field_set::{FieldSet, Items, items};

/// Applies an object onto the live one (or onto nothing) and returns the result with its `managedFields`.
///
/// # Errors
/// The conflicts, as (manager, field), if fields of others would change and `force` is not set.
pub(crate) fn apply(
    live: Option<&Value>,
    applied: &Value,
    kind: &Type,
    writer: &Writer<'_>,
    force: bool,
) -> Result<Value, Vec<(String, String)>> {
    let mut applied = applied.clone();
    drop_nulls(&mut applied);
    let mut set = FieldSet::of(&applied, kind);
    managed::strip(&mut set);
    if writer.subresource == "status" {
        set.keep_only("status");
    }
    let empty = Value::Object(Map::new());
    let live = live.unwrap_or(&empty);
    let mut entries = managed::read(live);
    let mut merged = merge(live, &applied, kind);

    let changed = FieldSet::changed(Some(live), &merged, kind);
    let mut conflicts = Vec::new();
    for entry in &mut entries {
        if entry.is(writer.manager, true, writer.subresource) {
            continue;
        }
        let taken = entry.fields.intersection(&changed).intersection(&set);
        if taken.is_empty() {
            continue;
        }
        if force {
            entry.fields.subtract(&taken);
        } else {
            conflicts.extend(taken.paths().into_iter().map(|path| (entry.title(), path)));
        }
    }
    if !conflicts.is_empty() {
        return Err(conflicts);
    }

    let own = entries.iter().position(|entry| entry.is(writer.manager, true, writer.subresource));
    let before = own.map(|index| entries.remove(index));
    if let Some(before) = &before {
        let mut gone = before.fields.clone();
        gone.subtract(&set);
        let mut others = set.clone();
        for entry in &entries {
            others.union(&entry.fields);
        }
        gone.remove_from(&mut merged, kind, &others);
        ensure_metadata(&mut merged);
    }
    for entry in &mut entries {
        entry.fields.retain_existing(&merged, kind);
    }
    let time = match &before {
        Some(before) if before.fields == set && before.api_version == writer.api_version => {
            before.time.clone()
        }
        _ => writer.time.to_owned(),
    };
    entries.push(Ownership { time, ..writer.entry(true, set) });
    managed::write(&mut merged, entries);
    Ok(merged)
}

/// What of an applied object does not fit its type: the first field, as the real server tells it.
pub(crate) fn undeclared(value: &Value, kind: &Type, path: &str) -> Option<String> {
    let wrong = |wanted: &str| {
        Some(format!("{path}: expected {wanted}, got &value.valueUnstructured{{Value:{value}}}"))
    };
    match (kind.resolve(), value) {
        (_, Value::Null) => None,
        (Type::Struct(map), Value::Object(object)) => {
            object.iter().find_map(|(key, value)| match map.fields.get(key) {
                Some(field) => undeclared(value, field, &format!("{path}.{key}")),
                None if !map.open => Some(format!("{path}.{key}: field not declared in schema")),
                None => None,
            })
        }
        (Type::Map(element), Value::Object(object)) => {
            object.iter().find_map(|(key, value)| undeclared(value, element, &format!("{path}.{key}")))
        }
        (Type::List(element, list), Value::Array(values)) => {
            values.iter().enumerate().find_map(|(index, item)| {
                let step = match (list, item) {
                    (ListKind::Keyed(keys), Value::Object(_)) => {
                        let named: Vec<String> =
                            keys.iter().filter_map(|key| Some(format!("{key}={}", item.get(key)?))).collect();
                        format!("{path}[{}]", named.join(","))
                    }
                    _ => format!("{path}[{index}]"),
                };
                undeclared(item, element, &step)
            })
        }
        (Type::Atomic(inner), _) => undeclared(value, inner, path),
        (Type::Scalar(Scalar::Text), _) if !value.is_string() => wrong("string"),
        (Type::Scalar(Scalar::Number), _) if !value.is_number() => wrong("numeric (int or float)"),
        (Type::Scalar(Scalar::Flag), _) if !value.is_boolean() => wrong("boolean"),
        (Type::Struct(_) | Type::Map(_), _) => wrong("map"),
        (Type::List(..), _) => wrong("list"),
        _ => None,
    }
}

fn merge(live: &Value, applied: &Value, kind: &Type) -> Value {
    if kind.is_leaf(applied) || kind.is_leaf(live) {
        return applied.clone();
    }
    match (live, applied) {
        (Value::Object(live), Value::Object(applied)) => {
            let mut merged = live.clone();
            for (key, value) in applied {
                let field = kind.field(key).map_or(Type::Deduced, |(field, _)| field.clone());
                let next = match live.get(key) {
                    Some(old) => merge(old, value, &field),
                    None => value.clone(),
                };
                merged.insert(key.clone(), next);
            }
            Value::Object(merged)
        }
        (Value::Array(live), Value::Array(applied)) => {
            let (element, list) = kind.list();
            let (Items::Each(old), Items::Each(new)) = (items(live, list), items(applied, list)) else {
                return Value::Array(applied.clone());
            };
            let mut merged: Vec<Value> = Vec::with_capacity(old.len() + new.len());
            for (path, item) in &old {
                match new.iter().find(|(of, _)| of == path) {
                    Some((_, value)) => merged.push(merge(item, value, element)),
                    None => merged.push((*item).clone()),
                }
            }
            let fresh = new.iter().filter(|(path, _)| !old.iter().any(|(of, _)| of == path));
            merged.extend(fresh.map(|(_, item)| (*item).clone()));
            Value::Array(merged)
        }
        (_, applied) => applied.clone(),
    }
}

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

/// Removing the last own field of `metadata` must not remove metadata.
fn ensure_metadata(object: &mut Value) {
    if !object["metadata"].is_object() {
        object["metadata"] = Value::Object(Map::new());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CONFIG_MAP: Type = Type::Named("core.v1.ConfigMap");

    fn by(manager: &str) -> Writer<'_> {
        Writer { manager, subresource: "", api_version: "v1", time: "2026-01-01T00:00:00Z" }
    }

    fn data(data: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})
    }

    #[test]
    fn what_is_no_longer_applied_goes() {
        let first = apply(None, &data(json!({"a": "1", "b": "2"})), &CONFIG_MAP, &by("x"), false).unwrap();
        let second = apply(Some(&first), &data(json!({"a": "1"})), &CONFIG_MAP, &by("x"), false).unwrap();
        assert_eq!(second["data"], json!({"a": "1"}));
    }

    #[test]
    fn a_shared_field_stays_until_its_last_owner_leaves() {
        let first = apply(None, &data(json!({"a": "1"})), &CONFIG_MAP, &by("x"), false).unwrap();
        let both = apply(Some(&first), &data(json!({"a": "1"})), &CONFIG_MAP, &by("y"), false).unwrap();
        let one = apply(Some(&both), &data(json!({"z": "1"})), &CONFIG_MAP, &by("x"), false).unwrap();
        assert_eq!(one["data"], json!({"a": "1", "z": "1"}));
        let none = apply(Some(&one), &data(json!({"z": "1"})), &CONFIG_MAP, &by("y"), false).unwrap();
        assert_eq!(none["data"], json!({"z": "1"}));
    }

    #[test]
    fn another_value_for_a_field_of_another_conflicts() {
        let first = apply(None, &data(json!({"a": "1"})), &CONFIG_MAP, &by("x"), false).unwrap();
        let conflicts =
            apply(Some(&first), &data(json!({"a": "2"})), &CONFIG_MAP, &by("y"), false).unwrap_err();
        assert_eq!(conflicts, [("\"x\"".to_owned(), ".data.a".to_owned())]);
        let forced = apply(Some(&first), &data(json!({"a": "2"})), &CONFIG_MAP, &by("y"), true).unwrap();
        assert_eq!(forced["data"]["a"], "2");
        let managers: Vec<String> = managed::read(&forced).into_iter().map(|entry| entry.manager).collect();
        assert_eq!(managers, ["y"]);
    }
}
