//! `metadata.managedFields`: who set which field. Reading, writing, and which fields nobody owns.

mod migrate;

use serde_json::{Map, Value, json};

pub use migrate::migrate;

use crate::field_set::FieldSet;

/// One entry of `managedFields`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ownership {
    /// The field manager.
    pub manager: String,
    /// Whether it applied, rather than updated.
    pub applied: bool,
    /// `status`, or empty.
    pub subresource: String,
    /// The version in which it wrote.
    pub api_version: String,
    /// When it last changed its set.
    pub time: String,
    /// Its fields.
    pub fields: FieldSet,
}

impl Ownership {
    /// Whether it is the entry of this writer.
    pub fn is(&self, manager: &str, applied: bool, subresource: &str) -> bool {
        self.manager == manager && self.applied == applied && self.subresource == subresource
    }

    /// As conflicts name it.
    pub fn title(&self) -> String {
        let mut title = format!("\"{}\"", self.manager);
        if !self.subresource.is_empty() {
            title += &format!(" with subresource \"{}\"", self.subresource);
        }
        if !self.applied {
            title += &format!(" using {}", self.api_version);
        }
        title
    }
}

/// Reads the entries of an object.
pub fn read(object: &Value) -> Vec<Ownership> {
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    let entries = object["metadata"]["managedFields"].as_array();
    entries
        .into_iter()
        .flatten()
        .map(|entry| Ownership {
            manager: text(entry, "manager"),
            applied: entry["operation"] == "Apply",
            subresource: text(entry, "subresource"),
            api_version: text(entry, "apiVersion"),
            time: text(entry, "time"),
            fields: FieldSet::from_value(&entry["fieldsV1"]),
        })
        .collect()
}

/// Writes the entries into an object: appliers first, then by time, as the real server sorts them.
pub fn write(object: &mut Value, mut entries: Vec<Ownership>) {
    entries.retain(|entry| !entry.fields.is_empty());
    entries.sort_by(|a, b| (!a.applied, &a.time, &a.manager).cmp(&(!b.applied, &b.time, &b.manager)));
    let list: Vec<Value> = entries.iter().map(entry).collect();
    if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
        metadata.shift_remove("managedFields");
        if !list.is_empty() {
            metadata.insert("managedFields".to_owned(), Value::Array(list));
        }
    }
}

fn entry(ownership: &Ownership) -> Value {
    let mut map = Map::new();
    map.insert("manager".to_owned(), json!(ownership.manager));
    map.insert("operation".to_owned(), json!(if ownership.applied { "Apply" } else { "Update" }));
    map.insert("apiVersion".to_owned(), json!(ownership.api_version));
    map.insert("time".to_owned(), json!(ownership.time));
    map.insert("fieldsType".to_owned(), json!("FieldsV1"));
    map.insert("fieldsV1".to_owned(), ownership.fields.to_value());
    if !ownership.subresource.is_empty() {
        map.insert("subresource".to_owned(), json!(ownership.subresource));
    }
    Value::Object(map)
}

/// Leaves out what nobody owns: identity, and what the server sets.
pub fn strip(fields: &mut FieldSet) {
    for path in [&["apiVersion"][..], &["kind"], &["metadata", "name"], &["metadata", "namespace"]] {
        fields.remove_path(path);
    }
    for name in SERVER_FIELDS {
        fields.remove_path(&["metadata", name]);
    }
}

/// Metadata that the server sets and nobody owns.
pub const SERVER_FIELDS: &[&str] = &[
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];
