//! A server that nobody answers for is named, and at once.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use boathook_engine::cluster::{Cluster as _, ClusterErrorKind};
use boathook_kube::{ConnectOptions, KubeCluster};

use crate::config_map;

#[tokio::test]
async fn a_server_that_is_not_there_is_named_at_once() {
    // A port that was free a moment ago and that nobody listens on.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    let text = format!(
        "current-context: dev\nclusters: [{{name: c, cluster: {{server: 'http://{address}'}}}}]\n\
         contexts: [{{name: dev, context: {{cluster: c, user: u, namespace: team}}}}]\n"
    );
    std::fs::write(&file, text).unwrap();
    let options = ConnectOptions { kubeconfig: Some(file), ..ConnectOptions::default() };
    let cluster = KubeCluster::connect(options).await.unwrap();
    assert_eq!((cluster.default_namespace(), cluster.context()), ("team", Some("dev")));
    assert_eq!(cluster.addresses().await, [address]);

    let started = Instant::now();
    let error = cluster.get(&config_map("a")).await.unwrap_err();
    assert_eq!(error.kind, ClusterErrorKind::Unreachable);
    let expected = format!("cannot reach the cluster at http://{address}: ");
    assert!(error.message.starts_with(&expected), "{error}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
