//! What the controllers of workloads make: the objects by which clients tell whether a workload is ready.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::rules::{Rule, rules};

pub(crate) const RULES: &[Rule] = rules![
    a_deployment_has_a_replica_set_with_its_pods,
    a_new_template_is_a_new_revision,
    an_old_template_is_its_old_replica_set_again,
    a_recreated_deployment_has_old_pods_or_new_ones,
    a_paused_deployment_makes_nothing,
    a_scaled_workload_has_that_many_pods,
    a_deleted_pod_comes_again,
    a_stateful_set_numbers_its_pods,
    a_daemon_set_is_on_every_node,
    a_replication_controller_has_its_pods,
    a_workload_takes_its_pods_along,
];

const APPS: &str = "apps/v1";

fn template(app: &str) -> Value {
    json!({"metadata": {"labels": {"app": app}}, "spec": {"containers": [{"name": "c", "image": "registry.k8s.io/pause:3.10"}]}})
}

fn workload(name: &str, spec: Value) -> Value {
    let mut object = json!({
        "metadata": {"name": name, "annotations": {"of": name}},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template(name)},
    });
    for (field, value) in spec.as_object().unwrap() {
        object["spec"][field] = value.clone();
    }
    object
}

impl Cluster {
    /// The objects of a list that this one controls.
    async fn controlled(&self, owner: &Value, path: &str) -> Vec<Value> {
        let list = self.get(path).await.ok();
        // Items of a list do not say what they are.
        let kind = |one: &Value| one["kind"] == owner["kind"] || owner["kind"].is_null();
        let controls = |one: &&Value| {
            let references =
                one["metadata"]["ownerReferences"].as_array().map_or(&[] as &[Value], Vec::as_slice);
            matches!(references, [one] if one["uid"] == owner["metadata"]["uid"] && one["name"] == owner["metadata"]["name"]
                && one["controller"] == true && one["blockOwnerDeletion"] == true && kind(one))
        };
        let items = list["items"].as_array().unwrap().iter();
        let found = items.filter(controls);
        found.filter(|one| one["metadata"]["deletionTimestamp"].is_null()).cloned().collect()
    }

    async fn deployed(&self, spec: Value) -> Value {
        self.post(&self.group(APPS, "deployments"), workload("web", spec)).await.ok();
        self.until(&self.group(APPS, "deployments/web"), is_deployed).await
    }

    /// The ReplicaSets of a Deployment by their revision.
    async fn sets(&self, deployment: &Value) -> Vec<Value> {
        let mut sets = self.controlled(deployment, &self.group(APPS, "replicasets")).await;
        sets.sort_by_key(|set| set["metadata"]["annotations"][REVISION].as_str().unwrap().to_owned());
        sets
    }
}

const REVISION: &str = "deployment.kubernetes.io/revision";

/// The newest template has all its Pods, and no other has any.
fn is_deployed(deployment: &Value) -> bool {
    let (status, wanted) = (&deployment["status"], &deployment["spec"]["replicas"]);
    let counts = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];
    status["observedGeneration"] == deployment["metadata"]["generation"]
        && counts.iter().all(|count| status[*count].as_i64().unwrap_or(0) == wanted.as_i64().unwrap())
        && condition(deployment, "Progressing") == "True NewReplicaSetAvailable"
}

fn condition(object: &Value, kind: &str) -> String {
    let found =
        object["status"]["conditions"].as_array().into_iter().flatten().find(|one| one["type"] == kind);
    let text = |field: &str| found.and_then(|one| one[field].as_str()).unwrap_or_default().to_owned();
    format!("{} {}", text("status"), text("reason"))
}

fn label<'a>(object: &'a Value, key: &str) -> &'a str {
    object["metadata"]["labels"][key].as_str().unwrap_or_default()
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

