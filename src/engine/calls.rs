//! What wakes the engine from outside: the cron trigger, signals, a changed configuration, a person.
//!
//! A wake-up means "look", never "rotate": only [`Caller::rotate`] asks for that, by name.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::accounts::Managed;
use super::batch::BadName;
use super::drive::Order;
use super::report::Report;
use super::world::World;
use crate::domain::account::AccountName;
use crate::domain::cause::Cause;

/// Calls that may wait unheard; more of them say nothing new.
const MOST_UNHEARD: usize = 64;

/// What the engine is told.
pub(super) enum Call {
    /// Look at the clocks, one of which may have been stopped or set, and at what is paused.
    Look,
    /// List every account anew.
    Relist,
    /// Go on with another world.
    Reload(Arc<World>),
    /// Rotate these now, and report on each turn, until nobody wants that any more.
    Order(Vec<(Managed, Order, CancellationToken)>, mpsc::UnboundedSender<Report>),
    /// Rotate these now.
    Rotate(Vec<String>, Asked, oneshot::Sender<Result<Vec<AccountName>, BadName>>),
}

/// A rotation that a person asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Who asks.
    pub cause: Cause,
    /// Whether it begins although a pause holds the account.
    pub despite_pause: bool,
}

/// Whoever calls the engine.
#[derive(Clone)]
pub struct Caller(mpsc::Sender<Call>);

/// The engine's end.
pub struct Calls(mpsc::Receiver<Call>);

/// The engine has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the daemon is ending")]
pub struct Ended;

/// A line to the engine.
#[must_use]
pub fn line() -> (Caller, Calls) {
    let (sender, receiver) = mpsc::channel(MOST_UNHEARD);
    (Caller(sender), Calls(receiver))
}

impl Caller {
    /// Makes the engine look at its clocks, and at the pauses, which whoever has changed one here need not wait for. Never waits: when so many calls are unheard, it is about to look anyway.
    pub fn look(&self) {
        let _ = self.0.try_send(Call::Look);
    }

    /// Makes the engine list every account anew.
    pub async fn relist(&self) -> Result<(), Ended> {
        self.0.send(Call::Relist).await.map_err(|_| Ended)
    }

    /// Makes the engine go on with another world. What is under way ends in the one in which it began, and nothing is
    /// rotated because of it.
    pub async fn reload(&self, world: Arc<World>) -> Result<(), Ended> {
        self.0.send(Call::Reload(world)).await.map_err(|_| Ended)
    }

    /// Has accounts rotated now, due or not, at their tenants' pace, because of whoever asks; answers which ones are meant.
    pub async fn rotate(&self, names: Vec<String>, asked: Asked) -> Result<Result<Vec<AccountName>, BadName>, Ended> {
        let (answer, answered) = oneshot::channel();
        self.0.send(Call::Rotate(names, asked, answer)).await.map_err(|_| Ended)?;
        answered.await.map_err(|_| Ended)
    }
}

impl Caller {
    /// Places orders; the reports come as turns end. An order whose token is cancelled gets no further turn.
    pub(super) async fn order(
        &self,
        orders: Vec<(Managed, Order, CancellationToken)>,
    ) -> Result<mpsc::UnboundedReceiver<Report>, Ended> {
        let (reports, reported) = mpsc::unbounded_channel();
        self.0.send(Call::Order(orders, reports)).await.map_err(|_| Ended)?;
        Ok(reported)
    }
}

impl Calls {
    /// The next call; none when nobody can call any more.
    pub(super) async fn next(&mut self) -> Option<Call> {
        self.0.recv().await
    }
}
