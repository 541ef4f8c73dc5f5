//! What the journal tells.

use comfy_table::{Cell, Color};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::table;
use crate::domain::audit::Verdict;

/// Broken rows that are named; of more, only the number is told.
const NAMED: usize = 20;

/// Events as a table. Each is the object that the journal holds.
#[must_use]
pub fn history_table(events: &[Value], zone: &TimeZone) -> String {
    let mut table = table(["TIME", "EVENT", "DETAIL", "CAUSE"]);
    for event in events {
        let what = event["what"].as_str().unwrap_or("-");
        table.add_row([
            Cell::new(time(&event["at"], zone)),
            Cell::new(what).fg(colour(what)),
            Cell::new(event["detail"].as_object().map_or_else(String::new, |detail| self::detail(detail, zone))),
            Cell::new(cause(&event["cause"])),
        ]);
    }
    table.to_string()
}

fn time(at: &Value, zone: &TimeZone) -> String {
    let text = at.as_str().unwrap_or("-");
    match text.parse::<Timestamp>() {
        Ok(at) => at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => text.to_owned(),
    }
}

fn colour(what: &str) -> Color {
    match what {
        "rotated" | "rotated-elsewhere" => Color::Green,
        "superseded" | "waiting" | "unfinished" | "revealed" => Color::Yellow,
        "failed" | "frozen" | "held" | "only-copy" | "rollback-stopped" => Color::Red,
        _ => Color::Reset,
    }
}

fn detail(detail: &Map<String, Value>, zone: &TimeZone) -> String {
    let said = detail.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| match value.as_str() {
        Some(_) if key == "until" || key == "last_changed" => format!("{key}: {}", time(value, zone)),
        Some(text) => format!("{key}: {text}"),
        None => format!("{key}: {value}"),
    });
    said.collect::<Vec<_>>().join(", ")
}

pub(super) fn cause(cause: &Value) -> String {
    let text = |key: &str| cause[key].as_str();
    let mut told = text("by").unwrap_or("-").to_owned();
    if let Some(command) = text("command") {
        let user = text("user").map_or_else(|| format!("uid {}", cause["uid"]), ToOwned::to_owned);
        told = format!("{command}, by {user}");
        if let Some(login) = cause["login_uid"].as_u64() {
            told = format!("{told} (logged in as uid {login})");
        }
        if let Some(pid) = cause["pid"].as_i64() {
            told = format!("{told} (asked the daemon, as process {pid})");
        }
    }
    match text("reason") {
        Some(reason) => format!("{told}: {reason}"),
        None => told,
    }
}

/// What a walk of the chain came to, in lines.
#[must_use]
pub fn verdict(verdict: &Verdict) -> String {
    let mut lines: Vec<String> = verdict.flaws.iter().take(NAMED).map(ToString::to_string).collect();
    if verdict.flaws.len() > NAMED {
        lines.push(format!("and so are {} more rows", verdict.flaws.len() - NAMED));
    }
    for hash in &verdict.not_found {
        lines.push(format!(
            "no row has the hash {hash}: the chain was cut off before it, written anew, or is another journal's"
        ));
    }
    if verdict.rows == 0 {
        lines.push("there is no row; a chain has at least the one that began it".to_owned());
    }
    if verdict.is_whole() {
        lines.push(format!("{} events, each as it was written and where it was written", verdict.rows));
        lines.extend(verdict.head.as_ref().map(|head| format!("head {head}")));
    } else {
        lines.push(format!(
            "the chain of {} events is BROKEN: keep the file as it is, and find out who wrote to it",
            verdict.rows
        ));
    }
    lines.join("\n")
}
