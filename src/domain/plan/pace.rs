//! The pace: how soon one more rotation may begin beside those that have begun.
//!
//! It asks nothing of windows, which `due` has settled, and is the same for the plan and for whoever carries it out. What is
//! overdue no longer keeps its distance from others; rates and caps hold it all the same, since they protect what would have
//! to bear the burst.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::SignedDuration;

use super::Candidate;
use crate::domain::Timestamp;
use crate::domain::account::AccountName;
use crate::domain::policy::Rate;
use crate::domain::schedule::pause::Scope;

/// What many accounts together must keep to. What a policy asks of its own accounts is in the policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Rotations of each tenant. A tenant that is not named is not limited.
    pub tenants: BTreeMap<String, Rate>,
    /// Rotations into each vault. A vault that is not named is not limited.
    pub vaults: BTreeMap<String, Rate>,
    /// Accounts that are kept apart.
    pub apart: Vec<Apart>,
}

/// Accounts of which no two are rotated within some time, such as the two logins that one service alternates between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apart {
    /// Their names: `tenant/kind/name`, or the name alone.
    pub names: BTreeSet<String>,
    /// How far apart two rotations are.
    pub by: SignedDuration,
}

impl Apart {
    /// Whether an account is one of them.
    #[must_use]
    pub fn contains(&self, account: &AccountName) -> bool {
        self.names.contains(&account.name) || self.names.contains(&account.to_string())
    }
}

/// What holds an account back that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold<'a> {
    /// Its tenant's rate.
    Tenant,
    /// Its vault's rate.
    Vault,
    /// The rate at which overdue accounts are caught up with.
    CatchUp,
    /// The cap on accounts that are taken over.
    FirstRun,
    /// An account that it is kept apart from.
    Apart(&'a AccountName),
    /// A pause.
    Paused(Scope),
}

impl Hold<'_> {
    /// The stable label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Tenant => "tenant-rate",
            Self::Vault => "vault-rate",
            Self::CatchUp => "catch-up",
            Self::FirstRun => "first-run-cap",
            Self::Apart(_) => "apart",
            Self::Paused(_) => "paused",
        }
    }
}

impl fmt::Display for Hold<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant => f.write_str("its tenant's rate"),
            Self::Vault => f.write_str("its vault's rate"),
            Self::CatchUp => f.write_str("the rate at which overdue accounts are caught up with (`catch_up`)"),
            Self::FirstRun => f.write_str("the cap on accounts that are taken over in a day (`first_run_cap`)"),
            Self::Apart(other) => write!(f, "it is kept apart from {other}"),
            Self::Paused(scope) => write!(f, "a pause ({})", scope.label()),
        }
    }
}

