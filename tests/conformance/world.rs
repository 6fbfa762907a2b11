//! Where a case runs: the embedded cluster behind the client that talks to real ones, in this process, on tokio's
//! paused clock. Cases are about Helm's behaviour, so there are no plugins here.

use std::sync::Arc;

use async_trait::async_trait;
use boathook_core::names::{Collection, Namespace};
use boathook_core::plugin::PluginInfo;
use boathook_core::{Plan, Report, Source, manifest};
use boathook_embedded::Embedded;
use boathook_engine::cluster::{Cluster, WriteOptions};
use boathook_engine::plugin_host::{PluginCall, PluginError, PluginHost, PluginReference, PluginReport};
use boathook_engine::release_store::{ReleaseStore, StoreError, Stored};
use boathook_engine::{Context, Options};
use boathook_kube::KubeCluster;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::case::Case;
use crate::recording::Recording;

/// What came of executing a case.
pub(crate) struct Story {
    /// The requests that write.
    pub(crate) requests: Vec<String>,
    /// The release record afterwards.
    pub(crate) stored: Option<Stored>,
    /// The fold of the run events.
    pub(crate) report: Report,
}

/// Executes a case's plan.
pub(crate) fn execute(case: &Case, plan: &Plan) -> datatest_stable::Result<Story> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(run(case, plan))
}

async fn run(case: &Case, plan: &Plan) -> datatest_stable::Result<Story> {
    let namespace = plan.release.namespace.as_str();
    let cluster: Arc<dyn Cluster> = Arc::new(KubeCluster::new(Embedded::new().client(namespace)));
    fill(cluster.as_ref(), &case.cluster, namespace).await?;
    let recording = Arc::new(Recording::new(cluster.clone(), case.refuse.clone()));
    let context = Context {
        cluster: recording.clone(),
        plugins: Arc::new(NoPlugins),
        cancel: CancellationToken::new(),
        environment: Arc::new(|_| None),
        clock: Arc::new(|| Timestamp::UNIX_EPOCH),
        jitter: Arc::new(|| 0.5),
        options: Options {
            operation_id: "case".to_owned(),
            create_namespace: false,
            take_ownership: case.options.take_ownership,
            dry_run: case.options.dry_run,
            description: None,
            labels: Default::default(),
            chart: None,
            config: Default::default(),
            notes: None,
        },
    };
    let mut events = Vec::new();
    boathook_engine::execute(plan, &context, &mut |event| events.push(event)).await;
    let store = ReleaseStore::new(cluster.as_ref());
    let stored = match store.get(namespace, &plan.release.name, plan.release.revision).await {
        Ok(stored) => Some(stored),
        Err(StoreError::NotFound) => None,
        Err(error) => return Err(error.into()),
    };
    let report = Report::from_events(&events).ok_or("the operation said nothing")?;
    Ok(Story { requests: recording.requests(), stored, report })
}

/// Creates the objects that the cluster holds before.
async fn fill(cluster: &dyn Cluster, text: &str, namespace: &str) -> datatest_stable::Result<()> {
    let source = Source { path: "cluster".to_owned(), text: text.to_owned() };
    let parsed = manifest::parse(&[source]);
    if let Some(diagnostic) = parsed.diagnostics.first() {
        return Err(format!("cluster: {}", diagnostic.message).into());
    }
    for object in parsed.documents.iter().flat_map(|document| &document.objects) {
        let resource = cluster.resolve(&object.reference().gvk()).await?;
        let namespace = match resource.namespaced {
            true => Some(Namespace::new(object.namespace().unwrap_or(namespace))?),
            false => None,
        };
        cluster.create(&Collection { resource, namespace }, object, &WriteOptions::by("before")).await?;
    }
    Ok(())
}

/// There are none.
struct NoPlugins;

#[async_trait]
impl PluginHost for NoPlugins {
    async fn list(&self) -> Vec<(String, Result<PluginInfo, PluginError>)> {
        Vec::new()
    }

    async fn inspect(&self, reference: &PluginReference) -> Result<PluginInfo, PluginError> {
        Err(PluginError::NotFound { name: reference.text.clone(), help: String::new() })
    }

    async fn run(&self, call: PluginCall) -> Result<PluginReport, PluginError> {
        Err(PluginError::NotFound { name: call.plugin.name, help: String::new() })
    }
}
