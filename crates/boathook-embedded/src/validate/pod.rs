//! Pods and the Pod templates of other kinds.

use serde_json::Value;

use crate::names;
use crate::resource::NameRule;
use crate::status::FieldError;

/// What is wrong with a Pod's spec, but for its restart policy, which each kind restricts in its own way.
pub(super) fn spec(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    if spec["containers"].as_array().is_none_or(Vec::is_empty) {
        errors.push(FieldError::required(&format!("{path}.containers"), ""));
    }
    let mut seen = std::collections::HashSet::new();
    for list in ["initContainers", "containers"] {
        for (index, container) in spec[list].as_array().into_iter().flatten().enumerate() {
            let at = format!("{path}.{list}[{index}]");
            let name = container["name"].as_str().unwrap_or_default();
            if name.is_empty() {
                errors.push(FieldError::required(&format!("{at}.name"), ""));
            } else if let Some(rule) = names::problem(name, NameRule::Label) {
                errors.push(FieldError::invalid(&format!("{at}.name"), &container["name"], &rule));
            } else if !seen.insert(name) {
                errors.push(FieldError::duplicate(&format!("{at}.name"), &container["name"]));
            }
            if container["image"].as_str().unwrap_or_default().is_empty() {
                errors.push(FieldError::required(&format!("{at}.image"), ""));
            }
            for (index, variable) in container["env"].as_array().into_iter().flatten().enumerate() {
                if variable["name"].as_str().unwrap_or_default().is_empty() {
                    errors.push(FieldError::required(&format!("{at}.env[{index}].name"), ""));
                }
            }
        }
    }
}

/// Whether the restart policy is one of these.
pub(super) fn restart_policy(spec: &Value, path: &str, policies: &[&str], errors: &mut Vec<FieldError>) {
    if !policies.iter().any(|policy| spec["restartPolicy"] == *policy) {
        let field = format!("{path}.restartPolicy");
        errors.push(FieldError::unsupported(&field, &spec["restartPolicy"], policies));
    }
}

/// A Pod may change its images, deadlines and tolerations; nothing else of its spec.
pub(super) fn update(live: &Value, object: &Value, errors: &mut Vec<FieldError>) {
    let fixed = |value: &Value| {
        let mut spec = value["spec"].clone();
        for list in ["initContainers", "containers"] {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                container["image"] = Value::Null;
                container["imagePullPolicy"] = Value::Null;
            }
        }
        for field in ["activeDeadlineSeconds", "tolerations", "nodeName", "terminationGracePeriodSeconds"] {
            spec[field] = Value::Null;
        }
        spec
    };
    if fixed(live) != fixed(object) {
        let rule = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        errors.push(FieldError::forbidden("spec", rule));
    }
}
