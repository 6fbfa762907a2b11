//! The three patches that change what is there.

use serde_json::json;

use crate::cluster::{Cluster, config_map};
use crate::rules::{Rule, rules};

pub(crate) const RULES: &[Rule] = rules![
    a_merge_patch_removes_with_null,
    a_patch_may_name_the_version_it_is_for,
    a_patch_cannot_change_the_uid,
    a_json_patch_tests_and_replaces,
    a_strategic_patch_merges_lists_by_key,
    the_kind_of_patch_is_known,
    only_apply_creates,
    the_scale_of_a_deployment,
];

async fn a_merge_patch_removes_with_null(cluster: &Cluster) {
    cluster.post(&cluster.core("configmaps"), config_map("a", json!({"k": "1", "l": "2"}))).await.ok();
    let object =
        cluster.merge(&cluster.core("configmaps/a"), json!({"data": {"k": null, "m": "3"}})).await.ok();
    assert_eq!(object["data"], json!({"l": "2", "m": "3"}));
}

async fn a_patch_may_name_the_version_it_is_for(cluster: &Cluster) {
    let made = cluster.post(&cluster.core("configmaps"), config_map("a", json!({}))).await.ok();
    let path = cluster.core("configmaps/a");
    let version = &made["metadata"]["resourceVersion"];
    let patch = json!({"metadata": {"resourceVersion": version}, "data": {"k": "1"}});
    cluster.merge(&path, patch.clone()).await.ok();
    cluster
        .merge(&path, json!({"metadata": {"resourceVersion": version}, "data": {"k": "2"}}))
        .await
        .refused(409, "Conflict");
}

async fn a_patch_cannot_change_the_uid(cluster: &Cluster) {
    cluster.post(&cluster.core("configmaps"), config_map("a", json!({}))).await.ok();
    let patch = json!({"metadata": {"uid": "00000000-0000-4000-8000-000000000000"}});
    let message = cluster.merge(&cluster.core("configmaps/a"), patch).await.refused(422, "Invalid");
    assert!(
        message.contains("metadata.uid: Invalid value") && message.contains("field is immutable"),
        "{message}"
    );
}

async fn a_json_patch_tests_and_replaces(cluster: &Cluster) {
    cluster.post(&cluster.core("configmaps"), config_map("a", json!({"k": "1"}))).await.ok();
    let path = cluster.core("configmaps/a");
    let patch = json!([{"op": "test", "path": "/data/k", "value": "1"}, {"op": "add", "path": "/data/l", "value": "2"}]);
    let object = cluster.json_patch(&path, patch).await.ok();
    assert_eq!(object["data"], json!({"k": "1", "l": "2"}));
    let failing =
        json!([{"op": "remove", "path": "/data/l"}, {"op": "test", "path": "/data/k", "value": "9"}]);
    cluster.json_patch(&path, failing).await.refused(422, "Invalid");
    assert_eq!(cluster.get(&path).await.ok()["data"]["l"], "2");
    cluster.json_patch(&path, json!({"data": {}})).await.refused(400, "BadRequest");
}

async fn a_strategic_patch_merges_lists_by_key(cluster: &Cluster) {
    let deployment = json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"containers": [{"name": "one", "image": "1", "env": [{"name": "X", "value": "1"}]}, {"name": "two", "image": "2"}]}}}});
    cluster.post(&cluster.group("apps/v1", "deployments"), deployment).await.ok();
    let path = cluster.group("apps/v1", "deployments/d");
    let patch = json!({"spec": {"template": {"spec": {"containers": [
        {"name": "one", "env": [{"name": "Y", "value": "2"}]}, {"name": "two", "$patch": "delete"}]}}}});
    let object = cluster.strategic(&path, patch).await.ok();
    let containers = object["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 1);
    assert_eq!(containers[0]["image"], "1");
    // What the patch names comes before what only the object has.
    assert_eq!(containers[0]["env"], json!([{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]));
}

async fn the_kind_of_patch_is_known(cluster: &Cluster) {
    let path = cluster.core("configmaps/a");
    let plain = cluster.send("PATCH", &path, "application/json", "{}".to_owned()).await;
    assert_eq!(plain.refused(415, "UnsupportedMediaType"), "415: Unsupported Media Type");
    let answer = cluster.merge(&format!("{path}?force=true"), json!({})).await;
    answer.refused(422, "Invalid");
}

async fn only_apply_creates(cluster: &Cluster) {
    cluster.merge(&cluster.core("configmaps/a"), json!({"data": {}})).await.refused(404, "NotFound");
    let body = config_map("a", json!({"k": "1"}));
    assert_eq!(cluster.apply(&cluster.core("configmaps/a"), "x", "", body).await.code, 201);
}

async fn the_scale_of_a_deployment(cluster: &Cluster) {
    let deployment = json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {
        "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "one", "image": "1"}]}}}});
    cluster.post(&cluster.group("apps/v1", "deployments"), deployment).await.ok();
    let path = cluster.group("apps/v1", "deployments/d/scale");
    let scale = cluster.get(&path).await.ok();
    assert_eq!((&scale["kind"], &scale["spec"]["replicas"]), (&json!("Scale"), &json!(1)));
    cluster.merge(&path, json!({"spec": {"replicas": 4}})).await.ok();
    let object = cluster.get(&cluster.group("apps/v1", "deployments/d")).await.ok();
    assert_eq!((&object["spec"]["replicas"], &object["metadata"]["generation"]), (&json!(4), &json!(2)));
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let owner = entries.iter().find(|entry| entry["subresource"] == "scale").unwrap();
    assert_eq!(owner["fieldsV1"], json!({"f:spec": {"f:replicas": {}}}));
}
