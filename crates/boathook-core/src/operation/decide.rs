//! Who may go on. Whoever comes to a release decides twice: by its lease, whether somebody is at work on it; then, the lease
//! in hand, by its newest revision, whether there is something to go on with. Nobody else decides either.

use std::collections::BTreeMap;
use std::time::Duration;

use super::LeaseState;
use crate::plan::{Operation, Plan};
use crate::release::{Revision, Status};

/// What a newcomer does about a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Take it, if it is still what was seen.
    Take,
    /// Look again.
    Look,
    /// Give up: somebody is at work.
    Refuse {
        /// Who.
        holder: String,
        /// Since when, as they wrote it.
        since: Option<String>,
    },
}

/// Decides by the lease as it was observed. `alive`: whether its holder is known to be, or known not to be; waiting for the
/// end of a holder who lives is worth `patience`, of which `waited` has gone by.
pub fn claim(lease: &LeaseState, alive: Option<bool>, waited: Duration, patience: Duration) -> Claim {
    match (lease, alive) {
        (LeaseState::Free | LeaseState::Expired { .. }, _) | (LeaseState::Held { .. }, Some(false)) => {
            Claim::Take
        }
        (LeaseState::Held { holder, since, .. }, Some(true)) if waited >= patience => {
            Claim::Refuse { holder: holder.clone(), since: since.clone() }
        }
        (LeaseState::Held { .. }, _) => Claim::Look,
    }
}

/// The label of Helm's Secret by which a revision is known as one that we began and did not finish. Helm keeps labels, and
/// hands them on to the next revision: so the value says which one it is about.
pub const UNFINISHED: &str = "boathook.dev/unfinished";
/// How many digits of a plan's digest tell it from another.
const DIGITS: usize = 32;

/// An operation of ours that is under way, or was not finished. Which of the two the lease tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The command's word.
    pub command: String,
    /// The revision that it makes.
    pub revision: u32,
    /// The one that it started from.
    pub base: Option<u32>,
    /// Tells its plan from another.
    pub plan: String,
}

impl Unfinished {
    /// What a plan begins.
    pub fn of(plan: &Plan) -> Self {
        let digest = plan.digest();
        Self {
            command: plan.operation.as_str().to_owned(),
            revision: plan.release.revision,
            base: plan.basis.base,
            plan: digest.trim_start_matches("sha256:").chars().take(DIGITS).collect(),
        }
    }

    /// What a revision says that was begun and not ended, by the mark that it bears.
    pub fn left(revision: &Revision<'_>) -> Option<Self> {
        // An operation that was interrupted is failed for Helm, and may be gone on with all the same.
        let may_be = revision.status().is_pending() || *revision.status() == Status::Failed;
        Self::marked(revision.labels).filter(|mark| may_be && mark.revision == revision.number())
    }

    /// Puts the mark among the labels of a revision.
    pub fn mark(&self, labels: &mut BTreeMap<String, String>) {
        let Self { command, revision, base, plan } = self;
        let value = format!("{command}.v{revision}.v{}.{plan}", base.unwrap_or_default());
        labels.insert(UNFINISHED.to_owned(), value);
    }

    fn marked(labels: &BTreeMap<String, String>) -> Option<Self> {
        let mut parts = labels.get(UNFINISHED)?.split('.');
        let command = parts.next()?.to_owned();
        let mut number = || parts.next()?.strip_prefix('v')?.parse::<u32>().ok();
        let (revision, base) = (number()?, number()?);
        Some(Self { command, revision, base: (base > 0).then_some(base), plan: parts.next()?.to_owned() })
    }

    /// Whether an operation goes on with this, as far as can be told before there is a plan: it is the same command, and a
    /// rollback to the same revision.
    pub fn is_of(&self, operation: Operation, to: Option<u32>, target: Option<u32>) -> bool {
        self.command == operation.as_str() && (to.is_none() || to == target)
    }
}
