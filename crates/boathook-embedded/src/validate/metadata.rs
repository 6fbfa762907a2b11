//! Metadata, which all kinds have.

use serde_json::Value;

use crate::names;
use crate::resource::ResourceType;
use crate::status::FieldError;

/// Bytes of all annotations.
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// What is wrong with an object's metadata.
pub(super) fn object(kind: &ResourceType, object: &Value) -> Vec<FieldError> {
    let metadata = &object["metadata"];
    let mut errors = Vec::new();
    if let Some(base) = metadata["generateName"].as_str().filter(|base| !base.is_empty())
        && let Some(rule) = names::problem(names::without_trailing_dash(base), kind.name_rule)
    {
        errors.push(FieldError::invalid("metadata.generateName", &metadata["generateName"], &rule));
    }
    let name = metadata["name"].as_str().unwrap_or_default();
    if let Some(rule) = names::problem(name, kind.name_rule) {
        errors.push(FieldError::invalid("metadata.name", &metadata["name"], &rule));
    }
    labels(&metadata["labels"], &mut errors);
    annotations(&metadata["annotations"], &mut errors);
    owners(&metadata["ownerReferences"], &mut errors);
    for (index, finalizer) in metadata["finalizers"].as_array().into_iter().flatten().enumerate() {
        let text = finalizer.as_str().unwrap_or_default();
        if let Some(rule) = names::qualified_problem(text) {
            errors.push(FieldError::invalid("metadata.finalizers", finalizer, &rule));
        } else if !matches!(text, "orphan" | "foregroundDeletion" | "kubernetes") && !text.contains('/') {
            let rule = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid(&format!("metadata.finalizers[{index}]"), finalizer, rule));
        }
    }
    errors
}

fn labels(labels: &Value, errors: &mut Vec<FieldError>) {
    const FIELD: &str = "metadata.labels";
    for (key, value) in labels.as_object().into_iter().flatten() {
        if let Some(rule) = names::qualified_problem(key) {
            errors.push(FieldError::invalid(FIELD, &Value::from(key.as_str()), &rule));
        }
        if value.as_str().is_some_and(|text| text.len() > 63) {
            errors.push(FieldError::invalid(FIELD, value, "must be no more than 63 bytes"));
        } else if !value.as_str().is_some_and(names::is_label_value) {
            errors.push(FieldError::invalid(FIELD, value, names::LABEL_VALUE));
        }
    }
}

fn annotations(annotations: &Value, errors: &mut Vec<FieldError>) {
    const FIELD: &str = "metadata.annotations";
    let mut size = 0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        if let Some(rule) = names::qualified_problem(&key.to_lowercase()) {
            errors.push(FieldError::invalid(FIELD, &Value::from(key.as_str()), &rule));
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > MAX_ANNOTATIONS {
        errors.push(FieldError::too_long(FIELD, MAX_ANNOTATIONS));
    }
}

fn owners(owners: &Value, errors: &mut Vec<FieldError>) {
    const FIELD: &str = "metadata.ownerReferences";
    let mut controller: Option<String> = None;
    for owner in owners.as_array().into_iter().flatten() {
        let text = |field: &str| owner[field].as_str().unwrap_or_default();
        for (field, rule) in [
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ] {
            if text(field).is_empty() {
                errors.push(FieldError::invalid(&format!("{FIELD}.{field}"), &Value::from(""), rule));
            }
        }
        if (text("apiVersion"), text("kind")) == ("v1", "Event") {
            let rule = "/v1, Kind=Event is disallowed from being an owner";
            errors.push(FieldError::invalid(FIELD, owner, rule));
        }
        if owner["controller"] != true {
            continue;
        }
        let this = format!("{}/{}", text("kind"), text("name"));
        match &controller {
            Some(first) => {
                let rule = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {this}"
                );
                errors.push(FieldError::invalid(FIELD, owners, &rule));
            }
            None => controller = Some(this),
        }
    }
}
