//! How answers look: tables for people, one JSON document for programs.

mod emergency;
mod explain;
mod history;
mod pauses;
mod plan;

pub use emergency::{EmergencyAnswer, Failed, State, emergency_page};
pub use explain::explain_text;
pub use history::{history_table, verdict};
pub use pauses::{PausedLine, TargetLine, paused, pauses_table, resumed, why_paused};
pub use plan::plan_text;

use std::io::Write;

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::account::{AccountName, Kind, Standing};
use crate::domain::due::Due;
use crate::domain::emergency::Ended;
use crate::domain::exit::Exit;
use crate::domain::rotation::Waiting;
use crate::domain::schedule::pause::Paused;
use crate::domain::secret::{Password, SecretName};
use crate::engine::emergency::{PAUSED, Turned};
use crate::engine::report::Report;
use crate::engine::survey::Surveyed;
use crate::ports::vault::{ListedVersion, Listing, Stage};

/// What a masked password looks like, whatever its length.
const MASK: &str = "********";

/// Prints to standard output. A reader that has gone away (a closed pipe) is no error of ours.
pub fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints one JSON document to standard output.
pub fn print_json(document: &impl Serialize) {
    match serde_json::to_string_pretty(document) {
        Ok(text) => print(&text),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: the answer cannot be written as JSON: {error}");
        }
    }
}

/// A point in time for people.
#[must_use]
pub fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The result of `rotate`, as JSON.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct RotateAnswer {
    /// The worst account's.
    #[schemars(with = "String")]
    pub exit: Exit,
    /// Every account's result.
    pub accounts: Vec<RotateLine>,
}

/// One account of `rotate`, as JSON.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct RotateLine {
    account: String,
    /// Its secret; none when the rules give it none.
    secret: Option<String>,
    /// What happened.
    result: String,
    /// More of it: `reason`, in words; `waits_for` or `because`, a stable word; `until`; whether a candidate is `pending`;
    /// whether a dry run `finishes` an unfinished rotation.
    #[serde(flatten)]
    detail: Map<String, Value>,
    /// How a command ends because of it.
    #[schemars(with = "String")]
    exit: Exit,
}

impl RotateLine {
    /// Of a report.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let Report { account, secret, result } = report;
        // An enum of objects is an object.
        let mut detail = match serde_json::to_value(result) {
            Ok(Value::Object(detail)) => detail,
            _ => Map::new(),
        };
        let word = detail.remove("result").and_then(|word| word.as_str().map(str::to_owned));
        Self {
            account: account.to_string(),
            secret: secret.as_ref().map(ToString::to_string),
            result: word.unwrap_or_default(),
            detail,
            exit: result.exit(),
        }
    }

    /// Whether it is about this account.
    #[must_use]
    pub fn is_about(&self, account: &AccountName) -> bool {
        self.account == account.to_string()
    }

    /// Whether nothing of the account is unfinished any more.
    #[must_use]
    pub fn is_out_of_the_way(&self) -> bool {
        matches!(self.result.as_str(), "rotated" | "rotated-elsewhere" | "skipped")
    }

    /// The same, as an emergency counts it.
    #[must_use]
    pub fn turned(&self, account: &AccountName) -> Turned {
        let text = |key: &str| self.detail.get(key).and_then(Value::as_str).unwrap_or_default();
        let how = match (self.result.as_str(), text("waits_for")) {
            ("rotated" | "rotated-elsewhere", _) => Some(Ended::Rotated),
            ("interrupted", _) => None,
            (PAUSED, _) => Some(Ended::Waits),
            ("unfinished", why) if why == Waiting::Fence.label() || why == Waiting::Rate.label() => Some(Ended::Waits),
            _ => Some(Ended::Failed),
        };
        Turned {
            account: account.clone(),
            how,
            result: self.word(),
            reason: text("reason").to_owned(),
            exit: self.exit,
        }
    }

    /// The account and its secret, if a dry run showed that something would be done.
    #[must_use]
    pub fn planned(&self) -> Option<(String, String)> {
        let is_planned = matches!(self.result.as_str(), "planned" | "failed");
        is_planned.then(|| self.secret.clone().map(|secret| (self.account.clone(), secret))).flatten()
    }

    fn word(&self) -> String {
        match (self.result.as_str(), self.flag("finishes")) {
            ("planned", true) => "would finish".to_owned(),
            ("planned", false) => "would rotate".to_owned(),
            ("rollback-stopped", _) => "not rolled back".to_owned(),
            (word, _) => word.replace('-', " "),
        }
    }

    fn remark(&self, zone: &TimeZone) -> String {
        let reason = self.detail.get("reason").and_then(Value::as_str).unwrap_or_default();
        let until = || self.detail.get("until").and_then(Value::as_str)?.parse::<Timestamp>().ok();
        match self.result.as_str() {
            "unfinished" => {
                let until = until().map_or_else(|| "-".to_owned(), |until| time(until, zone));
                format!("waits for {reason}; next try {until}")
            }
            "interrupted" if self.flag("pending") => "goes on at the next start".to_owned(),
            "interrupted" => "not begun".to_owned(),
            "planned" if self.flag("finishes") => "its unfinished rotation would be finished".to_owned(),
            _ => reason.to_owned(),
        }
    }

    fn flag(&self, key: &str) -> bool {
        self.detail.get(key).and_then(Value::as_bool).unwrap_or_default()
    }
}

