//! Pauses: the operator's own word that nothing is to be rotated.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::domain::Timestamp;
use crate::domain::account::{AccountName, Subject};

/// A pause that holds an account. An explicit word wins over everything but an unfinished rotation (`protocol.md`, rule 12),
/// the expiry among it: that a paused password will expire is told, and nothing is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pause {
    /// What was paused.
    pub scope: Scope,
    /// When it ends by itself; none when only the operator ends it.
    pub until: Option<Timestamp>,
}

/// What a pause holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// One account.
    Account,
    /// Every account of a tenant.
    Tenant,
    /// Everything.
    Everything,
}

/// What somebody pauses. An account is known by the provider's id, so that renaming it or its tenant ends no pause; a tenant
/// only has the name that the configuration gives it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(tag = "scope", rename_all = "kebab-case")]
pub enum Target {
    /// One account.
    Account {
        /// As it was called when it was paused.
        account: AccountName,
        /// Which one it is.
        #[serde(skip)]
        subject: Subject,
    },
    /// Every account of a tenant.
    Tenant {
        /// The tenant, as the configuration calls it.
        tenant: String,
    },
    /// Everything.
    Everything,
}

/// A pause as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paused {
    /// What is paused.
    #[serde(flatten)]
    pub target: Target,
    /// Since when, by the clock of the machine on which it was said.
    pub since: Timestamp,
    /// When it ends by itself; none when only the operator ends it.
    pub until: Option<Timestamp>,
    /// What or who said so and what for, as the chain of events tells it.
    pub cause: Value,
}

/// Every pause that was said and not taken back, those that ended by themselves among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pauses {
    everything: Option<Paused>,
    tenants: BTreeMap<String, Paused>,
    accounts: BTreeMap<Subject, Paused>,
}

/// What becomes of pauses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is paused, in the place of an earlier pause of the same.
    Pause(Paused),
    /// Its own pause is taken back; wider and narrower ones stay.
    Resume(Target),
}

impl Pause {
    /// Whether it holds at a moment.
    #[must_use]
    pub fn holds(self, at: Timestamp) -> bool {
        self.until.is_none_or(|until| at < until)
    }

    /// Of several pauses of one account the one that holds it longest.
    #[must_use]
    pub fn longest(pauses: impl IntoIterator<Item = Self>) -> Option<Self> {
        pauses.into_iter().max_by_key(|pause| pause.length())
    }

    /// Sorts by the end; one without an end lasts longest.
    const fn length(self) -> (bool, Option<Timestamp>) {
        (self.until.is_none(), self.until)
    }
}

impl Paused {
    /// What it holds, and until when.
    #[must_use]
    pub const fn pause(&self) -> Pause {
        Pause { scope: self.target.scope(), until: self.until }
    }
}

impl Target {
    /// What it holds.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        match self {
            Self::Account { .. } => Scope::Account,
            Self::Tenant { .. } => Scope::Tenant,
            Self::Everything => Scope::Everything,
        }
    }

    /// Whether one holds accounts that the other holds too, and is another one.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        let is_of = |account: &AccountName, of: &str| account.tenant == of;
        match (self, other) {
            (Self::Account { account, .. }, Self::Tenant { tenant })
            | (Self::Tenant { tenant }, Self::Account { account, .. }) => is_of(account, tenant),
            _ => self != other && (*self == Self::Everything || *other == Self::Everything),
        }
    }

    /// The words by which `pause` and `resume` are told of it.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Account { account, .. } => account.to_string(),
            Self::Tenant { tenant } => format!("--tenant {tenant}"),
            Self::Everything => "--all".to_owned(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { account, .. } => account.fmt(f),
            Self::Tenant { tenant } => write!(f, "tenant {tenant}"),
            Self::Everything => f.write_str("everything"),
        }
    }
}

impl Pauses {
    /// Makes a change.
    pub fn change(&mut self, change: Change) {
        match change {
            Change::Pause(paused) => match &paused.target {
                Target::Account { subject, .. } => {
                    self.accounts.insert(subject.clone(), paused);
                }
                Target::Tenant { tenant } => {
                    self.tenants.insert(tenant.clone(), paused);
                }
                Target::Everything => self.everything = Some(paused),
            },
            Change::Resume(target) => match target {
                Target::Account { subject, .. } => {
                    self.accounts.remove(&subject);
                }
                Target::Tenant { tenant } => {
                    self.tenants.remove(&tenant);
                }
                Target::Everything => self.everything = None,
            },
        }
    }

    /// All of them, the widest first.
    pub fn iter(&self) -> impl Iterator<Item = &Paused> {
        self.everything.iter().chain(self.tenants.values()).chain(self.accounts.values())
    }

    /// Those that hold at a moment, the widest first.
    pub fn holding(&self, at: Timestamp) -> impl Iterator<Item = &Paused> {
        self.iter().filter(move |paused| paused.pause().holds(at))
    }

    /// The pause of exactly this, if it holds at a moment.
    #[must_use]
    pub fn of(&self, target: &Target, at: Timestamp) -> Option<&Paused> {
        self.said_of(target).filter(|paused| paused.pause().holds(at))
    }

    fn said_of(&self, target: &Target) -> Option<&Paused> {
        match target {
            Target::Account { subject, .. } => self.accounts.get(subject),
            Target::Tenant { tenant } => self.tenants.get(tenant),
            Target::Everything => self.everything.as_ref(),
        }
    }

