//! What the server saw: every request, never a value.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::operation::Operation;

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Counts up from 0 in the order of arrival.
    pub(crate) seq: u64,
    /// When it arrived, by the server's clock.
    pub(crate) time: Timestamp,
    pub(crate) operation: Operation,
    /// The secret, as the request names it.
    pub(crate) secret: Option<String>,
    /// The access key.
    pub(crate) key: String,
    /// The fault that it met.
    pub(crate) fault: Option<&'static str>,
    /// What became of it; none while it waits.
    pub(crate) ended: Option<Ended>,
    /// Whether something was changed by it, whatever was answered.
    pub(crate) changed: bool,
}

/// What the client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    Answered,
    /// By this code.
    Refused(&'static str),
    /// The connection was closed instead.
    HungUp,
}

/// The requests, oldest first.
#[derive(Default)]
pub(crate) struct Log(Mutex<Requests>);

#[derive(Default)]
struct Requests {
    entries: Vec<Entry>,
    counts: BTreeMap<Operation, u64>,
}

impl Log {
    /// Notes a request and says its number of all, and of its operation from 1.
    pub(crate) fn arrived(&self, time: Timestamp, operation: Operation, secret: Option<&str>, key: &str) -> (u64, u64) {
        let mut requests = self.requests();
        let seq = requests.entries.len() as u64;
        let (secret, key) = (secret.map(str::to_owned), key.to_owned());
        requests.entries.push(Entry { seq, time, operation, secret, key, fault: None, ended: None, changed: false });
        let nth = requests.counts.entry(operation).or_default();
        *nth += 1;
        (seq, *nth)
    }

    pub(crate) fn note(&self, seq: u64, change: impl FnOnce(&mut Entry)) {
        let index = usize::try_from(seq).unwrap_or(usize::MAX);
        if let Some(entry) = self.requests().entries.get_mut(index) {
            change(entry);
        }
    }

    pub(crate) fn entries(&self) -> Vec<Entry> {
        self.requests().entries.clone()
    }

    pub(crate) fn counts(&self) -> BTreeMap<Operation, u64> {
        self.requests().counts.clone()
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
