//! Intent and done: one entry for each phase and hook. Ordinary objects have none, because applying them again does no harm, nor
//! have deletions, because what a hook made is deleted by the UID in its entry.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{OperationRecord, Refused, Ticket};
use crate::ObjectRef;
use crate::plan::StepId;

/// What is begun and done.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Item {
    /// A phase of the plan, with everything in it.
    Phase(String),
    /// One run of a hook.
    Hook(StepId),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phase(phase) => write!(f, "phase {phase}"),
            Self::Hook(step) => write!(f, "hook {step}"),
        }
    }
}

/// One object, this very one.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Touched {
    /// What names it.
    pub object: ObjectRef,
    /// What tells it from a later one of its name.
    pub uid: String,
}

/// How an item ended. Either way it is not done again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ItemOutcome {
    /// Well.
    Succeeded,
    /// Not well, with the reason.
    Failed(String),
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum End {
    /// Every phase was done.
    Succeeded,
    /// It stopped for a failure.
    Failed,
    /// Its holder was gone, and another operation came in its place.
    Abandoned,
}

/// An item that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// What.
    pub item: Item,
    /// How often it was begun.
    pub attempt: u32,
    /// The epoch in which it was begun last.
    pub epoch: u64,
    /// The objects that it made, known when it is done.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<Touched>,
    /// How it ended; absent means that nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<ItemOutcome>,
}

impl OperationRecord {
    /// Tells what is going to be done, before it is. Answers which attempt it is: the first, or a later one if an earlier
    /// holder began it and was gone before it was done.
    ///
    /// # Errors
    /// [`Refused`] for what is done, under way, or not next: phases come in their order, hooks one by one.
    pub fn intent(&mut self, ticket: Ticket, item: &Item) -> Result<u32, Refused> {
        self.check(ticket)?;
        let epoch = self.epoch;
        if let Some(entry) = self.unfinished(item)? {
            entry.attempt += 1;
            entry.epoch = epoch;
            return Ok(entry.attempt);
        }
        self.check_turn(item)?;
        self.journal.push(Entry {
            item: item.clone(),
            attempt: 1,
            epoch,
            objects: Vec::new(),
            outcome: None,
        });
        Ok(1)
    }

    /// The entry of an item that an earlier holder began, if there is one.
    fn unfinished(&mut self, item: &Item) -> Result<Option<&mut Entry>, Refused> {
        let epoch = self.epoch;
        match self.journal.iter_mut().find(|entry| entry.item == *item) {
            Some(entry) if entry.outcome.is_some() => Err(Refused::AlreadyDone(item.clone())),
            Some(entry) if entry.epoch == epoch => Err(Refused::UnderWay(item.clone())),
            entry => Ok(entry),
        }
    }

    /// Tells how an item ended, and which objects it made.
    ///
    /// # Errors
    /// [`Refused::NotBegun`] without an intent of this epoch; [`Refused::UnderWay`] for a phase in which something is open.
    pub fn done(
        &mut self,
        ticket: Ticket,
        item: &Item,
        outcome: ItemOutcome,
        objects: Vec<Touched>,
    ) -> Result<(), Refused> {
        self.check(ticket)?;
        if matches!(item, Item::Phase(_))
            && let Some(open) = self.open_within()
        {
            return Err(Refused::UnderWay(open.clone()));
        }
        match self.unfinished(item) {
            Err(Refused::UnderWay(_)) => {}
            Err(refused) => return Err(refused),
            Ok(_) => return Err(Refused::NotBegun(item.clone())),
        }
        if let Some(entry) = self.journal.iter_mut().find(|entry| entry.item == *item) {
            entry.outcome = Some(outcome);
            entry.objects = objects;
        }
        Ok(())
    }

    /// How an item ended, if it has: then it is not to be done again.
    pub fn outcome(&self, item: &Item) -> Option<&ItemOutcome> {
        self.journal.iter().find(|entry| entry.item == *item)?.outcome.as_ref()
    }

    /// Where whoever takes the operation over goes on: at what was begun and is not done, else at the phase that is open or
    /// comes next. `None` if only the end is missing.
    pub fn resume_at(&self) -> Option<Item> {
        let open = self.open_within().or_else(|| self.open().next()).cloned();
        open.or_else(|| self.next_phase().map(|phase| Item::Phase(phase.to_owned())))
    }

    /// The first open item within a phase.
    pub(super) fn open_within(&self) -> Option<&Item> {
        self.open().find(|item| !matches!(item, Item::Phase(_)))
    }

    /// Items that were begun and are not done, in the order in which they were begun.
    pub fn open(&self) -> impl Iterator<Item = &Item> {
        self.journal.iter().filter(|entry| entry.outcome.is_none()).map(|entry| &entry.item)
    }

    /// The first phase that was not begun.
    pub(super) fn next_phase(&self) -> Option<&str> {
        let begun = |phase: &str| {
            self.journal.iter().any(|entry| matches!(&entry.item, Item::Phase(begun) if begun == phase))
        };
        self.phases.iter().map(String::as_str).find(|phase| !begun(phase))
    }

    fn check_turn(&self, item: &Item) -> Result<(), Refused> {
        let phase = self.open().find(|open| matches!(open, Item::Phase(_)));
        let hook = self.open().find(|open| matches!(open, Item::Hook(_)));
        match (item, phase, hook) {
            (Item::Phase(_), Some(open), _) | (Item::Hook(_), Some(_), Some(open)) => {
                Err(Refused::UnderWay(open.clone()))
            }
            (Item::Phase(phase), None, _) if self.next_phase() == Some(phase) => Ok(()),
            (Item::Hook(_), Some(_), _) => Ok(()),
            _ => Err(Refused::OutOfTurn(item.clone())),
        }
    }
}
