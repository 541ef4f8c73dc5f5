//! Discovery: which accounts there are, and which of them a rule owns.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::world::{Managing, Tenant, World};
use crate::domain::account::{Account, AccountName, Kind, Standing, Subject};
use crate::domain::due::{Facts, expires_at};
use crate::domain::secret::SecretName;
use crate::ports::observer::Fact;
use crate::ports::provider::{Expiration, Provider, ProviderError};

/// Everything that one look at the provider showed.
#[derive(Default)]
pub struct Discovery<'w> {
    /// Accounts that a rule owns and that can be rotated.
    pub managed: Vec<Managed<'w>>,
    /// Accounts that a rule owns and that are left alone, with the reason.
    pub skipped: Vec<(Managed<'w>, Standing)>,
    /// Accounts that two rules own, or whose secret's name is taken: configuration errors seen only now.
    pub conflicts: Vec<String>,
    /// What could not be listed.
    pub failures: Vec<Failure>,
}

/// A kind of account that could not be listed.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The tenant.
    pub tenant: String,
    /// The kind.
    pub kind: Kind,
    /// Why.
    pub error: ProviderError,
}

/// An account under a rule.
#[derive(Clone)]
pub struct Managed<'w> {
    /// Its full name.
    pub name: AccountName,
    /// What tokens and records are made of.
    pub subject: Subject,
    /// Where its password goes.
    pub secret: SecretName,
    /// How the provider lists it.
    pub account: Account,
    /// How long its passwords last; none when they never expire.
    pub lasts: Option<SignedDuration>,
    /// The rule and what it refers to.
    pub managing: &'w Managing,
    /// Its tenant.
    pub tenant: &'w Tenant,
}

impl Managed<'_> {
    /// What decides when it is due.
    #[must_use]
    pub fn facts(&self, last_changed: Option<Timestamp>, unfinished: bool) -> Facts {
        Facts {
            last_changed,
            unfinished,
            lasts: self.lasts,
            rotate_before: self.managing.policy.rotate_before,
            on_adopt: self.managing.policy.on_adopt,
        }
    }

    /// When a password made at `changed` expires.
    #[must_use]
    pub fn expires_at(&self, changed: Timestamp) -> Option<Timestamp> {
        expires_at(changed, self.lasts)
    }
}

impl World {
    /// Lists every kind of account that a rule speaks of. What cannot be listed is told and kept apart: one tenant's
    /// trouble is not another's.
    pub async fn discover(&self) -> Discovery<'_> {
        let mut discovery = Discovery::default();
        let mut owners: BTreeSet<AccountName> = BTreeSet::new();
        let mut secrets: BTreeMap<(String, SecretName), AccountName> = BTreeMap::new();
        for (tenant_name, tenant) in &self.tenants {
            for (&kind, provider) in &tenant.providers {
                let rules = || self.rules.iter().filter(|m| m.rule.tenant == *tenant_name && m.rule.kind == kind);
                if rules().next().is_none() {
                    continue;
                }
                let accounts = match provider.accounts().await {
                    Ok(accounts) => accounts,
                    Err(error) => {
                        self.note(&Fact::NotDiscovered { tenant: tenant_name, kind, error: &error });
                        discovery.failures.push(Failure { tenant: tenant_name.clone(), kind, error });
                        continue;
                    }
                };
                let expiration = self.expiration(tenant_name, kind, provider.as_ref()).await;
                let mut matched = 0;
                for account in &accounts {
                    for managing in rules().filter(|m| m.rule.matches(account)) {
                        let name = AccountName { tenant: tenant_name.clone(), kind, name: account.name.clone() };
                        let managed = match managed(managing, tenant, name, account, expiration) {
                            Ok(managed) => managed,
                            Err(problem) => {
                                discovery.conflicts.push(problem);
                                continue;
                            }
                        };
                        if !owners.insert(managed.name.clone()) {
                            discovery
                                .conflicts
                                .push(format!("two rules own {}; narrow one of them with `except`", managed.name));
                            continue;
                        }
                        let place = (managing.rule.vault.clone(), managed.secret.clone());
                        if let Some(other) = secrets.insert(place, managed.name.clone()) {
                            discovery.conflicts.push(format!(
                                "{} and {other} would share the secret {}; put {{name}} or {{id}} into its template",
                                managed.name, managed.secret
                            ));
                            continue;
                        }
                        matched += 1;
                        match &account.standing {
                            Standing::Active => discovery.managed.push(managed),
                            standing => discovery.skipped.push((managed, standing.clone())),
                        }
                    }
                }
                self.note(&Fact::Discovered { tenant: tenant_name, kind, listed: accounts.len(), matched });
            }
        }
        discovery
    }

    /// The tenant's own setting where there is one; none means that the policy decides.
    async fn expiration(&self, tenant: &str, kind: Kind, provider: &dyn Provider) -> Option<Expiration> {
        match provider.expiration().await {
            Ok(Expiration::Unset) => None,
            Ok(set) => Some(set),
            Err(error) => {
                self.note(&Fact::ExpirationUnknown { tenant, kind, error: &error });
                None
            }
        }
    }
}

fn managed<'w>(
    managing: &'w Managing,
    tenant: &'w Tenant,
    name: AccountName,
    account: &Account,
    expiration: Option<Expiration>,
) -> Result<Managed<'w>, String> {
    let secret = managing
        .rule
        .secret_for(&name, &account.id)
        .map_err(|error| format!("{name} has no place in the vault: {error}"))?;
    let days = match expiration {
        Some(Expiration::Days(days)) => Some(days),
        Some(Expiration::Off | Expiration::Unset) | None => managing.policy.expiration_days,
    };
    Ok(Managed {
        subject: Subject { site: tenant.site, kind: name.kind, id: account.id.clone() },
        name,
        secret,
        account: account.clone(),
        lasts: days.map(|days| SignedDuration::from_hours(24 * i64::from(days))),
        managing,
        tenant,
    })
}
