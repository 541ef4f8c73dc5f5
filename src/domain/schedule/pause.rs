//! Pauses: the operator's own word that nothing is to be rotated.

use std::fmt;

use crate::domain::Timestamp;

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

impl Pause {
    /// Whether it holds at a moment.
    #[must_use]
    pub fn holds(self, at: Timestamp) -> bool {
        self.until.is_none_or(|until| at < until)
    }

    /// Of several pauses of one account the one that holds it longest.
    #[must_use]
    pub fn longest(pauses: impl IntoIterator<Item = Self>) -> Option<Self> {
        pauses.into_iter().max_by_key(|pause| (pause.until.is_none(), pause.until))
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

    fn pause(until: Option<i64>) -> Pause {
        Pause { scope: Scope::Tenant, until: until.map(|second| Timestamp::from_second(second).unwrap()) }
    }

    #[test]
    fn it_holds_until_its_end_and_the_longest_counts() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(pause(None).holds(at(9)) && pause(Some(10)).holds(at(9)) && !pause(Some(10)).holds(at(10)));
        assert_eq!(Pause::longest([pause(Some(5)), pause(Some(10))]), Some(pause(Some(10))));
        assert_eq!(Pause::longest([pause(Some(5)), pause(None), pause(Some(10))]), Some(pause(None)));
        assert_eq!(Pause::longest([]), None);
    }
}
