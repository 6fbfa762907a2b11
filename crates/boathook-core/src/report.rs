//! The report of one operation: a pure fold over its run events.

/// What one operation did, as data.
#[derive(Clone, Debug)]
pub struct Report;
