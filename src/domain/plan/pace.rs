//! The pace: how soon one more rotation may begin beside those that have begun.
//!
//! It asks nothing of windows, which `due` has settled, and is the same for the plan and for whoever carries it out. What is
//! overdue no longer keeps its distance from others; rates and caps hold it all the same, since they protect what would have
//! to bear the burst.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::SignedDuration;

use crate::domain::Timestamp;
use crate::domain::account::AccountName;
use crate::domain::policy::Policy;
use crate::domain::schedule::pause::Scope;

/// What many accounts together must keep to. What a policy asks of its own accounts is in the policy.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// The time from one rotation of a tenant to the next. A tenant that is not named is not limited.
    pub tenants: BTreeMap<String, SignedDuration>,
    /// The time from one rotation into a vault to the next. A vault that is not named is not limited.
    pub vaults: BTreeMap<String, SignedDuration>,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// Its tenant's rate.
    Tenant,
    /// Its vault's rate.
    Vault,
    /// The rate at which overdue accounts are caught up with.
    CatchUp,
    /// The cap on accounts that are taken over.
    FirstRun,
    /// An account that it is kept apart from.
    Apart(AccountName),
    /// A pause.
    Paused(Scope),
}

impl Hold {
    /// The stable label.
    #[must_use]
    pub const fn label(&self) -> &'static str {
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

impl fmt::Display for Hold {
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

/// An account that asks for its turn, as far as its pace is concerned. All times are of the clock that [`Pace`] is told.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The account.
    pub account: &'a AccountName,
    /// The vault that its secret is in.
    pub vault: &'a str,
    /// The policy of its rule.
    pub policy: &'a Policy,
    /// What it is held to.
    pub terms: Terms,
    /// By when it is rotated; none when it never expires.
    pub deadline: Option<Timestamp>,
}

/// What a rotation is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Terms {
    /// The rates of its tenant and its vault alone: it is unfinished (`protocol.md`, rule 12), or a person asked for it.
    Rates,
    /// Everything.
    All {
        /// Whether it is part of taking accounts over (`Facts::is_first_run`).
        first_run: bool,
        /// Whether its deadline has come.
        overdue: bool,
    },
}

impl Terms {
    /// Whether it counts for `first_run_cap`.
    #[must_use]
    pub const fn is_first_run(self) -> bool {
        matches!(self, Self::All { first_run: true, .. })
    }

    /// Whether it counts for `catch_up`.
    #[must_use]
    pub const fn catches_up(self) -> bool {
        matches!(self, Self::All { overdue: true, .. })
    }
}

/// What has begun, as far as it matters for what may begin. It knows no clock: whoever tells it times takes them all from one.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    limits: Limits,
    tenants: BTreeMap<String, Timestamp>,
    vaults: BTreeMap<String, Timestamp>,
    /// By policy.
    caught_up: BTreeMap<String, CaughtUp>,
    /// By policy.
    taken_over: BTreeMap<String, TakenOver>,
    /// For each group of accounts that are kept apart: when each was rotated last.
    apart: Vec<BTreeMap<AccountName, Timestamp>>,
}

/// The accounts of a policy that were taken over, and when: those that were only tried, when they were first, since trying
/// again is not taking over another, and whoever fails for days must not keep others from their turn.
#[derive(Debug, Clone, Default)]
struct TakenOver {
    at: BTreeMap<AccountName, Timestamp>,
    in_time: BTreeSet<(Timestamp, AccountName)>,
}

/// When an account of a policy was last rotated past its deadline, and when one was before it.
#[derive(Debug, Clone, Copy)]
struct CaughtUp {
    last: Timestamp,
    before: Option<Timestamp>,
}

