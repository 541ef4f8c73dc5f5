//! What the engine has done beside rotations: listing accounts, surveying their secrets, probing a stopped tenant. Each is a
//! future of its own, so that none keeps another, or a rotation, waiting.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::accounts::{Failure, Listed, Managed};
use super::drive::deadline::within;
use super::drive::{Patience, block_of};
use super::survey::Surveyed;
use super::world::World;
use crate::domain::account::Kind;
use crate::domain::audit::Beginning;
use crate::domain::cause::Cause;
use crate::domain::rotation::Block;
use crate::domain::schedule::pause::Pauses;
use crate::ports::journal::JournalError;
use crate::ports::observer::Fact;
use crate::ports::provider::ProviderError;

/// One tenant's accounts of one kind, which are listed together.
pub(super) type Source = (String, Kind);

/// How long a list may take, all pages of it.
const LONGEST_LIST: Duration = Duration::from_mins(15);

/// What came of an errand.
pub(super) enum Errand {
    /// A list.
    Listed(Source, Result<Box<Listed>, Failure>),
    /// What the vault says of a list's accounts.
    Surveyed(Source, Vec<Surveyed>),
    /// Whether a stopped tenant may go on.
    Probed(String, bool),
    /// What the journal says has begun before this process did.
    Remembered(Result<Vec<Beginning>, JournalError>),
    /// What is paused.
    Pauses(Arc<Pauses>),
}

/// Brings a tenant's settings to what the configuration enforces, and lists its accounts.
pub(super) async fn list(world: Arc<World>, source: Source) -> Errand {
    let (tenant, kind) = &source;
    let listing = async {
        if *kind == Kind::SubAccount {
            world.settle_settings(tenant).await;
        }
        world.list(tenant, *kind).await
    };
    let late = || {
        let error = ProviderError::Unreachable { host: tenant.clone(), cause: "the list takes too long".to_owned() };
        Err(Failure { tenant: tenant.clone(), kind: *kind, error })
    };
    let listed = within(world.clock.as_ref(), LONGEST_LIST, listing).await.unwrap_or_else(late);
    if let Err(failure) = &listed {
        stop(&world, failure).await;
    }
    Errand::Listed(source, listed.map(Box::new))
}

/// Keys that cannot list accounts cannot do anything: the tenant stands still until a probe says otherwise. A right that lacks
/// for one kind of account is no reason to stop the others.
async fn stop(world: &World, failure: &Failure) {
    let why = block_of(&failure.error).filter(|why| why.stops_tenant() && *why != Block::Permission);
    if let (Some(tenant), Some(why)) = (world.tenants.get(&failure.tenant), why)
        && tenant.stopped.pull(why, failure.kind)
    {
        world.record(&Cause::SCHEDULE, &Fact::TenantStopped { tenant: &failure.tenant, why }).await;
    }
}

/// Looks a list's accounts up in their vaults, and introduces to the journal those that it does not know.
pub(super) async fn survey(world: Arc<World>, source: Source, accounts: Vec<Managed>) -> Errand {
    let surveyed = world.survey(accounts).await;
    world.rebuild_history(&surveyed).await;
    Errand::Surveyed(source, surveyed)
}

/// Asks a stopped tenant's gateway whether it may go on.
pub(super) async fn probe(world: Arc<World>, name: String) -> Errand {
    let tenant = world.tenants.get(&name);
    let stopped = tenant.and_then(|tenant| tenant.providers.get(&tenant.stopped.kind()?));
    let Some(provider) = stopped else { return Errand::Probed(name, true) };
    let probed = within(world.clock.as_ref(), LONGEST_LIST, provider.probe()).await;
    Errand::Probed(name, matches!(probed, Some(Ok(()))))
}

/// Asks the journal what has begun since `since`.
pub(super) async fn remember(world: Arc<World>, since: Timestamp) -> Errand {
    Errand::Remembered(world.journal.beginnings(since).await)
}

/// Looks at what is paused.
pub(super) async fn pauses(world: Arc<World>) -> Errand {
    Errand::Pauses(world.pauses().await)
}

/// Promotes what was accepted among accounts that were never listed here (`protocol.md`, step 3).
pub(super) async fn promote(world: Arc<World>, failure: Failure, patience: Patience) {
    world.promote_unlisted(&[failure], &patience).await;
}
