//! What the engine does when it is called from outside.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{Engine, Schedule};
use crate::domain::account::AccountName;
use crate::domain::exit::Exit;
use crate::engine::accounts::Managed;
use crate::engine::batch::{BadName, choose_one};
use crate::engine::calls::{Asked, Call};
use crate::engine::drive::Order;
use crate::engine::orders::Placed;
use crate::engine::report::{Outcomes, Report};
use crate::engine::world::World;

impl Engine {
    pub(super) fn called(&mut self, call: Call) {
        match call {
            Call::Look => self.pauses.look_now(),
            Call::Relist => self.read_again(|_| true),
            Call::Reload(world) => self.reload(world),
            Call::Order(orders, reports) => self.ordered(orders, &reports),
            Call::Rotate(names, asked, answer) => self.asked(&names, &asked, answer),
        }
    }

    /// Goes on with another world. What is under way ends in the one in which it began.
    fn reload(&mut self, world: Arc<World>) {
        let before = std::mem::replace(&mut self.world, world);
        self.epoch += 1;
        self.errands.clear();
        self.past.forget_errand();
        self.pace = std::mem::take(&mut self.pace).under(self.world.limits());
        self.pauses.forget_errand();
        let sources = self.world.kinds();
        let same = |name: &str| match (before.tenants.get(name), self.world.tenants.get(name)) {
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            _ => false,
        };
        self.roster.lists.retain(|source, _| sources.contains(source) && same(&source.0));
        self.schedules = sources.into_iter().map(|source| (source, Schedule::default())).collect();
        self.probes.clear();
        self.rematch();
        self.has_news = true;
    }

    fn ordered(&mut self, orders: Vec<(Managed, Order, CancellationToken)>, reports: &mpsc::UnboundedSender<Report>) {
        let now = self.now();
        for (managed, order, unwanted) in orders {
            if !self.is_in_force(&managed) {
                // Whoever asked may have gone.
                let _ = reports.send(out_of_force(&managed));
                continue;
            }
            let (name, is_new) = self.roster.admit(&managed);
            if is_new {
                // Whoever asked has seen it, and the next list will show it too.
                self.read_again(|source| *source == (managed.name.tenant.clone(), managed.name.kind));
            }
            let reports = reports.clone();
            self.orders.place(&name, Placed { order, reports, unwanted, has_turn: false });
            self.plan_ordered(&name, now);
        }
        self.has_news = true;
    }

    /// Whether an account is what the configuration says now. Whoever looked it up before a reload may mean another secret, and
    /// a password that is set there would be missing where services read it.
    fn is_in_force(&self, managed: &Managed) -> bool {
        self.world.rules.iter().any(|rule| Arc::ptr_eq(rule, &managed.managing)) || self.roster.knows(managed)
    }

    /// Gives an account that somebody waits for its turn as soon as it may have one.
    pub(super) fn plan_ordered(&mut self, name: &AccountName, now: Duration) {
        let Some(known) = self.roster.get_mut(name) else { return };
        known.not_before = now;
        if known.parked.is_none() {
            known.plan_asked(now);
        } else {
            known.plan_parked(now);
        }
        self.enqueue(name);
    }

    fn asked(&mut self, names: &[String], asked: &Asked, answer: oneshot::Sender<Result<Vec<AccountName>, BadName>>) {
        let everyone = || self.roster.iter().map(|(name, known)| (name.as_ref(), known.managed.secret.as_str()));
        let chosen: Result<Vec<AccountName>, BadName> = names.iter().map(|name| choose_one(name, everyone())).collect();
        let now = self.now();
        for name in chosen.iter().flatten() {
            let Some(known) = self.roster.get_mut(name) else { continue };
            (known.asked, known.not_before) = (Some(asked.clone()), now);
            if known.parked.is_none() {
                known.plan_asked(now);
            } else {
                known.plan_parked(now);
            }
            self.enqueue(name);
        }
        // Whoever asked may have gone.
        let _ = answer.send(chosen);
    }
}

fn out_of_force(managed: &Managed) -> Report {
    let reason = "the configuration was replaced while this was asked for; nothing was done: ask again".to_owned();
    let result = Outcomes::Failed { reason, exit: Exit::Temporary };
    Report { account: managed.name.clone(), secret: Some(managed.secret.clone()), result }
}
