//! When a password is due. Pure: a chain of small named checks over one gathered input.

use std::fmt;

use jiff::SignedDuration;

use super::Timestamp;
use super::policy::OnAdopt;

/// Everything that decides when one account is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// When its password was last changed by us; none when it never was.
    pub last_changed: Option<Timestamp>,
    /// When it was first seen here.
    pub first_seen: Timestamp,
    /// Whether a rotation of it is unfinished.
    pub unfinished: bool,
    /// How long a password lasts; none when it never expires.
    pub lasts: Option<SignedDuration>,
    /// How long before the expiry to rotate.
    pub rotate_before: SignedDuration,
    /// What to do with an account that was never rotated by us.
    pub on_adopt: OnAdopt,
}

impl Facts {
    /// How long before the expiry the rotation is due: `rotate_before`, but never more than half of what a password lasts. A
    /// tenant may shorten its expiration below any `rotate_before`, and a password that is due the moment it is made would be
    /// rotated for ever.
    fn margin(&self) -> Option<SignedDuration> {
        Some(self.rotate_before.min(self.lasts? / 2))
    }

    /// When a password that was changed at `changed` is due; none when it lasts for ever.
    #[must_use]
    pub fn due_after(&self, changed: Timestamp) -> Option<Timestamp> {
        let expires_at = expires_at(changed, self.lasts)?;
        Some(expires_at.checked_sub(self.margin()?).unwrap_or(Timestamp::MIN))
    }
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Rotate now.
    Now(Reason),
    /// Rotate at this time.
    At(Timestamp, Reason),
    /// Nothing will rotate it by itself.
    Never(Reason),
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A rotation was begun and not finished (`protocol.md`, rule 12: it waits for nothing).
    Unfinished,
    /// Never rotated by us, and the policy says to begin.
    Adopted,
    /// Never rotated by us, and the policy says to wait until it would be due counted from its first sight.
    Deferred,
    /// The password expires `rotate_before` from then.
    Expires,
    /// Passwords of this account do not expire.
    NoExpiry,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unfinished => "its rotation is unfinished",
            Self::Adopted => "it was never rotated here, and the policy says on_adopt = \"rotate\"",
            Self::Deferred => "it was never rotated here, and its age is unknown; it counts from its first sight",
            Self::Expires => "its password nears its expiry",
            Self::NoExpiry => "its password does not expire",
        })
    }
}

/// Decides when an account is due.
#[must_use]
pub fn due(now: Timestamp, facts: &Facts) -> Due {
    const CHECKS: [fn(Timestamp, &Facts) -> Option<Due>; 3] = [unfinished, adoption, expiry];
    CHECKS.iter().find_map(|check| check(now, facts)).unwrap_or(Due::Never(Reason::NoExpiry))
}

/// When the password made at `changed` expires; none when it lasts for ever.
#[must_use]
pub fn expires_at(changed: Timestamp, lasts: Option<SignedDuration>) -> Option<Timestamp> {
    Some(changed.checked_add(lasts?).unwrap_or(Timestamp::MAX))
}

fn unfinished(_: Timestamp, facts: &Facts) -> Option<Due> {
    facts.unfinished.then_some(Due::Now(Reason::Unfinished))
}

fn adoption(now: Timestamp, facts: &Facts) -> Option<Due> {
    if facts.last_changed.is_some() {
        return None;
    }
    match facts.on_adopt {
        OnAdopt::Rotate => Some(Due::Now(Reason::Adopted)),
        OnAdopt::Defer => before_expiry(now, facts.first_seen, facts, Reason::Deferred),
    }
}

fn expiry(now: Timestamp, facts: &Facts) -> Option<Due> {
    before_expiry(now, facts.last_changed?, facts, Reason::Expires)
}

fn before_expiry(now: Timestamp, changed: Timestamp, facts: &Facts, reason: Reason) -> Option<Due> {
    let at = facts.due_after(changed)?;
    Some(if at <= now { Due::Now(reason) } else { Due::At(at, reason) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_second(day * DAY).unwrap()
    }

    fn days(days: i64) -> SignedDuration {
        SignedDuration::from_secs(days * DAY)
    }

    #[test]
    fn each_check_in_its_order() {
        let steady = Facts {
            last_changed: Some(at(100)),
            first_seen: at(10),
            unfinished: false,
            lasts: Some(days(90)),
            rotate_before: days(14),
            on_adopt: OnAdopt::Defer,
        };
        let fresh = Facts { last_changed: None, ..steady };
        let table = [
            (
                "unfinished comes before everything",
                Facts { unfinished: true, ..fresh },
                0,
                Due::Now(Reason::Unfinished),
            ),
            ("never rotated, deferred", fresh, 20, Due::At(at(86), Reason::Deferred)),
            ("never rotated, deferred long enough", fresh, 86, Due::Now(Reason::Deferred)),
            ("never rotated, without expiry", Facts { lasts: None, ..fresh }, 86, Due::Never(Reason::NoExpiry)),
            ("never seen, to be rotated", Facts { on_adopt: OnAdopt::Rotate, ..fresh }, 0, Due::Now(Reason::Adopted)),
            (
                "on_adopt says nothing about an account of ours",
                Facts { on_adopt: OnAdopt::Rotate, ..steady },
                101,
                Due::At(at(176), Reason::Expires),
            ),
            ("a moment before it is due", steady, 175, Due::At(at(176), Reason::Expires)),
            ("when it is due", steady, 176, Due::Now(Reason::Expires)),
            ("long after its expiry", steady, 1000, Due::Now(Reason::Expires)),
            ("a clock that went back waits", steady, 0, Due::At(at(176), Reason::Expires)),
            (
                "a margin longer than half of the life",
                Facts { rotate_before: days(89), ..steady },
                101,
                Due::At(at(145), Reason::Expires),
            ),
            ("no expiry", Facts { lasts: None, ..steady }, 1000, Due::Never(Reason::NoExpiry)),
        ];
        for (case, facts, today, expected) in table {
            assert_eq!(due(at(today), &facts), expected, "{case}");
        }
    }
}
