//! API keys, as the client is given them.

use crate::domain::secret::Keys;

/// Where a tenant's API keys come from. It is asked at every request, so that replaced keys are used without a restart.
pub trait KeySource: Send + Sync {
    /// The keys as they are now. Returns quickly: a small file at the most, never the network.
    fn keys(&self) -> Result<Keys, KeyError>;
}

/// The keys cannot be read. The text says cause, place and remedy, and holds no part of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KeyError(pub String);
