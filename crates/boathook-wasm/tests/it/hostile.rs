//! Guests that mean harm. Each ends as its own error, in bounded time, and the host goes on: the same host runs a good
//! guest afterwards.

use std::sync::Arc;
use std::time::{Duration, Instant};

use boathook_core::run_event::LogLevel;
use boathook_engine::plugin_host::{PluginCall, PluginError, PluginReport, PluginSignal};

use crate::fake_cluster::FakeCluster;
use crate::guests::{Run, call, host, may_read, run_call};

/// Longer than any guest here may take, shorter than a hang.
const BOUND: Duration = Duration::from_secs(15);

async fn survive(name: &'static str, change: impl FnOnce(&mut PluginCall)) -> Run {
    let host = host(&[name, "ok"]);
    let started = Instant::now();
    let (mut attacked, receiver) = call(&host, name).await;
    change(&mut attacked);
    let run = run_call(&host, attacked, receiver).await;
    assert!(started.elapsed() < BOUND, "{name} took {:?}", started.elapsed());
    let (good, receiver) = call(&host, "ok").await;
    let good = run_call(&host, good, receiver).await;
    assert_eq!(good.result.unwrap().message, "done", "the next hook after {name}");
    run
}

fn limit(run: &Run) -> &str {
    match &run.result {
        Err(PluginError::LimitReached { what }) => what,
        other => panic!("not a limit: {other:?}"),
    }
}

fn trap(run: &Run) -> (&str, &[String]) {
    match &run.result {
        Err(PluginError::Trap { reason, frames }) => (reason, frames),
        other => panic!("not a trap: {other:?}"),
    }
}

fn assert_timeout(run: &Run, limit: Duration) {
    match &run.result {
        Err(PluginError::Timeout { limit: found }) => assert_eq!(*found, limit),
        other => panic!("not a timeout: {other:?}"),
    }
}

const SHORT: Duration = Duration::from_millis(300);

#[tokio::test]
async fn an_infinite_loop_ends_at_the_deadline() {
    let run = survive("loop", |call| call.timeout = SHORT).await;
    assert_timeout(&run, SHORT);
    assert_eq!(run.result.unwrap_err().to_string(), "did not end within 300ms");
}

#[tokio::test]
async fn a_loop_in_a_start_function_ends_at_the_deadline() {
    assert_timeout(&survive("start-loop", |call| call.timeout = SHORT).await, SHORT);
}

#[tokio::test]
async fn a_spinning_guest_does_not_starve_the_runtime() {
    let host = host(&["loop"]);
    let (mut call, _receiver) = call(&host, "loop").await;
    call.timeout = Duration::from_secs(2);
    // Compiled before the clock is looked at.
    let mut warm = call.clone();
    warm.timeout = SHORT;
    boathook_engine::plugin_host::PluginHost::run(&host, warm).await.unwrap_err();
    let spin = boathook_engine::plugin_host::PluginHost::run(&host, call);
    let started = Instant::now();
    let others = async {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        started.elapsed()
    };
    tokio::select! {
        result = spin => panic!("ended first: {result:?}"),
        // Ten sleeps of 10 ms between ticks of 10 ms; starved timers would need seconds.
        elapsed = others => assert!(elapsed < Duration::from_millis(1_500), "{elapsed:?}"),
    }
}

#[tokio::test]
async fn growing_memory_ends_at_the_limit() {
    let run = survive("memory-growth", |_| {}).await;
    assert_eq!(limit(&run), "memory limit of 64 MiB reached (the plugin asked for 64.1 MiB)");
    let run = survive("memory-growth", |call| call.limits.memory = 8 << 20).await;
    assert_eq!(limit(&run), "memory limit of 8 MiB reached (the plugin asked for 8.1 MiB)");
}

#[tokio::test]
async fn a_large_initial_memory_is_refused() {
    let run = survive("memory-minimum", |_| {}).await;
    assert_eq!(limit(&run), "memory limit of 64 MiB reached (the plugin asked for 128 MiB)");
}

#[tokio::test]
async fn growing_a_table_ends_at_the_limit() {
    let run = survive("table-growth", |_| {}).await;
    assert_eq!(limit(&run), "table limit of 20000 elements reached (the plugin asked for 100000001)");
}

