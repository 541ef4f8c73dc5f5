//! Passwords that the provider makes (rule 11): an intent is staged, sent once by whoever staged it, and its answer stored.

use super::{Intent, Rotation, SPACING, Spaced, later};
use crate::domain::Timestamp;
use crate::domain::rotation::answer::{Answer, Block};
use crate::domain::rotation::protocol::{Action, Content, Moment, Waiting};
use crate::domain::rotation::snapshot::{Owner, Pending, Version};
use crate::domain::token::Token;

impl Rotation {
    /// An intent is sent once, whatever comes back (rule 11): to sign afresh is to stage another.
    pub(super) fn generated(&mut self, at: Moment, intent: Intent, answer: Answer) -> Action {
        self.permit = None;
        self.record.sending(intent.candidate);
        self.record.answered(intent.candidate, answer);
        let asked_afresh = std::mem::take(&mut self.signed_afresh);
        match answer {
            Answer::Accepted => {
                self.failures = 0;
                self.answer = Some(intent);
                self.seen.clone().map_or(Action::Read, |snapshot| self.decide(at, snapshot))
            }
            // An intent leaves no superseded version behind from which a spacing could count.
            Answer::Refused => Action::Wait { until: later(at.now, SPACING.floor), why: Waiting::Spacing },
            Answer::Blocked(Block::Authentication) if !asked_afresh => {
                self.signed_afresh = true;
                Action::Read
            }
            Answer::Blocked(block) => self.wait(at, Waiting::Blocked(block)),
            Answer::Ambiguous(doubt) => self.wait(at, Waiting::Doubt(doubt)),
        }
    }

    /// Only the process that staged an intent sends it, and only once; any other intent is replaced by a new one, when its
    /// creator has had its turn: two processes that replace each other's at sight would never get to asking.
    pub(super) fn intended(&mut self, at: Moment, current: &Version, pending: &Pending) -> Action {
        let (token, candidate) = (pending.version.token, pending.candidate);
        if self.permit != Some(candidate) {
            let until = self.turn_ends(at, candidate);
            return if self.record.count(candidate) == 0 && at.now < until {
                Action::Wait { until, why: Waiting::Fence }
            } else {
                self.supersede(at, current.token, Spaced::No)
            };
        }
        match self.may_apply(at, pending) {
            Ok(signed_at) => Action::Generate { token, candidate, signed_at },
            Err(action) => action,
        }
    }

    /// When the creator of an intent has waited its fence and asked, counted from when the intent was first seen here.
    fn turn_ends(&mut self, at: Moment, intent: Token) -> Timestamp {
        let seen = self.fence_from.filter(|(of, _)| *of == intent).map_or(at.now, |(_, seen)| seen);
        self.fence_from = Some((intent, seen));
        let gateway = self.plan.gateway;
        later(later(seen, gateway.fence(self.plan.settle)), gateway.timeout)
    }

    /// Stores what the provider answered. In the place of its own intent it is what is live; where another process has put
    /// something there meanwhile, that may have been set since, so that the answer becomes a candidate like any other: it
    /// waits the fence, and is sent. An answer that is stored already, or that a later one has overtaken, needs nothing.
    pub(super) fn store(
        &mut self,
        at: Moment,
        current: &Version,
        base: Token,
        pending: Option<&Pending>,
    ) -> Option<Action> {
        let intent = self.answer?;
        let moved = current.token != intent.generation && current.token != base;
        let promoted = matches!(current.owner, Owner::Ours { .. } | Owner::Rollback { .. } | Owner::Generated { .. });
        let stored = pending.is_some_and(
            |pending| matches!(pending.version.owner, Owner::Generated { generation } if generation == current.token),
        );
        if stored || (moved && promoted) {
            self.answer = None;
            return None;
        }
        let is_in_place =
            current.token == intent.generation && pending.is_some_and(|pending| pending.candidate == intent.candidate);
        if !is_in_place {
            return Some(self.stage(at, current.token, Content::Again(intent.candidate)));
        }
        let (token, generation) = (intent.token.answer(), current.token);
        let content = Content::Generated(intent.candidate);
        Some(self.over(|over| Action::Stage { over, token, generation, attempt: 0, content }))
    }
}
