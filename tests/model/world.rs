//! Two replicas that run the real [`step`], one vault, one provider, and everything that may go wrong between them.
//!
//! A turn of the world performs one action that one replica asked for, lets the provider work on one request, or lets
//! a second pass. A replica that is not given a turn is one that sleeps: nothing bounds how long.

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use ncloud_rotator::domain::Timestamp;
use ncloud_rotator::domain::account::{AccountId, Kind, Site, Subject};
use ncloud_rotator::domain::rotation::snapshot::Snapshot;
use ncloud_rotator::domain::rotation::{Action, Event, Record, Rotation, VaultTrouble};
use ncloud_rotator::domain::token::Token;
use stateright::{Model, Property};

use crate::completion;
use crate::config::{Clock, Config, Faults, Flaw, Password, Start};

/// One write to a vault.
pub(crate) struct Write {
    pub(crate) action: Action,
    /// The password that is staged, if one is.
    pub(crate) password: Password,
    pub(crate) as_of: Timestamp,
    pub(crate) stamp: Option<Timestamp>,
    pub(crate) now: u16,
    pub(crate) settle: u16,
    pub(crate) flaw: Option<Flaw>,
}

pub(crate) trait Vault: Clone + Debug + PartialEq + Eq + Hash + Send + Sync + 'static {
    fn start(start: Start, token: Token, ended: Timestamp) -> Self;
    /// Every snapshot that a read may show now.
    fn reads(&self, as_of: Timestamp) -> Vec<Snapshot>;
    fn write(&mut self, write: &Write) -> Result<Snapshot, VaultTrouble>;
    fn password(&self, token: Token) -> Option<Password>;
    /// Whether a person can read this password in the vault.
    fn shows(&self, password: Password) -> bool;
    /// The current password, when nothing is pending.
    fn idle(&self) -> Option<Password>;
    fn tick(&mut self, now: u16);
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct World<V> {
    pub(crate) now: u16,
    pub(crate) vault: V,
    pub(crate) live: Password,
    pub(crate) made: Password,
    pub(crate) flights: Vec<Flight>,
    pub(crate) replicas: [Replica; 2],
    pub(crate) left: Faults,
}

/// A request under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Flight {
    /// From this second on it can no longer take effect.
    pub(crate) dies: u16,
    pub(crate) password: Password,
    /// Who still waits for the answer.
    pub(crate) waiter: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Replica {
    pub(crate) todo: Todo,
    pub(crate) rotation: Rotation,
    /// What its journal holds on disk.
    pub(crate) journal: Record,
    pub(crate) clock: Clock,
    pub(crate) rotations: u8,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Todo {
    /// Asked for by `step`, not performed yet.
    Perform(Action),
    /// A request is out.
    Answer(Token),
    /// Performed; `step` was not told yet.
    Hear(Event),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Turn {
    Tick,
    /// Performs what the replica asked for; the number picks one of the possible reads.
    Perform(usize, usize),
    /// Performs it, and the answer is lost.
    PerformUnheard(usize),
    Hear(usize),
    Accept(usize),
    AcceptUnheard(usize),
    Refuse(usize),
    Block(usize),
    TimeOut(usize),
    Crash(usize),
    CrashAndLoseJournal(usize),
}

/// The model: a [`Config`] over one kind of vault.
#[derive(Debug, Clone)]
pub(crate) struct Protocol<V> {
    pub(crate) config: Config,
    vault: PhantomData<V>,
}

pub(crate) fn time(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap_or(Timestamp::MAX)
}

pub(crate) fn subject() -> Subject {
    Subject { site: Site::Emulator, kind: Kind::SubAccount, id: AccountId("a".into()) }
}

impl<V: Vault> Protocol<V> {
    pub(crate) const fn new(config: Config) -> Self {
        Self { config, vault: PhantomData }
    }
}

impl<V: Vault> Model for Protocol<V> {
    type State = World<V>;
    type Action = Turn;

    fn init_states(&self) -> Vec<World<V>> {
        let mut worlds = Vec::new();
        for start in self.config.starts {
            for clocks in self.config.clocks {
                let token = match start {
                    Start::Placeholder => Token::placeholder(),
                    Start::NeverOurs | Start::Ours => Token::of_attempt(&subject(), Token::placeholder(), 0),
                };
                let replica = |who: usize| Replica {
                    todo: Todo::Hear(Event::Woken),
                    rotation: Rotation::new(self.plan()),
                    journal: Record::new(),
                    clock: clocks[who],
                    rotations: 0,
                };
                let mut world = World {
                    now: 0,
                    vault: V::start(*start, token, time(-3600)),
                    live: 0,
                    made: 0,
                    flights: Vec::new(),
                    replicas: [replica(0), replica(1)],
                    left: self.config.faults,
                };
                for who in 0..2 {
                    self.begin(&mut world, who);
                }
                worlds.push(world);
            }
        }
        worlds
    }

    fn actions(&self, world: &World<V>, turns: &mut Vec<Turn>) {
        for (who, replica) in world.replicas.iter().enumerate() {
            match &replica.todo {
                Todo::Perform(Action::Read) => {
                    let reads = world.vault.reads(time(0)).len();
                    turns.extend((0..reads).map(|choice| Turn::Perform(who, choice)));
                }
                Todo::Perform(Action::Stage { .. } | Action::Permit { .. } | Action::Promote { .. })
                    if world.left.doubts > 0 =>
                {
                    turns.extend([Turn::Perform(who, 0), Turn::PerformUnheard(who)]);
                }
                Todo::Perform(_) => turns.push(Turn::Perform(who, 0)),
                Todo::Hear(_) => turns.push(Turn::Hear(who)),
                Todo::Answer(_) => {
                    if world.left.doubts > 0 || !world.flights.iter().any(|flight| flight.waiter == Some(who)) {
                        turns.push(Turn::TimeOut(who));
                    }
                }
            }
            if world.left.crashes > 0 {
                turns.push(Turn::Crash(who));
                if world.left.journals > 0 && replica.journal != Record::new() {
                    turns.push(Turn::CrashAndLoseJournal(who));
                }
            }
        }
        for (index, flight) in world.flights.iter().enumerate() {
            turns.push(Turn::Accept(index));
            if flight.waiter.is_none() {
                continue;
            }
            if world.left.doubts > 0 {
                turns.push(Turn::AcceptUnheard(index));
            }
            if world.left.refusals > 0 || world.live == flight.password {
                turns.push(Turn::Refuse(index));
            }
            if world.left.blocks > 0 {
                turns.push(Turn::Block(index));
            }
        }
        if world.now < self.config.horizon {
            turns.push(Turn::Tick);
        }
    }

    fn next_state(&self, world: &World<V>, turn: Turn) -> Option<World<V>> {
        let mut next = world.clone();
        self.take(&mut next, turn)?;
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("every password that may be live is readable", |_, world: &World<V>| {
                world.vault.shows(world.live) && world.flights.iter().all(|flight| world.vault.shows(flight.password))
            }),
            Property::always("when idle, what is live is current, and stays so", |_, world: &World<V>| {
                world.vault.idle().is_none_or(|current| {
                    world.live == current && world.flights.iter().all(|flight| flight.password == current)
                })
            }),
            Property::always("when faults stop, every rotation ends in time", completion::ends_in_time),
        ]
    }
}
