//! When a pending version may be sent: fence, clock, permit, freshness (rules 1, 2, 7 and 8).

use super::{HEARD_WITHIN, Rotation, later};
use crate::domain::Timestamp;
use crate::domain::rotation::protocol::{Action, Heard, Moment, Waiting};
use crate::domain::rotation::snapshot::{Pending, Predecessor, Snapshot};
use crate::domain::token::Token;

impl Rotation {
    /// The time to sign with, or what must come first. Rules 1, 2, 7 and 8, in the order in which each makes the next one's
    /// question meaningful: no fence is measured by a clock that was not set lately, nor with a read from a time that has not
    /// come.
    pub(super) fn may_apply(&mut self, at: Moment, pending: &Pending) -> Result<Timestamp, Action> {
        let (Some(heard), Some(snapshot)) = (at.heard_lately(), self.seen.clone()) else {
            return Err(Action::Probe);
        };
        if snapshot.as_of > later(at.now, self.plan.gateway.max_clock_skew) {
            return Err(Action::Read);
        }
        if let Some(until) = self.fence_end(at, &snapshot, pending)
            && snapshot.as_of.min(at.now) < until
        {
            return Err(if at.now < until { Action::Wait { until, why: Waiting::Fence } } else { Action::Read });
        }
        let skews = [Some(heard.skew), snapshot.skew];
        if skews.into_iter().flatten().any(|skew| skew.abs() > self.plan.gateway.max_clock_skew) {
            return Err(self.wait(at, Waiting::ClockSkew));
        }
        if pending.permits.is_some() && self.permit != Some(pending.candidate) {
            return Err(Action::Permit { over: snapshot.revision, token: pending.version.token });
        }
        if at.now.duration_since(snapshot.as_of) > self.plan.gateway.freshness() {
            return Err(Action::Read);
        }
        Ok(snapshot.as_of)
    }

    /// When the fence of a pending version ends; none when it has nothing to wait for (rules 1 and 7).
    fn fence_end(&mut self, at: Moment, snapshot: &Snapshot, pending: &Pending) -> Option<Timestamp> {
        let (before, ended, permits) = match pending.predecessor {
            Predecessor::Ended { candidate, at, permits } => (candidate, at, permits),
            Predecessor::Nothing => (None, None, None),
        };
        // A request may be under way for a candidate that this secret does not tell of: it was deleted and made anew, put
        // back from a copy, or the account was kept in another secret meanwhile. Nobody knows when that one stopped being
        // pending, but that it was before this one was staged.
        let elsewhere = self.record.doubtful_beside([Some(pending.candidate), before]);
        if elsewhere {
            return Some(self.counted(at, pending, pending.version.created_at));
        }
        if pending.predecessor == Predecessor::Nothing {
            return None;
        }
        let nothing_under_way = |before: Token| {
            let sent = u32::try_from(self.record.count(before)).ok();
            self.record.settled(before) && permits.is_some() && permits == sent
        };
        if snapshot.counts_permits && before.is_some_and(nothing_under_way) {
            return None;
        }
        // A shared vault counts nothing, and a journal may have been restored: what this very rotation staged and sent is
        // all that is known for certain.
        let staged_here = |before: Token| self.staged.contains(&before) && self.record.settled(before);
        if snapshot.sole && before.is_some_and(staged_here) {
            return None;
        }
        Some(self.counted(at, pending, ended))
    }

    /// A fence from `ended`, or from the first look where that is unknown or in the future.
    fn counted(&mut self, at: Moment, pending: &Pending, ended: Option<Timestamp>) -> Timestamp {
        let told = ended.filter(|ended| *ended <= at.now);
        let noted = self.fence_from.and_then(|(of, from)| (of == pending.candidate).then_some(from));
        // It had ended by either time: the earlier one is enough.
        let origin = told.into_iter().chain(noted).min().unwrap_or(at.now);
        if told.is_none() {
            self.fence_from = Some((pending.candidate, origin));
        }
        later(origin, self.plan.gateway.fence(self.plan.settle))
    }
}

impl Moment {
    /// The last hearing of the gateway's clock, when it is recent enough to compare times by (rule 8).
    pub(super) fn heard_lately(self) -> Option<Heard> {
        self.heard.filter(|heard| heard.age <= HEARD_WITHIN)
    }
}
