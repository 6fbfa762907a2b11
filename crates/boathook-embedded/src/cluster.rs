//! The whole state behind one lock: which kinds are served, the objects, the clock. Requests and controllers work on it
//! without waiting; everything that waits (watches, delays, files) is outside.

use serde_json::{Value, json};

use crate::clock::Clock;
use crate::resource::Registry;
use crate::store::Store;
use crate::{crd, uid};

/// Namespaces that a fresh cluster has.
const NAMESPACES: &[&str] = &["default", "kube-node-lease", "kube-public", "kube-system"];

/// The state of the embedded cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// Which kinds are served.
    pub(crate) registry: Registry,
    /// The objects.
    pub(crate) store: Store,
    /// The time.
    pub(crate) clock: Clock,
    /// Changes up to this revision were seen by the controllers.
    pub(crate) settled: u64,
}

impl Cluster {
    /// A fresh cluster with its default namespaces, one node and the CRD of WasmHook.
    pub(crate) fn new() -> Self {
        let mut cluster = Self::with_store(Store::new());
        let now = cluster.clock.stamp();
        for name in NAMESPACES {
            cluster.store.put("/namespaces", namespace(name, &now));
        }
        cluster.store.put("/nodes", node(&now));
        let mut definition = crd::wasm_hook();
        definition["metadata"]["uid"] = json!(uid::new_uid());
        definition["metadata"]["creationTimestamp"] = json!(now);
        definition["metadata"]["generation"] = json!(1);
        crd::establish(&mut definition, &now);
        cluster.store.put("apiextensions.k8s.io/customresourcedefinitions", definition);
        crate::controller::settle(&mut cluster);
        // What happened before anybody could look is no history.
        cluster.store.compact();
        cluster
    }

    /// A cluster with the objects of an earlier run. Custom kinds are served again; controllers look at everything
    /// once more.
    pub(crate) fn with_store(store: Store) -> Self {
        let mut registry = Registry::built_in();
        let key = "apiextensions.k8s.io/customresourcedefinitions";
        for (_, entry) in store.iter(key, None) {
            crd::serve(&mut registry, &entry.value);
        }
        let settled = store.revision();
        Self { registry, store, clock: Clock::new(), settled }
    }
}

fn namespace(name: &str, now: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "uid": uid::new_uid(),
            "creationTimestamp": now,
            "labels": {"kubernetes.io/metadata.name": name},
        },
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    })
}

/// The node on which simulated Pods say they run.
fn node(now: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": crate::controller::NODE,
            "uid": uid::new_uid(),
            "creationTimestamp": now,
            "labels": {"kubernetes.io/hostname": crate::controller::NODE, "kubernetes.io/os": "linux"},
            "annotations": {crate::controller::SIMULATED: "true"},
        },
        "spec": {},
        "status": {
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Simulated",
                "message": "no kubelet runs here: pods are ended by a simulated controller",
                "lastHeartbeatTime": now, "lastTransitionTime": now,
            }],
            "nodeInfo": {
                "architecture": "", "bootID": "", "containerRuntimeVersion": "none://simulated", "kernelVersion": "",
                "kubeProxyVersion": "", "kubeletVersion": "simulated", "machineID": "", "operatingSystem": "linux",
                "osImage": "simulated", "systemUUID": "",
            },
        },
    })
}
