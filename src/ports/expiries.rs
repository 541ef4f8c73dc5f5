//! What is last known of each password's expiry, kept over a restart.

use async_trait::async_trait;

use super::journal::{Journal, JournalError};
use crate::domain::account::AccountName;
use crate::domain::expiry::{Expiry, Told};

/// What is known of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The account.
    pub account: AccountName,
    /// Its password's life.
    pub expiry: Expiry,
    /// What was told of it last.
    pub told: Option<Told>,
}

/// Something to keep, or to forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This is known now.
    Keep(Kept),
    /// There is no such account any more, or its password does not expire.
    Forget(AccountName),
}

/// A journal that keeps them. It must not be shared with the engine, but by its file: what hangs there must not hang here.
#[async_trait]
pub trait Expiries: Journal {
    /// Everything that is known.
    async fn expiries(&self) -> Result<Vec<Kept>, JournalError>;

    /// Keeps what has changed, durably before it returns.
    async fn keep_expiries(&self, changes: Vec<Change>) -> Result<(), JournalError>;
}
