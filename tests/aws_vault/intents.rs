//! Passwords that the provider makes (rule 11): intents have random tokens, so that nobody's put can fail over another's.

use ncloud_rotator::domain::rotation::snapshot::{Owner, Predecessor, Snapshot};
use ncloud_rotator::domain::token::Token;
use ncloud_rotator::domain::value::Part;
use ncloud_rotator::ports::vault::{Vault, VaultError};

use crate::room::{Room, at};
use crate::secrets_manager::faults::{Fault, Rule};
use crate::secrets_manager::operation::Operation;

async fn intent(room: &Room, vault: &dyn Vault, seen: &Snapshot, number: u8) -> Snapshot {
    let current = seen.current.as_ref().unwrap().token;
    let value = room.value_over(vault, current, 0, Some(Part::Intent)).await;
    vault.stage(room.place(), seen.revision, Token::random([number; 16]), &value, &room.clock).await.unwrap()
}

async fn answer(room: &Room, vault: &dyn Vault, seen: &Snapshot, number: u8) -> Snapshot {
    let current = seen.current.as_ref().unwrap().token;
    let value = room.value_over(vault, current, 0, Some(Part::Answer)).await;
    let token = Token::random([number; 16]).answer();
    vault.stage(room.place(), seen.revision, token, &value, &room.clock).await.unwrap()
}

#[tokio::test]
async fn an_intent_and_its_answer_are_put_beside_and_then_moved_into_place() {
    let room = Room::new();
    room.rotated_once().await;
    let vault = room.vault();
    vault.statuses(&[room.place()]).await;
    room.calls();
    let idle = room.read(&*vault).await;
    let intended = intent(&room, &*vault, &idle, 1).await;
    assert!(matches!(intended.pending.as_ref().unwrap().version.owner, Owner::Intent { .. }));
    let answered = answer(&room, &*vault, &intended, 1).await;
    assert!(matches!(answered.pending.as_ref().unwrap().version.owner, Owner::Generated { .. }));
    room.promote(&*vault, &answered).await.unwrap();
    assert_eq!(room.calls(), [("DescribeSecret", 1), ("PutSecretValue", 2), ("UpdateSecretVersionStage", 3)]);
    assert!(matches!(room.read(&*room.vault()).await.current.unwrap().owner, Owner::Generated { .. }));
}

#[tokio::test]
async fn an_intent_takes_no_place_that_its_read_did_not_show() {
    let room = Room::new();
    room.rotated_once().await;
    let (one, two) = (room.vault(), room.vault());
    let (idle, late) = (room.read(&*one).await, room.read(&*two).await);
    let current = idle.current.as_ref().unwrap().token;
    let first = intent(&room, &*one, &idle, 1).await;
    let ended = Predecessor::Ended { candidate: None, at: Some(at(0)), permits: None };
    assert_eq!(first.pending.as_ref().unwrap().predecessor, ended, "the promotion, an hour ago");
    let value = room.value_over(&*two, current, 0, Some(Part::Intent)).await;
    let second = two.stage(room.place(), late.revision, Token::random([2; 16]), &value, &room.clock).await;
    assert!(matches!(second, Err(VaultError::Moved)), "its token is random, so that no used one stops it: {second:?}");
    assert!(room.labels(Token::random([1; 16])).contains(&"AWSPENDING".to_owned()));
    // Nor does an answer: what took its intent's place may have been set since.
    let seen = room.read(&*two).await;
    intent(&room, &*two, &seen, 3).await;
    let value = room.value_over(&*one, current, 0, Some(Part::Answer)).await;
    let token = Token::random([1; 16]).answer();
    let answered = one.stage(room.place(), first.revision, token, &value, &room.clock).await;
    assert!(matches!(answered, Err(VaultError::Moved)), "{answered:?}");
    assert!(room.labels(Token::random([3; 16])).contains(&"AWSPENDING".to_owned()));
}

#[tokio::test]
async fn an_answer_whose_way_into_place_was_lost_is_found_by_its_password() {
    for fault in [Fault::DropBefore, Fault::DropAfter] {
        let room = Room::new();
        room.rotated_once().await;
        let vault = room.vault();
        let idle = room.read(&*vault).await;
        let intended = intent(&room, &*vault, &idle, 1).await;
        let current = idle.current.as_ref().unwrap().token;
        let value = room.value_over(&*vault, current, 0, Some(Part::Answer)).await;
        let token = Token::random([1; 16]).answer();
        room.server.fault(Rule::on(Operation::UpdateSecretVersionStage, fault));
        let lost = vault.stage(room.place(), intended.revision, token, &value, &room.clock).await;
        assert!(matches!(lost, Err(VaultError::Doubtful(_))), "{lost:?}");
        room.later(30);
        let seen = room.read(&*vault).await;
        if seen.pending.as_ref().unwrap().version.token == token {
            continue;
        }
        // Another time of staging, and so another text.
        let value = room.value_over(&*vault, current, 0, Some(Part::Answer)).await;
        let stored = vault.stage(room.place(), seen.revision, token, &value, &room.clock).await.unwrap();
        assert_eq!(stored.pending.as_ref().unwrap().version.token, token);
        room.promote(&*vault, &stored).await.unwrap();
        assert_eq!(room.under("AWSCURRENT")["password"], "password-0");
    }
}

#[tokio::test]
async fn replaced_intents_share_one_label_and_count_as_no_candidates() {
    let room = Room::new();
    let current = room.rotated_once().await;
    let vault = room.vault();
    let mut seen = room.read(&*vault).await;
    for number in 1..=4 {
        room.later(1);
        seen = intent(&room, &*vault, &seen, number).await;
        assert!(seen.superseded.is_empty());
    }
    assert_eq!(room.labels(Token::random([3; 16])), ["superseded-intent"]);
    assert_eq!(room.labels(Token::random([1; 16])), [""; 0], "it holds no password");
    room.later(1);
    // A candidate of ours that follows has something before it, although its token is the first.
    let ours = room.stage(&*vault, &seen, 0).await.unwrap();
    assert!(matches!(ours.pending.as_ref().unwrap().predecessor, Predecessor::Ended { .. }));
    assert!(room.labels(Token::random([4; 16])).contains(&"superseded-intent".to_owned()));
    room.later(1);
    room.promote(&*vault, &ours).await.unwrap();
    assert!(!room.labels(Token::random([4; 16])).contains(&"superseded-intent".to_owned()));
    assert_ne!(room.read(&*vault).await.current.unwrap().token, current);
}

#[tokio::test]
async fn a_copy_of_an_answer_is_a_strangers_since_nothing_proves_what_it_was_copied_from() {
    let room = Room::new();
    room.rotated_once().await;
    let vault = room.vault();
    let idle = room.read(&*vault).await;
    let intended = intent(&room, &*vault, &idle, 1).await;
    let answered = answer(&room, &*vault, &intended, 1).await;
    room.promote(&*vault, &answered).await.unwrap();
    let mut value = room.under("AWSCURRENT");
    value["host"] = "new.example".into();
    room.put_by_others("00000000-0000-4000-8000-000000000001", &value.to_string(), &["AWSCURRENT"]);
    assert_eq!(room.read(&*room.vault()).await.current.unwrap().owner, Owner::Stranger);
}
