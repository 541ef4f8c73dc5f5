//! The plan of the coming months, from a look at how things are now.

use std::collections::{BTreeMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::explain::by_state;
use super::view::{NotFound, Unlisted, View};
use crate::domain::account::{AccountName, Standing};
use crate::domain::due::{Due, Slot, Why};
use crate::domain::exit::Exit;
use crate::domain::plan::{Entry, Hold, LeftOut, Limits, Trouble, plan};
use crate::domain::policy::Policy;
use crate::engine::report::{provider_exit, vault_exit};
use crate::engine::survey::Surveyed;
use crate::engine::world::World;

/// What is asked of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// How many days it covers, from now.
    pub days: u16,
    /// Whose rotations are told: names, full names, or names of secrets; all when there are none. Everybody is planned for,
    /// since all of them share rates.
    #[serde(default)]
    pub names: Vec<String>,
    /// The tenant whose accounts are told; none for all.
    #[serde(default)]
    pub tenant: Option<String>,
}

/// What rotates when, and who cannot make it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PlanReport {
    /// How a command ends because of it.
    #[schemars(with = "String")]
    pub exit: Exit,
    /// When it begins.
    #[schemars(with = "String")]
    pub from: Timestamp,
    /// When it ends.
    #[schemars(with = "String")]
    pub until: Timestamp,
    /// The accounts that it tells of.
    pub accounts: usize,
    /// What comes after its deadline, or finds no place before it, the first to expire first.
    pub late: Vec<Rotation>,
    /// The rotations, in the order of time; those that are late among them.
    pub rotations: Vec<Rotation>,
    /// What is due and finds no place before the plan ends.
    pub left_out: Vec<Rotation>,
    /// Accounts that nothing will rotate, or of which nothing can be told.
    pub unplanned: Vec<Unplanned>,
    /// What could not be listed.
    pub failures: Vec<Unlisted>,
    /// Rules and accounts that do not fit together.
    pub conflicts: Vec<String>,
}

/// One rotation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rotation {
    /// The account.
    pub account: String,
    /// When it begins; none when it finds no place in the plan.
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// Why it is due: a label of [`Reason`](crate::domain::due::Reason).
    pub reason: Option<String>,
    /// Why at that time: a label of [`Slot`].
    pub slot: Option<String>,
    /// The window that it is in, as the configuration writes it.
    pub window: Option<String>,
    /// By when it should be done; none when the password never expires.
    #[schemars(with = "Option<String>")]
    pub deadline: Option<Timestamp>,
    /// When the password that it replaces expires; none when it never does.
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Timestamp>,
    /// What held it back, if anything did.
    pub held: Option<Held>,
    /// What is wrong with it: a label of [`Trouble`], or `left-out`.
    pub trouble: Option<String>,
}

/// What holds a rotation back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Held {
    /// The stable label, of [`Hold`] where rates, caps and pauses hold it.
    pub by: String,
    /// In words.
    pub because: String,
}

/// An account without a place in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unplanned {
    /// The account.
    pub account: String,
    /// Why.
    pub reason: String,
}

/// The trouble of whoever finds no place.
const LEFT_OUT: &str = "left-out";

impl World {
    /// Plans what comes, and tells it of the accounts that were asked for.
    pub async fn plan(&self, request: &PlanRequest) -> Result<PlanReport, NotFound> {
        self.view().await.plan(self.limits(), request)
    }
}

impl View {
    pub(super) fn plan(&self, limits: Limits, request: &PlanRequest) -> Result<PlanReport, NotFound> {
        let chosen = self.chosen(&request.names, request.tenant.as_deref())?;
        let asked: HashSet<&AccountName> = chosen.iter().map(|surveyed| &surveyed.managed.name).collect();
        let policies: BTreeMap<&AccountName, &Policy> =
            chosen.iter().map(|one| (&one.managed.name, one.managed.managing.rule.policy.as_ref())).collect();
        let until = later(self.now, SignedDuration::from_hours(24 * i64::from(request.days)));
        let candidates = self.candidates();
        let found = plan(self.now, until, &candidates, self.pace(limits));
        let entries = found.entries.iter().filter_map(|entry| Some(Rotation::of(entry, policies.get(entry.account)?)));
        let rotations: Vec<Rotation> = entries.collect();
        let left_out = found.left_out.iter().filter(|left_out| asked.contains(left_out.account));
        let left_out = left_out.map(|left_out| Rotation::left_out(left_out, until));
        let stuck = chosen.iter().filter_map(|surveyed| {
            let (held, _) = by_state(*self.stuck.get(&surveyed.managed.name)?)?;
            Some(Rotation::stuck(surveyed, held, until))
        });
        let left_out: Vec<Rotation> = left_out.chain(stuck).collect();
        let mut late: Vec<Rotation> =
            rotations.iter().chain(&left_out).filter(|rotation| rotation.is_late()).cloned().collect();
        late.sort_by(|one, other| (one.expires_at, &one.account).cmp(&(other.expires_at, &other.account)));
        Ok(PlanReport {
            exit: self.exit(&chosen).max(if late.is_empty() { Exit::Success } else { Exit::Unavailable }),
            from: self.now,
            until,
            accounts: chosen.len(),
            late,
            rotations,
            left_out,
            unplanned: chosen.iter().filter_map(|surveyed| unplanned(surveyed)).collect(),
            failures: self.unlisted(),
            conflicts: self.conflicts.iter().map(ToString::to_string).collect(),
        })
    }

