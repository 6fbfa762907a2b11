//! What the port does with lost answers, refusals, broken watches and large answers: scripted replies, paused time.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use boathook_core::names::{Resource, Target};
use boathook_core::{Gvk, Object};
use boathook_engine::cluster::{Cluster as _, ClusterErrorKind, Preconditions, Verdict, WriteOptions};
use boathook_kube::KubeCluster;
use futures::StreamExt as _;
use http::{Request, Response};
use http_body_util::{BodyExt as _, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{config_map, config_maps, object};

/// What a scripted server does with one request.
enum Reply {
    /// Status, `Retry-After`, document.
    Json(u16, Option<&'static str>, Value),
    /// The lines of a watch or a log, then the end.
    Lines(Vec<String>),
    /// The same, then silence.
    Silent(Vec<String>),
    /// The connection breaks before an answer.
    Broken,
}

type Requests = Arc<Mutex<Vec<String>>>;

/// A cluster that gives these answers, one after the other, and the requests it got.
fn scripted(replies: Vec<Reply>) -> (KubeCluster, Requests) {
    let seen = Requests::default();
    let log = seen.clone();
    let replies = Mutex::new(VecDeque::from(replies));
    let service = tower::service_fn(move |request: Request<Body>| {
        log.lock().unwrap().push(format!("{} {}", request.method(), request.uri()));
        let reply = replies.lock().unwrap().pop_front().expect("the script has an answer to each request");
        async move { answer(reply) }
    });
    (KubeCluster::new(kube::Client::new(service, "default")), seen)
}

fn answer(reply: Reply) -> io::Result<Response<UnsyncBoxBody<Bytes, io::Error>>> {
    let (code, retry_after, lines, ends) = match reply {
        Reply::Broken => {
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, "connection reset by peer"));
        }
        Reply::Json(code, retry_after, value) => (code, retry_after, vec![value.to_string()], true),
        Reply::Lines(lines) => (200, None, lines, true),
        Reply::Silent(lines) => (200, None, lines, false),
    };
    let frames = futures::stream::iter(lines).map(|line| Ok(Frame::data(Bytes::from(line))));
    let body = if ends {
        StreamBody::new(frames).boxed_unsync()
    } else {
        StreamBody::new(frames.chain(futures::stream::pending())).boxed_unsync()
    };
    let mut response = Response::builder().status(code);
    if let Some(seconds) = retry_after {
        response = response.header("Retry-After", seconds);
    }
    Ok(response.body(body).unwrap())
}

fn ok(value: Value) -> Reply {
    Reply::Json(200, None, value)
}

fn refusal(code: u16, message: &str) -> Reply {
    Reply::Json(code, None, json!({"kind": "Status", "code": code, "message": message}))
}

fn map() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "resourceVersion": "7"}})
}

fn list(version: &str, items: &[Value]) -> Reply {
    ok(json!({"metadata": {"resourceVersion": version}, "items": items}))
}

fn event(kind: &str, object: &Value) -> String {
    format!("{}\n", json!({"type": kind, "object": object}))
}

fn by() -> WriteOptions {
    WriteOptions::by("test")
}

fn present(object: Option<&Object>) -> Verdict {
    if object.is_some() { Verdict::Done } else { Verdict::Waiting }
}

#[tokio::test(start_paused = true)]
async fn reads_are_repeated() {
    let (cluster, seen) = scripted(vec![
        refusal(500, "etcd"),
        Reply::Broken,
        refusal(503, "down"),
        refusal(504, "late"),
        ok(map()),
    ]);
    assert_eq!(cluster.get(&config_map("a")).await.unwrap().name(), "a");
    assert_eq!(*seen.lock().unwrap(), ["GET /api/v1/namespaces/default/configmaps/a"; 5]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_down_is_reported_with_its_words_within_the_budget() {
    let (cluster, seen) = scripted((0..20).map(|_| refusal(503, "still down")).collect());
    let started = Instant::now();
    let error = cluster.get(&config_map("a")).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ClusterErrorKind::Unavailable, "still down"));
    assert!(started.elapsed() <= Duration::from_secs(60));
    let requests = seen.lock().unwrap().len();
    assert!((2..=11).contains(&requests), "{requests}");
}

