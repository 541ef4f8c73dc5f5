//! One process at a time: an advisory lock on a file that exists for nothing else.
//!
//! The kernel releases the lock when its holder ends, however it ends. Two openings of one file exclude each other within
//! a process as well.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{Error, Step};

const MODE: u32 = 0o600;
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(25);

/// Holds a lock until it is dropped.
#[derive(Debug)]
pub struct Guard {
    file: File,
    path: PathBuf,
}

impl Guard {
    /// Leaves a word in the file for whoever finds the lock taken.
    pub fn say(&self, text: &str) -> Result<(), Error> {
        let written = self.file.set_len(0).and_then(|()| self.file.write_all_at(text.as_bytes(), 0));
        written.map_err(|error| Error::new(Step::Lock, &self.path, error))
    }
}

/// Takes the lock on the file `path`, which is made at 0600 if it is missing, its directory being there. Blocks the thread
/// while somebody else holds it, for about `patience` at the most; [`Duration::ZERO`] only tries.
pub fn lock(path: &Path, patience: Duration) -> Result<Guard, Error> {
    let failed = |error| Error::new(Step::Lock, path, error);
    let mut waited = Duration::ZERO;
    let mut pause = FIRST_PAUSE;
    loop {
        let file = open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) if still_there(&file, path).map_err(failed)? => return Ok(Guard { file, path: path.to_owned() }),
            Ok(()) | Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        if waited >= patience {
            return Err(failed(io::ErrorKind::TimedOut.into()));
        }
        pause_for(pause);
        waited += pause;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "another process holds the lock in real time; virtual time cannot serve it"
)]
fn pause_for(pause: Duration) {
    std::thread::sleep(pause);
}

fn open(path: &Path) -> io::Result<File> {
    let options = |new: bool| {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(new).mode(MODE);
        options
    };
    match options(false).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    match options(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options(false).open(path),
        made => {
            let file = made?;
            file.set_permissions(Permissions::from_mode(MODE))?;
            Ok(file)
        }
    }
}

/// Somebody may have removed the file between its opening and its locking; then the next one to come locks another file.
fn still_there(file: &File, path: &Path) -> io::Result<bool> {
    let held = file.metadata()?;
    match fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (held.dev(), held.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::Kind;
    use super::*;

    #[test]
    fn a_held_lock_is_refused_after_the_patience_and_given_after_the_drop() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join(".lock");
        let held = lock(&path, Duration::ZERO).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let error = lock(&path, Duration::from_millis(5)).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("another process holds it"), "{error}");
        drop(held);
        lock(&path, Duration::ZERO).unwrap();
    }

    #[test]
    fn one_at_a_time() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join(".lock");
        let (inside, total) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        let _guard = lock(&path, Duration::from_mins(1)).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two hold the lock");
                        inside.fetch_sub(1, Ordering::SeqCst);
                        total.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(total.into_inner(), 100);
    }

    #[test]
    fn a_removed_lock_file_does_not_split_the_lock() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join(".lock");
        let stale = open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(!still_there(&stale, &path).unwrap());
        let _held = lock(&path, Duration::ZERO).unwrap();
        assert!(!still_there(&stale, &path).unwrap());
    }
}
