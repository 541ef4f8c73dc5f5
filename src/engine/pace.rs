//! How fast new rotations follow one another: no faster than their tenant takes requests and their vault is to be written. Pure.
//!
//! The tenant's [`Limit`](crate::ports::limit::Limit) alone decides when a request may leave. This here only keeps from beginning
//! what could not be sent yet, so that few candidates are pending at any time.

use std::collections::HashMap;
use std::time::Duration;

/// When the next rotation may begin, since boot, by the names of tenants and vaults.
#[derive(Debug, Default)]
pub struct Paces {
    tenants: HashMap<String, Duration>,
    vaults: HashMap<String, Duration>,
}

impl Paces {
    /// Until when nothing may begin for this tenant and vault; none when it may now.
    #[must_use]
    pub fn until(&self, tenant: &str, vault: &str, now: Duration) -> Option<Duration> {
        let until = self.tenants.get(tenant).max(self.vaults.get(vault)).copied();
        until.filter(|until| *until > now)
    }

    /// Notes that one begins; each name comes with the time that is to pass until the next.
    pub fn took(&mut self, tenant: (&str, Duration), vault: (&str, Option<Duration>), now: Duration) {
        let (tenant, period) = tenant;
        self.tenants.insert(tenant.to_owned(), now.saturating_add(period));
        if let (vault, Some(period)) = vault {
            self.vaults.insert(vault.to_owned(), now.saturating_add(period));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_the_tenant_and_the_vault_must_be_ready() {
        let at = Duration::from_secs;
        let mut paces = Paces::default();
        paces.took(("t", at(2)), ("slow", Some(at(10))), at(100));
        for (tenant, vault, now, until) in [
            ("t", "free", 100, Some(102)),
            ("t", "free", 102, None),
            ("u", "free", 100, None),
            ("u", "slow", 100, Some(110)),
            ("t", "slow", 109, Some(110)),
            ("t", "slow", 110, None),
        ] {
            assert_eq!(paces.until(tenant, vault, at(now)), until.map(at), "{tenant} {vault} {now}");
        }
        paces.took(("u", at(0)), ("free", None), at(100));
        assert_eq!(paces.until("u", "free", at(100)), None);
    }
}
