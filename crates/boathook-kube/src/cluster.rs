//! The port: each method makes one typed request (or a watch) and reads its answer.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use boathook_core::names::{Collection, Resource, Target};
use boathook_core::{Gvk, Object};
use boathook_engine::cluster::{
    Cluster, ClusterError, ListOptions, Page, Patch, Preconditions, Until, WriteOptions,
};
use http::Method;
use kube::Client;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::capabilities::{self, Capabilities};
use crate::connect::{self, ConnectError, ConnectOptions};
use crate::discovery::Discovery;
use crate::error;
use crate::logs;
use crate::request::{Place, Query, Request};
use crate::retry::Class;
use crate::transport::Transport;
use crate::watch;

/// The largest object that is read; the API stores at most 1.5 MiB, and managed fields come on top.
pub(crate) const OBJECT_LIMIT: usize = 4 * 1024 * 1024;
/// The largest page of a list.
pub(crate) const PAGE_LIMIT: usize = 16 * 1024 * 1024;

/// How long the API server's name may take to resolve.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// A Kubernetes API behind a `kube::Client`.
pub struct KubeCluster {
    transport: Transport,
    discovery: Discovery,
    namespace: String,
    context: Option<String>,
    server: Option<String>,
}

impl KubeCluster {
    /// Over a client made elsewhere, such as the embedded cluster's.
    pub fn new(client: Client) -> Self {
        Self {
            namespace: client.default_namespace().to_owned(),
            transport: Transport::new(client, None, None),
            discovery: Discovery::default(),
            context: None,
            server: None,
        }
    }

    /// By kubectl's rules: the given kubeconfig, else `KUBECONFIG`, else `~/.kube/config`, else the Pod's service account.
    /// No server is asked yet; if it cannot be reached, the first request says so.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub async fn connect(options: ConnectOptions) -> Result<Self, ConnectError> {
        let connection = connect::open(&options).await?;
        Ok(Self {
            namespace: connection.client.default_namespace().to_owned(),
            transport: Transport::new(connection.client, connection.server.as_deref(), Some(options)),
            discovery: Discovery::default(),
            context: connection.context,
            server: connection.server,
        })
    }

    /// The namespace of the context, or of the Pod we run in; `default` if it names none.
    pub fn default_namespace(&self) -> &str {
        &self.namespace
    }

    /// The kubeconfig's context, such as `kind-dev`, if there is one.
    pub fn context(&self) -> Option<&str> {
        self.context.as_deref()
    }

    /// The addresses of the API server, as far as its name resolves here: plugins must not reach it by other ways than
    /// through the port. Empty for a cluster in the process.
    pub async fn addresses(&self) -> Vec<SocketAddr> {
        let url = self.server.as_deref().and_then(|server| url::Url::parse(server).ok());
        let Some((host, port)) = url.as_ref().and_then(|url| url.host_str().zip(url.port_or_known_default()))
        else {
            return Vec::new();
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match tokio::time::timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((host, port))).await {
            Ok(Ok(addresses)) => addresses.collect(),
            // The first request says that the server has no address; there is nothing to keep plugins from.
            Ok(Err(_)) | Err(_) => Vec::new(),
        }
    }

    /// What the cluster says of itself.
    ///
    /// # Errors
    /// Why it could not be asked.
    pub async fn capabilities(&self) -> Result<Capabilities, ClusterError> {
        capabilities::ask(&self.transport).await
    }

    async fn object(
        &self,
        request: Request,
        class: Class,
        resource: &Resource,
    ) -> Result<Object, ClusterError> {
        let text = self.transport.whole(&request, class, OBJECT_LIMIT).await?;
        let object: Object = serde_json::from_slice(&text).map_err(|error| error::unreadable(&error))?;
        Ok(typed(object, resource))
    }
}

#[async_trait]
impl Cluster for KubeCluster {
    async fn resolve(&self, gvk: &Gvk) -> Result<Resource, ClusterError> {
        self.discovery.resolve(&self.transport, gvk).await
    }

    async fn get(&self, target: &Target) -> Result<Object, ClusterError> {
        let request = request(Method::GET, Place::Object(target), &Vec::new())?;
        self.object(request, Class::Read, &target.resource).await
    }

    async fn list(&self, collection: &Collection, options: &ListOptions) -> Result<Page, ClusterError> {
        let listed = list(&self.transport, collection, options).await?;
        Ok(Page { items: listed.items, continue_token: listed.metadata.continue_token })
    }

    async fn create(
        &self,
        collection: &Collection,
        object: &Object,
        options: &WriteOptions,
    ) -> Result<Object, ClusterError> {
        let request = request(Method::POST, Place::Collection(collection), &write_query(options))?
            .with_body("application/json", text(object));
        self.object(request, class(Class::Create, options), &collection.resource).await
    }

