//! The journal's file, and the port over it.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, params};
use tokio::task;
use uuid::Uuid;

use super::open::{FILE, Opened, Origin, open};
use super::reader::Reader;
use super::trouble::Trouble;
use super::{attempts, events, label, pauses};
use crate::domain::account::Subject;
use crate::domain::audit::{Beginning, Entry, Head};
use crate::domain::backoff::Attempts;
use crate::domain::rotation::{Answer, Record};
use crate::domain::schedule::pause::{Change, Pauses};
use crate::domain::token::Token;
use crate::ports::entropy::Entropy;
use crate::ports::journal::{Journal as Port, JournalError, SendId};

/// The journal of one state directory.
pub struct Journal {
    id: String,
    file: PathBuf,
    /// Which file that was when it was opened: somebody may move it, and another process make a new one.
    inode: Option<Inode>,
    origin: Origin,
    connection: Arc<Mutex<Connection>>,
    pauses: Arc<Mutex<Option<Known>>>,
}

/// A file, whatever it is called: its device, and its number there.
type Inode = (u64, u64);

/// The pauses as they were read last, and what told then whether anybody else had written.
type Known = (i64, Arc<Pauses>);

impl Journal {
    /// Opens `journal.sqlite` in `folder`; makes both on first use, for the owner alone, with an id from `entropy`. A file that
    /// is damaged is set aside, and a new one takes its place. It blocks: call it where that is allowed.
    ///
    /// `now` is the wall clock's time.
    pub fn open(folder: &Path, entropy: &dyn Entropy, now: Timestamp) -> Result<Self, JournalError> {
        let file = folder.join(FILE);
        let Opened { connection, id, origin } =
            open(folder, &file, entropy, now).map_err(|trouble| trouble.at(&file))?;
        let inode = inode(&file).map_err(|trouble| trouble.at(&file))?;
        Ok(Self { id, file, inode, origin, connection: Arc::new(Mutex::new(connection)), pauses: Arc::default() })
    }

    /// How this process came to it.
    #[must_use]
    pub const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Its file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Runs `work` where blocking is allowed. It is not cancelled with its caller: what was begun is written.
    pub(super) async fn with<T, W>(&self, work: W) -> Result<T, JournalError>
    where
        T: Send + 'static,
        W: FnOnce(&Connection) -> Result<T, Trouble> + Send + 'static,
    {
        let connection = Arc::clone(&self.connection);
        let blocking = move || work(&connection.lock().unwrap_or_else(PoisonError::into_inner));
        let done = task::spawn_blocking(blocking).await.unwrap_or(Err(Trouble::Interrupted));
        done.map_err(|trouble| trouble.at(&self.file))
    }

    /// Whether the file was moved or removed since it was opened.
    async fn is_elsewhere(&self) -> Result<bool, JournalError> {
        let (file, mine) = (self.file.clone(), self.inode);
        self.with(move |_| Ok(inode(&file)? != mine)).await
    }

    async fn own_pauses(&self) -> Result<Arc<Pauses>, JournalError> {
        let known = Arc::clone(&self.pauses);
        self.with(move |connection| {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            // Asked for before the pauses are read: what is written in between is read again next time.
            let version = pauses::version(connection)?;
            if let Some((_, pauses)) = known.as_ref().filter(|(read_at, _)| *read_at == version) {
                return Ok(Arc::clone(pauses));
            }
            let pauses = Arc::new(pauses::all(connection)?);
            *known = Some((version, Arc::clone(&pauses)));
            Ok(pauses)
        })
        .await
    }

    /// The pauses of the file that has this one's name now.
    async fn others_pauses(&self) -> Result<Pauses, JournalError> {
        let folder = self.file.parent().map(Path::to_owned).unwrap_or_default();
        let reading = move || Ok(Reader::open(&folder)?.map(|reader| reader.pauses()).transpose()?.unwrap_or_default());
        task::spawn_blocking(reading).await.unwrap_or_else(|_| Err(Trouble::Interrupted.at(&self.file)))
    }
}