/// The result of `rotate`, as a table.
#[must_use]
pub fn rotate_table(lines: &[RotateLine], zone: &TimeZone) -> String {
    let mut table = table(["ACCOUNT", "RESULT", "SECRET", "REMARK"]);
    for line in lines {
        let colour = match line.exit {
            Exit::Success if line.result == "skipped" => Color::DarkGrey,
            Exit::Success => Color::Green,
            Exit::Temporary => Color::Yellow,
            _ => Color::Red,
        };
        table.add_row([
            Cell::new(&line.account),
            Cell::new(line.word()).fg(colour),
            Cell::new(line.secret.as_deref().unwrap_or("-")),
            Cell::new(line.remark(zone)),
        ]);
    }
    table.to_string()
}

/// One account of `accounts`, as JSON.
#[derive(Debug, Serialize)]
pub struct AccountAnswer {
    /// The full name.
    pub account: String,
    tenant: String,
    kind: &'static str,
    name: String,
    id: String,
    standing: String,
    secret: SecretName,
    vault: String,
    policy: String,
    last_rotated: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    unfinished: bool,
    #[serde(skip)]
    unread: bool,
    due: Option<Timestamp>,
    next: String,
    paused: Option<Paused>,
}

/// One account of `accounts`.
#[must_use]
pub fn account_answer(surveyed: &Surveyed, now: Timestamp) -> AccountAnswer {
    let managed = &surveyed.managed;
    let standing = managed.account.standing.to_string();
    let status = surveyed.status.as_ref().ok();
    let (due, next) = match (&surveyed.status, surveyed.due) {
        (Err(error), _) => (None, error.to_string()),
        (Ok(_), _) if managed.account.standing != Standing::Active => (None, standing.clone()),
        (Ok(_), Some(Due::Now(why))) => (Some(now), format!("now: {}", why.reason)),
        (Ok(_), Some(Due::At(at, _))) => (Some(at), String::new()),
        (Ok(_), Some(Due::Never(reason))) => (None, format!("not by itself: {reason}")),
        (Ok(_), Some(Due::Paused(pause))) => (None, format!("not by itself: {pause}")),
        (Ok(_), None) => (None, String::new()),
    };
    AccountAnswer {
        account: managed.name.to_string(),
        tenant: managed.name.tenant.clone(),
        kind: managed.name.kind.label(),
        name: managed.name.name.clone(),
        id: managed.account.id.to_string(),
        standing,
        secret: managed.secret.clone(),
        vault: managed.managing.rule.vault.clone(),
        policy: managed.managing.rule.policy.name.clone(),
        last_rotated: status.and_then(|status| status.last_changed),
        expires_at: surveyed.expires_at(),
        unfinished: status.is_some_and(|status| status.unfinished),
        unread: status.is_none(),
        due,
        next,
        paused: surveyed.paused.clone(),
    }
}

/// The result of `accounts`, as a table.
#[must_use]
pub fn accounts_table(accounts: &[AccountAnswer], zone: &TimeZone) -> String {
    let mut table = table(["ACCOUNT", "STANDING", "LAST ROTATED", "EXPIRES", "NEXT ROTATION", "SECRET"]);
    let when = |at: Option<Timestamp>, never: &str| at.map_or_else(|| never.to_owned(), |at| time(at, zone));
    for account in accounts {
        let mut next = if account.next.is_empty() { when(account.due, "-") } else { account.next.clone() };
        if let (Some(paused), Some(_)) = (&account.paused, account.due) {
            next = format!("{next} ({})", paused.pause());
        }
        table.add_row([
            Cell::new(&account.account),
            Cell::new(&account.standing),
            Cell::new(when(account.last_rotated, if account.unread { "unknown" } else { "never" })),
            Cell::new(when(account.expires_at, "-")),
            Cell::new(next),
            Cell::new(&account.secret),
        ]);
    }
    table.to_string()
}

/// One version of a secret, as JSON.
#[derive(Debug, Serialize)]
pub struct SecretAnswer {
    name: SecretName,
    stage: Stage,
    token: String,
    value: Map<String, Value>,
}

