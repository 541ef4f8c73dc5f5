//! Turns that failed in a row, and when the next ones are.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};

use super::trouble::Trouble;
use crate::domain::account::Subject;
use crate::domain::backoff::Attempts;

/// Those of every account of which any failed.
pub(super) fn all(connection: &Connection) -> Result<HashMap<Subject, Attempts>, Trouble> {
    let mut select = connection.prepare_cached("SELECT subject, failures, next FROM attempts")?;
    let mut rows = select.query([])?;
    let mut all = HashMap::new();
    while let Some(row) = rows.next()? {
        // What makes no sense holds nothing back.
        all.extend(read(row)?);
    }
    Ok(all)
}

/// Notes those of one account. What is forgotten and was not known costs no write.
pub(super) fn note(connection: &Connection, subject: &str, attempts: Option<Attempts>) -> Result<(), Trouble> {
    match attempts {
        Some(Attempts { failures, next }) => {
            let mut insert = connection
                .prepare_cached("INSERT OR REPLACE INTO attempts (subject, failures, next) VALUES (?1, ?2, ?3)")?;
            insert.execute(params![subject, failures, next.to_string()])?;
        }
        None => {
            connection.prepare_cached("DELETE FROM attempts WHERE subject = ?1")?.execute([subject])?;
        }
    }
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Option<(Subject, Attempts)>, Trouble> {
    let (subject, failures, next): (String, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let sense = || {
        let attempts = Attempts { failures: u32::try_from(failures).ok()?, next: next.parse().ok()? };
        Some((subject.parse().ok()?, attempts))
    };
    Ok(sense())
}
