//! Who is under management: the accounts as they were last listed, and what was last known of each.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::accounts::{Discovery, Listed, Managed};
use super::calls::Asked;
use super::drive::Parked;
use super::errands::Source;
use super::pace::translated;
use super::queue::{Class, Rank};
use super::report::vault_exit;
use super::survey::Surveyed;
use super::world::World;
use crate::domain::account::{AccountName, Kind};
use crate::domain::due::{Due, Facts, Reason, Slot, Why, due_after_pause};
use crate::domain::exit::Exit;
use crate::domain::plan::{Claim, Terms};
use crate::domain::schedule::pause::{Pause, Paused};

/// Turns in a row that end badly, and then it waits behind what may succeed: one may be an accident.
const FAILS: u32 = 2;

/// Where accounts wait together: whatever hangs for one of them hangs for all of these, and for nobody else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Lane {
    pub(super) tenant: String,
    pub(super) kind: Kind,
    pub(super) vault: String,
}

/// Accounts of a lane that the same limits hold: when the first of them may not begin, none behind it may.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Line {
    pub(super) lane: Arc<Lane>,
    pub(super) policy: String,
    pub(super) terms: Terms,
}

/// What was last seen of an account's password.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    pub(super) last_changed: Option<Timestamp>,
    first_seen: Timestamp,
    pause: Option<Pause>,
}

/// One account under management.
pub(super) struct Known {
    pub(super) managed: Arc<Managed>,
    pub(super) lane: Arc<Lane>,
    /// Whether its secret could be read when it was last looked at; none before the first look.
    pub(super) is_read: Option<bool>,
    /// None before it could be read.
    pub(super) seen: Option<Sight>,
    /// What it waits for, and until when; none when nothing is planned.
    pub(super) plan: Option<Plan>,
    /// How a command ends because of its last turn, or of a secret that could not be read.
    pub(super) exit: Exit,
    /// Turns in a row that did not end well.
    pub(super) failures: u32,
    /// It has no turn before this time, since boot.
    pub(super) not_before: Duration,
    /// What the next turn goes on from.
    pub(super) parked: Option<Box<Parked>>,
    /// Who waits for its rotation, if a person does.
    pub(super) asked: Option<Asked>,
}

/// When an account's next turn is, and why.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) rank: Rank,
    /// Since boot.
    pub(super) not_before: Duration,
    /// For people: in the gateway's time.
    pub(super) at: Timestamp,
    pub(super) reason: Reason,
    pub(super) slot: Slot,
}

/// The accounts, and the lists that they come from.
#[derive(Default)]
pub(super) struct Roster {
    pub(super) lists: BTreeMap<Source, Listed>,
    accounts: HashMap<Arc<AccountName>, Known>,
    lanes: BTreeSet<Arc<Lane>>,
}

impl Known {
    fn new(managed: Arc<Managed>) -> Self {
        let lane = Lane {
            tenant: managed.name.tenant.clone(),
            kind: managed.name.kind,
            vault: managed.managing.rule.vault.clone(),
        };
        Self {
            managed,
            lane: Arc::new(lane),
            is_read: None,
            seen: None,
            plan: None,
            exit: Exit::Success,
            failures: 0,
            not_before: Duration::ZERO,
            parked: None,
            asked: None,
        }
    }

    /// Plans the next turn by what was found; `now` is the time since boot. What was planned before stands when nothing was
    /// found out: no account is lost because its vault was away for a moment.
    pub(super) fn plan(&mut self, found: &Surveyed, now: Duration) {
        self.is_read = Some(found.status.is_ok());
        if let Err(error) = &found.status {
            let not_before = self.not_before;
            self.exit = vault_exit(error);
            self.plan = self.plan.map(|plan| Plan { not_before: plan.not_before.max(not_before), ..plan });
            return;
        }
        if let Ok(status) = &found.status {
            self.seen = Some(Sight {
                last_changed: status.last_changed,
                first_seen: found.first_seen,
                pause: found.paused.as_ref().map(Paused::pause),
            });
        }
        self.plan_due(found.due, now);
    }

