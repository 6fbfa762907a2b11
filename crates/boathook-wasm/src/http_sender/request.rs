//! From an allowed request to the message on the wire: the only place where the value of a credential meets a request.

use std::collections::BTreeMap;

use base64::Engine as _;
use boathook_core::authorize::{CredentialUse, HttpRequest, Placement};
use boathook_engine::plugin_host::CredentialValue;
use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, USER_AGENT};
use http_body_util::Full;
use hyper::body::Bytes;
use url::Position;

use super::SendError;

/// A request as hyper takes it.
pub(super) type Message = http::Request<Full<Bytes>>;

/// Who we are, unless the guest says who it is.
const OUR_USER_AGENT: &str = concat!("boathook/", env!("CARGO_PKG_VERSION"));

/// Builds the message, credentials filled in.
///
/// # Errors
/// [`SendError::Invalid`] if a credential's value cannot stand where it should, or if two parsers read the URL in
/// different ways.
pub(super) fn build(
    request: &HttpRequest,
    body: Vec<u8>,
    credentials: &BTreeMap<String, CredentialValue>,
) -> Result<Message, SendError> {
    let url = request.url();
    let target = &url.url()[Position::BeforePath..Position::AfterQuery];
    let uri: http::Uri = target.parse().map_err(|_| disagreement())?;
    // The `url` crate was asked whether this may be sent; the `http` crate's reading is what is sent.
    let whole: http::Uri = url.url().as_str().parse().map_err(|_| disagreement())?;
    let agree = uri.path() == url.path()
        && whole.path() == url.path()
        && whole.query() == url.url().query()
        && whole.scheme_str() == Some(url.scheme())
        && whole.host() == url.url().host_str();
    if !agree {
        return Err(disagreement());
    }
    let authority = match url.url().port() {
        Some(port) => format!("{}:{port}", url.host()),
        None => url.host().to_string(),
    };
    let mut message = http::Request::builder()
        .method(request.method())
        .uri(uri)
        .header(HOST, authority)
        .body(Full::new(Bytes::from(body)))
        .map_err(|error| SendError::Invalid(error.to_string()))?;
    let headers = message.headers_mut();
    for (name, value) in request.headers() {
        let name = HeaderName::try_from(name).map_err(|error| SendError::Invalid(error.to_string()))?;
        let value = HeaderValue::try_from(value).map_err(|error| SendError::Invalid(error.to_string()))?;
        headers.append(name, value);
    }
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(OUR_USER_AGENT));
    for used in request.credentials() {
        if let Some((name, value)) = credential_header(used, credentials)? {
            headers.insert(name, value);
        }
    }
    Ok(message)
}

fn disagreement() -> SendError {
    SendError::Invalid("the URL means different things to different readers".to_owned())
}

/// The header of a credential; none for the one that is the URL.
fn credential_header(
    used: &CredentialUse,
    credentials: &BTreeMap<String, CredentialValue>,
) -> Result<Option<(HeaderName, HeaderValue)>, SendError> {
    let refuse = |why: &str| SendError::Invalid(format!("credential {}: {why}", used.name));
    let value = credentials.get(&used.name).ok_or_else(|| refuse("the hook has none of this name"))?;
    // A Secret made from a file ends with a line break.
    let value = value.value.trim_end_matches(['\r', '\n']);
    let (name, text) = match &used.placement {
        Placement::Url => return Ok(None),
        Placement::Bearer => (AUTHORIZATION, format!("Bearer {value}")),
        Placement::Basic if value.contains(':') => {
            let encoded = base64::engine::general_purpose::STANDARD.encode(value);
            (AUTHORIZATION, format!("Basic {encoded}"))
        }
        Placement::Basic => return Err(refuse("the value is not user:password")),
        Placement::Header(name) => {
            (HeaderName::try_from(name).map_err(|_| refuse("no header name"))?, value.to_owned())
        }
    };
    let mut value = HeaderValue::try_from(text).map_err(|_| refuse("the value cannot stand in a header"))?;
    value.set_sensitive(true);
    Ok(Some((name, value)))
}
