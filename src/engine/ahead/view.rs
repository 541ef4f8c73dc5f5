//! The look that plans and explanations rest on: lists, secrets, and what was first seen when.

use std::collections::{BTreeMap, HashMap};

use futures::StreamExt;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::account::{AccountName, Standing};
use crate::domain::audit::Beginning;
use crate::domain::plan::{Candidate, DAY, Limits, Pace};
use crate::domain::rotation::State;
use crate::domain::rule::Conflict;
use crate::engine::accounts::{Discovery, Failure, Listed, Managed};
use crate::engine::batch::{BadName, choose_one};
use crate::engine::status::{Inspected, Presence};
use crate::engine::survey::Surveyed;
use crate::engine::world::World;
use crate::ports::observer::Fact;
use crate::ports::vault::VaultError;

/// Secrets that are looked into at once.
const AT_ONCE: usize = 16;

/// A name that does not choose one account, and what could not be listed, among which it may be.
#[derive(Debug)]
pub struct NotFound {
    /// What is wrong with the name.
    pub name: BadName,
    /// What could not be listed.
    pub failures: Vec<Failure>,
}

/// A kind of account that could not be listed.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Unlisted {
    /// The tenant.
    pub tenant: String,
    /// The kind.
    pub kind: String,
    /// Why, and the remedy.
    pub error: String,
}

/// What one look showed.
pub(super) struct View {
    /// The lists as they came.
    pub(super) lists: Vec<Listed>,
    /// What began in the last day, as the journal tells.
    pub(super) begun: Vec<Beginning>,
    /// Accounts that a rule owns, whether the provider lists them or a vault alone tells of them.
    pub(super) accounts: Vec<(Surveyed, Presence)>,
    /// Unfinished rotations that need an operator: nothing of theirs goes on by itself.
    pub(super) stuck: HashMap<AccountName, State>,
    /// What could not be listed.
    pub(super) failures: Vec<Failure>,
    /// Vaults that could not be looked into for accounts that were not listed, by name.
    pub(super) vaults: BTreeMap<String, VaultError>,
    /// Rules and accounts that do not fit together.
    pub(super) conflicts: Vec<Conflict>,
    /// The time from which everything is planned: the gateways', as far as they were heard.
    pub(super) now: Timestamp,
}

impl World {
    /// Looks at everything. While a kind of account cannot be listed, the vaults tell of its accounts.
    pub(super) async fn view(&self) -> View {
        let (lists, failures) = self.list_all().await;
        let Discovery { managed, skipped, conflicts, .. } = self.matched(&lists.iter().collect::<Vec<_>>());
        let listed = managed.into_iter().chain(skipped.into_iter().map(|(managed, _)| managed));
        let mut found: Vec<(Managed, Presence)> = listed.map(|managed| (managed, Presence::Listed)).collect();
        let vaults = if failures.is_empty() { BTreeMap::new() } else { self.add_unlisted(&mut found, &failures).await };
        found.retain(|(_, presence)| *presence != Presence::Gone);
        let now = found.iter().filter_map(|(managed, _)| managed.now()).max().unwrap_or_else(|| self.clock.wall());
        let (accounts, presences): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let surveyed = self.survey(accounts).await.into_iter().zip(presences);
        let looks = surveyed.map(|(surveyed, presence)| self.look_closer(surveyed, presence, &failures));
        let looked: Vec<_> = futures::stream::iter(looks).buffered(AT_ONCE).collect().await;
        let (mut accounts, mut stuck) = (Vec::new(), HashMap::new());
        for (surveyed, presence, state) in looked {
            stuck.extend(state.map(|state| (surveyed.managed.name.clone(), state)));
            accounts.push((surveyed, presence));
        }
        let begun = self.begun_since(now.checked_sub(DAY).unwrap_or(Timestamp::MIN)).await;
        View { lists, begun, accounts, stuck, failures, vaults, conflicts, now }
    }
}

impl World {
    /// Looks into the secret of an account whose rotation is unfinished: whether an operator is needed.
    async fn look_closer(
        &self,
        surveyed: Surveyed,
        presence: Presence,
        failures: &[Failure],
    ) -> (Surveyed, Presence, Option<State>) {
        if !surveyed.status.as_ref().is_ok_and(|status| status.unfinished) {
            return (surveyed, presence, None);
        }
        let Inspected { surveyed, presence, state, .. } = self.inspect_one(surveyed, presence, failures).await;
        let is_stuck = matches!(state, State::Held | State::Frozen(_) | State::RollbackStopped(_));
        (surveyed, presence, is_stuck.then_some(state))
    }

    /// What counts for caps and rates; nothing when the journal cannot tell, which is told.
    async fn begun_since(&self, since: Timestamp) -> Vec<Beginning> {
        self.journal.beginnings(since).await.unwrap_or_else(|error| {
            self.note(&Fact::PaceUnknown { error: &error.to_string() });
            Vec::new()
        })
    }
}

impl View {
    /// The pace as what has begun leaves it.
    pub(super) fn pace(&self, limits: Limits) -> Pace {
        let mut pace = Pace::new(limits);
        self.begun.iter().for_each(|begun| begun.count(&mut pace, begun.at));
        pace
    }

    /// The accounts that the daemon rotates by itself, as the planner is given them.
    pub(super) fn candidates(&self) -> Vec<Candidate<'_>> {
        let in_use = self.accounts.iter().filter(|(surveyed, _)| surveyed.managed.account.standing == Standing::Active);
        let goes_on = in_use.filter(|(surveyed, _)| !self.stuck.contains_key(&surveyed.managed.name));
        goes_on.filter_map(|(surveyed, _)| candidate(surveyed)).collect()
    }

    /// The accounts that answer to names, and belong to a tenant if one is named; no names choose all.
    pub(super) fn chosen(&self, names: &[String], tenant: Option<&str>) -> Result<Vec<&Surveyed>, NotFound> {
        let of_tenant = |name: &AccountName| tenant.is_none_or(|tenant| name.tenant == tenant);
        let all = || self.accounts.iter().map(|(surveyed, _)| surveyed).filter(|one| of_tenant(&one.managed.name));
        if names.is_empty() {
            return Ok(all().collect());
        }
        let among = || all().map(|surveyed| (&surveyed.managed.name, surveyed.managed.secret.as_str()));
        let wanted = names.iter().map(|name| choose_one(name, among())).collect::<Result<Vec<_>, _>>();
        let wanted = wanted.map_err(|name| NotFound { name, failures: self.failures.clone() })?;
        Ok(all().filter(|surveyed| wanted.contains(&surveyed.managed.name)).collect())
    }

    /// What could not be listed, for a report.
    pub(super) fn unlisted(&self) -> Vec<Unlisted> {
        let unlisted = |Failure { tenant, kind, error }: &Failure| Unlisted {
            tenant: tenant.clone(),
            kind: kind.to_string(),
            error: error.to_string(),
        };
        self.failures.iter().map(unlisted).collect()
    }
}

fn candidate(surveyed: &Surveyed) -> Option<Candidate<'_>> {
    let managed = &surveyed.managed;
    Some(Candidate { account: &managed.name, vault: &managed.managing.rule.vault, facts: surveyed.facts()? })
}