async fn a_deployment_has_a_replica_set_with_its_pods(cluster: &Cluster) {
    let deployment = cluster.deployed(json!({"replicas": 2})).await;
    assert_eq!(condition(&deployment, "Available"), "True MinimumReplicasAvailable");
    assert_eq!(deployment["metadata"]["annotations"][REVISION], "1");
    assert!(deployment["status"]["unavailableReplicas"].is_null());
    let sets = cluster.sets(&deployment).await;
    assert_eq!(sets.len(), 1);
    let hash = label(&sets[0], "pod-template-hash");
    assert_eq!(name(&sets[0]), format!("web-{hash}"));
    let annotations = json!({
        "of": "web", REVISION: "1",
        "deployment.kubernetes.io/desired-replicas": "2", "deployment.kubernetes.io/max-replicas": "3",
    });
    assert_eq!(sets[0]["metadata"]["annotations"], annotations);
    let labels = json!({"app": "web", "pod-template-hash": hash});
    assert_eq!(sets[0]["metadata"]["labels"], labels);
    assert_eq!(sets[0]["spec"]["selector"], json!({"matchLabels": labels}));
    let mut wanted = deployment["spec"]["template"].clone();
    wanted["metadata"]["labels"] = labels.clone();
    assert_eq!(sets[0]["spec"]["template"], wanted);
    for count in ["replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas"] {
        assert_eq!(sets[0]["status"][count], 2, "{count}");
    }
    let pods = cluster.controlled(&sets[0], &cluster.core("pods?labelSelector=app%3Dweb")).await;
    assert_eq!(pods.len(), 2);
    for pod in pods {
        assert_eq!(pod["metadata"]["labels"], labels);
        assert_eq!(pod["metadata"]["generateName"], format!("{}-", name(&sets[0])));
        assert_eq!(pod["status"]["phase"], "Running");
        assert_eq!(condition(&pod, "Ready"), "True ");
        assert_eq!(pod["status"]["containerStatuses"][0]["ready"], true);
    }
}

async fn a_new_template_is_a_new_revision(cluster: &Cluster) {
    let path = cluster.group(APPS, "deployments/web");
    cluster.deployed(json!({"replicas": 2})).await;
    let new = json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}});
    assert_eq!(cluster.merge(&path, new).await.ok()["metadata"]["generation"], 2);
    let deployment = cluster.until(&path, is_deployed).await;
    assert_eq!(deployment["metadata"]["annotations"][REVISION], "2");
    let sets = cluster.sets(&deployment).await;
    let sizes: Vec<_> =
        sets.iter().map(|set| (&set["spec"]["replicas"], &set["status"]["replicas"])).collect();
    assert_eq!(sizes, [(&json!(0), &json!(0)), (&json!(2), &json!(2))]);
    let pods = cluster.controlled(&sets[1], &cluster.core("pods")).await;
    assert!(pods.len() == 2 && pods.iter().all(|pod| pod["metadata"]["annotations"]["v"] == "2"));
    // What is no template is no revision.
    cluster.merge(&path, json!({"spec": {"minReadySeconds": 0, "revisionHistoryLimit": 0}})).await.ok();
    for _ in 0..600 {
        if cluster.sets(&deployment).await.len() == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("an old ReplicaSet is kept");
}

async fn an_old_template_is_its_old_replica_set_again(cluster: &Cluster) {
    let path = cluster.group(APPS, "deployments/web");
    let first = cluster.deployed(json!({"replicas": 1})).await;
    let before = cluster.sets(&first).await;
    for version in [json!("2"), Value::Null] {
        let change = json!({"spec": {"template": {"metadata": {"annotations": {"v": version}}}}});
        cluster.merge(&path, change).await.ok();
        cluster.until(&path, is_deployed).await;
    }
    let deployment = cluster.get(&path).await.ok();
    assert_eq!(deployment["metadata"]["annotations"][REVISION], "3");
    let sets = cluster.sets(&deployment).await;
    assert_eq!(
        sets.iter().map(|set| set["spec"]["replicas"].as_i64()).collect::<Vec<_>>(),
        [Some(0), Some(1)]
    );
    assert_eq!(name(&sets[1]), name(&before[0]));
}

