//! Every method of the port against the embedded API. No request here is one that only that API would accept.

use std::time::Duration;

use boathook_core::Gvk;
use boathook_core::names::{Collection, Name, Target};
use boathook_embedded::Embedded;
use boathook_engine::cluster::{
    Cluster as _, ClusterErrorKind, ListOptions, Patch, Preconditions, Verdict, WriteOptions,
};
use boathook_kube::KubeCluster;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::{config_map, config_maps, object};

fn cluster() -> KubeCluster {
    KubeCluster::new(Embedded::new().client("team"))
}

fn by(manager: &str) -> WriteOptions {
    WriteOptions::by(manager)
}

fn map(name: &str, data: Value) -> boathook_core::Object {
    object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}))
}

#[tokio::test]
async fn kinds_are_found_and_missing_ones_named() {
    let cluster = cluster();
    assert_eq!(cluster.default_namespace(), "team");
    let job = cluster.resolve(&Gvk::new("batch/v1", "Job")).await.unwrap();
    assert_eq!((job.plural.as_str(), job.namespaced), ("jobs", true));
    assert!(!cluster.resolve(&Gvk::new("v1", "Namespace")).await.unwrap().namespaced);
    for (version, kind) in [("v1", "Widget"), ("example.com/v1", "Widget"), ("../v1", "Widget"), ("", "Pod")]
    {
        let error = cluster.resolve(&Gvk::new(version, kind)).await.unwrap_err();
        assert_eq!(error.kind, ClusterErrorKind::NoSuchKind, "{version}");
        assert_eq!(error.message, format!("no matches for kind {kind:?} in version {version:?}"));
    }
}

#[tokio::test]
async fn a_cluster_says_what_it_serves() {
    let capabilities = cluster().capabilities().await.unwrap();
    assert!(capabilities.version.starts_with("v1."), "{capabilities:?}");
    assert_eq!(capabilities.major, "1");
    for served in ["v1", "v1/ConfigMap", "apps/v1", "apps/v1/Deployment", "apps/v1/Scale", "batch/v1/Job"] {
        assert!(capabilities.api_versions.contains(served), "{served}: {capabilities:?}");
    }
}

