//! When a password is due. Pure: a chain of small named checks over one gathered input.
//!
//! ```text
//! counted from      earliest            ideal                deadline    expiry
//!      ├──────────────┼───────────────────┼─────────────────────┼───────────┤
//!                     └ second choice ────┴ first choice ───────┘
//!                       the last window     the first window    │← margin →│
//!                                         │← rotate_before (and the spread) │
//! ```
//!
//! Expiry beats windows and blackouts, in this order: with no window left before the deadline the rotation takes place outside
//! of them, shortly before the deadline or before the blackout that covers it; in a blackout only when nothing else is left.
//! A time that was chosen stays: asked again before it comes, the answer is the same.

use std::fmt;

use jiff::SignedDuration;

use super::Timestamp;
use super::policy::{OnAdopt, Policy};
use super::schedule::calendar::{Calendar, Piece, Wanted};
use super::schedule::pause::Pause;
use super::schedule::span::Span;
use super::schedule::spread::Spread;

/// Everything that decides when one account is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts<'p> {
    /// When its password was last changed by us; none when it never was.
    pub last_changed: Option<Timestamp>,
    /// When it was first seen here.
    pub first_seen: Timestamp,
    /// When the provider made the account, if it says so.
    pub created_at: Option<Timestamp>,
    /// Whether a rotation of it is unfinished.
    pub unfinished: bool,
    /// The pause that holds it, if any.
    pub paused: Option<Pause>,
    /// How long a password lasts; none when it never expires.
    pub lasts: Option<SignedDuration>,
    /// Where it stands among the others.
    pub spread: Spread,
    /// The policy of its rule.
    pub policy: &'p Policy,
}

/// The dates of a password's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    /// What they are counted from.
    pub counted_from: Timestamp,
    /// Before it no window is taken: a password is not replaced in the first quarter of its life.
    pub earliest: Timestamp,
    /// The account's part of the policy's spread, by which it is due before others.
    pub ahead: SignedDuration,
    /// From when on it is to be rotated.
    pub ideal: Timestamp,
    /// By when it is rotated, whatever windows and blackouts say; none when it never expires.
    pub deadline: Option<Timestamp>,
    /// When it expires; none when it never does.
    pub expires_at: Option<Timestamp>,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Rotate now.
    Now(Why),
    /// Rotate at this time.
    At(Timestamp, Why),
    /// Nothing will rotate it by itself.
    Never(Reason),
    /// Nothing will rotate it before the pause ends.
    Paused(Pause),
}

/// Why it is due, and why at that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Why {
    /// Why it is due.
    pub reason: Reason,
    /// Why at that time.
    pub slot: Slot,
}

/// What a password's life is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// The last rotation.
    Rotation,
    /// The account's creation.
    Creation,
    /// What the policy says of passwords that were never changed here.
    Assumption,
    /// The account's first sight here.
    FirstSight,
}

/// Why an account is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// A rotation was begun and not finished (`protocol.md`, rule 12: it waits for nothing).
    Unfinished,
    /// Never rotated by us, and the policy says to begin.
    Adopted,
    /// Never rotated by us, and the policy says to wait until it would be due counted from its first sight.
    Deferred,
    /// Never rotated by us, and the policy says what to count from.
    Assumed,
    /// The password nears its expiry.
    Expires,
    /// Passwords of this account do not expire.
    NoExpiry,
    /// A person asked for it.
    Asked,
}

/// Why at that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// Any time is right.
    Any,
    /// In this piece of time, which is open.
    Open(Piece),
    /// Outside the windows: none is left before the deadline.
    NoWindowLeft,
    /// In a blackout: it leaves nothing before the deadline.
    BlackedOut,
}

