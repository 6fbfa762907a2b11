//! From the bytes of a body to an object: JSON, the kind that the path expects, and the types and names of fields as
//! `fieldValidation` asks for. What a field may hold is checked in `validate.rs`.

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use serde_json::{Map, Value};

use crate::resource::{self, ResourceType};
use crate::schema::{self, Scalar, Type};
use crate::status::Refusal;

/// What happens with fields that the kind does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    /// They are dropped (known kinds) without a word.
    Ignore,
    /// They are dropped with a warning: the default.
    Warn,
    /// The request is refused.
    Strict,
}

impl FieldValidation {
    /// Reads the parameter; `None` for an unknown word.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "Ignore" => Some(Self::Ignore),
            "" | "Warn" => Some(Self::Warn),
            "Strict" => Some(Self::Strict),
            _ => None,
        }
    }
}

/// Parses the JSON of an object of a kind.
///
/// # Errors
/// 400 with the parser's reason.
pub(crate) fn json(bytes: &[u8], kind: &str) -> Result<Value, Refusal> {
    serde_json::from_slice(bytes).map_err(|error| {
        Refusal::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {error}"
        ))
    })
}

/// What is said of a kind that nobody knows.
pub(crate) fn unregistered(kind: &str, version: &str) -> String {
    format!(
        "no kind \"{kind}\" is registered for version \"{version}\" in scheme \"pkg/runtime/scheme.go:111\""
    )
}

/// An object of a kind, with `apiVersion`, `kind` and a metadata map. Unknown fields are dropped, refused or told in
/// `warnings`.
///
/// # Errors
/// 400 for another kind or version, for values of a wrong type, and for unknown fields under `Strict`.
pub(crate) fn object(
    kind: &ResourceType,
    value: Value,
    validation: FieldValidation,
    warnings: &mut Vec<String>,
) -> Result<Value, Refusal> {
    let cannot = |given: &str, why: &str| {
        let version = &kind.version;
        Refusal::bad_request(format!(
            "{given} in version \"{version}\" cannot be handled as a {}: {why}",
            kind.kind
        ))
    };
    let Value::Object(mut map) = value else {
        return Err(Refusal::bad_request(format!(
            "the object provided is unrecognized (must be of type {}): couldn't get version/kind; json parse error: json: cannot unmarshal {} into Go value of type struct",
            kind.kind,
            type_of(&value)
        )));
    };
    set_kind(kind, &mut map, cannot)?;
    if matches!(map.get("metadata"), None | Some(Value::Null)) {
        map.insert("metadata".to_owned(), Value::Object(Map::new()));
    }
    let mut value = Value::Object(map);
    let kind_type = schema::type_of(kind);
    // Of custom objects only the metadata has Go types; the rest is checked by its schema.
    let (checked, of, path) = match kind.crd {
        Some(_) => (&value["metadata"], &Type::Named("meta.v1.ObjectMeta"), "metadata"),
        None => (&value, &kind_type, ""),
    };
    if let Some(problem) = wrong_type(checked, of, &kind.kind, path) {
        return Err(cannot(&kind.kind, &format!("json: cannot unmarshal {problem}")));
    }
    for (of, field) in [("Secret", "data"), ("ConfigMap", "binaryData")] {
        if kind.is("", of) {
            base64(&value[field]).map_err(|why| cannot(&kind.kind, &why))?;
        }
    }
    let mut unknown = Vec::new();
    drop_unknown(&mut value, &kind_type, "", &mut unknown);
    if !unknown.is_empty() {
        match validation {
            FieldValidation::Strict => {
                return Err(cannot(&kind.kind, &format!("strict decoding error: {}", unknown.join(", "))));
            }
            FieldValidation::Warn => warnings.extend(unknown),
            FieldValidation::Ignore => {}
        }
    }
    Ok(value)
}

/// Checks `apiVersion` and `kind`, and fills them in where built-in kinds may leave them out.
fn set_kind(
    kind: &ResourceType,
    map: &mut Map<String, Value>,
    cannot: impl Fn(&str, &str) -> Refusal,
) -> Result<(), Refusal> {
    let expected = kind.api_version();
    let text = |field: &str| map.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (version, given) = (text("apiVersion"), text("kind"));
    if kind.crd.is_some() {
        if let Some(missing) =
            [("Kind", &given), ("apiVersion", &version)].iter().find(|(_, text)| text.is_empty())
        {
            return Err(Refusal::bad_request(format!(
                "the object provided is unrecognized (must be of type {}): Object '{}' is missing in '{}'",
                kind.kind,
                missing.0,
                Value::Object(map.clone())
            )));
        }
        if version != expected {
            return Err(Refusal::bad_request(format!(
                "the API version in the data ({version}) does not match the expected API version ({expected})"
            )));
        }
        // Another kind is a fault of the object: validation tells it.
        return Ok(());
    }
    let version = if version.is_empty() { expected } else { version };
    let given = if given.is_empty() { kind.kind.clone() } else { given };
    if version != kind.api_version() || given != kind.kind {
        let group =
            if kind.group.is_empty() { "core" } else { kind.group.split('.').next().unwrap_or_default() };
        let why = if resource::is_built_in(&version, &given) {
            let short = version.rsplit('/').next().unwrap_or_default();
            format!("converting ({short}.{given}) to ({group}.{}): unknown conversion", kind.kind)
        } else {
            unregistered(&given, &version)
        };
        return Err(cannot(&given, &why));
    }
    map.insert("apiVersion".to_owned(), Value::String(version));
    map.insert("kind".to_owned(), Value::String(given));
    Ok(())
}

