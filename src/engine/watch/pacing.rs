//! Who may begin now, and who is held by what: one [`Pace`] for everything that begins here, the same as the plan's.
//!
//! ```text
//! the first of each line ─► slots? tenant? ─► its window still open? its line still right? ─► pace ─► begins
//!                             │ no             │ no: sorted anew, and the next is asked        │ held: its whole line waits
//!                             ▼                ▼                                               ▼ apart: it alone waits
//! ```
//!
//! The accounts of a line are held by the same limits, so that one question answers for all of them: ten thousand that wait
//! for a cap cost a wake-up no more than one.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Engine, NEXT_TURN, Schedule, pause};
use crate::domain::account::AccountName;
use crate::domain::audit::Beginning;
use crate::domain::plan::{DAY, Hold, Pace, Terms};
use crate::engine::errands::{self, Source};
use crate::engine::pace::{boot, happened, moment};
use crate::engine::queue::Class;
use crate::engine::roster::{Lane, Line, Roster};
use crate::engine::slots::Slots;
use crate::engine::survey::Surveyed;
use crate::engine::world::World;
use crate::ports::journal::JournalError;
use crate::ports::observer::Fact;

/// So many are sorted anew at one wake-up: a window that closes before thousands must not keep the heart from beating.
const AT_ONCE: usize = 500;

/// How it stands with the first of a line.
enum Answer {
    Begins,
    /// Something that will wake the engine by itself must end first.
    Waits,
    /// Its line is held until then, since boot.
    Held(Duration, Hold),
    /// It steps aside until then, since boot.
    Aside(Duration),
    /// It is sorted anew.
    Again,
}

/// What is held, and until when.
#[derive(Debug, Default)]
pub(super) struct Paced {
    /// When the first may begin that may not now, since boot.
    pub(super) next: Option<Duration>,
    /// Who that is; none when there is only more to do at once.
    pub(super) first: Option<Arc<AccountName>>,
    /// Whether a rate holds anybody: one look goes on until no rate does, and waits for no cap.
    pub(super) by_rate: bool,
}

impl Paced {
    fn hold(&mut self, until: Duration, name: &Arc<AccountName>, hold: &Hold) {
        self.by_rate |= matches!(hold, Hold::Tenant | Hold::Vault | Hold::CatchUp);
        if self.next.is_none_or(|next| until < next) {
            (self.next, self.first) = (Some(until), Some(Arc::clone(name)));
        }
    }
}

/// What is known of what had begun before this process did: what counts by the day counts after a restart too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Past {
    /// Nothing yet. The journal is asked at `next`, since boot, once a gateway has told the time: it is asked for the last day.
    Unknown { next: Duration, failures: u32 },
    /// The journal is being asked.
    Asked { failures: u32 },
    /// Everything.
    Known,
}

impl Default for Past {
    fn default() -> Self {
        Self::Unknown { next: Duration::ZERO, failures: 0 }
    }
}

impl Past {
    /// Whoever was asked will not answer.
    pub(super) fn forget_errand(&mut self) {
        if matches!(self, Self::Asked { .. }) {
            *self = Self::default();
        }
    }

    /// Whether accounts on these terms must wait until more is known. Nobody is urgent who is only taken over; but for what is
    /// overdue, a journal that cannot be read is no reason to wait.
    const fn keeps(self, terms: Terms) -> bool {
        match self {
            Self::Known => false,
            Self::Unknown { failures: 0, .. } | Self::Asked { failures: 0 } => {
                terms.is_first_run() || terms.catches_up()
            }
            Self::Unknown { .. } | Self::Asked { .. } => terms.is_first_run(),
        }
    }
}

/// What decides who may begin.
struct Gate<'e> {
    world: &'e World,
    roster: &'e Roster,
    slots: &'e Slots<Arc<Lane>>,
    pace: &'e Pace,
    past: Past,
    /// Whether every list was tried since the beginning, or is not read because its tenant is stopped: whoever is kept apart from
    /// somebody must know when that one was, and waits for nobody's keys.
    has_looked: bool,
    now: Duration,
}

impl Gate<'_> {
    fn ask(&self, line: &Line, class: Class, name: &AccountName) -> Answer {
        if !self.slots.may_run(&line.lane, class, self.roster.lanes()) {
            return Answer::Waits;
        }
        let (Class::Asked | Class::Rotate, Some(known)) = (class, self.roster.get(name)) else { return Answer::Begins };
        let tenant = self.world.tenants.get(&line.lane.tenant);
        if tenant.is_some_and(|tenant| tenant.stopped.why().is_some() || tenant.limit.is_awaited()) {
            return Answer::Waits;
        }
        let claim = known.claim(class, self.now);
        if claim.terms != line.terms || (class == Class::Rotate && known.missed_its_window()) {
            return Answer::Again;
        }
        if self.past.keeps(claim.terms) {
            return Answer::Waits;
        }
        if class == Class::Rotate && !claim.terms.catches_up() && !self.has_looked && self.pace.keeps_apart(name) {
            return Answer::Waits;
        }
        match self.pace.earliest(&claim, moment(self.now)) {
            (_, None) => Answer::Begins,
            (until, Some(Hold::Apart(_))) => Answer::Aside(boot(until)),
            (until, Some(hold)) => Answer::Held(boot(until), hold),
        }
    }
}

