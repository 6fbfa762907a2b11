//! The embedded API through `kube::Client`: a thousand creates, and one get.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on prints why and ends"
)]

use std::time::Instant;

use boathook_embedded::Embedded;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, PostParams};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let maps: Api<ConfigMap> = Api::default_namespaced(Embedded::new().client("default"));
    let started = Instant::now();
    for index in 0..1000 {
        let map = json!({"metadata": {"name": format!("m{index}"), "labels": {"a": "b"}}, "data": {"k": "v".repeat(100)}});
        maps.create(&PostParams::default(), &serde_json::from_value(map).unwrap()).await.unwrap();
    }
    println!("1,000 creates: {:?}", started.elapsed());
    let started = Instant::now();
    for index in 0..1000 {
        maps.get(&format!("m{index}")).await.unwrap();
    }
    println!("one get: {:?}", started.elapsed() / 1000);
}
