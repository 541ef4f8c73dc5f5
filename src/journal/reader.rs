//! Reading the chain of events, and changing nothing.

use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params_from_iter};

use super::open::{FILE, connect};
use super::trouble::Trouble;
use super::{events, pauses, schema};
use crate::domain::audit::Row;
use crate::domain::schedule::pause::Pauses;
use crate::ports::journal::JournalError;

/// The events of a journal, for looking at. It makes no journal, and brings an old one to no newer version.
pub struct Reader {
    file: PathBuf,
    connection: Connection,
    /// The version of its tables: earlier ones have fewer of them.
    version: usize,
}

/// Whom or what an event is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct About {
    /// The account's full name.
    pub account: Option<String>,
    /// The secret.
    pub secret: Option<String>,
}

impl Reader {
    /// The journal of a state directory; none when there is no journal. It blocks, as everything here does.
    pub fn open(folder: &Path) -> Result<Option<Self>, JournalError> {
        let file = folder.join(FILE);
        if !file.exists() {
            return Ok(None);
        }
        let opened = || {
            // Not opened for reading only: SQLite could not take away its companion files again, which it needs to read.
            let connection = connect(&file)?;
            connection.pragma_update(None, "query_only", true)?;
            let version = schema::version(&connection)?;
            Ok((connection, version))
        };
        let (connection, version) = opened().map_err(|trouble: Trouble| trouble.at(&file))?;
        Ok(Some(Self { file, connection, version }))
    }

    /// Everything that any event is about.
    pub fn subjects(&self) -> Result<Vec<About>, JournalError> {
        if self.version < schema::EVENTS {
            return Ok(Vec::new());
        }
        let read = || {
            let mut select = self.connection.prepare("SELECT DISTINCT account, secret FROM events")?;
            let rows = select.query_map([], |row| Ok(About { account: row.get(0)?, secret: row.get(1)? }))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        };
        read().map_err(|trouble: Trouble| trouble.at(&self.file))
    }

    /// Every pause, those that ended by themselves among them.
    pub fn pauses(&self) -> Result<Pauses, JournalError> {
        if self.version < schema::PAUSES {
            return Ok(Pauses::default());
        }
        pauses::all(&self.connection).map_err(|trouble| trouble.at(&self.file))
    }

    /// Hands every row on, by number, until told to stop.
    pub fn rows(&self, each: impl FnMut(Row) -> ControlFlow<()>) -> Result<(), JournalError> {
        self.select("SELECT seq, entry, hash FROM events ORDER BY seq", &[], each)
    }

    /// Hands the rows about an account on, by number, until told to stop.
    pub fn rows_of_account(&self, account: &str, each: impl FnMut(Row) -> ControlFlow<()>) -> Result<(), JournalError> {
        self.select("SELECT seq, entry, hash FROM events WHERE account = ?1 ORDER BY seq", &[account], each)
    }

    /// The same for rows about a secret of which nobody knew the account.
    pub fn rows_of_secret(&self, secret: &str, each: impl FnMut(Row) -> ControlFlow<()>) -> Result<(), JournalError> {
        const OF_SECRET: &str =
            "SELECT seq, entry, hash FROM events WHERE account IS NULL AND secret = ?1 ORDER BY seq";
        self.select(OF_SECRET, &[secret], each)
    }

    /// The same for rows about emergencies.
    pub fn rows_of_emergencies(&self, each: impl FnMut(Row) -> ControlFlow<()>) -> Result<(), JournalError> {
        const OF_EMERGENCIES: &str = "SELECT seq, entry, hash FROM events \
             WHERE json_valid(entry) AND entry ->> '$.what' GLOB 'emergency-*' ORDER BY seq";
        self.select(OF_EMERGENCIES, &[], each)
    }

    /// Hands every row behind number `seq` on, by number, until told to stop.
    pub fn rows_behind(&self, seq: i64, each: impl FnMut(Row) -> ControlFlow<()>) -> Result<(), JournalError> {
        const BEHIND: &str = "SELECT seq, entry, hash FROM events WHERE seq > CAST(?1 AS INTEGER) ORDER BY seq";
        self.select(BEHIND, &[&seq.to_string()], each)
    }

    fn select(
        &self,
        sql: &str,
        values: &[&str],
        mut each: impl FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        if self.version < schema::EVENTS {
            return Ok(());
        }
        let mut read = || {
            let mut select = self.connection.prepare(sql)?;
            let mut rows = select.query(params_from_iter(values))?;
            while let Some(row) = rows.next()? {
                let row =
                    Row { seq: row.get(0)?, text: events::text(row.get_ref(1)?), hash: events::text(row.get_ref(2)?) };
                if each(row).is_break() {
                    break;
                }
            }
            Ok(())
        };
        read().map_err(|trouble: Trouble| trouble.at(&self.file))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("file", &self.file).finish_non_exhaustive()
    }
}
