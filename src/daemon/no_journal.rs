//! The journal of commands that only look: there is none, and nothing that needs one can be done.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::wire::{self, WireError};
use crate::config::Config;
use crate::domain::account::Subject;
use crate::domain::audit::{Beginning, Entry, Head};
use crate::domain::backoff::Attempts;
use crate::domain::rotation::{Answer, Record};
use crate::domain::schedule::pause::{Change, Pauses};
use crate::domain::token::Token;
use crate::journal::Reader;
use crate::ports::journal::{Journal as JournalPort, JournalError, JournalTrouble, SendId};

/// Discovery asks no journal, and a look makes none.
#[derive(Default)]
pub(super) struct NoJournal {
    /// Why the journal that is there cannot be read; none when there is none, which knows nothing.
    pub(super) trouble: Option<JournalError>,
    /// The pauses of the journal that is there, for those that look at what they would do.
    pub(super) pauses: Arc<Pauses>,
}

#[async_trait]
impl JournalPort for NoJournal {
    fn id(&self) -> &'static str {
        ""
    }

    async fn first_seen(&self, _: &Subject, now: Timestamp) -> Result<Timestamp, JournalError> {
        Ok(now)
    }

    async fn record(&self, _: &Subject) -> Result<Record, JournalError> {
        self.trouble.clone().map_or_else(|| Ok(Record::new()), Err)
    }

    async fn sending(&self, _: &Subject, _: Token) -> Result<SendId, JournalError> {
        Err(NoJournal::error())
    }

    async fn answered(&self, _: SendId, _: Answer) -> Result<(), JournalError> {
        Err(NoJournal::error())
    }

    async fn pauses(&self) -> Result<Arc<Pauses>, JournalError> {
        self.trouble.clone().map_or_else(|| Ok(Arc::clone(&self.pauses)), Err)
    }

    async fn change_pauses(&self, _: Vec<Change>, _: Vec<Entry>) -> Result<(), JournalError> {
        Err(NoJournal::error())
    }

    async fn attempts(&self) -> Result<HashMap<Subject, Attempts>, JournalError> {
        Ok(HashMap::new())
    }

    async fn note_attempts(&self, _: &Subject, _: Option<Attempts>) -> Result<(), JournalError> {
        Err(NoJournal::error())
    }

    async fn keep(&self, _: &Subject, _: &[Token]) -> Result<(), JournalError> {
        Err(NoJournal::error())
    }

    async fn append(&self, _: Vec<Entry>) -> Result<(), JournalError> {
        Err(NoJournal::error())
    }

    async fn head(&self) -> Result<Head, JournalError> {
        Err(NoJournal::error())
    }

    async fn beginnings(&self, _: Timestamp) -> Result<Vec<Beginning>, JournalError> {
        self.trouble.clone().map_or_else(|| Ok(Vec::new()), Err)
    }

    async fn introduce(&self, _: Vec<Entry>) -> Result<usize, JournalError> {
        Err(NoJournal::error())
    }
}

impl NoJournal {
    /// With the pauses of the journal that is there, for those who look at what they would do.
    pub(super) fn with_pauses(config: &Config) -> Result<Self, WireError> {
        let reader = Reader::open(&config.state_dir(&wire::environment())?)?;
        let pauses = reader.map(|reader| reader.pauses()).transpose()?.unwrap_or_default();
        Ok(Self { pauses: Arc::new(pauses), ..Self::default() })
    }

    fn error() -> JournalError {
        JournalError {
            text: "this command keeps no journal, so that no password can be sent by it".to_owned(),
            trouble: JournalTrouble::Unavailable,
        }
    }
}
