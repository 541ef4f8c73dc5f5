//! What each operation does to a document, and what a snapshot of it shows (`protocol.md`, rules 1, 3, 4 and 6). Pure: the
//! caller holds the lock and says what time it is, or that it does not know.
//!
//! ```text
//! (absent) --place--> current: placeholder
//!                        | stage                    stage again: the pending one becomes superseded
//!                        v                           v
//!                     pending ----------------> pending, superseded…
//!                        | promote                   | promote
//!                        v                           v
//!          current = pending, previous = current, nothing superseded
//! ```

use super::document::{Before, Document, Entry};
use crate::domain::Timestamp;
use crate::domain::account::Subject;
use crate::domain::rotation::snapshot::{Owner, Pending, Predecessor, Revision, Snapshot, Superseded, Version};
use crate::domain::secret::SecretName;
use crate::domain::token::Token;
use crate::domain::value::SecretValue;
use crate::ports::vault::{ListedVersion, Listing, Stage, Status, VaultError};

/// Gives a secret without any version its placeholder.
pub(super) fn place(
    document: Option<Document>,
    secret: &SecretName,
    now: Option<Timestamp>,
) -> Result<Document, VaultError> {
    let mut document = document.unwrap_or_else(|| Document::new(secret));
    if document.entries().next().is_some() {
        return Err(VaultError::Moved);
    }
    document.current = Some(Entry {
        token: Token::placeholder(),
        created_at: now,
        permits: None,
        predecessor: None,
        superseded_at: None,
        value: SecretValue::placeholder(),
    });
    Ok(document)
}

/// Makes `value` pending. Staging counts as the first permit to send it.
pub(super) fn stage(
    document: Option<Document>,
    token: Token,
    value: SecretValue,
    now: Option<Timestamp>,
) -> Result<Document, VaultError> {
    let mut document = document.ok_or(VaultError::Moved)?;
    if document.entries().any(|entry| entry.token == token) {
        return Err(VaultError::TokenUsed);
    }
    let predecessor = match document.pending.take() {
        Some(replaced) => {
            let ended = Before::Ended { candidate: Some(replaced.candidate()), at: now, permits: replaced.permits };
            if !replaced.value.is_intent() {
                document.superseded.push(Entry { predecessor: None, superseded_at: now, ..replaced });
            }
            Some(ended)
        }
        None => Some(before(&document)),
    };
    document.pending =
        Some(Entry { token, created_at: now, permits: Some(1), predecessor, superseded_at: None, value });
    Ok(document)
}

/// Counts one more permit to send what is pending. An unknown number stays unknown.
pub(super) fn permit(document: Option<Document>, token: Token) -> Result<Document, VaultError> {
    let mut document = document.ok_or(VaultError::Moved)?;
    let pending = document.pending.as_mut().filter(|pending| pending.token == token).ok_or(VaultError::Moved)?;
    pending.permits = pending.permits.and_then(|permits| permits.checked_add(1));
    Ok(document)
}

/// Gives up what is pending: it is kept as superseded, since it may be live.
pub(super) fn drop_pending(
    document: Option<Document>,
    token: Token,
    now: Option<Timestamp>,
) -> Result<Document, VaultError> {
    let mut document = document.ok_or(VaultError::Moved)?;
    let pending = document.pending.take_if(|pending| pending.token == token).ok_or(VaultError::Moved)?;
    document.superseded.push(Entry { predecessor: None, superseded_at: now, ..pending });
    Ok(document)
}

/// Makes what is pending current.
pub(super) fn promote(
    document: Option<Document>,
    token: Token,
    now: Option<Timestamp>,
) -> Result<Document, VaultError> {
    let mut document = document.ok_or(VaultError::Moved)?;
    let pending = document.pending.take_if(|pending| pending.token == token).ok_or(VaultError::Moved)?;
    // A person may have changed other keys since it was staged.
    let value = document.current.as_ref().map(|current| pending.value.beside(&current.value));
    let value = value.unwrap_or_else(|| pending.value.clone());
    let replaced = document.current.replace(Entry { predecessor: None, value, ..pending });
    if let Some(replaced) = replaced.filter(|entry| !entry.value.is_placeholder()) {
        document.previous = Some(replaced);
    }
    document.superseded.clear();
    document.promoted_at = now;
    Ok(document)
}

