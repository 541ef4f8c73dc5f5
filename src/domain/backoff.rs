//! How long to wait after a failure: doubling from a floor to a cap, spread by a stable hash.
//!
//! The spread is a function of what is retried and how often it failed, so that it is the same each time it is looked at.

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

/// A schedule of retries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Backoff {
    /// The wait after the first failure, before the spread shortens it.
    pub floor: SignedDuration,
    /// The longest wait.
    pub cap: SignedDuration,
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
    fn is_stable_for_one_seed_and_differs_between_seeds() {
        let waits: Vec<_> = ["a", "b", "c", "d"].map(|seed| Backoff::RETRY.after(5, seed)).into();
        assert_eq!(waits, ["a", "b", "c", "d"].map(|seed| Backoff::RETRY.after(5, seed)));
        assert!(waits.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
