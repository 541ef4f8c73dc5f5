//! What one read of a vault shows, stripped of every secret.

use std::fmt;

use jiff::SignedDuration;

use super::freeze::Freeze;
use crate::domain::Timestamp;
use crate::domain::token::Token;
use crate::domain::value::{Mark, Part, SecretValue};

/// The state in which a secret was read; a write is made over one of these and fails when the secret has moved on. Opaque
/// to everyone but the vault that made it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(pub [u8; 32]);

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second, third, ..] = self.0;
        write!(f, "Revision({first:02x}{second:02x}{third:02x}…)")
    }
}

/// One **read** (`protocol.md`, "Words"): both labels from a single answer of the vault, never put together from two. Every
/// write returns one as well, since it shows what it wrote.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Snapshot {
    /// Gateway time *before* the request for this read left.
    pub as_of: Timestamp,
    /// What to write over.
    pub revision: Revision,
    /// The version labelled current; none when the secret does not exist or has no version.
    pub current: Option<Version>,
    /// The version labelled pending; none when the secret is idle.
    pub pending: Option<Pending>,
    /// The version that was current before the current one; none when there was none.
    pub previous: Option<Version>,
    /// Candidates that were replaced before they were promoted and are kept, since one of them may be live. Oldest first.
    pub superseded: Vec<Superseded>,
    /// Whether this vault counts the permits to send under its lock, so that nobody can send a candidate unseen. It is the
    /// first half of the knowledge that rule 7 asks for.
    pub counts_permits: bool,
    /// Whether the operator said that nobody else writes to this vault (`sole`), and this process holds the lock that keeps
    /// the operator's own other processes out.
    pub sole: bool,
    /// How far the vault's clock is ahead of the gateway's; none where the vault has no clock of its own (rule 8).
    pub skew: Option<SignedDuration>,
    /// What about the secret as a whole forbids to touch it (rule 9).
    pub hindrance: Option<Freeze>,
}

/// One version, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version {
    /// Its token.
    pub token: Token,
    /// Whose it is, by its value and not by its token.
    pub owner: Owner,
    /// When it was written, where the vault tells; for people.
    pub created_at: Option<Timestamp>,
}

/// Whose a version is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The placeholder of a secret that awaits its first rotation.
    Placeholder,
    /// Ours, for the account that is asked about.
    Ours {
        /// The token of the version that was current when it was staged.
        generation: Token,
        /// Which attempt at replacing that version it is.
        attempt: u32,
    },
    /// A password that was ours before, and that an operator put back (rule 10).
    Rollback {
        /// The token of the version that was current when it was staged.
        generation: Token,
        /// Which attempt at replacing that version it is.
        attempt: u32,
    },
    /// A copy of a version of ours, made by somebody else, in which only keys were changed that rotation does not own
    /// (rule 9). It may have come over a newer password.
    Edited,
    /// An intent of ours: the provider was to make the password, and the version holds none (rule 11).
    Intent {
        /// The token of the version that was current when it was staged.
        generation: Token,
    },
    /// A password that the provider made, as it answered an intent: it was live when it was stored (rule 11).
    Generated {
        /// The token of the version that was current when its intent was staged.
        generation: Token,
    },
    /// It carries our mark for *another* account: refused untouched.
    OtherAccount,
    /// It carries no mark of ours, and nothing in this secret ever did: it can be adopted.
    NeverOurs,
    /// It carries no mark of ours although this secret held versions of ours before: somebody else is at work.
    Stranger,
}

impl Owner {
    /// Whose a version is, by its value; `was_ours` says whether this secret held versions of ours before. What only a look at
    /// other versions can tell ([`Edited`](Self::Edited)) is up to the vault.
    #[must_use]
    pub fn told_by(value: &SecretValue, account: &str, was_ours: bool) -> Self {
        match value.mark() {
            Some(Mark { account: of, generation, attempt, provider, rollback, .. }) if of == account => {
                match provider {
                    None if rollback => Self::Rollback { generation, attempt },
                    None => Self::Ours { generation, attempt },
                    Some(Part::Intent) => Self::Intent { generation },
                    Some(Part::Answer) => Self::Generated { generation },
                }
            }
            Some(_) => Self::OtherAccount,
            None if value.is_placeholder() => Self::Placeholder,
            None if was_ours || value.carries_mark() => Self::Stranger,
            None => Self::NeverOurs,
        }
    }
}

/// The pending version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pending {
    /// The version.
    pub version: Version,
    /// Names this very content. A token comes again when a secret was deleted and made anew, and then names another
    /// password; a candidate does not. What is known of sends is kept under it.
    pub candidate: Token,
    /// What it took the pending place from, which decides how long it must wait (rule 1).
    pub predecessor: Predecessor,
    /// How many times anyone was permitted to send it; [`None`] where the vault does not count.
    pub permits: Option<u32>,
}

impl Pending {
    /// Whether it is ours, and was staged to replace `current`.
    #[must_use]
    pub fn replaces(&self, current: Token) -> bool {
        match self.version.owner {
            Owner::Ours { generation, .. }
            | Owner::Rollback { generation, .. }
            | Owner::Intent { generation }
            | Owner::Generated { generation } => generation == current,
            Owner::Placeholder | Owner::Edited | Owner::OtherAccount | Owner::NeverOurs | Owner::Stranger => false,
        }
    }
}

/// What was pending before a pending version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Predecessor {
    /// Nothing: it is the first candidate over a placeholder, or over a current that was never ours. Nothing to wait for.
    Nothing,
    /// A version of ours that stopped being pending, by promotion or by being superseded.
    Ended {
        /// That version's candidate, when the vault knows it.
        candidate: Option<Token>,
        /// Gateway time at which it stopped being pending, when the vault knows it.
        at: Option<Timestamp>,
        /// How many times anyone was permitted to send it, where the vault counts.
        permits: Option<u32>,
    },
}

/// A superseded candidate.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Superseded {
    /// The version.
    pub version: Version,
    /// Gateway time at which it was superseded.
    pub at: Option<Timestamp>,
}

impl Snapshot {
    /// A secret that does not exist.
    #[must_use]
    pub const fn absent(as_of: Timestamp, revision: Revision) -> Self {
        Self {
            as_of,
            revision,
            current: None,
            pending: None,
            previous: None,
            superseded: Vec::new(),
            counts_permits: false,
            sole: false,
            skew: None,
            hindrance: None,
        }
    }

    /// The version that holds the password before the current one; none when there is no such password of this account.
    #[must_use]
    pub fn password_before(&self) -> Option<Token> {
        let previous = self.previous.as_ref()?;
        let holds_none = matches!(previous.owner, Owner::Placeholder | Owner::OtherAccount | Owner::Intent { .. });
        (!holds_none).then_some(previous.token)
    }

    /// Whether nothing is pending.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.pending.is_none()
    }
}
