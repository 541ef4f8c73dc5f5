//! The moments before and after every effect, for a test that ends the client's process there.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::operation::Operation;

/// Which side of its effect an operation is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The request was let in, and nothing was done yet.
    Before,
    /// It was done (or refused, or read), and the answer has not left.
    After,
}

/// A moment of a request.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    pub(crate) side: Side,
    pub(crate) operation: Operation,
    /// The secret, as the request names it; none where it names none or several.
    pub(crate) secret: Option<String>,
    /// Which request for this operation it is, from 1, in the order of arrival.
    pub(crate) nth: u64,
    /// Which request of all it is, from 0.
    pub(crate) seq: u64,
    /// Whether something was changed; never before the effect.
    pub(crate) changed: bool,
}

/// What happens after a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// What would have happened anyway.
    GoOn,
    /// The connection closes without an answer. Before the effect this means that there is none.
    HangUp,
}

/// Looks at moments. It runs in a thread of its own and may block, which holds the request where it is.
pub(crate) type Hook = Arc<dyn Fn(&Moment) -> Then + Send + Sync>;

/// The hook, if there is one.
#[derive(Default)]
pub(crate) struct Moments(Mutex<Option<Hook>>);

impl Moments {
    pub(crate) fn set(&self, hook: Option<Hook>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = hook;
    }

    /// Shows a moment to the hook. A hook that panics hangs up.
    pub(crate) async fn show(&self, moment: Moment) -> Then {
        let hook = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(hook) = hook else { return Then::GoOn };
        tokio::task::spawn_blocking(move || hook(&moment)).await.unwrap_or(Then::HangUp)
    }
}

/// Requests that stand still at a moment until they are resumed. When this is dropped, moments pass as if it had never been.
pub(crate) struct Stops(Receiver<Stop>);

impl Stops {
    /// What hands moments of interest over to the test that waits for them.
    pub(crate) fn new(interesting: impl Fn(&Moment) -> bool + Send + Sync + 'static) -> (Self, Hook) {
        let (sender, stops) = channel();
        let hook = move |moment: &Moment| {
            if !interesting(moment) {
                return Then::GoOn;
            }
            let (resume, resumed) = channel();
            // Where nobody waits any more, on either side, the request goes on.
            let _ = sender.send(Stop { moment: moment.clone(), resume });
            resumed.recv().unwrap_or(Then::GoOn)
        };
        (Self(stops), Arc::new(hook))
    }

    /// The next request that stands; none if none comes in time.
    pub(crate) fn next(&self, patience: Duration) -> Option<Stop> {
        self.0.recv_timeout(patience).ok()
    }
}

/// A request that stands at a moment. Dropping this lets it go on.
pub(crate) struct Stop {
    pub(crate) moment: Moment,
    resume: Sender<Then>,
}

impl Stop {
    pub(crate) fn resume(self, then: Then) {
        // The request is gone only if the server is.
        let _ = self.resume.send(then);
    }
}