async fn a_recreated_deployment_has_old_pods_or_new_ones(cluster: &Cluster) {
    let path = cluster.group(APPS, "deployments/web");
    let deployment = cluster.deployed(json!({"replicas": 2, "strategy": {"type": "Recreate"}})).await;
    let annotations = &cluster.sets(&deployment).await[0]["metadata"]["annotations"];
    assert_eq!(annotations["deployment.kubernetes.io/max-replicas"], "2");
    cluster.merge(&path, json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}})).await.ok();
    let deployment = cluster.until(&path, is_deployed).await;
    let sets = cluster.sets(&deployment).await;
    assert_eq!(
        sets.iter().map(|set| set["spec"]["replicas"].as_i64()).collect::<Vec<_>>(),
        [Some(0), Some(2)]
    );
}

async fn a_paused_deployment_makes_nothing(cluster: &Cluster) {
    let path = cluster.group(APPS, "deployments/web");
    let paused = workload("web", json!({"paused": true}));
    cluster.post(&cluster.group(APPS, "deployments"), paused).await.ok();
    let seen = |one: &Value| one["status"]["observedGeneration"] == one["metadata"]["generation"];
    let deployment = cluster
        .until(&path, |one| seen(one) && condition(one, "Progressing") == "Unknown DeploymentPaused")
        .await;
    assert!(cluster.sets(&deployment).await.is_empty());
    cluster.merge(&path, json!({"spec": {"paused": null}})).await.ok();
    let deployment = cluster.until(&path, is_deployed).await;
    assert_eq!(cluster.sets(&deployment).await.len(), 1);
}

async fn a_scaled_workload_has_that_many_pods(cluster: &Cluster) {
    let path = cluster.group(APPS, "deployments/web");
    cluster.deployed(json!({"replicas": 1})).await;
    for wanted in [3, 0] {
        let scale = cluster.merge(&format!("{path}/scale"), json!({"spec": {"replicas": wanted}})).await.ok();
        // None is left out.
        assert_eq!(scale["spec"]["replicas"].as_i64().unwrap_or(0), wanted);
        assert_eq!(scale["spec"].as_object().unwrap().is_empty(), wanted == 0);
        let deployment = cluster.until(&path, is_deployed).await;
        let sets = cluster.sets(&deployment).await;
        assert_eq!((sets.len(), sets[0]["spec"]["replicas"].as_i64()), (1, Some(wanted)));
        assert_eq!(
            sets[0]["metadata"]["annotations"]["deployment.kubernetes.io/desired-replicas"],
            wanted.to_string()
        );
        let pods = cluster.controlled(&sets[0], &cluster.core("pods")).await;
        assert_eq!(pods.len(), usize::try_from(wanted).unwrap());
    }
}

async fn a_deleted_pod_comes_again(cluster: &Cluster) {
    cluster.post(&cluster.group(APPS, "replicasets"), workload("web", json!({"replicas": 1}))).await.ok();
    let path = cluster.group(APPS, "replicasets/web");
    let ready = |set: &Value| set["status"]["readyReplicas"] == 1;
    let set = cluster.until(&path, ready).await;
    let pods = cluster.controlled(&set, &cluster.core("pods")).await;
    let gone = cluster.core(&format!("pods/{}", name(&pods[0])));
    cluster.delete(&gone, Value::Null).await.ok();
    cluster.gone(&gone).await;
    cluster.until(&path, ready).await;
    let again = cluster.controlled(&set, &cluster.core("pods")).await;
    assert!(again.len() == 1 && name(&again[0]) != name(&pods[0]));
}

