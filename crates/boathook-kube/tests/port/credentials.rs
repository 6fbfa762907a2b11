//! Credentials that a server refuses are read again from the kubeconfig, once.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;

use boathook_engine::cluster::{Cluster as _, ClusterErrorKind};
use boathook_kube::{ConnectOptions, KubeCluster};

use crate::config_map;

/// A server that knows one token.
fn serve(listener: TcpListener) {
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let head =
                BufReader::new(&stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty());
            let known = head.collect::<Vec<_>>().iter().any(|line| line.ends_with("Bearer new"));
            let (code, body) = if known {
                ("200 OK", r#"{"metadata":{"name":"a"}}"#)
            } else {
                ("401 Unauthorized", r#"{"kind":"Status","code":401,"message":"Unauthorized"}"#)
            };
            let length = body.len();
            write!(stream, "HTTP/1.1 {code}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
                .unwrap();
        }
    });
}

fn write(file: &Path, address: &str, token: &str) {
    let text = format!(
        "current-context: dev\nclusters: [{{name: c, cluster: {{server: 'http://{address}'}}}}]\n\
         contexts: [{{name: dev, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{token: {token}}}}}]\n"
    );
    std::fs::write(file, text).unwrap();
}

#[tokio::test]
async fn refused_credentials_are_read_again_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    serve(listener);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config");
    write(&file, &address, "old");
    let options = ConnectOptions { kubeconfig: Some(file.clone()), ..ConnectOptions::default() };
    let cluster = KubeCluster::connect(options).await.unwrap();

    let error = cluster.get(&config_map("a")).await.unwrap_err();
    assert_eq!(error.kind, ClusterErrorKind::Unauthorized);
    assert!(error.message.starts_with("Unauthorized (also after"), "{error}");

    write(&file, &address, "new");
    assert_eq!(cluster.get(&config_map("a")).await.unwrap().name(), "a");
}
