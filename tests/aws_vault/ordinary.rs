//! Rotations that nothing goes wrong in, and what they cost.

use ncloud_rotator::domain::rotation::snapshot::{Owner, Predecessor};
use ncloud_rotator::domain::token::Token;
use ncloud_rotator::ports::vault::Stage;
use serde_json::json;

use crate::room::{ABSENT, Room, at, password};
use crate::secrets_manager::operation::Operation;

#[tokio::test]
async fn an_ordinary_rotation_is_one_read_and_two_writes() {
    let room = Room::new();
    let current = room.rotated_once().await;
    let vault = room.vault();
    let statuses = vault.statuses(&[room.place()]).await;
    assert_eq!(statuses[0].as_ref().unwrap().last_changed, Some(at(0)));
    room.calls();

    for k in 1..=3 {
        room.later(3600);
        let idle = room.read(&*vault).await;
        assert!(idle.is_idle());
        let staged = room.stage(&*vault, &idle, 0).await.unwrap();
        let sent = vault.value(&room.secret, staged.pending.as_ref().unwrap().version.token).await.unwrap();
        assert_eq!(sent.password(), Some(password(0)));
        let promoted = room.promote(&*vault, &staged).await.unwrap();
        assert!(promoted.is_idle());
        let once = ("DescribeSecret", 1);
        assert_eq!(room.calls(), [once, ("PutSecretValue", 1), ("UpdateSecretVersionStage", 1)], "rotation {k}");
    }
    assert_eq!(room.under("AWSCURRENT")["password"], "password-0");
    assert_ne!(room.seen().at("AWSCURRENT").unwrap().id, current.to_string());
    assert_eq!(room.seen().at("AWSPENDING"), room.seen().at("AWSCURRENT"), "as AWS's own rotation leaves it");
}

#[tokio::test]
async fn a_new_secret_is_made_with_a_placeholder_its_tags_and_its_key() {
    let room = Room::new();
    let mut settings = room.settings();
    settings.kms_key_id = Some("alias/rotator".to_owned());
    settings.tags.insert("team".to_owned(), "platform".to_owned());
    let vault = room.vault_of(settings);
    let absent = room.read(&*vault).await;
    assert_eq!((absent.revision, &absent.current, absent.counts_permits), (ABSENT, &None, false));

    let placed = vault.place(room.place(), absent.revision, &room.clock).await.unwrap();
    assert_eq!(placed.current.as_ref().unwrap().owner, Owner::Placeholder);
    let seen = room.seen();
    assert_eq!(seen.kms_key_id.as_deref(), Some("alias/rotator"));
    assert_eq!(seen.tags.get("team").map(String::as_str), Some("platform"));
    assert_eq!(room.under("AWSCURRENT"), json!({ "awaiting_first_rotation": true }));
    assert_eq!(seen.at("AWSCURRENT").unwrap().id, Token::placeholder().to_string());

    let staged = room.stage(&*vault, &placed, 0).await.unwrap();
    assert_eq!(staged.pending.as_ref().unwrap().predecessor, Predecessor::Nothing);
    let promoted = room.promote(&*vault, &staged).await.unwrap();
    assert_eq!(promoted.previous.as_ref().map(|version| version.owner), Some(Owner::Placeholder));
    assert_eq!(promoted.password_before(), None);
    let expected = [("CreateSecret", 1), ("DescribeSecret", 1), ("PutSecretValue", 1), ("UpdateSecretVersionStage", 1)];
    assert_eq!(room.calls(), expected);
}

#[tokio::test]
async fn what_a_write_shows_is_what_a_read_shows() {
    let room = Room::new();
    room.rotated_once().await;
    let (writer, reader) = (room.vault(), room.vault());
    let idle = room.read(&*writer).await;
    let staged = room.stage(&*writer, &idle, 0).await.unwrap();
    let mut read = room.read(&*reader).await;
    let (wrote, reads) = (staged.pending.as_ref().unwrap(), read.pending.as_mut().unwrap());
    assert_eq!(wrote.candidate, reads.candidate, "sends are noted under it");
    assert_eq!(wrote.version, reads.version);
    reads.predecessor = wrote.predecessor;
    assert_eq!(read, staged);
    assert_eq!(room.promote(&*writer, &staged).await.unwrap(), {
        let read = room.read(&*reader).await;
        assert_eq!(read.hindrance, None);
        read
    });
}

#[tokio::test]
async fn a_restart_goes_on_from_what_is_pending() {
    let room = Room::new();
    room.rotated_once().await;
    let vault = room.vault();
    let idle = room.read(&*vault).await;
    room.stage(&*vault, &idle, 0).await.unwrap();
    room.calls();

    let again = room.vault();
    let read = room.read(&*again).await;
    let pending = read.pending.clone().unwrap();
    let current = read.current.as_ref().unwrap().token;
    assert!(pending.replaces(current) && pending.version.token == room.token(current, 0));
    assert_eq!(again.value(&room.secret, pending.version.token).await.unwrap().password(), Some(password(0)));
    assert_eq!(room.calls(), [("DescribeSecret", 1), ("GetSecretValue", 2)], "labels, current and pending");
    room.promote(&*again, &read).await.unwrap();
}

#[tokio::test]
async fn everything_of_a_secret_is_shown_to_people() {
    let room = Room::new();
    let first = room.rotated_once().await;
    let vault = room.vault();
    let idle = room.read(&*vault).await;
    let one = room.stage(&*vault, &idle, 0).await.unwrap();
    let two = room.stage(&*vault, &one, 1).await.unwrap();
    let listing = room.vault().show(&room.secret).await.unwrap().unwrap();
    let shown: Vec<_> = listing.versions.iter().map(|version| (version.stage, version.token)).collect();
    let expected = [
        (Stage::Current, first),
        (Stage::Pending, room.token(first, 1)),
        (Stage::Previous, Token::placeholder()),
        (Stage::Superseded, room.token(first, 0)),
    ];
    assert_eq!(shown, expected);
    assert_eq!(listing.versions[1].candidate, two.pending.unwrap().candidate);
    assert_eq!(listing.versions[0].created_at, Some(at(0)));
    assert!(room.vault().show(&"ncloud/none".parse().unwrap()).await.unwrap().is_none());
}

#[tokio::test]
async fn a_secret_made_anew_has_other_candidates_under_the_same_tokens() {
    let room = Room::new();
    let vault = room.vault();
    let mut candidates = Vec::new();
    for _ in 0..2 {
        let absent = room.read(&*vault).await;
        let placed = vault.place(room.place(), absent.revision, &room.clock).await.unwrap();
        let staged = room.stage(&*vault, &placed, 0).await.unwrap();
        let pending = staged.pending.unwrap();
        assert_eq!(pending.version.token, room.token(Token::placeholder(), 0));
        candidates.push(pending.candidate);
        let delete = json!({ "SecretId": room.secret.as_str(), "ForceDeleteWithoutRecovery": true });
        room.act(Operation::DeleteSecret, delete);
    }
    assert_ne!(candidates[0], candidates[1], "a journal would take the one's answers for the other's");
}
