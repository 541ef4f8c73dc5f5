//! What a journal knows of the sends of one account's candidates.

use std::collections::BTreeMap;

use super::answer::Answer;
use crate::domain::token::Token;

/// Every send of every candidate that the journal remembers, in order. A send without an answer is one whose answer was
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
    pub fn sending(&mut self, token: Token) {
        self.sends.entry(token).or_default().push(None);
    }

    /// Notes the answer to the last send of `token`.
    pub fn answered(&mut self, token: Token, answer: Answer) {
        if let Some(last) = self.sends.get_mut(&token).and_then(|sends| sends.last_mut()) {
            *last = Some(answer);
        }
    }

    /// How many times `token` was sent from here.
    #[must_use]
    pub fn count(&self, token: Token) -> usize {
        self.of(token).len()
    }

    /// Whether any send of `token` was accepted. No later refusal of the same password takes that back.
    #[must_use]
    pub fn accepted(&self, token: Token) -> bool {
        self.of(token).contains(&Some(Answer::Accepted))
    }

    /// Whether the provider refused the password itself and never accepted it.
    #[must_use]
    pub fn refused(&self, token: Token) -> bool {
        self.of(token).contains(&Some(Answer::Refused)) && !self.accepted(token)
    }

    /// Whether any send of `token` has an ambiguous answer, or none.
    #[must_use]
    pub fn doubtful(&self, token: Token) -> bool {
        self.of(token).iter().any(|answer| !answer.is_some_and(Answer::is_definite))
    }

    /// Whether at least one send left, and each has a definite answer (rule 7).
    #[must_use]
    pub fn settled(&self, token: Token) -> bool {
        self.count(token) > 0 && !self.doubtful(token)
    }

    fn of(&self, token: Token) -> &[Option<Answer>] {
        self.sends.get(&token).map_or(&[], Vec::as_slice)
    }
}
