//! Attempts, credentials, signals and cancellation of a plugin hook.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use boathook_core::run_event::{Calls, ErrorCode, Happening, LogLevel, Outcome, Phase};
use serde_json::json;
use test_case::test_case;

use crate::plugin_host::{PluginError, PluginReport, PluginSignal};
use crate::testing::plugins::Attempt;
use crate::testing::{Bench, plans};

fn report(message: &str) -> PluginReport {
    PluginReport {
        message: message.to_owned(),
        changed: Some(true),
        data: Some(json!({"n": 1})),
        calls: Calls { kubernetes: 1, http: 0 },
    }
}

fn flop(retryable: bool, retry_after: Option<u64>) -> Attempt {
    let calls = Calls { kubernetes: 2, http: 1 };
    let retry_after = retry_after.map(Duration::from_secs);
    Attempt::Ends(
        Vec::new(),
        Err(PluginError::Failed { message: "not yet".to_owned(), retryable, retry_after, calls }),
    )
}

fn works() -> Attempt {
    Attempt::Ends(Vec::new(), Ok(report("did it")))
}

fn waits(story: &crate::testing::Story) -> Vec<u64> {
    story
        .events
        .iter()
        .filter_map(|event| match &event.what {
            Happening::AttemptFailed { retry_in_ms, .. } => Some(*retry_in_ms),
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_plugin_runs_and_what_it_says_is_passed_on() {
    let bench = Bench::new();
    let says = vec![
        PluginSignal::Log { level: LogLevel::Warn, line: "hm".to_owned() },
        PluginSignal::Progress { message: "half".to_owned(), percent: Some(50) },
        PluginSignal::Output { key: "url".to_owned(), value: json!("x") },
    ];
    bench.plugins.script([Attempt::Ends(says, Ok(report("did it")))]);
    let story = bench.execute(&plans::run(&[plans::plugin("p")])).await;
    let result = story.hook("pre-install/1");
    assert_eq!(
        (result.phase, result.message.as_str(), result.changed),
        (Phase::Succeeded, "did it", Some(true))
    );
    assert_eq!(json!(result.outputs), json!({"url": "x", "data": {"n": 1}}));
    assert_eq!(story.logs(), ["demo: hm"]);
    assert!(story.events.iter().any(|event| matches!(&event.what,
        Happening::StepProgress { message, percent: Some(50), .. } if message == "half")));
    let call = &bench.plugins.calls()[0];
    assert_eq!(call.run.id, "op-1/pre-install/1");
    assert_eq!(
        (call.run.hook_name.as_str(), call.run.event.as_str(), call.run.attempt),
        ("p", "pre-install", 1)
    );
    assert_eq!(bench.cluster.calls(), Vec::<String>::new(), "a plugin hook has no object of its own");
}

#[tokio::test(start_paused = true)]
async fn retryable_failures_are_tried_again_with_growing_waits() {
    let bench = Bench::new();
    bench.plugins.script([flop(true, None), flop(true, Some(7)), flop(true, None), works()]);
    let story = bench.execute(&plans::run(&[plans::plugin("p").retries(3)])).await;
    assert_eq!(waits(&story), [1_000, 7_000, 4_000]);
    let result = story.hook("pre-install/1");
    assert_eq!((result.phase, result.attempts, result.duration_ms), (Phase::Succeeded, 4, 12_000));
    assert_eq!(result.calls, Calls { kubernetes: 7, http: 3 });
    let attempts: Vec<u32> = bench.plugins.calls().iter().map(|call| call.run.attempt).collect();
    assert_eq!(attempts, [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn attempts_run_out() {
    let bench = Bench::new();
    bench.plugins.script([flop(true, None), flop(true, None)]);
    let story = bench.execute(&plans::run(&[plans::plugin("p").retries(1)])).await;
    assert_eq!(story.hook("pre-install/1").attempts, 2);
    assert_eq!((story.error().code, story.error().message.as_str()), (ErrorCode::PluginFailed, "not yet"));
}

#[test_case(PluginError::Trap { reason: "unreachable".into(), frames: vec!["f".into()] }, ErrorCode::PluginTrap, 1)]
#[test_case(PluginError::LimitReached { what: "memory limit of 64 MiB".into() }, ErrorCode::LimitReached, 1)]
#[test_case(PluginError::Invalid { message: "no".into(), help: None }, ErrorCode::PluginInvalid, 3)]
#[test_case(PluginError::Denied { action: "a".into(), call: "c".into(), hint: "h".into(), said: String::new(), calls: Calls::default() }, ErrorCode::PermissionDenied, 6)]
#[test_case(PluginError::Timeout { limit: Duration::from_secs(3) }, ErrorCode::Timeout, 1)]
#[tokio::test(start_paused = true)]
async fn only_what_the_plugin_calls_retryable_is_retried(error: PluginError, code: ErrorCode, exit: u8) {
    let bench = Bench::new();
    bench.plugins.script([Attempt::Ends(Vec::new(), Err(error))]);
    let story = bench.execute(&plans::run(&[plans::plugin("p").retries(5)])).await;
    assert_eq!((story.error().code, story.end().0), (code, exit));
    assert_eq!(story.hook("pre-install/1").attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_permanent_failure_is_not_retried() {
    let bench = Bench::new();
    bench.plugins.script([flop(false, None)]);
    let story = bench.execute(&plans::run(&[plans::plugin("p").retries(5)])).await;
    assert_eq!(story.hook("pre-install/1").attempts, 1);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_does_not_keep_its_timeout_is_left() {
    let bench = Bench::new();
    bench.plugins.script([Attempt::Hangs]);
    let mut draft = plans::plugin("p");
    draft.timeout = Duration::from_secs(10);
    let story = bench.execute(&plans::run(&[draft])).await;
    assert_eq!(story.error().code, ErrorCode::Timeout);
    assert_eq!(story.error().message, "did not end within 10s");
    assert_eq!(story.hook("pre-install/1").duration_ms, 15_000);
}

#[tokio::test(start_paused = true)]
async fn cancelling_drops_the_guest() {
    let bench = Bench::new();
    bench.plugins.script([Attempt::Hangs]);
    let cancel = bench.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        cancel.cancel();
    });
    let story = bench.execute(&plans::run(&[plans::plugin("p"), plans::plugin("q")])).await;
    assert_eq!((story.outcome, story.end().0), (Outcome::Interrupted, 130));
    let result = story.hook("pre-install/1");
    assert_eq!((result.phase, result.duration_ms), (Phase::Unknown, 3_000));
    assert_eq!(bench.plugins.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_the_wait_between_attempts() {
    let bench = Bench::new();
    bench.plugins.script([flop(true, Some(200))]);
    let cancel = bench.cancel.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(3)).await;
        cancel.cancel();
    });
    let story = bench.execute(&plans::run(&[plans::plugin("p").retries(1)])).await;
    assert_eq!(story.hook("pre-install/1").duration_ms, 3_000);
    assert_eq!(story.outcome, Outcome::Interrupted);
}

#[tokio::test(start_paused = true)]
async fn credentials_come_from_secrets_and_the_environment() {
    let bench = Bench::new();
    bench.cluster.put(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "slack", "namespace": "prod"},
        "data": {"url": STANDARD.encode("https://hooks.example/secret")}}),
    );
    bench.plugins.script([works()]);
    let draft = plans::plugin("p")
        .credential(json!({"name": "hook", "secretKeyRef": {"name": "slack", "key": "url"}}))
        .credential(json!({"name": "token", "env": "TOKEN", "reveal": true}));
    let story = bench.execute(&plans::run(&[draft])).await;
    assert_eq!(story.outcome, Outcome::Succeeded, "{:?}", story.end());
    let credentials = &bench.plugins.calls()[0].credentials;
    assert_eq!(credentials["hook"].value, "https://hooks.example/secret");
    assert!(!credentials["hook"].reveal);
    assert_eq!(credentials["token"].value, "from-env");
    assert!(credentials["token"].reveal);
    assert!(!format!("{:?}", story.events).contains("hooks.example"), "no event holds a credential");
}

#[test_case(json!({"name": "c", "secretKeyRef": {"name": "gone", "key": "k"}}), "credential c: Secret prod/gone does not exist"; "no secret")]
#[test_case(json!({"name": "c", "secretKeyRef": {"name": "slack", "key": "k"}}), "credential c: Secret prod/slack has no key k"; "no key")]
#[test_case(json!({"name": "c", "secretKeyRef": {"name": "slack", "key": "bytes"}}), "credential c: key bytes of Secret prod/slack is not UTF-8 text"; "no text")]
#[test_case(json!({"name": "c", "secretKeyRef": {"name": "../x", "key": "k"}}), "credential c: \"../x\" is no valid object name"; "no name")]
#[test_case(json!({"name": "c", "env": "UNSET"}), "credential c: environment variable UNSET is not set"; "no variable")]
#[test_case(json!({"name": "c"}), "credential c has no source"; "no source")]
#[tokio::test(start_paused = true)]
async fn a_missing_credential_fails_the_hook_before_the_guest_starts(
    credential: serde_json::Value,
    expected: &str,
) {
    let bench = Bench::new();
    bench.cluster.put(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "slack", "namespace": "prod"},
        "data": {"url": STANDARD.encode("very-secret"), "bytes": STANDARD.encode([0xff, 0xfe])}}),
    );
    let story = bench.execute(&plans::run(&[plans::plugin("p").credential(credential)])).await;
    assert_eq!(story.error().code, ErrorCode::CredentialMissing);
    assert!(story.error().message.starts_with(expected), "{:?}", story.error());
    assert!(story.error().hint.is_some());
    assert_eq!(bench.plugins.calls().len(), 0);
    assert!(!format!("{:?}", story.events).contains("very-secret"));
}
