//! What goes wrong on purpose: what the client hears, and what was done all the same.

use std::time::Duration;

use rstest::rstest;
use serde_json::json;

use crate::bench::{KEY, client, client_that_waits, start, token, word};
use crate::script::Player;
use crate::secrets_manager::faults::{Fault, Rule};
use crate::secrets_manager::log::Ended;
use crate::secrets_manager::operation::Operation;
use crate::secrets_manager::refusal::Refusal;

const PUT: &str = "put s #2 two AWSPENDING";

#[rstest]
#[case(Fault::DropBefore, "no answer", false)]
#[case(Fault::DropAfter, "no answer", true)]
#[case(Fault::ServerErrorBefore(500), "InternalServiceError", false)]
#[case(Fault::ServerErrorBefore(503), "ServiceUnavailable", false)]
#[case(Fault::ServerErrorAfter(500), "InternalServiceError", true)]
#[case(Fault::Throttled, "ThrottlingException", false)]
#[case(Fault::Refuse(Refusal::unrecognized_client()), "UnrecognizedClientException", false)]
#[case(Fault::Refuse(Refusal::expired_token()), "ExpiredTokenException", false)]
#[case(Fault::Refuse(Refusal::access_denied("secretsmanager:PutSecretValue")), "AccessDeniedException", false)]
#[case(Fault::Garbage, "an error without a code", true)]
#[case(Fault::Delay(Duration::from_millis(20)), "ok", true)]
#[tokio::test]
async fn each_fault_is_heard_once(#[case] fault: Fault, #[case] heard: &str, #[case] done: bool) {
    let (server, player) = start();
    server.fault(Rule::on(Operation::PutSecretValue, fault.clone()));
    assert_eq!(player.play("get s").await, "one");
    assert_eq!(player.play(PUT).await, heard);
    assert_eq!(server.secret("s").unwrap().labelled("AWSPENDING"), done.then_some("two"));
    let entry = server.log().pop().unwrap();
    assert_eq!((entry.fault, entry.changed, entry.key.as_str()), (Some(fault.label()), done, KEY));
    let is_silent = matches!(fault, Fault::DropBefore | Fault::DropAfter);
    assert_eq!(entry.ended == Some(Ended::HungUp), is_silent);
    assert_eq!(player.play(PUT).await, "ok");
    assert_eq!(server.count(Operation::PutSecretValue), 2);
}

#[tokio::test]
async fn rules_apply_in_order_to_what_they_fit_until_they_are_used_up_or_lifted() {
    let (server, player) = start();
    server.act(Operation::CreateSecret, json!({ "Name": "t" })).unwrap();
    server.fault(Rule::on(Operation::DescribeSecret, Fault::Throttled).of("s").skip(1).times(2));
    server.fault(Rule::any(Fault::ServerErrorBefore(500)).by("another key").always());
    let last = server.fault(Rule::on(Operation::DescribeSecret, Fault::ServerErrorBefore(503)).skip(2).always());
    let mut heard = Vec::new();
    for line in ["state s", "state t", "state s", "state t", "state s", "state s", "get s"] {
        heard.push(player.play(line).await);
    }
    let (throttled, away) = ("ThrottlingException", "ServiceUnavailable");
    assert_eq!(heard, ["live", "live", throttled, away, throttled, away, "one"]);
    server.lift(last);
    assert_eq!(player.play("state t").await, "live");
    server.fault(Rule::any(Fault::Throttled).always());
    assert_eq!(player.play("state t").await, throttled);
    server.clear_faults();
    assert_eq!(player.play("state t").await, "live");
}

