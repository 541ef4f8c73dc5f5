//! Lists of names with `*`, `?`, `[…]` and `{…}` in them.

use std::fmt;

use globset::{Glob, GlobSet, GlobSetBuilder};

/// A list of patterns; case matters, and `*` takes any character.
#[derive(Clone)]
pub struct Globs {
    set: GlobSet,
    patterns: Vec<String>,
    literal: bool,
}

/// A pattern that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pattern:?} is no pattern: {reason}")]
pub struct BadGlob {
    /// Which of the list it is, from 0.
    pub index: usize,
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The characters that make a pattern of a name.
const META: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

/// What stands for `*` in an example of a pattern: unlike enough that a pattern which takes them all takes everything.
const FILLINGS: [&str; 4] = ["x", "7", "q.Z_9-k", ""];

impl Globs {
    /// Reads a list of patterns.
    pub fn new(patterns: Vec<String>) -> Result<Self, BadGlob> {
        let mut builder = GlobSetBuilder::new();
        for (index, pattern) in patterns.iter().enumerate() {
            let bad = |reason: String| BadGlob { index, pattern: pattern.clone(), reason };
            if pattern.is_empty() {
                return Err(bad("it is empty, and no account has an empty name".to_owned()));
            }
            builder.add(Glob::new(pattern).map_err(|error| bad(error.kind().to_string()))?);
        }
        let whole =
            |error: globset::Error| BadGlob { index: 0, pattern: patterns.join(" "), reason: error.kind().to_string() };
        let set = builder.build().map_err(whole)?;
        let literal = !patterns.iter().any(|pattern| pattern.contains(META));
        Ok(Self { set, patterns, literal })
    }

    /// Whether any of the patterns takes this name.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        self.set.is_match(name)
    }

    /// Whether there is no pattern at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Whether there is a pattern that takes every name, such as `*`.
    #[must_use]
    pub fn takes_everything(&self) -> bool {
        FILLINGS.iter().filter(|name| !name.is_empty()).all(|name| self.matches(name))
    }

    /// The names, when there are names only and no patterns.
    #[must_use]
    pub fn literals(&self) -> Option<&[String]> {
        self.literal.then_some(self.patterns.as_slice())
    }

    /// Names that the patterns take; of a list that is empty, and so takes anything, a few arbitrary ones.
    pub(super) fn examples(&self) -> impl Iterator<Item = String> {
        let anything = self.patterns.is_empty().then(|| "*".to_owned());
        let patterns: Vec<String> = self.patterns.iter().cloned().chain(anything).collect();
        patterns.into_iter().flat_map(|pattern| FILLINGS.map(|filling| example(&pattern, filling)))
    }
}

impl Default for Globs {
    fn default() -> Self {
        Self { set: GlobSet::empty(), patterns: Vec::new(), literal: true }
    }
}

impl fmt::Debug for Globs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.patterns.fmt(f)
    }
}

/// One name that a pattern takes. It is only a guess for `[…]` and nested `{…}`: who uses it asks the pattern itself.
fn example(pattern: &str, filling: &str) -> String {
    let mut name = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '*' => name.push_str(filling),
            '?' => name.push('x'),
            '[' => {
                let class: String = characters.by_ref().take_while(|c| *c != ']').collect();
                name.extend(if class.starts_with(['!', '^']) { Some('~') } else { class.chars().next() });
            }
            '{' => {
                let alternatives: String = characters.by_ref().take_while(|c| *c != '}').collect();
                name.push_str(&example(alternatives.split(',').next().unwrap_or_default(), filling));
            }
            '\\' => name.extend(characters.next()),
            _ => name.push(character),
        }
    }
    name
}
