//! From allowed addresses to a byte stream, with TLS for `https`. The address is the caller's and never looked up
//! again; the name in TLS is the URL's.

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use boathook_core::authorize::HttpUrl;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Host;

use super::SendError;

/// For one address; the next is tried after it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A TCP connection, with or without TLS.
pub(super) type Stream = Pin<Box<dyn ByteStream>>;

/// What HTTP needs of a connection.
pub(super) trait ByteStream: AsyncRead + AsyncWrite + Send {}
impl<T: AsyncRead + AsyncWrite + Send> ByteStream for T {}

/// Connects to the first address that answers.
///
/// # Errors
/// [`SendError::Connect`], [`SendError::Tls`].
pub(super) async fn connect(url: &HttpUrl, addresses: &[IpAddr]) -> Result<Stream, SendError> {
    let stream = dial(url.port(), addresses).await?;
    if url.scheme() != "https" {
        return Ok(Box::pin(stream));
    }
    let name = match url.host() {
        Host::Domain(name) => {
            ServerName::try_from(name.clone()).map_err(|error| SendError::Tls(error.to_string()))?
        }
        Host::Ipv4(address) => ServerName::from(IpAddr::V4(*address)),
        Host::Ipv6(address) => ServerName::from(IpAddr::V6(*address)),
    };
    let connector = TlsConnector::from(tls_config()?);
    let stream = connector.connect(name, stream).await.map_err(|error| SendError::Tls(error.to_string()))?;
    Ok(Box::pin(stream))
}

async fn dial(port: u16, addresses: &[IpAddr]) -> Result<TcpStream, SendError> {
    for address in addresses {
        let attempt = TcpStream::connect(SocketAddr::new(*address, port));
        match tokio::time::timeout(CONNECT_TIMEOUT, attempt).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => tracing::debug!(%address, port, %error, "no connection"),
            Err(_elapsed) => tracing::debug!(%address, port, "no connection in time"),
        }
    }
    Err(SendError::Connect)
}

/// Made once and on first use: reading the system's roots takes milliseconds.
fn tls_config() -> Result<Arc<rustls::ClientConfig>, SendError> {
    static CONFIG: OnceLock<Arc<rustls::ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_platform_verifier())
        .map_err(|error| SendError::Tls(error.to_string()))?
        .with_no_client_auth();
    Ok(CONFIG.get_or_init(|| Arc::new(config)).clone())
}
