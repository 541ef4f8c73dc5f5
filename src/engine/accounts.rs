//! Discovery: which accounts there are, and which of them a rule owns.

use jiff::{SignedDuration, Timestamp};

use super::settings::{EXPIRATION, LOGIN_ALIAS};
use super::world::{Managing, Tenant, World};
use crate::domain::account::{Account, AccountName, Kind, Standing, Subject};
use crate::domain::alias::LoginAlias;
use crate::domain::due::{Facts, expires_at};
use crate::domain::policy::Policy;
use crate::domain::rule::{Conflict, Rule, conflicts, shared_accounts};
use crate::domain::schedule::spread::Spread;
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
    pub conflicts: Vec<Conflict>,
    /// What could not be listed.
    pub failures: Vec<Failure>,
}

impl Discovery<'_> {
    /// Forgets accounts that had their turn already.
    pub fn leave_out(&mut self, done: impl Fn(&AccountName) -> bool) {
        self.managed.retain(|managed| !done(&managed.name));
        self.skipped.retain(|(managed, _)| !done(&managed.name));
        self.conflicts.retain(|conflict| !conflict.accounts().any(&done));
    }
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

impl Failure {
    /// Whether a rule's accounts are among those that could not be listed.
    #[must_use]
    pub fn is_of(&self, rule: &Rule) -> bool {
        self.tenant == rule.tenant && self.kind == rule.kind
    }
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
    /// Where it logs in, when that is known: sub-accounts of a tenant with a login alias.
    pub login_url: Option<String>,
    /// The rule and what it refers to.
    pub managing: &'w Managing,
    /// Its tenant.
    pub tenant: &'w Tenant,
}

