//! The plan: what rotates when, and which accounts cannot make it.
//!
//! A walk through time over the same `due` and the same [`Pace`] that the daemon keeps to, with rotations that take no time
//! and always succeed. Of the accounts that may begin at a moment, the one with the earliest deadline does; one that is held
//! so long that its window closes asks for its next time anew.
//!
//! ```text
//! due ──► future (by time) ──► ready (by class, then deadline) ──► begun ──┐
//!  ▲                              │ its window closed                      │ its next life
//!  └──────────────────────────────┴────────────────────────────────────────┘
//! ```

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::Timestamp;
use super::account::AccountName;
use super::due::{Due, Facts, Slot, Why, due};

mod pace;

pub use pace::{Apart, Claim, DAY, Hold, Limits, Pace, Terms};

/// An account to plan for.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The account.
    pub account: &'a AccountName,
    /// The vault that its secret is in.
    pub vault: &'a str,
    /// What decides when it is due.
    pub facts: Facts<'a>,
}

/// What rotates when.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan<'a> {
    /// The rotations, in the order of time.
    pub entries: Vec<Entry<'a>>,
    /// The accounts that are due within the plan's time and have no place in it.
    pub left_out: Vec<LeftOut<'a>>,
}

/// A rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The account.
    pub account: &'a AccountName,
    /// When it begins.
    pub at: Timestamp,
    /// Why then.
    pub why: Why,
    /// By when it should have been; none when it never expires.
    pub deadline: Option<Timestamp>,
    /// When its password expires; none when it never does.
    pub expires_at: Option<Timestamp>,
    /// What held it back, if anything did.
    pub held: Option<Hold>,
}

/// An account that is due and does not rotate within the plan's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut<'a> {
    /// The account.
    pub account: &'a AccountName,
    /// By when it should be rotated; none when it never expires.
    pub deadline: Option<Timestamp>,
    /// When its password expires; none when it never does.
    pub expires_at: Option<Timestamp>,
    /// What holds it.
    pub held: Hold,
}

/// What is wrong with a rotation that is planned, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trouble {
    /// It comes after the password has expired.
    Expired,
    /// It comes after the deadline.
    Late,
    /// It comes in a blackout.
    BlackedOut,
    /// It comes outside the windows.
    OutsideWindows,
}

impl Trouble {
    /// The stable label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Late => "late",
            Self::BlackedOut => "blacked-out",
            Self::OutsideWindows => "outside-windows",
        }
    }
}

impl Entry<'_> {
    /// What is wrong with it, if anything is.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        if self.expires_at.is_some_and(|expires_at| expires_at <= self.at) {
            return Some(Trouble::Expired);
        }
        if self.deadline.is_some_and(|deadline| deadline < self.at) {
            return Some(Trouble::Late);
        }
        match self.why.slot {
            Slot::BlackedOut => Some(Trouble::BlackedOut),
            Slot::NoWindowLeft => Some(Trouble::OutsideWindows),
            Slot::Any | Slot::Open(_) => None,
        }
    }
}

impl<'a> Candidate<'a> {
    /// By when it is rotated; none when it never expires.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.facts.dates()?.deadline
    }

    /// Whether its deadline has come.
    #[must_use]
    pub fn is_overdue(&self, at: Timestamp) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= at)
    }

    /// What it asks of the pace at `at`.
    #[must_use]
    pub fn claim(&self, at: Timestamp) -> Claim<'a> {
        let deadline = self.deadline();
        let overdue = deadline.is_some_and(|deadline| deadline <= at);
        let first_run = self.facts.is_first_run();
        let terms = if self.facts.unfinished { Terms::Rates } else { Terms::All { first_run, overdue } };
        Claim { account: self.account, vault: self.vault, policy: self.facts.policy, terms, deadline }
    }
}

