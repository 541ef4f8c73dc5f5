//! The files under `systemd/`, and copies of them that name the program which is tested.

use std::fs;
use std::path::{Path, PathBuf};

/// The resident service.
pub(crate) const RESIDENT: &str = "ncloud-rotator.service";
/// The service that takes one look.
pub(crate) const ONCE: &str = "ncloud-rotator-once.service";
/// What starts it.
pub(crate) const TIMER: &str = "ncloud-rotator-once.timer";

/// The program that is tested.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_ncloud-rotator");

/// Where the units are.
pub(crate) fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")
}

/// The text of a shipped file.
#[track_caller]
pub(crate) fn text(name: &str) -> String {
    fs::read_to_string(shipped().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The names of the shipped drop-ins.
pub(crate) fn drop_ins() -> Vec<String> {
    let entries = fs::read_dir(shipped().join("drop-ins")).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Every unit in `dir`, as if the program that is tested were installed.
pub(crate) fn install(dir: &Path) {
    for name in [RESIDENT, ONCE, TIMER] {
        let mut text = text(name);
        for command in ["ExecStart", "ExecReload"] {
            text = text.replace(&format!("\n{command}=ncloud-rotator "), &format!("\n{command}={PROGRAM} "));
        }
        fs::write(dir.join(name), text).unwrap();
    }
}

/// The settings of a section, in their order.
pub(crate) fn settings(text: &str, section: &str) -> Vec<(String, String)> {
    let lines = text.lines().skip_while(|line| *line != format!("[{section}]")).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let set = lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='));
    set.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
