//! Bodies of writes: an object or a patch may not say another thing than the decision, nor change what names or owns
//! the object.
//!
//! Field by field: `managedFields`, `creationTimestamp`, `generation`, `selfLink` and labels and annotations under
//! `boathook.dev/` are taken out (the server or the host sets them, and a guest that reads, changes and applies an
//! object sends them without meaning to). `generateName`, `ownerReferences` and `finalizers` are refused: the first
//! makes a name that was not decided on, the second lets the garbage collector delete on the guest's behalf, the third
//! leaves an object that cannot be deleted.

use serde_json::{Map, Value};

use super::{MAX_OBJECT_BYTES, RequestError};
use crate::Object;
use crate::names::{Namespace, Resource};
use crate::wasm_hook;

/// Labels and annotations that the host sets.
const OWN_PREFIX: &str = "boathook.dev/";
const SERVER_OWNED: [&str; 4] = ["managedFields", "creationTimestamp", "generation", "selfLink"];
const REFUSED: [&str; 3] = ["generateName", "ownerReferences", "finalizers"];
/// What a patch may repeat but not change.
const IDENTITY: [&str; 2] = ["name", "namespace"];
/// What a patch may not touch at all, besides [`REFUSED`].
const PATCH_REFUSED: [&str; 6] =
    ["managedFields", "creationTimestamp", "generation", "selfLink", "uid", "deletionTimestamp"];

/// The patches that a guest may send.
#[derive(Clone, Debug, PartialEq)]
pub enum PatchBody {
    /// RFC 7386.
    JsonMerge(Value),
    /// Kubernetes' own merge.
    StrategicMerge(Value),
    /// RFC 6902.
    Json(Value),
}

