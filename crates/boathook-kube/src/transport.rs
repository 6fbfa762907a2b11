//! Sends checked requests and reads bounded answers: time limits, retries, credentials that have to be read again, and
//! errors with their kind. Knows nothing about objects.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use boathook_engine::cluster::{ClusterError, ClusterErrorKind};
use boathook_engine::retry::seeded;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, USER_AGENT, WARNING};
use http::{Response, StatusCode};
use kube::Client;
use kube::client::Body;
use tokio::time::{Instant, sleep, timeout};

use crate::body::{self, BodyError};
use crate::connect::{self, ConnectOptions};
use crate::error;
use crate::request::Request;
use crate::retry::{self, Answer, Class, Decision, Tokens};

/// One request from its first byte to the last of the answer, or to the head of a stream. A little more than the 30 s
/// that the server gives an admission webhook.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(35);
/// All attempts of one request together.
const BUDGET: Duration = Duration::from_secs(60);
/// The same for a server that has never answered: most likely it is not there, and a user waits for the message.
const FIRST_CONTACT: Duration = Duration::from_secs(1);
/// The largest error that is read.
const ERROR_LIMIT: usize = 1024 * 1024;

const AGENT: &str = concat!("boathook/", env!("CARGO_PKG_VERSION"));

pub(crate) struct Transport {
    client: RwLock<Client>,
    /// How to make the client again.
    options: Option<ConnectOptions>,
    /// The server as messages name it.
    server: String,
    answered: AtomicBool,
    tokens: Mutex<Tokens>,
    jitter: Box<dyn Fn() -> f64 + Send + Sync>,
}

/// A request that failed once.
struct Failure {
    answer: Answer,
    error: ClusterError,
}

impl Failure {
    fn lost(error: ClusterError) -> Self {
        Self { answer: Answer::Lost, error }
    }
}

/// The attempts at one request.
struct Attempts<'a> {
    transport: &'a Transport,
    class: Class,
    started: Instant,
    failed: u32,
    reloaded: bool,
}

impl Attempts<'_> {
    /// Waits until the request may be sent again; the error if it may not.
    async fn again(&mut self, failure: Failure) -> Result<(), ClusterError> {
        let Failure { answer, mut error } = failure;
        if matches!(answer, Answer::Status { code: 401, .. }) {
            if self.reloaded {
                error
                    .message
                    .push_str(" (also after the credentials were read again: they may have expired)");
                return Err(error);
            }
            self.reloaded = true;
            return if self.transport.reload().await { Ok(()) } else { Err(error) };
        }
        self.failed += 1;
        let wait = match retry::decide(self.class, answer) {
            Decision::Fail => return Err(error),
            Decision::Retry => retry::backoff(self.failed, self.transport.jitter()),
            Decision::RetryAfter(wait) => retry::after(wait, self.transport.jitter()),
        };
        let never_seen = answer == Answer::Unsent && !self.transport.answered.load(Ordering::Relaxed);
        let budget = if never_seen { FIRST_CONTACT } else { BUDGET };
        if self.started.elapsed() + wait > budget || !self.transport.tokens().spend() {
            return Err(error);
        }
        tracing::debug!(failed = self.failed, ?wait, %error, "request failed, sending it again");
        sleep(wait).await;
        Ok(())
    }
}

impl Transport {
    pub(crate) fn new(client: Client, server: Option<&str>, options: Option<ConnectOptions>) -> Self {
        Self {
            client: RwLock::new(client),
            options,
            server: server.map_or_else(|| "the cluster".to_owned(), |url| format!("the cluster at {url}")),
            answered: AtomicBool::new(false),
            tokens: Mutex::new(Tokens::new()),
            // std's hasher keys are random; waits need no better source.
            jitter: Box::new(seeded(RandomState::new().hash_one(0))),
        }
    }

    /// The server as messages name it.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// A number from 0 up to 1, for waits.
    pub(crate) fn jitter(&self) -> f64 {
        (self.jitter)()
    }

    /// The body of a successful answer, at most `limit` bytes of it.
    pub(crate) async fn whole(
        &self,
        request: &Request,
        class: Class,
        limit: usize,
    ) -> Result<Vec<u8>, ClusterError> {
        let mut attempts = self.attempts(class);
        loop {
            let answered = timeout(REQUEST_TIMEOUT, self.read_whole(request, limit)).await;
            match answered.unwrap_or_else(|_elapsed| Err(self.late())) {
                Ok(text) => return Ok(text),
                Err(failure) => attempts.again(failure).await?,
            }
        }
    }

