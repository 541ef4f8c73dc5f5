//! What people pause while the engine runs.
//!
//! A turn looks for itself whether it is paused, so that nothing here keeps anything from beginning. What is noticed here is
//! that plans are out of date: what was resumed may be due. The journal is looked at when the engine is awake anyway, and
//! whoever changes a pause in this process wakes it.

use std::sync::Arc;
use std::time::Duration;

use super::Engine;
use crate::domain::schedule::pause::{Pauses, Target};
use crate::engine::errands;
use crate::ports::observer::Fact;

/// How often they are looked at while the engine is awake.
const LOOK: Duration = Duration::from_mins(1);

/// What is known of them.
#[derive(Default)]
pub(super) struct Watched {
    /// Those that held, as it was told; none before the first look.
    told: Option<Pauses>,
    /// When they are looked at next, since boot.
    next: Duration,
    is_under_way: bool,
}

impl Watched {
    /// Somebody says that there is news.
    pub(super) const fn look_now(&mut self) {
        self.next = Duration::ZERO;
    }

    /// The look that is under way will not come back.
    pub(super) const fn forget_errand(&mut self) {
        self.is_under_way = false;
        self.look_now();
    }
}

impl Engine {
    /// Begins a look, when it is time for one.
    pub(super) fn begin_to_look_at_pauses(&mut self, now: Duration) {
        if self.pauses.is_under_way || now < self.pauses.next {
            return;
        }
        self.pauses.is_under_way = true;
        self.pauses.next = now.saturating_add(LOOK);
        let (epoch, look) = (self.epoch, errands::pauses(Arc::clone(&self.world)));
        self.errands.push(Box::pin(async move { (epoch, look.await) }));
    }

    /// Tells what is paused and what is not any more, and has the accounts of both looked up again.
    pub(super) fn paused(&mut self, pauses: &Pauses) {
        self.pauses.is_under_way = false;
        let wall = self.world.clock.wall();
        let holding: Pauses = pauses.holding(wall).cloned().collect();
        let is_first = self.pauses.told.is_none();
        let told = self.pauses.told.replace(holding.clone()).unwrap_or_default();
        for target in holding.differs_from(&told) {
            match holding.of(target, wall) {
                Some(pause) => self.world.note(&Fact::Paused { pause }),
                None => self.world.note(&Fact::Resumed { target }),
            }
            // What is looked up for the first time is looked up with its pauses.
            if !is_first {
                self.look_up_again(target);
            }
        }
    }

    /// Has the lists of what was paused or resumed read again; one that is being read now may have been read before the change.
    fn look_up_again(&mut self, target: &Target) {
        for ((tenant, kind), schedule) in &mut self.schedules {
            let is_meant = match target {
                Target::Account { account, .. } => account.tenant == *tenant && account.kind == *kind,
                Target::Tenant { tenant: paused } => paused == tenant,
                Target::Everything => true,
            };
            if is_meant {
                schedule.is_stale = schedule.under_way;
                schedule.next = Duration::ZERO;
            }
        }
    }
}
