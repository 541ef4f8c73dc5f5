//! How fast rotations may follow one another by the configuration of a troubled story, reckoned apart from the product.

use std::collections::{BTreeMap, VecDeque};

use jiff::{SignedDuration, Timestamp};
use ncloud_rotator::domain::account::Subject;

use crate::audit::tenant_of;

/// Accounts of the policy `anytime` that are taken over in a day: so few that it takes weeks, with restarts among them.
pub(crate) const CAP: usize = 1;
/// Accounts of a policy that are caught up with in an hour.
pub(crate) const CATCH_UP: i64 = 60;
/// Accounts that are kept apart: of several tenants, of both policies, and in both vaults.
pub(crate) const APART: [&str; 4] = ["t0-a0", "t1-a1", "t2-a2", "t3-a3"];
/// How far, in hours.
pub(crate) const APART_BY: i64 = 20;

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// What may lie between a turn and its candidate in the vault: a call or two that are lost, and tried again.
const LATE: SignedDuration = SignedDuration::from_mins(10);
/// So many in a row are counted.
const ROW: usize = 30;

/// A rotation that begins because it is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Start<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) at: Timestamp,
    /// Whether it was never rotated.
    pub(crate) is_first: bool,
    /// Whether it is past its deadline by any expiration that may be believed.
    pub(crate) is_overdue: bool,
    /// Whether it may be past its deadline by one of them.
    pub(crate) may_be_overdue: bool,
}

/// What has begun, as far as the journal remembers it.
#[derive(Default)]
pub(crate) struct PaceBook {
    taken_over: VecDeque<(Timestamp, Subject)>,
    caught_up: BTreeMap<&'static str, VecDeque<(Timestamp, Subject)>>,
    near: BTreeMap<String, Timestamp>,
    pub(crate) counted: u64,
}

impl PaceBook {
    /// Forgets what has begun.
    pub(crate) fn forget(&mut self) {
        *self = Self { counted: self.counted, ..Self::default() };
    }

    /// What is wrong with a start, if anything is.
    pub(crate) fn breach(&mut self, start: &Start<'_>) -> Option<String> {
        let breaches = [self.too_many_taken_over(start), self.too_fast(start), self.too_near(start)];
        breaches.into_iter().flatten().next()
    }

    fn too_many_taken_over(&mut self, start: &Start<'_>) -> Option<String> {
        if !start.is_first || policy_of(start.subject) != "anytime" {
            return None;
        }
        self.counted += 1;
        self.taken_over.retain(|(at, other)| other != start.subject && start.at.duration_since(*at) < DAY - LATE);
        self.taken_over.push_back((start.at, start.subject.clone()));
        let taken_over = self.taken_over.len();
        (taken_over > CAP).then(|| format!("{taken_over} accounts are taken over in a day"))
    }

    fn too_fast(&mut self, start: &Start<'_>) -> Option<String> {
        let row = self.caught_up.entry(policy_of(start.subject)).or_default();
        if !start.is_overdue || row.iter().any(|(at, other)| other == start.subject && *at > start.at - DAY) {
            return None;
        }
        self.counted += 1;
        row.push_back((start.at, start.subject.clone()));
        if row.len() > ROW {
            row.pop_front();
        }
        let (first, intervals) = (row.front()?.0, i64::try_from(row.len()).ok()? - 1);
        let (took, least) = (start.at.duration_since(first), SignedDuration::from_secs(3600 / CATCH_UP * intervals));
        (took + LATE < least).then(|| format!("{intervals} intervals of catching up in {took:#}"))
    }

    fn too_near(&mut self, start: &Start<'_>) -> Option<String> {
        if !APART.contains(&start.subject.id.0.as_str()) {
            return None;
        }
        let others = self.near.iter().filter(|(other, _)| **other != start.subject.id.0);
        let last = others.max_by_key(|(_, at)| **at).map(|(other, at)| (other.clone(), start.at.duration_since(*at)));
        self.near.insert(start.subject.id.0.clone(), start.at);
        self.counted += 1;
        let (other, distance) = last?;
        let is_near = distance + LATE < SignedDuration::from_hours(APART_BY) && !start.may_be_overdue;
        is_near.then(|| format!("{other} was rotated {distance:#} before"))
    }
}

/// Half of the tenants have maintenance windows, in either vault.
pub(crate) fn policy_of(subject: &Subject) -> &'static str {
    policy_of_tenant(tenant_of(subject).trim_start_matches('t').parse().unwrap())
}

pub(crate) fn policy_of_tenant(tenant: usize) -> &'static str {
    if tenant % 4 < 2 { "anytime" } else { "windowed" }
}
