//! What the provider's answer to a password change means (`protocol.md`, "Words"; `ncloud-api.md`, section 4).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The class of an answer. It carries no text of the provider's: that may echo the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// `success: true`, for this account.
    Accepted,
    /// The provider refused the *password*. It may be live all the same, through another request (rule 6).
    Refused,
    /// The provider refused the *caller*, or the moment: the pending password stays and waits.
    Blocked(Block),
    /// It may have been applied, or may yet be.
    Ambiguous(Doubt),
}

/// Why the caller, or the moment, was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Block {
    /// 401 code 200, or without a code: unknown keys, or a signature that has aged. Signed afresh once; then the tenant stops.
    Authentication,
    /// 401 code 210: the keys lack the right. The tenant stops.
    Permission,
    /// 401 code 30 or 10: no such account.
    NoSuchAccount,
    /// 403: forbidden; for Data Forest perhaps the account is CHANGING.
    Forbidden,
    /// 404.
    NotFound,
    /// 429 code 400: the quota is used up. The tenant stops.
    Quota,
    /// 429 otherwise: throttled.
    Throttled,
    /// 413.
    TooLarge,
    /// The keys could not be read on this machine; nothing was sent.
    NoKeys,
    /// The connection could not be made at all; nothing was sent.
    NotSent,
}

/// What kind of doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// No answer within the time allowed.
    TimedOut,
    /// The connection broke.
    Disconnected,
    /// 5xx.
    ServerError,
    /// An answer that is not what the documents say, such as another account's id.
    Unreadable,
    /// `success: false` without a code that says why.
    Unsuccessful,
    /// A 4xx that no document lists.
    UnknownRefusal,
    /// The process ended before the answer came.
    NeverHeard,
}

impl Answer {
    /// Whether the request is known to be over: nothing of it is still under way (rule 7).
    #[must_use]
    pub const fn is_definite(self) -> bool {
        match self {
            Self::Accepted | Self::Refused | Self::Blocked(_) => true,
            Self::Ambiguous(_) => false,
        }
    }

    /// The stable label, for the journal and for programs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Blocked(block) => block.label(),
            Self::Ambiguous(doubt) => doubt.label(),
        }
    }
}

impl Block {
    /// The stable label, for the journal and for programs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Authentication => "authentication",
            Self::Permission => "permission",
            Self::NoSuchAccount => "no-such-account",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::Quota => "quota",
            Self::Throttled => "throttled",
            Self::TooLarge => "too-large",
            Self::NoKeys => "no-keys",
            Self::NotSent => "not-sent",
        }
    }

    /// Whether the whole tenant is affected and must stop.
    #[must_use]
    pub const fn stops_tenant(self) -> bool {
        matches!(self, Self::Authentication | Self::Permission | Self::Quota | Self::NoKeys)
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authentication => "the gateway refused the keys",
            Self::Permission => "the keys lack the permission to reset passwords",
            Self::NoSuchAccount => "the provider knows no such account",
            Self::Forbidden => "the provider forbids it now; a Data Forest account may be CHANGING",
            Self::NotFound => "the provider answered 404",
            Self::Quota => "the tenant's API quota is used up",
            Self::Throttled => "the gateway throttles this tenant",
            Self::TooLarge => "the gateway called the request too large",
            Self::NoKeys => "the API keys cannot be read",
            Self::NotSent => "no connection could be made; nothing was sent",
        })
    }
}

impl Doubt {
    /// The stable label, for the journal and for programs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::TimedOut => "timed-out",
            Self::Disconnected => "disconnected",
            Self::ServerError => "server-error",
            Self::Unreadable => "unreadable",
            Self::Unsuccessful => "unsuccessful",
            Self::UnknownRefusal => "unknown-refusal",
            Self::NeverHeard => "never-heard",
        }
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "no answer in time",
            Self::Disconnected => "the connection broke before the answer",
            Self::ServerError => "an error on the provider's side",
            Self::Unreadable => "an answer that cannot be read",
            Self::Unsuccessful => "\"success: false\" without a reason",
            Self::UnknownRefusal => "a refusal that no document lists",
            Self::NeverHeard => "the answer is still awaited, or the program ended before it came",
        })
    }
}
