//! What a dry run would have done: objects field by field, and requests that were not sent. Values of Secrets never
//! stand in an effect, and what the API server writes by itself is no difference.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Object, ObjectRef};

/// Written by the API server, or different in each answer of a dry run.
const SERVERS_OWN: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// One thing that a dry run left undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "type")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Effect {
    /// An object would have been made.
    Create {
        /// Which.
        object: ObjectRef,
        /// Its fields; absent if they are too much to tell.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        fields: Option<Vec<FieldChange>>,
    },
    /// An object would have been written, and changed if any field differs.
    Change {
        /// Which.
        object: ObjectRef,
        /// Its fields that differ; absent if they are too much to tell.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        fields: Option<Vec<FieldChange>>,
    },
    /// An object would have been deleted.
    Delete {
        /// Which.
        object: ObjectRef,
    },
    /// An HTTP request would have been sent.
    Send {
        /// Method and URL, without credentials.
        request: String,
    },
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FieldChange {
    /// `spec.replicas`, `spec.containers[app].image`, `metadata.labels["a.b/c"]`.
    pub path: String,
    /// Absent if the field would be new. Of a Secret's data only the length is told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub before: Option<Value>,
    /// Absent if the field would go.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub after: Option<Value>,
}

impl Effect {
    /// The effect of a write, from what is there (`None`: nothing) and the API's answer to its dry run.
    pub fn of_write(object: ObjectRef, before: Option<&Object>, after: &Object) -> Self {
        match before {
            None => Self::Create { object, fields: Some(fields(&Object::default(), after)) },
            Some(before) => Self::Change { object, fields: Some(fields(before, after)) },
        }
    }

    /// Bytes of its fields, roughly.
    pub fn size(&self) -> usize {
        let size = |value: &Option<Value>| value.as_ref().map_or(0, |value| value.to_string().len());
        match self {
            Self::Create { fields: Some(fields), .. } | Self::Change { fields: Some(fields), .. } => {
                fields.iter().map(|field| field.path.len() + size(&field.before) + size(&field.after)).sum()
            }
            _ => 0,
        }
    }

    /// The same effect without its fields.
    #[must_use]
    pub fn without_fields(mut self) -> Self {
        if let Self::Create { fields, .. } | Self::Change { fields, .. } = &mut self {
            *fields = None;
        }
        self
    }

    /// The same effect with every value passed through `f`, which takes out what must not be shown.
    #[must_use]
    pub fn map_values(mut self, f: impl Fn(Value) -> Value) -> Self {
        if let Self::Create { fields, .. } | Self::Change { fields, .. } = &mut self {
            for field in fields.iter_mut().flatten() {
                field.before = field.before.take().map(&f);
                field.after = field.after.take().map(&f);
            }
        }
        self
    }
}

/// Every field in which two states of one object differ, in the order of the later one. `status` is the controllers'.
fn fields(before: &Object, after: &Object) -> Vec<FieldChange> {
    let secret = after.api_version() == "v1" && after.kind() == "Secret";
    let mut differences = Differences { found: Vec::new(), secret };
    differences.maps("", &of_interest(before), &of_interest(after));
    differences.found
}

fn of_interest(object: &Object) -> Map<String, Value> {
    let mut fields = object.0.clone();
    for name in ["apiVersion", "kind", "status"] {
        fields.shift_remove(name);
    }
    if let Some(Value::Object(metadata)) = fields.get_mut("metadata") {
        metadata
            .retain(|name, _| !SERVERS_OWN.contains(&name.as_str()) && name != "name" && name != "namespace");
    }
    fields
}

struct Differences {
    found: Vec<FieldChange>,
    secret: bool,
}

impl Differences {
    fn maps(&mut self, path: &str, before: &Map<String, Value>, after: &Map<String, Value>) {
        let gone = before.keys().filter(|key| !after.contains_key(*key));
        for key in after.keys().chain(gone) {
            self.values(&member(path, key), before.get(key), after.get(key));
        }
    }

    fn values(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        let nothing = Map::new();
        match (before, after) {
            (before, after) if before == after => {}
            (Some(Value::Object(before)), Some(Value::Object(after))) => self.maps(path, before, after),
            (None, Some(Value::Object(after))) if !after.is_empty() => self.maps(path, &nothing, after),
            (Some(Value::Object(before)), None) if !before.is_empty() => self.maps(path, before, &nothing),
            (Some(Value::Array(before)), Some(Value::Array(after))) => self.lists(path, before, after),
            (before, after) => {
                let shown = |value: Option<&Value>| value.map(|value| self.shown(path, value));
                let change =
                    FieldChange { path: path.to_owned(), before: shown(before), after: shown(after) };
                self.found.push(change);
            }
        }
    }

