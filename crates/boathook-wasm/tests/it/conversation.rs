//! Every call of the host functions, by a command that says given lines and repeats the answers on stderr. Components
//! come to the same functions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use boathook_core::permissions::{HttpRule, Network, Permissions, PolicyRule};
use boathook_core::run_event::LogLevel;
use boathook_engine::plugin_host::{CredentialValue, PluginCall, PluginError, PluginSignal};
use serde_json::{Value, json};
use test_case::test_case;

use crate::fake_cluster::FakeCluster;
use crate::guests::{Run, call, host_of, run_call};

/// A command that writes each line and, unless the call has no answer, reads one and writes it to stderr.
fn speaker(lines: &[Value]) -> Vec<u8> {
    const TEXT: usize = 65_536;
    let mut said = String::new();
    let mut body = String::new();
    let mut at = TEXT;
    for line in lines {
        let mut text = line.to_string();
        text.push('\n');
        let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        writeln!(said, "(data (i32.const {at}) \"{escaped}\")").unwrap();
        writeln!(body, "(call $write (i32.const 1) (i32.const {at}) (i32.const {}))", text.len()).unwrap();
        let silent = matches!(line["call"].as_str(), Some("log.emit" | "outputs.progress") | None);
        if !silent {
            body.push_str("(call $hear)\n");
        }
        at += text.len();
    }
    let text = format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
        (memory (export "memory") {pages})
        {said}
        (func $write (param $fd i32) (param $at i32) (param $size i32)
            (i32.store (i32.const 0) (local.get $at))
            (i32.store (i32.const 4) (local.get $size))
            (drop (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))))
        ;; Reads a line and writes it to stderr.
        (func $hear
            (local $at i32)
            (local.set $at (i32.const 64))
            (loop $more
                (i32.store (i32.const 0) (local.get $at))
                (i32.store (i32.const 4) (i32.const 1))
                (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
                (local.set $at (i32.add (local.get $at) (i32.const 1)))
                (br_if $more (i32.ne (i32.load8_u (i32.sub (local.get $at) (i32.const 1))) (i32.const 10))))
            (call $write (i32.const 2) (i32.const 64) (i32.sub (local.get $at) (i32.const 64))))
        (func (export "_start") (call $hear) {body}))"#,
        pages = at / 65_536 + 1,
    );
    wat::parse_str(text).unwrap()
}

/// Says lines; gives the host's first line, its answers, and the run.
async fn say(lines: &[Value], change: impl FnOnce(&mut PluginCall)) -> (Vec<Value>, Run) {
    let host = host_of(vec![("speaker", speaker(lines))]);
    let (mut call, receiver) = call(&host, "speaker").await;
    change(&mut call);
    let run = run_call(&host, call, receiver).await;
    let answers = run
        .signals
        .iter()
        .filter_map(|signal| match signal {
            PluginSignal::Log { level: LogLevel::Info, line } => serde_json::from_str(line).ok(),
            _ => None,
        })
        // Lines that are no calls are logged too.
        .filter(|answer: &Value| ["ok", "error", "release"].iter().any(|key| answer.get(key).is_some()))
        .collect();
    (answers, run)
}

/// The answer to one line.
async fn ask(line: Value, change: impl FnOnce(&mut PluginCall)) -> Value {
    let (mut answers, run) = say(&[line], change).await;
    assert!(run.result.is_ok(), "{:?}", run.result);
    assert_eq!(answers.len(), 2, "{answers:?}");
    answers.remove(1)
}

fn everything() -> Permissions {
    let verbs = ["get", "list", "watch", "create", "patch", "delete"].map(str::to_owned).to_vec();
    let resources = vec!["configmaps".to_owned(), "secrets".to_owned()];
    let rule = PolicyRule { api_groups: vec![String::new()], resources, verbs, ..PolicyRule::default() };
    Permissions { kubernetes: vec![rule], http: Vec::new() }
}

fn on(cluster: &Arc<FakeCluster>) -> impl FnOnce(&mut PluginCall) {
    let cluster = cluster.clone();
    |call| {
        call.permissions = everything();
        call.cluster = cluster;
    }
}

fn app() -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "app"})
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "b"}})
}

