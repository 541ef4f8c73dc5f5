//! The system calls of a process, as strace tells them, and SIGKILL at one of them. All paths are relative to one directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The calls that change a file or a directory; a question mark before those that not every machine has.
const CHANGES: &str = "write,pwrite64,writev,fsync,fdatasync,fchmod,ftruncate,?rename,renameat,renameat2,?unlink,unlinkat,\
                       ?link,linkat,?mkdir,mkdirat";
/// How files begin to be, and how requests leave.
const OTHERS: &str = "openat,sendto,sendmsg";
const OPEN: &str = "openat";

/// Whether processes can be traced here.
pub(crate) fn is_there() -> bool {
    let tried = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    tried.is_ok_and(|output| output.status.success())
}

/// What goes before a command line to record it.
pub(crate) fn record(log: &Path) -> Vec<String> {
    let words = ["strace", "-f", "-qq", "-y", "-s", "4096", "-e", "signal=none", "-e"].map(str::to_owned);
    words.into_iter().chain([format!("trace={CHANGES},{OTHERS}"), "-o".into(), log.display().to_string()]).collect()
}

/// Where to kill: at the `ordinal`th call of this name that is done to this path, in whichever thread comes to that many
/// first, and before it does anything.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Aim {
    name: String,
    path: PathBuf,
    ordinal: usize,
}

impl Aim {
    /// Every change that these calls make to something with a lasting name. What befalls a temporary file before it is
    /// renamed makes no difference to whoever comes later.
    pub(crate) fn all(calls: &[Call]) -> BTreeSet<Self> {
        let changes = numbered(calls).filter(|(call, ..)| call.name != OPEN);
        changes.map(|(call, path, ordinal)| Self { name: call.name.clone(), path: path.to_owned(), ordinal }).collect()
    }

    /// What is changed how.
    pub(crate) fn kind(&self) -> String {
        format!("{} {}", self.name, self.path.display())
    }

    /// What may be watched while one aims: strace counts calls of one name together, whatever they are done to, so that it
    /// is nothing else that the rehearsal did the same to.
    pub(crate) fn watched(&self, rehearsal: &[Call]) -> BTreeSet<PathBuf> {
        let lasting = |call: &Call| call.lasting().map(Path::to_owned);
        let others = rehearsal.iter().filter(|call| call.name == self.name).filter_map(lasting).collect();
        let all: BTreeSet<PathBuf> = rehearsal.iter().filter_map(lasting).collect();
        all.difference(&others).cloned().chain([self.path.clone()]).collect()
    }

    /// What goes before a command line to kill it there.
    pub(crate) fn kill(&self, log: &Path, dir: &Path, watched: &BTreeSet<PathBuf>) -> Vec<String> {
        let Self { name, ordinal, .. } = self;
        let paths = watched.iter().flat_map(|path| ["-P".to_owned(), dir.join(path).display().to_string()]);
        let inject = ["-e".to_owned(), format!("inject={name}:signal=SIGKILL:when={ordinal}")];
        record(log).into_iter().chain(inject).chain(paths).collect()
    }

    /// Whether it was this one that the killed process died of.
    pub(crate) fn was_hit(&self, calls: &[Call]) -> bool {
        let mut found = numbered(calls).filter(|(call, ..)| !call.done);
        found.any(|(call, path, ordinal)| call.name == self.name && path == self.path && ordinal == self.ordinal)
    }
}

/// Each call that is done to something with a lasting name, and which one of its name to that it is in its thread, counted
/// from 1.
fn numbered(calls: &[Call]) -> impl Iterator<Item = (&Call, &Path, usize)> {
    let mut counts: BTreeMap<(&str, &str, &Path), usize> = BTreeMap::new();
    calls.iter().filter_map(move |call| {
        let path = call.lasting()?;
        let ordinal = counts.entry((&call.thread, &call.name, path)).or_default();
        *ordinal += 1;
        Some((call, path, *ordinal))
    })
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    thread: String,
    pub(crate) name: String,
    /// The file or directory below the directory that it is done to, or both names of a renaming.
    pub(crate) paths: Vec<PathBuf>,
    /// Whether it was carried out: a call at which the process is killed is not.
    pub(crate) done: bool,
    /// Whether it makes the file that it opens, if there is none.
    pub(crate) may_create: bool,
    /// Whether a new password leaves with it.
    pub(crate) tells_a_password: bool,
}

impl Call {
    /// The calls of a record, in the order in which they began.
    pub(crate) fn all(log: &Path, dir: &Path) -> Vec<Self> {
        let record = String::from_utf8_lossy(&fs::read(log).unwrap()).into_owned();
        let mut calls: Vec<(&str, &str, String)> = Vec::new();
        let mut open: BTreeMap<&str, usize> = BTreeMap::new();
        for line in record.lines() {
            let Some((thread, rest)) = line.split_once(' ') else { continue };
            let rest = rest.trim_start();
            if let Some((_, rest)) = rest.strip_prefix("<... ").and_then(|rest| rest.split_once('>')) {
                if let Some(begun) = open.remove(thread) {
                    calls[begun].2.push_str(rest);
                }
            } else if let Some((name, text)) = rest.split_once('(') {
                if text.ends_with("<unfinished ...>") {
                    open.insert(thread, calls.len());
                }
                calls.push((thread, name, text.to_owned()));
            }
        }
        calls.into_iter().map(|(thread, name, text)| Self::of(thread, name, &text, dir)).collect()
    }

    fn of(thread: &str, name: &str, text: &str, dir: &Path) -> Self {
        let quoted = || text.split('"').skip(1).step_by(2);
        let descriptor = text.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path);
        let by_name = [OPEN, "rename", "unlink", "link", "mkdir"].iter().any(|family| name.starts_with(family));
        let paths: Vec<&str> = if by_name { quoted().collect() } else { descriptor.into_iter().collect() };
        let asks = ["newPassword", "resetPassword"].iter().any(|word| text.contains(word));
        Self {
            thread: thread.to_owned(),
            name: name.to_owned(),
            paths: paths.iter().filter_map(|path| Path::new(path).strip_prefix(dir).ok().map(Path::to_owned)).collect(),
            done: text.rsplit_once(" = ").is_some_and(|(_, result)| !result.starts_with(['?', '-'])),
            may_create: name == OPEN && text.contains("O_CREAT"),
            tells_a_password: asks && descriptor.is_some_and(|descriptor| descriptor.starts_with("socket:")),
        }
    }

    fn lasting(&self) -> Option<&Path> {
        self.paths.last().filter(|path| !is_temporary(path)).map(PathBuf::as_path)
    }
}

pub(crate) fn is_temporary(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "tmp")
}