    fn plan_due(&mut self, due: Option<Due>, now: Duration) {
        let here = self.here();
        let deadline = self.facts().and_then(|facts| facts.dates()?.deadline).unwrap_or(Timestamp::MAX);
        let fails = self.failures >= FAILS;
        self.plan = match due {
            None | Some(Due::Never(_) | Due::Paused(_)) => None,
            Some(Due::Now(Why { reason, slot })) => {
                let class = if reason == Reason::Unfinished { Class::Finish } else { Class::Rotate };
                let not_before = now.max(self.not_before);
                let pause = SignedDuration::try_from(not_before.saturating_sub(now)).unwrap_or_default();
                let at = here.checked_add(pause).unwrap_or(Timestamp::MAX);
                Some(Plan { rank: Rank { class, fails, deadline }, not_before, at, reason, slot })
            }
            Some(Due::At(at, Why { reason, slot })) => {
                let pause = Duration::try_from(at.duration_since(here)).unwrap_or_default();
                let not_before = now.saturating_add(pause).max(self.not_before);
                Some(Plan { rank: Rank { class: Class::Rotate, fails, deadline }, not_before, at, reason, slot })
            }
        };
    }

    /// Plans the next turn by what is known, when its window has closed while it was held.
    pub(super) fn plan_again(&mut self, now: Duration) {
        let due = self.facts().map(|facts| due_after_pause(self.here(), &facts));
        self.plan_due(due, now);
    }

    /// Has its turn wait until `until`, since boot.
    pub(super) fn put_off(&mut self, until: Duration, now: Duration) {
        let here = self.here();
        if let Some(plan) = &mut self.plan {
            let pause = SignedDuration::try_from(until.saturating_sub(now)).unwrap_or_default();
            (plan.not_before, plan.at) = (until, here.checked_add(pause).unwrap_or(Timestamp::MAX));
        }
    }
}

impl Known {
    /// The time at its gateway.
    pub(super) fn here(&self) -> Timestamp {
        self.managed.now().unwrap_or_default()
    }

    /// What decides when it is due, if nothing is unfinished; none before it could be read.
    pub(super) fn facts(&self) -> Option<Facts<'_>> {
        self.seen.map(|seen| self.managed.facts(seen.last_changed, seen.first_seen, false, seen.pause))
    }

    /// What it asks of the pace when it is to have a turn of this class.
    pub(super) fn claim(&self, class: Class, now: Duration) -> Claim<'_> {
        let rule = &self.managed.managing.rule;
        let facts = self.facts().filter(|_| class == Class::Rotate);
        let deadline = facts.and_then(|facts| facts.dates()?.deadline);
        let terms = match class {
            Class::Finish | Class::Asked => Terms::Rates,
            Class::Rotate => Terms::All {
                first_run: facts.is_some_and(|facts| facts.is_first_run()),
                overdue: deadline.is_some_and(|deadline| deadline <= self.here()),
            },
        };
        let deadline = deadline.map(|deadline| translated(deadline, self.here(), now));
        Claim { account: &self.managed.name, vault: &rule.vault, policy: &rule.policy, terms, deadline }
    }

    /// Where it waits for a turn of this class.
    pub(super) fn line(&self, class: Class, now: Duration) -> Line {
        let Claim { policy, terms, .. } = self.claim(class, now);
        // What keeps to rates alone waits with everything else that does.
        let policy = if terms == Terms::Rates { String::new() } else { policy.name.clone() };
        Line { lane: Arc::clone(&self.lane), policy, terms }
    }

    /// Whether nothing but its due time, and the pace, keeps it from being rotated.
    pub(super) fn is_rotated_when_due(&self) -> bool {
        self.plan.is_some_and(|plan| plan.rank.class == Class::Rotate)
    }

    /// Whether the window for which it was planned has closed.
    pub(super) fn missed_its_window(&self) -> bool {
        match self.plan.map(|plan| plan.slot) {
            Some(Slot::Open(piece)) => piece.span.until <= self.here(),
            Some(Slot::Any | Slot::NoWindowLeft | Slot::BlackedOut) | None => false,
        }
    }
}

impl Known {
    /// Plans a turn because a person asked for it.
    pub(super) fn plan_asked(&mut self, now: Duration) {
        let deadline = self.deadline();
        let (rank, at) = (Rank { class: Class::Asked, fails: false, deadline }, self.here());
        self.plan =
            Some(Plan { rank, not_before: now.max(self.not_before), at, reason: Reason::Asked, slot: Slot::Any });
    }

