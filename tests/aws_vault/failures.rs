//! What a call that fails is taken for, and what people are told: cause, place, remedy, and never a value.

use std::time::Duration;

use jiff::SignedDuration;
use ncloud_rotator::ports::clock::Clock as _;
use ncloud_rotator::ports::vault::VaultError;

use crate::room::{Room, SECRET};
use crate::secrets_manager::faults::{Fault, Rule};
use crate::secrets_manager::operation::Operation;
use crate::secrets_manager::refusal::Refusal;
use crate::secrets_manager::server::Server;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Moved,
    TokenUsed,
    Doubtful,
    Unavailable,
    Denied,
    Unreadable,
}

fn kind(error: &VaultError) -> Kind {
    match error {
        VaultError::Moved => Kind::Moved,
        VaultError::TokenUsed => Kind::TokenUsed,
        VaultError::Doubtful(_) => Kind::Doubtful,
        VaultError::Unavailable(_) => Kind::Unavailable,
        VaultError::Denied(_) => Kind::Denied,
        VaultError::Unreadable(_) => Kind::Unreadable,
    }
}

/// A message as the service would not write it: nothing of it may be repeated.
fn echoing(code: &'static str) -> Fault {
    Fault::Refuse(Refusal::new(code, "you sent password-0"))
}

#[tokio::test]
async fn a_write_is_doubtful_exactly_when_it_may_have_been_done() {
    for (fault, expected, written) in [
        (Fault::DropBefore, Kind::Doubtful, false),
        (Fault::DropAfter, Kind::Doubtful, true),
        (Fault::ServerErrorBefore(500), Kind::Doubtful, false),
        (Fault::ServerErrorAfter(503), Kind::Doubtful, true),
        (Fault::Garbage, Kind::Doubtful, true),
        (Fault::HoldAfter, Kind::Doubtful, true),
        (Fault::Throttled, Kind::Unavailable, false),
        (echoing("LimitExceededException"), Kind::Unavailable, false),
        (echoing("SomethingNew"), Kind::Unavailable, false),
        (echoing("InvalidParameterException"), Kind::Unreadable, false),
        (echoing("InvalidRequestException"), Kind::Moved, false),
        (echoing("ResourceNotFoundException"), Kind::Moved, false),
        (echoing("AccessDeniedException"), Kind::Denied, false),
        (echoing("EncryptionFailure"), Kind::Denied, false),
        (Fault::Refuse(Refusal::expired_token()), Kind::Denied, false),
        (Fault::Refuse(Refusal::unrecognized_client()), Kind::Denied, false),
    ] {
        let room = Room::new();
        room.rotated_once().await;
        let mut settings = room.settings();
        settings.timeout = Duration::from_millis(500);
        let vault = room.vault_of(settings);
        let idle = room.read(&*vault).await;
        let label = fault.label();
        room.server.fault(Rule::on(Operation::PutSecretValue, fault));
        room.calls();
        let error = room.stage(&*vault, &idle, 0).await.unwrap_err();
        let told = error.to_string();
        assert_eq!(kind(&error), expected, "{label}: {told}");
        assert!(!told.contains("password-0") && !format!("{error:?}").contains("password-0"), "{label}: {told}");
        if !matches!(error, VaultError::Moved) {
            for part in ["vault aws (AWS Secrets Manager, ap-northeast-2", SECRET, "PutSecretValue"] {
                assert!(told.contains(part), "{label}: {part:?} lacks in {told}");
            }
        }
        assert!(room.calls().contains(&("PutSecretValue", 1)), "{label}: sent once");
        assert_eq!(room.seen().at("AWSPENDING") != room.seen().at("AWSCURRENT"), written, "{label}");
        room.server.release();
    }
}

#[tokio::test]
async fn a_promotion_without_an_answer_is_doubtful_and_a_read_settles_it() {
    for (fault, done) in [(Fault::DropAfter, true), (Fault::DropBefore, false)] {
        let room = Room::new();
        room.rotated_once().await;
        let vault = room.vault();
        let idle = room.read(&*vault).await;
        let staged = room.stage(&*vault, &idle, 0).await.unwrap();
        room.server.fault(Rule::on(Operation::UpdateSecretVersionStage, fault));
        let error = room.promote(&*vault, &staged).await.unwrap_err();
        assert_eq!(kind(&error), Kind::Doubtful);
        assert_eq!(room.read(&*vault).await.is_idle(), done);
    }
}

#[tokio::test]
async fn a_read_is_tried_three_times_and_never_doubtful() {
    let room = Room::new();
    room.rotated_once().await;
    let vault = room.vault();
    room.server.fault(Rule::on(Operation::DescribeSecret, Fault::ServerErrorBefore(503)).times(2));
    room.read(&*vault).await;
    assert!(room.calls().contains(&("DescribeSecret", 4)), "one of the first rotation, three of this read");
    room.server.fault(Rule::on(Operation::DescribeSecret, Fault::ServerErrorBefore(500)).times(3));
    let error = vault.read(room.place(), &room.clock).await.unwrap_err();
    assert_eq!(kind(&error), Kind::Unavailable, "{error}");
}

