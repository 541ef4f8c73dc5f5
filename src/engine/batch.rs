//! Many rotations at once, and the choice of accounts by the names that people give.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;

use super::accounts::{Discovery, Managed};
use super::drive::{Ended, Order, Parked, Patience, Start, take_turn};
use super::report::{Outcomes, Report, vault_exit};
use super::survey::Surveyed;
use super::world::World;
use crate::domain::account::{AccountName, Standing};
use crate::domain::cause::Cause;
use crate::domain::rotation::Goal;
use crate::ports::observer::{DueBy, Fact};

/// Rotations that are under way at once.
pub(super) const AT_ONCE: NonZeroUsize = NonZeroUsize::new(16).unwrap();

/// A name that does not choose exactly one account.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing answers to it.
    #[error(
        "no account or secret is called {name:?}; it is matched by no rule of this configuration, or the provider does not \
         list it (`accounts` shows those that are){}", near(.similar)
    )]
    Unknown {
        /// The name.
        name: String,
        /// Names that look alike.
        similar: Vec<String>,
    },
    /// Several accounts answer to it.
    #[error("{name:?} is ambiguous; say which: {}", .candidates.join(", "))]
    Ambiguous {
        /// The name.
        name: String,
        /// Their full names.
        candidates: Vec<String>,
    },
}

fn near(similar: &[String]) -> String {
    if similar.is_empty() { String::new() } else { format!("; did you mean {}?", similar.join(" or ")) }
}

/// The accounts chosen for a turn: those to rotate and those left alone.
pub struct Chosen {
    /// To rotate.
    pub active: Vec<Managed>,
    /// Left alone, with the reason.
    pub skipped: Vec<(Managed, Standing)>,
}

/// Chooses by login id or Data Forest name, by `tenant/kind/name`, or by the name of the secret. No names choose all.
pub fn choose(discovery: Discovery, names: &[String]) -> Result<Chosen, BadName> {
    let Discovery { managed, skipped, .. } = discovery;
    if names.is_empty() {
        return Ok(Chosen { active: managed, skipped });
    }
    let everyone = || managed.iter().chain(skipped.iter().map(|(managed, _)| managed));
    let mut wanted: Vec<AccountName> = Vec::new();
    for name in names {
        let chosen = choose_one(name, everyone().map(|m| (&m.name, m.secret.as_str())))?;
        if !wanted.contains(&chosen) {
            wanted.push(chosen);
        }
    }
    Ok(Chosen {
        active: managed.into_iter().filter(|managed| wanted.contains(&managed.name)).collect(),
        skipped: skipped.into_iter().filter(|(managed, _)| wanted.contains(&managed.name)).collect(),
    })
}

/// The one account that answers to a name, among accounts and their secrets' names.
pub fn choose_one<'a>(
    name: &str,
    among: impl Iterator<Item = (&'a AccountName, &'a str)> + Clone,
) -> Result<AccountName, BadName> {
    let answers = |(account, secret): &(&AccountName, &str)| {
        account.name == name || *secret == name || account.to_string() == name
    };
    let candidates: Vec<&AccountName> = among.clone().filter(answers).map(|(account, _)| account).collect();
    match candidates.as_slice() {
        [one] => Ok((*one).clone()),
        [] => {
            let lower = name.to_lowercase();
            let similar = among.map(|(account, _)| account).filter(|account| {
                let other = account.name.to_lowercase();
                !lower.is_empty() && (other.contains(&lower) || lower.contains(&other))
            });
            Err(BadName::Unknown { name: name.to_owned(), similar: similar.take(3).map(ToString::to_string).collect() })
        }
        several => Err(BadName::Ambiguous {
            name: name.to_owned(),
            candidates: several.iter().map(ToString::to_string).collect(),
        }),
    }
}

/// How long so many accounts take by their tenants' rates alone.
#[must_use]
pub fn pacing(accounts: &[Managed]) -> Duration {
    let of_tenant = |tenant: &str| {
        let mut accounts = accounts.iter().filter(|managed| managed.name.tenant == *tenant).peekable();
        let period = accounts.peek().map_or(Duration::ZERO, |managed| managed.tenant.limit.period());
        period.saturating_mul(u32::try_from(accounts.count()).unwrap_or(u32::MAX))
    };
    accounts.iter().map(|managed| of_tenant(&managed.name.tenant)).max().unwrap_or_default()
}

impl World {
    /// Rotates every given account now, as far as its goal goes, and reports in the order in which they ended. `each` hears of every report as it
    /// comes.
    pub async fn rotate(
        self: &Arc<Self>,
        accounts: Vec<(Managed, Order)>,
        patience: &Patience,
        each: impl Fn(&Report),
    ) -> Vec<Report> {
        futures::stream::iter(accounts)
            .map(|(managed, order)| self.rotate_one(managed, order, patience))
            .buffer_unordered(AT_ONCE.get())
            .inspect(each)
            .collect()
            .await
    }

    async fn rotate_one(&self, managed: Managed, order: Order, patience: &Patience) -> Report {
        let (account, secret) = (managed.name.clone(), managed.secret.clone());
        if patience.shutdown.is_cancelled() {
            return Report { account, secret: Some(secret), result: Outcomes::Interrupted { pending: false } };
        }
        match self.under_pauses(&managed, order).await {
            Ok(order) => self.turn(&managed, (Start::Afresh(order), None), patience).await.0,
            Err(paused) => Report { account, secret: Some(secret), result: Outcomes::paused(&paused) },
        }
    }

    /// Drives one account's rotation, and tells how it began, why if it is `due`, and how it ended; beside it, what to go on
    /// from.
    pub(super) async fn turn(
        &self,
        managed: &Managed,
        (start, due): (Start, Option<DueBy<'_>>),
        patience: &Patience,
    ) -> (Report, Option<Box<Parked>>) {
        let (goal, cause) = (start.goal(), start.cause().clone());
        let (account, secret, subject) = (&managed.name, &managed.secret, &managed.subject);
        if let Some(DueBy { why, expires_at, .. }) = due.filter(|due| due.why.slot.is_forced()) {
            self.note(&Fact::WindowOverridden { account, secret, slot: why.slot, expires_at });
        }
        self.record(&cause, &Fact::Began { account, secret, subject, goal, due }).await;
        let (ended, parked) = take_turn(self, managed, start, patience).await;
        (self.report(managed, goal, &cause, ended).await, parked)
    }

    /// Reports how a turn ended, and tells of what is unfinished or failed.
    pub(super) async fn report(&self, managed: &Managed, goal: Goal, cause: &Cause, ended: Ended) -> Report {
        let (account, secret) = (&managed.name, &managed.secret);
        let result = Outcomes::of(goal, ended);
        match &result {
            Outcomes::Unfinished { reason: why, .. } => {
                self.record(cause, &Fact::Unfinished { account, secret, why }).await;
            }
            Outcomes::Failed { reason: why, .. } => self.record(cause, &Fact::Failed { account, secret, why }).await,
            _ => {}
        }
        Report { account: account.clone(), secret: Some(secret.clone()), result }
    }
}

/// What a turn would do with an account, without doing it.
#[must_use]
pub fn planned(surveyed: &Surveyed) -> Report {
    let result = match &surveyed.status {
        Ok(status) => Outcomes::Planned { finishes: status.unfinished },
        Err(error) => Outcomes::Failed { reason: error.to_string(), exit: vault_exit(error) },
    };
    Report { account: surveyed.managed.name.clone(), secret: Some(surveyed.managed.secret.clone()), result }
}
