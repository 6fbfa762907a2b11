//! `boathook:hook/kubernetes`: typed requests to the API, over the `Cluster` port. It decides nothing: what a request
//! may be and who may send it is `boathook_core::authorize`'s.

use std::time::Duration;

use boathook_core::authorize::{
    KubernetesRequest, Observes, PatchBody, Request, RequestError, authorize, parse_gvk, reveal,
};
use boathook_core::names::{Resource, Target};
use boathook_core::readiness::{JsonPath, WaitCondition as Condition, condition_met};
use boathook_core::{Object, ObjectRef};
use boathook_engine::cluster::{
    ClusterError, ClusterErrorKind, ListOptions, Patch, Preconditions, Verdict, WriteOptions,
};
use serde_json::{Map, Value};

use super::{Capabilities, fields};
use crate::bindings::boathook::hook::kubernetes::{
    ApplyOptions, Error, Host, ListOptions as GuestListOptions, Page, Patch as GuestPatch,
    Preconditions as GuestPreconditions, WaitCondition,
};
use crate::bindings::boathook::hook::types::ObjectRef as GuestRef;
use crate::limits::{MAX_BODY_BYTES, MAX_PAGE};

/// The field manager of everything that plugins write.
const FIELD_MANAGER: &str = "boathook";
/// On every object that a plugin creates or applies: `NAMESPACE/NAME` of the release it belongs to. An annotation and
/// not a label, because a release's name may be longer than a label's value.
pub(crate) const OWNER_ANNOTATION: &str = "boathook.dev/release";
/// Helm's own marks of ownership.
const HELM_RELEASE_NAME: &str = "meta.helm.sh/release-name";
const HELM_RELEASE_NAMESPACE: &str = "meta.helm.sh/release-namespace";

/// What a guest's call comes to: its answer, or the error that it sees; a reached cap ends the guest.
type Answer<T> = wasmtime::Result<Result<T, Error>>;

impl Host for Capabilities {
    async fn get(&mut self, target: GuestRef, fields: Vec<String>) -> Answer<String> {
        self.count_kubernetes()?;
        Ok(self.get_object(&target, &fields).await)
    }

    async fn list(
        &mut self,
        api_version: String,
        kind: String,
        namespace: Option<String>,
        options: GuestListOptions,
    ) -> Answer<Page> {
        self.count_kubernetes()?;
        Ok(self.list_objects(&api_version, &kind, namespace.as_deref(), options).await)
    }

    async fn create(&mut self, object_json: String) -> Answer<String> {
        self.count_kubernetes()?;
        Ok(self.create_object(&object_json).await)
    }

    async fn apply(&mut self, object_json: String, options: ApplyOptions) -> Answer<String> {
        self.count_kubernetes()?;
        Ok(self.apply_object(&object_json, options).await)
    }

    async fn patch_object(&mut self, target: GuestRef, patch: GuestPatch) -> Answer<String> {
        self.count_kubernetes()?;
        Ok(self.patch(&target, patch).await)
    }

    async fn delete(&mut self, target: GuestRef, preconditions: GuestPreconditions) -> Answer<()> {
        self.count_kubernetes()?;
        Ok(self.delete_object(&target, preconditions).await)
    }

    async fn wait(&mut self, target: GuestRef, condition: WaitCondition, timeout_ms: u64) -> Answer<String> {
        self.count_kubernetes()?;
        Ok(self.wait_for(&target, condition, Duration::from_millis(timeout_ms)).await)
    }
}

impl Capabilities {
    async fn get_object(&mut self, target: &GuestRef, fields: &[String]) -> Result<String, Error> {
        let resource = self.resource(&target.api_version, &target.kind).await?;
        let request =
            KubernetesRequest::get(&self.grant, resource, target.namespace.as_deref(), &target.name);
        let request = self.permit("get", request, &display(target))?;
        let object = self.cluster.get(&target_of(&request)?).await?;
        self.answer(&request, object, fields)
    }

