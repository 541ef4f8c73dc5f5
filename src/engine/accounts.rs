//! Discovery: which accounts there are, and which of them a rule owns.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::settings::{EXPIRATION, LOGIN_ALIAS};
use super::world::{Managing, Tenant, World};
use crate::domain::account::{Account, AccountName, Kind, Standing, Subject};
use crate::domain::alias::LoginAlias;
use crate::domain::due::{Facts, expires_at};
use crate::domain::policy::Policy;
use crate::domain::rule::{Conflict, Rule, conflicts, shared_accounts};
use crate::domain::schedule::pause::Pause;
use crate::domain::schedule::spread::Spread;
use crate::domain::secret::SecretName;
use crate::ports::observer::Fact;
use crate::ports::provider::{Expiration, Provider, ProviderError};

/// Everything that one look at the provider showed.
#[derive(Default)]
pub struct Discovery {
    /// Accounts that a rule owns and that can be rotated.
    pub managed: Vec<Managed>,
    /// Accounts that a rule owns and that are left alone, with the reason.
    pub skipped: Vec<(Managed, Standing)>,
    /// Accounts that two rules own, or whose secret's name is taken: configuration errors seen only now.
    pub conflicts: Vec<Conflict>,
    /// What could not be listed.
    pub failures: Vec<Failure>,
}

impl Discovery {
    /// Forgets accounts that had their turn already.
    pub fn leave_out(&mut self, done: impl Fn(&AccountName) -> bool) {
        self.managed.retain(|managed| !done(&managed.name));
        self.skipped.retain(|(managed, _)| !done(&managed.name));
        self.conflicts.retain(|conflict| !conflict.accounts().any(&done));
    }
}

/// What the provider listed of one tenant and kind.
#[derive(Clone)]
pub struct Listed {
    /// The tenant's name.
    pub tenant_name: String,
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// The kind.
    pub kind: Kind,
    /// The accounts, with their full names.
    pub accounts: Vec<(AccountName, Account)>,
    /// What was told of their expiration.
    pub expiration: Told,
    /// Where they log in, when that is known.
    pub login_url: Option<String>,
}

impl Listed {
    /// Whether it tells nothing that `other` does not.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.tenant, &other.tenant)
            && (self.expiration, &self.login_url, &self.accounts)
                == (other.expiration, &other.login_url, &other.accounts)
    }
}

/// What was told of an expiration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// By the tenant.
    Tenant(Expiration),
    /// By nobody: it cannot be read.
    Nothing,
    /// By nobody now: whatever was told before still counts.
    Unheard,
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
pub struct Managed {
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
    /// Who says so.
    pub lasts_by: LastsBy,
    /// Where it logs in, when that is known: sub-accounts of a tenant with a login alias.
    pub login_url: Option<String>,
    /// The rule and what it refers to.
    pub managing: Arc<Managing>,
    /// Its tenant.
    pub tenant: Arc<Tenant>,
}

impl Managed {
    /// What decides when it is due.
    #[must_use]
    pub fn facts(
        &self,
        last_changed: Option<Timestamp>,
        first_seen: Timestamp,
        unfinished: bool,
        paused: Option<Pause>,
    ) -> Facts<'_> {
        Facts {
            last_changed,
            first_seen,
            created_at: self.account.created_at,
            unfinished,
            paused,
            lasts: self.lasts,
            spread: Spread::of(&self.subject),
            policy: &self.managing.rule.policy,
        }
    }

    /// The time at the account's gateway, in which everything about it is planned. The wall clock may jump; this one is set by
    /// the gateway's answers and goes on with the time since boot.
    #[must_use]
    pub fn now(&self) -> Option<Timestamp> {
        self.tenant.providers.get(&self.subject.kind).map(|provider| provider.clock().now())
    }

    /// When a password made at `changed` expires.
    #[must_use]
    pub fn expires_at(&self, changed: Timestamp) -> Option<Timestamp> {
        expires_at(changed, self.lasts)
    }
}

