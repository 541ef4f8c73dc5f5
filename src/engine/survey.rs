//! The survey: what the vault says of each account, and what is due because of it.

use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;

use super::accounts::Managed;
use super::drive::deadline::within;
use super::world::World;
use crate::domain::backoff::Attempts;
use crate::domain::due::{Due, Facts, due, due_after_pause};
use crate::domain::expiry::{Expiry, Outlook};
use crate::domain::schedule::pause::{Paused, Pauses};
use crate::ports::observer::Fact;
use crate::ports::vault::{Place, Status, VaultError};

/// Accounts whose first sight is looked up at once.
const AT_ONCE: usize = 16;

/// One account, and what is due.
pub struct Surveyed {
    /// The account.
    pub managed: Managed,
    /// What its secret says, or why it says nothing.
    pub status: Result<Status, VaultError>,
    /// When it is due, which is not before a pause that holds it ends; none when its secret could not be read.
    pub due: Option<Due>,
    /// When the account was first seen here. Of one that was rotated it says nothing: nothing is counted from it.
    pub first_seen: Timestamp,
    /// The pause that holds it.
    pub paused: Option<Paused>,
    /// The daemon's turns that failed in a row; none when the last one did not, or when nobody looked.
    pub attempts: Option<Attempts>,
}

impl Surveyed {
    /// An account whose password has just been changed. Its next turn will see whether a pause holds it.
    #[must_use]
    pub fn rotated(managed: Managed, now: Timestamp) -> Self {
        let due = Some(due(now, &managed.facts(Some(now), now, false, None)));
        let status = Ok(Status { last_changed: Some(now), unfinished: false });
        Self { managed, status, due, first_seen: now, paused: None, attempts: None }
    }

    /// What decides when it is due; none when its secret could not be read.
    #[must_use]
    pub fn facts(&self) -> Option<Facts<'_>> {
        let Status { last_changed, unfinished } = *self.status.as_ref().ok()?;
        let pause = self.paused.as_ref().map(Paused::pause);
        Some(self.managed.facts(last_changed, self.first_seen, unfinished, pause))
    }

    /// What it shows of the password's life. One that was never changed here lives as its policy assumes.
    #[must_use]
    pub fn outlook(&self) -> Outlook {
        let Some(facts) = self.facts() else { return Outlook::Unknown };
        match facts.dates().map(|dates| (dates.deadline, dates.expires_at)) {
            Some((Some(deadline), Some(expires_at))) => Outlook::Expires(Expiry { deadline, expires_at }),
            Some(_) | None => Outlook::Never,
        }
    }

    /// When the password expires; none when it is unknown or never.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        let changed = self.status.as_ref().ok()?.last_changed?;
        self.managed.expires_at(changed)
    }
}

/// How long a vault may take to tell of so many secrets.
fn longest(secrets: usize) -> Duration {
    Duration::from_secs(90).saturating_add(Duration::from_millis(100 * secrets as u64))
}

impl World {
    /// Looks one account up.
    pub async fn survey_one(&self, managed: Managed) -> Surveyed {
        let status = self.statuses(std::slice::from_ref(&managed)).await.pop();
        let nothing = || Err(VaultError::Unavailable("the vault said nothing".to_owned()));
        self.look_up(managed, status.unwrap_or_else(nothing), &*self.pauses().await).await
    }

    /// Looks every account up in its vault and calculates when it is due. The order is that of `accounts`.
    pub async fn survey(&self, accounts: Vec<Managed>) -> Vec<Surveyed> {
        let statuses = self.statuses(&accounts).await;
        // Asked for last, so that no pause is overlooked because the vault took its time.
        let pauses = self.pauses().await;
        // A journal that cannot tell has just been told of.
        let attempts = self.journal.attempts().await.unwrap_or_default();
        let looks = accounts.into_iter().zip(statuses).map(|(managed, status)| self.look_up(managed, status, &pauses));
        let mut surveyed: Vec<Surveyed> = futures::stream::iter(looks).buffered(AT_ONCE).collect().await;
        for one in &mut surveyed {
            one.attempts = attempts.get(&one.managed.subject).copied();
        }
        surveyed
    }

    /// Each vault is asked once for all of its secrets, and all vaults at the same time.
    async fn statuses(&self, accounts: &[Managed]) -> Vec<Result<Status, VaultError>> {
        let unknown = || Err(VaultError::Unavailable("the vault is not wired".to_owned()));
        let mut statuses: Vec<_> = accounts.iter().map(|_| unknown()).collect();
        let asked = self.vaults.iter().map(|(name, vault)| async move {
            let mine = accounts.iter().enumerate().filter(|(_, managed)| managed.managing.rule.vault == *name);
            let (indexes, places): (Vec<_>, Vec<_>) =
                mine.map(|(index, m)| (index, Place { secret: &m.secret, subject: &m.subject })).unzip();
            let late = || Err(VaultError::Unavailable("the vault did not answer in time".to_owned()));
            let asked = within(self.clock.as_ref(), longest(places.len()), vault.statuses(&places)).await;
            let told = asked.unwrap_or_else(|| places.iter().map(|_| late()).collect());
            indexes.into_iter().zip(told).collect::<Vec<_>>()
        });
        for (index, status) in futures::future::join_all(asked).await.into_iter().flatten() {
            if let Some(place) = statuses.get_mut(index) {
                *place = status;
            }
        }
        statuses
    }

    async fn look_up(&self, managed: Managed, status: Result<Status, VaultError>, known: &Pauses) -> Surveyed {
        if let Err(error) = &status {
            let error = error.to_string();
            self.note(&Fact::VaultUnreadable { account: &managed.name, secret: &managed.secret, error: &error });
        }
        let now = managed.now().unwrap_or_else(|| self.clock.wall());
        let first_seen = match &status {
            Ok(Status { last_changed: None, .. }) => self.first_seen(&managed, now).await,
            Ok(_) | Err(_) => now,
        };
        let paused = managed.held(known).cloned();
        let mut surveyed = Surveyed { managed, status, due: None, first_seen, paused, attempts: None };
        surveyed.due = surveyed.facts().map(|facts| due_after_pause(now, &facts));
        surveyed
    }

    /// When the account was first seen here; a journal that cannot tell is said so, and counts from now.
    async fn first_seen(&self, managed: &Managed, now: Timestamp) -> Timestamp {
        match self.journal.first_seen(&managed.subject, now).await {
            Ok(first_seen) => first_seen,
            Err(error) => {
                self.note(&Fact::JournalFailed { account: &managed.name, error: &error.to_string() });
                now
            }
        }
    }
}
