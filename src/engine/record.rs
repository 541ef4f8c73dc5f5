//! What is told, and what of it the journal keeps.
//!
//! There is one set of calls: whatever happens is a [`Fact`], and `row` says which facts are steps of a rotation, and so
//! become rows of the journal's chain. A step is told first and then written, and the next one is taken when the row is on
//! the disk: rows are in the order of the steps, and a process that is killed loses at most the row of the step at which it
//! stood. A queue behind the engine's back would lose whatever it held. A journal that cannot be written stops nothing: that
//! is told too, and the rotation goes on.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::survey::Surveyed;
use super::world::World;
use crate::domain::account::AccountName;
use crate::domain::audit::{Beginning, Entry, What};
use crate::domain::cause::Cause;
use crate::domain::emergency::Emergency;
use crate::domain::rotation::Goal;
use crate::domain::secret::SecretName;
use crate::ports::journal::JournalError;
use crate::ports::observer::{Backlog, Fact};

/// What this process recorded last, so that what only goes on is not recorded again and again.
#[derive(Debug, Default)]
pub struct Recorded {
    /// By account or tenant: what was said of it since its last step.
    standing: Mutex<HashMap<String, HashSet<String>>>,
}

impl Recorded {
    fn knows(&self, row: &Row<'_>, cause: &Cause) -> bool {
        let standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        row.goes_on && standing.get(&row.about()).is_some_and(|said| said.contains(&row.said(cause)))
    }

    /// A step makes what was said before it worth saying again.
    fn learn(&self, row: &Row<'_>, cause: &Cause) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if row.goes_on {
            standing.entry(row.about()).or_default().insert(row.said(cause));
        } else {
            standing.remove(&row.about());
        }
    }
}

/// A fact that the journal keeps.
struct Row<'a> {
    what: What,
    tenant: &'a str,
    account: Option<&'a AccountName>,
    secret: Option<&'a SecretName>,
    detail: Value,
    /// Whether it tells how things stand, and may be told again while they stand so, rather than a step.
    goes_on: bool,
}

impl<'a> Row<'a> {
    fn step(what: What, account: &'a AccountName, secret: &'a SecretName, detail: Value) -> Self {
        let tenant = account.tenant.as_str();
        Self { what, tenant, account: Some(account), secret: Some(secret), detail, goes_on: false }
    }

    fn standing(what: What, account: &'a AccountName, secret: &'a SecretName, detail: Value) -> Self {
        Self { goes_on: true, ..Self::step(what, account, secret, detail) }
    }

    /// How things stand with an account, whichever secret it has.
    fn of_account(what: What, account: &'a AccountName, detail: Value) -> Self {
        Self { what, tenant: &account.tenant, account: Some(account), secret: None, detail, goes_on: true }
    }

    const fn of_tenant(what: What, tenant: &'a str, detail: Value, goes_on: bool) -> Self {
        Self { what, tenant, account: None, secret: None, detail, goes_on }
    }

    fn entry(&self, at: Timestamp, gateway: Option<Timestamp>, cause: &Cause) -> Entry {
        Entry {
            at,
            gateway,
            account: self.account.cloned(),
            secret: self.secret.cloned(),
            what: self.what,
            detail: self.detail.as_object().cloned().unwrap_or_default(),
            cause: cause.clone(),
        }
    }

    const fn of_all(what: What, detail: Value) -> Self {
        Self::of_tenant(what, "", detail, false)
    }

    fn about(&self) -> String {
        self.account.map_or_else(|| self.tenant.to_owned(), ToString::to_string)
    }

    fn said(&self, cause: &Cause) -> String {
        // A time in it (until when) changes with every try, and says nothing new by itself.
        let mut detail = self.detail.clone();
        if let Some(detail) = detail.as_object_mut() {
            detail.remove("until");
        }
        format!("{} {detail} {cause:?}", self.what)
    }
}

