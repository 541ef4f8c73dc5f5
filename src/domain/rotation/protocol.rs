//! The vocabulary of the protocol: what a rotation is told, what it asks for, and how it ends.

use std::fmt;

use jiff::SignedDuration;

use super::answer::{Answer, Block, Doubt};
use super::freeze::Freeze;
use super::record::Record;
use super::snapshot::{Revision, Snapshot};
use crate::domain::Timestamp;
use crate::domain::account::Subject;
use crate::domain::gateway::Gateway;
use crate::domain::token::Token;

/// What a rotation is told once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Plan {
    /// Whose password.
    pub subject: Subject,
    /// The gateway's durations.
    pub gateway: Gateway,
    /// How long a write to the vault may stay unseen by readers; zero for the age directory.
    pub settle: SignedDuration,
    /// How far to go.
    pub goal: Goal,
    /// Who makes the password.
    pub maker: Maker,
    /// How much a person insists.
    pub insists: Insistence,
}

/// How much a person insists on a rotation, and so overrides once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Insistence {
    /// Nobody asked: the schedule did.
    None,
    /// Somebody asked for this account among others: the first superseding does not wait for its spacing.
    Spacing,
    /// An operator asked for this account by its name: the first superseding is done even if the rotation is held.
    Hold,
    /// An operator takes over what somebody else left in this account's secret: a foreign current or pending version does not
    /// freeze it (rule 9).
    Adopt,
}

/// Who makes a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Maker {
    /// We do, before the provider hears of it.
    Us,
    /// The provider does, and tells it once (rule 11).
    Provider,
}

/// How far a rotation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Goal {
    /// Finish what is unfinished; when nothing is, set a new password.
    Rotate,
    /// Only finish what is unfinished.
    Finish,
    /// Put the previous password back, by a new version (rule 10).
    Rollback,
}

/// When an event happened, in gateway time, and how well that time is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Moment {
    /// Gateway time.
    pub now: Timestamp,
    /// The last hearing of the gateway's clock; none before the first.
    pub heard: Option<Heard>,
}

/// A hearing of the gateway's clock (rule 8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Heard {
    /// How long ago.
    pub age: SignedDuration,
    /// How far this machine's wall clock is ahead of the gateway's.
    pub skew: SignedDuration,
}

/// What has happened. Each event answers the one action that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// The rotation begins; this is what the journal knows.
    Begin(Record),
    /// Answers [`Action::Read`].
    Read(Snapshot),
    /// Answers [`Action::Place`], [`Action::Stage`], [`Action::Permit`], [`Action::Promote`] and [`Action::Restore`]: done,
    /// and durable.
    Written(Snapshot),
    /// The vault did not do what was asked.
    VaultFailed(VaultTrouble),
    /// Answers [`Action::Send`] and [`Action::Generate`]. After an accepted [`Action::Generate`] the password is held by
    /// whoever performed it.
    Answered(Answer),
    /// Answers [`Action::Send`]: nothing was sent, because permission to send had to be waited for.
    Delayed,
    /// Answers [`Action::Send`]: nothing was sent, because the journal could not record it.
    NotRecorded,
    /// Answers [`Action::Probe`]: the gateway was heard.
    Probed,
    /// Answers [`Action::Probe`]: it was not; the reason when it gave one.
    ProbeFailed(Option<Block>),
    /// Answers [`Action::Wait`]: the time has come, or somebody asks earlier.
    Woken,
}

/// What to do next: exactly one thing is ever under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Make a signed read at the provider, to hear its clock.
    Probe,
    /// Read both labels in one go.
    Read,
    /// Give the secret its placeholder.
    Place {
        /// Over this state of the secret.
        over: Revision,
    },
    /// Store a candidate as pending.
    Stage {
        /// Over this state of the secret.
        over: Revision,
        /// The candidate's token; for an [`Content::Intent`] whoever performs this draws a random one instead.
        token: Token,
        /// The version it is to replace.
        generation: Token,
        /// Which attempt at replacing it.
        attempt: u32,
        /// The candidate's password.
        content: Content,
    },
    /// Count one more permit to send the pending version.
    Permit {
        /// Over this state of the secret.
        over: Revision,
        /// The pending version.
        token: Token,
    },
    /// Record the send durably, send the version's password once, record the answer.
    Send {
        /// The pending version.
        token: Token,
        /// Its candidate.
        candidate: Token,
        /// The time to sign with (rule 2).
        signed_at: Timestamp,
    },
    /// Record the send durably, ask the provider once to make a password, record the answer, hold the password.
    Generate {
        /// The pending intent.
        token: Token,
        /// Its candidate.
        candidate: Token,
        /// The time to sign with (rule 2).
        signed_at: Timestamp,
    },
    /// Make the pending version current.
    Promote {
        /// Over this state of the secret.
        over: Revision,
        /// The pending version.
        token: Token,
    },
    /// Take the secret back from deletion (rule 13).
    Restore {
        /// Over this state of the secret.
        over: Revision,
    },
    /// Wait, then say [`Event::Woken`].
    Wait {
        /// Gateway time.
        until: Timestamp,
        /// For what.
        why: Waiting,
    },
    /// The rotation is over for now.
    Finish(Outcome),
}