    async fn patch(
        &self,
        target: &Target,
        patch: &Patch,
        options: &WriteOptions,
    ) -> Result<Object, ClusterError> {
        let mut query = write_query(options);
        let method = if matches!(patch, Patch::Replace(_)) { Method::PUT } else { Method::PATCH };
        let (media_type, body) = match patch {
            Patch::Apply { object, force } => {
                // A field that the API does not know would be dropped in silence; kubectl and Helm 4 refuse it too.
                query.push(("fieldValidation", Cow::Borrowed("Strict")));
                if *force {
                    query.push(("force", Cow::Borrowed("true")));
                }
                ("application/apply-patch+yaml", text(object))
            }
            Patch::JsonMerge(patch) => ("application/merge-patch+json", text(patch)),
            Patch::StrategicMerge(patch) => ("application/strategic-merge-patch+json", text(patch)),
            Patch::Json(patch) => ("application/json-patch+json", text(patch)),
            Patch::Replace(object) => ("application/json", text(object)),
        };
        let request = request(method, Place::Object(target), &query)?.with_body(media_type, body);
        self.object(request, class(Class::Change, options), &target.resource).await
    }

    async fn delete(
        &self,
        target: &Target,
        preconditions: &Preconditions,
        options: &WriteOptions,
    ) -> Result<(), ClusterError> {
        let propagation = options.propagation.as_str();
        let mut body = json!({"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation});
        let mut must_hold = Map::new();
        must_hold.extend(preconditions.uid.clone().map(|uid| ("uid".to_owned(), Value::String(uid))));
        must_hold.extend(
            preconditions
                .resource_version
                .clone()
                .map(|version| ("resourceVersion".to_owned(), Value::String(version))),
        );
        if !must_hold.is_empty() {
            body["preconditions"] = Value::Object(must_hold);
        }
        if options.dry_run {
            body["dryRun"] = json!(["All"]);
        }
        let by_uid = preconditions.uid.is_some();
        // Deletes have no field manager.
        let request = request(Method::DELETE, Place::Object(target), &Vec::new())?
            .with_body("application/json", text(&body));
        let class = class(Class::Delete { by_uid }, options);
        // The answer is the object or a Status; neither is needed.
        self.transport.whole(&request, class, OBJECT_LIMIT).await.map(drop)
    }

    async fn wait(&self, target: &Target, until: &mut Until<'_>) -> Result<Option<Object>, ClusterError> {
        watch::wait(&self.transport, target, until).await
    }

    async fn logs(
        &self,
        pod: &Target,
        container: &str,
        line: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), ClusterError> {
        logs::follow(&self.transport, pod, container, line).await
    }
}

/// A list as the API answers it.
#[derive(Deserialize)]
pub(crate) struct Listed {
    #[serde(default)]
    pub(crate) metadata: ListMetadata,
    /// Go writes `null` for an empty list in places.
    #[serde(default, deserialize_with = "or_empty")]
    pub(crate) items: Vec<Object>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ListMetadata {
    pub(crate) resource_version: String,
    #[serde(rename = "continue", deserialize_with = "not_empty")]
    continue_token: Option<String>,
}

fn or_empty<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<Object>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

fn not_empty<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(Option::deserialize(from)?.filter(|token: &String| !token.is_empty()))
}

/// One page of a list, its items with `apiVersion` and `kind`.
pub(crate) async fn list(
    transport: &Transport,
    collection: &Collection,
    options: &ListOptions,
) -> Result<Listed, ClusterError> {
    let mut query: Query<'_> = Vec::new();
    let mut add =
        |name, value: &Option<String>| query.extend(value.clone().map(|value| (name, Cow::Owned(value))));
    add("labelSelector", &options.label_selector);
    add("fieldSelector", &options.field_selector);
    add("continue", &options.continue_token);
    add("limit", &(options.limit > 0).then(|| options.limit.to_string()));
    let request = request(Method::GET, Place::Collection(collection), &query)?;
    let text = transport.whole(&request, Class::Read, PAGE_LIMIT).await?;
    let mut listed: Listed = serde_json::from_slice(&text).map_err(|error| error::unreadable(&error))?;
    listed.items = listed.items.into_iter().map(|item| typed(item, &collection.resource)).collect();
    Ok(listed)
}

/// Fills in what items of a list lack, at the front, where people look for it.
pub(crate) fn typed(mut object: Object, resource: &Resource) -> Object {
    for (index, (key, value)) in
        [("apiVersion", resource.gvk.api_version()), ("kind", resource.gvk.kind.clone())]
            .into_iter()
            .enumerate()
    {
        if !object.0.contains_key(key) {
            object.0.shift_insert(index.min(object.0.len()), key.to_owned(), Value::String(value));
        }
    }
    object
}

pub(crate) fn request(method: Method, place: Place<'_>, query: &Query<'_>) -> Result<Request, ClusterError> {
    Request::new(method, place, query).map_err(|error| error::from_request(&error))
}

fn write_query(options: &WriteOptions) -> Query<'_> {
    let mut query = vec![("fieldManager", Cow::Borrowed(options.field_manager.as_str()))];
    if options.dry_run {
        query.push(("dryRun", Cow::Borrowed("All")));
    }
    query
}

/// A dry run keeps nothing: it may be sent as often as a read.
fn class(class: Class, options: &WriteOptions) -> Class {
    if options.dry_run { Class::Read } else { class }
}

fn text(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("JSON values have string keys and can always be written")
}