impl Facts<'_> {
    /// The dates of the password's life; none when it never expires and nobody asked to replace it.
    #[must_use]
    pub fn dates(&self) -> Option<Dates> {
        let policy = self.policy;
        let adopts = self.last_changed.is_none() && policy.on_adopt == OnAdopt::Rotate;
        let (counted_from, _) = self.counted();
        let mut dates = match self.lasts {
            Some(lasts) => self.life(counted_from, lasts),
            None if adopts => Dates {
                counted_from,
                earliest: self.first_seen,
                ahead: SignedDuration::ZERO,
                ideal: self.first_seen,
                deadline: None,
                expires_at: None,
            },
            None => return None,
        };
        if adopts {
            (dates.earliest, dates.ideal, dates.ahead) = (self.first_seen, self.first_seen, SignedDuration::ZERO);
        }
        Some(dates)
    }

    /// Whether rotating it is part of taking accounts over, which a cap may hold back: it was never rotated here, and it is
    /// due for another reason than that it was watched long enough.
    #[must_use]
    pub const fn is_first_run(&self) -> bool {
        let policy = self.policy;
        self.last_changed.is_none() && (policy.assume_changed.is_some() || matches!(policy.on_adopt, OnAdopt::Rotate))
    }

    /// The account after a rotation that ended at `at`.
    #[must_use]
    pub const fn rotated(self, at: Timestamp) -> Self {
        Self { last_changed: Some(at), unfinished: false, ..self }
    }

    /// What the life of its password is counted from. One of which nothing is known is as old as the policy assumes, but no
    /// older than its account.
    #[must_use]
    pub fn counted(&self) -> (Timestamp, Counted) {
        match (self.last_changed, self.policy.assume_changed, self.created_at) {
            (Some(changed), ..) => (changed, Counted::Rotation),
            (None, Some(assumed), Some(created)) if created > assumed => (created, Counted::Creation),
            (None, Some(assumed), _) => (assumed, Counted::Assumption),
            (None, None, _) => (self.first_seen, Counted::FirstSight),
        }
    }

    /// A tenant may shorten its expiration below anything that a policy foresaw, and a password that is due the moment it is
    /// made would be rotated for ever: so the margin is never more than a quarter of the life, nothing but the spread brings
    /// the ideal before its half, and nothing at all into its first quarter.
    fn life(&self, counted_from: Timestamp, lasts: SignedDuration) -> Dates {
        let policy = self.policy;
        let expires_at = later(counted_from, lasts);
        let deadline = sooner(expires_at, policy.margin.min(lasts / 4));
        let earliest = later(counted_from, lasts / 4);
        let ahead = self.spread.ahead(policy.spread);
        let due = sooner(deadline, policy.rotate_before).max(later(counted_from, lasts / 2));
        let ideal = sooner(due, ahead).max(earliest);
        Dates { counted_from, earliest, ahead, ideal, deadline: Some(deadline), expires_at: Some(expires_at) }
    }

    fn reason(&self) -> Reason {
        match (self.last_changed, self.policy.on_adopt, self.policy.assume_changed) {
            (Some(_), ..) => Reason::Expires,
            (None, OnAdopt::Rotate, _) => Reason::Adopted,
            (None, OnAdopt::Defer, Some(_)) => Reason::Assumed,
            (None, OnAdopt::Defer, None) => Reason::Deferred,
        }
    }
}

/// Decides when an account is due.
#[must_use]
pub fn due(now: Timestamp, facts: &Facts<'_>) -> Due {
    const CHECKS: [fn(&Case<'_>) -> Option<Due>; 7] = [
        unfinished,
        paused,
        overdue,
        in_the_first_window,
        in_the_last_window_before,
        outside_the_windows,
        within_a_blackout,
    ];
    let case = Case { now, facts, dates: facts.dates() };
    CHECKS.iter().find_map(|check| check(&case)).unwrap_or(Due::Never(Reason::NoExpiry))
}

/// When an account is due once a pause that has an end is over; the same as [`due`] for all others.
#[must_use]
pub fn due_after_pause(now: Timestamp, facts: &Facts<'_>) -> Due {
    match due(now, facts) {
        Due::Paused(Pause { until: Some(until), .. }) => match due(until, facts) {
            Due::Now(why) => Due::At(until, why),
            later => later,
        },
        due => due,
    }
}

/// When the password made at `changed` expires; none when it lasts for ever.
#[must_use]
pub fn expires_at(changed: Timestamp, lasts: Option<SignedDuration>) -> Option<Timestamp> {
    Some(later(changed, lasts?))
}

/// What the checks look at.
struct Case<'f> {
    now: Timestamp,
    facts: &'f Facts<'f>,
    dates: Option<Dates>,
}

impl Case<'_> {
    fn calendar(&self) -> &Calendar {
        &self.facts.policy.calendar
    }

    /// Pieces of a range that are not over.
    fn wanted(&self, from: Timestamp, until: Timestamp) -> Wanted {
        Wanted { range: Span { from, until }, now: self.now }
    }

    /// Due at `at`, which may be now.
    fn due(&self, at: Timestamp, slot: Slot) -> Due {
        let why = Why { reason: self.facts.reason(), slot };
        if at <= self.now { Due::Now(why) } else { Due::At(at, why) }
    }

    /// Where in a piece an account is placed: accounts that waited for the same opening do not all begin with it.
    fn place(&self, span: Span) -> Timestamp {
        later(span.from, self.facts.spread.within(self.facts.policy.spread.min(span.length())))
    }

    /// The same, as late as the spread allows, with an hour to spare before the end.
    fn place_late(&self, span: Span) -> Timestamp {
        const SPARE: SignedDuration = SignedDuration::from_hours(1);
        let from = sooner(span.until, self.facts.policy.spread.saturating_add(SPARE)).max(span.from);
        self.place(Span { from, ..span })
    }
}

fn unfinished(case: &Case<'_>) -> Option<Due> {
    case.facts.unfinished.then_some(Due::Now(Why { reason: Reason::Unfinished, slot: Slot::Any }))
}

