//! What a power cut may take: the disk as it is known to be, followed through the system calls of one process after another.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::strace::{Call, is_temporary};
use crate::vault::files;

/// What is not known to be on the disk.
pub(crate) struct Disk {
    /// Files with bytes that are not.
    contents: BTreeSet<PathBuf>,
    /// Names that are not.
    names: BTreeSet<PathBuf>,
    /// Files that are there.
    known: BTreeSet<PathBuf>,
}

impl Disk {
    /// Everything that `dir` holds now is on the disk.
    pub(crate) fn new(dir: &Path) -> Self {
        let known = files(dir).iter().filter_map(|path| path.strip_prefix(dir).ok().map(Path::to_owned)).collect();
        Self { contents: BTreeSet::new(), names: BTreeSet::new(), known }
    }

    /// Follows a process's calls. Says how many passwords it told the provider.
    ///
    /// # Panics
    ///
    /// When something takes another file's place before its bytes are on the disk, or the provider hears of a password while
    /// anything is not.
    #[track_caller]
    pub(crate) fn follow(&mut self, calls: &[Call], at: &str) -> usize {
        let mut told = 0;
        for call in calls {
            if call.tells_a_password {
                told += 1;
                let names = self.names.iter().filter(|name| !vanishes_whole(name));
                let open: Vec<&PathBuf> = self.contents.iter().chain(names).collect();
                assert!(open.is_empty(), "{at}: the provider hears of a password while a power cut may undo {open:?}");
            }
            let paths: Vec<&PathBuf> = call.paths.iter().filter(|path| matters(path)).collect();
            match (&*call.name, &*paths, call.done) {
                ("fsync" | "fdatasync", [path], true) => {
                    self.contents.remove(*path);
                    self.names.retain(|name| name.parent() != Some(path));
                }
                ("openat", [path], true) if call.may_create && self.known.insert((*path).clone()) => {
                    self.names.insert((*path).clone());
                }
                // Some of it may have been written even if it was not carried out to the end.
                ("write" | "pwrite64" | "writev" | "ftruncate", [path], _) => {
                    self.contents.insert((*path).clone());
                }
                ("rename" | "renameat" | "renameat2" | "link" | "linkat", [from, to], true) => {
                    assert!(!self.contents.contains(*from), "{at}: {} before its bytes are on the disk", to.display());
                    self.names.remove(*from);
                    self.names.insert((*to).clone());
                }
                ("mkdir" | "mkdirat", [path], true) => drop(self.names.insert((*path).clone())),
                ("unlink" | "unlinkat", [path], true) => {
                    self.contents.remove(*path);
                    self.names.remove(*path);
                    self.known.remove(*path);
                }
                _ => {}
            }
        }
        told
    }

    /// The process was killed, and no more than `watched` was seen of it: of anything else nothing is said. What it wrote
    /// under a temporary name counts for nothing.
    pub(crate) fn killed(&mut self, watched: &BTreeSet<PathBuf>) {
        self.contents.retain(|path| !is_temporary(path) && watched.contains(path));
        self.names.retain(|name| !is_temporary(name) && name.parent().is_some_and(|parent| watched.contains(parent)));
    }

    /// What lay below `path` is gone.
    pub(crate) fn lose(&mut self, path: &str) {
        for set in [&mut self.contents, &mut self.names, &mut self.known] {
            set.retain(|other| !other.starts_with(path));
        }
    }
}

/// Locks and sockets hold nothing, and SQLite makes its shared memory anew.
fn matters(path: &Path) -> bool {
    let name = path.as_os_str().as_encoded_bytes();
    ![&b".lock"[..], b".sock", b".sock.new", b"-shm"].iter().any(|ending| name.ends_with(ending))
}

/// A journal that vanishes as a whole is a missing one, and the fence is waited for. One that loses its write-ahead log alone
/// would be an older one, taken for the latest.
fn vanishes_whole(path: &Path) -> bool {
    path == Path::new("state") || path.ends_with("journal.sqlite")
}
