//! One `get` through the port to the embedded API: the cost of a round trip without a network. Target: 100 µs.

#![expect(clippy::print_stdout, reason = "a benchmark's answer is what it prints")]

use std::error::Error;
use std::time::{Duration, Instant};

use boathook_core::names::{Collection, Name, Namespace, Target};
use boathook_core::{Gvk, Object};
use boathook_embedded::Embedded;
use boathook_engine::cluster::{Cluster as _, WriteOptions};
use boathook_kube::KubeCluster;
use serde_json::json;

const ROUNDS: u32 = 20;
const GETS: u32 = 500;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let cluster = KubeCluster::new(Embedded::new().client("default"));
    let resource = cluster.resolve(&Gvk::new("v1", "ConfigMap")).await?;
    let namespace = Some(Namespace::new("default")?);
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"setting": "initial_value"}});
    let object = Object::from_value(object).unwrap_or_default();
    let collection = Collection { resource: resource.clone(), namespace: namespace.clone() };
    cluster.create(&collection, &object, &WriteOptions::by("bench")).await?;

    let target = Target { resource, namespace, name: Name::new("a")? };
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        for _ in 0..GETS {
            cluster.get(&target).await?;
        }
        rounds.push(started.elapsed() / GETS);
    }
    rounds.sort_unstable();
    let median = rounds[rounds.len() / 2];
    println!(
        "get: {median:?} (median of {ROUNDS} rounds of {GETS}; best {:?}; target {:?})",
        rounds[0],
        Duration::from_micros(100)
    );
    Ok(())
}