#[tokio::test]
async fn who_is_not_there_was_told_nothing() {
    let room = Room::new();
    room.rotated_once().await;
    let vault = room.vault();
    let idle = room.read(&*vault).await;
    room.stage(&*vault, &idle, 0).await.unwrap();
    let seen = room.read(&*vault).await;
    room.server.go_away();
    let read = vault.read(room.place(), &room.clock).await.unwrap_err();
    assert_eq!(kind(&read), Kind::Unavailable, "{read}");
    // A new process, whose connection cannot even be made.
    let promote = room.promote(&*vault, &seen).await.unwrap_err();
    assert_eq!(kind(&promote), Kind::Unavailable, "{promote}");
    assert!(promote.to_string().contains("no connection"), "{promote}");
    room.server.come_back();
    room.promote(&*vault, &seen).await.unwrap();
}

#[tokio::test]
async fn writes_keep_their_rate_and_do_not_wait_for_ever() {
    let room = Room::new();
    room.rotated_once().await;
    let mut settings = room.settings();
    settings.write_interval = Duration::from_secs(20);
    let vault = room.vault_of(settings);
    let idle = room.read(&*vault).await;
    let begun = room.pace.wall();
    let staged = room.stage(&*vault, &idle, 0).await.unwrap();
    room.promote(&*vault, &staged).await.unwrap();
    assert_eq!(
        room.pace.wall().duration_since(begun),
        SignedDuration::from_secs(20),
        "the second write waits its turn"
    );

    let mut settings = room.settings();
    settings.write_interval = Duration::from_mins(1);
    let vault = room.vault_of(settings);
    let idle = room.read(&*vault).await;
    let staged = room.stage(&*vault, &idle, 0).await.unwrap();
    room.calls();
    let error = room.promote(&*vault, &staged).await.unwrap_err();
    assert_eq!(kind(&error), Kind::Unavailable, "{error}");
    assert!(error.to_string().contains("`writes`"), "{error}");
    assert_eq!(room.calls(), [], "nothing was sent");
}

#[tokio::test]
async fn a_check_names_the_rights_that_lack_and_changes_nothing() {
    let room = Room::new();
    let vault = room.vault();
    vault.check().await.unwrap();
    for operation in [Operation::PutSecretValue, Operation::DescribeSecret, Operation::RestoreSecret] {
        let denied = Refusal::access_denied("it");
        room.server.fault(Rule::on(operation, Fault::Refuse(denied)).always());
    }
    let error = vault.check().await.unwrap_err();
    assert_eq!(kind(&error), Kind::Denied);
    let told = error.to_string();
    for right in ["PutSecretValue", "DescribeSecret", "RestoreSecret"] {
        assert!(told.contains(&format!("secretsmanager:{right}")), "{told}");
    }
    assert!(!told.contains("GetSecretValue") && told.contains("docs/aws.md"), "{told}");
    assert!(room.server.secrets().is_empty() && room.server.log().iter().all(|entry| !entry.changed));

    room.server.fault(Rule::on(Operation::ListSecrets, Fault::Refuse(Refusal::unrecognized_client())).always());
    assert_eq!(kind(&vault.check().await.unwrap_err()), Kind::Denied);
    room.server.go_away();
    assert_eq!(kind(&vault.check().await.unwrap_err()), Kind::Unavailable);
}

#[tokio::test]
async fn planning_tells_each_secret_what_is_wrong_with_it_alone() {
    let room = Room::new();
    room.rotated_once().await;
    room.server.fault(Rule::on(Operation::BatchGetSecretValue, Fault::Refuse(Refusal::access_denied("it"))).always());
    let told = room.vault().statuses(&[room.place()]).await.remove(0).unwrap_err();
    assert_eq!(kind(&told), Kind::Denied, "{told}");
    assert!(told.to_string().contains("secretsmanager:BatchGetSecretValue"), "{told}");
    room.server.fault(Rule::on(Operation::ListSecrets, Fault::Throttled).times(3));
    let told = room.vault().statuses(&[room.place()]).await.remove(0).unwrap_err();
    assert_eq!(kind(&told), Kind::Unavailable, "{told}");
}

#[tokio::test]
async fn a_wrong_region_is_no_secret_manager_of_ours() {
    let room = Room::new();
    let mut settings = room.settings();
    settings.endpoint_url = Some("http://127.0.0.1:1".to_owned());
    let error = room.vault_of(settings).check().await.unwrap_err();
    assert_eq!(kind(&error), Kind::Unavailable);
    assert!(error.to_string().contains("http://127.0.0.1:1") && error.to_string().contains(Server::REGION), "{error}");
}
