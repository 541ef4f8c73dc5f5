//! Why one account rotates when it does, and what holds it.

use std::collections::HashSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plan::{Held, PlanRequest, Rotation, window};
use super::view::{NotFound, View};
use crate::domain::account::{AccountName, Standing};
use crate::domain::due::{Dates, Due, Facts, Slot, Why, due_after_pause};
use crate::domain::exit::Exit;
use crate::domain::plan::Limits;
use crate::domain::policy::Policy;
use crate::domain::rotation::State;
use crate::domain::rule::Conflict;
use crate::domain::schedule::span::Span;
use crate::engine::accounts::Managed;
use crate::engine::batch::choose_one;
use crate::engine::report::{HELD, provider_exit, vault_exit, waiting_exit};
use crate::engine::status::{Inspected, Presence};
use crate::engine::world::World;

/// Everything about when an account rotates.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// How a command ends because of it.
    #[schemars(with = "String")]
    pub exit: Exit,
    /// When it was asked, in the time by which the account is planned.
    #[schemars(with = "String")]
    pub now: Timestamp,
    /// The account.
    pub account: String,
    /// The provider's identifier.
    pub id: Option<String>,
    /// What the provider says of it; none while it cannot be asked.
    pub standing: Option<String>,
    /// What the configuration says of it; none when no rule owns it.
    pub rule: Option<OwnedBy>,
    /// The password's life; none when it is not known, or never ends.
    pub life: Option<Life>,
    /// When it is due, by what the policy asks for alone; none when that is not known.
    pub due: Option<Next>,
    /// Its next rotation, as rates, caps and everybody else leave it; none when none is planned.
    pub planned: Option<Rotation>,
    /// Where its rotation stands: a label of [`State`]; none when no rule owns it.
    pub state: Option<String>,
    /// What holds it back, or will.
    pub held: Vec<Held>,
}

/// What the configuration says of an account.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct OwnedBy {
    /// Where the rule begins in the configuration's file, from 1.
    pub line: usize,
    /// The policy.
    pub policy: String,
    /// The vault.
    pub vault: String,
    /// Where the password goes.
    pub secret: String,
    /// The policy's windows, as the configuration writes them.
    pub windows: Vec<String>,
    /// The policy's blackouts, the same.
    pub blackouts: Vec<String>,
}

/// A password's life.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Life {
    /// What it is counted from.
    #[schemars(with = "String")]
    pub counted_from: Timestamp,
    /// A label of [`Counted`](crate::domain::due::Counted).
    pub counted: String,
    /// The same, in words.
    pub counted_because: String,
    /// How many days it lasts; none when it does for ever.
    pub lasts_days: Option<i64>,
    /// Who says so: a label of [`LastsBy`](crate::engine::accounts::LastsBy).
    pub lasts_by: String,
    /// The same, in words.
    pub lasts_because: String,
    /// When it expires.
    #[schemars(with = "Option<String>")]
    pub expires_at: Option<Timestamp>,
    /// By when it is replaced, whatever windows and blackouts say.
    #[schemars(with = "Option<String>")]
    pub deadline: Option<Timestamp>,
    /// How long before the expiry that is, in seconds.
    pub margin_s: i64,
    /// From when on it is to be replaced.
    #[schemars(with = "String")]
    pub ideal: Timestamp,
    /// How long before the deadline the policy wants that, in seconds.
    pub rotate_before_s: i64,
    /// How much earlier than others of its age it is due, in seconds: a hash of the account, the same at every look.
    pub ahead_s: i64,
    /// The policy's whole spread, in seconds.
    pub spread_s: i64,
    /// Before it no window is taken.
    #[schemars(with = "String")]
    pub earliest: Timestamp,
}

/// When it is due.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Next {
    /// When; none when nothing will rotate it by itself.
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// Why it is due: a label of [`Reason`](crate::domain::due::Reason), or `paused`.
    pub reason: String,
    /// The same, in words.
    pub because: String,
    /// Why at that time: a label of [`Slot`].
    pub slot: Option<String>,
    /// The same, in words.
    pub place: Option<String>,
    /// The window, as the configuration writes it.
    pub window: Option<String>,
    /// When what is open there begins; none without windows.
    #[schemars(with = "Option<String>")]
    pub opens: Option<Timestamp>,
    /// When it ends.
    #[schemars(with = "Option<String>")]
    pub closes: Option<Timestamp>,
}

impl World {
    /// Explains the account that answers to a name: one that a rule owns, or one that the provider lists and none owns.
    pub async fn explain(&self, name: &str) -> Result<Explanation, NotFound> {
        let mut view = self.view().await;
        let account = view.find(name)?;
        let Some(place) = view.accounts.iter().position(|(surveyed, _)| surveyed.managed.name == account) else {
            return Ok(view.unowned(&account));
        };
        let planned = view.next_rotation(self.limits(), &account);
        let (surveyed, presence) = view.accounts.swap_remove(place);
        let inspected = self.inspect_one(surveyed, presence, &view.failures).await;
        Ok(self.explanation(&view, &inspected, planned))
    }

