//! The runner against a scripted cluster: every branch, and the calls in the order in which Helm makes them.

use std::time::Duration;

use boathook_core::HookEvent;
use boathook_core::run_event::{ErrorCode, Outcome, Phase};
use serde_json::{Value, json};

use crate::cluster::{ClusterError, ClusterErrorKind};
use crate::testing::cluster::Change;
use crate::testing::plans::{self, hook};
use crate::testing::{Bench, FakeCluster};

const ALL: [&str; 3] = ["before-hook-creation", "hook-succeeded", "hook-failed"];

fn complete() -> Change {
    Change::Status(json!({"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}))
}

fn failed() -> Change {
    Change::Status(json!({"failed": 1, "conditions": [
        {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}]}))
}

/// An object that an earlier run of a hook left, as Helm makes it.
fn left(cluster: &FakeCluster, kind: &str, name: &str) {
    let api_version = if kind == "Job" { "batch/v1" } else { "v1" };
    cluster.put(json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": name, "namespace": "prod", "annotations": {"helm.sh/hook": "pre-install"}}}));
}

#[tokio::test(start_paused = true)]
async fn a_finished_job_is_a_finished_hook() {
    let bench = Bench::new();
    bench.cluster.script("Job prod/a", [Change::Sleep(Duration::from_secs(9)), complete()]);
    let story = bench.execute(&plans::run(&[hook("Job", "a", &[])])).await;
    assert_eq!((story.outcome, story.end()), (Outcome::Succeeded, (0, None)));
    assert_eq!(bench.cluster.effects(), ["apply Job prod/a", "wait Job prod/a"]);
    let result = story.hook("pre-install/1");
    assert_eq!((result.phase, result.message.as_str(), result.attempts), (Phase::Succeeded, "completed", 1));
    assert_eq!(result.duration_ms, 9_000);
    assert!(!result.simulated);
    let object = bench.cluster.object("Job prod/a").unwrap();
    assert_eq!(object.str(&["metadata", "labels", "boathook.dev/release"]), Some("web"));
    assert_eq!(object.str(&["metadata", "labels", "boathook.dev/operation"]), Some("op-1"));
}

#[tokio::test(start_paused = true)]
async fn what_a_cluster_only_simulates_says_so() {
    let bench = Bench::new();
    let mark = Change::Annotate("embedded.boathook.dev/simulated", "true");
    bench.cluster.script("Pod prod/a", [mark, Change::Status(json!({"phase": "Succeeded"}))]);
    let story = bench.execute(&plans::run(&[hook("Pod", "a", &[])])).await;
    assert!(story.hook("pre-install/1").simulated);
}

#[tokio::test(start_paused = true)]
async fn other_kinds_are_done_at_once() {
    let bench = Bench::new();
    let story = bench.execute(&plans::run(&[hook("ConfigMap", "a", &[])])).await;
    assert_eq!(bench.cluster.effects(), ["apply ConfigMap prod/a"]);
    let result = story.hook("pre-install/1");
    assert_eq!((result.message.as_str(), result.changed), ("created", Some(true)));
}

/// C21: two hooks with all three policies, the second fails.
#[tokio::test(start_paused = true)]
async fn hooks_clean_up() {
    let bench = Bench::new();
    left(&bench.cluster, "Job", "one");
    left(&bench.cluster, "Job", "two");
    bench.cluster.script("Job prod/one", [complete()]);
    bench.cluster.script("Job prod/two", [failed()]);
    let story = bench.execute(&plans::run(&[hook("Job", "one", &ALL), hook("Job", "two", &ALL)])).await;
    assert_eq!(
        bench.cluster.effects(),
        [
            "delete Job prod/one",
            "wait Job prod/one",
            "apply Job prod/one",
            "wait Job prod/one",
            "delete Job prod/two",
            "wait Job prod/two",
            "apply Job prod/two",
            "wait Job prod/two",
            "delete Job prod/two",
            "wait Job prod/two",
            "delete Job prod/one",
            "wait Job prod/one",
        ]
    );
    assert_eq!(
        story.deleted(),
        [
            "before-hook-creation Job prod/one",
            "before-hook-creation Job prod/two",
            "hook-failed Job prod/two",
            "hook-succeeded Job prod/one",
        ]
    );
    assert_eq!(story.outcome, Outcome::Failed);
    assert_eq!(story.error().code, ErrorCode::JobFailed);
    assert!(story.error().message.starts_with("job two failed: BackoffLimitExceeded"), "{:?}", story.error());
    assert_eq!(story.error().hook.as_ref().unwrap().0, "pre-install/2");
    assert_eq!(story.end().0, 1);
}

#[tokio::test(start_paused = true)]
async fn success_cleans_up_backwards() {
    let bench = Bench::new();
    let hooks = ["a", "b", "c"].map(|name| hook("ConfigMap", name, &["hook-succeeded"]));
    let story = bench.execute(&plans::run(&hooks)).await;
    assert_eq!(
        story.deleted(),
        [
            "hook-succeeded ConfigMap prod/c",
            "hook-succeeded ConfigMap prod/b",
            "hook-succeeded ConfigMap prod/a"
        ]
    );
}

/// D44, the walk after success: an error ends it. Our deviation from D10: the operation succeeds all the same.
#[tokio::test(start_paused = true)]
async fn a_clean_up_error_after_success_ends_the_walk_and_is_a_warning() {
    let bench = Bench::new();
    bench.cluster.fail(
        "delete ConfigMap prod/b",
        ClusterErrorKind::Forbidden,
        "configmaps \"b\" is forbidden",
    );
    let hooks = ["a", "b", "c"].map(|name| hook("ConfigMap", name, &["hook-succeeded"]));
    let story = bench.execute(&plans::run(&hooks)).await;
    assert_eq!(story.deleted(), ["hook-succeeded ConfigMap prod/c"]);
    assert_eq!((story.outcome, story.end()), (Outcome::Succeeded, (0, None)));
    assert_eq!(story.notes(), ["hook-not-deleted"]);
    assert!(bench.cluster.object("ConfigMap prod/a").is_some());
}

/// D44, the walk after a failure: forwards, an error ends it; the hook's own error stays.
#[tokio::test(start_paused = true)]
async fn a_clean_up_error_after_a_failure_ends_the_walk_and_hides_nothing() {
    let bench = Bench::new();
    bench.cluster.script("Job prod/d", [failed()]);
    bench.cluster.fail("delete ConfigMap prod/b", ClusterErrorKind::Forbidden, "no");
    let mut hooks: Vec<_> = ["a", "b", "c"].map(|name| hook("ConfigMap", name, &["hook-succeeded"])).into();
    hooks.push(hook("Job", "d", &["hook-succeeded"]));
    let story = bench.execute(&plans::run(&hooks)).await;
    assert_eq!(story.deleted(), ["hook-succeeded ConfigMap prod/a"]);
    assert_eq!(story.error().code, ErrorCode::JobFailed);
    assert_eq!(story.notes(), ["hook-not-deleted"]);
    assert!(bench.cluster.object("Job prod/d").is_some(), "it has no hook-failed policy");
}

/// D9: no policy applies after a creation error, not even to earlier hooks.
#[tokio::test(start_paused = true)]
async fn a_creation_error_cleans_nothing_up() {
    let bench = Bench::new();
    bench.cluster.fail("apply ConfigMap prod/b", ClusterErrorKind::Invalid, "is invalid: x");
    let story =
        bench.execute(&plans::run(&[hook("ConfigMap", "a", &ALL), hook("ConfigMap", "b", &ALL)])).await;
    assert_eq!(bench.cluster.effects(), ["apply ConfigMap prod/a", "apply ConfigMap prod/b"]);
    assert_eq!(
        story.error().message,
        "warning: Hook pre-install hooks.yaml failed: server-side apply failed for object prod/b /v1, Kind=ConfigMap: is invalid: x"
    );
    assert_eq!(story.error().code, ErrorCode::ObjectRefused);
    assert_eq!(story.hook("pre-install/2").phase, Phase::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_named_as_helm_names_it() {
    let bench = Bench::new();
    bench.cluster.fail("apply Job prod/a", ClusterErrorKind::Conflict, "Apply failed with 1 conflict");
    let story = bench.execute(&plans::run(&[hook("Job", "a", &[])])).await;
    assert_eq!(
        story.error().message,
        "warning: Hook pre-install hooks.yaml failed: conflict occurred while applying object prod/a batch/v1, Kind=Job: Apply failed with 1 conflict"
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_before_creation_cleans_nothing_up() {
    let bench = Bench::new();
    left(&bench.cluster, "ConfigMap", "b");
    bench.cluster.fail(
        "delete ConfigMap prod/b",
        ClusterErrorKind::Forbidden,
        "configmaps \"b\" is forbidden",
    );
    let story =
        bench.execute(&plans::run(&[hook("ConfigMap", "a", &ALL), hook("ConfigMap", "b", &ALL)])).await;
    assert_eq!(bench.cluster.effects(), ["apply ConfigMap prod/a", "delete ConfigMap prod/b"]);
    assert_eq!(story.error().message, "configmaps \"b\" is forbidden");
}

/// Deviation 1: the old object must be gone, that very UID, before the new one is made.
#[tokio::test(start_paused = true)]
async fn the_old_object_is_waited_for() {
    let bench = Bench::new();
    left(&bench.cluster, "ConfigMap", "a");
    bench.cluster.linger("ConfigMap prod/a");
    bench.cluster.script("ConfigMap prod/a", [Change::Sleep(Duration::from_secs(60)), Change::Gone]);
    let story = bench.execute(&plans::run(&[hook("ConfigMap", "a", &[])])).await;
    assert_eq!(story.outcome, Outcome::Succeeded);
    assert_eq!(
        bench.cluster.effects(),
        ["delete ConfigMap prod/a", "wait ConfigMap prod/a", "apply ConfigMap prod/a"]
    );
    assert_eq!(story.hook("pre-install/1").duration_ms, 60_000);
}

#[tokio::test(start_paused = true)]
async fn an_old_object_that_stays_fails_the_hook() {
    let bench = Bench::new();
    left(&bench.cluster, "ConfigMap", "a");
    bench.cluster.linger("ConfigMap prod/a");
    let story = bench.execute(&plans::run(&[hook("ConfigMap", "a", &[])])).await;
    assert_eq!(story.error().code, ErrorCode::Timeout);
    assert_eq!(
        story.error().message,
        "resource ConfigMap/prod/a still exists. status: Terminating, message: Resource scheduled for deletion\ncontext deadline exceeded"
    );
    assert_eq!(bench.cluster.effects(), ["delete ConfigMap prod/a", "wait ConfigMap prod/a"]);
}

/// D45, and our deviation 5: what belongs to another release, or to nobody, is neither deleted nor changed.
#[tokio::test(start_paused = true)]
async fn a_foreign_object_is_left_alone() {
    let labels = json!({"boathook.dev/release": "other", "boathook.dev/release-namespace": "prod"});
    for (metadata, policies) in [
        (json!({"name": "a", "namespace": "prod", "labels": labels}), &ALL[..1]),
        (json!({"name": "a", "namespace": "prod"}), &ALL[..1]),
        (json!({"name": "a", "namespace": "prod"}), &ALL[2..]),
    ] {
        let bench = Bench::new();
        bench.cluster.put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}));
        let before = bench.cluster.object("ConfigMap prod/a");
        let story = bench.execute(&plans::run(&[hook("ConfigMap", "a", policies)])).await;
        assert_eq!(bench.cluster.effects(), Vec::<String>::new());
        assert_eq!(bench.cluster.object("ConfigMap prod/a"), before);
        assert!(story.error().message.contains("ConfigMap prod/a exists and "), "{:?}", story.error());
        assert!(story.error().hint.as_ref().unwrap().contains("--take-ownership"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_foreign_object_is_replaced_if_the_user_says_so() {
    let mut bench = Bench::new();
    bench.options.take_ownership = true;
    bench.cluster.put(plans::config_map("a"));
    let story = bench.execute(&plans::run(&[hook("ConfigMap", "a", &[])])).await;
    assert_eq!(story.deleted(), ["before-hook-creation ConfigMap prod/a"]);
    assert_eq!(story.outcome, Outcome::Succeeded);
}

/// What takes the old object's place between look and delete is judged anew.
#[tokio::test(start_paused = true)]
async fn a_foreign_object_that_comes_in_between_is_left_alone() {
    let bench = Bench::new();
    left(&bench.cluster, "ConfigMap", "a");
    bench.cluster.race("delete ConfigMap prod/a", plans::config_map("a"));
    let story = bench.execute(&plans::run(&[hook("ConfigMap", "a", &[])])).await;
    assert_eq!(bench.cluster.effects(), ["delete ConfigMap prod/a"]);
    assert!(story.error().message.contains("was made by no release"), "{:?}", story.error());
    assert!(bench.cluster.object("ConfigMap prod/a").is_some());
}

/// A hook object that was replaced behind our back is not ours to delete: the UID says so.
#[tokio::test(start_paused = true)]
async fn a_later_object_of_the_same_name_is_left_alone() {
    let bench = Bench::new();
    bench.cluster.script("Job prod/b", [Change::Replace("ConfigMap prod/a"), complete()]);
    let hooks = [hook("ConfigMap", "a", &["hook-succeeded"]), hook("Job", "b", &[])];
    let story = bench.execute(&plans::run(&hooks)).await;
    assert_eq!((story.outcome, story.notes()), (Outcome::Succeeded, Vec::new()));
    assert_eq!(story.deleted(), Vec::<String>::new());
    assert!(bench.cluster.object("ConfigMap prod/a").is_some());
}

/// D19: with the definition every object of the kind would go.
#[tokio::test(start_paused = true)]
async fn a_definition_is_never_deleted() {
    let bench = Bench::new();
    bench.cluster.put(json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "c", "annotations": {"helm.sh/hook": "pre-install"}}}));
    let story = bench.execute(&plans::run(&[hook("CustomResourceDefinition", "c", &ALL)])).await;
    assert_eq!(bench.cluster.effects(), ["apply CustomResourceDefinition c"]);
    assert_eq!(story.hook("pre-install/1").message, "configured");
}

/// Helm looks at the recorded kind, `List`, and would delete it.
#[tokio::test(start_paused = true)]
async fn a_definition_in_a_list_is_never_deleted() {
    let bench = Bench::new();
    bench.cluster.put(json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "c", "annotations": {"helm.sh/hook": "pre-install"}}}));
    let mut list = hook("List", "", &ALL);
    list.objects = hook("CustomResourceDefinition", "c", &[]).objects;
    list.objects.extend(hook("ConfigMap", "m", &[]).objects);
    bench.execute(&plans::run(&[list])).await;
    assert_eq!(
        bench.cluster.effects(),
        [
            "apply CustomResourceDefinition c",
            "apply ConfigMap prod/m",
            "delete ConfigMap prod/m",
            "wait ConfigMap prod/m",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_timeout_fails_the_hook_and_applies_its_policy() {
    let bench = Bench::new();
    let story = bench.execute(&plans::run(&[hook("Job", "a", &["hook-failed"])])).await;
    assert_eq!(story.error().code, ErrorCode::Timeout);
    assert_eq!(
        story.error().message,
        "resource Job/prod/a not ready. status: InProgress, message: Job in progress\ncontext deadline exceeded"
    );
    assert_eq!(story.deleted(), ["hook-failed Job prod/a"]);
    assert_eq!(story.hook("pre-install/1").duration_ms / 1000, 300);
}

/// D16, as Helm 3: a Job that is deleted while it is waited for counts as done.
#[tokio::test(start_paused = true)]
async fn a_job_deleted_while_waiting_is_done() {
    let bench = Bench::new();
    bench.cluster.script("Job prod/a", [Change::Gone]);
    let story = bench.execute(&plans::run(&[hook("Job", "a", &[])])).await;
    assert_eq!(story.outcome, Outcome::Succeeded);
    assert_eq!(story.hook("pre-install/1").message, "deleted while it ran, taken as done");
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_refused_fails_the_hook() {
    let bench = Bench::new();
    let error = ClusterError::new(ClusterErrorKind::Forbidden, "jobs.batch is forbidden");
    bench.cluster.script("Job prod/a", [Change::Fail(error)]);
    let story = bench.execute(&plans::run(&[hook("Job", "a", &["hook-failed"])])).await;
    assert_eq!(story.error().message, "jobs.batch is forbidden");
    assert_eq!(story.deleted(), ["hook-failed Job prod/a"]);
}

/// D8: an event written twice runs the hook twice in a row.
#[tokio::test(start_paused = true)]
async fn an_event_written_twice_runs_twice() {
    let bench = Bench::new();
    let twice = hook("ConfigMap", "a", &[]).on(&[HookEvent::PreInstall, HookEvent::PreInstall]);
    let story = bench.execute(&plans::run(&[twice])).await;
    assert_eq!(
        bench.cluster.effects(),
        [
            "apply ConfigMap prod/a",
            "delete ConfigMap prod/a",
            "wait ConfigMap prod/a",
            "apply ConfigMap prod/a"
        ]
    );
    assert_eq!(story.hook("pre-install/2").phase, Phase::Succeeded);
}

/// Without `before-hook-creation` Helm 4 takes a finished Job for this run's; we run it again.
#[tokio::test(start_paused = true)]
async fn a_finished_job_of_an_earlier_run_is_stale() {
    let bench = Bench::new();
    bench.cluster.put(json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "a", "namespace": "prod", "annotations": {"helm.sh/hook": "pre-install"}},
        "status": {"conditions": [{"type": "Failed", "status": "True"}]}}));
    bench.cluster.script("Job prod/a", [complete()]);
    let story = bench.execute(&plans::run(&[hook("Job", "a", &["never"])])).await;
    assert_eq!(
        bench.cluster.effects(),
        ["delete Job prod/a", "wait Job prod/a", "apply Job prod/a", "wait Job prod/a"]
    );
    assert_eq!(story.outcome, Outcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_not_deleted_before_is_patched() {
    let bench = Bench::new();
    left(&bench.cluster, "ConfigMap", "a");
    let story = bench.execute(&plans::run(&[hook("ConfigMap", "a", &["never"])])).await;
    assert_eq!(bench.cluster.effects(), ["apply ConfigMap prod/a"]);
    assert_eq!(story.hook("pre-install/1").message, "configured");
}

#[tokio::test(start_paused = true)]
async fn a_dying_object_is_waited_for_and_not_patched() {
    let bench = Bench::new();
    bench
        .cluster
        .put(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "prod",
        "deletionTimestamp": "2026-01-01T00:00:00Z", "annotations": {"helm.sh/hook": "pre-install"}}}));
    bench.cluster.script("ConfigMap prod/a", [Change::Gone]);
    let story = bench.execute(&plans::run(&[hook("ConfigMap", "a", &["never"])])).await;
    assert_eq!(bench.cluster.effects(), ["wait ConfigMap prod/a", "apply ConfigMap prod/a"]);
    assert_eq!(story.hook("pre-install/1").message, "created");
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_nobody_serves() {
    for (policies, doing) in [(&ALL[..1], "deleting"), (&ALL[1..], "pre-install")] {
        let bench = Bench::new();
        let story = bench.execute(&plans::run(&[hook("Widget", "w", policies)])).await;
        assert_eq!(
            story.error().message,
            format!(
                "unable to build kubernetes object for {doing} hook hooks.yaml: resource mapping not found for name: \"w\" \
                 namespace: \"\" from \"\": no matches for kind \"Widget\" in version \"nope.example/v1\"\nensure CRDs are installed first"
            )
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_is_needed() {
    for (policies, expected) in [
        (&ALL[..1], "resource name may not be empty"),
        (
            &ALL[1..],
            "warning: Hook pre-install hooks.yaml failed: server-side apply failed for object prod/ batch/v1, Kind=Job: resource name may not be empty",
        ),
    ] {
        let bench = Bench::new();
        let story = bench.execute(&plans::run(&[hook("Job", "", policies)])).await;
        assert_eq!(story.error().message, expected);
        assert_eq!(bench.cluster.effects(), Vec::<String>::new());
    }
}

/// D31: an empty `List`.
#[tokio::test(start_paused = true)]
async fn a_hook_of_nothing() {
    for (policies, expected) in [
        (&ALL[..1], "object not found, skipping delete: no objects visited"),
        (&ALL[1..], "warning: Hook pre-install hooks.yaml failed: no objects visited"),
    ] {
        let bench = Bench::new();
        let mut empty = hook("List", "l", policies);
        empty.objects.clear();
        assert_eq!(bench.execute(&plans::run(&[empty])).await.error().message, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_is_created_whole_and_then_waited_for() {
    let bench = Bench::new();
    bench.cluster.script("Job prod/j", [complete()]);
    bench.cluster.script("Pod prod/p", [Change::Status(json!({"phase": "Succeeded"}))]);
    let mut list = hook("List", "", &["hook-succeeded"]);
    list.objects = ["Job j", "Pod p", "ConfigMap c"]
        .iter()
        .flat_map(|object| object.split_once(' '))
        .flat_map(|(kind, name)| {
            let kind: &'static str = kind;
            hook(kind, name, &[]).objects
        })
        .collect::<Vec<Value>>();
    let story = bench.execute(&plans::run(&[list])).await;
    assert_eq!(story.outcome, Outcome::Succeeded, "{:?}", story.end());
    assert_eq!(
        bench.cluster.effects(),
        [
            "apply Job prod/j",
            "apply Pod prod/p",
            "apply ConfigMap prod/c",
            "wait Job prod/j",
            "wait Pod prod/p",
            "wait Pod prod/p", // for its log
            "delete Job prod/j",
            "wait Job prod/j",
            "delete Pod prod/p",
            "wait Pod prod/p",
            "delete ConfigMap prod/c",
            "wait ConfigMap prod/c",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn logs_stream_and_the_reason_is_kept() {
    let bench = Bench::new();
    bench.cluster.put(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "pod-1", "namespace": "prod", "labels": {"job-name": "a"}},
        "spec": {"containers": [{"name": "main"}]},
        "status": {"phase": "Failed", "containerStatuses": [{"name": "main", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}]}}));
    bench.cluster.log("pod-1/main", &["one", "two"]);
    bench.cluster.script("Job prod/a", [Change::Status(json!({"active": 1})), failed()]);
    let story = bench.execute(&plans::run(&[hook("Job", "a", &[])])).await;
    assert_eq!(story.logs(), ["pod-1/main: one", "pod-1/main: two"]);
    let error = story.error();
    assert!(error.message.starts_with("job a failed: BackoffLimitExceeded"), "{error:?}");
    assert!(error.message.contains("main") && error.message.contains('3'), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_had_is_said_at_once() {
    let bench = Bench::new();
    let pulling = json!({"phase": "Pending", "containerStatuses": [{"name": "main",
        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image x"}}}]});
    let start =
        [Change::Status(pulling.clone()), Change::Sleep(Duration::from_secs(1)), Change::Status(pulling)];
    bench.cluster.script("Pod prod/a", start);
    let story = bench.execute(&plans::run(&[hook("Pod", "a", &[])])).await;
    assert_eq!(
        story.progress(),
        ["pod a: container main cannot start: ImagePullBackOff: Back-off pulling image x"]
    );
    assert_eq!(story.error().code, ErrorCode::Timeout);
    assert_eq!(story.error().details, story.progress(), "once");
}

#[tokio::test(start_paused = true)]
async fn events_of_the_object_stand_in_the_details() {
    let bench = Bench::new();
    bench
        .cluster
        .put(json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "prod"},
        "reason": "FailedCreate", "message": "exceeded quota"}));
    bench.cluster.script("Job prod/a", [failed()]);
    let story = bench.execute(&plans::run(&[hook("Job", "a", &[])])).await;
    assert_eq!(story.error().details, ["event FailedCreate of a: exceeded quota"]);
}

/// The Job controller's Event says what the Job's condition says: once is enough.
#[tokio::test(start_paused = true)]
async fn an_event_that_repeats_the_reason_is_left_out() {
    let bench = Bench::new();
    bench
        .cluster
        .put(json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "prod"},
        "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}));
    bench.cluster.script("Job prod/a", [failed()]);
    let story = bench.execute(&plans::run(&[hook("Job", "a", &[])])).await;
    assert_eq!(story.error().details, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_gets_no_pod_is_said_long_before_its_deadline() {
    let bench = Bench::new();
    bench
        .cluster
        .put(json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": "prod"},
        "reason": "FailedCreate", "message": "exceeded quota"}));
    let story = bench.execute(&plans::run(&[hook("Job", "a", &[])])).await;
    assert_eq!(story.progress(), ["event FailedCreate of a: exceeded quota"]);
    assert_eq!(story.error().code, ErrorCode::Timeout);
}

#[tokio::test(start_paused = true)]
async fn what_an_init_container_wrote_is_shown() {
    let bench = Bench::new();
    bench.cluster.put(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "pod-1", "namespace": "prod", "labels": {"job-name": "a"}},
        "spec": {"initContainers": [{"name": "prepare"}], "containers": [{"name": "main"}]},
        "status": {"phase": "Pending", "initContainerStatuses": [{"name": "prepare",
            "state": {"terminated": {"exitCode": 2, "reason": "Error"}}}]}}));
    bench.cluster.log("pod-1/prepare", &["no"]);
    bench.cluster.script("Job prod/a", [Change::Status(json!({"active": 1})), failed()]);
    let story = bench.execute(&plans::run(&[hook("Job", "a", &[])])).await;
    assert_eq!(story.logs(), ["pod-1/prepare: no"]);
}

/// D21: no new step, the phase is unknown, the object stays, no policy fires.
#[tokio::test(start_paused = true)]
async fn cancelling_ends_the_wait() {
    let bench = Bench::new();
    bench.cluster.script("Job prod/a", [Change::Cancel(bench.cancel.clone())]);
    let story = bench.execute(&plans::run(&[hook("Job", "a", &ALL), hook("Job", "b", &ALL)])).await;
    assert_eq!((story.outcome, story.end().0), (Outcome::Interrupted, 130));
    assert_eq!(story.hook("pre-install/1").phase, Phase::Unknown);
    assert_eq!(bench.cluster.effects(), ["apply Job prod/a", "wait Job prod/a"]);
    assert!(bench.cluster.object("Job prod/a").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_operation_begins_nothing() {
    let bench = Bench::new();
    bench.cancel.cancel();
    let story = bench.execute(&plans::run(&[hook("Job", "a", &[])])).await;
    assert_eq!(story.outcome, Outcome::Interrupted);
    assert_eq!(bench.cluster.calls(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_deletes_nothing_and_keeps_nothing() {
    let mut bench = Bench::new();
    bench.options.dry_run = true;
    left(&bench.cluster, "Job", "a");
    let story = bench.execute(&plans::run(&[hook("Job", "a", &ALL)])).await;
    assert_eq!(story.outcome, Outcome::Succeeded);
    assert_eq!(bench.cluster.effects(), ["dry-create Job prod/"], "under a name that the API makes up");
}
