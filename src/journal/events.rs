//! The chain of events: added to at its end, and never changed.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::trouble::Trouble;
use crate::domain::Timestamp;
use crate::domain::audit::{Beginning, Entry, Head, Row};

/// The last row's number and hash; none in a chain without rows.
pub(super) fn head(connection: &Connection) -> Result<Option<Head>, Trouble> {
    let mut select = connection.prepare_cached("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1")?;
    let head = select.query_row([], |row| Ok(Head { rows: row.get(0)?, hash: text(row.get_ref(1)?) })).optional()?;
    Ok(head)
}

/// Adds entries at the end. The transaction must be one that writes from its beginning, so that nobody else comes between
/// reading the end and adding to it.
pub(super) fn append(transaction: &Transaction<'_>, entries: &[Entry]) -> Result<(), Trouble> {
    let mut head = head(transaction)?;
    let mut insert = transaction.prepare_cached("INSERT INTO events (seq, entry, hash) VALUES (?1, ?2, ?3)")?;
    for entry in entries {
        let row = Row::link(head.as_ref(), entry).map_err(Trouble::Unwritable)?;
        insert.execute(params![row.seq, row.text, row.hash])?;
        head = Some(row.head());
    }
    Ok(())
}

/// Adds entries at the end, in a transaction of their own.
pub(super) fn add(connection: &Connection, entries: &[Entry]) -> Result<(), Trouble> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    append(&transaction, entries)?;
    Ok(transaction.commit()?)
}

/// Adds those entries that are about accounts of which no event tells; says how many.
pub(super) fn introduce(connection: &Connection, found: Vec<Entry>) -> Result<usize, Trouble> {
    // Almost always everybody is known, which is no reason to keep other processes from writing.
    let strangers = strangers(connection, found)?;
    if strangers.is_empty() {
        return Ok(0);
    }
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let strangers = self::strangers(&transaction, strangers)?;
    append(&transaction, &strangers)?;
    transaction.commit()?;
    Ok(strangers.len())
}

/// The rotations that began since `since`, in their order. It is read from the chain's end, and no further than it must be.
pub(super) fn beginnings(connection: &Connection, since: Timestamp) -> Result<Vec<Beginning>, Trouble> {
    /// A clock that was wrong for a while leaves rows of other times between those that are sought.
    const OLD_IN_A_ROW: u32 = 2000;
    let mut select = connection.prepare_cached("SELECT entry FROM events ORDER BY seq DESC")?;
    let mut rows = select.query([])?;
    let (mut found, mut old) = (Vec::new(), 0);
    while old < OLD_IN_A_ROW
        && let Some(row) = rows.next()?
    {
        let text = text(row.get_ref(0)?);
        if Beginning::time(&text).is_none_or(|at| at < since) {
            old += 1;
        } else {
            old = 0;
            found.extend(Beginning::read(&text));
        }
    }
    found.reverse();
    Ok(found)
}

fn strangers(connection: &Connection, entries: Vec<Entry>) -> Result<Vec<Entry>, Trouble> {
    let mut select = connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM events WHERE account = ?1)")?;
    let mut strangers = Vec::new();
    for entry in entries {
        let account = entry.account.as_ref().map(ToString::to_string);
        if !select.query_row([account], |row| row.get(0))? {
            strangers.push(entry);
        }
    }
    Ok(strangers)
}

/// A column as text, whatever somebody made of it: what is no text any more shows in the walk, and is no failure to read.
pub(super) fn text(column: ValueRef<'_>) -> String {
    match column {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        ValueRef::Integer(_) | ValueRef::Real(_) | ValueRef::Null => String::new(),
    }
}