/// One version of a secret; its password is masked unless `reveal`.
#[must_use]
pub fn secret_answer(name: &SecretName, version: &ListedVersion, reveal: bool) -> SecretAnswer {
    // Key by key, so that a password that is not to be shown is not even copied.
    let shown = |(key, value): (&String, &Value)| match key.as_str() {
        "password" if !reveal => (key.clone(), MASK.into()),
        _ => (key.clone(), value.clone()),
    };
    let value = version.value.expose().iter().map(shown).collect();
    SecretAnswer { name: name.clone(), stage: version.stage, token: version.token.to_string(), value }
}

/// One version of a secret as a table, with a line on each other version.
#[must_use]
pub fn secret_table(answer: &SecretAnswer, listing: &Listing, zone: &TimeZone) -> String {
    let mut fields = table(["KEY", "VALUE"]);
    fields.add_row([Cell::new("(secret)"), Cell::new(&answer.name)]);
    fields.add_row([Cell::new("(stage)"), Cell::new(answer.stage.label())]);
    fields.add_row([Cell::new("(token)"), Cell::new(&answer.token)]);
    for (key, value) in &answer.value {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        fields.add_row([Cell::new(key), Cell::new(text)]);
    }
    let mut versions = table(["STAGE", "WRITTEN", "TOKEN"]);
    for version in &listing.versions {
        let written = version.created_at.map_or_else(|| "-".to_owned(), |at| time(at, zone));
        versions.add_row([Cell::new(version.stage.label()), Cell::new(written), Cell::new(version.token)]);
    }
    format!("{fields}\n\n{versions}")
}

/// The result of `generate`. It holds passwords, and so it is neither `Debug` nor `Serialize` by itself.
pub struct Generated<'a> {
    /// The kind of account that they are for.
    pub kind: Kind,
    /// The policy that was named.
    pub policy: Option<&'a str>,
    /// The strength of each: the binary logarithm of how many there are to draw from.
    pub entropy_bits: f64,
    /// The passwords.
    pub passwords: Vec<&'a Password>,
}

impl Generated<'_> {
    /// As JSON, the passwords in the open.
    #[must_use]
    pub fn document(&self) -> Value {
        serde_json::json!({
            "kind": self.kind,
            "policy": self.policy,
            "entropy_bits": (self.entropy_bits * 10.0).round() / 10.0,
            "passwords": self.passwords.iter().map(|password| password.expose()).collect::<Vec<_>>(),
        })
    }

    /// As a table, the passwords in the open.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = table(["PASSWORD", "ENTROPY"]);
        for password in &self.passwords {
            table.add_row([password.expose().to_owned(), format!("{:.1} bits", self.entropy_bits)]);
        }
        table.to_string()
    }
}

/// A tenant's settings, as a table: the setting, its value at the provider, what the configuration says of it.
#[must_use]
pub fn settings_table(rows: &[[String; 3]]) -> String {
    let mut table = table(["SETTING", "AT THE PROVIDER", "CONFIGURATION"]);
    for row in rows {
        table.add_row(row.iter().map(Cell::new));
    }
    table.to_string()
}

/// What a reload changed, as a table: the key, its value before, its value now.
#[must_use]
pub fn changes_table(rows: impl Iterator<Item = [String; 3]>) -> String {
    let mut table = table(["KEY", "BEFORE", "NOW"]);
    for row in rows {
        table.add_row(row.map(Cell::new));
    }
    table.to_string()
}

/// One line of `check`.
#[derive(Debug, Clone, Serialize)]
pub struct CheckLine {
    /// What was checked.
    pub what: String,
    /// How it went.
    pub state: CheckState,
    /// How a command ends because of it; success when it is good.
    pub exit: Exit,
    /// What was seen, and the remedy when it is not good.
    pub remark: String,
}

/// How one check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// As it should be.
    Ok,
    /// Worth a look; rotations go on without it.
    Warning,
    /// Rotations cannot do without it.
    Failed,
}

/// The result of `check`, as a table.
#[must_use]
pub fn check_table(lines: &[CheckLine]) -> String {
    let mut table = table(["", "CHECK", "REMARK"]);
    for line in lines {
        let (mark, colour) = match line.state {
            CheckState::Ok => ("ok", Color::Green),
            CheckState::Warning => ("warn", Color::Yellow),
            CheckState::Failed => ("FAIL", Color::Red),
        };
        table.add_row([Cell::new(mark).fg(colour), Cell::new(&line.what), Cell::new(&line.remark)]);
    }
    table.to_string()
}

pub(super) fn table<const N: usize>(header: [&str; N]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header.map(|title| Cell::new(title).add_attribute(Attribute::Bold)));
    table
}