async fn a_stateful_set_numbers_its_pods(cluster: &Cluster) {
    let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    let spec = json!({"replicas": 2, "serviceName": "web", "volumeClaimTemplates": [claim]});
    cluster.post(&cluster.group(APPS, "statefulsets"), workload("web", spec)).await.ok();
    let path = cluster.group(APPS, "statefulsets/web");
    let ready = |set: &Value| {
        let status = &set["status"];
        status["observedGeneration"] == set["metadata"]["generation"]
            && ["replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "currentReplicas"]
                .iter()
                .all(|count| status[*count] == 2)
            && status["currentRevision"] == status["updateRevision"]
    };
    let set = cluster.until(&path, ready).await;
    let revision = set["status"]["updateRevision"].as_str().unwrap();
    let revisions = cluster.controlled(&set, &cluster.group(APPS, "controllerrevisions")).await;
    assert_eq!(revisions.iter().map(name).collect::<Vec<_>>(), [revision]);
    assert_eq!(revisions[0]["revision"], 1);
    let pods = cluster.controlled(&set, &cluster.core("pods")).await;
    assert_eq!(pods.iter().map(name).collect::<Vec<_>>(), ["web-0", "web-1"]);
    let labels = json!({
        "app": "web", "apps.kubernetes.io/pod-index": "1", "controller-revision-hash": revision,
        "statefulset.kubernetes.io/pod-name": "web-1",
    });
    assert_eq!(pods[1]["metadata"]["labels"], labels);
    assert_eq!(
        (&pods[1]["spec"]["hostname"], &pods[1]["spec"]["subdomain"]),
        (&json!("web-1"), &json!("web"))
    );
    assert_eq!(pods[1]["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"], "data-web-1");
    cluster.get(&cluster.core("persistentvolumeclaims/data-web-1")).await.ok();
    cluster.merge(&path, json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}})).await.ok();
    let set = cluster.until(&path, ready).await;
    assert_ne!(set["status"]["updateRevision"], revision);
    let pods = cluster.controlled(&set, &cluster.core("pods")).await;
    assert!(pods.len() == 2 && pods.iter().all(|pod| pod["metadata"]["annotations"]["v"] == "2"));
}

async fn a_daemon_set_is_on_every_node(cluster: &Cluster) {
    cluster.post(&cluster.group(APPS, "daemonsets"), workload("web", json!({}))).await.ok();
    let path = cluster.group(APPS, "daemonsets/web");
    let ready = |set: &Value| {
        let status = &set["status"];
        status["observedGeneration"] == set["metadata"]["generation"]
            && status["desiredNumberScheduled"].as_i64() >= Some(1)
            && ["currentNumberScheduled", "updatedNumberScheduled", "numberReady", "numberAvailable"]
                .iter()
                .all(|count| status[*count] == status["desiredNumberScheduled"])
    };
    let set = cluster.until(&path, ready).await;
    let revisions = cluster.controlled(&set, &cluster.group(APPS, "controllerrevisions")).await;
    let hash = label(&revisions[0], "controller-revision-hash");
    assert_eq!(name(&revisions[0]), format!("web-{hash}"));
    let pods = cluster.controlled(&set, &cluster.core("pods")).await;
    assert_eq!(
        Some(pods.len()),
        set["status"]["desiredNumberScheduled"].as_u64().map(|count| count as usize)
    );
    assert!(pods.iter().all(|pod| label(pod, "controller-revision-hash") == hash));
    cluster.merge(&path, json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}})).await.ok();
    let set = cluster.until(&path, ready).await;
    let pods = cluster.controlled(&set, &cluster.core("pods")).await;
    assert!(pods.iter().all(|pod| pod["metadata"]["annotations"]["v"] == "2"));
}

async fn a_replication_controller_has_its_pods(cluster: &Cluster) {
    let controller = json!({"metadata": {"name": "web"}, "spec": {"replicas": 1, "selector": {"app": "web"}, "template": template("web")}});
    cluster.post(&cluster.core("replicationcontrollers"), controller).await.ok();
    let ready = |one: &Value| one["status"]["readyReplicas"] == 1 && one["status"]["observedGeneration"] == 1;
    let controller = cluster.until(&cluster.core("replicationcontrollers/web"), ready).await;
    assert_eq!(cluster.controlled(&controller, &cluster.core("pods")).await.len(), 1);
}

async fn a_workload_takes_its_pods_along(cluster: &Cluster) {
    let deployment = cluster.deployed(json!({"replicas": 1})).await;
    let set = cluster.sets(&deployment).await.remove(0);
    let pod = cluster.controlled(&set, &cluster.core("pods")).await.remove(0);
    let options = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Foreground"});
    cluster.delete(&cluster.group(APPS, "deployments/web"), options).await.ok();
    cluster.gone(&cluster.group(APPS, "deployments/web")).await;
    cluster.get(&cluster.group(APPS, &format!("replicasets/{}", name(&set)))).await.refused(404, "NotFound");
    cluster.get(&cluster.core(&format!("pods/{}", name(&pod)))).await.refused(404, "NotFound");
}
