//! Tables: what `kubectl get` asks for instead of objects. Columns of the kinds that people look at; name and age for
//! the rest, and the printer columns of a CRD by its definition's own JSON paths.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::read::{Page, list_metadata};
use crate::resource::ResourceType;

/// A column: its title and how its cell is read.
type Column = (&'static str, fn(&Value, Timestamp) -> Value);

/// The Table of one object; `head` says whether it names its columns (the first of a watch does).
pub(crate) fn of_one(kind: &ResourceType, object: &Value, now: Timestamp, head: bool) -> Value {
    let metadata = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
    table(kind, std::iter::once(object), &metadata, now, head)
}

/// The Table of a page.
pub(crate) fn of_page(kind: &ResourceType, page: &Page, now: Timestamp) -> Value {
    table(kind, page.items.iter().map(|entry| &entry.value), &list_metadata(page), now, true)
}

/// `PartialObjectMetadata` of an object.
pub(crate) fn partial_metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// `PartialObjectMetadataList` of a page.
pub(crate) fn metadata_list(page: &Page) -> Value {
    let items: Vec<Value> = page.items.iter().map(|entry| partial_metadata(&entry.value)).collect();
    json!({
        "kind": "PartialObjectMetadataList",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": list_metadata(page),
        "items": items,
    })
}

fn table<'a>(
    kind: &ResourceType,
    objects: impl Iterator<Item = &'a Value>,
    metadata: &Value,
    now: Timestamp,
    head: bool,
) -> Value {
    let columns = columns(kind);
    let definitions: Vec<Value> = columns
        .iter()
        .map(|(title, _)| {
            let format = if *title == "Name" { "name" } else { "" };
            json!({"name": title, "type": "string", "format": format, "description": "", "priority": 0})
        })
        .collect();
    let rows: Vec<Value> = objects
        .map(|object| {
            let cells: Vec<Value> = columns.iter().map(|(_, cell)| cell(object, now)).collect();
            json!({"cells": cells, "object": partial_metadata(object)})
        })
        .collect();
    let definitions = if head { Value::Array(definitions) } else { Value::Null };
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": definitions,
        "rows": rows,
    })
}

const NAME: Column = ("Name", |object, _| object["metadata"]["name"].clone());
const AGE: Column = ("Age", |object, now| json!(age(&object["metadata"]["creationTimestamp"], now)));

fn columns(kind: &ResourceType) -> Vec<Column> {
    let middle: &[Column] = match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "ConfigMap") => &[("Data", |o, _| json!(size(&o["data"]) + size(&o["binaryData"])))],
        ("", "Secret") => &[("Type", |o, _| o["type"].clone()), ("Data", |o, _| json!(size(&o["data"])))],
        ("", "Namespace") => &[("Status", |o, _| o["status"]["phase"].clone())],
        ("", "Node") => &[
            ("Status", |_, _| json!("Ready")),
            ("Version", |o, _| o["status"]["nodeInfo"]["kubeletVersion"].clone()),
        ],
        ("", "ServiceAccount") => &[("Secrets", |o, _| json!(o["secrets"].as_array().map_or(0, Vec::len)))],
        ("", "Pod") => &[
            ("Ready", |o, _| json!(ready_containers(o))),
            ("Status", |o, _| json!(pod_status(o))),
            ("Restarts", |o, _| json!(restarts(o).to_string())),
        ],
        ("", "Service") => &[
            ("Type", |o, _| o["spec"]["type"].clone()),
            ("Cluster-IP", |o, _| or_none(&o["spec"]["clusterIP"])),
            ("External-IP", |o, _| or_none(&o["status"]["loadBalancer"]["ingress"][0]["ip"])),
            ("Port(s)", |o, _| json!(ports(o))),
        ],
        ("", "Event") => &[
            ("Type", |o, _| o["type"].clone()),
            ("Reason", |o, _| o["reason"].clone()),
            ("Object", |o, _| json!(involved(o))),
            ("Message", |o, _| o["message"].clone()),
        ],
        ("", "PersistentVolumeClaim") => &[("Status", |o, _| o["status"]["phase"].clone())],
        ("batch", "Job") => &[
            ("Status", |o, _| json!(job_status(o))),
            ("Completions", |o, _| json!(completions(o))),
            ("Duration", |o, now| json!(job_duration(o, now))),
        ],
        ("batch", "CronJob") => &[
            ("Schedule", |o, _| o["spec"]["schedule"].clone()),
            ("Suspend", |o, _| json!(if o["spec"]["suspend"] == true { "True" } else { "False" })),
            ("Active", |o, _| json!(o["status"]["active"].as_array().map_or(0, Vec::len))),
        ],
        ("apps", "Deployment") => &[
            ("Ready", |o, _| json!(of_replicas(o, "readyReplicas"))),
            ("Up-to-date", |o, _| number(&o["status"]["updatedReplicas"])),
            ("Available", |o, _| number(&o["status"]["availableReplicas"])),
        ],
        ("apps", "StatefulSet") => &[("Ready", |o, _| json!(of_replicas(o, "readyReplicas")))],
        ("apps", "ReplicaSet") => &[
            ("Desired", |o, _| number(&o["spec"]["replicas"])),
            ("Current", |o, _| number(&o["status"]["replicas"])),
            ("Ready", |o, _| number(&o["status"]["readyReplicas"])),
        ],
        ("apps", "DaemonSet") => &[
            ("Desired", |o, _| number(&o["status"]["desiredNumberScheduled"])),
            ("Ready", |o, _| number(&o["status"]["numberReady"])),
        ],
        ("coordination.k8s.io", "Lease") => &[("Holder", |o, _| o["spec"]["holderIdentity"].clone())],
        ("networking.k8s.io", "Ingress") => &[("Class", |o, _| or_none(&o["spec"]["ingressClassName"]))],
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => &[("Role", |o, _| {
            json!(format!("{}/{}", plain(&o["roleRef"]["kind"]), plain(&o["roleRef"]["name"])))
        })],
        ("boathook.dev", "WasmHook") => &[("Plugin", |o, _| o["spec"]["plugin"].clone())],
        ("apiextensions.k8s.io", _) => {
            return vec![NAME, ("Created At", |o, _| o["metadata"]["creationTimestamp"].clone())];
        }
        _ => &[],
    };
    if kind.is("", "Event") {
        let seen: Column = ("Last Seen", |object, now| json!(age(&object["lastTimestamp"], now)));
        return std::iter::once(seen).chain(middle.iter().copied()).collect();
    }
    std::iter::once(NAME).chain(middle.iter().copied()).chain(std::iter::once(AGE)).collect()
}