/// Which row a fact becomes; none when it is only told. The names are those of the log.
fn row<'a>(fact: &Fact<'a>) -> Option<Row<'a>> {
    Some(match *fact {
        Fact::Began { account, secret, subject, goal, due } => {
            let goal = match goal {
                Goal::Rotate => "rotate",
                Goal::Finish => "finish",
                Goal::Rollback => "rollback",
            };
            let mut detail = due.map(|due| Beginning::detail(due.policy, due.why, due.terms)).unwrap_or_default();
            detail.extend([("goal".to_owned(), goal.into()), ("account_id".to_owned(), json!(subject.id))]);
            Row::standing(Beginning::WHAT, account, secret, detail.into())
        }
        Fact::Staged { account, secret, token, candidate, repeats, superseding } => {
            let what = if superseding { What::Superseded } else { What::Staged };
            let mut detail = json!({ "token": token, "candidate": candidate });
            if let (Some(detail), Some(repeats)) = (detail.as_object_mut(), repeats) {
                detail.insert("repeats".to_owned(), json!(repeats));
            }
            Row::step(what, account, secret, detail)
        }
        Fact::Sending { account, secret, candidate } => {
            Row::step(What::Sending, account, secret, json!({ "candidate": candidate }))
        }
        Fact::Answered { account, secret, candidate, answer } => {
            Row::step(What::Answered, account, secret, json!({ "candidate": candidate, "answer": answer.label() }))
        }
        Fact::Waits { account, secret, why, until, detail } => {
            let detail = json!({ "waits_for": why.label(), "until": until, "said": detail });
            Row::standing(What::Waiting, account, secret, detail)
        }
        Fact::OnlyCopy { account, secret } => Row::standing(What::OnlyCopy, account, secret, json!({})),
        Fact::Rotated { account, secret, token, elsewhere } => {
            let what = if elsewhere { What::RotatedElsewhere } else { What::Rotated };
            Row::step(what, account, secret, json!({ "token": token }))
        }
        Fact::Unfinished { account, secret, why } => {
            Row::standing(What::Unfinished, account, secret, json!({ "reason": why }))
        }
        Fact::Failed { account, secret, why } => Row::standing(What::Failed, account, secret, json!({ "reason": why })),
        Fact::Frozen { account, secret, why } => {
            Row::standing(What::Frozen, account, secret, json!({ "reason": why.label() }))
        }
        Fact::RollbackStopped { account, secret, why } => {
            Row::standing(What::RollbackStopped, account, secret, json!({ "reason": why.label() }))
        }
        Fact::Held { account, secret } => Row::standing(What::Held, account, secret, json!({})),
        Fact::TenantStopped { .. }
        | Fact::TenantReleased { .. }
        | Fact::ExpirationChanged { .. }
        | Fact::SettingEnforced { .. }
        | Fact::SettingNotEnforced { .. } => return row_of_tenant(fact),
        Fact::EmergencyBegan { emergency, again, accounts, .. } => {
            let what = if again { What::EmergencyResumed } else { What::EmergencyBegan };
            Row::of_all(what, of_emergency(emergency, json!({ "accounts": accounts })))
        }
        Fact::EmergencyWave { emergency, wave, left, .. } => {
            Row::of_all(What::EmergencyWave, of_emergency(emergency, json!({ "wave": wave, "left": left })))
        }
        Fact::EmergencyHalted { emergency, why, rotated, failed, left } => {
            let detail = json!({ "reason": why.label(), "rotated": rotated, "failed": failed, "left": left });
            Row::of_all(What::EmergencyHalted, of_emergency(emergency, detail))
        }
        Fact::EmergencyEnded { emergency, rotated } => {
            Row::of_all(What::EmergencyEnded, of_emergency(emergency, json!({ "rotated": rotated })))
        }
        Fact::ExpiresSoon { account, deadline, expires_at } => {
            Row::of_account(What::ExpiresSoon, account, json!({ "deadline": deadline, "expires_at": expires_at }))
        }
        Fact::Expired { account, expires_at } => {
            Row::of_account(What::Expired, account, json!({ "expires_at": expires_at }))
        }
        // What was looked at, what comes next, and the journal's own troubles are for the log. Whoever pauses has recorded it.
        Fact::Discovered { .. }
        | Fact::NotDiscovered { .. }
        | Fact::SettingRead { .. }
        | Fact::SettingUnknown { .. }
        | Fact::Drift { .. }
        | Fact::Conflict { .. }
        | Fact::Skipped { .. }
        | Fact::WindowOverridden { .. }
        | Fact::VaultUnreadable { .. }
        | Fact::JournalFailed { .. }
        | Fact::PaceUnknown { .. }
        | Fact::NotRecorded { .. }
        | Fact::Paused { .. }
        | Fact::Resumed { .. }
        | Fact::PausesUnknown { .. }
        | Fact::Rebuilt { .. }
        | Fact::ChainEnd { .. }
        | Fact::Expiries { .. }
        | Fact::ManyExpire { .. }
        | Fact::Expiring { .. }
        | Fact::Next { .. } => return None,
    })
}

