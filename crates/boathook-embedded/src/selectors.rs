//! Label and field selectors: parsed once per request, matched against objects. Texts of refusals follow
//! apimachinery's `labels.Parse` and `fields.ParseSelector`.

use serde_json::Value;

use crate::resource::ResourceType;
use crate::status::Refusal;

/// One term of a label selector.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    Exists(String),
    Absent(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
}

/// One term of a field selector: the path, whether it must be equal, the value.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FieldTerm {
    path: String,
    equal: bool,
    value: String,
}

/// What a list or a watch shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<FieldTerm>,
}

impl Selector {
    /// Parses both selectors of a request.
    ///
    /// # Errors
    /// 400 for a selector that cannot be read, or a field that the kind does not offer.
    pub(crate) fn parse(kind: &ResourceType, labels: &str, fields: &str) -> Result<Self, Refusal> {
        Ok(Self { labels: parse_labels(labels)?, fields: parse_fields(kind, fields)? })
    }

    /// Whether an object is shown.
    pub(crate) fn matches(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.labels.iter().all(|requirement| match requirement {
            Requirement::Exists(key) => labels[key.as_str()].is_string(),
            Requirement::Absent(key) => !labels[key.as_str()].is_string(),
            Requirement::In(key, values) => {
                labels[key.as_str()].as_str().is_some_and(|value| values.iter().any(|one| one == value))
            }
            Requirement::NotIn(key, values) => {
                !labels[key.as_str()].as_str().is_some_and(|value| values.iter().any(|one| one == value))
            }
        }) && self.fields.iter().all(|term| (field(object, &term.path) == term.value) == term.equal)
    }

    /// Whether everything is shown.
    pub(crate) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }
}

/// The text of a field for a field selector; absent is the empty string.
fn field(object: &Value, path: &str) -> String {
    let value = path.split('.').fold(object, |value, key| &value[key]);
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        // Job's `status.successful` is a counter and `false`-like when absent.
        _ if path == "status.successful" => "0".to_owned(),
        _ => String::new(),
    }
}

fn parse_fields(kind: &ResourceType, text: &str) -> Result<Vec<FieldTerm>, Refusal> {
    let mut terms = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (path, equal, value) = if let Some((path, value)) = part.split_once("!=") {
            (path, false, value)
        } else if let Some((path, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
            (path, true, value)
        } else {
            return Err(Refusal::bad_request(format!(
                "invalid selector: '{part}'; can't understand '{part}'"
            )));
        };
        let known = ["metadata.name", "metadata.namespace"].contains(&path)
            && (kind.namespaced || path == "metadata.name")
            || kind.field_selectors().contains(&path);
        if !known {
            return Err(Refusal::bad_request(match (kind.group.as_str(), kind.kind.as_str()) {
                ("batch", "Job") => format!("field label \"{path}\" not supported for Job"),
                _ if kind.crd.is_some() || !kind.field_selectors().is_empty() => {
                    format!("field label not supported: {path}")
                }
                _ => format!(
                    "\"{path}\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                ),
            }));
        }
        terms.push(FieldTerm { path: path.to_owned(), equal, value: value.to_owned() });
    }
    Ok(terms)
}

fn parse_labels(text: &str) -> Result<Vec<Requirement>, Refusal> {
    split_outside_parentheses(text)
        .into_iter()
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            requirement(part).ok_or_else(|| {
                Refusal::bad_request(format!(
                    "unable to parse requirement: found '{part}', expected a label selector"
                ))
            })
        })
        .collect()
}

fn split_outside_parentheses(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_i32, 0);
    for (index, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn requirement(part: &str) -> Option<Requirement> {
    if let Some(open) = part.find('(') {
        let inner = part[open + 1..].strip_suffix(')')?;
        let values: Vec<String> = inner.split(',').map(|value| value.trim().to_owned()).collect();
        let words: Vec<&str> = part[..open].split_whitespace().collect();
        return match words.as_slice() {
            [key, "in"] if is_key(key) => Some(Requirement::In((*key).to_owned(), values)),
            [key, "notin"] if is_key(key) => Some(Requirement::NotIn((*key).to_owned(), values)),
            _ => None,
        };
    }
    let pair = |key: &str, value: &str| {
        let (key, value) = (key.trim(), value.trim());
        (is_key(key) && is_value(value)).then(|| (key.to_owned(), vec![value.to_owned()]))
    };
    if let Some((key, value)) = part.split_once("!=") {
        return pair(key, value).map(|(key, values)| Requirement::NotIn(key, values));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return pair(key, value).map(|(key, values)| Requirement::In(key, values));
    }
    match part.strip_prefix('!') {
        Some(key) if is_key(key.trim()) => Some(Requirement::Absent(key.trim().to_owned())),
        None if is_key(part) => Some(Requirement::Exists(part.to_owned())),
        _ => None,
    }
}

fn is_key(text: &str) -> bool {
    crate::names::is_qualified_name(text)
}

fn is_value(text: &str) -> bool {
    crate::names::is_label_value(text)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;
    use crate::resource::Registry;

    fn shown(labels: &str, fields: &str, object: &Value) -> bool {
        let registry = Registry::built_in();
        let pods = registry.find("", "v1", "pods").unwrap();
        Selector::parse(&pods, labels, fields).unwrap().matches(object)
    }

    #[test_case("a=1" => true)]
    #[test_case("a==1,b" => true)]
    #[test_case("a!=1" => false)]
    #[test_case("c!=1" => true; "absent is not equal")]
    #[test_case("a in (1,2)" => true)]
    #[test_case("a notin (1, 2)" => false)]
    #[test_case("!c" => true)]
    #[test_case("!a" => false)]
    fn labels(selector: &str) -> bool {
        shown(selector, "", &json!({"metadata": {"labels": {"a": "1", "b": ""}}}))
    }

    #[test_case("metadata.name=x,status.phase!=Running" => true)]
    #[test_case("metadata.name!=x" => false)]
    fn fields(selector: &str) -> bool {
        shown("", selector, &json!({"metadata": {"name": "x"}, "status": {"phase": "Pending"}}))
    }

    #[test_case("a=(", ""; "label")]
    #[test_case("", "spec.foo=1"; "unknown field")]
    #[test_case("", "metadata.name"; "no operator")]
    fn refused(labels: &str, fields: &str) {
        let registry = Registry::built_in();
        let pods = registry.find("", "v1", "pods").unwrap();
        assert_eq!(Selector::parse(&pods, labels, fields).unwrap_err().code, 400);
    }
}
