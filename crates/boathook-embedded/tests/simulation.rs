//! What only the embedded API has: Jobs and Pods that end without a container, in paused time, and a history that can be
//! forgotten.

#![allow(clippy::unwrap_used, reason = "tests: shared functions of a test binary are not #[test] themselves")]

use std::time::Duration;

use boathook_embedded::Embedded;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod};
use kube::api::{Api, DeleteParams, ListParams, LogParams, PostParams, WatchEvent, WatchParams};
use serde_json::{Value, json};

fn job(annotations: Value, spec: Value) -> Job {
    let mut job = json!({
        "metadata": {"name": "j", "annotations": annotations},
        "spec": {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i:1"}]}}},
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        job["spec"][key.as_str()] = value.clone();
    }
    serde_json::from_value(job).unwrap()
}

fn conditions(job: &Job) -> Vec<String> {
    let list = job.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    list.iter()
        .map(|one| format!("{}={} {}", one.type_, one.status, one.reason.clone().unwrap_or_default()))
        .collect()
}

struct Simulated {
    jobs: Api<Job>,
    pods: Api<Pod>,
    events: Api<Event>,
}

impl Simulated {
    fn new() -> Self {
        let client = Embedded::new().client("default");
        Self {
            jobs: Api::default_namespaced(client.clone()),
            pods: Api::default_namespaced(client.clone()),
            events: Api::default_namespaced(client),
        }
    }

    async fn run(&self, job: Job) -> Job {
        self.jobs.create(&PostParams::default(), &job).await.unwrap();
        self.jobs.get("j").await.unwrap()
    }

    async fn pods(&self) -> Vec<Pod> {
        self.pods.list(&ListParams::default().labels("job-name=j")).await.unwrap().items
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_succeeds_and_says_that_it_was_simulated() {
    let cluster = Simulated::new();
    let job = cluster.run(job(json!({"embedded.boathook.dev/log": "one\ntwo"}), json!({}))).await;
    assert_eq!(
        conditions(&job),
        ["SuccessCriteriaMet=True CompletionsReached", "Complete=True CompletionsReached"]
    );
    let status = job.status.clone().unwrap();
    assert_eq!((status.succeeded, status.failed, status.active), (Some(1), None, None));
    assert!(status.start_time.is_some() && status.completion_time.is_some());
    assert_eq!(job.metadata.annotations.unwrap()["embedded.boathook.dev/simulated"], "true");
    let pods = cluster.pods().await;
    assert_eq!(pods.len(), 1);
    let pod = &pods[0];
    assert_eq!(pod.metadata.annotations.as_ref().unwrap()["embedded.boathook.dev/simulated"], "true");
    assert_eq!(pod.status.as_ref().unwrap().phase.as_deref(), Some("Succeeded"));
    assert_eq!(pod.metadata.owner_references.as_ref().unwrap()[0].kind, "Job");
    let log = cluster.pods.logs(pod.metadata.name.as_deref().unwrap(), &LogParams::default()).await.unwrap();
    assert_eq!(log, "simulated: one\nsimulated: two\n");
}

#[tokio::test(start_paused = true)]
async fn a_job_fails_after_its_attempts() {
    let cluster = Simulated::new();
    let annotations =
        json!({"embedded.boathook.dev/outcome": "fail", "embedded.boathook.dev/exit-code": "3"});
    let job = cluster.run(job(annotations, json!({"backoffLimit": 2}))).await;
    assert_eq!(
        conditions(&job),
        ["FailureTarget=True BackoffLimitExceeded", "Failed=True BackoffLimitExceeded"]
    );
    let status = job.status.unwrap();
    assert_eq!((status.failed, status.succeeded), (Some(3), None));
    assert!(status.completion_time.is_none());
    let pods = cluster.pods().await;
    assert_eq!(pods.len(), 3);
    for pod in pods {
        let containers = pod.status.unwrap().container_statuses.unwrap();
        let ended = containers[0].state.clone().unwrap().terminated.unwrap();
        assert_eq!((ended.exit_code, ended.reason.as_deref()), (3, Some("Error")));
    }
    let events = cluster.events.list(&ListParams::default()).await.unwrap();
    assert!(events.items.iter().any(|event| event.reason.as_deref() == Some("BackoffLimitExceeded")));
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_waited_for() {
    let cluster = Simulated::new();
    let running = cluster.run(job(json!({"embedded.boathook.dev/delay": "5s"}), json!({}))).await;
    assert!(conditions(&running).is_empty());
    assert_eq!(running.status.unwrap().active, Some(1));
    tokio::time::sleep(Duration::from_millis(4900)).await;
    assert!(conditions(&cluster.jobs.get("j").await.unwrap()).is_empty());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let ended = cluster.jobs.get("j").await.unwrap();
    assert_eq!(conditions(&ended).len(), 2);
    let status = ended.status.unwrap();
    let took = status.completion_time.unwrap().0.duration_since(status.start_time.unwrap().0);
    assert!((4..=6).contains(&took.as_secs()), "{took}");
}

#[tokio::test(start_paused = true)]
async fn a_hanging_job_ends_at_its_deadline() {
    let cluster = Simulated::new();
    let hanging = job(json!({"embedded.boathook.dev/outcome": "hang"}), json!({"activeDeadlineSeconds": 30}));
    assert!(conditions(&cluster.run(hanging).await).is_empty());
    tokio::time::sleep(Duration::from_secs(31)).await;
    let ended = cluster.jobs.get("j").await.unwrap();
    assert_eq!(conditions(&ended), ["FailureTarget=True DeadlineExceeded", "Failed=True DeadlineExceeded"]);
    assert!(cluster.pods().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_pulled_waits() {
    let cluster = Simulated::new();
    let job = cluster.run(job(json!({"embedded.boathook.dev/outcome": "image-pull-error"}), json!({}))).await;
    assert!(conditions(&job).is_empty());
    let pods = cluster.pods().await;
    let status = pods[0].status.clone().unwrap();
    let waiting = status.container_statuses.unwrap()[0].state.clone().unwrap().waiting.unwrap();
    assert_eq!(
        (status.phase.as_deref(), waiting.reason.as_deref()),
        (Some("Pending"), Some("ImagePullBackOff"))
    );
    let error = cluster
        .pods
        .logs(pods[0].metadata.name.as_deref().unwrap(), &LogParams::default())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("trying and failing to pull image"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn several_completions_run_a_few_at_a_time() {
    let cluster = Simulated::new();
    let job = cluster.run(job(json!({}), json!({"completions": 5, "parallelism": 2}))).await;
    assert_eq!(job.status.unwrap().succeeded, Some(5));
    assert_eq!(cluster.pods().await.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_finished_job_expires() {
    let cluster = Simulated::new();
    cluster.run(job(json!({}), json!({"ttlSecondsAfterFinished": 10}))).await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(cluster.jobs.get_opt("j").await.unwrap().is_none());
    assert!(cluster.pods().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn jobs_of_other_controllers_and_suspended_jobs_are_left_alone() {
    let cluster = Simulated::new();
    let foreign = cluster.run(job(json!({}), json!({"managedBy": "example.com/wasm"}))).await;
    assert!(foreign.status.unwrap().start_time.is_none());
    assert!(cluster.pods().await.is_empty());
    cluster.jobs.delete("j", &DeleteParams::default()).await.unwrap();
    let suspended = cluster.run(job(json!({}), json!({"suspend": true}))).await;
    assert_eq!(conditions(&suspended), ["Suspended=True JobSuspended"]);
    assert!(cluster.pods().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_log_is_followed_to_the_end_of_its_pod() {
    use futures::AsyncReadExt as _;
    let cluster = Simulated::new();
    cluster
        .run(job(json!({"embedded.boathook.dev/delay": "5s", "embedded.boathook.dev/log": "x"}), json!({})))
        .await;
    let name = cluster.pods().await[0].metadata.name.clone().unwrap();
    let started = tokio::time::Instant::now();
    let mut stream = Box::pin(
        cluster.pods.log_stream(&name, &LogParams { follow: true, ..LogParams::default() }).await.unwrap(),
    );
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "simulated: x\n");
    assert!(started.elapsed() >= Duration::from_secs(5));
}

#[tokio::test]
async fn an_annotation_that_means_nothing_is_refused() {
    let cluster = Simulated::new();
    let job = job(json!({"embedded.boathook.dev/outcome": "explode"}), json!({}));
    let error = cluster.jobs.create(&PostParams::default(), &job).await.unwrap_err();
    assert!(error.to_string().contains("Unsupported value: \"explode\""), "{error}");
}

#[tokio::test]
async fn a_forgotten_history_answers_410() {
    use futures::TryStreamExt as _;
    let embedded = Embedded::new();
    let maps: Api<ConfigMap> = Api::default_namespaced(embedded.client("default"));
    let map = |name: &str| serde_json::from_value::<ConfigMap>(json!({"metadata": {"name": name}})).unwrap();
    for name in ["a", "b", "c"] {
        maps.create(&PostParams::default(), &map(name)).await.unwrap();
    }
    let first = maps.list(&ListParams::default().limit(1)).await.unwrap();
    maps.create(&PostParams::default(), &map("d")).await.unwrap();
    embedded.compact();
    let token = first.metadata.continue_.clone().unwrap();
    let error = maps.list(&ListParams::default().limit(1).continue_token(&token)).await.unwrap_err();
    assert!(
        matches!(&error, kube::Error::Api(status) if status.code == 410 && status.reason == "Expired"),
        "{error}"
    );
    let version = first.metadata.resource_version.unwrap();
    let mut watch = Box::pin(maps.watch(&WatchParams::default(), &version).await.unwrap());
    match watch.try_next().await.unwrap() {
        Some(WatchEvent::Error(status)) => {
            assert_eq!((status.code, status.reason.as_str()), (410, "Expired"));
        }
        other => panic!("{other:?}"),
    }
    assert!(watch.try_next().await.unwrap().is_none());
}
