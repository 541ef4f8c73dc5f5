//! The watch: looks at the book, tells, keeps, and sleeps until there may be something to tell.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio_util::sync::CancellationToken;

use super::book::{Alert, Book, Look};
use crate::domain::audit::Entry;
use crate::domain::cause::Cause;
use crate::domain::expiry::Stage;
use crate::engine::record;
use crate::ports::clock::Clock;
use crate::ports::expiries::{Change, Expiries};
use crate::ports::journal::JournalError;
use crate::ports::observer::{Fact, Observer};

/// Alerts in one telling that are told one by one; more are told in one line.
const ONE_BY_ONE: usize = 20;
/// How long it is quiet after something was told, so that what comes up meanwhile is told together; and the longest sleep,
/// so that a clock that was stopped is noticed.
const PAUSE: Duration = Duration::from_mins(10);

/// How long the end waits for what was told to be kept.
const LAST: Duration = Duration::from_secs(5);

/// Who keeps watch.
pub struct Watch {
    book: Arc<Book>,
    journal: Arc<dyn Expiries>,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    /// Nothing is told before, since boot.
    quiet_until: Duration,
    /// The journal is not written before, since boot.
    not_kept_until: Duration,
    /// How many were told to expire soon, and to have expired.
    standing: (usize, usize),
}

/// What was to be kept, and how that went.
type Kept = (Vec<Change>, Result<(), JournalError>);

impl Watch {
    /// Over this book, which is kept in this journal; `observer` hears of what there is to tell.
    #[must_use]
    pub fn new(
        book: Arc<Book>,
        journal: Arc<dyn Expiries>,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let (quiet_until, not_kept_until) = (Duration::ZERO, Duration::ZERO);
        Self { book, journal, clock, observer, quiet_until, not_kept_until, standing: (0, 0) }
    }

    /// Takes over what was known before this process began; to be done before anything is looked at. Without it the watch
    /// knows what the first look shows.
    pub async fn remember(&self) {
        match self.journal.expiries().await {
            Ok(kept) => self.book.remember(kept),
            Err(error) => self.tell_failure(&error),
        }
    }

    /// Watches until `shutdown`. The journal is asked beside it, one thing at a time, and waited for by nobody: it may never
    /// answer.
    pub async fn run(mut self, shutdown: &CancellationToken) {
        let mut asked: FuturesUnordered<BoxFuture<'static, Kept>> = FuturesUnordered::new();
        // What was told while the journal was busy.
        let mut rows = Vec::new();
        loop {
            let (sleep, told) = self.look();
            rows.extend(told);
            if asked.is_empty() && self.clock.boot() >= self.not_kept_until {
                asked.extend(self.keep(std::mem::take(&mut rows)));
            }
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.book.news() => {}
                Some(kept) = asked.next() => self.kept(kept),
                () = self.clock.sleep(sleep) => {}
            }
        }
        let clock = Arc::clone(&self.clock);
        let keeping = async {
            if let Some(kept) = asked.next().await {
                self.kept(kept);
            }
            if let Some(keeping) = self.keep(rows) {
                let kept = keeping.await;
                self.kept(kept);
            }
        };
        tokio::select! {
            () = keeping => {}
            () = clock.sleep(LAST) => {}
        }
    }

    /// Looks once, tells, and returns when that is kept: for a process that ends now, and has looked at its accounts.
    pub async fn once(mut self) {
        let (_, rows) = self.look();
        if let Some(keeping) = self.keep(rows) {
            let kept = keeping.await;
            self.kept(kept);
        }
    }

    /// Tells what there is to tell; says how long to sleep, and what of it the journal's chain keeps.
    fn look(&mut self) -> (Duration, Vec<Entry>) {
        let now = self.clock.boot();
        if now < self.quiet_until {
            return (self.quiet_until.saturating_sub(now), Vec::new());
        }
        let Look { alerts, soon, expired, next } = self.book.look();
        if self.standing != (soon, expired) {
            self.standing = (soon, expired);
            self.observer.note(&Fact::Expiring { soon, expired });
        }
        if !alerts.is_empty() {
            self.quiet_until = now.saturating_add(PAUSE);
        }
        let rows = self.tell(&alerts);
        let least = self.quiet_until.saturating_sub(now).max(Duration::from_secs(1));
        (next.unwrap_or(PAUSE).max(least).min(PAUSE), rows)
    }

    fn tell(&self, alerts: &[Alert]) -> Vec<Entry> {
        if let (Some(first), true) = (alerts.first(), alerts.len() > ONE_BY_ONE) {
            let expired = alerts.iter().filter(|alert| alert.stage == Stage::Expired).count();
            let (account, expires_at) = (&first.account, first.expiry.expires_at);
            self.observer.note(&Fact::ManyExpire { soon: alerts.len() - expired, expired, account, expires_at });
        } else {
            for alert in alerts {
                self.observer.note(&alert.fact());
            }
        }
        let at = self.clock.wall();
        let entered = alerts.iter().filter(|alert| alert.is_new);
        entered.filter_map(|alert| record::entry(&alert.fact(), at, &Cause::SCHEDULE)).collect()
    }

    /// Begins to keep what has changed, if anything has.
    fn keep(&self, rows: Vec<Entry>) -> Option<BoxFuture<'static, Kept>> {
        let changes = self.book.changes();
        if changes.is_empty() && rows.is_empty() {
            return None;
        }
        let journal = Arc::clone(&self.journal);
        Some(Box::pin(async move {
            let mut kept = journal.keep_expiries(changes.clone()).await;
            if !rows.is_empty() {
                kept = kept.and(journal.append(rows).await);
            }
            (changes, kept)
        }))
    }

    /// A journal that fails is left alone for a while.
    fn kept(&mut self, (changes, kept): Kept) {
        if let Err(error) = kept {
            self.book.not_kept(&changes);
            self.not_kept_until = self.clock.boot().saturating_add(PAUSE);
            self.tell_failure(&error);
        }
    }

    fn tell_failure(&self, error: &JournalError) {
        self.observer.note(&Fact::NotRecorded { what: "expiries", account: None, error: &error.to_string() });
    }
}

impl Alert {
    fn fact(&self) -> Fact<'_> {
        let (account, expires_at) = (&self.account, self.expiry.expires_at);
        match self.stage {
            Stage::Soon => Fact::ExpiresSoon { account, deadline: self.expiry.deadline, expires_at },
            Stage::Expired => Fact::Expired { account, expires_at },
        }
    }
}
