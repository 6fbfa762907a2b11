//! Ordinary objects that leave the release. An upgrade or a rollback deletes one by one what the new revision lacks; an uninstall
//! deletes all, kind by kind, but only what is the release's.

use boathook_core::names::Target;
use boathook_core::plan::{Fate, Operation, Plan};
use boathook_core::run_event::{Happening, ResourceResult, RunError};
use boathook_core::{Diagnostic, Object, Severity};

use crate::apply::joined;
use crate::at_once::in_order;
use crate::begin::Departing;
use crate::cluster::{ClusterError, WriteOptions};
use crate::context::Context;
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

/// In the order of the old manifest. As with Helm, what cannot be looked at is left, and every deletion is tried.
async fn remove(run: &mut Run<'_>, departing: Vec<Departing<'_>>) -> Result<(), Stop> {
    let mut errors = Vec::new();
    for Departing { step, target, .. } in departing {
        run.emit(Happening::StepStarted { step: step.id.clone(), resource: Some(target.reference()) });
        let removing = removed(run.context, run.plan, &target);
        let removed = run.context.unless_cancelled(removing).await.ok_or(Stop::Interrupted)?;
        let (result, error) = match removed {
            Ok(Removed::Gone) => (ResourceResult::Deleted, None),
            Ok(Removed::Kept) => (ResourceResult::Kept, None),
            Ok(Removed::Left(why)) => {
                let message =
                    format!("{} left the release and was not deleted: {why}", target.reference().slug());
                run.note(Diagnostic::warning("not-deleted", message));
                (ResourceResult::Orphaned, None)
            }
            Err(error) => {
                errors.push(error.clone());
                (ResourceResult::Failed, Some(error))
            }
        };
        run.emit(Happening::ResourceFinished {
            step: step.id.clone(),
            resource: target.reference(),
            result,
            error,
        });
    }
    joined(errors, " && ")
}

/// What became of an object that left the release.
enum Removed {
    Gone,
    Kept,
    Left(String),
}

async fn removed(context: &Context, plan: &Plan, target: &Target) -> Result<Removed, RunError> {
    let cluster = context.cluster.as_ref();
    let live = match cluster.get(target).await {
        Ok(live) => live,
        Err(error) if error.is_not_found() => return Ok(Removed::Gone),
        Err(error) => return Ok(Removed::Left(error.message)),
    };
    if live.annotation(RESOURCE_POLICY) == Some("keep") {
        return Ok(Removed::Kept);
    }
    if let Some(whose) = ownership::of_another(&live, &plan.release) {
        return Ok(Removed::Left(whose));
    }
    match deletion::delete(cluster, target, live.uid(), &context.writing()).await {
        Ok(_) => Ok(Removed::Gone),
        Err(error) => {
            let namespace = target.namespace.as_ref().map(ToString::to_string).unwrap_or_default();
            let message = format!(
                "failed to delete resource namespace={namespace}, name={}, kind={}: {}",
                target.name,
                kind(target),
                error.message
            );
            Err(RunError { message, ..error })
        }
    }
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
    let owned = run.context.unless_cancelled(owned(run.context, &wanted)).await.ok_or(Stop::Interrupted)?;
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
    let mut errors = Vec::new();
    for batch in mine.chunk_by(|a, b| kind(&a.0.target) == kind(&b.0.target)) {
        if run.context.cancel.is_cancelled() {
            return Err(Stop::Interrupted);
        }
        errors.extend(delete_batch(run, batch, &options).await.ok_or(Stop::Interrupted)?);
    }
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

/// Objects of one kind at once, as Helm does it. `None`: cancelled.
async fn delete_batch(
    run: &mut Run<'_>,
    batch: &[(&Departing<'_>, Option<String>)],
    options: &WriteOptions,
) -> Option<Vec<RunError>> {
    let deletions = batch.iter().map(|(object, uid)| {
        let (cluster, options) = (run.context.cluster.clone(), options.clone());
        let (target, uid) = (object.target.clone(), uid.clone());
        async move { deletion::delete(cluster.as_ref(), &target, uid.as_deref(), &options).await }
    });
    for (object, _) in batch {
        run.emit(Happening::StepStarted {
            step: object.step.id.clone(),
            resource: Some(object.target.reference()),
        });
    }
    let deletions: Vec<_> = deletions.collect();
    let answers = run.context.unless_cancelled(in_order(deletions)).await?;
    let mut errors = Vec::new();
    for ((object, uid), answer) in batch.iter().zip(answers) {
        match answer {
            Ok(_) => {
                run.deleted.push(Placed { target: object.target.clone(), uid: uid.clone() });
                finished(run, object, ResourceResult::Deleted, None);
            }
            Err(error) => {
                finished(run, object, ResourceResult::Failed, Some(error.clone()));
                errors.push(error);
            }
        }
    }
    Some(errors)
}

/// The objects of an uninstall, by whose they are.
#[derive(Default)]
struct Sorted<'d, 'p> {
    mine: Vec<(&'d Departing<'p>, Option<String>)>,
    unowned: Vec<String>,
    unverifiable: Vec<String>,
}

impl<'d, 'p> Sorted<'d, 'p> {
    fn add(&mut self, run: &mut Run<'_>, object: &'d Departing<'p>, found: Result<Object, ClusterError>) {
        match found {
            Ok(live) if ownership::check(&live, &object.target, &run.plan.release).is_ok() => {
                self.mine.push((object, live.uid().map(str::to_owned)));
            }
            Ok(_) => {
                self.unowned.push(named(&object.target));
                finished(run, object, ResourceResult::Orphaned, None);
            }
            Err(error) if error.is_not_found() => finished(run, object, ResourceResult::Deleted, None),
            Err(error) => {
                self.unverifiable.push(format!("{}: {}", named(&object.target), error.message));
                finished(run, object, ResourceResult::Orphaned, None);
            }
        }
    }
}

async fn owned(context: &Context, wanted: &[Departing<'_>]) -> Vec<Result<Object, ClusterError>> {
    let looks = wanted.iter().map(|object| {
        let (cluster, target) = (context.cluster.clone(), object.target.clone());
        async move { cluster.get(&target).await }
    });
    in_order(looks.collect()).await
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
