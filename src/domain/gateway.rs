//! What is assumed of the provider's API gateway, and the fence that follows from it.

use jiff::SignedDuration;

/// The gateway's durations (`protocol.md`, rule 1). The defaults are NAVER Cloud's documented signature lifetime and
/// careful guesses for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gateway {
    /// A request is refused when its signed time is this far from the gateway's clock.
    pub signature_lifetime: SignedDuration,
    /// The longest that the gateway may work on a request after accepting its signature.
    pub timeout: SignedDuration,
    /// How far apart two clocks that take part may be.
    pub max_clock_skew: SignedDuration,
}

impl Gateway {
    /// `Date` headers have whole seconds, so that a bound below this could not be measured.
    pub const LEAST_CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(2);

    /// How long after a version stopped being pending no request for it can still take effect; `settle` is the vault's
    /// own delay between a write and every reader's seeing it.
    #[must_use]
    pub fn fence(&self, settle: SignedDuration) -> SignedDuration {
        self.signature_lifetime
            .saturating_add(self.timeout)
            .saturating_add(self.max_clock_skew.saturating_mul(2))
            .saturating_add(settle)
    }

    /// A read older than this may not lend its time to a signature any more (rule 2).
    #[must_use]
    pub fn freshness(&self) -> SignedDuration {
        self.signature_lifetime / 4
    }
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            signature_lifetime: SignedDuration::from_mins(5),
            timeout: SignedDuration::from_mins(2),
            max_clock_skew: SignedDuration::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fence_adds_up_everything_that_can_keep_a_request_alive() {
        let gateway = Gateway::default();
        assert_eq!(gateway.fence(SignedDuration::ZERO), SignedDuration::from_mins(8));
        assert_eq!(gateway.fence(SignedDuration::from_secs(30)), SignedDuration::from_secs(8 * 60 + 30));
        assert_eq!(gateway.freshness(), SignedDuration::from_secs(75));
    }
}
