//! One hook that is a Kubernetes object (or several, from a `List`): delete the old one, create, wait. What is deleted
//! afterwards is the hook runner's business.

mod dry_run;

use boathook_core::hook::DeletePolicy;
use boathook_core::names::{Collection, Target};
use boathook_core::plan::{HookStep, HookWait, ReleaseRef, StepId};
use boathook_core::readiness::Readiness;
use boathook_core::release::ApplyMethod;
use boathook_core::run_event::{ErrorCode, Happening, RunError};
use boathook_core::{Object, ObjectRef};
use tokio::time::Instant;

use crate::cluster::{Cluster, ClusterError, ClusterErrorKind, Patch, WriteOptions};
use crate::hook_runner::{CRD, Created, End, Ended, Facts};
use crate::hook_wait::{Seen, judge, wait_for};
use crate::journal::Intent;
use crate::locate::{LocateError, Located, helm_name, locate};
use crate::run::Run;
use crate::{deletion, diagnose, fault, hook_object, ownership};

/// Set by a cluster that only simulates what runs in it.
const SIMULATED: &str = "embedded.boathook.dev/simulated";

/// How often an object that others keep replacing is looked at.
const LOOKS: usize = 3;

/// Runs the hook from its old object's deletion to the end of the wait.
pub(crate) async fn run(
    run: &mut Run<'_>,
    id: &StepId,
    hook: &HookStep,
    objects: &[Object],
    wait: HookWait,
    intent: Intent,
) -> Ended {
    let deletes_before = hook.has_policy(&DeletePolicy::BeforeHookCreation) && hook.kind != CRD;
    if run.context.options.dry_run {
        return dry_run::run(run, id, hook, objects, deletes_before).await;
    }
    let mut hands = Hands::new(run, id, hook);
    let placed = match run.context.unless_cancelled(hands.place(objects)).await {
        None => return Ended::without_objects(End::Interrupted),
        Some(placed) => placed,
    };
    let placed = match (placed, deletes_before) {
        (Ok(placed), _) => Ok(placed),
        // Helm finds out about a missing name when it deletes, else when it creates.
        (Err(LocateError::NoName), false) => Err(hands.not_created(&hands.unnamed(objects))),
        (Err(error), _) => {
            return Ended::without_objects(End::NotStarted(hands.not_built(error, deletes_before)));
        }
    };
    if let (Ok(placed), true) = (&placed, intent.before > 0) {
        match run.context.unless_cancelled(hands.adopt(placed)).await {
            None => return Ended::without_objects(End::Interrupted),
            Some(Err(error)) => return Ended::without_objects(End::NotStarted(error)),
            Some(Ok(false)) => {}
            Some(Ok(true)) => {
                hands.facts.attempts = intent.before;
                let end = hands.wait(run, id, wait).await;
                return hands.ended(end);
            }
        }
    }
    if deletes_before {
        let Ok(placed) = &placed else { return Ended::without_objects(End::Interrupted) };
        match run.context.unless_cancelled(hands.clear(placed)).await {
            None => return Ended::without_objects(End::Interrupted),
            Some(Err(error)) => return Ended::without_objects(End::NotStarted(error)),
            Some(Ok(deleted)) => {
                for object in deleted {
                    let policy = DeletePolicy::BeforeHookCreation.as_str().to_owned();
                    run.emit(Happening::HookDeleted { step: id.clone(), object, policy });
                }
            }
        }
    }
    run.recorder.running(hook, run.context).await;
    let placed = match placed {
        Ok(placed) if placed.is_empty() => {
            let error = RunError::new(ErrorCode::ObjectRefused, hands.warning("no objects visited"));
            return Ended::without_objects(End::NotCreated(error));
        }
        Ok(placed) => placed,
        Err(error) => return Ended::without_objects(End::NotCreated(error)),
    };
    match run.context.unless_cancelled(hands.create(placed, deletes_before)).await {
        None => return hands.ended(End::Interrupted),
        Some(Err(error)) => return hands.ended(End::NotCreated(error)),
        Some(Ok(())) => {}
    }
    hands.facts.attempts = intent.before + 1;
    let end = hands.wait(run, id, wait).await;
    hands.ended(end)
}

