//! What `lookup` may reach: nothing, unless there is a cluster and the user grants it.

use std::sync::Arc;

use async_trait::async_trait;
use boathook_core::names::{Collection, Resource, Target};
use boathook_core::permissions::{Permissions, PolicyRule};
use boathook_core::{Gvk, Object};
use boathook_engine::cluster::{
    Cluster, ClusterError, ClusterErrorKind, ListOptions, Page, Patch, Preconditions, Until, WriteOptions,
};

/// Where templates may look.
#[derive(Clone, Default)]
pub enum Lookup {
    /// Nowhere: `lookup` finds nothing, as with `helm template`.
    #[default]
    Nothing,
    /// In a cluster, at what is granted. Anything else is an error, because a template would take what it may not see for
    /// what is not there, and make it anew.
    Granted {
        /// The cluster.
        cluster: Arc<dyn Cluster>,
        /// The rules.
        rules: Vec<PolicyRule>,
    },
}

/// A rule that makes no sense for charts.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct GrantError(String);

impl Lookup {
    /// A cluster under a grant.
    ///
    /// # Errors
    /// What in the grant a chart cannot have.
    pub fn granted(cluster: Arc<dyn Cluster>, permissions: Permissions) -> Result<Self, GrantError> {
        if !permissions.http.is_empty() {
            return Err(GrantError(
                "templates send no HTTP requests: only `kubernetes` can be granted".to_owned(),
            ));
        }
        for rule in &permissions.kubernetes {
            if let Some(verb) = rule.verbs.iter().find(|verb| !matches!(verb.as_str(), "get" | "list")) {
                return Err(GrantError(format!(
                    "templates only look: verb {verb} cannot be granted, get and list can"
                )));
            }
            let secrets = rule.api_groups.iter().any(String::is_empty)
                && rule.resources.iter().any(|resource| resource == "secrets");
            let named = !rule.resource_names.is_empty() && rule.resource_names.iter().all(|name| name != "*");
            if secrets && !named {
                return Err(GrantError(
                    "Secrets are granted by name: add resourceNames to the rule. The data of others is never shown, and \
                     a template would take it for empty"
                        .to_owned(),
                ));
            }
        }
        Ok(Self::Granted { cluster, rules: permissions.kubernetes })
    }

    pub(crate) fn reaches_a_cluster(&self) -> bool {
        matches!(self, Self::Granted { .. })
    }

    pub(crate) fn permissions(&self) -> Permissions {
        match self {
            Self::Nothing => Permissions::default(),
            Self::Granted { rules, .. } => Permissions { kubernetes: rules.clone(), http: Vec::new() },
        }
    }

    pub(crate) fn cluster(&self) -> Arc<dyn Cluster> {
        match self {
            Self::Nothing => Arc::new(NoCluster),
            Self::Granted { cluster, .. } => cluster.clone(),
        }
    }
}

/// Stands where there is no cluster. The engine does not ask it.
struct NoCluster;

fn none<T>() -> Result<T, ClusterError> {
    Err(ClusterError::new(ClusterErrorKind::Unreachable, "there is no cluster here"))
}

#[async_trait]
impl Cluster for NoCluster {
    async fn resolve(&self, _: &Gvk) -> Result<Resource, ClusterError> {
        none()
    }

    async fn get(&self, _: &Target) -> Result<Object, ClusterError> {
        none()
    }

    async fn list(&self, _: &Collection, _: &ListOptions) -> Result<Page, ClusterError> {
        none()
    }

    async fn create(&self, _: &Collection, _: &Object, _: &WriteOptions) -> Result<Object, ClusterError> {
        none()
    }

    async fn patch(&self, _: &Target, _: &Patch, _: &WriteOptions) -> Result<Object, ClusterError> {
        none()
    }

    async fn delete(&self, _: &Target, _: &Preconditions, _: &WriteOptions) -> Result<(), ClusterError> {
        none()
    }

    async fn wait(&self, _: &Target, _: &mut Until<'_>) -> Result<Option<Object>, ClusterError> {
        none()
    }

    async fn logs(
        &self,
        _: &Target,
        _: &str,
        _: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), ClusterError> {
        none()
    }
}