/// The row of a fact for whoever tells it beside the engine; none when no journal keeps it.
pub(super) fn entry(fact: &Fact<'_>, at: Timestamp, cause: &Cause) -> Option<Entry> {
    row(fact).map(|row| row.entry(at, None, cause))
}

/// What is said of an emergency beside which one it is.
fn of_emergency(emergency: &Emergency, more: Value) -> Value {
    let mut detail = json!({ "emergency": emergency });
    if let (Some(detail), Value::Object(more)) = (detail.as_object_mut(), more) {
        detail.extend(more);
    }
    detail
}

/// The rows about a tenant as a whole.
fn row_of_tenant<'a>(fact: &Fact<'a>) -> Option<Row<'a>> {
    Some(match *fact {
        Fact::TenantStopped { tenant, why } => {
            Row::of_tenant(What::TenantStopped, tenant, json!({ "tenant": tenant, "reason": why.label() }), false)
        }
        Fact::TenantReleased { tenant, backlog: Backlog { overdue, until } } => {
            let detail = json!({ "tenant": tenant, "overdue": overdue, "until": until });
            Row::of_tenant(What::TenantReleased, tenant, detail, false)
        }
        Fact::ExpirationChanged { tenant, kind, from, to, accounts, backlog: Backlog { overdue, until } } => {
            let detail = json!({
                "tenant": tenant, "kind": kind, "from": from, "to": to,
                "accounts": accounts, "overdue": overdue, "until": until,
            });
            Row::of_tenant(What::ExpirationChanged, tenant, detail, false)
        }
        Fact::SettingEnforced { tenant, setting, from, to } => {
            let detail = json!({ "tenant": tenant, "setting": setting, "from": from, "to": to });
            Row::of_tenant(What::SettingEnforced, tenant, detail, false)
        }
        Fact::SettingNotEnforced { tenant, setting, error } => {
            let detail = json!({ "tenant": tenant, "setting": setting, "reason": error.to_string() });
            Row::of_tenant(What::SettingNotEnforced, tenant, detail, true)
        }
        _ => return None,
    })
}

impl World {
    /// Tells a fact that no journal keeps.
    pub(super) fn note(&self, fact: &Fact<'_>) {
        debug_assert!(row(fact).is_none(), "a step must be recorded: {fact:?}");
        self.observer.note(fact);
    }

    /// Tells a fact, and returns when the journal keeps it or could not.
    pub(super) async fn record(&self, cause: &Cause, fact: &Fact<'_>) {
        self.observer.note(fact);
        let Some(row) = row(fact) else { return };
        if self.recorded.knows(&row, cause) {
            return;
        }
        if let Err(error) = self.write(cause, &row).await {
            self.not_recorded(row.what.label(), row.account, &error);
        }
    }

