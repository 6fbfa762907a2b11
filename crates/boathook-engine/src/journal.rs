//! The journal of an operation under way: what may be asked of it by the engine, in the terms of hooks and phases. The rules are
//! core's; the recorder stores it.

use boathook_core::operation::{
    Beginning, End, Item, ItemOutcome, OperationRecord, Refused, Ticket, Touched,
};
use boathook_core::plan::{Plan, StepId, StepPhase};
use boathook_core::run_event::Outcome;
use serde_json::Value;

use crate::context::Context;

/// One operation's record with the right to write it.
pub(crate) struct Journal {
    record: OperationRecord,
    ticket: Ticket,
}

/// How a hook begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Intent {
    /// How often it was begun before, by commands that are gone.
    pub(crate) before: u32,
}

impl Journal {
    /// A new operation.
    pub(crate) fn begin(plan: &Plan, context: &Context) -> Self {
        let (record, ticket) = OperationRecord::begin(Beginning {
            operation: context.options.operation_id.clone(),
            command: plan.operation.as_str().to_owned(),
            from_revision: plan.basis.base,
            to_revision: plan.release.revision,
            plan_digest: plan.digest(),
            holder: context.options.holder.clone(),
            phases: plan.operation.phases().into_iter().map(|phase| phase.to_string()).collect(),
        });
        Self { record, ticket }
    }

    /// Goes on with one whose holder is gone; nothing if it was begun with another plan.
    pub(crate) fn take_over(mut record: OperationRecord, plan: &Plan, context: &Context) -> Option<Self> {
        let command = plan.operation.as_str();
        let ticket = record.take_over(&context.options.holder, command, &plan.digest()).ok()?;
        Some(Self { record, ticket })
    }

    /// The operation's id: it stays when somebody takes it over.
    pub(crate) fn operation(&self) -> &str {
        self.record.operation()
    }

    /// For storage.
    pub(crate) fn to_value(&self) -> Option<Value> {
        self.record.to_value()
    }

    /// A phase begins. One that was done before may be gone through again, unrecorded.
    pub(crate) fn enter(&mut self, phase: StepPhase) {
        tolerate(self.record.intent(self.ticket, &item(phase)));
    }

    /// A phase was gone through.
    pub(crate) fn leave(&mut self, phase: StepPhase) {
        tolerate(self.record.done(self.ticket, &item(phase), ItemOutcome::Succeeded, Vec::new()));
    }

    /// Whether a phase was done before.
    pub(crate) fn is_done(&self, phase: StepPhase) -> bool {
        self.record.outcome(&item(phase)).is_some()
    }

    /// How a hook ended, and what it made, if it ended.
    pub(crate) fn ended(&self, id: &StepId) -> Option<(ItemOutcome, Vec<Touched>)> {
        let hook = Item::Hook(id.clone());
        let entry = self.record.journal().iter().find(|entry| entry.item == hook)?;
        Some((entry.outcome.clone()?, entry.objects.clone()))
    }

    /// A hook begins.
    pub(crate) fn intend(&mut self, id: &StepId) -> Intent {
        let attempt = tolerate(self.record.intent(self.ticket, &Item::Hook(id.clone())));
        let before = attempt.unwrap_or_default().saturating_sub(1);
        Intent { before }
    }

    /// A hook ended.
    pub(crate) fn done(&mut self, id: &StepId, outcome: ItemOutcome, objects: Vec<Touched>) {
        tolerate(self.record.done(self.ticket, &Item::Hook(id.clone()), outcome, objects));
    }

    /// The operation ended; one that the user stopped has not, and may be gone on with.
    pub(crate) fn finish(&mut self, outcome: Outcome) {
        let end = match outcome {
            Outcome::Interrupted => return,
            Outcome::Succeeded => End::Succeeded,
            Outcome::Failed | Outcome::Refused => End::Failed,
        };
        tolerate(self.record.finish(self.ticket, end));
    }
}

/// What the journal has already is no fault: phases that were done are gone through again.
fn tolerate<T>(written: Result<T, Refused>) -> Option<T> {
    written.inspect_err(|refused| tracing::debug!(%refused, "the journal has it already")).ok()
}

fn item(phase: StepPhase) -> Item {
    Item::Phase(phase.to_string())
}

#[cfg(test)]
mod tests;