/// A JSON value's type as Go's decoder names it.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A type as Go writes it.
fn go_type(kind: &Type) -> String {
    match kind {
        Type::Named(name) => match kind.resolve() {
            Type::Struct(_) => {
                let mut words = name.rsplit('.');
                let (last, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                format!("{version}.{last}")
            }
            other => go_type(other),
        },
        Type::Scalar(Scalar::Number) => "int32".to_owned(),
        Type::Scalar(Scalar::Flag) => "bool".to_owned(),
        Type::Scalar(Scalar::Text | Scalar::Any) => "string".to_owned(),
        Type::Map(element) => format!("map[string]{}", go_type(element)),
        Type::List(element, _) => format!("[]{}", go_type(element)),
        Type::Atomic(inner) => go_type(inner),
        Type::Struct(_) | Type::Deduced => "map[string]interface {}".to_owned(),
    }
}

/// The first value of a wrong type, as Go's decoder tells it: `number into Go struct field Container.spec.containers.name of
/// type string`. `holder` is the struct that the value is a field of.
fn wrong_type(value: &Value, kind: &Type, holder: &str, path: &str) -> Option<String> {
    let wrong =
        || Some(format!("{} into Go struct field {holder}.{path} of type {}", type_of(value), go_type(kind)));
    let holder = match kind {
        Type::Named(name) if matches!(kind.resolve(), Type::Struct(_)) => {
            name.rsplit('.').next().unwrap_or_default()
        }
        _ => holder,
    };
    let step = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (kind.resolve(), value) {
        (_, Value::Null)
        | (Type::Scalar(Scalar::Text), Value::String(_))
        | (Type::Scalar(Scalar::Number), Value::Number(_))
        | (Type::Scalar(Scalar::Flag), Value::Bool(_))
        | (Type::Scalar(Scalar::Any) | Type::Deduced | Type::Named(_), _) => None,
        (Type::Atomic(inner), _) => wrong_type(value, inner, holder, path),
        (Type::Struct(map), Value::Object(object)) => object.iter().find_map(|(key, value)| {
            map.fields.get(key).and_then(|field| wrong_type(value, field, holder, &step(key)))
        }),
        (Type::Map(element), Value::Object(object)) => {
            object.values().find_map(|value| wrong_type(value, element, holder, path))
        }
        (Type::List(element, _), Value::Array(list)) => {
            list.iter().find_map(|item| wrong_type(item, element, holder, path))
        }
        _ => wrong(),
    }
}

/// Checks the values of a map of bytes.
fn base64(map: &Value) -> Result<(), String> {
    for value in map.as_object().into_iter().flatten().filter_map(|(_, value)| value.as_str()) {
        STANDARD.decode(value).map_err(|error| match error {
            DecodeError::InvalidByte(at, _) => format!("illegal base64 data at input byte {at}"),
            DecodeError::InvalidLastSymbol(at, _) => format!("illegal base64 data at input byte {at}"),
            DecodeError::InvalidLength(at) => format!("illegal base64 data at input byte {at}"),
            DecodeError::InvalidPadding => format!("illegal base64 data at input byte {}", value.len()),
        })?;
    }
    Ok(())
}

/// Removes fields that a known kind does not have and tells them as the real decoder does.
fn drop_unknown(value: &mut Value, kind: &Type, path: &str, unknown: &mut Vec<String>) {
    let step = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (kind.resolve(), value) {
        (Type::Struct(map), Value::Object(object)) => {
            if !map.open {
                object.retain(|key, _| {
                    let known = map.fields.contains_key(key);
                    if !known {
                        unknown.push(format!("unknown field \"{}\"", step(key)));
                    }
                    known
                });
            }
            for (key, value) in object.iter_mut() {
                if let Some(field) = map.fields.get(key) {
                    drop_unknown(value, field, &step(key), unknown);
                }
            }
        }
        (Type::Map(element), Value::Object(object)) => {
            for (key, value) in object.iter_mut() {
                drop_unknown(value, element, &step(key), unknown);
            }
        }
        (Type::List(element, _), Value::Array(list)) => {
            for (index, item) in list.iter_mut().enumerate() {
                drop_unknown(item, element, &format!("{path}[{index}]"), unknown);
            }
        }
        (Type::Atomic(inner), value) => drop_unknown(value, inner, path, unknown),
        _ => {}
    }
}

/// Lists that are written even when they are empty.
const KEPT: [&str; 4] = ["containers", "rules", "verbs", "paths"];

/// Drops what a built-in kind's Go type leaves out: nulls, empty maps with free keys, empty lists.
pub(crate) fn omit_empty(value: &mut Value, kind: &Type) {
    match (kind.resolve(), value) {
        (Type::Struct(map), Value::Object(object)) => object.retain(|key, value| {
            let Some(field) = map.fields.get(key) else { return true };
            omit_empty(value, field);
            KEPT.contains(&key.as_str()) || !is_omitted(value, field)
        }),
        (Type::Map(element), Value::Object(object)) => {
            object.values_mut().for_each(|value| omit_empty(value, element));
        }
        (Type::List(element, _), Value::Array(list)) => {
            list.iter_mut().for_each(|item| omit_empty(item, element));
        }
        (Type::Atomic(inner), value) => omit_empty(value, inner),
        _ => {}
    }
}

fn is_omitted(value: &Value, kind: &Type) -> bool {
    match (kind.resolve(), value) {
        (_, Value::Null) => true,
        (Type::Atomic(inner), value) => is_omitted(value, inner),
        (Type::Map(_), Value::Object(object)) => object.is_empty(),
        (Type::List(..), Value::Array(list)) => list.is_empty(),
        _ => false,
    }
}
