//! How operations begin: the history is read and the plan's basis found in it again, every ordinary object gets its place, and
//! what must hold before anything changes is checked. Then the record is made. One file for what is special to an operation.

mod install;
mod namespace;
mod objects;

use boathook_core::operation::Unfinished;
use boathook_core::plan::{Operation, Plan, ReleaseRef, ResourceStep, Step, StepAction, StepPhase};
use boathook_core::release::basis::{self, Wish};
use boathook_core::run_event::{ErrorCode, RunError};
use boathook_core::{Diagnostic, Severity};

pub(crate) use objects::{Departing, Prepared};

use self::objects::Texts;
use crate::context::Context;
use crate::fault;
use crate::lease::{Acquired, Lease};
use crate::release_store::{Listing, ReleaseStore, StoreError, Stored, revisions};
use crate::run::{Run, Stop};
use crate::unborn::Unborn;

/// Helm's words where an object of the revision on the cluster has no place.
const CURRENT_UNBUILT: &str = "unable to build kubernetes objects from current release manifest: ";

/// The right that whoever works on releases should have, as it stands in a Role.
const LEASES: &str = "add to the Role: {apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update, delete]}";

/// What the phases deal with.
#[derive(Default)]
pub(crate) struct Work<'p> {
    /// The ordinary objects to create or change, in order.
    pub(crate) objects: Vec<Prepared<'p>>,
    /// The ordinary objects that leave the release, in order.
    pub(crate) departing: Vec<Departing<'p>>,
    /// The ordinary objects that a dry run cannot send.
    pub(crate) unborn: Vec<(&'p Step, &'p ResourceStep)>,
}

/// Begins the operation of a run.
pub(crate) async fn begin<'p>(run: &mut Run<'p>) -> Result<Work<'p>, Stop> {
    let context = run.context;
    if matches!(run.plan.operation, Operation::Run(_)) {
        return Ok(Work::default());
    }
    lock(run, Namespace::MayBeMissing).await?;
    let checked = context.unless_cancelled(check(run)).await.ok_or(Stop::Interrupted)?;
    let (history, work) = checked?;
    record(run, history).await?;
    Ok(work)
}

/// Whether the namespace of the release is known to be there.
#[derive(PartialEq)]
enum Namespace {
    MayBeMissing,
    Exists,
}

/// Takes the lease of the release, unless it is taken. A user who may not have one goes on without, as with Helm.
async fn lock(run: &mut Run<'_>, namespace: Namespace) -> Result<(), Stop> {
    let (context, plan) = (run.context, run.plan);
    if run.lease.is_some() || context.options.dry_run {
        return Ok(());
    }
    let acquiring = Lease::acquire(context, &plan.release, run.lost.clone());
    match context.unless_cancelled(acquiring).await.ok_or(Stop::Interrupted)?.map_err(Stop::refused)? {
        Acquired::Lease(lease) => run.lease = Some(lease),
        Acquired::NoNamespace if namespace == Namespace::MayBeMissing => {}
        Acquired::NoNamespace => {
            let message = format!("namespace {:?} is gone", plan.release.namespace);
            return Err(Stop::refused(RunError::new(ErrorCode::ObjectRefused, message)));
        }
        Acquired::NotAllowed(words) => {
            let message = format!("the release is not locked against other commands: {words}");
            run.note(Diagnostic::warning("not-locked", message).help(LEASES));
        }
    }
    Ok(())
}

async fn check<'p>(run: &mut Run<'p>) -> Result<(Vec<Stored>, Work<'p>), Stop> {
    let (plan, context) = (run.plan, run.context);
    let history = history(plan, context).await?;
    if context.options.dry_run {
        run.unborn = Unborn::of(plan, context).await;
    }
    let work = match plan.operation {
        Operation::Install => install::check(run).await?,
        Operation::Upgrade => upgrade(plan, context, &run.unborn).await.map_err(Stop::refused)?,
        Operation::Rollback => rollback(plan, context, &run.unborn).await.map_err(Stop::refused)?,
        Operation::Uninstall => uninstall(plan, context).await.map_err(Stop::refused)?,
        Operation::Test | Operation::Run(_) => Work::default(),
    };
    Ok((history, work))
}

/// Whether the record of a revision is not there.
async fn is_absent(store: &ReleaseStore<'_>, release: &ReleaseRef) -> bool {
    let found = store.get(&release.namespace, &release.name, release.revision).await;
    matches!(found, Err(StoreError::NotFound))
}

