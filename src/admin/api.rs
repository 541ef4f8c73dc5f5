//! What both ends say of themselves, and how a refusal looks.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::exit::Exit;

/// This program's version. Both ends are one program, and what they say to each other is fixed within a version only.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Where a daemon tells which one it is.
pub const DAEMON: &str = "/v1/daemon";
/// The kind of answer that is a line of JSON for each thing that happens.
pub const LINES: &str = "application/x-ndjson";

/// Which daemon it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Greeting {
    /// The program's version.
    pub version: String,
    /// Its process id, as it sees itself.
    pub process: u32,
    /// What it works on.
    #[serde(flatten)]
    pub works_on: WorksOn,
}

/// What makes two processes each other's: the same configuration file, and the same state directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WorksOn {
    /// The configuration file, its directory with every link followed. Where the file itself leads may change under the daemon,
    /// as it does when Kubernetes swaps a mounted configuration.
    pub config: PathBuf,
    /// The state directory, whatever it is called.
    pub state: Directory,
}

/// A directory as the file system knows it, which has one name here and another in a service's own view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Directory {
    /// The device.
    pub device: u64,
    /// The inode.
    pub inode: u64,
}

impl WorksOn {
    /// Of files that are there.
    pub fn of(config: &Path, state_dir: &Path) -> io::Result<Self> {
        let found = fs::metadata(state_dir)?;
        let state = Directory { device: found.dev(), inode: found.ino() };
        let directory = config.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = config.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { config: fs::canonicalize(directory)?.join(name), state })
    }
}

/// Why there is no answer, as every command tells it with `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// How a command ends because of it.
    #[schemars(with = "String")]
    pub exit: Exit,
    /// What is wrong, where, and what to do.
    pub error: String,
    /// What is wrong with the configuration, when that is it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

impl Refusal {
    /// A refusal in one sentence.
    #[must_use]
    pub const fn new(exit: Exit, error: String) -> Self {
        Self { exit, error, problems: Vec::new() }
    }
}

/// One thing that is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// The stable word for it.
    pub code: String,
    /// Its line, when it has one.
    pub line: Option<usize>,
    /// What is wrong.
    pub error: String,
    /// What to do.
    pub help: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_swapped_configuration_is_still_the_same_daemons() {
        let room = tempfile::tempdir().unwrap();
        let (state, other) = (room.path().join("state"), room.path().join("other"));
        for directory in ["state", "other", "..1", "..2"] {
            fs::create_dir(room.path().join(directory)).unwrap();
        }
        let file = room.path().join("rotator.toml");
        symlink("..data/rotator.toml", &file).unwrap();
        symlink("..1", room.path().join("..data")).unwrap();
        let before = WorksOn::of(&file, &state).unwrap();
        fs::remove_file(room.path().join("..data")).unwrap();
        symlink("..2", room.path().join("..data")).unwrap();
        assert_eq!(WorksOn::of(&file, &state).unwrap(), before);
        symlink("state", room.path().join("linked")).unwrap();
        assert_eq!(WorksOn::of(&file, &room.path().join("linked")).unwrap(), before);
        assert_ne!(WorksOn::of(&file, &other).unwrap(), before);
        assert_ne!(WorksOn::of(&room.path().join("other.toml"), &state).unwrap(), before);
    }
}
