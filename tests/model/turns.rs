//! What each turn does to the world: a replica performs the one action that `step` asked for, or hears of it; the provider
//! works on one request; a second passes.

use jiff::SignedDuration;
use ncloud_rotator::domain::Timestamp;
use ncloud_rotator::domain::gateway::Gateway;
use ncloud_rotator::domain::rotation::snapshot::{Owner, Pending, Predecessor, Snapshot, Version};
use ncloud_rotator::domain::rotation::{
    Action, Answer, Block, Content, Doubt, Event, Heard, Maker, Moment, Plan, Record, Rotation, VaultTrouble, Waiting,
    step,
};
use ncloud_rotator::domain::token::Token;

use crate::acts;
use crate::config::{Ask, Flaw, Password};
use crate::world::{Flight, Protocol, Replica, Staged, Todo, Turn, Vault, World, Write, subject, time};

/// Seconds for which the gateway takes a signature, and for which it may work on what it took.
const LIFETIME: u16 = 4;
const TIMEOUT: u16 = 1;

impl<V: Vault> Protocol<V> {
    /// The gateway as `step` is told it is.
    pub(crate) fn gateway(&self) -> Gateway {
        let seconds = |seconds: u16| SignedDuration::from_secs(seconds.into());
        let timeout = if self.config.flaw == Some(Flaw::ShortFence) { 0 } else { TIMEOUT };
        let gateway = Gateway {
            signature_lifetime: seconds(LIFETIME),
            timeout: seconds(timeout),
            max_clock_skew: seconds(self.config.skew),
        };
        match self.config.flaw {
            Some(Flaw::NoFence) => Gateway { signature_lifetime: seconds(0), timeout: seconds(0), ..gateway },
            _ => gateway,
        }
    }

    pub(crate) fn plan(&self, (goal, insists): Ask) -> Plan {
        let settle = if self.config.flaw == Some(Flaw::SettleForgotten) { 0 } else { self.config.settle };
        let settle = SignedDuration::from_secs(settle.into());
        Plan { subject: subject(), gateway: self.gateway(), settle, goal, maker: self.config.maker, insists }
    }

    fn clock(world: &World<V>, who: usize) -> Timestamp {
        let clock = world.replicas[who].clock;
        let off = clock.off + clock.unheard.map_or(0, |(off, _)| off);
        time(i64::from(world.now) + i64::from(off))
    }

    fn moment(&self, world: &World<V>, who: usize) -> Moment {
        let age = match world.replicas[who].clock.unheard {
            Some((_, false)) if self.config.flaw != Some(Flaw::ClocksUnguarded) => None,
            Some((_, true)) if self.config.flaw != Some(Flaw::ClocksUnguarded) => Some(SignedDuration::from_hours(9)),
            _ => Some(SignedDuration::ZERO),
        };
        let heard = age.map(|age| Heard { age, skew: SignedDuration::ZERO });
        Moment { now: Self::clock(world, who), heard }
    }

    /// Begins what `who` is asked for next; none when that was all.
    pub(crate) fn begin_next(&self, world: &mut World<V>, who: usize) -> Option<()> {
        let ask = *self.config.asks[who].get(world.replicas[who].begun)?;
        self.begin(world, who, ask);
        world.replicas[who].begun += 1;
        Some(())
    }

    pub(crate) fn begin(&self, world: &mut World<V>, who: usize, ask: Ask) {
        let rotation = Rotation::new(self.plan(ask));
        let event = Event::Begin(world.replicas[who].journal.clone());
        let (rotation, action) = step(rotation, self.moment(world, who), event);
        let replica = &mut world.replicas[who];
        replica.rotation = rotation;
        replica.held.clear();
        replica.todo = Todo::Perform(action);
    }

    /// Tells `step` an event, now.
    fn hear(&self, world: &mut World<V>, who: usize, event: Event) {
        let moment = self.moment(world, who);
        let replica = &mut world.replicas[who];
        let (rotation, action) = step(replica.rotation.clone(), moment, event);
        replica.rotation = rotation;
        replica.todo = Todo::Perform(action);
        if matches!(action, Action::Finish(_)) {
            replica.held.clear();
        }
    }

    /// Something was performed: `step` is told now, or whenever the replica gets round to it.
    fn tell(&self, world: &mut World<V>, who: usize, event: Event) {
        if self.config.lag && matches!(event, Event::Read(_) | Event::Written(_)) {
            world.replicas[who].todo = Todo::Hear(event);
        } else {
            self.hear(world, who, event);
        }
    }

    fn answer(&self, world: &mut World<V>, who: usize, answer: Answer) {
        let Todo::Answer { candidate } = world.replicas[who].todo else { return };
        let noted = match answer {
            Answer::Ambiguous(_) if self.config.flaw == Some(Flaw::DoubtIsRefusal) => Answer::Refused,
            _ => answer,
        };
        world.replicas[who].journal.answered(candidate, noted);
        self.hear(world, who, Event::Answered(noted));
    }

