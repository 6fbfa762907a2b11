//! Strategic merge patch: a merge patch that finds the items of keyed lists by their merge key and understands the
//! directives `$patch`, `$deleteFromPrimitiveList`, `$setElementOrder` and `$retainKeys`.

use serde_json::{Map, Value};

use crate::schema::{Merge, Type};

/// Merges a patch into an object of a type.
///
/// # Errors
/// The text of a 400: an item without its merge key, an unknown directive.
pub(crate) fn merge(target: &mut Value, patch: &Value, kind: &Type) -> Result<(), String> {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return Ok(());
    };
    match patch.get("$patch").and_then(Value::as_str) {
        Some("replace") => {
            *target = without_directives(patch);
            return Ok(());
        }
        Some("delete") => {
            *target = Value::Object(Map::new());
            return Ok(());
        }
        Some("merge") | None => {}
        Some(other) => return Err(format!("unknown patch type found: {other}")),
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return Ok(()) };
    if let Some(Value::Array(keep)) = patch.get("$retainKeys") {
        map.retain(|key, _| keep.iter().any(|one| one == key.as_str()));
    }
    for (key, value) in patch {
        if let Some(field) = key.strip_prefix("$deleteFromPrimitiveList/") {
            if let (Some(Value::Array(list)), Value::Array(gone)) = (map.get_mut(field), value) {
                list.retain(|item| !gone.contains(item));
            }
            continue;
        }
        if key.starts_with('$') {
            continue;
        }
        if value.is_null() {
            map.shift_remove(key);
            continue;
        }
        let (field, by) = strategy(kind, key, value);
        match value {
            Value::Array(items) => {
                let order = patch.get(&format!("$setElementOrder/{key}"));
                let slot = map.entry(key.clone()).or_insert_with(|| Value::Array(Vec::new()));
                merge_list(slot, items, &field, order, &by)?;
            }
            Value::Object(_) if by != Merge::Replace => {
                let slot = map.entry(key.clone()).or_insert_with(|| Value::Object(Map::new()));
                merge(slot, value, &field)?;
            }
            _ => {
                map.insert(key.clone(), value.clone());
            }
        }
    }
    // An order without items still sorts the list.
    for (key, order) in
        patch.iter().filter_map(|(key, order)| Some((key.strip_prefix("$setElementOrder/")?, order)))
    {
        if !patch.contains_key(key)
            && let Some(slot @ Value::Array(_)) = map.get_mut(key)
        {
            let (field, by) = strategy(kind, key, slot);
            if by != Merge::Replace {
                merge_list(slot, &[], &field, Some(order), &by)?;
            }
        }
    }
    Ok(())
}

fn merge_list(
    slot: &mut Value,
    items: &[Value],
    kind: &Type,
    order: Option<&Value>,
    by: &Merge,
) -> Result<(), String> {
    let (element, _) = kind.list();
    let replace = items.iter().any(|item| item["$patch"] == "replace");
    let Value::Array(live) = slot else {
        *slot = Value::Array(items.to_vec());
        return Ok(());
    };
    if replace || *by == Merge::Replace {
        *live = items.iter().filter(|item| item.get("$patch").is_none()).cloned().collect();
        return Ok(());
    }
    let before = live.clone();
    let key = match by {
        Merge::Key(key) => Some(key.as_str()),
        Merge::Parts | Merge::Replace => None,
    };
    match key {
        None => {
            for item in items {
                if !live.contains(item) {
                    live.push(item.clone());
                }
            }
        }
        Some(key) => merge_items(live, items, element, key)?,
    }
    let wanted = match order {
        Some(Value::Array(order)) => order.as_slice(),
        _ => items,
    };
    *live = in_order(std::mem::take(live), wanted, &before, key);
    Ok(())
}

fn merge_items(live: &mut Vec<Value>, items: &[Value], element: &Type, key: &str) -> Result<(), String> {
    for item in items {
        let Some(value) = item.get(key) else {
            return Err(format!("map: {item} does not contain declared merge key: {key}"));
        };
        let found = live.iter().position(|one| one.get(key) == Some(value));
        match (item["$patch"] == "delete", found) {
            (true, _) => live.retain(|one| one.get(key) != Some(value)),
            (false, Some(index)) => merge(&mut live[index], item, element)?,
            (false, None) => {
                let mut fresh = Value::Object(Map::new());
                merge(&mut fresh, item, element)?;
                live.push(fresh);
            }
        }
    }
    Ok(())
}

