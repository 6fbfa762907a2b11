//! Workloads: their selector, their Pod template, and what of them must not change.

use serde_json::Value;

use super::pod;
use crate::status::FieldError;

/// What is wrong with a workload.
pub(super) fn object(object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    if spec["replicas"].as_i64().is_some_and(|number| number < 0) {
        let rule = "must be greater than or equal to 0";
        errors.push(FieldError::invalid("spec.replicas", &spec["replicas"], rule));
    }
    match &spec["selector"] {
        Value::Object(selector) if selector.is_empty() => {
            let kind = object["kind"].as_str().unwrap_or_default().to_lowercase();
            let rule = format!("empty selector is invalid for {kind}");
            errors.push(FieldError::invalid("spec.selector", &spec["selector"], &rule));
        }
        Value::Object(_) => {}
        _ => errors.push(FieldError::required("spec.selector", "")),
    }
    super::selector_matches(spec, errors);
    let template = &spec["template"]["spec"];
    pod::spec(template, "spec.template.spec", errors);
    pod::restart_policy(template, "spec.template.spec", &["Always"], errors);
}

/// What of a StatefulSet must not change: all but a few fields.
pub(super) fn stateful_set_update(live: &Value, object: &Value, errors: &mut Vec<FieldError>) {
    const MOVABLE: &[&str] = &[
        "replicas",
        "ordinals",
        "template",
        "updateStrategy",
        "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy",
        "minReadySeconds",
    ];
    let fixed = |value: &Value| {
        let fields = value["spec"].as_object().cloned().unwrap_or_default();
        let mut kept: Vec<(String, Value)> =
            fields.into_iter().filter(|(key, _)| !MOVABLE.contains(&key.as_str())).collect();
        kept.sort_by(|a, b| a.0.cmp(&b.0));
        kept
    };
    if fixed(live) != fixed(object) {
        let rule = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        errors.push(FieldError::forbidden("spec", rule));
    }
}
