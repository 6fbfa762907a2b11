//! Deleting: preconditions, finalizers, owners, namespaces.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cluster::{Cluster, config_map};
use crate::rules::{Rule, rules};

pub(crate) const RULES: &[Rule] = rules![
    a_delete_answers_a_status,
    preconditions_guard_a_delete,
    a_finalizer_holds_an_object,
    a_finalizer_has_a_domain,
    dependents_fall_with_their_owner,
    orphans_stay_without_their_owner,
    a_foreground_deletion_waits_for_dependents,
    an_object_whose_owner_never_was_goes,
    a_collection_is_deleted_by_selector,
    a_namespace_takes_its_content_along,
    a_namespace_has_its_default_account,
];

fn owned(name: &str, owner: &Value, blocks: bool) -> Value {
    let mut object = config_map(name, json!({}));
    object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": blocks,
    }]);
    object
}

async fn a_delete_answers_a_status(cluster: &Cluster) {
    let made = cluster.post(&cluster.core("configmaps"), config_map("a", json!({}))).await.ok();
    let answer = cluster.delete(&cluster.core("configmaps/a"), json!(null)).await.ok();
    let expected = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}});
    assert_eq!(answer, expected);
    cluster.get(&cluster.core("configmaps/a")).await.refused(404, "NotFound");
}

async fn preconditions_guard_a_delete(cluster: &Cluster) {
    let made = cluster.post(&cluster.core("configmaps"), config_map("a", json!({}))).await.ok();
    let path = cluster.core("configmaps/a");
    let wrong = json!({"preconditions": {"uid": "00000000-0000-4000-8000-000000000000"}});
    let message = cluster.delete(&path, wrong).await.refused(409, "Conflict");
    let uid = made["metadata"]["uid"].as_str().unwrap();
    assert!(
        message.contains(&format!(
            "the UID in the precondition (00000000-0000-4000-8000-000000000000) does not match the UID in record ({uid})"
        )),
        "{message}"
    );
    let old = json!({"preconditions": {"resourceVersion": "1"}});
    cluster.delete(&path, old).await.refused(409, "Conflict");
    cluster.delete(&path, json!({"preconditions": {"uid": uid}})).await.ok();
}

async fn a_finalizer_holds_an_object(cluster: &Cluster) {
    let mut body = config_map("a", json!({}));
    body["metadata"]["finalizers"] = json!(["example.com/hold"]);
    cluster.post(&cluster.core("configmaps"), body).await.ok();
    let path = cluster.core("configmaps/a");
    let held = cluster.delete(&path, json!(null)).await.ok();
    assert!(held["metadata"]["deletionTimestamp"].is_string());
    let again = cluster.delete(&path, json!(null)).await.ok();
    assert_eq!(again["metadata"]["deletionTimestamp"], held["metadata"]["deletionTimestamp"]);
    let added = cluster
        .merge(&path, json!({"metadata": {"finalizers": ["example.com/hold", "example.com/more"]}}))
        .await;
    assert!(
        added
            .refused(422, "Invalid")
            .contains("no new finalizers can be added if the object is being deleted")
    );
    cluster.merge(&path, json!({"metadata": {"finalizers": null}})).await.ok();
    cluster.get(&path).await.refused(404, "NotFound");
}

async fn a_finalizer_has_a_domain(cluster: &Cluster) {
    let mut body = config_map("a", json!({}));
    body["metadata"]["finalizers"] = json!(["hold"]);
    let message = cluster.post(&cluster.core("configmaps"), body).await.refused(422, "Invalid");
    assert!(
        message.contains("name is neither a standard finalizer name nor is it fully qualified"),
        "{message}"
    );
}

async fn dependents_fall_with_their_owner(cluster: &Cluster) {
    let path = cluster.core("configmaps");
    let owner = cluster.post(&path, config_map("owner", json!({}))).await.ok();
    cluster.post(&path, owned("child", &owner, false)).await.ok();
    cluster.delete(&cluster.core("configmaps/owner"), json!({"propagationPolicy": "Background"})).await.ok();
    cluster.gone(&cluster.core("configmaps/child")).await;
}

