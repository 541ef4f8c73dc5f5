//! Rows, each tied to the one before it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::entry::Entry;

/// The SHA-256 of a row's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    pub(super) fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A text that is no hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 hexadecimal digits")]
pub struct BadHash;

impl FromStr for Hash {
    type Err = BadHash;

    fn from_str(text: &str) -> Result<Self, BadHash> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadHash);
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| BadHash)?;
        }
        Ok(Self(bytes))
    }
}

/// The end of a chain: its last row's number and hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// The last row's number, which is how many rows there are.
    pub rows: i64,
    /// The last row's hash, as it stands in the row.
    pub hash: String,
}

/// A row as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number; the first one's is 1.
    pub seq: i64,
    /// What was written: one line of JSON.
    pub text: String,
    /// The text's hash, in hexadecimal digits.
    pub hash: String,
}

impl Row {
    /// The row for `entry` behind `head`, which is none for the first.
    pub fn link(head: Option<&Head>, entry: &Entry) -> Result<Self, serde_json::Error> {
        let seq = head.map_or(0, |head| head.rows).saturating_add(1);
        let text = serde_json::to_string(&Line { seq, previous: head.map(|head| head.hash.as_str()), entry })?;
        let hash = Hash::of(&text).to_string();
        Ok(Self { seq, text, hash })
    }

    /// The chain's end when this is its last row.
    #[must_use]
    pub fn head(&self) -> Head {
        Head { rows: self.seq, hash: self.hash.clone() }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    seq: i64,
    previous: Option<&'a str>,
    #[serde(flatten)]
    entry: &'a Entry,
}

/// What a row says of its own place.
#[derive(Deserialize)]
struct Placed {
    seq: i64,
    previous: Option<String>,
}

/// What is wrong with one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flawed {
    /// The row's number.
    pub row: i64,
    /// What is wrong with it.
    #[serde(flatten)]
    pub flaw: Flaw,
}

/// What can be wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "flaw", rename_all = "kebab-case")]
pub enum Flaw {
    /// Its text does not have its hash.
    Changed,
    /// It stands where another one stood.
    Misplaced {
        /// The number that was written into it.
        written_as: i64,
    },
    /// It stands before the first row, where none was ever written.
    Stray,
    /// Rows before it are not there.
    Missing {
        /// The first one that is not there.
        from: i64,
    },
    /// It was written behind another row than the one that stands before it.
    Unlinked,
}

impl fmt::Display for Flawed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = self.row;
        match self.flaw {
            Flaw::Changed => write!(f, "row {row} was changed: its text does not have its hash"),
            Flaw::Misplaced { written_as } => {
                write!(f, "row {row} was moved or inserted: it was written as row {written_as}")
            }
            Flaw::Stray => write!(f, "row {row} was inserted: the first row has the number 1"),
            Flaw::Missing { from } if from + 1 == row => {
                write!(f, "row {from} was removed: row {row} comes without it")
            }
            Flaw::Missing { from } => {
                write!(f, "rows {from} to {} were removed: row {row} comes without them", row.saturating_sub(1))
            }
            Flaw::Unlinked => {
                write!(f, "row {row} was inserted, or the row before it replaced: it was written behind another one")
            }
        }
    }
}

/// Walks a chain from its first row to its last.
#[derive(Debug, Default)]
pub struct Walk {
    /// The last row's number, and its hash; none when that row was wrong itself, so that the next one cannot be held to it.
    last: Option<(i64, Option<String>)>,
    rows: u64,
    flawed: Vec<Flawed>,
    sought: Vec<Hash>,
}

/// What a walk came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// How many rows there are.
    pub rows: u64,
    /// The last row's hash; none when there is no row.
    pub head: Option<String>,
    /// What is wrong with which rows.
    pub flaws: Vec<Flawed>,
    /// The hashes that were sought and are no row's: the chain was cut off before them, or written anew.
    pub not_found: Vec<String>,
}

impl Verdict {
    /// Whether the chain is as it was written.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.rows > 0 && self.flaws.is_empty() && self.not_found.is_empty()
    }
}

impl Walk {
    /// A walk that also looks for the rows with these hashes.
    #[must_use]
    pub fn seeking(sought: Vec<Hash>) -> Self {
        Self { sought, ..Self::default() }
    }

    /// Looks at the next row, by number.
    pub fn push(&mut self, row: &Row) {
        let (before, link) = match self.last.take() {
            Some((seq, hash)) => (seq, hash.map(Some)),
            None => (0, Some(None)),
        };
        let is_next = before.checked_add(1) == Some(row.seq);
        let hash = Hash::of(&row.text);
        let is_itself = hash.to_string() == row.hash;
        let placed = serde_json::from_str::<Placed>(&row.text).ok();
        let mut flaw = |flaw| self.flawed.push(Flawed { row: row.seq, flaw });
        if row.seq < 1 {
            flaw(Flaw::Stray);
        } else if !is_next {
            flaw(Flaw::Missing { from: before.saturating_add(1) });
        }
        let is_in_place = match placed {
            Some(placed) if is_itself => {
                if placed.seq != row.seq {
                    flaw(Flaw::Misplaced { written_as: placed.seq });
                } else if is_next && link.is_some_and(|link| link != placed.previous) {
                    flaw(Flaw::Unlinked);
                }
                placed.seq == row.seq
            }
            _ => {
                flaw(Flaw::Changed);
                false
            }
        };
        if is_itself {
            self.sought.retain(|sought| *sought != hash);
        }
        self.rows = self.rows.saturating_add(1);
        self.last = Some((row.seq.max(0), is_in_place.then(|| row.hash.clone())));
    }

    /// What it came to.
    #[must_use]
    pub fn end(self) -> Verdict {
        Verdict {
            rows: self.rows,
            head: self.last.and_then(|(_, hash)| hash),
            flaws: self.flawed,
            not_found: self.sought.iter().map(ToString::to_string).collect(),
        }
    }
}