#[rstest]
#[case(Fault::Hold, false)]
#[case(Fault::HoldAfter, true)]
#[tokio::test]
async fn what_is_held_is_done_in_the_end_although_the_client_is_gone(#[case] fault: Fault, #[case] done: bool) {
    let (server, player) = start();
    server.fault(Rule::on(Operation::PutSecretValue, fault));
    let hasty = Player::new(&client_that_waits(&server.endpoint(), Duration::from_millis(200)), "");
    assert_eq!(hasty.play(PUT).await, "no answer in time");
    assert_eq!(server.secret("s").unwrap().labelled("AWSPENDING").is_some(), done);
    assert_eq!(player.play("get s").await, "one");
    server.release();
    let deadline = tokio::time::timeout(Duration::from_secs(30), async {
        while server.log().iter().any(|entry| entry.ended.is_none()) {
            tokio::task::yield_now().await;
        }
    });
    deadline.await.expect("the request ends");
    assert_eq!(server.secret("s").unwrap().labelled("AWSPENDING"), Some("two"));
}

#[tokio::test]
async fn writes_are_throttled_by_their_common_rate_and_reads_are_not() {
    let (server, player) = start();
    let start = server.time().now();
    server.time().stand_at(start);
    server.behave(|behaviour| behaviour.writes_per_second = Some(3));
    let heard = async |lines: [&str; 4]| {
        let mut heard = Vec::new();
        for line in lines {
            heard.push(player.play(line).await);
        }
        heard
    };
    let lines = [PUT, "move s AWSCURRENT from #1 to #2", "update s #3 three", "put s #4 four"];
    assert_eq!(heard(lines).await, ["ok", "ok", "ok", "ThrottlingException"]);
    assert_eq!(heard(["get s", "labels s", "list s", "tag s a b"]).await[3], "ok");
    server.time().advance(jiff::SignedDuration::from_millis(999));
    assert_eq!(player.play("put s #4 four").await, "ThrottlingException");
    server.time().advance(jiff::SignedDuration::from_millis(1));
    assert_eq!(player.play("put s #4 four").await, "ok");
}

#[tokio::test]
async fn a_server_that_went_away_comes_back_at_its_address_with_everything() {
    let (server, player) = start();
    let endpoint = server.endpoint();
    assert_eq!(player.play("get s").await, "one");
    server.go_away();
    assert_eq!(player.play("get s").await, "no answer");
    assert!(std::net::TcpStream::connect(server.address()).is_err());
    server.go_away();
    server.come_back();
    assert_eq!(server.endpoint(), endpoint);
    assert_eq!(player.play("get s").await, "one");
}

#[tokio::test]
async fn managed_rotation_shows_and_has_a_version_without_a_value() {
    let (server, player) = start();
    let aws = client(&server.endpoint());
    assert_eq!(aws.describe_secret().secret_id("s").send().await.unwrap().rotation_enabled(), None);
    server.set_rotation_enabled("s", true);
    server.set_owning_service("s", "rds");
    server.announce_version("s", &token(2));
    let described = aws.describe_secret().secret_id("s").send().await.unwrap();
    assert_eq!((described.rotation_enabled(), described.owning_service()), (Some(true), Some("rds")));
    let listed = aws.list_secrets().send().await.unwrap();
    assert_eq!(listed.secret_list()[0].rotation_enabled(), Some(true));
    assert_eq!(player.play("labels s").await, "#1=AWSCURRENT #2=AWSPENDING");
    assert_eq!(player.play("get s AWSPENDING").await, "ResourceNotFoundException");
    assert_eq!(player.play(PUT).await, "ok");
    assert_eq!(player.play("get s AWSPENDING").await, "two");
}

#[tokio::test]
async fn a_server_ends_when_it_is_dropped() {
    let (server, player) = start();
    let address = server.address();
    server.fault(Rule::any(Fault::Hold));
    let hasty = client_that_waits(&server.endpoint(), Duration::from_millis(50));
    assert_eq!(word(&hasty.describe_secret().secret_id("s").send().await), "no answer in time");
    drop(server);
    assert_eq!(player.play("get s").await, "no answer");
    let free = tokio::time::timeout(Duration::from_secs(30), async {
        while std::net::TcpListener::bind(address).is_err() {
            tokio::task::yield_now().await;
        }
    });
    free.await.expect("the address is free again");
}
