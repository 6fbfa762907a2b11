//! The embedded API on a TCP listener, for kubectl and other programs of this machine. There is no TLS and no
//! authentication: bind it to loopback.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tower::Service as _;

use crate::Embedded;

/// How long open connections may go on after the end was asked for.
const GRACE: std::time::Duration = std::time::Duration::from_secs(1);

/// Serves until `shutdown` is done; open watches then end.
///
/// # Errors
/// What the listener says; an error of one connection ends only that one.
pub async fn serve(
    embedded: Embedded,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let service = embedded.service();
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            Some(_) = connections.join_next() => continue,
            () = &mut shutdown => break,
        };
        stream.set_nodelay(true)?;
        let service = service.clone();
        let answer = service_fn(move |request| service.clone().call(request));
        let connection = graceful.watch(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
    drop(listener);
    // Watches last for minutes: they are cut off after a moment.
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::debug!("open connections were cut off");
        connections.shutdown().await;
    }
    Ok(())
}

/// A kubeconfig for the API at an address.
pub fn kubeconfig(address: SocketAddr) -> String {
    format!(
        "apiVersion: v1
kind: Config
current-context: boathook-embedded
clusters:
- name: boathook-embedded
  cluster:
    server: http://{address}
contexts:
- name: boathook-embedded
  context:
    cluster: boathook-embedded
    user: boathook-embedded
    namespace: default
users:
- name: boathook-embedded
  user: {{}}
"
    )
}
