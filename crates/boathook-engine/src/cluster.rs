//! The port to a Kubernetes API. Implementations hold the transport, its retries and its timeouts; what to send and
//! what an answer means for a hook is decided by the caller.

use std::time::Duration;

use async_trait::async_trait;
use boathook_core::names::{Collection, Resource, Target};
use boathook_core::{Gvk, Object};
use serde_json::Value;

/// A Kubernetes API. Every method is cancel-safe: dropping its future ends the request or the watch. Deadlines are the
/// caller's. Methods that write take a [`WriteOptions`]; what only looks does not.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// Asks discovery which resource serves a kind.
    ///
    /// # Errors
    /// [`ClusterErrorKind::NoSuchKind`] if none does, also after looking once more.
    async fn resolve(&self, gvk: &Gvk) -> Result<Resource, ClusterError>;

    /// Reads one object.
    ///
    /// # Errors
    /// [`ClusterErrorKind::NotFound`] and the API's other refusals.
    async fn get(&self, target: &Target) -> Result<Object, ClusterError>;

    /// Reads one page of objects.
    ///
    /// # Errors
    /// The API's refusals; [`ClusterErrorKind::Expired`] for a continue token that is too old.
    async fn list(&self, collection: &Collection, options: &ListOptions) -> Result<Page, ClusterError>;

    /// Creates an object (POST) with the name, or `generateName`, in its metadata.
    ///
    /// # Errors
    /// [`ClusterErrorKind::AlreadyExists`] and the API's other refusals.
    async fn create(
        &self,
        collection: &Collection,
        object: &Object,
        options: &WriteOptions,
    ) -> Result<Object, ClusterError>;

    /// Changes an object.
    ///
    /// # Errors
    /// [`ClusterErrorKind::Conflict`] for fields of other managers or a stale resourceVersion, and other refusals.
    async fn patch(
        &self,
        target: &Target,
        patch: &Patch,
        options: &WriteOptions,
    ) -> Result<Object, ClusterError>;

    /// Deletes an object. Returns once the API took it: the object may still be there.
    ///
    /// # Errors
    /// [`ClusterErrorKind::NotFound`], [`ClusterErrorKind::Conflict`] when a precondition does not hold, others.
    async fn delete(
        &self,
        target: &Target,
        preconditions: &Preconditions,
        options: &WriteOptions,
    ) -> Result<(), ClusterError>;

    /// Watches one object, by list and watch with resume, until `until` answers [`Verdict::Done`]. It is asked with
    /// the current object first (`None` if there is none) and then at each change.
    ///
    /// # Errors
    /// The API's refusals; a broken watch is resumed, not reported.
    async fn wait(&self, target: &Target, until: &mut Until<'_>) -> Result<Option<Object>, ClusterError>;

    /// Follows the log of one container of a Pod to its end, a line at a time.
    ///
    /// # Errors
    /// The API's refusals.
    async fn logs(
        &self,
        pod: &Target,
        container: &str,
        line: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), ClusterError>;
}

/// Looks at an object (or its absence) and says whether the wait is over.
pub type Until<'a> = dyn FnMut(Option<&Object>) -> Verdict + Send + 'a;

/// Whether a wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is; `wait` returns what it saw.
    Done,
    /// Not yet.
    Waiting,
}

/// How a list is narrowed and paged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// A label selector, as kubectl takes it.
    pub label_selector: Option<String>,
    /// A field selector.
    pub field_selector: Option<String>,
    /// Objects of one page; 0: the server's choice.
    pub limit: u32,
    /// Where to go on.
    pub continue_token: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The objects, with `apiVersion` and `kind` filled in.
    pub items: Vec<Object>,
    /// Where to go on, if there is more.
    pub continue_token: Option<String>,
}

/// How a write is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// `dryRun=All`: checked by the API, nothing kept.
    pub dry_run: bool,
    /// The field manager.
    pub field_manager: String,
    /// What becomes of the objects that a deleted one owns; only a delete looks at it.
    pub propagation: Propagation,
}

/// What becomes of the objects that a deleted object owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    /// They go after it.
    #[default]
    Background,
    /// They go before it.
    Foreground,
    /// They stay.
    Orphan,
}

impl Propagation {
    /// The API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Background => "Background",
            Self::Foreground => "Foreground",
            Self::Orphan => "Orphan",
        }
    }
}

impl WriteOptions {
    /// A real write by a field manager; what a deleted object owns goes with it.
    pub fn by(field_manager: &str) -> Self {
        Self { dry_run: false, field_manager: field_manager.to_owned(), propagation: Propagation::default() }
    }
}

/// The kinds of change that the API knows.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// Server-side apply of a whole object; creates it if it is not there.
    Apply {
        /// What is applied.
        object: Object,
        /// Take fields from other managers.
        force: bool,
    },
    /// RFC 7386.
    JsonMerge(Value),
    /// Kubernetes' own merge, by the kind's merge keys.
    StrategicMerge(Value),
    /// RFC 6902.
    Json(Value),
    /// The whole object (PUT); its `metadata.resourceVersion`, if any, must match.
    Replace(Object),
}

/// What must hold for a delete to happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// This very object, not a later one of the same name.
    pub uid: Option<String>,
    /// Unchanged since it was read.
    pub resource_version: Option<String>,
}

/// A request that the API, or the way to it, refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ClusterError {
    /// What a caller may match on.
    pub kind: ClusterErrorKind,
    /// The server's text, or ours if there was no answer.
    pub message: String,
    /// What the server asks us to wait.
    pub retry_after: Option<Duration>,
}

impl ClusterError {
    /// An error without a wish to wait.
    pub fn new(kind: ClusterErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }

    /// Whether the object was not there.
    pub fn is_not_found(&self) -> bool {
        self.kind == ClusterErrorKind::NotFound
    }
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClusterErrorKind {
    /// 404 for the object.
    NotFound,
    /// No served resource has this kind.
    NoSuchKind,
    /// 409 AlreadyExists.
    AlreadyExists,
    /// 409 Conflict.
    Conflict,
    /// 400, 422: the object or the request is wrong.
    Invalid,
    /// 413, or over a limit of ours.
    TooLarge,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 410: a continue token or resourceVersion is too old.
    Expired,
    /// 408, 504, or our own timeout of one request.
    Timeout,
    /// 429, 500, 503.
    Unavailable,
    /// No connection, or it broke.
    Unreachable,
    /// Anything else.
    Other,
}
