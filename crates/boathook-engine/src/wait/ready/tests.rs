//! What is waited for, by which rules, and what is said when it does not come. Time is paused.

use std::time::Duration;

use boathook_core::plan::WaitStrategy::{self, Legacy, Watcher};
use boathook_core::run_event::{ErrorCode, Outcome};
use serde_json::{Value, json};
use test_case::test_case;
use tokio::time::Instant;

use crate::cluster::{ClusterError, ClusterErrorKind};
use crate::testing::cluster::Change::{self, Cancel, Fail, Gone, Sleep, Status};
use crate::testing::plans::{config_map, waiting};
use crate::testing::{Bench, Story};

fn object(api_version: &str, kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "prod"}, "spec": spec})
}

fn gadget(name: &str) -> Value {
    let mut gadget = object("example.com/v1", "Gadget", name, json!({}));
    gadget["status"] = ready("False", "warming up");
    gadget
}

fn ready(status: &str, message: &str) -> Value {
    json!({"conditions": [{"type": "Ready", "status": status, "message": message}]})
}

fn stalled() -> Value {
    json!({"conditions": [{"type": "Stalled", "status": "True", "message": "no power"}]})
}

fn job() -> Value {
    object("batch/v1", "Job", "j", json!({"backoffLimit": 0, "completions": 1}))
}

/// Seconds that pass, and what comes of an install that waits.
async fn wait(bench: &Bench, strategy: WaitStrategy, jobs: bool, objects: &[Value]) -> (u64, Story) {
    let began = Instant::now();
    let story = bench.execute(&waiting(strategy, jobs, objects)).await;
    (began.elapsed().as_secs(), story)
}

fn after(seconds: u64, status: Value) -> [Change; 2] {
    [Sleep(Duration::from_secs(seconds)), Status(status)]
}

#[tokio::test(start_paused = true)]
async fn all_objects_are_waited_for_at_once_and_what_is_missing_is_said() {
    let bench = Bench::new();
    bench.cluster.script("Gadget prod/a", after(20, ready("True", "")));
    bench.cluster.script("Gadget prod/b", after(10, ready("True", "")));
    let (seconds, story) = wait(&bench, Watcher, false, &[config_map("c"), gadget("a"), gadget("b")]).await;
    assert_eq!((story.outcome, seconds), (Outcome::Succeeded, 20));
    let progress = story.progress();
    assert_eq!(progress.len(), 2, "{progress:?}");
    assert_eq!(progress[0], "2 of 3 objects not ready: Gadget/a (warming up), Gadget/b (warming up)");
    assert!(progress[1].starts_with("1 of 3 objects not ready: Gadget/a"), "{progress:?}");
    assert!(!bench.cluster.calls().contains(&"wait ConfigMap prod/c".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn time_is_up_for_all_together() {
    let bench = Bench::new();
    bench
        .cluster
        .put(json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "prod"},
        "reason": "Unplugged", "message": "no socket"}));
    bench.cluster.script("Gadget prod/b", after(59, ready("True", "")));
    let (seconds, story) = wait(&bench, Watcher, false, &[gadget("a"), gadget("b")]).await;
    assert_eq!((story.outcome, seconds), (Outcome::Failed, 60));
    let error = story.error();
    assert_eq!(error.code, ErrorCode::Timeout);
    assert_eq!(
        error.message,
        "resource Gadget/prod/a not ready. status: InProgress, message: warming up\ncontext deadline exceeded"
    );
    assert_eq!(error.details, ["event Unplugged of a: no socket"]);
}

/// As with Helm: it may recover while others are waited for.
#[test_case(stalled(), Some("resource Gadget/prod/bad not ready. status: Failed, message: no power"))]
#[test_case(ready("True", ""), None; "it recovered")]
#[tokio::test(start_paused = true)]
async fn a_failed_object_is_told_of_when_the_others_are_ready(later: Value, expected: Option<&str>) {
    let bench = Bench::new();
    let mut bad = gadget("bad");
    bad["status"] = stalled();
    let mut good = after(30, ready("True", "")).into_iter().collect::<Vec<_>>();
    if expected.is_none() {
        good.insert(1, Change::Other("Gadget prod/bad", later));
    }
    bench.cluster.script("Gadget prod/good", good);
    let (seconds, story) = wait(&bench, Watcher, false, &[bad, gadget("good")]).await;
    assert_eq!(seconds, 30);
    let error = story.end().1.map(|error| (error.code, error.message.as_str()));
    assert_eq!(error, expected.map(|message| (ErrorCode::NotReady, message)));
}

