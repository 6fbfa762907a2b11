//! How the Pods of workloads fare as their annotations say, in paused time. What a real cluster does too is in the contract.

#![allow(clippy::unwrap_used, reason = "tests: shared functions of a test binary are not #[test] themselves")]

use std::time::Duration;

use boathook_embedded::Embedded;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::api::{Api, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

/// A workload of one container; `outcome`, `delay` and such go to its annotations.
fn workload(annotations: &[(&str, &str)], spec: Value) -> Value {
    let annotations: serde_json::Map<String, Value> = annotations
        .iter()
        .map(|(name, value)| (format!("embedded.boathook.dev/{name}"), json!(value)))
        .collect();
    let mut object = json!({
        "metadata": {"name": "d", "annotations": annotations},
        "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}},
        },
    });
    for (field, value) in spec.as_object().unwrap() {
        object["spec"][field.as_str()] = value.clone();
    }
    object
}

struct Simulated {
    deployments: Api<Deployment>,
    sets: Api<ReplicaSet>,
    stateful: Api<StatefulSet>,
    pods: Api<Pod>,
    events: Api<Event>,
}

impl Simulated {
    fn new() -> Self {
        Self::of(&Embedded::new())
    }

    fn of(embedded: &Embedded) -> Self {
        let client = embedded.client("default");
        Self {
            deployments: Api::default_namespaced(client.clone()),
            sets: Api::default_namespaced(client.clone()),
            stateful: Api::default_namespaced(client.clone()),
            pods: Api::default_namespaced(client.clone()),
            events: Api::default_namespaced(client),
        }
    }

    async fn deploy(&self, deployment: Value) {
        let deployment = serde_json::from_value(deployment).unwrap();
        self.deployments.create(&PostParams::default(), &deployment).await.unwrap();
    }

    /// A change of the template, and with it of how the new Pods fare.
    async fn redeploy(&self, annotations: Value) {
        let change = json!({"spec": {"template": {"metadata": {"annotations": annotations}}}});
        self.deployments.patch("d", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
    }

    /// Updated, ready and available Pods, and why the rollout is where it is.
    async fn status(&self) -> (i32, i32, i32, String) {
        let status = self.deployments.get("d").await.unwrap().status.unwrap();
        let conditions = status.conditions.unwrap();
        let progress = conditions.iter().find(|one| one.type_ == "Progressing").unwrap();
        let counts = [status.updated_replicas, status.ready_replicas, status.available_replicas];
        let [updated, ready, available] = counts.map(|count| count.unwrap_or(0));
        (updated, ready, available, progress.reason.clone().unwrap())
    }

    /// Why the first container of each Pod waits.
    async fn waiting(&self) -> Vec<String> {
        let pods = self.pods.list(&ListParams::default()).await.unwrap().items;
        let state = |pod: Pod| pod.status?.container_statuses?.remove(0).state?.waiting?.reason;
        pods.into_iter().map(|pod| state(pod).unwrap_or_default()).collect()
    }
}

fn done(count: i32) -> (i32, i32, i32, String) {
    (count, count, count, "NewReplicaSetAvailable".to_owned())
}

#[tokio::test(start_paused = true)]
async fn it_is_ready_at_once_and_says_that_it_is_simulated() {
    let cluster = Simulated::new();
    cluster.deploy(workload(&[], json!({"replicas": 3}))).await;
    assert_eq!(cluster.status().await, done(3));
    let status = cluster.deployments.get("d").await.unwrap().status.unwrap();
    let messages = status.conditions.unwrap().into_iter().map(|one| one.message.unwrap_or_default());
    assert!(messages.into_iter().all(|message| message.starts_with("simulated: ")));
    for pod in cluster.pods.list(&ListParams::default()).await.unwrap() {
        assert_eq!(pod.metadata.annotations.unwrap()["embedded.boathook.dev/simulated"], "true");
    }
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_the_time_until_it_is_ready() {
    let cluster = Simulated::new();
    cluster.deploy(workload(&[("delay", "5s")], json!({"replicas": 2}))).await;
    assert_eq!(cluster.status().await, (2, 0, 0, "ReplicaSetUpdated".to_owned()));
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(cluster.status().await, done(2));
}

#[tokio::test(start_paused = true)]
async fn what_is_ready_counts_after_a_while() {
    let cluster = Simulated::new();
    cluster.deploy(workload(&[], json!({"replicas": 2, "minReadySeconds": 10}))).await;
    assert_eq!(cluster.status().await, (2, 2, 0, "ReplicaSetUpdated".to_owned()));
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(cluster.status().await, done(2));
}

#[tokio::test(start_paused = true)]
async fn what_does_not_get_ready_is_late_and_leaves_the_old_pods() {
    let cluster = Simulated::new();
    cluster.deploy(workload(&[], json!({"replicas": 4, "progressDeadlineSeconds": 60}))).await;
    cluster.redeploy(json!({"embedded.boathook.dev/outcome": "hang"})).await;
    // One more than wanted and one less may run: three of the old ones do, beside two new ones.
    assert_eq!(cluster.status().await, (2, 3, 3, "ReplicaSetUpdated".to_owned()));
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(cluster.status().await, (2, 3, 3, "ProgressDeadlineExceeded".to_owned()));
    // What works in the end is as good as any.
    cluster.redeploy(json!({"embedded.boathook.dev/outcome": null})).await;
    assert_eq!(cluster.status().await, done(4));
    let sets = cluster.sets.list(&ListParams::default()).await.unwrap().items;
    let sizes: Vec<_> = sets.iter().map(|set| set.spec.as_ref().unwrap().replicas.unwrap()).collect();
    assert_eq!(sizes.iter().sum::<i32>(), 4, "{sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_gets_on_is_not_late() {
    let cluster = Simulated::new();
    let strategy = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}});
    cluster
        .deploy(workload(&[], json!({"replicas": 3, "progressDeadlineSeconds": 5, "strategy": strategy})))
        .await;
    cluster.redeploy(json!({"embedded.boathook.dev/delay": "4s"})).await;
    for updated in 1..=3 {
        assert_eq!(cluster.status().await, (updated, 3, 3, "ReplicaSetUpdated".to_owned()));
        tokio::time::sleep(Duration::from_millis(4100)).await;
    }
    assert_eq!(cluster.status().await, done(3));
}

