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
    pub(super) fn names(&mut self) -> Vec<Arc<AccountName>> {
        self.0.retain(|_, placed| {
            placed.retain(|placed| placed.has_turn || !placed.unwanted.is_cancelled());
            !placed.is_empty()
        });
        self.0.keys().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;
    use crate::domain::account::Kind;
    use crate::domain::cause::Cause;
    use crate::domain::exit::Exit;
    use crate::domain::rotation::{Insistence, Waiting};

    fn name() -> Arc<AccountName> {
        Arc::new(AccountName { tenant: "t".to_owned(), kind: Kind::SubAccount, name: "a".to_owned() })
    }

    fn place(orders: &mut Orders, goal: Goal) -> (UnboundedReceiver<Report>, CancellationToken) {
        let (reports, reported) = unbounded_channel();
        let unwanted = CancellationToken::new();
        let order = Order { goal, insists: Insistence::Hold, despite_pause: false, cause: Cause::STARTUP };
        orders.place(&name(), Placed { order, reports, unwanted: unwanted.clone(), has_turn: false });
        (reported, unwanted)
    }

    fn ends(orders: &mut Orders, result: Outcomes) {
        let report = Report { account: name().as_ref().clone(), secret: None, result };
        orders.tell(&name(), Some(&report));
    }

    fn unfinished() -> Outcomes {
        let reason = String::new();
        Outcomes::Unfinished { waits_for: Waiting::Fence, reason, until: Timestamp::MAX, pending: true }
    }

    fn heard(reported: &mut UnboundedReceiver<Report>) -> Vec<&'static str> {
        std::iter::from_fn(|| reported.try_recv().ok()).map(|report| report.result.label()).collect()
    }

    #[test]
    fn an_order_has_turns_until_it_is_done_and_tells_of_each() {
        let mut orders = Orders::default();
        let (mut reported, _) = place(&mut orders, Goal::Rotate);
        for result in [unfinished(), unfinished(), Outcomes::Rotated] {
            assert!(orders.give_turn(&name()).is_some());
            ends(&mut orders, result);
        }
        assert_eq!(heard(&mut reported), ["unfinished", "unfinished", "rotated"]);
        assert!(orders.give_turn(&name()).is_none() && orders.names().is_empty());
    }

    #[test]
    fn a_failure_ends_it() {
        let mut orders = Orders::default();
        let (mut reported, _) = place(&mut orders, Goal::Rotate);
        orders.give_turn(&name());
        ends(&mut orders, Outcomes::Failed { reason: String::new(), exit: Exit::Internal });
        assert_eq!((heard(&mut reported), orders.wait(&name())), (vec!["failed"], false));
    }

    #[test]
    fn a_turn_of_the_daemons_own_counts_only_when_it_rotated() {
        let mut orders = Orders::default();
        let (mut reported, _) = place(&mut orders, Goal::Rotate);
        orders.tell(&name(), None);
        ends(&mut orders, unfinished());
        ends(&mut orders, Outcomes::nothing_unfinished());
        assert_eq!((heard(&mut reported), orders.wait(&name())), (vec![], true));
        ends(&mut orders, Outcomes::RotatedElsewhere);
        assert_eq!((heard(&mut reported), orders.wait(&name())), (vec!["rotated elsewhere"], false));
        // A rollback is no rotation.
        let (mut reported, _) = place(&mut orders, Goal::Rollback);
        ends(&mut orders, Outcomes::Rotated);
        assert_eq!((heard(&mut reported), orders.wait(&name())), (vec![], true));
    }

    #[test]
    fn what_nobody_wants_any_more_has_no_turn() {
        let mut orders = Orders::default();
        let (mut reported, unwanted) = place(&mut orders, Goal::Rotate);
        unwanted.cancel();
        assert!(!orders.wait(&name()) && orders.give_turn(&name()).is_none() && orders.names().is_empty());
        // Only a turn that was given already is told of.
        let (mut second, unwanted) = place(&mut orders, Goal::Finish);
        assert_eq!(orders.give_turn(&name()).map(|order| order.goal), Some(Goal::Finish));
        unwanted.cancel();
        ends(&mut orders, unfinished());
        assert_eq!((heard(&mut reported), heard(&mut second)), (vec![], vec!["unfinished"]));
        assert!(orders.give_turn(&name()).is_none());
    }

    #[test]
    fn orders_for_one_account_have_turns_one_after_the_other() {
        let mut orders = Orders::default();
        let (mut first, _) = place(&mut orders, Goal::Finish);
        let (mut second, _) = place(&mut orders, Goal::Rotate);
        assert_eq!(orders.give_turn(&name()).map(|order| order.goal), Some(Goal::Finish));
        ends(&mut orders, Outcomes::nothing_unfinished());
        assert_eq!((heard(&mut first), heard(&mut second)), (vec!["skipped"], vec![]));
        assert_eq!(orders.give_turn(&name()).map(|order| order.goal), Some(Goal::Rotate));
    }
}