    async fn list_objects(
        &mut self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        options: GuestListOptions,
    ) -> Result<Page, Error> {
        let resource = self.resource(api_version, kind).await?;
        let request = KubernetesRequest::list(
            &self.grant,
            resource,
            namespace,
            options.label_selector.as_deref(),
            options.field_selector.as_deref(),
        );
        let request = self.permit("list", request, &format!("{api_version} {kind}"))?;
        let list = ListOptions {
            label_selector: request.label_selector(),
            field_selector: request.field_selector(),
            limit: if options.limit == 0 { MAX_PAGE } else { options.limit.min(MAX_PAGE) },
            continue_token: options.continue_token,
        };
        let page = self.cluster.list(&request.collection(), &list).await?;
        let mut items_json = Vec::with_capacity(page.items.len());
        let mut size = 0;
        for object in page.items {
            let Some(object) = reveal(&self.grant, &request, object) else { continue };
            let text = fields::select(object, &options.fields).into_value().to_string();
            size += text.len();
            if size > MAX_BODY_BYTES {
                return Err(Error::TooLarge(MAX_BODY_BYTES as u64));
            }
            items_json.push(text);
        }
        Ok(Page { items_json, continue_token: page.continue_token })
    }

    async fn create_object(&mut self, object_json: &str) -> Result<String, Error> {
        let (object, reference) = read_object(object_json)?;
        let resource = self.resource(&reference.api_version, &reference.kind).await?;
        let request = KubernetesRequest::create(&self.grant, resource, object);
        let request = self.permit("create", request, &call_target(&reference))?;
        let object = self.owned(&request)?;
        let created =
            self.cluster.create(&request.collection(), &object, &WriteOptions::by(FIELD_MANAGER)).await?;
        self.answer(&request, created, &[])
    }

