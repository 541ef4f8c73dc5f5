//! Secrets that others made: taken over with what they hold, or left alone.

use ncloud_rotator::domain::rotation::freeze::Freeze;
use ncloud_rotator::domain::rotation::snapshot::{Owner, Predecessor};
use ncloud_rotator::domain::token::Token;
use ncloud_rotator::ports::vault::VaultError;
use serde_json::json;

use crate::room::{ABSENT, FOREIGN, Room, SECRET, at, subject};
use crate::secrets_manager::operation::Operation;

#[tokio::test]
async fn a_secret_without_a_version_gets_the_placeholder_as_its_first() {
    let room = Room::new();
    room.act(Operation::CreateSecret, json!({ "Name": SECRET, "Description": "made by Terraform" }));
    let vault = room.vault();
    let empty = room.read(&*vault).await;
    assert_eq!((empty.revision, &empty.current, empty.hindrance), (ABSENT, &None, None));
    let placed = vault.place(room.place(), empty.revision, &room.clock).await.unwrap();
    assert_eq!(placed.current.as_ref().unwrap().owner, Owner::Placeholder);
    let staged = room.stage(&*vault, &placed, 0).await.unwrap();
    room.promote(&*vault, &staged).await.unwrap();
    assert_eq!(room.under("AWSCURRENT")["password"], "password-0");
}

