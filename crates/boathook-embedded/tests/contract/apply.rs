//! Server-side apply: who owns which field.

use serde_json::{Value, json};

use crate::cluster::{Cluster, config_map};
use crate::rules::{Rule, rules};

pub(crate) const RULES: &[Rule] = rules![
    apply_creates_and_records_its_fields,
    apply_again_changes_nothing,
    fields_that_are_no_longer_applied_go,
    fields_of_others_stay,
    another_value_conflicts_and_force_takes_it,
    the_same_value_is_shared,
    an_update_is_named_with_its_version_in_a_conflict,
    several_conflicts_are_listed,
    an_update_takes_over_what_it_changes,
    apply_names_its_manager_and_its_kind,
    apply_refuses_managed_fields,
    apply_refuses_fields_outside_the_schema,
    apply_merges_containers_by_name,
    apply_on_status_owns_only_status,
    a_dry_apply_keeps_nothing,
];

async fn apply(cluster: &Cluster, manager: &str, more: &str, data: Value) -> crate::cluster::Answer {
    cluster.apply(&cluster.core("configmaps/a"), manager, more, config_map("a", data)).await
}

fn owners(object: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    entries.iter().map(|entry| (text(&entry["manager"]), entry["fieldsV1"].to_string())).collect()
}

async fn apply_creates_and_records_its_fields(cluster: &Cluster) {
    let object = apply(cluster, "x", "", json!({"k": "1"})).await.ok();
    let entry = &object["metadata"]["managedFields"][0];
    assert_eq!((&entry["manager"], &entry["operation"]), (&json!("x"), &json!("Apply")));
    assert_eq!((&entry["apiVersion"], &entry["fieldsType"]), (&json!("v1"), &json!("FieldsV1")));
    assert_eq!(entry["fieldsV1"], json!({"f:data": {"f:k": {}}}));
}