#[test_case(Watcher, true, 60; "the watcher waits for the others")]
#[test_case(Legacy, true, 10; "the older waiter gives up")]
#[tokio::test(start_paused = true)]
async fn a_job_that_fails(strategy: WaitStrategy, jobs: bool, expected: u64) {
    let bench = Bench::new();
    let failed = json!({"failed": 1, "conditions": [{"type": "Failed", "status": "True"}]});
    bench.cluster.script("Job prod/j", after(10, failed));
    let claim = object("v1", "PersistentVolumeClaim", "c", json!({}));
    let (seconds, story) = wait(&bench, strategy, jobs, &[job(), claim]).await;
    assert_eq!((story.outcome, seconds), (Outcome::Failed, expected));
    assert!(story.error().message.starts_with("resource Job/prod/j not ready. status: Failed"));
}

#[test_case(Watcher, false => 5; "started is enough")]
#[test_case(Watcher, true => 10)]
#[test_case(Legacy, false => 0; "the older waiter does not look at jobs")]
#[test_case(Legacy, true => 10; "the older waiter, asked for jobs")]
#[tokio::test(start_paused = true)]
async fn a_job_is_waited_for(strategy: WaitStrategy, jobs: bool) -> u64 {
    let bench = Bench::new();
    let complete = json!({"startTime": "2026-01-01T00:00:00Z", "succeeded": 1,
        "conditions": [{"type": "Complete", "status": "True"}]});
    bench.cluster.script("Job prod/j", after(5, json!({"startTime": "2026-01-01T00:00:00Z", "active": 1})));
    bench.cluster.script("Job prod/j", after(5, complete));
    let (seconds, story) = wait(&bench, strategy, jobs, &[job()]).await;
    assert_eq!(story.outcome, Outcome::Succeeded);
    seconds
}

#[tokio::test(start_paused = true)]
async fn the_older_waiter_does_not_know_custom_kinds() {
    let (seconds, story) = wait(&Bench::new(), Legacy, false, &[gadget("a")]).await;
    assert_eq!((story.outcome, seconds), (Outcome::Succeeded, 0));
}

#[test_case("WaitForFirstConsumer", Outcome::Succeeded)]
#[test_case("Immediate", Outcome::Failed)]
#[tokio::test(start_paused = true)]
async fn a_claim_that_binds_at_its_first_consumer_is_ready(mode: &str, expected: Outcome) {
    let bench = Bench::new();
    bench.cluster.put(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "local"}, "volumeBindingMode": mode}));
    let mut claim = object("v1", "PersistentVolumeClaim", "c", json!({"storageClassName": "local"}));
    claim["status"] = json!({"phase": "Pending"});
    assert_eq!(wait(&bench, Watcher, false, &[claim]).await.1.outcome, expected);
}

