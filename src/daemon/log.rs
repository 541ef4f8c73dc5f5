//! The log: every fact of the engine as one line, with stable event names and fields.
//!
//! What was found and has not changed since (accounts, settings, what comes next) is told once: a quiet log is one that is
//! read. What goes wrong is told each time it does.

mod lines;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tracing::{debug, error, info, warn};

pub(super) use self::lines::{Destination, configure, current_format, stamp, start};
use super::machine;
use crate::cli::progress;
use crate::domain::emergency::Wave;
use crate::ports::clock::Clock;
use crate::ports::observer::{Backlog, Fact, Observer};

/// Writes facts to the log.
pub(super) struct LogObserver {
    zone: TimeZone,
    told: Mutex<HashMap<String, String>>,
}

impl LogObserver {
    /// Times are shown in `zone`.
    pub(super) fn new(zone: TimeZone) -> Self {
        Self { zone, told: Mutex::new(HashMap::new()) }
    }

    /// Whether `text` differs from what was last told about `subject`.
    fn is_news(&self, subject: String, text: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.insert(subject, text.to_owned()).is_none_or(|last| last != text)
    }

    /// When what is overdue has had its turn.
    fn until(&self, backlog: Backlog) -> String {
        backlog.until.map_or_else(|| "-".to_owned(), |until| self.time(until))
    }

    fn time(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }
}

impl LogObserver {
    /// What became of a tenant's settings.
    fn note_setting(&self, fact: &Fact<'_>) {
        match *fact {
            Fact::SettingRead { tenant, setting, value }
                if self.is_news(format!("setting {tenant} {setting}"), value) =>
            {
                info!(event = "setting-read", tenant, setting, value, "the tenant's setting at the provider");
            }
            Fact::SettingUnknown { tenant, setting, error }
                if self.is_news(format!("setting {tenant} {setting}"), &error.to_string()) =>
            {
                warn!(
                    event = "setting-unknown", tenant, setting, %error,
                    "the tenant's setting cannot be read; what the configuration says counts"
                );
            }
            Fact::Drift { tenant, setting, found, expected }
                if self.is_news(format!("drift {tenant} {setting}"), &format!("{found} {expected}")) =>
            {
                warn!(
                    event = "drift",
                    tenant,
                    setting,
                    found,
                    expected,
                    "the tenant's setting is not what the policy expects; the tenant's is followed"
                );
            }
            Fact::SettingEnforced { tenant, setting, from, to } => {
                warn!(event = "setting-enforced", tenant, setting, from, to, "the tenant's setting was written");
            }
            Fact::SettingNotEnforced { tenant, setting, error } => {
                error!(event = "setting-not-enforced", tenant, setting, %error, "the tenant's setting could not be written");
            }
            Fact::ExpirationChanged { tenant, kind, from, to, accounts, backlog } => {
                let (overdue, until) = (backlog.overdue, self.until(backlog));
                warn!(
                    event = "expiration-changed", tenant, %kind, from, to, accounts, overdue, until,
                    "the expiration was changed; when these accounts are due is calculated anew, and those overdue are caught up with"
                );
            }
            _ => {}
        }
    }
}

impl LogObserver {
    /// What the journal is about, and its troubles.
    fn note_journal(&self, fact: &Fact<'_>) {
        match *fact {
            Fact::JournalFailed { account, error } => {
                warn!(event = "journal-failed", %account, error, "the journal could not note what happened");
            }
            Fact::PaceUnknown { error } => warn!(
                event = "pace-unknown",
                error, "the journal cannot tell what began in the last day; no account is taken over until it can"
            ),
            Fact::NotRecorded { what, account, error } => {
                let account = account.map_or_else(|| "-".to_owned(), ToString::to_string);
                warn!(event = "not-recorded", what, account, error, "the journal's chain lacks this event");
            }
            Fact::Paused { pause } => {
                let until = pause.until.map_or_else(|| "-".to_owned(), |until| self.time(until));
                info!(
                    event = "paused", target = %pause.target, since = self.time(pause.since), until,
                    "no rotation of it begins; what is unfinished is finished"
                );
            }
            Fact::Resumed { target } => info!(event = "resumed", %target, "its pause is over"),
            Fact::PausesUnknown { error } => {
                warn!(
                    event = "pauses-unknown",
                    error,
                    "the journal cannot tell what is paused; what was last known counts, and nothing begins before anything was known"
                );
            }
            Fact::Rebuilt { accounts } => warn!(
                event = "journal-rebuilt",
                accounts, "the journal knew nothing of these accounts; what the vault tells of them was taken over"
            ),
            // Once a day at least, so that no day's rows can be cut off unseen.
            Fact::ChainEnd { head } => {
                let day = machine::SystemClock.wall().to_zoned(self.zone.clone()).date();
                if self.is_news("chain-end".to_owned(), &format!("{} {day}", head.hash)) {
                    info!(event = "chain-end", rows = head.rows, head = head.hash, "so far goes the chain of events");
                }
            }
            _ => {}
        }
    }
}

