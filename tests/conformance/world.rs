//! Where a case runs: the embedded cluster behind the client that talks to real ones, in this process, on tokio's
//! paused clock. Cases are about Helm's behaviour, so there are no plugins here.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use boathook_core::names::{Collection, Name, Namespace, Plural, Resource, Target};
use boathook_core::operation::Timings;
use boathook_core::plugin::PluginInfo;
use boathook_core::{Gvk, Plan, Report, Source, manifest};
use boathook_embedded::Embedded;
use boathook_engine::cluster::{Cluster, ClusterErrorKind, ListOptions, Patch, WriteOptions};
use boathook_engine::plugin_host::{PluginCall, PluginError, PluginHost, PluginReference, PluginReport};
use boathook_engine::release_store::{ReleaseStore, Stored, revisions};
use boathook_engine::{Context, Options};
use boathook_kube::KubeCluster;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::case::{Case, Doing};
use crate::recording::Recording;

/// The namespace of every case's release.
const NAMESPACE: &str = "default";

/// What came of the operations of a case.
pub(crate) struct Story {
    /// One after another.
    pub(crate) chapters: Vec<Chapter>,
    /// The objects that are there at the end, besides records.
    pub(crate) left: Vec<String>,
}

/// What came of one operation.
pub(crate) struct Chapter {
    /// Its word in the case.
    pub(crate) operation: String,
    /// The requests that write.
    pub(crate) requests: Vec<String>,
    /// The requests that look.
    pub(crate) reads: Vec<String>,
    /// All revisions afterwards, oldest first.
    pub(crate) history: Vec<Stored>,
    /// The fold of the run events, or why there is none: a refusal's words, or `killed`.
    pub(crate) report: Result<Box<Report>, String>,
}

/// Executes a case.
pub(crate) fn execute(case: &Case) -> datatest_stable::Result<Story> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    runtime.block_on(run(case))
}

async fn run(case: &Case) -> datatest_stable::Result<Story> {
    let cluster: Arc<dyn Cluster> = Arc::new(KubeCluster::new(Embedded::new().client(NAMESPACE)));
    let store = ReleaseStore::new(cluster.as_ref());
    let mut chapters = Vec::new();
    for doing in &case.doings {
        fill(cluster.as_ref(), &doing.cluster).await?;
        for text in &doing.records {
            store.create(serde_json::from_str(text)?, Default::default(), Timestamp::UNIX_EPOCH).await?;
        }
        let before = store.history(NAMESPACE, "web").await?.releases;
        let planned = case.plan(doing, &revisions(&before))?;
        let (requests, reads, report) = match planned {
            Err(refusal) => (Vec::new(), Vec::new(), Err(refusal.message)),
            Ok(reading) => carry_out(&cluster, doing, &reading.plan).await?,
        };
        chapters.push(Chapter {
            operation: doing.operation.clone(),
            requests,
            reads,
            history: store.history(NAMESPACE, "web").await?.releases,
            report,
        });
    }
    Ok(Story { chapters, left: left(cluster.as_ref()).await? })
}

/// The requests that write, those that look, and the report.
type CarriedOut = (Vec<String>, Vec<String>, Result<Box<Report>, String>);

async fn carry_out(
    cluster: &Arc<dyn Cluster>,
    doing: &Doing,
    plan: &Plan,
) -> datatest_stable::Result<CarriedOut> {
    let cancel = CancellationToken::new();
    let killed = CancellationToken::new();
    let interrupt = doing.interrupt.clone().map(|request| (request, cancel.clone()));
    let kill = doing.kill.clone().map(|request| (request, killed.clone()));
    let triggers = interrupt.into_iter().chain(kill).collect();
    let recording = Arc::new(Recording::new(cluster.clone(), doing.refuse.clone(), triggers, killed.clone()));
    let context = Context {
        cluster: recording.clone(),
        plugins: Arc::new(NoPlugins),
        cancel,
        environment: Arc::new(|_| None),
        clock: Arc::new(|| Timestamp::UNIX_EPOCH),
        jitter: Arc::new(|| 0.5),
        alive: Arc::new(|_| None),
        options: Options {
            operation_id: "case".to_owned(),
            holder: "case".to_owned(),
            lock: Timings::default(),
            wait_for_lock: Duration::ZERO,
            create_namespace: false,
            take_ownership: doing.options.take_ownership,
            dry_run: doing.options.dry_run,
            force_conflicts: doing.options.force_conflicts,
            propagation: Default::default(),
        },
    };
    let mut events = Vec::new();
    let mut emit = |event| events.push(event);
    let ended = tokio::select! {
        biased;
        () = killed.cancelled() => false,
        _ = boathook_engine::execute(plan, &context, &mut emit) => true,
    };
    if !ended {
        return Ok((recording.requests(), recording.reads(), Err("killed".to_owned())));
    }
    let report = Report::from_events(&events).ok_or("the operation said nothing")?;
    Ok((recording.requests(), recording.reads(), Ok(Box::new(report))))
}

/// The kinds that cases use, without the records.
async fn left(cluster: &dyn Cluster) -> datatest_stable::Result<Vec<String>> {
    let mut left = Vec::new();
    for (api_version, kind, plural) in [
        ("v1", "ConfigMap", "configmaps"),
        ("v1", "Secret", "secrets"),
        ("v1", "Service", "services"),
        ("v1", "Pod", "pods"),
        ("batch/v1", "Job", "jobs"),
    ] {
        let resource =
            Resource { gvk: Gvk::new(api_version, kind), plural: Plural::new(plural)?, namespaced: true };
        let collection = Collection { resource, namespace: Some(Namespace::new(NAMESPACE)?) };
        let objects = cluster.list(&collection, &ListOptions::default()).await?.items;
        let own = |name: &str| {
            !name.starts_with("sh.helm.release")
                && !name.starts_with("boathook.release")
                && name != "kube-root-ca.crt"
        };
        // Pods of a Job have a name of chance.
        let is_jobs = |object: &boathook_core::Object| object.get(&["metadata", "ownerReferences"]).is_some();
        left.extend(
            objects
                .iter()
                .filter(|object| own(object.name()) && !is_jobs(object))
                .map(|object| object.reference().slug()),
        );
    }
    Ok(left)
}

/// Creates the objects that somebody else makes.
async fn fill(cluster: &dyn Cluster, text: &str) -> datatest_stable::Result<()> {
    let source = Source { path: "cluster".to_owned(), text: text.to_owned() };
    let parsed = manifest::parse(&[source]);
    if let Some(diagnostic) = parsed.diagnostics.first() {
        return Err(format!("cluster: {}", diagnostic.message).into());
    }
    for object in parsed.documents.iter().flat_map(|document| &document.objects) {
        let resource = cluster.resolve(&object.reference().gvk()).await?;
        let namespace = match resource.namespaced {
            true => Some(Namespace::new(object.namespace().unwrap_or(NAMESPACE))?),
            false => None,
        };
        let target = Target { resource, namespace, name: Name::new(object.name())? };
        let Target { resource, namespace, .. } = target.clone();
        let collection = Collection { resource, namespace };
        let created = cluster.create(&collection, object, &WriteOptions::by("before")).await;
        if created.is_err_and(|error| error.kind == ClusterErrorKind::AlreadyExists) {
            cluster.patch(&target, &Patch::Replace(object.clone()), &WriteOptions::by("between")).await?;
        }
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
