//! Field selection on the host: a guest that wants two strings of a large object does not get, parse and hold all of
//! it. Pure.

use boathook_core::Object;
use serde_json::{Map, Value};

/// Keeps only these paths of an object; all of it if there are none. A path is keys joined by dots (`metadata.name`),
/// a dot within a key is written `\.`; a path that leads nowhere adds nothing. Lists are taken whole.
pub(super) fn select(object: Object, paths: &[String]) -> Object {
    if paths.is_empty() {
        return object;
    }
    let mut kept = Map::new();
    for path in paths {
        let keys = keys(path);
        let borrowed: Vec<&str> = keys.iter().map(String::as_str).collect();
        if let Some(value) = object.get(&borrowed) {
            insert(&mut kept, &borrowed, value.clone());
        }
    }
    Object(kept)
}

fn keys(path: &str) -> Vec<String> {
    let mut keys = vec![String::new()];
    let mut characters = path.strip_prefix('.').unwrap_or(path).chars();
    while let Some(character) = characters.next() {
        match character {
            '.' => keys.push(String::new()),
            '\\' => push(&mut keys, characters.next().unwrap_or('\\')),
            other => push(&mut keys, other),
        }
    }
    keys
}

fn push(keys: &mut [String], character: char) {
    if let Some(last) = keys.last_mut() {
        last.push(character);
    }
}

fn insert(into: &mut Map<String, Value>, keys: &[&str], value: Value) {
    match keys {
        [] => {}
        [key] => drop(into.insert((*key).to_owned(), value)),
        [key, rest @ ..] => {
            let inner = into.entry(*key).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn selected(paths: &[&str]) -> Value {
        let object = json!({
            "kind": "ConfigMap",
            "metadata": {"name": "a", "annotations": {"a.b/c": "x"}, "uid": "1"},
            "data": {"k": "v"}, "list": [{"x": 1}],
        });
        let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
        select(Object::from_value(object).unwrap(), &paths).into_value()
    }

    #[test]
    fn paths_keep_their_place() {
        assert_eq!(
            selected(&["metadata.name", "metadata.uid", ".data", "nowhere.at.all", "list"]),
            json!({"metadata": {"name": "a", "uid": "1"}, "data": {"k": "v"}, "list": [{"x": 1}]})
        );
    }

    #[test]
    fn dots_in_keys_are_escaped() {
        assert_eq!(
            selected(&["metadata.annotations.a\\.b/c"]),
            json!({"metadata": {"annotations": {"a.b/c": "x"}}})
        );
    }

    #[test]
    fn no_paths_is_everything_and_overlapping_paths_do_no_harm() {
        assert_eq!(selected(&[])["data"]["k"], "v");
        assert_eq!(selected(&["metadata", "metadata.name"])["metadata"]["uid"], "1");
        assert_eq!(selected(&["kind", "kind.x"]), json!({"kind": "ConfigMap"}));
    }
}