impl World {
    /// Lists every kind of account that a rule speaks of, all at the same time. What cannot be listed is told and kept apart:
    /// one tenant's trouble is not another's.
    pub async fn discover(&self) -> Discovery {
        let (listed, failures) = self.list_all().await;
        Discovery { failures, ..self.matched(&listed.iter().collect::<Vec<_>>()) }
    }

    /// The lists themselves, and what could not be listed.
    pub(super) async fn list_all(&self) -> (Vec<Listed>, Vec<Failure>) {
        let kinds = self.kinds();
        let listings = kinds.iter().map(|(tenant, kind)| self.list(tenant, *kind));
        let (mut listed, mut failures) = (Vec::new(), Vec::new());
        for listing in futures::future::join_all(listings).await {
            match listing {
                Ok(listing) => listed.push(listing),
                Err(failure) => failures.push(failure),
            }
        }
        (listed, failures)
    }

    /// The tenants and kinds of account that a rule speaks of and that can be reached.
    #[must_use]
    pub fn kinds(&self) -> Vec<(String, Kind)> {
        let reached =
            self.tenants.iter().flat_map(|(name, tenant)| tenant.providers.keys().map(move |kind| (name, *kind)));
        let is_meant = |(name, kind): &(&String, Kind)| {
            self.rules.iter().any(|managing| managing.rule.tenant == **name && managing.rule.kind == *kind)
        };
        reached.filter(is_meant).map(|(name, kind)| (name.clone(), kind)).collect()
    }

    /// Lists one kind of account, and reads what its tenant sets for all of them.
    pub async fn list(&self, tenant_name: &str, kind: Kind) -> Result<Listed, Failure> {
        let failed = |error| Failure { tenant: tenant_name.to_owned(), kind, error };
        let tenant = self.tenants.get(tenant_name);
        let Some((tenant, provider)) = tenant.and_then(|tenant| Some((tenant, tenant.providers.get(&kind)?))) else {
            let why = "the configuration reaches no such accounts";
            return Err(failed(ProviderError::Impossible { call: "the list of accounts", why }));
        };
        match provider.accounts().await {
            Ok(accounts) => Ok(Listed {
                tenant_name: tenant_name.to_owned(),
                tenant: Arc::clone(tenant),
                kind,
                accounts: named(tenant_name, kind, accounts),
                expiration: self.expiration(tenant_name, tenant, provider.as_ref()).await,
                login_url: match kind {
                    Kind::SubAccount => self.login_url(tenant_name, tenant).await,
                    Kind::DataForest => None,
                },
            }),
            Err(error) => {
                self.note(&Fact::NotDiscovered { tenant: tenant_name, kind, error: &error });
                Err(failed(error))
            }
        }
    }

    /// Which of the listed accounts a rule owns.
    #[must_use]
    pub fn matched(&self, listed: &[&Listed]) -> Discovery {
        let rules = self.rules.iter().map(|managing| &managing.rule);
        let everyone =
            || listed.iter().flat_map(|listed| listed.accounts.iter().map(move |account| (*listed, account)));
        let mut conflicts = conflicts(&rules, everyone().map(|(_, (name, account))| (name, account)));
        let by_site = everyone().map(|(listed, (name, account))| (listed.tenant.site, name, account));
        conflicts.extend(shared_accounts(&rules, by_site));
        let mut discovery = Discovery { conflicts, ..Discovery::default() };
        for listed in listed {
            self.match_rules(listed, &mut discovery);
        }
        discovery
    }