/// The time in which accounts that are taken over are counted.
pub const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Pace {
    /// Nothing has begun yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let apart = limits.apart.iter().map(|_| BTreeMap::new()).collect();
        Self { limits, apart, ..Self::default() }
    }

    /// The same with other limits: what has begun still counts. Of accounts that nothing was kept apart from so far it is not
    /// known when they were rotated.
    #[must_use]
    pub fn under(self, limits: Limits) -> Self {
        let rotated: BTreeMap<AccountName, Timestamp> = self.apart.into_iter().flatten().collect();
        let mut pace = Self { apart: limits.apart.iter().map(|_| BTreeMap::new()).collect(), limits, ..self };
        for (account, at) in rotated {
            pace.approached(&account, at);
        }
        pace
    }

    /// An account was rotated at `at`. If it was taken over, this is when: it was only tried before.
    pub fn rotated(&mut self, account: &AccountName, at: Timestamp) {
        self.approached(account, at);
        for taken_over in self.taken_over.values_mut() {
            taken_over.put_off(account, at);
        }
    }

    /// Whoever is kept apart from an account keeps away from `at`.
    fn approached(&mut self, account: &AccountName, at: Timestamp) {
        for (group, rotated) in self.limits.apart.iter().zip(&mut self.apart) {
            if group.contains(account) {
                let last = rotated.entry(account.clone()).or_insert(at);
                *last = at.max(*last);
            }
        }
    }

    /// Whether an account is kept apart from others.
    #[must_use]
    pub fn keeps_apart(&self, account: &AccountName) -> bool {
        self.limits.apart.iter().any(|group| group.contains(account))
    }

    /// Whether it matters to anybody when an account was rotated.
    #[must_use]
    pub fn counts(&self, account: &AccountName) -> bool {
        self.keeps_apart(account) || self.taken_over.values().any(|taken_over| taken_over.at.contains_key(account))
    }

    /// An account of a policy was taken over at `at`, or tried to be.
    pub fn taken_over(&mut self, policy: &str, account: &AccountName, at: Timestamp) {
        self.taken_over.entry(policy.to_owned()).or_default().add(account, at);
    }

    /// An account of a policy was rotated past its deadline at `at`.
    pub fn caught_up(&mut self, policy: &str, at: Timestamp) {
        let known = self.caught_up.entry(policy.to_owned()).or_insert(CaughtUp { last: at, before: None });
        if at > known.last {
            *known = CaughtUp { last: at, before: Some(known.last) };
        }
    }

    /// How soon from `at` on an account that is due may begin, and what holds it until then.
    #[must_use]
    pub fn earliest(&self, claim: &Claim<'_>, at: Timestamp) -> (Timestamp, Option<Hold>) {
        let Claim { account, vault, policy, .. } = claim;
        let rate =
            |last: Option<&Timestamp>, interval: Option<&SignedDuration>, hold| Some((later(*last?, *interval?), hold));
        let catch_up = claim.terms.catches_up().then(|| policy.catch_up.interval());
        let holds = [
            rate(self.tenants.get(&account.tenant), self.limits.tenants.get(&account.tenant), Hold::Tenant),
            rate(self.vaults.get(*vault), self.limits.vaults.get(*vault), Hold::Vault),
            rate(self.caught_up.get(&policy.name).map(|caught_up| &caught_up.last), catch_up.as_ref(), Hold::CatchUp),
            self.cap(claim, at),
            self.near(claim, at),
        ];
        let holds = holds.into_iter().flatten().filter(|(until, _)| *until > at);
        holds.max_by_key(|(until, _)| *until).map_or((at, None), |(until, hold)| (until, Some(hold)))
    }

    /// An account begins.
    pub fn begin(&mut self, claim: &Claim<'_>, at: Timestamp) {
        note(&mut self.tenants, &claim.account.tenant, at);
        note(&mut self.vaults, claim.vault, at);
        if claim.terms.catches_up() {
            self.caught_up(&claim.policy.name, at);
        }
        if claim.terms.is_first_run() {
            self.taken_over(&claim.policy.name, claim.account, at);
        }
        self.approached(claim.account, at);
    }

    /// An account that began at `at` turned out to have nothing to begin with. When it was really rotated is to be told anew.
    pub fn did_nothing(&mut self, account: &AccountName, policy: &str, at: Timestamp) {
        if let Some(taken_over) = self.taken_over.get_mut(policy) {
            taken_over.remove(account, at);
        }
        if let Some(caught_up) = self.caught_up.get(policy).copied().filter(|caught_up| caught_up.last == at) {
            self.caught_up.remove(policy);
            if let Some(before) = caught_up.before {
                self.caught_up(policy, before);
            }
        }
        for group in &mut self.apart {
            if group.get(account) == Some(&at) {
                group.remove(account);
            }
        }
    }

    /// When the turn of each of these comes from `at` on, in their order, when each begins as soon as it may and nothing else
    /// does. Nobody is kept apart from anybody: whoever asks wants to know what rates and caps make of many.
    #[must_use]
    pub fn turns<'c>(&self, claims: impl IntoIterator<Item = Claim<'c>>, at: Timestamp) -> Vec<Timestamp> {
        let mut pace = self.clone().under(Limits { apart: Vec::new(), ..self.limits.clone() });
        let turn = |claim: Claim<'c>| {
            let (turn, _) = pace.earliest(&claim, at);
            pace.begin(&claim, turn);
            turn
        };
        claims.into_iter().map(turn).collect()
    }

    /// When one more account may be taken over: a day after the one that is the cap's number before it.
    fn cap(&self, claim: &Claim<'_>, at: Timestamp) -> Option<(Timestamp, Hold)> {
        let taken_over = self.taken_over.get(&claim.policy.name).filter(|_| claim.terms.is_first_run())?;
        let cap = usize::try_from(claim.policy.first_run_cap.get()).ok()?;
        Some((taken_over.until(claim.account, cap, at)?, Hold::FirstRun))
    }

    /// When the accounts that it is kept apart from are far enough away; at its deadline it waits no longer.
    fn near(&self, claim: &Claim<'_>, at: Timestamp) -> Option<(Timestamp, Hold)> {
        if claim.terms == Terms::Rates {
            return None;
        }
        let deadline = claim.deadline.unwrap_or(Timestamp::MAX);
        let groups = self.limits.apart.iter().zip(&self.apart).filter(|(group, _)| group.contains(claim.account));
        let others = groups.flat_map(|(group, rotated)| rotated.iter().map(|(other, at)| (other, *at, group.by)));
        let near = others.filter(|(other, rotated, _)| *other != claim.account && *rotated <= at);
        let latest = near.map(|(other, rotated, by)| (later(rotated, by).min(deadline), other));
        latest.max_by_key(|(until, _)| *until).map(|(until, other)| (until, Hold::Apart(other.clone())))
    }
}

