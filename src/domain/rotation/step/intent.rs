//! Passwords that the provider makes (rule 11): an intent is staged, sent once by whoever staged it, and its answer stored.

use super::{Intent, Rotation, SPACING, Spaced, later};
use crate::domain::rotation::answer::{Answer, Block};
use crate::domain::rotation::protocol::{Action, Content, Moment, Waiting};
use crate::domain::rotation::snapshot::{Pending, Version};
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

    /// Only the process that staged an intent sends it, and only once; any other intent is replaced by a new one.
    pub(super) fn intended(&mut self, at: Moment, current: &Version, pending: &Pending) -> Action {
        if self.permit != Some(pending.candidate) {
            return self.supersede(at, current.token, Spaced::No);
        }
        let (token, candidate) = (pending.version.token, pending.candidate);
        match self.may_apply(at, pending) {
            Ok(signed_at) => Action::Generate { token, candidate, signed_at },
            Err(action) => action,
        }
    }

    /// Stores what the provider answered, over whatever is pending in the same generation: another process may have
    /// replaced the intent, but waits the fence before it sends its own.
    pub(super) fn store(&mut self, generation: Token, intent: Intent) -> Action {
        let token = intent.token.answer();
        let content = Content::Generated(intent.candidate);
        self.over(|over| Action::Stage { over, token, generation, attempt: 0, content })
    }
}
