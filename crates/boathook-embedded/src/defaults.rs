//! What the API server fills in: values that a client left out (they then belong to the client), what the server itself
//! decides for a new object (nobody's), and what a kind's Go type has in any case.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::crd;
use crate::resource::ResourceType;

/// Fills in what a client left out.
pub(crate) fn fill(kind: &ResourceType, object: &mut Value) {
    if let Some(schema) = &kind.crd {
        crd::fill(schema, object);
    }
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Secret") => {
            string_data(object);
            default(object, "type", json!("Opaque"));
        }
        ("", "Namespace") => {
            let name = object["metadata"]["name"].clone();
            default(&mut object["metadata"]["labels"], "kubernetes.io/metadata.name", name);
        }
        ("", "Pod") => {
            pod_spec(&mut object["spec"]);
            default(&mut object["spec"], "enableServiceLinks", json!(true));
            requests(&mut object["spec"]);
        }
        ("", "Service") => service(&mut object["spec"]),
        ("", "PersistentVolumeClaim") => default(&mut object["spec"], "volumeMode", json!("Filesystem")),
        ("batch", "Job") => job(&mut object["spec"]),
        ("batch", "CronJob") => {
            let spec = &mut object["spec"];
            default(spec, "concurrencyPolicy", json!("Allow"));
            default(spec, "suspend", json!(false));
            default(spec, "successfulJobsHistoryLimit", json!(3));
            default(spec, "failedJobsHistoryLimit", json!(1));
            default(&mut spec["jobTemplate"], "metadata", json!({}));
            template(&mut spec["jobTemplate"]["spec"]);
        }
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet") => workload(kind, object),
        ("networking.k8s.io", "NetworkPolicy") => {
            let egress = object["spec"]["egress"].is_array();
            let types = if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
            default(&mut object["spec"], "policyTypes", types);
        }
        ("apiextensions.k8s.io", _) => crd::default(object),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            default(&mut object["roleRef"], "apiGroup", json!("rbac.authorization.k8s.io"));
            for subject in items_mut(object, "subjects") {
                if matches!(subject["kind"].as_str(), Some("User" | "Group")) {
                    default(subject, "apiGroup", json!("rbac.authorization.k8s.io"));
                }
            }
        }
        _ => {}
    }
}

/// Sets what the server decides. `live` is the object before an update.
pub(crate) fn prepare(kind: &ResourceType, object: &mut Value, live: Option<&Value>) {
    let new = live.is_none();
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Namespace") if new => {
            object["spec"] = json!({"finalizers": ["kubernetes"]});
            object["status"] = json!({"phase": "Active"});
        }
        ("", "Pod") if new => {
            default(&mut object["spec"], "serviceAccountName", json!("default"));
            default(&mut object["spec"], "serviceAccount", json!("default"));
            default(&mut object["spec"], "preemptionPolicy", json!("PreemptLowerPriority"));
            default(&mut object["spec"], "priority", json!(0));
            object["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"});
        }
        ("", "Service") => {
            address(&mut object["spec"], live);
            if new {
                object["status"] = json!({"loadBalancer": {}});
            }
        }
        ("", "PersistentVolumeClaim") if new => object["status"] = json!({"phase": "Pending"}),
        ("batch", "Job") if new => {
            generate_selector(object);
            // The template's labels become those of a Job that has none of its own.
            if object["metadata"]["labels"].is_null() {
                object["metadata"]["labels"] = object["spec"]["template"]["metadata"]["labels"].clone();
            }
            object["status"] = json!({});
        }
        ("networking.k8s.io", "Ingress") if new => object["status"] = json!({"loadBalancer": {}}),
        ("policy", "PodDisruptionBudget") if new => {
            object["status"] =
                json!({"currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0});
        }
        ("apps" | "batch", _) if new && kind.has_status => object["status"] = json!({}),
        _ => {}
    }
}

