//! Drives one rotation: performs the actions that [`step()`] asks for through ports, and feeds back what happened.
//!
//! No decision about a password is made here. What is decided here is patience: how long *this process* goes on waiting.
//! Wherever it stops, the vault says how to go on.

pub(crate) mod deadline;
mod sending;
mod staging;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use self::deadline::{look, write};
use self::staging::Staging;
use super::accounts::Managed;
use super::world::World;
use crate::domain::cause::Cause;
use crate::domain::rotation::step::HEARD_WITHIN;
use crate::domain::rotation::{
    Action, Block, Content, Event, Goal, Heard, Insistence, Moment, Outcome, Plan, Rotation, VaultTrouble, Waiting,
    step,
};
use crate::domain::secret::Password;
use crate::domain::token::Token;
use crate::domain::value::Part;
use crate::ports::clock::{Clock, GatewayClock};
use crate::ports::observer::Fact;
use crate::ports::provider::{Provider, ProviderError};
use crate::ports::vault::{Place, Vault, VaultError};

/// How long this process goes on, and when it stops early.
#[derive(Debug, Clone)]
pub struct Patience {
    /// No wait may last beyond this time since boot; none waits for ever.
    pub until: Option<Duration>,
    /// Whether waiting for its turn by the tenant's rate is no impatience: whoever asked for many accounts wants them all.
    pub paced: bool,
    /// Whether to give up where waiting alone does not help (a permission, a spacing of hours).
    pub only_hopeful: bool,
    /// Cancelled when the process is asked to end: no new candidate is staged then, and no wait goes on.
    pub shutdown: CancellationToken,
}

/// What is asked of one account, and because of whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// How far to go.
    pub goal: Goal,
    /// How much a person insists.
    pub insists: Insistence,
    /// Whether it begins although a pause holds the account.
    pub despite_pause: bool,
    /// Who or what asked.
    pub cause: Cause,
}

impl Order {
    /// The daemon's own: what is due, which nothing paused is, or what is unfinished.
    #[must_use]
    pub const fn of_daemon(goal: Goal) -> Self {
        let cause = match goal {
            Goal::Finish => Cause::RESUME,
            Goal::Rotate | Goal::Rollback => Cause::SCHEDULE,
        };
        Self { goal, insists: Insistence::None, despite_pause: true, cause }
    }
}

/// How driving ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The protocol came to an end.
    Finished(Outcome),
    /// It goes on later, from what the vault holds.
    Unfinished {
        /// What it waits for.
        why: Waiting,
        /// Until then, in gateway time.
        until: Timestamp,
        /// What the layer below said.
        detail: Option<String>,
        /// Whether a candidate is pending.
        staged: bool,
    },
    /// The process was asked to end before a candidate was staged, or in a wait.
    Interrupted {
        /// Whether a candidate is pending.
        staged: bool,
    },
    /// A fault of this machine or this program; nothing was sent because of it.
    Failed(String),
}

/// A rotation between two turns. The vault alone says how to go on; what is kept here beside is what only this process
/// knows: the password that it would have to put back (rule 13), since when a fence counts whose beginning no vault tells, and
/// how often it failed in a row.
pub struct Parked {
    rotation: Rotation,
    passwords: HashMap<Token, Password>,
    /// Who or what asked for it.
    cause: Cause,
}

impl Parked {
    /// The same, because a person asks for it: what people override holds for it too.
    pub(super) fn asked_by(mut self: Box<Self>, order: &Order) -> Box<Self> {
        self.cause = order.cause.clone();
        self.rotation.insist(order.goal, order.insists);
        self
    }
}

impl fmt::Debug for Parked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parked")
    }
}

/// Where a turn begins.
#[derive(Debug)]
pub enum Start {
    /// With what vault and journal say.
    Afresh(Order),
    /// Where an earlier turn of this process stopped.
    Parked(Box<Parked>),
}

impl Start {
    /// How far the turn goes. Only the daemon parks rotations, and it rolls nothing back.
    pub(super) const fn goal(&self) -> Goal {
        match self {
            Self::Afresh(order) => order.goal,
            Self::Parked(_) => Goal::Rotate,
        }
    }

    /// Because of whom.
    pub(super) const fn cause(&self) -> &Cause {
        match self {
            Self::Afresh(order) => &order.cause,
            Self::Parked(parked) => &parked.cause,
        }
    }
}

/// Drives the rotation of one account until it ends or patience does.
pub async fn drive(world: &World, managed: &Managed, order: Order, patience: &Patience) -> Ended {
    take_turn(world, managed, Start::Afresh(order), patience).await.0
}