/// Plans every rotation from `now` up to `horizon`. What began before, `pace` knows.
#[must_use]
pub fn plan<'a>(now: Timestamp, horizon: Timestamp, accounts: &[Candidate<'a>], pace: Pace) -> Plan<'a> {
    let mut pace = pace;
    for candidate in accounts {
        if let Some(rotated) = candidate.facts.last_changed {
            pace.rotated(candidate.account, rotated);
        }
    }
    let mut walk = Walk {
        horizon,
        pace,
        accounts: accounts.iter().map(|candidate| Walker { candidate: *candidate, turn: None }).collect(),
        future: BinaryHeap::new(),
        ready: BTreeMap::new(),
        holds: BTreeMap::new(),
        plan: Plan::default(),
    };
    for number in 0..accounts.len() {
        walk.seek(number, now);
    }
    let mut at = now;
    while at < horizon {
        walk.arrive(at);
        let freed = walk.begin_all(at);
        let next = walk.future.peek().map(|Reverse((next, _))| *next).into_iter().chain(freed).min();
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    walk.leave_out();
    walk.plan
}

struct Walk<'a> {
    horizon: Timestamp,
    pace: Pace,
    accounts: Vec<Walker<'a>>,
    future: BinaryHeap<Reverse<(Timestamp, usize)>>,
    ready: BTreeMap<Class<'a>, BTreeSet<(Timestamp, usize)>>,
    /// What held the first of a class last, and so all behind it.
    holds: BTreeMap<Class<'a>, Hold>,
    plan: Plan<'a>,
}

struct Walker<'a> {
    candidate: Candidate<'a>,
    turn: Option<Turn>,
}

/// What an account waits for.
struct Turn {
    from: Timestamp,
    why: Why,
    held: Option<Hold>,
}

/// How it stands with a class.
enum Front {
    /// This account may begin; with its deadline.
    MayBegin(Timestamp, usize),
    /// None may begin before this.
    Held(Timestamp),
}

/// Accounts that the same rates and caps hold: when the first of them may not begin, none may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Class<'a> {
    tenant: &'a str,
    vault: &'a str,
    policy: &'a str,
    terms: Terms,
}

impl<'a> Class<'a> {
    fn of(claim: &Claim<'a>) -> Self {
        let Claim { account, vault, policy, terms, .. } = *claim;
        Self { tenant: &account.tenant, vault, policy: &policy.name, terms }
    }
}

impl<'a> Walk<'a> {
    /// Finds an account's next time, seen from `at`.
    fn seek(&mut self, number: usize, at: Timestamp) {
        let Some(walker) = self.accounts.get_mut(number) else { return };
        let facts = &mut walker.candidate.facts;
        let mut held = walker.turn.take().and_then(|turn| turn.held);
        let mut found = (at, due(at, facts));
        if let Due::Paused(pause) = found.1 {
            let unpaused = due(at, &Facts { paused: None, ..*facts }).time(at);
            let end = pause.until.filter(|until| *until < self.horizon);
            let Some(end) = end else {
                let waits = unpaused.is_some_and(|time| time < self.horizon);
                self.plan.left_out.extend(waits.then(|| walker.candidate.left_out(Hold::Paused(pause.scope))));
                return;
            };
            held = unpaused.is_some_and(|time| time < end).then_some(Hold::Paused(pause.scope)).or(held);
            found = (end, due(end, facts));
        }
        let (time, why) = match found.1 {
            Due::Now(why) => (found.0, why),
            Due::At(time, why) => (time, why),
            Due::Never(_) | Due::Paused(_) => return,
        };
        walker.turn = Some(Turn { from: time, why, held });
        self.future.push(Reverse((time, number)));
    }

    /// Moves the accounts whose time has come to where they wait for their turn.
    fn arrive(&mut self, at: Timestamp) {
        while let Some(Reverse((_, number))) = self.future.peek().copied().filter(|Reverse((time, _))| *time <= at) {
            self.future.pop();
            let Some(walker) = self.accounts.get(number) else { continue };
            let claim = walker.candidate.claim(at);
            let (class, deadline) = (Class::of(&claim), claim.deadline.unwrap_or(Timestamp::MAX));
            self.ready.entry(class).or_default().insert((deadline, number));
        }
    }

