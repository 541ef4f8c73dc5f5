//! Virtual time: one thread, whose clock goes to the next sleeper when nobody has anything left to do.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use ncloud_rotator::ports::clock::Clock;

/// When every simulation begins.
const BEGINNING: i64 = 1_767_225_600; // 2026-01-01T00:00:00Z

/// The clocks of the simulated machine, and the true time, which the gateways tell.
#[derive(Clone)]
pub(crate) struct Time(Arc<Mutex<Inner>>);

struct Inner {
    boot: Duration,
    /// How far the machine's wall clock is ahead of the true time.
    wall_error: SignedDuration,
    sleepers: BTreeMap<(Duration, u64), Waker>,
    next_id: u64,
}

impl Time {
    pub(crate) fn new() -> Self {
        let sleepers = BTreeMap::new();
        Self(Arc::new(Mutex::new(Inner {
            boot: Duration::ZERO,
            wall_error: SignedDuration::ZERO,
            sleepers,
            next_id: 0,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// The true time.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_second(BEGINNING).unwrap() + self.inner().boot
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.inner().boot
    }

    pub(crate) fn set_wall_error(&self, error: SignedDuration) {
        self.inner().wall_error = error;
    }

    /// When the next sleeper wakes.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.inner().sleepers.keys().next().map(|(at, _)| *at)
    }

    /// Goes on to `at`, and wakes whoever sleeps until then.
    pub(crate) fn go_to(&self, at: Duration) {
        let mut inner = self.inner();
        inner.boot = inner.boot.max(at);
        let after = inner.boot + Duration::from_nanos(1);
        let later = inner.sleepers.split_off(&(after, 0));
        let woken = std::mem::replace(&mut inner.sleepers, later);
        drop(inner);
        woken.into_values().for_each(Waker::wake);
    }
}

#[async_trait]
impl Clock for Time {
    fn wall(&self) -> Timestamp {
        let error = self.inner().wall_error;
        self.now() + error
    }

    fn boot(&self) -> Duration {
        self.elapsed()
    }

    async fn sleep(&self, duration: Duration) {
        Sleep { until: self.elapsed().saturating_add(duration), time: self.clone(), id: None }.await;
    }
}

struct Sleep {
    until: Duration,
    time: Time,
    id: Option<u64>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let until = self.until;
        let mut inner = self.time.inner();
        if inner.boot >= until {
            return Poll::Ready(());
        }
        let id = self.id.unwrap_or_else(|| {
            inner.next_id += 1;
            inner.next_id
        });
        inner.sleepers.insert((until, id), context.waker().clone());
        drop(inner);
        self.id = Some(id);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.time.inner().sleepers.remove(&(self.until, id));
        }
    }
}