    /// What a person asks for is recorded before it is done, and told when it is recorded.
    pub(super) async fn record_first(&self, cause: &Cause, fact: &Fact<'_>) -> Result<(), JournalError> {
        if let Some(row) = row(fact) {
            self.write(cause, &row).await?;
        }
        self.observer.note(fact);
        Ok(())
    }

    async fn write(&self, cause: &Cause, row: &Row<'_>) -> Result<(), JournalError> {
        let clock = row.account.and_then(|account| self.tenants.get(&account.tenant)?.providers.get(&account.kind));
        let entry = row.entry(self.clock.wall(), clock.and_then(|provider| provider.clock().stamp()), cause);
        self.journal.append(vec![entry]).await?;
        self.recorded.learn(row, cause);
        Ok(())
    }

    /// Tells where the chain of events ends now.
    pub async fn tell_chain_end(&self) {
        match self.journal.head().await {
            Ok(head) => self.note(&Fact::ChainEnd { head: &head }),
            Err(error) => self.not_recorded("chain-end", None, &error),
        }
    }

    /// Takes over what the vault tells of accounts that the journal knows nothing of: after the journal was lost, that is
    /// every account that was ever rotated.
    pub(super) async fn rebuild_history(&self, surveyed: &[Surveyed]) {
        let at = self.clock.wall();
        let found = surveyed.iter().filter_map(|surveyed| {
            let (managed, status) = (&surveyed.managed, surveyed.status.as_ref().ok()?);
            let detail = json!({ "last_changed": status.last_changed?, "unfinished": status.unfinished });
            Some(Entry {
                at,
                gateway: None,
                account: Some(managed.name.clone()),
                secret: Some(managed.secret.clone()),
                what: What::Found,
                detail: detail.as_object().cloned().unwrap_or_default(),
                cause: Cause::STARTUP,
            })
        });
        match self.journal.introduce(found.collect()).await {
            Ok(0) => {}
            Ok(accounts) => self.note(&Fact::Rebuilt { accounts }),
            Err(error) => self.not_recorded(What::Found.label(), None, &error),
        }
    }

    fn not_recorded(&self, what: &str, account: Option<&AccountName>, error: &JournalError) {
        self.note(&Fact::NotRecorded { what, account, error: &error.to_string() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::Kind;
    use crate::domain::rotation::Waiting;
    use crate::domain::token::Token;

    #[test]
    fn how_things_stand_is_recorded_once_until_the_next_step_or_another_cause() {
        let account = AccountName { tenant: "main".to_owned(), kind: Kind::SubAccount, name: "svc".to_owned() };
        let other = AccountName { name: "other".to_owned(), ..account.clone() };
        let secret: SecretName = "a/secret".parse().unwrap();
        let waits = |account, why, second| {
            let until = Timestamp::from_second(second).unwrap();
            row(&Fact::Waits { account, secret: &secret, why, until, detail: None }).unwrap()
        };
        let sending = Fact::Sending { account: &account, secret: &secret, candidate: Token::placeholder() };
        let recorded = Recorded::default();
        let is_news = |row: &Row<'_>, cause| {
            let news = !recorded.knows(row, cause);
            recorded.learn(row, cause);
            news
        };
        let plan = &Cause::SCHEDULE;
        assert!(is_news(&waits(&account, Waiting::Fence, 1), plan));
        assert!(!is_news(&waits(&account, Waiting::Fence, 2), plan), "only the time is another");
        assert!(is_news(&waits(&account, Waiting::Rate, 2), plan));
        assert!(is_news(&waits(&account, Waiting::Rate, 2), &Cause::RESUME));
        assert!(is_news(&waits(&other, Waiting::Rate, 2), plan));
        assert!(is_news(&row(&sending).unwrap(), plan) && is_news(&row(&sending).unwrap(), plan));
        assert!(is_news(&waits(&account, Waiting::Rate, 2), plan));
        assert!(!is_news(&waits(&other, Waiting::Rate, 2), plan));
    }
}
