//! A tenant's settings at the provider: followed, or enforced.
//!
//! Following reads and tells; only enforcing writes, and only where the configuration says so.

use super::world::{Tenant, World};
use crate::domain::cause::Cause;
use crate::domain::policy::{PasswordExpiration, Setting};
use crate::ports::observer::Fact;
use crate::ports::provider::{Expiration, ProviderError};

/// The key of the password expiration.
pub const EXPIRATION: &str = "expiration";
/// The key of the login alias.
pub const LOGIN_ALIAS: &str = "login_alias";

impl World {
    /// Writes what is enforced and differs; tells of what is followed and differs from what the rules' policies expect.
    pub async fn settle_settings(&self, name: &str) {
        if let Some(tenant) = self.tenants.get(name) {
            self.settle_expiration(name, tenant).await;
            self.settle_login_alias(name, tenant).await;
        }
    }

    async fn settle_expiration(&self, name: &str, tenant: &Tenant) {
        // What cannot be read is told by discovery, which reads it too.
        let Ok(found) = tenant.settings.expiration().await else { return };
        match tenant.expiration {
            Setting::Follow => self.tell_drift(name, found),
            Setting::Enforce(wanted) => {
                let wanted = Expiration::from(wanted);
                if found != wanted {
                    let done = tenant.settings.set_expiration(wanted).await;
                    self.tell_enforced(name, EXPIRATION, (&found.to_string(), &wanted.to_string()), done).await;
                }
            }
        }
    }

    /// A policy's `expiration_days` counts where the tenant has none: a tenant that says something else is worth a word.
    fn tell_drift(&self, tenant: &str, found: Expiration) {
        use crate::domain::account::Kind;
        let rules = self.rules.iter().map(|managing| &managing.rule);
        let expected = rules
            .filter(|rule| rule.tenant == tenant && rule.kind == Kind::SubAccount)
            .filter_map(|rule| rule.policy.expiration_days.map(Expiration::Days))
            .find(|expected| *expected != found && found != Expiration::Off);
        if let Some(expected) = expected {
            let (found, expected) = (found.to_string(), expected.to_string());
            self.note(&Fact::Drift { tenant, setting: EXPIRATION, found: &found, expected: &expected });
        }
    }

    async fn settle_login_alias(&self, name: &str, tenant: &Tenant) {
        let Setting::Enforce(wanted) = &tenant.login_alias else { return };
        let Ok(found) = tenant.settings.login_alias().await else { return };
        if found.as_ref() != Some(wanted) {
            let from = found.map_or_else(|| "none".to_owned(), |alias| alias.to_string());
            let done = tenant.settings.set_login_alias(wanted).await;
            self.tell_enforced(name, LOGIN_ALIAS, (&from, wanted.as_str()), done).await;
        }
    }

    async fn tell_enforced(
        &self,
        tenant: &str,
        setting: &'static str,
        (from, to): (&str, &str),
        done: Result<(), ProviderError>,
    ) {
        match done {
            Ok(()) => self.record(&Cause::SCHEDULE, &Fact::SettingEnforced { tenant, setting, from, to }).await,
            Err(error) => {
                self.record(&Cause::SCHEDULE, &Fact::SettingNotEnforced { tenant, setting, error: &error }).await;
            }
        }
    }
}

impl From<PasswordExpiration> for Expiration {
    fn from(expiration: PasswordExpiration) -> Self {
        match expiration {
            PasswordExpiration::Days(days) => Self::Days(days),
            PasswordExpiration::Off => Self::Off,
        }
    }
}
