//! The server's clock, and what goes by it: dates, late reads, pruning, the end of deletions.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::bench::{client, start_at, token};
use crate::script::Player;
use crate::secrets_manager::behaviour::Lag;
use crate::secrets_manager::faults::{Fault, Rule};
use crate::secrets_manager::operation::Operation;
use crate::secrets_manager::server::Server;

const START: i64 = 1_763_752_800;

/// A server whose clock stands, with a secret `s` of one version.
fn start() -> (Server, Player) {
    start_at(Some(Timestamp::from_second(START).unwrap()))
}

fn advance(server: &Server, seconds: i64) {
    server.time().advance(SignedDuration::from_secs(seconds));
}

fn put(server: &Server, number: u32, label: &str) {
    let request = json!({
        "SecretId": "s", "ClientRequestToken": token(number), "SecretString": "x", "VersionStages": [label],
    });
    server.act(Operation::PutSecretValue, request).unwrap();
}

#[tokio::test]
async fn the_last_change_is_the_last_change_of_anything() {
    let (server, player) = start();
    let aws = client(&server.endpoint());
    let mut changed = START;
    for (line, changes) in [
        ("get s", false),
        ("put s #2 two AWSPENDING", true),
        ("put s #2 two", false),
        ("put s #2 other", false),
        ("move s AWSCURRENT from #2 to #1", false),
        ("move s AWSCURRENT from #1 to #2", true),
        ("move s AWSCURRENT to #2", false),
        ("tag s team red", true),
        ("delete s 7", true),
        ("restore s", true),
        ("restore s", false),
    ] {
        advance(&server, 10);
        player.play(line).await;
        if changes {
            changed = server.time().now().as_second();
        }
        let described = aws.describe_secret().secret_id("s").send().await.unwrap();
        assert_eq!(described.last_changed_date().unwrap().secs(), changed, "{line}");
        assert_eq!(described.created_date().unwrap().secs(), START);
    }
    let value = aws.get_secret_value().secret_id("s").send().await.unwrap();
    assert_eq!(value.created_date().unwrap().secs(), START + 20);
}

#[tokio::test]
async fn late_reads_show_what_was_and_writes_act_on_what_is() {
    let (server, player) = start();
    server.behave(|behaviour| behaviour.settle = Lag::exactly(SignedDuration::from_secs(30)));
    assert_eq!(player.play("get s").await, "ResourceNotFoundException");
    advance(&server, 30);
    assert_eq!(player.play("get s").await, "one");
    put(&server, 2, "AWSPENDING");
    advance(&server, 29);
    assert_eq!(player.play("labels s").await, "#1=AWSCURRENT");
    assert_eq!(player.play("get s #2").await, "ResourceNotFoundException");
    assert_eq!(player.play("batch s").await, "s=one");
    assert_eq!(player.play("versions-all s").await, "#1=AWSCURRENT");
    assert_eq!(player.play("move s AWSCURRENT from #1 to #2").await, "ok");
    assert_eq!(player.play("put s #2 other").await, "ResourceExistsException");
    advance(&server, 1);
    assert_eq!(player.play("labels s").await, "#1=AWSCURRENT #2=AWSPENDING");
    advance(&server, 29);
    assert_eq!(player.play("labels s").await, "#1=AWSPREVIOUS #2=AWSCURRENT+AWSPENDING");
}

#[tokio::test]
async fn a_list_is_late_by_itself_and_one_read_by_a_fault() {
    let (server, player) = start();
    advance(&server, 600);
    server.behave(|behaviour| behaviour.listing = Lag::exactly(SignedDuration::from_mins(5)));
    server.act(Operation::CreateSecret, json!({ "Name": "s2" })).unwrap();
    put(&server, 2, "AWSPENDING");
    assert_eq!(player.play("list s").await, "s");
    server.fault(Rule::on(Operation::DescribeSecret, Fault::Stale(SignedDuration::from_secs(1))));
    assert_eq!(player.play("labels s").await, "#1=AWSCURRENT");
    assert_eq!(player.play("labels s").await, "#1=AWSCURRENT #2=AWSPENDING");
    advance(&server, 300);
    assert_eq!(player.play("list s").await, "s s2");
}

