//! WASI commands: the conversation over JSON lines, exit codes, lines that are none.

use std::sync::Arc;

use boathook_core::run_event::Calls;
use boathook_engine::plugin_host::{PluginError, PluginSignal};
use serde_json::json;

use crate::fake_cluster::FakeCluster;
use crate::guests::{may_read, run};

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
        Err(PluginError::Denied { action, call, hint, .. }) => {
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