/// What a new object has before anything is written: the structs that its Go type holds by value. What stands in here is
/// nobody's, what goes beyond it is the creator's.
pub(crate) fn zero(kind: &ResourceType) -> Value {
    let template = json!({"metadata": {}, "spec": {"containers": null}});
    let spec = match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Pod") => json!({"containers": null}),
        ("", "PersistentVolumeClaim") => json!({"resources": {}}),
        ("apps", "Deployment") => json!({"strategy": {}, "template": template}),
        ("apps", "StatefulSet" | "DaemonSet") => json!({"updateStrategy": {}, "template": template}),
        ("apps", "ReplicaSet") | ("batch", "Job") => json!({"template": template}),
        ("batch", "CronJob") => json!({"jobTemplate": {"metadata": {}, "spec": {"template": template}}}),
        ("networking.k8s.io", "NetworkPolicy") => json!({"podSelector": {}}),
        ("autoscaling", _) => json!({"scaleTargetRef": {}}),
        ("apiextensions.k8s.io", _) => json!({"names": {}}),
        _ if kind.crd.is_some() => Value::Null,
        _ => json!({}),
    };
    let mut zero = json!({"metadata": {}, "roleRef": {}});
    if !spec.is_null() {
        zero["spec"] = spec;
    }
    zero
}

/// Moves `stringData` of a Secret into `data`.
pub(crate) fn string_data(object: &mut Value) {
    let Value::Object(map) = object else { return };
    let Some(Value::Object(plain)) = map.shift_remove("stringData") else { return };
    let data = map.entry("data").or_insert_with(|| Value::Object(Map::new()));
    if !data.is_object() {
        *data = Value::Object(Map::new());
    }
    for (key, value) in plain {
        data[key.as_str()] = json!(STANDARD.encode(value.as_str().unwrap_or_default()));
    }
}

/// Sets a field that is absent or null.
pub(crate) fn default(object: &mut Value, field: &str, value: Value) {
    if object.is_null() {
        *object = Value::Object(Map::new());
    }
    if let Value::Object(map) = object
        && map.get(field).is_none_or(Value::is_null)
    {
        map.insert(field.to_owned(), value);
    }
}

/// The maps of a list; none if there is no such list.
fn items_mut<'a>(object: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> {
    let list = object.get_mut(field).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter(|item| item.is_object())
}

fn pod_spec(spec: &mut Value) {
    default(spec, "restartPolicy", json!("Always"));
    default(spec, "terminationGracePeriodSeconds", json!(30));
    default(spec, "dnsPolicy", json!("ClusterFirst"));
    default(spec, "securityContext", json!({}));
    default(spec, "schedulerName", json!("default-scheduler"));
    for list in ["initContainers", "containers"] {
        for container in items_mut(spec, list) {
            let image = container["image"].as_str().unwrap_or_default();
            let tag = image.rsplit('/').next().unwrap_or_default().split_once(':').map(|(_, tag)| tag);
            let always = !image.contains('@') && matches!(tag, None | Some("latest"));
            default(container, "resources", json!({}));
            default(container, "terminationMessagePath", json!("/dev/termination-log"));
            default(container, "terminationMessagePolicy", json!("File"));
            default(container, "imagePullPolicy", json!(if always { "Always" } else { "IfNotPresent" }));
            for port in items_mut(container, "ports") {
                default(port, "protocol", json!("TCP"));
            }
        }
    }
}

/// What a container may use at most is also what it asks for.
fn requests(spec: &mut Value) {
    for list in ["initContainers", "containers"] {
        for container in items_mut(spec, list) {
            for (name, limit) in container["resources"]["limits"].as_object().cloned().into_iter().flatten() {
                default(&mut container["resources"]["requests"], &name, limit);
            }
        }
    }
}

