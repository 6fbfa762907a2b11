//! The order of lists that merge: by which key items are found, and where each goes.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{Fault, PATCH, Unmergeable};

/// An item of a list that merges by a key.
pub(super) struct Item<'a> {
    /// The text of its key, by which items of two lists are paired.
    pub(super) text: Cow<'a, str>,
    /// Its key.
    pub(super) key: &'a Value,
    /// The item.
    pub(super) map: &'a Map<String, Value>,
}

/// Whether all values are maps, or none is.
pub(super) fn are_maps<'a>(mut values: impl Iterator<Item = &'a Value>) -> Result<bool, Unmergeable> {
    let Some(first) = values.next() else { return Ok(false) };
    let alike = |other: &Value| match (first, other) {
        (Value::Number(a), Value::Number(b)) => a.is_f64() == b.is_f64(),
        _ => std::mem::discriminant(first) == std::mem::discriminant(other),
    };
    if first.is_array() || first.is_null() || !values.all(alike) {
        return Err(Unmergeable::new(Fault::MixedItems));
    }
    Ok(first.is_object())
}

/// The items of a list, sorted by their key. Items of one key come last first, as Go's `sort.Sort` leaves them in
/// apimachinery: it decides which of two ports with one number is compared with which.
pub(super) fn by_key<'a>(list: &'a [Value], key: &str) -> Result<Vec<Item<'a>>, Unmergeable> {
    let missing = || Unmergeable::new(Fault::MissingKey(key.to_owned()));
    let mut items = list
        .iter()
        .rev()
        .filter_map(Value::as_object)
        .map(|map| {
            let key = map.get(key).ok_or_else(missing)?;
            Ok(Item { text: text(key), key, map })
        })
        .collect::<Result<Vec<_>, _>>()?;
    items.sort_by(|a, b| a.text.cmp(&b.text));
    Ok(items)
}

/// Scalars, sorted by their text.
pub(super) fn by_text(list: &[Value]) -> Vec<Value> {
    let mut sorted = list.to_vec();
    sorted.sort_by(|a, b| text(a).cmp(&text(b)));
    sorted
}

/// Sorts items as another list has them; items that are to be deleted come last.
pub(super) fn sorted(items: Vec<Value>, like: &[Value], key: Option<&str>) -> Vec<Value> {
    let (gone, mut kept): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.get(PATCH).is_some());
    kept.sort_by_cached_key(|item| position(like, item, key).unwrap_or(usize::MAX));
    kept.extend(gone);
    kept
}

/// Puts a merged list into order: what `order` names in its sequence, the rest in that of `before`, which also tells
/// where the two mesh.
pub(super) fn arrange(
    merged: Vec<Value>,
    order: &[Value],
    before: &[Value],
    key: Option<&str>,
) -> Vec<Value> {
    let (named, others): (Vec<_>, Vec<_>) =
        merged.into_iter().partition(|item| position(order, item, key).is_some());
    let mut named = sorted(named, order, key).into_iter().peekable();
    let mut others = sorted(others, before, key).into_iter().peekable();
    let mut all = Vec::with_capacity(named.len() + others.len());
    while let Some(other) = others.peek() {
        let first = match named.peek() {
            None => true,
            Some(item) => match (position(before, other, key), position(before, item, key)) {
                (Some(other), Some(item)) => other < item,
                _ => false,
            },
        };
        all.extend(if first { others.next() } else { named.next() });
    }
    all.extend(named);
    all
}

/// Where a list has an item of the same key, or the same scalar.
pub(super) fn position(list: &[Value], item: &Value, key: Option<&str>) -> Option<usize> {
    match key {
        Some(key) => list.iter().position(|other| other.get(key) == item.get(key)),
        None => list.iter().position(|other| other == item),
    }
}

/// A key as Go prints it.
fn text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}
