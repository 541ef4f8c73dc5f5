//! Passwords that the provider makes (rule 11): intents have random tokens, so that nobody's put can fail over another's.

use ncloud_rotator::domain::rotation::snapshot::{Owner, Predecessor, Snapshot};
use ncloud_rotator::domain::token::Token;
use ncloud_rotator::domain::value::Part;
use ncloud_rotator::ports::vault::Vault;

use crate::room::{Room, at};

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
async fn an_intent_and_its_answer_are_three_writes() {
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
    assert_eq!(room.calls(), [("DescribeSecret", 1), ("PutSecretValue", 2), ("UpdateSecretVersionStage", 1)]);
    assert!(matches!(room.read(&*room.vault()).await.current.unwrap().owner, Owner::Generated { .. }));
}

/// Two replicas may both stage an intent over the same version, and each displaces the other's unseen. So that the later one
/// does not ask while the earlier one's request can still take effect, it waits from its own creation, whatever an idle read
/// or a placeholder would say.
#[tokio::test]
async fn an_intent_on_a_shared_vault_always_waits_from_its_own_creation() {
    let room = Room::new();
    let vault = room.vault();
    let absent = room.read(&*vault).await;
    let placed = vault.place(room.place(), absent.revision, &room.clock).await.unwrap();
    room.later(3600);
    let ended = |seconds| Predecessor::Ended { candidate: None, at: Some(at(seconds)), permits: None };
    let first = intent(&room, &*vault, &placed, 1).await;
    assert_eq!(first.pending.as_ref().unwrap().predecessor, ended(3600));
    let answered = answer(&room, &*vault, &first, 1).await;
    room.promote(&*vault, &answered).await.unwrap();
    room.later(3600);
    let idle = room.read(&*vault).await;
    let second = intent(&room, &*vault, &idle, 2).await;
    assert_eq!(second.pending.as_ref().unwrap().predecessor, ended(7200));
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
    assert_eq!(room.labels(Token::random([4; 16])), ["superseded-intent"]);
    room.later(1);
    room.promote(&*vault, &ours).await.unwrap();
    assert_eq!(room.labels(Token::random([4; 16])), [""; 0]);
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