    /// Items that all have a name of their own are compared by it, as the API merges them; others by position.
    fn lists(&mut self, path: &str, before: &[Value], after: &[Value]) {
        match (by_name(before), by_name(after)) {
            (Some(before), Some(after)) => {
                let gone = before.iter().filter(|(name, _)| !after.iter().any(|(other, _)| other == name));
                for (name, _) in after.iter().chain(gone) {
                    let of = |items: &[(String, Value)]| {
                        items.iter().find(|(other, _)| other == name).map(|(_, item)| item.clone())
                    };
                    self.values(&format!("{path}[{name}]"), of(&before).as_ref(), of(&after).as_ref());
                }
            }
            _ => {
                for index in 0..before.len().max(after.len()) {
                    self.values(&format!("{path}[{index}]"), before.get(index), after.get(index));
                }
            }
        }
    }

    fn shown(&self, path: &str, value: &Value) -> Value {
        let hidden = self.secret && (path.starts_with("data") || path.starts_with("stringData"));
        match value {
            Value::String(text) if hidden => Value::String(format!("({} characters)", text.chars().count())),
            // An applied Secret may stand, whole, in kubectl's annotation.
            _ if self.secret && path.contains("last-applied-configuration") => "(hidden)".into(),
            value => value.clone(),
        }
    }
}

fn by_name(items: &[Value]) -> Option<Vec<(String, Value)>> {
    let mut names = BTreeSet::new();
    let mut named = Vec::with_capacity(items.len());
    for item in items {
        let name = item.get("name")?.as_str()?;
        if !names.insert(name) {
            return None;
        }
        named.push((name.to_owned(), item.clone()));
    }
    Some(named)
}

fn member(path: &str, key: &str) -> String {
    let plain =
        !key.is_empty() && key.chars().all(|char| char.is_ascii_alphanumeric() || "-_".contains(char));
    match (plain, path) {
        (true, "") => key.to_owned(),
        (true, _) => format!("{path}.{key}"),
        (false, _) => format!("{path}[{key:?}]"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use test_case::test_case;

    use super::*;

    fn differences(before: Value, after: Value) -> Vec<String> {
        let object = |value| Object::from_value(value).unwrap();
        let shown = |value: &Option<Value>| value.as_ref().map_or("-".to_owned(), Value::to_string);
        fields(&object(before), &object(after))
            .iter()
            .map(|field| format!("{} {} {}", field.path, shown(&field.before), shown(&field.after)))
            .collect()
    }

    #[test_case(json!({"data": {"a": "1"}}), json!({"data": {"a": "2"}}) => vec![r#"data.a "1" "2""#]; "changed")]
    #[test_case(json!({"data": {"a": "1"}}), json!({"data": {"b": {"c": 2}}}) => vec!["data.b.c - 2", r#"data.a "1" -"#]; "gone comes last")]
    #[test_case(json!({}), json!({"spec": {}}) => vec!["spec - {}"]; "an empty map is a value")]
    #[test_case(json!({"metadata": {"uid": "1", "resourceVersion": "5", "managedFields": []}, "status": {"a": 1}}), json!({"metadata": {"uid": "2"}}) => Vec::<String>::new(); "what the server writes")]
    #[test_case(json!({}), json!({"metadata": {"labels": {"a.b/c": "x"}}}) => vec![r#"metadata.labels["a.b/c"] - "x""#]; "a key with dots")]
    #[test_case(json!({"l": [{"name": "a", "v": 1}, {"name": "b", "v": 1}]}), json!({"l": [{"name": "b", "v": 2}, {"name": "a", "v": 1}]}) => vec!["l[b].v 1 2"]; "items by name")]
    #[test_case(json!({"l": [{"name": "a"}]}), json!({"l": []}) => vec![r#"l[a].name "a" -"#]; "an item less")]
    #[test_case(json!({"l": [1, 2]}), json!({"l": [1, 3, 4]}) => vec!["l[1] 2 3", "l[2] - 4"]; "items by position")]
    #[test_case(json!({"l": 1}), json!({"l": [1]}) => vec!["l 1 [1]"]; "another type")]
    fn every_field(before: Value, after: Value) -> Vec<String> {
        differences(before, after)
    }

    #[test]
    fn values_of_secrets_are_hidden() {
        let secret = |data: Value| {
            json!({"apiVersion": "v1", "kind": "Secret", "data": data,
                "metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": data.to_string()}}})
        };
        let shown = differences(secret(json!({"k": "b2xk"})), secret(json!({"k": "bmV3ZXI="}))).join("\n");
        assert!(shown.contains(r#"data.k "(4 characters)" "(8 characters)""#), "{shown}");
        assert!(!shown.contains("b2xk") && !shown.contains("bmV3ZXI="), "{shown}");
    }

    #[test]
    fn a_write_is_a_creation_or_a_change() {
        let after =
            Object::from_value(json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}})).unwrap();
        let created = Effect::of_write(after.reference(), None, &after);
        assert!(
            matches!(&created, Effect::Create { fields: Some(fields), .. } if fields.len() == 1),
            "{created:?}"
        );
        let same = Effect::of_write(after.reference(), Some(&after), &after);
        assert!(
            matches!(&same, Effect::Change { fields: Some(fields), .. } if fields.is_empty()),
            "{same:?}"
        );
    }
}