#[tokio::test]
async fn other_keys_are_kept() {
    let room = Room::new();
    room.made_by_others(r#"{"host":"hs2.example","port":10000,"password":"by hand","nested":{"a":[1]}}"#);
    let vault = room.vault();
    let found = room.read(&*vault).await;
    let current = found.current.as_ref().unwrap();
    assert_eq!((current.owner, current.token.to_string() == FOREIGN), (Owner::NeverOurs, false));
    let staged = room.stage(&*vault, &found, 0).await.unwrap();
    // A human may have replaced another version, over which somebody had staged: not before this one was made.
    let ended = Predecessor::Ended { candidate: None, at: Some(at(0)), permits: None };
    assert_eq!(staged.pending.as_ref().unwrap().predecessor, ended);
    let promoted = room.promote(&*vault, &staged).await.unwrap();
    assert_eq!(promoted.password_before(), Some(current.token), "the way back");
    let now = room.under("AWSCURRENT");
    assert_eq!((&now["host"], &now["port"], &now["nested"]["a"][0]), (&json!("hs2.example"), &json!(10000), &json!(1)));
    assert_eq!(now["password"], "password-0");
    assert_eq!(room.under("AWSPREVIOUS")["password"], "by hand");
    let back = vault.value(&room.secret, current.token).await.unwrap();
    assert_eq!(back.expose()["password"], "by hand");
}

#[tokio::test]
async fn what_is_not_ours_to_touch_is_shown_as_such_and_not_looked_into() {
    type Prepare = fn(&Room);
    let table: [(&str, Prepare, Freeze); 5] = [
        ("a plain string", |room| room.made_by_others("hunter2"), Freeze::PlainText),
        (
            "scheduled for deletion",
            |room| {
                room.made_by_others("{}");
                room.act(Operation::DeleteSecret, json!({ "SecretId": SECRET }));
            },
            Freeze::ScheduledForDeletion,
        ),
        (
            "AWS rotates it",
            |room| {
                room.made_by_others("{}");
                room.server.set_rotation_enabled(SECRET, true);
                room.server.announce_version(SECRET, "57cd65de-881f-5c05-9cd5-090a75ad19e9");
            },
            Freeze::ManagedRotation,
        ),
        (
            "a service of AWS owns it",
            |room| {
                room.made_by_others("{}");
                room.server.set_owning_service(SECRET, "rds");
            },
            Freeze::ManagedRotation,
        ),
        (
            "a rotation of others that was taken back",
            |room| {
                room.made_by_others("{}");
                room.put_by_others("00000000-0000-4000-8000-000000000001", "{}", &["AWSPENDING", "AWSPREVIOUS"]);
            },
            Freeze::PendingIsPrevious,
        ),
    ];
    for (what, prepare, expected) in table {
        let room = Room::new();
        prepare(&room);
        let seen = room.read(&*room.vault()).await;
        assert_eq!(seen.hindrance, Some(expected), "{what}");
    }
}

#[tokio::test]
async fn somebody_elses_pending_is_nobodys_of_ours() {
    let room = Room::new();
    room.made_by_others(r#"{"password":"by hand"}"#);
    for (text, owner) in [
        (r#"{"password":"theirs"}"#, Owner::NeverOurs),
        ("plain", Owner::Stranger),
        (
            r#"{"rotation":{"account":"public/sub-account/id2","generation":"57cd65de-881f-5c05-9cd5-090a75ad19e9","attempt":0,"by":"j"}}"#,
            Owner::OtherAccount,
        ),
    ] {
        let id = format!("00000000-0000-4000-8000-{:012}", text.len());
        room.put_by_others(&id, text, &["AWSPENDING"]);
        let seen = room.read(&*room.vault()).await;
        assert_eq!(seen.pending.unwrap().version.owner, owner, "{text}");
    }
}

#[tokio::test]
async fn an_announced_version_without_a_value_is_waited_for() {
    let room = Room::new();
    room.made_by_others("{}");
    room.server.announce_version(SECRET, "57cd65de-881f-5c05-9cd5-090a75ad19e9");
    let Err(VaultError::Unavailable(text)) = room.vault().read(room.place(), &room.clock).await else {
        panic!("it was read")
    };
    assert!(text.contains("has no value") && text.contains(SECRET), "{text}");
}

#[tokio::test]
async fn a_secret_of_another_account_is_refused() {
    let room = Room::new();
    room.rotated_once().await;
    let anew = subject("id2");
    let place = ncloud_rotator::ports::vault::Place { subject: &anew, ..room.place() };
    let seen = room.vault().read(place, &room.clock).await.unwrap();
    assert_eq!(seen.current.unwrap().owner, Owner::OtherAccount);
    let status = room.vault().statuses(&[place]).await.remove(0);
    assert!(matches!(status, Err(VaultError::Unreadable(text)) if text.contains("id1") && text.contains("id2")));
}

#[tokio::test]
async fn a_secret_is_taken_back_from_deletion() {
    let room = Room::new();
    let current = room.rotated_once().await;
    room.act(Operation::DeleteSecret, json!({ "SecretId": SECRET }));
    let vault = room.vault();
    let doomed = room.read(&*vault).await;
    assert_eq!(doomed.current.as_ref().map(|version| version.token), Some(current));
    let staged = room.stage_blindly(&*vault, &doomed, current).await;
    assert!(matches!(staged, Err(VaultError::Moved)), "read again: {staged:?}");
    let back = vault.restore(room.place(), doomed.revision, &room.clock).await.unwrap();
    assert_eq!((back.hindrance, back.current.unwrap().token), (None, current));
    let status = vault.statuses(&[room.place()]).await.remove(0).unwrap();
    assert!(status.last_changed.is_some());
}

#[tokio::test]
async fn planning_is_told_that_a_secret_is_scheduled_for_deletion() {
    let room = Room::new();
    room.rotated_once().await;
    room.act(Operation::DeleteSecret, json!({ "SecretId": SECRET }));
    let told = room.vault().statuses(&[room.place()]).await.remove(0).unwrap_err().to_string();
    assert!(told.contains("scheduled for deletion") && told.contains("restore"), "{told}");
    assert!(room.vault().show(&room.secret).await.unwrap_err().to_string().contains("scheduled for deletion"));
}

#[tokio::test]
async fn two_replicas_that_place_at_once_share_one_placeholder() {
    let room = Room::new();
    let (one, two) = (room.vault(), room.vault());
    let (seen, late) = (room.read(&*one).await, room.read(&*two).await);
    one.place(room.place(), seen.revision, &room.clock).await.unwrap();
    // The same name, token and value: AWS takes it for the same request, and nothing is made twice.
    let placed = two.place(room.place(), late.revision, &room.clock).await.unwrap();
    assert_eq!(placed.current.as_ref().unwrap().token, Token::placeholder());
    assert_eq!(room.seen().versions.len(), 1);
    let staged = room.stage(&*one, &placed, 0).await.unwrap();
    room.promote(&*one, &staged).await.unwrap();
    let placed = two.place(room.place(), ABSENT, &room.clock).await;
    assert!(matches!(placed, Ok(ref seen) if seen.current.as_ref().unwrap().owner != Owner::Placeholder), "{placed:?}");
}