#[tokio::test]
async fn endless_recursion_is_a_stack_overflow() {
    let run = survive("recursion", |_| {}).await;
    let (reason, frames) = trap(&run);
    assert_eq!(reason, "the plugin's stack overflowed (endless recursion?)");
    assert_eq!(frames.len(), 17);
    assert_eq!(frames[0], "deeper");
    assert!(frames[16].starts_with("… and "), "{}", frames[16]);
}

#[tokio::test]
async fn a_trap_shows_the_guests_functions_innermost_first() {
    let run = survive("trap", |_| {}).await;
    let (reason, frames) = trap(&run);
    assert_eq!(reason, "out of bounds memory access");
    assert_eq!(frames[..2], ["read_setting", "plugin::configure"]);
}

#[tokio::test]
async fn a_trap_in_the_middle_of_a_host_call_is_a_trap() {
    let run = survive("trap-in-call", |call| {
        call.permissions = may_read();
        call.cluster = Arc::new(FakeCluster::with_app());
    })
    .await;
    let (reason, frames) = trap(&run);
    assert!(reason.starts_with("the plugin gave up (wasm `unreachable`"), "{reason}");
    assert_eq!(frames[0], "allocate");
}

#[tokio::test]
async fn a_million_host_calls_end_at_the_thousandth() {
    let cluster = Arc::new(FakeCluster::with_app());
    let (seen, used) = (cluster.clone(), cluster);
    let run = survive("many-calls", move |call| {
        call.permissions = may_read();
        call.cluster = used;
    })
    .await;
    assert_eq!(limit(&run), "limit of 1000 kubernetes calls in one run reached");
    assert_eq!(seen.calls.lock().unwrap().len(), 1_000);
}

#[tokio::test]
async fn a_huge_list_is_too_large_for_the_guest_and_not_for_the_host() {
    let cluster = FakeCluster { listed_bytes: 20_000, ..FakeCluster::default() };
    let run = survive("huge-list", |call| {
        call.permissions = may_read();
        call.cluster = Arc::new(cluster);
    })
    .await;
    let PluginReport { message, calls, .. } = run.result.unwrap();
    assert_eq!((message.as_str(), calls.kubernetes), ("done", 1));
}

#[tokio::test]
async fn a_string_of_32_mebibytes_is_refused() {
    assert_eq!(limit(&survive("long-string", |_| {}).await), "a host call with more than 5 MiB");
}

#[tokio::test]
async fn a_gibibyte_of_log_is_counted_and_not_kept() {
    let run = survive("log-flood", |call| call.timeout = BOUND).await;
    run.result.as_ref().unwrap();
    let lines = run.lines();
    let kept: usize = lines.iter().map(|line| line.len() + 1).sum();
    assert!(kept < (1 << 20) + 200, "{kept} bytes kept");
    assert_eq!(
        *lines.last().unwrap(),
        "1023.5 MiB of log were dropped (a line is cut at 8 KiB, a run keeps 1 MiB)"
    );
    assert!(matches!(run.signals.last(), Some(PluginSignal::Log { level: LogLevel::Warn, .. })));
}

#[tokio::test]
async fn a_command_that_reads_no_answers_cannot_fill_the_host() {
    assert_eq!(limit(&survive("unread-answers", |_| {}).await), "too many answers are left unread on stdin");
}

#[tokio::test]
async fn a_line_without_an_end_is_refused() {
    assert_eq!(limit(&survive("long-line", |_| {}).await), "a line on stdout is longer than 4 MiB");
}

#[tokio::test]
async fn a_wait_ends_at_the_attempts_deadline() {
    let run = survive("wait", |call| {
        call.permissions = may_read();
        call.timeout = SHORT;
    })
    .await;
    assert_timeout(&run, SHORT);
}

#[tokio::test]
async fn a_panic_of_the_host_fails_the_hook_and_not_the_process() {
    let cluster = FakeCluster { panics: true, ..FakeCluster::default() };
    let run = survive("get", |call| {
        call.permissions = may_read();
        call.cluster = Arc::new(cluster);
    })
    .await;
    match run.result {
        Err(PluginError::Internal { message }) => assert_eq!(message, "panic: the cluster panics"),
        other => panic!("{other:?}"),
    }
}
