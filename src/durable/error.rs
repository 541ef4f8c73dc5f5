//! What went wrong with a file, and what that means for the caller.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What the caller should do. Every [`Error`] is of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Waiting does not help: permissions, a read-only file system, something in the way. Nothing was changed.
    Denied,
    /// Later, perhaps: disk full, locked by somebody else, the disk is in trouble. Nothing was changed.
    Unavailable,
    /// The new content is in place, and may be gone again after a power cut: read, and write again.
    Doubtful,
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Making a directory.
    CreateDirectory,
    /// Reading.
    Read,
    /// Listing a directory.
    List,
    /// Writing the content, before anything is replaced.
    Write,
    /// Giving the finished content its name.
    Rename,
    /// Making sure that a name survives a power cut.
    Sync,
    /// Taking a lock.
    Lock,
    /// Removing a leftover.
    Remove,
}

/// A file operation that failed: cause, place and remedy.
#[derive(Debug)]
pub struct Error {
    step: Step,
    path: PathBuf,
    doubtful: bool,
    source: io::Error,
}

impl Error {
    /// What the caller should do.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if self.doubtful { Kind::Doubtful } else { meaning(&self.source).0 }
    }

    /// What was being done.
    #[must_use]
    pub const fn step(&self) -> Step {
        self.step
    }

    /// The file or directory that it was done to.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a lock that somebody else holds.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.step == Step::Lock && self.source.kind() == io::ErrorKind::TimedOut
    }

    pub(super) fn new(step: Step, path: &Path, source: io::Error) -> Self {
        Self { step, path: path.to_owned(), doubtful: false, source }
    }

    /// The same error after the new content took its place.
    pub(super) fn after_the_fact(self) -> Self {
        Self { doubtful: true, ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, cause, remedy) = meaning(&self.source);
        write!(f, "cannot {} {}: ", self.step.verb(), self.path.display())?;
        match cause {
            Some(cause) => f.write_str(cause)?,
            None => write!(f, "{}", self.source)?,
        }
        write!(f, "; {remedy}")?;
        if self.doubtful {
            f.write_str(" (the new content is in place, but a power cut may still undo it)")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl Step {
    const fn verb(self) -> &'static str {
        match self {
            Self::CreateDirectory => "make the directory",
            Self::Read => "read",
            Self::List => "list",
            Self::Write => "write",
            Self::Rename => "put in place",
            Self::Sync => "make durable",
            Self::Lock => "lock",
            Self::Remove => "remove",
        }
    }
}

/// Kind, cause in our words where they are better than the system's, and remedy.
fn meaning(error: &io::Error) -> (Kind, Option<&'static str>, &'static str) {
    use io::ErrorKind as Io;
    match error.kind() {
        Io::StorageFull | Io::QuotaExceeded => {
            (Kind::Unavailable, Some("no space is left"), "free some on that file system, or raise the quota")
        }
        Io::ReadOnlyFilesystem => (
            Kind::Denied,
            Some("the file system is read-only"),
            "mount it writable; under systemd, list the directory in ReadWritePaths=",
        ),
        Io::PermissionDenied => {
            (Kind::Denied, Some("permission denied"), "give the user that runs this program access to it")
        }
        Io::InvalidFilename => {
            (Kind::Denied, Some("the name is too long for the file system"), "choose a shorter name")
        }
        Io::NotADirectory | Io::IsADirectory | Io::AlreadyExists => {
            (Kind::Denied, None, "something else stands in its place; move that away")
        }
        Io::NotFound => (Kind::Unavailable, Some("it is not there"), "look whether its file system is still mounted"),
        Io::WouldBlock | Io::TimedOut => (
            Kind::Unavailable,
            Some("another process holds it for too long"),
            "see which one with `lslocks`, and end it if it hangs",
        ),
        _ => (Kind::Unavailable, None, "look at the disk and at the system's log"),
    }
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn every_cause_carries_its_decision_place_and_remedy() {
        let table = [
            (Errno::ENOSPC, Kind::Unavailable, "no space is left; free some"),
            (Errno::EDQUOT, Kind::Unavailable, "no space is left; free some"),
            (Errno::EROFS, Kind::Denied, "read-only; mount it writable"),
            (Errno::EACCES, Kind::Denied, "permission denied; give the user"),
            (Errno::EPERM, Kind::Denied, "permission denied; give the user"),
            (Errno::ENAMETOOLONG, Kind::Denied, "choose a shorter name"),
            (Errno::ENOTDIR, Kind::Denied, "move that away"),
            (Errno::ENOENT, Kind::Unavailable, "still mounted"),
            (Errno::EAGAIN, Kind::Unavailable, "lslocks"),
            (Errno::EIO, Kind::Unavailable, "look at the disk"),
        ];
        for (errno, kind, text) in table {
            let error = Error::new(Step::Write, Path::new("some/file"), io::Error::from_raw_os_error(errno as i32));
            assert_eq!(error.kind(), kind, "{errno}");
            let shown = error.to_string();
            assert!(shown.starts_with("cannot write some/file: ") && shown.contains(text), "{errno}: {shown}");
        }
    }

    #[test]
    fn a_failure_after_the_rename_is_doubtful_whatever_its_cause() {
        let full = || io::Error::from_raw_os_error(Errno::ENOSPC as i32);
        let error = Error::new(Step::Sync, Path::new("dir"), full()).after_the_fact();
        assert_eq!(error.kind(), Kind::Doubtful);
        assert!(error.to_string().contains("in place"), "{error}");
    }
}
