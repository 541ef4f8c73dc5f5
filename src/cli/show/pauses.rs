//! What is paused.

use comfy_table::Cell;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{history, table, time};
use crate::domain::schedule::pause::{Paused, Target};

/// What is paused, as a table.
#[must_use]
pub fn pauses_table(pauses: &[Paused], zone: &TimeZone) -> String {
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
pub fn paused(pauses: &[Paused], zone: &TimeZone) -> String {
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
pub fn resumed(target: &Target, was_paused: bool, still: &[Paused]) -> String {
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