    /// The stream of a successful answer.
    pub(crate) async fn stream(&self, request: &Request) -> Result<Body, ClusterError> {
        let mut attempts = self.attempts(Class::Read);
        loop {
            let answered = timeout(REQUEST_TIMEOUT, self.head(request)).await;
            match answered.unwrap_or_else(|_elapsed| Err(self.late())) {
                Ok(response) => return Ok(response.into_body()),
                Err(failure) => attempts.again(failure).await?,
            }
        }
    }

    fn attempts(&self, class: Class) -> Attempts<'_> {
        self.tokens().earn();
        Attempts { transport: self, class, started: Instant::now(), failed: 0, reloaded: false }
    }

    async fn read_whole(&self, request: &Request, limit: usize) -> Result<Vec<u8>, Failure> {
        let response = self.head(request).await?;
        body::whole(response.into_body(), limit).await.map_err(|error| self.unread(error, limit))
    }

    /// Sends once; anything but a success is a failure.
    async fn head(&self, request: &Request) -> Result<Response<Body>, Failure> {
        let mut built = http::Request::builder()
            .method(request.method.clone())
            .uri(&request.line)
            .header(ACCEPT, request.accept)
            .header(USER_AGENT, AGENT);
        let mut body = Body::empty();
        if let Some((media_type, text)) = &request.body {
            built = built.header(CONTENT_TYPE, *media_type);
            body = Body::from(text.clone());
        }
        let built = built.body(body).map_err(|error| Failure {
            answer: Answer::Final,
            error: ClusterError::new(ClusterErrorKind::Other, format!("internal error: {error}")),
        })?;
        tracing::debug!(method = %request.method, line = request.line, "request");
        let client = self.client.read().unwrap_or_else(PoisonError::into_inner).clone();
        let response = client.send(built).await.map_err(|error| self.unanswered(&error))?;
        self.answered.store(true, Ordering::Relaxed);
        for warning in response.headers().get_all(WARNING) {
            tracing::warn!(line = request.line, ?warning, "the server warns");
        }
        if response.status().is_success() { Ok(response) } else { Err(self.refused(response).await) }
    }

    async fn refused(&self, response: Response<Body>) -> Failure {
        let code = response.status();
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let retry_after = seconds.map(Duration::from_secs);
        // A refusal whose text is lost is still a refusal.
        let text = body::whole(response.into_body(), ERROR_LIMIT).await.unwrap_or_default();
        let error = error::from_answer(code, &text, retry_after);
        let webhook = code != StatusCode::FORBIDDEN && error.message.contains("failed calling webhook");
        Failure { answer: Answer::Status { code: code.as_u16(), retry_after, webhook }, error }
    }

    fn unanswered(&self, error: &kube::Error) -> Failure {
        let error::NoAnswer { error, unsent } = error::no_answer(error, &self.server);
        let answer = match error.kind {
            ClusterErrorKind::Unauthorized => Answer::Final,
            _ if unsent => Answer::Unsent,
            _ => Answer::Lost,
        };
        Failure { answer, error }
    }

    fn unread(&self, error: BodyError, limit: usize) -> Failure {
        match error {
            BodyError::TooLarge => Failure {
                answer: Answer::Final,
                error: ClusterError::new(
                    ClusterErrorKind::TooLarge,
                    format!("the answer is larger than {} MiB", limit / (1024 * 1024)),
                ),
            },
            BodyError::Broken(error) => Failure::lost(error::unreachable(&error, &self.server)),
        }
    }

    fn late(&self) -> Failure {
        let message = format!("{} did not answer within {} s", self.server, REQUEST_TIMEOUT.as_secs());
        Failure::lost(ClusterError::new(ClusterErrorKind::Timeout, message))
    }

    /// Makes the client again from its kubeconfig, whose credentials may have changed. Whether that was possible.
    async fn reload(&self) -> bool {
        let Some(options) = &self.options else { return false };
        match connect::open(options).await {
            Ok(connection) => {
                *self.client.write().unwrap_or_else(PoisonError::into_inner) = connection.client;
                true
            }
            Err(error) => {
                tracing::debug!(%error, "cannot read the credentials again");
                false
            }
        }
    }

    fn tokens(&self) -> std::sync::MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