#[tokio::test]
async fn the_first_line_says_which_run_this_is() {
    let (answers, run) = say(&[], |call| {
        call.config.insert("key".to_owned(), json!([1]));
        call.chart.name = "web-chart".to_owned();
        call.credentials = BTreeMap::from([
            ("shown".to_owned(), CredentialValue { value: "abc".to_owned(), reveal: true }),
            ("hidden".to_owned(), CredentialValue { value: "hidden-value".to_owned(), reveal: false }),
        ]);
    })
    .await;
    assert_eq!(run.result.unwrap().message, "exited with code 0");
    assert_eq!(
        answers[0],
        json!({
            "release": {"name": "web", "namespace": "prod", "revision": 1, "chart": "web-chart", "chartVersion": "", "appVersion": null},
            "run": {"id": "op/pre-install/1", "hookName": "speaker", "event": "pre-install", "attempt": 1, "dryRun": false, "deadlineMs": 20000},
            "config": {"key": [1]},
            "credentials": {"shown": "abc"},
        })
    );
}

#[tokio::test]
async fn get_leaves_managed_fields_out_and_selects_on_the_host() {
    let cluster = Arc::new(FakeCluster::with_app());
    let whole = ask(json!({"call": "kubernetes.get", "target": app()}), on(&cluster)).await;
    assert_eq!(whole["ok"]["data"]["k"], "v");
    assert_eq!(whole["ok"]["metadata"].get("managedFields"), None);
    let part =
        ask(json!({"call": "kubernetes.get", "target": app(), "fields": ["data.k"]}), on(&cluster)).await;
    assert_eq!(part, json!({"ok": {"data": {"k": "v"}}}));
}

#[tokio::test]
async fn create_marks_what_it_creates_and_its_second_time_is_an_error() {
    let cluster = Arc::new(FakeCluster::default());
    let create = json!({"call": "kubernetes.create", "object": config_map("new")});
    let (answers, _) = say(&[create.clone(), create], on(&cluster)).await;
    assert_eq!(answers[1]["ok"]["metadata"]["annotations"]["boathook.dev/release"], "prod/web");
    assert_eq!(answers[2]["error"]["code"], "already-exists");
    assert_eq!(cluster.calls.lock().unwrap()[0], "create ConfigMap prod/new by boathook dryRun=false");
}

#[tokio::test]
async fn apply_does_not_take_over_what_is_not_the_releases() {
    let cluster = Arc::new(FakeCluster::with_app());
    let apply =
        |options: Value| json!({"call": "kubernetes.apply", "object": config_map("app"), "options": options});
    let refused = ask(apply(json!({})), on(&cluster)).await;
    assert_eq!(
        refused["error"],
        json!({"code": "conflict", "message": "ConfigMap prod/app was not made by release web; `adopt` takes it over"})
    );
    assert_eq!(*cluster.calls.lock().unwrap(), ["get ConfigMap prod/app"], "nothing was written");
    assert_eq!(ask(apply(json!({"adopt": true})), on(&cluster)).await["ok"]["data"], json!({"a": "b"}));
    // Now it is ours.
    assert_eq!(ask(apply(json!({})), on(&cluster)).await["ok"]["data"], json!({"a": "b"}));
}

#[test_case("web", "prod", true; "of this release")]
#[test_case("web", "other", false; "of the release of that name elsewhere")]
#[test_case("other", "prod", false; "of another release")]
#[tokio::test]
async fn helms_marks_are_ownership_too(name: &str, namespace: &str, ours: bool) {
    let cluster = Arc::new(FakeCluster::with_app());
    let annotations = json!({"meta.helm.sh/release-name": name, "meta.helm.sh/release-namespace": namespace});
    cluster
        .objects
        .lock()
        .unwrap()
        .get_mut("app")
        .unwrap()
        .metadata_mut()
        .insert("annotations".to_owned(), annotations);
    let answer = ask(json!({"call": "kubernetes.apply", "object": config_map("app")}), on(&cluster)).await;
    assert_eq!(answer.get("ok").is_some(), ours, "{answer}");
}

