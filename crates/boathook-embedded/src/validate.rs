//! What an object must hold to be stored: the rules of the real server for the fields that clients and charts get wrong,
//! and the fields that must not change. Answers errors and changes nothing.

use serde_json::Value;

use crate::names;
use crate::resource::ResourceType;
use crate::status::FieldError;

/// Bytes of all data of a Secret or ConfigMap.
const MAX_DATA: usize = 1024 * 1024;
/// Bytes of all annotations.
const MAX_ANNOTATIONS: usize = 256 * 1024;

/// What is wrong with an object by itself.
pub(crate) fn object(kind: &ResourceType, object: &Value) -> Vec<FieldError> {
    let mut errors = metadata(kind, object);
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "ConfigMap") => data(object, &["data", "binaryData"], &mut errors),
        ("", "Secret") => data(object, &["data"], &mut errors),
        ("", "Pod") => pod_spec(&object["spec"], "spec", &["Always", "OnFailure", "Never"], &mut errors),
        ("", "Service") => service(object, &mut errors),
        ("batch", "Job") => job(&object["spec"], "spec", &mut errors),
        ("batch", "CronJob") => {
            if object["spec"]["schedule"].as_str().unwrap_or_default().is_empty() {
                errors.push(FieldError::required("spec.schedule", ""));
            }
            job(&object["spec"]["jobTemplate"]["spec"], "spec.jobTemplate.spec", &mut errors);
        }
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet") => workload(object, &mut errors),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => errors.extend(crate::crd::validate(object)),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => binding(object, &mut errors),
        _ => {}
    }
    if matches!(kind.kind.as_str(), "Pod" | "Job") {
        errors.extend(crate::controller::outcome::read(object).err());
    }
    if let Some(schema) = &kind.crd {
        required(schema, object, "", &mut errors);
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
        ("batch", "Job") if subresource.is_empty() => {
            for path in ["spec.completionMode", "spec.selector", "spec.template", "spec.managedBy"] {
                // A suspended Job that never started may still change its template.
                let movable = path == "spec.template"
                    && live["spec"]["suspend"] == true
                    && live["status"]["startTime"].is_null();
                if !movable {
                    fixed(path);
                }
            }
            let indexed = object["spec"]["completionMode"] == "Indexed";
            if !indexed {
                fixed("spec.completions");
            }
        }
        ("apps", "Deployment" | "ReplicaSet" | "DaemonSet") if subresource.is_empty() => {
            fixed("spec.selector");
        }
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding")
            if !equal(&live["roleRef"], &object["roleRef"]) =>
        {
            errors.push(FieldError::invalid("roleRef", &object["roleRef"], "cannot change roleRef"));
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
        pod_update(live, object, &mut errors);
    }
    if kind.is("apps", "StatefulSet") && subresource.is_empty() {
        stateful_set_update(live, object, &mut errors);
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

/// Equal, where absent, null and an empty map are the same.
fn equal(a: &Value, b: &Value) -> bool {
    let empty = |value: &Value| value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
    a == b || (empty(a) && empty(b))
}

fn metadata(kind: &ResourceType, object: &Value) -> Vec<FieldError> {
    let metadata = &object["metadata"];
    let mut errors = Vec::new();
    let name = metadata["name"].as_str().unwrap_or_default();
    if let Some(rule) = names::problem(name, kind.name_rule) {
        errors.push(FieldError::invalid("metadata.name", &metadata["name"], &rule));
    }
    for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
        if !names::is_qualified_name(key) {
            errors.push(FieldError::invalid("metadata.labels", &Value::from(key.as_str()), names::QUALIFIED));
        }
        if value.as_str().is_some_and(|text| text.len() > 63) {
            errors.push(FieldError::invalid("metadata.labels", value, "must be no more than 63 bytes"));
        } else if !value.as_str().is_some_and(names::is_label_value) {
            errors.push(FieldError::invalid("metadata.labels", value, names::LABEL_VALUE));
        }
    }
    let mut size = 0;
    for (key, value) in metadata["annotations"].as_object().into_iter().flatten() {
        if !names::is_qualified_name(&key.to_lowercase()) {
            errors.push(FieldError::invalid(
                "metadata.annotations",
                &Value::from(key.as_str()),
                names::QUALIFIED,
            ));
        }
        size += key.len() + value.as_str().map_or(0, str::len);
    }
    if size > MAX_ANNOTATIONS {
        errors.push(FieldError::too_long("metadata.annotations", MAX_ANNOTATIONS));
    }
    for finalizer in metadata["finalizers"].as_array().into_iter().flatten() {
        let text = finalizer.as_str().unwrap_or_default();
        let plain = matches!(text, "orphan" | "foregroundDeletion" | "kubernetes");
        if !names::is_qualified_name(text) {
            errors.push(FieldError::invalid("metadata.finalizers", finalizer, names::QUALIFIED));
        } else if !plain && !text.contains('/') {
            let rule = "name is neither a standard finalizer name nor is it fully qualified";
            errors.push(FieldError::invalid("metadata.finalizers", finalizer, rule));
        }
    }
    let owners = metadata["ownerReferences"].as_array();
    for (index, owner) in owners.into_iter().flatten().enumerate() {
        for field in ["apiVersion", "kind", "name", "uid"] {
            if owner[field].as_str().unwrap_or_default().is_empty() {
                let path = format!("metadata.ownerReferences[{index}].{field}");
                errors.push(FieldError::invalid(
                    &path,
                    &Value::from(""),
                    &format!("{field} must not be empty"),
                ));
            }
        }
    }
    let controllers = owners.into_iter().flatten().filter(|owner| owner["controller"] == true).count();
    if controllers > 1 {
        let rule = "Only one reference can have Controller set to true";
        errors.push(FieldError::invalid("metadata.ownerReferences", &metadata["ownerReferences"], rule));
    }
    errors
}

fn data(object: &Value, fields: &[&str], errors: &mut Vec<FieldError>) {
    let mut size = 0;
    for field in fields {
        for (key, value) in object[field].as_object().into_iter().flatten() {
            if !names::is_data_key(key) {
                let path = format!("{field}[{key}]");
                errors.push(FieldError::invalid(&path, &Value::from(key.as_str()), names::DATA_KEY));
            }
            let length = value.as_str().map_or(0, str::len);
            let encoded = object["kind"] == "Secret" || *field == "binaryData";
            size += if encoded { length / 4 * 3 } else { length };
        }
    }
    if size > MAX_DATA {
        // The real one names `data` for a Secret and nothing for a ConfigMap.
        let field = if object["kind"] == "Secret" { "data" } else { "[]" };
        errors.push(FieldError::too_long(field, MAX_DATA));
    }
}

fn pod_spec(spec: &Value, path: &str, policies: &[&str], errors: &mut Vec<FieldError>) {
    let containers = spec["containers"].as_array();
    if containers.is_none_or(Vec::is_empty) {
        errors.push(FieldError::required(&format!("{path}.containers"), ""));
    }
    let mut seen = std::collections::HashSet::new();
    for list in ["initContainers", "containers"] {
        for (index, container) in spec[list].as_array().into_iter().flatten().enumerate() {
            let at = format!("{path}.{list}[{index}]");
            let name = container["name"].as_str().unwrap_or_default();
            if name.is_empty() {
                errors.push(FieldError::required(&format!("{at}.name"), ""));
            } else if let Some(rule) = names::problem(name, crate::resource::NameRule::Label) {
                errors.push(FieldError::invalid(&format!("{at}.name"), &container["name"], &rule));
            } else if !seen.insert(name) {
                errors.push(FieldError::duplicate(&format!("{at}.name"), &container["name"]));
            }
            if container["image"].as_str().unwrap_or_default().is_empty() {
                errors.push(FieldError::required(&format!("{at}.image"), ""));
            }
        }
    }
    let policy = spec["restartPolicy"].as_str().unwrap_or_default();
    if !policies.contains(&policy) {
        let field = format!("{path}.restartPolicy");
        if path.contains("template") && policy == "Always" && policies.len() == 2 {
            errors.push(FieldError::required(&field, "valid values: \"OnFailure\", \"Never\""));
        } else {
            errors.push(FieldError::unsupported(&field, &spec["restartPolicy"], policies));
        }
    }
}

fn service(object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    let ports = spec["ports"].as_array();
    if ports.is_none_or(Vec::is_empty) && spec["type"] != "ExternalName" && spec["clusterIP"] != "None" {
        errors.push(FieldError::required("spec.ports", ""));
    }
    for (index, port) in ports.into_iter().flatten().enumerate() {
        let number = port["port"].as_i64().unwrap_or(0);
        if !(1..=65535).contains(&number) {
            let path = format!("spec.ports[{index}].port");
            errors.push(FieldError::invalid(&path, &port["port"], "must be between 1 and 65535, inclusive"));
        }
    }
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    if !types.iter().any(|one| spec["type"] == *one) {
        errors.push(FieldError::unsupported("spec.type", &spec["type"], &types));
    }
}

fn job(spec: &Value, path: &str, errors: &mut Vec<FieldError>) {
    for field in
        ["parallelism", "completions", "backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"]
    {
        if spec[field].as_i64().is_some_and(|number| number < 0) {
            let rule = "must be greater than or equal to 0";
            errors.push(FieldError::invalid(&format!("{path}.{field}"), &spec[field], rule));
        }
    }
    if let Some(name) = spec["managedBy"].as_str() {
        let valid = name
            .split_once('/')
            .is_some_and(|(domain, rest)| names::is_subdomain(domain) && !rest.is_empty());
        if !valid {
            let rule = "must be a domain-prefixed path (such as \"acme.io/foo\")";
            errors.push(FieldError::invalid(&format!("{path}.managedBy"), &spec["managedBy"], rule));
        }
        if name.len() > 63 {
            errors.push(FieldError::too_long(&format!("{path}.managedBy"), 63));
        }
    }
    pod_spec(&spec["template"]["spec"], &format!("{path}.template.spec"), &["OnFailure", "Never"], errors);
}

fn workload(object: &Value, errors: &mut Vec<FieldError>) {
    let spec = &object["spec"];
    if !spec["selector"].is_object() {
        errors.push(FieldError::required("spec.selector", ""));
    }
    let labels = &spec["template"]["metadata"]["labels"];
    let unmatched =
        spec["selector"]["matchLabels"].as_object().into_iter().flatten().any(|(k, v)| labels[k] != *v);
    if unmatched {
        let rule = "`selector` does not match template `labels`";
        errors.push(FieldError::invalid("spec.template.metadata.labels", labels, rule));
    }
    pod_spec(&spec["template"]["spec"], "spec.template.spec", &["Always"], errors);
}

fn binding(object: &Value, errors: &mut Vec<FieldError>) {
    if object["roleRef"]["name"].as_str().unwrap_or_default().is_empty() {
        errors.push(FieldError::required("roleRef.name", ""));
    }
    if !matches!(object["roleRef"]["kind"].as_str(), Some("Role" | "ClusterRole")) {
        errors.push(FieldError::unsupported(
            "roleRef.kind",
            &object["roleRef"]["kind"],
            &["Role", "ClusterRole"],
        ));
    }
}

/// A Pod may change its images, deadlines and tolerations; nothing else of its spec.
fn pod_update(live: &Value, object: &Value, errors: &mut Vec<FieldError>) {
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

fn stateful_set_update(live: &Value, object: &Value, errors: &mut Vec<FieldError>) {
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

/// `required` of a CRD's schema.
fn required(schema: &Value, value: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let step = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    if let Value::Object(object) = value {
        for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !object.contains_key(key) {
                errors.push(FieldError::required(&step(key), ""));
            }
        }
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            if let Some(value) = object.get(key) {
                required(property, value, &step(key), errors);
            }
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        required(&schema["items"], item, &format!("{path}[{index}]"), errors);
    }
}
