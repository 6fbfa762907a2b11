//! What an operation meant to do and what it did, kept so that after a crash the next command goes on at the very step,
//! and who may write meanwhile. Pure: the record with the transitions that it allows, the lease as one process sees it, and
//! the decision of a newcomer. Storing both, each time conditionally, is the caller's.
//!
//! ```text
//! begin -> intent(phase) -> intent(hook) -> effect -> done(hook) -> ... -> done(phase) -> ... -> finish
//!            \ crash: take_over raises the epoch; what has an intent and no done is done again, what is done is not
//! ```

mod decide;
mod journal;
mod lease;

pub use decide::{Claim, UNFINISHED, Unfinished, claim};
pub use journal::{End, Entry, Item, ItemOutcome, Touched};
pub use lease::{LeaseState, LeaseView, Tenure, Timings};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The newest format that is read and written here.
pub const FORMAT_VERSION: u32 = 1;

/// What is to be known of an operation beforehand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    /// Unique for the operation; its objects carry it as a label.
    pub operation: String,
    /// The command's word: `upgrade`.
    pub command: String,
    /// The revision that it starts from, if there is one.
    pub from_revision: Option<u32>,
    /// The revision that it makes or works on.
    pub to_revision: u32,
    /// What tells one plan from another.
    pub plan_digest: String,
    /// Who begins: unique for the process.
    pub holder: String,
    /// The phases of the plan, in order: `pre-upgrade`, `apply`.
    pub phases: Vec<String>,
}

/// The record of one operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationRecord {
    format_version: u32,
    operation: String,
    command: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from_revision: Option<u32>,
    to_revision: u32,
    plan_digest: String,
    holder: String,
    epoch: u64,
    phases: Vec<String>,
    #[serde(default)]
    journal: Vec<Entry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<End>,
    /// Fields that this program does not know.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// The right to go on with an operation: worth something as long as nobody else took it over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    epoch: u64,
}

/// A record that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnreadableRecord {
    /// A newer program wrote it.
    #[error("the operation record has format {found}, and this program reads {FORMAT_VERSION} at most")]
    Newer {
        /// The format that it has.
        found: u64,
    },
    /// It is no record.
    #[error("the operation record is damaged")]
    Damaged(#[source] serde_json::Error),
}

/// Why a transition may not happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Somebody else took the operation over.
    #[error("the operation was taken over by {holder}")]
    TakenOver {
        /// Who goes on with it.
        holder: String,
    },
    /// The operation has ended.
    #[error("the operation has ended")]
    Ended,
    /// The item was done before, in this epoch or an earlier one.
    #[error("{0} is done already")]
    AlreadyDone(Item),
    /// The item's intent is not closed.
    #[error("{0} is under way")]
    UnderWay(Item),
    /// The item was never begun.
    #[error("{0} was not begun")]
    NotBegun(Item),
    /// The phase is none of the plan's, or not the next one; a hook stands outside of any.
    #[error("it is not the turn of {0}")]
    OutOfTurn(Item),
    /// The operation was begun by another command.
    #[error("the operation was begun by {0}")]
    OtherCommand(String),
    /// The operation was begun with another plan.
    #[error("the operation was begun with another plan")]
    OtherPlan,
}

impl OperationRecord {
    /// Begins an operation: the first epoch.
    pub fn begin(beginning: Beginning) -> (Self, Ticket) {
        let Beginning { operation, command, from_revision, to_revision, plan_digest, holder, phases } =
            beginning;
        let record = Self {
            format_version: FORMAT_VERSION,
            operation,
            command,
            from_revision,
            to_revision,
            plan_digest,
            holder,
            epoch: 1,
            phases,
            journal: Vec::new(),
            end: None,
            rest: Map::new(),
        };
        (record, Ticket { epoch: 1 })
    }

    /// Reads a stored record.
    ///
    /// # Errors
    /// [`UnreadableRecord`]; a record of a newer format is never guessed at.
    pub fn read(stored: Value) -> Result<Self, UnreadableRecord> {
        match stored.get("formatVersion").and_then(Value::as_u64) {
            Some(found) if found > u64::from(FORMAT_VERSION) => Err(UnreadableRecord::Newer { found }),
            _ => serde_json::from_value(stored).map_err(UnreadableRecord::Damaged),
        }
    }

    /// The record as it is stored.
    pub fn to_value(&self) -> Option<Value> {
        serde_json::to_value(self).ok()
    }

    /// The operation's id.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// The command that began it.
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The revision that it started from.
    pub fn from_revision(&self) -> Option<u32> {
        self.from_revision
    }

    /// The revision that it makes or works on.
    pub fn to_revision(&self) -> u32 {
        self.to_revision
    }

    /// Who goes on with it, or went last.
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Grows by one whenever the operation is taken over.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How it ended, if it has.
    pub fn end(&self) -> Option<End> {
        self.end
    }

    /// Everything that was begun, in the order in which it was.
    pub fn journal(&self) -> &[Entry] {
        &self.journal
    }

    /// Goes on with an operation whose holder is gone. The caller has the lease, and stores the record on the condition that
    /// it is still the one that was read.
    ///
    /// # Errors
    /// [`Refused::Ended`]; [`Refused::OtherCommand`] and [`Refused::OtherPlan`], for which there is [`Self::abandon`].
    pub fn take_over(&mut self, holder: &str, command: &str, plan_digest: &str) -> Result<Ticket, Refused> {
        if command != self.command {
            return Err(Refused::OtherCommand(self.command.clone()));
        }
        if plan_digest != self.plan_digest {
            return Err(Refused::OtherPlan);
        }
        self.succeed(holder)
    }

    /// Ends an operation whose holder is gone and that nobody will go on with: another command or another plan comes in its
    /// place. What was under way stays so in the journal.
    ///
    /// # Errors
    /// [`Refused::Ended`].
    pub fn abandon(&mut self, holder: &str) -> Result<(), Refused> {
        self.succeed(holder)?;
        self.end = Some(End::Abandoned);
        Ok(())
    }

    fn succeed(&mut self, holder: &str) -> Result<Ticket, Refused> {
        if self.end.is_some() {
            return Err(Refused::Ended);
        }
        self.epoch += 1;
        holder.clone_into(&mut self.holder);
        Ok(Ticket { epoch: self.epoch })
    }

    /// Ends the operation.
    ///
    /// # Errors
    /// [`Refused::UnderWay`] while an item is open; for a success, while a phase is open or to come.
    pub fn finish(&mut self, ticket: Ticket, end: End) -> Result<(), Refused> {
        self.check(ticket)?;
        let next = match end {
            // A failure may end a phase halfway.
            End::Failed | End::Abandoned => self.open_within().cloned(),
            End::Succeeded => self.resume_at(),
        };
        if let Some(item) = next {
            return Err(Refused::UnderWay(item));
        }
        self.end = Some(end);
        Ok(())
    }

    fn check(&self, ticket: Ticket) -> Result<(), Refused> {
        if ticket.epoch != self.epoch {
            return Err(Refused::TakenOver { holder: self.holder.clone() });
        }
        if self.end.is_some() { Err(Refused::Ended) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
