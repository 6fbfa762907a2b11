//! Custom objects against the OpenAPI schema of their kind, with the texts of kube-openapi: types, required fields, enums,
//! bounds, and list items that are there twice. Patterns, formats and CEL rules are not asked.

use serde_json::Value;

use crate::status::FieldError;

/// What is wrong with a value and all below it.
pub(super) fn object(schema: &Value, value: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    check(schema, value, "", &mut errors);
    errors
}

fn check(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let step = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    if let Some(wanted) = schema["type"].as_str().filter(|wanted| !has_type(value, wanted)) {
        errors.push(FieldError::wrong_type(path, type_of(value), wanted));
        return;
    }
    if let Some(allowed) = schema["enum"].as_array().filter(|allowed| !allowed.contains(value)) {
        let texts: Vec<&str> = allowed.iter().filter_map(Value::as_str).collect();
        errors.push(FieldError::unsupported(path, value, &texts));
    }
    bounds(schema, value, path, errors);
    match value {
        Value::Object(object) => {
            for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !object.contains_key(key) {
                    errors.push(FieldError::required(&step(key), ""));
                }
            }
            for (key, value) in object {
                let property = match &schema["properties"][key.as_str()] {
                    Value::Null => &schema["additionalProperties"],
                    property => property,
                };
                if property.is_object() {
                    check(property, value, &step(key), errors);
                }
            }
        }
        Value::Array(list) => {
            for (index, item) in list.iter().enumerate() {
                check(&schema["items"], item, &format!("{path}[{index}]"), errors);
            }
            duplicates(schema, list, path, errors);
        }
        _ => {}
    }
}

fn bounds(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if let (Some(number), Some(least)) = (value.as_f64(), schema["minimum"].as_f64())
        && number < least
    {
        let rule = format!("{path} in body should be greater than or equal to {}", schema["minimum"]);
        errors.push(FieldError::invalid(path, value, &rule));
    }
    if let (Some(number), Some(most)) = (value.as_f64(), schema["maximum"].as_f64())
        && number > most
    {
        let rule = format!("{path} in body should be less than or equal to {}", schema["maximum"]);
        errors.push(FieldError::invalid(path, value, &rule));
    }
    if let (Some(text), Some(least)) = (value.as_str(), schema["minLength"].as_u64())
        && (text.chars().count() as u64) < least
    {
        let rule = format!("{path} in body should be at least {least} chars long");
        errors.push(FieldError::invalid(path, value, &rule));
    }
}

/// Items of a set, or with the same keys in a keyed list.
fn duplicates(schema: &Value, list: &[Value], path: &str, errors: &mut Vec<FieldError>) {
    let keys: Vec<&str> = match schema["x-kubernetes-list-type"].as_str() {
        Some("map") => {
            let keys = schema["x-kubernetes-list-map-keys"].as_array();
            keys.into_iter().flatten().filter_map(Value::as_str).collect()
        }
        Some("set") => Vec::new(),
        _ => return,
    };
    let identity = |item: &Value| match keys.as_slice() {
        [] => item.clone(),
        keys => keys.iter().map(|key| ((*key).to_owned(), item[*key].clone())).collect(),
    };
    let mut seen: Vec<Value> = Vec::new();
    for (index, item) in list.iter().enumerate() {
        let identity = identity(item);
        if seen.contains(&identity) {
            errors.push(FieldError::duplicate(&format!("{path}[{index}]"), &identity));
        } else {
            seen.push(identity);
        }
    }
}

fn has_type(value: &Value, wanted: &str) -> bool {
    match (wanted, value) {
        ("object", Value::Object(_))
        | ("array", Value::Array(_))
        | ("string", Value::String(_))
        | ("boolean", Value::Bool(_))
        | ("number", Value::Number(_)) => true,
        ("integer", Value::Number(number)) => number.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;
    use crate::status::Refusal;

    #[test_case(json!({"n": 1, "e": "a", "l": [{"k": "x"}]}) => "")]
    #[test_case(json!({}) => "s.n: Required value")]
    #[test_case(json!({"n": "1"}) => "s.n: Invalid value: \"string\": s.n in body must be of type integer: \"string\"")]
    #[test_case(json!({"n": 1.5}) => "s.n: Invalid value: \"number\": s.n in body must be of type integer: \"number\"")]
    #[test_case(json!({"n": 0}) => "s.n: Invalid value: 0: s.n in body should be greater than or equal to 1")]
    #[test_case(json!({"n": 1, "e": "c"}) => "s.e: Unsupported value: \"c\": supported values: \"a\", \"b\"")]
    #[test_case(json!({"n": 1, "l": [{"k": "x"}, {"k": "x", "v": 1}]}) => "s.l[1]: Duplicate value: {\"k\":\"x\"}")]
    #[test_case(json!({"n": 1, "m": {"a": 1}}) => "s.m.a: Invalid value: \"integer\": s.m.a in body must be of type string: \"integer\"")]
    fn values(spec: Value) -> String {
        let schema = json!({"type": "object", "properties": {"s": {"type": "object", "required": ["n"], "properties": {
            "n": {"type": "integer", "minimum": 1},
            "e": {"type": "string", "enum": ["a", "b"]},
            "l": {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"], "items": {"type": "object"}},
            "m": {"type": "object", "additionalProperties": {"type": "string"}}}}}});
        let errors = object(&schema, &json!({"s": spec}));
        let refusal = Refusal::invalid_options("T", &errors);
        let text = refusal.message.split_once("is invalid: ").unwrap().1.to_owned();
        if errors.is_empty() { String::new() } else { text }
    }
}
