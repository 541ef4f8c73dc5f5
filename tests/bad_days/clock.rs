//! Time that passes when everybody waits, and only then.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use ncloud_rotator::domain::gateway::Gateway;
use ncloud_rotator::ports::clock::Clock;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const START: i64 = 1_763_752_800;
/// Turns that others get before time passes: enough to come from one wait to the next call.
const TURNS: usize = 64;
/// Calls in a row that the engine does not bound.
const CHAIN: usize = 10;

/// A virtual clock. The engine bounds its calls by this clock as well; while one is under way, which takes real time, no
/// virtual time passes, and its bound never ends.
#[derive(Default)]
pub(crate) struct Virtual {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    now: Duration,
    sleepers: BTreeSet<(Duration, u64)>,
    calls: usize,
    /// Calls that have begun or ended: whoever saw one do so lets others go on once more before time passes.
    seen: u64,
    next: u64,
    end: Option<(Duration, CancellationToken)>,
}

impl Virtual {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// A token that is cancelled when so much time has passed.
    pub(crate) fn ends_after(&self, time: Duration) -> CancellationToken {
        let shutdown = CancellationToken::new();
        let mut state = self.state();
        state.end = Some((state.now + time, shutdown.clone()));
        shutdown
    }
}

/// Whether it is how long the engine lets a provider's answer take, a list, or a vault's, which gets a little more for each
/// secret.
fn is_bound(duration: Duration) -> bool {
    let provider = Gateway::default().fence(SignedDuration::ZERO).unsigned_abs();
    let vault = Duration::from_secs(90)..Duration::from_secs(92);
    let whole = duration.subsec_nanos().is_multiple_of(100_000_000);
    duration == provider || duration == Duration::from_mins(15) || (vault.contains(&duration) && whole)
}

/// Lets everything go on that is not waiting. What blocks, such as the journal, does so on the only thread that may, and is
/// done when that thread comes to us.
async fn let_others_go_on() {
    for _ in 0..CHAIN {
        tokio::task::spawn_blocking(|| ()).await.unwrap();
        for _ in 0..TURNS {
            tokio::task::yield_now().await;
        }
    }
}

/// A call that is under way; or a sleeper, with when it wakes. Whoever stops waiting takes it back.
struct Waiting<'c>(&'c Virtual, Option<(Duration, u64)>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if let Some(sleeper) = self.1 {
            state.sleepers.remove(&sleeper);
        } else {
            state.calls -= 1;
            state.seen += 1;
        }
        self.0.changed.notify_waiters();
    }
}

#[async_trait]
impl Clock for Virtual {
    fn wall(&self) -> Timestamp {
        Timestamp::from_second(START).unwrap() + self.boot()
    }

    fn boot(&self) -> Duration {
        self.state().now
    }

    async fn sleep(&self, duration: Duration) {
        if is_bound(duration) {
            {
                let mut state = self.state();
                state.calls += 1;
                state.seen += 1;
            }
            let _call = Waiting(self, None);
            return std::future::pending().await;
        }
        let sleeper = {
            let mut state = self.state();
            state.next += 1;
            let sleeper = (state.now + duration + Duration::from_millis(1), state.next);
            state.sleepers.insert(sleeper);
            sleeper
        };
        let _sleeping = Waiting(self, Some(sleeper));
        loop {
            let changed = self.changed.notified();
            let seen = self.state().seen;
            let_others_go_on().await;
            {
                let mut state = self.state();
                if state.seen != seen {
                    continue;
                }
                if state.calls == 0 && state.sleepers.first() == Some(&sleeper) {
                    state.now = state.now.max(sleeper.0);
                    if let Some((_, shutdown)) = state.end.as_ref().filter(|(end, _)| state.now >= *end) {
                        shutdown.cancel();
                    }
                    return;
                }
            }
            changed.await;
        }
    }
}
