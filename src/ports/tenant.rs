//! A tenant's own settings, as the engine and the operator's commands are given them.

use async_trait::async_trait;

use super::provider::{Expiration, ProviderError};
use crate::domain::alias::LoginAlias;

/// What a tenant sets for all its sub-accounts.
///
/// A setting is sent **once**. When it is not known afterwards whether it took effect, the error is
/// [`ProviderError::Unconfirmed`]: read it again before sending anything anew.
#[async_trait]
pub trait TenantSettings: Send + Sync {
    /// After how many days the tenant's passwords expire.
    async fn expiration(&self) -> Result<Expiration, ProviderError>;

    /// Sets after how many days they do: 60, 90, 120 or 180, or [`Expiration::Off`]. Anything else is
    /// [`ProviderError::Impossible`], and nothing is sent.
    async fn set_expiration(&self, expiration: Expiration) -> Result<(), ProviderError>;

    /// The tenant's login alias; none when it has not set one.
    async fn login_alias(&self) -> Result<Option<LoginAlias>, ProviderError>;

    /// Sets the tenant's login alias. Everyone who logs in by the old one must be told.
    async fn set_login_alias(&self, alias: &LoginAlias) -> Result<(), ProviderError>;
}