impl LogObserver {
    /// Passwords that expire.
    fn note_expiry(&self, fact: &Fact<'_>) {
        match *fact {
            Fact::ExpiresSoon { account, deadline, expires_at } => {
                let (deadline, expires_at) = (self.time(deadline), self.time(expires_at));
                warn!(
                    event = "expires-soon", %account, deadline, expires_at,
                    "the password is not replaced yet; `ncloud-rotator explain {account}` tells what holds it"
                );
            }
            Fact::Expired { account, expires_at } => {
                let expires_at = self.time(expires_at);
                error!(
                    event = "expired", %account, expires_at,
                    "the password has expired; `ncloud-rotator explain {account}` tells what holds it"
                );
            }
            Fact::ManyExpire { soon, expired, account, expires_at } => {
                let expires_at = self.time(expires_at);
                error!(
                    event = "many-expire", soon, expired, %account, expires_at,
                    "many passwords expire, this one first; `ncloud-rotator plan` tells all of them"
                );
            }
            _ => {}
        }
    }
}

/// How an emergency goes.
fn note_emergency(fact: &Fact<'_>) {
    match *fact {
        Fact::EmergencyBegan { emergency, again, accounts, takes } => {
            let (id, at_least) = (emergency.id, progress::rough(takes));
            if again {
                warn!(event = "emergency-resumed", %id, accounts, at_least, "the emergency goes on where it stopped");
            } else {
                warn!(event = "emergency-began", %id, accounts, at_least, "every password is replaced, in waves");
            }
        }
        Fact::EmergencyWave { emergency, wave, left, takes } => {
            let Wave { number, accounts, rotated, failed, waiting } = *wave;
            let (id, takes) = (emergency.id, progress::rough(takes));
            info!(event = "emergency-wave", %id, wave = number, accounts, rotated, failed, waiting, left, takes, "a wave has ended");
        }
        Fact::EmergencyHalted { emergency, why, rotated, failed, left } => {
            let id = emergency.id;
            error!(
                event = "emergency-halted", %id, reason = why.label(), rotated, failed, left,
                "stopped before everybody had a new password; the same command goes on with it"
            );
        }
        Fact::EmergencyEnded { emergency, rotated } => {
            let id = emergency.id;
            warn!(event = "emergency-ended", %id, rotated, "everybody has a password that is newer than the emergency");
        }
        _ => {}
    }
}

impl LogObserver {
    /// That an expiry left no other time, told once for each.
    fn note_override(&self, fact: &Fact<'_>) {
        let Fact::WindowOverridden { account, secret, slot, expires_at } = *fact else { return };
        let expires_at = expires_at.map_or_else(|| "-".to_owned(), |at| self.time(at));
        if self.is_news(format!("window {account}"), &expires_at) {
            warn!(
                event = "window-overridden", %account, %secret, slot = slot.label(), expires_at,
                "rotated {slot}"
            );
        }
    }

    /// What a tenant lists, and whether it goes on.
    fn note_tenant(&self, fact: &Fact<'_>) {
        match *fact {
            Fact::Discovered { tenant, kind, listed, matched }
                if self.is_news(format!("discovered {tenant} {kind}"), &format!("{listed} {matched}")) =>
            {
                info!(event = "discovered", tenant, %kind, listed, matched, "accounts discovered");
                if matched == 0 {
                    warn!(event = "nothing-matched", tenant, %kind, "no account is matched by any rule; see their names");
                }
            }
            Fact::NotDiscovered { tenant, kind, error } => {
                warn!(event = "not-discovered", tenant, %kind, %error, "accounts could not be listed");
            }
            Fact::TenantStopped { tenant, why } => {
                error!(event = "tenant-stopped", tenant, reason = %why, "the whole tenant stops until a probe succeeds");
            }
            Fact::TenantReleased { tenant, backlog } => {
                let (overdue, until) = (backlog.overdue, self.until(backlog));
                if overdue == 0 {
                    info!(event = "tenant-released", tenant, overdue, until, "the probe succeeded; the tenant goes on");
                } else {
                    warn!(
                        event = "tenant-released",
                        tenant, overdue, until, "the tenant goes on; what is overdue is caught up with"
                    );
                }
            }
            _ => {}
        }
    }
}