#[tokio::test]
async fn reads_that_are_late_by_chance_are_so_again_with_the_same_seed() {
    let reads = async |seed| {
        let (server, player) = start();
        for number in 2..30 {
            advance(&server, 1);
            put(&server, number, "AWSPENDING");
        }
        server.behave(|behaviour| behaviour.settle = Lag::up_to(SignedDuration::from_secs(20), seed));
        let mut seen = Vec::new();
        for _ in 0..20 {
            seen.push(player.play("labels s").await);
        }
        seen
    };
    let (once, again, other) = (reads(7).await, reads(7).await, reads(8).await);
    assert_eq!(once, again);
    assert_ne!(once, other);
    assert!(once.iter().any(|labels| *labels != once[0]));
    // Version n became pending n - 1 seconds after the start, the last one 28, so that 20 seconds ago it was version 9.
    let pending = |labels: &String| labels.rsplit_once('#').unwrap().1.trim_end_matches("=AWSPENDING").parse().unwrap();
    assert!(once.iter().map(pending).all(|number: u32| (9..=29).contains(&number)), "{once:?}");
}

#[test]
fn unlabelled_versions_go_when_there_are_too_many_the_oldest_first_and_none_that_is_young() {
    let (server, _) = start();
    let ids = |server: &Server| {
        let versions = server.secret("s").unwrap().versions;
        let number = |id: &str| id.rsplit('-').next().unwrap().parse::<u32>().unwrap();
        versions.iter().map(|version| number(&version.id)).collect::<Vec<_>>()
    };
    for number in 2..=50 {
        put(&server, number, "AWSPENDING");
    }
    advance(&server, 60);
    for number in 51..=110 {
        put(&server, number, "AWSPENDING");
    }
    assert_eq!(ids(&server), (1..=110).collect::<Vec<_>>());
    // The first 50 are a day old now, and the other 60 are not.
    advance(&server, 24 * 3600 - 60);
    put(&server, 111, "AWSPENDING");
    let kept: Vec<_> = std::iter::once(1).chain(13..=111).collect();
    assert_eq!(ids(&server), kept);
    server.limit(|limits| limits.versions = 10);
    put(&server, 112, "mine");
    let kept: Vec<_> = std::iter::once(1).chain(51..=112).collect();
    assert_eq!(ids(&server), kept);
    server.limit(|limits| limits.young = SignedDuration::ZERO);
    put(&server, 113, "AWSPENDING");
    let kept: Vec<_> = std::iter::once(1).chain(105..=113).collect();
    assert_eq!(ids(&server), kept);
}

#[tokio::test]
async fn a_scheduled_deletion_comes_to_its_end() {
    let (server, player) = start();
    let arn = server.secret("s").unwrap().arn;
    assert_eq!(player.play("delete s 7").await, "ok");
    advance(&server, 7 * 24 * 3600 - 1);
    assert_eq!(player.play("state s").await, "scheduled");
    advance(&server, 1);
    assert_eq!(player.play("state s").await, "ResourceNotFoundException");
    assert_eq!(player.play("restore s").await, "ResourceNotFoundException");
    assert_eq!(player.play("create s #1 other").await, "ok");
    let secret = server.secret("s").unwrap();
    assert_ne!(secret.arn, arn);
    assert_eq!(secret.labelled("AWSCURRENT"), Some("other"));
    assert_eq!(server.secret(&arn), None);
}

#[tokio::test]
async fn a_name_may_stay_taken_for_a_while_after_a_deletion_without_recovery() {
    let (server, player) = start();
    server.deletion_takes(SignedDuration::from_secs(20));
    assert_eq!(player.play("delete s force").await, "ok");
    assert_eq!(player.play("create s #1 other").await, "InvalidRequestException");
    assert_eq!(player.play("restore s").await, "InvalidRequestException");
    advance(&server, 20);
    assert_eq!(player.play("create s #1 other").await, "ok");
}
