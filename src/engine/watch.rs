//! The daemon's work: for ever, rotate what is due and sleep until something may be.
//!
//! A wake-up, from whatever side, means "look again" and never "rotate": what is due follows from the vault alone, so a lost
//! tick loses nothing, a doubled one rotates nothing, and neither does a restart.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::drive::Patience;
use super::report::{Outcomes, Report};
use super::survey::Surveyed;
use super::world::World;
use crate::domain::account::AccountName;
use crate::domain::backoff::Backoff;
use crate::domain::due::{Due, Reason, Why, due};
use crate::domain::rotation::{Goal, Insistence, Waiting};
use crate::ports::observer::Fact;

/// The longest sleep between two looks, so that a lost trigger is harmless and new accounts are found.
const LONGEST_SLEEP: SignedDuration = SignedDuration::from_mins(10);
/// The shortest sleep between two looks.
const SHORTEST_SLEEP: SignedDuration = SignedDuration::from_secs(1);
/// How long one turn waits for an account before it makes room for others.
const TURN: Duration = Duration::from_secs(30);
/// How soon an unfinished account gets another turn.
const NEXT_TURN: Backoff = Backoff { floor: SignedDuration::from_secs(5), cap: SignedDuration::from_mins(15) };

/// What the daemon did, told at its end.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Summary {
    /// Rotations that ended well.
    pub rotated: u64,
    /// Accounts whose rotation goes on at the next start.
    pub unfinished: Vec<AccountName>,
    /// Kinds of account of which nothing is known, since they could not be listed at the last look, as `tenant/kind`.
    pub unlisted: Vec<String>,
    /// Accounts of which nothing is known, since their secrets could not be read at the last look.
    pub unread: Vec<AccountName>,
}

#[derive(Debug, Clone, Copy)]
struct Retry {
    failures: u32,
    not_before: Timestamp,
}

/// Runs until `shutdown`. `wake` makes it look again at once.
pub async fn watch(world: &Arc<World>, wake: &Notify, shutdown: &CancellationToken) -> Summary {
    let mut summary = Summary::default();
    let mut retries: HashMap<AccountName, Retry> = HashMap::new();
    let mut unlisted = 0_u32;
    while !shutdown.is_cancelled() {
        let Looked { next, saw_all } = look(world, shutdown, &mut retries, &mut summary).await;
        let now = world.clock.wall();
        unlisted = if saw_all { 0 } else { unlisted.saturating_add(1) };
        let again = (unlisted > 0).then(|| now.checked_add(NEXT_TURN.after(unlisted, "discovery")).ok()).flatten();
        let next = next.into_iter().chain(again).min();
        let pause = next.map_or(LONGEST_SLEEP, |at| at.duration_since(now)).clamp(SHORTEST_SLEEP, LONGEST_SLEEP);
        tokio::select! {
            () = world.clock.sleep(pause.unsigned_abs()) => {}
            () = wake.notified() => {}
            () = shutdown.cancelled() => {}
        }
    }
    summary
}

/// What one look came to.
struct Looked {
    /// When something is next to be done.
    next: Option<Timestamp>,
    /// Whether every kind of account could be listed, and every secret be read.
    saw_all: bool,
}

/// One look: discover, survey, rotate what is due.
async fn look(
    world: &Arc<World>,
    shutdown: &CancellationToken,
    retries: &mut HashMap<AccountName, Retry>,
    summary: &mut Summary,
) -> Looked {
    let discovery = async {
        release_tenants(world).await;
        world.settle_settings().await;
        world.discover().await
    };
    let discovery = tokio::select! {
        discovery = discovery => discovery,
        () = shutdown.cancelled() => return Looked { next: None, saw_all: false },
    };
    for problem in &discovery.conflicts {
        world.note(&Fact::Conflict { problem: &problem.to_string() });
    }
    for (managed, standing) in &discovery.skipped {
        world.note(&Fact::Skipped { account: &managed.name, why: &standing.to_string() });
    }
    let patience =
        Patience { until: None, turn: Some(TURN), paced: false, only_hopeful: true, shutdown: shutdown.clone() };
    world.promote_unlisted(&discovery.failures, &patience).await;
    let listed_all = discovery.failures.is_empty();
    let unlisted = discovery.failures.iter().map(|failure| format!("{}/{}", failure.tenant, failure.kind));
    summary.unlisted = unlisted.collect();
    let surveyed = tokio::select! {
        surveyed = world.survey(discovery.managed) => surveyed,
        () = shutdown.cancelled() => return Looked { next: None, saw_all: false },
    };
    let unread =
        surveyed.iter().filter(|surveyed| surveyed.status.is_err()).map(|surveyed| surveyed.managed.name.clone());
    summary.unread = unread.collect();
    let saw_all = listed_all && summary.unread.is_empty();
    let now = world.clock.wall();
    let mut due: Vec<&Surveyed> = surveyed
        .iter()
        .filter(|surveyed| matches!(surveyed.due, Some(Due::Now(_))))
        .filter(|surveyed| retries.get(&surveyed.managed.name).is_none_or(|retry| retry.not_before <= now))
        .collect();
    due.sort_by_key(|surveyed| surveyed.expires_at());
    let turn = due.iter().map(|surveyed| (surveyed.managed.clone(), goal(surveyed))).collect();
    let reports = world.rotate(turn, Insistence::None, &patience, |_| ()).await;
    settle(world, &reports, retries, summary);
    let saw_nothing = !saw_all && surveyed.iter().all(|surveyed| surveyed.status.is_err());
    let next =
        if shutdown.is_cancelled() || saw_nothing { None } else { announce(world, &surveyed, &reports, retries) };
    Looked { next, saw_all }
}

