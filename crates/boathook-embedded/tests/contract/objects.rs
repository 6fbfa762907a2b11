//! Creating, reading, replacing and deleting objects.

use serde_json::json;

use crate::cluster::{Cluster, config_map};

#[tokio::test]
async fn a_created_object_has_identity_and_version() {
    let cluster = Cluster::new().await;
    let made = cluster.post(&cluster.core("configmaps"), config_map("a", json!({"k": "v"}))).await;
    assert_eq!(made.code, 201);
    let made = made.ok();
    for field in ["uid", "creationTimestamp", "resourceVersion"] {
        assert!(made["metadata"][field].is_string(), "{field}");
    }
    assert_eq!(made["metadata"]["namespace"], cluster.namespace.as_str());
    let read = cluster.get(&cluster.core("configmaps/a")).await.ok();
    assert_eq!(read, made);
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let cluster = Cluster::new().await;
    let path = cluster.core("configmaps");
    cluster.post(&path, config_map("a", json!({}))).await.ok();
    let message = cluster.post(&path, config_map("a", json!({}))).await.refused(409, "AlreadyExists");
    assert_eq!(message, "configmaps \"a\" already exists");
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let cluster = Cluster::new().await;
    let answer = cluster.get(&cluster.core("configmaps/a")).await;
    assert_eq!(answer.body["details"], json!({"name": "a", "kind": "configmaps"}));
    assert_eq!(answer.refused(404, "NotFound"), "configmaps \"a\" not found");
    let answer = cluster.delete(&cluster.group("batch/v1", "jobs/j"), json!(null)).await;
    assert_eq!(answer.refused(404, "NotFound"), "jobs.batch \"j\" not found");
}
