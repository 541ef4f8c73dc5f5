//! What became of an account, for people and for programs.

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::drive::Ended;
use crate::domain::account::{AccountName, Standing};
use crate::domain::exit::Exit;
use crate::domain::rotation::{Block, Freeze, Goal, Outcome, RollbackStop, VaultTrouble, Waiting};
use crate::domain::schedule::pause::{Pause, Paused, Scope};
use crate::domain::secret::SecretName;
use crate::ports::provider::ProviderError;
use crate::ports::vault::VaultError;

/// What there is to say of a held account.
pub const HELD: &str = "the provider refused nine passwords in a row; all of them are kept in the vault. Look at the policy's \
                        password rules and at the account, then rotate it by name: that tries one more";

/// The result of one account's turn.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The account.
    pub account: AccountName,
    /// Its secret; none when the rules give it none.
    pub secret: Option<SecretName>,
    /// What happened.
    #[serde(flatten)]
    pub result: Outcomes,
}

/// What happened to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Outcomes {
    /// A new password is set and current.
    Rotated,
    /// The previous password is set and current again.
    RolledBack,
    /// Another process finished a rotation at the same time.
    RotatedElsewhere,
    /// Left alone on purpose.
    Skipped {
        /// Why.
        reason: String,
    },
    /// A pause holds it, and nothing was unfinished.
    Paused {
        /// What was paused: the account, its tenant or everything.
        #[serde(serialize_with = "scope_label")]
        scope: Scope,
        /// When the pause ends by itself; none when only a person ends it.
        until: Option<Timestamp>,
        /// In words, with the remedy.
        reason: String,
    },
    /// A dry run: this is what would be done.
    Planned {
        /// Whether an unfinished rotation would be finished instead of a new one begun.
        finishes: bool,
    },
    /// It goes on later, from what the vault holds.
    Unfinished {
        /// What it waits for.
        #[serde(serialize_with = "label")]
        waits_for: Waiting,
        /// In words.
        reason: String,
        /// Until then, in the gateway's time.
        until: Timestamp,
        /// Whether a candidate is pending in the vault.
        pending: bool,
    },
    /// The process was asked to end first.
    Interrupted {
        /// Whether a candidate is pending in the vault.
        pending: bool,
    },
    /// Somebody else is at work on the secret.
    Frozen {
        /// Why.
        #[serde(serialize_with = "freeze_label")]
        because: Freeze,
        /// In words.
        reason: String,
    },
    /// Too many candidates were refused.
    Held {
        /// In words.
        reason: String,
    },
    /// The previous password was not put back.
    RollbackStopped {
        /// Why.
        #[serde(serialize_with = "stop_label")]
        because: RollbackStop,
        /// In words.
        reason: String,
    },
    /// A fault of this machine, the configuration or the provider; nothing was sent.
    Failed {
        /// In words.
        reason: String,
        /// How the command ends because of it.
        #[serde(skip)]
        exit: Exit,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn label<S: Serializer>(why: &Waiting, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(why.label())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn scope_label<S: Serializer>(scope: &Scope, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(scope.label())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn freeze_label<S: Serializer>(why: &Freeze, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(why.label())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn stop_label<S: Serializer>(why: &RollbackStop, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(why.label())
}

impl Outcomes {
    /// The result of an account that is not in use.
    #[must_use]
    pub fn skipped(standing: &Standing) -> Self {
        Self::Skipped { reason: standing.to_string() }
    }

    /// The result of an account of which nothing is unfinished, when nothing more was asked.
    #[must_use]
    pub fn nothing_unfinished() -> Self {
        Self::Skipped { reason: "nothing is unfinished".to_owned() }
    }

    /// The result of an account that a pause holds.
    #[must_use]
    pub fn paused(paused: &Paused) -> Self {
        let Pause { scope, until } = paused.pause();
        let (pause, words) = (paused.pause(), paused.target.words());
        let reason = format!("{pause}; `resume {words}` ends that, and --despite-pause rotates it all the same");
        Self::Paused { scope, until, reason }
    }

    /// Translates how driving towards a goal ended.
    #[must_use]
    pub fn of(goal: Goal, ended: Ended) -> Self {
        match ended {
            Ended::Finished(Outcome::Rotated(_)) if goal == Goal::Rollback => Self::RolledBack,
            Ended::Finished(Outcome::Rotated(_)) => Self::Rotated,
            Ended::Finished(Outcome::RotatedElsewhere(_)) => Self::RotatedElsewhere,
            Ended::Finished(Outcome::Idle) => Self::nothing_unfinished(),
            Ended::Finished(Outcome::Held) => Self::Held { reason: HELD.to_owned() },
            Ended::Finished(Outcome::Frozen(because)) => Self::Frozen { because, reason: because.to_string() },
            Ended::Finished(Outcome::RollbackStopped(because)) => {
                Self::RollbackStopped { because, reason: because.to_string() }
            }
            Ended::Unfinished { why, until, detail, staged } => Self::Unfinished {
                waits_for: why,
                reason: detail.map_or_else(|| why.to_string(), |detail| format!("{why} ({detail})")),
                until,
                pending: staged,
            },
            Ended::Interrupted { staged } => Self::Interrupted { pending: staged },
            Ended::Failed(reason) => Self::Failed { reason, exit: Exit::Internal },
        }
    }

    /// The stable word for tables and logs.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::RolledBack => "rolled back",
            Self::RotatedElsewhere => "rotated elsewhere",
            Self::Skipped { .. } => "skipped",
            Self::Paused { .. } => super::emergency::PAUSED,
            Self::Planned { finishes: true } => "would finish",
            Self::Planned { finishes: false } => "would rotate",
            Self::Unfinished { .. } => "unfinished",
            Self::Interrupted { .. } => "interrupted",
            Self::Frozen { .. } => "frozen",
            Self::Held { .. } => "held",
            Self::RollbackStopped { .. } => "not rolled back",
            Self::Failed { .. } => "failed",
        }
    }

    /// How a command ends because of this account.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Rotated | Self::RolledBack | Self::RotatedElsewhere | Self::Skipped { .. } | Self::Planned { .. } => {
                Exit::Success
            }
            Self::Interrupted { .. } => Exit::Temporary,
            Self::Unfinished { waits_for, .. } => waiting_exit(*waits_for),
            Self::Paused { .. } | Self::Frozen { .. } | Self::Held { .. } | Self::RollbackStopped { .. } => {
                Exit::Unavailable
            }
            Self::Failed { exit, .. } => *exit,
        }
    }
}

