//! What a person may say about pauses.

use std::fmt;
use std::str::FromStr;

use clap::Args;
use jiff::{Span, Timestamp, Zoned};

use super::Alone;
use super::audit::{Since, Why};

/// Pause accounts.
#[derive(Debug, Args)]
#[command(after_help = PAUSE)]
pub struct Pause {
    /// What is to be paused.
    #[command(flatten)]
    pub which: WhichPause,
    /// How long, such as 36h, 2d or 1mo; without it, until somebody resumes it
    #[arg(long = "for", value_name = "DURATION", conflicts_with = "until")]
    pub lasting: Option<Lasting>,
    /// Until when: a date or a time, such as 2026-03-01 or 2026-03-01T08:00+09:00
    #[arg(long, value_name = "TIME")]
    pub until: Option<Until>,
    /// Who does the work.
    #[command(flatten)]
    pub alone: Alone,
    /// What it is for.
    #[command(flatten)]
    pub why: Why,
}

/// Take a pause back.
#[derive(Debug, Args)]
#[command(after_help = RESUME)]
pub struct Resume {
    /// What is to be resumed.
    #[command(flatten)]
    pub which: WhichPause,
    /// Who does the work.
    #[command(flatten)]
    pub alone: Alone,
    /// What it is for.
    #[command(flatten)]
    pub why: Why,
}

const PAUSE: &str =
    "NAME is a login id, a Data Forest name, tenant/kind/name, or the name of a secret. A tenant and everything \
can be paused while the provider is away.

No rotation of what is paused begins, not even before its expiry, which is told all the same. A rotation that is \
unfinished is finished. A running daemon obeys before it begins another rotation. Paused again, the last word counts. \
Pauses are kept in the journal: they survive restarts, and are lost with it.";

const RESUME: &str = "NAME is a login id, a Data Forest name, tenant/kind/name, or the name of a secret. \
Only what was paused by these words is resumed: --all takes back pause --all, and what was paused by its name or its \
tenant's stays paused, which is told. A running daemon that can be asked hears of it at once, and any other within ten minutes.";

/// What a pause is of.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct WhichPause {
    /// The accounts; or say --tenant or --all
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Every account of a tenant, those that come later among them
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Everything
    #[arg(long)]
    pub all: bool,
}

/// How long a pause lasts, as people say it.
#[derive(Debug, Clone, Copy)]
pub struct Lasting(Span);

/// When a pause ends, as people say it.
#[derive(Debug, Clone, Copy)]
pub struct Until(Since);

/// A text that says no end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEnd {
    /// It is no length of time.
    #[error("write how long, such as 36h, 2d or 1mo")]
    Lasting,
    /// It is no point in time.
    #[error("write a date or a time, such as 2026-03-01 or 2026-03-01T08:00+09:00; how long is said with --for")]
    Until,
}

impl FromStr for Lasting {
    type Err = BadEnd;

    fn from_str(text: &str) -> Result<Self, BadEnd> {
        let span = text.parse::<Span>().ok().filter(|span| span.is_positive());
        span.map(Self).ok_or(BadEnd::Lasting)
    }
}

impl Lasting {
    /// When it ends, if it begins `now`.
    pub fn end(self, now: &Zoned) -> Result<Timestamp, BadEnd> {
        now.checked_add(self.0).map(|end| end.timestamp()).map_err(|_| BadEnd::Lasting)
    }
}

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Until {
    type Err = BadEnd;

    fn from_str(text: &str) -> Result<Self, BadEnd> {
        match text.parse() {
            Ok(until @ (Since::At(_) | Since::On(_))) => Ok(Self(until)),
            Ok(Since::Ago(_)) | Err(_) => Err(BadEnd::Until),
        }
    }
}

impl Pause {
    /// When the pause ends, as seen from `now`; none when it has no end.
    pub fn end(&self, now: &Zoned) -> Result<Option<Timestamp>, BadEnd> {
        match (self.lasting, self.until) {
            (Some(lasting), _) => lasting.end(now).map(Some),
            (None, Some(Until(until))) => until.from(now).map(Some).map_err(|_| BadEnd::Until),
            (None, None) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};
    use rstest::rstest;

    use super::*;

    #[derive(Debug, Parser)]
    struct Words {
        #[command(flatten)]
        pause: Pause,
    }

    fn said(words: &str) -> Result<Pause, clap::Error> {
        Words::try_parse_from(["pause"].into_iter().chain(words.split_whitespace())).map(|words| words.pause)
    }

    #[rstest]
    #[case("a b --for 36h", Some("2026-03-11T15:00:00Z"))]
    #[case("a --for 2d", Some("2026-03-12T03:00:00Z"))]
    #[case("--tenant main --until 2026-04-01", Some("2026-03-31T15:00:00Z"))]
    #[case("--all --until 2026-04-01T08:00+00:00", Some("2026-04-01T08:00:00Z"))]
    #[case("--all --until 2026-04-01T08:00", Some("2026-03-31T23:00:00Z"))]
    #[case("--all", None)]
    fn an_end_as_people_say_it(#[case] words: &str, #[case] expected: Option<&str>) {
        let now: Zoned = "2026-03-10T12:00[Asia/Seoul]".parse().unwrap();
        assert_eq!(said(words).unwrap().end(&now), Ok(expected.map(|at| at.parse().unwrap())));
    }

    #[rstest]
    #[case("")]
    #[case("a --all")]
    #[case("a --tenant main")]
    #[case("--tenant main --all")]
    #[case("a --for 2d --until 2026-04-01")]
    #[case("a --for -2d")]
    #[case("a --for 0s")]
    #[case("a --for soon")]
    #[case("a --until 2d")]
    fn words_that_do_not_say_what_or_until_when(#[case] words: &str) {
        Words::command().debug_assert();
        assert!(said(words).is_err());
    }
}
