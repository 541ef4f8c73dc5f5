//! The tables, and how a file comes to have those of this version.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::trouble::Trouble;
use crate::ports::entropy::Entropy;

/// Step `n` takes a file from `user_version` `n` to `n + 1`. A step that was released is never edited: write the next one.
///
/// `AUTOINCREMENT` keeps the number of a forgotten send from being given again, so that its late answer finds nothing
/// instead of another send.
const STEPS: [&str; 1] = ["
    CREATE TABLE journal (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        id   TEXT NOT NULL
    ) STRICT;
    CREATE TABLE sends (
        id        INTEGER PRIMARY KEY AUTOINCREMENT,
        subject   TEXT NOT NULL,
        candidate TEXT NOT NULL,
        answer    TEXT
    ) STRICT;
    CREATE TABLE accounts (
        subject    TEXT PRIMARY KEY,
        first_seen TEXT NOT NULL
    ) STRICT;
    CREATE INDEX sends_by_subject ON sends (subject, id);
"];

/// Brings the file to this version's tables in one transaction, and returns the journal's id, which is made on first use.
/// A file of a newer version is left as it is.
pub(super) fn prepare(connection: &mut Connection, entropy: &dyn Entropy) -> Result<String, Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let missing = usize::try_from(found).ok().and_then(|done| STEPS.get(done..));
    let missing = missing.ok_or(Trouble::Newer { found, known: STEPS.len() })?;
    for step in missing {
        transaction.execute_batch(step)?;
    }
    // Written anew it would change the file, which a mere look must not do.
    if !missing.is_empty() {
        transaction.execute_batch(&format!("PRAGMA user_version = {}", STEPS.len()))?;
    }
    let id = id(&transaction, entropy)?;
    transaction.commit()?;
    Ok(id)
}

fn id(transaction: &Transaction<'_>, entropy: &dyn Entropy) -> Result<String, Trouble> {
    let known = transaction.query_row("SELECT id FROM journal", [], |row| row.get(0)).optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes)?;
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid().to_string();
    transaction.execute("INSERT INTO journal (only, id) VALUES (1, ?1)", [&id])?;
    Ok(id)
}
