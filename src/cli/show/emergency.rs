//! What an emergency came to: a page that an incident report can quote.

use comfy_table::{Cell, Color};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::history::cause;
use super::table;
use crate::domain::account::AccountName;
use crate::domain::audit::Head;
use crate::domain::emergency::{Emergency, Halt, Wave};
use crate::domain::exit::Exit;
use crate::engine::emergency::Call;

/// Accounts that are named in a line; of more, only the number is told.
const NAMED: usize = 10;

/// The result of `rotate --all --emergency`. Every number is that of the whole emergency, over all its runs.
#[derive(Debug, Serialize)]
pub struct EmergencyAnswer {
    /// How the command ends.
    pub exit: Exit,
    /// Which emergency, and how it went.
    pub emergency: Emergency,
    /// How it stands.
    pub state: State,
    /// When it began; none in a dry run.
    pub began: Option<Timestamp>,
    /// When it ended, or stopped.
    pub ended: Option<Timestamp>,
    /// Who began it and went on with it, when, and what for.
    pub calls: Vec<Call>,
    /// The waves of all runs, in their order.
    pub waves: Vec<Wave>,
    /// Accounts that have a password made since it began.
    pub rotated: Vec<AccountName>,
    /// Accounts that had their turn in this run and have no such password.
    pub failed: Vec<Failed>,
    /// Accounts without such a password that had no turn in this run.
    pub left: Vec<AccountName>,
    /// Accounts that are not in use at the provider, and why; nobody can set their passwords now.
    pub skipped: Vec<Failed>,
    /// Accounts without such a password that a pause holds.
    pub paused: Vec<Failed>,
    /// Tenants and kinds of account that could not be listed, and why.
    pub not_listed: Vec<String>,
    /// The least that what is left takes, by the rates, in seconds.
    pub left_takes_seconds: u64,
    /// The end of the journal's chain of events.
    pub chain: Option<Head>,
}

/// An account without a new password.
#[derive(Debug, Serialize)]
pub struct Failed {
    /// The account.
    pub account: AccountName,
    /// How its turn ended.
    pub result: String,
    /// Why.
    pub reason: String,
}

/// How an emergency stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "is", content = "because", rename_all = "kebab-case")]
pub enum State {
    /// Nothing was done: this is what would be.
    Planned,
    /// Everybody has a password made since it began.
    Ended,
    /// It stopped before that.
    Halted(Halt),
}

/// The page for people.
#[must_use]
pub fn emergency_page(answer: &EmergencyAnswer, zone: &TimeZone) -> String {
    let mut page = vec![summary(answer, zone).to_string()];
    if !answer.waves.is_empty() {
        let mut waves = table(["WAVE", "ACCOUNTS", "ROTATED", "FAILED", "WAITING"]);
        for Wave { number, accounts, rotated, failed, waiting } in &answer.waves {
            let colour = if *failed == 0 { Color::Reset } else { Color::Red };
            waves.add_row([
                Cell::new(number),
                Cell::new(accounts),
                Cell::new(rotated),
                Cell::new(failed).fg(colour),
                Cell::new(waiting),
            ]);
        }
        page.push(waves.to_string());
    }
    let without: Vec<&Failed> = answer.failed.iter().chain(&answer.paused).chain(&answer.skipped).collect();
    if !without.is_empty() {
        let mut failed = table(["ACCOUNT", "RESULT", "REASON"]);
        for Failed { account, result, reason } in without {
            failed.add_row([Cell::new(account), Cell::new(result).fg(Color::Red), Cell::new(reason)]);
        }
        page.push(failed.to_string());
    }
    page.push(what_next(answer));
    page.join("\n\n")
}

fn summary(answer: &EmergencyAnswer, zone: &TimeZone) -> comfy_table::Table {
    let time = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string();
    let mut rows = table(["EMERGENCY", ""]);
    let mut row = |key: &str, value: String| {
        rows.add_row([key.to_owned(), value]);
    };
    row("id", answer.emergency.id.to_string());
    let scope = answer.emergency.tenant.as_ref().map(|tenant| format!("tenant {tenant}"));
    row("scope", scope.unwrap_or_else(|| "every account of the configuration".to_owned()));
    if let Some(began) = answer.began {
        row("began", time(began));
    }
    if let Some(ended) = answer.ended {
        row(if answer.state == State::Ended { "ended" } else { "stopped" }, time(ended));
    }
    for call in &answer.calls {
        row("asked for", format!("{}  {}", time(call.at), cause(&call.cause)));
    }
    row("how", format!("canary of {}, halts at {} of a wave", answer.emergency.canary, answer.emergency.halt_at));
    row("rotated", answer.rotated.len().to_string());
    row("failed", answer.failed.len().to_string());
    row("left", counted(&answer.left));
    row("paused", answer.paused.len().to_string());
    row("not in use", answer.skipped.len().to_string());
    if !answer.not_listed.is_empty() {
        row("not listed", answer.not_listed.join("; "));
    }
    if let Some(Head { rows, hash }) = &answer.chain {
        row("journal", format!("{rows} events, head {hash}"));
    }
    rows
}

fn counted(accounts: &[AccountName]) -> String {
    let names: Vec<String> = accounts.iter().take(NAMED).map(ToString::to_string).collect();
    match accounts.len() {
        0 => "0".to_owned(),
        many if many > NAMED => format!("{many}: {}, …", names.join(", ")),
        few => format!("{few}: {}", names.join(", ")),
    }
}

fn what_next(answer: &EmergencyAnswer) -> String {
    let text = match answer.state {
        State::Planned => "Nothing was changed.",
        State::Ended => "Everybody has a password that was made since the emergency began.",
        State::Halted(Halt::TooManyFailed) => {
            "HALTED: too large a part of a wave failed. Look at the reasons, put them right, and give the same command again: \
             it goes on with who has no new password, from a canary on, and those that failed come last."
        }
        State::Halted(Halt::SomeFailed) => {
            "NOT DONE: everybody had a turn, and it failed for some. Put that right and give the same command again."
        }
        State::Halted(Halt::NotListed) => {
            "NOT DONE: some accounts could not be listed. Put that right and give the same command again."
        }
        State::Halted(Halt::Paused) => {
            "NOT DONE: pauses hold some accounts, which keep their passwords. Take the pauses back (`resume`), or say \
             --despite-pause, and give the same command again."
        }
        State::Halted(Halt::Interrupted) => "INTERRUPTED: nothing is lost. The same command goes on where it stopped.",
    };
    text.to_owned()
}
