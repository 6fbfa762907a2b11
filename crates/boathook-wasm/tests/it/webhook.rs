//! HTTP: what arrives at a real socket, and what does not.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use boathook_core::permissions::{HttpRule, Network, Permissions};
use boathook_engine::plugin_host::{CredentialValue, PluginCall, PluginError};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::guests::{call, host, run, run_call};

/// Takes one connection, answers it, and gives what it read.
async fn receiver(answer: &'static [u8]) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut text = Vec::new();
        let mut buffer = [0; 4096];
        while !text.ends_with(b"\r\n\r\nhi") {
            let read = stream.read(&mut buffer).await.unwrap();
            if read == 0 {
                break;
            }
            text.extend_from_slice(&buffer[..read]);
        }
        // The client may have hung up on an answer that is too large.
        drop(stream.write_all(answer).await);
        String::from_utf8(text).unwrap()
    });
    (address, task)
}

fn granted(url: String, prefix: String, network: Network) -> impl FnOnce(&mut PluginCall) {
    move |call| {
        call.credentials =
            BTreeMap::from([("hook".to_owned(), CredentialValue { value: url, reveal: false })]);
        call.permissions = Permissions {
            kubernetes: Vec::new(),
            http: vec![HttpRule { url: prefix, methods: vec!["POST".to_owned()], network }],
        };
    }
}

#[tokio::test]
async fn a_request_arrives_as_the_guest_said_it() {
    let (address, received) = receiver(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
    let url = format!("http://{address}/services/T0/secret?x=1");
    let run = run("send", granted(url, format!("http://{address}/services/"), Network::Loopback)).await;
    let report = run.result.unwrap();
    assert_eq!((report.message.as_str(), report.calls.http), ("sent", 1));
    let text = received.await.unwrap();
    let mut lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(lines.remove(0), "POST /services/T0/secret?x=1 HTTP/1.1");
    assert!(lines.contains(&format!("host: {address}").as_str()), "{lines:?}");
    assert!(lines.contains(&"content-length: 2"), "{lines:?}");
    assert_eq!(lines.last(), Some(&"hi"));
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (address, received) =
        receiver(b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n")
            .await;
    let run =
        run("send", granted(format!("http://{address}/a"), format!("http://{address}/"), Network::Loopback))
            .await;
    assert!(matches!(run.result, Err(PluginError::Failed { message, .. }) if message == "send failed"));
    received.await.unwrap();
}

#[tokio::test]
async fn loopback_needs_its_own_network_and_the_url_is_not_told() {
    let (address, received) = receiver(b"").await;
    let url = format!("http://{address}/services/T0/secret");
    let run = run("send", granted(url, format!("http://{address}/"), Network::Public)).await;
    match run.result {
        Err(PluginError::Denied { action, hint, call, .. }) => {
            assert_eq!(action, "POST the URL in credential hook");
            assert_eq!(call, "http.send POST the URL in credential hook");
            assert!(hint.contains("network: loopback") && !hint.contains("T0"), "{hint}");
        }
        other => panic!("{other:?}"),
    }
    received.abort();
    assert!(received.await.unwrap_err().is_cancelled(), "nothing connected");
}

#[tokio::test]
async fn a_dry_run_checks_and_does_not_send() {
    let (address, received) = receiver(b"").await;
    let url = format!("http://{address}/services/T0/secret");
    let change = granted(url, format!("http://{address}/"), Network::Loopback);
    let run = run("send", |call| {
        change(call);
        call.run.dry_run = true;
    })
    .await;
    assert_eq!(run.withheld(), [json!({"type": "send", "request": "POST the URL in credential hook"})]);
    assert_eq!(run.result.unwrap().message, "sent");
    received.abort();
    assert!(received.await.unwrap_err().is_cancelled(), "nothing connected");
}

#[tokio::test]
async fn an_answer_over_the_cap_is_refused() {
    let (address, received) = receiver(b"HTTP/1.1 200 OK\r\ncontent-length: 5000000\r\n\r\nxxxx").await;
    let run =
        run("send", granted(format!("http://{address}/a"), format!("http://{address}/"), Network::Loopback))
            .await;
    assert!(matches!(run.result, Err(PluginError::Failed { message, .. }) if message == "send failed"));
    received.await.unwrap();
}

#[tokio::test]
async fn the_kubernetes_api_is_not_reached_over_http_whatever_is_granted() {
    let (address, received) = receiver(b"").await;
    let host = host(&["send"]).with_api_servers(vec![address]);
    let (mut call, signals) = call(&host, "send").await;
    granted(format!("http://{address}/api"), format!("http://{address}/"), Network::Loopback)(&mut call);
    match run_call(&host, call, signals).await.result {
        Err(PluginError::Denied { hint, .. }) => {
            assert_eq!(
                hint,
                "no permission allows this: it is the Kubernetes API: use the kubernetes interface"
            );
        }
        other => panic!("{other:?}"),
    }
    received.abort();
    assert!(received.await.unwrap_err().is_cancelled(), "nothing connected");
}
