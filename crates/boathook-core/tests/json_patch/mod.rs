//! JSON patches (RFC 6902), as far as the vectors use them.

use serde_json::Value;

/// An object after a JSON patch; `None` where the patch does not fit.
pub(crate) fn edited(object: &Value, operations: &Value) -> Option<Value> {
    let mut object = object.clone();
    for operation in operations.as_array()? {
        let path = operation["path"].as_str()?;
        let value = match operation["op"].as_str()? {
            "remove" => {
                take(&mut object, path)?;
                continue;
            }
            "move" => take(&mut object, operation["from"].as_str()?)?,
            _ => operation["value"].clone(),
        };
        let (parent, name) = path.rsplit_once('/')?;
        match object.pointer_mut(parent)? {
            Value::Object(map) => drop(map.insert(name.to_owned(), value)),
            Value::Array(list) if name == "-" => list.push(value),
            Value::Array(list) if operation["op"] == "replace" => {
                *list.get_mut(name.parse::<usize>().ok()?)? = value;
            }
            Value::Array(list) => list.insert(name.parse().ok().filter(|at| *at <= list.len())?, value),
            _ => return None,
        }
    }
    Some(object)
}

fn take(object: &mut Value, path: &str) -> Option<Value> {
    let (parent, name) = path.rsplit_once('/')?;
    match object.pointer_mut(parent)? {
        Value::Object(map) => map.remove(name),
        Value::Array(list) => {
            let at = name.parse().ok().filter(|at| *at < list.len())?;
            Some(list.remove(at))
        }
        _ => None,
    }
}
