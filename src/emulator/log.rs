//! What the emulator saw, for the test door: every request, and of a password its digest alone.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

/// The most requests that are kept; older ones are forgotten first.
const CAPACITY: usize = 100_000;

/// The flag of a request that sends a password in its address, which no client may ever do.
pub(super) const PASSWORD_IN_URL: &str = "password-in-url";

/// One request.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Entry {
    /// Counts up from 0 in the order of arrival.
    pub(super) seq: u64,
    /// When it arrived, by the gateway's clock.
    pub(super) time: Timestamp,
    pub(super) method: String,
    /// Path and query; the path alone if the query may bring a password.
    pub(super) target: String,
    /// The call's label; none if it was no call.
    pub(super) call: Option<&'static str>,
    /// The login id or name of the account that it is about, if there is such an account.
    pub(super) account: Option<String>,
    /// The account's id, as the request gave it.
    pub(super) account_id: Option<String>,
    /// The signed time as it came, in milliseconds.
    pub(super) signed_at: Option<String>,
    /// The SHA-256 of the submitted password, in hex.
    pub(super) password_sha256: Option<String>,
    /// The fault that it met.
    pub(super) fault: Option<&'static str>,
    /// What a client did that it must not do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) flag: Option<&'static str>,
    /// What became of it; none while it waits.
    pub(super) ended: Option<Ended>,
    /// Whether something was changed by it.
    pub(super) changed: bool,
    /// The HTTP status, unless the connection was dropped.
    pub(super) status: Option<u16>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Ended {
    Answered,
    Dropped,
}

/// The requests, oldest first.
#[derive(Default)]
pub(super) struct Log(Mutex<Requests>);

#[derive(Default)]
struct Requests {
    entries: VecDeque<Entry>,
    next: u64,
}

impl Log {
    /// Notes a request that arrived and returns its `seq`.
    pub(super) fn arrived(&self, entry: Entry) -> u64 {
        let mut requests = self.requests();
        let seq = requests.next;
        requests.next += 1;
        if requests.entries.len() == CAPACITY {
            requests.entries.pop_front();
        }
        requests.entries.push_back(Entry { seq, ..entry });
        seq
    }

    /// Notes what became of a request; no status means that its connection was dropped.
    pub(super) fn ended(&self, seq: u64, changed: bool, status: Option<u16>) {
        let mut requests = self.requests();
        let Some(entry) = requests.entries.iter_mut().rev().find(|entry| entry.seq == seq) else { return };
        entry.changed = changed;
        entry.status = status;
        entry.ended = Some(if status.is_some() { Ended::Answered } else { Ended::Dropped });
    }

    /// Everything that is kept.
    pub(super) fn entries(&self) -> Vec<Entry> {
        self.requests().entries.iter().cloned().collect()
    }

    fn requests(&self) -> std::sync::MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_requests_are_forgotten_first() {
        let log = Log::default();
        for _ in 0..=CAPACITY {
            log.arrived(Entry::default());
        }
        log.ended(0, true, Some(200));
        log.ended(CAPACITY as u64, true, None);
        let entries = log.entries();
        assert_eq!(entries.len(), CAPACITY);
        assert_eq!((entries[0].seq, entries[0].ended), (1, None));
        let last = entries.last().unwrap();
        assert_eq!((last.seq, last.ended, last.changed), (CAPACITY as u64, Some(Ended::Dropped), true));
    }
}
