//! What each turn does to the world: a replica performs the one action that `step` asked for, or hears of it; the provider
//! works on one request; a second passes.

use jiff::SignedDuration;
use ncloud_rotator::domain::Timestamp;
use ncloud_rotator::domain::gateway::Gateway;
use ncloud_rotator::domain::rotation::snapshot::{Owner, Pending, Predecessor, Snapshot, Version};
use ncloud_rotator::domain::rotation::{
    Action, Answer, Block, Doubt, Event, Goal, Heard, Insistence, Maker, Moment, Plan, Record, Rotation, VaultTrouble,
    step,
};
use ncloud_rotator::domain::token::Token;

use crate::config::Flaw;
use crate::world::{Flight, Protocol, Todo, Turn, Vault, World, Write, subject, time};

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

    pub(crate) fn plan(&self) -> Plan {
        let settle = if self.config.flaw == Some(Flaw::SettleForgotten) { 0 } else { self.config.settle };
        let settle = SignedDuration::from_secs(settle.into());
        Plan {
            subject: subject(),
            gateway: self.gateway(),
            settle,
            goal: Goal::Rotate,
            maker: Maker::Us,
            insists: Insistence::Spacing,
        }
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

    pub(crate) fn begin(&self, world: &mut World<V>, who: usize) {
        let rotation = Rotation::new(self.plan());
        let event = Event::Begin(world.replicas[who].journal.clone());
        let (rotation, action) = step(rotation, self.moment(world, who), event);
        let replica = &mut world.replicas[who];
        replica.rotation = rotation;
        replica.todo = Todo::Perform(action);
        replica.rotations += 1;
    }

    /// Tells `step` an event, now.
    fn hear(&self, world: &mut World<V>, who: usize, event: Event) {
        let moment = self.moment(world, who);
        let replica = &mut world.replicas[who];
        let (rotation, action) = step(replica.rotation.clone(), moment, event);
        replica.rotation = rotation;
        replica.todo = Todo::Perform(action);
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
        let Todo::Answer(token) = world.replicas[who].todo else { return };
        let noted = match answer {
            Answer::Ambiguous(_) if self.config.flaw == Some(Flaw::DoubtIsRefusal) => Answer::Refused,
            _ => answer,
        };
        world.replicas[who].journal.answered(token, noted);
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
            Action::Finish(_) if world.replicas[who].rotations >= self.config.rotations[who] => return None,
            Action::Finish(_) => self.begin(world, who),
            // These models make their own passwords, and delete nothing; rules 11 and 13 are told in the step's tables.
            Action::Generate { .. } | Action::Restore { .. } => return None,
            Action::Send { token, signed_at, .. } => self.send(world, who, token, signed_at),
            Action::Place { .. } | Action::Stage { .. } | Action::Permit { .. } | Action::Promote { .. } => {
                let unheard = world.replicas[who].clock.unheard;
                let stamp = match unheard {
                    Some((_, false)) if self.config.flaw != Some(Flaw::StampsUnheard) => None,
                    _ => Some(as_of),
                };
                let (password, now) = (world.made + 1, world.now);
                let (settle, flaw) = (self.config.settle, self.config.flaw);
                let mut written = world.vault.write(&Write { action, password, as_of, stamp, now, settle, flaw });
                if let (Action::Stage { .. }, Ok(_)) = (action, &written) {
                    if password > self.config.passwords {
                        return None;
                    }
                    world.made = password;
                }
                if self.config.flaw == Some(Flaw::UsedTokenTrusted) && written == Err(VaultTrouble::TokenUsed) {
                    written = Ok(Self::trusting(world, as_of, action)?);
                }
                if let (Some(Flaw::NoGenerations), Ok(snapshot)) = (self.config.flaw, &mut written) {
                    disguise(snapshot);
                }
                if !heard {
                    written = Err(VaultTrouble::Doubtful);
                }
                self.tell(world, who, written.map_or_else(Event::VaultFailed, Event::Written));
            }
        }
        Some(())
    }

    fn read(&self, world: &World<V>, who: usize, as_of: Timestamp, choice: usize) -> Option<Snapshot> {
        let mut snapshot = world.vault.reads(as_of).into_iter().nth(choice)?;
        let before = world.replicas[who].rotation.seen();
        match (self.config.flaw, before) {
            (Some(Flaw::TwoReads), Some(before)) => snapshot.pending.clone_from(&before.pending),
            (Some(Flaw::NoGenerations), _) => disguise(&mut snapshot),
            _ => {}
        }
        Some(snapshot)
    }

    /// What a replica believes when it takes a used token for its own successful write.
    fn trusting(world: &World<V>, as_of: Timestamp, action: Action) -> Option<Snapshot> {
        let Action::Stage { token, generation, attempt, .. } = action else { return None };
        let mut snapshot = world.vault.reads(as_of).into_iter().next()?;
        let version = Version { token, owner: Owner::Ours { generation, attempt }, created_at: None };
        snapshot.pending =
            Some(Pending { candidate: version.token, version, predecessor: Predecessor::Nothing, permits: None });
        Some(snapshot)
    }

    fn send(&self, world: &mut World<V>, who: usize, token: Token, signed_at: Timestamp) {
        let Some(password) = world.vault.password(token) else {
            return self.tell(world, who, Event::Delayed);
        };
        let signed_at = if self.config.flaw == Some(Flaw::SignsLate) { Self::clock(world, who) } else { signed_at };
        let signed = signed_at.as_second() - time(0).as_second();
        let dies = u16::try_from(signed + i64::from(LIFETIME + TIMEOUT)).unwrap_or(0);
        world.replicas[who].journal.sending(token);
        world.replicas[who].todo = Todo::Answer(token);
        if dies > world.now {
            world.flights.push(Flight { dies, password, waiter: Some(who) });
            world.flights.sort_unstable();
        }
    }

    fn land(&self, world: &mut World<V>, flight: usize, change: bool, answer: Option<Answer>) {
        let flight = world.flights.remove(flight);
        if change {
            world.live = flight.password;
        }
        if let (Some(who), Some(answer)) = (flight.waiter, answer) {
            self.answer(world, who, answer);
        }
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
            Turn::Accept(flight) => self.land(world, flight, true, Some(Answer::Accepted)),
            Turn::AcceptUnheard(flight) => {
                world.left.doubts = world.left.doubts.saturating_sub(1);
                self.land(world, flight, true, Some(doubt));
            }
            Turn::Refuse(flight) => {
                if world.live != world.flights[flight].password {
                    world.left.refusals -= 1;
                }
                self.land(world, flight, false, Some(Answer::Refused));
            }
            Turn::Block(flight) => {
                world.left.blocks -= 1;
                self.land(world, flight, false, Some(Answer::Blocked(Block::Throttled)));
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
            Turn::Crash(who) | Turn::CrashAndLoseJournal(who) => {
                world.left.crashes -= 1;
                if matches!(turn, Turn::CrashAndLoseJournal(_)) {
                    world.left.journals -= 1;
                    world.replicas[who].journal = Record::new();
                }
                for flight in world.flights.iter_mut().filter(|flight| flight.waiter == Some(who)) {
                    flight.waiter = None;
                }
                world.flights.sort_unstable();
                if let Some(off) = self.config.wall {
                    world.replicas[who].clock.unheard = Some((off, false));
                }
                self.begin(world, who);
                world.replicas[who].rotations -= 1;
            }
        }
        Some(())
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
