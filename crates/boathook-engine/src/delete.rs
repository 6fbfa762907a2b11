//! Ordinary objects that leave the release: what the new revision of an upgrade or a rollback lacks; in an uninstall all, but
//! only what is the release's.

use std::sync::Arc;

use boathook_core::effect::Effect;
use boathook_core::names::Target;
use boathook_core::plan::{Fate, Operation, Plan};
use boathook_core::run_event::{Happening, ResourceResult, RunError};
use boathook_core::{Diagnostic, Object, Severity};

use crate::apply::joined;
use crate::at_once::in_order;
use crate::begin::Departing;
use crate::cluster::{ClusterError, WriteOptions};
use crate::context::Context;
use crate::look::look;
use crate::run::{Placed, Run, Stop};
use crate::{deletion, ownership};

/// The annotation of a live object that an upgrade must not delete, compared letter by letter.
const RESOURCE_POLICY: &str = "helm.sh/resource-policy";

/// Deletes what leaves the release.
pub(crate) async fn delete(run: &mut Run<'_>, departing: Vec<Departing<'_>>) -> Result<(), Stop> {
    if run.plan.operation == Operation::Uninstall {
        run.recorder.persist(run.context).await;
        uninstall(run, departing).await
    } else {
        remove(run, departing).await
    }
}

/// Deletes what was created before (`--cleanup-on-fail`); answers what could not be deleted.
pub(crate) async fn placed(context: &Context, objects: Vec<Placed>) -> Vec<String> {
    let options = context.writing();
    let mut failures = Vec::new();
    for batch in objects.chunk_by(|a, b| kind(&a.target) == kind(&b.target)) {
        let deletions = batch.iter().cloned().map(|Placed { target, uid }| {
            let (cluster, options) = (context.cluster.clone(), options.clone());
            async move { deletion::delete(cluster.as_ref(), &target, uid.as_deref(), &options).await }
        });
        let answers = in_order(deletions.collect()).await;
        failures.extend(answers.into_iter().filter_map(|answer| Some(answer.err()?.message)));
    }
    failures
}

fn kind(target: &Target) -> &str {
    &target.resource.gvk.kind
}

/// In the order of the old manifest, neighbours of one kind at once. As with Helm, what cannot be looked at is left, and every
/// deletion is tried.
async fn remove(run: &mut Run<'_>, departing: Vec<Departing<'_>>) -> Result<(), Stop> {
    let looking = fates(run.context, run.plan, &departing);
    let fates = run.context.unless_cancelled(looking).await.ok_or(Stop::Interrupted)?;
    let mut leaving = Vec::new();
    for (object, fate) in departing.iter().zip(fates) {
        match fate {
            Leaving::Delete(uid) => leaving.push((object, uid)),
            Leaving::Gone => finished(run, object, ResourceResult::Deleted, None),
            Leaving::Kept => finished(run, object, ResourceResult::Kept, None),
            Leaving::Left(why) => {
                let name = object.target.reference().slug();
                let message = format!("{name} left the release and was not deleted: {why}");
                run.note(Diagnostic::warning("not-deleted", message));
                finished(run, object, ResourceResult::Orphaned, None);
            }
        }
    }
    let options = run.context.writing();
    let errors = delete_all(run, &leaving, &options, |target, error| {
        let namespace = target.namespace.as_ref().map(ToString::to_string).unwrap_or_default();
        let message = format!(
            "failed to delete resource namespace={namespace}, name={}, kind={}: {}",
            target.name,
            kind(target),
            error.message
        );
        RunError { message, ..error }
    });
    joined(errors.await?, " && ")
}

/// What becomes of an object that leaves the release while the release goes on.
enum Leaving {
    Delete(Option<String>),
    Gone,
    Kept,
    Left(String),
}

