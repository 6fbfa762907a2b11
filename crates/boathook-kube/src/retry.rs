//! Which failed request may be sent again, and when: a table over request class and answer, and the two things that
//! keep retries from making an outage worse. Sends nothing and reads no clock.
//!
//! A write whose answer was lost is never sent again blindly: it may have happened. A caller looks the object up by
//! name (create) or reads it again (change). Only a delete of one UID is safe to repeat.

use std::time::Duration;

/// The first wait is drawn from 0 up to this, each later one from twice as much.
const FIRST: Duration = Duration::from_millis(100);
/// The longest wait that is drawn.
const LONGEST: Duration = Duration::from_secs(10);
/// Retries in store at the start, and the most that can be saved up.
const BURST: f64 = 10.0;
/// What every request adds: over time, retries are at most a fifth of all requests.
const SHARE: f64 = 0.2;

/// What sending a request twice would mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Changes nothing; dry runs are of this class too.
    Read,
    /// Makes an object.
    Create,
    /// Changes an object.
    Change,
    /// Deletes an object: with `by_uid` this one and no later one.
    Delete {
        /// Whether a precondition names the UID.
        by_uid: bool,
    },
}

/// What came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// No byte was sent: the connection was refused.
    Unsent,
    /// The connection broke, or time ran out, after something was sent.
    Lost,
    /// A refusal by the server.
    Status {
        /// The HTTP status.
        code: u16,
        /// The header `Retry-After`.
        retry_after: Option<Duration>,
        /// An admission webhook could not be called, which is before anything is stored.
        webhook: bool,
    },
    /// Something that another try cannot change.
    Final,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Report it.
    Fail,
    /// Send it again after a drawn wait.
    Retry,
    /// Send it again after this time, plus a little.
    RetryAfter(Duration),
}

/// The table.
pub(crate) fn decide(class: Class, answer: Answer) -> Decision {
    let repeatable = matches!(class, Class::Read | Class::Delete { by_uid: true });
    match answer {
        Answer::Unsent => Decision::Retry,
        Answer::Final => Decision::Fail,
        Answer::Lost if repeatable => Decision::Retry,
        Answer::Lost => Decision::Fail,
        Answer::Status { code: 429 | 503, retry_after: Some(wait), .. } => Decision::RetryAfter(wait),
        // Refused before it was looked at.
        Answer::Status { code: 429, .. } => Decision::Retry,
        Answer::Status { code: 500..=599, webhook: true, .. } => Decision::Retry,
        Answer::Status { code: 408 | 500 | 502 | 503 | 504, .. } if repeatable => Decision::Retry,
        Answer::Status { .. } => Decision::Fail,
    }
}

/// Full jitter: anything from nothing to the doubled wait. `attempt` counts failures from 1, `jitter` is 0 up to 1.
pub(crate) fn backoff(attempt: u32, jitter: f64) -> Duration {
    let factor = 1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
    FIRST.saturating_mul(factor).min(LONGEST).mul_f64(jitter.clamp(0.0, 1.0))
}

/// A wish of the server, spread by up to a tenth, so that all who were sent away do not come back together.
pub(crate) fn after(wait: Duration, jitter: f64) -> Duration {
    wait + wait.mul_f64(jitter.clamp(0.0, 1.0) / 10.0)
}

/// The retries that may still be made.
#[derive(Debug)]
pub(crate) struct Tokens(f64);

impl Tokens {
    pub(crate) fn new() -> Self {
        Self(BURST)
    }

    /// A new request, not a retry, was made.
    pub(crate) fn earn(&mut self) {
        self.0 = (self.0 + SHARE).min(BURST);
    }

