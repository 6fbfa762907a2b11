//! A Lease as one process sees it. Times are those of the process's own monotonic clock, since any moment of its choice:
//! what another process wrote as a time says nothing, its clock may be wrong.

use std::time::Duration;

use crate::Object;

/// How long is how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timings {
    /// A lease that does not change for so long has no holder any more.
    pub duration: Duration,
    /// The holder renews it this often.
    pub renew: Duration,
    /// The holder starts no write later than this after its last renewal. What is left until `duration` is for requests that
    /// are under way then, and for clocks that run differently fast.
    pub write: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            renew: Duration::from_secs(5),
            write: Duration::from_secs(10),
        }
    }
}

/// Whose a lease is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// Nobody's: it is not there, or was given back.
    Free,
    /// Somebody's, as far as one can tell.
    Held {
        /// Who has it.
        holder: String,
        /// Since when, for people to read: it is what the holder's clock said.
        since: Option<String>,
        /// If it does not change for so long, the holder is gone.
        remaining: Duration,
    },
    /// Its holder is gone: it did not change for its whole duration.
    Expired {
        /// Who had it.
        holder: String,
    },
}

/// What a process saw of a lease, and when it last saw it change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseView {
    seen: Option<Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    holder: String,
    acquired: Option<String>,
    duration: Duration,
    /// What differs after every write: resourceVersion and renewTime.
    mark: (String, String),
    since: Duration,
}

impl LeaseView {
    /// Looks at the lease, as it was read just now; `None` if it is not there.
    pub fn observe(&mut self, now: Duration, lease: Option<&Object>) {
        let Some(lease) = lease else {
            self.seen = None;
            return;
        };
        let text = |path: &[&str]| lease.str(path).unwrap_or_default().to_owned();
        let seconds = lease.get(&["spec", "leaseDurationSeconds"]).and_then(serde_json::Value::as_u64);
        let mark = (text(&["metadata", "resourceVersion"]), text(&["spec", "renewTime"]));
        let since = match &self.seen {
            Some(seen) if seen.mark == mark => seen.since,
            _ => now,
        };
        self.seen = Some(Seen {
            holder: text(&["spec", "holderIdentity"]),
            acquired: lease.str(&["spec", "acquireTime"]).map(str::to_owned),
            duration: seconds
                .filter(|seconds| *seconds > 0)
                .map_or(Timings::default().duration, Duration::from_secs),
            mark,
            since,
        });
    }

    /// The resourceVersion that was seen last: a lease is taken on the condition that it still has it.
    pub fn resource_version(&self) -> Option<&str> {
        self.seen.as_ref().map(|seen| seen.mark.0.as_str())
    }

    /// Whose the lease is by now. A lease that was just seen for the first time is held, however old it is.
    pub fn state(&self, now: Duration) -> LeaseState {
        let Some(seen) = self.seen.as_ref().filter(|seen| !seen.holder.is_empty()) else {
            return LeaseState::Free;
        };
        let holder = seen.holder.clone();
        match seen.duration.saturating_sub(now.saturating_sub(seen.since)) {
            Duration::ZERO => LeaseState::Expired { holder },
            remaining => LeaseState::Held { holder, since: seen.acquired.clone(), remaining },
        }
    }
}

/// A lease that this process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tenure {
    timings: Timings,
    renewed: Duration,
}

impl Tenure {
    /// The process took the lease, with a request that it sent at `sent`: what counts is when it was sent, not when the
    /// answer came.
    pub fn new(timings: Timings, sent: Duration) -> Self {
        Self { timings, renewed: sent }
    }

    /// The lease was renewed, with a request that was sent at `sent`.
    pub fn renew(&mut self, sent: Duration) {
        self.renewed = self.renewed.max(sent);
    }

    /// When the lease is to be renewed.
    pub fn renew_at(&self) -> Duration {
        self.renewed + self.timings.renew
    }

    /// Until when a write may be started; what is under way then is to be cancelled.
    pub fn write_until(&self) -> Duration {
        self.renewed + self.timings.write
    }

    /// Whether a write may be started.
    pub fn may_write(&self, now: Duration) -> bool {
        now < self.write_until()
    }
}
