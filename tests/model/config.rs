//! What the checker explores: bounds, faults, clocks, and which rule is taken away.

/// Passwords are numbered as they are made; 0 is the one from before the first rotation.
pub(crate) type Password = u8;

/// What the checker explores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Config {
    /// The last second.
    pub(crate) horizon: u16,
    /// Passwords that may be made.
    pub(crate) passwords: Password,
    /// Rotations that each replica may begin.
    pub(crate) rotations: [u8; 2],
    /// Faults that may happen.
    pub(crate) faults: Faults,
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
    /// Whether a result may wait before it is handled.
    pub(crate) lag: bool,
    /// Whether this state in so many is also run to its end; 0 for none.
    pub(crate) complete_one_in: u64,
    /// What is broken on purpose.
    pub(crate) flaw: Option<Flaw>,
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Start {
    Placeholder,
    NeverOurs,
    Ours,
}

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
    /// The provider never answers again, which ends no rotation.
    ProviderGone,
}
