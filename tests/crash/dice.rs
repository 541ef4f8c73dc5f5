//! What happens in one turn of the torture, drawn before anything happens: the same seed draws the same turns.

use std::collections::BTreeSet;

use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::relay::Fate;
use crate::shelf::{Failure, Kind, Operation, Trouble};
use crate::world::ACCOUNTS;

/// Where state directories are, below a world: two machines' worth.
pub(crate) const STATES: [&str; 2] = ["state", "elsewhere"];

/// Faults that leave open what became of the password.
const DOUBTS: [&str; 10] = [
    "drop-before",
    "drop-after",
    "html",
    "html-after",
    "empty",
    "empty-after",
    "success-false",
    "success-false-after",
    "garbage-after",
    "other-id",
];

/// One turn.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    /// Rules for the emulator's programme.
    pub(crate) faults: Vec<Value>,
    /// What goes wrong at the vault's server, if it has one.
    pub(crate) troubles: Vec<Trouble>,
    pub(crate) processes: Vec<Process>,
    /// When what was held on its way in earlier turns arrives.
    pub(crate) release: Release,
    /// What befalls each state directory afterwards.
    pub(crate) states: [State; 2],
    /// Whether everything is brought to an end after it.
    pub(crate) settles: bool,
}

/// When held requests are let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    No,
    /// While the turn's processes are at work.
    During,
    /// When they are dead.
    After,
}

/// One process of a turn.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) words: String,
    pub(crate) state: &'static str,
    pub(crate) death: Death,
    /// What becomes of its requests.
    pub(crate) fate: Fate,
}

/// When a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Death {
    /// At this moment of its exchanges.
    Moment(usize),
    /// So many microseconds after its start.
    After(u64),
    /// When it has not ended by itself in time.
    Impatience,
}

/// What befalls a state directory between two turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Stays,
    IsLost,
    /// A copy is laid aside.
    IsCopied,
    /// The copy takes its place, if there is one.
    IsRestored,
}

/// Draws turns.
pub(crate) struct Dice {
    source: Xoshiro256PlusPlus,
    /// The account that most of it is about for a while: what is rare happens to one account after another.
    focus: &'static str,
    /// About how many moments an account's rotation has.
    of_each_account: usize,
}

impl Dice {
    /// Those of one lane.
    pub(crate) fn new(kind: Kind, seed: u64, lane: u64) -> Self {
        let seed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(lane);
        let of_each_account = match kind {
            Kind::Age => 4,
            Kind::Aws => 15,
        };
        Self { source: Xoshiro256PlusPlus::seed_from_u64(seed), focus: ACCOUNTS[0], of_each_account }
    }

    /// Whether the provider of a new world refuses the password that an account has.
    pub(crate) fn refuses_the_same(&mut self) -> bool {
        self.one_in(2)
    }

    pub(crate) fn turn(&mut self) -> Turn {
        if self.one_in(4) {
            self.focus = self.any_account();
        }
        let faults = (0..self.below(4)).map(|_| self.rule()).collect();
        let troubles = if self.one_in(2) { (0..self.below(3)).map(|_| self.trouble()).collect() } else { Vec::new() };
        let company = 1 + usize::from(self.one_in(3));
        let processes = (0..company).map(|_| self.process()).collect();
        Turn {
            faults,
            troubles,
            processes,
            release: *self.pick(&[Release::No, Release::No, Release::During, Release::After]),
            states: [self.state(), self.state()],
            settles: self.one_in(8),
        }
    }

    fn rule(&mut self) -> Value {
        let account = self.account();
        let call = if account.starts_with("df") { "resetPassword" } else { "password" };
        json!({ "call": call, "account": account, "skip": self.below(2), "fault": self.fault(2) })
    }

    fn fault(&mut self, depth: u32) -> Value {
        match self.below(if depth == 0 { 12 } else { 16 }) {
            0 => json!({ "5xx-before": self.pick(&[500, 503, 504]) }),
            1 => json!({ "5xx-after": self.pick(&[500, 503, 504]) }),
            2 => json!({ "429": self.pick(&[410, 420]) }),
            3 => json!(self.pick(&["forbid", "unauthorised"])),
            4..8 => json!(self.pick(&["refuse", "refuse", "refuse-same"])),
            8..12 => json!(self.pick(&DOUBTS)),
            // A gateway may work on a request that it has let in for as long as its timeout.
            12 => json!({ "delay": { "ms": self.below(900), "checked-at": "arrival" } }),
            13 => json!({ "delay": { "ms": self.below(4000), "then": self.fault(depth - 1) } }),
            14 => json!({ "delay": { "ms": self.below(4000) } }),
            _ => json!({ "hold": { "then": self.fault(depth - 1) } }),
        }
    }

    fn trouble(&mut self) -> Trouble {
        use Failure::{
            Delayed, DropAfter, DropBefore, ErrorAfter, ErrorBefore, Garbage, HeldAfter, HeldBefore, Throttled,
        };
        let failures =
            [DropBefore, DropAfter, ErrorBefore, ErrorAfter, Throttled, Delayed, Garbage, HeldBefore, HeldAfter];
        Trouble {
            operation: *self.pick(&[Operation::Create, Operation::Stage, Operation::Promote, Operation::Read]),
            failure: *self.pick(&failures),
            skip: u8::from(self.one_in(2)),
        }
    }

    fn process(&mut self) -> Process {
        // About as many moments as there will be: those of the start, and those of each account.
        let (words, moments) = match self.below(12) {
            0..4 => ("run".to_owned(), 18 + self.of_each_account),
            4 => ("rotate --all --yes".to_owned(), 12 + self.of_each_account * ACCOUNTS.len()),
            _ => {
                let names: BTreeSet<&str> = (0..=self.below(3)).map(|_| self.account()).collect();
                let words = names.iter().copied().collect::<Vec<_>>().join(" ");
                (format!("rotate --yes {words}"), 12 + self.of_each_account * names.len())
            }
        };
        let death = match self.below(10) {
            0 => Death::Impatience,
            1 | 2 => Death::After(u64::from(self.below(80_000))),
            _ => Death::Moment(self.source.random_range(0..moments)),
        };
        let fate = *self.pick(&[Fate::Lost, Fate::Lands, Fate::Late]);
        Process { words, state: if self.one_in(4) { STATES[1] } else { STATES[0] }, death, fate }
    }

    fn state(&mut self) -> State {
        match self.below(12) {
            0 => State::IsLost,
            1 => State::IsCopied,
            2 => State::IsRestored,
            _ => State::Stays,
        }
    }

    fn account(&mut self) -> &'static str {
        if self.one_in(4) { self.any_account() } else { self.focus }
    }

    fn any_account(&mut self) -> &'static str {
        ACCOUNTS[self.source.random_range(0..ACCOUNTS.len())]
    }

    fn one_in(&mut self, many: u32) -> bool {
        self.below(many) == 0
    }

    fn below(&mut self, bound: u32) -> u32 {
        self.source.random_range(0..bound)
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        // A list that is written down here is never empty.
        from.choose(&mut self.source).unwrap()
    }
}
