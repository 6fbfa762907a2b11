//! A small `Cluster`: ConfigMaps by name, everything recorded, waits that never end.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use boathook_core::names::{Collection, Plural, Resource, Target};
use boathook_core::{Gvk, Object};
use boathook_engine::cluster::{
    Cluster, ClusterError, ClusterErrorKind, ListOptions, Page, Patch, Preconditions, Until, WriteOptions,
};
use serde_json::json;

/// See the file's comment.
#[derive(Default)]
pub(crate) struct FakeCluster {
    /// By name.
    pub(crate) objects: Mutex<BTreeMap<String, Object>>,
    /// Every call, in words.
    pub(crate) calls: Mutex<Vec<String>>,
    /// Bytes of each listed object's data.
    pub(crate) listed_bytes: usize,
    /// Panics at every read.
    pub(crate) panics: bool,
}

impl FakeCluster {
    /// With ConfigMap `app`.
    pub(crate) fn with_app() -> Self {
        let cluster = Self::default();
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "app", "namespace": "prod", "managedFields": [{"manager": "x"}]}, "data": {"k": "v"}});
        cluster.objects.lock().unwrap().insert("app".to_owned(), Object::from_value(object).unwrap());
        cluster
    }

    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }
}

fn not_found() -> ClusterError {
    ClusterError::new(ClusterErrorKind::NotFound, "not found")
}

#[async_trait]
impl Cluster for FakeCluster {
    async fn resolve(&self, gvk: &Gvk) -> Result<Resource, ClusterError> {
        let (plural, namespaced) = match gvk.kind.as_str() {
            "ConfigMap" => ("configmaps", true),
            "Secret" => ("secrets", true),
            "Namespace" => ("namespaces", false),
            _ => return Err(ClusterError::new(ClusterErrorKind::NoSuchKind, "no such kind")),
        };
        Ok(Resource { gvk: gvk.clone(), plural: Plural::new(plural).unwrap(), namespaced })
    }

    async fn get(&self, target: &Target) -> Result<Object, ClusterError> {
        assert!(!self.panics, "the cluster panics");
        self.note(format!("get {target}"));
        self.objects.lock().unwrap().get(target.name.as_str()).cloned().ok_or_else(not_found)
    }

    async fn list(&self, _collection: &Collection, options: &ListOptions) -> Result<Page, ClusterError> {
        self.note(format!("list limit {}", options.limit));
        let item = |n: u32| {
            let data = "x".repeat(self.listed_bytes);
            let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("c{n}"), "namespace": "prod"}, "data": {"d": data}});
            Object::from_value(value).unwrap()
        };
        Ok(Page { items: (0..options.limit).map(item).collect(), continue_token: Some("next".to_owned()) })
    }

    async fn create(
        &self,
        _collection: &Collection,
        object: &Object,
        options: &WriteOptions,
    ) -> Result<Object, ClusterError> {
        let WriteOptions { dry_run, field_manager, .. } = options;
        self.note(format!("create {} by {field_manager} dryRun={dry_run}", object.reference()));
        if self.objects.lock().unwrap().contains_key(object.name()) {
            return Err(ClusterError::new(ClusterErrorKind::AlreadyExists, "already exists"));
        }
        if !dry_run {
            self.objects.lock().unwrap().insert(object.name().to_owned(), object.clone());
        }
        Ok(object.clone())
    }

    async fn patch(
        &self,
        target: &Target,
        patch: &Patch,
        options: &WriteOptions,
    ) -> Result<Object, ClusterError> {
        let WriteOptions { dry_run, field_manager, .. } = options;
        self.note(format!("patch {target} by {field_manager} dryRun={dry_run}"));
        match patch {
            Patch::Apply { object, .. } => {
                if !dry_run {
                    self.objects.lock().unwrap().insert(object.name().to_owned(), object.clone());
                }
                Ok(object.clone())
            }
            _ => self.objects.lock().unwrap().get(target.name.as_str()).cloned().ok_or_else(not_found),
        }
    }

    async fn delete(
        &self,
        target: &Target,
        preconditions: &Preconditions,
        options: &WriteOptions,
    ) -> Result<(), ClusterError> {
        self.note(format!("delete {target} uid={:?} dryRun={}", preconditions.uid, options.dry_run));
        if options.dry_run {
            return Ok(());
        }
        self.objects.lock().unwrap().remove(target.name.as_str()).map(drop).ok_or_else(not_found)
    }

    async fn wait(&self, target: &Target, until: &mut Until<'_>) -> Result<Option<Object>, ClusterError> {
        self.note(format!("wait {target}"));
        let current = self.objects.lock().unwrap().get(target.name.as_str()).cloned();
        match until(current.as_ref()) {
            boathook_engine::cluster::Verdict::Done => Ok(current),
            boathook_engine::cluster::Verdict::Waiting => std::future::pending().await,
        }
    }

    async fn logs(
        &self,
        _pod: &Target,
        _container: &str,
        _line: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), ClusterError> {
        Ok(())
    }
}