    /// Of those that hold an account of a tenant at a moment, the one that holds it longest.
    #[must_use]
    pub fn holds(&self, tenant: &str, subject: &Subject, at: Timestamp) -> Option<&Paused> {
        let wider = self.everything.iter().chain(self.tenants.get(tenant));
        let all = wider.chain(self.accounts.get(subject)).filter(|paused| paused.pause().holds(at));
        all.max_by_key(|paused| paused.pause().length())
    }

    /// What differs from `other`: paused, taken back, or said anew.
    pub fn differs_from<'p>(&'p self, other: &'p Self) -> impl Iterator<Item = &'p Target> {
        let mine = self.iter().filter(|paused| other.said_of(&paused.target) != Some(*paused));
        let gone = other.iter().filter(|known| self.said_of(&known.target).is_none());
        mine.chain(gone).map(|paused| &paused.target)
    }
}

impl FromIterator<Paused> for Pauses {
    fn from_iter<I: IntoIterator<Item = Paused>>(all: I) -> Self {
        let mut pauses = Self::default();
        all.into_iter().for_each(|paused| pauses.change(Change::Pause(paused)));
        pauses
    }
}

impl Scope {
    /// The stable label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Tenant => "tenant",
            Self::Everything => "everything",
        }
    }
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.scope {
            Scope::Account => "the account is paused",
            Scope::Tenant => "its tenant is paused",
            Scope::Everything => "everything is paused",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::{AccountId, Kind, Site};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pause(until: Option<i64>) -> Pause {
        Pause { scope: Scope::Tenant, until: until.map(at) }
    }

    fn subject(id: &str) -> Subject {
        Subject { site: Site::Public, kind: Kind::SubAccount, id: AccountId(id.to_owned()) }
    }

    fn account(id: &str) -> Target {
        let account = AccountName { tenant: "main".to_owned(), kind: Kind::SubAccount, name: id.to_owned() };
        Target::Account { account, subject: subject(id) }
    }

    fn tenant(name: &str) -> Target {
        Target::Tenant { tenant: name.to_owned() }
    }

    fn paused(target: Target, until: Option<i64>) -> Paused {
        Paused { target, since: at(0), until: until.map(at), cause: Value::Null }
    }

    #[test]
    fn it_holds_until_its_end_and_the_longest_counts() {
        assert!(pause(None).holds(at(9)) && pause(Some(10)).holds(at(9)) && !pause(Some(10)).holds(at(10)));
        assert_eq!(Pause::longest([pause(Some(5)), pause(Some(10))]), Some(pause(Some(10))));
        assert_eq!(Pause::longest([pause(Some(5)), pause(None), pause(Some(10))]), Some(pause(None)));
        assert_eq!(Pause::longest([]), None);
    }

    #[test]
    fn of_several_pauses_of_an_account_the_longest_holds_it_and_others_are_not_held() {
        let pauses: Pauses = [
            paused(Target::Everything, Some(10)),
            paused(tenant("main"), Some(30)),
            paused(account("a"), Some(20)),
            paused(account("b"), None),
        ]
        .into_iter()
        .collect();
        let holds = |tenant, id, second| pauses.holds(tenant, &subject(id), at(second)).map(|p| p.target.scope());
        for (tenant, id, second, expected) in [
            ("main", "a", 0, Some(Scope::Tenant)),
            ("main", "a", 29, Some(Scope::Tenant)),
            ("main", "a", 30, None),
            ("main", "b", 0, Some(Scope::Account)),
            ("main", "b", 99, Some(Scope::Account)),
            ("moved", "b", 99, Some(Scope::Account)),
            ("other", "c", 9, Some(Scope::Everything)),
            ("other", "c", 10, None),
        ] {
            assert_eq!(holds(tenant, id, second), expected, "{tenant} {id} {second}");
        }
        assert_eq!(pauses.holding(at(25)).count(), 2);
    }

    #[test]
    fn a_pause_takes_the_place_of_an_earlier_one_of_the_same_and_is_taken_back_alone() {
        let mut pauses = Pauses::default();
        for change in [
            Change::Pause(paused(tenant("main"), None)),
            Change::Pause(paused(account("a"), None)),
            Change::Pause(paused(account("a"), Some(5))),
        ] {
            pauses.change(change);
        }
        assert_eq!(pauses.of(&account("a"), at(0)), Some(&paused(account("a"), Some(5))));
        assert_eq!(pauses.of(&account("a"), at(5)), None, "it has ended");
        pauses.change(Change::Resume(tenant("main")));
        assert_eq!(pauses.iter().count(), 1);
        pauses.change(Change::Resume(Target::Everything));
        pauses.change(Change::Resume(account("a")));
        assert_eq!(pauses, Pauses::default());
    }

    #[test]
    fn what_is_new_gone_or_said_anew_differs_and_nothing_else() {
        let before: Pauses = ["a", "b", "c"].map(|id| paused(account(id), Some(9))).into_iter().collect();
        let mut now = before.clone();
        assert_eq!(now.differs_from(&before).count(), 0);
        for change in [
            Change::Resume(account("a")),
            Change::Pause(paused(account("b"), None)),
            Change::Pause(paused(tenant("main"), None)),
        ] {
            now.change(change);
        }
        let mut differs: Vec<_> = now.differs_from(&before).cloned().collect();
        differs.sort();
        assert_eq!(differs, [account("a"), account("b"), tenant("main")]);
    }
}
