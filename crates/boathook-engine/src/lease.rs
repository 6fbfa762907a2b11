//! The lease of a release: who may write, as `coordination.k8s.io/v1` Lease `boathook.NAME` beside it. It is taken before the
//! first write, renewed by a task of its own, and deleted at the end. Every write of it is conditional. Whether a holder is
//! alive is judged by changes that were seen here, never by the times that it wrote; of a process of this machine the caller
//! may know at once.

use std::sync::Arc;
use std::time::Duration;

use boathook_core::names::{Collection, InvalidName, Name, Namespace, Plural, Resource, Target};
use boathook_core::operation::{Claim, LeaseState, LeaseView, Tenure, Timings, claim};
use boathook_core::plan::ReleaseRef;
use boathook_core::run_event::{ErrorCode, RunError};
use boathook_core::{Gvk, Object};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::FIELD_MANAGER;
use crate::cluster::{Cluster, ClusterError, ClusterErrorKind, Patch, Preconditions, WriteOptions};
use crate::context::{Alive, Clock, Context};
use crate::fault;

/// How often the lease of somebody else is looked at, and how soon a renewal that failed is tried again.
const LOOK: Duration = Duration::from_secs(1);
/// How the API server refuses what is new in a namespace that goes: by the same code as a right that is missing.
const TERMINATING: &str = "because it is being terminated";
/// Nobody waits longer than this for a lease to be given back: it ends by itself.
const GIVE_BACK: Duration = Duration::from_secs(2);

/// A lease that is ours until it is given back or cannot be renewed.
pub(crate) struct Lease {
    target: Target,
    cluster: Arc<dyn Cluster>,
    stop: CancellationToken,
    keeper: JoinHandle<Option<Object>>,
}

/// What came of the wish to have the lease.
pub(crate) enum Acquired {
    /// It is ours.
    Lease(Lease),
    /// The namespace is not there yet, or not any more.
    NoNamespace,
    /// The user may not use leases, in the words of the API.
    NotAllowed(String),
}

/// Waits until nobody is at work on a release, at most as long as `patience` after the holder was found alive. Whoever plans
/// afterwards plans for what the other left; that the lease is still free then is not said.
///
/// # Errors
/// Somebody is still at work; the API refuses. Not being allowed to look at leases is none.
pub async fn wait_for_lock(
    cluster: &dyn Cluster,
    alive: &Alive,
    release: &ReleaseRef,
    patience: Duration,
) -> Result<(), RunError> {
    match Watch::begin(release)?.until_free(cluster, alive, patience).await {
        Err(Watched::Held(error)) => Err(*error),
        Err(Watched::Cluster(error)) if error.kind != ClusterErrorKind::Forbidden => {
            Err(fault::of_records(&error, error.message.clone()))
        }
        Ok(_) | Err(Watched::Cluster(_)) => Ok(()),
    }
}

/// A lease under observation.
struct Watch<'r> {
    release: &'r ReleaseRef,
    target: Target,
    began: Instant,
    view: LeaseView,
    /// The first version of this holder's that was seen: any other one shows that the holder is alive.
    first: Option<(String, Option<String>)>,
}

/// Why a lease is not free.
enum Watched {
    Held(Box<RunError>),
    Cluster(ClusterError),
}

impl<'r> Watch<'r> {
    fn begin(release: &'r ReleaseRef) -> Result<Self, RunError> {
        let invalid = |error: InvalidName| RunError::new(ErrorCode::Internal, error.to_string());
        let target = place(release).map_err(invalid)?;
        Ok(Self { release, target, began: Instant::now(), view: LeaseView::default(), first: None })
    }

    /// Looks until the lease may be taken; answers what is there then.
    async fn until_free(
        &mut self,
        cluster: &dyn Cluster,
        alive: &Alive,
        patience: Duration,
    ) -> Result<Option<Object>, Watched> {
        loop {
            let found = match cluster.get(&self.target).await {
                Ok(lease) => Some(lease),
                Err(error) if error.is_not_found() => None,
                Err(error) => return Err(Watched::Cluster(error)),
            };
            let waited = self.began.elapsed();
            self.view.observe(waited, found.as_ref());
            let state = self.view.state(waited);
            let alive = match &state {
                LeaseState::Held { holder, .. } => alive(holder).or_else(|| self.changed(holder)),
                LeaseState::Free | LeaseState::Expired { .. } => None,
            };
            match claim(&state, alive, waited, patience) {
                Claim::Take => return Ok(found),
                Claim::Look => sleep(LOOK).await,
                Claim::Refuse { holder, since } => {
                    return Err(Watched::Held(Box::new(held(self.release, &holder, since))));
                }
            }
        }
    }

