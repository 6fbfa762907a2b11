//! What the parts of one running operation share: the plan, the world, the way out for events, the recorder.

use std::time::Duration;

use boathook_core::Diagnostic;
use boathook_core::effect::Effect;
use boathook_core::names::Target;
use boathook_core::plan::{Plan, StepId, StepPhase};
use boathook_core::run_event::{Happening, RunError, RunEvent};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::lease::Lease;
use crate::record::Recorder;
use crate::unborn::Unborn;

/// Where events go.
pub(crate) type Emit<'a> = &'a mut (dyn FnMut(RunEvent) + Send);

/// One operation under way.
pub(crate) struct Run<'a> {
    /// What is to be done.
    pub(crate) plan: &'a Plan,
    /// The world around.
    pub(crate) context: &'a Context,
    /// The right to write, where the operation needs one and the user may have it.
    pub(crate) lease: Option<Lease>,
    /// Cancelled once the lease is lost.
    pub(crate) lost: CancellationToken,
    /// The release record.
    pub(crate) recorder: Recorder,
    /// The phase that is under way; the beginning counts as the first one there is.
    pub(crate) phase: StepPhase,
    /// Every ordinary object that the revision has, in order.
    pub(crate) applied: Vec<Target>,
    /// Ordinary objects that were created.
    pub(crate) created: Vec<Placed>,
    /// Ordinary objects whose deletion the API took.
    pub(crate) deleted: Vec<Placed>,
    /// What a dry run cannot ask the API about.
    pub(crate) unborn: Unborn,
    emit: Emit<'a>,
}

/// An object on the cluster: its place, and which one it is there.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    /// Its place.
    pub(crate) target: Target,
    /// This very object.
    pub(crate) uid: Option<String>,
}

/// Why an operation ended before its last step.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nothing was begun.
    Refused(Box<RunError>),
    /// The phase that is under way failed.
    Failed(Box<RunError>),
    /// Everything was done, but phases that do not stop an operation failed.
    Incomplete(Vec<RunError>),
    /// The token was cancelled.
    Interrupted,
}

impl Stop {
    /// A failure.
    pub(crate) fn failed(error: RunError) -> Self {
        Self::Failed(Box::new(error))
    }

    /// A refusal.
    pub(crate) fn refused(error: RunError) -> Self {
        Self::Refused(Box::new(error))
    }
}

impl<'a> Run<'a> {
    pub(crate) fn new(plan: &'a Plan, context: &'a Context, emit: Emit<'a>) -> Self {
        Self {
            plan,
            context,
            lease: None,
            lost: CancellationToken::new(),
            recorder: Recorder::default(),
            phase: StepPhase::Crds,
            applied: Vec::new(),
            created: Vec::new(),
            deleted: Vec::new(),
            unborn: Unborn::default(),
            emit,
        }
    }

    /// Tells the world.
    pub(crate) fn emit(&mut self, what: Happening) {
        (self.emit)(RunEvent { time: (self.context.clock)(), what });
    }

    /// Passes on an event of another operation that runs inside this one.
    pub(crate) fn pass_on(&mut self, event: RunEvent) {
        (self.emit)(event);
    }

    /// Tells what a step leaves undone.
    pub(crate) fn withhold(&mut self, step: &StepId, effect: Effect) {
        self.emit(Happening::Withheld { step: step.clone(), effect });
    }

    /// Says something that belongs to no step.
    pub(crate) fn note(&mut self, diagnostic: Diagnostic) {
        self.emit(Happening::Noted { diagnostic });
    }
}

/// Milliseconds since.
pub(crate) fn elapsed(since: Instant) -> u64 {
    millis(since.elapsed())
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
