//! How `status` looks: what each unfinished or frozen rotation waits for, since when, and what to do about it.

mod ahead;

use std::fmt::Write as _;

use comfy_table::{Cell, Color};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::ahead::Ahead;
use super::show::{table, time, why_paused};
use crate::domain::backoff::Attempts;
use crate::domain::due::Due;
use crate::domain::exit::Exit;
use crate::domain::rotation::{Block, Freeze, State, Waiting};
use crate::domain::schedule::pause::Paused;
use crate::engine::report::{HELD, provider_exit, vault_exit, waiting_exit};
use crate::engine::status::{Inspected, Inspection, Presence};

/// The page that tells of every state.
const RUNBOOK: &str = "docs/runbook.md";

/// One account of `status`, as JSON.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct StatusLine {
    account: String,
    secret: String,
    vault: String,
    /// None while the provider cannot be asked.
    listed: Option<bool>,
    standing: Option<String>,
    state: String,
    #[schemars(with = "Option<String>")]
    last_changed: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    expires_at: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    due: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    since: Option<Timestamp>,
    waits_for: Option<String>,
    #[schemars(with = "Option<String>")]
    until: Option<Timestamp>,
    reason: Option<String>,
    remedy: Option<String>,
    runbook: Option<String>,
    /// The pause that holds it; what is unfinished goes on all the same.
    paused: Option<Value>,
    /// Turns of the daemon that failed in a row.
    failed_attempts: Option<u32>,
    /// When its next one is, at the earliest.
    #[schemars(with = "Option<String>")]
    next_attempt: Option<Timestamp>,
    /// How a command ends because of it.
    #[schemars(with = "String")]
    exit: Exit,
}

/// The result of `status`, as JSON.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct StatusAnswer {
    /// How the command ends.
    #[schemars(with = "String")]
    pub exit: Exit,
    ahead: Ahead,
    accounts: Vec<StatusLine>,
    failures: Vec<Unseen>,
    conflicts: Vec<String>,
}

/// What could not be looked at.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Unseen {
    /// Accounts that could not be listed.
    Accounts { tenant: String, kind: String, error: String },
    /// A vault.
    Vault { vault: String, error: String },
}

impl StatusAnswer {
    /// Says where everything stands at `now`.
    #[must_use]
    pub fn of(inspection: &Inspection, now: Timestamp) -> Self {
        let mut accounts: Vec<_> = inspection.accounts.iter().map(|inspected| StatusLine::of(inspected, now)).collect();
        accounts.sort_by(|one, other| one.account.cmp(&other.account));
        let by_account = accounts.iter().map(|line| line.exit);
        let by_provider = inspection.failures.iter().map(|failure| provider_exit(&failure.error));
        let by_vault = inspection.vaults.values().map(vault_exit);
        let by_rules = inspection.conflicts.iter().map(|_| Exit::Configuration);
        let exit = by_account.chain(by_provider).chain(by_vault).chain(by_rules).max().unwrap_or_default();
        let unlisted = inspection.failures.iter().map(|failure| Unseen::Accounts {
            tenant: failure.tenant.clone(),
            kind: failure.kind.to_string(),
            error: failure.error.to_string(),
        });
        let unread = inspection.vaults.iter();
        let unread = unread.map(|(vault, error)| Unseen::Vault { vault: vault.clone(), error: error.to_string() });
        let failures = unlisted.chain(unread).collect();
        let conflicts = inspection.conflicts.iter().map(ToString::to_string).collect();
        let ahead = Ahead::of(&inspection.accounts, now);
        Self { exit, ahead, accounts, failures, conflicts }
    }

    /// A table of all accounts, a paragraph on each that needs one, and what could not be looked at.
    #[must_use]
    pub fn text(&self, zone: &TimeZone) -> String {
        let mut table = table(["ACCOUNT", "STATE", "LAST ROTATED", "EXPIRES", "SINCE", "WAITS FOR", "SECRET"]);
        let when = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| time(at, zone));
        for line in &self.accounts {
            table.add_row([
                Cell::new(&line.account),
                Cell::new(&line.state).fg(line.colour()),
                Cell::new(when(line.last_changed)),
                Cell::new(when(line.expires_at)),
                Cell::new(when(line.since)),
                Cell::new(line.waits_for.as_deref().unwrap_or("-")),
                Cell::new(&line.secret),
            ]);
        }
        let mut text = table.to_string();
        let mut paragraph = |told: &str| {
            // Writing to a `String` cannot fail.
            let _ = write!(text, "\n\n{told}");
        };
        for line in &self.accounts {
            if let Some(told) = line.paragraph(zone) {
                paragraph(&told);
            }
        }
        for unseen in &self.failures {
            paragraph(&match unseen {
                Unseen::Accounts { tenant, kind, error } => format!(
                    "The {kind} accounts of {tenant} cannot be listed: {error}. What is shown of them is what the vault tells."
                ),
                Unseen::Vault { vault, error } => format!("The vault {vault} cannot be looked into: {error}"),
            });
        }
        for conflict in &self.conflicts {
            paragraph(conflict);
        }
        paragraph(&self.ahead.text(zone));
        text
    }
}

