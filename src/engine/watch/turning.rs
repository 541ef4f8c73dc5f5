//! Whose turn begins, and what follows from its end.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Engine, NEXT_TURN, TURN, Turning, pause};
use crate::domain::account::AccountName;
use crate::domain::due::Reason;
use crate::domain::rotation::Waiting;
use crate::engine::drive::Patience;
use crate::engine::queue::{Class, Rank};
use crate::engine::report::Outcomes;
use crate::engine::roster::{Lane, Plan};
use crate::engine::turn::{Cause, Turned, turn};

impl Engine {
    pub(super) fn patience(&self) -> Patience {
        let until = Some(self.now().saturating_add(TURN));
        Patience { until, paced: false, only_hopeful: true, shutdown: self.shutdown.clone() }
    }

    /// Begins the turns that may begin; says when a pace allows the next one.
    pub(super) fn begin_turns(&mut self, now: Duration) -> Option<Duration> {
        self.queue.ripen(now);
        let paced = Cell::new(None);
        loop {
            let (world, slots, paces, lanes) = (&self.world, &self.slots, &self.paces, self.roster.lanes());
            let admits = |lane: &Arc<Lane>, class: Class| {
                if !slots.may_run(lane, class, lanes) {
                    return false;
                }
                if class == Class::Finish {
                    return true;
                }
                let Some(tenant) = world.tenants.get(&lane.tenant) else { return true };
                if tenant.stopped.why().is_some() || tenant.limit.is_awaited() {
                    return false;
                }
                let Some(until) = paces.until(&lane.tenant, &lane.vault, now) else { return true };
                paced.set(paced.get().into_iter().chain([until]).min());
                false
            };
            let Some((name, rank)) = self.queue.take(admits) else { return paced.get() };
            paced.set(None);
            self.begin_turn(&name, rank.class, now);
        }
    }

    fn begin_turn(&mut self, name: &Arc<AccountName>, class: Class, now: Duration) {
        let patience = self.patience();
        let Some(known) = self.roster.get_mut(name) else { return };
        let cause = match known.parked.take() {
            Some(parked) => Cause::Parked(parked),
            None if known.asked => Cause::Asked,
            None => Cause::Planned,
        };
        let (managed, lane) = (Arc::clone(&known.managed), Arc::clone(&known.lane));
        if class != Class::Finish {
            let of_vault = self.world.paces.get(&lane.vault).copied();
            self.paces.took((&lane.tenant, managed.tenant.limit.period()), (&lane.vault, of_vault), now);
        }
        self.slots.take(&lane);
        self.running.insert(Arc::clone(name), Arc::clone(&lane));
        let turning = turn(Arc::clone(&self.world), managed, cause, patience);
        let name = Arc::clone(name);
        self.turns.push(Box::pin(async move { Some((name, lane, turning.await)) }));
    }

    pub(super) fn turned(&mut self, turned: Option<Turning>) {
        self.has_news = true;
        let Some((name, lane, turned)) = turned else { return };
        self.slots.give(&lane);
        self.running.remove(&name);
        let Turned { managed, report, parked, known: found } = turned;
        let result = report.map(|report| report.result);
        let is_done = matches!(result, None | Some(Outcomes::Rotated | Outcomes::RotatedElsewhere));
        if is_done && result.is_some() {
            self.rotated += 1;
        }
        let found_pending =
            found.as_ref().is_some_and(|found| found.status.as_ref().is_ok_and(|status| status.unfinished));
        if parked.is_some() || found_pending {
            self.unfinished.insert(managed.name.clone());
        } else {
            self.unfinished.remove(&managed.name);
        }
        let now = self.now();
        let here = managed.now().unwrap_or_default();
        let Some(known) = self.roster.get_mut(&name).filter(|known| known.managed.subject == managed.subject) else {
            return;
        };
        let again = if is_done { Again::Planned } else { again(result.as_ref(), parked.is_some(), here) };
        known.failures = if again == Again::Failed { known.failures.saturating_add(1) } else { 0 };
        known.not_before = now.saturating_add(match again {
            Again::Planned => Duration::ZERO,
            Again::At(at) => Duration::try_from(at.duration_since(here)).unwrap_or_default(),
            Again::Failed => pause(NEXT_TURN, known.failures, &name.to_string()),
        });
        known.asked = known.asked && parked.is_some();
        known.parked = parked.filter(|_| Arc::ptr_eq(&known.managed.tenant, &managed.tenant));
        match (&found, &known.parked) {
            (Some(found), _) => known.plan(found, now),
            (None, Some(_)) => {
                let deadline = known.plan.map_or(Timestamp::MAX, |plan| plan.rank.deadline);
                let wait = SignedDuration::try_from(known.not_before.saturating_sub(now)).unwrap_or_default();
                let at = here.checked_add(wait).unwrap_or(Timestamp::MAX);
                let rank = Rank { class: Class::Finish, deadline };
                known.plan = Some(Plan { rank, not_before: known.not_before, at, reason: Reason::Unfinished });
            }
            // It goes on under another tenant's durations, from what a fresh look shows.
            (None, None) => self.read_again(|(tenant, _)| *tenant == lane.tenant),
        }
        self.enqueue(&name);
    }

    /// Puts an account where its plan says.
    pub(super) fn enqueue(&mut self, name: &AccountName) {
        let Some((name, known)) = self.roster.entry(name) else { return };
        if self.running.contains_key(name) {
            return;
        }
        match known.plan {
            Some(plan) => self.queue.put(name, &known.lane, plan.rank, plan.not_before),
            None => self.queue.remove(name),
        }
    }
}

/// When an account that is not done gets its next turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// When it is due.
    Planned,
    /// When what it waits for is over, in the gateway's time.
    At(Timestamp),
    /// Later and later.
    Failed,
}

fn again(result: Option<&Outcomes>, is_parked: bool, here: Timestamp) -> Again {
    match result {
        Some(Outcomes::Unfinished { waits_for: Waiting::Fence | Waiting::Rate | Waiting::Spacing, until, .. }) => {
            Again::At(*until)
        }
        // The rotation itself backs off, as long as it is remembered.
        Some(Outcomes::Unfinished { until, .. }) if is_parked && *until > here => Again::At(*until),
        _ => Again::Failed,
    }
}
