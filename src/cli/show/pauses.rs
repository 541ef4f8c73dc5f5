//! What is paused.

use std::fmt;

use comfy_table::Cell;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{history, table, time};
use crate::domain::schedule::pause::{Paused, Target};

/// What is paused, or was, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "scope", rename_all = "kebab-case")]
pub enum TargetLine {
    /// One account.
    Account {
        /// As it was called when it was paused.
        account: String,
    },
    /// Every account of a tenant.
    Tenant {
        /// The tenant.
        tenant: String,
    },
    /// Everything.
    Everything,
}

/// A pause, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PausedLine {
    #[serde(flatten)]
    target: TargetLine,
    /// Since when, by the clock of the machine on which it was said.
    #[schemars(with = "String")]
    since: Timestamp,
    /// When it ends by itself; none when only a person ends it.
    #[schemars(with = "Option<String>")]
    until: Option<Timestamp>,
    /// What or who said so and what for, as the chain of events tells it.
    cause: Value,
}

impl From<&Target> for TargetLine {
    fn from(target: &Target) -> Self {
        match target {
            Target::Account { account, .. } => Self::Account { account: account.to_string() },
            Target::Tenant { tenant } => Self::Tenant { tenant: tenant.clone() },
            Target::Everything => Self::Everything,
        }
    }
}

impl From<&Paused> for PausedLine {
    fn from(Paused { target, since, until, cause }: &Paused) -> Self {
        Self { target: target.into(), since: *since, until: *until, cause: cause.clone() }
    }
}

impl TargetLine {
    /// The words by which `pause` and `resume` are told of it.
    fn words(&self) -> String {
        match self {
            Self::Account { account } => account.clone(),
            Self::Tenant { tenant } => format!("--tenant {tenant}"),
            Self::Everything => "--all".to_owned(),
        }
    }
}

impl fmt::Display for TargetLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { account } => f.write_str(account),
            Self::Tenant { tenant } => write!(f, "tenant {tenant}"),
            Self::Everything => f.write_str("everything"),
        }
    }
}

/// What is paused, as a table.
#[must_use]
pub fn pauses_table(pauses: &[PausedLine], zone: &TimeZone) -> String {
    if pauses.is_empty() {
        return "nothing is paused".to_owned();
    }
    let mut table = table(["PAUSED", "SINCE", "UNTIL", "CAUSE"]);
    for paused in pauses {
        table.add_row([
            Cell::new(&paused.target),
            Cell::new(time(paused.since, zone)),
            Cell::new(until(paused.until, zone)),
            Cell::new(history::cause(&paused.cause)),
        ]);
    }
    table.to_string()
}

/// What has just been paused, in lines.
#[must_use]
pub fn paused(pauses: &[PausedLine], zone: &TimeZone) -> String {
    let lines = pauses.iter().map(|paused| match paused.until {
        Some(until) => format!("{}: paused until {}", paused.target, time(until, zone)),
        None => format!("{}: paused until `resume {}`", paused.target, paused.target.words()),
    });
    lines
        .chain(
            ["what is unfinished is finished all the same; passwords may expire meanwhile, which is told".to_owned()],
        )
        .collect::<Vec<_>>()
        .join("\n")
}

/// What became of one thing that was to be resumed, in a line.
#[must_use]
pub fn resumed(target: &TargetLine, was_paused: bool, still: &[PausedLine]) -> String {
    /// Of more, only the number is told.
    const NAMED: usize = 3;
    let mut line = format!("{target}: {}", if was_paused { "resumed" } else { "was not paused by these words" });
    if let Some(first) = still.first() {
        let names: Vec<String> = still.iter().take(NAMED).map(|paused| paused.target.to_string()).collect();
        line = format!("{line}; still paused: {}", names.join(", "));
        if still.len() > NAMED {
            line = format!("{line} and {} more (`pauses` lists them)", still.len() - NAMED);
        } else {
            line = format!("{line} (`resume {}`)", first.target.words());
        }
    }
    line
}

/// By whom and what for, in words.
#[must_use]
pub fn why_paused(paused: &Paused) -> String {
    format!("{} ({})", paused.pause(), history::cause(&paused.cause))
}

fn until(until: Option<Timestamp>, zone: &TimeZone) -> String {
    until.map_or_else(|| "resumed".to_owned(), |until| time(until, zone))
}
