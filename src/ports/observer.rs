//! Whoever watches the engine work: the log, a progress bar, a test.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::provider::ProviderError;
use crate::domain::account::{AccountName, Kind, Subject};
use crate::domain::audit::Head;
use crate::domain::due::{Reason, Slot, Why};
use crate::domain::emergency::{Emergency, Halt, Wave};
use crate::domain::expiry::Outlook;
use crate::domain::plan::Terms;
use crate::domain::rotation::{Answer, Block, Freeze, Goal, RollbackStop, Waiting};
use crate::domain::schedule::pause::{Paused, Target};
use crate::domain::secret::SecretName;
use crate::domain::token::Token;

/// Hears of every fact as it happens. Must not block.
pub trait Observer: Send + Sync {
    /// Takes note of a fact.
    fn note(&self, fact: &Fact<'_>);
}

/// Everyone hears of every fact, in their order.
impl Observer for Vec<Arc<dyn Observer>> {
    fn note(&self, fact: &Fact<'_>) {
        for observer in self {
            observer.note(fact);
        }
    }
}

/// Accounts that are past their deadline, and are caught up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// How many.
    pub overdue: usize,
    /// When the turn of the last of them comes by rates and caps alone, in gateway time; none when nothing is overdue.
    pub until: Option<Timestamp>,
}

/// Why a rotation begins by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueBy<'a> {
    /// The policy that it is due by.
    pub policy: &'a str,
    /// Why it is due, and why now.
    pub why: Why,
    /// What it is held to.
    pub terms: Terms,
    /// When the password expires; none when it never does.
    pub expires_at: Option<Timestamp>,
}

