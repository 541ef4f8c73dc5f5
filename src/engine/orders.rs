//! What people asked for and wait to hear of, by account: the daemon's own turns go on beside it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::drive::Order;
use super::report::{Outcomes, Report};
use crate::domain::account::AccountName;
use crate::domain::rotation::Goal;

/// An order that waits for its turn, or has it.
pub(super) struct Placed {
    pub(super) order: Order,
    /// Hears of every turn that it has.
    pub(super) reports: UnboundedSender<Report>,
    /// Cancelled when nobody wants it any more. What it has begun goes on all the same.
    pub(super) unwanted: CancellationToken,
    /// Whether the turn that is under way is its own.
    pub(super) has_turn: bool,
}

/// The orders of all accounts, each account's one after the other.
#[derive(Default)]
pub(super) struct Orders(HashMap<Arc<AccountName>, VecDeque<Placed>>);

impl Orders {
    pub(super) fn place(&mut self, name: &Arc<AccountName>, placed: Placed) {
        self.0.entry(Arc::clone(name)).or_default().push_back(placed);
    }

    /// Whether somebody waits for a turn of this account.
    pub(super) fn wait(&self, name: &AccountName) -> bool {
        self.0.get(name).is_some_and(|placed| placed.iter().any(|placed| !placed.unwanted.is_cancelled()))
    }

    /// Gives the turn that begins now to the order that is next, if there is one.
    pub(super) fn give_turn(&mut self, name: &AccountName) -> Option<Order> {
        let placed = self.0.get_mut(name)?;
        placed.retain(|placed| !placed.unwanted.is_cancelled());
        let next = placed.front_mut()?;
        next.has_turn = true;
        Some(next.order.clone())
    }

    /// Tells whoever waits how a turn ended. An order goes on with another turn while it is unfinished. A rotation that somebody
    /// else's turn brought to its end after the order was placed is what was asked for as well.
    pub(super) fn tell(&mut self, name: &AccountName, report: Option<&Report>) {
        let Some(placed) = self.0.get_mut(name) else { return };
        placed.retain_mut(|placed| {
            let had_turn = std::mem::take(&mut placed.has_turn);
            let Some(report) = report else { return true };
            let is_done = matches!(report.result, Outcomes::Rotated | Outcomes::RotatedElsewhere);
            let serves = had_turn || (is_done && placed.order.goal != Goal::Rollback);
            if !serves {
                return true;
            }
            // Whoever asked may have gone.
            let _ = placed.reports.send(report.clone());
            matches!(report.result, Outcomes::Unfinished { .. })
        });
        if placed.is_empty() {
            self.0.remove(name);
        }
    }

    /// Accounts that somebody waits for.
    pub(super) fn names(&self) -> Vec<Arc<AccountName>> {
        self.0.keys().cloned().collect()
    }
}