impl StatusLine {
    fn of(inspected: &Inspected, now: Timestamp) -> Self {
        let Inspected { surveyed, presence, state, since } = inspected;
        let managed = &surveyed.managed;
        let account = managed.name.to_string();
        let expires_at = surveyed.expires_at();
        let told = Told::of(inspected, &account);
        let attempts = attempts(inspected);
        let (word, exit) = match state {
            State::Idle if expires_at.is_some_and(|at| at <= now) => ("expired", Exit::Temporary),
            State::Idle if surveyed.paused.is_some() => ("paused", Exit::Success),
            State::Idle if matches!(surveyed.due, Some(Due::Now(_))) => ("due", told.exit),
            state => (state.label(), told.exit),
        };
        Self {
            account,
            secret: managed.secret.to_string(),
            vault: managed.managing.rule.vault.clone(),
            listed: match presence {
                Presence::Listed => Some(true),
                Presence::Gone => Some(false),
                Presence::Unknown => None,
            },
            standing: (*presence == Presence::Listed).then(|| managed.account.standing.to_string()),
            state: word.to_owned(),
            last_changed: surveyed.status.as_ref().ok().and_then(|status| status.last_changed),
            expires_at,
            due: match surveyed.due {
                Some(Due::Now(_)) => Some(now),
                Some(Due::At(at, _)) => Some(at),
                Some(Due::Never(_) | Due::Paused(_)) | None => None,
            },
            since: told.since.or(*since),
            waits_for: told.waits_for.map(str::to_owned),
            until: told.until,
            reason: told.reason,
            remedy: told.remedy,
            runbook: told.chapter.map(|chapter| format!("{RUNBOOK}#{chapter}")),
            failed_attempts: attempts.map(|attempts| attempts.failures),
            next_attempt: attempts.map(|attempts| attempts.next),
            paused: surveyed.paused.as_ref().and_then(|paused| serde_json::to_value(paused).ok()),
            exit,
        }
    }

    const fn colour(&self) -> Color {
        match self.exit {
            Exit::Success => Color::Green,
            Exit::Temporary => Color::Yellow,
            _ => Color::Red,
        }
    }

    fn paragraph(&self, zone: &TimeZone) -> Option<String> {
        let reason = self.reason.as_ref()?;
        let since = self.since.map(|at| format!(" since {}", time(at, zone))).unwrap_or_default();
        let until = self.until.map(|at| format!("; until {}", time(at, zone))).unwrap_or_default();
        let mut told = format!("{}: {}{since}: {reason}{until}", self.account, self.state);
        if let (Some(failed), Some(next)) = (self.failed_attempts, self.next_attempt) {
            // Writing to a `String` cannot fail.
            let _ = write!(
                told,
                "; failed attempts in a row: {failed}, the next one at {} at the earliest",
                time(next, zone)
            );
        }
        for line in [&self.remedy, &self.runbook].into_iter().flatten() {
            // Writing to a `String` cannot fail.
            let _ = write!(told, "\n  {line}");
        }
        Some(told)
    }
}

/// What there is to say of a state.
#[derive(Default)]
struct Told {
    waits_for: Option<&'static str>,
    /// Where the state itself does not tell it.
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    reason: Option<String>,
    remedy: Option<String>,
    chapter: Option<String>,
    exit: Exit,
}

