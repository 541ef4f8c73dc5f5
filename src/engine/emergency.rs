//! An emergency: waves of rotations, and what the journal tells of the waves before.
//!
//! The pure machine ([`Waves`]) says how many come next and when to stop. Where rotations run is not known here: whoever can
//! rotate a set of accounts and tell of each end is a [`Rotations`].

mod here;
mod past;

use std::num::NonZeroUsize;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

pub use self::here::{Here, Turn};
pub use self::past::{Call, Past};
use super::accounts::Managed;
use super::batch::AT_ONCE;
use super::report::{Outcomes, Report};
use super::world::World;
use crate::domain::account::AccountName;
use crate::domain::cause::Cause;
use crate::domain::emergency::{
    Emergency, Ended, Halt, Lane, Next, Plan, Shared, Wave, Waves, Work, sizes, time_to_finish,
};
use crate::domain::exit::Exit;
use crate::domain::rotation::Waiting;
use crate::ports::journal::JournalError;
use crate::ports::observer::Fact;

/// Where rotations run: in this process, or in another one that is asked.
#[async_trait]
pub trait Rotations: Send + Sync {
    /// Rotates these accounts and tells how each turn ended as it does, of every account that had one. Once `halt` is
    /// cancelled nothing more begins, and no wait goes on.
    async fn rotate(&self, accounts: &[AccountName], halt: &CancellationToken, told: UnboundedSender<Turned>);
}

/// The result of an account that a pause held.
pub const PAUSED: &str = "paused";

/// How one account's turn ended.
#[derive(Debug, Clone)]
pub struct Turned {
    /// The account.
    pub account: AccountName,
    /// Whether it has a new password; none when it had no turn to its end.
    pub how: Option<Ended>,
    /// The result's stable word.
    pub result: String,
    /// Why, when there is something to say.
    pub reason: String,
    /// How a command ends because of it.
    pub exit: Exit,
}

impl Turned {
    /// Whether it has a new password.
    #[must_use]
    pub fn is_rotated(&self) -> bool {
        self.how == Some(Ended::Rotated)
    }

    /// Whether a pause held it, which somebody said after the emergency had begun.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.result == PAUSED
    }
}

impl From<&Report> for Turned {
    fn from(report: &Report) -> Self {
        let Report { account, result, .. } = report;
        let how = match result {
            Outcomes::Rotated | Outcomes::RotatedElsewhere => Some(Ended::Rotated),
            Outcomes::Interrupted { .. } => None,
            Outcomes::Paused { .. } => Some(Ended::Waits),
            Outcomes::Unfinished { waits_for, .. } if only_waits(*waits_for) => Some(Ended::Waits),
            _ => Some(Ended::Failed),
        };
        let reason = match result {
            Outcomes::Skipped { reason }
            | Outcomes::Paused { reason, .. }
            | Outcomes::Unfinished { reason, .. }
            | Outcomes::Frozen { reason, .. }
            | Outcomes::Held { reason }
            | Outcomes::RollbackStopped { reason, .. }
            | Outcomes::Failed { reason, .. } => reason.clone(),
            _ => String::new(),
        };
        let result = result.label().to_owned();
        Self { account: account.clone(), how, result, reason, exit: report.result.exit() }
    }
}

/// Whether nothing is wrong with what waits for this.
const fn only_waits(why: Waiting) -> bool {
    matches!(why, Waiting::Fence | Waiting::Rate)
}

/// One account of an emergency.
#[derive(Debug, Clone)]
pub struct Member {
    /// The account.
    pub name: AccountName,
    /// What it shares with others.
    pub lanes: Vec<Lane>,
}

impl Member {
    /// The account as the world has it.
    #[must_use]
    pub fn of(managed: &Managed, world: &World) -> Self {
        let (tenant, vault) = (&managed.name.tenant, &managed.managing.rule.vault);
        let tenant = Lane { of: Shared::Tenant(tenant.clone()), period: managed.tenant.limit.period() };
        let vault = world.paces.get(vault).map(|pace| Lane { of: Shared::Vault(vault.clone()), period: *pace });
        Self { name: managed.name.clone(), lanes: std::iter::once(tenant).chain(vault).collect() }
    }
}

/// One run of an emergency: from its beginning, or from where it stopped, to its end or the next stop.
pub struct Run<'a> {
    /// Which emergency.
    pub emergency: &'a Emergency,
    /// How it goes.
    pub plan: Plan,
    /// Who or what asked.
    pub cause: &'a Cause,
    /// The accounts that are to have a new password, in the order of their turns.
    pub members: &'a [Member],
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Every turn, in the order in which they ended.
    pub turned: Vec<Turned>,
    /// The waves.
    pub waves: Vec<Wave>,
    /// Why it stopped; none when everybody had a turn.
    pub halt: Option<Halt>,
}