/// What the parts of one hook's run share.
struct Hands<'a> {
    cluster: &'a dyn Cluster,
    release: &'a ReleaseRef,
    operation: String,
    step: String,
    take_ownership: bool,
    method: ApplyMethod,
    options: WriteOptions,
    hook: &'a HookStep,
    created: Vec<Created>,
    applied: Vec<Object>,
    facts: Facts,
}

impl<'a> Hands<'a> {
    fn new<'r: 'a>(run: &Run<'r>, id: &StepId, hook: &'a HookStep) -> Self {
        Self {
            cluster: run.context.cluster.as_ref(),
            release: &run.plan.release,
            operation: run.recorder.operation(run.context).to_owned(),
            step: id.0.replace('/', "."),
            take_ownership: run.context.options.take_ownership,
            method: run.plan.apply_method,
            options: run.context.writing(),
            hook,
            created: Vec::new(),
            applied: Vec::new(),
            facts: Facts::default(),
        }
    }

    fn ended(self, end: End) -> Ended {
        Ended { end, created: self.created, facts: self.facts }
    }

    /// Takes the objects that a command which is gone made for this very step, if all of them are there.
    async fn adopt(&mut self, placed: &[Located]) -> Result<bool, RunError> {
        let mut found = Vec::new();
        for Located { target, .. } in placed {
            let object = match self.cluster.get(target).await {
                Ok(object) => object,
                Err(error) if error.is_not_found() => return Ok(false),
                Err(error) => return Err(fault::of_cluster(&error, error.message.clone())),
            };
            let marks = [(hook_object::OPERATION, &self.operation), (hook_object::STEP, &self.step)];
            let is_own = |(label, value): (&str, &String)| {
                object.str(&["metadata", "labels", label]) == Some(value.as_str())
            };
            let dying = object.get(&["metadata", "deletionTimestamp"]).is_some();
            if dying || !marks.into_iter().all(is_own) {
                return Ok(false);
            }
            found.push((target.clone(), object));
        }
        for (target, object) in found {
            let uid = object.uid().map(str::to_owned);
            self.created.push(Created { target, uid });
            self.applied.push(object);
        }
        Ok(!self.applied.is_empty())
    }

    async fn place(&self, objects: &[Object]) -> Result<Vec<Located>, LocateError> {
        let mut placed = Vec::with_capacity(objects.len());
        for object in objects {
            placed.push(locate(self.cluster, object, &self.hook.namespace).await?);
        }
        Ok(placed)
    }

    /// Helm's text for a hook that could not be built; deleting comes first, so it usually speaks.
    fn not_built(&self, error: LocateError, deleting: bool) -> RunError {
        let HookStep { event, origin, .. } = self.hook;
        let message = match &error {
            LocateError::NoName => error.to_string(),
            _ if deleting => {
                format!("unable to build kubernetes object for deleting hook {}: {error}", origin.path)
            }
            _ => format!("unable to build kubernetes object for {event} hook {}: {error}", origin.path),
        };
        error.into_run_error(message)
    }

    /// Helm's text for a hook that could not be created.
    fn warning(&self, cause: &str) -> String {
        format!("warning: Hook {} {} failed: {cause}", self.hook.event, self.hook.origin.path)
    }

    fn not_created(&self, cause: &str) -> RunError {
        RunError::new(ErrorCode::ObjectRefused, self.warning(cause))
    }

