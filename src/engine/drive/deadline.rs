//! How long a call through a port may take before this process goes on without its answer.
//!
//! A vault or a provider that hangs costs its rotation's slot for a bounded time, and never the loop. What was asked may
//! still be done, so that a call without an answer is one in doubt and never one that failed (`protocol.md`, rule 5).

use std::future::Future;
use std::time::Duration;

use crate::domain::gateway::Gateway;
use crate::ports::clock::Clock;
use crate::ports::vault::VaultError;

/// For one call of a vault: well above what the vaults themselves wait for locks and answers.
const VAULT: Duration = Duration::from_secs(90);

/// For one call of a provider: the gateway has long forgotten a request that is older than its own time-out and the life of
/// its signature. The client gives up much earlier.
fn of_provider(gateway: &Gateway) -> Duration {
    Duration::try_from(gateway.fence(jiff::SignedDuration::ZERO)).unwrap_or(VAULT)
}

/// What the provider answered, if it did.
pub(super) async fn provider<T>(clock: &dyn Clock, gateway: &Gateway, call: impl Future<Output = T>) -> Option<T> {
    within(clock, of_provider(gateway), call).await
}

/// What the vault answered to a look.
pub(crate) async fn look<T>(
    clock: &dyn Clock,
    call: impl Future<Output = Result<T, VaultError>>,
) -> Result<T, VaultError> {
    let late = || Err(VaultError::Unavailable("the vault did not answer in time".to_owned()));
    within(clock, VAULT, call).await.unwrap_or_else(late)
}

/// What the vault answered to a write, which may have been done without an answer.
pub(super) async fn write<T>(
    clock: &dyn Clock,
    call: impl Future<Output = Result<T, VaultError>>,
) -> Result<T, VaultError> {
    let late = || Err(VaultError::Doubtful("the vault did not say in time whether it wrote".to_owned()));
    within(clock, VAULT, call).await.unwrap_or_else(late)
}

/// What `call` came to, unless it takes longer than `limit`.
pub(crate) async fn within<T>(clock: &dyn Clock, limit: Duration, call: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        done = call => Some(done),
        () = clock.sleep(limit) => None,
    }
}
