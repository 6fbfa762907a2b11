//! Ordinary objects: what became of each, in which batches, and what an error does.

use boathook_core::run_event::{Happening, Outcome, ResourceResult};
use serde_json::{Value, json};

use crate::cluster::ClusterErrorKind;
use crate::testing::plans::{self, config_map};
use crate::testing::{Bench, Story};

fn results(story: &Story) -> Vec<(String, ResourceResult)> {
    story
        .events
        .iter()
        .filter_map(|event| match &event.what {
            Happening::ResourceFinished { resource, result, .. } => Some((resource.to_string(), *result)),
            _ => None,
        })
        .collect()
}

fn secret(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}})
}

/// Of a kind without namespaces.
fn role(name: &str) -> Value {
    json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": name, "namespace": "prod"}})
}

/// An object of this release, as an earlier install left it.
fn owned(name: &str, data: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "prod",
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "prod"}},
        "data": {"a": data}})
}

#[tokio::test(start_paused = true)]
async fn objects_are_stamped_as_helm_stamps_them() {
    let bench = Bench::new();
    let story = bench.execute(&plans::install(&[], &[secret("s"), role("r")])).await;
    assert_eq!(story.outcome, Outcome::Succeeded);
    let object = bench.cluster.object("Secret prod/s").unwrap();
    assert_eq!(object.str(&["metadata", "labels", "app.kubernetes.io/managed-by"]), Some("Helm"));
    assert_eq!(object.annotation("meta.helm.sh/release-name"), Some("web"));
    assert_eq!(object.annotation("meta.helm.sh/release-namespace"), Some("prod"));
    let role = bench.cluster.object("ClusterRole r").unwrap();
    assert_eq!(role.namespace(), None, "its kind has no namespaces");
}

#[tokio::test(start_paused = true)]
async fn what_became_of_each_object_is_said() {
    let bench = Bench::new();
    let left = |object: Value| {
        let mut object = object;
        object["metadata"]["managedFields"] = Value::Null;
        object["metadata"].as_object_mut().unwrap().shift_remove("managedFields");
        bench.cluster.put(object)
    };
    left(owned("changed", "0"));
    left(owned("same", "1"));
    let story = bench.execute(&plans::install(&[], &["changed", "same", "new"].map(config_map))).await;
    assert_eq!(
        results(&story),
        [
            ("ConfigMap prod/changed".to_owned(), ResourceResult::Configured),
            ("ConfigMap prod/same".to_owned(), ResourceResult::Unchanged),
            ("ConfigMap prod/new".to_owned(), ResourceResult::Created),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn kinds_follow_each_other_and_an_error_stops_none() {
    let bench = Bench::new();
    bench.cluster.fail("apply Secret prod/s2", ClusterErrorKind::Forbidden, "no");
    bench.cluster.fail("apply ConfigMap prod/c1", ClusterErrorKind::Invalid, "bad");
    let objects = [secret("s1"), secret("s2"), secret("s3"), config_map("c1"), config_map("c2")];
    let story = bench.execute(&plans::install(&[], &objects)).await;
    let applied = bench.cluster.effects();
    assert_eq!(applied.len(), 5);
    assert!(applied[..3].iter().all(|call| call.starts_with("apply Secret")), "{applied:?}");
    assert_eq!(
        story.error().message,
        "server-side apply failed for object prod/s2 /v1, Kind=Secret: no\n\
         server-side apply failed for object prod/c1 /v1, Kind=ConfigMap: bad"
    );
    let failed = results(&story).into_iter().filter(|(_, result)| *result == ResourceResult::Failed).count();
    assert_eq!(failed, 2);
}

#[tokio::test(start_paused = true)]
async fn where_something_is_adopted_a_failed_creation_stops_at_once() {
    let bench = Bench::new();
    bench.cluster.put(owned("old", "0"));
    bench.cluster.fail("apply ConfigMap prod/old", ClusterErrorKind::Conflict, "taken");
    bench.cluster.fail("apply ConfigMap prod/b", ClusterErrorKind::Invalid, "bad");
    let objects = [secret("s"), config_map("old"), config_map("b"), role("r")];
    let story = bench.execute(&plans::install(&[], &objects)).await;
    assert_eq!(
        bench.cluster.effects(),
        ["apply Secret prod/s", "apply ConfigMap prod/old", "apply ConfigMap prod/b"]
    );
    assert_eq!(
        story.error().message,
        "failed to create resource: server-side apply failed for object prod/b /v1, Kind=ConfigMap: bad"
    );
}

#[tokio::test(start_paused = true)]
async fn more_objects_than_requests_at_once() {
    let bench = Bench::new();
    let objects: Vec<Value> = (0..100).map(|index| config_map(&format!("c{index}"))).collect();
    let story = bench.execute(&plans::install(&[], &objects)).await;
    assert_eq!(story.outcome, Outcome::Succeeded);
    assert_eq!(results(&story).len(), 100);
}
