//! The daemon's work: for ever, list and survey now and then, rotate what is due, and sleep until something may be.
//!
//! ```text
//!                 ┌────────────────────────── errands: list ─► survey ◄─ every half hour, or asked for
//!                 ▼                                             │
//! wake ─► roster (what is known of each account) ─► queue ─► slots and pace ─►  turn ─► what is known now ─┐
//!  ▲              ▲                                                                                        │
//!  └─ the queue's own next time, trigger, signals, a person                                                │
//!                 └────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! A wake-up, from whatever side, means "look again" and never "rotate": what is due follows from a fresh look at the vault,
//! so a lost tick loses nothing, a doubled one rotates nothing, and neither does a restart. Everything runs within one task:
//! what is known has one owner, and no locks.

mod attempts;
mod backlog;
mod calling;
mod listing;
mod outlook;
mod pacing;
mod pausing;
mod turning;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use self::pacing::{Paced, Past};
use super::calls::{self, Calls};
use super::errands::{Errand, Source};
use super::orders::Orders;
use super::queue::{Class, Queue};
use super::roster::{Lane, Line, Plan, Roster};
use super::slots::Slots;
use super::turn::Turned;
use super::world::World;
use crate::domain::account::AccountName;
use crate::domain::backoff::Backoff;
use crate::domain::exit::Exit;
use crate::domain::plan::Pace;
use crate::ports::heartbeat::Heartbeat;
use crate::ports::observer::Fact;

/// The longest sleep between two looks at the clocks, so that one that was stopped or set is noticed.
const LONGEST_SLEEP: Duration = Duration::from_mins(10);
/// How often accounts are listed and surveyed; shortened for each list by a stable hash, so that they do not come together.
pub const RELIST: SignedDuration = SignedDuration::from_mins(30);
/// How long one turn waits for an account before it gives its slot back.
const TURN: Duration = Duration::from_secs(2);
/// What is unfinished and goes on within this time counts as under way.
const SOON: Duration = Duration::from_secs(30);
/// What is due within this time is due: the gateway's time is known with an error, and an account is first seen at a time that
/// it may be about to reach.
const MOMENT: Duration = Duration::from_secs(2);
/// How soon what did not end well gets another turn.
const NEXT_TURN: Backoff = Backoff { floor: SignedDuration::from_secs(5), cap: SignedDuration::from_mins(15) };

/// What the daemon did, told at its end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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

/// Runs until `shutdown`, listing every account each `relist`, and beats `heart` whenever its loop comes round.
pub async fn watch(
    world: Arc<World>,
    relist: SignedDuration,
    calls: Calls,
    shutdown: &CancellationToken,
    heart: &dyn Heartbeat,
) -> Summary {
    let mut engine = Engine::new(world, relist, shutdown.clone());
    engine.run(calls, heart, |_| false).await;
    engine.summary()
}

/// Takes one look: lists every account, rotates what is due now, and ends when nothing is under way any more. What it did,
/// and how a command ends because of it.
pub async fn look_once(world: Arc<World>, shutdown: &CancellationToken, heart: &dyn Heartbeat) -> (Summary, Exit) {
    let (_, calls) = calls::line();
    let mut engine = Engine::new(world, RELIST, shutdown.clone());
    engine.inherited = attempts::Inherited::Counted;
    engine.run(calls, heart, |engine| engine.is_idle).await;
    let exit = engine.exit();
    (engine.summary(), exit)
}

/// A list, and when it is read next.
#[derive(Debug, Clone, Copy, Default)]
struct Schedule {
    /// Since boot.
    next: Duration,
    /// How often it, or the survey of its accounts, failed in a row.
    failures: u32,
    under_way: bool,
    /// Whether it was ever read, or could not be.
    is_tried: bool,
    /// How a command ends because the provider did not give it last time; none when it did.
    missing: Option<Exit>,
    /// Whether what is under way may be out of date already.
    is_stale: bool,
}

/// What a turn comes to; none for promotions without an account's own turn.
type Turning = (Arc<AccountName>, Arc<Lane>, Turned);

