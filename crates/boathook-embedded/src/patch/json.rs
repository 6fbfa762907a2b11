//! JSON patch (RFC 6902).

use serde_json::Value;

/// Why a patch does not apply.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonPatchError {
    /// The patch is no list of operations.
    #[error("{0}")]
    Malformed(String),
    /// An operation does not fit the object; the real server answers 422 with this text.
    #[error("the server rejected our request due to an error in our request")]
    Rejected,
}

/// Applies a list of operations in order.
///
/// # Errors
/// [`JsonPatchError`]; the target is then half changed and must be dropped.
pub(crate) fn apply(target: &mut Value, patch: &Value) -> Result<(), JsonPatchError> {
    let Some(operations) = patch.as_array() else {
        return Err(JsonPatchError::Malformed(
            "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp".into(),
        ));
    };
    if operations.len() > 10_000 {
        let text =
            format!("The allowed maximum operations in a JSON patch is 10000, got {}", operations.len());
        return Err(JsonPatchError::Malformed(text));
    }
    operations.iter().try_for_each(|operation| one(target, operation).ok_or(JsonPatchError::Rejected))
}

/// One operation; `None` if it does not fit.
fn one(target: &mut Value, operation: &Value) -> Option<()> {
    let path = pointer(operation["path"].as_str()?)?;
    let value = || operation.get("value").cloned();
    match operation["op"].as_str()? {
        "add" => add(target, &path, value()?),
        "remove" => remove(target, &path).map(drop),
        "replace" => {
            *find(target, &path)? = value()?;
            Some(())
        }
        "move" => {
            let from = pointer(operation["from"].as_str()?)?;
            let moved = remove(target, &from)?;
            add(target, &path, moved)
        }
        "copy" => {
            let from = pointer(operation["from"].as_str()?)?;
            let copied = find(target, &from)?.clone();
            add(target, &path, copied)
        }
        "test" => {
            let expected = operation.get("value").unwrap_or(&Value::Null);
            let found = find(target, &path).map_or(&Value::Null, |value| &*value);
            (found == expected).then_some(())
        }
        _ => None,
    }
}

fn pointer(text: &str) -> Option<Vec<String>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    let rest = text.strip_prefix('/')?;
    Some(rest.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect())
}

fn find<'a>(target: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(target, |value, part| match value {
        Value::Object(map) => map.get_mut(part),
        Value::Array(list) => {
            let index: usize = part.parse().ok()?;
            list.get_mut(index)
        }
        _ => None,
    })
}

fn add(target: &mut Value, path: &[String], value: Value) -> Option<()> {
    let Some((last, parents)) = path.split_last() else {
        *target = value;
        return Some(());
    };
    match find(target, parents)? {
        Value::Object(map) => {
            map.insert(last.clone(), value);
        }
        Value::Array(list) if last == "-" => list.push(value),
        Value::Array(list) => {
            let index: usize = last.parse().ok().filter(|index| *index <= list.len())?;
            list.insert(index, value);
        }
        _ => return None,
    }
    Some(())
}

fn remove(target: &mut Value, path: &[String]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    match find(target, parents)? {
        Value::Object(map) => map.shift_remove(last),
        Value::Array(list) => {
            let index: usize = last.parse().ok().filter(|index| *index < list.len())?;
            Some(list.remove(index))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;

    #[test_case(&json!([{"op":"add","path":"/a/-","value":3}]) => Some(json!({"a":[1,2,3],"b~/":{"c":1}})))]
    #[test_case(&json!([{"op":"add","path":"/a/0","value":0}]) => Some(json!({"a":[0,1,2],"b~/":{"c":1}})))]
    #[test_case(&json!([{"op":"remove","path":"/b~0~1/c"}]) => Some(json!({"a":[1,2],"b~/":{}})))]
    #[test_case(&json!([{"op":"move","from":"/a/0","path":"/x"}]) => Some(json!({"a":[2],"b~/":{"c":1},"x":1})))]
    #[test_case(&json!([{"op":"test","path":"/a/0","value":1},{"op":"replace","path":"/a","value":1}]) => Some(json!({"a":1,"b~/":{"c":1}})))]
    #[test_case(&json!([{"op":"test","path":"/a/0","value":2}]) => None)]
    #[test_case(&json!([{"op":"remove","path":"/nothing"}]) => None)]
    #[test_case(&json!([{"op":"add","path":"/a/7","value":1}]) => None)]
    fn operations(patch: &Value) -> Option<Value> {
        let mut target = json!({"a":[1,2],"b~/":{"c":1}});
        apply(&mut target, patch).ok().map(|()| target)
    }
}
