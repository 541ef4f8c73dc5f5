//! The survey: what the vault says of each account, and what is due because of it.

use futures::StreamExt;
use jiff::Timestamp;

use super::accounts::Managed;
use super::world::World;
use crate::domain::due::{Due, due};
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
    /// When it is due; none when its secret could not be read.
    pub due: Option<Due>,
}

impl Surveyed {
    /// When the password expires; none when it is unknown or never.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        let changed = self.status.as_ref().ok()?.last_changed?;
        self.managed.expires_at(changed)
    }
}

impl World {
    /// Looks every account up in its vault and calculates when it is due. The order is that of `accounts`.
    pub async fn survey(&self, accounts: Vec<Managed>) -> Vec<Surveyed> {
        let statuses = self.statuses(&accounts).await;
        let looks = accounts.into_iter().zip(statuses).map(|(managed, status)| self.look_up(managed, status));
        futures::stream::iter(looks).buffered(AT_ONCE).collect().await
    }

    /// Each vault is asked once for all of its secrets, and all vaults at the same time.
    async fn statuses(&self, accounts: &[Managed]) -> Vec<Result<Status, VaultError>> {
        let unknown = || Err(VaultError::Unavailable("the vault is not wired".to_owned()));
        let mut statuses: Vec<_> = accounts.iter().map(|_| unknown()).collect();
        let asked = self.vaults.iter().map(|(name, vault)| async move {
            let mine = accounts.iter().enumerate().filter(|(_, managed)| managed.managing.rule.vault == *name);
            let (indexes, places): (Vec<_>, Vec<_>) =
                mine.map(|(index, m)| (index, Place { secret: &m.secret, subject: &m.subject })).unzip();
            indexes.into_iter().zip(vault.statuses(&places).await).collect::<Vec<_>>()
        });
        for (index, status) in futures::future::join_all(asked).await.into_iter().flatten() {
            if let Some(place) = statuses.get_mut(index) {
                *place = status;
            }
        }
        statuses
    }

    async fn look_up(&self, managed: Managed, status: Result<Status, VaultError>) -> Surveyed {
        if let Err(error) = &status {
            let error = error.to_string();
            self.note(&Fact::VaultUnreadable { account: &managed.name, secret: &managed.secret, error: &error });
        }
        let now = self.clock.wall();
        let due = match &status {
            Ok(Status { last_changed, unfinished }) => {
                let first_seen = match last_changed {
                    Some(_) => now,
                    None => self.first_seen(&managed, now).await,
                };
                Some(due(now, &managed.facts(*last_changed, first_seen, *unfinished)))
            }
            Err(_) => None,
        };
        Surveyed { managed, status, due }
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