impl Told {
    fn of(inspected: &Inspected, account: &str) -> Self {
        let command = |words: &str| Some(format!("ncloud-rotator {words}"));
        let resume = format!("rotate {account} --resume");
        if let Some(reason) = inspected.waits_for_account() {
            let gone = inspected.presence == Presence::Gone;
            return Self {
                waits_for: Some("account"),
                reason: Some(format!("waits for {reason}")),
                remedy: command(&format!("account drop {account}")),
                chapter: Some("account".to_owned()),
                exit: if gone { Exit::Unavailable } else { Exit::Temporary },
                ..Self::default()
            };
        }
        match inspected.state {
            State::Idle => match (&inspected.surveyed.paused, attempts(inspected)) {
                (Some(paused), _) => Self::paused(paused),
                (None, Some(_)) => Self {
                    waits_for: Some("attempt"),
                    reason: Some(
                        "it is due, and the daemon's turns fail before anything is begun; its log says why".to_owned(),
                    ),
                    remedy: command("check"),
                    chapter: Some("attempt".to_owned()),
                    exit: Exit::Temporary,
                    ..Self::default()
                },
                (None, None) => Self::default(),
            },
            State::Ready => Self {
                waits_for: Some("turn"),
                reason: Some("goes on with its next turn: the daemon's, or yours".to_owned()),
                remedy: command(&resume),
                chapter: Some("turn".to_owned()),
                exit: Exit::Temporary,
                ..Self::default()
            },
            State::Waits { why, until } => Self {
                waits_for: Some(why.label()),
                until,
                reason: Some(match &inspected.surveyed.status {
                    Err(error) => format!("waits for the vault: {error}"),
                    Ok(_) => format!("waits for {why}"),
                }),
                remedy: command(&match after_waiting(why) {
                    After::Resume => resume,
                    After::Rotate => format!("rotate {account}"),
                    After::Check => "check".to_owned(),
                    After::Drop => format!("account drop {account}"),
                }),
                chapter: Some(why.label().to_owned()),
                exit: waiting_exit(why),
                ..Self::default()
            },
            State::Held => Self {
                waits_for: Some("operator"),
                reason: Some(HELD.to_owned()),
                remedy: command(&format!("rotate {account}")),
                chapter: Some("held".to_owned()),
                exit: Exit::Unavailable,
                ..Self::default()
            },
            State::Frozen(why) => Self {
                waits_for: Some("operator"),
                reason: Some(format!("{}: {why}", why.label())),
                remedy: if is_adoptable(why) {
                    command(&format!("secret adopt {account}"))
                } else {
                    command(&format!("secret show {}", inspected.surveyed.managed.secret))
                },
                chapter: Some(why.label().to_owned()),
                exit: Exit::Unavailable,
                ..Self::default()
            },
            State::RollbackStopped(why) => Self {
                waits_for: Some("operator"),
                reason: Some(why.to_string()),
                remedy: command(&format!("rotate {account}")),
                chapter: Some(format!("rollback-{}", why.label())),
                exit: Exit::Unavailable,
                ..Self::default()
            },
        }
    }
}

/// The daemon's turns that failed in a row, as long as there is something to do: what somebody else has done is done.
fn attempts(inspected: &Inspected) -> Option<Attempts> {
    let is_open = inspected.state != State::Idle || matches!(inspected.surveyed.due, Some(Due::Now(_)));
    inspected.surveyed.attempts.filter(|_| is_open)
}

impl Told {
    fn paused(paused: &Paused) -> Self {
        Self {
            waits_for: Some("pause"),
            since: Some(paused.since),
            until: paused.until,
            reason: Some(why_paused(paused)),
            remedy: Some(format!("ncloud-rotator resume {}", paused.target.words())),
            chapter: Some("paused".to_owned()),
            exit: Exit::Success,
        }
    }
}

/// What to do about a rotation that waits.
enum After {
    /// It goes on by itself; a person may hurry it.
    Resume,
    /// A person may have the next candidate tried at once.
    Rotate,
    /// See what is wrong with keys, clock, provider, vault or journal.
    Check,
    /// The account may be gone.
    Drop,
}

const fn after_waiting(why: Waiting) -> After {
    match why {
        Waiting::Fence
        | Waiting::Doubt(_)
        | Waiting::Rate
        | Waiting::Blocked(Block::Forbidden | Block::Throttled | Block::NotSent) => After::Resume,
        Waiting::Spacing => After::Rotate,
        Waiting::Provider
        | Waiting::Vault(_)
        | Waiting::Journal
        | Waiting::ClockSkew
        | Waiting::Blocked(
            Block::Authentication | Block::Permission | Block::Quota | Block::TooLarge | Block::NoKeys,
        ) => After::Check,
        Waiting::Blocked(Block::NoSuchAccount | Block::NotFound) => After::Drop,
    }
}

/// Whether `secret adopt` takes over from there.
const fn is_adoptable(why: Freeze) -> bool {
    match why {
        Freeze::ForeignPending | Freeze::ForeignCurrent | Freeze::PendingIsPrevious => true,
        Freeze::OtherAccount | Freeze::ManagedRotation | Freeze::PlainText | Freeze::ScheduledForDeletion => false,
    }
}
