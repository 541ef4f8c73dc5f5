//! The pauses: what people do not want to be rotated.

use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};
use serde_json::Value;

use super::events;
use super::trouble::Trouble;
use crate::domain::audit::Entry;
use crate::domain::schedule::pause::{Change, Paused, Pauses, Target};

/// What tells that another connection, and so another process, has written since.
pub(super) fn version(connection: &Connection) -> Result<i64, Trouble> {
    Ok(connection.query_row("PRAGMA data_version", [], |row| row.get(0))?)
}

/// Every pause.
pub(super) fn all(connection: &Connection) -> Result<Pauses, Trouble> {
    let mut select = connection.prepare_cached("SELECT scope, target, name, since, until, cause FROM pauses")?;
    let mut rows = select.query([])?;
    let mut pauses = Pauses::default();
    while let Some(row) = rows.next()? {
        let nonsense = || Trouble::Damaged("a pause makes no sense".to_owned());
        pauses.change(Change::Pause(read(row)?.ok_or_else(nonsense)?));
    }
    Ok(pauses)
}

/// Makes the changes, and adds the entries at the end of the chain, in one transaction.
pub(super) fn change(connection: &Connection, changes: &[Change], entries: &[Entry]) -> Result<(), Trouble> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    for change in changes {
        make(&transaction, change)?;
    }
    events::append(&transaction, entries)?;
    Ok(transaction.commit()?)
}

fn make(transaction: &Transaction<'_>, change: &Change) -> Result<(), Trouble> {
    match change {
        Change::Pause(Paused { target, since, until, cause }) => {
            let mut insert = transaction.prepare_cached(
                "INSERT OR REPLACE INTO pauses (scope, target, name, since, until, cause) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            let until = until.map(|until| until.to_string());
            let (scope, name) = (target.scope().label(), target.to_string());
            insert.execute(params![scope, key(target), name, since.to_string(), until, cause.to_string()])?;
        }
        Change::Resume(target) => {
            let mut delete = transaction.prepare_cached("DELETE FROM pauses WHERE scope = ?1 AND target = ?2")?;
            delete.execute(params![target.scope().label(), key(target)])?;
        }
    }
    Ok(())
}

/// What tells a target from all others of its scope.
fn key(target: &Target) -> String {
    match target {
        Target::Account { subject, .. } => subject.to_string(),
        Target::Tenant { tenant } => tenant.clone(),
        Target::Everything => String::new(),
    }
}

/// A row; none when it makes no sense.
fn read(row: &Row<'_>) -> Result<Option<Paused>, Trouble> {
    let (scope, key, name): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (since, until, cause): (String, Option<String>, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
    let sense = || {
        let target = match scope.as_str() {
            "account" => Target::Account { account: name.parse().ok()?, subject: key.parse().ok()? },
            "tenant" => Target::Tenant { tenant: key },
            _ => Target::Everything,
        };
        let until = until.map(|until| until.parse()).transpose().ok()?;
        // Of a cause that cannot be read the pause itself is no less said.
        let cause = serde_json::from_str(&cause).unwrap_or(Value::Null);
        Some(Paused { target, since: since.parse().ok()?, until, cause })
    };
    Ok(sense())
}
