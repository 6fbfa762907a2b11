//! The conditions that a plugin may wait for, as data, and whether one holds. The JSON path is the part of
//! Kubernetes' that names one value: keys and indexes, no filters, wildcards or ranges.

use serde_json::Value;

use super::{Readiness, conditions, hook_job, int, kstatus};
use crate::Object;

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitCondition {
    /// The object is there.
    Exists,
    /// It is not.
    Absent,
    /// An entry of `status.conditions` has this status. As `kubectl wait`, case of the letters aside, and only if the
    /// entry was written for the object's current generation.
    Status {
        /// Its type: `Ready`.
        r#type: String,
        /// Its status: `True`.
        status: String,
    },
    /// The value at a path, as text, is this one.
    JsonPath {
        /// Where.
        path: JsonPath,
        /// The text of a string; JSON for any other value.
        value: String,
    },
    /// Current by the rules of kstatus; a Job when it is complete (Helm's `--wait-for-jobs`).
    Ready,
}

/// Whether a condition holds for an object, or for its absence.
pub fn condition_met(condition: &WaitCondition, object: Option<&Object>) -> bool {
    let Some(object) = object else {
        return matches!(condition, WaitCondition::Absent);
    };
    match condition {
        WaitCondition::Exists => true,
        WaitCondition::Absent => false,
        WaitCondition::Status { r#type, status } => {
            let stale = observed_earlier(object);
            !stale
                && conditions(object)
                    .any(|c| c.kind.eq_ignore_ascii_case(r#type) && c.status.eq_ignore_ascii_case(status))
        }
        WaitCondition::JsonPath { path, value } => {
            path.find(object).is_some_and(|found| text(found) == *value)
        }
        WaitCondition::Ready => {
            let reference = object.reference();
            let readiness = if reference.kind == "Job" && reference.gvk().group == "batch" {
                hook_job(object)
            } else {
                kstatus(object)
            };
            readiness == Readiness::Current
        }
    }
}

/// A path to one value: `{.status.phase}`, `.spec.ports[0].port`, `{.metadata.labels['app.kubernetes.io/name']}` or
/// `.metadata.annotations.example\.com/key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPath(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Key(String),
    /// Negative: from the end.
    Index(i64),
}

/// A path that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} is no path of keys and indexes such as {{.status.phase}} or .spec.ports[0].port")]
pub struct InvalidJsonPath {
    /// The path, as given.
    pub path: String,
}

impl JsonPath {
    /// Reads a path; the braces and the first dot may be left out, as kubectl allows.
    ///
    /// # Errors
    /// [`InvalidJsonPath`] for anything that is not a row of keys and indexes.
    pub fn parse(path: &str) -> Result<Self, InvalidJsonPath> {
        let inner = match path.strip_prefix('{') {
            Some(rest) => rest.strip_suffix('}'),
            None => Some(path),
        };
        inner
            .map(|inner| inner.strip_prefix('$').unwrap_or(inner))
            .and_then(segments)
            .filter(|segments| !segments.is_empty())
            .map(Self)
            .ok_or_else(|| InvalidJsonPath { path: path.to_owned() })
    }

    /// The value there, if any.
    pub fn find<'a>(&self, object: &'a Object) -> Option<&'a Value> {
        let (first, rest) = self.0.split_first()?;
        let Segment::Key(key) = first else { return None };
        rest.iter().try_fold(object.0.get(key)?, |value, segment| match segment {
            Segment::Key(key) => value.as_object()?.get(key),
            Segment::Index(index) => {
                let items = value.as_array()?;
                let index = if *index < 0 { i64::try_from(items.len()).ok()? + index } else { *index };
                items.get(usize::try_from(index).ok()?)
            }
        })
    }
}

fn segments(path: &str) -> Option<Vec<Segment>> {
    let mut found = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(bracket) = rest.strip_prefix('[') {
            let quote = bracket.chars().next().filter(|c| matches!(c, '\'' | '"'));
            if let Some(quote) = quote {
                let (key, after) = bracket[1..].split_once(quote)?;
                found.push(Segment::Key(key.to_owned()));
                rest = after.strip_prefix(']')?;
            } else {
                let (index, after) = bracket.split_once(']')?;
                found.push(Segment::Index(index.parse().ok()?));
                rest = after;
            }
            continue;
        }
        // The dot before the first key may be missing.
        let key = match rest.strip_prefix('.') {
            Some(key) => key,
            None if found.is_empty() => rest,
            None => return None,
        };
        let (key, after) = plain_key(key)?;
        found.push(Segment::Key(key));
        rest = after;
    }
    Some(found)
}

