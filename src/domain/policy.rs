//! What people ask of rotation: when a password is replaced, what it is made of, and how fast changes may follow one another.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use jiff::SignedDuration;
use serde::Serialize;

use super::Timestamp;
use super::password::Recipe;
use super::schedule::calendar::Calendar;

/// A policy, as `[policies.NAME]` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its name in the configuration.
    pub name: String,
    /// How long before its deadline a password is replaced; with the margin shorter than any life that it can meet.
    pub rotate_before: SignedDuration,
    /// How long before its expiry a password's deadline is: by then it is replaced, whatever windows and blackouts say.
    pub margin: SignedDuration,
    /// Over how much time accounts are spread that would be due, or could begin, at the same moment.
    pub spread: SignedDuration,
    /// After how many days a password expires, where the provider does not say: one of [`Self::EXPIRATION_DAYS`].
    pub expiration_days: Option<u16>,
    /// What happens to an account that was never rotated.
    pub on_adopt: OnAdopt,
    /// What the life of a password is counted from that was never changed here; none when from its first sight.
    pub assume_changed: Option<Timestamp>,
    /// When work may be done.
    pub calendar: Calendar,
    /// How many accounts that are taken over (`Facts::is_first_run`) may be rotated in a day.
    pub first_run_cap: NonZeroU32,
    /// How fast accounts are rotated that are past their deadline.
    pub catch_up: Rate,
    /// Who makes the passwords, and of what.
    pub password: PasswordSource,
}

impl Policy {
    /// The expirations that the provider knows, in days (`ncloud-api.md`, section 2).
    pub const EXPIRATION_DAYS: [u16; 4] = [60, 90, 120, 180];

    /// What is taken for the expiration of accounts for which there is no setting at the provider, and none in the policy.
    pub const DEFAULT_EXPIRATION_DAYS: u16 = 90;
}

/// Who makes the passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PasswordSource {
    /// This program, by a recipe.
    Made(Recipe),
    /// The provider, which shows each one once: a lost answer is a lost password until the next rotation (`protocol.md`,
    /// rule 11). Sub-accounts only, since Data Forest has no such call.
    Provider,
}

impl PasswordSource {
    /// The provider's own passwords, as the configuration writes them: `password = "provider"`.
    pub const PROVIDER: &str = "provider";

    /// The recipe, where this program makes the passwords.
    #[must_use]
    pub const fn recipe(&self) -> Option<&Recipe> {
        match self {
            Self::Made(recipe) => Some(recipe),
            Self::Provider => None,
        }
    }
}

/// What is asked of a setting that a tenant has at the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Setting<T> {
    /// Read it, live by it, and tell when it has changed. Nothing is ever written.
    #[default]
    Follow,
    /// Write it whenever the provider says something else.
    Enforce(T),
}

impl<T> Setting<T> {
    /// The value that is enforced.
    pub const fn enforced(&self) -> Option<&T> {
        match self {
            Self::Follow => None,
            Self::Enforce(value) => Some(value),
        }
    }
}

/// A tenant's password expiration, as it can be set (`ncloud-api.md`, section 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PasswordExpiration {
    /// Passwords expire after this many days, one of [`Policy::EXPIRATION_DAYS`].
    Days(u16),
    /// Passwords never expire by themselves.
    Off,
}

impl PasswordExpiration {
    /// Expiration switched off, as people write it.
    pub const OFF: &str = "off";

    /// The expiration after so many days, when the provider offers it.
    #[must_use]
    pub fn days(days: i64) -> Option<Self> {
        let offered = Policy::EXPIRATION_DAYS.into_iter().find(|offered| i64::from(*offered) == days);
        offered.map(Self::Days)
    }
}

impl fmt::Display for PasswordExpiration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => write!(f, "{days} days"),
            Self::Off => f.write_str(Self::OFF),
        }
    }
}

/// An expiration that the provider does not offer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the expiration is 60, 90, 120 or 180 days, or \"off\", and not {0:?}")]
pub struct BadExpiration(pub String);

impl FromStr for PasswordExpiration {
    type Err = BadExpiration;

    fn from_str(text: &str) -> Result<Self, BadExpiration> {
        if text == Self::OFF {
            return Ok(Self::Off);
        }
        let offered = Policy::EXPIRATION_DAYS.into_iter().find(|offered| offered.to_string() == text);
        offered.map(Self::Days).ok_or_else(|| BadExpiration(text.to_owned()))
    }
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
pub(super) mod tests {
    use super::*;
    use crate::domain::password::Avoid;

    /// A policy that asks for nothing in particular.
    pub(in crate::domain) fn plain() -> Policy {
        Policy {
            name: "default".into(),
            rotate_before: SignedDuration::from_hours(14 * 24),
            margin: SignedDuration::ZERO,
            spread: SignedDuration::ZERO,
            expiration_days: Some(90),
            on_adopt: OnAdopt::Defer,
            assume_changed: None,
            calendar: Calendar::default(),
            first_run_cap: NonZeroU32::new(100).unwrap(),
            catch_up: Rate { count: NonZeroU32::new(300).unwrap(), per: Per::Hour },
            password: PasswordSource::Made(Recipe { length: 16, avoid: Avoid::default() }),
        }
    }

    #[test]
    fn an_expiration_is_one_that_the_provider_offers() {
        for days in Policy::EXPIRATION_DAYS {
            assert_eq!(days.to_string().parse(), Ok(PasswordExpiration::Days(days)));
        }
        assert_eq!("off".parse(), Ok(PasswordExpiration::Off));
        for bad in ["", "0", "61", "-60", "+60", "060", "60d", "Off", "65596"] {
            assert_eq!(bad.parse::<PasswordExpiration>(), Err(BadExpiration(bad.to_owned())));
        }
    }

    #[test]
    fn a_rate_is_an_even_pace() {
        let rate = |count, per| Rate { count: NonZeroU32::new(count).unwrap(), per };
        assert_eq!(rate(5, Per::Second).interval(), SignedDuration::from_millis(200));
        assert_eq!(rate(300, Per::Minute).interval(), SignedDuration::from_millis(200));
        assert_eq!(rate(1, Per::Hour).interval(), SignedDuration::from_hours(1));
        assert_eq!(rate(300, Per::Minute).to_string(), "300/m");
    }
}
