//! Keeps the accounts: in memory, or in a file that several emulators and a person's editor may share.
//!
//! A read looks whether the file was replaced since. A change holds the lock file, looks again, writes the new file and
//! only then counts.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::book::Book;
use super::reply::Reply;
use super::sample;
use crate::durable;

/// The accounts, shared by all connections.
#[derive(Clone)]
pub(super) struct Accounts(Arc<Mutex<Held>>);

struct Held {
    book: Book,
    file: Option<(AccountsFile, Stamp)>,
}

impl Accounts {
    /// Opens the accounts of `path`, making the file with the sample if there is none; without a path, the sample in
    /// memory. Blocks on the disk.
    pub(super) fn open(path: Option<&Path>) -> Result<Self, AccountsError> {
        let held = match path {
            None => Held { book: sample::book(), file: None },
            Some(path) => {
                let file = AccountsFile::at(path)?;
                let (book, stamp) = file.load_or_make(sample::book)?;
                Held { book, file: Some((file, stamp)) }
            }
        };
        Ok(Self(Arc::new(Mutex::new(held))))
    }

    /// Looks at the accounts as they are now.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Book) -> T + Send + 'static,
    ) -> Result<T, Reply> {
        self.blocking(|held| {
            held.refresh()?;
            Ok(look(&held.book))
        })
        .await
    }

    /// Looks at the accounts as they are now, for something that may not be there.
    pub(super) async fn look_up<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Book) -> Result<T, Reply> + Send + 'static,
    ) -> Result<T, Reply> {
        self.read(look).await?
    }

    /// Makes a change, durably before this returns. A refusal changes nothing, whatever `change` did before it refused.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&mut Book) -> Result<T, Reply> + Send + 'static,
    ) -> Result<T, Reply> {
        self.blocking(|held| {
            let _lock = held.file.as_ref().map(|(file, _)| file.lock()).transpose()?;
            held.refresh()?;
            let mut book = held.book.clone();
            let outcome = change(&mut book);
            if outcome.is_ok() {
                if let Some((file, stamp)) = &mut held.file {
                    *stamp = file.write(&book)?;
                }
                held.book = book;
            }
            Ok(outcome)
        })
        .await?
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Held) -> Result<T, AccountsError> + Send + 'static,
    ) -> Result<T, Reply> {
        let held = Arc::clone(&self.0);
        let done =
            tokio::task::spawn_blocking(move || work(&mut held.lock().unwrap_or_else(PoisonError::into_inner))).await;
        match done {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                tracing::error!(event = "emulator-file-failed", %error, "the emulator's accounts file failed");
                Err(Reply::unexpected())
            }
            Err(_) => Err(Reply::unexpected()),
        }
    }
}

impl Held {
    fn refresh(&mut self) -> Result<(), AccountsError> {
        let Some((file, stamp)) = &mut self.file else { return Ok(()) };
        if file.stamp()? != *stamp {
            (self.book, *stamp) = file.load()?;
        }
        Ok(())
    }
}

/// How long to wait for another emulator that is writing the same file. A write takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the accounts file cannot be used. It is left as it is.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The file cannot be read.
    #[error("the emulator's accounts file {} cannot be {verb}: {source}; check the path and who owns it", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried, as a participle.
        verb: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The file, its lock or its directory cannot be written.
    #[error(transparent)]
    Store(#[from] durable::Error),
    /// The file does not hold accounts.
    #[error("the emulator's accounts file {}, line {line}: {what}; correct it, or move the file away for a new sample", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there, without any value from the file but names.
        what: String,
    },
}

/// Tells one version of the file from another: every write makes a new inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

struct AccountsFile(PathBuf);

impl AccountsFile {
    fn at(path: &Path) -> Result<Self, AccountsError> {
        // A link is followed once, so that replacing the file replaces what the link points to.
        let file = Self(fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()));
        durable::create_private_dir_all(file.directory())?;
        Ok(file)
    }

    fn load_or_make(&self, sample: fn() -> Book) -> Result<(Book, Stamp), AccountsError> {
        let _lock = self.lock()?;
        if self.0.try_exists().map_err(self.failed("read"))? {
            return self.load();
        }
        let book = sample();
        let stamp = self.write(&book)?;
        Ok((book, stamp))
    }

    fn load(&self) -> Result<(Book, Stamp), AccountsError> {
        // Taken first: a version that comes in between is noticed at the next look.
        let stamp = self.stamp()?;
        let text = fs::read_to_string(&self.0).map_err(self.failed("read"))?;
        let malformed = |line, what| AccountsError::Malformed { path: self.0.clone(), line, what };
        let book: Book = serde_json::from_str(&text).map_err(|error| malformed(error.line(), complaint(&error)))?;
        if let Some((what, word)) = book.contradiction() {
            return Err(malformed(last_line_with(&text, word), what));
        }
        Ok((book, stamp))
    }

    fn write(&self, book: &Book) -> Result<Stamp, AccountsError> {
        let mut text = serde_json::to_vec_pretty(book).map_err(|error| self.failed("written")(error.into()))?;
        text.push(b'\n');
        durable::replace(&self.0, &text)?;
        self.stamp()
    }

    fn stamp(&self) -> Result<Stamp, AccountsError> {
        let found = fs::metadata(&self.0).map_err(self.failed("read"))?;
        Ok(Stamp { inode: found.ino(), size: found.size(), modified: (found.mtime(), found.mtime_nsec()) })
    }

    /// Waits for whoever writes the file now.
    fn lock(&self) -> Result<durable::Guard, AccountsError> {
        let mut name = self.0.clone().into_os_string();
        name.push(".lock");
        Ok(durable::lock(Path::new(&name), PATIENCE)?)
    }

    fn directory(&self) -> &Path {
        match self.0.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        }
    }

    fn failed(&self, verb: &'static str) -> impl FnOnce(io::Error) -> AccountsError {
        let path = self.0.clone();
        move |source| AccountsError::Io { path, verb, source }
    }
}