/// Drives the rotation of one account until it ends or patience does; beside the end, what to go on from next time when a
/// candidate is pending.
pub async fn take_turn(
    world: &World,
    managed: &Managed,
    start: Start,
    patience: &Patience,
) -> (Ended, Option<Box<Parked>>) {
    let (Some(provider), Some(vault)) =
        (managed.tenant.providers.get(&managed.subject.kind), world.vaults.get(&managed.managing.rule.vault))
    else {
        return (Ended::Failed("the account's provider or vault is not wired".to_owned()), None);
    };
    let mut driver = Driver::new(world, managed, (provider, vault), start.cause().clone(), patience);
    let (goal, insists) = match start {
        Start::Afresh(Order { goal, insists, .. }) => (goal, insists),
        Start::Parked(parked) => {
            driver.passwords = parked.passwords;
            return driver.run(parked.rotation, Event::Woken).await;
        }
    };
    let plan = Plan {
        subject: managed.subject.clone(),
        gateway: managed.tenant.gateway,
        settle: vault.settle(),
        goal,
        maker: managed.managing.maker(),
        insists,
    };
    let record = match world.journal.record(&managed.subject).await {
        Ok(record) => record,
        Err(error) => return (Ended::Failed(error.to_string()), None),
    };
    driver.run(Rotation::new(plan), Event::Begin(record)).await
}

struct Driver<'a> {
    world: &'a World,
    managed: &'a Managed,
    provider: &'a Arc<dyn Provider>,
    clock: &'a GatewayClock,
    vault: &'a Arc<dyn Vault>,
    patience: &'a Patience,
    /// Who or what asked.
    cause: Cause,
    /// Passwords by candidate, for as long as this rotation is driven (rule 13).
    passwords: HashMap<Token, Password>,
    /// A rate permission that was waited for and not yet used.
    has_permission: bool,
    /// What the layer below said last, for people.
    detail: Option<String>,
}

/// What performing an action came to.
#[expect(clippy::large_enum_variant, reason = "there is one at a time, on its way to the next step")]
enum Performed {
    Event(Event),
    End(Ended),
}

impl<'a> Driver<'a> {
    fn new(
        world: &'a World,
        managed: &'a Managed,
        (provider, vault): (&'a Arc<dyn Provider>, &'a Arc<dyn Vault>),
        cause: Cause,
        patience: &'a Patience,
    ) -> Self {
        let (passwords, clock) = (HashMap::new(), provider.clock().as_ref());
        Self { world, managed, provider, clock, vault, patience, cause, passwords, has_permission: false, detail: None }
    }

    async fn run(mut self, rotation: Rotation, begin: Event) -> (Ended, Option<Box<Parked>>) {
        let mut rotation = rotation;
        let mut event = begin;
        loop {
            let action;
            (rotation, action) = step(rotation, self.moment(), event);
            match self.perform(action, &rotation).await {
                Performed::Event(next) => event = next,
                Performed::End(ended) => {
                    let goes_on = !matches!(ended, Ended::Finished(_)) && is_staged(&rotation);
                    let Self { passwords, cause, .. } = self;
                    return (ended, goes_on.then(|| Box::new(Parked { rotation, passwords, cause })));
                }
            }
        }
    }

    fn moment(&self) -> Moment {
        let heard = self.clock.age().zip(self.clock.skew()).map(|(age, skew)| Heard { age, skew });
        Moment { now: self.clock.now(), heard }
    }

    fn time(&self) -> &dyn Clock {
        self.world.clock.as_ref()
    }

