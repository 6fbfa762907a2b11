//! Requests to the Kubernetes API, typed. The constructors take a guest's strings and the resource that *our* discovery
//! found, and refuse what is no request; whether it is allowed is decided in `rule` and `never`.

use std::fmt;

use serde_json::Value;

use super::body::{self, PatchBody};
use super::selector::{FieldSelector, LabelSelector};
use super::{Grant, RequestError};
use crate::names::{Collection, Name, Namespace, Resource, Target, is_dns_label, is_dns_subdomain};
use crate::{Gvk, Object};

/// In the place of a list's namespace: all of them.
const EVERY_NAMESPACE: &str = "*";

/// RBAC's verbs, as far as plugins can have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read many.
    List,
    /// Follow changes.
    Watch,
    /// Make one.
    Create,
    /// Change one.
    Patch,
    /// Delete one.
    Delete,
}

impl Verb {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Get, Self::List, Self::Watch, Self::Create, Self::Patch, Self::Delete];

    /// RBAC's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }

    /// Whether it changes anything.
    pub fn writes(self) -> bool {
        matches!(self, Self::Create | Self::Patch | Self::Delete)
    }
}

/// The functions of the WIT interface `kubernetes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KubernetesCall {
    /// `get`.
    Get,
    /// `list`.
    List,
    /// `create`.
    Create,
    /// `apply`.
    Apply,
    /// `patch-object`.
    Patch,
    /// `delete`.
    Delete,
    /// `wait`.
    Wait,
}

impl KubernetesCall {
    /// The verbs that must all be granted.
    pub fn verbs(self) -> &'static [Verb] {
        match self {
            Self::Get => &[Verb::Get],
            Self::List => &[Verb::List],
            Self::Create => &[Verb::Create],
            // Server-side apply creates what is not there.
            Self::Apply => &[Verb::Create, Verb::Patch],
            Self::Patch => &[Verb::Patch],
            Self::Delete => &[Verb::Delete],
            Self::Wait => &[Verb::Get, Verb::Watch],
        }
    }

    /// In a sentence: `create`, `wait for`.
    fn words(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Create => "create",
            Self::Apply => "apply",
            Self::Patch => "patch",
            Self::Delete => "delete",
            Self::Wait => "wait for",
        }
    }
}

/// The closed list of subresources; one that is not here cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subresource {
    /// `status`.
    Status,
    /// `scale`.
    Scale,
    /// `log`.
    Log,
    /// `eviction`.
    Eviction,
    /// `exec`.
    Exec,
    /// `attach`.
    Attach,
    /// `portforward`.
    PortForward,
    /// `proxy`.
    Proxy,
    /// `ephemeralcontainers`.
    EphemeralContainers,
    /// `binding`.
    Binding,
    /// `token`.
    Token,
    /// `approval`.
    Approval,
    /// `finalize`.
    Finalize,
}

impl Subresource {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Status,
        Self::Scale,
        Self::Log,
        Self::Eviction,
        Self::Exec,
        Self::Attach,
        Self::PortForward,
        Self::Proxy,
        Self::EphemeralContainers,
        Self::Binding,
        Self::Token,
        Self::Approval,
        Self::Finalize,
    ];

    /// As it stands in a URL.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Scale => "scale",
            Self::Log => "log",
            Self::Eviction => "eviction",
            Self::Exec => "exec",
            Self::Attach => "attach",
            Self::PortForward => "portforward",
            Self::Proxy => "proxy",
            Self::EphemeralContainers => "ephemeralcontainers",
            Self::Binding => "binding",
            Self::Token => "token",
            Self::Approval => "approval",
            Self::Finalize => "finalize",
        }
    }

    /// Reads its word.
    ///
    /// # Errors
    /// [`RequestError::Invalid`] for any other word.
    pub fn parse(word: &str) -> Result<Self, RequestError> {
        Self::ALL
            .into_iter()
            .find(|subresource| subresource.as_str() == word)
            .ok_or_else(|| RequestError::Invalid(format!("{word:?} is no subresource that plugins may name")))
    }
}

/// What a wait looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observes {
    /// Presence, conditions, readiness.
    State,
    /// The value at a path of the guest's choice: on a Secret that is a way to read it.
    Values,
}

/// One request, complete: what is decided on is what is sent. Made by the constructors only.
#[derive(Clone, Debug, PartialEq)]
pub struct KubernetesRequest {
    pub(super) call: KubernetesCall,
    pub(super) resource: Resource,
    pub(super) subresource: Option<Subresource>,
    pub(super) namespace: Option<Namespace>,
    pub(super) name: Option<Name>,
    pub(super) payload: Payload,
}

