//! Accounts as the vaults tell of them, for when the provider lists them no more, or cannot be asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;

use super::accounts::{LastsBy, Managed};
use super::world::{Managing, Tenant, World};
use crate::domain::account::{Account, AccountId, AccountName, Standing, Subject};
use crate::domain::secret::SecretName;
use crate::ports::vault::{ListedVersion, Listing, Vault, VaultError};

/// A secret that may be that of one of a rule's accounts, as far as its name tells.
pub struct Kept<'w> {
    /// Its name.
    pub secret: SecretName,
    /// The rule.
    pub managing: &'w Arc<Managing>,
    tenant: &'w Arc<Tenant>,
    vault: &'w Arc<dyn Vault>,
}

/// What the vaults were found to hold.
#[derive(Default)]
pub struct Finding<'w> {
    /// Secrets that may be those of accounts.
    pub kept: Vec<Kept<'w>>,
    /// Vaults that could not be looked into, by name.
    pub failures: BTreeMap<String, VaultError>,
}

impl World {
    /// The secrets that may be those of accounts of such rules; each vault is asked for its names once.
    pub async fn kept(&self, of: impl Fn(&Managing) -> bool) -> Finding<'_> {
        let mut finding = Finding::default();
        let rules: Vec<_> = self.rules.iter().filter(|managing| of(managing)).collect();
        for (vault_name, vault) in &self.vaults {
            let into_this: Vec<_> =
                rules.iter().copied().filter(|managing| managing.rule.vault == *vault_name).collect();
            if into_this.is_empty() {
                continue;
            }
            let secrets = match vault.secrets().await {
                Ok(secrets) => secrets,
                Err(error) => {
                    finding.failures.insert(vault_name.clone(), error);
                    continue;
                }
            };
            for managing in into_this {
                let Some(tenant) = self.tenants.get(&managing.rule.tenant) else { continue };
                let owned = secrets.iter().filter(|secret| managing.rule.may_own(secret));
                finding.kept.extend(owned.map(|secret| Kept { secret: secret.clone(), managing, tenant, vault }));
            }
        }
        finding
    }
}

impl Kept<'_> {
    /// The account whose password it holds, as its values tell; none when the rule does not own it, or keeps it elsewhere.
    pub async fn account(&self) -> Result<Option<(Managed, Listing)>, VaultError> {
        let Some(listing) = self.vault.show(&self.secret).await? else { return Ok(None) };
        let managed = listing.versions.iter().find_map(|version| self.managed(version));
        Ok(managed.map(|managed| (managed, listing)))
    }

    fn managed(&self, version: &ListedVersion) -> Option<Managed> {
        let (rule, value) = (&self.managing.rule, &version.value);
        let id = AccountId(value.account_id()?.to_owned());
        let name = AccountName { tenant: rule.tenant.clone(), kind: rule.kind, name: value.username()?.to_owned() };
        let account = Account { id: id.clone(), name: name.name.clone(), standing: Standing::Active, created_at: None };
        let subject = Subject { site: self.tenant.site, kind: rule.kind, id };
        let is_its_own = value.mark()?.account == subject.to_string()
            && rule.matches(&account)
            && rule.secret_for(&name, &account.id).is_ok_and(|named| named == self.secret);
        is_its_own.then(|| Managed {
            name,
            subject,
            secret: self.secret.clone(),
            account,
            lasts: rule.policy.expiration_days.map(|days| SignedDuration::from_hours(24 * i64::from(days))),
            lasts_by: LastsBy::Policy,
            login_url: None,
            managing: Arc::clone(self.managing),
            tenant: Arc::clone(self.tenant),
        })
    }
}