impl TakenOver {
    fn add(&mut self, account: &AccountName, at: Timestamp) {
        self.forget(at);
        if !self.at.contains_key(account) {
            self.at.insert(account.clone(), at);
            self.in_time.insert((at, account.clone()));
        }
    }

    /// It counts from `at` on, if it was taken over before.
    fn put_off(&mut self, account: &AccountName, at: Timestamp) {
        let Some(last) = self.at.get_mut(account).filter(|last| **last < at) else { return };
        self.in_time.remove(&(*last, account.clone()));
        self.in_time.insert((at, account.clone()));
        *last = at;
    }

    fn remove(&mut self, account: &AccountName, at: Timestamp) {
        if self.at.get(account) == Some(&at) {
            self.at.remove(account);
            self.in_time.remove(&(at, account.clone()));
        }
    }

    /// Forgets what is a day old.
    fn forget(&mut self, now: Timestamp) {
        while let Some((at, account)) = self.in_time.first().filter(|(at, _)| later(*at, DAY) <= now).cloned() {
            self.at.remove(&account);
            self.in_time.remove(&(at, account));
        }
    }

    /// When an account may be taken over beside these; none when it is one of them, or the cap leaves room.
    fn until(&self, account: &AccountName, cap: usize, now: Timestamp) -> Option<Timestamp> {
        if self.at.get(account).is_some_and(|at| later(*at, DAY) > now) {
            return None;
        }
        let before = self.in_time.len().checked_sub(cap)?;
        self.in_time.iter().nth(before).map(|(at, _)| later(*at, DAY))
    }
}

