//! What an object must hold to be stored: the rules of the real server for the fields that clients and charts get wrong,
//! and the fields that must not change. Answers errors and changes nothing.

mod config;
mod custom;
mod job;
mod job_status;
mod metadata;
mod pod;
mod rbac;
mod service;
mod workload;

use serde_json::Value;

use crate::resource::ResourceType;
use crate::status::FieldError;

/// What is wrong with an object by itself.
pub(crate) fn object(kind: &ResourceType, object: &Value) -> Vec<FieldError> {
    let mut errors = metadata::object(kind, object);
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "ConfigMap") => config::config_map(object, &mut errors),
        ("", "Secret") => config::secret(object, &mut errors),
        ("", "Pod") => {
            pod::spec(&object["spec"], "spec", &mut errors);
            pod::restart_policy(&object["spec"], "spec", &["Always", "OnFailure", "Never"], &mut errors);
        }
        ("", "Service") => service::object(object, &mut errors),
        ("batch", "Job") => errors.extend(job::object(object)),
        ("batch", "CronJob") => job::cron_job(object, &mut errors),
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet") => {
            workload::object(object, &mut errors);
        }
        ("apiextensions.k8s.io", "CustomResourceDefinition") => errors.extend(crate::crd::validate(object)),
        ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => rbac::role(object, &mut errors),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            rbac::binding(object, &mut errors);
        }
        _ => {}
    }
    if matches!(kind.group.as_str(), "" | "apps" | "batch") {
        errors.extend(crate::controller::outcome::read(object).err());
    }
    if let Some(schema) = &kind.crd {
        if object["kind"] != kind.kind.as_str() {
            let rule = format!("must be {}", kind.kind);
            errors.push(FieldError::invalid("kind", &object["kind"], &rule));
        }
        errors.extend(custom::object(schema, object));
    }
    errors
}

/// What must not change from one state to the next.
pub(crate) fn update(
    kind: &ResourceType,
    live: &Value,
    object: &Value,
    subresource: &str,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut fixed = |path: &str| {
        let at = |value: &Value| path.split('.').fold(value.clone(), |value, key| value[key].clone());
        let (old, new) = (at(live), at(object));
        if !equal(&old, &new) {
            errors.push(FieldError::invalid(path, &new, "field is immutable"));
        }
    };
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Secret") => fixed("type"),
        ("batch", "Job") if subresource == "status" => errors.extend(job_status::update(live, object)),
        ("batch", "Job") if subresource.is_empty() => job::update(live, object, &mut errors),
        ("apps", "Deployment" | "ReplicaSet" | "DaemonSet") if subresource.is_empty() => {
            fixed("spec.selector");
        }
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            rbac::update(live, object, &mut errors);
        }
        _ => {}
    }
    if matches!((kind.group.as_str(), kind.kind.as_str()), ("", "Secret" | "ConfigMap"))
        && live["immutable"] == true
    {
        if object["immutable"] != true {
            errors.push(FieldError::forbidden("immutable", "field is immutable when `immutable` is set"));
        }
        for field in ["data", "binaryData"] {
            if !equal(&live[field], &object[field]) {
                errors.push(FieldError::forbidden(field, "field is immutable when `immutable` is set"));
            }
        }
    }
    if kind.is("", "Pod") && subresource.is_empty() {
        pod::update(live, object, &mut errors);
    }
    if kind.is("apps", "StatefulSet") && subresource.is_empty() {
        workload::stateful_set_update(live, object, &mut errors);
    }
    if live["metadata"]["deletionTimestamp"].is_string() {
        let had: Vec<&Value> = live["metadata"]["finalizers"].as_array().into_iter().flatten().collect();
        let added = object["metadata"]["finalizers"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|one| !had.contains(one));
        let names: Vec<String> = added.map(|one| format!("{one}")).collect();
        if !names.is_empty() {
            let rule = format!(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                names.join(", ")
            );
            errors.push(FieldError::forbidden("metadata.finalizers", &rule));
        }
    }
    errors
}

/// A selector must find the Pods of the template beside it.
fn selector_matches(spec: &Value, errors: &mut Vec<FieldError>) {
    let labels = &spec["template"]["metadata"]["labels"];
    let selector = &spec["selector"];
    let mut wanted = selector["matchLabels"].as_object().into_iter().flatten();
    if selector.is_null() || wanted.any(|(key, value)| labels[key] != *value) {
        let rule = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid("spec.template.metadata.labels", labels, rule));
    }
}

/// Equal, where absent, null and an empty map are the same.
fn equal(a: &Value, b: &Value) -> bool {
    let empty = |value: &Value| value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
    a == b || (empty(a) && empty(b))
}
