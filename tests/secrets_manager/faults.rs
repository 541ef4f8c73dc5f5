//! What goes wrong on purpose, in the words of the emulator's faults: an ordered programme of rules, each good for some
//! requests. The first rule that fits a request and is neither skipping nor used up has it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;

use super::operation::Operation;
use super::refusal::Refusal;

/// What goes wrong. "After" means that the operation is carried out first, as it would have been without the fault.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// The connection closes without an answer; nothing is carried out.
    DropBefore,
    /// The operation is carried out and the connection closes without an answer.
    DropAfter,
    /// An error of the service with this status (500, 503), and nothing is carried out.
    ServerErrorBefore(u16),
    /// The operation is carried out, and an error of the service is answered.
    ServerErrorAfter(u16),
    /// Too many requests, says the service, and nothing is carried out.
    Throttled,
    /// This error is answered, and nothing is carried out.
    Refuse(Refusal),
    /// The request waits before it is carried out, even if the caller is gone by then.
    Delay(Duration),
    /// The request waits until [`Server::release`](super::server::Server::release), and is then carried out.
    Hold,
    /// The operation is carried out, and its answer waits until the release.
    HoldAfter,
    /// A read that shows what was there so long ago.
    Stale(SignedDuration),
    /// 200 and bytes that are not JSON, after the operation was carried out.
    Garbage,
}

impl Fault {
    /// The stable label, as the log shows it.
    pub(crate) const fn label(&self) -> &'static str {
        match self {
            Self::DropBefore => "drop-before",
            Self::DropAfter => "drop-after",
            Self::ServerErrorBefore(_) => "5xx-before",
            Self::ServerErrorAfter(_) => "5xx-after",
            Self::Throttled => "throttled",
            Self::Refuse(_) => "refuse",
            Self::Delay(_) => "delay",
            Self::Hold => "hold",
            Self::HoldAfter => "hold-after",
            Self::Stale(_) => "stale",
            Self::Garbage => "garbage",
        }
    }
}

/// Which requests meet a fault: all of them once, until it is said more precisely.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    operation: Option<Operation>,
    secret: Option<String>,
    key: Option<String>,
    skip: u64,
    /// None: always.
    times: Option<u64>,
    fault: Fault,
}

impl Rule {
    /// The next request, whatever it asks for.
    pub(crate) fn any(fault: Fault) -> Self {
        Self { operation: None, secret: None, key: None, skip: 0, times: Some(1), fault }
    }

    /// The next request for this operation.
    pub(crate) fn on(operation: Operation, fault: Fault) -> Self {
        Self { operation: Some(operation), ..Self::any(fault) }
    }

    /// Only requests that name this secret, as they name it.
    pub(crate) fn of(self, secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), ..self }
    }

    /// Only requests that are signed with this access key.
    pub(crate) fn by(self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self }
    }

    /// So many fitting requests pass first.
    pub(crate) fn skip(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// Good for so many requests.
    pub(crate) fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Good until it is lifted.
    pub(crate) fn always(self) -> Self {
        Self { times: None, ..self }
    }

    fn fits(&self, asked: &Asked<'_>) -> bool {
        self.times != Some(0)
            && self.operation.is_none_or(|operation| operation == asked.operation)
            && self.secret.as_deref().is_none_or(|secret| asked.secret == Some(secret))
            && self.key.as_deref().is_none_or(|key| asked.key == key)
    }
}

/// What a rule looks at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) operation: Operation,
    pub(crate) secret: Option<&'a str>,
    pub(crate) key: &'a str,
}

/// A rule that was added, to lift it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RuleId(usize);

/// The rules, in the order in which they were added.
#[derive(Default)]
pub(crate) struct Programme(Mutex<Vec<Rule>>);

impl Programme {
    pub(crate) fn append(&self, rule: Rule) -> RuleId {
        let mut rules = self.rules();
        rules.push(rule);
        RuleId(rules.len() - 1)
    }

    /// Uses a rule up.
    pub(crate) fn lift(&self, RuleId(index): RuleId) {
        self.rules()[index].times = Some(0);
    }

    pub(crate) fn clear(&self) {
        self.rules().iter_mut().for_each(|rule| rule.times = Some(0));
    }

    /// The fault for a request that arrives, which counts as one of its rule's times.
    pub(crate) fn take(&self, asked: &Asked<'_>) -> Option<Fault> {
        let mut rules = self.rules();
        for rule in rules.iter_mut().filter(|rule| rule.fits(asked)) {
            if rule.skip == 0 {
                rule.times = rule.times.map(|times| times - 1);
                return Some(rule.fault.clone());
            }
            rule.skip -= 1;
        }
        None
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
