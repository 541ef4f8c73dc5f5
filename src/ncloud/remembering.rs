//! Which key pair to sign with while keys are being replaced.
//!
//! A new pair may be on disk before the gateway knows it, or may be half of the old and half of the new for a moment. So
//! the pair that worked last is kept until another has worked, and a read that is refused with the new one tries it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use subtle::ConstantTimeEq;

use crate::domain::secret::Keys;
use crate::ports::keys::{KeyError, KeySource};

/// A source of keys, with what is known of how its pairs fared.
///
/// ```text
///                       a read is answered with the source's pair
///   use the source's ───────────────────────────────────────────► it is the one that works; older ones are forgotten
///          │ a read is refused with it, and answered with the one that worked
///          ▼
///   use the one that worked ──── the source gives another pair, or a read is refused with it ───► use the source's
/// ```
pub(super) struct Remembering {
    source: Arc<dyn KeySource>,
    memory: Mutex<Memory>,
}

#[derive(Default)]
struct Memory {
    /// The pair with which a read was answered last.
    working: Option<Keys>,
    /// The source's pair with which reads were refused while `working` was not.
    refused: Option<Keys>,
}

impl Remembering {
    pub(super) fn new(source: Arc<dyn KeySource>) -> Self {
        Self { source, memory: Mutex::default() }
    }

    /// The pair to sign with now. The source is asked each time.
    pub(super) async fn keys(&self) -> Result<Keys, KeyError> {
        let fresh = self.source.keys().await?;
        let memory = self.memory();
        Ok(match (&memory.working, &memory.refused) {
            (Some(working), Some(refused)) if same(&fresh, refused) => working.clone(),
            _ => fresh,
        })
    }

    /// A read was refused with `pair`: a source that keeps its keys for a while must look again.
    pub(super) fn refused(&self) {
        self.source.refused();
    }

    /// A pair that may work although these were refused, each tried once in one read.
    pub(super) fn other(&self, tried: &[&Keys]) -> Option<Keys> {
        let memory = self.memory();
        let untried = |pair: &&Keys| !tried.iter().any(|other| same(pair, other));
        [&memory.working, &memory.refused].into_iter().flatten().find(untried).cloned()
    }

    /// A read was answered with `pair`.
    pub(super) fn worked(&self, pair: &Keys) {
        let mut memory = self.memory();
        if memory.refused.as_ref().is_some_and(|refused| same(refused, pair)) {
            memory.refused = None;
        }
        memory.working = Some(pair.clone());
    }

    /// A read was refused with one pair and answered with another. The refused one is the source's, unless the answered
    /// one had been refused before: then it is the source's that works at last.
    pub(super) fn fell_back(&self, pair: &Keys, refused: &Keys) {
        let mut memory = self.memory();
        let was_refused = memory.refused.as_ref().is_some_and(|before| same(before, pair));
        memory.refused = (!was_refused).then(|| refused.clone());
        memory.working = Some(pair.clone());
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn same(one: &Keys, other: &Keys) -> bool {
    let access = one.expose_access().as_bytes().ct_eq(other.expose_access().as_bytes());
    let secret = one.expose_secret().as_bytes().ct_eq(other.expose_secret().as_bytes());
    (access & secret).into()
}