    /// A holder that renews its lease is alive; of one that did not yet nobody can tell.
    fn changed(&mut self, holder: &str) -> Option<bool> {
        let now = (holder.to_owned(), self.view.resource_version().map(str::to_owned));
        let first = self.first.get_or_insert_with(|| now.clone());
        if first.0 != now.0 {
            *first = now;
            return None;
        }
        (first.1 != now.1).then_some(true)
    }
}

impl Lease {
    /// Takes the lease of a release. `lost` is cancelled once it cannot be renewed in time.
    ///
    /// # Errors
    /// Somebody alive has it; the API refuses.
    pub(crate) async fn acquire(
        context: &Context,
        release: &ReleaseRef,
        lost: CancellationToken,
    ) -> Result<Acquired, RunError> {
        let mut watch = Watch::begin(release)?;
        // Most often nobody has it: that is found out by taking it.
        let mut found = None;
        loop {
            let is_new = found.is_none();
            let sent = Instant::now();
            match take(context, &watch.target, found).await {
                Ok(lease) => {
                    return Ok(Acquired::Lease(Self::keep(context, watch.target, lease, sent, lost)));
                }
                // Somebody has it, or was faster.
                Err(error)
                    if matches!(error.kind, ClusterErrorKind::Conflict | ClusterErrorKind::AlreadyExists) => {
                }
                Err(error) if is_new && (error.is_not_found() || error.message.ends_with(TERMINATING)) => {
                    return Ok(Acquired::NoNamespace);
                }
                Err(error) if error.is_not_found() => {}
                Err(error) if error.kind == ClusterErrorKind::Forbidden => {
                    return Ok(Acquired::NotAllowed(error.message));
                }
                Err(error) => return Err(fault::of_records(&error, error.message.clone())),
            }
            let (cluster, patience) = (context.cluster.as_ref(), context.options.wait_for_lock);
            found = match watch.until_free(cluster, context.alive.as_ref(), patience).await {
                Ok(found) => found,
                Err(Watched::Held(error)) => return Err(*error),
                Err(Watched::Cluster(error)) if error.kind == ClusterErrorKind::Forbidden => {
                    return Ok(Acquired::NotAllowed(error.message));
                }
                Err(Watched::Cluster(error)) => return Err(fault::of_records(&error, error.message.clone())),
            };
        }
    }

    fn keep(
        context: &Context,
        target: Target,
        lease: Object,
        sent: Instant,
        lost: CancellationToken,
    ) -> Self {
        let cancel = context.cancel.clone();
        let stop = CancellationToken::new();
        let keeper = Keeper {
            cluster: context.cluster.clone(),
            clock: context.clock.clone(),
            writing: WriteOptions::by(FIELD_MANAGER),
            target: target.clone(),
            holder: context.options.holder.clone(),
            timings: context.options.lock,
            sent,
        };
        let keeper = tokio::spawn({
            let stop = stop.clone();
            async move {
                let kept = keeper.run(lease, &stop).await;
                if kept.is_none() {
                    lost.cancel();
                    cancel.cancel();
                }
                kept
            }
        });
        Self { target, cluster: context.cluster.clone(), stop, keeper }
    }

    /// Gives the lease back. That it fails is no matter: it ends by itself.
    pub(crate) async fn give_back(self) {
        let Self { target, cluster, stop, keeper } = self;
        stop.cancel();
        let giving = async {
            let Ok(Some(lease)) = keeper.await else { return };
            let only = Preconditions {
                uid: lease.uid().map(str::to_owned),
                resource_version: lease.resource_version().map(str::to_owned),
            };
            let options = WriteOptions::by(FIELD_MANAGER);
            if let Err(error) = cluster.delete(&target, &only, &options).await {
                tracing::debug!(%error, "cannot give the lease of the release back");
            }
        };
        drop(timeout(GIVE_BACK, giving).await);
    }
}