#[tokio::test(start_paused = true)]
async fn containers_that_end_are_started_again_and_again() {
    let cluster = Simulated::new();
    cluster.deploy(workload(&[("exit-code", "3")], json!({}))).await;
    assert_eq!(cluster.status().await, (1, 0, 0, "ReplicaSetUpdated".to_owned()));
    assert_eq!(cluster.waiting().await, ["CrashLoopBackOff"]);
    let pod = cluster.pods.list(&ListParams::default()).await.unwrap().items.remove(0).status.unwrap();
    let container = pod.container_statuses.unwrap().remove(0);
    assert_eq!(container.last_state.unwrap().terminated.unwrap().exit_code, 3);
    assert_eq!((container.restart_count, container.ready, pod.phase.as_deref()), (1, false, Some("Running")));
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_pulled_is_not_ready() {
    let cluster = Simulated::new();
    cluster.deploy(workload(&[("outcome", "image-pull-error")], json!({}))).await;
    assert_eq!(cluster.waiting().await, ["ImagePullBackOff"]);
    let events = cluster.events.list(&ListParams::default()).await.unwrap().items;
    assert!(events.iter().any(|event| event.reason.as_deref() == Some("Failed")));
}

#[tokio::test(start_paused = true)]
async fn a_stateful_set_goes_one_by_one() {
    let cluster = Simulated::new();
    let set = serde_json::from_value(workload(&[("delay", "5s")], json!({"replicas": 2}))).unwrap();
    cluster.stateful.create(&PostParams::default(), &set).await.unwrap();
    for (pods, ready) in [(1, None), (2, Some(1)), (2, Some(2))] {
        let status = cluster.stateful.get("d").await.unwrap().status.unwrap();
        assert_eq!((status.replicas, status.ready_replicas), (pods, ready));
        tokio::time::sleep(Duration::from_millis(5100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_fills_the_memory_by_a_number() {
    let cluster = Simulated::new();
    cluster.deploy(workload(&[], json!({"replicas": 1_234_567}))).await;
    let set = serde_json::from_value(workload(&[], json!({"replicas": 1_234_567}))).unwrap();
    cluster.stateful.create(&PostParams::default(), &set).await.unwrap();
    assert_eq!(cluster.pods.list(&ListParams::default()).await.unwrap().items.len(), 220);
    assert_eq!(cluster.status().await, (110, 110, 110, "ReplicaSetUpdated".to_owned()));
    let set = cluster.stateful.get("d").await.unwrap().status.unwrap();
    assert_eq!((set.replicas, set.ready_replicas), (110, Some(110)));
}

#[tokio::test]
async fn an_annotation_that_means_nothing_is_refused() {
    let cluster = Simulated::new();
    let deployment = serde_json::from_value(workload(&[("delay", "soon")], json!({}))).unwrap();
    let error = cluster.deployments.create(&PostParams::default(), &deployment).await.unwrap_err();
    assert!(error.to_string().contains("must be a duration"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_waits_goes_on_in_the_next_run() {
    for (annotations, spec, before) in
        [(&[("delay", "5s")] as &[_], json!({}), (1, 0, 0)), (&[], json!({"minReadySeconds": 5}), (1, 1, 0))]
    {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state.json");
        let embedded = Embedded::open(&file).unwrap();
        Simulated::of(&embedded).deploy(workload(annotations, spec)).await;
        embedded.close().await.unwrap();
        drop(embedded);
        let cluster = Simulated::of(&Embedded::open(&file).unwrap());
        let (updated, ready, available, _) = cluster.status().await;
        assert_eq!((updated, ready, available), before);
        tokio::time::sleep(Duration::from_millis(5100)).await;
        assert_eq!(cluster.status().await, done(1));
    }
}