/// Which file has this name; none when there is none.
fn inode(file: &Path) -> Result<Option<Inode>, Trouble> {
    match fs::metadata(file) {
        Ok(found) => Ok(Some((found.dev(), found.ino()))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("id", &self.id).field("file", &self.file).finish_non_exhaustive()
    }
}

#[async_trait]
impl Port for Journal {
    fn id(&self) -> &str {
        &self.id
    }

    async fn first_seen(&self, subject: &Subject, now: Timestamp) -> Result<Timestamp, JournalError> {
        let subject = subject.to_string();
        self.with(move |connection| {
            let mut insert =
                connection.prepare_cached("INSERT OR IGNORE INTO accounts (subject, first_seen) VALUES (?1, ?2)")?;
            insert.execute([&subject, &now.to_string()])?;
            let mut select = connection.prepare_cached("SELECT first_seen FROM accounts WHERE subject = ?1")?;
            let text: String = select.query_row([&subject], |row| row.get(0))?;
            text.parse().map_err(|_| Trouble::Damaged(format!("{text:?} is no time")))
        })
        .await
    }

    async fn record(&self, subject: &Subject) -> Result<Record, JournalError> {
        let subject = subject.to_string();
        self.with(move |connection| {
            let mut select =
                connection.prepare_cached("SELECT candidate, answer FROM sends WHERE subject = ?1 ORDER BY id")?;
            let mut rows = select.query([subject])?;
            let mut record = Record::new();
            while let Some(row) = rows.next()? {
                let candidate = candidate(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?)?;
                record.sending(candidate);
                if let Some(label) = row.get_ref(1)?.as_str_or_null().map_err(rusqlite::Error::from)? {
                    record.answered(candidate, answer(label)?);
                }
            }
            Ok(record)
        })
        .await
    }

    async fn sending(&self, subject: &Subject, candidate: Token) -> Result<SendId, JournalError> {
        let (subject, candidate) = (subject.to_string(), candidate.to_string());
        self.with(move |connection| {
            let mut insert = connection.prepare_cached("INSERT INTO sends (subject, candidate) VALUES (?1, ?2)")?;
            Ok(SendId(insert.insert([subject, candidate])?))
        })
        .await
    }

    /// An answer to a send that was forgotten meanwhile changes nothing.
    async fn answered(&self, send: SendId, answer: Answer) -> Result<(), JournalError> {
        self.with(move |connection| {
            let mut update = connection.prepare_cached("UPDATE sends SET answer = ?2 WHERE id = ?1")?;
            update.execute(params![send.0, answer.label()])?;
            Ok(())
        })
        .await
    }

    /// Whoever pauses finds the file by its name. When that is another file by now, the pauses of both hold: nothing is rotated
    /// because a file was moved.
    async fn pauses(&self) -> Result<Arc<Pauses>, JournalError> {
        let ours = self.own_pauses().await?;
        if !self.is_elsewhere().await? {
            return Ok(ours);
        }
        let theirs = self.others_pauses().await?;
        Ok(Arc::new(ours.iter().chain(theirs.iter()).cloned().collect()))
    }

    async fn change_pauses(&self, changes: Vec<Change>, entries: Vec<Entry>) -> Result<(), JournalError> {
        if self.is_elsewhere().await? {
            return Err(Trouble::Elsewhere.at(&self.file));
        }
        let known = Arc::clone(&self.pauses);
        self.with(move |connection| {
            // SQLite tells of others' writes only, so that our own make what was read unknown.
            *known.lock().unwrap_or_else(PoisonError::into_inner) = None;
            pauses::change(connection, &changes, &entries)
        })
        .await
    }

    async fn attempts(&self) -> Result<HashMap<Subject, Attempts>, JournalError> {
        self.with(attempts::all).await
    }

    async fn note_attempts(&self, subject: &Subject, attempts: Option<Attempts>) -> Result<(), JournalError> {
        let subject = subject.to_string();
        self.with(move |connection| attempts::note(connection, &subject, attempts)).await
    }

    async fn keep(&self, subject: &Subject, candidates: &[Token]) -> Result<(), JournalError> {
        let subject = subject.to_string();
        let candidates = candidates.iter().map(Token::to_string).collect::<serde_json::Value>().to_string();
        self.with(move |connection| {
            let mut delete = connection.prepare_cached(
                "DELETE FROM sends WHERE subject = ?1 AND candidate NOT IN (SELECT value FROM json_each(?2))",
            )?;
            delete.execute([&subject, &candidates])?;
            attempts::note(connection, &subject, None)
        })
        .await
    }

    async fn append(&self, entries: Vec<Entry>) -> Result<(), JournalError> {
        self.with(move |connection| events::add(connection, &entries)).await
    }

    /// A chain that nobody will find has no end worth telling.
    async fn head(&self) -> Result<Head, JournalError> {
        if self.is_elsewhere().await? {
            return Err(Trouble::Elsewhere.at(&self.file));
        }
        self.with(|connection| {
            events::head(connection)?.ok_or_else(|| Trouble::Damaged("the chain of events has no first row".to_owned()))
        })
        .await
    }

    async fn beginnings(&self, since: Timestamp) -> Result<Vec<Beginning>, JournalError> {
        self.with(move |connection| events::beginnings(connection, since)).await
    }

    async fn introduce(&self, found: Vec<Entry>) -> Result<usize, JournalError> {
        self.with(move |connection| events::introduce(connection, found)).await
    }
}

fn candidate(text: &str) -> Result<Token, Trouble> {
    Uuid::parse_str(text).map(Token::from_uuid).map_err(|_| Trouble::Damaged(format!("{text:?} is no candidate")))
}

fn answer(text: &str) -> Result<Answer, Trouble> {
    label::parse(text).ok_or_else(|| Trouble::Damaged(format!("{text:?} is no answer that this version knows")))
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;
    use crate::ports::entropy::EntropyError;

    struct Ones;

    impl Entropy for Ones {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.fill(1);
            Ok(())
        }
    }

    #[test]
    fn a_commit_is_on_the_disk_when_it_returns() {
        let folder = tempfile::tempdir().unwrap();
        for _ in ["new", "found"] {
            let journal = Journal::open(folder.path(), &Ones, Timestamp::UNIX_EPOCH).unwrap();
            let connection = journal.connection.lock().unwrap();
            let number =
                |pragma: &str| -> i64 { connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap() };
            let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
            assert_eq!(mode, "wal");
            assert_eq!((number("synchronous"), number("foreign_keys"), number("busy_timeout")), (2, 1, 10_000));
            assert_eq!(usize::try_from(number("user_version")), Ok(schema::VERSION));
        }
    }
}
