//! The journal, as the engine is given it: times and attempts, never a password. Losing it loses none.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::account::Subject;
use crate::domain::audit::{Beginning, Entry, Head};
use crate::domain::backoff::Attempts;
use crate::domain::rotation::{Answer, Record};
use crate::domain::schedule::pause::{Change, Pauses};
use crate::domain::token::Token;

/// A durable record of what was sent and what came back (`protocol.md`, rule 7), and of everything that happened.
#[async_trait]
pub trait Journal: Send + Sync {
    /// This journal's own random id, made on first use. It goes into every version's mark as `by`.
    fn id(&self) -> &str;

    /// When this journal first saw an account: `now`, unless it did before.
    async fn first_seen(&self, subject: &Subject, now: Timestamp) -> Result<Timestamp, JournalError>;

    /// What is known of an account's candidates; empty when the journal was lost.
    async fn record(&self, subject: &Subject) -> Result<Record, JournalError>;

    /// Notes, durably before it returns, that a candidate is about to be sent.
    async fn sending(&self, subject: &Subject, candidate: Token) -> Result<SendId, JournalError>;

    /// Notes the answer to a send.
    async fn answered(&self, send: SendId, answer: Answer) -> Result<(), JournalError>;

    /// Every pause, those that ended by themselves among them, as they are now: other processes change them too. Cheap as long
    /// as nothing was written.
    async fn pauses(&self) -> Result<Arc<Pauses>, JournalError>;

    /// Changes pauses and adds to the chain of events, all of it or nothing, and durably before it returns.
    async fn change_pauses(&self, changes: Vec<Change>, entries: Vec<Entry>) -> Result<(), JournalError>;

    /// Which accounts' last turns failed, how often, and when their next ones are.
    async fn attempts(&self) -> Result<HashMap<Subject, Attempts>, JournalError>;

    /// Notes that an account's turn failed again; none when it did not, which costs no write if none had failed before.
    async fn note_attempts(&self, subject: &Subject, attempts: Option<Attempts>) -> Result<(), JournalError>;

    /// Forgets every candidate of an account but these, and its failed turns, after a promotion.
    async fn keep(&self, subject: &Subject, candidates: &[Token]) -> Result<(), JournalError>;

    /// Adds to the chain of events, in this order, and durably before it returns.
    async fn append(&self, entries: Vec<Entry>) -> Result<(), JournalError>;

    /// The end of the chain of events.
    async fn head(&self) -> Result<Head, JournalError>;

    /// The rotations that began since `since` because they were due, in their order: what counts for a limit by the day counts
    /// after a restart too.
    async fn beginnings(&self, since: Timestamp) -> Result<Vec<Beginning>, JournalError>;

    /// Adds those that are about accounts of which the chain knows nothing; answers how many.
    async fn introduce(&self, found: Vec<Entry>) -> Result<usize, JournalError>;
}

/// Names one send within a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SendId(pub i64);

/// The journal cannot be read or written. The text says cause, place and remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct JournalError {
    /// For people.
    pub text: String,
    /// What kind of trouble it is.
    pub trouble: JournalTrouble,
}

/// What keeps a journal from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalTrouble {
    /// This user may not.
    Denied,
    /// What is kept makes no sense.
    Damaged,
    /// The file or the disk cannot, now or as they are.
    Unavailable,
}
