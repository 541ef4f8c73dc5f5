//! Which accounts are rotated, and where their secrets go: the `[[accounts]]` of the configuration.
//!
//! An account has one owner, and a secret one account. What can be told of that from the rules alone is told by
//! [`Rule::overlap`] and [`Rule::shared_secret`]; the rest by [`conflicts`], once the accounts are known.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::account::{Account, AccountId, AccountName, Kind, Site};
use super::policy::Policy;
use super::secret::{BadSecretName, SecretName};

mod globs;
mod template;

pub use globs::{BadGlob, Globs};
pub use template::{BadTemplate, Template};

/// One `[[accounts]]` entry.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The tenant, as the configuration calls it.
    pub tenant: String,
    /// The kind of account.
    pub kind: Kind,
    /// Login ids or Data Forest names. Empty: any name, [`ids`](Self::ids) decide.
    pub names: Globs,
    /// The provider's identifiers. Empty: any, [`names`](Self::names) decide.
    pub ids: BTreeSet<AccountId>,
    /// Names that are left out, whatever the others say.
    pub except: Globs,
    /// Whether it is meant that people's accounts may be caught.
    pub include_people: bool,
    /// How they are rotated.
    pub policy: Arc<Policy>,
    /// The vault, as the configuration calls it.
    pub vault: String,
    /// How the secret of an account is named.
    pub secret: Template,
    /// Whose turn comes first in an emergency: those of the rule with the highest number.
    pub priority: i32,
    /// Where the rule begins in its file, from 1.
    pub line: usize,
}

impl Rule {
    /// Whether an account of this rule's tenant and kind is one of its own. With both `names` and `ids`, both must agree.
    #[must_use]
    pub fn matches(&self, account: &Account) -> bool {
        self.takes_id(&account.id) && self.takes_name(&account.name)
    }

    /// The name of an account's secret.
    pub fn secret_for(&self, account: &AccountName, id: &AccountId) -> Result<SecretName, BadSecretName> {
        self.secret.render(account, id)
    }

    /// Whether a secret may be that of one of this rule's accounts, as far as its name tells.
    #[must_use]
    pub fn may_own(&self, secret: &SecretName) -> bool {
        self.secret.may_name(secret, &self.tenant, self.kind)
    }

    /// Whether at most one account can match.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.ids.len() == 1 || matches!(self.names.literals(), Some([_]))
    }

    /// An account that both rules would own, as far as the rules alone can tell: a name, or an identifier.
    #[must_use]
    pub fn overlap(&self, other: &Self) -> Option<String> {
        if self.tenant != other.tenant || self.kind != other.kind {
            return None;
        }
        match (self.ids.is_empty(), other.ids.is_empty()) {
            (true, true) => self.shared_name(other),
            (false, false) => {
                let id = self.ids.intersection(&other.ids).next()?;
                self.shared_name(other).map(|_| id.to_string())
            }
            (true, false) => other.ids.first().filter(|_| self.takes_everything()).map(ToString::to_string),
            (false, true) => self.ids.first().filter(|_| other.takes_everything()).map(ToString::to_string),
        }
    }

    /// A secret that both rules would write for different accounts, as far as the rules alone can tell.
    #[must_use]
    pub fn shared_secret(&self, other: &Self) -> Option<SecretName> {
        if self.vault != other.vault {
            return None;
        }
        let mine: BTreeSet<SecretName> = self.certain_secrets().collect();
        other.certain_secrets().find(|secret| mine.contains(secret))
    }

    /// The secrets that this rule will write if the accounts it names exist.
    fn certain_secrets(&self) -> impl Iterator<Item = SecretName> {
        let (uses_name, uses_id) = (self.secret.uses_name(), self.secret.uses_id());
        let literals = self.names.literals().unwrap_or_default();
        let names =
            literals.iter().filter(move |name| !uses_id && self.takes_name(name)).map(|name| (name.as_str(), ""));
        let ids = self.ids.iter().filter(move |_| !uses_name).map(|id| ("", id.0.as_str()));
        names.chain(ids).filter_map(|(name, id)| {
            let account = AccountName { tenant: self.tenant.clone(), kind: self.kind, name: name.to_owned() };
            self.secret.render(&account, &AccountId(id.to_owned())).ok()
        })
    }

    /// A name that both rules take, looked for among examples of each pattern.
    fn shared_name(&self, other: &Self) -> Option<String> {
        let candidates = self.names.examples().chain(other.names.examples());
        candidates.into_iter().find(|name| self.takes_name(name) && other.takes_name(name))
    }

    fn takes_everything(&self) -> bool {
        self.ids.is_empty() && self.except.is_empty() && self.names.takes_everything()
    }

    fn takes_id(&self, id: &AccountId) -> bool {
        (self.ids.is_empty() && !self.names.is_empty()) || self.ids.contains(id)
    }

    fn takes_name(&self, name: &str) -> bool {
        (self.names.is_empty() || self.names.matches(name)) && !self.except.matches(name)
    }
}

