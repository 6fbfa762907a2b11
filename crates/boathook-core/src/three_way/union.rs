//! Deletions and changes in one patch.

use serde_json::{Map, Value};

use super::{ELEMENT_ORDER, RETAIN_KEYS, order};
use crate::schema::{Merge, Type};

/// Adds the changes of a map to its deletions. Both were made for the same new manifest, so what they both say (the
/// order of a list, the fields that stay) they say alike.
pub(super) fn maps(patch: &mut Map<String, Value>, mut changes: Map<String, Value>, kind: &Type) {
    if let Some(keys) = changes.shift_remove(RETAIN_KEYS) {
        patch.insert(RETAIN_KEYS.to_owned(), keys);
    }
    let ordered: Vec<String> = changes.keys().filter(|key| key.starts_with(ELEMENT_ORDER)).cloned().collect();
    for directive in ordered {
        let field = &directive[ELEMENT_ORDER.len()..];
        let items = array(changes.shift_remove(field));
        let order = array(changes.shift_remove(&directive));
        ordered_list(patch, field, items, &order, kind);
        patch.insert(directive, Value::Array(order));
    }
    for (key, value) in changes {
        let field = kind.patch_field(&key).map(|(field, strategy)| (field, strategy.merge));
        match (patch.get_mut(&key), value, field) {
            (Some(Value::Object(map)), Value::Object(changes), Some((field, Merge::Parts))) => {
                maps(map, changes, field);
            }
            (Some(Value::Array(list)), Value::Array(changes), Some((field, Merge::Key(by)))) => {
                lists(list, changes, field.list().0, &by);
            }
            (_, value, _) => {
                patch.insert(key, value);
            }
        }
    }
}

/// Adds the changes of a list whose order is told.
fn ordered_list(
    patch: &mut Map<String, Value>,
    field: &str,
    changes: Vec<Value>,
    order: &[Value],
    kind: &Type,
) {
    let before = array(patch.shift_remove(field));
    let mut merged = before.clone();
    let mut by = None;
    match kind.patch_field(field).map(|(field, strategy)| (field, strategy.merge)) {
        Some((field, Merge::Key(key))) => {
            lists(&mut merged, changes, field.list().0, &key);
            by = Some(key);
        }
        _ => merged.extend(changes),
    }
    let merged = order::arrange(merged, order, &before, by.as_deref());
    if !merged.is_empty() {
        patch.insert(field.to_owned(), Value::Array(merged));
    }
}

/// Adds changed and new items to a list of deletions.
fn lists(list: &mut Vec<Value>, changes: Vec<Value>, element: &Type, key: &str) {
    let before = list.clone();
    for item in &changes {
        let found = order::position(list, item, Some(key)).map(|at| &mut list[at]);
        match (found, item) {
            (Some(Value::Object(map)), Value::Object(item)) => maps(map, item.clone(), element),
            _ => list.push(item.clone()),
        }
    }
    *list = order::arrange(std::mem::take(list), &changes, &before, Some(key));
}

fn array(value: Option<Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}
