//! The gateway's own clock: the machine's, set wrong by as much as the test door asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::ports::clock::Clock;

/// What the gateway takes for the time, and says in every `Date`.
pub(super) struct GatewayTime {
    clock: Arc<dyn Clock>,
    offset_ms: AtomicI64,
}

impl GatewayTime {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, offset_ms: AtomicI64::new(0) }
    }

    pub(super) fn now(&self) -> Timestamp {
        let offset = SignedDuration::from_millis(self.offset_ms.load(Ordering::Relaxed));
        let wall = self.clock.wall();
        wall.saturating_add(offset).unwrap_or(wall)
    }

    /// Sets the clock this far ahead of the machine's, or behind it.
    pub(super) fn set_offset(&self, milliseconds: i64) {
        self.offset_ms.store(milliseconds, Ordering::Relaxed);
    }

    /// A point to wait from.
    pub(super) fn mark(&self) -> Duration {
        self.clock.boot()
    }

    /// Returns `duration` after a [`mark`](Self::mark).
    pub(super) async fn sleep_since(&self, mark: Duration, duration: Duration) {
        let passed = self.clock.boot().saturating_sub(mark);
        self.clock.sleep(duration.saturating_sub(passed)).await;
    }
}
