//! How the server behaves beyond what is documented exactly: lateness, rates, clocks.

use jiff::SignedDuration;

/// How late reads are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lag {
    most: SignedDuration,
    seed: Option<u64>,
}

impl Lag {
    /// Reads show what is there.
    pub(crate) const NONE: Self = Self { most: SignedDuration::ZERO, seed: None };

    /// Every read shows what was there so long ago, at most an hour.
    pub(crate) const fn exactly(lag: SignedDuration) -> Self {
        Self { most: lag, seed: None }
    }

    /// Each read shows what was there at some moment since then; which one follows from the seed and the read's number.
    pub(crate) const fn up_to(most: SignedDuration, seed: u64) -> Self {
        Self { most, seed: Some(seed) }
    }

    pub(super) fn of(self, seq: u64) -> SignedDuration {
        let Some(seed) = self.seed else { return self.most };
        // SplitMix64: well mixed, and the same on every machine.
        let mut mixed = seed.wrapping_add(seq.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let span = u64::try_from(self.most.as_millis()).unwrap_or(0) + 1;
        SignedDuration::from_millis(i64::try_from((mixed ^ (mixed >> 31)) % span).unwrap_or(0))
    }
}

/// What a test may change while the server runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Behaviour {
    /// How late every read is.
    pub(crate) settle: Lag,
    /// How late `ListSecrets` is. AWS speaks of five minutes.
    pub(crate) listing: Lag,
    /// The rate of writes over all callers, per second; AWS has 50. None: no limit.
    pub(crate) writes_per_second: Option<usize>,
    /// A request signed farther from the server's clock is refused. AWS has five minutes. None: none is.
    pub(crate) signing_skew: Option<SignedDuration>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { settle: Lag::NONE, listing: Lag::NONE, writes_per_second: None, signing_skew: None }
    }
}
