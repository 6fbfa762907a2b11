//! Requests to the Kubernetes API, under the hook's grant. Objects are JSON values; a namespace left out is the
//! release's. Each function says which RBAC verbs the hook must grant.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::{Denial, Failure, host};

/// What names one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRef {
    /// `v1`, `apps/v1`.
    pub api_version: String,
    /// `ConfigMap`.
    pub kind: String,
    /// Left out: the release's; for cluster-scoped kinds it must be left out.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl ObjectRef {
    /// An object in the release's namespace, or of the cluster.
    pub fn new(api_version: &str, kind: &str, name: &str) -> Self {
        Self {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: None,
            name: name.to_owned(),
        }
    }

    /// What names a manifest; `None` where it has no `apiVersion`, `kind` or name.
    pub fn of(object: &Value) -> Option<Self> {
        let metadata = &object["metadata"];
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        Some(Self {
            api_version: text(&object["apiVersion"])?,
            kind: text(&object["kind"])?,
            namespace: text(&metadata["namespace"]),
            name: text(&metadata["name"])?,
        })
    }

    /// The same name in another namespace.
    #[must_use]
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = Some(namespace.to_owned());
        self
    }
}

impl fmt::Display for ObjectRef {
    /// `ConfigMap prod/my-app`, or `ClusterRole admin`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// A refusal of the host or the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// The grant does not allow it.
    Denied(Denial),
    /// There is no such object.
    NotFound,
    /// There is one already.
    AlreadyExists,
    /// A field of another manager, a stale resourceVersion, or a precondition that does not hold.
    Conflict(String),
    /// The request is wrong.
    Invalid(String),
    /// More bytes than allowed; the limit.
    TooLarge(u64),
    /// It did not come in time.
    Timeout,
    /// The API cannot be reached or is overloaded.
    Unavailable(String),
    /// Anything else.
    Other(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denial) => denial.fmt(f),
            Self::NotFound => f.write_str("not found"),
            Self::AlreadyExists => f.write_str("already exists"),
            Self::Conflict(message) => write!(f, "conflict: {message}"),
            Self::Invalid(message) => write!(f, "invalid: {message}"),
            Self::TooLarge(limit) => write!(f, "more than {limit} bytes"),
            Self::Timeout => f.write_str("the Kubernetes API did not answer in time"),
            Self::Unavailable(message) => write!(f, "the Kubernetes API is not available: {message}"),
            Self::Other(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Timeout | Error::Unavailable(_) => Self::retryable(error.to_string()),
            Error::Denied(_)
            | Error::NotFound
            | Error::AlreadyExists
            | Error::Conflict(_)
            | Error::Invalid(_)
            | Error::TooLarge(_)
            | Error::Other(_) => Self::permanent(error.to_string()),
        }
    }
}

/// How a list is narrowed and paged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListOptions {
    /// As kubectl takes it.
    pub label_selector: Option<String>,
    /// As kubectl takes it.
    pub field_selector: Option<String>,
    /// Paths such as `metadata.name`: only these are answered. Empty: all.
    pub fields: Vec<String>,
    /// Objects a page; 0: the host's choice.
    pub limit: u32,
    /// Where to go on.
    pub continue_token: Option<String>,
}

/// One page of a list.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The objects.
    pub items: Vec<Value>,
    /// Where to go on, if there is more.
    pub continue_token: Option<String>,
}

/// How an object is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Take fields from other managers.
    pub force: bool,
    /// Also change an object that this release did not make.
    pub adopt: bool,
}

/// A change of one object.
#[derive(Clone, Debug, PartialEq)]
pub enum Patch {
    /// RFC 7386.
    JsonMerge(Value),
    /// Kubernetes' own merge.
    StrategicMerge(Value),
    /// RFC 6902.
    Json(Value),
}

/// What must hold for a delete to happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// This very object, not a later one of the same name.
    pub uid: Option<String>,
    /// Unchanged since it was read.
    pub resource_version: Option<String>,
}

/// What to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The object is there.
    Exists,
    /// It is not.
    Absent,
    /// An entry of `status.conditions` has this status.
    Status {
        /// `Available`.
        condition: String,
        /// `True`.
        status: String,
    },
    /// A path such as `{.status.phase}` has this value.
    JsonPath {
        /// The path.
        path: String,
        /// The value, as text.
        value: String,
    },
    /// Ready as Helm 4 understands it for the kind.
    Ready,
}

/// Reads one object. Verb `get`.
///
/// # Errors
/// [`Error::NotFound`] and the other refusals.
pub fn get(target: &ObjectRef) -> Result<Value, Error> {
    get_fields(target, &[])
}

/// Reads some fields of one object: paths such as `metadata.resourceVersion`. Verb `get`.
///
/// # Errors
/// As [`get`].
pub fn get_fields(target: &ObjectRef, fields: &[&str]) -> Result<Value, Error> {
    host::kubernetes_get(target, fields)
}

/// Reads one page of a namespace's objects, or of the cluster's. Verb `list`.
///
/// # Errors
/// The refusals.
pub fn list(
    api_version: &str,
    kind: &str,
    namespace: Option<&str>,
    options: &ListOptions,
) -> Result<Page, Error> {
    host::kubernetes_list(api_version, kind, namespace, options)
}

/// Creates an object. Verb `create`.
///
/// # Errors
/// [`Error::AlreadyExists`] and the other refusals.
pub fn create(object: &Value) -> Result<Value, Error> {
    host::kubernetes_create(object)
}

/// Server-side apply; the host chooses the field manager. Verbs `create` and `patch`.
///
/// # Errors
/// [`Error::Conflict`] for fields of others or (unless `adopt`) an object that is not this release's.
pub fn apply(object: &Value, options: ApplyOptions) -> Result<Value, Error> {
    host::kubernetes_apply(object, options)
}

/// Changes an object. Verb `patch`.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Conflict`] and the other refusals.
pub fn patch(target: &ObjectRef, patch: &Patch) -> Result<Value, Error> {
    host::kubernetes_patch(target, patch)
}

/// Deletes an object with background propagation; it may still be there when this returns. Verb `delete`.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Conflict`] for a precondition, and the other refusals.
pub fn delete(target: &ObjectRef, preconditions: &Preconditions) -> Result<(), Error> {
    host::kubernetes_delete(target, preconditions)
}

/// Waits until the condition holds; costs nothing meanwhile. `None` for [`Condition::Absent`]. Verbs `get` and `watch`.
///
/// # Errors
/// [`Error::Timeout`] and the other refusals.
pub fn wait(target: &ObjectRef, condition: &Condition, timeout: Duration) -> Result<Option<Value>, Error> {
    host::kubernetes_wait(target, condition, timeout)
}