async fn fates(context: &Context, plan: &Plan, departing: &[Departing<'_>]) -> Vec<Leaving> {
    let targets: Vec<Target> = departing.iter().map(|object| object.target.clone()).collect();
    let release = plan.release.clone();
    let keep = move |_: usize, live: Option<Object>| {
        let Some(live) = live else { return Leaving::Gone };
        if live.annotation(RESOURCE_POLICY) == Some("keep") {
            return Leaving::Kept;
        }
        match ownership::of_another(&live, &release) {
            Some(whose) => Leaving::Left(whose),
            None => Leaving::Delete(live.uid().map(str::to_owned)),
        }
    };
    let found = look(&context.cluster, &targets, Arc::new(keep)).await;
    found.into_iter().map(|fate| fate.unwrap_or_else(|error| Leaving::Left(error.message))).collect()
}

/// Helm's uninstall: first it is looked at what is the release's, then that is deleted.
async fn uninstall(run: &mut Run<'_>, departing: Vec<Departing<'_>>) -> Result<(), Stop> {
    let (wanted, left): (Vec<_>, Vec<_>) =
        departing.into_iter().partition(|object| object.delete.fate == Fate::Delete);
    let kept = left.iter().filter(|object| object.delete.fate == Fate::Keep).map(|object| &object.target);
    told(run, "kept", "These resources were kept due to the resource policy:", kept.map(named).collect());
    for object in &left {
        let result = match object.delete.fate {
            Fate::Keep => ResourceResult::Kept,
            _ => ResourceResult::Orphaned,
        };
        finished(run, object, result, None);
    }
    let owned = owned(run.context, run.plan, &wanted);
    let owned = run.context.unless_cancelled(owned).await.ok_or(Stop::Interrupted)?;
    let mut sorted = Sorted::default();
    for (object, found) in wanted.iter().zip(owned) {
        sorted.add(run, object, found);
    }
    let Sorted { mine, unowned, unverifiable } = sorted;
    let count = unowned.len();
    let text = format!("{count} resource(s) were not deleted because they are not owned by this release:");
    told(run, "not-owned", &text, unowned);
    let count = unverifiable.len();
    let text = format!("{count} resource(s) were not deleted because their ownership could not be verified:");
    told(run, "not-owned", &text, unverifiable);
    let options = WriteOptions { propagation: run.context.options.propagation, ..run.context.writing() };
    let errors = delete_all(run, &mine, &options, |_, error| error).await?;
    let causes: Vec<String> = errors.iter().map(|error| error.message.clone()).collect();
    match errors.into_iter().next() {
        None => Ok(()),
        Some(first) => Err(Stop::failed(RunError {
            message: format!("failed to delete release: {}", run.plan.release.name),
            hint: Some("run the same command again: it deletes what is left".to_owned()),
            details: causes,
            ..first
        })),
    }
}

/// Deletes objects, neighbours of one kind at once; the errors, each in the words of its operation.
async fn delete_all(
    run: &mut Run<'_>,
    objects: &[(&Departing<'_>, Option<String>)],
    options: &WriteOptions,
    words: fn(&Target, RunError) -> RunError,
) -> Result<Vec<RunError>, Stop> {
    let mut errors = Vec::new();
    for batch in objects.chunk_by(|a, b| kind(&a.0.target) == kind(&b.0.target)) {
        if run.context.cancel.is_cancelled() {
            return Err(Stop::Interrupted);
        }
        let deletions = batch.iter().map(|(object, uid)| {
            let (cluster, options) = (run.context.cluster.clone(), options.clone());
            let (target, uid) = (object.target.clone(), uid.clone());
            async move { deletion::delete(cluster.as_ref(), &target, uid.as_deref(), &options).await }
        });
        let deletions: Vec<_> = deletions.collect();
        for (object, _) in batch {
            run.emit(Happening::StepStarted {
                step: object.step.id.clone(),
                resource: Some(object.target.reference()),
            });
        }
        let answers = run.context.unless_cancelled(in_order(deletions)).await.ok_or(Stop::Interrupted)?;
        for ((object, uid), answer) in batch.iter().zip(answers) {
            match answer {
                Ok(_) => {
                    if options.dry_run {
                        run.withhold(&object.step.id, Effect::Delete { object: object.target.reference() });
                    }
                    run.deleted.push(Placed { target: object.target.clone(), uid: uid.clone() });
                    finished(run, object, ResourceResult::Deleted, None);
                }
                Err(error) => {
                    let error = words(&object.target, error);
                    finished(run, object, ResourceResult::Failed, Some(error.clone()));
                    errors.push(error);
                }
            }
        }
    }
    Ok(errors)
}

/// The objects of an uninstall, by whose they are.
#[derive(Default)]
struct Sorted<'d, 'p> {
    mine: Vec<(&'d Departing<'p>, Option<String>)>,
    unowned: Vec<String>,
    unverifiable: Vec<String>,
}

impl<'d, 'p> Sorted<'d, 'p> {
    fn add(&mut self, run: &mut Run<'_>, object: &'d Departing<'p>, found: Result<Owned, ClusterError>) {
        match found {
            Ok(Owned::Mine(uid)) => self.mine.push((object, uid)),
            Ok(Owned::Gone) => finished(run, object, ResourceResult::Deleted, None),
            Ok(Owned::NotMine) => {
                self.unowned.push(named(&object.target));
                finished(run, object, ResourceResult::Orphaned, None);
            }
            Err(error) => {
                self.unverifiable.push(format!("{}: {}", named(&object.target), error.message));
                finished(run, object, ResourceResult::Orphaned, None);
            }
        }
    }
}

/// Whose an object is.
enum Owned {
    /// The release's; its UID.
    Mine(Option<String>),
    NotMine,
    Gone,
}

async fn owned(context: &Context, plan: &Plan, wanted: &[Departing<'_>]) -> Vec<Result<Owned, ClusterError>> {
    let targets: Arc<[Target]> = wanted.iter().map(|object| object.target.clone()).collect();
    let (release, places) = (plan.release.clone(), targets.clone());
    let keep = move |index: usize, live: Option<Object>| match live {
        None => Owned::Gone,
        Some(live) if ownership::check(&live, &places[index], &release).is_ok() => {
            Owned::Mine(live.uid().map(str::to_owned))
        }
        Some(_) => Owned::NotMine,
    };
    look(&context.cluster, &targets, Arc::new(keep)).await
}

fn named(target: &Target) -> String {
    format!("[{}] {}", kind(target), target.name)
}

/// Helm prints these lists after an uninstall.
fn told(run: &mut Run<'_>, code: &str, text: &str, objects: Vec<String>) {
    if objects.is_empty() {
        return;
    }
    let severity = if code == "kept" { Severity::Info } else { Severity::Warning };
    run.note(Diagnostic::new(severity, code, format!("{text}\n{}", objects.join("\n"))));
}

fn finished(run: &mut Run<'_>, object: &Departing<'_>, result: ResourceResult, error: Option<RunError>) {
    run.emit(Happening::ResourceFinished {
        step: object.step.id.clone(),
        resource: object.target.reference(),
        result,
        error,
    });
}

#[cfg(test)]
mod tests;