impl Managed<'_> {
    /// What decides when it is due.
    #[must_use]
    pub fn facts(&self, last_changed: Option<Timestamp>, first_seen: Timestamp, unfinished: bool) -> Facts<'_> {
        Facts {
            last_changed,
            first_seen,
            created_at: self.account.created_at,
            unfinished,
            paused: None,
            lasts: self.lasts,
            spread: Spread::of(&self.subject),
            policy: &self.managing.rule.policy,
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
        let mut found: Vec<Found<'_>> = Vec::new();
        for (tenant_name, tenant) in &self.tenants {
            for (&kind, provider) in &tenant.providers {
                if !self.rules.iter().any(|m| m.rule.tenant == *tenant_name && m.rule.kind == kind) {
                    continue;
                }
                match provider.accounts().await {
                    Ok(accounts) => {
                        let expiration = self.expiration(tenant_name, tenant, provider.as_ref()).await;
                        let login_url = match kind {
                            Kind::SubAccount => self.login_url(tenant_name, tenant).await,
                            Kind::DataForest => None,
                        };
                        let accounts = named(tenant_name, kind, accounts);
                        found.push(Found { tenant_name, tenant, kind, accounts, expiration, login_url });
                    }
                    Err(error) => {
                        self.note(&Fact::NotDiscovered { tenant: tenant_name, kind, error: &error });
                        discovery.failures.push(Failure { tenant: tenant_name.clone(), kind, error });
                    }
                }
            }
        }
        let rules = self.rules.iter().map(|managing| &managing.rule);
        let everyone = found.iter().flat_map(|found| found.accounts.iter().map(|(name, account)| (name, account)));
        discovery.conflicts = conflicts(&rules, everyone);
        let by_site = found.iter().flat_map(|found| {
            let site = found.tenant.site;
            found.accounts.iter().map(move |(name, account)| (site, name, account))
        });
        discovery.conflicts.extend(shared_accounts(&rules, by_site));
        for found in &found {
            self.match_rules(found, &mut discovery);
        }
        discovery
    }

    fn match_rules<'w>(&'w self, found: &Found<'w>, discovery: &mut Discovery<'w>) {
        let before = discovery.managed.len() + discovery.skipped.len();
        for (name, account) in &found.accounts {
            let in_conflict = discovery.conflicts.iter().any(|conflict| conflict.accounts().any(|other| other == name));
            let owns =
                |m: &&Managing| m.rule.tenant == name.tenant && m.rule.kind == name.kind && m.rule.matches(account);
            let Some(managing) = self.rules.iter().find(owns).filter(|_| !in_conflict) else {
                continue;
            };
            let Ok(secret) = managing.rule.secret_for(name, &account.id) else {
                continue;
            };
            let by_policy = managing.rule.policy.expiration_days;
            let days = match found.expiration {
                Told::Tenant(Expiration::Days(days)) => Some(days),
                Told::Tenant(Expiration::Off) => by_policy,
                // Nobody can tell that such a password does not expire, so that it is taken to.
                Told::Tenant(Expiration::Unset) => by_policy.or(Some(Policy::DEFAULT_EXPIRATION_DAYS)),
                // What the operator says of it counts; failing that, the shortest that the provider offers, since a password
                // must not expire because a right was missing.
                Told::Nothing => by_policy.or_else(|| Policy::EXPIRATION_DAYS.into_iter().min()),
            };
            let managed = Managed {
                name: name.clone(),
                subject: Subject { site: found.tenant.site, kind: found.kind, id: account.id.clone() },
                secret,
                account: account.clone(),
                lasts: days.map(|days| SignedDuration::from_hours(24 * i64::from(days))),
                login_url: found.login_url.clone(),
                managing,
                tenant: found.tenant,
            };
            match &account.standing {
                Standing::Active => discovery.managed.push(managed),
                standing => discovery.skipped.push((managed, standing.clone())),
            }
        }
        let matched = discovery.managed.len() + discovery.skipped.len() - before;
        let (tenant, kind, listed) = (found.tenant_name, found.kind, found.accounts.len());
        self.note(&Fact::Discovered { tenant, kind, listed, matched });
    }

    /// The tenant's own setting; what is enforced stands in for one that cannot be read.
    async fn expiration(&self, name: &str, tenant: &Tenant, provider: &dyn Provider) -> Told {
        match provider.expiration().await {
            Ok(Expiration::Unset) => Told::Tenant(Expiration::Unset),
            Ok(set) => {
                self.note(&Fact::SettingRead { tenant: name, setting: EXPIRATION, value: &set.to_string() });
                Told::Tenant(set)
            }
            Err(error) => {
                self.note(&Fact::SettingUnknown { tenant: name, setting: EXPIRATION, error: &error });
                tenant.expiration.enforced().map_or(Told::Nothing, |enforced| Told::Tenant(Expiration::from(*enforced)))
            }
        }
    }
}

impl World {
    /// The page on which a tenant's sub-accounts log in. Not knowing it stops no rotation.
    async fn login_url(&self, name: &str, tenant: &Tenant) -> Option<String> {
        match tenant.settings.login_alias().await {
            Ok(alias) => {
                let value = alias.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
                self.note(&Fact::SettingRead { tenant: name, setting: LOGIN_ALIAS, value: &value });
                alias.map(|alias| alias.login_url())
            }
            Err(error) => {
                self.note(&Fact::SettingUnknown { tenant: name, setting: LOGIN_ALIAS, error: &error });
                tenant.login_alias.enforced().map(LoginAlias::login_url)
            }
        }
    }
}

/// What the provider listed of one tenant and kind.
struct Found<'w> {
    tenant_name: &'w str,
    tenant: &'w Tenant,
    kind: Kind,
    accounts: Vec<(AccountName, Account)>,
    expiration: Told,
    login_url: Option<String>,
}

/// What was told of an expiration.
#[derive(Debug, Clone, Copy)]
enum Told {
    /// By the tenant.
    Tenant(Expiration),
    /// By nobody: it cannot be read.
    Nothing,
}

fn named(tenant: &str, kind: Kind, accounts: Vec<Account>) -> Vec<(AccountName, Account)> {
    let name = |account: &Account| AccountName { tenant: tenant.to_owned(), kind, name: account.name.clone() };
    accounts.into_iter().map(|account| (name(&account), account)).collect()
}
