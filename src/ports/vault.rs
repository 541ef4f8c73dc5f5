//! The vault, as the engine is given it.
//!
//! Every method that returns a [`Snapshot`] takes the gateway's clock: it notes the time *before* its own request leaves
//! (`protocol.md`, "Read"), and stamps what it records under the vault's own lock. A write is made over the [`Revision`]
//! that a snapshot showed and changes nothing when the secret has moved on.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::clock::GatewayClock;
use crate::domain::account::Subject;
use crate::domain::rotation::VaultTrouble;
use crate::domain::rotation::snapshot::{Revision, Snapshot};
use crate::domain::secret::SecretName;
use crate::domain::token::Token;
use crate::domain::value::SecretValue;

/// A place in a vault, and for whom.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The secret.
    pub secret: &'a SecretName,
    /// The account whose password it holds; decides what is *ours* in a snapshot.
    pub subject: &'a Subject,
}

/// A vault that keeps versions of secrets under the labels current, pending, previous and superseded.
#[async_trait]
pub trait Vault: Send + Sync {
    /// How long a write may stay unseen by readers; it lengthens the fence (`protocol.md`, rule 1). Zero where the vault's
    /// own lock orders readers and writers.
    fn settle(&self) -> SignedDuration {
        SignedDuration::ZERO
    }

    /// Reads both labels at once.
    async fn read(&self, place: Place<'_>, clock: &GatewayClock) -> Result<Snapshot, VaultError>;

    /// The same for people: it makes nothing, keeps no writer waiting, and nothing safe rests on it.
    async fn peek(&self, place: Place<'_>, clock: &GatewayClock) -> Result<Snapshot, VaultError> {
        self.read(place, clock).await
    }

    /// The value of one version.
    async fn value(&self, secret: &SecretName, token: Token) -> Result<SecretValue, VaultError>;

    /// Gives a secret that has no version its placeholder.
    async fn place(&self, place: Place<'_>, base: Revision, clock: &GatewayClock) -> Result<Snapshot, VaultError>;

    /// Stores `value` as pending under `token`, durably before it returns. A version that is pending in `base` becomes
    /// superseded and is kept.
    async fn stage(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        value: &SecretValue,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError>;

    /// Counts one more permit to send the pending version `token`. Vaults that do not count just read.
    async fn permit(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError>;

    /// Makes the pending version `token` current, what was current previous, and lets superseded versions go.
    async fn promote(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError>;

    /// Takes a secret back from deletion. Vaults that delete at once just read.
    async fn restore(&self, place: Place<'_>, base: Revision, clock: &GatewayClock) -> Result<Snapshot, VaultError> {
        let _ = base;
        self.read(place, clock).await
    }

    /// Gives up the pending version `token`, because an operator says so: nothing is pending then, and the version is kept
    /// as superseded, since it may be live.
    async fn drop_pending(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError>;

    /// Everything about one secret, for people: see [`Listing`].
    async fn show(&self, secret: &SecretName) -> Result<Option<Listing>, VaultError>;

    /// When the current password of each secret was made (`protocol.md`, rule 14), and whether a rotation is unfinished; in
    /// the order of `places`. Enough to plan by, and it may be late: nothing safe rests on it (rule 15).
    async fn statuses(&self, places: &[Place<'_>]) -> Vec<Result<Status, VaultError>>;

    /// The names of everything this vault holds, for people who name an account instead of its secret.
    async fn secrets(&self) -> Result<Vec<SecretName>, VaultError>;

    /// Whether this vault can be used at all: it can be read and written, or made, and what it holds can be opened. Leaves
    /// nothing behind.
    async fn check(&self) -> Result<(), VaultError>;
}

/// A short look at a secret, enough to plan by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// When the current password was made, as its value or its version tells (`protocol.md`, rule 14); none when there is no
    /// password yet.
    pub last_changed: Option<Timestamp>,
    /// Whether something is pending, or the current version was edited by a human (rule 9).
    pub unfinished: bool,
}

/// A secret as people are shown it.
#[derive(Debug, Clone)]
pub struct Listing {
    /// Its versions: current first, then pending, previous, superseded.
    pub versions: Vec<ListedVersion>,
}

/// One version as people are shown it.
#[derive(Debug, Clone)]
pub struct ListedVersion {
    /// Its label.
    pub stage: Stage,
    /// Its token.
    pub token: Token,
    /// Names its content, as `Pending::candidate` does.
    pub candidate: Token,
    /// When it was written, in gateway time.
    pub created_at: Option<Timestamp>,
    /// Its value.
    pub value: SecretValue,
}

/// The label of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// In use. AWS calls it AWSCURRENT.
    Current,
    /// Staged, perhaps live. AWS calls it AWSPENDING.
    Pending,
    /// In use until the last promotion. AWS calls it AWSPREVIOUS.
    Previous,
    /// Replaced before it was promoted, and kept since it may be live.
    Superseded,
}

impl Stage {
    /// The stable label, for people and programs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Pending => "pending",
            Self::Previous => "previous",
            Self::Superseded => "superseded",
        }
    }
}

/// Why a vault did not do what it was asked. The variants are decisions; the text says cause, place and remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The secret is no longer as the base showed it: read again. Nothing was written.
    #[error("the secret was changed by somebody else in the meantime")]
    Moved,
    /// The token names a version that exists already (`protocol.md`, rule 4): read again. Nothing was written.
    #[error("the version token was used before")]
    TokenUsed,
    /// The write may or may not have happened: read, and see.
    #[error("{0}")]
    Doubtful(String),
    /// Not now: unreachable, throttled, disk full, locked for too long.
    #[error("{0}")]
    Unavailable(String),
    /// The caller may not: keys, file permissions.
    #[error("{0}")]
    Denied(String),
    /// What is stored cannot be understood: damaged, or encrypted to somebody else. Never overwritten.
    #[error("{0}")]
    Unreadable(String),
}

impl VaultError {
    /// What it is to the protocol.
    #[must_use]
    pub const fn trouble(&self) -> VaultTrouble {
        match self {
            Self::Moved => VaultTrouble::Moved,
            Self::TokenUsed => VaultTrouble::TokenUsed,
            Self::Doubtful(_) => VaultTrouble::Doubtful,
            Self::Unavailable(_) => VaultTrouble::Unavailable,
            Self::Denied(_) => VaultTrouble::Denied,
            Self::Unreadable(_) => VaultTrouble::Unreadable,
        }
    }
}