struct Engine {
    world: Arc<World>,
    /// Counts worlds: what was found out for an older one is not for this one.
    epoch: u64,
    relist: SignedDuration,
    shutdown: CancellationToken,
    /// What earlier processes' failed turns are here.
    inherited: attempts::Inherited,
    roster: Roster,
    queue: Queue<Arc<AccountName>, Line>,
    slots: Slots<Arc<Lane>>,
    pace: Pace,
    /// How long the passwords of each account lasted, when it was last surveyed.
    lasting: HashMap<AccountName, Option<SignedDuration>>,
    /// What is known of what had begun before this process did.
    past: Past,
    /// Who has a turn, and when it began, as the pace was told.
    running: HashMap<Arc<AccountName>, Timestamp>,
    turns: FuturesUnordered<BoxFuture<'static, Option<Turning>>>,
    errands: FuturesUnordered<BoxFuture<'static, (u64, Errand)>>,
    schedules: BTreeMap<Source, Schedule>,
    /// Stopped tenants: how often a probe failed, and when the next one is, since boot; none while it is under way.
    probes: BTreeMap<String, (u32, Option<Duration>)>,
    /// What people wait for.
    orders: Orders,
    rotated: u64,
    unfinished: BTreeSet<AccountName>,
    /// What is paused, as it was last told.
    pauses: pausing::Watched,
    /// Whether something happened since it was last told what comes next.
    has_news: bool,
    /// Whether nothing is under way, nor about to be.
    is_idle: bool,
    /// Whether rules and accounts do not fit together.
    has_conflicts: bool,
    /// Accounts that are there and get no turn, and whose passwords expire all the same.
    left_alone: BTreeSet<AccountName>,
}

impl Engine {
    fn new(world: Arc<World>, relist: SignedDuration, shutdown: CancellationToken) -> Self {
        let pace = Pace::new(world.limits());
        let schedules = world.kinds().into_iter().map(|source| (source, Schedule::default())).collect();
        Self {
            world,
            epoch: 0,
            relist,
            shutdown,
            inherited: attempts::Inherited::WaitedFor,
            roster: Roster::default(),
            queue: Queue::default(),
            slots: Slots::default(),
            pace,
            lasting: HashMap::new(),
            past: Past::default(),
            running: HashMap::new(),
            turns: FuturesUnordered::new(),
            errands: FuturesUnordered::new(),
            schedules,
            probes: BTreeMap::new(),
            orders: Orders::default(),
            rotated: 0,
            unfinished: BTreeSet::new(),
            pauses: pausing::Watched::default(),
            has_news: true,
            is_idle: false,
            has_conflicts: false,
            left_alone: BTreeSet::new(),
        }
    }

    /// Goes round until the process is asked to end, or `is_enough`; what is under way then comes to its end.
    ///
    /// The heart is beaten by the loop itself, between the turns of everything that runs within it: what blocks one of them
    /// blocks the beats. Whoever waits for an answer keeps nobody waiting, so that the loop sleeps no longer than the heart
    /// allows, however long that answer takes.
    async fn run(&mut self, mut calls: Calls, heart: &dyn Heartbeat, is_enough: impl Fn(&Self) -> bool) {
        let clock = Arc::clone(&self.world.clock);
        let most = heart.interval().unwrap_or(LONGEST_SLEEP);
        let mut is_called = true;
        while !self.shutdown.is_cancelled() {
            let pause = self.go_on();
            if is_enough(self) {
                return;
            }
            heart.beat();
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => {}
                Some(turned) = self.turns.next() => self.turned(turned),
                Some((epoch, errand)) = self.errands.next() => self.came_back(epoch, errand),
                call = calls.next(), if is_called => match call {
                    Some(call) => self.called(call),
                    None => is_called = false,
                },
                () = clock.sleep(pause.min(most)) => {}
            }
        }
        while !self.turns.is_empty() {
            heart.beat();
            tokio::select! {
                biased;
                Some(turned) = self.turns.next() => self.turned(turned),
                () = clock.sleep(most) => {}
            }
        }
    }

    fn now(&self) -> Duration {
        self.world.clock.boot()
    }

    /// Begins what may begin; says how long nothing more will by itself.
    fn go_on(&mut self) -> Duration {
        let now = self.now();
        let errand = self.begin_errands(now);
        let paced = self.begin_turns(now);
        self.is_idle = self.is_idle(paced.by_rate);
        self.tell_next(&paced);
        let next = [errand, paced.next, self.queue.next()].into_iter().flatten().min();
        next.map_or(LONGEST_SLEEP, |next| next.saturating_sub(now)).min(LONGEST_SLEEP)
    }
}

