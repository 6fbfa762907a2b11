//! What is new, or what is gone, from one object to another, as a strategic merge patch.

use std::cmp::Ordering;

use serde_json::{Map, Value, json};

use super::order;
use super::{DELETE_SCALARS, ELEMENT_ORDER, Fault, PATCH, Part, RETAIN_KEYS, Unmergeable};
use crate::schema::{Merge, PatchStrategy, Type};

/// The difference of two maps. With `retain_keys`, a patch that changes anything also lists the fields that stay.
pub(super) fn maps(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    kind: &Type,
    part: Part,
    retain_keys: bool,
) -> Result<Map<String, Value>, Unmergeable> {
    let mut patch = Map::new();
    for (key, after) in new {
        match (old.get(key), after) {
            (Some(before @ Value::Object(_)), Value::Object(_))
            | (Some(before @ Value::Array(_)), Value::Array(_)) => {
                let told = match kind.patch_field(key) {
                    Some(field) if after.is_object() || field.0.is_list() => {
                        within(&mut patch, key, before, after, field, part)
                    }
                    _ if before == after => Ok(()),
                    _ => Err(Unmergeable::new(Fault::UnknownField)),
                };
                told.map_err(|fault| fault.below(key))?;
            }
            (Some(before), after) if before == after => {}
            _ if part == Part::Changes => {
                patch.insert(key.clone(), after.clone());
            }
            _ => {}
        }
    }
    if part == Part::Deletions {
        patch.extend(old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), Value::Null)));
    }
    if retain_keys {
        let mut stay: Vec<&String> =
            new.iter().filter(|(_, value)| !value.is_null()).map(|(key, _)| key).collect();
        let more = old.iter().any(|(key, value)| !value.is_null() && !new.contains_key(key));
        if !stay.is_empty() && (more || !patch.is_empty()) {
            stay.sort_unstable();
            patch.insert(RETAIN_KEYS.to_owned(), json!(stay));
        }
    }
    Ok(patch)
}

/// The difference within a field that holds a map before and after, or a list.
fn within(
    patch: &mut Map<String, Value>,
    key: &str,
    before: &Value,
    after: &Value,
    (kind, strategy): (&Type, PatchStrategy),
    part: Part,
) -> Result<(), Unmergeable> {
    if strategy.merge == Merge::Replace {
        // A map that is replaced is sent even if it did not change, as apimachinery does.
        if part == Part::Changes && (before.is_object() || before != after) {
            patch.insert(key.to_owned(), after.clone());
        }
        return Ok(());
    }
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            let difference = maps(before, after, kind, part, strategy.retain_keys)?;
            if !difference.is_empty() {
                patch.insert(key.to_owned(), Value::Object(difference));
            }
        }
        (Value::Array(before), Value::Array(after)) => {
            let list = lists(before, after, kind.list().0, &strategy, part)?;
            for (name, values) in [
                (key.to_owned(), list.items),
                (format!("{DELETE_SCALARS}{key}"), list.gone),
                (format!("{ELEMENT_ORDER}{key}"), list.order),
            ] {
                if !values.is_empty() {
                    patch.insert(name, Value::Array(values));
                }
            }
        }
        _ => {}
    }
    Ok(())
}

/// What a patch says of a list that merges.
#[derive(Default)]
struct ListPatch {
    /// Items that are new or change, then items that go.
    items: Vec<Value>,
    /// Scalars that go.
    gone: Vec<Value>,
    /// All that is wanted, in its order.
    order: Vec<Value>,
}

fn lists(
    before: &[Value],
    after: &[Value],
    element: &Type,
    strategy: &PatchStrategy,
    part: Part,
) -> Result<ListPatch, Unmergeable> {
    if before.is_empty() {
        // Nothing to merge with: the list comes as it is.
        let items = if part == Part::Changes { after.to_vec() } else { Vec::new() };
        return Ok(ListPatch { items, ..ListPatch::default() });
    }
    let maps = order::are_maps(before.iter().chain(after))?;
    match &strategy.merge {
        Merge::Key(key) if maps => items(before, after, element, key, strategy.retain_keys, part),
        _ if maps => Err(Unmergeable::new(Fault::MixedItems)),
        _ => Ok(scalars(before, after, part)),
    }
}

/// The difference of two lists whose items are found by a key.
fn items(
    before: &[Value],
    after: &[Value],
    element: &Type,
    key: &str,
    retain_keys: bool,
    part: Part,
) -> Result<ListPatch, Unmergeable> {
    let mut list = ListPatch::default();
    let mut gone = Vec::new();
    let (old, new) = (order::by_key(before, key)?, order::by_key(after, key)?);
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    loop {
        let place = match (old.peek(), new.peek()) {
            (None, None) => break,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(was), Some(is)) => was.text.cmp(&is.text),
        };
        let was = if place.is_le() { old.next() } else { None };
        let is = if place.is_ge() { new.next() } else { None };
        match (was, is) {
            (Some(was), Some(is)) => {
                let mut difference = maps(was.map, is.map, element, part, retain_keys)
                    .map_err(|fault| fault.of_item(key, &is.text))?;
                if !difference.is_empty() {
                    difference.insert(key.to_owned(), is.key.clone());
                    list.items.push(Value::Object(difference));
                }
            }
            (None, Some(is)) if part == Part::Changes => list.items.push(Value::Object(is.map.clone())),
            (Some(was), None) if part == Part::Deletions => {
                gone.push(json!({key: was.key, PATCH: "delete"}));
            }
            _ => {}
        }
    }
    list.items = order::sorted(list.items, after, Some(key));
    list.items.extend(gone);
    let same_order = before.len() == after.len() && before.iter().zip(after).all(|(a, b)| a[key] == b[key]);
    if !list.items.is_empty() || (part == Part::Changes && !same_order) {
        list.order = after.iter().map(|item| json!({key: item[key]})).collect();
    }
    Ok(list)
}

/// The difference of two lists of scalars.
fn scalars(before: &[Value], after: &[Value], part: Part) -> ListPatch {
    let (before, wanted) = (order::by_text(before), order::by_text(after));
    // Counted, not compared as sets: a value that stands twice and shall stand once is one that goes.
    let mut rest: Vec<Option<&Value>> = before.iter().map(Some).collect();
    let mut list = ListPatch::default();
    for value in &wanted {
        match rest.iter_mut().find(|one| **one == Some(value)) {
            Some(found) => *found = None,
            None if part == Part::Changes => list.items.push(value.clone()),
            None => {}
        }
    }
    if part == Part::Deletions {
        list.gone = rest.into_iter().flatten().cloned().collect();
        list.gone.dedup();
    }
    list.items = order::sorted(list.items, after, None);
    // The live list is compared sorted, as apimachinery does: an order that is not the alphabet's is always told.
    let told = match part {
        Part::Changes => before != after,
        Part::Deletions => !list.gone.is_empty(),
    };
    if told {
        list.order = after.to_vec();
    }
    list
}
