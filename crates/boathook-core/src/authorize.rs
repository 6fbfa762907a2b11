//! May this plugin do that? Every permission decision of the system is [`authorize`], one function from a grant and a
//! typed request to yes or a [`Denial`] (and [`authorize_addresses`], its second half for HTTP, once a name is
//! resolved). Nothing here does IO, resolves a name or asks a cluster.
//!
//! A guest's raw strings become typed requests in the constructors of [`KubernetesRequest`] and [`HttpRequest`]; what
//! they refuse is wrong whatever was granted. The same value is then decided on and sent, so that there is no second
//! reading of it. What comes back passes [`reveal`] before a guest sees it.

mod address;
mod answer;
mod body;
mod denial;
mod describe;
mod http;
mod http_url;
mod kubernetes;
mod never;
mod rule;
mod selector;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::SocketAddr;

pub use address::{Reach, authorize_addresses, reach};
pub use answer::reveal;
pub use body::PatchBody;
pub use denial::{Denial, Hint};
pub use describe::{describe, problems};
pub use http::{CredentialUse, HttpRequest, Placement, RawHttpRequest};
pub use http_url::HttpUrl;
pub use kubernetes::{KubernetesCall, KubernetesRequest, Observes, Subresource, Verb, parse_gvk};
pub use selector::{FieldSelector, LabelSelector};

use crate::names::{InvalidName, Namespace};
use crate::permissions::Permissions;
use crate::plugin::Capability;

/// The largest object or HTTP body that a plugin may send, bytes: what the API server takes for a Secret or
/// ConfigMap.
pub const MAX_OBJECT_BYTES: usize = 1 << 20;
/// The largest HTTP body that a plugin may send, bytes.
pub const MAX_HTTP_BODY_BYTES: usize = 4 << 20;

/// What one run of one plugin may do: what its hook grants, of what the plugin declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// What the plugin declares; anything else is denied whatever the hook grants.
    pub capabilities: BTreeSet<Capability>,
    /// What the hook grants.
    pub permissions: Permissions,
    /// Where a request goes that names no namespace, and where rules without `namespaces` apply.
    pub release_namespace: Namespace,
    /// Names of the hook's `credentials`.
    pub credentials: BTreeSet<String>,
    /// Addresses of the Kubernetes API, as far as the host knows them: never dialled by a plugin's HTTP requests,
    /// because the way to the API is the typed interface.
    pub api_servers: Vec<SocketAddr>,
}

impl Grant {
    /// A grant of a hook to a plugin that declares `capabilities`.
    ///
    /// # Errors
    /// [`InvalidName`] if the release's namespace is no DNS label.
    pub fn new(
        capabilities: impl IntoIterator<Item = Capability>,
        permissions: Permissions,
        release_namespace: &str,
    ) -> Result<Self, InvalidName> {
        Ok(Self {
            capabilities: capabilities.into_iter().collect(),
            permissions,
            release_namespace: Namespace::new(release_namespace)?,
            credentials: BTreeSet::new(),
            api_servers: Vec::new(),
        })
    }

    /// The same grant with credentials of these names.
    #[must_use]
    pub fn with_credentials(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.credentials.extend(names);
        self
    }
}

/// One typed request of a guest.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// To the Kubernetes API.
    Kubernetes(KubernetesRequest),
    /// To an HTTP server.
    Http(HttpRequest),
}

/// A guest's call that is no request we could decide on. Each variant is one of the errors that a guest sees.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// It is wrong whatever was granted; the text says why and never repeats a credential's value.
    #[error("{0}")]
    Invalid(String),
    /// It is too large.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// The limit, bytes.
        limit: u64,
    },
    /// It uses a credential that the hook does not have, so there is nothing to parse.
    #[error(transparent)]
    Denied(Box<Denial>),
}

impl From<InvalidName> for RequestError {
    fn from(error: InvalidName) -> Self {
        Self::Invalid(error.to_string())
    }
}

/// Decides. Deny by default; rules only add, so one more rule never denies what was allowed.
///
/// For an HTTP request to a name this is the first half: what the name resolves to is decided by
/// [`authorize_addresses`].
///
/// # Errors
/// A [`Denial`] that says what was refused and what would allow it. It depends on the request and the grant only, so it
/// cannot reveal what exists.
pub fn authorize(grant: &Grant, request: &Request) -> Result<(), Denial> {
    let (capability, action) = match request {
        Request::Kubernetes(request) => (Capability::Kubernetes, request.action()),
        Request::Http(request) => (Capability::Http, request.action()),
    };
    if !grant.capabilities.contains(&capability) {
        let reason = format!("the plugin does not declare that it uses {capability}");
        return Err(Denial::never(capability, action, reason));
    }
    match request {
        Request::Kubernetes(request) => rule::authorize_kubernetes(grant, request),
        Request::Http(request) => http::authorize_http(grant, request),
    }
}