    /// How a command ends because of what could not be looked at.
    pub(super) fn exit(&self, chosen: &[&Surveyed]) -> Exit {
        let by_provider = self.failures.iter().map(|failure| provider_exit(&failure.error));
        let unread = chosen.iter().filter_map(|surveyed| surveyed.status.as_ref().err());
        let by_vault = unread.chain(self.vaults.values()).map(vault_exit);
        let by_rules = self.conflicts.iter().map(|_| Exit::Configuration);
        by_provider.chain(by_vault).chain(by_rules).max().unwrap_or_default()
    }
}

/// Why nothing is planned for an account; none when something may be.
fn unplanned(surveyed: &Surveyed) -> Option<Unplanned> {
    let standing = &surveyed.managed.account.standing;
    let reason = match (&surveyed.status, surveyed.due) {
        _ if *standing != Standing::Active => standing.to_string(),
        (Err(error), _) => format!("when it was changed last is not known: {error}"),
        (Ok(_), Some(Due::Never(reason))) => reason.to_string(),
        (Ok(_), _) => return None,
    };
    Some(Unplanned { account: surveyed.managed.name.to_string(), reason })
}

impl Rotation {
    fn of(entry: &Entry<'_>, policy: &Policy) -> Self {
        let Why { reason, slot } = entry.why;
        Self {
            account: entry.account.to_string(),
            at: Some(entry.at),
            reason: Some(reason.label().to_owned()),
            slot: Some(slot.label().to_owned()),
            window: window(slot, policy),
            deadline: entry.deadline,
            expires_at: entry.expires_at,
            held: entry.held.as_ref().map(Held::by),
            trouble: entry.trouble().map(|trouble| trouble.label().to_owned()),
        }
    }

    fn left_out(left_out: &LeftOut<'_>, until: Timestamp) -> Self {
        let LeftOut { account, deadline, expires_at, held } = left_out;
        Self::without_place(account, (*deadline, *expires_at), Held::by(held), until)
    }

    /// What an operator must decide about finds no place before.
    fn stuck(surveyed: &Surveyed, held: Held, until: Timestamp) -> Self {
        let dates = surveyed.facts().and_then(|facts| facts.dates());
        let (deadline, expires_at) = dates.map_or((None, None), |dates| (dates.deadline, dates.expires_at));
        Self::without_place(&surveyed.managed.name, (deadline, expires_at), held, until)
    }

    /// It is late when its deadline comes before the plan ends.
    fn without_place(
        account: &AccountName,
        (deadline, expires_at): (Option<Timestamp>, Option<Timestamp>),
        held: Held,
        until: Timestamp,
    ) -> Self {
        let is_late = deadline.is_some_and(|deadline| deadline < until);
        Self {
            account: account.to_string(),
            at: None,
            reason: None,
            slot: None,
            window: None,
            deadline,
            expires_at,
            held: Some(held),
            trouble: is_late.then(|| LEFT_OUT.to_owned()),
        }
    }

    /// Whether it cannot make its deadline.
    #[must_use]
    pub fn is_late(&self) -> bool {
        const LATE: [&str; 3] = [Trouble::Expired.label(), Trouble::Late.label(), LEFT_OUT];
        self.trouble.as_deref().is_some_and(|trouble| LATE.contains(&trouble))
    }
}

impl Held {
    pub(super) fn new(by: &str, because: String) -> Self {
        Self { by: by.to_owned(), because }
    }

    fn by(hold: &Hold) -> Self {
        Self::new(hold.label(), hold.to_string())
    }
}

/// The window of a slot, as the configuration writes it.
pub(super) fn window(slot: Slot, policy: &Policy) -> Option<String> {
    let Slot::Open(piece) = slot else { return None };
    policy.calendar.windows().get(piece.window?).map(ToString::to_string)
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
