//! Lists: selectors, pages, revisions, tables.

use serde_json::json;

use crate::cluster::{Cluster, config_map};
use crate::rules::{Rule, rules};

pub(crate) const RULES: &[Rule] = rules![
    label_selectors,
    field_selectors,
    a_list_has_kind_and_version,
    a_list_of_all_namespaces,
    pages_show_one_moment,
    a_revision_of_the_future_is_refused,
    an_exact_revision_shows_the_past,
];

async fn labelled(cluster: &Cluster) {
    for (name, labels) in
        [("a", json!({"app": "web", "tier": "front"})), ("b", json!({"app": "web"})), ("c", json!({}))]
    {
        let mut body = config_map(name, json!({}));
        body["metadata"]["labels"] = labels;
        body["metadata"]["annotations"] = json!({"mine": "yes"});
        cluster.post(&cluster.core("configmaps"), body).await.ok();
    }
}

/// Names of what the test made: a real server has a ConfigMap of its own in each namespace.
async fn names(cluster: &Cluster, query: &str) -> Vec<String> {
    let list = cluster.get(&format!("{}?{query}", cluster.core("configmaps"))).await.ok();
    let own = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["metadata"]["annotations"]["mine"] == "yes");
    own.map(|item| item["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

async fn label_selectors(cluster: &Cluster) {
    labelled(cluster).await;
    for (selector, expected) in [
        ("app%3Dweb", vec!["a", "b"]),
        ("app%3Dweb%2Ctier%3Dfront", vec!["a"]),
        ("app%21%3Dweb", vec!["c"]),
        ("app", vec!["a", "b"]),
        ("%21app", vec!["c"]),
        ("tier%20in%20%28front%2Cback%29", vec!["a"]),
        ("tier%20notin%20%28front%29", vec!["b", "c"]),
    ] {
        assert_eq!(names(cluster, &format!("labelSelector={selector}")).await, expected, "{selector}");
    }
    let broken = cluster.get(&format!("{}?labelSelector=a%3D%28", cluster.core("configmaps"))).await;
    broken.refused(400, "BadRequest");
}

async fn field_selectors(cluster: &Cluster) {
    labelled(cluster).await;
    assert_eq!(names(cluster, "fieldSelector=metadata.name%3Da").await, ["a"]);
    assert_eq!(names(cluster, "fieldSelector=metadata.name%21%3Da").await, ["b", "c"]);
    let answer = cluster.get(&format!("{}?fieldSelector=data.k%3Da", cluster.core("configmaps"))).await;
    let message = answer.refused(400, "BadRequest");
    let expected = "\"data.k\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"";
    assert_eq!(message, expected);
    let answer =
        cluster.get(&format!("{}?fieldSelector=spec.managedBy%3Da", cluster.group("batch/v1", "jobs"))).await;
    assert_eq!(answer.refused(400, "BadRequest"), "field label \"spec.managedBy\" not supported for Job");
    let secret = json!({"metadata": {"name": "s"}, "type": "example.com/t"});
    cluster.post(&cluster.core("secrets"), secret).await.ok();
    let list =
        cluster.get(&format!("{}?fieldSelector=type%3Dexample.com/t", cluster.core("secrets"))).await.ok();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

async fn a_list_has_kind_and_version(cluster: &Cluster) {
    let made = cluster.post(&cluster.core("configmaps"), config_map("a", json!({}))).await.ok();
    let list = cluster.get(&cluster.core("configmaps")).await.ok();
    assert_eq!((&list["kind"], &list["apiVersion"]), (&json!("ConfigMapList"), &json!("v1")));
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<u64>().unwrap();
    assert!(number(&list["metadata"]["resourceVersion"]) >= number(&made["metadata"]["resourceVersion"]));
    assert!(list["items"][0].get("kind").is_none());
}

async fn a_list_of_all_namespaces(cluster: &Cluster) {
    let mut body = config_map("everywhere", json!({}));
    body["metadata"]["labels"] = json!({"ns": cluster.namespace});
    cluster.post(&cluster.core("configmaps"), body).await.ok();
    let list =
        cluster.get(&format!("/api/v1/configmaps?labelSelector=ns%3D{}", cluster.namespace)).await.ok();
    assert_eq!(list["items"][0]["metadata"]["namespace"], cluster.namespace.as_str());
    let answer = cluster.post("/api/v1/configmaps", config_map("a", json!({}))).await;
    assert_eq!(answer.code, 405);
}

async fn pages_show_one_moment(cluster: &Cluster) {
    for name in ["a", "b", "c", "d"] {
        let mut body = config_map(name, json!({"k": "1"}));
        body["metadata"]["labels"] = json!({"page": "x"});
        cluster.post(&cluster.core("configmaps"), body).await.ok();
    }
    let path = format!("{}?labelSelector=page%3Dx&limit=2", cluster.core("configmaps"));
    let first = cluster.get(&path).await.ok();
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    cluster.delete(&cluster.core("configmaps/c"), json!(null)).await.ok();
    cluster.merge(&cluster.core("configmaps/d"), json!({"data": {"k": "2"}})).await.ok();
    // How many of the others match is not known before they are looked at.
    assert!(first["metadata"].get("remainingItemCount").is_none());
    let mut seen = Vec::new();
    let mut page = first.clone();
    while let Some(token) = page["metadata"]["continue"].as_str() {
        page = cluster.get(&format!("{path}&continue={token}")).await.ok();
        assert_eq!(page["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
        for item in page["items"].as_array().unwrap() {
            seen.push((item["metadata"]["name"].clone(), item["data"]["k"].clone()));
        }
    }
    assert_eq!(seen, [(json!("c"), json!("1")), (json!("d"), json!("1"))]);
    let broken = cluster.get(&format!("{path}&continue=nonsense!")).await;
    broken.refused(400, "BadRequest");
}

async fn a_revision_of_the_future_is_refused(cluster: &Cluster) {
    let answer = cluster.get(&format!("{}?resourceVersion=99999999999", cluster.core("configmaps"))).await;
    assert_eq!((answer.code, &answer.body["reason"]), (504, &json!("Timeout")));
    assert_eq!(answer.body["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
}

async fn an_exact_revision_shows_the_past(cluster: &Cluster) {
    let mut body = config_map("a", json!({"k": "1"}));
    body["metadata"]["annotations"] = json!({"mine": "yes"});
    let made = cluster.post(&cluster.core("configmaps"), body).await.ok();
    cluster.delete(&cluster.core("configmaps/a"), json!(null)).await.ok();
    let version = made["metadata"]["resourceVersion"].as_str().unwrap();
    assert_eq!(names(cluster, &format!("resourceVersion={version}&resourceVersionMatch=Exact")).await, ["a"]);
    assert!(names(cluster, "").await.is_empty());
}
