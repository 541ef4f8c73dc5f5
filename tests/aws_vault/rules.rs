//! The rules of the protocol that are the vault's to keep.

use jiff::SignedDuration;
use ncloud_rotator::domain::rotation::freeze::Freeze;
use ncloud_rotator::domain::rotation::snapshot::{Owner, Predecessor, Snapshot};
use ncloud_rotator::domain::token::Token;
use ncloud_rotator::ports::vault::VaultError;
use serde_json::{Value, json};

use crate::room::{Room, SECRET, at, password};
use crate::secrets_manager::faults::{Fault, Rule};
use crate::secrets_manager::operation::Operation;

fn ended(seen: &Snapshot) -> Option<jiff::Timestamp> {
    match seen.pending.as_ref().unwrap().predecessor {
        Predecessor::Ended { candidate: None, at, permits: None } => at,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_fence_counts_from_the_change_that_an_idle_read_showed_and_else_from_the_candidates_own_creation() {
    let room = Room::new();
    room.rotated_once().await;
    let vault = room.vault();
    let idle = room.read(&*vault).await;
    let staged = room.stage(&*vault, &idle, 0).await.unwrap();
    assert_eq!(ended(&staged), Some(at(0)), "the promotion, an hour ago");
    assert_eq!(ended(&room.read(&*room.vault()).await), Some(at(3600)), "nobody else knows of that read");

    room.later(60);
    let seen = room.read(&*vault).await;
    let next = room.stage(&*vault, &seen, 1).await.unwrap();
    assert_eq!(ended(&next), Some(at(3660)), "never the creation of what it replaced");
}

#[tokio::test]
async fn a_tag_moves_the_change_to_the_safe_side() {
    let room = Room::new();
    room.rotated_once().await;
    room.act(Operation::TagResource, json!({ "SecretId": SECRET, "Tags": [{ "Key": "a", "Value": "b" }] }));
    let vault = room.vault();
    let idle = room.read(&*vault).await;
    assert_eq!(ended(&room.stage(&*vault, &idle, 0).await.unwrap()), Some(at(3600)));
    let status = vault.statuses(&[room.place()]).await.remove(0).unwrap();
    assert_eq!(status.last_changed, Some(at(0)), "and the password is as old as it was (rule 14)");
}

#[tokio::test]
async fn a_read_is_as_old_as_its_request() {
    let room = Room::new();
    room.rotated_once().await;
    let vault = room.vault();
    room.server.fault(Rule::on(Operation::DescribeSecret, Fault::HoldAfter));
    let before = room.server.count(Operation::DescribeSecret);
    let reading = room.read(&*vault);
    let late = async {
        while room.server.count(Operation::DescribeSecret) == before {
            tokio::task::yield_now().await;
        }
        room.later(100);
        room.server.release();
    };
    let (seen, ()) = tokio::join!(reading, late);
    assert_eq!(seen.as_of, at(3600));
}

#[tokio::test]
async fn a_write_shows_no_more_than_the_read_that_it_was_made_over() {
    let room = Room::new();
    room.rotated_once().await;
    let vault = room.vault();
    let idle = room.read(&*vault).await;
    room.later(10);
    let staged = room.stage(&*vault, &idle, 0).await.unwrap();
    assert_eq!(staged.as_of, idle.as_of, "only the read showed what is current");
    room.later(10);
    assert_eq!(room.promote(&*vault, &staged).await.unwrap().as_of, idle.as_of);
}

#[tokio::test]
async fn a_write_never_reaches_another_secret_of_the_same_name() {
    let room = Room::new();
    let vault = room.vault();
    let absent = room.read(&*vault).await;
    let placed = vault.place(room.place(), absent.revision, &room.clock).await.unwrap();
    room.act(Operation::DeleteSecret, json!({ "SecretId": SECRET, "ForceDeleteWithoutRecovery": true }));
    let other = room.vault();
    let anew = other.place(room.place(), absent.revision, &room.clock).await.unwrap();
    assert_ne!(placed.revision, anew.revision, "although the tokens are the same");
    assert!(matches!(room.stage(&*vault, &placed, 0).await, Err(VaultError::Moved)));
    assert_eq!(room.seen().versions.len(), 1);
}

#[tokio::test]
async fn pending_that_only_stayed_behind_when_a_human_edited_the_current_version_is_nothing_pending() {
    let room = Room::new();
    let original = room.rotated_once().await;
    edit(&room, 1, |value| value["host"] = "new.example".into());
    let stays = json!({ "SecretId": SECRET, "VersionStage": "AWSPENDING", "MoveToVersionId": original.to_string() });
    room.act(Operation::UpdateSecretVersionStage, stays);
    let vault = room.vault();
    let seen = room.read(&*vault).await;
    assert_eq!((seen.current.as_ref().unwrap().owner, seen.hindrance, seen.is_idle()), (Owner::Edited, None, true));
    let staged = room.stage(&*vault, &seen, 0).await.unwrap();
    assert!(staged.superseded.is_empty() && !staged.is_idle());
    assert_eq!(room.labels(original), ["AWSPREVIOUS"]);
}

#[tokio::test]
async fn a_used_token_is_said_to_be_used_and_nothing_is_changed() {
    let room = Room::new();
    let current = room.rotated_once().await;
    let (one, two, three) = (room.vault(), room.vault(), room.vault());
    let (seen, late) = (room.read(&*one).await, room.read(&*two).await);
    room.read(&*three).await;
    room.stage(&*one, &seen, 0).await.unwrap();
    room.later(1);
    let lost = room.stage(&*two, &late, 0).await;
    assert!(matches!(lost, Err(VaultError::TokenUsed)), "{lost:?}");
    let seen = room.read(&*two).await;
    assert_eq!(seen.pending.unwrap().version.token, room.token(current, 0), "what won is worked with");
    // A used token that is pending no more moves no label either.
    let seen = room.read(&*one).await;
    room.stage(&*one, &seen, 1).await.unwrap();
    assert!(matches!(room.stage(&*three, &late, 0).await, Err(VaultError::TokenUsed)));
    assert_eq!(room.labels(room.token(current, 1)), ["AWSPENDING"]);
}

#[tokio::test]
async fn a_promotion_compares_what_is_current() {
    let room = Room::new();
    room.rotated_once().await;
    let (one, two) = (room.vault(), room.vault());
    let idle = room.read(&*one).await;
    let staged = room.stage(&*one, &idle, 0).await.unwrap();
    let read = room.read(&*two).await;
    room.promote(&*one, &staged).await.unwrap();
    assert!(matches!(room.promote(&*two, &read).await, Err(VaultError::Moved)));
    let settled = room.read(&*two).await;
    assert!(settled.is_idle() && settled.current.unwrap().token == read.pending.unwrap().version.token);
}

#[tokio::test]
async fn what_is_replaced_is_kept_under_a_label_of_its_own_until_a_later_one_is_promoted() {
    let room = Room::new();
    let current = room.rotated_once().await;
    let vault = room.vault();
    let mut seen = room.read(&*vault).await;
    for k in 0..3 {
        seen = room.stage(&*vault, &seen, k).await.unwrap();
        room.later(10);
    }
    assert_eq!(room.labels(room.token(current, 0)), ["superseded-0"]);
    assert_eq!(room.labels(room.token(current, 1)), ["superseded-1"]);
    let superseded: Vec<_> = seen.superseded.iter().map(|old| (old.version.owner, old.at)).collect();
    let ours = |attempt| Owner::Ours { generation: current, attempt };
    let shown = room.read(&*room.vault()).await.superseded;
    assert_eq!(shown.iter().map(|old| old.version.owner).collect::<Vec<_>>(), [ours(0), ours(1)]);
    assert_eq!(superseded, [(ours(0), Some(at(3600))), (ours(1), Some(at(3610)))]);
    let promoted = room.promote(&*vault, &seen).await.unwrap();
    assert!(promoted.superseded.is_empty());
    for k in 0..2 {
        assert_eq!(room.labels(room.token(current, k)), [""; 0], "candidate {k} is let go");
    }
}

#[tokio::test]
async fn a_promotion_keeps_the_labels_of_later_candidates_which_may_be_live() {
    let room = Room::new();
    let current = room.rotated_once().await;
    let (one, two) = (room.vault(), room.vault());
    let idle = room.read(&*one).await;
    let first = room.stage(&*one, &idle, 0).await.unwrap();
    room.later(1);
    let mut seen = room.read(&*two).await;
    for k in 1..3 {
        room.later(1);
        seen = room.stage(&*two, &seen, k).await.unwrap();
    }
    // The first one's answer comes now: it was accepted before it was replaced.
    let promoted = one.promote(room.place(), first.revision, room.token(current, 0), &room.clock).await.unwrap();
    assert_eq!(promoted.current.unwrap().token, room.token(current, 0));
    assert_eq!(room.labels(room.token(current, 1)), ["superseded-1"]);
    assert_eq!(room.labels(room.token(current, 2)), ["AWSPENDING"]);
    let next = room.read(&*two).await;
    assert_eq!(next.superseded.len(), 1, "the promoted one was not replaced after all");
}

#[tokio::test]
async fn a_promotion_lets_only_older_candidates_go() {
    let room = Room::new();
    room.rotated_once().await;
    let vault = room.vault();
    let idle = room.read(&*vault).await;
    room.put_by_others("00000000-0000-4000-8000-000000000001", "{}", &["superseded-3"]);
    room.later(1);
    room.stage(&*vault, &idle, 0).await.unwrap();
    room.later(1);
    room.put_by_others("00000000-0000-4000-8000-000000000002", "{}", &["superseded-7"]);
    let seen = room.read(&*vault).await;
    room.promote(&*vault, &seen).await.unwrap();
    assert!(room.seen().at("superseded-3").is_none());
    assert!(room.seen().at("superseded-7").is_some(), "it may be live, and its promotion still to come");
}

#[tokio::test]
async fn giving_up_what_is_pending_keeps_it() {
    let room = Room::new();
    let current = room.rotated_once().await;
    let vault = room.vault();
    let idle = room.read(&*vault).await;
    let staged = room.stage(&*vault, &idle, 0).await.unwrap();
    let wrong = vault.drop_pending(room.place(), staged.revision, current, &room.clock).await;
    assert!(matches!(wrong, Err(VaultError::Moved)));
    room.later(5);
    let dropped = vault.drop_pending(room.place(), staged.revision, room.token(current, 0), &room.clock).await.unwrap();
    assert!(dropped.is_idle() && dropped.superseded.len() == 1);
    assert_eq!(room.labels(room.token(current, 0)), ["superseded-0"]);
    let idle = room.read(&*vault).await;
    let next = room.stage(&*vault, &idle, 1).await.unwrap();
    assert_eq!(ended(&next), Some(at(3605)), "it stopped being pending when it was given up");
}

#[tokio::test]
async fn awss_clock_is_held_against_the_gateways() {
    let room = Room::new();
    room.rotated_once().await;
    let vault = room.vault();
    assert_eq!(room.read(&*vault).await.skew, Some(SignedDuration::ZERO));
    for seconds in [40, -41] {
        room.server.time().advance(SignedDuration::from_secs(seconds));
        let idle = room.read(&*vault).await;
        let expected = if seconds > 0 { 40 } else { -1 };
        assert_eq!(idle.skew, Some(SignedDuration::from_secs(expected)));
    }
    let idle = room.read(&*vault).await;
    assert_eq!(
        room.stage(&*vault, &idle, 0).await.unwrap().skew,
        Some(SignedDuration::from_secs(-1)),
        "a write tells it too"
    );
}

/// Puts a copy of what is current by another hand, after `change`.
fn edit(room: &Room, number: u32, change: impl FnOnce(&mut Value)) {
    let mut value = room.under("AWSCURRENT");
    change(&mut value);
    room.put_by_others(&format!("00000000-0000-4000-8000-{number:012}"), &value.to_string(), &["AWSCURRENT"]);
}

#[tokio::test]
async fn a_human_who_changes_other_keys_only_is_told_from_one_who_changes_the_password() {
    let room = Room::new();
    room.rotated_once().await;
    let owner = async || room.read(&*room.vault()).await.current.unwrap().owner;
    edit(&room, 1, |value| value["host"] = "new.example".into());
    assert_eq!(owner().await, Owner::Edited);
    edit(&room, 2, |value| value["port"] = 1.into());
    assert_eq!(owner().await, Owner::Edited, "an edit of an edit is held against the original as well");
    let status = room.vault().statuses(&[room.place()]).await.remove(0).unwrap();
    assert!(status.unfinished);
    edit(&room, 3, |value| value["password"] = "by hand".into());
    assert_eq!(owner().await, Owner::Stranger);
    edit(&room, 4, |value| value["rotation"] = Value::Null);
    assert_eq!(owner().await, Owner::Stranger, "a mark that was taken out makes it nobody else's");
}

#[tokio::test]
async fn a_current_version_of_others_over_ours_is_a_strangers() {
    let room = Room::new();
    room.rotated_once().await;
    room.put_by_others("00000000-0000-4000-8000-000000000001", r#"{"password":"x"}"#, &["AWSCURRENT"]);
    let seen = room.read(&*room.vault()).await;
    assert_eq!(seen.current.unwrap().owner, Owner::Stranger);
    assert!(matches!(seen.previous.unwrap().owner, Owner::Ours { .. }), "which can be put back");
}

#[tokio::test]
async fn a_copy_whose_original_is_gone_is_a_strangers() {
    let room = Room::new();
    let current = room.rotated_once().await;
    let copy = room.under("AWSCURRENT").to_string();
    room.act(Operation::DeleteSecret, json!({ "SecretId": SECRET, "ForceDeleteWithoutRecovery": true }));
    room.act(
        Operation::CreateSecret,
        json!({ "Name": SECRET, "SecretString": copy, "ClientRequestToken": "00000000-0000-4000-8000-000000000001" }),
    );
    let seen = room.read(&*room.vault()).await.current.unwrap();
    assert_ne!(seen.token, current);
    assert_eq!(seen.owner, Owner::Stranger);
}

#[tokio::test]
async fn the_same_password_is_staged_over_an_edit_with_the_new_keys() {
    let room = Room::new();
    room.rotated_once().await;
    edit(&room, 1, |value| value["host"] = "new.example".into());
    let vault = room.vault();
    let seen = room.read(&*vault).await;
    let current = seen.current.as_ref().unwrap().token;
    let old = vault.value(&room.secret, current).await.unwrap();
    assert_eq!(old.password(), Some(password(0)));
    let staged = room.stage(&*vault, &seen, 0).await.unwrap();
    room.promote(&*vault, &staged).await.unwrap();
    assert_eq!(room.under("AWSCURRENT")["host"], "new.example");
}

#[tokio::test]
async fn a_write_over_what_has_moved_on_changes_nothing() {
    let room = Room::new();
    room.rotated_once().await;
    let vault = room.vault();
    let idle = room.read(&*vault).await;
    edit(&room, 1, |value| value["host"] = "new.example".into());
    let fresh = room.vault();
    let stale = room.stage(&*fresh, &idle, 0).await;
    assert!(matches!(stale, Err(VaultError::Moved)), "{stale:?}");
}

/// Late reads show an earlier state whole, never two states mixed.
#[tokio::test]
async fn a_late_read_shows_one_state_that_was() {
    let room = Room::new();
    let current = room.rotated_once().await;
    let vault = room.vault();
    let idle = room.read(&*vault).await;
    let staged = room.stage(&*vault, &idle, 0).await.unwrap();
    room.later(20);
    let promoted = room.promote(&*vault, &staged).await.unwrap();
    room.server.fault(Rule::on(Operation::DescribeSecret, Fault::Stale(SignedDuration::from_secs(10))));
    let late = room.read(&*room.vault()).await;
    assert_eq!((late.current.as_ref().unwrap().token, late.pending.is_some()), (current, true));
    assert_eq!(late.revision, staged.revision);
    assert!(matches!(room.promote(&*vault, &late).await, Err(VaultError::Moved)), "and a write over it is refused");
    assert_eq!(room.read(&*vault).await.revision, promoted.revision);
    assert_eq!(vault.settle(), SignedDuration::from_secs(30), "which the fence takes in");
}

#[tokio::test]
async fn pending_beside_previous_is_seen_although_it_is_ours() {
    let room = Room::new();
    room.rotated_once().await;
    let previous = room.seen().at("AWSPREVIOUS").unwrap().id.clone();
    let move_pending = json!({
        "SecretId": SECRET, "VersionStage": "AWSPENDING", "MoveToVersionId": previous,
        "RemoveFromVersionId": room.seen().at("AWSPENDING").unwrap().id,
    });
    room.act(Operation::UpdateSecretVersionStage, move_pending);
    assert_eq!(room.read(&*room.vault()).await.hindrance, Some(Freeze::PendingIsPrevious));
    assert_eq!(previous, Token::placeholder().to_string());
}
