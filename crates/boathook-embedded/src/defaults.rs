//! Values that the API server fills in where a client left them out: those that clients and charts rely on when they
//! read objects back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::crd;
use crate::resource::ResourceType;

/// Fills in the defaults of a kind. `live` is the object before an update.
pub(crate) fn fill(kind: &ResourceType, object: &mut Value, live: Option<&Value>) {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Secret") => {
            string_data(object);
            default(object, "type", json!("Opaque"));
        }
        ("", "Namespace") => namespace(object, live),
        ("", "Pod") => pod(object, live),
        ("", "Service") => service(object, live),
        ("", "PersistentVolumeClaim") => {
            default(&mut object["spec"], "volumeMode", json!("Filesystem"));
            if live.is_none() {
                object["status"] = json!({"phase": "Pending"});
            }
        }
        ("batch", "Job") => job(object, live),
        ("batch", "CronJob") => {
            default(&mut object["spec"], "concurrencyPolicy", json!("Allow"));
            default(&mut object["spec"], "suspend", json!(false));
            default(&mut object["spec"], "successfulJobsHistoryLimit", json!(3));
            default(&mut object["spec"], "failedJobsHistoryLimit", json!(1));
            pod_spec(&mut object["spec"]["jobTemplate"]["spec"]["template"]["spec"]);
            if live.is_none() {
                object["status"] = json!({});
            }
        }
        ("apps", "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet") => workload(kind, object, live),
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

fn namespace(object: &mut Value, live: Option<&Value>) {
    let name = object["metadata"]["name"].clone();
    default(&mut object["metadata"]["labels"], "kubernetes.io/metadata.name", name);
    if live.is_none() {
        object["spec"] = json!({"finalizers": ["kubernetes"]});
        object["status"] = json!({"phase": "Active"});
    }
}

fn pod(object: &mut Value, live: Option<&Value>) {
    pod_spec(&mut object["spec"]);
    default(&mut object["spec"], "enableServiceLinks", json!(true));
    default(&mut object["spec"], "serviceAccountName", json!("default"));
    default(&mut object["spec"], "serviceAccount", json!("default"));
    default(&mut object["spec"], "preemptionPolicy", json!("PreemptLowerPriority"));
    default(&mut object["spec"], "priority", json!(0));
    if live.is_none() {
        object["status"] = json!({"phase": "Pending", "qosClass": "BestEffort"});
    }
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

fn service(object: &mut Value, live: Option<&Value>) {
    let bits = crate::uid::random_bits();
    let spec = &mut object["spec"];
    default(spec, "type", json!("ClusterIP"));
    default(spec, "sessionAffinity", json!("None"));
    let external = spec["type"] == "ExternalName";
    if !external {
        let address = match live.map(|live| &live["spec"]["clusterIP"]) {
            Some(Value::String(address)) => address.clone(),
            _ => format!("10.96.{}.{}", bits & 0xff, 1 + (bits >> 8) % 254),
        };
        default(spec, "clusterIP", json!(address));
        let address = spec["clusterIP"].clone();
        default(spec, "clusterIPs", json!([address]));
        default(spec, "ipFamilies", json!(["IPv4"]));
        default(spec, "ipFamilyPolicy", json!("SingleStack"));
        default(spec, "internalTrafficPolicy", json!("Cluster"));
    }
    if let Value::Object(map) = spec
        && let Some(Value::Array(ports)) = map.get_mut("ports")
    {
        for port in ports.iter_mut().filter(|port| port.is_object()) {
            default(port, "protocol", json!("TCP"));
            let number = port["port"].clone();
            default(port, "targetPort", number);
        }
    }
    if live.is_none() {
        object["status"] = json!({"loadBalancer": {}});
    }
}

fn job(object: &mut Value, live: Option<&Value>) {
    let (name, uid) = (object["metadata"]["name"].clone(), object["metadata"]["uid"].clone());
    let spec = &mut object["spec"];
    let indexed_or_single = spec["completions"].is_null() && spec["parallelism"].is_null();
    if indexed_or_single {
        default(spec, "completions", json!(1));
    }
    default(spec, "parallelism", json!(1));
    default(spec, "backoffLimit", json!(6));
    default(spec, "completionMode", json!("NonIndexed"));
    default(spec, "suspend", json!(false));
    default(spec, "podReplacementPolicy", json!("TerminatingOrFailed"));
    if spec["manualSelector"] != true && live.is_none() {
        spec["selector"] = json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}});
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
    pod_spec(&mut spec["template"]["spec"]);
    if let Value::Object(map) = spec {
        map.retain(|_, value| !value.is_null());
    }
    if live.is_none() {
        // The template's labels become those of a Job that has none of its own.
        if object["metadata"]["labels"].is_null() {
            object["metadata"]["labels"] = object["spec"]["template"]["metadata"]["labels"].clone();
        }
        object["status"] = json!({});
    }
}

fn workload(kind: &ResourceType, object: &mut Value, live: Option<&Value>) {
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
            default(
                spec,
                "updateStrategy",
                json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}),
            );
        }
        "DaemonSet" => {
            default(spec, "revisionHistoryLimit", json!(10));
            let update =
                json!({"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}});
            default(spec, "updateStrategy", update);
        }
        _ => {}
    }
    pod_spec(&mut spec["template"]["spec"]);
    if live.is_none() {
        object["status"] = json!({});
    }
}
