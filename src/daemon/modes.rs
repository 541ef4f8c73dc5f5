//! Which files that hold keys or passwords are open to others than their owner: `check` tells, and nothing is changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::wire;
use crate::config::{KeyPair, Proxy, SecretSource};

/// How deep a vault's directories are looked into; secrets' names are not that long.
const DEEPEST: usize = 64;

/// What is wrong with the modes of the files that keys are read from; none when nothing is.
pub(super) fn of_keys(pair: Option<&KeyPair>, proxy: Option<&Proxy>) -> Option<String> {
    let sources = pair.into_iter().flat_map(|pair| [&pair.access, &pair.secret]);
    let sources = sources.chain(proxy.and_then(Proxy::credentials));
    complaint(&sources.filter_map(file_of).filter(|file| is_open(file)).collect::<Vec<_>>())
}

/// The same of every file below a vault's directory.
pub(super) fn below(root: &Path) -> Option<String> {
    let mut found = Vec::new();
    open_below(root, DEEPEST, &mut found);
    found.sort();
    complaint(&found)
}

/// The service manager guards its credentials itself, by access lists that a file's mode does not tell of.
fn file_of(source: &SecretSource) -> Option<PathBuf> {
    match source {
        SecretSource::File(path) => Some(path.clone()),
        SecretSource::Profile(_) => SecretSource::profiles(&wire::environment()),
        SecretSource::Env(_) | SecretSource::Credential(_) => None,
    }
}

fn open_below(dir: &Path, deep: usize, found: &mut Vec<PathBuf>) {
    // A directory that cannot be read is told by the vault's own check.
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        match path.symlink_metadata() {
            Ok(it) if it.is_dir() && deep > 0 => open_below(&path, deep - 1, found),
            Ok(it) if it.is_file() && is_open(&path) => found.push(path),
            _ => {}
        }
    }
}

fn is_open(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

fn complaint(open: &[PathBuf]) -> Option<String> {
    let file = open.first()?;
    let first = file.display();
    let bits = fs::metadata(file).map_or(0, |found| found.permissions().mode() & 0o777);
    let others = match open.len() {
        1 => String::new(),
        count => format!(", and so are more ({})", count - 1),
    };
    Some(format!("{first} is open to others than its owner (mode {bits:04o}){others}; run `chmod 600 {first}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_others_can_open_are_told_with_the_remedy_and_directories_are_not() {
        let room = tempfile::tempdir().unwrap();
        let deep = room.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        set(&deep, 0o755);
        for (name, mode, told) in [("one", 0o600, false), ("two", 0o400, false), ("three", 0o604, true)] {
            let file = deep.join(name);
            fs::write(&file, "").unwrap();
            set(&file, mode);
            assert_eq!(below(room.path()).is_some(), told, "{name}");
        }
        let told = below(room.path()).unwrap();
        assert!(told.contains("mode 0604") && told.ends_with(&format!("`chmod 600 {}`", deep.join("three").display())));
        set(&deep.join("one"), 0o660);
        assert!(below(room.path()).unwrap().contains("and so are more (1)"));
        assert_eq!(below(&room.path().join("nowhere")), None);
        let source = |name: &str| SecretSource::File(deep.join(name));
        let pair = KeyPair { access: source("two"), secret: source("three") };
        assert!(of_keys(Some(&pair), None).is_some());
        let pair = KeyPair { access: source("two"), secret: SecretSource::Env("X".into()) };
        assert_eq!(of_keys(Some(&pair), None), None);
    }
}
