//! The provider, as the engine is given it: one object per tenant and kind of account.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::clock::GatewayClock;
use crate::domain::account::{Account, AccountId};
use crate::domain::rotation::{Answer, Doubt};
use crate::domain::secret::Password;

/// One kind of account behind one gateway.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The gateway's clock; every answer updates it.
    fn clock(&self) -> &Arc<GatewayClock>;

    /// Lists every account, all pages of it.
    async fn accounts(&self) -> Result<Vec<Account>, ProviderError>;

    /// Sends a password change **once**, signed with `signed_at` and with nothing resent by any layer below. The answer
    /// says what is known about the password afterwards, and a doubt is never an error.
    async fn reset_password(&self, id: &AccountId, password: &Password, signed_at: Timestamp) -> Answer;

    /// Has the provider make a password, **once**, signed with `signed_at` (`protocol.md`, rule 11). Where a kind of account
    /// has no such call, nothing is sent and the error is [`ProviderError::Impossible`].
    async fn generate_password(&self, id: &AccountId, signed_at: Timestamp) -> Result<Generated, ProviderError>;

    /// One account with what the provider tells beyond the list.
    async fn detail(&self, id: &AccountId) -> Result<Detail, ProviderError>;

    /// The cheapest signed read there is: it hears the gateway's clock and shows that the keys are good.
    async fn probe(&self) -> Result<(), ProviderError>;

    /// How many days a password lasts by the tenant's own setting; [`Expiration::Unset`] where this kind of account has no
    /// such setting.
    async fn expiration(&self) -> Result<Expiration, ProviderError>;
}

/// A tenant's own password expiration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiration {
    /// Passwords expire after this many days.
    Days(u16),
    /// The tenant has switched expiration off.
    Off,
    /// There is no such setting for this kind of account.
    Unset,
}

impl fmt::Display for Expiration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Days(days) => write!(f, "{days} days"),
            Self::Off => f.write_str("off"),
            Self::Unset => f.write_str("no such setting"),
        }
    }
}

/// What came of asking the provider for a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// What is known about the account. [`Answer::Accepted`] comes with a password, always.
    pub answer: Answer,
    /// The password that the answer held. One that comes with a doubt may be live, and is worth keeping for that.
    pub password: Option<Password>,
}

/// One account, looked at closely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// What the list tells too.
    pub account: Account,
    /// What only the closer look tells.
    pub more: More,
}

/// What a kind of account has beyond the list. The texts are the provider's, with control characters taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum More {
    /// A sub-account.
    SubAccount {
        /// The groups that it is in, by name.
        groups: Vec<String>,
        /// The policies that it has by itself, by name.
        policies: Vec<String>,
        /// Whether it must choose a new password when it logs in next, if the provider says so.
        needs_password_reset: Option<bool>,
    },
    /// A Data Forest account.
    DataForest {
        /// The provider's word for its status.
        status: Option<String>,
        /// Its quotas, each as the names and values that the provider gives.
        quotas: Vec<Vec<(String, String)>>,
    },
}

/// Why a read, or a tenant's setting, failed at the provider. (A failed password change is an [`Answer`].)
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// 401: the gateway does not know the keys, or takes the signature for old.
    #[error(
        "the gateway refused the keys (HTTP {status}, code {code}); see that access_key and secret_key are one active pair, and that \
         this machine's clock is right"
    )]
    Authentication {
        /// The HTTP status.
        status: u16,
        /// The provider's error code, or `-`.
        code: String,
    },
    /// 401 code 210, 403: the keys are known and lack a right.
    #[error(
        "the keys lack the permission for {call} (HTTP {status}, code {code}); give their sub-account the right to it \
         (docs/provider-notes.md)"
    )]
    Permission {
        /// The call, as the provider's documents name it.
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// The provider's error code, or `-`.
        code: String,
    },
    /// 401 codes 30 and 10, and 404 where one account was asked for: there is no such account.
    #[error("{call}: the provider knows no such account (HTTP {status}, code {code})")]
    NoSuchAccount {
        /// The call, as the provider's documents name it.
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// The provider's error code, or `-`.
        code: String,
    },
    /// The provider refused what was to be set; nothing has changed.
    #[error("the provider refused the value of {call} (HTTP {status}, code {code}); nothing was set")]
    Refused {
        /// The call, as the provider's documents name it.
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// The provider's error code, or `-`.
        code: String,
    },
    /// A setting was sent, and what became of it is not known.
    #[error("{call} may have been carried out: {doubt}; read it again before sending it anew")]
    Unconfirmed {
        /// The call, as the provider's documents name it.
        call: &'static str,
        /// What kind of doubt.
        doubt: Doubt,
    },
    /// This cannot be asked of this provider. Nothing was sent.
    #[error("{call} was not sent: {why}")]
    Impossible {
        /// The call, as the provider's documents name it, or what would be one.
        call: &'static str,
        /// Why not, and what to do instead.
        why: &'static str,
    },
    /// 429: quota, throttling or a rate limit.
    #[error("the gateway asks for patience (HTTP {status}, code {code})")]
    Throttled {
        /// The HTTP status.
        status: u16,
        /// The provider's error code, or `-`.
        code: String,
    },
    /// The keys themselves could not be read.
    #[error("{0}")]
    Keys(String),
    /// No answer: connection refused or reset, a time-out, TLS.
    #[error("{host} cannot be reached: {cause}; see the network, the endpoint and the proxy")]
    Unreachable {
        /// Host and port.
        host: String,
        /// What happened, in our words.
        cause: String,
    },
    /// An answer that means trouble on the other side.
    #[error("{call} failed on the provider's side (HTTP {status}, code {code})")]
    Server {
        /// The call, as the provider's documents name it.
        call: &'static str,
        /// The HTTP status.
        status: u16,
        /// The provider's error code, or `-`.
        code: String,
    },
    /// An answer that is not what the documents say.
    #[error("{call} answered something that cannot be read: {what}")]
    Unreadable {
        /// The call, as the provider's documents name it.
        call: &'static str,
        /// What is wrong with it, never a part of it.
        what: String,
    },
}

impl ProviderError {
    /// Whether waiting may help by itself.
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        match self {
            Self::Throttled { .. }
            | Self::Unreachable { .. }
            | Self::Server { .. }
            | Self::Unreadable { .. }
            | Self::Unconfirmed { .. } => true,
            Self::Authentication { .. }
            | Self::Permission { .. }
            | Self::NoSuchAccount { .. }
            | Self::Refused { .. }
            | Self::Impossible { .. }
            | Self::Keys(_) => false,
        }
    }
}