/// What serde says of the file, unless it would quote a value: that could be a password.
fn complaint(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(what, _)| what);
    let names_only = ["unknown field", "missing field", "duplicate field"].iter().any(|start| said.starts_with(start));
    if names_only || !error.is_data() {
        said.to_owned()
    } else {
        "a value of another type or form is needed here".into()
    }
}

fn last_line_with(text: &str, word: &str) -> usize {
    let found = text.lines().enumerate().filter(|(_, line)| line.contains(&format!("\"{word}\""))).last();
    found.map_or(1, |(index, _)| index + 1)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::domain::secret::Password;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn login_alias(book: &Book) -> String {
        book.tenant.login_alias.clone()
    }

    #[test]
    fn the_file_is_made_private_with_its_directory() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("new/deep/accounts.json");
        Accounts::open(Some(&path)).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert!(!path.with_extension("json.new").exists());
    }

    #[tokio::test]
    async fn two_holders_of_one_file_see_each_others_changes_and_lose_none() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("accounts.json");
        let holders = [Accounts::open(Some(&path)).unwrap(), Accounts::open(Some(&path)).unwrap()];
        for round in 0..6 {
            let change = |book: &mut Book| {
                book.sub_accounts[0].credential.change(Password::new("Other-Pw7".into()), false);
                Ok(())
            };
            holders[round % 2].change(change).await.unwrap_or_else(|_| panic!("round {round}"));
        }
        for accounts in [&holders[0], &holders[1], &Accounts::open(Some(&path)).unwrap()] {
            let changes = accounts.read(|book| book.sub_accounts[0].credential.changes).await;
            assert_eq!(changes.ok(), Some(6));
        }
    }

    #[tokio::test]
    async fn a_refused_change_leaves_memory_and_file_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("accounts.json");
        let accounts = Accounts::open(Some(&path)).unwrap();
        let before = fs::read(&path).unwrap();
        let refused = accounts
            .change::<()>(|book| {
                book.tenant.login_alias = "half".into();
                Err(Reply::forbidden())
            })
            .await;
        assert!(refused.is_err());
        assert_eq!(accounts.read(login_alias).await.ok().as_deref(), Some("sample"));
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[tokio::test]
    async fn a_change_whose_lock_cannot_be_had_does_not_count() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("accounts.json");
        let accounts = Accounts::open(Some(&path)).unwrap();
        let lock = path.with_extension("json.lock");
        fs::remove_file(&lock).unwrap();
        fs::create_dir(&lock).unwrap();
        let change = |book: &mut Book| {
            book.tenant.login_alias = "lost".into();
            Ok(())
        };
        assert!(accounts.change(change).await.is_err());
        assert_eq!(accounts.read(login_alias).await.ok().as_deref(), Some("sample"));
    }

    #[test]
    fn a_file_that_cannot_be_understood_is_named_with_its_line_and_kept() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("accounts.json");
        let good = serde_json::to_string_pretty(&sample::book()).unwrap();
        let password = sample::book().sub_accounts[0].credential.password.0.expose().to_owned();
        let cases = [
            ("", 1, "EOF"),
            ("{\n  \"tenant\": nothing\n}", 2, "expected ident"),
            (&good.replacen("\"memo\"", "\"mmo\"", 1), 14, "unknown field `mmo`"),
            (&good.replacen("\"login_id\": \"svc-batch\",", "", 1), 21, "missing field `login_id`"),
            (&good.replacen("\"changes\": 0", &format!("\"changes\": \"{password}\""), 1), 19, "another type"),
            (&good.replacen("\"svc-report\"", "\"svc-batch\"", 1), 25, "\"svc-batch\" stands for two accounts"),
            (&good.replacen("_days\": 90", "_days\": 91", 1), 5, "60, 90, 120 or 180"),
        ];
        for (text, line, what) in cases {
            fs::write(&path, text).unwrap();
            let error = Accounts::open(Some(&path)).err().unwrap().to_string();
            assert!(error.contains(&format!("accounts.json, line {line}: ")) && error.contains(what), "{error}");
            assert!(!error.contains(&password), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text, "the file was touched");
        }
    }
}
