//! The embedded API as a tower service: bytes in, bytes out. It bounds the body, hands the typed request to `route.rs`
//! and writes the answer; it decides nothing about objects.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::{Stream, StreamExt as _};
use http::header::{CONTENT_TYPE, HeaderValue, WARNING};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited, StreamBody};
use hyper::body::{Body, Bytes, Frame};
use serde_json::Value;

use crate::authorize::{self, Attributes, User, impersonate};
use crate::request::Call;
use crate::shared::Shared;
use crate::status::Refusal;
use crate::{review, route};

/// The largest body of a request, as in the real server.
const MAX_REQUEST: usize = 3 * 1024 * 1024;

/// The body of an answer.
pub type EmbeddedBody = UnsyncBoxBody<Bytes, Infallible>;

/// What a request comes to.
pub(crate) enum Answer {
    /// One JSON document.
    Json {
        /// The HTTP status.
        code: u16,
        /// The document.
        value: Value,
        /// Texts for `Warning` headers.
        warnings: Vec<String>,
    },
    /// A document with its own content type.
    Typed(Value, &'static str),
    /// Plain text.
    Text(String),
    /// A stream: JSON lines of a watch or text of a log.
    Stream(Pin<Box<dyn Stream<Item = Bytes> + Send>>, &'static str),
}

impl Answer {
    /// 200 with a document.
    pub(crate) fn ok(value: Value) -> Self {
        Self::Json { code: 200, value, warnings: Vec::new() }
    }
}

/// The embedded API as a [`tower::Service`]; cheap to clone.
#[derive(Clone, Debug)]
pub struct EmbeddedService {
    pub(crate) shared: Arc<Shared>,
    /// Whether users may do only what roles allow them.
    pub(crate) rbac: bool,
    /// Who asks, unless a request says that it acts as somebody else.
    pub(crate) user: User,
}

impl<B> tower::Service<Request<B>> for EmbeddedService
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<EmbeddedBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            let answer = service.answer(request).await;
            Ok(match answer {
                Ok(answer) => respond(answer),
                Err(refusal) => refuse(&refusal),
            })
        })
    }
}

impl EmbeddedService {
    async fn answer<B>(&self, request: Request<B>) -> Result<Answer, Refusal>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.shared.wake();
        let (head, body) = request.into_parts();
        let path = head.uri.path();
        let call = Call::new(&head.method, head.uri.query().unwrap_or_default(), &head.headers)?;
        let user = self.authorized(path, &call, &head.headers)?;
        let body = match Limited::new(body, MAX_REQUEST).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => {
                return Err(Refusal::too_large(MAX_REQUEST));
            }
            Err(error) => return Err(Refusal::bad_request(format!("the body could not be read: {error}"))),
        };
        review::answer(&self.shared, &user, path, &call, &body)
            .unwrap_or_else(|| route::route(&self.shared, path, &call, &body))
    }

    /// Who asks, if that user may.
    fn authorized(&self, path: &str, call: &Call, headers: &HeaderMap) -> Result<User, Refusal> {
        if !self.rbac {
            return Ok(self.user.clone());
        }
        // There is nobody who could vouch for them.
        if headers.contains_key(http::header::AUTHORIZATION) {
            return Err(Refusal::unauthorized());
        }
        let asked = Attributes::of(path, call)?;
        let store = &self.shared.lock().store;
        let user = match impersonate::wanted(headers)? {
            Some(wanted) => wanted.allowed_to(store, &self.user, &asked)?,
            None => self.user.clone(),
        };
        authorize::check(store, &user, &asked)?;
        Ok(user)
    }
}

fn respond(answer: Answer) -> Response<EmbeddedBody> {
    match answer {
        Answer::Json { code, value, warnings } => {
            let mut response = whole(code, "application/json", value.to_string());
            for warning in warnings {
                let text = format!("299 - {}", Value::String(warning));
                if let Ok(value) = HeaderValue::from_str(&text) {
                    response.headers_mut().append(WARNING, value);
                }
            }
            response
        }
        Answer::Typed(value, content_type) => whole(200, content_type, value.to_string()),
        Answer::Text(text) => whole(200, "text/plain; charset=utf-8", text),
        Answer::Stream(stream, content_type) => {
            let body = StreamBody::new(stream.map(|line| Ok(Frame::data(line))));
            with_type(200, content_type, body.boxed_unsync())
        }
    }
}

fn refuse(refusal: &Refusal) -> Response<EmbeddedBody> {
    tracing::debug!(code = refusal.code, reason = refusal.reason, "request refused");
    if refusal.plain {
        return whole(refusal.code, "text/plain; charset=utf-8", refusal.message.clone());
    }
    let mut response = whole(refusal.code, "application/json", refusal.to_value().to_string());
    if let Some(seconds) = refusal.details.as_ref().and_then(|details| details["retryAfterSeconds"].as_u64())
    {
        response.headers_mut().insert(http::header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn whole(code: u16, content_type: &'static str, text: String) -> Response<EmbeddedBody> {
    with_type(code, content_type, Full::new(Bytes::from(text)).boxed_unsync())
}

fn with_type(code: u16, content_type: &'static str, body: EmbeddedBody) -> Response<EmbeddedBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
