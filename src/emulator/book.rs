//! What the emulator knows: a tenant, its accounts and their passwords, in the form of the accounts file.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::domain::account::Kind;
use crate::domain::secret::Password;

/// Everything that is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Book {
    pub(super) tenant: Tenant,
    pub(super) sub_accounts: Vec<SubAccount>,
    pub(super) data_forest: Vec<DataForest>,
}

/// The tenant's own settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tenant {
    /// The last part of the login page's address; empty if none was chosen.
    #[serde(default)]
    pub(super) login_alias: String,
    pub(super) use_password_expiration: bool,
    /// 60, 90, 120 or 180 while expiration is used.
    pub(super) password_expiration_days: Option<u16>,
}

/// A sub-account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SubAccount {
    /// A UUID, the key in paths.
    pub(super) id: String,
    /// The provider's number for it.
    pub(super) no: u64,
    pub(super) login_id: String,
    /// The person's or program's name.
    pub(super) name: String,
    #[serde(default)]
    pub(super) email: String,
    #[serde(default)]
    pub(super) memo: String,
    pub(super) active: bool,
    /// Names of the groups that it is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) groups: Vec<String>,
    /// Names of the policies that it has by itself; those that begin with `NCP_` are the provider's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) policies: Vec<String>,
    pub(super) created: Timestamp,
    pub(super) credential: Credential,
}

/// A Data Forest account.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DataForest {
    /// A base62 UUID.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) status: Status,
    #[serde(default)]
    pub(super) disabled: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) quotas: Vec<Quota>,
    pub(super) created: Timestamp,
    pub(super) credential: Credential,
}

/// How much a Data Forest account may keep in one namespace.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Quota {
    pub(super) namespace: String,
    pub(super) file_count_million: u32,
    pub(super) space_tb: u32,
}

/// The status of a Data Forest account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Status {
    Accepted,
    Running,
    Changing,
}

impl Status {
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Accepted => "ACCEPTED",
            Self::Running => "RUNNING",
            Self::Changing => "CHANGING",
        }
    }
}

/// A password and its history.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credential {
    /// The password that the account really has.
    pub(super) password: Plain,
    /// How often it was changed.
    #[serde(default)]
    pub(super) changes: u64,
    /// The passwords before it, oldest first; kept only while the test door is open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) past: Vec<Plain>,
}

impl Credential {
    pub(super) const fn new(password: Password) -> Self {
        Self { password: Plain(password), changes: 0, past: Vec::new() }
    }

    /// Sets the password; the old one is kept if `remember` says so.
    pub(super) fn change(&mut self, password: Password, remember: bool) {
        let old = std::mem::replace(&mut self.password, Plain(password));
        self.changes += 1;
        if remember {
            self.past.push(old);
        }
    }
}

/// A password that is written out: to the accounts file and through the test door, nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plain(pub(super) Password);

impl Serialize for Plain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose())
    }
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Password::new(text)))
    }
}

impl Book {
    /// The first thing in it that cannot be: what, and the text by which to find it.
    pub(super) fn contradiction(&self) -> Option<(String, &str)> {
        let tenant = &self.tenant;
        if tenant.use_password_expiration && !tenant.password_expiration_days.is_some_and(is_expiration) {
            return Some(("passwords expire after 60, 90, 120 or 180 days".into(), "password_expiration_days"));
        }
        let sub_ids = self.sub_accounts.iter().map(|account| account.id.as_str());
        let logins = self.sub_accounts.iter().map(|account| account.login_id.as_str());
        let forest_ids = self.data_forest.iter().map(|account| account.id.as_str());
        let forest_names = self.data_forest.iter().map(|account| account.name.as_str());
        repeated(sub_ids)
            .or_else(|| repeated(logins))
            .or_else(|| repeated(forest_ids))
            .or_else(|| repeated(forest_names))
            .map(|word| (format!("{word:?} stands for two accounts, or for one without a name"), word))
    }

    /// The name and id of an account, given either.
    pub(super) fn find(&self, kind: Kind, name_or_id: &str) -> Option<Named> {
        let is_it = |id: &str, name: &str| id == name_or_id || name == name_or_id;
        let named = |id: &str, name: &str| Named { kind, id: id.to_owned(), name: name.to_owned() };
        match kind {
            Kind::SubAccount => {
                let found = self.sub_accounts.iter().find(|account| is_it(&account.id, &account.login_id))?;
                Some(named(&found.id, &found.login_id))
            }
            Kind::DataForest => {
                let found = self.data_forest.iter().find(|account| is_it(&account.id, &account.name))?;
                Some(named(&found.id, &found.name))
            }
        }
    }

    /// The name of the account that has this id.
    pub(super) fn find_by_id(&self, kind: Kind, id: &str) -> Option<Named> {
        let name = match kind {
            Kind::SubAccount => &self.sub_account(id)?.login_id,
            Kind::DataForest => &self.forest_account(id)?.name,
        };
        Some(Named { kind, id: id.to_owned(), name: name.clone() })
    }

    /// The sub-account with this id.
    pub(super) fn sub_account(&self, id: &str) -> Option<&SubAccount> {
        self.sub_accounts.iter().find(|account| account.id == id)
    }

    /// The Data Forest account with this id.
    pub(super) fn forest_account(&self, id: &str) -> Option<&DataForest> {
        self.data_forest.iter().find(|account| account.id == id)
    }

    /// The sub-account with this id, to change it.
    pub(super) fn sub_account_mut(&mut self, id: &str) -> Option<&mut SubAccount> {
        self.sub_accounts.iter_mut().find(|account| account.id == id)
    }

    /// The Data Forest account with this id, to change it.
    pub(super) fn forest_account_mut(&mut self, id: &str) -> Option<&mut DataForest> {
        self.data_forest.iter_mut().find(|account| account.id == id)
    }
}

/// An account by what people and the provider call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) name: String,
}

/// Whether a tenant may let passwords expire after so many days.
pub(super) const fn is_expiration(days: u16) -> bool {
    matches!(days, 60 | 90 | 120 | 180)
}

/// The first word that is empty or was there before.
fn repeated<'a>(words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = HashSet::new();
    words.into_iter().find(|word| word.is_empty() || !seen.insert(*word))
}
