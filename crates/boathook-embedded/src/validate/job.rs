//! The spec of a Job: the rules of the real server's `ValidateJobSpec`, and what of it must not change.

use serde_json::Value;

use super::pod;
use crate::names;
use crate::status::FieldError;

/// Characters of `managedBy`.
const MAX_MANAGED_BY: usize = 63;

/// What is wrong with a Job.
pub(super) fn object(job: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if job["spec"]["manualSelector"] != true {
        generated(job, &mut errors);
    }
    template(&job["spec"], "spec", &mut errors);
    let spec = &job["spec"];
    if spec["selector"].is_null() {
        errors.push(FieldError::required("spec.selector", ""));
    }
    super::selector_matches(spec, &mut errors);
    errors
}

/// Selector and labels that the server made itself must be as it made them.
fn generated(job: &Value, errors: &mut Vec<FieldError>) {
    let (uid, name) = (&job["metadata"]["uid"], &job["metadata"]["name"]);
    let labels = &job["spec"]["template"]["metadata"]["labels"];
    for (key, wanted) in [
        ("controller-uid", uid),
        ("job-name", name),
        ("batch.kubernetes.io/controller-uid", uid),
        ("batch.kubernetes.io/job-name", name),
    ] {
        if labels[key] != *wanted {
            let rule = format!("must be '{}'", wanted.as_str().unwrap_or_default());
            errors.push(FieldError::invalid(&format!("spec.template.metadata.labels[{key}]"), labels, &rule));
        }
    }
    let selector = &job["spec"]["selector"];
    let own = selector["matchLabels"].as_object().is_some_and(|labels| {
        labels.len() == 1 && labels.get("batch.kubernetes.io/controller-uid") == Some(uid)
    });
    if !own {
        errors.push(FieldError::invalid("spec.selector", selector, "`selector` not auto-generated"));
    }
}

/// What is wrong with the spec of a Job or of a CronJob's template, whose Jobs have no selector yet.
pub(super) fn template(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let at = |field: &str| format!("{path}.{field}");
    for field in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        if spec[field].as_i64().is_some_and(|number| number < 0) {
            let rule = "must be greater than or equal to 0";
            errors.push(FieldError::invalid(&at(field), &spec[field], rule));
        }
    }
    if let Some(name) = spec["managedBy"].as_str() {
        managed_by(name, &at("managedBy"), errors);
    }
    let modes = ["NonIndexed", "Indexed"];
    let is_one_of = |field: &str, values: &[&str]| {
        // The template of a CronJob has no defaults.
        spec[field].is_null() || values.iter().any(|value| spec[field] == *value)
    };
    if !is_one_of("completionMode", &modes) {
        errors.push(FieldError::unsupported(&at("completionMode"), &spec["completionMode"], &modes));
    }
    if spec["completionMode"] == "Indexed" {
        if spec["completions"].is_null() {
            errors.push(FieldError::required(&at("completions"), "when completion mode is Indexed"));
        }
    } else {
        for field in ["backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"] {
            if !spec[field].is_null() {
                errors.push(FieldError::invalid(
                    &at(field),
                    &spec[field],
                    "requires indexed completion mode",
                ));
            }
        }
    }
    let replacements = ["Failed", "TerminatingOrFailed"];
    if !is_one_of("podReplacementPolicy", &replacements) {
        let field = at("podReplacementPolicy");
        errors.push(FieldError::unsupported(&field, &spec["podReplacementPolicy"], &replacements));
    }
    pod::spec(&spec["template"]["spec"], &at("template.spec"), errors);
    let (field, policy) = (at("template.spec.restartPolicy"), &spec["template"]["spec"]["restartPolicy"]);
    if policy == "Always" {
        errors.push(FieldError::required(&field, "valid values: \"OnFailure\", \"Never\""));
    } else if policy != "OnFailure" && policy != "Never" {
        errors.push(FieldError::unsupported(&field, policy, &["OnFailure", "Never"]));
    }
}

/// What is wrong with a CronJob.
pub(super) fn cron_job(object: &Value, errors: &mut Vec<FieldError>) {
    let schedule = object["spec"]["schedule"].as_str().unwrap_or_default();
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if schedule.is_empty() {
        errors.push(FieldError::required("spec.schedule", ""));
    } else if !schedule.starts_with('@') && fields.len() != 5 {
        let rule = format!("expected exactly 5 fields, found {}: [{}]", fields.len(), fields.join(" "));
        errors.push(FieldError::invalid("spec.schedule", &object["spec"]["schedule"], &rule));
    }
    template(&object["spec"]["jobTemplate"]["spec"], "spec.jobTemplate.spec", errors);
}

fn managed_by(name: &str, field: &str, errors: &mut Vec<FieldError>) {
    let value = Value::from(name);
    let rule = match name.split_once('/') {
        Some((domain, path)) if !path.is_empty() && names::is_subdomain(domain) => None,
        Some((domain, path)) if !domain.is_empty() && !path.is_empty() => {
            names::problem(domain, crate::resource::NameRule::Subdomain)
        }
        _ => Some("must be a domain-prefixed path (such as \"acme.io/foo\")".to_owned()),
    };
    if let Some(rule) = rule {
        errors.push(FieldError::invalid(field, &value, &rule));
    }
    if name.len() > MAX_MANAGED_BY {
        errors.push(FieldError::too_long(field, MAX_MANAGED_BY));
    }
}

/// What of a Job must not change.
pub(super) fn update(live: &Value, job: &Value, errors: &mut Vec<FieldError>) {
    let (old, new) = (&live["spec"], &job["spec"]);
    // A suspended Job that never started may still change where its Pods go.
    let movable = old["suspend"] == true && live["status"]["startTime"].is_null();
    for field in [
        "completions",
        "selector",
        "template",
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ] {
        let may = match field {
            "completions" => new["completionMode"] == "Indexed",
            "template" => movable,
            _ => false,
        };
        if !may && !super::equal(&old[field], &new[field]) {
            let path = format!("spec.{field}");
            errors.push(FieldError::invalid(&path, &new[field], "field is immutable"));
        }
    }
}
