//! One read: which version each label is on, from one answer of AWS's. Pure.

use std::collections::HashMap;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::content::token_of;
use crate::domain::rotation::freeze::Freeze;
use crate::domain::rotation::snapshot::Revision;
use crate::domain::token::Token;

pub(super) const CURRENT: &str = "AWSCURRENT";
pub(super) const PENDING: &str = "AWSPENDING";
pub(super) const PREVIOUS: &str = "AWSPREVIOUS";
const SUPERSEDED: &str = "superseded-";
/// On the last intent that was replaced (`protocol.md`, rule 11). One label is enough: an intent holds no password, and all
/// that matters is that something came before what is pending.
pub(super) const SUPERSEDED_INTENT: &str = "superseded-intent";

/// Under which a version is put that must not take AWSPENDING from whatever holds it: the label is moved then, compared with
/// where it was read. It stays on the last of them and means nothing.
pub(super) const ARRIVING: &str = "arriving";

/// The labels of a secret that exists, as one answer showed them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Labels {
    /// The secret's ARN: another one when a secret is made anew under an old name.
    pub(super) arn: String,
    pub(super) current: Option<Token>,
    pub(super) pending: Option<Token>,
    pub(super) previous: Option<Token>,
    /// By number, the oldest first.
    pub(super) superseded: Vec<(u32, Token)>,
    pub(super) superseded_intent: Option<Token>,
    /// Versions with labels of others.
    pub(super) others: Vec<Token>,
    /// When anything of the secret was last changed; none where that is not known.
    pub(super) last_changed: Option<Timestamp>,
    /// Whether it is scheduled for deletion.
    pub(super) deleted: bool,
    /// Whether AWS or one of its services rotates it.
    pub(super) managed: bool,
    /// The ids of versions whose token is not their id.
    pub(super) ids: HashMap<Token, String>,
}

impl Labels {
    /// Notes the labels of one version.
    pub(super) fn add(&mut self, id: &str, labels: &[String]) {
        let token = token_of(id);
        if token.to_string() != id {
            self.ids.insert(token, id.to_owned());
        }
        for label in labels {
            match label.as_str() {
                CURRENT => self.current = Some(token),
                PENDING => self.pending = Some(token),
                PREVIOUS => self.previous = Some(token),
                SUPERSEDED_INTENT => self.superseded_intent = Some(token),
                ARRIVING => {}
                other => match other.strip_prefix(SUPERSEDED).and_then(|number| number.parse().ok()) {
                    Some(number) => self.superseded.push((number, token)),
                    None => self.others.push(token),
                },
            }
        }
        self.superseded.sort_unstable();
        self.others.sort_unstable();
    }

    /// What is pending: on the version that is current AWSPENDING means nothing (`protocol.md`, "Idle").
    pub(super) fn staged(&self) -> Option<Token> {
        self.pending.filter(|pending| Some(*pending) != self.current)
    }

    /// The replaced candidates that are neither pending nor current after all, the oldest first.
    pub(super) fn replaced(&self) -> impl Iterator<Item = Token> {
        let placed = [self.current, self.pending];
        self.superseded.iter().map(|(_, token)| *token).filter(move |token| !placed.contains(&Some(*token)))
    }

    /// Whether a version bears a label of a replaced candidate.
    pub(super) fn is_superseded(&self, token: Token) -> bool {
        self.superseded.iter().any(|(_, superseded)| *superseded == token)
    }

    /// The number of the next replaced candidate.
    pub(super) fn next_number(&self) -> u32 {
        self.superseded.last().map_or(0, |(number, _)| number.saturating_add(1))
    }

    /// Every version that has a label.
    pub(super) fn labelled(&self) -> impl Iterator<Item = Token> {
        let single = [self.current, self.pending, self.previous, self.superseded_intent];
        let superseded = self.superseded.iter().map(|(_, token)| *token);
        single.into_iter().flatten().chain(superseded).chain(self.others.iter().copied())
    }

    /// A version's id, as AWS is asked for it.
    pub(super) fn id(&self, token: Token) -> String {
        self.ids.get(&token).cloned().unwrap_or_else(|| token.to_string())
    }

