//! What is told of expiries to whoever keeps watch over them, apart from the queue.

use std::collections::BTreeSet;

use super::Engine;
use crate::domain::account::{AccountName, Standing};
use crate::domain::expiry::Outlook;
use crate::domain::rule::Conflict;
use crate::engine::accounts::Discovery;
use crate::engine::errands::Source;
use crate::engine::survey::Surveyed;
use crate::ports::observer::Fact;

impl Engine {
    /// Tells what a survey of a whole list showed.
    pub(super) fn tell_outlooks(&self, (tenant, kind): &Source, surveyed: &[Surveyed]) {
        let provider = self.world.tenants.get(tenant).and_then(|tenant| tenant.providers.get(kind));
        let now = provider.map_or_else(|| self.world.clock.wall(), |provider| provider.clock().now());
        let of_it = |account: &&AccountName| account.tenant == *tenant && account.kind == *kind;
        let left_alone = self.left_alone.iter().filter(of_it).map(|account| (account, Outlook::Unknown));
        let found = surveyed.iter().map(|surveyed| (&surveyed.managed.name, surveyed.outlook()));
        let found: Vec<_> = found.chain(left_alone).collect();
        self.world.note(&Fact::Expiries { tenant, kind: *kind, now, found: &found, whole: true });
    }

    /// Tells what is known of one account after its turn.
    pub(super) fn tell_outlook(&self, surveyed: &Surveyed) {
        let managed = &surveyed.managed;
        let now = managed.now().unwrap_or_else(|| self.world.clock.wall());
        let found = [(&managed.name, surveyed.outlook())];
        let AccountName { tenant, kind, .. } = &managed.name;
        self.world.note(&Fact::Expiries { tenant, kind: *kind, now, found: &found, whole: false });
    }
}

/// Accounts that get no turn because rules contradict each other, or because the provider is changing them. One that is
/// switched off is not among them: nobody logs in by its password.
pub(super) fn left_alone(discovery: &Discovery) -> BTreeSet<AccountName> {
    let in_conflict = discovery.conflicts.iter().flat_map(Conflict::accounts);
    let skipped = discovery.skipped.iter().filter(|(_, standing)| matches!(standing, Standing::NotRunning(_)));
    in_conflict.chain(skipped.map(|(managed, _)| &managed.name)).cloned().collect()
}