/// The password of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Content {
    /// A new one.
    Fresh,
    /// The one that this process holds for another candidate, which was lost from the vault (rule 13).
    Again(Token),
    /// The one that this version of the secret holds: the previous one, to go back to it (rule 10), or the current one, whose
    /// other keys a human changed (rule 9).
    Copy(Token),
    /// None: the version says that the provider is about to be asked (rule 11).
    Intent,
    /// The one that the provider answered to this intent.
    Generated(Token),
}

/// Why the vault failed, as far as the protocol cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VaultTrouble {
    /// The secret has moved on; nothing was written.
    Moved,
    /// The token was used before; nothing was written.
    TokenUsed,
    /// The write may or may not have happened.
    Doubtful,
    /// Not now.
    Unavailable,
    /// Not by this caller.
    Denied,
    /// What is stored cannot be understood.
    Unreadable,
}

/// What a rotation waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Waiting {
    /// Until no request for the predecessor can take effect any more (rule 1).
    Fence,
    /// Until the next candidate may be tried (rule 6).
    Spacing,
    /// To send the same password again (rule 5).
    Doubt(Doubt),
    /// For the cause of a block to go.
    Blocked(Block),
    /// For the gateway to be heard.
    Provider,
    /// For the vault.
    Vault(VaultTrouble),
    /// For the journal to take records again.
    Journal,
    /// For its turn by the tenant's rate. Only whoever drives a rotation waits for that; the protocol never asks for it.
    Rate,
    /// For this machine's clock and the gateway's to agree (rule 8).
    ClockSkew,
}

impl Waiting {
    /// The stable label, for records and for programs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Fence => "fence",
            Self::Spacing => "spacing",
            Self::Doubt(doubt) => doubt.label(),
            Self::Blocked(block) => block.label(),
            Self::Provider => "provider-unreachable",
            Self::Vault(_) => "vault",
            Self::Journal => "journal",
            Self::Rate => "rate",
            Self::ClockSkew => "clock-skew",
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fence => f.write_str("the fence: a request for the previous candidate could still take effect"),
            Self::Spacing => f.write_str("the spacing between candidates: the provider refused the last one"),
            Self::Doubt(doubt) => write!(f, "certainty: {doubt}; the same password will be sent again"),
            Self::Blocked(block) => write!(f, "the provider: {block}"),
            Self::Provider => f.write_str("the provider: its gateway was not heard"),
            Self::Vault(VaultTrouble::Denied) => f.write_str("the vault: access denied"),
            Self::Vault(VaultTrouble::Unreadable) => f.write_str("the vault: what it holds cannot be read"),
            Self::Vault(_) => f.write_str("the vault: it is not available"),
            Self::Journal => f.write_str("the journal: it cannot be written"),
            Self::Rate => f.write_str("its turn: the tenant's rate is used up by others"),
            Self::ClockSkew => {
                f.write_str("the clock: this machine's and the gateway's differ by more than max_clock_skew")
            }
        }
    }
}

/// How a rotation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The password was set and is current.
    Rotated(Token),
    /// Another process or replica finished a rotation of the same generation meanwhile.
    RotatedElsewhere(Token),
    /// Nothing was unfinished, and nothing more was asked.
    Idle,
    /// Too many candidates were refused: an operator must look (rule 6).
    Held,
    /// Somebody else is at work on this secret: an operator must say whose it is (rule 9).
    Frozen(Freeze),
    /// The previous password was not put back, and no other one was set instead (rule 10).
    RollbackStopped(RollbackStop),
}

/// Why the previous password was not put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RollbackStop {
    /// There is no previous password.
    NothingBefore,
    /// Another rotation is unfinished.
    Unfinished,
    /// The version that would hold it was tried before, in this generation.
    TokenUsed,
    /// The provider refused it. It stays pending, since no refusal proves that it is not live (rule 6).
    Refused,
    /// The secret's current version changed while it was pending. It stays pending, since it may be live (rule 3).
    Overtaken,
}

impl RollbackStop {
    /// The stable label, for records and for programs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::NothingBefore => "nothing-before",
            Self::Unfinished => "unfinished",
            Self::TokenUsed => "token-used",
            Self::Refused => "refused",
            Self::Overtaken => "overtaken",
        }
    }
}

impl fmt::Display for RollbackStop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NothingBefore => "the secret has no previous password to go back to",
            Self::Unfinished => {
                "another rotation of the account is unfinished; finish it with `rotate --resume`, then ask again"
            }
            Self::TokenUsed => {
                "a rollback from this current version was tried before; rotate the account by name to set a new password"
            }
            Self::Refused => {
                "the provider refused the previous password; it stays pending, and nothing else is set by itself. Rotate the \
                 account by name to set a new password"
            }
            Self::Overtaken => {
                "the current version changed while the previous password was pending; nothing else is set by itself. Rotate \
                 the account by name to set a new password"
            }
        })
    }
}
