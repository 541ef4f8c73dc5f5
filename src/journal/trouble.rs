//! What can go wrong with the journal's file, and what its owner should do.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;

use crate::durable;
use crate::ports::entropy::EntropyError;
use crate::ports::journal::{JournalError, JournalTrouble};

/// A failure that does not know yet which file it is about.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A folder or file could not be made, opened or locked.
    File(io::Error),
    /// The lock under which the file is opened cannot be had.
    Locked(durable::Error),
    /// SQLite failed.
    Sqlite(rusqlite::Error),
    /// SQLite's check, or reading a row, found nonsense.
    Damaged(String),
    /// An event cannot be written as JSON.
    Unwritable(serde_json::Error),
    /// Another version of this program has been here.
    Newer { found: i64, known: usize },
    /// The file system cannot do write-ahead logging.
    NotLocal(String),
    /// No random numbers for a new journal's id.
    Entropy(EntropyError),
    /// It was moved or removed while it was open.
    Elsewhere,
    /// The runtime ended, or the task did.
    Interrupted,
}

impl Trouble {
    /// Names the place, and the remedy.
    pub(super) fn at(&self, file: &Path) -> JournalError {
        let file = file.display();
        let trouble = match self {
            _ if self.is_denied() => JournalTrouble::Denied,
            _ if self.damage().is_some() => JournalTrouble::Damaged,
            _ => JournalTrouble::Unavailable,
        };
        let text = match self {
            Self::File(cause) => {
                format!("the journal {file} cannot be made or opened: {cause}; check the state directory and its owner")
            }
            Self::Locked(cause) => format!("the journal {file} cannot be opened: {cause}"),
            Self::Sqlite(cause) => match cause.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => damaged(&file, cause),
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => format!(
                    "the journal {file} has been held by another process for too long ({cause}); see which one has it open"
                ),
                Some(ErrorCode::DiskFull) => {
                    format!("the journal {file} cannot be written: the disk is full; make room")
                }
                Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                    format!(
                        "the journal {file} cannot be written ({cause}); check the owner and mode of it and its folder"
                    )
                }
                _ => format!(
                    "the journal {file} cannot be used: {cause}; check the disk, or move the file aside: {HARMLESS}"
                ),
            },
            Self::Damaged(cause) => damaged(&file, cause),
            Self::Unwritable(cause) => format!("an event cannot be written to the journal {file}: {cause}"),
            Self::Newer { found, known } => format!(
                "the journal {file} was written by a newer version of this program (schema {found}, this one knows {known}); \
                 run that version, or move the file aside: {HARMLESS}"
            ),
            Self::NotLocal(mode) => format!(
                "the journal {file} cannot use write-ahead logging (SQLite offers {mode:?}); put the state directory on a \
                 local disk"
            ),
            Self::Entropy(cause) => format!("the journal {file} cannot be given its id: {cause}; start again"),
            Self::Elsewhere => format!(
                "the journal {file} was moved or removed while this program ran, and what it records since is not there; restart \
                 it"
            ),
            Self::Interrupted => format!("the journal {file} was not asked to the end, since this program is ending"),
        };
        JournalError { text, trouble }
    }

    /// What is wrong with the file, when it is the file itself and neither the disk nor a right to it.
    pub(super) fn damage(&self) -> Option<String> {
        match self {
            Self::Damaged(cause) => Some(cause.clone()),
            Self::Sqlite(cause) => match cause.sqlite_error_code() {
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Some(cause.to_string()),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_denied(&self) -> bool {
        match self {
            Self::File(cause) => matches!(
                cause.kind(),
                io::ErrorKind::PermissionDenied
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::AlreadyExists
            ),
            Self::Locked(cause) => cause.kind() == durable::Kind::Denied,
            Self::Sqlite(cause) => matches!(
                cause.sqlite_error_code(),
                Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied)
            ),
            _ => false,
        }
    }
}

const HARMLESS: &str =
    "losing it loses no password; unfinished rotations only wait longer, pauses end, and the history begins anew";

fn damaged(file: &impl std::fmt::Display, cause: &impl std::fmt::Display) -> String {
    format!("the journal {file} is damaged ({cause}); move it aside, with its -wal and -shm: {HARMLESS}")
}

impl From<io::Error> for Trouble {
    fn from(cause: io::Error) -> Self {
        Self::File(cause)
    }
}

impl From<rusqlite::Error> for Trouble {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Sqlite(cause)
    }
}

impl From<EntropyError> for Trouble {
    fn from(cause: EntropyError) -> Self {
        Self::Entropy(cause)
    }
}
