//! Roles and bindings.

use serde_json::Value;

use crate::status::FieldError;

const GROUP: &str = "rbac.authorization.k8s.io";

/// What is wrong with the rules of a role. Those of a Role are about objects only.
pub(super) fn role(object: &Value, errors: &mut Vec<FieldError>) {
    let in_namespace = object["kind"] == "Role";
    for (index, rule) in object["rules"].as_array().into_iter().flatten().enumerate() {
        let at = |field: &str| format!("rules[{index}].{field}");
        let empty = |field: &str| rule[field].as_array().is_none_or(Vec::is_empty);
        if empty("verbs") {
            errors.push(FieldError::required(&at("verbs"), "verbs must contain at least one value"));
        }
        if !empty("nonResourceURLs") {
            let (field, urls) = (at("nonResourceURLs"), &rule["nonResourceURLs"]);
            if in_namespace {
                let text = "namespaced rules cannot apply to non-resource URLs";
                errors.push(FieldError::invalid(&field, urls, text));
            }
            if !(empty("apiGroups") && empty("resources") && empty("resourceNames")) {
                let text = "rules cannot apply to both regular resources and non-resource URLs";
                errors.push(FieldError::invalid(&field, urls, text));
            }
            continue;
        }
        if empty("apiGroups") {
            let text = "resource rules must supply at least one api group";
            errors.push(FieldError::required(&at("apiGroups"), text));
        }
        if empty("resources") {
            let text = "resource rules must supply at least one resource";
            errors.push(FieldError::required(&at("resources"), text));
        }
    }
}

/// What is wrong with a binding.
pub(super) fn binding(object: &Value, errors: &mut Vec<FieldError>) {
    let role = &object["roleRef"];
    if role["apiGroup"] != GROUP {
        errors.push(FieldError::unsupported("roleRef.apiGroup", &role["apiGroup"], &[GROUP]));
    }
    let in_namespace = object["kind"] == "RoleBinding";
    let kinds: &[&str] = if in_namespace { &["Role", "ClusterRole"] } else { &["ClusterRole"] };
    if !kinds.iter().any(|kind| role["kind"] == *kind) {
        errors.push(FieldError::unsupported("roleRef.kind", &role["kind"], kinds));
    }
    if role["name"].as_str().is_none_or(str::is_empty) {
        errors.push(FieldError::required("roleRef.name", ""));
    }
    for (index, subject) in object["subjects"].as_array().into_iter().flatten().enumerate() {
        let at = |field: &str| format!("subjects[{index}].{field}");
        let text = |field: &str| subject[field].as_str().unwrap_or_default();
        if text("name").is_empty() {
            errors.push(FieldError::required(&at("name"), ""));
        }
        let group = match text("kind") {
            "ServiceAccount" => "",
            "User" | "Group" => GROUP,
            _ => {
                let known = ["ServiceAccount", "User", "Group"];
                errors.push(FieldError::unsupported(&at("kind"), &subject["kind"], &known));
                continue;
            }
        };
        if text("apiGroup") != group {
            errors.push(FieldError::unsupported(&at("apiGroup"), &subject["apiGroup"], &[group]));
        }
        if text("kind") == "ServiceAccount" && !in_namespace && text("namespace").is_empty() {
            errors.push(FieldError::required(&at("namespace"), ""));
        }
    }
}

/// What of a binding must not change.
pub(super) fn update(live: &Value, object: &Value, errors: &mut Vec<FieldError>) {
    if !super::equal(&live["roleRef"], &object["roleRef"]) {
        errors.push(FieldError::invalid("roleRef", &object["roleRef"], "cannot change roleRef"));
    }
}
