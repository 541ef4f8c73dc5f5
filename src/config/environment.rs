//! The environment, as it is handed in: the one place that asks the process is elsewhere.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::defaults;

type Lookup = dyn Fn(&str) -> Option<OsString> + Send + Sync;

/// The variables that configuration and keys are read with. An empty variable counts as unset.
#[derive(Clone)]
pub struct Environment {
    lookup: Arc<Lookup>,
}

impl Environment {
    /// An environment that asks `lookup` for every variable, each time anew.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString> + Send + Sync + 'static) -> Self {
        Self { lookup: Arc::new(lookup) }
    }

    /// An environment without variables.
    #[must_use]
    pub fn empty() -> Self {
        Self::from_lookup(|_| None)
    }

    /// Where state belongs when the configuration does not say: the first of `$STATE_DIRECTORY` (systemd's), else
    /// `$XDG_STATE_HOME/ncloud-rotator`, else `~/.local/state/ncloud-rotator`. Relative paths do not count.
    #[must_use]
    pub fn state_dir(&self) -> Option<PathBuf> {
        if let Some(first) = self.first_directory("STATE_DIRECTORY") {
            return Some(first);
        }
        let state_home = self.directory("XDG_STATE_HOME").or_else(|| Some(self.home()?.join(".local/state")))?;
        Some(state_home.join(defaults::STATE_FOLDER))
    }

    /// The first of `$RUNTIME_DIRECTORY`, which systemd makes for a unit and takes away at its end.
    pub(super) fn runtime_dir(&self) -> Option<PathBuf> {
        self.first_directory("RUNTIME_DIRECTORY")
    }

    /// The first of the directories that systemd names in a variable.
    fn first_directory(&self, name: &str) -> Option<PathBuf> {
        let directories = self.variable(name)?.into_encoded_bytes();
        let first = directories.split(|byte| *byte == b':').next().unwrap_or_default();
        let first = PathBuf::from(OsStr::from_bytes(first));
        first.is_absolute().then_some(first)
    }

    /// A variable that is set and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<OsString> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    /// The user's home.
    pub(super) fn home(&self) -> Option<PathBuf> {
        self.directory("HOME")
    }

    /// Where systemd puts a unit's credentials.
    pub(super) fn credentials_directory(&self) -> Option<PathBuf> {
        self.directory("CREDENTIALS_DIRECTORY")
    }

    fn directory(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).map(PathBuf::from).filter(|path: &PathBuf| Path::is_absolute(path))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &'static [(&'static str, &'static str)]) -> Environment {
        Environment::from_lookup(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into()))
    }

    #[test]
    fn state_goes_where_systemd_says_then_where_xdg_says() {
        let cases: [(&[_], _); 7] = [
            (&[("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"), ("HOME", "/home/u")], Some("/var/lib/a")),
            (&[("XDG_STATE_HOME", "/x"), ("HOME", "/home/u")], Some("/x/ncloud-rotator")),
            (&[("HOME", "/home/u")], Some("/home/u/.local/state/ncloud-rotator")),
            (
                &[("STATE_DIRECTORY", ""), ("XDG_STATE_HOME", ""), ("HOME", "/h")],
                Some("/h/.local/state/ncloud-rotator"),
            ),
            (&[("XDG_STATE_HOME", "relative"), ("HOME", "/h")], Some("/h/.local/state/ncloud-rotator")),
            (&[("HOME", "relative")], None),
            (&[], None),
        ];
        for (variables, expected) in cases {
            assert_eq!(environment(variables).state_dir(), expected.map(PathBuf::from), "{variables:?}");
        }
    }
}