fn service(spec: &mut Value) {
    default(spec, "type", json!("ClusterIP"));
    default(spec, "sessionAffinity", json!("None"));
    if spec["type"] != "ExternalName" {
        default(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    for port in items_mut(spec, "ports") {
        default(port, "protocol", json!("TCP"));
        let number = port["port"].clone();
        default(port, "targetPort", number);
    }
}

/// The addresses of a Service, which it keeps.
fn address(spec: &mut Value, live: Option<&Value>) {
    if spec["type"] == "ExternalName" {
        return;
    }
    let bits = crate::uid::random_bits();
    let address = match live.map(|live| &live["spec"]["clusterIP"]) {
        Some(Value::String(address)) => address.clone(),
        _ => format!("10.96.{}.{}", bits & 0xff, 1 + (bits >> 8) % 254),
    };
    default(spec, "clusterIP", json!(address));
    let address = spec["clusterIP"].clone();
    default(spec, "clusterIPs", json!([address]));
    default(spec, "ipFamilies", json!(["IPv4"]));
    default(spec, "ipFamilyPolicy", json!("SingleStack"));
}

fn job(spec: &mut Value) {
    if spec["completions"].is_null() && spec["parallelism"].is_null() {
        default(spec, "completions", json!(1));
    }
    default(spec, "parallelism", json!(1));
    default(spec, "backoffLimit", json!(6));
    default(spec, "completionMode", json!("NonIndexed"));
    default(spec, "suspend", json!(false));
    default(spec, "manualSelector", json!(false));
    default(spec, "podReplacementPolicy", json!("TerminatingOrFailed"));
    template(spec);
}

/// A Job finds its Pods by its own UID, unless its maker takes care of that.
fn generate_selector(job: &mut Value) {
    let (name, uid) = (job["metadata"]["name"].clone(), job["metadata"]["uid"].clone());
    let spec = &mut job["spec"];
    if spec["manualSelector"] == true {
        return;
    }
    default(&mut spec["selector"]["matchLabels"], "batch.kubernetes.io/controller-uid", uid.clone());
    let labels = &mut spec["template"]["metadata"]["labels"];
    for (key, value) in [
        ("batch.kubernetes.io/controller-uid", &uid),
        ("batch.kubernetes.io/job-name", &name),
        ("controller-uid", &uid),
        ("job-name", &name),
    ] {
        default(labels, key, value.clone());
    }
}

/// The Pod template in a spec.
fn template(spec: &mut Value) {
    default(&mut spec["template"], "metadata", json!({}));
    pod_spec(&mut spec["template"]["spec"]);
}

fn workload(kind: &ResourceType, object: &mut Value) {
    if kind.kind == "DaemonSet" {
        let annotations = &mut object["metadata"]["annotations"];
        default(annotations, "deprecated.daemonset.template.generation", json!("1"));
    }
    let spec = &mut object["spec"];
    if kind.kind != "DaemonSet" {
        default(spec, "replicas", json!(1));
    }
    match kind.kind.as_str() {
        "Deployment" => {
            default(spec, "revisionHistoryLimit", json!(10));
            default(spec, "progressDeadlineSeconds", json!(600));
            default(spec, "strategy", json!({"type": "RollingUpdate"}));
            if spec["strategy"]["type"] == "RollingUpdate" {
                default(&mut spec["strategy"]["rollingUpdate"], "maxUnavailable", json!("25%"));
                default(&mut spec["strategy"]["rollingUpdate"], "maxSurge", json!("25%"));
            }
        }
        "StatefulSet" => {
            default(spec, "revisionHistoryLimit", json!(10));
            default(spec, "podManagementPolicy", json!("OrderedReady"));
            let update = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}});
            default(spec, "updateStrategy", update);
            let retention = json!({"whenDeleted": "Retain", "whenScaled": "Retain"});
            default(spec, "persistentVolumeClaimRetentionPolicy", retention);
        }
        "DaemonSet" => {
            default(spec, "revisionHistoryLimit", json!(10));
            let update =
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}});
            default(spec, "updateStrategy", update);
        }
        _ => {}
    }
    template(spec);
}