    fn place(&self) -> Place<'_> {
        Place { secret: &self.managed.secret, subject: &self.managed.subject }
    }

    async fn perform(&mut self, action: Action, rotation: &Rotation) -> Performed {
        Performed::Event(match action {
            Action::Probe => self.probe().await,
            Action::Read => match look(self.time(), self.vault.read(self.place(), self.clock)).await {
                Ok(snapshot) => Event::Read(snapshot),
                Err(error) => self.vault_failed(&error),
            },
            Action::Place { over } => {
                let written = write(self.time(), self.vault.place(self.place(), over, self.clock)).await;
                self.written(written)
            }
            Action::Restore { over } => {
                let written = write(self.time(), self.vault.restore(self.place(), over, self.clock)).await;
                self.written(written)
            }
            Action::Stage { over, token, generation, attempt, content } => {
                let begins = matches!(content, Content::Fresh | Content::Intent | Content::Copy(_));
                if begins && let Some(why) = self.managed.tenant.stopped.why() {
                    // Nothing new is begun that could not be sent; what is pending was read, and goes on.
                    let (why, until) = (Waiting::Blocked(why), self.clock.now());
                    let (detail, staged) = (self.detail.take(), is_staged(rotation));
                    return Performed::End(Ended::Unfinished { why, until, detail, staged });
                }
                if begins && self.patience.shutdown.is_cancelled() {
                    return Performed::End(Ended::Interrupted { staged: is_staged(rotation) });
                }
                let password = match self.password_for(content).await {
                    Ok(password) => password,
                    Err(instead) => return instead,
                };
                let base = rotation.seen().and_then(|seen| seen.current.as_ref()).map(|version| version.token);
                let superseding = is_staged(rotation);
                let (token, part) = match content {
                    Content::Fresh | Content::Again(_) | Content::Copy(_) => (token, None),
                    Content::Generated(_) => (token, Some(Part::Answer)),
                    Content::Intent => match self.random_token() {
                        Ok(token) => (token, Some(Part::Intent)),
                        Err(error) => return Performed::End(Ended::Failed(error.to_string())),
                    },
                };
                let replaced = rotation.seen().and_then(|seen| seen.pending.as_ref()).map(|pending| pending.candidate);
                let told_by = match content {
                    Content::Generated(intent) => Some(intent).filter(|intent| Some(*intent) == replaced),
                    _ => None,
                };
                let rollback = matches!(content, Content::Copy(from) if Some(from) != base);
                let again = matches!(content, Content::Again(_));
                let repeats = match content {
                    Content::Copy(token) | Content::Again(token) => Some(token),
                    Content::Fresh | Content::Intent | Content::Generated(_) => None,
                };
                let staging = Staging {
                    over,
                    token,
                    generation,
                    attempt,
                    base,
                    part,
                    repeats,
                    rollback,
                    told_by,
                    again,
                    superseding,
                };
                self.stage(staging, password).await
            }
            Action::Permit { over, token } => {
                let written = write(self.time(), self.vault.permit(self.place(), over, token, self.clock)).await;
                self.written(written)
            }
            Action::Send { token, candidate, signed_at } => match self.may_send(rotation).await {
                Some(instead) => return instead,
                None => self.send(token, candidate, signed_at).await,
            },
            Action::Generate { candidate, signed_at, .. } => {
                return match self.may_send(rotation).await {
                    Some(instead) => instead,
                    None => self.generate(candidate, signed_at).await,
                };
            }
            Action::Promote { over, token } => {
                let written = write(self.time(), self.vault.promote(self.place(), over, token, self.clock)).await;
                self.written(written)
            }
            Action::Wait { until, why } => return self.wait(until, why, rotation).await,
            Action::Finish(outcome) => return Performed::End(self.finish(outcome, rotation.candidate()).await),
        })
    }

    async fn probe(&mut self) -> Event {
        if let Some(why) = self.managed.tenant.stopped.why() {
            return Event::ProbeFailed(Some(why));
        }
        let probed = deadline::provider(self.time(), &self.managed.tenant.gateway, self.provider.probe()).await;
        let Some(probed) = probed else {
            self.detail = Some("the gateway did not answer in time".into());
            return Event::ProbeFailed(None);
        };
        match probed {
            Ok(()) if self.clock.age().is_some_and(|age| age <= HEARD_WITHIN) => Event::Probed,
            // Without this, a gateway that tells no time would be probed for ever, and never be heard.
            Ok(()) => {
                self.detail =
                    Some("the gateway's answers carry no Date header, and nothing is applied without one".into());
                Event::ProbeFailed(None)
            }
            Err(error) => {
                let block = block_of(&error);
                self.detail = Some(error.to_string());
                self.stop_tenant(block).await;
                Event::ProbeFailed(block)
            }
        }
    }

    /// Tells what happened, and has the journal keep it before anything else happens.
    async fn record(&self, fact: &Fact<'_>) {
        self.world.record(&self.cause, fact).await;
    }

    async fn stop_tenant(&self, block: Option<Block>) {
        if let Some(why) = block.filter(|block| block.stops_tenant())
            && self.managed.tenant.stopped.pull(why, self.managed.subject.kind)
        {
            self.record(&Fact::TenantStopped { tenant: &self.managed.name.tenant, why }).await;
        }
    }

    async fn wait(&mut self, until: Timestamp, why: Waiting, rotation: &Rotation) -> Performed {
        if let Waiting::Blocked(block) = why {
            self.stop_tenant(Some(block)).await;
        }
        let pause = Duration::try_from(until.duration_since(self.clock.now())).unwrap_or_default();
        let (account, secret) = (&self.managed.name, &self.managed.secret);
        self.record(&Fact::Waits { account, secret, why, until, detail: self.detail.as_deref() }).await;
        let staged = is_staged(rotation);
        if rotation.holds_only_copy() {
            // No patience, no hope and no first signal ends this: the process is the only place where the password is.
            self.record(&Fact::OnlyCopy { account, secret }).await;
            self.world.clock.sleep(pause).await;
            return Performed::Event(Event::Woken);
        }
        let hopeless = self.patience.only_hopeful && !is_hopeful(why);
        if hopeless || self.is_too_long(pause) {
            return Performed::End(Ended::Unfinished { why, until, detail: self.detail.take(), staged });
        }
        tokio::select! {
            biased;
            () = self.world.clock.sleep(pause) => Performed::Event(Event::Woken),
            () = self.patience.shutdown.cancelled() => Performed::End(Ended::Interrupted { staged }),
        }
    }

    fn is_too_long(&self, pause: Duration) -> bool {
        self.patience.until.is_some_and(|limit| self.world.clock.boot().saturating_add(pause) > limit)
    }

    async fn finish(&self, outcome: Outcome, candidate: Option<Token>) -> Ended {
        let (account, secret) = (&self.managed.name, &self.managed.secret);
        match outcome {
            Outcome::Rotated(token) => {
                let kept: Vec<Token> = candidate.into_iter().collect();
                if let Err(error) = self.world.journal.keep(&self.managed.subject, &kept).await {
                    self.world.note(&Fact::JournalFailed { account, error: &error.to_string() });
                }
                self.record(&Fact::Rotated { account, secret, token, elsewhere: false }).await;
            }
            Outcome::RotatedElsewhere(token) => {
                self.record(&Fact::Rotated { account, secret, token, elsewhere: true }).await;
            }
            Outcome::Idle => {}
            Outcome::Held => self.record(&Fact::Held { account, secret }).await,
            Outcome::Frozen(why) => self.record(&Fact::Frozen { account, secret, why }).await,
            Outcome::RollbackStopped(why) => self.record(&Fact::RollbackStopped { account, secret, why }).await,
        }
        Ended::Finished(outcome)
    }

    fn written(&mut self, result: Result<crate::domain::rotation::snapshot::Snapshot, VaultError>) -> Event {
        match result {
            Ok(snapshot) => Event::Written(snapshot),
            Err(error) => self.vault_failed(&error),
        }
    }

    fn vault_failed(&mut self, error: &VaultError) -> Event {
        self.detail = Some(error.to_string());
        Event::VaultFailed(error.trouble())
    }
}

