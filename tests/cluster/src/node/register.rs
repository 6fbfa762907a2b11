//! What makes a node of us: the object, its Lease, and what is on it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use http::Request;
use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::node::NAME;
use crate::node::status::seconds;

/// As a kubelet does; the controllers take a node for lost after 40 s.
const RENEW: Duration = Duration::from_secs(10);
const LEASES: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases";

/// `apk add` has nothing to do where the machine has the program, and fails as it does where it has not.
const APK: &str = r#"#!/bin/sh
[ "$1" = add ] || { echo "this apk only knows add" >&2; exit 1; }
for name; do
  case $name in
  add | -*) ;;
  *) command -v "$name" >/dev/null || {
      printf 'ERROR: unable to select packages:\n  %s (no such package)\n' "$name" >&2
      exit 1
    } ;;
  esac
done
echo OK
"#;

pub(crate) fn labels() -> BTreeMap<String, String> {
    [("kubernetes.io/hostname", NAME), ("kubernetes.io/os", "linux"), ("kubernetes.io/arch", "amd64")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Creates the node, ready, with the port of its server, and waits until the controllers let pods on it.
pub(crate) async fn register(client: &Client, port: u16) -> Result<()> {
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": NAME, "labels": labels()}});
    send(client, "POST", "/api/v1/nodes", &node).await?;
    let now = seconds(Timestamp::now());
    let resources = json!({"cpu": "64", "memory": "256Gi", "pods": "2000", "ephemeral-storage": "1Ti"});
    let status = json!({"status": {
        "capacity": resources,
        "allocatable": resources,
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "processes of this machine",
            "lastHeartbeatTime": now, "lastTransitionTime": now,
        }],
        "nodeInfo": {
            "kubeletVersion": "v1.36.3", "operatingSystem": "linux", "architecture": "amd64",
            "containerRuntimeVersion": "process://", "kernelVersion": "", "osImage": "", "machineID": "",
            "systemUUID": "", "bootID": "", "kubeProxyVersion": "",
        },
    }});
    send(client, "PATCH", &format!("/api/v1/nodes/{NAME}/status"), &status).await?;
    send(client, "POST", LEASES, &lease()).await?;
    // A new node is tainted until a controller has seen that it is ready.
    for _ in 0..600 {
        let node = send(client, "GET", &format!("/api/v1/nodes/{NAME}"), &Value::Null).await?;
        if node["spec"]["taints"].as_array().is_none_or(Vec::is_empty) {
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
    bail!("the controllers do not take the node")
}

/// Says again and again that the node lives.
pub(crate) async fn renew_lease(client: Client) {
    loop {
        sleep(RENEW).await;
        // The next one comes early enough.
        drop(send(&client, "PATCH", &format!("{LEASES}/{NAME}"), &lease()).await);
    }
}

fn lease() -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": NAME},
        "spec": {
            "holderIdentity": NAME, "leaseDurationSeconds": 40,
            "renewTime": Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string(),
        },
    })
}

async fn send(client: &Client, method: &str, path: &str, body: &Value) -> Result<Value> {
    let media_type = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let request = Request::builder().method(method).uri(path).header("content-type", media_type);
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    Ok(client.request(request.body(body)?).await?)
}

/// Puts the `apk` of images of alpine into a folder.
pub(crate) fn write_apk(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::create_dir_all(folder)?;
    let path = folder.join("apk");
    std::fs::write(&path, APK)?;
    Ok(std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?)
}
