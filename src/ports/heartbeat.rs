//! The watchdog, as the engine feeds it.

use std::time::Duration;

/// Whoever ends and restarts this process when it hangs. Must not block.
pub trait Heartbeat: Send + Sync {
    /// How often it wants to hear that the engine lives; none when nobody listens.
    fn interval(&self) -> Option<Duration>;

    /// The engine's loop came round.
    fn beat(&self);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl Heartbeat for Unwatched {
    fn interval(&self) -> Option<Duration> {
        None
    }

    fn beat(&self) {}
}
