//! Components: reports, failures, denials, credentials, dry runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use boathook_core::plugin::Capability;
use boathook_core::run_event::{Calls, LogLevel};
use boathook_engine::plugin_host::{CredentialValue, PluginError, PluginHost as _};

use crate::fake_cluster::FakeCluster;
use crate::guests::{call, host, host_of, importing_everything, may_read, run, run_call};

#[tokio::test]
async fn a_report_comes_back() {
    let report = run("ok", |_| {}).await.result.unwrap();
    assert_eq!(report.message, "done");
    assert_eq!(report.changed, Some(true));
    assert_eq!(report.data, None);
    assert_eq!(report.calls, Calls::default());
}

#[tokio::test]
async fn a_granted_call_reaches_the_cluster() {
    let cluster = Arc::new(FakeCluster::with_app());
    let used = cluster.clone();
    let run = run("get", |call| {
        call.permissions = may_read();
        call.cluster = used;
    })
    .await;
    assert_eq!(run.result.unwrap().calls, Calls { kubernetes: 1, http: 0 });
    assert_eq!(*cluster.calls.lock().unwrap(), ["get ConfigMap prod/app"]);
}

#[tokio::test]
async fn a_failure_without_a_denial_is_the_guests_own() {
    let run = run("get", |call| call.permissions = may_read()).await;
    match run.result {
        Err(PluginError::Failed { message, retryable, calls, .. }) => {
            assert_eq!((message.as_str(), retryable, calls.kubernetes), ("get failed", false, 1));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_failure_after_a_denial_is_the_denial() {
    let cluster = Arc::new(FakeCluster::with_app());
    let used = cluster.clone();
    let run = run("get", |call| call.cluster = used).await;
    match run.result {
        Err(PluginError::Denied { action, call, hint, .. }) => {
            assert_eq!(action, "get configmaps/app in prod");
            assert_eq!(call, "kubernetes.get v1 ConfigMap app");
            assert!(hint.contains("resources: [configmaps]") && hint.contains("verbs: [get]"), "{hint}");
        }
        other => panic!("{other:?}"),
    }
    assert!(cluster.calls.lock().unwrap().is_empty(), "nothing was sent");
}

#[tokio::test]
async fn credentials_are_scrubbed_from_logs_and_failures() {
    let run = run("log", |call| {
        let value = CredentialValue { value: "s3cr3t-value".to_owned(), reveal: false };
        call.credentials = BTreeMap::from([("api".to_owned(), value)]);
    })
    .await;
    assert_eq!(run.lines(), ["token=[credential api]"]);
    assert_eq!(run.first_level(), Some(LogLevel::Warn));
    match run.result {
        Err(PluginError::Failed { message, retryable, .. }) => {
            assert_eq!((message.as_str(), retryable), ("token=[credential api]", true));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn inspection_says_what_a_component_imports() {
    let host = host(&["get", "ok"]);
    let list = host.list().await;
    let names: Vec<&str> = list.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["get", "ok"]);
    let get = list[0].1.as_ref().unwrap();
    assert!(get.imports.contains(&Capability::Kubernetes) && !get.imports.contains(&Capability::Http));
    assert!(get.digest.starts_with("sha256:") && get.digest.len() == 7 + 64);
    assert!(list[1].1.as_ref().unwrap().imports.is_empty());
}

#[tokio::test]
async fn runs_share_nothing_and_may_overlap() {
    let host = host(&["get"]);
    let mut runs = Vec::new();
    for index in 0..16 {
        let (mut call, receiver) = call(&host, "get").await;
        call.permissions = may_read();
        if index % 2 == 0 {
            call.cluster = Arc::new(FakeCluster::with_app());
        }
        runs.push(run_call(&host, call, receiver));
    }
    let mut ended = Vec::new();
    for run in runs {
        ended.push(run.await.result.is_ok());
    }
    assert_eq!(ended, [true, false].repeat(8));
}

#[tokio::test]
async fn a_component_that_imports_all_of_either_world_links() {
    for world in ["hook", "hook-wasi"] {
        let host = host_of(vec![("all", importing_everything(world))]);
        let (call, receiver) = call(&host, "all").await;
        assert!(call.plugin.imports.contains(&Capability::Http), "{world}");
        let result = run_call(&host, call, receiver).await.result;
        assert!(matches!(result, Err(PluginError::Trap { .. })), "{world} links, runs and traps: {result:?}");
    }
}
