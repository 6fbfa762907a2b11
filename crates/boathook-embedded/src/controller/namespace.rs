//! Namespaces: a new one gets its default ServiceAccount, a deleted one is emptied and then goes.

use serde_json::{Value, json};

use super::{remove, write};
use crate::cluster::Cluster;
use crate::uid;

/// Gives a namespace what the real controllers put into each: the default ServiceAccount.
pub(crate) fn welcome(cluster: &mut Cluster, name: &str) {
    if cluster.store.get("/serviceaccounts", name, "default").is_some() {
        return;
    }
    let account = json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {
            "name": "default",
            "namespace": name,
            "uid": uid::new_uid(),
            "creationTimestamp": cluster.clock.stamp(),
        },
    });
    write(cluster, "/serviceaccounts", &Value::Null, account, "kube-controller-manager");
}

/// Deletes what is in a namespace, and then the namespace.
pub(crate) fn empty(cluster: &mut Cluster, name: &str) {
    for resource in cluster.store.resources() {
        let entries: Vec<_> =
            cluster.store.iter(&resource, Some(name)).map(|(_, entry)| entry.clone()).collect();
        let namespaced = cluster.registry.by_key(&resource).is_none_or(|kind| kind.namespaced);
        for entry in entries.iter().filter(|_| namespaced) {
            if !entry.value["metadata"]["deletionTimestamp"].is_string() {
                remove(cluster, &resource, &entry.value);
            }
        }
    }
    check(cluster, name);
}

/// Lets a namespace go that is being deleted and has become empty.
pub(crate) fn check(cluster: &mut Cluster, name: &str) {
    if name.is_empty() {
        return;
    }
    let Some(entry) = cluster.store.get("/namespaces", "", name).cloned() else { return };
    if !entry.value["metadata"]["deletionTimestamp"].is_string() {
        return;
    }
    let left = cluster
        .store
        .resources()
        .iter()
        .any(|resource| cluster.store.iter(resource, Some(name)).next().is_some());
    let held = entry.value["metadata"]["finalizers"].as_array().is_some_and(|list| !list.is_empty());
    if left {
        return;
    }
    let mut object = entry.value.clone();
    object["spec"] = json!({});
    if held {
        if entry.value["spec"] != object["spec"] {
            cluster.store.put("/namespaces", object);
        }
    } else {
        cluster.store.remove("/namespaces", object);
    }
}
