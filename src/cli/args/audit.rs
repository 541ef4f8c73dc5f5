//! What a person may say about the journal: what something is for, and which part of it to show.

use std::str::FromStr;

use clap::{Args, Subcommand};
use jiff::civil::DateTime;
use jiff::{Span, Timestamp, Zoned};

use super::Alone;
use crate::domain::audit::Hash;
use crate::domain::cause::Reason;

/// What a command is for.
#[derive(Debug, Args)]
pub struct Why {
    /// What it is for; kept in the journal, word for word
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<Reason>,
}

/// What happened to one account.
#[derive(Debug, Args)]
#[command(after_help = "It is read from the journal alone: accounts that are gone have a history too.")]
pub struct History {
    /// A login id, a Data Forest name, tenant/kind/name, or the name of a secret
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Which part of it.
    #[command(flatten)]
    pub part: Part,
    /// Who does the work.
    #[command(flatten)]
    pub alone: Alone,
}

/// The journal's chain of events.
#[derive(Debug, Subcommand)]
pub enum Audit {
    /// Walk the chain of events, and name every row that was changed, removed, inserted or moved
    #[command(after_help = VERIFY)]
    Verify {
        /// The hash of a row that must be there, as the log's chain-end told it; may be repeated
        #[arg(long, value_name = "HASH")]
        head: Vec<Hash>,
    },
    /// Print every event as a line of JSON, with its hash
    #[command(after_help = EXPORT)]
    Export {
        /// Which part of it.
        #[command(flatten)]
        part: Part,
    },
}

const VERIFY: &str = "Rows cut off at the end, or written anew from some row on, leave a chain that is whole. They are found \
with --head, against a hash that was kept where the journal's writer cannot change it. \
Ends with 65 when a row is not as it was written, or a head is not found.";

const EXPORT: &str = "Each line is {\"hash\":…,\"entry\":…}; the hash is the SHA-256 of the entry's text, and the entry holds the \
hash of the one before it.";

/// A part of the journal.
#[derive(Debug, Args)]
pub struct Part {
    /// From when on: a date, a time, or how long ago, such as 2026-03-01, 2026-03-01T08:00+09:00, 36h or 7d
    #[arg(long, value_name = "WHEN")]
    pub since: Option<Since>,
}

/// A point in time, as people say it.
#[derive(Debug, Clone, Copy)]
pub enum Since {
    /// A time with its offset.
    At(Timestamp),
    /// A date, or a time of the configuration's zone.
    On(DateTime),
    /// So long ago.
    Ago(Span),
}

/// A text that names no point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write a date, a time, or how long ago, such as 2026-03-01, 2026-03-01T08:00+09:00, 36h or 7d")]
pub struct BadSince;

impl FromStr for Since {
    type Err = BadSince;

    fn from_str(text: &str) -> Result<Self, BadSince> {
        // A time without its zone is taken last: it would also read one with an offset, and leave that out.
        let at = || text.parse().map(Self::At).ok();
        let ago = || text.parse::<Span>().ok().filter(|span| !span.is_negative()).map(Self::Ago);
        at().or_else(ago).or_else(|| text.parse().map(Self::On).ok()).ok_or(BadSince)
    }
}

impl Since {
    /// The point in time, as seen from `now`.
    pub fn from(self, now: &Zoned) -> Result<Timestamp, BadSince> {
        match self {
            Self::At(at) => Ok(at),
            Self::On(time) => time.to_zoned(now.time_zone().clone()).map(|at| at.timestamp()).map_err(|_| BadSince),
            Self::Ago(span) => now.checked_sub(span).map(|at| at.timestamp()).map_err(|_| BadSince),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("2026-03-01", "2026-02-28T15:00:00Z")]
    #[case("2026-03-01T08:00", "2026-02-28T23:00:00Z")]
    #[case("2026-03-01T08:00+00:00", "2026-03-01T08:00:00Z")]
    #[case("2026-03-01T08:00:30Z", "2026-03-01T08:00:30Z")]
    #[case("36h", "2026-03-08T15:00:00Z")]
    #[case("7d", "2026-03-03T03:00:00Z")]
    #[case("1 month 2 days", "2026-02-08T03:00:00Z")]
    fn a_time_as_people_say_it(#[case] text: &str, #[case] expected: &str) {
        let now: Zoned = "2026-03-10T12:00[Asia/Seoul]".parse().unwrap();
        assert_eq!(text.parse::<Since>().unwrap().from(&now), Ok(expected.parse().unwrap()));
    }

    #[rstest]
    #[case("")]
    #[case("yesterday")]
    #[case("-7d")]
    #[case("12")]
    #[case("2026-02-30")]
    fn what_is_no_time(#[case] text: &str) {
        assert_eq!(text.parse::<Since>().err(), Some(BadSince));
    }
}
