//! Answers as text: their stable labels, read back.

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use crate::domain::rotation::{Answer, Block, Doubt};

/// The answer whose [`label`](Answer::label) this is. Reasons are read by their own derived names, which are their labels, so
/// that a new one cannot be forgotten here.
pub(super) fn parse(label: &str) -> Option<Answer> {
    match label {
        "accepted" => Some(Answer::Accepted),
        "refused" => Some(Answer::Refused),
        _ => {
            let block = Block::deserialize(text(label)).map(Answer::Blocked);
            block.or_else(|_| Doubt::deserialize(text(label)).map(Answer::Ambiguous)).ok()
        }
    }
}

fn text(label: &str) -> StrDeserializer<'_, Error> {
    label.into_deserializer()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::iter;

    use super::*;

    #[test]
    fn every_label_is_read_back_as_its_answer_and_no_two_share_one() {
        let answers: Vec<Answer> = iter::successors(Some(Answer::Accepted), |answer| next(*answer)).collect();
        for answer in &answers {
            assert_eq!(parse(answer.label()), Some(*answer), "{}", answer.label());
        }
        let labels: BTreeSet<&str> = answers.iter().map(|answer| answer.label()).collect();
        assert_eq!((labels.len(), answers.len()), (19, 19));
    }

    #[test]
    fn other_texts_are_no_answers() {
        for text in ["", "Accepted", "blocked", "ambiguous", "timed_out", "TimedOut", "quota ", "s3cret"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    /// The answer after `answer`. A new variant does not compile until it has its place here.
    fn next(answer: Answer) -> Option<Answer> {
        Some(match answer {
            Answer::Accepted => Answer::Refused,
            Answer::Refused => Answer::Blocked(Block::Authentication),
            Answer::Blocked(Block::Authentication) => Answer::Blocked(Block::Permission),
            Answer::Blocked(Block::Permission) => Answer::Blocked(Block::NoSuchAccount),
            Answer::Blocked(Block::NoSuchAccount) => Answer::Blocked(Block::Forbidden),
            Answer::Blocked(Block::Forbidden) => Answer::Blocked(Block::NotFound),
            Answer::Blocked(Block::NotFound) => Answer::Blocked(Block::Quota),
            Answer::Blocked(Block::Quota) => Answer::Blocked(Block::Throttled),
            Answer::Blocked(Block::Throttled) => Answer::Blocked(Block::TooLarge),
            Answer::Blocked(Block::TooLarge) => Answer::Blocked(Block::NoKeys),
            Answer::Blocked(Block::NoKeys) => Answer::Blocked(Block::NotSent),
            Answer::Blocked(Block::NotSent) => Answer::Ambiguous(Doubt::TimedOut),
            Answer::Ambiguous(Doubt::TimedOut) => Answer::Ambiguous(Doubt::Disconnected),
            Answer::Ambiguous(Doubt::Disconnected) => Answer::Ambiguous(Doubt::ServerError),
            Answer::Ambiguous(Doubt::ServerError) => Answer::Ambiguous(Doubt::Unreadable),
            Answer::Ambiguous(Doubt::Unreadable) => Answer::Ambiguous(Doubt::Unsuccessful),
            Answer::Ambiguous(Doubt::Unsuccessful) => Answer::Ambiguous(Doubt::UnknownRefusal),
            Answer::Ambiguous(Doubt::UnknownRefusal) => Answer::Ambiguous(Doubt::NeverHeard),
            Answer::Ambiguous(Doubt::NeverHeard) => return None,
        })
    }
}
