//! Whose turn begins, and what follows from its end.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Engine, NEXT_TURN, TURN, Turning, pause};
use crate::domain::account::AccountName;
use crate::domain::backoff::Backoff;
use crate::domain::exit::Exit;
use crate::domain::rotation::Waiting;
use crate::engine::accounts::Managed;
use crate::engine::drive::Patience;
use crate::engine::pace::moment;
use crate::engine::queue::Class;
use crate::engine::report::Outcomes;
use crate::engine::survey::Surveyed;
use crate::engine::turn::{Occasion, Turned, turn};

impl Engine {
    pub(super) fn patience(&self) -> Patience {
        let until = Some(self.now().saturating_add(TURN));
        Patience { until, paced: false, only_hopeful: true, shutdown: self.shutdown.clone() }
    }

    pub(super) fn begin_turn(&mut self, name: &Arc<AccountName>, class: Class, now: Duration) {
        let patience = self.patience();
        let Some(known) = self.roster.get_mut(name) else { return };
        let occasion = match (known.parked.take(), self.orders.give_turn(name), &known.asked) {
            (Some(parked), Some(order), _) => Occasion::Parked(parked.asked_by(&order)),
            (Some(parked), None, _) => Occasion::Parked(parked),
            (None, Some(order), _) => Occasion::Ordered(order),
            (None, None, Some(asked)) => Occasion::Asked(asked.clone()),
            (None, None, None) => Occasion::Planned,
        };
        let (managed, lane, began) = (Arc::clone(&known.managed), Arc::clone(&known.lane), moment(now));
        match class {
            // The tenant's limit alone decides when what is unfinished is sent, and it may need nothing but a promotion.
            Class::Finish => self.pace.rotated(name, began),
            Class::Asked | Class::Rotate => self.pace.begin(&known.claim(class, now), began),
        }
        self.slots.take(&lane);
        self.running.insert(Arc::clone(name), began);
        let turning = turn(Arc::clone(&self.world), managed, occasion, patience);
        let name = Arc::clone(name);
        self.turns.push(Box::pin(async move { Some((name, lane, turning.await)) }));
    }

    pub(super) fn turned(&mut self, turned: Option<Turning>) {
        self.has_news = true;
        let Some((name, lane, turned)) = turned else { return };
        self.slots.give(&lane);
        let began = self.running.remove(&name);
        let Turned { managed, report, parked, known: found } = turned;
        self.orders.tell(&name, report.as_ref());
        let is_ordered = self.orders.wait(&name);
        let result = report.map(|report| report.result);
        let has_begun = !matches!(result, None | Some(Outcomes::Paused { .. }));
        self.tell_pace(&managed, began.filter(|_| !has_begun), found.as_ref());
        if matches!(result, Some(Outcomes::Rotated | Outcomes::RotatedElsewhere)) {
            self.rotated += 1;
        }
        let status = found.as_ref().map(|found| found.status.as_ref());
        if parked.is_some() || matches!(status, Some(Ok(status)) if status.unfinished) {
            self.unfinished.insert(managed.name.clone());
        } else if matches!(status, Some(Ok(_))) {
            self.unfinished.remove(&managed.name);
        }
        let is_unread = matches!(status, Some(Err(_)));
        if let Some(found) = &found {
            self.tell_outlook(found);
        }
        let now = self.now();
        let here = managed.now().unwrap_or_default();
        let Some(known) = self.roster.get_mut(&name).filter(|known| known.managed.subject == managed.subject) else {
            return;
        };
        known.exit = result.as_ref().map_or(Exit::Success, Outcomes::exit);
        let again = again(result.as_ref(), is_unread, parked.is_some(), here);
        let failed_before = known.failures;
        known.failures = again.failures(failed_before);
        known.not_before = now.saturating_add(match again {
            Again::Planned | Again::NextStart => Duration::ZERO,
            Again::At(at) => until(at, here),
            // Its own count began with this process; the failures before it count as well.
            Again::Retries(at) => pause(Backoff::RETRY, known.failures, &name.to_string()).max(until(at, here)),
            Again::Failed => pause(NEXT_TURN, known.failures, &name.to_string()).max(asked_for(result.as_ref(), here)),
        });
        let attempts = known.attempts(here, now);
        if is_ordered && !matches!(result, Some(Outcomes::Unfinished { .. })) {
            // That turn was another's: whoever waits has not had one yet.
            known.not_before = now;
        }
        known.asked = known.asked.take().filter(|_| matches!(result, Some(Outcomes::Unfinished { .. })));
        known.parked = parked.filter(|_| Arc::ptr_eq(&known.managed.tenant, &managed.tenant));
        match &found {
            _ if known.parked.is_some() => known.plan_parked(now),
            _ if known.asked.is_some() || is_ordered => known.plan_asked(now),
            Some(found) => known.plan(found, now),
            // It goes on under another tenant's durations, from what a fresh look shows.
            None => self.read_again(|(tenant, _)| *tenant == lane.tenant),
        }
        self.enqueue(&name);
        if attempts.map_or(0, |attempts| attempts.failures) != failed_before {
            self.keep_attempts(&managed, attempts);
        }
    }

