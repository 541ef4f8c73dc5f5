//! Who is rotated: sites, kinds of account, and the names by which people and the provider call them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// One of NAVER Cloud's separate installations; the ecosystem's tools call it *site*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Site {
    /// `www.ncloud.com`.
    Public,
    /// The zone for public agencies.
    Gov,
    /// The zone for finance.
    Fin,
    /// The emulator that is built into this program.
    Emulator,
}

impl Site {
    /// Every installation.
    pub const ALL: [Self; 4] = [Self::Public, Self::Gov, Self::Fin, Self::Emulator];

    /// The stable label, as written in configuration, tokens and records.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Gov => "gov",
            Self::Fin => "fin",
            Self::Emulator => "emulator",
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// The kind of account, which decides the calls, the password rules and where its expiration comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A sub-account: a console login below the main account.
    SubAccount,
    /// A Data Forest account: an LDAP login of the analytics platform.
    DataForest,
}

impl Kind {
    /// Every kind, in the order in which people are shown them.
    pub const ALL: [Self; 2] = [Self::SubAccount, Self::DataForest];

    /// The stable label, as written in configuration, tokens, secret values and records.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::SubAccount => "sub-account",
            Self::DataForest => "data-forest",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// A kind that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no kind of account; write \"sub-account\" or \"data-forest\"")]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.label() == text).ok_or_else(|| UnknownKind(text.to_owned()))
    }
}

/// The provider's own identifier: a UUID for sub-accounts, a base62 UUID for Data Forest. Opaque to us.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountId(pub String);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a rotation is about, independent of how the configuration names things: tokens are made of it, and the
/// journal keys its records by it, so renaming a tenant in the configuration changes neither.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Subject {
    /// The installation.
    pub site: Site,
    /// The kind of account.
    pub kind: Kind,
    /// The provider's identifier.
    pub id: AccountId,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.site, self.kind, self.id)
    }
}

/// A text that is no [`Subject`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no account as site/kind/id")]
pub struct BadSubject(pub String);

impl FromStr for Subject {
    type Err = BadSubject;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = || {
            let (site, rest) = text.split_once('/')?;
            let (kind, id) = rest.split_once('/')?;
            let site = Site::ALL.into_iter().find(|known| known.label() == site)?;
            Some(Self { site, kind: kind.parse().ok()?, id: AccountId(id.to_owned()) })
        };
        parsed().ok_or_else(|| BadSubject(text.to_owned()))
    }
}

/// An account's full name for people, `tenant/kind/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountName {
    /// The tenant, as the configuration calls it.
    pub tenant: String,
    /// The kind of account.
    pub kind: Kind,
    /// The login id of a sub-account, the name of a Data Forest account.
    pub name: String,
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.tenant, self.kind, self.name)
    }
}

/// A text that is no [`AccountName`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no account as tenant/kind/name")]
pub struct BadAccountName(pub String);

impl FromStr for AccountName {
    type Err = BadAccountName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = || {
            let (tenant, rest) = text.split_once('/')?;
            let (kind, name) = rest.split_once('/')?;
            Some(Self { tenant: tenant.to_owned(), kind: kind.parse().ok()?, name: name.to_owned() })
        };
        parsed().ok_or_else(|| BadAccountName(text.to_owned()))
    }
}

impl Serialize for AccountName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An account as the provider lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The provider's identifier.
    pub id: AccountId,
    /// The login id of a sub-account, the name of a Data Forest account.
    pub name: String,
    /// Whether it can be rotated now.
    pub standing: Standing,
    /// When the provider made it, if it says so in a form that can be read.
    pub created_at: Option<Timestamp>,
}

/// Whether an account can be rotated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// In use: rotate it.
    Active,
    /// A sub-account that is switched off, or a Data Forest account that is disabled.
    Inactive,
    /// A Data Forest account whose status is not `RUNNING`; the provider's word is kept for people.
    NotRunning(String),
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active => f.write_str("active"),
            Self::Inactive => f.write_str("inactive"),
            Self::NotRunning(status) => write!(f, "status {status}, not RUNNING"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_printed() {
        for kind in Kind::ALL {
            let name = AccountName { tenant: "main".to_owned(), kind, name: "team/svc 1".to_owned() };
            assert_eq!(name.to_string().parse(), Ok(name));
        }
        for text in ["", "main", "main/sub-account", "main/people/a"] {
            assert_eq!(text.parse::<AccountName>(), Err(BadAccountName(text.to_owned())));
        }
    }

    #[test]
    fn a_subject_is_read_as_it_is_printed() {
        for site in Site::ALL {
            for kind in Kind::ALL {
                let subject = Subject { site, kind, id: AccountId("a/b-1".into()) };
                assert_eq!(subject.to_string().parse(), Ok(subject));
            }
        }
        for text in ["", "public", "public/sub-account", "here/sub-account/a", "public/people/a"] {
            assert_eq!(text.parse::<Subject>(), Err(BadSubject(text.to_owned())));
        }
    }
}