    /// Takes one, if there is one.
    pub(crate) fn spend(&mut self) -> bool {
        let enough = self.0 >= 1.0;
        if enough {
            self.0 -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    const WRITES: [Class; 3] = [Class::Create, Class::Change, Class::Delete { by_uid: false }];
    const REPEATABLE: [Class; 2] = [Class::Read, Class::Delete { by_uid: true }];

    fn status(code: u16) -> Answer {
        Answer::Status { code, retry_after: None, webhook: false }
    }

    #[test_case(Answer::Unsent => (Decision::Retry, Decision::Retry); "refused connection")]
    #[test_case(Answer::Lost => (Decision::Retry, Decision::Fail); "reset")]
    #[test_case(Answer::Final => (Decision::Fail, Decision::Fail); "nothing helps")]
    #[test_case(status(400) => (Decision::Fail, Decision::Fail); "bad request")]
    #[test_case(status(401) => (Decision::Fail, Decision::Fail); "unauthorized")]
    #[test_case(status(403) => (Decision::Fail, Decision::Fail); "forbidden")]
    #[test_case(status(404) => (Decision::Fail, Decision::Fail); "not found")]
    #[test_case(status(408) => (Decision::Retry, Decision::Fail); "request timeout")]
    #[test_case(status(409) => (Decision::Fail, Decision::Fail); "conflict")]
    #[test_case(status(410) => (Decision::Fail, Decision::Fail); "gone")]
    #[test_case(status(422) => (Decision::Fail, Decision::Fail); "invalid")]
    #[test_case(status(429) => (Decision::Retry, Decision::Retry); "too many, no time given")]
    #[test_case(status(500) => (Decision::Retry, Decision::Fail); "internal error")]
    #[test_case(status(501) => (Decision::Fail, Decision::Fail); "not implemented")]
    #[test_case(status(502) => (Decision::Retry, Decision::Fail); "bad gateway")]
    #[test_case(status(503) => (Decision::Retry, Decision::Fail); "unavailable")]
    #[test_case(status(504) => (Decision::Retry, Decision::Fail); "gateway timeout")]
    #[test_case(Answer::Status { code: 500, retry_after: None, webhook: true } => (Decision::Retry, Decision::Retry); "webhook cannot be called")]
    #[test_case(Answer::Status { code: 400, retry_after: None, webhook: true } => (Decision::Fail, Decision::Fail); "webhook in a refusal")]
    #[test_case(Answer::Status { code: 429, retry_after: Some(Duration::from_secs(3)), webhook: false } => (Decision::RetryAfter(Duration::from_secs(3)), Decision::RetryAfter(Duration::from_secs(3))); "too many, with a time")]
    #[test_case(Answer::Status { code: 503, retry_after: Some(Duration::from_secs(3)), webhook: false } => (Decision::RetryAfter(Duration::from_secs(3)), Decision::RetryAfter(Duration::from_secs(3))); "unavailable, with a time")]
    #[test_case(Answer::Status { code: 500, retry_after: Some(Duration::from_secs(3)), webhook: false } => (Decision::Retry, Decision::Fail); "a time means nothing elsewhere")]
    fn table(answer: Answer) -> (Decision, Decision) {
        let one = |classes: &[Class]| {
            let decisions: Vec<_> = classes.iter().map(|class| decide(*class, answer)).collect();
            assert!(decisions.windows(2).all(|pair| pair[0] == pair[1]), "{decisions:?}");
            decisions[0]
        };
        (one(&REPEATABLE), one(&WRITES))
    }

    #[test_case(1, 1.0 => 100)]
    #[test_case(2, 1.0 => 200)]
    #[test_case(2, 0.5 => 100)]
    #[test_case(3, 0.0 => 0; "full jitter reaches nothing")]
    #[test_case(8, 1.0 => 10_000; "capped")]
    #[test_case(99, 1.0 => 10_000; "no overflow")]
    fn waits(attempt: u32, jitter: f64) -> u128 {
        backoff(attempt, jitter).as_millis()
    }

    #[test]
    fn a_wish_is_a_lower_bound() {
        assert_eq!(after(Duration::from_secs(10), 0.0).as_secs(), 10);
        assert_eq!(after(Duration::from_secs(10), 1.0).as_secs(), 11);
    }

    #[test]
    fn retries_are_a_fifth_of_all_requests() {
        let mut tokens = Tokens::new();
        let mut spent = 0;
        for _ in 0..1000 {
            tokens.earn();
            while tokens.spend() {
                spent += 1;
            }
        }
        // Ten from the start, then one of five; a hair less by the rounding of sums of 0.2.
        assert!((205..=210).contains(&spent), "{spent}");
    }
}