fn is_staged(rotation: &Rotation) -> bool {
    rotation.seen().is_some_and(|seen| !seen.is_idle())
}

/// Whether waiting a little may help by itself.
pub(super) const fn is_hopeful(why: Waiting) -> bool {
    match why {
        Waiting::Fence
        | Waiting::Doubt(_)
        | Waiting::Provider
        | Waiting::Journal
        | Waiting::Rate
        | Waiting::Blocked(Block::Throttled | Block::NotSent | Block::Forbidden)
        | Waiting::Vault(
            VaultTrouble::Moved | VaultTrouble::TokenUsed | VaultTrouble::Doubtful | VaultTrouble::Unavailable,
        ) => true,
        Waiting::Spacing
        | Waiting::ClockSkew
        | Waiting::Blocked(_)
        | Waiting::Vault(VaultTrouble::Denied | VaultTrouble::Unreadable) => false,
    }
}

/// What a failed probe says about the tenant.
pub(super) fn block_of(error: &ProviderError) -> Option<Block> {
    match error {
        ProviderError::Authentication { .. } => Some(Block::Authentication),
        ProviderError::Permission { .. } => Some(Block::Permission),
        ProviderError::Throttled { code, .. } if code == "400" => Some(Block::Quota),
        ProviderError::Throttled { .. } => Some(Block::Throttled),
        ProviderError::Keys(_) => Some(Block::NoKeys),
        ProviderError::Unreachable { .. }
        | ProviderError::Server { .. }
        | ProviderError::Unreadable { .. }
        | ProviderError::NoSuchAccount { .. }
        | ProviderError::Refused { .. }
        | ProviderError::Unconfirmed { .. }
        | ProviderError::Impossible { .. } => None,
    }
}
