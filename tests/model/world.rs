//! Two replicas that run the real [`step`], one vault, one provider, and everything that may go wrong between them.
//!
//! A turn of the world performs one action that one replica asked for, lets the provider work on one request, or lets
//! a second pass. A replica that is not given a turn is one that sleeps: nothing bounds how long.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use ncloud_rotator::domain::Timestamp;
use ncloud_rotator::domain::account::{AccountId, Kind, Site, Subject};
use ncloud_rotator::domain::rotation::snapshot::{Owner, Snapshot, Version};
use ncloud_rotator::domain::rotation::{
    Action, Event, Goal, Insistence, Outcome, Record, Rotation, VaultTrouble, Waiting,
};
use ncloud_rotator::domain::token::Token;
use stateright::{Model, Property};

use crate::acts;
use crate::completion;
use crate::config::{Act, Acts, Clock, Config, Faults, Flaw, OLDEST, Password, Start};

/// One write to a vault.
pub(crate) struct Write {
    pub(crate) action: Action,
    /// What is staged, if anything is.
    pub(crate) staged: Option<Staged>,
    pub(crate) as_of: Timestamp,
    pub(crate) stamp: Option<Timestamp>,
    pub(crate) now: u16,
    pub(crate) settle: u16,
    pub(crate) flaw: Option<Flaw>,
}

#[derive(Debug, Clone)]
pub(crate) struct Staged {
    pub(crate) version: Version,
    /// None in an intent.
    pub(crate) password: Option<Password>,
}

pub(crate) trait Vault: Clone + Debug + PartialEq + Eq + Hash + Send + Sync + 'static {
    /// How many fences a rotation may wait for when nothing goes wrong any more: a writer who is not shown what others wrote
    /// learns only after the first that another generation has begun.
    const FENCES: u64;

    fn start(start: Start, ended: Timestamp, clock: Option<i8>) -> Self;
    /// Every snapshot that a read may show now.
    fn reads(&self, as_of: Timestamp, now: u16) -> Vec<Snapshot>;
    fn write(&mut self, write: &Write) -> Result<Snapshot, VaultTrouble>;
    /// A person's act; none when it cannot be done now. The token is the person's own.
    fn act(&mut self, act: Act, token: Token, now: u16) -> Option<()>;
    fn password(&self, token: Token) -> Option<Password>;
    fn owner(&self, token: Token) -> Option<Owner>;
    /// Whether a person can read this password in the vault.
    fn shows(&self, password: Password) -> bool;
    /// The current password, when nothing is pending and no person's hand lies on the current version.
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
    pub(crate) acts: Acts,
    /// Random tokens drawn.
    pub(crate) drawn: u8,
    /// The second from which the horizon counts, and the leaps that are left.
    pub(crate) since: u16,
    pub(crate) leaps: u8,
    pub(crate) excuse: Excuse,
}

/// What is known to be so through nobody's fault but a person's, or the provider's own way (rules 11 and 13).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Excuse {
    /// An operator gave a pending password up, and nothing was written since: it may be live.
    pub(crate) dropped: bool,
    /// Passwords that were in no process when their secret was deleted, or that the provider made and nobody heard.
    pub(crate) lost: BTreeSet<Password>,
}

