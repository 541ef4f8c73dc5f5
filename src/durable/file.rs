//! Whole files, replaced in one piece: a reader, or whoever looks after a power cut, sees the old content or the new.
//!
//! The new content is written to a temporary file beside the old one, `.NAME.RANDOM.tmp`, and renamed over it. A process
//! that is killed in between leaves the temporary file; [`remove_leftovers`] takes those away.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use nix::fcntl::OFlag;
use tempfile::NamedTempFile;

use super::directory::{parent, sync_dir};
use super::error::{Error, Step};

const MODE: u32 = 0o600;
const SUFFIX: &str = ".tmp";

/// Puts `bytes` in the place of `path`, at 0600 and durably, or changes nothing; an error of kind
/// [`Doubtful`](super::Kind::Doubtful) is the one exception. Who else may write is the caller's business: see
/// [`lock`](super::lock()).
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let file = write_beside(path, bytes)?;
    file.persist(path).map_err(|failed| Error::new(Step::Rename, path, failed.error))?;
    sync_dir(parent(path)).map_err(Error::after_the_fact)
}

/// Like [`replace`], but never over something: `false` says that `path` exists and was left alone.
pub fn create_new(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    let file = write_beside(path, bytes)?;
    match file.persist_noclobber(path) {
        Ok(_) => sync_dir(parent(path)).map_err(Error::after_the_fact).map(|()| true),
        Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(failed) => Err(Error::new(Step::Rename, path, failed.error)),
    }
}

/// The content of `path`, none if it does not exist. More than `limit` bytes are an error, and so is a link to nothing: what
/// it points to may lie on a file system that is not mounted.
pub fn read(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, Error> {
    let failed = |error| Error::new(Step::Read, path, error);
    // Without waiting: a pipe that somebody put there would hold whoever opens it, and the lock that is held with it.
    let file = match OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is no regular file")));
    }
    let most = u64::try_from(limit).unwrap_or(u64::MAX);
    let expected = file.metadata().map_err(failed)?.len().min(most);
    // Room for all of it at once: a buffer that grows leaves copies behind, and what is read may be a key.
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0).saturating_add(1));
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > limit {
        return Err(failed(io::Error::other(format!("it is larger than the {limit} bytes that make sense here"))));
    }
    Ok(Some(bytes))
}

/// Removes the temporary files that writers of `path` left when they were killed, and says how many. To be called under
/// the lock that writers take, or a living writer loses its file.
pub fn remove_leftovers(path: &Path) -> Result<usize, Error> {
    let dir = parent(path);
    let listed = |error| Error::new(Step::List, dir, error);
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries.map_err(listed)?,
    };
    let prefix = prefix(path);
    let mut removed = 0;
    for entry in entries {
        let entry = entry.map_err(listed)?;
        if is_leftover(&entry.file_name(), &prefix) {
            fs::remove_file(entry.path()).map_err(|error| Error::new(Step::Remove, &entry.path(), error))?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn write_beside(path: &Path, bytes: &[u8]) -> Result<NamedTempFile, Error> {
    let prefix = prefix(path);
    let fill = |mut file: NamedTempFile| {
        // It was born 0600; this gives back what a umask may have taken from the owner.
        file.as_file().set_permissions(Permissions::from_mode(MODE))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    tempfile::Builder::new()
        .prefix(OsStr::from_bytes(&prefix))
        .suffix(SUFFIX)
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(parent(path))
        .and_then(fill)
        .map_err(|error| Error::new(Step::Write, path, error))
}

fn prefix(path: &Path) -> Vec<u8> {
    let name = path.file_name().unwrap_or_default().as_bytes();
    [b".", name, b"."].concat()
}

fn is_leftover(name: &OsStr, prefix: &[u8]) -> bool {
    name.as_bytes()
        .strip_prefix(prefix)
        .and_then(|rest| rest.strip_suffix(SUFFIX.as_bytes()))
        .is_some_and(|random| !random.is_empty() && random.iter().all(u8::is_ascii_alphanumeric))
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn replacing_leaves_one_private_file_with_the_new_content() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("f");
        fs::write(&path, "older and longer").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(read(&path, 3).unwrap().unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(room.path()), ["f"]);
    }

    #[test]
    fn a_reader_that_has_the_old_file_open_keeps_the_old_content() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("f");
        replace(&path, b"old").unwrap();
        let mut open = fs::File::open(&path).unwrap();
        replace(&path, b"new").unwrap();
        let mut seen = String::new();
        open.read_to_string(&mut seen).unwrap();
        assert_eq!(seen, "old");
    }

    #[test]
    fn creating_never_overwrites() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("f");
        assert!(create_new(&path, b"first").unwrap());
        assert!(!create_new(&path, b"second").unwrap());
        assert_eq!(read(&path, 99).unwrap().unwrap(), b"first");
        assert_eq!(names(room.path()), ["f"]);
    }

    #[test]
    fn a_pipe_is_no_file_and_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read(&path, 10).unwrap_err().to_string().contains("no regular file"));
    }

    #[test]
    fn reading_tells_absent_from_empty_and_refuses_what_is_too_large() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("f");
        assert_eq!(read(&path, 9).unwrap(), None);
        fs::write(&path, "").unwrap();
        assert_eq!(read(&path, 9).unwrap(), Some(Vec::new()));
        fs::write(&path, "ten bytes!").unwrap();
        assert!(read(&path, 9).unwrap_err().to_string().contains("larger than the 9 bytes"));
    }

    #[test]
    fn a_link_to_nothing_is_not_taken_for_nothing() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("link");
        std::os::unix::fs::symlink(room.path().join("unmounted"), &path).unwrap();
        let error = read(&path, 9).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.to_string().contains("still mounted"), "{error}");
    }

    #[test]
    fn leftovers_of_this_file_go_and_everything_else_stays() {
        let room = tempfile::tempdir().unwrap();
        for name in [".a.aBc123.tmp", ".a.Zzz999.tmp", ".a.b.aBc123.tmp", ".a..tmp", "a.aBc123.tmp", "a", ".a.x"] {
            fs::write(room.path().join(name), "").unwrap();
        }
        assert_eq!(remove_leftovers(&room.path().join("a")).unwrap(), 2);
        assert_eq!(names(room.path()), [".a..tmp", ".a.b.aBc123.tmp", ".a.x", "a", "a.aBc123.tmp"]);
        assert_eq!(remove_leftovers(&room.path().join("missing/a")).unwrap(), 0);
    }

    #[test]
    fn a_killed_writer_leaves_what_the_clean_up_knows() {
        let room = tempfile::tempdir().unwrap();
        let path = room.path().join("svc.age");
        let (_, leftover) = write_beside(&path, b"half").unwrap().keep().unwrap();
        assert!(leftover.exists());
        assert_eq!(remove_leftovers(&path).unwrap(), 1);
    }

    #[test]
    fn a_missing_directory_changes_nothing_and_is_named() {
        let room = tempfile::tempdir().unwrap();
        let error = replace(&room.path().join("gone/f"), b"").unwrap_err();
        assert_eq!((error.kind(), error.step()), (Kind::Unavailable, Step::Write), "{error}");
    }
}