/// One read of both labels, for `subject`.
pub(super) fn snapshot(
    document: Option<&Document>,
    subject: &Subject,
    as_of: Timestamp,
    revision: Revision,
) -> Snapshot {
    let mut shown = Snapshot { counts_permits: true, ..Snapshot::absent(as_of, revision) };
    let Some(document) = document else { return shown };
    let account = subject.to_string();
    let version = |entry: &Entry| Version {
        token: entry.token,
        owner: Owner::told_by(&entry.value, &account, was_ours(document)),
        created_at: entry.created_at,
    };
    shown.current = document.current.as_ref().map(version);
    shown.previous = document.previous.as_ref().map(version);
    shown.pending = document.pending.as_ref().map(|entry| Pending {
        version: version(entry),
        candidate: entry.candidate(),
        predecessor: predecessor(entry.predecessor.as_ref()),
        permits: entry.permits,
    });
    shown.superseded = document
        .superseded
        .iter()
        .map(|entry| Superseded { version: version(entry), at: entry.superseded_at })
        .collect();
    shown
}

/// The value of one version.
pub(super) fn value(document: &Document, token: Token) -> Option<&SecretValue> {
    document.entries().find(|entry| entry.token == token).map(|entry| &entry.value)
}

/// Everything, for people.
pub(super) fn listing(document: &Document) -> Listing {
    let list = |stage: Stage| {
        move |entry: &Entry| ListedVersion {
            stage,
            token: entry.token,
            candidate: entry.candidate(),
            created_at: entry.created_at,
            value: entry.value.clone(),
        }
    };
    let current = document.current.iter().map(list(Stage::Current));
    let pending = document.pending.iter().map(list(Stage::Pending));
    let previous = document.previous.iter().map(list(Stage::Previous));
    let superseded = document.superseded.iter().map(list(Stage::Superseded));
    Listing { versions: current.chain(pending).chain(previous).chain(superseded).collect() }
}

/// What to plan by (rule 14).
pub(super) fn status(document: Option<&Document>, subject: &Subject) -> Result<Status, VaultError> {
    let current = document.and_then(|document| document.current.as_ref());
    let pending = document.and_then(|document| document.pending.as_ref());
    let account = subject.to_string();
    let marks = current.into_iter().chain(pending).filter_map(|entry| entry.value.mark());
    if let Some(stranger) = marks.map(|mark| mark.account).find(|marked| *marked != account) {
        let secret = document.map_or("", |document| &document.secret);
        return Err(VaultError::Unreadable(format!(
            "the secret {secret} holds the password of {stranger}, and not of {account}; the account was perhaps made anew. \
             Move the secret aside, or tell the accounts apart in the rule's template"
        )));
    }
    Ok(Status {
        last_changed: current
            .filter(|entry| !entry.value.is_placeholder())
            .and_then(|entry| entry.value.rotated_at().or(entry.created_at)),
        unfinished: pending.is_some(),
    })
}

/// What the next pending version takes the place from, nothing being pending any more.
fn before(document: &Document) -> Before {
    if let Some(last) = document.superseded.last() {
        return Before::Ended { candidate: Some(last.candidate()), at: last.superseded_at, permits: last.permits };
    }
    match &document.current {
        Some(current) if !awaits_first(current, document) => {
            Before::Ended { candidate: Some(current.candidate()), at: document.promoted_at, permits: current.permits }
        }
        _ => Before::Nothing,
    }
}

/// Whether `current` is a placeholder, or was never ours.
fn awaits_first(current: &Entry, document: &Document) -> bool {
    current.value.is_placeholder() || (!current.value.carries_mark() && !was_ours(document))
}

fn predecessor(recorded: Option<&Before>) -> Predecessor {
    match recorded {
        Some(Before::Nothing) => Predecessor::Nothing,
        Some(Before::Ended { candidate, at, permits }) => {
            Predecessor::Ended { candidate: *candidate, at: *at, permits: *permits }
        }
        None => Predecessor::Ended { candidate: None, at: None, permits: None },
    }
}