/// What is wrong between the rules and the accounts that were found. The lines are those of the configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// Two rules own one account.
    TwoOwners {
        /// The account.
        account: AccountName,
        /// Where the first rule begins.
        first_line: usize,
        /// Where the second rule begins.
        second_line: usize,
    },
    /// Two tenants are one main account: both would rotate the same account, each into a secret of its own.
    SharedAccount {
        /// The account, as the first tenant calls it.
        first: AccountName,
        /// The same account, as the second tenant calls it.
        second: AccountName,
    },
    /// Two accounts would be kept in one secret.
    SharedSecret {
        /// The secret.
        secret: SecretName,
        /// The account that came first.
        first: AccountName,
        /// Where its rule begins.
        first_line: usize,
        /// The account that came second.
        second: AccountName,
        /// Where its rule begins.
        second_line: usize,
    },
    /// The template gives no secret name for an account.
    Unnameable {
        /// The account.
        account: AccountName,
        /// Where its rule begins.
        line: usize,
        /// What is wrong with the name.
        reason: BadSecretName,
    },
}

impl Conflict {
    /// The accounts that cannot be rotated because of it.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountName> {
        let (one, other) = match self {
            Self::TwoOwners { account, .. } | Self::Unnameable { account, .. } => (account, None),
            Self::SharedSecret { first, second, .. } | Self::SharedAccount { first, second } => (first, Some(second)),
        };
        std::iter::once(one).chain(other)
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoOwners { account, first_line, second_line } => write!(
                f,
                "{account} belongs to two rules, at line {first_line} and line {second_line}; leave it out of one with \
                 `except`"
            ),
            Self::SharedAccount { first, second } => write!(
                f,
                "{first} and {second} are the same account at the provider: the tenants {} and {} are one main account. Keep \
                 one of the two rules, or one of the tenants",
                first.tenant, second.tenant
            ),
            Self::SharedSecret { secret, first, first_line, second, second_line } => write!(
                f,
                "{first} (rule at line {first_line}) and {second} (rule at line {second_line}) would share the secret \
                 {secret}; tell them apart with {{tenant}}, {{kind}} or {{id}} in `secret`"
            ),
            Self::Unnameable { account, line, reason } => {
                write!(f, "the rule at line {line} cannot name a secret for {account}: {reason}")
            }
        }
    }
}

/// Accounts that rules own under the names of two tenants. The built-in emulators are tenants apart, whatever ids their samples
/// share.
pub fn shared_accounts<'a>(
    rules: &(impl Iterator<Item = &'a Rule> + Clone),
    discovered: impl IntoIterator<Item = (Site, &'a AccountName, &'a Account)>,
) -> Vec<Conflict> {
    let mut owned: BTreeMap<(Site, Kind, &AccountId), &AccountName> = BTreeMap::new();
    let mut found = Vec::new();
    for (site, name, account) in discovered {
        let owns = |rule: &Rule| rule.tenant == name.tenant && rule.kind == name.kind && rule.matches(account);
        if site == Site::Emulator || !rules.clone().any(owns) {
            continue;
        }
        if let Some(first) =
            owned.insert((site, name.kind, &account.id), name).filter(|first| first.tenant != name.tenant)
        {
            found.push(Conflict::SharedAccount { first: first.clone(), second: name.clone() });
        }
    }
    found
}

/// Everything that is wrong between the rules and the accounts that were found, in the accounts' order.
pub fn conflicts<'a>(
    rules: &(impl Iterator<Item = &'a Rule> + Clone),
    discovered: impl IntoIterator<Item = (&'a AccountName, &'a Account)>,
) -> Vec<Conflict> {
    let mut found = Vec::new();
    let mut secrets: BTreeMap<(&str, SecretName), (&AccountName, usize)> = BTreeMap::new();
    for (name, account) in discovered {
        let owns = |rule: &&Rule| rule.tenant == name.tenant && rule.kind == name.kind && rule.matches(account);
        let mut owners = rules.clone().filter(owns);
        let Some(owner) = owners.next() else { continue };
        if let Some(second) = owners.next() {
            let account = name.clone();
            found.push(Conflict::TwoOwners { account, first_line: owner.line, second_line: second.line });
            continue;
        }
        match owner.secret_for(name, &account.id) {
            Err(reason) => found.push(Conflict::Unnameable { account: name.clone(), line: owner.line, reason }),
            Ok(secret) => {
                if let Some((first, first_line)) = secrets.get(&(owner.vault.as_str(), secret.clone())) {
                    found.push(Conflict::SharedSecret {
                        secret,
                        first: (*first).clone(),
                        first_line: *first_line,
                        second: name.clone(),
                        second_line: owner.line,
                    });
                } else {
                    secrets.insert((owner.vault.as_str(), secret), (name, owner.line));
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests;
