//! The part of a kubelet's server that the API server asks: `GET /containerLogs/NAMESPACE/POD/CONTAINER`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, Result};
use futures::stream::{self, StreamExt as _};
use http::{Request, Response, StatusCode};
use http_body_util::{Full, StreamBody, combinators::BoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt as _;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::node::log::{Line, Log};

type Body = BoxBody<Bytes, Infallible>;

/// The logs of all containers of the node.
#[derive(Default)]
pub(crate) struct Logs(Mutex<HashMap<[String; 3], Runs>>);

/// The last two runs of a container.
struct Runs {
    current: Arc<Log>,
    previous: Option<Arc<Log>>,
}

impl Logs {
    /// A container starts (again).
    pub(crate) fn begin(&self, pod: &Pod, container: &str, log: Arc<Log>) {
        let key = [pod.namespace().unwrap_or_default(), pod.name_any(), container.to_owned()];
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let previous = logs.remove(&key).map(|runs| runs.current);
        logs.insert(key, Runs { current: log, previous });
    }

    /// The pod is gone.
    pub(crate) fn forget(&self, pod: &Pod) {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logs.retain(|[in_namespace, of, _], _| *in_namespace != namespace || *of != name);
    }

    fn find(&self, place: &[&str], previous: bool) -> Option<Arc<Log>> {
        let key: [&str; 3] = place.try_into().ok()?;
        let logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let runs = logs.get(&key.map(str::to_owned))?;
        if previous { runs.previous.clone() } else { Some(runs.current.clone()) }
    }
}

/// Serves on a free port of loopback until the runtime ends, with the API server's own certificate: it checks none.
pub(crate) async fn start(certificates: &Path, logs: Arc<Logs>) -> Result<u16> {
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(certificates.join("apiserver.crt"))?.collect();
    let key = PrivateKeyDer::from_pem_file(certificates.join("apiserver.key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_no_client_auth().with_single_cert(chain?, key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let port = listener.local_addr().context("its port")?.port();
    tokio::spawn(async move {
        // A client that goes away, or never came properly, is its own loss.
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, logs) = (acceptor.clone(), logs.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let service =
                    service_fn(|request| std::future::ready(Ok::<_, Infallible>(answer(&logs, &request))));
                let http = hyper::server::conn::http1::Builder::new();
                drop(http.serve_connection(TokioIo::new(stream), service).await);
            });
        }
    });
    Ok(port)
}

fn answer(logs: &Logs, request: &Request<Incoming>) -> Response<Body> {
    let path: Vec<&str> = request.uri().path().trim_start_matches('/').split('/').collect();
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let Some(("containerLogs", place)) = path.split_first().map(|(first, rest)| (*first, rest)) else {
        return text(StatusCode::NOT_FOUND, "this node serves containerLogs only\n".to_owned());
    };
    let Some(log) = logs.find(place, query.previous) else {
        let which = if query.previous { "previous terminated container" } else { "container" };
        return text(StatusCode::BAD_REQUEST, format!("{which} not found: {}\n", place.join("/")));
    };
    let from = query.tail.map_or(0, |count| log.tail(count));
    let lines = stream::unfold((log, from, query), async move |(log, from, query)| {
        let next = if query.follow { log.next(from).await } else { log.line(from) };
        let (number, line) = next?;
        Some((query.show(&line), (log, number + 1, query)))
    });
    let lines = lines.map(|bytes| Ok::<_, Infallible>(Frame::data(bytes)));
    let mut response = Response::new(BoxBody::new(StreamBody::new(lines)));
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/plain"));
    response
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(BoxBody::new(Full::new(Bytes::from(text))));
    *response.status_mut() = status;
    response
}

/// Which lines, and how.
#[derive(Default)]
struct Query {
    follow: bool,
    previous: bool,
    timestamps: bool,
    tail: Option<usize>,
    since: Option<Timestamp>,
}

impl Query {
    fn parse(query: &str) -> Self {
        let mut parsed = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            match name {
                "follow" => parsed.follow = value == "true",
                "previous" => parsed.previous = value == "true",
                "timestamps" => parsed.timestamps = value == "true",
                "tailLines" => parsed.tail = value.parse().ok(),
                "sinceSeconds" => {
                    let ago = value.parse().ok().map(SignedDuration::from_secs);
                    parsed.since = ago.and_then(|ago| Timestamp::now().checked_sub(ago).ok());
                }
                "sinceTime" => parsed.since = value.replace("%3A", ":").parse().ok(),
                _ => {}
            }
        }
        parsed
    }

    /// A line as it is sent; nothing of one that is too old.
    fn show(&self, line: &Line) -> Bytes {
        if self.since.is_some_and(|since| line.time < since) {
            return Bytes::new();
        }
        let mut bytes = Vec::with_capacity(line.text.len() + 1);
        if self.timestamps {
            bytes.extend(format!("{} ", line.time).into_bytes());
        }
        bytes.extend(&line.text);
        bytes.push(b'\n');
        bytes.into()
    }
}
