//! What the parts of one running operation share: the plan, the world, the way out for events, the recorder.

use std::time::Duration;

use boathook_core::Diagnostic;
use boathook_core::plan::Plan;
use boathook_core::run_event::{Happening, RunError, RunEvent};
use tokio::time::Instant;

use crate::context::Context;
use crate::record::Recorder;

/// Where events go.
pub(crate) type Emit<'a> = &'a mut (dyn FnMut(RunEvent) + Send);

/// One operation under way.
pub(crate) struct Run<'a> {
    /// What is to be done.
    pub(crate) plan: &'a Plan,
    /// The world around.
    pub(crate) context: &'a Context,
    /// The release record.
    pub(crate) recorder: Recorder,
    emit: Emit<'a>,
}

/// Why an operation ended before its last step.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nothing was begun.
    Refused(Box<RunError>),
    /// A step failed. `during` is Helm's prefix in the description of the release, `failed pre-install: `.
    Failed {
        /// Empty for ordinary objects.
        during: String,
        /// Why.
        error: Box<RunError>,
    },
    /// The token was cancelled.
    Interrupted,
}

impl<'a> Run<'a> {
    pub(crate) fn new(plan: &'a Plan, context: &'a Context, emit: Emit<'a>) -> Self {
        Self { plan, context, recorder: Recorder::default(), emit }
    }

    /// Tells the world.
    pub(crate) fn emit(&mut self, what: Happening) {
        (self.emit)(RunEvent { time: (self.context.clock)(), what });
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