/// A request under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Flight {
    /// From this second on it can no longer take effect.
    pub(crate) dies: u16,
    /// The password that it sets; none when the provider is to make one.
    pub(crate) password: Option<Password>,
    /// Who still waits for the answer.
    pub(crate) waiter: Option<usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Replica {
    pub(crate) todo: Todo,
    pub(crate) rotation: Rotation,
    /// What its journal holds on disk.
    pub(crate) journal: Record,
    /// The journal before the last send, where one may be restored.
    pub(crate) backup: Record,
    /// The passwords that the process holds by candidate, where that matters.
    pub(crate) held: BTreeMap<Token, Password>,
    pub(crate) clock: Clock,
    /// How many of its asks it has begun.
    pub(crate) begun: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[expect(clippy::large_enum_variant, reason = "boxes would be hashed and compared through for every state")]
pub(crate) enum Todo {
    /// Asked for by `step`, not performed yet.
    Perform(Action),
    /// A request is out for a candidate.
    Answer { candidate: Token },
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
    CrashAndRestoreJournal(usize),
    /// A person does something to the secret.
    Act(Act),
    /// Time passes until the first replica that waits for its spacing goes on.
    Leap,
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

/// The versions at first, oldest first; the last one is current.
pub(crate) fn first_versions(start: Start) -> Vec<Staged> {
    let first = Token::of_attempt(&subject(), Token::placeholder(), 0);
    let next = Token::of_attempt(&subject(), first, 0);
    let ours = |generation| Owner::Ours { generation, attempt: 0 };
    let versions = match start {
        Start::Placeholder => vec![(Token::placeholder(), Owner::Placeholder, 0)],
        Start::NeverOurs => vec![(first, Owner::NeverOurs, 0)],
        Start::Ours => vec![(first, ours(Token::placeholder()), 0)],
        Start::OursAgain => vec![(first, ours(Token::placeholder()), OLDEST), (next, ours(first), 0)],
    };
    let staged = |(token, owner, password)| Staged {
        version: Version { token, owner, created_at: None },
        password: Some(password),
    };
    versions.into_iter().map(staged).collect()
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
                let replica = |who: usize| Replica {
                    todo: Todo::Perform(Action::Finish(Outcome::Idle)),
                    rotation: Rotation::new(self.plan((Goal::Finish, Insistence::None))),
                    journal: Record::new(),
                    backup: Record::new(),
                    held: BTreeMap::new(),
                    clock: clocks[who],
                    begun: 0,
                };
                let mut world = World {
                    now: 0,
                    vault: V::start(*start, time(-3600), self.config.vault_clock),
                    live: 0,
                    made: 0,
                    flights: Vec::new(),
                    replicas: [replica(0), replica(1)],
                    left: self.config.faults,
                    acts: self.config.acts,
                    drawn: 0,
                    since: 0,
                    leaps: self.config.leaps,
                    excuse: Excuse::default(),
                };
                for who in 0..2 {
                    self.begin_next(&mut world, who);
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
                    let reads = world.vault.reads(time(0), 0).len();
                    turns.extend((0..reads).map(|choice| Turn::Perform(who, choice)));
                }
                Todo::Perform(Action::Stage { .. } | Action::Permit { .. } | Action::Promote { .. })
                    if world.left.doubts > 0 =>
                {
                    turns.extend([Turn::Perform(who, 0), Turn::PerformUnheard(who)]);
                }
                Todo::Perform(_) => turns.push(Turn::Perform(who, 0)),
                Todo::Hear(_) => turns.push(Turn::Hear(who)),
                Todo::Answer { .. } => {
                    if world.left.doubts > 0 || !world.flights.iter().any(|flight| flight.waiter == Some(who)) {
                        turns.push(Turn::TimeOut(who));
                    }
                }
            }
            if world.left.crashes > 0 && replica.begun > 0 {
                turns.push(Turn::Crash(who));
                if world.left.journals > 0 && replica.journal != Record::new() {
                    turns.push(Turn::CrashAndLoseJournal(who));
                }
                if world.left.backups > 0 && replica.journal != replica.backup {
                    turns.push(Turn::CrashAndRestoreJournal(who));
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
            if world.left.refusals > 0 || Some(world.live) == flight.password {
                turns.push(Turn::Refuse(index));
            }
            if world.left.blocks > 0 {
                turns.push(Turn::Block(index));
            }
        }
        turns.extend(acts::possible(&world.acts).map(Turn::Act));
        if world.now < world.since + self.config.horizon {
            turns.push(Turn::Tick);
        }
        let spaced =
            |replica: &Replica| matches!(replica.todo, Todo::Perform(Action::Wait { why: Waiting::Spacing, .. }));
        if world.leaps > 0 && world.replicas.iter().any(spaced) {
            turns.push(Turn::Leap);
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
                world.is_kept(world.live)
                    && world.flights.iter().filter_map(|flight| flight.password).all(|password| world.is_kept(password))
            }),
            Property::always("when idle, what is live is current, and stays so", |_, world: &World<V>| {
                world.excuse.dropped
                    || world.vault.idle().is_none_or(|current| {
                        world.live == current && world.flights.iter().all(|flight| flight.password == Some(current))
                    })
            }),
            Property::always("a rollback turns into no other password by itself", acts::rolls_back_only),
            Property::always("when faults stop, every rotation ends in time", completion::ends_in_time),
        ]
    }
}

impl<V: Vault> World<V> {
    /// Whether a password can be read in the vault, or is held by a process that puts it there; or is known to be lost.
    fn is_kept(&self, password: Password) -> bool {
        self.vault.shows(password) || self.is_held(password) || self.excuse.lost.contains(&password)
    }

    fn is_held(&self, password: Password) -> bool {
        self.replicas.iter().any(|replica| replica.held.values().any(|held| *held == password))
    }

    /// Notes which passwords nobody has any more, after a deletion, a crash, or an answer that was not heard.
    pub(crate) fn excuse_lost(&mut self) {
        let in_flight = self.flights.iter().filter_map(|flight| flight.password);
        let lost: Vec<Password> = in_flight.chain([self.live]).filter(|password| !self.is_kept(*password)).collect();
        self.excuse.lost.extend(lost);
    }
}