#[tokio::test]
async fn a_kind_that_appears_later_is_found() {
    let cluster = cluster();
    let gvk = Gvk::new("example.com/v1", "Widget");
    assert!(cluster.resolve(&gvk).await.is_err());
    let crd = object(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Cluster",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    }));
    let resource = cluster.resolve(&crd.reference().gvk()).await.unwrap();
    cluster.create(&Collection { resource, namespace: None }, &crd, &by("test")).await.unwrap();
    let widgets = cluster.resolve(&gvk).await.unwrap();
    assert_eq!((widgets.plural.as_str(), widgets.namespaced), ("widgets", false));
}

#[tokio::test]
async fn objects_are_made_read_changed_and_deleted() {
    let cluster = cluster();
    let target = config_map("a");
    assert_eq!(cluster.get(&target).await.unwrap_err().kind, ClusterErrorKind::NotFound);
    let made = cluster.create(&config_maps(), &map("a", json!({"k": "1"})), &by("test")).await.unwrap();
    let again = cluster.create(&config_maps(), &map("a", json!({})), &by("test")).await.unwrap_err();
    assert_eq!(again.kind, ClusterErrorKind::AlreadyExists);
    assert_eq!(again.message, "configmaps \"a\" already exists");
    assert_eq!(cluster.get(&target).await.unwrap(), made);

    let patches = [
        Patch::JsonMerge(json!({"data": {"merge": "2"}})),
        Patch::StrategicMerge(json!({"data": {"strategic": "3"}})),
        Patch::Json(json!([{"op": "add", "path": "/data/json", "value": "4"}])),
    ];
    for patch in patches {
        cluster.patch(&target, &patch, &by("test")).await.unwrap();
    }
    let changed = cluster.get(&target).await.unwrap();
    assert_eq!(changed.get(&["data"]), Some(&json!({"k": "1", "merge": "2", "strategic": "3", "json": "4"})));

    let stale = cluster.patch(&target, &Patch::Replace(made), &by("test")).await.unwrap_err();
    assert_eq!(stale.kind, ClusterErrorKind::Conflict);
    let mut next = changed.clone();
    next.0.insert("data".into(), json!({"only": "5"}));
    let replaced = cluster.patch(&target, &Patch::Replace(next), &by("test")).await.unwrap();
    assert_eq!(replaced.get(&["data"]), Some(&json!({"only": "5"})));

    let other = Preconditions { uid: Some("another".into()), ..Preconditions::default() };
    let refused = cluster.delete(&target, &other, &by("test")).await.unwrap_err();
    assert_eq!(refused.kind, ClusterErrorKind::Conflict);
    let ours = Preconditions {
        uid: replaced.uid().map(str::to_owned),
        resource_version: replaced.resource_version().map(str::to_owned),
    };
    cluster.delete(&target, &ours, &by("test")).await.unwrap();
    assert!(cluster.get(&target).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn apply_keeps_to_owners_unless_forced() {
    let cluster = cluster();
    let target = config_map("a");
    let apply = |value: &str, force| Patch::Apply { object: map("a", json!({"k": value})), force };
    cluster.patch(&target, &apply("1", false), &by("one")).await.unwrap();
    let conflict = cluster.patch(&target, &apply("2", false), &by("two")).await.unwrap_err();
    assert_eq!(conflict.kind, ClusterErrorKind::Conflict);
    assert!(conflict.message.contains("\"one\""), "{conflict}");
    let taken = cluster.patch(&target, &apply("2", true), &by("two")).await.unwrap();
    assert_eq!(taken.str(&["data", "k"]), Some("2"));
    let unknown =
        object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "dta": {}}));
    let refused = cluster.patch(&target, &Patch::Apply { object: unknown, force: false }, &by("one")).await;
    assert!(refused.is_err(), "a field that does not exist is refused, not dropped");
}

#[tokio::test]
async fn dry_runs_change_nothing() {
    let cluster = cluster();
    let dry = WriteOptions { dry_run: true, ..by("test") };
    let made = cluster.create(&config_maps(), &map("a", json!({})), &dry).await.unwrap();
    assert_eq!(made.name(), "a");
    assert!(cluster.get(&config_map("a")).await.unwrap_err().is_not_found());
    cluster.create(&config_maps(), &map("a", json!({"k": "1"})), &by("test")).await.unwrap();
    let patch = Patch::JsonMerge(json!({"data": {"k": "2"}}));
    assert_eq!(cluster.patch(&config_map("a"), &patch, &dry).await.unwrap().str(&["data", "k"]), Some("2"));
    cluster.delete(&config_map("a"), &Preconditions::default(), &dry).await.unwrap();
    assert_eq!(cluster.get(&config_map("a")).await.unwrap().str(&["data", "k"]), Some("1"));
}