/// How a command ends because a rotation waits.
#[must_use]
pub const fn waiting_exit(why: Waiting) -> Exit {
    match why {
        Waiting::Blocked(Block::Authentication | Block::Permission | Block::NoKeys)
        | Waiting::Vault(VaultTrouble::Denied) => Exit::Denied,
        Waiting::Blocked(Block::NoSuchAccount | Block::NotFound | Block::TooLarge)
        | Waiting::Vault(VaultTrouble::Unreadable) => Exit::Unavailable,
        _ => Exit::Temporary,
    }
}

/// How a command ends because the provider could not be asked.
#[must_use]
pub const fn provider_exit(error: &ProviderError) -> Exit {
    match error {
        ProviderError::Authentication { .. } | ProviderError::Permission { .. } | ProviderError::Keys(_) => {
            Exit::Denied
        }
        ProviderError::Unconfirmed { .. } | ProviderError::Throttled { .. } => Exit::Temporary,
        ProviderError::Unreachable { .. }
        | ProviderError::Server { .. }
        | ProviderError::Unreadable { .. }
        | ProviderError::NoSuchAccount { .. }
        | ProviderError::Refused { .. }
        | ProviderError::Impossible { .. } => Exit::Unavailable,
    }
}

/// How a command ends because of a vault's refusal.
#[must_use]
pub const fn vault_exit(error: &VaultError) -> Exit {
    match error {
        VaultError::Denied(_) => Exit::Denied,
        VaultError::Unreadable(_) => Exit::Unavailable,
        VaultError::Moved | VaultError::TokenUsed | VaultError::Doubtful(_) | VaultError::Unavailable(_) => {
            Exit::Temporary
        }
    }
}