/// One thing that happened. No fact holds a password, a key, or any part of a provider's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact<'a> {
    /// A kind of account was listed at the provider.
    Discovered {
        /// The tenant.
        tenant: &'a str,
        /// The kind.
        kind: Kind,
        /// Accounts listed.
        listed: usize,
        /// Accounts that a rule owns.
        matched: usize,
    },
    /// A kind of account could not be listed.
    NotDiscovered {
        /// The tenant.
        tenant: &'a str,
        /// The kind.
        kind: Kind,
        /// Why.
        error: &'a ProviderError,
    },
    /// A tenant's setting, as the provider tells it.
    SettingRead {
        /// The tenant.
        tenant: &'a str,
        /// The setting's key in the configuration.
        setting: &'static str,
        /// Its value, for people.
        value: &'a str,
    },
    /// A tenant's setting could not be read; what the configuration says is used.
    SettingUnknown {
        /// The tenant.
        tenant: &'a str,
        /// The setting's key in the configuration.
        setting: &'static str,
        /// Why.
        error: &'a ProviderError,
    },
    /// A tenant's setting is not what the configuration expects, and is only followed.
    Drift {
        /// The tenant.
        tenant: &'a str,
        /// The setting's key in the configuration.
        setting: &'static str,
        /// What the provider says.
        found: &'a str,
        /// What the configuration expects.
        expected: &'a str,
    },
    /// A tenant's setting was written, because the configuration enforces it.
    SettingEnforced {
        /// The tenant.
        tenant: &'a str,
        /// The setting's key in the configuration.
        setting: &'static str,
        /// What it was.
        from: &'a str,
        /// What it is now.
        to: &'a str,
    },
    /// A tenant's setting could not be written.
    SettingNotEnforced {
        /// The tenant.
        tenant: &'a str,
        /// The setting's key in the configuration.
        setting: &'static str,
        /// Why.
        error: &'a ProviderError,
    },
    /// The expiration of accounts is another than when they were last surveyed, since the tenant or the configuration says so:
    /// they are planned anew.
    ExpirationChanged {
        /// The tenant.
        tenant: &'a str,
        /// The kind of account.
        kind: Kind,
        /// What it was, for people.
        from: &'a str,
        /// What it is now, for people.
        to: &'a str,
        /// How many accounts.
        accounts: usize,
        /// What is overdue of them.
        backlog: Backlog,
    },
    /// Rules and accounts do not fit together, which only the provider's list could show.
    Conflict {
        /// What, and the remedy.
        problem: &'a str,
    },
    /// An account is left alone.
    Skipped {
        /// The account.
        account: &'a AccountName,
        /// Why.
        why: &'a str,
    },
    /// A rotation begins or goes on.
    Began {
        /// The account.
        account: &'a AccountName,
        /// The secret.
        secret: &'a SecretName,
        /// The account as the provider knows it.
        subject: &'a Subject,
        /// How far it is to go.
        goal: Goal,
        /// Why it begins by itself; none when a person asked for it, or when it goes on.
        due: Option<DueBy<'a>>,
    },
    /// A rotation begins outside of its windows, or in a blackout, since its expiry leaves no other time.
    WindowOverridden {
        /// The account.
        account: &'a AccountName,
        /// The secret.
        secret: &'a SecretName,
        /// What is overridden.
        slot: Slot,
        /// When the password expires; none when it never does.
        expires_at: Option<Timestamp>,
    },
    /// A candidate is in the vault as pending.
    Staged {
        /// The account.
        account: &'a AccountName,
        /// The secret.
        secret: &'a SecretName,
        /// The version.
        token: Token,
        /// What it holds, as sends name it.
        candidate: Option<Token>,
        /// The version whose password it repeats; none when the password is a new one.
        repeats: Option<Token>,
        /// Whether it took the place of a refused or foreign-generation candidate.
        superseding: bool,
    },
    /// A candidate is about to be sent to the provider, or the provider to be asked for a password.
    Sending {
        /// The account.
        account: &'a AccountName,
        /// The secret.
        secret: &'a SecretName,
        /// The candidate, or the intent.
        candidate: Token,
    },
    /// What is known of a request after it.
    Answered {
        /// The account.
        account: &'a AccountName,
        /// The secret.
        secret: &'a SecretName,
        /// The candidate, or the intent.
        candidate: Token,
        /// The answer's class.
        answer: Answer,
    },
    /// A rotation waits.
    Waits {
        /// The account.
        account: &'a AccountName,
        /// The secret.
        secret: &'a SecretName,
        /// For what.
        why: Waiting,
        /// Until then, in gateway time.
        until: Timestamp,
        /// What the layer below said, when it said something.
        detail: Option<&'a str>,
    },
    /// A password that may be live is nowhere but in this process: its vault does not take it. The process must not be ended.
    OnlyCopy {
        /// The account.
        account: &'a AccountName,
        /// The secret.
        secret: &'a SecretName,
    },
    /// The new password is set and current.
    Rotated {
        /// The account.
        account: &'a AccountName,
        /// The secret.
        secret: &'a SecretName,
        /// The version that is current now.
        token: Token,
        /// Whether another process finished it.
        elsewhere: bool,
    },
    /// A rotation stays unfinished for now.
    Unfinished {
        /// The account.
        account: &'a AccountName,
        /// The secret.
        secret: &'a SecretName,
        /// What it waits for, in one sentence.
        why: &'a str,
    },
    /// A rotation ended by a fault of this machine or this program; nothing was sent because of it.
    Failed {
        /// The account.
        account: &'a AccountName,
        /// The secret.
        secret: &'a SecretName,
        /// What is wrong.
        why: &'a str,
    },
    /// A secret is not touched until an operator speaks.
    Frozen {
        /// The account.
        account: &'a AccountName,
        /// The secret.
        secret: &'a SecretName,
        /// Why.
        why: Freeze,
    },
    /// The previous password was not put back, and no other one was set instead.
    RollbackStopped {
        /// The account.
        account: &'a AccountName,
        /// The secret.
        secret: &'a SecretName,
        /// Why.
        why: RollbackStop,
    },
    /// Too many candidates were refused.
    Held {
        /// The account.
        account: &'a AccountName,
        /// The secret.
        secret: &'a SecretName,
    },
    /// A tenant stopped as a whole.
    TenantStopped {
        /// The tenant.
        tenant: &'a str,
        /// Why.
        why: Block,
    },
    /// A tenant that had stopped goes on.
    TenantReleased {
        /// The tenant.
        tenant: &'a str,
        /// What is overdue of it.
        backlog: Backlog,
    },
    /// The vault could not tell an account's state.
    VaultUnreadable {
        /// The account.
        account: &'a AccountName,
        /// The secret.
        secret: &'a SecretName,
        /// What the vault said.
        error: &'a str,
    },
    /// The journal could not tell what began in the last day, which counts for what may begin now.
    PaceUnknown {
        /// What the journal said.
        error: &'a str,
    },
    /// The journal could not note an answer; the send counts as doubtful.
    JournalFailed {
        /// The account.
        account: &'a AccountName,
        /// What the journal said.
        error: &'a str,
    },
    /// Something that happened could not be added to the journal's chain of events. It happened all the same.
    NotRecorded {
        /// What: the event's name.
        what: &'a str,
        /// The account, when it is about one.
        account: Option<&'a AccountName>,
        /// What the journal said.
        error: &'a str,
    },
    /// Somebody has paused something; told once while it stays paused.
    Paused {
        /// What, until when, and because of whom.
        pause: &'a Paused,
    },
    /// A pause was taken back, or has ended.
    Resumed {
        /// What is not paused any more.
        target: &'a Target,
    },
    /// The journal could not tell what is paused; what was last known counts.
    PausesUnknown {
        /// What the journal said.
        error: &'a str,
    },
    /// The journal took over what the vault tells of accounts of which it knew nothing, as after it was lost.
    Rebuilt {
        /// How many accounts.
        accounts: usize,
    },
    /// The end of the journal's chain of events, against which a chain that was cut off shows.
    ChainEnd {
        /// The last row.
        head: &'a Head,
    },
    /// What a look showed of when passwords expire. It is told to whoever keeps watch over that, apart from all rotation.
    Expiries {
        /// The tenant.
        tenant: &'a str,
        /// The kind of account.
        kind: Kind,
        /// The gateway's time at the look.
        now: Timestamp,
        /// What was found.
        found: &'a [(&'a AccountName, Outlook)],
        /// Whether these are all accounts of the tenant and kind, so that others are gone.
        whole: bool,
    },
    /// A password is not replaced although its deadline has passed, or expires within a day.
    ExpiresSoon {
        /// The account.
        account: &'a AccountName,
        /// By when it should have been replaced.
        deadline: Timestamp,
        /// When it expires.
        expires_at: Timestamp,
    },
    /// A password has expired, as far as is known.
    Expired {
        /// The account.
        account: &'a AccountName,
        /// When it expired.
        expires_at: Timestamp,
    },
    /// Too many passwords expire to tell of each.
    ManyExpire {
        /// How many expire soon.
        soon: usize,
        /// How many have expired.
        expired: usize,
        /// The account whose password expires first.
        account: &'a AccountName,
        /// When that one expires.
        expires_at: Timestamp,
    },
    /// How many passwords expire, when that has changed: for whoever shows how things stand.
    Expiring {
        /// How many expire soon.
        soon: usize,
        /// How many have expired.
        expired: usize,
    },
    /// A person has every password replaced, in waves.
    EmergencyBegan {
        /// The emergency.
        emergency: &'a Emergency,
        /// Whether it goes on where it stopped before.
        again: bool,
        /// Accounts that are to be rotated.
        accounts: usize,
        /// The least that it takes, by the rates.
        takes: Duration,
    },
    /// A wave of an emergency has ended.
    EmergencyWave {
        /// The emergency.
        emergency: &'a Emergency,
        /// The wave.
        wave: &'a Wave,
        /// Accounts that no wave of this run has had yet.
        left: usize,
        /// How long they will take, by the rates and by what this wave took.
        takes: Duration,
    },
    /// An emergency stopped before everybody had a new password.
    EmergencyHalted {
        /// The emergency.
        emergency: &'a Emergency,
        /// Why.
        why: Halt,
        /// Accounts with a new password.
        rotated: usize,
        /// Accounts of this run that failed.
        failed: usize,
        /// Accounts without a new password that had no turn in this run.
        left: usize,
    },
    /// Everybody has a password that is newer than the emergency.
    EmergencyEnded {
        /// The emergency.
        emergency: &'a Emergency,
        /// Accounts with a new password.
        rotated: usize,
    },
    /// Everything that was due is done; this comes next.
    Next {
        /// Accounts under management.
        accounts: usize,
        /// When, in wall time; none when nothing will be due by itself.
        at: Option<Timestamp>,
        /// Which account.
        account: Option<&'a AccountName>,
        /// Why then.
        reason: Option<Reason>,
    },
}