fn invalid(message: impl Into<String>) -> RequestError {
    RequestError::Invalid(message.into())
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn check_size(value: &Value) -> Result<(), RequestError> {
    if value.to_string().len() > MAX_OBJECT_BYTES {
        return Err(RequestError::TooLarge { limit: MAX_OBJECT_BYTES as u64 });
    }
    Ok(())
}

/// An object to create or apply, with what the server and the host own taken out.
pub(super) fn parse_object(value: Value, resource: &Resource) -> Result<Object, RequestError> {
    check_size(&value)?;
    let mut object = Object::from_value(value).ok_or_else(|| invalid("the object is no JSON object"))?;
    let (api_version, kind) = (resource.gvk.api_version(), &resource.gvk.kind);
    if object.api_version() != api_version || object.kind() != kind {
        return Err(invalid(format!("the object is not of {api_version} {kind}")));
    }
    if kind.ends_with("List") && object.get(&["items"]).is_some_and(Value::is_array) {
        return Err(invalid(format!("a {kind} is not one object: send its items one by one")));
    }
    match object.get(&["metadata"]) {
        Some(Value::Object(_)) => {}
        Some(_) | None => return Err(invalid("the object has no metadata")),
    }
    // Read as absent is read as the release's namespace: a value of another type must not pass for that.
    for field in IDENTITY {
        if object.get(&["metadata", field]).is_some_and(|value| !value.is_string() && !value.is_null()) {
            return Err(invalid(format!("metadata.{field} is no string")));
        }
    }
    let metadata = object.metadata_mut();
    for field in REFUSED {
        if metadata.get(field).is_some_and(|value| !is_empty(value)) {
            return Err(invalid(format!("plugins may not set metadata.{field}")));
        }
        metadata.shift_remove(field);
    }
    for field in SERVER_OWNED {
        metadata.shift_remove(field);
    }
    drop_own_keys(metadata)?;
    Ok(object)
}

/// Takes our own labels and annotations out; the annotation that makes a Job a hook is refused, because whoever sets it
/// chooses a plugin and its grant.
fn drop_own_keys(metadata: &mut Map<String, Value>) -> Result<(), RequestError> {
    for field in ["labels", "annotations"] {
        if let Some(Value::Object(entries)) = metadata.get_mut(field) {
            if entries.contains_key(wasm_hook::ANNOTATION) {
                return Err(invalid(format!("plugins may not set {}", wasm_hook::ANNOTATION)));
            }
            entries.retain(|key, _| !key.starts_with(OWN_PREFIX));
        }
    }
    Ok(())
}

/// Checks a patch against what was decided on.
pub(super) fn check_patch(
    patch: &PatchBody,
    resource: &Resource,
    namespace: Option<&Namespace>,
    name: &str,
) -> Result<(), RequestError> {
    match patch {
        PatchBody::JsonMerge(value) | PatchBody::StrategicMerge(value) => {
            check_size(value)?;
            check_merge(value, resource, namespace, name)
        }
        PatchBody::Json(value) => {
            check_size(value)?;
            let operations =
                value.as_array().ok_or_else(|| invalid("a JSON patch is a list of operations"))?;
            operations.iter().try_for_each(check_operation)
        }
    }
}

fn check_merge(
    patch: &Value,
    resource: &Resource,
    namespace: Option<&Namespace>,
    name: &str,
) -> Result<(), RequestError> {
    let patch = patch.as_object().ok_or_else(|| invalid("a merge patch is a JSON object"))?;
    for (field, value) in [("apiVersion", resource.gvk.api_version()), ("kind", resource.gvk.kind.clone())] {
        if patch.get(field).is_some_and(|given| given.as_str() != Some(&value)) {
            return Err(invalid(format!("the patch would change {field}")));
        }
    }
    no_directives(patch, "")?;
    let metadata = match patch.get("metadata") {
        None => return Ok(()),
        Some(Value::Object(metadata)) => metadata,
        Some(_) => return Err(invalid("the patch would replace metadata")),
    };
    no_directives(metadata, "metadata.")?;
    let identity = [("name", Some(name)), ("namespace", namespace.map(Namespace::as_str))];
    for (field, value) in identity {
        if metadata.get(field).is_some_and(|given| given.as_str() != value) {
            return Err(invalid(format!("the patch would change metadata.{field}")));
        }
    }
    for field in REFUSED.iter().chain(&PATCH_REFUSED) {
        if metadata.contains_key(*field) {
            return Err(invalid(format!("plugins may not set metadata.{field}")));
        }
    }
    for field in ["labels", "annotations"] {
        match metadata.get(field) {
            None => {}
            Some(Value::Object(entries)) => {
                no_directives(entries, &format!("metadata.{field}."))?;
                if let Some(key) = entries.keys().find(|key| key.starts_with(OWN_PREFIX)) {
                    return Err(invalid(format!("plugins may not set {key}")));
                }
            }
            Some(_) => return Err(invalid(format!("the patch would remove all of metadata.{field}"))),
        }
    }
    Ok(())
}

/// Strategic merge's directives (`$patch`, `$retainKeys`, `$deleteFromPrimitiveList/finalizers`, …) are fine inside a
/// spec; beside what names and owns the object they replace what was decided on.
fn no_directives(map: &Map<String, Value>, at: &str) -> Result<(), RequestError> {
    match map.keys().find(|key| key.starts_with('$')) {
        Some(key) => Err(invalid(format!("plugins may not use the directive {at}{key}"))),
        None => Ok(()),
    }
}

fn check_operation(operation: &Value) -> Result<(), RequestError> {
    let word = operation.get("op").and_then(Value::as_str).unwrap_or_default();
    if !["add", "remove", "replace", "move", "copy", "test"].contains(&word) {
        return Err(invalid("a JSON patch operation has no known op"));
    }
    let writes = |field: &str| operation.get(field).map(|path| path.as_str().unwrap_or_default());
    let path = writes("path").ok_or_else(|| invalid("a JSON patch operation has no path"))?;
    // `test` looks and does not change.
    if word != "test" {
        check_pointer(path)?;
    }
    if word == "move" {
        check_pointer(writes("from").unwrap_or_default())?;
    }
    Ok(())
}

/// Refuses pointers to what names or owns the object, or to anything that holds it.
fn check_pointer(pointer: &str) -> Result<(), RequestError> {
    let refused = || invalid(format!("plugins may not change {pointer:?}"));
    if pointer.is_empty() || !pointer.starts_with('/') {
        return Err(refused());
    }
    let steps: Vec<String> =
        pointer[1..].split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    match steps.as_slice() {
        ["apiVersion" | "kind" | "metadata"] => Err(refused()),
        ["metadata", "labels" | "annotations", key, ..] if key.starts_with(OWN_PREFIX) => Err(refused()),
        // The whole map holds our own entries.
        ["metadata", "labels" | "annotations"] => Err(refused()),
        ["metadata", field, ..]
            if REFUSED.contains(field) || PATCH_REFUSED.contains(field) || IDENTITY.contains(field) =>
        {
            Err(refused())
        }
        _ => Ok(()),
    }
}
