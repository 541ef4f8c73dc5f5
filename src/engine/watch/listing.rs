//! The engine's errands: when accounts are listed and surveyed, and stopped tenants probed; and what follows from it.

use std::sync::Arc;
use std::time::Duration;

use super::outlook::left_alone;
use super::{Engine, NEXT_TURN, Schedule, pause};
use crate::domain::backoff::Backoff;
use crate::domain::exit::Exit;
use crate::engine::accounts::{Failure, Listed, Told};
use crate::engine::errands::{self, Errand, Source};
use crate::engine::report::provider_exit;
use crate::engine::survey::Surveyed;
use crate::ports::observer::Fact;

impl Engine {
    /// Begins the errands whose time has come; says when the next one's comes.
    pub(super) fn begin_errands(&mut self, now: Duration) -> Option<Duration> {
        self.begin_to_look_at_pauses(now);
        let mut next = self.begin_to_remember(now);
        for (name, tenant) in &self.world.tenants {
            if tenant.stopped.why().is_some() {
                self.probes.entry(name.clone()).or_insert((0, Some(now)));
            }
        }
        for (source, schedule) in self.schedules.iter_mut().filter(|(_, schedule)| !schedule.under_way) {
            if self.probes.contains_key(&source.0) {
                continue;
            }
            if schedule.next <= now {
                schedule.under_way = true;
                let (epoch, listing) = (self.epoch, errands::list(Arc::clone(&self.world), source.clone()));
                self.errands.push(Box::pin(async move { (epoch, listing.await) }));
            } else {
                next = next.into_iter().chain([schedule.next]).min();
            }
        }
        for (name, (_, at)) in &mut self.probes {
            let Some(due) = *at else { continue };
            if due <= now {
                *at = None;
                let (epoch, probing) = (self.epoch, errands::probe(Arc::clone(&self.world), name.clone()));
                self.errands.push(Box::pin(async move { (epoch, probing.await) }));
            } else {
                next = next.into_iter().chain([due]).min();
            }
        }
        next
    }

    pub(super) fn came_back(&mut self, epoch: u64, errand: Errand) {
        if epoch != self.epoch {
            return;
        }
        if let Errand::Pauses(pauses) = &errand {
            return self.paused(pauses);
        }
        self.has_news = true;
        match errand {
            Errand::Listed(source, Ok(listed)) => self.listed(&source, *listed),
            Errand::Listed(source, Err(failure)) => self.unlisted(&source, failure),
            Errand::Remembered(begun) => self.remembered(begun),
            Errand::Surveyed(source, found) => self.surveyed(&source, &found),
            Errand::Probed(tenant, true) => {
                if let Some(tenant) = self.world.tenants.get(&tenant) {
                    tenant.stopped.release();
                }
                self.tell_release(&tenant);
                self.probes.remove(&tenant);
                self.read_again(|(of, _)| *of == tenant);
            }
            // Told above.
            Errand::Pauses(_) => {}
            Errand::Probed(tenant, false) => {
                let now = self.now();
                if let Some((failures, at)) = self.probes.get_mut(&tenant) {
                    *failures = failures.saturating_add(1);
                    *at = Some(now.saturating_add(pause(NEXT_TURN, *failures, &tenant)));
                }
            }
        }
    }

    fn listed(&mut self, source: &Source, mut listed: Listed) {
        if listed.expiration == Told::Unheard {
            // The shortest expiration that there is would make whole tenants due because one answer was lost.
            let Some(before) = self.roster.lists.get(source) else {
                return self.read_later(source, Some(Exit::Unavailable), true);
            };
            listed.expiration = before.expiration;
        }
        let is_news = self.roster.lists.get(source).is_none_or(|before| !before.says_the_same(&listed));
        self.roster.lists.insert(source.clone(), listed);
        if self.schedules.get(source).is_some_and(|schedule| schedule.missing.is_some()) {
            // A provider that is back is back for its other kinds of account as well.
            self.read_again(|(tenant, _)| *tenant == source.0);
        }
        if is_news {
            self.rematch();
        }
        let survey = errands::survey(Arc::clone(&self.world), source.clone(), self.roster.of(source));
        let epoch = self.epoch;
        self.errands.push(Box::pin(async move { (epoch, survey.await) }));
    }

    /// Matches lists and rules anew: accounts come and go.
    pub(super) fn rematch(&mut self) {
        let (gone, discovery) = self.roster.rematch(&self.world);
        for name in &gone {
            self.queue.remove(name);
        }
        let now = self.now();
        for name in self.orders.names() {
            // What was known of it may have gone with a list, and come again.
            if self.roster.get(&name).is_some_and(|known| known.plan.is_none()) {
                self.plan_ordered(&name, now);
            }
        }
        self.has_conflicts = !discovery.conflicts.is_empty();
        self.left_alone = left_alone(&discovery);
        for problem in &discovery.conflicts {
            self.world.note(&Fact::Conflict { problem: &problem.to_string() });
        }
        for (managed, standing) in &discovery.skipped {
            self.world.note(&Fact::Skipped { account: &managed.name, why: &standing.to_string() });
        }
    }

    fn unlisted(&mut self, source: &Source, failure: Failure) {
        let exit = provider_exit(&failure.error);
        if !self.roster.lists.contains_key(source) {
            let promoting = errands::promote(Arc::clone(&self.world), failure, self.patience());
            self.turns.push(Box::pin(async move {
                promoting.await;
                None
            }));
        }
        self.read_later(source, Some(exit), true);
    }

    fn surveyed(&mut self, source: &Source, found: &[Surveyed]) {
        let now = self.now();
        for surveyed in found {
            self.note_rotated(surveyed, now);
            let name = &surveyed.managed.name;
            let is_unfinished = surveyed.status.as_ref().is_ok_and(|status| status.unfinished);
            let Some(known) = self
                .roster
                .get_mut(name)
                .filter(|known| known.parked.is_none() && known.asked.is_none() && !self.orders.wait(name))
            else {
                continue;
            };
            if self.running.contains_key(name) {
                // Its turn sees more than a list does.
                continue;
            }
            if is_unfinished {
                self.unfinished.insert(name.clone());
            } else if surveyed.status.is_ok() {
                self.unfinished.remove(name);
            }
            known.take_over(surveyed.attempts, now, self.inherited);
            known.plan(surveyed, now);
            self.enqueue(name);
        }
        self.tell_changed_expirations(source, found);
        self.tell_outlooks(source, found);
        let has_unread = found.iter().any(|surveyed| surveyed.status.is_err());
        self.read_later(source, None, has_unread);
    }

    /// Sets when a list is read again.
    fn read_later(&mut self, source: &Source, missing: Option<Exit>, has_failed: bool) {
        let (now, seed) = (self.now(), format!("{}/{}", source.0, source.1));
        let Some(schedule) = self.schedules.get_mut(source) else { return };
        let failures = if has_failed { schedule.failures.saturating_add(1) } else { 0 };
        let pause = match failures {
            _ if schedule.is_stale => Duration::ZERO,
            0 => pause(Backoff { floor: self.relist, cap: self.relist }, 1, &seed),
            failures => pause(NEXT_TURN, failures, &seed),
        };
        *schedule = Schedule {
            next: now.saturating_add(pause),
            failures,
            under_way: false,
            is_tried: true,
            missing,
            is_stale: false,
        };
    }

    /// Has lists read again at once.
    pub(super) fn read_again(&mut self, which: impl Fn(&Source) -> bool) {
        for (source, schedule) in &mut self.schedules {
            if which(source) {
                schedule.next = Duration::ZERO;
            }
        }
    }
}
