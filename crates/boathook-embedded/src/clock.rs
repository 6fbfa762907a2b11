//! The time of the embedded cluster: wall clock at its start plus tokio's monotonic clock, so that a test that pauses
//! tokio's time also pauses timestamps and delays here.

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A clock that tokio can pause.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: Timestamp,
    started: Instant,
}

impl Clock {
    /// A clock that runs from now.
    pub(crate) fn new() -> Self {
        Self { wall: Timestamp::now(), started: Instant::now() }
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.started.elapsed()).unwrap_or(SignedDuration::ZERO);
        self.wall.checked_add(elapsed).unwrap_or(self.wall)
    }

    /// The time as `metav1.Time` writes it: RFC 3339 in UTC, whole seconds.
    pub(crate) fn stamp(&self) -> String {
        stamp(self.now())
    }
}

/// A timestamp as `metav1.Time` writes it.
pub(crate) fn stamp(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