#[tokio::test]
async fn patch_delete_and_list_reach_the_cluster() {
    let cluster = Arc::new(FakeCluster::with_app());
    let (answers, _) = say(
        &[
            json!({"call": "kubernetes.patch", "target": app(), "type": "json-merge", "patch": {"data": {"k": "w"}}}),
            json!({"call": "kubernetes.list", "apiVersion": "v1", "kind": "ConfigMap", "options": {"limit": 2, "fields": ["metadata.name"]}}),
            json!({"call": "kubernetes.list", "apiVersion": "v1", "kind": "ConfigMap", "options": {"limit": 9999, "fields": ["metadata.x"]}}),
            json!({"call": "kubernetes.delete", "target": app(), "preconditions": {"uid": "7"}}),
            json!({"call": "kubernetes.delete", "target": app()}),
        ],
        on(&cluster),
    )
    .await;
    assert_eq!(answers[1]["ok"]["kind"], "ConfigMap");
    assert_eq!(
        answers[2]["ok"],
        json!({"items": [{"metadata": {"name": "c0"}}, {"metadata": {"name": "c1"}}], "continue": "next"})
    );
    assert_eq!(answers[3]["ok"]["items"].as_array().unwrap().len(), 500, "pages are capped");
    assert_eq!(answers[4], json!({"ok": null}));
    assert_eq!(answers[5]["error"]["code"], "not-found");
    assert_eq!(
        *cluster.calls.lock().unwrap(),
        [
            "patch ConfigMap prod/app by boathook dryRun=false",
            "list limit 2",
            "list limit 500",
            "delete ConfigMap prod/app uid=Some(\"7\") dryRun=false",
            "delete ConfigMap prod/app uid=None dryRun=false",
        ]
    );
}

