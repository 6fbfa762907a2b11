//! Discovery, health, and requests that nothing answers.

use kube::discovery::{Discovery, Scope};
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::rules::{Rule, rules};

pub(crate) const RULES: &[Rule] = rules![
    both_forms_of_discovery_agree,
    versions_and_health,
    version_2_is_there_for_what_version_3_has_not,
    writes_take_field_validation,
    unknown_paths_are_not_found,
    methods_that_are_not_served,
    media_types_that_are_not_served,
    tables_and_metadata,
];

async fn both_forms_of_discovery_agree(cluster: &Cluster) {
    let old = Discovery::new(cluster.client.clone()).run().await.unwrap();
    let new = Discovery::new(cluster.client.clone()).run_aggregated().await.unwrap();
    for (group, version, kind, scope, plural) in [
        ("", "v1", "ConfigMap", Scope::Namespaced, "configmaps"),
        ("", "v1", "Namespace", Scope::Cluster, "namespaces"),
        ("apps", "v1", "Deployment", Scope::Namespaced, "deployments"),
        ("batch", "v1", "Job", Scope::Namespaced, "jobs"),
        ("rbac.authorization.k8s.io", "v1", "ClusterRole", Scope::Cluster, "clusterroles"),
        (
            "apiextensions.k8s.io",
            "v1",
            "CustomResourceDefinition",
            Scope::Cluster,
            "customresourcedefinitions",
        ),
    ] {
        let kind = kube::core::GroupVersionKind::gvk(group, version, kind);
        for discovery in [&old, &new] {
            let (resource, capabilities) = discovery.resolve_gvk(&kind).unwrap();
            assert_eq!((resource.plural.as_str(), capabilities.scope == scope), (plural, true), "{kind:?}");
            assert!(capabilities.supports_operation("watch"));
        }
    }
}

async fn versions_and_health(cluster: &Cluster) {
    let version = cluster.client.apiserver_version().await.unwrap();
    assert_eq!(version.major, "1");
    for path in ["/healthz", "/livez", "/readyz"] {
        assert_eq!(cluster.get(path).await.ok(), json!("ok"));
    }
}

async fn version_2_is_there_for_what_version_3_has_not(cluster: &Cluster) {
    assert_eq!(cluster.get("/openapi/v2").await.ok()["swagger"], "2.0");
}

async fn writes_take_field_validation(cluster: &Cluster) {
    let index = cluster.get("/openapi/v3").await.ok();
    let url = index["paths"]["apis/batch/v1"]["serverRelativeURL"].as_str().unwrap();
    let document = cluster.get(url).await.ok();
    let paths = document["paths"].as_object().unwrap();
    let operation = paths.values().flat_map(|path| path.as_object().unwrap().values()).find(|one| {
        one["x-kubernetes-group-version-kind"] == json!({"group": "batch", "version": "v1", "kind": "Job"})
            && one["x-kubernetes-action"] == "patch"
    });
    let parameters = operation.unwrap()["parameters"].as_array().cloned().unwrap_or_default();
    let named = |parameter: &Value| {
        parameter["name"] == "fieldValidation"
            || parameter["$ref"].as_str().is_some_and(|text| text.contains("fieldValidation"))
    };
    assert!(parameters.iter().any(named));
}

async fn unknown_paths_are_not_found(cluster: &Cluster) {
    for path in
        ["/api/v1/nothing", "/apis/nothing.example.com/v1/things", "/apis/apps/v9/deployments", "/api/v2"]
    {
        cluster.get(path).await;
        assert_eq!(cluster.get(path).await.code, 404, "{path}");
    }
    let answer = cluster.get("/apis/nothing.example.com/v1/things").await;
    assert!(answer.code == 404);
    cluster.get(&cluster.core("configmaps/a/nothing")).await;
    assert_eq!(cluster.get(&cluster.core("configmaps/a/nothing")).await.code, 404);
}

async fn methods_that_are_not_served(cluster: &Cluster) {
    let path = cluster.core("configmaps");
    let message = cluster.put(&path, json!({})).await.refused(405, "MethodNotAllowed");
    assert_eq!(message, "the server does not allow this method on the requested resource");
    cluster.post(&cluster.core("configmaps/a"), json!({})).await.refused(405, "MethodNotAllowed");
}

async fn media_types_that_are_not_served(cluster: &Cluster) {
    let path = cluster.core("configmaps");
    cluster.send("POST", &path, "text/html", "x".to_owned()).await.refused(415, "UnsupportedMediaType");
    let request =
        http::Request::get(&path).header("Accept", "text/html").body(kube::client::Body::empty()).unwrap();
    assert_eq!(cluster.client.send(request).await.unwrap().status(), 406);
}

async fn tables_and_metadata(cluster: &Cluster) {
    cluster.post(&cluster.core("configmaps"), crate::cluster::config_map("a", json!({"k": "v"}))).await.ok();
    let ask = async |accept: &str, path: &str| -> Value {
        let request = http::Request::get(path).header("Accept", accept).body(vec![]).unwrap();
        cluster.client.request(request).await.unwrap()
    };
    let path = cluster.core("configmaps/a");
    let table = ask("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", &path).await;
    assert_eq!(table["kind"], "Table");
    let titles: Vec<&Value> =
        table["columnDefinitions"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(titles, ["Name", "Data", "Age"]);
    assert_eq!(table["rows"][0]["cells"][0], "a");
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let metadata = ask("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", &path).await;
    assert_eq!(metadata["metadata"]["name"], "a");
    assert!(metadata.get("data").is_none());
}
