//! From the bytes of a body to an object: JSON, the kind that the path expects, and the types and names of fields as
//! `fieldValidation` asks for. What a field may hold is checked in `validate.rs`.

use serde_json::{Map, Value};

use crate::resource::ResourceType;
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
    /// Reads the parameter.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        match text {
            "Ignore" => Ok(Self::Ignore),
            "" | "Warn" => Ok(Self::Warn),
            "Strict" => Ok(Self::Strict),
            _ => Err(Refusal::new(
                422,
                "Invalid",
                format!(
                    "CreateOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"{text}\": supported values: \"Ignore\", \"Strict\", \"Warn\""
                ),
            )),
        }
    }
}

/// Parses JSON.
///
/// # Errors
/// 400 with the parser's reason.
pub(crate) fn json(bytes: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(bytes)
        .map_err(|error| Refusal::bad_request(format!("the object provided is unrecognized: {error}")))
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
    let Value::Object(mut map) = value else {
        return Err(Refusal::bad_request(format!(
            "{} in version \"{}\" cannot be handled as a {}: json: cannot unmarshal into Go value of type v1.{}",
            kind.kind, kind.version, kind.kind, kind.kind
        )));
    };
    let expected = kind.api_version();
    match map.get("apiVersion").and_then(Value::as_str) {
        None | Some("") => {
            map.insert("apiVersion".to_owned(), Value::String(expected));
        }
        Some(given) if given == expected => {}
        Some(given) => {
            return Err(Refusal::bad_request(format!(
                "the API version in the data ({given}) does not match the expected API version ({expected})"
            )));
        }
    }
    match map.get("kind").and_then(Value::as_str) {
        None | Some("") => {
            map.insert("kind".to_owned(), Value::String(kind.kind.clone()));
        }
        Some(given) if given == kind.kind => {}
        Some(given) => {
            return Err(Refusal::bad_request(format!(
                "{given} in version \"{}\" cannot be handled as a {}: no kind \"{given}\" matches the resource {}",
                kind.version, kind.kind, kind.plural
            )));
        }
    }
    if matches!(map.get("metadata"), None | Some(Value::Null)) {
        map.insert("metadata".to_owned(), Value::Object(Map::new()));
    }
    let mut value = Value::Object(map);
    let kind_type = schema::type_of(kind);
    if let Some(problem) = wrong_type(&value, &kind_type, "") {
        return Err(Refusal::bad_request(format!(
            "{} in version \"{}\" cannot be handled as a {}: json: cannot unmarshal {problem}",
            kind.kind, kind.version, kind.kind
        )));
    }
    let mut unknown = Vec::new();
    drop_unknown(&mut value, &kind_type, "", &mut unknown);
    if !unknown.is_empty() {
        match validation {
            FieldValidation::Strict => {
                return Err(Refusal::bad_request(format!(
                    "{} in version \"{}\" cannot be handled as a {}: strict decoding error: {}",
                    kind.kind,
                    kind.version,
                    kind.kind,
                    unknown.join(", ")
                )));
            }
            FieldValidation::Warn => warnings.extend(unknown),
            FieldValidation::Ignore => {}
        }
    }
    Ok(value)
}

/// The first value of a wrong type: `number into Go struct field .metadata.labels of type string`.
fn wrong_type(value: &Value, kind: &Type, path: &str) -> Option<String> {
    let found = match value {
        Value::Null => return None,
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let wrong = |of: &str| Some(format!("{found} into Go struct field {path} of type {of}"));
    match (kind.resolve(), value) {
        (Type::Scalar(Scalar::Text), Value::String(_))
        | (Type::Scalar(Scalar::Number), Value::Number(_))
        | (Type::Scalar(Scalar::Flag), Value::Bool(_))
        | (Type::Scalar(Scalar::Any) | Type::Deduced | Type::Named(_), _) => None,
        (Type::Scalar(Scalar::Text), _) => wrong("string"),
        (Type::Scalar(Scalar::Number), _) => wrong("int32"),
        (Type::Scalar(Scalar::Flag), _) => wrong("bool"),
        (Type::Atomic(inner), _) => wrong_type(value, inner, path),
        (Type::Struct(map), Value::Object(object)) => object.iter().find_map(|(key, value)| {
            map.fields.get(key).and_then(|field| wrong_type(value, field, &format!("{path}.{key}")))
        }),
        (Type::Map(element), Value::Object(object)) => {
            object.values().find_map(|value| wrong_type(value, element, path))
        }
        (Type::List(element, _), Value::Array(list)) => {
            list.iter().find_map(|item| wrong_type(item, element, path))
        }
        (Type::Struct(_) | Type::Map(_), _) => wrong("map"),
        (Type::List(..), _) => wrong("slice"),
    }
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
