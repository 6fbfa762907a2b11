//! Objects that a controller makes for another one: Pods of a template, ReplicaSets of a Deployment, revisions. They are
//! found again by their owner's UID.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{MANAGER, PODS, SIMULATED, event, outcome, write};
use crate::cluster::Cluster;
use crate::store::Entry;
use crate::{defaults, names, uid};

/// The objects of a resource that this one controls, oldest first.
pub(crate) fn of(cluster: &Cluster, owner: &Value, resource: &str) -> Vec<Arc<Entry>> {
    let uid = owner["metadata"]["uid"].as_str().unwrap_or_default();
    let all = cluster.store.dependents(uid).into_iter();
    let mut found: Vec<Arc<Entry>> = all
        .filter(|(of, entry)| {
            &**of == resource && controller(&entry.value).is_some_and(|one| one["uid"] == uid)
        })
        .map(|(_, entry)| entry)
        .collect();
    found.sort_by_cached_key(|entry| {
        let text = |field: &str| entry.value["metadata"][field].as_str().unwrap_or_default().to_owned();
        (text("creationTimestamp"), text("name"))
    });
    found
}

/// The reference to what controls an object.
pub(crate) fn controller(object: &Value) -> Option<&Value> {
    let owners = object["metadata"]["ownerReferences"].as_array();
    owners.into_iter().flatten().find(|owner| owner["controller"] == true)
}

/// A new object that is controlled by another one, in its namespace.
pub(crate) fn new(owner: &Value, api_version: &str, kind: &str, name: &str) -> Value {
    json!({
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": owner["metadata"]["namespace"],
            "ownerReferences": [{
                "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"],
                "uid": owner["metadata"]["uid"], "controller": true, "blockOwnerDeletion": true,
            }],
        },
    })
}

/// A Pod of a template, with the owner's own simulation annotations where the template has none.
pub(crate) fn pod(owner: &Value, template: &Value) -> Value {
    let prefix = format!("{}-", owner["metadata"]["name"].as_str().unwrap_or_default());
    let mut pod = new(owner, "v1", "Pod", &names::generate(&prefix));
    let mut annotations = template["metadata"]["annotations"].as_object().cloned().unwrap_or_default();
    for (key, value) in owner["metadata"]["annotations"].as_object().into_iter().flatten() {
        if key.starts_with(outcome::PREFIX) && key != SIMULATED && !annotations.contains_key(key) {
            annotations.insert(key.clone(), value.clone());
        }
    }
    pod["metadata"]["generateName"] = json!(prefix);
    pod["metadata"]["labels"] = template["metadata"]["labels"].clone();
    if !annotations.is_empty() {
        pod["metadata"]["annotations"] = Value::Object(annotations);
    }
    pod["spec"] = template["spec"].clone();
    pod
}

/// Stores a new object as the API server does.
pub(crate) fn create(cluster: &mut Cluster, resource: &str, mut object: Value) -> Arc<Entry> {
    object["metadata"]["uid"] = json!(uid::new_uid());
    object["metadata"]["creationTimestamp"] = json!(cluster.clock.stamp());
    if let Some(kind) = cluster.registry.by_key(resource) {
        if kind.generation {
            object["metadata"]["generation"] = json!(1);
        }
        defaults::fill(&kind, &mut object);
        defaults::prepare(&kind, &mut object, None);
    }
    write(cluster, resource, &Value::Null, object, MANAGER)
}

/// Creates a Pod, and tells so on its owner.
pub(crate) fn create_pod(cluster: &mut Cluster, owner: &Value, pod: Value) {
    let entry = create(cluster, PODS, pod);
    let name = entry.value["metadata"]["name"].as_str().unwrap_or_default();
    event::record(cluster, owner, "Normal", "SuccessfulCreate", &format!("Created pod: {name}"));
}

/// Changes how many Pods an object wants, which is a new generation of it.
pub(crate) fn scale(cluster: &mut Cluster, resource: &str, object: &Value, replicas: i64) {
    let mut scaled = object.clone();
    scaled["spec"]["replicas"] = json!(replicas);
    scaled["metadata"]["generation"] = json!(object["metadata"]["generation"].as_i64().unwrap_or(0) + 1);
    cluster.store.put(resource, scaled);
}

/// A short name for a value, the same for equal ones: what the real controllers make of a template.
pub(crate) fn hash(value: &Value) -> String {
    // FNV-1a.
    let fold = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let hash = sorted(value).to_string().bytes().fold(0x811c_9dc5, fold);
    names::safe(&hash.to_string())
}

/// The value with its keys in order, and without what is the same as absent.
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<(String, Value)> = map
                .iter()
                .map(|(key, value)| (key.clone(), sorted(value)))
                .filter(|(_, value)| !value.is_null() && value.as_object().is_none_or(|map| !map.is_empty()))
                .collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(fields.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(list) => list.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// A number of a path in an object; 0 if it is not there.
pub(crate) fn number(object: &Value, path: [&str; 2]) -> i64 {
    object[path[0]][path[1]].as_i64().unwrap_or(0)
}

/// Writes a status, if it is another one. Counts of 0 are left out, as Go's types leave them out, but for some.
pub(crate) fn report(
    cluster: &mut Cluster,
    resource: &str,
    object: &Value,
    mut status: Value,
    kept: &[&str],
) {
    if let Value::Object(map) = &mut status {
        map.retain(|field, value| *value != 0 || kept.contains(&field.as_str()));
    }
    if sorted(&object["status"]) != sorted(&status) {
        let mut next = object.clone();
        next["status"] = status;
        write(cluster, resource, object, next, MANAGER);
    }
}
