//! Services.

use serde_json::Value;

use crate::names;
use crate::resource::NameRule;
use crate::status::FieldError;

const TYPES: [&str; 4] = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];

/// What is wrong with a Service.
pub(super) fn object(object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    let ports = spec["ports"].as_array().map_or(&[][..], Vec::as_slice);
    if ports.is_empty() && spec["type"] != "ExternalName" && spec["clusterIP"] != "None" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    let mut seen = std::collections::HashSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = |field: &str| format!("spec.ports[{index}].{field}");
        let name = port["name"].as_str().unwrap_or_default();
        if name.is_empty() && ports.len() > 1 {
            errors.push(FieldError::required(&at("name"), ""));
        } else if !name.is_empty() {
            if let Some(rule) = names::problem(name, NameRule::Label) {
                errors.push(FieldError::invalid(&at("name"), &port["name"], &rule));
            } else if !seen.insert(name) {
                errors.push(FieldError::duplicate(&at("name"), &port["name"]));
            }
        }
        for field in ["port", "targetPort"] {
            // A target may also be the name of a container's port.
            if port[field].as_i64().is_some_and(|number| !(1..=65535).contains(&number)) {
                let rule = "must be between 1 and 65535, inclusive";
                errors.push(FieldError::invalid(&at(field), &port[field], rule));
            }
        }
    }
    if !TYPES.iter().any(|one| spec["type"] == *one) {
        errors.push(FieldError::unsupported("spec.type", &spec["type"], &TYPES));
    }
}
