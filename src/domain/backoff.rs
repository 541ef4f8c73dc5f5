//! How long to wait after a failure: doubling from a floor to a cap, spread by a stable hash.
//!
//! The spread is a function of what is retried and how often it failed, so that it is the same each time it is looked at.

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use super::Timestamp;

/// A schedule of retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Backoff {
    /// The wait after the first failure, before the spread shortens it.
    pub floor: SignedDuration,
    /// The longest wait.
    pub cap: SignedDuration,
}

/// How often something failed in a row, and when it is tried next, as it is kept across restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Attempts {
    /// Failures in a row, from 1.
    pub failures: u32,
    /// Not before this time, by the clock that is asked again afterwards.
    pub next: Timestamp,
}

impl Attempts {
    /// How long the next attempt has to wait from `now` on. Never longer than the longest wait there is: a clock that was
    /// stepped meanwhile makes nobody wait for ever.
    #[must_use]
    pub fn left(self, now: Timestamp, longest: SignedDuration) -> SignedDuration {
        self.next.duration_since(now).clamp(SignedDuration::ZERO, longest)
    }
}

impl Backoff {
    /// Retries of a rotation that is under way: the first within a second, then ever slower up to five minutes.
    pub const RETRY: Self = Self { floor: SignedDuration::from_millis(500), cap: SignedDuration::from_mins(5) };

    /// The wait after `failures` failures in a row (from 1), between three quarters and the whole of the doubled floor.
    #[must_use]
    pub fn after(self, failures: u32, seed: &str) -> SignedDuration {
        let whole = self.whole(failures);
        let spread = i32::from(hash(seed, failures) % 251);
        whole.saturating_sub((whole / 1000).saturating_mul(spread))
    }

    /// The wait after `failures` failures in a row, not spread.
    #[must_use]
    pub fn whole(self, failures: u32) -> SignedDuration {
        let doublings = failures.saturating_sub(1).min(30);
        self.floor.saturating_mul(1_i32 << doublings).min(self.cap)
    }
}

fn hash(seed: &str, failures: u32) -> u8 {
    let mut hasher = Sha256::new();
    hasher.update(seed.as_bytes());
    hasher.update(failures.to_be_bytes());
    hasher.finalize().first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_from_the_floor_to_the_cap_and_never_overflows() {
        let backoff = Backoff::RETRY;
        for (failures, whole_millis) in
            [(0, 500), (1, 500), (2, 1000), (3, 2000), (10, 256_000), (11, 300_000), (u32::MAX, 300_000)]
        {
            let wait = backoff.after(failures, "a");
            let whole = SignedDuration::from_millis(whole_millis);
            assert!(
                wait <= whole && wait >= whole / 4 * 3,
                "{failures}: {wait:?} is not in the last quarter of {whole:?}"
            );
        }
    }

    #[test]
    fn what_is_left_to_wait_is_bounded_whichever_way_a_clock_was_stepped() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let attempts = Attempts { failures: 3, next: at(1000) };
        for (now, left) in [(1000, 0), (990, 10), (101, 899), (100, 900), (0, 900), (-1_000_000, 900), (1_000_000, 0)] {
            let longest = SignedDuration::from_secs(900);
            assert_eq!(attempts.left(at(now), longest), SignedDuration::from_secs(left), "{now}");
        }
    }

    #[test]
    fn is_stable_for_one_seed_and_differs_between_seeds() {
        let waits: Vec<_> = ["a", "b", "c", "d"].map(|seed| Backoff::RETRY.after(5, seed)).into();
        assert_eq!(waits, ["a", "b", "c", "d"].map(|seed| Backoff::RETRY.after(5, seed)));
        assert!(waits.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
