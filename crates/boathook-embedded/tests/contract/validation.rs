//! What an object must hold, and what must not change.

use serde_json::{Value, json};

use crate::cluster::{Cluster, config_map};
use crate::rules::{Rule, rules};

pub(crate) const RULES: &[Rule] = rules![
    names_are_subdomains,
    namespaces_and_services_are_labels,
    labels_and_annotation_keys_are_checked,
    annotations_have_a_limit,
    data_has_a_limit,
    a_request_has_a_limit,
    data_keys_are_checked,
    unknown_fields_are_told_refused_or_dropped,
    values_have_types,
    an_immutable_config_map_stays,
    the_type_of_a_secret_stays,
    the_selector_of_a_deployment_stays_and_matches,
];

fn pod_template() -> Value {
    json!({"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}})
}

fn suspended_job(name: &str) -> Value {
    json!({"metadata": {"name": name}, "spec": {"suspend": true, "template": pod_template()}})
}

async fn names_are_subdomains(cluster: &Cluster) {
    for name in ["A", "a_b", "-a", "a.", "a/b", "a..b"] {
        let answer = cluster.post(&cluster.core("configmaps"), config_map(name, json!({}))).await;
        let cause = answer.body["details"]["causes"][0].clone();
        assert_eq!(
            (&cause["reason"], &cause["field"]),
            (&json!("FieldValueInvalid"), &json!("metadata.name")),
            "{name}"
        );
        let message = answer.refused(422, "Invalid");
        assert!(message.starts_with(&format!("ConfigMap \"{name}\" is invalid: metadata.name: Invalid value: \"{name}\": a lowercase RFC 1123 subdomain")), "{message}");
    }
    cluster.post(&cluster.core("configmaps"), config_map("a.b-c", json!({}))).await.ok();
    let long = "a".repeat(254);
    cluster.post(&cluster.core("configmaps"), config_map(&long, json!({}))).await.refused(422, "Invalid");
}

async fn namespaces_and_services_are_labels(cluster: &Cluster) {
    let namespace = cluster.post("/api/v1/namespaces", json!({"metadata": {"name": "a.b"}})).await;
    let message = namespace.refused(422, "Invalid");
    assert!(message.ends_with("must not contain dots"), "{message}");
    let service = |name: &str| json!({"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}});
    let message = cluster.post(&cluster.core("services"), service("A_")).await.refused(422, "Invalid");
    assert!(message.contains("a lowercase RFC 1123 label"), "{message}");
    cluster.post(&cluster.core("services"), service("1a")).await.ok();
    let role = json!({"metadata": {"name": "system:x"}, "rules": []});
    cluster.post(&cluster.group("rbac.authorization.k8s.io/v1", "roles"), role).await.ok();
}

async fn labels_and_annotation_keys_are_checked(cluster: &Cluster) {
    for (field, map) in [
        ("labels", json!({"a b": "c"})),
        ("labels", json!({"a": "not/a/value"})),
        ("labels", json!({"a": "x".repeat(64)})),
        ("annotations", json!({"a b": "anything at all"})),
    ] {
        let mut body = config_map("a", json!({}));
        body["metadata"][field] = map;
        let message = cluster.post(&cluster.core("configmaps"), body).await.refused(422, "Invalid");
        assert!(message.contains(&format!("metadata.{field}")), "{message}");
    }
    let mut body = config_map("a", json!({}));
    body["metadata"]["annotations"] = json!({"Example.com/A": "anything at all"});
    cluster.post(&cluster.core("configmaps"), body).await.ok();
}

async fn annotations_have_a_limit(cluster: &Cluster) {
    let mut body = config_map("a", json!({}));
    body["metadata"]["annotations"] = json!({"a": "x".repeat(256 * 1024)});
    let message = cluster.post(&cluster.core("configmaps"), body).await.refused(422, "Invalid");
    assert!(message.contains("metadata.annotations: Too long"), "{message}");
}

async fn data_has_a_limit(cluster: &Cluster) {
    let big = "x".repeat(1024 * 1024 + 1);
    let secret = json!({"metadata": {"name": "s"}, "stringData": {"k": big}});
    let message = cluster.post(&cluster.core("secrets"), secret).await.refused(422, "Invalid");
    assert!(message.contains("Too long: may not be more than 1048576 bytes"), "{message}");
    cluster
        .post(&cluster.core("configmaps"), config_map("a", json!({"k": big})))
        .await
        .refused(422, "Invalid");
    let fits = "x".repeat(1024 * 1024 - 1);
    cluster.post(&cluster.core("configmaps"), config_map("a", json!({"k": fits}))).await.ok();
}

async fn a_request_has_a_limit(cluster: &Cluster) {
    let big = config_map("a", json!({"k": "x".repeat(3 * 1024 * 1024)}));
    let message = cluster.post(&cluster.core("configmaps"), big).await.refused(413, "RequestEntityTooLarge");
    assert_eq!(message, "Request entity too large: limit is 3145728");
}

async fn data_keys_are_checked(cluster: &Cluster) {
    let message = cluster
        .post(&cluster.core("configmaps"), config_map("a", json!({"a/b": "x"})))
        .await
        .refused(422, "Invalid");
    assert!(message.contains("data[a/b]: Invalid value: \"a/b\": a valid config key"), "{message}");
}

async fn unknown_fields_are_told_refused_or_dropped(cluster: &Cluster) {
    let path = cluster.group("batch/v1", "jobs");
    let mut job = suspended_job("j");
    job["spec"]["template"]["spec"]["containers"][0]["foo"] = json!(1);
    let strict = cluster.post(&format!("{path}?fieldValidation=Strict"), job.clone()).await;
    let message = strict.refused(400, "BadRequest");
    assert_eq!(
        message,
        "Job in version \"v1\" cannot be handled as a Job: strict decoding error: unknown field \"spec.template.spec.containers[0].foo\""
    );
    let warned = cluster.post(&format!("{path}?dryRun=All"), job.clone()).await;
    assert_eq!(warned.warnings, ["299 - \"unknown field \\\"spec.template.spec.containers[0].foo\\\"\""]);
    let ignored = cluster.post(&format!("{path}?fieldValidation=Ignore"), job).await;
    assert!(ignored.warnings.is_empty());
    assert!(ignored.ok()["spec"]["template"]["spec"]["containers"][0].get("foo").is_none());
    let answer = cluster.post(&format!("{path}?fieldValidation=Maybe"), suspended_job("k")).await;
    answer.refused(422, "Invalid");
}

async fn values_have_types(cluster: &Cluster) {
    let message = cluster
        .post(&cluster.core("configmaps"), config_map("a", json!({"k": 1})))
        .await
        .refused(400, "BadRequest");
    assert!(message.contains("cannot be handled as a ConfigMap: json: cannot unmarshal number"), "{message}");
    let mut labelled = config_map("a", json!({}));
    labelled["metadata"]["labels"] = json!({"a": true});
    cluster.post(&cluster.core("configmaps"), labelled).await.refused(400, "BadRequest");
    let broken = cluster.send("POST", &cluster.core("configmaps"), "application/json", "{".to_owned()).await;
    broken.refused(400, "BadRequest");
}

async fn an_immutable_config_map_stays(cluster: &Cluster) {
    let mut body = config_map("a", json!({"k": "1"}));
    body["immutable"] = json!(true);
    cluster.post(&cluster.core("configmaps"), body).await.ok();
    let path = cluster.core("configmaps/a");
    let message = cluster.merge(&path, json!({"data": {"k": "2"}})).await.refused(422, "Invalid");
    assert!(message.contains("data: Forbidden: field is immutable when `immutable` is set"), "{message}");
    cluster.merge(&path, json!({"immutable": false})).await.refused(422, "Invalid");
    cluster.merge(&path, json!({"metadata": {"labels": {"a": "b"}}})).await.ok();
}

async fn the_type_of_a_secret_stays(cluster: &Cluster) {
    cluster.post(&cluster.core("secrets"), json!({"metadata": {"name": "s"}})).await.ok();
    let message =
        cluster.merge(&cluster.core("secrets/s"), json!({"type": "x/y"})).await.refused(422, "Invalid");
    assert!(message.contains("type: Invalid value: \"x/y\": field is immutable"), "{message}");
}

async fn the_selector_of_a_deployment_stays_and_matches(cluster: &Cluster) {
    let path = cluster.group("apps/v1", "deployments");
    let deployment = |selector: &str| {
        json!({"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": {"a": selector}}, "template": {
            "metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
    };
    let message = cluster.post(&path, deployment("x")).await.refused(422, "Invalid");
    assert!(message.contains("`selector` does not match template `labels`"), "{message}");
    cluster.post(&path, deployment("b")).await.ok();
    let change = json!({"spec": {"selector": {"matchLabels": {"c": "d"}}, "template": {"metadata": {"labels": {"c": "d"}}}}});
    let message =
        cluster.merge(&cluster.group("apps/v1", "deployments/d"), change).await.refused(422, "Invalid");
    assert!(message.contains("spec.selector: Invalid value"), "{message}");
}