    /// Performs the action that `who` asked for.
    fn perform(&self, world: &mut World<V>, who: usize, choice: usize, heard: bool) -> Option<()> {
        let Todo::Perform(action) = world.replicas[who].todo else { return None };
        let as_of = Self::clock(world, who);
        match action {
            Action::Read => {
                let event = Event::Read(self.read(world, who, as_of, choice)?);
                self.tell(world, who, event);
            }
            Action::Probe => {
                world.replicas[who].clock.unheard = None;
                self.tell(world, who, Event::Probed);
            }
            Action::Wait { until, .. } if as_of < until => return None,
            Action::Wait { .. } => self.tell(world, who, Event::Woken),
            Action::Finish(_) => self.begin_next(world, who)?,
            Action::Send { token, candidate, signed_at } => self.send(world, who, token, candidate, signed_at),
            Action::Generate { candidate, signed_at, .. } => self.leave(world, who, candidate, None, signed_at),
            Action::Place { .. }
            | Action::Stage { .. }
            | Action::Permit { .. }
            | Action::Promote { .. }
            | Action::Restore { .. } => {
                let mut written = self.write(world, who, action, as_of)?;
                if !heard {
                    written = Err(VaultTrouble::Doubtful);
                }
                self.tell(world, who, written.map_or_else(Event::VaultFailed, Event::Written));
            }
        }
        Some(())
    }

    /// Writes to the vault; none where more passwords would be made than the model has.
    fn write(
        &self,
        world: &mut World<V>,
        who: usize,
        action: Action,
        as_of: Timestamp,
    ) -> Option<Result<Snapshot, VaultTrouble>> {
        let stamp = match world.replicas[who].clock.unheard {
            Some((_, false)) if self.config.flaw != Some(Flaw::StampsUnheard) => None,
            _ => Some(as_of),
        };
        let staged = match action {
            Action::Stage { token, generation, attempt, content, .. } => {
                match staged(world, who, token, Owner::Ours { generation, attempt }, content) {
                    Some(staged) => Some(staged),
                    None => return Some(Err(VaultTrouble::Moved)),
                }
            }
            _ => None,
        };
        let (now, settle, flaw) = (world.now, self.config.settle, self.config.flaw);
        let mut written = world.vault.write(&Write { action, staged: staged.clone(), as_of, stamp, now, settle, flaw });
        if written.is_ok() {
            if matches!(action, Action::Stage { content: Content::Fresh, .. }) {
                world.made += 1;
            }
            if world.made > self.config.passwords {
                return None;
            }
            if matches!(action, Action::Stage { .. } | Action::Promote { .. }) {
                world.excuse.dropped = false;
            }
        }
        if let (Action::Stage { content: Content::Again(_), .. }, Ok(Snapshot { pending: Some(again), .. })) =
            (action, &written)
        {
            world.replicas[who].journal.sending(again.candidate);
        }
        if self.config.flaw == Some(Flaw::UsedTokenTrusted) && written == Err(VaultTrouble::TokenUsed) {
            written = Ok(Self::trusting(world, as_of, action)?);
        }
        let written = written.map(|snapshot| self.shown(world, who, snapshot));
        if let (Some(password), Ok(snapshot)) = (staged.and_then(|staged| staged.password), &written)
            && self.holds_passwords()
        {
            let candidate = snapshot.pending.as_ref().map(|pending| pending.candidate);
            world.replicas[who].held.extend(candidate.map(|candidate| (candidate, password)));
        }
        Some(written)
    }

    /// Whether it matters which process holds which password.
    const fn holds_passwords(&self) -> bool {
        self.config.acts.deletions > 0 || matches!(self.config.maker, Maker::Provider)
    }

    fn read(&self, world: &World<V>, who: usize, as_of: Timestamp, choice: usize) -> Option<Snapshot> {
        let mut snapshot = world.vault.reads(as_of, world.now).into_iter().nth(choice)?;
        if let (Some(Flaw::TwoReads), Some(before)) = (self.config.flaw, world.replicas[who].rotation.seen()) {
            snapshot.pending.clone_from(&before.pending);
        }
        Some(self.shown(world, who, snapshot))
    }

    /// What the replica makes of a snapshot.
    fn shown(&self, world: &World<V>, who: usize, mut snapshot: Snapshot) -> Snapshot {
        snapshot.sole = self.config.sole;
        match self.config.flaw {
            Some(Flaw::NoGenerations) => disguise(&mut snapshot),
            Some(Flaw::RollbackForgotten) => snapshot.pending.iter_mut().for_each(unmark),
            Some(Flaw::VaultClockTrusted) => snapshot.skew = None,
            Some(Flaw::FirstForgets) => forget(&mut snapshot),
            Some(Flaw::JournalTrusted) => trust(&mut snapshot, &world.replicas[who].journal),
            _ => {}
        }
        snapshot
    }