impl Observer for LogObserver {
    fn note(&self, fact: &Fact<'_>) {
        match *fact {
            Fact::Discovered { .. }
            | Fact::NotDiscovered { .. }
            | Fact::TenantStopped { .. }
            | Fact::TenantReleased { .. } => self.note_tenant(fact),
            Fact::SettingRead { .. }
            | Fact::SettingUnknown { .. }
            | Fact::Drift { .. }
            | Fact::ExpirationChanged { .. }
            | Fact::SettingEnforced { .. }
            | Fact::SettingNotEnforced { .. } => self.note_setting(fact),
            Fact::Conflict { problem } => {
                if self.is_news(format!("conflict {problem}"), problem) {
                    error!(event = "conflict", problem, "rules and accounts do not fit together");
                }
            }
            Fact::Skipped { account, why } => {
                if self.is_news(format!("skipped {account}"), why) {
                    info!(event = "skipped", %account, reason = why, "left alone");
                }
            }
            Fact::WindowOverridden { .. } => self.note_override(fact),
            Fact::Began { account, secret, .. } => debug!(event = "began", %account, %secret, "rotation begins"),
            Fact::Staged { account, secret, superseding: false, .. } => {
                debug!(event = "staged", %account, %secret, "new password staged as pending");
            }
            Fact::Staged { account, secret, superseding: true, .. } => {
                warn!(event = "superseded", %account, %secret, "the last candidate is kept, the next one is staged");
            }
            Fact::Sending { account, secret, .. } => {
                debug!(event = "sending", %account, %secret, "the provider is asked");
            }
            Fact::Answered { account, secret, answer, .. } => {
                debug!(event = "answered", %account, %secret, answer = answer.label(), "the provider was asked");
            }
            Fact::Waits { account, secret, why, until, detail } => {
                let until = self.time(until);
                let detail = detail.unwrap_or("-");
                info!(event = "waiting", %account, %secret, waits_for = why.label(), until, detail, "waiting for {why}");
            }
            Fact::OnlyCopy { account, secret } => {
                error!(
                    event = "only-copy", %account, %secret,
                    "THE LIVE PASSWORD IS IN THIS PROCESS ALONE: do not end it; make the vault writable again"
                );
            }
            Fact::Rotated { account, secret, elsewhere: false, .. } => {
                info!(event = "rotated", %account, %secret, "rotated; the new password is stored and current");
            }
            Fact::Rotated { account, secret, elsewhere: true, .. } => {
                info!(event = "rotated-elsewhere", %account, %secret, "rotated by another process meanwhile");
            }
            Fact::Unfinished { account, secret, why } => {
                warn!(event = "unfinished", %account, %secret, reason = why, "not finished yet; it will be resumed");
            }
            Fact::Failed { account, secret, why } => {
                error!(event = "failed", %account, %secret, reason = why, "nothing was sent");
            }
            Fact::Frozen { account, secret, why } => {
                error!(event = "frozen", %account, %secret, reason = %why, "not touched until an operator decides");
            }
            Fact::RollbackStopped { account, secret, why } => {
                error!(event = "rollback-stopped", %account, %secret, reason = %why, "the previous password was not put back");
            }
            Fact::Held { account, secret } => {
                error!(event = "held", %account, %secret, "too many passwords were refused; an operator must look");
            }
            Fact::VaultUnreadable { account, secret, error } => {
                error!(event = "vault-unreadable", %account, %secret, error, "the vault cannot tell this account's state");
            }
            Fact::JournalFailed { .. }
            | Fact::PaceUnknown { .. }
            | Fact::NotRecorded { .. }
            | Fact::Paused { .. }
            | Fact::Resumed { .. }
            | Fact::PausesUnknown { .. }
            | Fact::Rebuilt { .. }
            | Fact::ChainEnd { .. } => self.note_journal(fact),
            Fact::ExpiresSoon { .. } | Fact::Expired { .. } | Fact::ManyExpire { .. } => self.note_expiry(fact),
            // The first is for whoever keeps watch over expiries, the second for the status line.
            Fact::Expiries { .. } | Fact::Expiring { .. } => {}
            Fact::EmergencyBegan { .. }
            | Fact::EmergencyWave { .. }
            | Fact::EmergencyHalted { .. }
            | Fact::EmergencyEnded { .. } => note_emergency(fact),
            Fact::Next { accounts, at, account, reason } => {
                let at = at.map_or_else(|| "nothing".to_owned(), |at| self.time(at));
                let account = account.map_or_else(|| "-".to_owned(), ToString::to_string);
                let reason = reason.map_or_else(|| "-".to_owned(), |reason| reason.to_string());
                if self.is_news("next".to_owned(), &format!("{accounts} {at} {account}")) {
                    info!(event = "next", accounts, at, account, reason, "this comes next");
                }
            }
        }
    }
}