#[tokio::test]
async fn lists_are_narrowed_paged_and_typed() {
    let cluster = cluster();
    for (name, app) in [("a", "x"), ("b", "x"), ("c", "x"), ("d", "y")] {
        let mut one = map(name, json!({}));
        one.metadata_mut().insert("labels".into(), json!({"app": app}));
        cluster.create(&config_maps(), &one, &by("test")).await.unwrap();
    }
    let mut options =
        ListOptions { label_selector: Some("app in (x, z)".into()), limit: 2, ..ListOptions::default() };
    let first = cluster.list(&config_maps(), &options).await.unwrap();
    options.continue_token = first.continue_token.clone();
    assert!(options.continue_token.is_some());
    let second = cluster.list(&config_maps(), &options).await.unwrap();
    assert_eq!(second.continue_token, None);
    let items: Vec<_> = first.items.iter().chain(&second.items).collect();
    assert_eq!(items.iter().map(|item| item.name()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert!(items.iter().all(|item| (item.api_version(), item.kind()) == ("v1", "ConfigMap")));
    assert_eq!(items[0].0.keys().take(2).collect::<Vec<_>>(), ["apiVersion", "kind"]);
    let bad = ListOptions { label_selector: Some("a in (".into()), ..ListOptions::default() };
    assert_eq!(cluster.list(&config_maps(), &bad).await.unwrap_err().kind, ClusterErrorKind::Invalid);
}

#[tokio::test]
async fn a_continue_token_of_a_forgotten_past_has_expired() {
    let embedded = Embedded::new();
    let cluster = KubeCluster::new(embedded.client("default"));
    for name in ["a", "b"] {
        cluster.create(&config_maps(), &map(name, json!({})), &by("test")).await.unwrap();
    }
    let mut options = ListOptions { limit: 1, ..ListOptions::default() };
    options.continue_token = cluster.list(&config_maps(), &options).await.unwrap().continue_token;
    cluster.create(&config_maps(), &map("c", json!({})), &by("test")).await.unwrap();
    embedded.compact();
    let error = cluster.list(&config_maps(), &options).await.unwrap_err();
    assert_eq!(error.kind, ClusterErrorKind::Expired);
}

#[tokio::test]
async fn a_wait_sees_an_object_come_change_and_go() {
    let cluster = cluster();
    let target = config_map("a");
    let waiting = async {
        let mut seen = Vec::new();
        let mut until = |object: Option<&boathook_core::Object>| {
            seen.push(object.map(|object| object.str(&["data", "k"]).unwrap_or_default().to_owned()));
            if seen.len() > 1 && object.is_none() { Verdict::Done } else { Verdict::Waiting }
        };
        let last =
            timeout(Duration::from_secs(10), cluster.wait(&target, &mut until)).await.unwrap().unwrap();
        (seen, last)
    };
    let acting = async {
        // Another object of the kind is none of its business.
        cluster.create(&config_maps(), &map("b", json!({})), &by("test")).await.unwrap();
        for step in 0..3 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            match step {
                0 => drop(
                    cluster.create(&config_maps(), &map("a", json!({"k": "1"})), &by("test")).await.unwrap(),
                ),
                1 => {
                    let patch = Patch::JsonMerge(json!({"data": {"k": "2"}}));
                    cluster.patch(&target, &patch, &by("test")).await.unwrap();
                }
                _ => cluster.delete(&target, &Preconditions::default(), &by("test")).await.unwrap(),
            }
        }
    };
    let ((seen, last), ()) = tokio::join!(waiting, acting);
    assert_eq!(seen, [None, Some("1".to_owned()), Some("2".to_owned()), None]);
    assert_eq!(last, None);
}

#[tokio::test]
async fn a_pod_is_waited_for_and_its_log_read() {
    let cluster = cluster();
    let resource = cluster.resolve(&Gvk::new("v1", "Pod")).await.unwrap();
    let pods = Collection { resource, namespace: config_maps().namespace };
    let pod = object(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "annotations": {"embedded.boathook.dev/log": "one\ntwo"}},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "x"}]},
    }));
    cluster.create(&pods, &pod, &by("test")).await.unwrap();
    let target = Target {
        resource: pods.resource.clone(),
        namespace: pods.namespace.clone(),
        name: Name::new("p").unwrap(),
    };
    let mut until =
        |pod: Option<&boathook_core::Object>| match pod.and_then(|pod| pod.str(&["status", "phase"])) {
            Some("Succeeded") => Verdict::Done,
            _ => Verdict::Waiting,
        };
    let ended = timeout(Duration::from_secs(10), cluster.wait(&target, &mut until)).await.unwrap().unwrap();
    assert_eq!(ended.unwrap().str(&["status", "phase"]), Some("Succeeded"));
    let mut lines = Vec::new();
    cluster.logs(&target, "main", &mut |line| lines.push(line)).await.unwrap();
    for word in ["one", "two"] {
        assert!(lines.iter().any(|line| line.contains(word)), "{lines:?}");
    }
    let error = cluster.logs(&target, "other", &mut |_| {}).await.unwrap_err();
    assert_eq!(error.kind, ClusterErrorKind::Invalid);
}
