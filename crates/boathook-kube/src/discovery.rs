//! Which resource serves a kind, asked of the API one group and version at a time and remembered. A kind that is
//! missing is asked for once more: its definition may have been applied in between.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use boathook_core::Gvk;
use boathook_core::names::{Plural, Resource};
use boathook_engine::cluster::{ClusterError, ClusterErrorKind};
use http::Method;
use serde::Deserialize;

use crate::error;
use crate::request::{Place, Request};
use crate::retry::Class;
use crate::transport::Transport;

/// The largest list of resources that is read.
const LIMIT: usize = 4 * 1024 * 1024;

/// What was learned so far: by group and version, the resources by kind.
#[derive(Default)]
pub(crate) struct Discovery(Mutex<HashMap<(String, String), HashMap<String, Resource>>>);

#[derive(Deserialize)]
struct ResourceList {
    #[serde(default)]
    resources: Vec<ServedResource>,
}

#[derive(Deserialize)]
struct ServedResource {
    name: String,
    kind: String,
    #[serde(default)]
    namespaced: bool,
}

impl Discovery {
    /// # Errors
    /// [`ClusterErrorKind::NoSuchKind`], or why the API could not be asked.
    pub(crate) async fn resolve(&self, transport: &Transport, gvk: &Gvk) -> Result<Resource, ClusterError> {
        let key = (gvk.group.clone(), gvk.version.clone());
        if let Some(resource) = self.known().get(&key).and_then(|kinds| kinds.get(&gvk.kind)) {
            return Ok(resource.clone());
        }
        let kinds = ask(transport, gvk).await?;
        let found = kinds.get(&gvk.kind).cloned();
        self.known().insert(key, kinds);
        found.ok_or_else(|| no_such_kind(gvk))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), HashMap<String, Resource>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(transport: &Transport, gvk: &Gvk) -> Result<HashMap<String, Resource>, ClusterError> {
    // A kind without a version, or with a version that is no path, is a kind that no server has.
    let request = Request::new(Method::GET, Place::Discovery(gvk), &Vec::new()).map_err(|error| {
        tracing::debug!(?gvk, %error, "not asked for");
        no_such_kind(gvk)
    })?;
    let text = match transport.whole(&request, Class::Read, LIMIT).await {
        Err(error) if error.is_not_found() => return Err(no_such_kind(gvk)),
        answer => answer?,
    };
    let list: ResourceList = serde_json::from_slice(&text).map_err(|error| error::unreadable(&error))?;
    let mut kinds = HashMap::new();
    for served in list.resources {
        // Names with a slash are subresources, which may have kinds of their own or that of another resource.
        let Ok(plural) = Plural::new(&served.name) else { continue };
        let gvk = Gvk { kind: served.kind.clone(), ..gvk.clone() };
        kinds.entry(served.kind).or_insert(Resource { gvk, plural, namespaced: served.namespaced });
    }
    Ok(kinds)
}

/// kubectl's words.
fn no_such_kind(gvk: &Gvk) -> ClusterError {
    let message = format!("no matches for kind {:?} in version {:?}", gvk.kind, gvk.api_version());
    ClusterError::new(ClusterErrorKind::NoSuchKind, message)
}