/// The release's history, if the plan still fits to it.
async fn history(plan: &Plan, context: &Context) -> Result<Vec<Stored>, Stop> {
    let release = &plan.release;
    let store = ReleaseStore::new(context.cluster.as_ref());
    let listing = match plan.basis.last {
        // Nobody can have begun but with this record. A list would wait until the server's cache has heard of the lease, which
        // takes up to a tenth of a second.
        None if is_absent(&store, release).await => Ok(Listing::default()),
        _ => store.history(&release.namespace, &release.name).await,
    };
    let listing = listing.map_err(|error| Stop::refused(store_error(&error)))?;
    let wish = Wish {
        to: plan.basis.target,
        // That a history may be replaced was decided when the plan was made.
        replace: plan.basis.last.is_some(),
        keep_history: plan.keep_history,
        anew: !plan.basis.resumes,
    };
    let past = revisions(&listing.releases);
    let basis = basis::find(plan.operation, wish, &release.name, &past).map_err(Stop::Refused)?;
    let same_plan = || past.last().and_then(Unfinished::left) == Some(Unfinished::of(plan));
    match basis == plan.basis && (!basis.resumes || same_plan()) {
        true => Ok(listing.releases),
        false => {
            let message = format!("release {} was changed since this plan was made", release.name);
            let hint = Some(
                "another operation was faster: look at its history, and run the command again".to_owned(),
            );
            Err(Stop::refused(RunError { hint, ..RunError::new(ErrorCode::Locked, message) }))
        }
    }
}

async fn upgrade<'p>(plan: &'p Plan, context: &Context, unborn: &Unborn) -> Result<Work<'p>, RunError> {
    let texts = Texts { unbuilt: "", conflict: Some("unable to continue with update: ") };
    let departing = objects::departing(context, plan, CURRENT_UNBUILT).await?;
    let work = objects::prepare(context, plan, unborn, &texts).await?;
    Ok(Work { departing, ..work })
}

/// A rollback adopts without asking, as Helm has it: it is the way out of a half-done upgrade.
async fn rollback<'p>(plan: &'p Plan, context: &Context, unborn: &Unborn) -> Result<Work<'p>, RunError> {
    let unbuilt = "unable to build kubernetes objects from new release manifest: ";
    let departing = objects::departing(context, plan, CURRENT_UNBUILT).await?;
    let work = objects::prepare(context, plan, unborn, &Texts { unbuilt, conflict: None }).await?;
    Ok(Work { departing, ..work })
}

async fn uninstall<'p>(plan: &'p Plan, context: &Context) -> Result<Work<'p>, RunError> {
    let unbuilt = "unable to build kubernetes objects for delete: ";
    let departing = objects::departing(context, plan, unbuilt).await?;
    Ok(Work { departing, ..Work::default() })
}

/// Makes the record, or takes the one that is there.
async fn record(run: &mut Run<'_>, history: Vec<Stored>) -> Result<(), Stop> {
    if run.context.options.dry_run {
        return Ok(());
    }
    let (plan, context) = (run.plan, run.context);
    // What failed has ended; who left it pending may be at it.
    let last = history.last().map(Stored::revision).filter(|last| last.status().is_pending());
    let unfinished = last.is_some_and(|last| Unfinished::left(&last).is_some());
    let goes_on = matches!(plan.operation, Operation::Install | Operation::Upgrade) || plan.basis.resumes;
    if unfinished && goes_on && run.lease.is_none() {
        let message =
            "without the right to use leases it cannot be told whether somebody is at work on the release";
        let name = &plan.release.name;
        let hint = format!("{LEASES}; or `boathook rollback {name}`, or `boathook uninstall {name}`");
        return Err(Stop::refused(RunError {
            hint: Some(hint),
            ..RunError::new(ErrorCode::Locked, message)
        }));
    }
    if plan.basis.resumes {
        let message = format!(
            "revision {} was begun before and not finished: this command goes on with it",
            plan.basis.revision
        );
        run.note(Diagnostic::new(Severity::Info, "resumed", message));
    }
    run.recorder.begin(plan, context, history).await.map_err(|error| {
        let told = match error {
            StoreError::AlreadyExists => in_use(plan),
            error => store_error(&error),
        };
        match run.recorder.status() {
            None => Stop::refused(told),
            Some(_) => Stop::failed(told),
        }
    })
}

/// Somebody made the same revision in between.
fn in_use(plan: &Plan) -> RunError {
    if plan.operation == Operation::Install {
        return *basis::name_in_use();
    }
    let hint =
        Some("another operation was faster: look at its history, and run the command again".to_owned());
    RunError { hint, ..RunError::new(ErrorCode::Locked, StoreError::AlreadyExists.to_string()) }
}

/// The error of a store that was asked for a release.
pub(crate) fn store_error(error: &StoreError) -> RunError {
    match error {
        StoreError::Conflict { .. } => RunError::new(ErrorCode::Locked, error.to_string()),
        StoreError::Cluster(cluster) => fault::of_records(cluster, error.to_string()),
        StoreError::AlreadyExists | StoreError::NotFound | StoreError::Name(_) | StoreError::Decode(_) => {
            RunError::new(ErrorCode::ReleaseConflict, error.to_string())
        }
    }
}

/// The steps of a phase that apply an object.
fn resources(plan: &Plan, phase: StepPhase) -> impl Iterator<Item = (&Step, &ResourceStep)> {
    plan.steps_of(phase).filter_map(|step| match &step.action {
        StepAction::Resource(resource) => Some((step, resource.as_ref())),
        StepAction::Hook(_) | StepAction::Delete(_) | StepAction::Wait(_) => None,
    })
}
