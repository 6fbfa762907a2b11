//! Events: the notes that controllers leave about an object.

use serde_json::{Value, json};

use super::write;
use crate::cluster::Cluster;
use crate::uid;

/// Records an Event about an object. `kind` is `Normal` or `Warning`.
pub(crate) fn record(cluster: &mut Cluster, about: &Value, kind: &str, reason: &str, message: &str) {
    let text = |field: &str| about["metadata"][field].as_str().unwrap_or_default();
    let now = cluster.clock.stamp();
    let event = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {
            "name": format!("{}.{:016x}", text("name"), uid::random_bits()),
            "namespace": text("namespace"),
            "uid": uid::new_uid(),
            "creationTimestamp": now,
        },
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": text("name"),
            "namespace": text("namespace"),
            "uid": text("uid"),
            "resourceVersion": text("resourceVersion"),
        },
        "type": kind,
        "reason": reason,
        "message": message,
        "count": 1,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "source": {"component": "boathook-embedded"},
        "reportingComponent": "boathook-embedded",
        "reportingInstance": "",
    });
    write(cluster, "/events", &Value::Null, event, "boathook-embedded");
}
