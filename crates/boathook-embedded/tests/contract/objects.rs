//! Creating, reading, replacing and deleting objects.

use serde_json::json;

use crate::cluster::{Cluster, config_map};
use crate::rules::{Rule, rules};

pub(crate) const RULES: &[Rule] = rules![
    a_created_object_has_identity_and_version,
    a_name_is_taken_once,
    what_is_not_there_is_not_found,
    a_generated_name_has_five_characters_more,
    a_name_is_required,
    a_namespace_must_exist,
    the_namespace_of_the_body_must_be_that_of_the_path,
    the_name_of_the_body_must_be_that_of_the_path,
    a_body_of_another_version_is_refused,
    replace_with_an_old_version_conflicts,
    replace_without_a_version_always_goes_through,
    replace_of_another_uid_conflicts,
    replace_creates_nothing,
    a_write_that_changes_nothing_keeps_the_version,
    a_dry_run_keeps_nothing,
    string_data_of_a_secret_becomes_data,
    status_has_an_endpoint_of_its_own,
    generation_counts_changes_of_the_spec,
    a_version_cannot_be_chosen_at_creation,
    a_namespace_is_labelled_with_its_name,
    the_updater_owns_what_it_changed,
    the_program_names_the_manager_if_nothing_else_does,
];

async fn a_created_object_has_identity_and_version(cluster: &Cluster) {
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

async fn a_name_is_taken_once(cluster: &Cluster) {
    let path = cluster.core("configmaps");
    cluster.post(&path, config_map("a", json!({}))).await.ok();
    let message = cluster.post(&path, config_map("a", json!({}))).await.refused(409, "AlreadyExists");
    assert_eq!(message, "configmaps \"a\" already exists");
}

async fn what_is_not_there_is_not_found(cluster: &Cluster) {
    let answer = cluster.get(&cluster.core("configmaps/a")).await;
    assert_eq!(answer.body["details"], json!({"name": "a", "kind": "configmaps"}));
    assert_eq!(answer.refused(404, "NotFound"), "configmaps \"a\" not found");
    let answer = cluster.delete(&cluster.group("batch/v1", "jobs/j"), json!(null)).await;
    assert_eq!(answer.refused(404, "NotFound"), "jobs.batch \"j\" not found");
}

async fn a_generated_name_has_five_characters_more(cluster: &Cluster) {
    let body = json!({"metadata": {"generateName": "g-"}});
    let made = cluster.post(&cluster.core("configmaps"), body).await.ok();
    let name = made["metadata"]["name"].as_str().unwrap();
    assert!(name.starts_with("g-") && name.len() == 7, "{name}");
}

async fn a_name_is_required(cluster: &Cluster) {
    let message = cluster.post(&cluster.core("configmaps"), json!({})).await.refused(422, "Invalid");
    assert!(message.contains("metadata.name: Required value: name or generateName is required"), "{message}");
}

async fn a_namespace_must_exist(cluster: &Cluster) {
    let answer =
        cluster.post("/api/v1/namespaces/nowhere-at-all/configmaps", config_map("a", json!({}))).await;
    assert_eq!(answer.refused(404, "NotFound"), "namespaces \"nowhere-at-all\" not found");
}

async fn the_namespace_of_the_body_must_be_that_of_the_path(cluster: &Cluster) {
    let mut body = config_map("a", json!({}));
    body["metadata"]["namespace"] = json!("default");
    let message = cluster.post(&cluster.core("configmaps"), body).await.refused(400, "BadRequest");
    assert_eq!(
        message,
        "the namespace of the provided object does not match the namespace sent on the request"
    );
}

async fn the_name_of_the_body_must_be_that_of_the_path(cluster: &Cluster) {
    cluster.post(&cluster.core("configmaps"), config_map("a", json!({}))).await.ok();
    let answer = cluster.put(&cluster.core("configmaps/a"), config_map("b", json!({}))).await;
    assert_eq!(
        answer.refused(400, "BadRequest"),
        "the name of the object (b) does not match the name on the URL (a)"
    );
}

async fn a_body_of_another_version_is_refused(cluster: &Cluster) {
    let mut body = config_map("a", json!({}));
    body["apiVersion"] = json!("apps/v1");
    let message = cluster.post(&cluster.core("configmaps"), body).await.refused(400, "BadRequest");
    assert!(message.contains("no kind \"ConfigMap\" is registered for version \"apps/v1\""), "{message}");
}

async fn replace_with_an_old_version_conflicts(cluster: &Cluster) {
    let old = cluster.post(&cluster.core("configmaps"), config_map("a", json!({"k": "1"}))).await.ok();
    let path = cluster.core("configmaps/a");
    cluster.merge(&path, json!({"data": {"k": "2"}})).await.ok();
    let message = cluster.put(&path, old).await.refused(409, "Conflict");
    assert_eq!(
        message,
        "Operation cannot be fulfilled on configmaps \"a\": the object has been modified; please apply your changes to the latest version and try again"
    );
    assert_eq!(cluster.get(&path).await.ok()["data"]["k"], "2");
}

async fn replace_without_a_version_always_goes_through(cluster: &Cluster) {
    let made = cluster.post(&cluster.core("configmaps"), config_map("a", json!({"k": "1"}))).await.ok();
    let new = cluster.put(&cluster.core("configmaps/a"), config_map("a", json!({"k": "2"}))).await.ok();
    assert_eq!(new["data"]["k"], "2");
    assert_eq!(new["metadata"]["uid"], made["metadata"]["uid"]);
    assert_eq!(new["metadata"]["creationTimestamp"], made["metadata"]["creationTimestamp"]);
    assert_ne!(new["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
}

async fn replace_of_another_uid_conflicts(cluster: &Cluster) {
    cluster.post(&cluster.core("configmaps"), config_map("a", json!({}))).await.ok();
    let mut body = config_map("a", json!({"k": "v"}));
    body["metadata"]["uid"] = json!("00000000-0000-4000-8000-000000000000");
    let message = cluster.put(&cluster.core("configmaps/a"), body).await.refused(409, "Conflict");
    assert!(message.contains("Precondition failed: UID in precondition"), "{message}");
}

async fn replace_creates_nothing(cluster: &Cluster) {
    let answer = cluster.put(&cluster.core("configmaps/a"), config_map("a", json!({}))).await;
    answer.refused(404, "NotFound");
}

async fn a_write_that_changes_nothing_keeps_the_version(cluster: &Cluster) {
    let made = cluster.post(&cluster.core("configmaps"), config_map("a", json!({"k": "v"}))).await.ok();
    let path = cluster.core("configmaps/a");
    let same = cluster.merge(&path, json!({"data": {"k": "v"}})).await.ok();
    assert_eq!(same["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
    let again = cluster.put(&path, made.clone()).await.ok();
    assert_eq!(again["metadata"]["resourceVersion"], made["metadata"]["resourceVersion"]);
}

async fn a_dry_run_keeps_nothing(cluster: &Cluster) {
    let path = cluster.core("configmaps");
    let made = cluster.post(&format!("{path}?dryRun=All"), config_map("a", json!({}))).await;
    assert_eq!(made.code, 201);
    assert!(made.ok()["metadata"]["uid"].is_string());
    cluster.get(&cluster.core("configmaps/a")).await.refused(404, "NotFound");
    cluster.post(&path, config_map("a", json!({"k": "1"}))).await.ok();
    let object = cluster.core("configmaps/a");
    let changed = cluster.merge(&format!("{object}?dryRun=All"), json!({"data": {"k": "2"}})).await.ok();
    assert_eq!(changed["data"]["k"], "2");
    cluster.delete(&format!("{object}?dryRun=All"), json!(null)).await.ok();
    assert_eq!(cluster.get(&object).await.ok()["data"]["k"], "1");
    let duplicate = cluster.post(&format!("{path}?dryRun=All"), config_map("a", json!({}))).await;
    duplicate.refused(409, "AlreadyExists");
    let unknown = cluster.post(&format!("{path}?dryRun=Some"), config_map("b", json!({}))).await;
    unknown.refused(422, "Invalid");
}

async fn string_data_of_a_secret_becomes_data(cluster: &Cluster) {
    let secret = json!({"metadata": {"name": "s"}, "stringData": {"k": "v"}});
    let made = cluster.post(&cluster.core("secrets"), secret).await.ok();
    assert_eq!(made["data"], json!({"k": "dg=="}));
    assert_eq!(made["type"], "Opaque");
    assert!(made.get("stringData").is_none());
}

async fn status_has_an_endpoint_of_its_own(cluster: &Cluster) {
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Always"}, "status": {"message": "mine"}});
    let made = cluster.post(&cluster.core("pods"), pod).await.ok();
    assert!(made["status"]["message"].is_null());
    let path = cluster.core("pods/p");
    cluster
        .merge(&path, json!({"status": {"message": "mine"}, "metadata": {"labels": {"a": "b"}}}))
        .await
        .ok();
    let read = cluster.get(&path).await.ok();
    assert!(read["status"]["message"].is_null());
    assert_eq!(read["metadata"]["labels"]["a"], "b");
    let status = cluster.merge(&format!("{path}/status"), json!({"status": {"message": "ours"}})).await.ok();
    assert_eq!(status["status"]["message"], "ours");
}

async fn generation_counts_changes_of_the_spec(cluster: &Cluster) {
    let hook = json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "n"}, "spec": {"podSelector": {}}});
    let made = cluster.post(&cluster.group("networking.k8s.io/v1", "networkpolicies"), hook).await.ok();
    assert_eq!(made["metadata"]["generation"], 1);
    let path = cluster.group("networking.k8s.io/v1", "networkpolicies/n");
    let labelled = cluster.merge(&path, json!({"metadata": {"labels": {"a": "b"}}})).await.ok();
    assert_eq!(labelled["metadata"]["generation"], 1);
    let changed =
        cluster.merge(&path, json!({"spec": {"podSelector": {"matchLabels": {"a": "b"}}}})).await.ok();
    assert_eq!(changed["metadata"]["generation"], 2);
}

async fn a_version_cannot_be_chosen_at_creation(cluster: &Cluster) {
    let mut body = config_map("a", json!({}));
    body["metadata"]["resourceVersion"] = json!("1");
    let answer = cluster.post(&cluster.core("configmaps"), body).await;
    assert_eq!(answer.body["message"], "resourceVersion should not be set on objects to be created");
}

async fn a_namespace_is_labelled_with_its_name(cluster: &Cluster) {
    let read = cluster.get(&format!("/api/v1/namespaces/{}", cluster.namespace)).await.ok();
    assert_eq!(read["metadata"]["labels"]["kubernetes.io/metadata.name"], cluster.namespace.as_str());
    assert_eq!(read["status"]["phase"], "Active");
}

async fn the_updater_owns_what_it_changed(cluster: &Cluster) {
    let path = format!("{}?fieldManager=one", cluster.core("configmaps"));
    cluster.post(&path, config_map("a", json!({"k": "1"}))).await.ok();
    let path = format!("{}?fieldManager=two", cluster.core("configmaps/a"));
    let object = cluster.merge(&path, json!({"data": {"l": "2"}})).await.ok();
    let entries = object["metadata"]["managedFields"].as_array().unwrap();
    let of = |name: &str| entries.iter().find(|entry| entry["manager"] == name).unwrap();
    assert_eq!(of("one")["operation"], "Update");
    assert_eq!(of("one")["fieldsV1"], json!({"f:data": {".": {}, "f:k": {}}}));
    assert_eq!(of("two")["fieldsV1"], json!({"f:data": {"f:l": {}}}));
}

async fn the_program_names_the_manager_if_nothing_else_does(cluster: &Cluster) {
    let made = cluster.post(&cluster.core("configmaps"), config_map("a", json!({"k": "1"}))).await.ok();
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "contract");
}