/// How long so many accounts take from the beginning, by the rates alone.
#[must_use]
pub fn at_least(members: &[Member], canary: NonZeroUsize) -> Duration {
    takes(members, canary, 0, None)
}

/// How long these accounts take after wave number `done`, each of whose rounds took as long as `each`.
fn takes(members: &[Member], canary: NonZeroUsize, done: u32, each: Option<Duration>) -> Duration {
    let lanes = members.iter().map(|member| member.lanes.as_slice());
    time_to_finish(sizes(canary, done, members.len()), lanes, Work { each, at_once: AT_ONCE })
}

impl World {
    /// Records that an emergency begins, or goes on, and tells it. What cannot be recorded could not be gone on with, and is not
    /// begun.
    pub async fn begin_emergency(&self, run: &Run<'_>, again: bool) -> Result<(), JournalError> {
        let (emergency, accounts) = (run.emergency, run.members.len());
        let takes = at_least(run.members, run.plan.canary);
        self.record_first(run.cause, &Fact::EmergencyBegan { emergency, again, accounts, takes }).await
    }

    /// Rotates wave after wave, until everybody had a turn or something stops it. `each` hears of every turn as it ends.
    pub async fn emergency(
        &self,
        run: &Run<'_>,
        rotations: &dyn Rotations,
        each: &(dyn Fn(&Turned) + Send + Sync),
        shutdown: &CancellationToken,
    ) -> Outcome {
        let mut outcome = Outcome::default();
        let (mut waves, mut next) = Waves::new(run.plan, run.members.len()).begin();
        while let Next::Wave { number, size } = next {
            if shutdown.is_cancelled() {
                outcome.halt = Some(Halt::Interrupted);
                return outcome;
            }
            let first = run.members.len() - waves.left() - size;
            let names: Vec<AccountName> =
                run.members.iter().skip(first).take(size).map(|member| member.name.clone()).collect();
            let halt = shutdown.child_token();
            let (sender, receiver) = unbounded_channel();
            let began = self.clock.boot();
            let heard = hear(waves, receiver, &halt, |turned| {
                each(&turned);
                outcome.turned.push(turned);
            });
            let ((), heard) = tokio::join!(rotations.rotate(&names, &halt, sender), heard);
            (waves, next) = (heard.waves, heard.next);
            let Heard { rotated, failed, waiting, .. } = heard;
            let wave = Wave { number, accounts: size, rotated, failed, waiting };
            let rounds = u32::try_from(size.div_ceil(AT_ONCE.get())).unwrap_or(u32::MAX).max(1);
            let took = self.clock.boot().saturating_sub(began) / rounds;
            let rest = run.members.get(first + size..).unwrap_or_default();
            let takes = takes(rest, run.plan.canary, number, Some(took));
            let fact = Fact::EmergencyWave { emergency: run.emergency, wave: &wave, left: rest.len(), takes };
            self.record(run.cause, &fact).await;
            outcome.waves.push(wave);
        }
        outcome.halt = match next {
            Next::Halt => Some(Halt::TooManyFailed),
            // Somebody of the wave had no turn.
            Next::GoOn => Some(Halt::Interrupted),
            Next::Done | Next::Wave { .. } => None,
        };
        outcome
    }

    /// Records how a run of an emergency ended, and tells it.
    pub async fn end_emergency(&self, cause: &Cause, end: &Fact<'_>) {
        self.record(cause, end).await;
    }
}

/// What was heard of a wave.
struct Heard {
    waves: Waves,
    next: Next,
    rotated: usize,
    failed: usize,
    waiting: usize,
}

/// Listens to one wave until nothing more comes, and halts it when too much of it fails.
async fn hear(
    waves: Waves,
    mut receiver: UnboundedReceiver<Turned>,
    halt: &CancellationToken,
    mut each: impl FnMut(Turned),
) -> Heard {
    let mut heard = Heard { waves, next: Next::GoOn, rotated: 0, failed: 0, waiting: 0 };
    while let Some(turned) = receiver.recv().await {
        if let Some(how) = turned.how {
            match how {
                Ended::Rotated => heard.rotated += 1,
                Ended::Failed => heard.failed += 1,
                Ended::Waits => heard.waiting += 1,
            }
            (heard.waves, heard.next) = heard.waves.ended(how);
            if heard.next == Next::Halt {
                halt.cancel();
            }
        }
        each(turned);
    }
    heard
}
