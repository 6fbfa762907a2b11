//! Speed of the embedded API through `kube::Client`. The bounds are loose in a debug build, where only a change of order
//! would show; the goals (1,000 creates in a second, a get in 100 µs) hold in a release build and are checked there.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests: shared functions of a test binary are not #[test] themselves"
)]

use std::time::{Duration, Instant};

use boathook_embedded::Embedded;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use serde_json::json;

#[tokio::test]
async fn a_thousand_config_maps_and_gets() {
    let slack = if cfg!(debug_assertions) { 20 } else { 1 };
    let maps: Api<ConfigMap> = Api::default_namespaced(Embedded::new().client("default"));
    let started = Instant::now();
    for index in 0..1000 {
        let map = json!({"metadata": {"name": format!("m{index}"), "labels": {"a": "b"}}, "data": {"k": "v".repeat(100)}});
        maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    }
    let created = started.elapsed();
    let started = Instant::now();
    for index in 0..1000 {
        maps.get(&format!("m{index}")).await.unwrap();
    }
    let each = started.elapsed() / 1000;
    println!("1000 creates: {created:?}; one get: {each:?}");
    assert!(created < Duration::from_secs(1) * slack, "{created:?}");
    assert!(each < Duration::from_micros(100) * slack, "{each:?}");
}
