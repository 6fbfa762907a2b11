//! Outgoing HTTP, one request at a time, under the hook's grant. Redirects are not followed.

mod date;

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::{Denial, Failure, host};

/// One request, built step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) credentials: Vec<(String, String)>,
}

/// Where the host puts the value of a credential, which the plugin never sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement<'a> {
    /// `Authorization: Bearer VALUE`.
    Bearer,
    /// `Authorization: Basic`; the value is `user:password`.
    Basic,
    /// The value of this header.
    Header(&'a str),
}

impl Request {
    /// A request to a URL.
    pub fn new(method: &str, url: &str) -> Self {
        Self {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: None,
            timeout: None,
            credentials: Vec::new(),
        }
    }

    /// A request to the URL that is the value of a credential.
    pub fn to_credential(method: &str, credential: &str) -> Self {
        let mut request = Self::new(method, "");
        request.credentials.push((credential.to_owned(), "url".to_owned()));
        request
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sets a JSON body, and its content type unless a header says another.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            self = self.header("content-type", "application/json");
        }
        self.body(body.to_string())
    }

    /// Bounds the whole exchange; the run's deadline bounds it too.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Has the host fill in a credential.
    #[must_use]
    pub fn credential(mut self, name: &str, placement: Placement<'_>) -> Self {
        let placement = match placement {
            Placement::Bearer => "bearer".to_owned(),
            Placement::Basic => "basic".to_owned(),
            Placement::Header(header) => format!("header:{header}"),
        };
        self.credentials.push((name.to_owned(), placement));
        self
    }

    /// Sends it. Any status is an answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send(&self) -> Result<Response, Error> {
        host::http_send(self)
    }
}

/// An answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// 200, 404.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The first header of a name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }

    /// The body as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What `Retry-After` asks us to wait: seconds, or a date, which is taken relative to the answer's own `Date` (a
    /// plugin has no clock that could be trusted).
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.header("retry-after")?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let (until, now) = (date::parse(value)?, date::parse(self.header("date")?)?);
        Some(Duration::from_secs(until.saturating_sub(now)))
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The grant does not allow it.
    Denied(Denial),
    /// The request is wrong.
    InvalidRequest(String),
    /// The host's name does not resolve.
    Dns,
    /// Nobody answers there.
    Connect,
    /// TLS failed.
    Tls(String),
    /// It took too long.
    Timeout,
    /// Request or answer has more bytes than allowed; the limit.
    TooLarge(u64),
    /// Anything else.
    Other(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denial) => denial.fmt(f),
            Self::InvalidRequest(message) => write!(f, "invalid request: {message}"),
            Self::Dns => f.write_str("the host's name does not resolve"),
            Self::Connect => f.write_str("cannot connect"),
            Self::Tls(message) => write!(f, "TLS: {message}"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::TooLarge(limit) => write!(f, "more than {limit} bytes"),
            Self::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Dns | Error::Connect | Error::Timeout => Self::retryable(error.to_string()),
            Error::Denied(_)
            | Error::InvalidRequest(_)
            | Error::Tls(_)
            | Error::TooLarge(_)
            | Error::Other(_) => Self::permanent(error.to_string()),
        }
    }
}
