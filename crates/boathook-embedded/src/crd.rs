//! CustomResourceDefinitions: what they make the API serve, and the one of `WasmHook` that a cluster has from the start.
//! Objects of custom kinds are checked by names and types of their schema, not by its further rules.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::resource::{NameRule, Registry, ResourceType};
use crate::status::FieldError;

/// Serves the kinds of a definition; a definition that is being deleted serves nothing.
pub(crate) fn serve(registry: &mut Registry, definition: &Value) {
    let spec = &definition["spec"];
    let (Some(group), Some(plural)) = (spec["group"].as_str(), spec["names"]["plural"].as_str()) else {
        return;
    };
    registry.set_custom(group, plural, types(spec));
}

/// No longer serves the kinds of a definition.
pub(crate) fn withdraw(registry: &mut Registry, definition: &Value) {
    let spec = &definition["spec"];
    if let (Some(group), Some(plural)) = (spec["group"].as_str(), spec["names"]["plural"].as_str()) {
        registry.set_custom(group, plural, Vec::new());
    }
}

fn types(spec: &Value) -> Vec<ResourceType> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let words = |value: &Value| {
        value.as_array().into_iter().flatten().map(&text).filter(|word| !word.is_empty()).collect()
    };
    let names = &spec["names"];
    let (group, plural, kind) = (text(&spec["group"]), text(&names["plural"]), text(&names["kind"]));
    let versions = spec["versions"].as_array();
    versions
        .into_iter()
        .flatten()
        .filter(|version| version["served"] == true)
        .map(|version| ResourceType {
            version: text(&version["name"]),
            singular: match text(&names["singular"]) {
                singular if singular.is_empty() => kind.to_lowercase(),
                singular => singular,
            },
            namespaced: spec["scope"] == "Namespaced",
            short_names: words(&names["shortNames"]),
            categories: words(&names["categories"]),
            has_status: version["subresources"]["status"].is_object(),
            has_scale: false,
            name_rule: NameRule::Subdomain,
            returns_deleted: false,
            generation: true,
            schema: None,
            crd: Some(Arc::new(version["schema"]["openAPIV3Schema"].clone())),
            key: Arc::from(format!("{group}/{plural}")),
            group: group.clone(),
            plural: plural.clone(),
            kind: kind.clone(),
        })
        .collect()
}

/// Fills in what the real server adds to a definition before it stores it.
pub(crate) fn default(definition: &mut Value) {
    let spec = &mut definition["spec"];
    if let Some(kind) = spec["names"]["kind"].as_str().map(str::to_owned) {
        if !spec["names"]["singular"].is_string() {
            spec["names"]["singular"] = json!(kind.to_lowercase());
        }
        if !spec["names"]["listKind"].is_string() {
            spec["names"]["listKind"] = json!(format!("{kind}List"));
        }
    }
    if !spec["conversion"].is_object() {
        spec["conversion"] = json!({"strategy": "None"});
    }
}

/// Fills in the defaults that a schema names.
pub(crate) fn fill(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, property) in schema["properties"].as_object().into_iter().flatten() {
                if let (None, Some(default)) = (object.get(key), property.get("default")) {
                    object.insert(key.clone(), default.clone());
                }
                if let Some(value) = object.get_mut(key) {
                    fill(property, value);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|item| fill(&schema["items"], item)),
        _ => {}
    }
}

/// Writes the status of a definition whose names were accepted.
pub(crate) fn establish(definition: &mut Value, now: &str) {
    let condition = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now});
    let stored: Vec<Value> = definition["spec"]["versions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|version| version["storage"] == true)
        .map(|version| version["name"].clone())
        .collect();
    let names = definition["spec"]["names"].clone();
    definition["status"] = json!({
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
        "acceptedNames": names,
        "storedVersions": stored,
    });
}

/// What is wrong with a definition.
pub(crate) fn validate(definition: &Value) -> Vec<FieldError> {
    let spec = &definition["spec"];
    let mut errors = Vec::new();
    let (group, plural) =
        (spec["group"].as_str().unwrap_or_default(), spec["names"]["plural"].as_str().unwrap_or_default());
    let expected = format!("{plural}.{group}");
    if definition["metadata"]["name"] != expected.as_str() {
        let rule = "must be spec.names.plural+\".\"+spec.group";
        errors.push(FieldError::invalid("metadata.name", &definition["metadata"]["name"], rule));
    }
    if group.is_empty() {
        errors.push(FieldError::required("spec.group", ""));
    }
    if plural.is_empty() {
        errors.push(FieldError::required("spec.names.plural", ""));
    }
    if !spec["names"]["kind"].is_string() {
        errors.push(FieldError::required("spec.names.kind", ""));
    }
    match spec["scope"].as_str() {
        Some("Cluster" | "Namespaced") => {}
        None | Some("") => errors.push(FieldError::required("spec.scope", "")),
        Some(_) => {
            errors.push(FieldError::unsupported("spec.scope", &spec["scope"], &["Cluster", "Namespaced"]));
        }
    }
    let versions: Vec<&Value> = spec["versions"].as_array().into_iter().flatten().collect();
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        let rule = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid("spec.versions", &spec["versions"], rule));
    }
    for (index, version) in versions.iter().enumerate() {
        if !version["schema"]["openAPIV3Schema"].is_object() {
            let field = format!("spec.versions[{index}].schema.openAPIV3Schema");
            errors.push(FieldError::required(&field, ""));
        }
    }
    errors
}

/// The definition of `wasmhooks.boathook.dev`.
pub(crate) fn wasm_hook() -> Value {
    let any = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let list = json!({"type": "array", "items": any});
    let mut definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "wasmhooks.boathook.dev"},
        "spec": {
            "group": "boathook.dev",
            "scope": "Namespaced",
            "names": {
                "plural": "wasmhooks", "singular": "wasmhook", "kind": "WasmHook", "listKind": "WasmHookList",
            },
            "versions": [{
                "name": "v1alpha1",
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "additionalPrinterColumns": [
                    {"name": "Plugin", "type": "string", "jsonPath": ".spec.plugin"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": {
                            "type": "object",
                            "required": ["plugin"],
                            "properties": {
                                "plugin": {"type": "string"},
                                "config": any,
                                "timeout": {"type": "string"},
                                "backoffLimit": {"type": "integer"},
                                "permissions": {
                                    "type": "object",
                                    "properties": {"kubernetes": list, "http": list, "tcp": list},
                                },
                                "credentials": list,
                                "limits": any,
                            },
                        },
                        "status": any,
                    },
                }},
            }],
        },
    });
    default(&mut definition);
    definition
}
