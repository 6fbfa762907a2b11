//! What an object must hold, and what must not change.

use serde_json::{Value, json};

use crate::cluster::{Cluster, config_map};
use crate::rules::{Rule, rules};

pub(crate) const RULES: &[Rule] = rules![
    names_are_subdomains,
    namespaces_are_labels_and_services_start_with_a_letter,
    labels_and_annotation_keys_are_checked,
    annotations_have_a_limit,
    data_has_a_limit,
    a_request_has_a_limit,
    data_keys_are_checked,
    unknown_fields_are_told_refused_or_dropped,
    values_have_types,
    an_immutable_config_map_stays,
    the_type_of_a_secret_stays,
    the_template_of_a_job_stays,
    a_foreign_controller_has_a_domain,
    a_job_needs_containers_and_a_restart_policy,
    a_job_gets_its_defaults,
    the_selector_of_a_deployment_stays_and_matches,
    a_definition_serves_its_kind,
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

async fn namespaces_are_labels_and_services_start_with_a_letter(cluster: &Cluster) {
    cluster.post("/api/v1/namespaces", json!({"metadata": {"name": "a.b"}})).await.refused(422, "Invalid");
    let service = json!({"metadata": {"name": "1a"}, "spec": {"ports": [{"port": 80}]}});
    let message = cluster.post(&cluster.core("services"), service).await.refused(422, "Invalid");
    assert!(message.contains("DNS-1035"), "{message}");
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

async fn the_template_of_a_job_stays(cluster: &Cluster) {
    let mut job = suspended_job("j");
    job["spec"]["suspend"] = json!(false);
    job["spec"]["managedBy"] = json!("example.com/nobody");
    cluster.post(&cluster.group("batch/v1", "jobs"), job).await.ok();
    let path = cluster.group("batch/v1", "jobs/j");
    let change = json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "other"}]}}}});
    let message = cluster.merge(&path, change).await.refused(422, "Invalid");
    assert!(message.starts_with("Job.batch \"j\" is invalid: spec.template: Invalid value: "), "{message}");
    assert!(message.ends_with("field is immutable"), "{message}");
    cluster.merge(&path, json!({"spec": {"managedBy": "example.com/other"}})).await.refused(422, "Invalid");
    cluster.merge(&path, json!({"spec": {"parallelism": 2}})).await.ok();
}

async fn a_foreign_controller_has_a_domain(cluster: &Cluster) {
    let long = format!("example.com/{}", "x".repeat(60));
    for name in ["nodomain", "acme.io/", "/x", "Acme.io/x", &long] {
        let mut job = suspended_job("j");
        job["spec"]["managedBy"] = json!(name);
        cluster.post(&cluster.group("batch/v1", "jobs"), job).await.refused(422, "Invalid");
    }
}

async fn a_job_needs_containers_and_a_restart_policy(cluster: &Cluster) {
    let path = cluster.group("batch/v1", "jobs");
    let mut job = suspended_job("j");
    job["spec"]["template"]["spec"]["containers"] = json!([]);
    let message = cluster.post(&path, job).await.refused(422, "Invalid");
    assert!(message.contains("spec.template.spec.containers: Required value"), "{message}");
    let mut job = suspended_job("j");
    job["spec"]["template"]["spec"] = json!({"containers": [{"name": "c", "image": "i"}]});
    let message = cluster.post(&path, job).await.refused(422, "Invalid");
    assert!(
        message.contains(
            "spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""
        ),
        "{message}"
    );
    let mut job = suspended_job("j");
    job["spec"]["template"]["spec"]["containers"] = json!([{"name": "c"}]);
    let message = cluster.post(&path, job).await.refused(422, "Invalid");
    assert!(message.contains("spec.template.spec.containers[0].image: Required value"), "{message}");
}

async fn a_job_gets_its_defaults(cluster: &Cluster) {
    let job = cluster.post(&cluster.group("batch/v1", "jobs"), suspended_job("j")).await.ok();
    let spec = &job["spec"];
    assert_eq!(
        (&spec["backoffLimit"], &spec["completions"], &spec["parallelism"]),
        (&json!(6), &json!(1), &json!(1))
    );
    let uid = &job["metadata"]["uid"];
    assert_eq!(spec["selector"], json!({"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}));
    let labels = &spec["template"]["metadata"]["labels"];
    assert_eq!((&labels["job-name"], &labels["batch.kubernetes.io/job-name"]), (&json!("j"), &json!("j")));
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

async fn a_definition_serves_its_kind(cluster: &Cluster) {
    let group = format!("{}.example.com", cluster.namespace);
    let definition = json!({"metadata": {"name": format!("things.{group}")}, "spec": {
        "group": group, "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
        "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}}, "schema": {"openAPIV3Schema": {
            "type": "object", "properties": {
                "spec": {"type": "object", "required": ["size"], "properties": {"size": {"type": "integer"}, "tags": {
                    "type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}, "v": {"type": "string"}}},
                    "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}}},
                "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}}}]}});
    let definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    cluster.post(definitions, definition).await.ok();
    let path = cluster.group(&format!("{group}/v1"), "things");
    let thing = |spec: Value| json!({"apiVersion": format!("{group}/v1"), "kind": "Thing", "metadata": {"name": "t"}, "spec": spec});
    // A real server takes a moment to serve a new kind.
    for _ in 0..100 {
        if cluster.get(&path).await.code == 200 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let read = cluster.get(&format!("{definitions}/things.{group}")).await.ok();
    let conditions = read["status"]["conditions"].as_array().unwrap();
    assert!(conditions.iter().any(|one| one["type"] == "Established" && one["status"] == "True"));
    let message = cluster.post(&path, thing(json!({}))).await.refused(422, "Invalid");
    assert!(message.contains("spec.size: Required value"), "{message}");
    let made = cluster
        .post(&path, thing(json!({"size": 1, "tags": [{"name": "a", "v": "1"}], "other": 1})))
        .await
        .ok();
    assert_eq!(made["metadata"]["generation"], 1);
    assert!(made["spec"].get("other").is_none());
    let object = format!("{path}/t");
    cluster.apply(&object, "x", "", thing(json!({"size": 1, "tags": [{"name": "b", "v": "2"}]}))).await.ok();
    assert_eq!(cluster.get(&object).await.ok()["spec"]["tags"].as_array().unwrap().len(), 2);
    let ignored = cluster.merge(&object, json!({"status": {"a": 1}})).await.ok();
    assert!(ignored.get("status").is_none());
    cluster.merge(&format!("{object}/status"), json!({"status": {"a": 1}})).await.ok();
    assert_eq!(cluster.get(&object).await.ok()["status"]["a"], 1);
    cluster.strategic(&object, json!({"spec": {"size": 2}})).await.refused(415, "UnsupportedMediaType");
    cluster.delete(&format!("{definitions}/things.{group}"), json!(null)).await.ok();
    for _ in 0..100 {
        if cluster.get(&path).await.code == 404 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the kind is still served");
}
