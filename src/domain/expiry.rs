//! When it is to be told that a password expires. Pure: a table of a few stages, and nothing of how rotation goes.
//!
//! ```text
//!            deadline, or a day before the expiry              a day before        expiry           a day after
//!  quiet ────────────────┬───────────────────────────────────────────┬────────────────┬───────────────────┬────────────►
//!                        │ soon: once, and then once a day           │ once an hour   │ expired: at once, │ once a day
//!                        │                                           │                │ then once an hour │
//! ```

use jiff::SignedDuration;

use super::Timestamp;

/// What is last known of a password's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Expiry {
    /// By when it should have been replaced.
    pub deadline: Timestamp,
    /// When it expires.
    pub expires_at: Timestamp,
}

/// What a look at an account showed of its password's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outlook {
    /// It expires.
    Expires(Expiry),
    /// It does not expire.
    Never,
    /// Nothing new: what was known before still holds.
    Unknown,
}

/// How near the expiry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// The deadline has passed, or a day is left.
    Soon,
    /// The password has expired, as far as is known.
    Expired,
}

/// What was told last of a password, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Told {
    /// When.
    pub at: Timestamp,
    /// What.
    pub stage: Stage,
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Stage {
    /// Every stage.
    pub const ALL: [Self; 2] = [Self::Soon, Self::Expired];

    /// The stable label: the event's name.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Soon => "expires-soon",
            Self::Expired => "expired",
        }
    }
}

impl Expiry {
    /// How near it is; none while there is nothing to tell.
    #[must_use]
    pub fn stage(self, now: Timestamp) -> Option<Stage> {
        if now >= self.expires_at { Some(Stage::Expired) } else { (now >= self.soon_from()).then_some(Stage::Soon) }
    }

    /// What is to be told now, if anything is: a stage when it is entered, and again and again while it lasts.
    #[must_use]
    pub fn alert(self, now: Timestamp, last: Option<Told>) -> Option<Stage> {
        let stage = self.stage(now)?;
        // What was told in the future was told by a clock that has been set back since.
        let told = last.filter(|told| told.stage == stage && told.at <= now);
        told.is_none_or(|told| self.again(told) <= now).then_some(stage)
    }

    /// When there is something to tell next, seen from `now`, when all that there was has been told.
    #[must_use]
    pub fn next(self, now: Timestamp, last: Option<Told>) -> Timestamp {
        match (self.stage(now), last) {
            (None, _) => self.soon_from(),
            (Some(Stage::Soon), Some(told)) => self.again(told).min(self.expires_at),
            (Some(Stage::Expired), Some(told)) => self.again(told),
            (Some(_), None) => now,
        }
    }

    /// From when on it is soon.
    fn soon_from(self) -> Timestamp {
        self.deadline.min(sooner(self.expires_at, DAY))
    }

    /// When it is told again within the same stage: hourly within a day of the expiry, on either side of it.
    fn again(self, told: Told) -> Timestamp {
        let last_day = sooner(self.expires_at, DAY);
        match told.stage {
            Stage::Soon if told.at < last_day => later(told.at, DAY).min(last_day),
            Stage::Expired if told.at >= later(self.expires_at, DAY) => later(told.at, DAY),
            Stage::Soon | Stage::Expired => later(told.at, HOUR),
        }
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn sooner(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Hours from the expiry, which is in the hundredth day.
    fn at(hours: i64) -> Timestamp {
        Timestamp::from_second((100 * 24 + hours) * 3600).unwrap()
    }

    /// With a margin of so many hours.
    fn expiry(margin: i64) -> Expiry {
        Expiry { deadline: at(-margin), expires_at: at(0) }
    }

    fn soon(hours: i64) -> Told {
        Told { at: at(hours), stage: Stage::Soon }
    }

    fn expired(hours: i64) -> Told {
        Told { at: at(hours), stage: Stage::Expired }
    }

    #[test]
    fn it_is_told_once_when_entered_then_daily_then_hourly_and_of_an_expired_one_the_same_way_round() {
        let (tells_soon, tells_expired) = (Some(Stage::Soon), Some(Stage::Expired));
        for (now, last, told, why) in [
            (-97, None, None, "before the deadline there is nothing to tell"),
            (-96, None, tells_soon, "the deadline"),
            (-95, Some(soon(-96)), None, "told an hour ago"),
            (-73, Some(soon(-96)), None, "told 23 hours ago"),
            (-72, Some(soon(-96)), tells_soon, "a day later"),
            (-30, Some(soon(-96)), tells_soon, "after a long silence"),
            (-25, Some(soon(-30)), None, "no day has passed, and more than one is left"),
            (-24, Some(soon(-30)), tells_soon, "the last day begins"),
            (-23, Some(soon(-24)), tells_soon, "hourly in the last day"),
            (-1, Some(soon(-1)), None, "just told"),
            (0, Some(soon(-1)), tells_expired, "expired"),
            (0, Some(soon(0)), tells_expired, "whatever was told this very moment"),
            (0, Some(expired(0)), None, "just told"),
            (1, Some(expired(0)), tells_expired, "hourly in the first day"),
            (24, Some(expired(23)), tells_expired, "still"),
            (25, Some(expired(24)), None, "daily afterwards"),
            (48, Some(expired(24)), tells_expired, "a day later"),
            (2400, Some(expired(24)), tells_expired, "for ever"),
            (-48, Some(soon(-40)), tells_soon, "told in the future: a clock was set back"),
            (-48, Some(expired(10)), tells_soon, "told of as expired, which it is not: a clock was set back"),
        ] {
            assert_eq!(expiry(96).alert(at(now), last), told, "{now}: {why}");
        }
    }

    #[test]
    fn without_a_margin_it_is_told_a_day_before() {
        assert_eq!(
            [-25, -24, 0].map(|now| expiry(0).alert(at(now), None)),
            [None, Some(Stage::Soon), Some(Stage::Expired)]
        );
    }

    proptest! {
        /// Whoever looks at the times that it names misses nothing: looks in between find nothing.
        #[test]
        fn nothing_is_told_before_its_next_time(margin in 0..400_i64, start in -500..500_i64, steps in prop::collection::vec(0.0..1.0_f64, 1..40)) {
            let expiry = expiry(margin);
            let (mut now, mut last) = (at(start), None);
            for step in steps {
                if let Some(stage) = expiry.alert(now, last) {
                    last = Some(Told { at: now, stage });
                }
                prop_assert_eq!(expiry.alert(now, last), None);
                let next = expiry.next(now, last);
                prop_assert!(next > now, "{} is not after {}", next, now);
                let between = now + next.duration_since(now).mul_f64(step);
                prop_assert!(between == next || expiry.alert(between, last).is_none());
                prop_assert!(expiry.alert(next, last).is_some());
                now = next;
            }
        }
    }
}
