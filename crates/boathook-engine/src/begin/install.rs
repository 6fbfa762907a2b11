//! What is special to the beginning of an install: the namespace, and the definitions in `crds/`, which come before
//! everything else and are no part of the release.

use std::time::Duration;

use boathook_core::Object;
use boathook_core::effect::Effect;
use boathook_core::names::{Collection, Target};
use boathook_core::plan::{Step, StepId, StepPhase};
use boathook_core::readiness::{Readiness, kstatus};
use boathook_core::run_event::{ErrorCode, Happening, ResourceResult, RunError};

use super::objects::{self, Texts};
use super::{Work, namespace, resources};
use crate::cluster::{ClusterErrorKind, Verdict};
use crate::context::Context;
use crate::fault;
use crate::locate::{Located, locate};
use crate::run::{Run, Stop};

/// How long the definitions may take to be served; Helm's number.
const ESTABLISHED: Duration = Duration::from_secs(60);

/// Checks everything that can be checked before the release exists. Only the namespace and `crds/` are made here.
pub(super) async fn check<'p>(run: &mut Run<'p>) -> Result<Work<'p>, Stop> {
    let context = run.context;
    let missing = namespace::missing(run.plan, context).await.map_err(Stop::refused)?;
    let crds = definitions(run).await.map_err(Stop::failed)?;
    let texts = Texts {
        unbuilt: "unable to build kubernetes objects from release manifest: ",
        conflict: Some("unable to continue with install: "),
    };
    let refused = |error| if crds { Stop::failed(error) } else { Stop::refused(error) };
    if missing && context.options.dry_run {
        run.unborn.add_namespace(&run.plan.release.namespace);
    }
    let work = objects::prepare(context, run.plan, &run.unborn, &texts).await.map_err(refused)?;
    if missing {
        let made = namespace::create(run.plan, context).await.map_err(refused)?;
        super::lock(run, super::Namespace::Exists).await?;
        if context.options.dry_run {
            run.withhold(&StepId("namespace".to_owned()), Effect::of_write(made.reference(), None, &made));
        }
    }
    Ok(work)
}

/// Creates the definitions that are not there, and waits until all are served. Whether there was any to make.
async fn definitions(run: &mut Run<'_>) -> Result<bool, RunError> {
    let (mut all, mut created) = (Vec::new(), false);
    let steps: Vec<_> = resources(run.plan, StepPhase::Crds).collect();
    for (step, resource) in steps {
        let failed = |message: String| format!("failed to install CRD {}: {message}", resource.origin.path);
        let located =
            locate(run.context.cluster.as_ref(), &resource.object, &run.plan.release.namespace).await;
        let Located { target, object } = located.map_err(|error| {
            let message = failed(error.to_string());
            error.into_run_error(message)
        })?;
        run.emit(Happening::StepStarted { step: step.id.clone(), resource: Some(target.reference()) });
        let collection =
            Collection { resource: target.resource.clone(), namespace: target.namespace.clone() };
        let result = match run.context.cluster.create(&collection, &object, &run.context.writing()).await {
            Ok(made) => {
                if run.context.options.dry_run {
                    run.withhold(&step.id, Effect::of_write(made.reference(), None, &made));
                }
                ResourceResult::Created
            }
            Err(error) if error.kind == ClusterErrorKind::AlreadyExists => ResourceResult::Unchanged,
            Err(error) => {
                let error = fault::of_cluster(&error, failed(error.to_string()));
                finished(run, step, &target, ResourceResult::Failed, Some(&error));
                return Err(error);
            }
        };
        finished(run, step, &target, result, None);
        created |= result == ResourceResult::Created;
        all.push(target);
    }
    // Those that were there may be of a command that died before it had waited for them.
    if !run.context.options.dry_run {
        established(run.context, &all).await?;
    }
    Ok(created)
}

fn finished(
    run: &mut Run<'_>,
    step: &Step,
    target: &Target,
    result: ResourceResult,
    error: Option<&RunError>,
) {
    run.emit(Happening::ResourceFinished {
        step: step.id.clone(),
        resource: target.reference(),
        result,
        error: error.cloned(),
    });
}

/// Waits until the API serves what was defined: objects of the release may be of these kinds.
async fn established(context: &Context, all: &[Target]) -> Result<(), RunError> {
    let waiting = async {
        for target in all {
            let mut until = |object: Option<&Object>| match object.map(kstatus) {
                Some(Readiness::InProgress(_)) => Verdict::Waiting,
                Some(_) | None => Verdict::Done,
            };
            let seen = context.cluster.wait(target, &mut until).await;
            seen.map_err(|error| fault::of_cluster(&error, error.to_string()))?;
        }
        Ok(())
    };
    tokio::time::timeout(ESTABLISHED, waiting).await.unwrap_or_else(|_| {
        let names: Vec<String> = all.iter().map(|target| target.name.to_string()).collect();
        let message = format!("the definitions in crds/ were not established in time: {}", names.join(", "));
        Err(RunError::new(ErrorCode::Timeout, message))
    })
}
