//! Where every account stands, changing nothing: for people who want to know what a rotation waits for.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};

use super::accounts::{Discovery, Failure, Managed};
use super::drive::block_of;
use super::survey::Surveyed;
use super::unlisted::Kept;
use super::world::World;
use crate::domain::account::Standing;
use crate::domain::rotation::snapshot::Snapshot;
use crate::domain::rotation::state::Look;
use crate::domain::rotation::{Block, Goal, Heard, Insistence, Plan, State};
use crate::domain::rule::Conflict;
use crate::ports::clock::GatewayClock;
use crate::ports::vault::{Place, VaultError};

/// Secrets that are looked into at once.
const AT_ONCE: usize = 16;

/// Everything that one look showed.
pub struct Inspection {
    /// Every account that the provider lists and a rule owns, and those of which only a vault tells: all of them while the
    /// provider cannot be asked, else those with an unfinished rotation.
    pub accounts: Vec<Inspected>,
    /// What could not be listed at the provider.
    pub failures: Vec<Failure>,
    /// Vaults that could not be looked into for accounts that were not listed, by name.
    pub vaults: BTreeMap<String, VaultError>,
    /// Rules and accounts that do not fit together.
    pub conflicts: Vec<Conflict>,
}

/// One account.
pub struct Inspected {
    /// The account, and when it is due.
    pub surveyed: Surveyed,
    /// What the provider says of it.
    pub presence: Presence,
    /// Where its rotation stands.
    pub state: State,
    /// Since when it is unfinished or frozen, where the vault tells; none when it is idle.
    pub since: Option<Timestamp>,
}

/// What the provider says of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is listed.
    Listed,
    /// It is not, although its kind of account could be listed.
    Gone,
    /// Its kind of account could not be listed.
    Unknown,
}

impl Inspected {
    /// Why no turn is taken although a rotation is unfinished: the account is not in use (rule 12). None when it is, or when
    /// nothing is unfinished.
    #[must_use]
    pub fn waits_for_account(&self) -> Option<String> {
        if !matches!(self.state, State::Ready | State::Waits { .. }) {
            return None;
        }
        match (self.presence, &self.surveyed.managed.account.standing) {
            (Presence::Gone, _) => Some("the provider does not list the account".to_owned()),
            (Presence::Listed, standing) if *standing != Standing::Active => Some(format!("the account: {standing}")),
            (Presence::Listed | Presence::Unknown, _) => None,
        }
    }
}

impl World {
    /// Looks at every account, at the provider, in its vault and in the journal. Nothing is changed anywhere.
    pub async fn inspect(&self) -> Inspection {
        let Discovery { managed, skipped, conflicts, failures } = self.discover().await;
        let listed = managed.into_iter().chain(skipped.into_iter().map(|(managed, _)| managed));
        let mut found: Vec<(Managed, Presence)> = listed.map(|managed| (managed, Presence::Listed)).collect();
        let vaults = self.add_unlisted(&mut found, &failures).await;
        let (accounts, presences): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let surveyed = self.survey(accounts).await.into_iter().zip(presences);
        let looks = surveyed.map(|(surveyed, presence)| self.inspect_one(surveyed, presence, &failures));
        let looked = futures::stream::iter(looks).buffered(AT_ONCE);
        let told = |inspected: &Inspected| inspected.presence != Presence::Gone || inspected.state != State::Idle;
        let accounts = looked.filter(|inspected| std::future::ready(told(inspected))).collect().await;
        Inspection { accounts, failures, vaults, conflicts }
    }

    /// Adds the accounts of which only vaults tell; says which vaults could not be asked.
    pub(super) async fn add_unlisted(
        &self,
        found: &mut Vec<(Managed, Presence)>,
        failures: &[Failure],
    ) -> BTreeMap<String, VaultError> {
        let finding = self.kept(|_| true).await;
        let place = |managed: &Managed| (managed.managing.rule.vault.clone(), managed.secret.clone());
        let mut known: BTreeSet<_> = found.iter().map(|(managed, _)| place(managed)).collect();
        let is_known = |kept: &&Kept<'_>| known.contains(&(kept.managing.rule.vault.clone(), kept.secret.clone()));
        let unknown: Vec<&Kept<'_>> = finding.kept.iter().filter(|kept| !is_known(kept)).collect();
        // Made before they are polled: the compiler cannot tell that the closure may cross threads.
        let looks: Vec<_> = unknown.iter().map(|kept| kept.account()).collect();
        let accounts: Vec<_> = futures::stream::iter(looks).buffered(AT_ONCE).collect().await;
        let mut vaults = finding.failures;
        for (kept, account) in unknown.into_iter().zip(accounts) {
            match account {
                Ok(Some((managed, _))) if known.insert(place(&managed)) => {
                    let unheard = failures.iter().any(|failure| failure.is_of(&managed.managing.rule));
                    let presence = if unheard { Presence::Unknown } else { Presence::Gone };
                    found.push((managed, presence));
                }
                Ok(_) => {}
                // Nobody can tell whose it is.
                Err(error) => {
                    vaults.entry(kept.managing.rule.vault.clone()).or_insert(error);
                }
            }
        }
        vaults
    }

    pub(super) async fn inspect_one(&self, surveyed: Surveyed, presence: Presence, failures: &[Failure]) -> Inspected {
        let managed = &surveyed.managed;
        let (Some(provider), Some(vault)) =
            (managed.tenant.providers.get(&managed.subject.kind), self.vaults.get(&managed.managing.rule.vault))
        else {
            return Inspected { surveyed, presence, state: State::Idle, since: None };
        };
        let clock = provider.clock();
        let place = Place { secret: &managed.secret, subject: &managed.subject };
        let read = vault.peek(place, clock).await;
        let unfinished_since = read.as_ref().ok().and_then(Snapshot::unfinished_since);
        let plan = Plan {
            subject: managed.subject.clone(),
            gateway: managed.tenant.gateway,
            settle: vault.settle(),
            goal: Goal::Finish,
            maker: managed.managing.maker(),
            insists: Insistence::None,
        };
        let failure = failures.iter().find(|failure| failure.is_of(&managed.managing.rule));
        let look = Look {
            plan,
            now: clock.now(),
            gateway: failure.map_or_else(|| heard(clock), |failure| Err(block_of(&failure.error))),
            record: self.journal.record(&managed.subject).await.ok(),
            read: read.map_err(|error| error.trouble()),
        };
        let state = look.state();
        let since = unfinished_since.filter(|_| state != State::Idle);
        Inspected { surveyed, presence, state, since }
    }
}

/// The gateway's clock as it was heard while accounts were listed; a look at many thousand secrets takes longer than a
/// rotation would trust it.
fn heard(clock: &GatewayClock) -> Result<Heard, Option<Block>> {
    clock.skew().map(|skew| Heard { age: SignedDuration::ZERO, skew }).ok_or(None)
}