fn pause(backoff: Backoff, failures: u32, seed: &str) -> Duration {
    Duration::try_from(backoff.after(failures, seed)).unwrap_or_default()
}

/// What is told.
impl Engine {
    /// Whether nothing is under way, nor about to go on.
    fn is_idle(&self, by_rate: bool) -> bool {
        let plan = |name: &Arc<AccountName>| self.roster.get(name)?.plan;
        let soon = |plan: Plan, within| plan.not_before <= self.now().saturating_add(within);
        // What is ready and yet does not begin, such as beyond a cap, goes on only when something else has happened.
        let begins = self.queue.first_waiting().and_then(plan).is_some_and(|plan| soon(plan, MOMENT));
        let finishes = self.first().is_some_and(|(_, plan)| plan.rank.class == Class::Finish && soon(plan, SOON));
        let goes_on = begins || finishes;
        self.turns.is_empty() && self.errands.is_empty() && !by_rate && !goes_on
    }

    /// Who is next.
    fn first(&self) -> Option<(&Arc<AccountName>, Plan)> {
        self.queue.first().and_then(|name| Some((name, self.roster.get(name)?.plan?)))
    }

    /// Who has the next turn, and when: whoever is held has it when that is over.
    fn next_after(&self, paced: &Paced) -> Option<(&Arc<AccountName>, Plan, Timestamp)> {
        let now = self.now();
        let is_sooner = |until: &Duration| self.queue.next().is_none_or(|next| *until <= next);
        let held = paced.first.as_ref().zip(paced.next).filter(|(_, until)| is_sooner(until));
        let name = match held {
            Some((name, _)) => name,
            None if paced.first.is_some() => self.queue.first_waiting()?,
            None => self.queue.first()?,
        };
        let (name, known) = self.roster.entry(name)?;
        let plan = known.plan?;
        let at = held.map_or(plan.at, |(_, until)| {
            known.here().saturating_add(until.saturating_sub(now)).unwrap_or(Timestamp::MAX)
        });
        Some((name, plan, at))
    }

    /// Says what comes next, when nothing is under way.
    fn tell_next(&mut self, paced: &Paced) {
        let first = self.next_after(paced);
        let knows_nothing = self.schedules.values().any(|schedule| schedule.failures > 0)
            && !self.roster.iter().any(|(_, known)| known.is_read == Some(true));
        if !self.has_news || !self.is_idle || knows_nothing {
            return;
        }
        self.world.note(&Fact::Next {
            accounts: self.roster.len(),
            at: first.map(|(.., at)| at),
            account: first.map(|(name, ..)| name.as_ref()),
            reason: first.map(|(_, plan, _)| plan.reason),
        });
        self.has_news = false;
    }

    /// How a command ends because of all this.
    fn exit(&self) -> Exit {
        let missing = self.schedules.values().filter_map(|schedule| schedule.missing);
        let accounts = self.roster.iter().map(|(_, known)| known.exit);
        let conflicts = self.has_conflicts.then_some(Exit::Configuration);
        let unfinished = (!self.unfinished.is_empty() || self.shutdown.is_cancelled()).then_some(Exit::Temporary);
        missing.chain(accounts).chain(conflicts).chain(unfinished).max().unwrap_or_default()
    }

    fn summary(self) -> Summary {
        let missing = self.schedules.iter().filter(|(_, schedule)| schedule.missing.is_some());
        let unread = self.roster.iter().filter(|(_, known)| known.is_read == Some(false) && known.parked.is_none());
        let mut unread: Vec<AccountName> = unread.map(|(name, _)| name.as_ref().clone()).collect();
        unread.sort();
        Summary {
            rotated: self.rotated,
            unfinished: self.unfinished.into_iter().collect(),
            unlisted: missing.map(|((tenant, kind), _)| format!("{tenant}/{kind}")).collect(),
            unread,
        }
    }
}