async fn apply_again_changes_nothing(cluster: &Cluster) {
    let first = apply(cluster, "x", "", json!({"k": "1"})).await.ok();
    let second = apply(cluster, "x", "", json!({"k": "1"})).await;
    assert_eq!(second.code, 200);
    assert_eq!(second.ok()["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
}

async fn fields_that_are_no_longer_applied_go(cluster: &Cluster) {
    apply(cluster, "x", "", json!({"k": "1", "l": "2"})).await.ok();
    let object = apply(cluster, "x", "", json!({"l": "2"})).await.ok();
    assert_eq!(object["data"], json!({"l": "2"}));
}

async fn fields_of_others_stay(cluster: &Cluster) {
    apply(cluster, "x", "", json!({"k": "1"})).await.ok();
    apply(cluster, "y", "", json!({"l": "2"})).await.ok();
    let object = apply(cluster, "x", "", json!({"m": "3"})).await.ok();
    assert_eq!(object["data"], json!({"l": "2", "m": "3"}));
}

async fn another_value_conflicts_and_force_takes_it(cluster: &Cluster) {
    apply(cluster, "other", "", json!({"a": "1"})).await.ok();
    let answer = apply(cluster, "x", "", json!({"a": "2"})).await;
    let cause = answer.body["details"]["causes"][0].clone();
    assert_eq!(
        cause,
        json!({"reason": "FieldManagerConflict", "message": "conflict with \"other\"", "field": ".data.a"})
    );
    assert_eq!(
        answer.refused(409, "Conflict"),
        "Apply failed with 1 conflict: conflict with \"other\": .data.a"
    );
    let object = apply(cluster, "x", "&force=true", json!({"a": "2"})).await.ok();
    assert_eq!(owners(&object), [("x".to_owned(), "{\"f:data\":{\"f:a\":{}}}".to_owned())]);
}

async fn the_same_value_is_shared(cluster: &Cluster) {
    apply(cluster, "x", "", json!({"a": "1"})).await.ok();
    let object = apply(cluster, "y", "", json!({"a": "1"})).await.ok();
    assert_eq!(owners(&object).len(), 2);
    let left = apply(cluster, "x", "", json!({"b": "1"})).await.ok();
    assert_eq!(left["data"]["a"], "1");
}

async fn an_update_is_named_with_its_version_in_a_conflict(cluster: &Cluster) {
    let path = format!("{}?fieldManager=writer", cluster.core("configmaps"));
    cluster.post(&path, config_map("a", json!({"a": "1"}))).await.ok();
    let message = apply(cluster, "x", "", json!({"a": "2"})).await.refused(409, "Conflict");
    assert_eq!(message, "Apply failed with 1 conflict: conflict with \"writer\" using v1: .data.a");
}

async fn several_conflicts_are_listed(cluster: &Cluster) {
    apply(cluster, "other", "", json!({"a": "1", "b": "1"})).await.ok();
    let message = apply(cluster, "x", "", json!({"a": "2", "b": "2"})).await.refused(409, "Conflict");
    assert_eq!(message, "Apply failed with 2 conflicts: conflicts with \"other\":\n- .data.a\n- .data.b");
}

async fn an_update_takes_over_what_it_changes(cluster: &Cluster) {
    apply(cluster, "x", "", json!({"a": "1", "b": "1"})).await.ok();
    let path = format!("{}?fieldManager=writer", cluster.core("configmaps/a"));
    let object = cluster.merge(&path, json!({"data": {"a": "2"}})).await.ok();
    let owners = owners(&object);
    assert!(owners.contains(&("x".to_owned(), "{\"f:data\":{\"f:b\":{}}}".to_owned())), "{owners:?}");
    assert!(owners.contains(&("writer".to_owned(), "{\"f:data\":{\"f:a\":{}}}".to_owned())), "{owners:?}");
}

async fn apply_names_its_manager_and_its_kind(cluster: &Cluster) {
    let path = cluster.core("configmaps/a");
    let media = "application/apply-patch+yaml";
    let anonymous = cluster.send("PATCH", &path, media, config_map("a", json!({})).to_string()).await;
    let message = anonymous.refused(422, "Invalid");
    assert!(message.contains("fieldManager: Required value: is required for apply patch"), "{message}");
    cluster.apply(&path, "x", "", json!({"metadata": {"name": "a"}})).await.refused(400, "BadRequest");
    cluster.apply(&path, "x", "", config_map("b", json!({}))).await.refused(400, "BadRequest");
}

async fn apply_refuses_managed_fields(cluster: &Cluster) {
    let mut body = config_map("a", json!({}));
    body["metadata"]["managedFields"] = json!([{"manager": "x"}]);
    let answer = cluster.apply(&cluster.core("configmaps/a"), "x", "", body).await;
    assert_eq!(answer.refused(400, "BadRequest"), "metadata.managedFields must be nil");
}

async fn apply_refuses_fields_outside_the_schema(cluster: &Cluster) {
    let mut body = config_map("a", json!({}));
    body["foo"] = json!(1);
    let answer = cluster.apply(&cluster.core("configmaps/a"), "x", "", body).await;
    let message = answer.body["message"].as_str().unwrap().to_owned();
    assert!(message.ends_with("/a; /v1, Kind=ConfigMap): .foo: field not declared in schema"), "{message}");
    assert_eq!(answer.code, 500);
}

async fn apply_merges_containers_by_name(cluster: &Cluster) {
    let path = cluster.group("apps/v1", "deployments/d");
    let deployment = |containers: Value| {
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": {
            "selector": {"matchLabels": {"a": "b"}},
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}}}})
    };
    cluster.apply(&path, "x", "", deployment(json!([{"name": "one", "image": "1"}]))).await.ok();
    let both = cluster.apply(&path, "y", "", deployment(json!([{"name": "two", "image": "2"}]))).await.ok();
    let names = |object: &Value| -> Vec<String> {
        let list = object["spec"]["template"]["spec"]["containers"].as_array().unwrap();
        list.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&both), ["one", "two"]);
    let message = cluster
        .apply(&path, "y", "", deployment(json!([{"name": "one", "image": "9"}])))
        .await
        .refused(409, "Conflict");
    assert_eq!(
        message,
        "Apply failed with 1 conflict: conflict with \"x\": .spec.template.spec.containers[name=\"one\"].image"
    );
    let left = cluster.apply(&path, "y", "", deployment(json!([{"name": "three", "image": "3"}]))).await.ok();
    assert_eq!(names(&left), ["one", "three"]);
}

async fn apply_on_status_owns_only_status(cluster: &Cluster) {
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    cluster.post(&cluster.core("pods"), pod).await.ok();
    let body =
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "status": {"message": "m"}});
    let object = cluster.apply(&cluster.core("pods/p/status"), "x", "&force=true", body).await.ok();
    assert_eq!(object["status"]["message"], "m");
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let own = entries.iter().find(|entry| entry["manager"] == "x").unwrap();
    assert_eq!(
        (&own["subresource"], &own["fieldsV1"]),
        (&json!("status"), &json!({"f:status": {"f:message": {}}}))
    );
}

async fn a_dry_apply_keeps_nothing(cluster: &Cluster) {
    apply(cluster, "x", "&dryRun=All", json!({"k": "1"})).await.ok();
    cluster.get(&cluster.core("configmaps/a")).await.refused(404, "NotFound");
}