/// The ReplicaSet gets ready and nothing of the Deployment changes: it is looked at again after a while.
#[tokio::test(start_paused = true)]
async fn what_an_objects_controller_made_is_looked_at() {
    let bench = Bench::new();
    let spec = json!({"replicas": 1, "selector": {"matchLabels": {"app": "d"}},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
        "template": {"metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "a"}]}}});
    let deployment = object("apps/v1", "Deployment", "d", spec.clone());
    let mut set = object("apps/v1", "ReplicaSet", "d-1", spec);
    set["metadata"]["labels"] = json!({"app": "d"});
    bench.cluster.put(set.clone());
    let cluster = bench.cluster.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(20)).await;
        let owner = cluster.object("Deployment prod/d").unwrap();
        set["metadata"]["ownerReferences"] =
            json!([{"kind": "Deployment", "name": "d", "uid": owner.uid(), "controller": true}]);
        set["status"] = json!({"readyReplicas": 1});
        cluster.put(set);
    });
    let (seconds, story) = wait(&bench, Legacy, false, &[deployment]).await;
    assert_eq!((story.outcome, seconds), (Outcome::Succeeded, 30), "{:?}", story.end());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_finds_no_node_has_failed_after_a_while() {
    let bench = Bench::new();
    let mut pod = object("v1", "Pod", "p", json!({"containers": [{"name": "a"}]}));
    // Seven seconds before the clock of these tests begins.
    pod["metadata"]["creationTimestamp"] = json!("2023-11-14T22:13:13Z");
    pod["status"] = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": "full"}]});
    let (seconds, story) = wait(&bench, Watcher, false, &[pod]).await;
    assert!(seconds < 60, "{seconds}");
    let error = story.error();
    assert_eq!(error.code, ErrorCode::NotReady);
    assert!(error.message.contains("Pod could not be scheduled"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_deleted_meanwhile_is_missed() {
    let bench = Bench::new();
    bench.cluster.script("Gadget prod/a", [Gone]);
    let (seconds, story) = wait(&bench, Watcher, false, &[gadget("a")]).await;
    assert_eq!(seconds, 60);
    assert!(
        story
            .error()
            .message
            .starts_with("resource Gadget/prod/a not ready. status: NotFound, message: Resource not found\n")
    );
}

#[tokio::test(start_paused = true)]
async fn who_may_not_watch_is_told_at_once() {
    let bench = Bench::new();
    let refusal = ClusterError::new(ClusterErrorKind::Forbidden, "gadgets is forbidden");
    bench.cluster.script("Gadget prod/a", [Fail(refusal)]);
    let (seconds, story) = wait(&bench, Watcher, false, &[gadget("a"), gadget("b")]).await;
    assert_eq!(seconds, 0);
    assert_eq!(story.error().message, "cannot wait for Gadget prod/a: gadgets is forbidden");
}

#[tokio::test(start_paused = true)]
async fn a_signal_ends_the_wait() {
    let bench = Bench::new();
    bench.cluster.script("Gadget prod/a", [Cancel(bench.cancel.clone())]);
    let (seconds, story) = wait(&bench, Watcher, false, &[gadget("a")]).await;
    assert_eq!((story.outcome, seconds), (Outcome::Interrupted, 0));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_waited_for_with_a_dry_run() {
    let mut bench = Bench::new();
    bench.options.dry_run = true;
    let (seconds, story) = wait(&bench, Watcher, false, &[gadget("a")]).await;
    assert_eq!((story.outcome, seconds), (Outcome::Succeeded, 0));
}

#[tokio::test(start_paused = true)]
async fn watches_are_bounded_and_every_object_has_its_turn() {
    let bench = Bench::new();
    let objects: Vec<Value> = (0..100).map(|number| gadget(&format!("g{number:02}"))).collect();
    // The last in the queue was ready all along, and the first gets ready when others have its watch.
    bench.cluster.script("Gadget prod/g00", [Change::Other("Gadget prod/g99", ready("True", ""))]);
    bench.cluster.script("Gadget prod/g40", [Change::Other("Gadget prod/g00", ready("True", ""))]);
    let (_, story) = wait(&bench, Watcher, false, &objects).await;
    let watches: Vec<String> =
        bench.cluster.calls().into_iter().filter(|call| call.starts_with("wait ")).collect();
    // Six turns in a minute, and what the ready ones left free.
    assert!(watches.len() < 7 * crate::at_once::AT_ONCE, "{}", watches.len());
    assert!(objects.iter().all(|object| {
        watches.contains(&format!("wait Gadget prod/{}", object["metadata"]["name"].as_str().unwrap()))
    }));
    let progress = story.progress();
    assert!(progress.iter().any(|line| line.starts_with("98 of 100 objects not ready")), "{progress:?}");
    assert_eq!(story.error().message.lines().count(), 98 + 1);
}