    async fn apply_object(&mut self, object_json: &str, options: ApplyOptions) -> Result<String, Error> {
        let (object, reference) = read_object(object_json)?;
        let resource = self.resource(&reference.api_version, &reference.kind).await?;
        let request = KubernetesRequest::apply(&self.grant, resource, object);
        let request = self.permit("apply", request, &call_target(&reference))?;
        let target = target_of(&request)?;
        if !options.adopt {
            match self.cluster.get(&target).await {
                Ok(existing) if !self.owns(&existing) => {
                    return Err(Error::Conflict(format!(
                        "{target} was not made by release {}; `adopt` takes it over",
                        self.release.name
                    )));
                }
                Ok(_) => {}
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let patch = Patch::Apply { object: self.owned(&request)?, force: options.force };
        let applied = self.cluster.patch(&target, &patch, &WriteOptions::by(FIELD_MANAGER)).await?;
        self.answer(&request, applied, &[])
    }

    async fn patch(&mut self, target: &GuestRef, patch: GuestPatch) -> Result<String, Error> {
        let body = match patch {
            GuestPatch::JsonMerge(text) => PatchBody::JsonMerge(read_json(&text)?),
            GuestPatch::StrategicMerge(text) => PatchBody::StrategicMerge(read_json(&text)?),
            GuestPatch::JsonPatch(text) => PatchBody::Json(read_json(&text)?),
        };
        let resource = self.resource(&target.api_version, &target.kind).await?;
        let request =
            KubernetesRequest::patch(&self.grant, resource, target.namespace.as_deref(), &target.name, body);
        let request = self.permit("patch", request, &display(target))?;
        let patch = match request.patch_body() {
            Some(PatchBody::JsonMerge(value)) => Patch::JsonMerge(value.clone()),
            Some(PatchBody::StrategicMerge(value)) => Patch::StrategicMerge(value.clone()),
            Some(PatchBody::Json(value)) => Patch::Json(value.clone()),
            None => return Err(Error::Invalid("the request has no patch".to_owned())),
        };
        let patched =
            self.cluster.patch(&target_of(&request)?, &patch, &WriteOptions::by(FIELD_MANAGER)).await?;
        self.answer(&request, patched, &[])
    }

    async fn delete_object(
        &mut self,
        target: &GuestRef,
        preconditions: GuestPreconditions,
    ) -> Result<(), Error> {
        let resource = self.resource(&target.api_version, &target.kind).await?;
        let request =
            KubernetesRequest::delete(&self.grant, resource, target.namespace.as_deref(), &target.name);
        let request = self.permit("delete", request, &display(target))?;
        let preconditions =
            Preconditions { uid: preconditions.uid, resource_version: preconditions.resource_version };
        let options = WriteOptions::by(FIELD_MANAGER);
        Ok(self.cluster.delete(&target_of(&request)?, &preconditions, &options).await?)
    }

    async fn wait_for(
        &mut self,
        target: &GuestRef,
        condition: WaitCondition,
        timeout: Duration,
    ) -> Result<String, Error> {
        let condition = read_condition(condition)?;
        let observes = match condition {
            Condition::JsonPath { .. } => Observes::Values,
            Condition::Exists | Condition::Absent | Condition::Status { .. } | Condition::Ready => {
                Observes::State
            }
        };
        let resource = self.resource(&target.api_version, &target.kind).await?;
        let request = KubernetesRequest::wait(
            &self.grant,
            resource,
            target.namespace.as_deref(),
            &target.name,
            observes,
        );
        let request = self.permit("wait", request, &display(target))?;
        let target = target_of(&request)?;
        let mut until = |object: Option<&Object>| {
            if condition_met(&condition, object) { Verdict::Done } else { Verdict::Waiting }
        };
        let waited =
            tokio::time::timeout(self.within_deadline(timeout), self.cluster.wait(&target, &mut until));
        match waited.await {
            Err(_elapsed) => Err(Error::Timeout),
            Ok(Ok(Some(object))) => self.answer(&request, object, &[]),
            Ok(Ok(None)) => Ok(String::new()),
            Ok(Err(error)) => Err(error.into()),
        }
    }

    async fn resource(&self, api_version: &str, kind: &str) -> Result<Resource, Error> {
        let gvk = parse_gvk(api_version, kind).map_err(plain)?;
        self.cluster.resolve(&gvk).await.map_err(|error| match error.kind {
            ClusterErrorKind::NoSuchKind => {
                Error::Invalid(format!("the cluster has no {api_version} {kind}"))
            }
            _ => error.into(),
        })
    }

    /// The one gate: a request that was read and is allowed, or the guest's error.
    fn permit(
        &mut self,
        function: &str,
        request: Result<KubernetesRequest, RequestError>,
        target: &str,
    ) -> Result<KubernetesRequest, Error> {
        let call = format!("kubernetes.{function} {target}");
        let request = match request {
            Ok(request) => Request::Kubernetes(request),
            Err(RequestError::Denied(denial)) => return Err(Error::Denied(self.deny(&denial, call))),
            Err(error) => return Err(plain(error)),
        };
        match (authorize(&self.grant, &request), request) {
            (Ok(()), Request::Kubernetes(request)) => Ok(request),
            (Ok(()), Request::Http(_)) => Err(Error::Other("not a Kubernetes request".to_owned())),
            (Err(denial), _) => Err(Error::Denied(self.deny(&denial, call))),
        }
    }

    /// The object of a write, with the mark of its release.
    fn owned(&self, request: &KubernetesRequest) -> Result<Object, Error> {
        let mut object = request
            .object()
            .cloned()
            .ok_or_else(|| Error::Invalid("the request has no object".to_owned()))?;
        let annotations = object
            .metadata_mut()
            .entry("annotations")
            .and_modify(|annotations| {
                if annotations.is_null() {
                    *annotations = Value::Object(Map::new());
                }
            })
            .or_insert_with(|| Value::Object(Map::new()));
        match annotations {
            Value::Object(annotations) => {
                annotations.insert(OWNER_ANNOTATION.to_owned(), self.owner().into());
            }
            _ => return Err(Error::Invalid("metadata.annotations is no map".to_owned())),
        }
        Ok(object)
    }

    fn owner(&self) -> String {
        format!("{}/{}", self.release.namespace, self.release.name)
    }

    /// Whether an object is this release's: by our mark, or by Helm's.
    fn owns(&self, object: &Object) -> bool {
        object.annotation(OWNER_ANNOTATION) == Some(&self.owner())
            || (object.annotation(HELM_RELEASE_NAME) == Some(&self.release.name)
                && object.annotation(HELM_RELEASE_NAMESPACE) == Some(&self.release.namespace))
    }

    /// What the guest sees of an object.
    fn answer(
        &self,
        request: &KubernetesRequest,
        object: Object,
        fields: &[String],
    ) -> Result<String, Error> {
        let object = reveal(&self.grant, request, object).ok_or(Error::NotFound)?;
        let text = fields::select(object, fields).into_value().to_string();
        if text.len() > MAX_BODY_BYTES { Err(Error::TooLarge(MAX_BODY_BYTES as u64)) } else { Ok(text) }
    }
}

fn target_of(request: &KubernetesRequest) -> Result<Target, Error> {
    request.target().ok_or_else(|| Error::Invalid("the request names no object".to_owned()))
}

fn read_json(text: &str) -> Result<Value, Error> {
    serde_json::from_str(text).map_err(|error| Error::Invalid(format!("no JSON: {error}")))
}

fn read_object(text: &str) -> Result<(Value, ObjectRef), Error> {
    if text.len() > MAX_BODY_BYTES {
        return Err(Error::TooLarge(MAX_BODY_BYTES as u64));
    }
    let object = Object::from_value(read_json(text)?)
        .ok_or_else(|| Error::Invalid("the object is no JSON object".to_owned()))?;
    let reference = object.reference();
    Ok((object.into_value(), reference))
}

fn read_condition(condition: WaitCondition) -> Result<Condition, Error> {
    Ok(match condition {
        WaitCondition::Exists => Condition::Exists,
        WaitCondition::Absent => Condition::Absent,
        WaitCondition::Ready => Condition::Ready,
        WaitCondition::StatusCondition((r#type, status)) => Condition::Status { r#type, status },
        WaitCondition::JsonPath((path, value)) => {
            let path = JsonPath::parse(&path).map_err(|error| Error::Invalid(error.to_string()))?;
            Condition::JsonPath { path, value }
        }
    })
}

/// An error of reading a request, for the guest.
fn plain(error: RequestError) -> Error {
    match error {
        RequestError::TooLarge { limit } => Error::TooLarge(limit),
        RequestError::Invalid(message) => Error::Invalid(message),
        RequestError::Denied(denial) => Error::Invalid(denial.reason),
    }
}

/// `v1 Secret prod/my-app`, as the guest wrote it.
fn call_target(reference: &ObjectRef) -> String {
    let name = match &reference.namespace {
        Some(namespace) => format!("{namespace}/{}", reference.name),
        None => reference.name.clone(),
    };
    format!("{} {} {name}", reference.api_version, reference.kind)
}

fn display(target: &GuestRef) -> String {
    call_target(&ObjectRef {
        api_version: target.api_version.clone(),
        kind: target.kind.clone(),
        namespace: target.namespace.clone(),
        name: target.name.clone(),
    })
}

impl From<ClusterError> for Error {
    fn from(error: ClusterError) -> Self {
        match error.kind {
            ClusterErrorKind::NotFound => Self::NotFound,
            ClusterErrorKind::AlreadyExists => Self::AlreadyExists,
            ClusterErrorKind::Conflict => Self::Conflict(error.message),
            ClusterErrorKind::Invalid | ClusterErrorKind::NoSuchKind | ClusterErrorKind::Expired => {
                Self::Invalid(error.message)
            }
            ClusterErrorKind::TooLarge => Self::TooLarge(MAX_BODY_BYTES as u64),
            ClusterErrorKind::Timeout => Self::Timeout,
            ClusterErrorKind::Unavailable | ClusterErrorKind::Unreachable => Self::Unavailable(error.message),
            ClusterErrorKind::Unauthorized | ClusterErrorKind::Forbidden | ClusterErrorKind::Other => {
                Self::Other(error.message)
            }
        }
    }
}
