//! Workloads and what else clients wait for: their status says at once that they are ready, and that it is simulated.
//! No Pods are made for them.

use std::sync::Arc;

use serde_json::{Value, json};

use super::write;
use crate::cluster::Cluster;
use crate::store::Entry;

const MANAGER: &str = "kube-controller-manager";
const MESSAGE: &str = "simulated: no pods run on the embedded cluster";

/// Writes the status of a ready object, where its kind has one to wait for.
pub(crate) fn sync(cluster: &mut Cluster, resource: &str, entry: &Arc<Entry>) {
    let object = &entry.value;
    let now = cluster.clock.stamp();
    let Some(status) = ready(resource, object, &now) else { return };
    if object["status"]["observedGeneration"] == status["observedGeneration"]
        && !status["observedGeneration"].is_null()
    {
        return;
    }
    let mut next = object.clone();
    next["status"] = status;
    if resource == "apps/deployments"
        && object["metadata"]["annotations"]["deployment.kubernetes.io/revision"].is_null()
    {
        next["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = json!("1");
    }
    if next != *object {
        write(cluster, resource, object, next, MANAGER);
    }
}

fn ready(resource: &str, object: &Value, now: &str) -> Option<Value> {
    let replicas = &object["spec"]["replicas"];
    let generation = &object["metadata"]["generation"];
    let condition = |kind: &str, reason: &str| {
        json!({
            "type": kind, "status": "True", "reason": reason, "message": MESSAGE,
            "lastUpdateTime": now, "lastTransitionTime": now,
        })
    };
    Some(match resource {
        "apps/deployments" => json!({
            "observedGeneration": generation,
            "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
            "conditions": [condition("Available", "MinimumReplicasAvailable"), condition("Progressing", "NewReplicaSetAvailable")],
        }),
        "apps/replicasets" | "/replicationcontrollers" => json!({
            "observedGeneration": generation,
            "replicas": replicas, "fullyLabeledReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
        }),
        "apps/statefulsets" => {
            let revision = format!("{}-simulated", object["metadata"]["name"].as_str().unwrap_or_default());
            json!({
                "observedGeneration": generation,
                "replicas": replicas, "readyReplicas": replicas, "currentReplicas": replicas, "updatedReplicas": replicas,
                "availableReplicas": replicas, "currentRevision": revision, "updateRevision": revision,
            })
        }
        "apps/daemonsets" => json!({
            "observedGeneration": generation,
            "currentNumberScheduled": 1, "desiredNumberScheduled": 1, "numberAvailable": 1, "numberMisscheduled": 0,
            "numberReady": 1, "updatedNumberScheduled": 1,
        }),
        "/persistentvolumeclaims" if object["status"]["phase"] != "Bound" => json!({
            "phase": "Bound",
            "accessModes": object["spec"]["accessModes"],
            "capacity": object["spec"]["resources"]["requests"],
        }),
        "/services" if object["spec"]["type"] == "LoadBalancer" => {
            json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1", "ipMode": "VIP"}]}})
        }
        "networking.k8s.io/ingresses" => json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}),
        "policy/poddisruptionbudgets" => json!({
            "observedGeneration": generation,
            "currentHealthy": 0, "desiredHealthy": 0, "disruptionsAllowed": 0, "expectedPods": 0,
        }),
        _ => return None,
    })
}