    fn explanation(&self, view: &View, inspected: &Inspected, planned: Option<Rotation>) -> Explanation {
        let Inspected { surveyed, presence, state, .. } = inspected;
        let managed = &surveyed.managed;
        let late = planned.as_ref().is_some_and(Rotation::is_late);
        let (held, exits): (Vec<Held>, Vec<Exit>) = self.holds(view, inspected, planned.as_ref()).into_iter().unzip();
        let exit = exits.into_iter().max().unwrap_or_default();
        Explanation {
            exit: exit.max(if late { Exit::Unavailable } else { Exit::Success }),
            now: view.now,
            account: managed.name.to_string(),
            id: Some(managed.account.id.to_string()),
            standing: (*presence == Presence::Listed).then(|| managed.account.standing.to_string()),
            rule: Some(OwnedBy::of(managed)),
            life: surveyed.facts().and_then(|facts| Life::of(managed, &facts)),
            due: surveyed.facts().map(|facts| Next::of(view.now, &facts)),
            planned,
            state: Some(state.label().to_owned()),
            held,
        }
    }

    /// What holds it, and how a command ends because of each.
    fn holds(&self, view: &View, inspected: &Inspected, planned: Option<&Rotation>) -> Vec<(Held, Exit)> {
        let Inspected { surveyed, presence, state, .. } = inspected;
        let managed = &surveyed.managed;
        let standing = match (presence, &managed.account.standing) {
            (Presence::Listed, Standing::Inactive | Standing::NotRunning(_)) => {
                Some((Held::new("standing", managed.account.standing.to_string()), Exit::Success))
            }
            _ => None,
        };
        let unlisted = view.failures.iter().find(|failure| failure.is_of(&managed.managing.rule)).map(|failure| {
            (Held::new("unlisted", format!("it cannot be listed: {}", failure.error)), provider_exit(&failure.error))
        });
        let stopped = self.tenants.get(&managed.name.tenant).and_then(|tenant| tenant.stopped.why());
        let stopped = stopped
            .map(|why| (Held::new("tenant-stopped", format!("its tenant stands still: {why}")), Exit::Temporary));
        let unread = surveyed.status.as_ref().err();
        let unread = unread.map(|error| (Held::new("vault", error.to_string()), vault_exit(error)));
        let paused =
            surveyed.paused.as_ref().map(|paused| (Held::new("paused", paused.pause().to_string()), Exit::Success));
        let rotation = if unread.is_some() { None } else { by_state(*state) };
        let told = [&paused, &rotation].into_iter().flatten().map(|(held, _)| held.by.as_str()).collect::<Vec<_>>();
        let paced = planned.and_then(|planned| planned.held.clone()).filter(|held| !told.contains(&held.by.as_str()));
        let paced = paced.map(|held| (held, Exit::Success));
        [standing, unlisted, stopped, unread, paused, rotation, paced].into_iter().flatten().collect()
    }
}

/// What an unfinished or frozen rotation waits for.
pub(super) fn by_state(state: State) -> Option<(Held, Exit)> {
    Some(match state {
        State::Idle => return None,
        State::Ready => {
            let text = "its rotation is unfinished, and goes on with its next turn".to_owned();
            (Held::new("turn", text), Exit::Temporary)
        }
        State::Waits { why, .. } => {
            (Held::new(why.label(), format!("its rotation is unfinished, and waits for {why}")), waiting_exit(why))
        }
        State::Held => (Held::new("held", HELD.to_owned()), Exit::Unavailable),
        State::Frozen(why) => (Held::new(why.label(), why.to_string()), Exit::Unavailable),
        State::RollbackStopped(why) => (Held::new(why.label(), why.to_string()), Exit::Unavailable),
    })
}

impl View {
    /// The one account that answers to a name, whether a rule owns it or not.
    fn find(&self, name: &str) -> Result<AccountName, NotFound> {
        let owned = || self.accounts.iter().map(|(surveyed, _)| &surveyed.managed);
        let names: HashSet<&AccountName> = owned().map(|managed| &managed.name).collect();
        let others = self.lists.iter().flat_map(|list| &list.accounts).map(|(account, _)| account);
        let others = others.filter(|account| !names.contains(account)).map(|account| (account, account.name.as_str()));
        let among = owned().map(|managed| (&managed.name, managed.secret.as_str())).chain(others);
        choose_one(name, among).map_err(|name| NotFound { name, failures: self.failures.clone() })
    }

