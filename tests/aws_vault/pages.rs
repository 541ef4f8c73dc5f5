//! Many secrets at once.

use ncloud_rotator::domain::secret::SecretName;
use ncloud_rotator::domain::token::Token;
use ncloud_rotator::ports::vault::{Place, Status};
use serde_json::json;

use crate::room::{Room, at};
use crate::secrets_manager::operation::Operation;

fn name(number: u32) -> SecretName {
    format!("ncloud/main/sub-account/svc-{number}").parse().unwrap()
}

#[tokio::test]
async fn a_start_over_250_secrets_asks_by_pages() {
    let room = Room::new();
    for number in 0..250 {
        let rotated_at = at(i64::from(number)).to_string();
        let value = json!({ "password": "p", "rotated_at": rotated_at }).to_string();
        let id = Token::placeholder().to_string();
        let create = json!({ "Name": name(number).as_str(), "SecretString": value, "ClientRequestToken": id });
        room.act(Operation::CreateSecret, create);
    }
    for number in 0..150 {
        let create = json!({ "Name": format!("somebody/else/{number}") });
        room.act(Operation::CreateSecret, create);
    }
    let names: Vec<SecretName> = (0..250).map(name).collect();
    let places: Vec<Place<'_>> = names.iter().map(|secret| Place { secret, ..room.place() }).collect();
    let vault = room.vault();
    let statuses = vault.statuses(&places).await;
    for (number, status) in statuses.into_iter().enumerate() {
        let expected = Status { last_changed: Some(at(number.try_into().unwrap())), unfinished: false };
        assert_eq!(status, Ok(expected), "secret {number}");
    }
    assert_eq!(room.calls(), [("BatchGetSecretValue", 13), ("ListSecrets", 3)]);

    let mut listed = vault.secrets().await.unwrap();
    listed.sort();
    assert_eq!(listed.len(), 250, "what is not ours by its name is not listed");
    assert_eq!(room.calls(), [("ListSecrets", 3)]);

    // What the survey brought need not be asked for again.
    let secret = &names[7];
    let seen = vault.read(Place { secret, ..room.place() }, &room.clock).await.unwrap();
    vault.value(secret, seen.current.unwrap().token).await.unwrap();
    assert_eq!(room.calls(), [("DescribeSecret", 1)]);
}

#[tokio::test]
async fn planning_is_told_what_there_is_and_what_is_unfinished() {
    let room = Room::new();
    let vault = room.vault();
    let status = async |vault: &dyn ncloud_rotator::ports::vault::Vault| {
        vault.statuses(&[room.place()]).await.remove(0).unwrap()
    };
    let nothing = Status { last_changed: None, unfinished: false };
    assert_eq!(status(&*vault).await, nothing, "no secret");
    let absent = room.read(&*vault).await;
    let placed = vault.place(room.place(), absent.revision, &room.clock).await.unwrap();
    assert_eq!(status(&*vault).await, nothing, "no password yet");
    let staged = room.stage(&*vault, &placed, 0).await.unwrap();
    assert_eq!(status(&*vault).await, Status { unfinished: true, ..nothing });
    room.promote(&*vault, &staged).await.unwrap();
    assert_eq!(status(&*vault).await, Status { last_changed: Some(at(0)), unfinished: false });
}

#[tokio::test]
async fn a_list_that_is_late_makes_no_password_look_older_than_it_is() {
    let room = Room::new();
    room.rotated_once().await;
    let vault = room.vault();
    let idle = room.read(&*vault).await;
    let staged = room.stage(&*vault, &idle, 0).await.unwrap();
    room.promote(&*vault, &staged).await.unwrap();
    let lag = jiff::SignedDuration::from_mins(5);
    room.server.behave(|behaviour| behaviour.listing = crate::secrets_manager::behaviour::Lag::exactly(lag));
    let status = room.vault().statuses(&[room.place()]).await.remove(0).unwrap();
    assert_eq!(status, Status { last_changed: Some(at(3600)), unfinished: false });

    let room = Room::new();
    room.server.behave(|behaviour| behaviour.listing = crate::secrets_manager::behaviour::Lag::exactly(lag));
    let vault = room.vault();
    let absent = room.read(&*vault).await;
    let placed = vault.place(room.place(), absent.revision, &room.clock).await.unwrap();
    room.stage(&*vault, &placed, 0).await.unwrap();
    let status = room.vault().statuses(&[room.place()]).await.remove(0).unwrap();
    assert!(status.unfinished, "a secret that is not on the list yet is asked for by itself");
}
