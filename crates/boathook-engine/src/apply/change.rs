//! One ordinary object: created if it is not there, else changed, by the release's method. Server-side the API merges what is
//! applied; client-side we compare what the revision before had, what this one has, and what is there.

use std::sync::Arc;

use boathook_core::effect::Effect;
use boathook_core::names::Collection;
use boathook_core::plan::Operation;
use boathook_core::release::ApplyMethod;
use boathook_core::run_event::{ErrorCode, ResourceResult, RunError};
use boathook_core::three_way::{CustomKinds, Update, three_way};
use boathook_core::{Object, managed_fields};

use super::live::Live;
use crate::FIELD_MANAGER;
use crate::cluster::{Cluster, ClusterError, Patch, WriteOptions};
use crate::fault;
use crate::locate::{Located, helm_name};
use crate::resource_hook::apply_failure;
use crate::run::Run;

/// How objects of one operation are written.
#[derive(Clone)]
pub(super) struct Hand {
    pub(super) cluster: Arc<dyn Cluster>,
    options: WriteOptions,
    pub(super) method: ApplyMethod,
    pub(super) migrate: bool,
    custom_kinds: CustomKinds,
    /// Take fields from other managers.
    pub(super) force: bool,
}

/// An object that could not be dealt with.
pub(super) struct Failure {
    pub(super) error: RunError,
    /// The objects behind it are not tried.
    pub(super) stops: bool,
}

/// What became of an object.
pub(super) struct Done {
    pub(super) result: ResourceResult,
    pub(super) uid: Option<String>,
    /// What a dry run left undone.
    pub(super) effect: Option<Effect>,
}

impl Hand {
    pub(super) fn of(run: &Run<'_>) -> Self {
        Self {
            cluster: run.context.cluster.clone(),
            options: run.context.writing(),
            method: run.plan.apply_method,
            migrate: run.plan.migrate,
            // As Helm: only an install that takes over looks at what is there.
            custom_kinds: match run.plan.operation {
                Operation::Install if run.context.options.take_ownership => CustomKinds::ThreeWay,
                _ => CustomKinds::TwoWay,
            },
            force: run.context.options.force_conflicts,
        }
    }

    /// Creates an object.
    pub(super) async fn create(&self, located: &Located) -> Result<Done, RunError> {
        let Located { target, object } = located;
        let created = match self.method {
            ApplyMethod::ServerSide => self.apply(located).await.map_err(|error| {
                let message = apply_failure(target, &error);
                fault::of_cluster(&error, message)
            })?,
            ApplyMethod::ClientSide => {
                let collection =
                    Collection { resource: target.resource.clone(), namespace: target.namespace.clone() };
                let created = self.cluster.create(&collection, object, &self.options).await;
                created.map_err(|error| fault::of_cluster(&error, error.message.clone()))?
            }
        };
        Ok(self.done(ResourceResult::Created, None, &created))
    }

    /// Creates or changes an object of which `live` is there. `original` is it in the revision before.
    pub(super) async fn update(
        &self,
        located: &Located,
        original: Option<&Object>,
        adopted: bool,
        live: Result<Live, ClusterError>,
    ) -> Result<Done, Failure> {
        let stops = |error| Failure { error, stops: true };
        let live = match live {
            Ok(Live::Other(live)) => live,
            Ok(Live::AsApplied(uid)) => {
                let same =
                    || Effect::of_write(located.target.reference(), Some(&located.object), &located.object);
                let effect = self.options.dry_run.then(same);
                return Ok(Done { result: ResourceResult::Unchanged, uid, effect });
            }
            Ok(Live::Missing) => {
                return self.create(located).await.map_err(|error| {
                    let message = format!("failed to create resource: {}", error.message);
                    stops(RunError { message, ..error })
                });
            }
            Err(error) => {
                let message = format!("could not get information about the resource: {error}");
                return Err(stops(fault::of_cluster(&error, message)));
            }
        };
        let changed = match self.method {
            ApplyMethod::ServerSide => self.take_over(located, &live).await,
            ApplyMethod::ClientSide => self.patch(located, original, adopted, &live).await,
        };
        match changed {
            Ok(changed) => Ok(self.done(judge(&live, &changed, self.options.dry_run), Some(&live), &changed)),
            Err(error) => Err(Failure { error, stops: false }),
        }
    }

    /// Server-side, after the fields that a client-side Helm set became this manager's.
    async fn take_over(&self, located: &Located, live: &Object) -> Result<Object, RunError> {
        if self.migrate
            && let Some(patch) = managed_fields::migrate(live, FIELD_MANAGER)
        {
            let moved = self.cluster.patch(&located.target, &Patch::Json(patch), &self.options).await;
            moved.map_err(|error| {
                let name = helm_name(&located.target);
                let message =
                    format!("failed to patch object to upgrade CSA field manager {name}: {}", error.message);
                fault::of_cluster(&error, message)
            })?;
        }
        self.apply(located).await.map_err(|error| {
            let message = apply_failure(&located.target, &error);
            fault::of_cluster(&error, message)
        })
    }

    /// Client-side: nothing is sent where nothing differs. Helm compares an adopted object with itself, and one that turned up
    /// meanwhile with what is there.
    async fn patch(
        &self,
        located: &Located,
        original: Option<&Object>,
        adopted: bool,
        live: &Object,
    ) -> Result<Object, RunError> {
        let Located { target, object } = located;
        let original = original.unwrap_or(if adopted { object } else { live });
        let update = three_way(original, object, live, self.custom_kinds).map_err(|error| {
            let message = format!("failed to create patch: {error}");
            let hint = Some("--server-side=true lets the API server merge".to_owned());
            RunError { hint, ..RunError::new(ErrorCode::ObjectRefused, message) }
        })?;
        let patch = match update {
            Update::Nothing => return Ok(live.clone()),
            Update::StrategicMerge(patch) => Patch::StrategicMerge(patch),
            Update::JsonMerge(patch) => Patch::JsonMerge(patch),
        };
        self.cluster.patch(target, &patch, &self.options).await.map_err(|error| {
            let (name, kind) = (target.name.as_str(), &target.resource.gvk.kind);
            fault::of_cluster(&error, format!("cannot patch {name:?} with kind {kind}: {}", error.message))
        })
    }

    fn done(&self, result: ResourceResult, before: Option<&Object>, after: &Object) -> Done {
        let effect = || Effect::of_write(after.reference(), before, after);
        Done { result, uid: after.uid().map(str::to_owned), effect: self.options.dry_run.then(effect) }
    }

    async fn apply(&self, located: &Located) -> Result<Object, ClusterError> {
        let patch = Patch::Apply { object: located.object.clone(), force: self.force };
        self.cluster.patch(&located.target, &patch, &self.options).await
    }
}

/// What became of an object that was there. The API leaves the resourceVersion alone if nothing changed; a dry run leaves it
/// alone anyway, so there the content tells.
fn judge(live: &Object, changed: &Object, dry_run: bool) -> ResourceResult {
    let same = if dry_run {
        content(live) == content(changed)
    } else {
        live.resource_version() == changed.resource_version()
    };
    if same { ResourceResult::Unchanged } else { ResourceResult::Configured }
}

fn content(object: &Object) -> Object {
    let mut object = object.clone();
    for field in ["managedFields", "resourceVersion", "generation"] {
        object.metadata_mut().shift_remove(field);
    }
    object
}