/// What renews a lease.
struct Keeper {
    cluster: Arc<dyn Cluster>,
    clock: Arc<Clock>,
    writing: WriteOptions,
    target: Target,
    holder: String,
    timings: Timings,
    sent: Instant,
}

impl Keeper {
    /// Renews the lease until it is told to stop: answers the lease then, and nothing if it was lost.
    async fn run(&self, mut lease: Object, stop: &CancellationToken) -> Option<Object> {
        let mut tenure = Tenure::new(self.timings, Duration::ZERO);
        let mut next = tenure.renew_at();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Some(lease),
                () = sleep_until(self.sent + next) => {}
            }
            let sent = self.sent.elapsed();
            let renewing = self.renew(&lease);
            match timeout_at(self.sent + tenure.write_until(), renewing).await {
                Err(_) => return None,
                Ok(Ok(Some(renewed))) => {
                    lease = renewed;
                    tenure.renew(sent);
                    next = tenure.renew_at();
                }
                Ok(Ok(None)) => return None,
                Ok(Err(error)) => {
                    tracing::debug!(%error, "cannot renew the lease of the release");
                    next = (self.sent.elapsed() + LOOK).min(tenure.write_until());
                    if !tenure.may_write(self.sent.elapsed()) {
                        return None;
                    }
                }
            }
        }
    }

    /// The lease anew; nothing if it is not ours any more.
    async fn renew(&self, lease: &Object) -> Result<Option<Object>, ClusterError> {
        let mut renewed = lease.clone();
        set(&mut renewed, "renewTime", json!(micro((self.clock)())));
        match self.cluster.patch(&self.target, &Patch::Replace(renewed), &self.writing).await {
            Ok(lease) => Ok(Some(lease)),
            // A renewal whose answer never came changed it, or somebody else did.
            Err(error) if error.kind == ClusterErrorKind::Conflict => {
                let found = self.cluster.get(&self.target).await?;
                Ok((found.str(&["spec", "holderIdentity"]) == Some(&self.holder)).then_some(found))
            }
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Writes us into the lease, if it is still the one that was seen.
async fn take(context: &Context, target: &Target, found: Option<Object>) -> Result<Object, ClusterError> {
    let now = micro((context.clock)());
    let options = WriteOptions::by(FIELD_MANAGER);
    let mut lease = found.clone().unwrap_or_default();
    for (field, value) in [
        ("holderIdentity", json!(context.options.holder)),
        ("leaseDurationSeconds", json!(context.options.lock.duration.as_secs().max(1))),
        ("acquireTime", json!(now)),
        ("renewTime", json!(now)),
    ] {
        set(&mut lease, field, value);
    }
    if found.is_some() {
        return context.cluster.patch(target, &Patch::Replace(lease), &options).await;
    }
    let collection = Collection { resource: target.resource.clone(), namespace: target.namespace.clone() };
    lease.0.insert("apiVersion".to_owned(), json!("coordination.k8s.io/v1"));
    lease.0.insert("kind".to_owned(), json!("Lease"));
    lease.metadata_mut().insert("name".to_owned(), json!(target.name.as_str()));
    context.cluster.create(&collection, &lease, &options).await
}

fn set(lease: &mut Object, field: &str, value: serde_json::Value) {
    let spec = lease.0.entry("spec").or_insert_with(|| json!({}));
    if let Some(spec) = spec.as_object_mut() {
        spec.insert(field.to_owned(), value);
    }
}

/// Kubernetes' `MicroTime`.
fn micro(time: jiff::Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

fn held(release: &ReleaseRef, holder: &str, since: Option<String>) -> RunError {
    let since = since.map(|since| format!(", since {since}")).unwrap_or_default();
    let message = format!("release {} is locked: {holder} is at work on it{since}", release.name);
    let hint = "wait until it is done, or let this command wait: --wait-for-lock 10m".to_owned();
    RunError { hint: Some(hint), ..RunError::new(ErrorCode::Locked, message) }
}

fn place(release: &ReleaseRef) -> Result<Target, InvalidName> {
    let resource = Resource {
        gvk: Gvk::new("coordination.k8s.io/v1", "Lease"),
        plural: Plural::new("leases").expect("is a valid resource name"),
        namespaced: true,
    };
    Ok(Target {
        resource,
        namespace: Some(Namespace::new(&release.namespace)?),
        name: Name::new(&format!("boathook.{}", release.name))?,
    })
}

#[cfg(test)]
mod tests;
