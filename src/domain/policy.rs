//! What people ask of rotation: how long before its expiry a password is replaced, what it is made of, and how fast
//! changes may follow one another.

use std::fmt;
use std::num::NonZeroU32;

use jiff::SignedDuration;
use serde::Serialize;

use super::password::Recipe;

/// A policy, as `[policies.NAME]` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its name in the configuration.
    pub name: String,
    /// How long before its expiry a password is replaced; shorter than any expiry that it can meet.
    pub rotate_before: SignedDuration,
    /// After how many days a password expires, where the provider does not say: one of [`Self::EXPIRATION_DAYS`].
    pub expiration_days: Option<u16>,
    /// What happens to an account that was never rotated.
    pub on_adopt: OnAdopt,
    /// What a password is made of.
    pub password: Recipe,
}

impl Policy {
    /// The expirations that the provider knows, in days (`ncloud-api.md`, section 2).
    pub const EXPIRATION_DAYS: [u16; 4] = [60, 90, 120, 180];
}

/// What happens to an account that was never rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnAdopt {
    /// Wait until it is due, counted from when it was first seen.
    Defer,
    /// Rotate it as soon as it is found.
    Rotate,
}

impl OnAdopt {
    /// Every answer, in the order in which people are shown them.
    pub const ALL: [Self; 2] = [Self::Defer, Self::Rotate];

    /// The stable label, as written in the configuration.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Defer => "defer",
            Self::Rotate => "rotate",
        }
    }
}

impl fmt::Display for OnAdopt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// How many requests that change something a tenant may be sent in a span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In which span.
    pub per: Per,
}

impl Rate {
    /// The time from one request to the next at an even pace.
    #[must_use]
    pub fn interval(self) -> SignedDuration {
        let span = self.per.span().as_nanos() / i128::from(self.count.get());
        SignedDuration::from_nanos_i128(span)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per.label())
    }
}

/// The span of time that a [`Rate`] counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Per {
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
}

impl Per {
    /// Every span.
    pub const ALL: [Self; 3] = [Self::Second, Self::Minute, Self::Hour];

    /// The stable label, as written after the slash.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
        }
    }

    const fn span(self) -> SignedDuration {
        match self {
            Self::Second => SignedDuration::from_secs(1),
            Self::Minute => SignedDuration::from_mins(1),
            Self::Hour => SignedDuration::from_hours(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_an_even_pace() {
        let rate = |count, per| Rate { count: NonZeroU32::new(count).unwrap(), per };
        assert_eq!(rate(5, Per::Second).interval(), SignedDuration::from_millis(200));
        assert_eq!(rate(300, Per::Minute).interval(), SignedDuration::from_millis(200));
        assert_eq!(rate(1, Per::Hour).interval(), SignedDuration::from_hours(1));
        assert_eq!(rate(300, Per::Minute).to_string(), "300/m");
    }
}
