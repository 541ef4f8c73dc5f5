//! The tables, and how a file comes to have those of this version.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::events;
use super::trouble::Trouble;
use crate::domain::audit::Entry;
use crate::ports::entropy::Entropy;

/// Step `n` takes a file from `user_version` `n` to `n + 1`. A step that was released is never edited: write the next one.
///
/// `AUTOINCREMENT` keeps the number of a forgotten send from being given again, so that its late answer finds nothing
/// instead of another send.
///
/// The triggers of `events` stop accidents, not people who may write the file: those are found by the chain itself. An entry
/// that is no JSON any more belongs to no account, instead of making every look at the table fail.
///
/// A pause's `target` is the account as the provider knows it (`site/kind/id`), the tenant's name, or nothing; its `name` is for
/// people.
const STEPS: [&str; 5] = [
    "
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
",
    "
    CREATE TABLE events (
        seq     INTEGER PRIMARY KEY,
        entry   TEXT NOT NULL,
        hash    TEXT NOT NULL,
        account TEXT GENERATED ALWAYS AS (CASE WHEN json_valid(entry) THEN CAST(entry ->> '$.account' AS TEXT) END) VIRTUAL,
        secret  TEXT GENERATED ALWAYS AS (CASE WHEN json_valid(entry) THEN CAST(entry ->> '$.secret' AS TEXT) END) VIRTUAL
    ) STRICT;
    CREATE INDEX events_by_account ON events (account, secret, seq);
    CREATE TRIGGER events_are_not_changed BEFORE UPDATE ON events BEGIN
        SELECT RAISE(ABORT, 'an event that happened is not changed');
    END;
    CREATE TRIGGER events_are_not_removed BEFORE DELETE ON events BEGIN
        SELECT RAISE(ABORT, 'an event that happened is not removed');
    END;
    CREATE TRIGGER events_come_last BEFORE INSERT ON events
    WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM events) BEGIN
        SELECT RAISE(ABORT, 'an event is added behind the last one');
    END;
",
    "
    CREATE TABLE pauses (
        scope  TEXT NOT NULL CHECK (scope IN ('account', 'tenant', 'everything')),
        target TEXT NOT NULL,
        name   TEXT NOT NULL,
        since  TEXT NOT NULL,
        until  TEXT,
        cause  TEXT NOT NULL,
        PRIMARY KEY (scope, target)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE expiries (
        account    TEXT PRIMARY KEY,
        deadline   TEXT NOT NULL,
        expires_at TEXT NOT NULL,
        told       TEXT,
        told_at    TEXT
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE attempts (
        subject  TEXT PRIMARY KEY,
        failures INTEGER NOT NULL,
        next     TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
",
];

/// The version since which there are events.
pub(super) const EVENTS: usize = 2;
/// The version since which there are pauses.
pub(super) const PAUSES: usize = 3;

/// The version of a file with every table.
pub(super) const VERSION: usize = STEPS.len();

/// The version of a file's tables; a newer one than this program knows is refused.
pub(super) fn version(connection: &Connection) -> Result<usize, Trouble> {
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    usize::try_from(found).ok().filter(|found| *found <= VERSION).ok_or(Trouble::Newer { found, known: VERSION })
}

/// A file with this version's tables.
pub(super) struct Prepared {
    /// The journal's id.
    pub(super) id: String,
    /// The version that it had; 0 when it was empty.
    pub(super) version: usize,
}

/// Brings the file to this version's tables in one transaction, and makes the journal's id on first use. A file of a
/// newer version is left as it is. `began` makes the chain's first entry of the id and the version, when there is none yet.
pub(super) fn prepare(
    connection: &mut Connection,
    entropy: &dyn Entropy,
    began: impl FnOnce(&str, usize) -> Entry,
) -> Result<Prepared, Trouble> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = version(&transaction)?;
    let missing = STEPS.get(version..).unwrap_or_default();
    for step in missing {
        transaction.execute_batch(step)?;
    }
    // Written anew it would change the file, which a mere look must not do.
    if !missing.is_empty() {
        transaction.execute_batch(&format!("PRAGMA user_version = {VERSION}"))?;
    }
    let id = id(&transaction, entropy)?;
    if events::head(&transaction)?.is_none() {
        events::append(&transaction, &[began(&id, version)])?;
    }
    transaction.commit()?;
    Ok(Prepared { id, version })
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