    /// Begins what may begin at `at`, earliest deadline first, and tells when more may.
    fn begin_all(&mut self, at: Timestamp) -> Option<Timestamp> {
        loop {
            let mut freed: Option<Timestamp> = None;
            let mut first: Option<(Timestamp, usize, Class<'a>)> = None;
            let classes: Vec<Class<'a>> = self.ready.keys().copied().collect();
            for class in classes {
                match self.front(class, at) {
                    Some(Front::MayBegin(deadline, number)) => {
                        first = first.into_iter().chain([(deadline, number, class)]).min();
                    }
                    Some(Front::Held(until)) => freed = freed.into_iter().chain([until]).min(),
                    None => {}
                }
            }
            match first {
                Some((deadline, number, class)) => self.begin(class, deadline, number, at),
                None if self.future.peek().is_some_and(|Reverse((time, _))| *time <= at) => self.arrive(at),
                None => return freed,
            }
        }
    }

    /// How it stands with a class at `at`. Whoever is held for reasons of its own steps aside.
    fn front(&mut self, class: Class<'a>, at: Timestamp) -> Option<Front> {
        loop {
            let (deadline, number) = self.head(class, at)?;
            let walker = self.accounts.get_mut(number)?;
            let (earliest, held) = self.pace.earliest(&walker.candidate.claim(at), at);
            let Some(held) = held else { return Some(Front::MayBegin(deadline, number)) };
            let steps_aside = matches!(held, Hold::Apart(_));
            if !steps_aside {
                self.holds.insert(class, held.clone());
            }
            if let Some(turn) = &mut walker.turn {
                turn.held = Some(held);
            }
            if !steps_aside {
                return Some(Front::Held(earliest));
            }
            self.remove(class, deadline, number);
            self.future.push(Reverse((earliest, number)));
        }
    }

    /// The first of a class that is still due at `at`; those whose window has closed, or whose deadline has come, are sorted
    /// anew.
    fn head(&mut self, class: Class<'a>, at: Timestamp) -> Option<(Timestamp, usize)> {
        loop {
            let (deadline, number) = *self.ready.get(&class)?.first()?;
            let walker = self.accounts.get_mut(number)?;
            let is_over = match walker.turn.as_ref()?.why.slot {
                Slot::Open(piece) => piece.span.until <= at,
                Slot::Any | Slot::NoWindowLeft | Slot::BlackedOut => false,
            };
            if !is_over && class == Class::of(&walker.candidate.claim(at)) {
                return Some((deadline, number));
            }
            if let Some(turn) = &mut walker.turn {
                turn.held = turn.held.take().or_else(|| self.holds.get(&class).cloned());
            }
            self.remove(class, deadline, number);
            self.seek(number, at);
        }
    }

    fn begin(&mut self, class: Class<'a>, deadline: Timestamp, number: usize, at: Timestamp) {
        self.remove(class, deadline, number);
        let Some(walker) = self.accounts.get_mut(number) else { return };
        let Some(Turn { from, why, held }) = walker.turn.take() else { return };
        let held = held.or_else(|| self.holds.get(&class).cloned().filter(|_| from < at));
        self.pace.begin(&walker.candidate.claim(at), at);
        self.plan.entries.push(walker.candidate.entry(at, why, held));
        walker.candidate.facts = walker.candidate.facts.rotated(at);
        self.seek(number, at);
    }

    fn remove(&mut self, class: Class<'a>, deadline: Timestamp, number: usize) {
        if let Some(waiting) = self.ready.get_mut(&class) {
            waiting.remove(&(deadline, number));
            if waiting.is_empty() {
                self.ready.remove(&class);
            }
        }
    }

    /// What still waits when the time is over, and should not.
    fn leave_out(&mut self) {
        let waiting = std::mem::take(&mut self.ready);
        for (class, numbers) in waiting {
            for walker in numbers.into_iter().filter_map(|(_, number)| self.accounts.get(number)) {
                let held = walker.turn.as_ref().and_then(|turn| turn.held.clone());
                let held = held.or_else(|| self.holds.get(&class).cloned());
                self.plan.left_out.extend(held.map(|held| walker.candidate.left_out(held)));
            }
        }
    }
}

impl<'a> Candidate<'a> {
    fn entry(&self, at: Timestamp, why: Why, held: Option<Hold>) -> Entry<'a> {
        let dates = self.facts.dates();
        let (deadline, expires_at) = dates.map_or((None, None), |dates| (dates.deadline, dates.expires_at));
        Entry { account: self.account, at, why, deadline, expires_at, held }
    }

    fn left_out(&self, held: Hold) -> LeftOut<'a> {
        let dates = self.facts.dates();
        let (deadline, expires_at) = dates.map_or((None, None), |dates| (dates.deadline, dates.expires_at));
        LeftOut { account: self.account, deadline, expires_at, held }
    }
}

#[cfg(test)]
mod tests;
