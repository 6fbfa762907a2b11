//! `boathook:hook/http`: typed requests, decided on twice (before and after the name is resolved), then sent. It
//! decides nothing itself and does no transport itself.

use std::time::Duration;

use boathook_core::authorize::{
    Denial, HttpRequest, RawHttpRequest, Request as CoreRequest, RequestError, authorize, authorize_addresses,
};
use boathook_core::effect::Effect;

use super::Capabilities;
use crate::bindings::boathook::hook::http::{Error, Header, Host, Request, Response};
use crate::http_sender::{self, SendError};

/// Of one exchange, if the guest names none.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// On the answer of a dry run, where nothing was sent.
const DRY_RUN_HEADER: &str = "boathook-dry-run";

impl Host for Capabilities {
    async fn send(&mut self, request: Request) -> wasmtime::Result<Result<Response, Error>> {
        self.count_http()?;
        Ok(self.send_http(request).await)
    }
}

impl Capabilities {
    async fn send_http(&mut self, request: Request) -> Result<Response, Error> {
        let body = request.body.unwrap_or_default();
        let headers: Vec<(&str, &str)> =
            request.headers.iter().map(|header| (header.name.as_str(), header.value.as_str())).collect();
        let credentials: Vec<(&str, &str)> = request
            .credentials
            .iter()
            .map(|credential| (credential.name.as_str(), credential.placement.as_str()))
            .collect();
        let raw = RawHttpRequest {
            method: &request.method,
            url: &request.url,
            headers: &headers,
            body_bytes: body.len(),
            credentials: &credentials,
        };
        let value_of = |name: &str| self.credentials.get(name).map(|credential| credential.value.as_str());
        let typed = match HttpRequest::parse(&raw, value_of) {
            Ok(typed) => typed,
            Err(RequestError::Denied(denial)) => return Err(self.refuse(&denial)),
            Err(RequestError::Invalid(message)) => return Err(Error::InvalidRequest(message)),
            Err(RequestError::TooLarge { limit }) => return Err(Error::TooLarge(limit)),
        };
        let decision = authorize(&self.grant, &CoreRequest::Http(typed.clone()));
        decision.map_err(|denial| self.refuse(&denial))?;
        if self.run.dry_run {
            self.log().withhold(Effect::Send { request: typed.action() });
            let header = Header { name: DRY_RUN_HEADER.to_owned(), value: "true".to_owned() };
            return Ok(Response { status: 200, headers: vec![header], body: Vec::new() });
        }
        let wish = request.timeout_ms.map_or(DEFAULT_TIMEOUT, Duration::from_millis);
        let timeout = self.within_deadline(wish);
        let resolved = tokio::time::timeout(timeout, http_sender::resolve(typed.url())).await;
        let found = resolved.map_err(|_elapsed| Error::Timeout)??;
        let allowed =
            authorize_addresses(&self.grant, &typed, &found).map_err(|denial| self.refuse(&denial))?;
        let timeout = self.within_deadline(timeout);
        let response = http_sender::send(&typed, body, &self.credentials, &allowed, timeout).await?;
        // A server that echoes what it got must not become the way to read a credential.
        let scrubber = self.log().scrubber();
        let headers =
            response.headers.into_iter().map(|(name, value)| Header { name, value: scrubber.text(value) });
        Ok(Response {
            status: response.status,
            headers: headers.collect(),
            body: scrubber.bytes(response.body),
        })
    }

    fn refuse(&mut self, denial: &Denial) -> Error {
        Error::Denied(self.deny(denial, format!("http.send {}", denial.action)))
    }
}

impl From<SendError> for Error {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Dns => Self::Dns,
            SendError::Connect => Self::Connect,
            SendError::Tls(message) => Self::Tls(message),
            SendError::Timeout => Self::Timeout,
            SendError::TooLarge(limit) => Self::TooLarge(limit),
            SendError::Invalid(message) => Self::InvalidRequest(message),
            SendError::Other(message) => Self::Other(message),
        }
    }
}