    fn match_rules(&self, listed: &Listed, discovery: &mut Discovery) {
        let before = discovery.managed.len() + discovery.skipped.len();
        let in_conflict: HashSet<&AccountName> = discovery.conflicts.iter().flat_map(Conflict::accounts).collect();
        for (name, account) in &listed.accounts {
            let owns = |m: &&Arc<Managing>| {
                m.rule.tenant == name.tenant && m.rule.kind == name.kind && m.rule.matches(account)
            };
            let Some(managing) = self.rules.iter().find(owns).filter(|_| !in_conflict.contains(name)) else {
                continue;
            };
            let Ok(secret) = managing.rule.secret_for(name, &account.id) else {
                continue;
            };
            let (days, lasts_by) = listed.expiration.days(managing.rule.policy.expiration_days);
            let managed = Managed {
                name: name.clone(),
                subject: Subject { site: listed.tenant.site, kind: listed.kind, id: account.id.clone() },
                secret,
                account: account.clone(),
                lasts: days.map(|days| SignedDuration::from_hours(24 * i64::from(days))),
                lasts_by,
                login_url: listed.login_url.clone(),
                managing: Arc::clone(managing),
                tenant: Arc::clone(&listed.tenant),
            };
            match &account.standing {
                Standing::Active => discovery.managed.push(managed),
                standing => discovery.skipped.push((managed, standing.clone())),
            }
        }
        let matched = discovery.managed.len() + discovery.skipped.len() - before;
        let (tenant, kind, listed) = (&listed.tenant_name, listed.kind, listed.accounts.len());
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
                let untold = if error.is_temporary() { Told::Unheard } else { Told::Nothing };
                tenant.expiration.enforced().map_or(untold, |enforced| Told::Tenant(Expiration::from(*enforced)))
            }
        }
    }

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

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(expiration) => expiration.fmt(f),
            Self::Nothing | Self::Unheard => f.write_str("unknown"),
        }
    }
}

impl Told {
    /// After how many days a password expires, when the policy says `by_policy`, and because of what; none when it never does.
    pub(super) fn days(self, by_policy: Option<u16>) -> (Option<u16>, LastsBy) {
        match self {
            Self::Tenant(Expiration::Days(days)) => (Some(days), LastsBy::Tenant),
            Self::Tenant(Expiration::Off | Expiration::Unset) | Self::Nothing | Self::Unheard
                if by_policy.is_some() =>
            {
                (by_policy, LastsBy::Policy)
            }
            Self::Tenant(Expiration::Off) => (None, LastsBy::Tenant),
            // Nobody can tell that such a password does not expire, so that it is taken to.
            Self::Tenant(Expiration::Unset) => (Some(Policy::DEFAULT_EXPIRATION_DAYS), LastsBy::Default),
            // The shortest that the provider offers, since a password must not expire because a right was missing.
            Self::Nothing | Self::Unheard => (Policy::EXPIRATION_DAYS.into_iter().min(), LastsBy::Shortest),
        }
    }
}

/// Who says how long a password lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LastsBy {
    /// The tenant's setting.
    Tenant,
    /// The policy, where the tenant's setting says nothing of it.
    Policy,
    /// Nobody; it is taken to be as long as is usual.
    Default,
    /// Nobody, since the tenant's setting cannot be read; it is taken to be as short as the provider offers.
    Shortest,
}

impl LastsBy {
    /// The stable label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Policy => "policy",
            Self::Default => "default",
            Self::Shortest => "shortest",
        }
    }
}

impl fmt::Display for LastsBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tenant => "as the tenant's setting at the provider says",
            Self::Policy => "as the policy's `expiration_days` says, since the tenant's setting does not",
            Self::Default => "as is assumed where neither the provider nor the policy says (`expiration_days`)",
            Self::Shortest => {
                "the shortest that the provider offers, since the tenant's setting cannot be read and the policy has no \
                 `expiration_days`"
            }
        })
    }
}

fn named(tenant: &str, kind: Kind, accounts: Vec<Account>) -> Vec<(AccountName, Account)> {
    let name = |account: &Account| AccountName { tenant: tenant.to_owned(), kind, name: account.name.clone() };
    accounts.into_iter().map(|account| (name(&account), account)).collect()
}