    /// What writes are made over: this very secret, and every label of the protocol's.
    pub(super) fn revision(&self) -> Revision {
        if self.current.is_none() {
            return ABSENT;
        }
        let mut digest = Sha256::new();
        digest.update(self.arn.as_bytes());
        for token in [self.current, self.pending, self.previous, self.superseded_intent] {
            digest.update(token.map_or([0; 16], Token::bytes));
        }
        for (number, token) in &self.superseded {
            digest.update(number.to_be_bytes());
            digest.update(token.bytes());
        }
        Revision(digest.finalize().into())
    }

    /// What about the secret as a whole forbids to touch it, as far as labels tell (rule 9).
    pub(super) fn hindrance(&self) -> Option<Freeze> {
        if self.deleted {
            Some(Freeze::ScheduledForDeletion)
        } else if self.managed {
            Some(Freeze::ManagedRotation)
        } else if self.staged().is_some() && self.pending == self.previous {
            Some(Freeze::PendingIsPrevious)
        } else {
            None
        }
    }
}

/// The label of a replaced candidate.
pub(super) fn superseded(number: u32) -> String {
    format!("{SUPERSEDED}{number}")
}

/// What writes are made over where there is no secret, or no version of it.
pub(super) const ABSENT: Revision = Revision([0; 32]);

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> String {
        uuid::Uuid::from_bytes([number; 16]).to_string()
    }

    fn labels(versions: &[(u8, &[&str])]) -> Labels {
        let mut labels = Labels::default();
        for (number, names) in versions {
            labels.add(&id(*number), &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        }
        labels
    }

    #[test]
    fn pending_on_the_current_version_is_idle() {
        let idle = labels(&[(1, &[CURRENT, PENDING]), (2, &[PREVIOUS])]);
        assert_eq!((idle.staged(), idle.hindrance()), (None, None));
        let staged = labels(&[(1, &[CURRENT]), (2, &[PENDING])]);
        assert_eq!(staged.staged(), Some(token_of(&id(2))));
        assert_ne!(idle.revision(), staged.revision());
        let anew = Labels { arn: "another".to_owned(), ..idle.clone() };
        assert_ne!(idle.revision(), anew.revision(), "tokens come again in a secret that is made anew");
        assert_eq!(Labels::default().revision(), ABSENT);
    }

    #[test]
    fn pending_on_the_previous_version_is_somebody_elses() {
        assert_eq!(labels(&[(1, &[CURRENT]), (2, &[PREVIOUS, PENDING])]).hindrance(), Some(Freeze::PendingIsPrevious));
        let placed = labels(&[(1, &[CURRENT, PENDING, PREVIOUS])]);
        assert_eq!(placed.hindrance(), None, "idle");
        assert_eq!(Labels { managed: true, ..Labels::default() }.hindrance(), Some(Freeze::ManagedRotation));
        let both = Labels { managed: true, deleted: true, ..Labels::default() };
        assert_eq!(both.hindrance(), Some(Freeze::ScheduledForDeletion), "what nobody can write to at all comes first");
    }

    #[test]
    fn replaced_candidates_are_in_order_and_others_labels_are_others() {
        let mixed = labels(&[
            (1, &[CURRENT]),
            (2, &["superseded-10", PENDING]),
            (3, &["superseded-2"]),
            (4, &["superseded-intent"]),
            (5, &["superseded-x", "blue", ARRIVING]),
        ]);
        assert_eq!(
            mixed.replaced().collect::<Vec<_>>(),
            [token_of(&id(3))],
            "what is pending was not replaced after all"
        );
        assert_eq!((mixed.next_number(), mixed.is_superseded(token_of(&id(2)))), (11, true));
        assert_eq!(mixed.superseded_intent, Some(token_of(&id(4))));
        assert_eq!(mixed.others, [token_of(&id(5)); 2]);
        assert_eq!(labels(&[(1, &[CURRENT])]).next_number(), 0);
    }

    #[test]
    fn a_foreign_id_is_asked_for_as_it_is() {
        let mut labels = Labels::default();
        labels.add("terraform-20231012093512345600000001", &[CURRENT.to_owned()]);
        assert_eq!(labels.id(labels.current.unwrap()), "terraform-20231012093512345600000001");
        assert_eq!(labels.id(Token::placeholder()), Token::placeholder().to_string());
    }
}