/// Sorts a merged list: what the patch names in its order, the rest as it was; where both were there before, the older
/// order says which of them is first, else what the patch names.
fn in_order(merged: Vec<Value>, wanted: &[Value], before: &[Value], key: Option<&str>) -> Vec<Value> {
    let place = |list: &[Value], item: &Value| {
        list.iter().position(|one| match key {
            Some(key) => one.get(key) == item.get(key),
            None => one == item,
        })
    };
    let (mut named, mut rest): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|item| place(wanted, item).is_some());
    named.sort_by_key(|item| place(wanted, item));
    rest.sort_by_key(|item| place(before, item));
    let (mut named, mut rest) = (named.into_iter().peekable(), rest.into_iter().peekable());
    let mut sorted = Vec::new();
    while let (Some(left), Some(right)) = (rest.peek(), named.peek()) {
        let older = place(before, left).zip(place(before, right)).is_some_and(|(left, right)| left < right);
        sorted.extend(if older { rest.next() } else { named.next() });
    }
    sorted.extend(rest);
    sorted.extend(named);
    sorted
}

/// The type of a field and by what it merges. What the types do not know merges as in a JSON merge patch.
fn strategy(kind: &Type, field: &str, value: &Value) -> (Type, Merge) {
    match kind.patch_field(field) {
        Some((kind, strategy)) => (kind.clone(), strategy.merge),
        None => {
            let merge = if value.is_array() { Merge::Replace } else { Merge::Parts };
            (kind.field(field).map_or(Type::Deduced, |(kind, _)| kind.clone()), merge)
        }
    }
}

fn without_directives(patch: &Map<String, Value>) -> Value {
    Value::Object(
        patch.iter().filter(|(key, _)| !key.starts_with('$')).map(|(k, v)| (k.clone(), v.clone())).collect(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(live: Value, patch: &Value) -> Value {
        let mut live = live;
        merge(&mut live, patch, &Type::Named("core.v1.Pod")).unwrap();
        live
    }

    #[test]
    fn containers_are_found_by_name() {
        let live = json!({"spec": {"containers": [{"name": "a", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]}});
        let patch = json!({"spec": {"containers": [{"name": "a", "image": "2", "env": [{"name": "Y", "value": "2"}]}]}});
        let expected = json!({"spec": {"containers": [
            {"name": "a", "image": "2", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]}, {"name": "b"}]}});
        assert_eq!(pod(live, &patch), expected);
    }

    #[test]
    fn directives() {
        let live = || json!({"metadata": {"finalizers": ["x", "y"]}, "spec": {"containers": [{"name": "a"}, {"name": "b"}]}});
        let deleted = pod(live(), &json!({"spec": {"containers": [{"name": "a", "$patch": "delete"}]}}));
        assert_eq!(deleted["spec"]["containers"], json!([{"name": "b"}]));
        let replaced = pod(live(), &json!({"spec": {"$patch": "replace", "nodeName": "n"}}));
        assert_eq!(replaced["spec"], json!({"nodeName": "n"}));
        let primitive = pod(live(), &json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}}));
        assert_eq!(primitive["metadata"]["finalizers"], json!(["y"]));
        let ordered =
            pod(live(), &json!({"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}));
        assert_eq!(ordered["spec"]["containers"], json!([{"name": "b"}, {"name": "a"}]));
    }

    #[test]
    fn what_is_replaced_is_not_merged() {
        let pod = pod(
            json!({"spec": {"tolerations": [{"key": "a"}], "hostAliases": [{"ip": "1.1.1.1", "hostnames": ["a"]}]}}),
            &json!({"spec": {"tolerations": [{"key": "b"}], "hostAliases": [{"ip": "1.1.1.2", "hostnames": ["b"]}]}}),
        );
        assert_eq!(pod["spec"]["tolerations"], json!([{"key": "b"}]));
        assert_eq!(pod["spec"]["hostAliases"].as_array().unwrap().len(), 2);
        let budget = Type::Named("policy.v1.PodDisruptionBudget");
        let mut live = json!({"spec": {"selector": {"matchLabels": {"a": "1"}}}});
        merge(&mut live, &json!({"spec": {"selector": {"matchLabels": {"b": "2"}}}}), &budget).unwrap();
        assert_eq!(live["spec"]["selector"], json!({"matchLabels": {"b": "2"}}));
    }

    #[test]
    fn an_item_without_its_key_is_refused() {
        let mut live = json!({"spec": {"containers": []}});
        let patch = json!({"spec": {"containers": [{"image": "x"}]}});
        assert!(
            merge(&mut live, &patch, &Type::Named("core.v1.Pod")).unwrap_err().contains("merge key: name")
        );
    }
}