/// Whether a version of ours was ever current. Candidates do not count: the first one is staged over a current that was
/// never ours, which stays that until the promotion.
fn was_ours(document: &Document) -> bool {
    document.promoted_at.is_some() || document.previous.as_ref().is_some_and(|entry| entry.value.carries_mark())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::account::{AccountId, Kind, Site};

    fn subject() -> Subject {
        Subject { site: Site::Public, kind: Kind::SubAccount, id: AccountId("id1".into()) }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn token(k: u32) -> Token {
        Token::of_attempt(&subject(), Token::placeholder(), k)
    }

    fn value(json: Value) -> SecretValue {
        let Value::Object(map) = json else { panic!("an object is needed") };
        SecretValue::from_map(map)
    }

    fn ours(k: u32) -> SecretValue {
        let mark = json!({"account": subject().to_string(), "generation": token(k), "attempt": k, "by": "j"});
        value(json!({"password": format!("p{k}"), "rotation": mark}))
    }

    fn placed() -> Document {
        place(None, &"a/b".parse().unwrap(), Some(at(1))).unwrap()
    }

    fn with_current(value: SecretValue) -> Document {
        let mut document = placed();
        let current = document.current.as_mut().unwrap();
        (current.token, current.value) = (token(99), value);
        document
    }

    fn seen(document: &Document) -> Snapshot {
        snapshot(Some(document), &subject(), at(0), Revision([0; 32]))
    }

    #[test]
    fn an_owner_is_told_by_the_value_and_by_what_was_current_before() {
        let mark = |account: &str| json!({"account": account, "generation": token(1), "attempt": 7, "by": "j"});
        let mine = subject().to_string();
        let table = [
            (json!({"awaiting_first_rotation": true}), Owner::Placeholder, Owner::Placeholder),
            (json!({"awaiting_first_rotation": true, "host": "h"}), Owner::Placeholder, Owner::Placeholder),
            (json!({"awaiting_first_rotation": true, "password": "p"}), Owner::NeverOurs, Owner::Stranger),
            (json!({}), Owner::NeverOurs, Owner::Stranger),
            (json!({"password": "p", "rotation": "90d"}), Owner::NeverOurs, Owner::Stranger),
            (json!({"password": "p", "rotation": {"days": 90}}), Owner::NeverOurs, Owner::Stranger),
            (json!({"password": "p", "rotation": {"account": mine}}), Owner::Stranger, Owner::Stranger),
            (
                json!({"rotation": mark(&mine)}),
                Owner::Ours { generation: token(1), attempt: 7 },
                Owner::Ours { generation: token(1), attempt: 7 },
            ),
            (json!({"rotation": mark("public/sub-account/id2")}), Owner::OtherAccount, Owner::OtherAccount),
            (json!({"rotation": mark("gov/sub-account/id1")}), Owner::OtherAccount, Owner::OtherAccount),
        ];
        for (content, fresh, later) in table {
            let mut document = with_current(value(content.clone()));
            assert_eq!(seen(&document).current.unwrap().owner, fresh, "{content}");
            document.promoted_at = Some(at(5));
            assert_eq!(seen(&document).current.unwrap().owner, later, "{content} after a promotion");
            document.promoted_at = None;
            document.previous = Some(Entry { value: ours(0), ..document.current.clone().unwrap() });
            assert_eq!(seen(&document).current.unwrap().owner, later, "{content} after a version of ours");
        }
    }

    #[test]
    fn a_first_candidate_has_no_predecessor_and_later_ones_do() {
        let never_ours = || with_current(value(json!({"password": "by hand"})));
        let other = || {
            let mark = json!({"account": "x", "generation": token(1), "attempt": 0, "by": "j"});
            with_current(value(json!({"rotation": mark})))
        };
        let promoted = |mut document: Document| {
            document.promoted_at = Some(at(40));
            document.current.as_mut().unwrap().permits = Some(3);
            document
        };
        let ended = |ended: Option<Timestamp>, permits| Predecessor::Ended {
            candidate: Some(token(99).candidate(Some(at(1)))),
            at: ended,
            permits,
        };
        let table = [
            (placed(), Predecessor::Nothing),
            (never_ours(), Predecessor::Nothing),
            (Document { current: None, ..placed() }, Predecessor::Nothing),
            (promoted(never_ours()), ended(Some(at(40)), Some(3))),
            (promoted(with_current(ours(0))), ended(Some(at(40)), Some(3))),
            (with_current(ours(0)), ended(None, None)),
            (other(), ended(None, None)),
        ];
        for (index, (document, expected)) in table.into_iter().enumerate() {
            let staged = stage(Some(document), token(0), ours(0), Some(at(50))).unwrap();
            assert_eq!(seen(&staged).pending.unwrap().predecessor, expected, "row {index}");
        }
    }

    #[test]
    fn a_current_that_was_never_ours_stays_that_while_candidates_wait() {
        let document = with_current(value(json!({"password": "by hand"})));
        let document = stage(Some(document), token(0), ours(0), Some(at(2))).unwrap();
        let document = stage(Some(document), token(1), ours(1), Some(at(3))).unwrap();
        assert_eq!(seen(&document).current.unwrap().owner, Owner::NeverOurs);
    }

    #[test]
    fn a_superseded_candidate_is_kept_and_is_what_the_next_one_waits_for() {
        let document = stage(Some(placed()), token(0), ours(0), Some(at(2))).unwrap();
        let document = permit(permit(Some(document), token(0)).ok(), token(0)).unwrap();
        let document = stage(Some(document), token(1), ours(1), Some(at(30))).unwrap();
        let document = stage(Some(document), token(2), ours(2), Some(at(60))).unwrap();
        let shown = seen(&document);
        let pending = shown.pending.unwrap();
        assert_eq!((pending.version.token, pending.permits), (token(2), Some(1)));
        assert_eq!(
            pending.predecessor,
            Predecessor::Ended {
                candidate: Some(token(1).candidate(Some(at(30)))),
                at: Some(at(60)),
                permits: Some(1)
            }
        );
        let superseded: Vec<_> = shown.superseded.iter().map(|kept| (kept.version.token, kept.at)).collect();
        assert_eq!(superseded, [(token(0), Some(at(30))), (token(1), Some(at(60)))]);
        assert_eq!(super::value(&document, token(0)).unwrap().password(), ours(0).password());
        assert_eq!(document.superseded[0].permits, Some(3), "staging is the first permit");
    }

    #[test]
    fn a_candidate_that_vanished_by_hand_is_still_waited_for() {
        let document = stage(Some(placed()), token(0), ours(0), Some(at(2))).unwrap();
        let mut document = stage(Some(document), token(1), ours(1), Some(at(30))).unwrap();
        document.pending = None;
        let document = stage(Some(document), token(2), ours(2), Some(at(60))).unwrap();
        assert_eq!(
            seen(&document).pending.unwrap().predecessor,
            Predecessor::Ended { candidate: Some(token(0).candidate(Some(at(2)))), at: Some(at(30)), permits: Some(1) }
        );
    }

    #[test]
    fn a_promotion_moves_the_labels_and_lets_superseded_ones_go() {
        let document = stage(Some(placed()), token(0), ours(0), Some(at(2))).unwrap();
        let document = stage(Some(document), token(1), ours(1), Some(at(3))).unwrap();
        let document = permit(Some(document), token(1)).unwrap();
        let document = promote(Some(document), token(1), Some(at(4))).unwrap();
        assert_eq!(document.previous, None, "a placeholder is nobody's previous password");
        let current = document.current.clone().unwrap();
        assert_eq!((current.token, current.created_at, current.permits), (token(1), Some(at(3)), Some(2)));
        assert!(document.pending.is_none() && document.superseded.is_empty());
        assert_eq!(document.promoted_at, Some(at(4)));

        let next = Token::of_attempt(&subject(), token(1), 0);
        let document = stage(Some(document), next, ours(2), Some(at(10))).unwrap();
        assert_eq!(
            seen(&document).pending.unwrap().predecessor,
            Predecessor::Ended { candidate: Some(token(1).candidate(Some(at(3)))), at: Some(at(4)), permits: Some(2) }
        );
        let document = promote(Some(document), next, Some(at(11))).unwrap();
        assert_eq!(document.previous.map(|entry| entry.token), Some(token(1)));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let staged = || stage(Some(placed()), token(0), ours(0), Some(at(2))).ok();
        let full = || stage(promote(staged(), token(0), Some(at(3))).ok(), token(1), ours(1), Some(at(4))).unwrap();
        let secret: SecretName = "a/b".parse().unwrap();
        assert_eq!(place(Some(placed()), &secret, Some(at(9))), Err(VaultError::Moved));
        assert_eq!(place(staged(), &secret, Some(at(9))), Err(VaultError::Moved));
        assert_eq!(stage(None, token(0), ours(0), Some(at(9))), Err(VaultError::Moved));
        let mut full = full();
        full.previous = Some(Entry { token: token(7), ..full.current.clone().unwrap() });
        full.superseded.push(Entry { token: token(8), ..full.current.clone().unwrap() });
        for used in [token(0), token(1), token(7), token(8)] {
            assert_eq!(stage(Some(full.clone()), used, ours(5), Some(at(9))), Err(VaultError::TokenUsed));
        }
        assert_eq!(stage(Some(placed()), Token::placeholder(), ours(5), Some(at(9))), Err(VaultError::TokenUsed));
        for wrong in [None, Some(placed()), Some(full)] {
            assert_eq!(permit(wrong.clone(), token(0)), Err(VaultError::Moved));
            assert_eq!(promote(wrong, token(0), Some(at(9))), Err(VaultError::Moved));
        }
    }

    #[test]
    fn unknown_permits_stay_unknown() {
        let mut document = stage(Some(placed()), token(0), ours(0), Some(at(2))).unwrap();
        document.pending.as_mut().unwrap().permits = None;
        document.pending.as_mut().unwrap().predecessor = None;
        let shown = seen(&permit(Some(document), token(0)).unwrap()).pending.unwrap();
        assert_eq!(shown.permits, None);
        assert_eq!(shown.predecessor, Predecessor::Ended { candidate: None, at: None, permits: None });
    }

    #[test]
    fn the_last_change_is_what_the_value_says_or_else_when_it_was_stored() {
        let dated = value(json!({"password": "p", "rotated_at": "1970-01-01T00:01:00Z"}));
        let table = [
            (None, None),
            (Some(placed()), None),
            (Some(Document { current: None, ..placed() }), None),
            (Some(with_current(dated)), Some(at(60))),
            (Some(with_current(value(json!({"password": "p"})))), Some(at(1))),
            (Some(with_current(value(json!({"password": "p", "rotated_at": "yesterday"})))), Some(at(1))),
        ];
        for (document, expected) in table {
            let status = status(document.as_ref(), &subject());
            assert_eq!(status, Ok(Status { last_changed: expected, unfinished: false }));
        }
        let staged = stage(Some(placed()), token(0), ours(0), Some(at(2))).unwrap();
        assert!(status(Some(&staged), &subject()).unwrap().unfinished);
        let anew = Subject { id: AccountId("id2".into()), ..subject() };
        let Err(VaultError::Unreadable(text)) = status(Some(&staged), &anew) else { panic!("it was taken") };
        assert!(text.contains(&subject().to_string()) && text.contains(&anew.to_string()), "{text}");
    }

    #[test]
    fn a_listing_goes_from_current_to_superseded() {
        let document = stage(Some(with_current(ours(9))), token(0), ours(0), Some(at(2))).ok();
        let mut document = stage(document, token(1), ours(1), Some(at(3))).unwrap();
        document.previous = Some(Entry { token: token(5), ..document.current.clone().unwrap() });
        let listed: Vec<_> = listing(&document).versions.iter().map(|version| (version.stage, version.token)).collect();
        let expected = [
            (Stage::Current, token(99)),
            (Stage::Pending, token(1)),
            (Stage::Previous, token(5)),
            (Stage::Superseded, token(0)),
        ];
        assert_eq!(listed, expected);
    }
}
