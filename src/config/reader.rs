//! What every part of the reading shares: where it stands, and what it has found wrong.

use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use super::problem::{Code, Problem, line_at};
use super::raw::Text;
use super::words::{alternatives, did_you_mean, list};

/// The state of reading one file.
pub(super) struct Reader<'a> {
    text: &'a str,
    base: &'a Path,
    /// What was found wrong.
    pub(super) problems: Vec<Problem>,
    /// Values that turned out to be unfit to be shown.
    pub(super) masked: Vec<Range<usize>>,
    /// Files that a process which uses the configuration will read.
    pub(super) files: Vec<NeededFile>,
}

/// A file that must be there before anything is begun.
#[derive(Debug, Clone)]
pub(super) struct NeededFile {
    /// What it is, for people.
    pub(super) what: &'static str,
    /// Where the configuration names it.
    pub(super) place: Range<usize>,
    pub(super) path: PathBuf,
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str, base: &'a Path) -> Self {
        Self { text, base, problems: Vec::new(), masked: Vec::new(), files: Vec::new() }
    }

    pub(super) fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// Remembers a file that will be needed.
    pub(super) fn needs_file(&mut self, what: &'static str, place: Range<usize>, path: PathBuf) {
        self.files.push(NeededFile { what, place, path });
    }

    /// The line of a place, from 1.
    pub(super) fn line(&self, place: &Range<usize>) -> usize {
        line_at(self.text, place.start)
    }

    /// A key that is needed.
    pub(super) fn needs<T>(&mut self, value: Option<T>, key: &str, place: Range<usize>, help: &str) -> Option<T> {
        if value.is_none() {
            let message = format!("`{key}` is missing");
            self.report(Problem::at(Code::MissingKey, place, format!("needs `{key}`"), message).help(help));
        }
        value
    }

    /// A value that a parser of texts must take.
    pub(super) fn parsed<T>(
        &mut self,
        code: Code,
        text: &Text,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let error = match parse(text.get_ref()) {
            Ok(value) => return Some(value),
            Err(error) => error,
        };
        self.report(Problem::at(code, text.span(), "this value", error));
        None
    }

    /// A value out of a few.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        key: &str,
        text: &Text,
        all: &[T],
        label: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        let found = all.iter().copied().find(|value| label(*value) == text.get_ref());
        if found.is_none() {
            let labels: Vec<&str> = all.iter().map(|value| label(*value)).collect();
            let message = format!("`{key}` must be {}", alternatives(&labels));
            let problem = Problem::at(Code::BadValue, text.span(), "not one of them", message);
            self.report(match did_you_mean(text.get_ref(), &labels) {
                Some(close) => problem.help(format!("did you mean `{close}`?")),
                None => problem,
            });
        }
        found
    }

    /// A name that refers to a table elsewhere in the file, `[section.NAME]`.
    pub(super) fn refer(&mut self, code: Code, section: &str, name: &str, place: Range<usize>, known: &[&str]) -> bool {
        let is_known = known.contains(&name);
        if !is_known {
            let message = format!("there is no [{section}.{name}]");
            let problem = Problem::at(code, place, "not defined", message);
            self.report(match did_you_mean(name, known) {
                Some(close) => problem.help(format!("did you mean `{close}`?")),
                None if known.is_empty() => problem.help(format!("add a table [{section}.{name}]")),
                None => problem.help(format!("add that table, or take one that is there: {}", list(known))),
            });
        }
        is_known
    }

    /// The name of a table of the user's choosing, which becomes part of account names and of secret names.
    pub(super) fn name(&mut self, name: &Text) -> String {
        let text = name.get_ref();
        let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        if !(starts && plain) {
            self.report(
                Problem::at(Code::BadName, name.span(), "this name", format!("{text:?} cannot be used as a name"))
                    .help("a name has letters, digits, `_`, `-` and `.`, and starts with a letter or digit"),
            );
        }
        text.clone()
    }

    /// A path, relative to the configuration file's directory.
    pub(super) fn path(&mut self, key: &str, text: &Text) -> Option<PathBuf> {
        if text.get_ref().is_empty() {
            self.report(Problem::at(Code::BadValue, text.span(), "empty", format!("`{key}` needs a path")));
            return None;
        }
        if text.get_ref().starts_with('~') {
            let problem =
                Problem::at(Code::BadValue, text.span(), "`~` is not expanded", format!("`{key}` starts with `~`"));
            self.report(problem.help("write the whole path, or one relative to the configuration file"));
            return None;
        }
        Some(resolve(self.base, Path::new(text.get_ref())))
    }
}

/// Reports a problem; nothing could be read.
pub(super) fn refuse<T>(reader: &mut Reader<'_>, problem: Problem) -> Option<T> {
    reader.report(problem);
    None
}

/// Joins, and takes `..` at the beginning back from `base`, so that people are shown `target/vault` and not
/// `config/../target/vault`.
pub(super) fn resolve(base: &Path, path: &Path) -> PathBuf {
    if path.is_absolute() {
        return path.to_owned();
    }
    let mut whole = base.to_owned();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if matches!(whole.components().next_back(), Some(Component::Normal(_))) => {
                whole.pop();
            }
            other => whole.push(other),
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_file_and_read_well() {
        for (base, path, expected) in [
            ("/etc/rotator", "vault", "/etc/rotator/vault"),
            ("/etc/rotator", "./vault", "/etc/rotator/vault"),
            ("/etc/rotator", "../vault", "/etc/vault"),
            ("/", "../vault", "/../vault"),
            ("", "../vault", "../vault"),
            ("", "../../vault", "../../vault"),
            ("config", "../target/vault", "target/vault"),
            ("/etc", "/srv/vault", "/srv/vault"),
        ] {
            assert_eq!(resolve(Path::new(base), Path::new(path)), Path::new(expected), "{base} + {path}");
        }
    }
}