/// What a call carries besides its target.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Payload {
    None,
    Object(Object),
    Patch(PatchBody),
    Selectors(Option<LabelSelector>, Option<FieldSelector>),
    Wait(Observes),
}

/// Reads the `apiVersion` and `kind` of a guest, for discovery.
///
/// # Errors
/// [`RequestError::Invalid`] if they cannot be those of any kind.
pub fn parse_gvk(api_version: &str, kind: &str) -> Result<Gvk, RequestError> {
    let gvk = Gvk::new(api_version, kind);
    let core = !api_version.contains('/');
    let kind_ok = kind.len() <= 63
        && kind.starts_with(|c: char| c.is_ascii_uppercase())
        && kind.bytes().all(|b| b.is_ascii_alphanumeric());
    if !is_dns_label(&gvk.version) || !(core || is_dns_subdomain(&gvk.group)) {
        return Err(RequestError::Invalid(format!("{api_version:?} is no apiVersion")));
    }
    if !kind_ok {
        return Err(RequestError::Invalid(format!("{kind:?} is no kind")));
    }
    if kind == "List" {
        return Err(RequestError::Invalid("a List is not one object: send its items one by one".to_owned()));
    }
    Ok(gvk)
}

impl KubernetesRequest {
    /// `kubernetes.get`.
    ///
    /// # Errors
    /// [`RequestError::Invalid`] if a name breaks its rule or the namespace does not fit the resource's scope. This
    /// and the limits of bodies hold for every constructor.
    pub fn get(
        grant: &Grant,
        resource: Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Self, RequestError> {
        Self::of(grant, KubernetesCall::Get, resource, namespace, Some(name), Payload::None)
    }

    /// `kubernetes.list`: one namespace, all of them (`*`), or the cluster for cluster-scoped kinds.
    ///
    /// # Errors
    /// As [`Self::get`], and for selectors that cannot be read.
    pub fn list(
        grant: &Grant,
        resource: Resource,
        namespace: Option<&str>,
        label_selector: Option<&str>,
        field_selector: Option<&str>,
    ) -> Result<Self, RequestError> {
        let labels = label_selector.map(LabelSelector::parse).transpose()?;
        let fields = field_selector.map(FieldSelector::parse).transpose()?;
        let selectors = Payload::Selectors(labels, fields);
        if namespace == Some(EVERY_NAMESPACE) {
            let request = Self::of(grant, KubernetesCall::List, resource, None, None, selectors)?;
            // Only a rule for all namespaces allows it.
            return Ok(Self { namespace: None, ..request });
        }
        Self::of(grant, KubernetesCall::List, resource, namespace, None, selectors)
    }

    /// `kubernetes.create`; the object names itself. Its namespace is filled in, what the server owns is taken out.
    ///
    /// # Errors
    /// As [`Self::get`]; [`RequestError::TooLarge`]; and for `ownerReferences`, `finalizers`, `generateName`, lists,
    /// and an `apiVersion` or `kind` other than the resource's.
    pub fn create(grant: &Grant, resource: Resource, object: Value) -> Result<Self, RequestError> {
        Self::with_object(grant, KubernetesCall::Create, resource, object)
    }

    /// `kubernetes.apply`; see [`Self::create`].
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn apply(grant: &Grant, resource: Resource, object: Value) -> Result<Self, RequestError> {
        Self::with_object(grant, KubernetesCall::Apply, resource, object)
    }

    /// `kubernetes.patch-object`.
    ///
    /// # Errors
    /// As [`Self::get`]; [`RequestError::TooLarge`]; and for a patch that would change what names or owns the object.
    pub fn patch(
        grant: &Grant,
        resource: Resource,
        namespace: Option<&str>,
        name: &str,
        patch: PatchBody,
    ) -> Result<Self, RequestError> {
        let request = Self::of(grant, KubernetesCall::Patch, resource, namespace, Some(name), Payload::None)?;
        body::check_patch(&patch, &request.resource, request.namespace.as_ref(), name)?;
        Ok(Self { payload: Payload::Patch(patch), ..request })
    }

    /// `kubernetes.delete`.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn delete(
        grant: &Grant,
        resource: Resource,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Self, RequestError> {
        Self::of(grant, KubernetesCall::Delete, resource, namespace, Some(name), Payload::None)
    }

    /// `kubernetes.wait`.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn wait(
        grant: &Grant,
        resource: Resource,
        namespace: Option<&str>,
        name: &str,
        observes: Observes,
    ) -> Result<Self, RequestError> {
        Self::of(grant, KubernetesCall::Wait, resource, namespace, Some(name), Payload::Wait(observes))
    }

