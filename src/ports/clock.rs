//! Time, as the engine is given it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

/// The machine's clocks.
#[async_trait]
pub trait Clock: Send + Sync {
    /// The wall clock: for people, for plans in days, and for nothing that safety rests on.
    fn wall(&self) -> Timestamp;

    /// Time since boot, suspended time included; never steps.
    fn boot(&self) -> Duration;

    /// Returns after `duration`.
    async fn sleep(&self, duration: Duration);
}

/// A gateway's clock, as its last `Date` header and the boot clock tell it (`protocol.md`, rule 8).
///
/// Shared by the adapter that hears the gateway, which calls [`heard`](Self::heard), and everyone who compares times for
/// an account behind that gateway.
pub struct GatewayClock {
    clock: Arc<dyn Clock>,
    last: Mutex<Option<Reading>>,
}

#[derive(Clone, Copy)]
struct Reading {
    date: Timestamp,
    boot: Duration,
}

impl GatewayClock {
    /// A clock that has not heard its gateway yet.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, last: Mutex::new(None) }
    }

    /// Takes note of a `Date` header that has just been received.
    ///
    /// A header has whole seconds; the fraction is taken from the wall clock. The result is still within the second that the
    /// header names, and two processes that start within it do not sign with the same times.
    pub fn heard(&self, date: Timestamp) {
        let fraction = self.clock.wall().subsec_nanosecond().unsigned_abs();
        let date = date.saturating_add(Duration::from_nanos(u64::from(fraction))).unwrap_or(date);
        let reading = Reading { date, boot: self.clock.boot() };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
    }

    /// The gateway's time now. Until the gateway was heard this is the wall clock, which serves to sign the first read and
    /// nothing else: [`age`](Self::age) is [`None`] then, and nothing is applied.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.reading().map_or_else(
            || self.clock.wall(),
            |reading| {
                let elapsed = self.clock.boot().saturating_sub(reading.boot);
                reading.date.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
            },
        )
    }

    /// The time to record in a vault: the gateway's, or nothing before it was heard, since a fence that counts from a wrong
    /// clock is worse than one that counts from the next look.
    #[must_use]
    pub fn stamp(&self) -> Option<Timestamp> {
        self.reading().map(|_| self.now())
    }

    /// How long ago the gateway was last heard.
    #[must_use]
    pub fn age(&self) -> Option<SignedDuration> {
        let elapsed = self.clock.boot().saturating_sub(self.reading()?.boot);
        Some(SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::MAX))
    }

    /// How far the machine's wall clock is ahead of the gateway's, as known now.
    #[must_use]
    pub fn skew(&self) -> Option<SignedDuration> {
        self.reading()?;
        Some(self.clock.wall().duration_since(self.now()))
    }

    fn reading(&self) -> Option<Reading> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
