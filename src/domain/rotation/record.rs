//! What a journal knows of the sends of one account's candidates.

use std::collections::BTreeMap;

use super::answer::{Answer, Doubt};
use crate::domain::token::Token;

/// Every send of every candidate (`Pending::candidate`) that the journal remembers, in order. A send without an answer is one whose answer was
/// never heard.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Record {
    sends: BTreeMap<Token, Vec<Option<Answer>>>,
}

impl Record {
    /// Nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes a send that is about to leave.
    pub fn sending(&mut self, candidate: Token) {
        self.sends.entry(candidate).or_default().push(None);
    }

    /// Notes the answer to the last send of `candidate`.
    pub fn answered(&mut self, candidate: Token, answer: Answer) {
        if let Some(last) = self.sends.get_mut(&candidate).and_then(|sends| sends.last_mut()) {
            *last = Some(answer);
        }
    }

    /// The password of `lost` is the password of `candidate` now. Nothing that is known of its sends goes with it, since
    /// others may have set another one meanwhile; and one send was never heard of, for all that anybody knows.
    pub fn again(&mut self, lost: Token, candidate: Token) {
        self.sends.remove(&lost);
        self.sending(candidate);
    }

    /// How many times `candidate` was sent from here.
    #[must_use]
    pub fn count(&self, candidate: Token) -> usize {
        self.of(candidate).len()
    }

    /// Whether any send of `candidate` was accepted. No later refusal of the same password takes that back.
    #[must_use]
    pub fn accepted(&self, candidate: Token) -> bool {
        self.of(candidate).contains(&Some(Answer::Accepted))
    }

    /// Whether the provider refused the password itself and never accepted it.
    #[must_use]
    pub fn refused(&self, candidate: Token) -> bool {
        self.of(candidate).contains(&Some(Answer::Refused)) && !self.accepted(candidate)
    }

    /// Whether any send of `candidate` has an ambiguous answer, or none.
    #[must_use]
    pub fn doubtful(&self, candidate: Token) -> bool {
        self.of(candidate).iter().any(|answer| !answer.is_some_and(Answer::is_definite))
    }

    /// Whether at least one send left, and each has a definite answer (rule 7).
    #[must_use]
    pub fn settled(&self, candidate: Token) -> bool {
        self.count(candidate) > 0 && !self.doubtful(candidate)
    }

    /// What became of the last send of `candidate`; none when it was never sent from here.
    #[must_use]
    pub fn last(&self, candidate: Token) -> Option<Answer> {
        self.of(candidate).last().map(|answer| answer.unwrap_or(Answer::Ambiguous(Doubt::NeverHeard)))
    }

    /// Whether any candidate but these has a send with an ambiguous answer, or none.
    #[must_use]
    pub fn doubtful_beside(&self, candidates: [Option<Token>; 2]) -> bool {
        self.sends.keys().any(|other| !candidates.contains(&Some(*other)) && self.doubtful(*other))
    }

    fn of(&self, candidate: Token) -> &[Option<Answer>] {
        self.sends.get(&candidate).map_or(&[], Vec::as_slice)
    }
}
