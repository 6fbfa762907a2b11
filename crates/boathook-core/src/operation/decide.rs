//! What a newcomer does who finds the record of an operation and a lease.

use std::time::Duration;

use super::{Item, LeaseState, OperationRecord};

/// What a newcomer may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Take the lease and begin an operation.
    Free,
    /// Nothing: somebody is at it.
    HeldBy {
        /// Who.
        holder: String,
        /// How long the lease must be watched without a change until the holder is known to be gone.
        wait: Duration,
    },
    /// Take the lease, then take over what a holder who is gone left unfinished.
    TakeOver {
        /// Where it goes on; `None` if only the end is missing.
        from: Option<Item>,
    },
}

/// Decides by the record of the release's last operation, if there is one, and the lease as it was observed.
pub fn decide(record: Option<&OperationRecord>, lease: &LeaseState) -> Decision {
    match (lease, record.filter(|record| record.end().is_none())) {
        (LeaseState::Held { holder, remaining }, _) => {
            Decision::HeldBy { holder: holder.clone(), wait: *remaining }
        }
        (LeaseState::Free | LeaseState::Expired { .. }, None) => Decision::Free,
        (LeaseState::Free | LeaseState::Expired { .. }, Some(record)) => {
            Decision::TakeOver { from: record.resume_at() }
        }
    }
}