/// What one rate is counted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Lane<'a> {
    Tenant(&'a str),
    Vault(&'a str),
    CatchUp(&'a str),
}

/// What has begun, as far as it matters for what may begin.
#[derive(Debug)]
pub struct Pace<'a> {
    limits: &'a Limits,
    last: BTreeMap<Lane<'a>, Timestamp>,
    taken_over: BTreeMap<&'a str, Vec<Timestamp>>,
    apart: Vec<BTreeMap<&'a AccountName, Timestamp>>,
}

/// The time in which accounts that are taken over are counted.
const DAY: SignedDuration = SignedDuration::from_hours(24);

impl<'a> Pace<'a> {
    /// Nothing has begun. What accounts were changed last counts for those that are kept apart from them.
    #[must_use]
    pub fn new(limits: &'a Limits, accounts: &[Candidate<'a>]) -> Self {
        let changed = |group: &Apart| {
            let members = accounts.iter().filter(|candidate| group.contains(candidate.account));
            members.filter_map(|candidate| Some((candidate.account, candidate.facts.last_changed?))).collect()
        };
        let apart = limits.apart.iter().map(changed).collect();
        Self { limits, last: BTreeMap::new(), taken_over: BTreeMap::new(), apart }
    }

    /// An account of a policy was taken over at `at`, before anything that is known here. To be told in the order of time.
    pub fn taken_over(&mut self, policy: &'a str, at: Timestamp) {
        self.taken_over.entry(policy).or_default().push(at);
    }

    /// How soon from `at` on an account that is due may begin, and what holds it until then. An unfinished rotation keeps to
    /// rates alone (`protocol.md`, rule 12).
    #[must_use]
    pub fn earliest(&self, candidate: &Candidate<'a>, at: Timestamp) -> (Timestamp, Option<Hold<'a>>) {
        let lanes = candidate.lanes(at).into_iter().flatten().filter_map(|lane| self.free(lane, candidate));
        let others = (!candidate.facts.unfinished).then(|| [self.cap(candidate), self.near(candidate, at)]);
        let holds = lanes.chain(others.into_iter().flatten().flatten()).filter(|(until, _)| *until > at);
        holds.max_by_key(|(until, _)| *until).map_or((at, None), |(until, hold)| (until, Some(hold)))
    }

    /// An account begins.
    pub fn begin(&mut self, candidate: &Candidate<'a>, at: Timestamp) {
        for lane in candidate.lanes(at).into_iter().flatten() {
            self.last.insert(lane, at);
        }
        if candidate.facts.is_first_run() {
            self.taken_over(&candidate.facts.policy.name, at);
        }
        for (group, changed) in self.limits.apart.iter().zip(&mut self.apart) {
            if group.contains(candidate.account) {
                changed.insert(candidate.account, at);
            }
        }
    }

    /// When a lane is free again.
    fn free(&self, lane: Lane<'a>, candidate: &Candidate<'a>) -> Option<(Timestamp, Hold<'a>)> {
        let (rate, hold) = match lane {
            Lane::Tenant(name) => (*self.limits.tenants.get(name)?, Hold::Tenant),
            Lane::Vault(name) => (*self.limits.vaults.get(name)?, Hold::Vault),
            Lane::CatchUp(_) => (candidate.facts.policy.catch_up, Hold::CatchUp),
        };
        Some((later(*self.last.get(&lane)?, rate.interval()), hold))
    }

    /// When one more account may be taken over: a day after the one that is the cap's number before it.
    fn cap(&self, candidate: &Candidate<'a>) -> Option<(Timestamp, Hold<'a>)> {
        let policy = candidate.facts.policy;
        let taken_over = self.taken_over.get(policy.name.as_str()).filter(|_| candidate.facts.is_first_run())?;
        let cap = usize::try_from(policy.first_run_cap.get()).ok()?;
        let before = *taken_over.get(taken_over.len().checked_sub(cap)?)?;
        Some((later(before, DAY), Hold::FirstRun))
    }

    /// When the accounts that it is kept apart from are far enough away; at its deadline it waits no longer.
    fn near(&self, candidate: &Candidate<'a>, at: Timestamp) -> Option<(Timestamp, Hold<'a>)> {
        let deadline = candidate.deadline().unwrap_or(Timestamp::MAX);
        let groups = self.limits.apart.iter().zip(&self.apart).filter(|(group, _)| group.contains(candidate.account));
        let others =
            groups.flat_map(|(group, changed)| changed.iter().map(|(other, changed)| (*other, *changed, group.by)));
        let near = others.filter(|(other, changed, _)| *other != candidate.account && *changed <= at);
        let latest =
            near.map(|(other, changed, by)| (later(changed, by).min(deadline), other)).max_by_key(|(until, _)| *until);
        latest.map(|(until, other)| (until, Hold::Apart(other)))
    }
}

impl<'a> Candidate<'a> {
    /// The lanes that it takes at `at`.
    fn lanes(&self, at: Timestamp) -> [Option<Lane<'a>>; 3] {
        let catches_up = !self.facts.unfinished && self.is_overdue(at);
        [
            Some(Lane::Tenant(&self.account.tenant)),
            Some(Lane::Vault(self.vault)),
            catches_up.then_some(Lane::CatchUp(&self.facts.policy.name)),
        ]
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
