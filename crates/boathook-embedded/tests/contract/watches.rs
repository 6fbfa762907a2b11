//! Watches: what is told, from where, in which order.

use serde_json::json;

use crate::cluster::{Cluster, config_map, events};
use crate::rules::{Rule, rules};

pub(crate) const RULES: &[Rule] = rules![
    a_watch_goes_on_where_a_list_ended,
    a_watch_sees_what_happens_while_it_lasts,
    a_watch_without_a_revision_starts_with_what_is_there,
    what_leaves_the_selector_is_deleted_for_the_watch,
    one_object_is_watched_by_name,
    a_bookmark_ends_the_initial_events,
    two_watches_see_the_same,
    a_watch_may_ask_for_tables,
];

/// A watch of the objects that a test labels: a real server has others in each namespace.
fn own(cluster: &Cluster, more: &str) -> String {
    format!("{}?labelSelector=w%3Dx{more}", cluster.core("configmaps"))
}

async fn make(cluster: &Cluster, name: &str) -> String {
    let mut body = config_map(name, json!({}));
    body["metadata"]["labels"] = json!({"w": "x"});
    let made = cluster.post(&cluster.core("configmaps"), body).await.ok();
    made["metadata"]["resourceVersion"].as_str().unwrap().to_owned()
}

async fn a_watch_goes_on_where_a_list_ended(cluster: &Cluster) {
    make(cluster, "before").await;
    let list = cluster.get(&own(cluster, "")).await.ok();
    let version = list["metadata"]["resourceVersion"].as_str().unwrap().to_owned();
    make(cluster, "a").await;
    cluster.merge(&cluster.core("configmaps/a"), json!({"data": {"k": "1"}})).await.ok();
    cluster.delete(&cluster.core("configmaps/a"), json!(null)).await.ok();
    let seen = cluster.watch(&own(cluster, &format!("&resourceVersion={version}"))).await;
    assert_eq!(events(&seen), ["ADDED a", "MODIFIED a", "DELETED a"]);
    let versions: Vec<u64> = seen
        .iter()
        .map(|event| event["object"]["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(versions.is_sorted() && versions[0] > version.parse::<u64>().unwrap(), "{versions:?}");
    assert_eq!(seen[0]["object"]["kind"], "ConfigMap");
}

async fn a_watch_sees_what_happens_while_it_lasts(cluster: &Cluster) {
    let path = own(cluster, "");
    let (seen, ()) = tokio::join!(cluster.watch(&path), async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        make(cluster, "a").await;
    });
    assert_eq!(events(&seen), ["ADDED a"]);
}

async fn a_watch_without_a_revision_starts_with_what_is_there(cluster: &Cluster) {
    make(cluster, "a").await;
    make(cluster, "b").await;
    assert_eq!(events(&cluster.watch(&own(cluster, "")).await), ["ADDED a", "ADDED b"]);
    assert_eq!(events(&cluster.watch(&own(cluster, "&resourceVersion=0")).await), ["ADDED a", "ADDED b"]);
}

async fn what_leaves_the_selector_is_deleted_for_the_watch(cluster: &Cluster) {
    let version = make(cluster, "a").await;
    cluster.merge(&cluster.core("configmaps/a"), json!({"metadata": {"labels": {"w": "y"}}})).await.ok();
    cluster.merge(&cluster.core("configmaps/a"), json!({"metadata": {"labels": {"w": "x"}}})).await.ok();
    let seen = cluster.watch(&own(cluster, &format!("&resourceVersion={version}"))).await;
    assert_eq!(events(&seen), ["DELETED a", "ADDED a"]);
    assert_eq!(seen[0]["object"]["metadata"]["labels"]["w"], "x");
}

async fn one_object_is_watched_by_name(cluster: &Cluster) {
    let version = make(cluster, "a").await;
    make(cluster, "b").await;
    cluster.merge(&cluster.core("configmaps/a"), json!({"data": {"k": "1"}})).await.ok();
    let path =
        format!("{}?fieldSelector=metadata.name%3Da&resourceVersion={version}", cluster.core("configmaps"));
    assert_eq!(events(&cluster.watch(&path).await), ["MODIFIED a"]);
}

async fn a_bookmark_ends_the_initial_events(cluster: &Cluster) {
    make(cluster, "a").await;
    let options = "&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let seen = cluster.watch(&own(cluster, options)).await;
    assert_eq!(events(&seen)[..2], ["ADDED a", "BOOKMARK "]);
    assert_eq!(seen[1]["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(seen[1]["object"]["kind"], "ConfigMap");
    let answer = cluster.get(&own(cluster, "&watch=1&sendInitialEvents=true")).await;
    answer.refused(422, "Invalid");
}

async fn two_watches_see_the_same(cluster: &Cluster) {
    let path = own(cluster, "");
    let (one, two, ()) = tokio::join!(cluster.watch(&path), cluster.watch(&path), async {
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        make(cluster, "a").await;
    });
    assert_eq!(events(&one), ["ADDED a"]);
    assert_eq!(one, two);
}

async fn a_watch_may_ask_for_tables(cluster: &Cluster) {
    use http_body_util::BodyExt as _;
    make(cluster, "a").await;
    let request = http::Request::get(own(cluster, "&watch=1&timeoutSeconds=1"))
        .header("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
        .body(kube::client::Body::empty())
        .unwrap();
    let answer = cluster.client.send(request).await.unwrap();
    let ((), bytes) = tokio::join!(
        async {
            make(cluster, "b").await;
        },
        answer.into_body().collect()
    );
    let text = String::from_utf8(bytes.unwrap().to_bytes().to_vec()).unwrap();
    let seen: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&serde_json::Value> =
        seen.iter().map(|event| &event["object"]["rows"][0]["cells"][0]).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(
        seen[0]["object"]["columnDefinitions"].is_array() && seen[1]["object"]["columnDefinitions"].is_null()
    );
}
