//! What other parts of a cluster provide and clients wait for: volumes for claims, addresses for services. Their status
//! says at once that it is there.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{CLAIMS, MANAGER, write};
use crate::cluster::Cluster;
use crate::store::Entry;

/// Writes the status of an object whose kind has one to wait for.
pub(crate) fn sync(cluster: &mut Cluster, resource: &str, entry: &Arc<Entry>) {
    let object = &entry.value;
    let Some(status) = provided(resource, object) else { return };
    if object["status"] != status {
        let mut next = object.clone();
        next["status"] = status;
        write(cluster, resource, object, next, MANAGER);
    }
}

fn provided(resource: &str, object: &Value) -> Option<Value> {
    Some(match resource {
        CLAIMS if object["status"]["phase"] != "Bound" => json!({
            "phase": "Bound",
            "accessModes": object["spec"]["accessModes"],
            "capacity": object["spec"]["resources"]["requests"],
        }),
        "/services" if object["spec"]["type"] == "LoadBalancer" => {
            json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]}})
        }
        "networking.k8s.io/ingresses" => json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}),
        "policy/poddisruptionbudgets" => json!({
            "observedGeneration": object["metadata"]["generation"],
            "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0,
        }),
        _ => return None,
    })
}
