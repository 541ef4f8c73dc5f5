//! What the checker explores: bounds, faults, clocks, and which rule is taken away.

use ncloud_rotator::domain::rotation::{Goal, Insistence, Maker};

/// Passwords are numbered as they are made; 0 is the one from before the first rotation.
pub(crate) type Password = u8;

/// What the checker explores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Config {
    /// The last second.
    pub(crate) horizon: u16,
    /// Passwords that may be made.
    pub(crate) passwords: Password,
    /// What each replica is asked for, one thing after the other.
    pub(crate) asks: [&'static [Ask]; 2],
    /// Who makes the passwords.
    pub(crate) maker: Maker,
    /// Faults that may happen.
    pub(crate) faults: Faults,
    /// What people may do to the secret.
    pub(crate) acts: Acts,
    /// How often time may leap to where the first replica that waits for its spacing goes on.
    pub(crate) leaps: u8,
    /// What the current version is at first.
    pub(crate) starts: &'static [Start],
    /// Whether each replica has heard the gateway, and how far its clock is then off, in seconds.
    pub(crate) clocks: &'static [[Clock; 2]],
    /// How far a replica's wall clock is off, by which it goes after a crash until it hears the gateway; none when a crash
    /// forgets no hearing.
    pub(crate) wall: Option<i8>,
    /// `max_clock_skew`, in seconds.
    pub(crate) skew: u16,
    /// How long a write may stay unseen by readers, in seconds.
    pub(crate) settle: u16,
    /// How far the vault's own clock is off, in seconds; none when replicas are not told.
    pub(crate) vault_clock: Option<i8>,
    /// Whether the operator said that nobody else writes to the vault (rule 7).
    pub(crate) sole: bool,
    /// Whether a result may wait before it is handled.
    pub(crate) lag: bool,
    /// Whether this state in so many is also run to its end; 0 for none.
    pub(crate) complete_one_in: u64,
    /// What is broken on purpose.
    pub(crate) flaw: Option<Flaw>,
}

impl Config {
    /// Whether everybody rotates, with passwords made here, and no person does anything.
    pub(crate) fn is_left_alone(&self) -> bool {
        let rotates = self.asks.iter().flat_map(|asks| asks.iter()).all(|(goal, _)| *goal == Goal::Rotate);
        rotates && self.maker == Maker::Us && self.acts == Acts::default()
    }
}

/// What a replica is asked for.
pub(crate) type Ask = (Goal, Insistence);

/// What people may do to the secret, and how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Acts {
    /// Puts of a copy of the current or the previous value, made current under a token of the human's own.
    pub(crate) copies: u8,
    /// Puts of a value with another password and no mark that fits, made current.
    pub(crate) strange: u8,
    /// An operator's `drop_pending`.
    pub(crate) drops: u8,
    /// Deletions of the whole secret.
    pub(crate) deletions: u8,
}

/// One act of a person. "Current" and "previous" are what they are at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    CopyCurrent,
    CopyPrevious,
    PutStrange,
    Drop,
    Delete,
}

/// How many of each fault may happen, all replicas together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Faults {
    /// Refusals of a password without a reason; that it is live already is always one.
    pub(crate) refusals: u8,
    /// Answers of provider or vault that are not heard.
    pub(crate) doubts: u8,
    /// Requests that the gateway refuses for a reason of its own.
    pub(crate) blocks: u8,
    /// Crashes; a replica starts again at once, which is no loss since it may sleep.
    pub(crate) crashes: u8,
    /// Crashes that lose the journal as well.
    pub(crate) journals: u8,
    /// Crashes after which the journal is one from before the last send.
    pub(crate) backups: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Start {
    Placeholder,
    NeverOurs,
    Ours,
    /// Ours, after another of ours that is still there.
    OursAgain,
}

/// The password before the one from before the first rotation.
pub(crate) const OLDEST: Password = 100;

/// A replica's idea of gateway time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Clock {
    /// How far it is off after a hearing, in seconds, within the bound.
    pub(crate) off: i8,
    /// How far it is off beyond that until then, and whether the gateway was ever heard.
    pub(crate) unheard: Option<(i8, bool)>,
}

/// A rule taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Flaw {
    /// The fence forgets the signature's lifetime, time-out and skew.
    NoFence,
    /// The fence is one second short.
    ShortFence,
    /// A request is signed with the time of sending (rule 2).
    SignsLate,
    /// The fence counts from the predecessor's creation (rule 1).
    OriginIsCreation,
    /// A superseded candidate is thrown away (rule 6).
    SupersededDropped,
    /// Permits are not counted (rule 7).
    PermitsUncounted,
    /// An ambiguous answer is noted as a refusal (rules 5 and 7).
    DoubtIsRefusal,
    /// A clock that was not set lately passes for one that was (rule 8).
    ClocksUnguarded,
    /// The vault stamps with the wall clock before the gateway was heard.
    StampsUnheard,
    /// A pending version of another generation passes for one of this (rule 3).
    NoGenerations,
    /// Current and pending come from two calls.
    TwoReads,
    /// A used token passes for a write (rule 4).
    UsedTokenTrusted,
    /// A late read that does not show a used token passes for a fresh one (rule 4).
    SettleForgotten,
    /// The vault's own clock is taken for the gateway's (rule 8).
    VaultClockTrusted,
    /// Whoever alone writes to a vault trusts a journal that another run kept (rule 7).
    JournalTrusted,
    /// A write of the pending label passes for a read of both (rule 2).
    WriteIsRead,
    /// The first candidate over what was never ours waits for nothing even after another one was pending (rule 1).
    FirstForgets,
    /// A rollback is staged without saying that it is one (rule 10).
    RollbackForgotten,
    /// An intent and its answer take the pending label from whatever holds it (rule 11).
    AnswerPutBlindly,
    /// What is known of a password is kept under its token, which comes again (rule 4).
    TokensTakenForCandidates,
    /// The provider never answers again, which ends no rotation.
    ProviderGone,
}
