//! What a snapshot shows, from labels and from what the labelled versions hold (`protocol.md`, rules 1, 3, 6, 7 and 9). Pure.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::content::Content;
use super::labels::Labels;
use crate::domain::account::Subject;
use crate::domain::rotation::freeze::Freeze;
use crate::domain::rotation::snapshot::{Owner, Pending, Predecessor, Snapshot, Superseded, Version};
use crate::domain::token::Token;
use crate::domain::value::{Mark, Part, SecretValue};

/// What is known of versions; none where there is no such version (any more).
pub(super) type Contents = HashMap<Token, Option<Arc<Content>>>;

/// What a staging write knows and no later read can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wrote {
    /// Of a secret that was read idle: when it was last changed (rule 1).
    pub(super) idle_since: Option<Timestamp>,
    /// What was pending or, when idle, current.
    pub(super) before: Option<Token>,
}

/// The circumstances of a read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    /// Gateway time before the request left that showed the labels. A write shows nothing of them.
    pub(super) as_of: Timestamp,
    /// How far AWS's clock is ahead of the gateway's.
    pub(super) skew: Option<SignedDuration>,
    /// Whether nobody else writes (rule 7).
    pub(super) sole: bool,
    /// What the write knows that this is the answer to.
    pub(super) wrote: Option<Wrote>,
}

/// The next version of which it must be known what it holds, before [`snapshot`] can tell whose everything is.
pub(super) fn lacking(labels: &Labels, known: &Contents, subject: &Subject) -> Option<Token> {
    if labels.deleted || labels.managed {
        // Nothing of it is touched, and so nothing is looked at.
        return None;
    }
    let placed = [labels.current, labels.staged()].into_iter().flatten().chain(labels.replaced());
    let unknown = |token: &Token| !known.contains_key(token);
    let first = placed.into_iter().find(unknown);
    first.or_else(|| beside_the_current(labels, known, subject).into_iter().find(unknown))
}

/// The versions beside the current one that say whose that is.
fn beside_the_current(labels: &Labels, known: &Contents, subject: &Subject) -> Vec<Token> {
    let Some((current, value)) = current_value(labels, known) else { return Vec::new() };
    let previous = || labels.previous.into_iter();
    match value.mark() {
        Some(mark) if mark.account != subject.to_string() => Vec::new(),
        Some(mark) => {
            let named = named_by(&mark, subject).filter(|named| *named != current);
            let explained = labels.previous == Some(mark.generation) || labels.previous == Some(Token::placeholder());
            named.into_iter().chain(previous().filter(|_| !explained)).collect()
        }
        None if value.is_placeholder() => Vec::new(),
        None => previous().chain(labels.others.iter().copied()).collect(),
    }
}

/// The token of the version that a mark of ours was made for; none where it does not follow from the mark: an intent's is
/// random, and its answer's follows from that.
fn named_by(mark: &Mark, subject: &Subject) -> Option<Token> {
    mark.provider.is_none().then(|| Token::of_attempt(subject, mark.generation, mark.attempt))
}

fn current_value<'a>(labels: &Labels, known: &'a Contents) -> Option<(Token, &'a SecretValue)> {
    let current = labels.current?;
    Some((current, value_of(known, current)?))
}

fn value_of(known: &Contents, token: Token) -> Option<&SecretValue> {
    known.get(&token)?.as_ref()?.value.as_ref()
}

/// One read of both labels, for `subject`.
pub(super) fn snapshot(labels: &Labels, known: &Contents, subject: &Subject, sight: &Sight) -> Snapshot {
    let account = subject.to_string();
    let was_ours = was_ours(labels, known);
    let told = |token: Token| match value_of(known, token) {
        Some(value) => Owner::told_by(value, &account, was_ours),
        None if token == Token::placeholder() => Owner::Placeholder,
        None if known.contains_key(&token) => Owner::Stranger,
        // Not looked into, since nothing depends on it.
        None => Owner::NeverOurs,
    };
    let content = |token: Token| known.get(&token).and_then(Option::as_ref);
    let version = |token: Token, owner: Owner| Version {
        token,
        owner,
        created_at: content(token).and_then(|content| content.made()),
    };
    let current_owner = labels.current.map(|current| match current_value(labels, known) {
        Some((_, value)) => owner_of_current(current, value, labels, known, subject, told(current)),
        None => told(current),
    });
    let left_over = is_left_over(labels, known, subject);
    let plain = labels.current.is_some_and(|current| content(current).is_some_and(|content| content.value.is_none()));
    let candidate = |token: Token| token.candidate_in(&labels.arn);
    let current = labels.current.zip(current_owner).map(|(token, owner)| version(token, owner));
    let pending = labels.staged().filter(|_| !left_over).map(|token| {
        let version = version(token, told(token));
        let predecessor = predecessor(labels, &version, current.as_ref(), sight);
        Pending { candidate: candidate(token), version, predecessor, permits: None }
    });
    let hindrance = labels.hindrance().filter(|why| *why != Freeze::PendingIsPrevious || !left_over);
    let superseded = labels.replaced().filter(|token| !value_of(known, *token).is_some_and(SecretValue::is_intent));
    Snapshot {
        current,
        pending,
        previous: labels.previous.map(|token| version(token, told(token))),
        superseded: superseded
            .map(|token| version(token, told(token)))
            .map(|version| Superseded { at: version.created_at, version })
            .collect(),
        sole: sight.sole,
        skew: sight.skew,
        hindrance: hindrance.or(plain.then_some(Freeze::PlainText)),
        ..Snapshot::absent(sight.as_of, labels.revision())
    }
}