async fn orphans_stay_without_their_owner(cluster: &Cluster) {
    let path = cluster.core("configmaps");
    let owner = cluster.post(&path, config_map("owner", json!({}))).await.ok();
    cluster.post(&path, owned("child", &owner, false)).await.ok();
    cluster.delete(&cluster.core("configmaps/owner"), json!({"propagationPolicy": "Orphan"})).await.ok();
    cluster.gone(&cluster.core("configmaps/owner")).await;
    let child = cluster.get(&cluster.core("configmaps/child")).await.ok();
    assert!(child["metadata"].get("ownerReferences").is_none());
}

async fn a_foreground_deletion_waits_for_dependents(cluster: &Cluster) {
    let path = cluster.core("configmaps");
    let owner = cluster.post(&path, config_map("owner", json!({}))).await.ok();
    let mut child = owned("child", &owner, true);
    child["metadata"]["finalizers"] = json!(["example.com/hold"]);
    cluster.post(&path, child).await.ok();
    let options = json!({"propagationPolicy": "Foreground"});
    let answer = cluster.delete(&cluster.core("configmaps/owner"), options).await.ok();
    assert_eq!(answer["metadata"]["finalizers"], json!(["foregroundDeletion"]));
    let child = cluster.core("configmaps/child");
    for _ in 0..400 {
        if cluster.get(&child).await.ok()["metadata"]["deletionTimestamp"].is_string() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.get(&cluster.core("configmaps/owner")).await.ok();
    cluster.merge(&child, json!({"metadata": {"finalizers": null}})).await.ok();
    cluster.gone(&cluster.core("configmaps/owner")).await;
}

async fn an_object_whose_owner_never_was_goes(cluster: &Cluster) {
    let owner = json!({"metadata": {"name": "never", "uid": "00000000-0000-4000-8000-000000000000"}});
    cluster.post(&cluster.core("configmaps"), owned("child", &owner, false)).await.ok();
    cluster.gone(&cluster.core("configmaps/child")).await;
}

async fn a_collection_is_deleted_by_selector(cluster: &Cluster) {
    for (name, label) in [("a", "x"), ("b", "x"), ("c", "y")] {
        let mut body = config_map(name, json!({}));
        body["metadata"]["labels"] = json!({"l": label});
        cluster.post(&cluster.core("configmaps"), body).await.ok();
    }
    cluster.delete(&cluster.core("configmaps?labelSelector=l%3Dx"), json!(null)).await.ok();
    cluster.get(&cluster.core("configmaps/a")).await.refused(404, "NotFound");
    cluster.get(&cluster.core("configmaps/c")).await.ok();
}

async fn a_namespace_takes_its_content_along(cluster: &Cluster) {
    let mut held = config_map("held", json!({}));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    cluster.post(&cluster.core("configmaps"), held).await.ok();
    cluster.post(&cluster.core("configmaps"), config_map("free", json!({}))).await.ok();
    let path = format!("/api/v1/namespaces/{}", cluster.namespace);
    let answer = cluster.delete(&path, json!(null)).await.ok();
    assert_eq!(answer["status"]["phase"], "Terminating");
    let refused = cluster.post(&cluster.core("configmaps"), config_map("late", json!({}))).await;
    assert_eq!(refused.body["details"]["causes"][0]["reason"], "NamespaceTerminating");
    let message = refused.refused(403, "Forbidden");
    assert!(message.contains("unable to create new content in namespace"), "{message}");
    cluster.gone(&cluster.core("configmaps/free")).await;
    cluster.merge(&cluster.core("configmaps/held"), json!({"metadata": {"finalizers": null}})).await.ok();
    cluster.gone(&path).await;
}

async fn a_namespace_has_its_default_account(cluster: &Cluster) {
    for _ in 0..400 {
        if cluster.get(&cluster.core("serviceaccounts/default")).await.code == 200 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no default account");
}