/// Notes the latest time under a name.
fn note(times: &mut BTreeMap<String, Timestamp>, name: &str, at: Timestamp) {
    match times.get_mut(name) {
        Some(last) => *last = at.max(*last),
        None => {
            times.insert(name.to_owned(), at);
        }
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;
    use crate::domain::account::Kind;
    use crate::domain::policy::tests::plain;
    use crate::domain::policy::{Per, Rate};

    const FIRST_RUN: Terms = Terms::All { first_run: true, overdue: false };
    const OVERDUE: Terms = Terms::All { first_run: false, overdue: true };
    const IN_TIME: Terms = Terms::All { first_run: false, overdue: false };

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    fn name(name: &str) -> AccountName {
        AccountName { tenant: "main".to_owned(), kind: Kind::SubAccount, name: name.to_owned() }
    }

    /// Two accounts are taken over in a day, six are caught up with in an hour, and `blue` and `green` are two hours apart.
    fn world() -> (Policy, Limits, [AccountName; 4]) {
        let rate = Rate { count: NonZeroU32::new(6).unwrap(), per: Per::Hour };
        let policy = Policy { first_run_cap: NonZeroU32::new(2).unwrap(), catch_up: rate, ..plain() };
        let names = ["blue".to_owned(), "main/sub-account/green".to_owned()].into();
        let limits = Limits {
            tenants: [("main".to_owned(), SignedDuration::from_mins(1))].into(),
            vaults: [("slow".to_owned(), SignedDuration::from_mins(3))].into(),
            apart: vec![Apart { names, by: SignedDuration::from_hours(2) }],
        };
        (policy, limits, ["blue", "green", "one", "two"].map(name))
    }

    #[test]
    fn each_limit_holds_those_whom_it_is_for() {
        let (policy, limits, [blue, green, one, two]) = world();
        let claim = |account, vault, terms| Claim { account, vault, policy: &policy, terms, deadline: Some(at(90)) };
        let mut pace = Pace::new(limits);
        pace.begin(&claim(&blue, "slow", Terms::All { first_run: true, overdue: true }), at(0));
        pace.taken_over(&policy.name, &one, at(-60));
        let day = 24 * 60;
        let held = |minute, hold| (at(minute), Some(hold));
        for (account, vault, terms, now, expected) in [
            (&two, "quick", Terms::Rates, 0, held(1, Hold::Tenant)),
            (&two, "slow", Terms::Rates, 0, held(3, Hold::Vault)),
            (&two, "slow", Terms::Rates, 3, (at(3), None)),
            (&two, "quick", OVERDUE, 5, held(10, Hold::CatchUp)),
            (&two, "quick", IN_TIME, 5, (at(5), None)),
            (&two, "quick", FIRST_RUN, 5, held(day - 60, Hold::FirstRun)),
            (&two, "quick", FIRST_RUN, day - 60, (at(day - 60), None)),
            // Trying again is not taking over another.
            (&one, "quick", FIRST_RUN, 5, (at(5), None)),
            (&blue, "quick", IN_TIME, 5, (at(5), None)),
            // At its deadline, after an hour and a half, it waits no longer.
            (&green, "quick", IN_TIME, 5, held(90, Hold::Apart(blue.clone()))),
            (&green, "quick", IN_TIME, 90, (at(90), None)),
            (&green, "quick", Terms::Rates, 5, (at(5), None)),
        ] {
            let earliest = pace.earliest(&claim(account, vault, terms), at(now));
            assert_eq!(earliest, expected, "{account} into {vault} at {now}: {terms:?}");
        }
    }

    #[test]
    fn a_turn_that_did_nothing_takes_nobodys_place() {
        let (policy, limits, [blue, green, one, two]) = world();
        let claim = |account| Claim { account, vault: "slow", policy: &policy, terms: FIRST_RUN, deadline: None };
        let mut pace = Pace::new(limits);
        pace.begin(&claim(&one), at(0));
        pace.begin(&claim(&blue), at(10));
        pace.did_nothing(&blue, &policy.name, at(10));
        pace.rotated(&blue, at(-30));
        assert_eq!(pace.earliest(&claim(&two), at(20)), (at(20), None));
        assert_eq!(pace.earliest(&claim(&green), at(20)), (at(90), Some(Hold::Apart(blue))));
    }

    #[test]
    fn what_could_not_be_caught_up_with_leaves_its_turn_to_the_next() {
        let (policy, limits, [blue, _, one, two]) = world();
        let claim = |account| Claim { account, vault: "quick", policy: &policy, terms: OVERDUE, deadline: None };
        let mut pace = Pace::new(Limits { apart: Vec::new(), tenants: BTreeMap::new(), ..limits });
        pace.begin(&claim(&one), at(0));
        pace.begin(&claim(&blue), at(10));
        pace.did_nothing(&blue, &policy.name, at(10));
        assert_eq!(pace.earliest(&claim(&two), at(11)), (at(11), None));
        assert_eq!(
            pace.earliest(&claim(&two), at(8)),
            (at(10), Some(Hold::CatchUp)),
            "what was before it still counts"
        );
        pace.begin(&claim(&two), at(11));
        pace.did_nothing(&one, &policy.name, at(0));
        assert_eq!(pace.earliest(&claim(&blue), at(12)), (at(21), Some(Hold::CatchUp)));
    }

    #[test]
    fn an_account_is_taken_over_when_it_is_rotated_and_not_when_it_was_tried() {
        let (policy, limits, [blue, green, one, two]) = world();
        let claim = |account| Claim { account, vault: "slow", policy: &policy, terms: FIRST_RUN, deadline: None };
        let day = 24 * 60;
        let mut pace = Pace::new(Limits { apart: Vec::new(), ..limits });
        pace.begin(&claim(&one), at(0));
        pace.begin(&claim(&blue), at(0));
        pace.begin(&claim(&one), at(60));
        assert_eq!(
            pace.earliest(&claim(&two), at(90)).0,
            at(day),
            "it was tried again, and counts from the first time"
        );
        pace.rotated(&one, at(120));
        pace.rotated(&green, at(120));
        assert_eq!(pace.earliest(&claim(&two), at(130)).0, at(day));
        pace.begin(&claim(&two), at(day));
        assert_eq!(pace.earliest(&claim(&green), at(day + 10)).0, at(day + 120));
    }

    #[test]
    fn other_limits_forget_nothing_that_has_begun() {
        let (policy, limits, [blue, green, one, two]) = world();
        let claim = |account, terms| Claim { account, vault: "slow", policy: &policy, terms, deadline: None };
        let mut pace = Pace::new(limits.clone());
        pace.begin(&claim(&one, FIRST_RUN), at(0));
        pace.begin(&claim(&blue, FIRST_RUN), at(0));
        let wider = Apart { by: SignedDuration::from_hours(9), ..limits.apart[0].clone() };
        let pace = pace.under(Limits { apart: vec![wider], ..limits });
        assert_eq!(pace.earliest(&claim(&two, FIRST_RUN), at(60)).1, Some(Hold::FirstRun));
        assert_eq!(pace.earliest(&claim(&green, IN_TIME), at(60)), (at(9 * 60), Some(Hold::Apart(blue))));
    }

    #[test]
    fn how_long_many_take_by_their_rates() {
        let (policy, limits, names) = world();
        let claims = |terms| names.iter().map(move |account| (account, terms));
        for (vault, terms, last) in
            [("quick", IN_TIME, 3), ("slow", IN_TIME, 9), ("slow", OVERDUE, 30), ("slow", FIRST_RUN, 24 * 60 + 3)]
        {
            let claims =
                claims(terms).map(|(account, terms)| Claim { account, vault, policy: &policy, terms, deadline: None });
            let turns = Pace::new(limits.clone()).turns(claims, at(0));
            assert_eq!((turns.len(), turns.last()), (4, Some(&at(last))), "{vault} {terms:?}");
        }
    }
}