    /// What a replica believes when it takes a used token for its own successful write.
    fn trusting(world: &World<V>, as_of: Timestamp, action: Action) -> Option<Snapshot> {
        let Action::Stage { token, generation, attempt, .. } = action else { return None };
        let mut snapshot = world.vault.reads(as_of, world.now).into_iter().next()?;
        let version = Version { token, owner: Owner::Ours { generation, attempt }, created_at: None };
        snapshot.pending =
            Some(Pending { candidate: version.token, version, predecessor: Predecessor::Nothing, permits: None });
        Some(snapshot)
    }

    fn send(&self, world: &mut World<V>, who: usize, token: Token, candidate: Token, signed_at: Timestamp) {
        let held = world.replicas[who].held.get(&candidate).copied();
        let Some(password) = held.or_else(|| world.vault.password(token)) else {
            return self.tell(world, who, Event::Delayed);
        };
        if held.is_none() && self.holds_passwords() {
            world.replicas[who].held.insert(candidate, password);
            return self.tell(world, who, Event::Delayed);
        }
        self.leave(world, who, candidate, Some(password), signed_at);
    }

    /// A request leaves: the record first.
    fn leave(
        &self,
        world: &mut World<V>,
        who: usize,
        candidate: Token,
        password: Option<Password>,
        signed_at: Timestamp,
    ) {
        let signed_at = if self.config.flaw == Some(Flaw::SignsLate) { Self::clock(world, who) } else { signed_at };
        let signed = signed_at.as_second() - time(0).as_second();
        let dies = u16::try_from(signed + i64::from(LIFETIME + TIMEOUT)).unwrap_or(0);
        let replica = &mut world.replicas[who];
        if self.config.faults.backups > 0 {
            replica.backup.clone_from(&replica.journal);
        }
        replica.journal.sending(candidate);
        replica.todo = Todo::Answer { candidate };
        if dies > world.now {
            world.flights.push(Flight { dies, password, waiter: Some(who) });
            world.flights.sort_unstable();
        }
    }

    /// The gateway is done with a request. None where more passwords would be made than the model has.
    fn land(&self, world: &mut World<V>, flight: usize, change: bool, answer: Option<Answer>) -> Option<()> {
        let flight = world.flights.remove(flight);
        if change {
            world.live = match flight.password {
                Some(password) => password,
                None => self.make(world, flight.waiter.filter(|_| answer == Some(Answer::Accepted)))?,
            };
            if flight.password.is_none() {
                world.excuse_lost();
            }
        }
        if let (Some(who), Some(answer)) = (flight.waiter, answer) {
            self.answer(world, who, answer);
        }
        Some(())
    }

    /// The provider makes a password, and tells it to whoever hears.
    fn make(&self, world: &mut World<V>, hears: Option<usize>) -> Option<Password> {
        world.made += 1;
        let (made, replicas) = (world.made, &mut world.replicas);
        if let Some(Replica { todo: Todo::Answer { candidate }, held, .. }) = hears.map(|who| &mut replicas[who]) {
            held.insert(*candidate, made);
        }
        (made <= self.config.passwords).then_some(made)
    }

