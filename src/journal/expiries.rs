//! What is last known of each password's expiry.

use async_trait::async_trait;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use super::store::Journal;
use super::trouble::Trouble;
use crate::domain::account::AccountName;
use crate::domain::expiry::{Expiry, Stage, Told};
use crate::ports::expiries::{Change, Expiries, Kept};
use crate::ports::journal::JournalError;

#[async_trait]
impl Expiries for Journal {
    /// A row that makes no sense is as good as none: the next survey writes it anew.
    async fn expiries(&self) -> Result<Vec<Kept>, JournalError> {
        self.with(|connection| {
            let mut select =
                connection.prepare_cached("SELECT account, deadline, expires_at, told, told_at FROM expiries")?;
            let rows = select.query_map([], |row| Ok(read(row)))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
        })
        .await
    }

    async fn keep_expiries(&self, changes: Vec<Change>) -> Result<(), JournalError> {
        self.with(move |connection| keep(connection, &changes)).await
    }
}

fn keep(connection: &Connection, changes: &[Change]) -> Result<(), Trouble> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    for change in changes {
        make(&transaction, change)?;
    }
    Ok(transaction.commit()?)
}

fn make(transaction: &Transaction<'_>, change: &Change) -> Result<(), Trouble> {
    match change {
        Change::Keep(Kept { account, expiry: Expiry { deadline, expires_at }, told }) => {
            let mut insert = transaction.prepare_cached(
                "INSERT OR REPLACE INTO expiries (account, deadline, expires_at, told, told_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            let (stage, at) = (told.map(|told| told.stage.label()), told.map(|told| told.at.to_string()));
            insert.execute(params![account.to_string(), deadline.to_string(), expires_at.to_string(), stage, at])?;
        }
        Change::Forget(account) => {
            let mut delete = transaction.prepare_cached("DELETE FROM expiries WHERE account = ?1")?;
            delete.execute([account.to_string()])?;
        }
    }
    Ok(())
}

/// A row; none when it makes no sense.
fn read(row: &Row<'_>) -> Option<Kept> {
    let text = |column: usize| row.get::<_, String>(column).ok();
    let account: AccountName = text(0)?.parse().ok()?;
    let expiry = Expiry { deadline: text(1)?.parse().ok()?, expires_at: text(2)?.parse().ok()? };
    Some(Kept { account, expiry, told: told(text(3), text(4)) })
}

fn told(stage: Option<String>, at: Option<String>) -> Option<Told> {
    let stage = stage?;
    let stage = Stage::ALL.into_iter().find(|known| known.label() == stage)?;
    Some(Told { at: at?.parse().ok()?, stage })
}
