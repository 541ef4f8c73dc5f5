//! Which rows matter to later rotations: those that count for a limit.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::what::What;
use crate::domain::Timestamp;
use crate::domain::account::AccountName;
use crate::domain::due::Why;
use crate::domain::plan::{Pace, Terms};

/// A rotation that began because it was due: what its row says, and what a later start reads in it to keep its pace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// The account.
    pub account: AccountName,
    /// When, by its gateway's clock; by the machine's, when the gateway was not heard.
    pub at: Timestamp,
    /// The policy that it was due by.
    pub policy: String,
    /// What it was held to.
    pub terms: Terms,
}

impl Beginning {
    /// What the row of a beginning says, in its `what`.
    pub const WHAT: What = What::Began;

    /// What the row says of it, in its `detail`.
    #[must_use]
    pub fn detail(policy: &str, why: Why, terms: Terms) -> Map<String, Value> {
        let detail = [
            ("policy", policy.into()),
            ("reason", why.reason.label().into()),
            ("slot", why.slot.label().into()),
            (FIRST_RUN, terms.is_first_run().into()),
            (OVERDUE, terms.catches_up().into()),
        ];
        detail.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// Counts it in a pace, as begun at `at` by the clock that the pace is told.
    pub fn count(&self, pace: &mut Pace, at: Timestamp) {
        if self.terms.is_first_run() {
            pace.taken_over(&self.policy, &self.account, at);
        }
        if self.terms.catches_up() {
            pace.caught_up(&self.policy, at);
        }
        pace.rotated(&self.account, at);
    }

    /// Reads the text of a row; none when it is about something else.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let row: Row = serde_json::from_str(text).ok().filter(|row: &Row| row.what == Self::WHAT.label())?;
        let Detail { policy, first_run, overdue } = row.detail;
        let terms = Terms::All { first_run, overdue };
        Some(Self { account: row.account?.parse().ok()?, at: row.gateway.unwrap_or(row.at), policy: policy?, terms })
    }

    /// When a row was written, by the clock that it trusts most; none when it says nothing of it.
    #[must_use]
    pub fn time(text: &str) -> Option<Timestamp> {
        let stamp: Stamp = serde_json::from_str(text).ok()?;
        Some(stamp.gateway.unwrap_or(stamp.at))
    }
}

const FIRST_RUN: &str = "first_run";
const OVERDUE: &str = "overdue";

#[derive(Deserialize)]
struct Stamp {
    at: Timestamp,
    gateway: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Row {
    at: Timestamp,
    gateway: Option<Timestamp>,
    account: Option<String>,
    what: String,
    detail: Detail,
}

#[derive(Deserialize)]
struct Detail {
    policy: Option<String>,
    #[serde(default)]
    first_run: bool,
    #[serde(default)]
    overdue: bool,
}