    fn unnamed(&self, objects: &[Object]) -> String {
        let unnamed = objects.iter().find(|object| object.name().is_empty()).map(Object::reference);
        let gvk = unnamed.map(|reference| reference.gvk()).unwrap_or_else(|| {
            ObjectRef::gvk(&ObjectRef {
                api_version: self.hook.api_version.clone(),
                kind: self.hook.kind.clone(),
                namespace: None,
                name: String::new(),
            })
        });
        format!(
            "server-side apply failed for object {}/ {}/{}, Kind={}: {}",
            self.hook.namespace,
            gvk.group,
            gvk.version,
            gvk.kind,
            LocateError::NoName
        )
    }

    /// The object of that place, if it is there and the release may replace it.
    async fn existing(&self, target: &Target) -> Result<Option<Object>, Existing> {
        match self.cluster.get(target).await {
            Ok(object) => match hook_object::foreign(&object, self.release) {
                Some(whose) if !self.take_ownership => Err(Existing::Foreign(whose)),
                _ => Ok(Some(object)),
            },
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(Existing::Cluster(error)),
        }
    }

    /// Deletes what earlier runs left, all of it first, then waits. Answers what was deleted.
    async fn clear(&self, placed: &[Located]) -> Result<Vec<ObjectRef>, RunError> {
        if placed.is_empty() {
            let message = "object not found, skipping delete: no objects visited";
            return Err(RunError::new(ErrorCode::ObjectRefused, message));
        }
        let mut dying = Vec::new();
        for Located { target, .. } in placed {
            if target.resource.gvk.kind == CRD {
                continue;
            }
            // An object that is replaced between look and delete is looked at again.
            for _ in 0..LOOKS {
                let found = self.existing(target).await.map_err(|found| found.into_error(target))?;
                let Some(object) = found else { break };
                let uid = object.uid().map(str::to_owned);
                if deletion::delete(self.cluster, target, uid.as_deref(), &self.options).await? {
                    dying.push((target, uid));
                    break;
                }
            }
        }
        for (target, uid) in &dying {
            deletion::wait_until_gone(self.cluster, target, uid.as_deref(), self.hook.timeout).await?;
        }
        Ok(dying.into_iter().map(|(target, _)| target.reference()).collect())
    }

    /// An object that must not be patched though no policy deletes it: a dying one would take the hook with it, and a
    /// finished Job or Pod would count as done without having run.
    async fn clear_stale(&self, target: &Target) -> Result<Option<Object>, RunError> {
        let found = self.existing(target).await.map_err(|found| {
            let error = found.into_error(target);
            RunError { message: self.warning(&error.message), ..error }
        })?;
        let Some(object) = found else { return Ok(None) };
        let uid = object.uid().map(str::to_owned);
        let dying = object.get(&["metadata", "deletionTimestamp"]).is_some();
        if !dying && !is_finished(target, &object) {
            return Ok(Some(object));
        }
        if !dying {
            deletion::delete(self.cluster, target, uid.as_deref(), &self.options).await?;
        }
        deletion::wait_until_gone(self.cluster, target, uid.as_deref(), self.hook.timeout).await?;
        Ok(None)
    }

    async fn create(&mut self, placed: Vec<Located>, cleared: bool) -> Result<(), RunError> {
        let mut words = Vec::new();
        for Located { target, mut object } in placed {
            let before = if cleared && target.resource.gvk.kind != CRD {
                None
            } else {
                self.clear_stale(&target).await?
            };
            hook_object::stamp(&mut object, self.release, &self.operation);
            ownership::set(&mut object, "labels", hook_object::STEP, &self.step);
            let applied = self.write(&target, object).await?;
            words.push(match &before {
                None => "created",
                Some(before) if before.resource_version() == applied.resource_version() => "unchanged",
                Some(_) => "configured",
            });
            let uid = applied.uid().map(str::to_owned);
            self.created.push(Created { target, uid });
            self.applied.push(applied);
        }
        self.facts.changed = Some(words.iter().any(|word| *word != "unchanged"));
        words.dedup();
        self.facts.message = words.join(", ");
        Ok(())
    }

