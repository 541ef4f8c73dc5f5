//! What people have paused, as the engine sees it: whoever begins something asks the journal first, since other processes
//! pause too.

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::json;

use super::accounts::Managed;
use super::drive::Order;
use super::survey::Surveyed;
use super::world::World;
use crate::domain::rotation::Goal;
use crate::domain::schedule::pause::{Paused, Pauses, Target};
use crate::ports::observer::Fact;

/// The pauses as they were last known, for a journal that cannot tell: a disk in trouble is no reason to rotate what
/// somebody has paused. Before it has told anything, everything may be.
#[derive(Debug, Default)]
pub struct LastPauses(Mutex<Option<Arc<Pauses>>>);

impl LastPauses {
    fn keep(&self, pauses: &Arc<Pauses>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(pauses));
    }

    fn known(&self, now: Timestamp) -> Arc<Pauses> {
        let everything = || Paused {
            target: Target::Everything,
            since: now,
            until: None,
            cause: json!({ "by": "the journal, which cannot tell what is paused" }),
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.get_or_insert_with(|| Arc::new([everything()].into_iter().collect())))
    }
}

/// Accounts that somebody wants to be rotated, by what pauses leave of that.
#[derive(Default)]
pub struct Parted {
    /// Nothing holds them.
    pub free: Vec<Managed>,
    /// A pause holds them, and a rotation of theirs is unfinished, or may be: it is finished, and nothing begun
    /// (`protocol.md`, rule 12).
    pub unfinished: Vec<Managed>,
    /// A pause holds them, and nothing is unfinished.
    pub held: Vec<(Managed, Paused)>,
}

impl World {
    /// Every pause, as the journal tells it now; as it was last known when the journal cannot tell, and of everything when it
    /// never could.
    pub async fn pauses(&self) -> Arc<Pauses> {
        match self.journal.pauses().await {
            Ok(pauses) => {
                self.last_pauses.keep(&pauses);
                pauses
            }
            Err(error) => {
                self.note(&Fact::PausesUnknown { error: &error.to_string() });
                self.last_pauses.known(self.clock.wall())
            }
        }
    }

    /// Parts accounts by whether a pause holds them now.
    pub async fn part_by_pauses(&self, accounts: Vec<Managed>) -> Parted {
        let known = self.pauses().await;
        let (held, free) = accounts.into_iter().partition(|managed| managed.held(&known).is_some());
        let mut parted = Parted { free, ..Parted::default() };
        if held.is_empty() {
            return parted;
        }
        for Surveyed { managed, status, paused, .. } in self.survey(held).await {
            match (paused, status) {
                (None, _) => parted.free.push(managed),
                (Some(paused), Ok(status)) if !status.unfinished => parted.held.push((managed, paused)),
                // Of a secret that cannot be read it is not known.
                (Some(_), _) => parted.unfinished.push(managed),
            }
        }
        parted
    }

    /// What pauses leave of an order when its turn comes: hours may have passed since it was given, and somebody may have
    /// paused to stop just that. The pause, when it leaves nothing.
    pub(super) async fn under_pauses(&self, managed: &Managed, order: Order) -> Result<Order, Box<Paused>> {
        if order.goal != Goal::Rotate || order.despite_pause {
            return Ok(order);
        }
        let Parted { unfinished, held, .. } = self.part_by_pauses(vec![managed.clone()]).await;
        match held.into_iter().next() {
            Some((_, paused)) => Err(Box::new(paused)),
            None if unfinished.is_empty() => Ok(order),
            None => Ok(Order { goal: Goal::Finish, ..order }),
        }
    }
}

impl Managed {
    /// The pause that holds the account now, in its gateway's time.
    #[must_use]
    pub fn held<'p>(&self, pauses: &'p Pauses) -> Option<&'p Paused> {
        pauses.holds(&self.name.tenant, &self.subject, self.now().unwrap_or_default())
    }
}