    /// An account that no rule owns, or that rules contradict each other about.
    fn unowned(&self, account: &AccountName) -> Explanation {
        let conflict = self.conflicts.iter().find(|conflict| conflict.accounts().any(|of| of == account));
        let held = conflict.map_or_else(
            || Held::new("no-rule", "no rule of the configuration matches it; it is not rotated".to_owned()),
            |conflict: &Conflict| Held::new("conflict", conflict.to_string()),
        );
        let listed = self.lists.iter().flat_map(|list| &list.accounts).find(|(listed, _)| listed == account);
        Explanation {
            exit: if conflict.is_some() { Exit::Configuration } else { Exit::Unavailable },
            now: self.now,
            standing: listed.map(|(_, listed)| listed.standing.to_string()),
            id: listed.map(|(_, listed)| listed.id.to_string()),
            account: account.to_string(),
            rule: None,
            life: None,
            due: None,
            planned: None,
            state: None,
            held: vec![held],
        }
    }

    /// The first rotation of an account that is planned, or that finds no place, with everybody's rates.
    fn next_rotation(&self, limits: Limits, account: &AccountName) -> Option<Rotation> {
        const BEYOND: i64 = 30;
        let (surveyed, _) = self.accounts.iter().find(|(surveyed, _)| surveyed.managed.name == *account)?;
        let deadline = surveyed.facts()?.dates()?.deadline;
        let last = surveyed.due?.time(self.now).into_iter().chain(deadline).max()?;
        let days = last.duration_since(self.now).as_hours() / 24 + BEYOND;
        let days = u16::try_from(days.max(BEYOND)).unwrap_or(u16::MAX);
        let request = PlanRequest { days, names: vec![account.to_string()], tenant: None };
        let plan = self.plan(limits, &request).ok()?;
        plan.rotations.into_iter().chain(plan.left_out).next()
    }
}

impl OwnedBy {
    fn of(managed: &Managed) -> Self {
        let rule = &managed.managing.rule;
        Self {
            line: rule.line,
            policy: rule.policy.name.clone(),
            vault: rule.vault.clone(),
            secret: managed.secret.to_string(),
            windows: rule.policy.calendar.windows().iter().map(ToString::to_string).collect(),
            blackouts: rule.policy.calendar.blackouts().iter().map(ToString::to_string).collect(),
        }
    }
}

impl Life {
    fn of(managed: &Managed, facts: &Facts<'_>) -> Option<Self> {
        let Dates { counted_from, earliest, ahead, ideal, deadline, expires_at } = facts.dates()?;
        let (_, counted) = facts.counted();
        let policy: &Policy = facts.policy;
        let margin = expires_at.zip(deadline).map(|(expires_at, deadline)| expires_at.duration_since(deadline));
        Some(Self {
            counted_from,
            counted: counted.label().to_owned(),
            counted_because: counted.to_string(),
            lasts_days: facts.lasts.map(|lasts| lasts.as_hours() / 24),
            lasts_by: managed.lasts_by.label().to_owned(),
            lasts_because: managed.lasts_by.to_string(),
            expires_at,
            deadline,
            margin_s: margin.map_or(0, |margin| margin.as_secs()),
            ideal,
            rotate_before_s: policy.rotate_before.as_secs(),
            ahead_s: ahead.as_secs(),
            spread_s: policy.spread.as_secs(),
            earliest,
        })
    }
}

impl Next {
    fn of(now: Timestamp, facts: &Facts<'_>) -> Self {
        let none = Self {
            at: None,
            reason: "paused".to_owned(),
            because: String::new(),
            slot: None,
            place: None,
            window: None,
            opens: None,
            closes: None,
        };
        let found = due_after_pause(now, facts);
        match found {
            Due::Never(reason) => Self { reason: reason.label().to_owned(), because: reason.to_string(), ..none },
            Due::Paused(pause) => Self { at: pause.until, because: pause.to_string(), ..none },
            Due::Now(Why { reason, slot }) | Due::At(_, Why { reason, slot }) => {
                let at = found.time(now);
                let span = at.and_then(|at| open(slot, at, facts.policy));
                Self {
                    at,
                    reason: reason.label().to_owned(),
                    because: reason.to_string(),
                    slot: Some(slot.label().to_owned()),
                    place: Some(slot.to_string()),
                    window: window(slot, facts.policy),
                    opens: span.map(|span| span.from),
                    closes: span.map(|span| span.until),
                }
            }
        }
    }
}

/// From when until when the window of a slot is open. The slot's own piece begins with the ideal time at the earliest.
fn open(slot: Slot, at: Timestamp, policy: &Policy) -> Option<Span> {
    let Slot::Open(piece) = slot else { return None };
    let window = policy.calendar.windows().get(piece.window?)?;
    let from = window.begun_by(at).map_or(piece.span.from, |span| span.from);
    Some(Span { from, ..piece.span })
}
