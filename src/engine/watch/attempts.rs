//! Turns that failed in a row, kept across restarts: a daemon that is started again and again asks a provider in trouble no
//! more often than one that stays up.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Engine, NEXT_TURN};
use crate::domain::backoff::Attempts;
use crate::engine::accounts::Managed;
use crate::engine::roster::Known;
use crate::ports::observer::Fact;

/// What becomes of the failed turns that an earlier process left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Inherited {
    /// They count, and the next turn waits as long as that process wanted it to.
    WaitedFor,
    /// They count, and nobody waits: whoever asks for one look has reason to.
    Counted,
}

impl Engine {
    /// Has the journal keep how often an account's turns failed, which nobody waits for.
    pub(super) fn keep_attempts(&mut self, managed: &Arc<Managed>, attempts: Option<Attempts>) {
        let (world, managed) = (Arc::clone(&self.world), Arc::clone(managed));
        self.turns.push(Box::pin(async move {
            if let Err(error) = world.journal.note_attempts(&managed.subject, attempts).await {
                world.note(&Fact::JournalFailed { account: &managed.name, error: &error.to_string() });
            }
            None
        }));
    }
}

impl Known {
    /// The turns in a row that failed, as they are kept; none when the last one did not.
    pub(super) fn attempts(&self, here: Timestamp, now: Duration) -> Option<Attempts> {
        let wait = self.not_before.saturating_sub(now).try_into().unwrap_or(NEXT_TURN.cap);
        let next = here.checked_add(wait).unwrap_or(Timestamp::MAX);
        (self.failures > 0).then_some(Attempts { failures: self.failures, next })
    }

    /// Goes on from what an earlier process left.
    pub(super) fn take_over(&mut self, attempts: Option<Attempts>, now: Duration, inherited: Inherited) {
        let Some(attempts) = attempts.filter(|_| self.is_read.is_none()) else { return };
        self.failures = attempts.failures;
        if inherited == Inherited::WaitedFor {
            let left = attempts.left(self.here(), NEXT_TURN.cap);
            self.not_before = now.saturating_add(left.try_into().unwrap_or_default());
        }
    }
}
