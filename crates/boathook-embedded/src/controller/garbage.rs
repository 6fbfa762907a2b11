//! Garbage collection: objects fall with their last owner, foreground and orphan finalizers are worked off.

use std::sync::Arc;

use serde_json::Value;

use super::remove;
use crate::cluster::Cluster;
use crate::store::Entry;

/// An object is gone: its dependents go, but for those that still have another owner.
pub(crate) fn deleted(cluster: &mut Cluster, owner: &Value) {
    let Some(uid) = owner["metadata"]["uid"].as_str() else { return };
    for (resource, entry) in cluster.store.dependents(uid) {
        if orphaned(cluster, &entry.value) {
            remove(cluster, &resource, &entry.value);
        } else {
            cluster.store.put(&resource, without_owner(&entry.value, uid));
        }
    }
    release_owners(cluster, owner);
}

/// Whether an object names owners and none of them is there.
pub(crate) fn orphaned(cluster: &Cluster, object: &Value) -> bool {
    let Some(owners) = object["metadata"]["ownerReferences"].as_array().filter(|owners| !owners.is_empty())
    else {
        return false;
    };
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
    !owners.iter().any(|owner| exists(cluster, owner, namespace))
}

fn exists(cluster: &Cluster, owner: &Value, namespace: &str) -> bool {
    let text = |field: &str| owner[field].as_str().unwrap_or_default();
    let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
    // An owner of a kind that is not served cannot be looked up: the real collector leaves the object alone.
    let Some(kind) = cluster.registry.by_kind(group, text("kind")) else { return true };
    let namespace = if kind.namespaced { namespace } else { "" };
    let found = cluster.store.get(&kind.key, namespace, text("name"));
    found.is_some_and(|entry| entry.value["metadata"]["uid"] == owner["uid"])
}

/// Works off the finalizers of an object that is being deleted.
pub(crate) fn deleting(cluster: &mut Cluster, resource: &Arc<str>, entry: &Arc<Entry>) {
    let object = &entry.value;
    let has = |name: &str| {
        object["metadata"]["finalizers"].as_array().is_some_and(|list| list.iter().any(|f| f == name))
    };
    let Some(uid) = object["metadata"]["uid"].as_str().map(str::to_owned) else { return };
    if has("orphan") {
        for (dependents, dependent) in cluster.store.dependents(&uid) {
            cluster.store.put(&dependents, without_owner(&dependent.value, &uid));
        }
        drop_finalizer(cluster, resource, object, "orphan");
    } else if has("foregroundDeletion") {
        let blocking = |cluster: &Cluster| {
            cluster
                .store
                .dependents(&uid)
                .into_iter()
                .filter(|(_, dependent)| blocks(&dependent.value, &uid))
                .count()
        };
        for (dependents, dependent) in cluster.store.dependents(&uid) {
            if !dependent.value["metadata"]["deletionTimestamp"].is_string() {
                remove(cluster, &dependents, &dependent.value);
            }
        }
        if blocking(cluster) == 0 {
            drop_finalizer(cluster, resource, object, "foregroundDeletion");
        }
    }
}

/// An object is gone: owners that waited for it in a foreground deletion may go on.
fn release_owners(cluster: &mut Cluster, object: &Value) {
    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default().to_owned();
    for owner in object["metadata"]["ownerReferences"].as_array().into_iter().flatten() {
        let text = |field: &str| owner[field].as_str().unwrap_or_default();
        let group = text("apiVersion").split_once('/').map_or("", |(group, _)| group);
        let Some(kind) = cluster.registry.by_kind(group, text("kind")) else { continue };
        let namespace = if kind.namespaced { namespace.as_str() } else { "" };
        let found = cluster.store.get(&kind.key, namespace, text("name")).cloned();
        if let Some(entry) = found.filter(|entry| entry.value["metadata"]["deletionTimestamp"].is_string()) {
            deleting(cluster, &kind.key, &entry);
        }
    }
}

fn blocks(object: &Value, uid: &str) -> bool {
    let owners = object["metadata"]["ownerReferences"].as_array();
    owners.into_iter().flatten().any(|owner| owner["uid"] == uid && owner["blockOwnerDeletion"] == true)
}

fn without_owner(object: &Value, uid: &str) -> Value {
    let mut object = object.clone();
    if let Value::Object(metadata) = &mut object["metadata"]
        && let Some(Value::Array(owners)) = metadata.get_mut("ownerReferences")
    {
        owners.retain(|owner| owner["uid"] != uid);
        if owners.is_empty() {
            metadata.shift_remove("ownerReferences");
        }
    }
    object
}

fn drop_finalizer(cluster: &mut Cluster, resource: &str, object: &Value, name: &str) {
    let mut object = object.clone();
    let mut held = false;
    if let Value::Object(metadata) = &mut object["metadata"]
        && let Some(Value::Array(finalizers)) = metadata.get_mut("finalizers")
    {
        finalizers.retain(|finalizer| finalizer != name);
        held = !finalizers.is_empty();
        if !held {
            metadata.shift_remove("finalizers");
        }
    }
    if held {
        cluster.store.put(resource, object);
    } else {
        cluster.store.remove(resource, object);
    }
}

/// A definition is gone: so are the objects of its kind.
pub(crate) fn empty_custom(cluster: &mut Cluster, definition: &Value) {
    let spec = &definition["spec"];
    let resource = format!(
        "{}/{}",
        spec["group"].as_str().unwrap_or_default(),
        spec["names"]["plural"].as_str().unwrap_or_default()
    );
    let objects: Vec<Arc<Entry>> =
        cluster.store.iter(&resource, None).map(|(_, entry)| entry.clone()).collect();
    for entry in objects {
        cluster.store.remove(&resource, entry.value.clone());
    }
}