    /// The same request on a subresource of its object.
    #[must_use]
    pub fn on(mut self, subresource: Subresource) -> Self {
        self.subresource = Some(subresource);
        self
    }

    fn with_object(
        grant: &Grant,
        call: KubernetesCall,
        resource: Resource,
        object: Value,
    ) -> Result<Self, RequestError> {
        let mut object = body::parse_object(object, &resource)?;
        let (namespace, name) = (object.namespace().map(str::to_owned), object.name().to_owned());
        let mut request = Self::of(grant, call, resource, namespace.as_deref(), Some(&name), Payload::None)?;
        match &request.namespace {
            Some(namespace) => {
                object.metadata_mut().insert("namespace".to_owned(), namespace.as_str().into())
            }
            None => object.metadata_mut().shift_remove("namespace"),
        };
        request.payload = Payload::Object(object);
        Ok(request)
    }

    fn of(
        grant: &Grant,
        call: KubernetesCall,
        resource: Resource,
        namespace: Option<&str>,
        name: Option<&str>,
        payload: Payload,
    ) -> Result<Self, RequestError> {
        let namespace = match (resource.namespaced, namespace) {
            (true, Some(namespace)) => Some(Namespace::new(namespace)?),
            (true, None) => Some(grant.release_namespace.clone()),
            (false, None) => None,
            (false, Some(_)) => {
                let message = format!("{} is cluster-scoped: leave the namespace out", resource.gvk.kind);
                return Err(RequestError::Invalid(message));
            }
        };
        let name = name.map(Name::new).transpose()?;
        Ok(Self { call, resource, subresource: None, namespace, name, payload })
    }

    /// Which function was called.
    pub fn call(&self) -> KubernetesCall {
        self.call
    }

    /// The one object that it is about; `None` for a list.
    pub fn target(&self) -> Option<Target> {
        let name = self.name.clone()?;
        Some(Target { resource: self.resource.clone(), namespace: self.namespace.clone(), name })
    }

    /// The objects that it is among.
    pub fn collection(&self) -> Collection {
        Collection { resource: self.resource.clone(), namespace: self.namespace.clone() }
    }

    /// The object to create or apply.
    pub fn object(&self) -> Option<&Object> {
        match &self.payload {
            Payload::Object(object) => Some(object),
            Payload::None | Payload::Patch(_) | Payload::Selectors(..) | Payload::Wait(_) => None,
        }
    }

    /// The patch.
    pub fn patch_body(&self) -> Option<&PatchBody> {
        match &self.payload {
            Payload::Patch(patch) => Some(patch),
            Payload::None | Payload::Object(_) | Payload::Selectors(..) | Payload::Wait(_) => None,
        }
    }

    /// The label selector of a list, printed again from what was understood.
    pub fn label_selector(&self) -> Option<String> {
        match &self.payload {
            Payload::Selectors(labels, _) => labels.as_ref().map(ToString::to_string),
            Payload::None | Payload::Object(_) | Payload::Patch(_) | Payload::Wait(_) => None,
        }
    }

    /// The field selector of a list, printed again from what was understood.
    pub fn field_selector(&self) -> Option<String> {
        match &self.payload {
            Payload::Selectors(_, fields) => fields.as_ref().map(ToString::to_string),
            Payload::None | Payload::Object(_) | Payload::Patch(_) | Payload::Wait(_) => None,
        }
    }

    /// `create secrets/my-app in prod`.
    pub fn action(&self) -> String {
        self.to_string()
    }

    /// `secrets`, `pods/log`: the word for `resources` of a rule.
    pub(super) fn resource_word(&self) -> String {
        match self.subresource {
            Some(subresource) => format!("{}/{}", self.resource.plural, subresource.as_str()),
            None => self.resource.plural.to_string(),
        }
    }

    /// Whether it is about Secrets.
    pub(super) fn is_secret(&self) -> bool {
        self.resource.gvk.group.is_empty() && self.resource.plural.as_str() == "secrets"
    }
}

impl fmt::Display for KubernetesRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.call.words(), self.resource.plural)?;
        if !self.resource.gvk.group.is_empty() {
            write!(f, ".{}", self.resource.gvk.group)?;
        }
        if let Some(name) = &self.name {
            write!(f, "/{name}")?;
        }
        if let Some(subresource) = self.subresource {
            write!(f, "/{}", subresource.as_str())?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in {namespace}")?,
            None if self.resource.namespaced => write!(f, " in all namespaces")?,
            None => {}
        }
        Ok(())
    }
}
