//! WASI commands: the conversation over JSON lines, exit codes, lines that are none.

use std::sync::Arc;

use boathook_core::run_event::Calls;
use boathook_engine::plugin_host::{PluginError, PluginHost as _, PluginSignal};
use boathook_wasm::{PackedCommand, WasmHost, WasmHostOptions};
use serde_json::json;

use crate::fake_cluster::FakeCluster;
use crate::guests::{call, host, may_read, run, wasm};

#[tokio::test]
async fn a_command_asks_and_reports() {
    let run = run("command", |call| {
        call.permissions = may_read();
        call.cluster = Arc::new(FakeCluster::with_app());
    })
    .await;
    let report = run.result.unwrap();
    assert_eq!(report.message, "found it");
    assert_eq!(report.changed, Some(false));
    assert_eq!(report.data, Some(json!({"n": 1})));
    assert_eq!(report.calls, Calls { kubernetes: 1, http: 0 });
}

#[tokio::test]
async fn a_commands_failure_line_wins_over_its_exit_code() {
    let run = run("command", |call| call.permissions = may_read()).await;
    match run.result {
        Err(PluginError::Failed { message, retryable, .. }) => {
            assert_eq!((message.as_str(), retryable), ("no answer", true));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_commands_call_passes_the_same_check() {
    let run = run("command", |call| call.cluster = Arc::new(FakeCluster::with_app())).await;
    match run.result {
        Err(PluginError::Denied { action, call, hint, said, .. }) => {
            assert_eq!(said, "no answer");
            assert_eq!(action, "get configmaps/app in prod");
            assert_eq!(call, "kubernetes.get v1 ConfigMap app");
            assert!(hint.starts_with("permissions:"), "{hint}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_exit_code_is_a_permanent_failure_with_the_last_line() {
    let run = run("exit-code", |_| {}).await;
    assert_eq!(run.lines(), ["no database"]);
    match run.result {
        Err(PluginError::Failed { message, retryable, .. }) => {
            assert_eq!((message.as_str(), retryable), ("exited with code 3: no database", false));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn lines_that_are_no_calls_are_log_lines_and_what_follows_the_report_is_ignored() {
    let run = run("junk", |_| {}).await;
    assert_eq!(
        run.lines(),
        [
            "caf\u{fffd} \u{fffd}\u{fffd}",
            "Hello, world",
            "{\"call\":\"kubernetes.exec\"}",
            "1 lines after the report were ignored"
        ]
    );
    assert!(!run.signals.iter().any(|signal| matches!(signal, PluginSignal::Output { .. })));
    let report = run.result.unwrap();
    assert_eq!((report.message.as_str(), report.changed), ("done anyway", Some(true)));
}

#[tokio::test]
async fn a_command_of_our_own_gets_bytes_and_variables() {
    let run = run("input", |call| {
        call.extras.input = vec![Arc::new(b"he\n".to_vec()), Arc::new(b"yo".to_vec())];
        call.extras.environment = vec![("A".to_owned(), "bc".to_owned())];
    })
    .await;
    // The line break is one byte of the five, and none of a JSON string.
    assert_eq!(run.result.unwrap().message, "exited with code 0");
    let run = crate::guests::run("input", |call| {
        call.extras.input = vec![Arc::new(b"hel".to_vec()), Arc::new(b"lo, and more".to_vec())];
        call.extras.environment = vec![("A".to_owned(), "bc".to_owned())];
    })
    .await;
    assert_eq!(run.result.unwrap().message, "hello A=bc");
}

#[tokio::test]
async fn a_report_has_the_bytes_that_it_may_have() {
    for (bytes, message) in [(7, "found it"), (6, "exited with code 0")] {
        let run = run("command", |call| {
            call.permissions = may_read();
            call.cluster = Arc::new(FakeCluster::with_app());
            call.extras.report_bytes = Some(bytes);
        })
        .await;
        assert_eq!(run.result.unwrap().message, message, "{bytes}");
    }
}

#[tokio::test]
async fn a_packed_command_runs_by_its_digest_and_has_no_name() {
    let plain = host(&["exit-code"]);
    let (attempt, _) = call(&plain, "exit-code").await;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut gzip, &wasm("exit-code")).unwrap();
    let packed =
        PackedCommand { digest: attempt.plugin.digest.clone().leak(), gzip: gzip.finish().unwrap().leak() };
    let host = WasmHost::new(WasmHostOptions {
        built_in: Vec::new(),
        packed: vec![packed],
        plugin_dirs: Vec::new(),
        cache_dir: None,
        pooling: false,
    });
    assert!(host.list().await.is_empty());
    assert!(matches!(host.run(attempt).await, Err(PluginError::Failed { .. })));
}
