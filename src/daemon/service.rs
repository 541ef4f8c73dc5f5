//! The service manager that started this process, if one did: what it is told (`sd_notify(3)`), and what it wants to hear.
//!
//! Nothing here fails: a manager that cannot be told is said so once, in the log, and the work goes on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;
use sd_notify::NotifyState;
use tokio::sync::broadcast;

use super::last_words::LastWords;
use super::log::LogObserver;
use super::machine::SystemClock;
use super::standing::Standing;
use crate::cli::progress::{Line, line};
use crate::config::Config;
use crate::engine::expiries::Book;
use crate::ports::clock::Clock;
use crate::ports::heartbeat::Heartbeat;
use crate::ports::observer::{Fact, Observer};

/// Beats in the time that the watchdog allows: two may be lost.
const BEATS: u32 = 3;
/// What a stop takes beside the answer that it waits for: a vault and a journal that write down what the answer was, and may
/// be slow.
const STORING: Duration = Duration::from_mins(2);
/// How much longer a stop may take while a password is nowhere but here. It is asked for again at each try to store it, and
/// these are never more than five minutes apart.
const HOLDING: Duration = Duration::from_mins(15);

/// Lines that may wait for a slow listener; of more, the oldest are left out.
const MOST_LINES: usize = 1024;

/// The service manager.
pub(super) struct Service {
    watchdog: Option<Duration>,
    book: Arc<Book>,
    /// For whoever waits for rotations.
    lines: broadcast::Sender<Line>,
    state: Mutex<State>,
    deaf: AtomicBool,
}

struct State {
    zone: TimeZone,
    longest_answer: Duration,
    standing: Standing,
    /// The line that was told last.
    told: String,
    /// When the watchdog was last fed, since boot.
    fed: Option<Duration>,
}

impl Service {
    /// Of a process that works by this configuration.
    pub(super) fn new(config: &Config) -> Self {
        let state = State {
            zone: config.time_zone.clone(),
            longest_answer: longest_answer(config),
            standing: Standing::default(),
            told: String::new(),
            fed: None,
        };
        let (lines, _) = broadcast::channel(MOST_LINES);
        Self {
            watchdog: sd_notify::watchdog_enabled(),
            book: Arc::new(Book::new(Arc::new(SystemClock))),
            lines,
            state: Mutex::new(state),
            deaf: AtomicBool::new(false),
        }
    }

    /// Who hears of the facts of a world that is wired by this configuration.
    pub(super) fn observers(self: &Arc<Self>, config: &Config) -> Arc<dyn Observer> {
        // What is known of expiries comes first: nobody before it can keep it from hearing.
        Arc::new(vec![Arc::clone(&self.book) as Arc<dyn Observer>, Arc::new(LastWords), self.listeners(config)])
    }

    /// Who hears of what the watch over expiries tells.
    pub(super) fn listeners(self: &Arc<Self>, config: &Config) -> Arc<dyn Observer> {
        let log: Arc<dyn Observer> = Arc::new(LogObserver::new(config.time_zone.clone()));
        let lines: Arc<dyn Observer> = Arc::new(Lines { to: self.lines(), zone: config.time_zone.clone() });
        Arc::new(vec![log, Arc::clone(self) as _, lines])
    }

    /// What is said of rotations, for whoever waits for them.
    pub(super) fn lines(&self) -> broadcast::Sender<Line> {
        self.lines.clone()
    }

    /// What is last known of expiries.
    pub(super) const fn book(&self) -> &Arc<Book> {
        &self.book
    }

    /// Everything is wired: signals are heard and the first look begins.
    pub(super) fn ready(&self) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(&self.line())]);
    }

    /// The configuration is being read again.
    pub(super) fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => self.tell(&[NotifyState::Reloading, now]),
            // Without the time, newer managers would wait for it and end this process.
            Err(error) => tracing::warn!(event = "manager-not-told", %error, "the reload is not announced"),
        }
    }

    /// The configuration was read again, and is in force; none when it is refused.
    pub(super) fn reloaded(&self, taken: Option<&Config>) {
        {
            let mut state = self.state();
            state.standing.refused = taken.is_none();
            if let Some(config) = taken {
                state.zone = config.time_zone.clone();
                state.longest_answer = state.longest_answer.max(longest_answer(config));
            }
        }
        self.ready();
    }

    /// Asked to end. What is under way may take as long as its answer does; a process that holds the only copy of a password
    /// may take longer.
    pub(super) fn ending(&self) {
        self.state().standing.ending = true;
        self.tell(&[NotifyState::Stopping, NotifyState::Status(&self.line())]);
        let longest = self.state().longest_answer;
        self.extend(longest.saturating_add(STORING));
        self.hold_if_needed();
    }

    fn hold_if_needed(&self) {
        let holds = {
            let standing = &self.state().standing;
            standing.ending && standing.holds_only_copy()
        };
        if holds {
            self.extend(HOLDING);
        }
    }

    fn extend(&self, time: Duration) {
        self.tell(&[NotifyState::ExtendTimeoutUsec(u32::try_from(time.as_micros()).unwrap_or(u32::MAX))]);
    }

    fn line(&self) -> String {
        let state = self.state();
        state.standing.line(&state.zone)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(states)
            && !self.deaf.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(event = "manager-not-told", %error, "the service manager cannot be told how this service is");
        }
    }
}

/// Says what facts are worth saying.
struct Lines {
    to: broadcast::Sender<Line>,
    zone: TimeZone,
}

impl Observer for Lines {
    fn note(&self, fact: &Fact<'_>) {
        if self.to.receiver_count() > 0
            && let Some(line) = line(fact, &self.zone)
        {
            // Whoever listened may have gone.
            let _ = self.to.send(line);
        }
    }
}

/// How long the configuration lets an answer take.
fn longest_answer(config: &Config) -> Duration {
    let answers = config.tenants.values().map(|tenant| tenant.network.request_timeout);
    answers.max().and_then(|longest| Duration::try_from(longest).ok()).unwrap_or_default()
}

impl Heartbeat for Service {
    fn interval(&self) -> Option<Duration> {
        self.watchdog.map(|longest| longest / BEATS)
    }

    /// A busy engine comes round far more often than the watchdog wants to hear of it.
    fn beat(&self) {
        let Some(interval) = self.interval() else { return };
        let now = SystemClock.boot();
        let mut state = self.state();
        if state.fed.is_none_or(|fed| now.saturating_sub(fed) >= interval / 2) {
            state.fed = Some(now);
            drop(state);
            self.tell(&[NotifyState::Watchdog]);
        }
    }
}

impl Observer for Service {
    fn note(&self, fact: &Fact<'_>) {
        let news = {
            let mut state = self.state();
            state.standing.note(fact, SystemClock.wall());
            let line = state.standing.line(&state.zone);
            (state.told != line).then(|| state.told.clone_from(&line)).map(|()| line)
        };
        if let Some(line) = news {
            self.tell(&[NotifyState::Status(&line)]);
        }
        if let Fact::OnlyCopy { .. } = fact {
            self.hold_if_needed();
        }
    }
}