/// Whether AWSPENDING only stayed where the last promotion left it, while a human made an edit of that version current.
pub(super) fn is_left_over(labels: &Labels, known: &Contents, subject: &Subject) -> bool {
    let Some((current, value)) = current_value(labels, known) else { return false };
    let told = Owner::told_by(value, &subject.to_string(), was_ours(labels, known));
    labels.pending == labels.previous
        && labels.staged().is_some()
        && owner_of_current(current, value, labels, known, subject, told) == Owner::Edited
}

/// Whether a version of ours was ever current: one is the previous, or bears a label that somebody else put there.
/// Candidates do not count: the first one is staged over a current that was never ours, which stays that.
fn was_ours(labels: &Labels, known: &Contents) -> bool {
    let elsewhere = labels.previous.into_iter().chain(labels.others.iter().copied());
    let carries = |token: Token| value_of(known, token).is_some_and(SecretValue::carries_mark);
    elsewhere.filter(|token| Some(*token) != labels.current).any(carries)
}

/// A current version with our mark is ours only if it is the one that the mark was made for. Otherwise somebody copied it.
///
/// Where they changed only what rotation does not own, the version that the mark was made for holds the same password, and the
/// copy is an edit (rule 9). The version that holds a password of the provider's making cannot be found from its mark, so that
/// a copy of it is only known by the version before it, which carries the very same mark; it is a stranger's, since nothing
/// proves which password it was copied from.
fn owner_of_current(
    current: Token,
    value: &SecretValue,
    labels: &Labels,
    known: &Contents,
    subject: &Subject,
    told: Owner,
) -> Owner {
    let Some(mark) = value.mark().filter(|_| !matches!(told, Owner::OtherAccount)) else { return told };
    if let Some(named) = named_by(&mark, subject) {
        let original = value_of(known, named).filter(|_| named != current);
        return match original {
            _ if named == current => told,
            Some(original) if original.password().is_some() && original.password() == value.password() => Owner::Edited,
            _ => Owner::Stranger,
        };
    }
    let before = labels.previous.filter(|previous| *previous != mark.generation);
    let copied = before.and_then(|before| value_of(known, before)).and_then(SecretValue::mark) == Some(mark.clone());
    if mark.provider == Some(Part::Answer) && copied { Owner::Stranger } else { told }
}

/// What a pending version took the place from (rule 1).
fn predecessor(labels: &Labels, pending: &Version, current: Option<&Version>, sight: &Sight) -> Predecessor {
    // T(current, 0) exists once, so that whoever staged it over a version knows that nothing was staged over that before.
    let is_first = match pending.owner {
        Owner::Ours { generation, attempt: 0 } => Some(generation) == labels.current,
        _ => false,
    };
    let untouched = labels.superseded.is_empty() && labels.superseded_intent.is_none();
    let awaits = current.filter(|_| is_first && untouched);
    let ended = match awaits {
        Some(Version { owner: Owner::Placeholder, token, .. }) if *token == Token::placeholder() => {
            return Predecessor::Nothing;
        }
        // A human may have replaced another version that was never ours, over which somebody had staged.
        Some(Version { owner: Owner::Placeholder | Owner::NeverOurs, created_at, .. }) => *created_at,
        _ => pending.created_at,
    };
    let idle_since = sight.wrote.and_then(|wrote| wrote.idle_since);
    let before = match sight.wrote {
        Some(wrote) => wrote.before,
        None if labels.superseded_intent.is_some() => None,
        None => labels.replaced().last().or(labels.current),
    };
    let candidate = before.filter(|_| sight.sole).map(|before| before.candidate_in(&labels.arn));
    // It had ended by either time.
    Predecessor::Ended { candidate, at: [idle_since, ended].into_iter().flatten().min(), permits: None }
}
