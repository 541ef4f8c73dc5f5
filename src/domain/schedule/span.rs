//! A stretch of time.

use jiff::SignedDuration;

use crate::domain::Timestamp;

/// A stretch of time, from a point up to but without another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Span {
    /// All of time.
    pub const ALWAYS: Self = Self { from: Timestamp::MIN, until: Timestamp::MAX };

    /// A stretch that begins at `from`. At the end of time it is cut.
    #[must_use]
    pub fn lasting(from: Timestamp, lasts: SignedDuration) -> Self {
        Self { from, until: from.checked_add(lasts).unwrap_or(Timestamp::MAX) }
    }

    /// Whether a moment is within.
    #[must_use]
    pub fn contains(self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }

    /// How long it is.
    #[must_use]
    pub fn length(self) -> SignedDuration {
        self.until.duration_since(self.from)
    }
}

/// The last moment before another, in the smallest unit that there is.
pub(super) fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MIN)
}