impl Engine {
    /// Begins the turns that may begin; says what is held.
    pub(super) fn begin_turns(&mut self, now: Duration) -> Paced {
        let is_looked_at =
            |(source, schedule): (&Source, &Schedule)| schedule.is_tried || self.probes.contains_key(&source.0);
        let has_looked = self.schedules.iter().all(is_looked_at);
        let mut sorted = 0;
        loop {
            self.queue.ripen(now);
            let (mut paced, mut aside) = (Paced::default(), Vec::new());
            let (world, roster, slots, pace) = (self.world.as_ref(), &self.roster, &self.slots, &self.pace);
            let gate = Gate { world, roster, slots, pace, past: self.past, has_looked, now };
            let taken = self.queue.take(|line, class, name| match gate.ask(line, class, name) {
                Answer::Begins => true,
                Answer::Waits => false,
                Answer::Held(until, hold) => {
                    paced.hold(until, name, &hold);
                    false
                }
                Answer::Aside(until) => {
                    aside.push((Arc::clone(name), Some(until)));
                    false
                }
                Answer::Again => {
                    aside.push((Arc::clone(name), None));
                    false
                }
            });
            sorted += aside.len();
            let is_settled = taken.is_none() && aside.is_empty();
            for (name, until) in aside {
                self.sort_again(&name, until, now);
            }
            if let Some((name, rank)) = taken {
                self.begin_turn(&name, rank.class, now);
            }
            if is_settled {
                return paced;
            }
            if sorted > AT_ONCE {
                return Paced { next: Some(now), first: None, by_rate: true };
            }
        }
    }

    /// Puts an account that has lost its place where it belongs now: no earlier than `until`, or wherever its windows say.
    fn sort_again(&mut self, name: &AccountName, until: Option<Duration>, now: Duration) {
        let Some(known) = self.roster.get_mut(name) else { return };
        match until {
            Some(until) => known.put_off(until, now),
            None if known.missed_its_window() => known.plan_again(now),
            None => {}
        }
        self.enqueue(name);
    }

    /// Has the journal asked what began in the last day, if that is not known; says when it is asked again.
    pub(super) fn begin_to_remember(&mut self, now: Duration) -> Option<Duration> {
        let Past::Unknown { next, failures } = self.past else { return None };
        if next > now {
            return Some(next);
        }
        let since = self.gateway_time()?.checked_sub(DAY).unwrap_or(Timestamp::MIN);
        self.past = Past::Asked { failures };
        let (epoch, asking) = (self.epoch, errands::remember(Arc::clone(&self.world), since));
        self.errands.push(Box::pin(async move { (epoch, asking.await) }));
        None
    }

    /// What any gateway tells of the time, since this machine's clock may be wrong; none before one was heard.
    fn gateway_time(&self) -> Option<Timestamp> {
        let mut providers = self.world.tenants.values().flat_map(|tenant| tenant.providers.values());
        providers.find_map(|provider| provider.clock().stamp())
    }

    pub(super) fn remembered(&mut self, begun: Result<Vec<Beginning>, JournalError>) {
        let now = self.now();
        match begun {
            Ok(begun) => {
                let here = self.gateway_time().unwrap_or_else(|| self.world.clock.wall());
                for begun in &begun {
                    begun.count(&mut self.pace, happened(begun.at, here, now));
                }
                self.past = Past::Known;
            }
            Err(error) => {
                let Past::Asked { failures } = self.past else { return };
                let failures = failures.saturating_add(1);
                self.past = Past::Unknown { next: now.saturating_add(pause(NEXT_TURN, failures, "journal")), failures };
                self.world.note(&Fact::PaceUnknown { error: &error.to_string() });
            }
        }
    }

    /// Takes note of when an account was rotated, if that matters to others, wherever that was.
    pub(super) fn note_rotated(&mut self, found: &Surveyed, now: Duration) {
        let managed = &found.managed;
        let changed = found.status.as_ref().ok().and_then(|status| status.last_changed);
        if let (Some(changed), Some(here)) = (changed.filter(|_| self.pace.counts(&managed.name)), managed.now()) {
            self.pace.rotated(&managed.name, happened(changed, here, now));
        }
    }
}