    /// Plans the turn that goes on with what is parked.
    pub(super) fn plan_parked(&mut self, now: Duration) {
        let wait = SignedDuration::try_from(self.not_before.saturating_sub(now)).unwrap_or_default();
        let at = self.managed.now().unwrap_or_default().checked_add(wait).unwrap_or(Timestamp::MAX);
        let rank = Rank { class: Class::Finish, fails: false, deadline: self.deadline() };
        self.plan = Some(Plan { rank, not_before: self.not_before, at, reason: Reason::Unfinished, slot: Slot::Any });
    }

    fn deadline(&self) -> Timestamp {
        self.plan.map_or(Timestamp::MAX, |plan| plan.rank.deadline)
    }
}

impl Roster {
    pub(super) fn get(&self, name: &AccountName) -> Option<&Known> {
        self.accounts.get(name)
    }

    pub(super) fn get_mut(&mut self, name: &AccountName) -> Option<&mut Known> {
        self.accounts.get_mut(name)
    }

    pub(super) fn entry(&self, name: &AccountName) -> Option<(&Arc<AccountName>, &Known)> {
        self.accounts.get_key_value(name)
    }

    pub(super) fn len(&self) -> usize {
        self.accounts.len()
    }

    /// The lanes that there are.
    pub(super) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<AccountName>, &Known)> + Clone {
        self.accounts.iter()
    }

    /// The accounts of one list.
    pub(super) fn of(&self, (tenant, kind): &Source) -> Vec<Managed> {
        let mine = self.accounts.values().filter(|known| known.lane.tenant == *tenant && known.lane.kind == *kind);
        let mut mine: Vec<Managed> = mine.map(|known| known.managed.as_ref().clone()).collect();
        mine.sort_by(|one, other| one.name.cmp(&other.name));
        mine
    }

    /// Whether it is the same account with the same secret as the one that is known by its name.
    pub(super) fn knows(&self, managed: &Managed) -> bool {
        self.accounts.get(&managed.name).is_some_and(|known| known.managed.is_still(managed))
    }

    /// The account by its name, and whether it was unknown until now.
    pub(super) fn admit(&mut self, managed: &Managed) -> (Arc<AccountName>, bool) {
        if let Some((name, _)) = self.accounts.get_key_value(&managed.name).filter(|_| self.knows(managed)) {
            return (Arc::clone(name), false);
        }
        let (name, known) = (Arc::new(managed.name.clone()), Known::new(Arc::new(managed.clone())));
        self.lanes.insert(Arc::clone(&known.lane));
        self.accounts.insert(Arc::clone(&name), known);
        (name, true)
    }

    /// Matches every list with the rules anew. What is known of an account is kept as long as it is the same account with the
    /// same secret; gives the names that are gone, and what else was found.
    pub(super) fn rematch(&mut self, world: &World) -> (Vec<Arc<AccountName>>, Discovery) {
        let mut discovery = world.matched(&self.lists.values().collect::<Vec<_>>());
        let mut before = std::mem::take(&mut self.accounts);
        for managed in std::mem::take(&mut discovery.managed) {
            let managed = Arc::new(managed);
            let (name, known) = match before.remove_entry(&managed.name) {
                Some((name, known)) if known.managed.is_still(&managed) => (name, known.under(managed)),
                Some((name, _)) => (name, Known::new(managed)),
                None => (Arc::new(managed.name.clone()), Known::new(managed)),
            };
            self.accounts.insert(name, known);
        }
        self.lanes = self.accounts.values().map(|known| Arc::clone(&known.lane)).collect();
        (before.into_keys().collect(), discovery)
    }
}

impl Known {
    /// The same account, as it is listed now. What was parked is bound to the tenant's durations, and goes with them.
    fn under(self, managed: Arc<Managed>) -> Self {
        let parked = self.parked.filter(|_| Arc::ptr_eq(&self.managed.tenant, &managed.tenant));
        Self { managed, parked, ..self }
    }
}

impl Managed {
    fn is_still(&self, other: &Self) -> bool {
        self.subject == other.subject
            && self.secret == other.secret
            && self.managing.rule.vault == other.managing.rule.vault
    }
}
