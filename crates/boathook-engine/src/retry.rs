//! How long to wait before the next attempt of a plugin. Pure but for the counter behind [`seeded`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);

/// The wait after a failed attempt (from 1): 1 s, 2 s, 4 s … at most 30 s, of which the upper half is spread by
/// `jitter` (0 up to 1), so that many hooks that failed together do not come back together. A server's wish is a
/// lower bound, but never more than `limit`: a guest must not stall the operation.
pub fn backoff(attempt: u32, jitter: f64, retry_after: Option<Duration>, limit: Duration) -> Duration {
    let doubled =
        1_u32.checked_shl(attempt.saturating_sub(1)).map_or(LONGEST, |factor| FIRST.saturating_mul(factor));
    let full = doubled.min(LONGEST);
    let spread = full.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0));
    spread.max(retry_after.unwrap_or_default().min(limit))
}

/// A source of jitter: SplitMix64 from a seed. Good enough to spread waits, and nothing else.
pub fn seeded(seed: u64) -> impl Fn() -> f64 + Send + Sync {
    const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
    let state = AtomicU64::new(seed);
    move || {
        let mut z = state.fetch_add(GAMMA, Ordering::Relaxed).wrapping_add(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        // 53 bits fill the mantissa: every result is below 1.
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    const FAR: Duration = Duration::from_secs(3600);

    #[test_case(1, 1.0 => 1_000)]
    #[test_case(2, 1.0 => 2_000)]
    #[test_case(3, 1.0 => 4_000)]
    #[test_case(3, 0.0 => 2_000; "half of it is fixed")]
    #[test_case(5, 1.0 => 16_000)]
    #[test_case(6, 1.0 => 30_000; "capped")]
    #[test_case(40, 1.0 => 30_000; "no overflow")]
    fn waits_double(attempt: u32, jitter: f64) -> u128 {
        backoff(attempt, jitter, None, FAR).as_millis()
    }

    #[test]
    fn a_servers_wish_is_a_lower_bound_within_the_limit() {
        let wish = |seconds, limit| backoff(1, 1.0, Some(Duration::from_secs(seconds)), limit).as_secs();
        assert_eq!(wish(7, FAR), 7);
        assert_eq!(wish(0, FAR), 1);
        assert_eq!(wish(100_000, Duration::from_secs(60)), 60);
    }

    #[test]
    fn jitter_is_spread_and_repeatable() {
        let (one, two) = (seeded(7), seeded(7));
        let numbers: Vec<f64> = (0..1000).map(|_| one()).collect();
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        assert!(numbers.iter().any(|number| *number < 0.1) && numbers.iter().any(|number| *number > 0.9));
        assert_eq!(numbers, (0..1000).map(|_| two()).collect::<Vec<f64>>());
    }
}