#[test_case(json!("exists"), json!({"ok": "object"}); "exists")]
#[test_case(json!({"jsonPath": "{.data.k}", "value": "v"}), json!({"ok": "object"}); "a value")]
#[test_case(json!("absent"), json!({"error": {"code": "timeout", "message": "timed out"}}); "absent")]
#[test_case(json!({"type": "Ready", "status": "True"}), json!({"error": {"code": "timeout", "message": "timed out"}}); "a condition")]
#[tokio::test]
async fn waits_end_with_the_condition_or_with_their_time(condition: Value, expected: Value) {
    let cluster = Arc::new(FakeCluster::with_app());
    let line = json!({"call": "kubernetes.wait", "target": app(), "condition": condition, "timeoutMs": 30});
    let mut answer = ask(line, on(&cluster)).await;
    if answer.get("ok").is_some_and(Value::is_object) {
        answer["ok"] = json!("object");
    }
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn a_wait_for_absence_answers_null() {
    let cluster = Arc::new(FakeCluster::default());
    let line = json!({"call": "kubernetes.wait", "target": app(), "condition": "absent"});
    assert_eq!(ask(line, on(&cluster)).await, json!({"ok": null}));
}

#[tokio::test]
async fn a_dry_run_writes_nothing_whatever_is_called() {
    let cluster = Arc::new(FakeCluster::with_app());
    let used = cluster.clone();
    let lines = [
        json!({"call": "kubernetes.create", "object": config_map("new")}),
        json!({"call": "kubernetes.apply", "object": config_map("app"), "options": {"adopt": true}}),
        json!({"call": "kubernetes.patch", "target": app(), "type": "strategic-merge", "patch": {}}),
        json!({"call": "kubernetes.delete", "target": app()}),
        json!({"call": "kubernetes.wait", "target": app(), "condition": "absent"}),
    ];
    let (answers, run) = say(&lines, |call| {
        on(&used)(call);
        call.run.dry_run = true;
    })
    .await;
    assert!(answers[1..].iter().all(|answer| answer.get("ok").is_some()), "{answers:?}");
    assert_eq!(cluster.objects.lock().unwrap().keys().collect::<Vec<_>>(), ["app"]);
    let calls = cluster.calls.lock().unwrap();
    let writes: Vec<&String> = calls.iter().filter(|call| !call.starts_with("get ")).collect();
    assert!(writes.len() == 4 && writes.iter().all(|call| call.ends_with("dryRun=true")), "{calls:?}");
    let effects: Vec<String> = run
        .withheld()
        .iter()
        .map(|effect| format!("{} {}", effect["type"], effect["object"]["name"]).replace('"', ""))
        .collect();
    assert_eq!(effects, ["create new", "change app", "change app", "delete app"]);
    assert!(run.lines().contains(&"dry run: would wait for ConfigMap prod/app"), "{:?}", run.lines());
}

#[test_case(json!({"call": "kubernetes.get", "target": {"apiVersion": "v1", "kind": "ConfigMap", "name": "a/../../secrets/b"}}), "invalid"; "a name that is a path")]
#[test_case(json!({"call": "kubernetes.get", "target": {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "kube-system/secrets/t?x=", "name": "a"}}), "invalid"; "a namespace that is a path")]
#[test_case(json!({"call": "kubernetes.get", "target": {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "kube-system", "name": "a"}}), "denied"; "another namespace")]
#[test_case(json!({"call": "kubernetes.get", "target": {"apiVersion": "v1", "kind": "Namespace", "name": "prod"}}), "denied"; "a cluster-scoped kind")]
#[test_case(json!({"call": "kubernetes.get", "target": {"apiVersion": "v1", "kind": "Nonsense", "name": "a"}}), "invalid"; "no such kind")]
#[test_case(json!({"call": "kubernetes.get", "target": {"apiVersion": "v1", "kind": "Secret", "name": "sh.helm.release.v1.web.v1"}}), "denied"; "a release record")]
#[test_case(json!({"call": "kubernetes.create", "object": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a-"}}}), "invalid"; "a generated name")]
#[test_case(json!({"call": "kubernetes.patch", "target": {"apiVersion": "v1", "kind": "ConfigMap", "name": "a"}, "type": "json-merge", "patch": {"metadata": {"name": "b"}}}), "invalid"; "a patch that renames")]
#[test_case(json!({"call": "kubernetes.exec"}), "invalid"; "no such call")]
#[test_case(json!({"call": "kubernetes.get"}), "invalid"; "missing fields")]
#[test_case(json!({"call": "http.send", "method": "GET", "url": "http://user@example.com/"}), "invalid"; "userinfo")]
#[test_case(json!({"call": "http.send", "method": "GET", "url": "http://0x7f.1/"}), "invalid"; "an odd address")]
#[test_case(json!({"call": "http.send", "method": "GET", "url": "https://example.com/"}), "denied"; "an ungranted host")]
#[test_case(json!({"call": "http.send", "method": "GET", "url": "http://169.254.169.254/"}), "denied"; "metadata")]
#[test_case(json!({"call": "http.send", "method": "POST", "url": "", "credentials": [{"name": "nope", "placement": "url"}]}), "denied"; "an unknown credential")]
#[test_case(json!({"call": "http.send", "method": "POST", "url": "https://example.com/", "body": {"base64": "!"}}), "invalid"; "no base64")]
#[test_case(json!({"call": "outputs.set", "key": "a b", "value": 1}), "invalid"; "a bad key")]
#[tokio::test]
async fn what_must_not_be_sent_is_not(line: Value, code: &str) {
    let cluster = Arc::new(FakeCluster::with_app());
    let answer = ask(line, on(&cluster)).await;
    assert_eq!(answer["error"]["code"], code, "{answer}");
    assert_eq!(answer["error"].get("grantHint").is_some(), code == "denied");
    assert!(cluster.calls.lock().unwrap().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn a_denial_does_not_tell_the_credential_that_the_guest_was_shown() {
    let lines = [
        json!({"call": "http.send", "method": "POST", "url": "https://hooks.example.com/T0/tok-12345"}),
        json!({"failure": {"retryable": false, "message": "denied"}}),
    ];
    let (_, run) = say(&lines, |call| {
        let value =
            CredentialValue { value: "https://hooks.example.com/T0/tok-12345".to_owned(), reveal: true };
        call.credentials = BTreeMap::from([("hook".to_owned(), value)]);
    })
    .await;
    let error = run.result.unwrap_err();
    let PluginError::Denied { action, call, hint, .. } = &error else { panic!("{error:?}") };
    for text in [action, call, hint] {
        assert!(text.contains("[credential hook]") && !text.contains("tok-12345"), "{text}");
    }
}

#[tokio::test]
async fn outputs_progress_and_logs_become_signals_without_credentials() {
    let lines = [
        json!({"call": "outputs.set", "key": "result", "value": {"token": "tok-12345"}}),
        json!({"call": "outputs.progress", "message": "half\nway tok-12345", "percent": 250}),
        json!({"call": "log.emit", "level": "error", "message": "one\ntwo", "fields": {"n": 3, "text": "a b"}}),
        json!({"report": {"message": "used tok-12345", "data": ["tok-12345"]}}),
    ];
    let (_, run) = say(&lines, |call| {
        let value = CredentialValue { value: "tok-12345".to_owned(), reveal: true };
        call.credentials = BTreeMap::from([("t".to_owned(), value)]);
    })
    .await;
    let hidden = "[credential t]";
    let signals = &run.signals;
    assert!(
        signals.contains(&PluginSignal::Output { key: "result".to_owned(), value: json!({"token": hidden}) })
    );
    let progress = PluginSignal::Progress { message: format!("half way {hidden}"), percent: Some(100) };
    assert!(signals.contains(&progress), "{signals:?}");
    for line in ["one", "two n=3 text=\"a b\""] {
        assert!(
            signals.contains(&PluginSignal::Log { level: LogLevel::Error, line: line.to_owned() }),
            "{signals:?}"
        );
    }
    let report = run.result.unwrap();
    assert_eq!((report.message, report.data), (format!("used {hidden}"), Some(json!([hidden]))));
}

#[tokio::test]
async fn outputs_are_capped() {
    let lines: Vec<Value> =
        (0..101).map(|n| json!({"call": "outputs.set", "key": format!("k{n}"), "value": n})).collect();
    let (answers, run) = say(&lines, |_| {}).await;
    assert_eq!(answers[100], json!({"ok": null}));
    assert_eq!(answers[101]["error"]["message"], "a run has at most 100 outputs and progress messages");
    assert_eq!(
        run.signals.iter().filter(|signal| matches!(signal, PluginSignal::Output { .. })).count(),
        100
    );
}

#[tokio::test]
async fn http_calls_are_capped() {
    let lines = vec![json!({"call": "http.send", "method": "GET", "url": "https://example.com/"}); 101];
    let (answers, run) = say(&lines, |_| {}).await;
    assert_eq!(answers.len(), 101, "the first line and a hundred answers");
    assert!(
        matches!(&run.result, Err(PluginError::LimitReached { what }) if what == "limit of 100 http calls in one run reached"),
        "{:?}",
        run.result
    );
}

fn reach(url: &str, network: Network) -> impl FnOnce(&mut PluginCall) {
    let rule = HttpRule { url: url.to_owned(), methods: vec!["GET".to_owned()], network };
    move |call| {
        call.permissions.http.push(rule);
        call.timeout = Duration::from_secs(10);
    }
}

#[tokio::test]
async fn failures_of_the_transport_have_their_own_codes() {
    let closed = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let refused = ask(
        json!({"call": "http.send", "method": "GET", "url": format!("http://{closed}/")}),
        reach(&format!("http://{closed}/"), Network::Loopback),
    )
    .await;
    assert_eq!(refused["error"]["code"], "connect");

    let plain = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = plain.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = plain.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    });
    let tls = ask(
        json!({"call": "http.send", "method": "GET", "url": format!("https://{address}/")}),
        reach(&format!("https://{address}/"), Network::Loopback),
    )
    .await;
    assert_eq!(tls["error"]["code"], "tls", "{tls}");
    server.await.unwrap();

    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let line = json!({"call": "http.send", "method": "GET", "url": url, "timeoutMs": 50});
    assert_eq!(ask(line, reach(&url, Network::Loopback)).await["error"]["code"], "timeout");
}

#[tokio::test]
async fn a_name_that_resolves_to_loopback_is_denied_unless_loopback_is_granted() {
    let line = json!({"call": "http.send", "method": "GET", "url": "http://localhost:1/"});
    let public = ask(line.clone(), reach("http://localhost:1/", Network::Public)).await;
    assert_eq!(public["error"]["code"], "denied");
    assert!(public["error"]["grantHint"].as_str().unwrap().contains("network: loopback"), "{public}");
    let loopback = ask(line, reach("http://localhost:1/", Network::Loopback)).await;
    assert_eq!(loopback["error"]["code"], "connect");
}

#[tokio::test]
async fn credentials_are_on_the_wire_and_an_echo_does_not_bring_them_back() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let echo = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let size = stream.read(&mut request).await.unwrap();
        request.truncate(size);
        let head = format!("HTTP/1.1 200 OK\r\nx-echo: top-secret-1\r\ncontent-length: {size}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&request).await.unwrap();
        String::from_utf8(request).unwrap()
    });
    let line = json!({"call": "http.send", "method": "GET", "url": url,
        "credentials": [{"name": "key", "placement": "header:X-Api-Key"}, {"name": "login", "placement": "basic"}]});
    let answer = ask(line, |call| {
        reach(&url, Network::Loopback)(call);
        let value = |text: &str| CredentialValue { value: text.to_owned(), reveal: false };
        call.credentials = BTreeMap::from([
            ("key".to_owned(), value("top-secret-1\n")),
            ("login".to_owned(), value("bob:hunter22")),
        ]);
    })
    .await;
    let wire = echo.await.unwrap();
    assert!(wire.contains("x-api-key: top-secret-1\r\n"), "{wire}");
    assert!(wire.contains("authorization: Basic Ym9iOmh1bnRlcjIy\r\n"), "{wire}");
    let seen = answer.to_string();
    assert!(!seen.contains("top-secret-1") && !seen.contains("Ym9iOmh1bnRlcjIy"), "{seen}");
    assert!(seen.contains("[credential key]") && seen.contains("[credential login]"), "{seen}");
}
