//! Where an account's rotation stands, told from one look and changing nothing.
//!
//! No rule is written here a second time: the look is put to [`step()`], and what it would do next is the answer. Where it
//! would send a password that was sent before, the answer that the journal keeps is put to it as well, and it says what it
//! waits for.

use super::answer::{Answer, Block};
use super::freeze::Freeze;
use super::protocol::{
    Action, Event, Goal, Heard, Insistence, Moment, Outcome, Plan, RollbackStop, VaultTrouble, Waiting,
};
use super::record::Record;
use super::snapshot::Snapshot;
use super::step::{Rotation, step};
use crate::domain::Timestamp;

/// More steps than any look takes; a bound against a circle.
const MOST_STEPS: usize = 16;

/// Where a rotation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing is unfinished.
    Idle,
    /// It is unfinished, and its next turn goes on at once.
    Ready,
    /// It is unfinished and waits.
    Waits {
        /// For what.
        why: Waiting,
        /// Until then, in gateway time; none where it is tried again and again.
        until: Option<Timestamp>,
    },
    /// Too many candidates were refused: an operator must look (rule 6).
    Held,
    /// An operator must say whose the secret is (rule 9).
    Frozen(Freeze),
    /// A rollback came to its end before the password was put back (rule 10).
    RollbackStopped(RollbackStop),
}

/// One look at an account.
#[derive(Debug, Clone)]
pub struct Look {
    /// What the rotation would be told; its goal and insistence do not matter here.
    pub plan: Plan,
    /// When the look was taken.
    pub now: Timestamp,
    /// What was heard of the gateway's clock, or what the gateway said instead of telling.
    pub gateway: Result<Heard, Option<Block>>,
    /// What the journal knows; none when it cannot be read.
    pub record: Option<Record>,
    /// What the vault shows, or why it does not.
    pub read: Result<Snapshot, VaultTrouble>,
}

impl Look {
    /// What a turn that only finishes would come to, as far as can be told without taking it.
    #[must_use]
    pub fn state(self) -> State {
        let Self { plan, now, gateway, record, read } = self;
        let plan = Plan { goal: Goal::Finish, insists: Insistence::None, ..plan };
        let at = Moment { now, heard: gateway.ok() };
        let last = sent_last(record.as_ref(), read.as_ref().ok());
        let journal_fails = record.is_none();
        let looked = || match &read {
            Ok(snapshot) => Event::Read(snapshot.clone()),
            Err(trouble) => Event::VaultFailed(*trouble),
        };
        let mut event = Event::Begin(record.unwrap_or_default());
        let mut rotation = Rotation::new(plan);
        for _ in 0..MOST_STEPS {
            let action;
            (rotation, action) = step(rotation, at, event);
            event = match action {
                Action::Read => looked(),
                Action::Probe => Event::ProbeFailed(gateway.err().flatten()),
                Action::Permit { .. } => match &read {
                    Ok(snapshot) => Event::Written(snapshot.clone()),
                    Err(_) => return State::Ready,
                },
                Action::Send { .. } | Action::Generate { .. } if journal_fails => Event::NotRecorded,
                Action::Send { .. } | Action::Generate { .. } => match last {
                    Some(answer) => Event::Answered(answer),
                    None => return State::Ready,
                },
                Action::Wait { until, why } => {
                    // Any other wait is a backoff, which begins anew with every turn.
                    let until = matches!(why, Waiting::Fence | Waiting::Spacing).then_some(until);
                    return State::Waits { why, until };
                }
                Action::Finish(outcome) => return State::of(outcome),
                Action::Place { .. } | Action::Stage { .. } | Action::Promote { .. } | Action::Restore { .. } => {
                    return State::Ready;
                }
            };
        }
        State::Ready
    }
}

/// What became of the last send of what is pending; none when it was never sent from here.
fn sent_last(record: Option<&Record>, read: Option<&Snapshot>) -> Option<Answer> {
    record?.last(read?.pending.as_ref()?.candidate)
}

impl State {
    const fn of(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Idle | Outcome::Rotated(_) | Outcome::RotatedElsewhere(_) => Self::Idle,
            Outcome::Held => Self::Held,
            Outcome::Frozen(why) => Self::Frozen(why),
            Outcome::RollbackStopped(why) => Self::RollbackStopped(why),
        }
    }

    /// The stable label, for programs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            // Nobody can tell whether anything is unfinished.
            Self::Waits { why: Waiting::Vault(_), .. } => "unknown",
            Self::Ready | Self::Waits { .. } => "unfinished",
            Self::Held => "held",
            Self::Frozen(_) => "frozen",
            Self::RollbackStopped(_) => "rollback-stopped",
        }
    }
}

impl Snapshot {
    /// Since when its rotation is unfinished: when the first of its candidates was staged, or, with none, when somebody
    /// wrote what is current; none when the vault does not tell.
    #[must_use]
    pub fn unfinished_since(&self) -> Option<Timestamp> {
        let superseded = self.superseded.iter().map(|superseded| &superseded.version);
        let candidates = superseded.chain(self.pending.as_ref().map(|pending| &pending.version));
        let current = self.current.as_ref().filter(|_| self.pending.is_none() && self.superseded.is_empty());
        candidates.chain(current).filter_map(|version| version.created_at).min()
    }
}

#[cfg(test)]
mod tests;
