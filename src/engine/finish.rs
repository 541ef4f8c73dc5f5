//! Promotions that need no provider (`protocol.md`, step 3: promotion waits for nothing).
//!
//! A process that ended between the provider's "yes" and the promotion leaves a vault whose current password is dead. When
//! accounts cannot be listed, what vault and journal know is enough to put that right: nothing is sent here.

use jiff::SignedDuration;

use super::accounts::{Failure, Managed};
use super::drive::{Patience, drive};
use super::world::{Managing, Tenant, World};
use crate::domain::account::{Account, AccountId, AccountName, Standing, Subject};
use crate::domain::rotation::{Goal, Insistence};
use crate::domain::secret::SecretName;
use crate::domain::value::Part;
use crate::ports::vault::{ListedVersion, Stage};

impl World {
    /// Promotes what was accepted among the accounts that could not be listed.
    pub async fn promote_unlisted(&self, failures: &[Failure], patience: &Patience) {
        for failure in failures {
            let Some(tenant) = self.tenants.get(&failure.tenant) else { continue };
            let rules = self.rules.iter();
            for managing in rules.filter(|m| m.rule.tenant == failure.tenant && m.rule.kind == failure.kind) {
                self.promote_of(managing, tenant, patience).await;
            }
        }
    }

    async fn promote_of(&self, managing: &Managing, tenant: &Tenant, patience: &Patience) {
        let Some(vault) = self.vaults.get(&managing.rule.vault) else { return };
        // A vault in trouble is told by the next survey; there is nothing to promote in it now.
        for secret in vault.secrets().await.unwrap_or_default() {
            if patience.shutdown.is_cancelled() {
                return;
            }
            let Ok(Some(listing)) = vault.show(&secret).await else { continue };
            let Some(pending) = listing.versions.iter().find(|version| version.stage == Stage::Pending) else {
                continue;
            };
            let Some(managed) = managed(managing, tenant, &secret, pending) else { continue };
            if self.was_accepted(&managed.subject, pending).await {
                drive(self, &managed, Goal::Finish, Insistence::None, patience).await;
            }
        }
    }

    /// Whether the provider said "yes" to a pending version, so that promoting it needs no word with the provider.
    async fn was_accepted(&self, subject: &Subject, pending: &ListedVersion) -> bool {
        if pending.value.mark().is_some_and(|mark| mark.provider == Some(Part::Answer)) {
            return true;
        }
        let record = self.journal.record(subject).await;
        record.is_ok_and(|record| record.accepted(pending.token.candidate(pending.created_at)))
    }
}

/// The account of a pending version, as its value tells, when the rule owns it and keeps it in this very secret.
fn managed<'w>(
    managing: &'w Managing,
    tenant: &'w Tenant,
    secret: &SecretName,
    pending: &ListedVersion,
) -> Option<Managed<'w>> {
    let rule = &managing.rule;
    let value = &pending.value;
    let id = AccountId(value.account_id()?.to_owned());
    let name = AccountName { tenant: rule.tenant.clone(), kind: rule.kind, name: value.username()?.to_owned() };
    let account = Account { id: id.clone(), name: name.name.clone(), standing: Standing::Active, created_at: None };
    let subject = Subject { site: tenant.site, kind: rule.kind, id };
    let is_its_own = value.mark()?.account == subject.to_string()
        && rule.matches(&account)
        && rule.secret_for(&name, &account.id).is_ok_and(|named| named == *secret);
    is_its_own.then(|| Managed {
        name,
        subject,
        secret: secret.clone(),
        account,
        lasts: rule.policy.expiration_days.map(|days| SignedDuration::from_hours(24 * i64::from(days))),
        login_url: None,
        managing,
        tenant,
    })
}
