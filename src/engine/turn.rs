//! One account's turn, from a fresh look at its secret to what is known of it afterwards.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::accounts::Managed;
use super::calls::Asked;
use super::drive::{Ended, Order, Parked, Patience, Start};
use super::report::{Outcomes, Report};
use super::survey::Surveyed;
use super::world::World;
use crate::domain::backoff::Backoff;
use crate::domain::due::{Due, Reason, Why};
use crate::domain::plan::Terms;
use crate::domain::rotation::{Goal, Insistence, Waiting};
use crate::domain::schedule::pause::Paused;
use crate::ports::observer::{DueBy, Fact};

/// What gives an account its turn.
pub(super) enum Occasion {
    /// An earlier turn stopped.
    Parked(Box<Parked>),
    /// Its time has come, as was known when it was planned.
    Planned,
    /// A person asked for it, and waits to hear of it.
    Ordered(Order),
    /// A person asked for it by its name.
    Asked(Asked),
}

/// What came of a turn.
pub(super) struct Turned {
    pub(super) managed: Arc<Managed>,
    /// None when nothing was to be done: somebody else did it, or what is due has changed.
    pub(super) report: Option<Report>,
    /// What to go on from.
    pub(super) parked: Option<Box<Parked>>,
    /// What is known now; none when the turn goes on.
    pub(super) known: Option<Surveyed>,
}

/// Gives an account its turn.
pub(super) async fn turn(world: Arc<World>, managed: Arc<Managed>, occasion: Occasion, patience: Patience) -> Turned {
    let found;
    let (start, due) = match occasion {
        Occasion::Parked(parked) => (Start::Parked(parked), None),
        Occasion::Ordered(order) => match world.under_pauses(&managed, order).await {
            Ok(order) => (Start::Afresh(order), None),
            Err(paused) => return held(&world, managed, &paused).await,
        },
        Occasion::Asked(Asked { cause, despite_pause }) => {
            let order = Order { goal: Goal::Rotate, insists: Insistence::Hold, despite_pause, cause };
            match world.under_pauses(&managed, order).await {
                Ok(order) => (Start::Afresh(order), None),
                Err(paused) => return held(&world, managed, &paused).await,
            }
        }
        // What was planned may be long ago, and another process at work on the same accounts.
        Occasion::Planned => {
            found = look(&world, &managed).await;
            match found.due {
                Some(Due::Now(Why { reason: Reason::Unfinished, .. })) => {
                    (Start::Afresh(Order::of_daemon(Goal::Finish)), None)
                }
                Some(Due::Now(why)) => (Start::Afresh(Order::of_daemon(Goal::Rotate)), due_by(&found, why)),
                _ => return Turned { managed, report: None, parked: None, known: Some(found) },
            }
        }
    };
    let (report, parked) = match &start {
        Start::Afresh(order @ Order { goal: Goal::Rotate, .. }) if let Some(until) = clocks_apart(&managed) => {
            (wait_for_clocks(&world, &managed, order, until).await, None)
        }
        _ => world.turn(&managed, (start, due), &patience).await,
    };
    let known = match &report.result {
        _ if parked.is_some() => None,
        Outcomes::Rotated | Outcomes::RotatedElsewhere => Some(rotated(&managed)),
        _ => Some(look(&world, &managed).await),
    };
    Turned { managed, report: Some(report), parked, known }
}

/// Why the rotation of an account begins that was found to be due.
fn due_by(found: &Surveyed, why: Why) -> Option<DueBy<'_>> {
    let (managed, facts) = (&found.managed, found.facts()?);
    let dates = facts.dates();
    let overdue = dates.and_then(|dates| dates.deadline).is_some_and(|deadline| Some(deadline) <= managed.now());
    let terms = Terms::All { first_run: facts.is_first_run(), overdue };
    let expires_at = dates.and_then(|dates| dates.expires_at);
    Some(DueBy { policy: &managed.managing.rule.policy.name, why, terms, expires_at })
}

async fn held(world: &World, managed: Arc<Managed>, paused: &Paused) -> Turned {
    let (account, secret) = (managed.name.clone(), Some(managed.secret.clone()));
    let report = Some(Report { account, secret, result: Outcomes::paused(paused) });
    let known = Some(look(world, &managed).await);
    Turned { managed, report, parked: None, known }
}

async fn look(world: &World, managed: &Managed) -> Surveyed {
    world.survey_one(managed.clone()).await
}

/// A list of secrets may be late (`protocol.md`, rule 15): what this process has just seen promoted it need not look up.
fn rotated(managed: &Managed) -> Surveyed {
    Surveyed::rotated(managed.clone(), managed.now().unwrap_or(Timestamp::MAX))
}

/// Nothing is applied while this machine's clock and the gateway's disagree (rule 8), so that nothing is begun either: a
/// clock that jumped stages nothing that it then could not finish. When to compare them again.
fn clocks_apart(managed: &Managed) -> Option<Timestamp> {
    let clock = managed.tenant.providers.get(&managed.subject.kind)?.clock();
    if clock.skew()?.abs() <= managed.tenant.gateway.max_clock_skew {
        return None;
    }
    Some(clock.now().checked_add(LATER.after(1, &managed.name.to_string())).unwrap_or(Timestamp::MAX))
}

async fn wait_for_clocks(world: &World, managed: &Managed, order: &Order, until: Timestamp) -> Report {
    let (account, secret, why) = (&managed.name, &managed.secret, Waiting::ClockSkew);
    world.record(&order.cause, &Fact::Waits { account, secret, why, until, detail: None }).await;
    let ended = Ended::Unfinished { why, until, detail: None, staged: false };
    world.report(managed, order.goal, &order.cause, ended).await
}

/// How much later the clocks are compared again.
const LATER: Backoff = Backoff { floor: SignedDuration::from_mins(1), cap: SignedDuration::from_mins(1) };
