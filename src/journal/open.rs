//! Opening the file: making it, bringing it to this version's tables, and setting a damaged one aside.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OpenFlags};
use serde_json::Map;

use super::schema::{self, Prepared};
use super::trouble::Trouble;
use crate::domain::audit::{Entry, What};
use crate::domain::cause::Cause;
use crate::durable;
use crate::ports::entropy::Entropy;

/// How long to wait for another process that is writing. A write takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The file's name in the state directory.
pub(super) const FILE: &str = "journal.sqlite";

/// How a journal came to be opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// It was there.
    Found,
    /// There was none.
    New,
    /// There was one that could not be read; it was moved, and a new one made.
    SetAside {
        /// To where.
        to: PathBuf,
        /// What was wrong with it.
        because: String,
    },
}

pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) id: String,
    pub(super) origin: Origin,
}

/// Opens and prepares the file under a lock of its own, since two processes must not make it, change its tables or set it
/// aside at once.
pub(super) fn open(folder: &Path, file: &Path, entropy: &dyn Entropy, now: Timestamp) -> Result<Opened, Trouble> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let _lock = durable::lock(&folder.join("journal.lock"), PATIENCE).map_err(Trouble::Locked)?;
    match prepared(folder, file, entropy, now, None) {
        Err(trouble) if let Some(because) = trouble.damage() => {
            let to = set_aside(folder, file, now)?;
            let origin = Origin::SetAside { to, because };
            let (connection, id, _) = prepared(folder, file, entropy, now, Some(&origin))?;
            Ok(Opened { connection, id, origin })
        }
        prepared => {
            let (connection, id, new) = prepared?;
            Ok(Opened { connection, id, origin: if new { Origin::New } else { Origin::Found } })
        }
    }
}

fn prepared(
    folder: &Path,
    file: &Path,
    entropy: &dyn Entropy,
    now: Timestamp,
    origin: Option<&Origin>,
) -> Result<(Connection, String, bool), Trouble> {
    make(folder, file)?;
    let mut connection = connect(file)?;
    let Prepared { id, version } =
        schema::prepare(&mut connection, entropy, |id, version| began(now, id, version, origin))?;
    make_durable(&connection)?;
    Ok((connection, id, version == 0))
}

/// The first entry of a chain: it says that there is none before it, and why.
fn began(now: Timestamp, id: &str, version: usize, origin: Option<&Origin>) -> Entry {
    let mut detail = Map::new();
    detail.insert("journal".to_owned(), id.into());
    if version > 0 {
        detail.insert("from_schema".to_owned(), version.into());
    }
    if let Some(Origin::SetAside { to, because }) = origin {
        let name = to.file_name().unwrap_or(to.as_os_str());
        detail.insert("set_aside".to_owned(), name.to_string_lossy().into());
        detail.insert("because".to_owned(), because.clone().into());
    }
    Entry {
        at: now,
        gateway: None,
        account: None,
        secret: None,
        what: What::JournalBegan,
        detail,
        cause: Cause::STARTUP,
    }
}

/// Makes an empty file that only its owner can read; SQLite gives its companions the same mode. A file that exists is not
/// even opened: closing it would release the locks that SQLite holds on it elsewhere in this process.
fn make(folder: &Path, file: &Path) -> io::Result<()> {
    match OpenOptions::new().create_new(true).write(true).mode(0o600).open(file) {
        Ok(_) => File::open(folder)?.sync_all(),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// Opens the file and lets SQLite look it through.
pub(super) fn connect(file: &Path) -> Result<Connection, Trouble> {
    let connection =
        Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Trouble::Damaged(verdict));
    }
    Ok(connection)
}

/// A commit is on the disk when it returns: write-ahead logging with `synchronous = FULL`.
fn make_durable(connection: &Connection) -> Result<(), Trouble> {
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(Trouble::NotLocal(mode));
    }
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(())
}

/// Moves the file and its companions to a name that nothing has yet, under which SQLite finds them together. Another
/// process that has it open goes on with the moved one: its journal and the new one have different ids, so that neither
/// takes the other's silence for an answer (`protocol.md`, rule 7).
fn set_aside(folder: &Path, file: &Path, now: Timestamp) -> io::Result<PathBuf> {
    let stamp = now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut to = folder.join(format!("{FILE}.damaged-{stamp}"));
    let mut taken = 0;
    while to.exists() {
        taken += 1;
        to = folder.join(format!("{FILE}.damaged-{stamp}-{taken}"));
    }
    for companion in ["-wal", "-shm"] {
        match fs::rename(with(file, companion), with(&to, companion)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(file, &to)?;
    File::open(folder)?.sync_all()?;
    Ok(to)
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
