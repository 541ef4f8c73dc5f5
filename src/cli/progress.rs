//! Progress of many rotations, for a person at a terminal.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jiff::tz::TimeZone;

use crate::domain::account::AccountName;
use crate::ports::observer::{Fact, Observer};

/// A bar on standard error that counts finished accounts and says what is waited for.
pub struct Progress {
    zone: TimeZone,
    bar: Mutex<Option<ProgressBar>>,
}

impl Progress {
    /// Whether a bar would be seen: only where standard error is a terminal.
    #[must_use]
    pub fn is_seen() -> bool {
        std::io::stderr().is_terminal()
    }

    /// A bar that does not show yet; times are shown in `zone`.
    #[must_use]
    pub const fn new(zone: TimeZone) -> Self {
        Self { zone, bar: Mutex::new(None) }
    }

    /// Shows the bar for `accounts` accounts.
    pub fn begin(&self, accounts: usize) {
        let style = ProgressStyle::with_template("{spinner} {wide_bar} {pos}/{len} accounts  {elapsed}")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(u64::try_from(accounts).unwrap_or(u64::MAX)).with_style(style);
        bar.enable_steady_tick(Duration::from_millis(120));
        *self.slot() = Some(bar);
    }

    /// Counts one account.
    pub fn advance(&self) {
        if let Some(bar) = &*self.slot() {
            bar.inc(1);
        }
    }

    /// Takes the bar away.
    pub fn end(&self) {
        if let Some(bar) = self.slot().take() {
            bar.finish_and_clear();
        }
    }

    fn slot(&self) -> MutexGuard<'_, Option<ProgressBar>> {
        self.bar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says a line beside the bar.
    pub fn say(&self, line: &str) {
        if let Some(bar) = &*self.slot() {
            bar.println(line);
        } else {
            // Nothing useful can be done when standard error is gone.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }
}

/// A duration for people: to the second below an hour, and to the minute beyond.
#[must_use]
pub fn rough(duration: Duration) -> String {
    let seconds = duration.as_millis().div_ceil(1000);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}

impl Observer for Progress {
    fn note(&self, fact: &Fact<'_>) {
        if let Some(line) = line(fact, &self.zone) {
            self.say(&line.text);
        }
    }
}

/// A line for whoever waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The account that it is about; none when it is about more than one.
    pub about: Option<AccountName>,
    /// The line.
    pub text: String,
}

/// What a fact is worth saying to whoever waits for rotations; none when it is worth nothing.
#[must_use]
pub fn line(fact: &Fact<'_>, zone: &TimeZone) -> Option<Line> {
    let of = |account: &AccountName, text: String| {
        Some(Line { about: Some(account.clone()), text: format!("{account}: {text}") })
    };
    let of_all = |text: String| Some(Line { about: None, text });
    match fact {
        Fact::Waits { account, why, until, detail, .. } => {
            let until = until.to_zoned(zone.clone()).strftime("%H:%M:%S %:z").to_string();
            let detail = detail.map(|detail| format!(" ({detail})")).unwrap_or_default();
            of(account, format!("waiting until {until} for {why}{detail}"))
        }
        Fact::OnlyCopy { account, secret } => of(
            account,
            format!(
                "THE LIVE PASSWORD IS IN THIS PROCESS ALONE: do not end it; make the vault writable again ({secret})"
            ),
        ),
        Fact::Staged { account, superseding: true, .. } => {
            of(account, "the last candidate is kept, the next one is staged".to_owned())
        }
        Fact::NotDiscovered { tenant, kind, error } => {
            of_all(format!("{tenant}: {kind} accounts cannot be listed: {error}"))
        }
        Fact::SettingUnknown { tenant, setting, error } => {
            of_all(format!("{tenant}: the tenant's {setting} cannot be read: {error}"))
        }
        Fact::TenantStopped { tenant, why } => of_all(format!("{tenant}: stopped as a whole: {why}")),
        Fact::EmergencyBegan { emergency, accounts, takes, .. } => {
            of_all(format!("emergency {}: {accounts} accounts, {} at the least", emergency.id, rough(*takes)))
        }
        Fact::EmergencyWave { wave, left, takes, .. } => of_all(format!(
            "wave {}: {} of {} rotated, {} failed; {left} left, about {}",
            wave.number,
            wave.rotated,
            wave.accounts,
            wave.failed,
            rough(*takes)
        )),
        Fact::JournalFailed { account, error } => of(account, (*error).to_owned()),
        Fact::NotRecorded { what, error, .. } => of_all(format!("the event {what} is not recorded: {error}")),
        _ => None,
    }
}