#[tokio::test(start_paused = true)]
async fn writes_are_not_repeated_once_they_may_have_happened() {
    for reply in [refusal(500, "x"), refusal(504, "x"), Reply::Broken] {
        let (cluster, seen) = scripted(vec![reply]);
        assert!(cluster.create(&config_maps(), &object(map()), &by()).await.is_err());
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
    let (cluster, seen) = scripted(vec![Reply::Broken]);
    assert!(cluster.delete(&config_map("a"), &Preconditions::default(), &by()).await.is_err());
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_have_happened_twice_is_repeated() {
    let webhook = "Internal error occurred: failed calling webhook \"w.example.com\": timeout";
    let (cluster, seen) = scripted(vec![refusal(500, webhook), ok(map())]);
    cluster.create(&config_maps(), &object(map()), &by()).await.unwrap();
    assert_eq!(seen.lock().unwrap().len(), 2);

    let (cluster, seen) = scripted(vec![Reply::Broken, refusal(500, "x"), ok(map())]);
    let ours = Preconditions { uid: Some("u".into()), ..Preconditions::default() };
    cluster.delete(&config_map("a"), &ours, &by()).await.unwrap();
    assert_eq!(seen.lock().unwrap().len(), 3);

    let (cluster, seen) = scripted(vec![refusal(500, "x"), ok(map())]);
    let dry = WriteOptions { dry_run: true, ..by() };
    cluster.create(&config_maps(), &object(map()), &dry).await.unwrap();
    let line = "POST /api/v1/namespaces/default/configmaps?fieldManager=test&dryRun=All";
    assert_eq!(*seen.lock().unwrap(), [line; 2]);
}

#[tokio::test(start_paused = true)]
async fn the_servers_wish_to_wait_is_kept() {
    let busy = Reply::Json(429, Some("7"), json!({"kind": "Status", "message": "slow down"}));
    let (cluster, _) = scripted(vec![busy, ok(map())]);
    let started = Instant::now();
    cluster.create(&config_maps(), &object(map()), &by()).await.unwrap();
    let waited = started.elapsed();
    assert!(waited >= Duration::from_secs(7) && waited < Duration::from_secs(8), "{waited:?}");

    let busy = Reply::Json(429, Some("3600"), json!({"kind": "Status", "message": "slow down"}));
    let (cluster, _) = scripted(vec![busy]);
    let error = cluster.get(&config_map("a")).await.unwrap_err();
    assert_eq!(error.retry_after, Some(Duration::from_secs(3600)), "longer than we wait");
}

#[tokio::test(start_paused = true)]
async fn refusals_are_final() {
    for (code, kind) in [
        (400, ClusterErrorKind::Invalid),
        (401, ClusterErrorKind::Unauthorized),
        (403, ClusterErrorKind::Forbidden),
        (422, ClusterErrorKind::Invalid),
    ] {
        let (cluster, seen) = scripted(vec![refusal(code, "no")]);
        assert_eq!(cluster.get(&config_map("a")).await.unwrap_err().kind, kind);
        assert_eq!(seen.lock().unwrap().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_too_large_is_not_kept() {
    let (cluster, _) = scripted(vec![ok(json!({"data": "x".repeat(5 * 1024 * 1024)}))]);
    let error = cluster.get(&config_map("a")).await.unwrap_err();
    assert_eq!(
        (error.kind, error.message.as_str()),
        (ClusterErrorKind::TooLarge, "the answer is larger than 4 MiB")
    );
}

#[tokio::test]
async fn a_place_that_its_url_would_not_name_is_never_asked() {
    let (cluster, seen) = scripted(Vec::new());
    let gvk = Gvk { group: "..".into(), version: "v1".into(), kind: "ConfigMap".into() };
    let target = config_map("a");
    let target = Target { resource: Resource { gvk, ..target.resource.clone() }, ..target };
    let error = cluster.get(&target).await.unwrap_err();
    assert!(error.message.starts_with("internal error: the URL"), "{error}");
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn discovery_is_asked_once_and_again_for_what_is_missing() {
    let resources = json!({"resources": [
        {"name": "pods/log", "kind": "Pod", "namespaced": false},
        {"name": "pods", "kind": "Pod", "namespaced": true},
    ]});
    let (cluster, seen) = scripted(vec![ok(resources.clone()), ok(resources)]);
    for _ in 0..3 {
        let pod = cluster.resolve(&Gvk::new("v1", "Pod")).await.unwrap();
        assert_eq!((pod.plural.as_str(), pod.namespaced), ("pods", true));
    }
    assert_eq!(seen.lock().unwrap().len(), 1);
    assert!(cluster.resolve(&Gvk::new("v1", "Widget")).await.is_err());
    assert_eq!(*seen.lock().unwrap(), ["GET /api/v1"; 2]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_where_it_ended() {
    let bookmark = json!({"kind": "ConfigMap", "metadata": {"resourceVersion": "9"}});
    let (cluster, seen) = scripted(vec![
        list("5", &[]),
        Reply::Broken,
        Reply::Lines(vec![event("BOOKMARK", &bookmark)]),
        refusal(429, "busy"),
        // The end of a line may come late.
        Reply::Lines(vec!["{\"type\": \"AD".into(), format!("DED\", \"object\": {}}}\n", map())]),
    ]);
    let found = cluster.wait(&config_map("a"), &mut present).await.unwrap().unwrap();
    assert_eq!(found.name(), "a");
    let seen = seen.lock().unwrap();
    let base = "GET /api/v1/namespaces/default/configmaps?";
    assert_eq!(seen[0], format!("{base}fieldSelector=metadata.name%3Da"));
    let watch = |version| {
        format!(
            "{base}watch=true&fieldSelector=metadata.name%3Da&resourceVersion={version}&allowWatchBookmarks=true&timeoutSeconds=290"
        )
    };
    let versions = [5, 5, 9, 9].map(watch);
    assert_eq!(seen[1..], versions);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_too_old_lists_again() {
    let gone =
        json!({"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"});
    let (cluster, seen) = scripted(vec![
        list("5", &[]),
        Reply::Lines(vec![event("ERROR", &gone)]),
        list("50", &[]),
        refusal(410, "too old"),
        list("60", &[map()]),
    ]);
    assert!(cluster.wait(&config_map("a"), &mut present).await.unwrap().is_some());
    let seen = seen.lock().unwrap();
    assert_eq!(
        seen.iter().map(|line| line.contains("watch=true")).collect::<Vec<_>>(),
        [false, true, false, true, false]
    );
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_is_opened_again() {
    let (cluster, seen) = scripted(vec![
        list("5", &[]),
        Reply::Silent(Vec::new()),
        Reply::Silent(vec![event("ADDED", &map())]),
    ]);
    let started = Instant::now();
    assert!(cluster.wait(&config_map("a"), &mut present).await.unwrap().is_some());
    assert!(started.elapsed() >= Duration::from_secs(150));
    assert_eq!(seen.lock().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_refused_watch_is_reported() {
    let denied = json!({"kind": "Status", "code": 422, "message": "no such field"});
    let (cluster, _) = scripted(vec![list("5", &[]), Reply::Lines(vec![event("ERROR", &denied)])]);
    let error = cluster.wait(&config_map("a"), &mut present).await.unwrap_err();
    assert_eq!((error.kind, error.message.as_str()), (ClusterErrorKind::Invalid, "no such field"));
}

#[tokio::test(start_paused = true)]
async fn who_may_only_get_an_object_waits_by_getting_it() {
    let (cluster, seen) = scripted(vec![
        refusal(403, "cannot list"),
        refusal(404, "not found"),
        refusal(404, "not found"),
        ok(map()),
    ]);
    assert!(cluster.wait(&config_map("a"), &mut present).await.unwrap().is_some());
    assert_eq!(seen.lock().unwrap()[1..], ["GET /api/v1/namespaces/default/configmaps/a"; 3]);
}

#[tokio::test]
async fn log_lines_are_whole_readable_and_bounded() {
    let (cluster, seen) =
        scripted(vec![Reply::Lines(vec!["on".into(), "e\ntw".into(), "o\n".into(), "x".repeat(70_000)])]);
    let mut lines = Vec::new();
    let pod = config_map("p");
    cluster.logs(&pod, "main & more", &mut |line| lines.push(line)).await.unwrap();
    assert_eq!(lines[..2], ["one", "two"]);
    assert_eq!(lines[2].chars().count(), 64 * 1024 + 1);
    assert!(lines[2].ends_with('…'));
    let line = "GET /api/v1/namespaces/default/configmaps/p/log?container=main%20%26%20more&follow=true";
    assert_eq!(*seen.lock().unwrap(), [line]);
}