/// What is unfinished is finished, and nothing more: another process may do so at the same time.
fn goal(surveyed: &Surveyed) -> Goal {
    match surveyed.due {
        Some(Due::Now(Why { reason: Reason::Unfinished, .. })) => Goal::Finish,
        _ => Goal::Rotate,
    }
}

/// A stopped tenant is probed once a look, and goes on when its keys are good again.
async fn release_tenants(world: &World) {
    for tenant in world.tenants.values() {
        let Some(provider) = tenant.stopped.kind().and_then(|kind| tenant.providers.get(&kind)) else { continue };
        if provider.probe().await.is_ok() {
            tenant.stopped.release();
        }
    }
}

fn settle(world: &World, reports: &[Report], retries: &mut HashMap<AccountName, Retry>, summary: &mut Summary) {
    let now = world.clock.wall();
    for report in reports {
        let name = &report.account;
        summary.unfinished.retain(|other| other != name);
        match &report.result {
            Outcomes::Rotated | Outcomes::RotatedElsewhere => {
                summary.rotated += 1;
                retries.remove(name);
                continue;
            }
            Outcomes::Unfinished { pending: true, .. } | Outcomes::Interrupted { pending: true } => {
                summary.unfinished.push(name.clone());
            }
            _ => {}
        }
        let failures = retries.get(name).map_or(0, |retry| retry.failures).saturating_add(1);
        let pause = NEXT_TURN.after(failures, &name.name);
        let earliest = now.checked_add(pause).unwrap_or(Timestamp::MAX);
        let retry = match &report.result {
            Outcomes::Unfinished { waits_for: Waiting::Fence, until, .. } => Retry { failures: 0, not_before: *until },
            Outcomes::Unfinished { until, .. } => Retry { failures, not_before: earliest.max(*until) },
            _ => Retry { failures, not_before: earliest },
        };
        retries.insert(name.clone(), retry);
    }
}

/// Says what comes next, and when.
fn announce(
    world: &World,
    surveyed: &[Surveyed],
    reports: &[Report],
    retries: &HashMap<AccountName, Retry>,
) -> Option<Timestamp> {
    let now = world.clock.wall();
    let done = |name: &AccountName| {
        reports.iter().any(|report| {
            report.account == *name && matches!(report.result, Outcomes::Rotated | Outcomes::RotatedElsewhere)
        })
    };
    let next = surveyed.iter().filter_map(|surveyed| {
        let managed = &surveyed.managed;
        let again = done(&managed.name).then(|| due(now, &managed.facts(Some(now), now, false)));
        let due = again.or(surveyed.due)?;
        let (at, why) = match due {
            Due::At(at, why) => (at, why),
            Due::Now(why) => (retries.get(&managed.name).map_or(now, |retry| retry.not_before), why),
            Due::Never(_) | Due::Paused(_) => return None,
        };
        Some((at, &managed.name, why.reason))
    });
    let next = next.min_by_key(|(at, name, _)| (*at, (*name).clone()));
    world.note(&Fact::Next {
        accounts: surveyed.len(),
        at: next.map(|(at, ..)| at),
        account: next.map(|(_, name, _)| name),
        reason: next.map(|(.., reason)| reason),
    });
    next.map(|(at, ..)| at)
}