    /// The same turn, in place; [`None`] when it cannot be taken.
    pub(crate) fn take(&self, world: &mut World<V>, turn: Turn) -> Option<()> {
        let doubt = Answer::Ambiguous(Doubt::TimedOut);
        match turn {
            Turn::Tick => {
                world.now += 1;
                let now = world.now;
                world.flights.retain(|flight| flight.dies > now);
                world.vault.tick(now);
            }
            Turn::Perform(who, choice) => self.perform(world, who, choice, true)?,
            Turn::PerformUnheard(who) => {
                world.left.doubts = world.left.doubts.saturating_sub(1);
                self.perform(world, who, 0, false)?;
            }
            Turn::Hear(who) => {
                let Todo::Hear(event) = world.replicas[who].todo.clone() else { return None };
                self.hear(world, who, event);
            }
            Turn::Accept(flight) => self.land(world, flight, true, Some(Answer::Accepted))?,
            Turn::AcceptUnheard(flight) => {
                world.left.doubts = world.left.doubts.saturating_sub(1);
                self.land(world, flight, true, Some(doubt))?;
            }
            Turn::Refuse(flight) => {
                if Some(world.live) != world.flights[flight].password {
                    world.left.refusals -= 1;
                }
                self.land(world, flight, false, Some(Answer::Refused))?;
            }
            Turn::Block(flight) => {
                world.left.blocks -= 1;
                self.land(world, flight, false, Some(Answer::Blocked(Block::Throttled)))?;
            }
            Turn::TimeOut(who) => {
                let flight = world.flights.iter_mut().find(|flight| flight.waiter == Some(who));
                if let Some(flight) = flight {
                    flight.waiter = None;
                    world.left.doubts = world.left.doubts.saturating_sub(1);
                }
                self.answer(world, who, doubt);
                world.flights.sort_unstable();
            }
            Turn::Crash(who) | Turn::CrashAndLoseJournal(who) | Turn::CrashAndRestoreJournal(who) => {
                world.left.crashes -= 1;
                match turn {
                    Turn::CrashAndLoseJournal(_) => {
                        world.left.journals -= 1;
                        world.replicas[who].journal = Record::new();
                    }
                    Turn::CrashAndRestoreJournal(_) => {
                        world.left.backups -= 1;
                        world.replicas[who].journal = world.replicas[who].backup.clone();
                    }
                    _ => {}
                }
                self.crash(world, who)?;
            }
            Turn::Act(act) => acts::take(world, act)?,
            Turn::Leap => {
                let waits = world.replicas.iter().filter_map(|replica| match replica.todo {
                    Todo::Perform(Action::Wait { until, why: Waiting::Spacing }) => Some(until),
                    _ => None,
                });
                let until = waits.min()?.as_second() - time(0).as_second();
                world.now = u16::try_from(until).ok().filter(|until| *until > world.now)?;
                world.since = world.now;
                world.leaps -= 1;
                world.flights.clear();
                world.vault.tick(world.now);
            }
        }
        Some(())
    }

    /// The replica starts again with the same ask.
    fn crash(&self, world: &mut World<V>, who: usize) -> Option<()> {
        for flight in world.flights.iter_mut().filter(|flight| flight.waiter == Some(who)) {
            flight.waiter = None;
        }
        world.flights.sort_unstable();
        if let Some(off) = self.config.wall {
            world.replicas[who].clock.unheard = Some((off, false));
        }
        world.replicas[who].begun = world.replicas[who].begun.checked_sub(1)?;
        self.begin_next(world, who)?;
        world.excuse_lost();
        Some(())
    }
}

/// What a candidate holds, and whose it is; none when the version that it copies is gone.
fn staged<V: Vault>(world: &mut World<V>, who: usize, token: Token, ours: Owner, content: Content) -> Option<Staged> {
    let Owner::Ours { generation, attempt } = ours else { return None };
    let replica = &world.replicas[who];
    let current = replica.rotation.seen().and_then(|seen| seen.current.as_ref()).map(|current| current.token);
    let (token, owner, password) = match content {
        Content::Fresh => (token, ours, Some(world.made + 1)),
        Content::Copy(from) if Some(from) == current => (token, ours, Some(world.vault.password(from)?)),
        Content::Copy(from) => (token, Owner::Rollback { generation, attempt }, Some(world.vault.password(from)?)),
        Content::Again(candidate) => (token, ours, Some(*replica.held.get(&candidate)?)),
        Content::Generated(intent) => (token, Owner::Generated { generation }, Some(*replica.held.get(&intent)?)),
        Content::Intent => (acts::draw(world), Owner::Intent { generation }, None),
    };
    Some(Staged { version: Version { token, owner, created_at: None }, password })
}

/// Makes an old journal look as though it knew of every send.
fn trust(snapshot: &mut Snapshot, journal: &Record) {
    if let Some(Pending { predecessor: Predecessor::Ended { candidate: Some(before), permits, .. }, .. }) =
        &mut snapshot.pending
    {
        snapshot.counts_permits = true;
        *permits = u32::try_from(journal.count(*before)).ok();
    }
}

/// Makes a rollback look like any other candidate.
const fn unmark(pending: &mut Pending) {
    if let Owner::Rollback { generation, attempt } = pending.version.owner {
        pending.version.owner = Owner::Ours { generation, attempt };
    }
}

/// Makes the first candidate of a generation look as though nothing had been pending before it.
fn forget(snapshot: &mut Snapshot) {
    let adopted = |current: &Version| matches!(current.owner, Owner::NeverOurs | Owner::Placeholder);
    if let Some(pending) = &mut snapshot.pending
        && matches!(pending.version.owner, Owner::Ours { attempt: 0, .. })
        && snapshot.current.as_ref().is_some_and(adopted)
    {
        pending.predecessor = Predecessor::Nothing;
    }
}

/// Makes a pending version look as though it belonged to the current generation.
fn disguise(snapshot: &mut Snapshot) {
    if let (Some(current), Some(pending)) = (&mut snapshot.current, &snapshot.pending)
        && let Owner::Ours { generation, .. } = pending.version.owner
    {
        current.token = generation;
    }
}
