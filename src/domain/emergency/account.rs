//! What is told of an emergency.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::share::Share;

/// One emergency. The same command again goes on with it until everybody has a new password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Emergency {
    /// Its own random id.
    pub id: Uuid,
    /// The one tenant that it is about; none when it is about all of them.
    pub tenant: Option<String>,
    /// How many accounts the first wave of a run has.
    pub canary: usize,
    /// The part of a wave that stops it.
    pub halt_at: Share,
}

/// A wave that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wave {
    /// Its number within its run, from 1.
    pub number: u32,
    /// How many accounts it was to have.
    pub accounts: usize,
    /// Those with a new password.
    pub rotated: usize,
    /// Those without, of the ones that had their turn.
    pub failed: usize,
    /// Those without of which nothing is wrong: they wait for a fence or a rate, or were paused meanwhile.
    pub waiting: usize,
}

/// Why an emergency stopped before everybody had a new password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Halt {
    /// Too large a part of one wave failed.
    TooManyFailed,
    /// Everybody had a turn, and it failed for some.
    SomeFailed,
    /// Some accounts could not be listed.
    NotListed,
    /// A pause holds some accounts.
    Paused,
    /// The process was asked to end.
    Interrupted,
}

impl Halt {
    /// Every reason.
    pub const ALL: [Self; 5] =
        [Self::TooManyFailed, Self::SomeFailed, Self::NotListed, Self::Paused, Self::Interrupted];

    /// The stable label, as written in the log, the journal and JSON.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::TooManyFailed => "too-many-failed",
            Self::SomeFailed => "some-failed",
            Self::NotListed => "not-listed",
            Self::Paused => "paused",
            Self::Interrupted => "interrupted",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_written_as_its_label() {
        for why in Halt::ALL {
            assert_eq!(serde_json::to_value(why).unwrap(), why.label());
        }
    }
}