/// A key up to the next dot or bracket; a backslash takes the next character as it is.
fn plain_key(text: &str) -> Option<(String, &str)> {
    let mut key = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '.' | '[' => return (!key.is_empty()).then_some((key, &text[at..])),
            '\\' => key.push(characters.next()?.1),
            '*' | '{' | '}' | ']' | '?' | '(' | ')' | '\'' | '"' => return None,
            _ => key.push(character),
        }
    }
    (!key.is_empty()).then_some((key, ""))
}

fn observed_earlier(object: &Object) -> bool {
    match (int(object, &["metadata", "generation"]), int(object, &["status", "observedGeneration"])) {
        (Some(generation), Some(observed)) => observed < generation,
        _ => false,
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;

    fn object() -> Object {
        Object::from_value(json!({
            "apiVersion": "example.com/v1", "kind": "Widget",
            "metadata": {"generation": 2, "labels": {"app.kubernetes.io/name": "web"}},
            "spec": {"ports": [{"port": 80}, {"port": 443}], "on": true, "none": null},
            "status": {"phase": "Up", "observedGeneration": 2, "conditions": [{"type": "Ready", "status": "True"}]},
        }))
        .unwrap()
    }

    #[test_case("{.status.phase}", "Up" => true; "braces")]
    #[test_case(".status.phase", "Up" => true; "dot")]
    #[test_case("status.phase", "Up" => true; "bare")]
    #[test_case("{$.status.phase}", "Up" => true; "root")]
    #[test_case(".status.phase", "Down" => false; "other value")]
    #[test_case(".status.gone", "" => false; "missing is not empty")]
    #[test_case("{.spec.ports[1].port}", "443" => true; "number")]
    #[test_case("{.spec.ports[-1].port}", "443" => true; "from the end")]
    #[test_case("{.spec.ports[2].port}", "443" => false; "past the end")]
    #[test_case("{.spec.ports[-3].port}", "80" => false; "before the start")]
    #[test_case("{.spec.on}", "true" => true; "truth")]
    #[test_case("{.spec.none}", "null" => true; "null")]
    #[test_case("{.spec.ports[0]}", "{\"port\":80}" => true; "whole map")]
    #[test_case("{.metadata.labels['app.kubernetes.io/name']}", "web" => true; "quoted key")]
    #[test_case(r"{.metadata.labels.app\.kubernetes\.io/name}", "web" => true; "escaped dots")]
    #[test_case("{.status.phase[0]}", "U" => false; "index into text")]
    #[test_case("{[0].a}", "U" => false; "index into the object")]
    fn paths(path: &str, value: &str) -> bool {
        let path = JsonPath::parse(path).unwrap();
        condition_met(&WaitCondition::JsonPath { path, value: value.to_owned() }, Some(&object()))
    }

    #[test_case("")]
    #[test_case("{}")]
    #[test_case("{.a")]
    #[test_case(".")]
    #[test_case("..a")]
    #[test_case(".a.")]
    #[test_case(".a[")]
    #[test_case(".a[x]")]
    #[test_case(".a[*]")]
    #[test_case(".a[0]b")]
    #[test_case(".a[?(@.b==1)]")]
    #[test_case(".a['b]")]
    #[test_case(".*")]
    #[test_case("{.a}{.b}")]
    #[test_case(".a\\")]
    fn refused_paths(path: &str) {
        assert_eq!(JsonPath::parse(path), Err(InvalidJsonPath { path: path.to_owned() }));
    }

    #[test]
    fn existence() {
        let object = object();
        assert!(condition_met(&WaitCondition::Exists, Some(&object)));
        assert!(!condition_met(&WaitCondition::Exists, None));
        assert!(condition_met(&WaitCondition::Absent, None));
        assert!(!condition_met(&WaitCondition::Absent, Some(&object)));
        assert!(!condition_met(&WaitCondition::Ready, None));
    }

    #[test_case("Ready", "True" => true)]
    #[test_case("ready", "true" => true; "case")]
    #[test_case("Ready", "False" => false)]
    #[test_case("Available", "True" => false)]
    fn status(kind: &str, status: &str) -> bool {
        let condition = WaitCondition::Status { r#type: kind.to_owned(), status: status.to_owned() };
        condition_met(&condition, Some(&object()))
    }

    #[test]
    fn a_condition_of_an_earlier_generation_does_not_count() {
        let mut object = object();
        object.metadata_mut().insert("generation".to_owned(), json!(3));
        let condition = WaitCondition::Status { r#type: "Ready".to_owned(), status: "True".to_owned() };
        assert!(!condition_met(&condition, Some(&object)));
        assert!(!condition_met(&WaitCondition::Ready, Some(&object)));
    }

    #[test_case(json!({"startTime": "t"}) => false; "started is not ready")]
    #[test_case(json!({"conditions": [{"type": "Complete", "status": "True"}]}) => true; "complete")]
    fn a_job_is_ready_when_complete(status: Value) -> bool {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "status": status});
        condition_met(&WaitCondition::Ready, Some(&Object::from_value(job).unwrap()))
    }
}