fn paused(case: &Case<'_>) -> Option<Due> {
    case.facts.paused.filter(|pause| pause.holds(case.now)).map(Due::Paused)
}

/// Past its deadline there is nothing to wait for.
fn overdue(case: &Case<'_>) -> Option<Due> {
    case.dates?.deadline.filter(|deadline| *deadline <= case.now)?;
    let slot = match case.calendar().open_at(case.now) {
        Some(piece) => Slot::Open(piece),
        None if case.calendar().is_blacked_out(case.now) => Slot::BlackedOut,
        None => Slot::NoWindowLeft,
    };
    Some(case.due(case.now, slot))
}

/// The first window at or after the ideal time, and before the deadline. An account that never expires has no deadline, and
/// waits for its window as long as it takes.
fn in_the_first_window(case: &Case<'_>) -> Option<Due> {
    let Dates { ideal, deadline, .. } = case.dates?;
    let until = deadline.unwrap_or_else(|| later(ideal.max(case.now), Calendar::FAR));
    let place = |piece: Piece| if piece.span.from <= ideal { ideal } else { case.place(piece.span) };
    let pieces = case.calendar().first_pieces(case.wanted(ideal, until)).map(|piece| (place(piece), piece));
    let (at, piece) = pieces.min_by_key(|(at, piece)| (*at, piece.window))?;
    Some(case.due(at, Slot::Open(piece)))
}

/// The last window before the ideal time; without windows, the last moments before a blackout.
fn in_the_last_window_before(case: &Case<'_>) -> Option<Due> {
    let Dates { earliest, ideal, deadline, .. } = case.dates?;
    deadline?;
    let pieces = case.calendar().last_pieces(case.wanted(earliest, ideal));
    let piece = pieces.max_by_key(|piece| (piece.span.until, piece.span.from, piece.window))?;
    let at = if piece.window.is_some() { case.place(piece.span) } else { case.place_late(piece.span) };
    Some(case.due(at, Slot::Open(piece)))
}

/// No window is left: the last moments before the deadline that no blackout covers.
fn outside_the_windows(case: &Case<'_>) -> Option<Due> {
    let Dates { earliest, deadline, .. } = case.dates?;
    let left = case.calendar().last_outside_windows(case.wanted(earliest, deadline?))?;
    Some(case.due(case.place_late(left), Slot::NoWindowLeft))
}

/// Blackouts cover everything that is left.
fn within_a_blackout(case: &Case<'_>) -> Option<Due> {
    Some(case.due(case.dates?.deadline?, Slot::BlackedOut))
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn sooner(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

impl Due {
    /// When it is rotated, seen from `now`; none when nothing will rotate it by itself.
    #[must_use]
    pub const fn time(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Now(_) => Some(now),
            Self::At(at, _) => Some(*at),
            Self::Never(_) | Self::Paused(_) => None,
        }
    }
}

impl Counted {
    /// The stable label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Rotation => "rotation",
            Self::Creation => "creation",
            Self::Assumption => "assumption",
            Self::FirstSight => "first-sight",
        }
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rotation => "its last rotation",
            Self::Creation => {
                "when the account was made: it was never rotated here, and is younger than `assume_changed`"
            }
            Self::Assumption => "`assume_changed`, since it was never rotated here",
            Self::FirstSight => "when it was first seen here, since it was never rotated here",
        })
    }
}

impl Slot {
    /// The stable label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Open(_) => "open",
            Self::NoWindowLeft => "no-window-left",
            Self::BlackedOut => "blacked-out",
        }
    }

    /// Whether the expiry overrode what the operator asked for, which is worth a word.
    #[must_use]
    pub const fn is_forced(self) -> bool {
        matches!(self, Self::NoWindowLeft | Self::BlackedOut)
    }
}

impl Reason {
    /// The stable label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unfinished => "unfinished",
            Self::Adopted => "adopted",
            Self::Deferred => "deferred",
            Self::Assumed => "assumed",
            Self::Expires => "expires",
            Self::NoExpiry => "no-expiry",
            Self::Asked => "asked",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unfinished => "its rotation is unfinished",
            Self::Adopted => "it was never rotated here, and the policy says on_adopt = \"rotate\"",
            Self::Deferred => "it was never rotated here, and its age is unknown; it counts from its first sight",
            Self::Assumed => "it was never rotated here; its age is what the policy says in `assume_changed`",
            Self::Expires => "its password nears its expiry",
            Self::NoExpiry => "its password does not expire",
            Self::Asked => "it was asked for",
        })
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "at any time",
            Self::Open(Piece { window: Some(_), .. }) => "in a window",
            Self::Open(Piece { window: None, .. }) => "outside of blackouts",
            Self::NoWindowLeft => "outside of the windows, since none is left before its deadline",
            Self::BlackedOut => "in a blackout, since it leaves no time before its deadline",
        })
    }
}

#[cfg(test)]
pub(in crate::domain) mod tests;