    /// Applies the object, never by force; where the client writes, it is created, and nothing of its name may be there.
    async fn write(&self, target: &Target, object: Object) -> Result<Object, RunError> {
        let (written, text): (_, fn(&Target, &ClusterError) -> String) = match self.method {
            ApplyMethod::ServerSide => {
                let patch = Patch::Apply { object, force: false };
                (self.cluster.patch(target, &patch, &self.options).await, apply_failure)
            }
            ApplyMethod::ClientSide => {
                let collection =
                    Collection { resource: target.resource.clone(), namespace: target.namespace.clone() };
                let created = self.cluster.create(&collection, &object, &self.options).await;
                (created, |_, error| error.message.clone())
            }
        };
        written.map_err(|error| fault::of_cluster(&error, self.warning(&text(target, &error))))
    }

    /// Waits for every Job and Pod among the objects, against one deadline.
    async fn wait(&mut self, run: &mut Run<'_>, id: &StepId, wait: HookWait) -> End {
        let deadline = Instant::now() + self.hook.timeout;
        let alone = self.created.len() == 1;
        for (created, applied) in self.created.iter().zip(&self.applied) {
            let wait = if alone { wait } else { wait_of(&created.target) };
            if wait == HookWait::None {
                continue;
            }
            let seen = wait_for(run, id, &created.target, applied, wait, deadline).await;
            self.facts.changed = None;
            match seen {
                Seen::Finished(object) => {
                    self.facts.simulated |= simulated(object.as_ref());
                    self.facts.message = match object {
                        Some(_) => "completed".to_owned(),
                        None => "deleted while it ran, taken as done".to_owned(),
                    };
                }
                Seen::Failed(object, reason) => {
                    self.facts.simulated |= simulated(Some(&object));
                    let error = diagnose::failed(self.cluster, &created.target, wait, &reason).await;
                    return End::Failed(error);
                }
                Seen::TimedOut => {
                    return End::Failed(diagnose::timed_out(self.cluster, &created.target, wait).await);
                }
                Seen::Refused(error) => {
                    let message = error.message.clone();
                    return End::Failed(fault::of_cluster(&error, message));
                }
                Seen::Interrupted => return End::Interrupted,
            }
        }
        End::Succeeded
    }
}

/// Why an object that is in the way stays there.
enum Existing {
    Foreign(String),
    Cluster(ClusterError),
}

impl Existing {
    fn into_error(self, target: &Target) -> RunError {
        match self {
            Self::Foreign(whose) => {
                let (message, hint) = hook_object::refusal(&target.reference(), &whose);
                RunError { hint: Some(hint), ..RunError::new(ErrorCode::ObjectRefused, message) }
            }
            Self::Cluster(error) => fault::of_cluster(&error, error.message.clone()),
        }
    }
}

/// Helm's text for a server-side apply that was refused.
pub(crate) fn apply_failure(target: &Target, error: &ClusterError) -> String {
    let name = helm_name(target);
    if error.kind == ClusterErrorKind::Conflict {
        format!("conflict occurred while applying object {name}: {}", error.message)
    } else {
        format!("server-side apply failed for object {name}: {}", error.message)
    }
}

/// Helm waits for Jobs and Pods; all else is done once it is created.
fn wait_of(target: &Target) -> HookWait {
    let gvk = &target.resource.gvk;
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("batch", "Job") => HookWait::Job,
        ("", "Pod") => HookWait::Pod,
        _ => HookWait::None,
    }
}

/// Whether it is a Job or a Pod that has run.
fn is_finished(target: &Target, object: &Object) -> bool {
    let wait = wait_of(target);
    wait != HookWait::None && !matches!(judge(wait, object), Readiness::InProgress(_))
}

fn simulated(object: Option<&Object>) -> bool {
    object.and_then(|object| object.annotation(SIMULATED)) == Some("true")
}
