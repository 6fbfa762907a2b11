//! Sends one HTTP request that was already allowed, to addresses that were already allowed. It decides nothing about
//! rights: what it adds is the transport's own strictness. One connection per request, no redirects, no proxy, no
//! pool, no ambient credentials, caps on what comes back.

mod connect;
mod request;
mod resolve;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use boathook_core::authorize::HttpRequest;
use boathook_engine::plugin_host::CredentialValue;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

pub(crate) use resolve::resolve;

use crate::limits::{MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_HEADERS};

/// What came back.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Why nothing came back. No text here holds a URL or a credential.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error("the host's name does not resolve")]
    Dns,
    #[error("no connection to the host")]
    Connect,
    #[error("TLS: {0}")]
    Tls(String),
    #[error("timed out")]
    Timeout,
    #[error("the answer is larger than {0} bytes")]
    TooLarge(u64),
    #[error("{0}")]
    Invalid(String),
    #[error("{0}")]
    Other(String),
}

/// Sends `request` to the first of `addresses` that takes a connection, within `timeout`.
///
/// # Errors
/// [`SendError`].
pub(crate) async fn send(
    request: &HttpRequest,
    body: Vec<u8>,
    credentials: &BTreeMap<String, CredentialValue>,
    addresses: &[IpAddr],
    timeout: Duration,
) -> Result<Response, SendError> {
    let message = request::build(request, body, credentials)?;
    let exchange = async {
        let stream = connect::connect(request.url(), addresses).await?;
        exchange(stream, message).await
    };
    tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(SendError::Timeout))
}

async fn exchange(stream: connect::Stream, message: request::Message) -> Result<Response, SendError> {
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEADER_BYTES)
        .handshake::<_, _>(TokioIo::new(stream))
        .await
        .map_err(|error| transport(&error))?;
    // Driven here and not in a task of its own: dropping this future closes the connection.
    let driver = async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "http connection");
        }
        std::future::pending::<Result<Response, SendError>>().await
    };
    let answer = async move {
        let response = sender.send_request(message).await.map_err(|error| transport(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                SendError::TooLarge(MAX_BODY_BYTES as u64)
            } else {
                SendError::Other("the connection broke while the answer was read".to_owned())
            }
        })?;
        let headers = head.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        Ok(Response {
            status: head.status.as_u16(),
            headers: headers.collect(),
            body: body.to_bytes().into(),
        })
    };
    tokio::select! {
        response = answer => response,
        never = driver => never,
    }
}

fn transport(error: &hyper::Error) -> SendError {
    if error.is_parse_too_large() {
        SendError::TooLarge(MAX_HEADER_BYTES as u64)
    } else if error.is_parse() {
        SendError::Other("the answer is no HTTP".to_owned())
    } else {
        SendError::Other("the connection broke before an answer came".to_owned())
    }
}
