//! API keys, as the client is given them.

use async_trait::async_trait;

use crate::domain::secret::Keys;

/// Where a tenant's API keys come from. It is asked at every request, so that replaced keys are used without a restart.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The keys as they are now. Returns quickly: a small file, or something kept; the network only now and then.
    async fn keys(&self) -> Result<Keys, KeyError>;

    /// The gateway refused the keys. A source that keeps what it read looks again when it is asked next.
    fn refused(&self) {}
}

/// The keys cannot be read. The text says cause, place and remedy, and holds no part of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(pub String);
