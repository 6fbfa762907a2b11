//! What a cluster says of itself: its version, and everything that it serves. Helm shows both to templates.

use std::collections::BTreeSet;

use boathook_core::Gvk;
use boathook_engine::cluster::ClusterError;
use http::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cluster::request;
use crate::error;
use crate::request::Place;
use crate::retry::Class;
use crate::transport::Transport;

/// The largest answer of discovery that is read.
const LIMIT: usize = 16 * 1024 * 1024;
/// Everything in one document, where the server can do that (since Kubernetes 1.27); else the groups.
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                          application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,\
                          application/json";

/// What a cluster says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// `v1.36.1`.
    pub version: String,
    /// `1`.
    pub major: String,
    /// `36`; providers add a `+`.
    pub minor: String,
    /// Every version of every group, `apps/v1`, and every kind in it, `apps/v1/Deployment`; those of subresources too.
    pub api_versions: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    git_version: String,
    #[serde(default)]
    major: String,
    #[serde(default)]
    minor: String,
}

/// `/api` or `/apis`, in whichever form the server chose.
#[derive(Deserialize)]
struct Root {
    /// Of the aggregated form.
    #[serde(default)]
    items: Vec<Group>,
    /// Of `/apis`.
    #[serde(default)]
    groups: Vec<PlainGroup>,
    /// Of `/api`.
    #[serde(default)]
    versions: Vec<String>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    versions: Vec<GroupVersion>,
}

#[derive(Default, Deserialize)]
struct Metadata {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct GroupVersion {
    version: String,
    #[serde(default)]
    resources: Vec<Served>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Served {
    response_kind: Option<Kind>,
    #[serde(default)]
    subresources: Vec<Served>,
}

#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlainGroup {
    versions: Vec<PlainVersion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlainVersion {
    group_version: String,
}

#[derive(Deserialize)]
struct PlainResources {
    #[serde(default)]
    resources: Vec<Kind>,
}

/// Asks for everything.
///
/// # Errors
/// Why the API could not be asked.
pub(crate) async fn ask(transport: &Transport) -> Result<Capabilities, ClusterError> {
    let Version { git_version, major, minor } = read(transport, Place::Root("version"), None).await?;
    let mut found = BTreeSet::new();
    for place in ["api", "apis"] {
        let root: Root = read(transport, Place::Root(place), Some(AGGREGATED)).await?;
        for group in root.items {
            for served in group.versions {
                let version = joined(&group.metadata.name, &served.version);
                kinds(&version, &served.resources, &mut found);
                found.insert(version);
            }
        }
        let plain = root.groups.into_iter().flat_map(|group| group.versions);
        for version in plain.map(|version| version.group_version).chain(root.versions) {
            let list = read(transport, Place::Discovery(&Gvk::new(&version, "")), None).await;
            // A group whose server is gone is left out, as Helm leaves it out.
            if let Ok(PlainResources { resources }) = list {
                found.extend(resources.iter().map(|resource| format!("{version}/{}", resource.kind)));
            }
            found.insert(version);
        }
    }
    Ok(Capabilities { version: git_version, major, minor, api_versions: found })
}

fn kinds(version: &str, served: &[Served], found: &mut BTreeSet<String>) {
    for resource in served {
        let kind = resource.response_kind.as_ref().map(|kind| kind.kind.as_str()).unwrap_or_default();
        if !kind.is_empty() {
            found.insert(format!("{version}/{kind}"));
        }
        kinds(version, &resource.subresources, found);
    }
}

fn joined(group: &str, version: &str) -> String {
    if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") }
}

async fn read<T: DeserializeOwned>(
    transport: &Transport,
    place: Place<'_>,
    accept: Option<&'static str>,
) -> Result<T, ClusterError> {
    let mut request = request(Method::GET, place, &Vec::new())?;
    request.accept = accept.unwrap_or(request.accept);
    let text = transport.whole(&request, Class::Read, LIMIT).await?;
    serde_json::from_slice(&text).map_err(|error| error::unreadable(&error))
}
