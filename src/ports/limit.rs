//! Permission to send: the rate at which a tenant, or a vault, is sent requests that change something.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use governor::clock::Clock as _;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::clock::Clock;

/// A rate limit without bursts: permissions are evenly spaced.
pub struct Limit {
    limiter: RateLimiter<NotKeyed, InMemoryState, BootClock, NoOpMiddleware<Nanos>>,
    clock: BootClock,
    period: Duration,
    waiting: Arc<AtomicUsize>,
}

/// Somebody waits for permission, until this is dropped.
#[derive(Debug)]
pub struct Waits(Arc<AtomicUsize>);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The limiter counts time since boot, like everything here that measures durations.
#[derive(Clone)]
struct BootClock(Arc<dyn Clock>);

impl governor::clock::Clock for BootClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.boot())
    }
}

impl Limit {
    /// One permission every `period`.
    #[must_use]
    pub fn every(period: Duration, clock: Arc<dyn Clock>) -> Self {
        let clock = BootClock(clock);
        let quota = Quota::with_period(period)
            .unwrap_or_else(|| Quota::per_second(NonZeroU32::MAX))
            .allow_burst(NonZeroU32::MIN);
        Self { limiter: RateLimiter::direct_with_clock(quota, clock.clone()), clock, period, waiting: Arc::default() }
    }

    /// The time from one permission to the next.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// Notes that somebody waits for permission.
    #[must_use]
    pub fn wait(&self) -> Waits {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        Waits(Arc::clone(&self.waiting))
    }

    /// Whether somebody waits for permission: what is under way comes before what is not begun.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// Permission now, or how long it takes until there may be one.
    pub fn try_permission(&self) -> Result<(), Duration> {
        self.limiter.check().map_err(|not_yet| not_yet.wait_time_from(self.clock.now()))
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Limit")
    }
}