fn plain(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn size(value: &Value) -> usize {
    value.as_object().map_or(0, serde_json::Map::len)
}

fn number(value: &Value) -> Value {
    json!(value.as_i64().unwrap_or(0))
}

fn or_none(value: &Value) -> Value {
    json!(value.as_str().unwrap_or("<none>"))
}

fn ready_containers(pod: &Value) -> String {
    let statuses = pod["status"]["containerStatuses"].as_array();
    let ready = statuses.into_iter().flatten().filter(|one| one["ready"] == true).count();
    format!("{ready}/{}", pod["spec"]["containers"].as_array().map_or(0, Vec::len))
}

fn pod_status(pod: &Value) -> String {
    let states = pod["status"]["containerStatuses"].as_array();
    let reason = states.into_iter().flatten().find_map(|one| {
        let state = &one["state"];
        state["waiting"]["reason"].as_str().or_else(|| state["terminated"]["reason"].as_str())
    });
    if pod["metadata"]["deletionTimestamp"].is_string() {
        return "Terminating".to_owned();
    }
    reason.unwrap_or_else(|| plain(&pod["status"]["phase"])).to_owned()
}

fn restarts(pod: &Value) -> i64 {
    let statuses = pod["status"]["containerStatuses"].as_array();
    statuses.into_iter().flatten().filter_map(|one| one["restartCount"].as_i64()).sum()
}

fn ports(service: &Value) -> String {
    let list = service["spec"]["ports"].as_array();
    let ports: Vec<String> = list
        .into_iter()
        .flatten()
        .map(|port| format!("{}/{}", port["port"], plain(&port["protocol"])))
        .collect();
    if ports.is_empty() { "<none>".to_owned() } else { ports.join(",") }
}

fn involved(event: &Value) -> String {
    let object = &event["involvedObject"];
    format!("{}/{}", plain(&object["kind"]).to_lowercase(), plain(&object["name"]))
}

fn job_status(job: &Value) -> &'static str {
    let conditions = job["status"]["conditions"].as_array();
    let has = |kind: &str| {
        conditions.into_iter().flatten().any(|one| one["type"] == kind && one["status"] == "True")
    };
    if has("Complete") {
        "Complete"
    } else if has("Failed") {
        "Failed"
    } else if has("Suspended") {
        "Suspended"
    } else {
        "Running"
    }
}

fn completions(job: &Value) -> String {
    let wanted = job["spec"]["completions"].as_i64().unwrap_or(1);
    format!("{}/{wanted}", job["status"]["succeeded"].as_i64().unwrap_or(0))
}

fn job_duration(job: &Value, now: Timestamp) -> String {
    let Some(start) = time(&job["status"]["startTime"]) else { return String::new() };
    let end = time(&job["status"]["completionTime"]).unwrap_or(now);
    human(end.duration_since(start).as_secs())
}

fn of_replicas(object: &Value, field: &str) -> String {
    format!("{}/{}", number(&object["status"][field]), number(&object["spec"]["replicas"]))
}

fn time(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn age(value: &Value, now: Timestamp) -> String {
    time(value).map_or_else(|| "<unknown>".to_owned(), |time| human(now.duration_since(time).as_secs()))
}

/// A duration as `duration.HumanDuration` writes it.
fn human(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    let with = |whole: i64, unit: &str, rest: i64, rest_unit: &str| {
        if rest == 0 { format!("{whole}{unit}") } else { format!("{whole}{unit}{rest}{rest_unit}") }
    };
    match seconds {
        ..0 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        120..600 => with(minutes, "m", seconds % 60, "s"),
        600..10800 => format!("{minutes}m"),
        10800..28800 => with(hours, "h", minutes % 60, "m"),
        28800..172_800 => format!("{hours}h"),
        172_800..691_200 => with(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        63_072_000..252_288_000 => with(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    #[test_case(5 => "5s")]
    #[test_case(150 => "2m30s")]
    #[test_case(3600 => "60m")]
    #[test_case(14_400 => "4h")]
    #[test_case(200_000 => "2d7h")]
    fn durations(seconds: i64) -> String {
        super::human(seconds)
    }
}