    /// What a turn showed that matters for when others may begin; `began_nothing` is when it began, if nothing was to be done.
    fn tell_pace(&mut self, managed: &Managed, began_nothing: Option<Timestamp>, found: Option<&Surveyed>) {
        if let Some(began) = began_nothing {
            self.pace.did_nothing(&managed.name, &managed.managing.rule.policy.name, began);
        }
        if let Some(found) = found {
            self.note_rotated(found, self.now());
        }
    }

    /// Puts an account where its plan says.
    pub(super) fn enqueue(&mut self, name: &AccountName) {
        let Some((name, known)) = self.roster.entry(name) else { return };
        if self.running.contains_key(name) {
            return;
        }
        match known.plan {
            Some(plan) => self.queue.put(name, &known.line(plan.rank.class, self.now()), plan.rank, plan.not_before),
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
    /// When the rotation itself wants to try once more, in the gateway's time.
    Retries(Timestamp),
    /// Later and later.
    Failed,
    /// By another process: this one ends.
    NextStart,
}

impl Again {
    /// Turns in a row that did not end well, this one among them. One that waits or was interrupted has neither failed nor
    /// succeeded.
    const fn failures(self, before: u32) -> u32 {
        match self {
            Self::Retries(_) | Self::Failed => before.saturating_add(1),
            Self::At(_) | Self::NextStart => before,
            Self::Planned => 0,
        }
    }
}

fn until(at: Timestamp, here: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(here)).unwrap_or_default()
}

/// How long the protocol itself wants to wait: a doubtful write must be seen by readers before it is settled, say.
fn asked_for(result: Option<&Outcomes>, here: Timestamp) -> Duration {
    match result {
        Some(Outcomes::Unfinished { until: at, .. }) => until(*at, here),
        _ => Duration::ZERO,
    }
}

fn again(result: Option<&Outcomes>, is_unread: bool, is_parked: bool, here: Timestamp) -> Again {
    match result {
        None if is_unread => Again::Failed,
        None | Some(Outcomes::Rotated | Outcomes::RotatedElsewhere | Outcomes::Paused { .. }) => Again::Planned,
        Some(Outcomes::Interrupted { .. }) => Again::NextStart,
        Some(Outcomes::Unfinished { waits_for: Waiting::Fence | Waiting::Rate | Waiting::Spacing, until, .. }) => {
            Again::At(*until)
        }
        // The rotation itself backs off, as long as it is remembered.
        Some(Outcomes::Unfinished { until, .. }) if is_parked && *until > here => Again::Retries(*until),
        _ => Again::Failed,
    }
}
