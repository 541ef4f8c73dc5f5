//! Rotations in this process.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::{Rotations, Turned};
use crate::domain::account::AccountName;
use crate::domain::cause::Cause;
use crate::domain::rotation::{Goal, Insistence};
use crate::engine::accounts::Managed;
use crate::engine::batch::pacing;
use crate::engine::drive::{Order, Patience};
use crate::engine::report::{Outcomes, Report};
use crate::engine::world::World;

/// An account, ready to be rotated.
#[derive(Clone)]
pub struct Turn {
    /// The account.
    pub managed: Managed,
    /// Whether a candidate is pending that is older than the emergency. It is finished first, as every unfinished rotation is,
    /// and does not count.
    pub is_stale: bool,
}

/// Rotations in this process.
pub struct Here {
    /// Everything that they need.
    pub world: Arc<World>,
    /// The accounts, by their names.
    pub turns: HashMap<AccountName, Turn>,
    /// Whether they begin although a pause holds an account.
    pub despite_pause: bool,
    /// Who or what asked.
    pub cause: Cause,
    /// How long to go on trying what does not succeed at once, beside the time that the rates take.
    pub wait: Duration,
}

#[async_trait]
impl Rotations for Here {
    async fn rotate(&self, accounts: &[AccountName], halt: &CancellationToken, told: UnboundedSender<Turned>) {
        // Whoever listens ends after this does.
        let tell = |report: &Report| drop(told.send(Turned::from(report)));
        let turns = accounts.iter().filter_map(|name| self.turns.get(name));
        let (stale, mut fresh): (Vec<&Turn>, Vec<&Turn>) = turns.partition(|turn| turn.is_stale);
        let finished = self.batch(&stale, Goal::Finish, halt, |_| {}).await;
        for report in finished {
            match self.turns.get(&report.account) {
                Some(turn) if is_out_of_the_way(&report.result) => fresh.push(turn),
                _ => tell(&report),
            }
        }
        self.batch(&fresh, Goal::Rotate, halt, tell).await;
    }
}

impl Here {
    async fn batch(
        &self,
        turns: &[&Turn],
        goal: Goal,
        halt: &CancellationToken,
        each: impl Fn(&Report) + Send + Sync,
    ) -> Vec<Report> {
        let managed: Vec<Managed> = turns.iter().map(|turn| turn.managed.clone()).collect();
        let until = self.world.clock.boot().saturating_add(self.wait).saturating_add(pacing(&managed));
        let patience = Patience { until: Some(until), paced: true, only_hopeful: true, shutdown: halt.clone() };
        let (despite_pause, cause) = (self.despite_pause, self.cause.clone());
        let order = Order { goal, insists: Insistence::Spacing, despite_pause, cause };
        let orders = managed.into_iter().map(|managed| (managed, order.clone())).collect();
        self.world.rotate(orders, &patience, each).await
    }
}

/// Whether nothing is unfinished any more.
const fn is_out_of_the_way(result: &Outcomes) -> bool {
    matches!(result, Outcomes::Rotated | Outcomes::RotatedElsewhere | Outcomes::Skipped { .. })
}
