//! Requests that are stopped before or after their effect.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::bench::{client, client_that_waits, start};
use crate::script::Player;
use crate::secrets_manager::moments::{Side, Then};
use crate::secrets_manager::operation::Operation;
use crate::secrets_manager::server::Server;

const PATIENCE: Duration = Duration::from_secs(30);
const PUT: &str = "put s #2 two AWSPENDING";

fn pending(server: &Server) -> Option<String> {
    server.secret("s").unwrap().labelled("AWSPENDING").map(str::to_owned)
}

#[tokio::test]
async fn a_hook_sees_both_sides_of_every_request_in_order() {
    let (server, player) = start();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&seen);
    server.on_moments(move |moment| {
        let name = moment.secret.as_deref().unwrap_or("-");
        let line = format!("{:?} {:?} {name} {} {}", moment.side, moment.operation, moment.nth, moment.changed);
        noted.lock().unwrap().push(line);
        Then::GoOn
    });
    for line in ["get s", PUT, "put s #3 three AWSPENDING", "put s #2 other", "list s"] {
        player.play(line).await;
    }
    server.forget_moments();
    player.play("get s").await;
    let expected = [
        "Before GetSecretValue s 1 false",
        "After GetSecretValue s 1 false",
        "Before PutSecretValue s 1 false",
        "After PutSecretValue s 1 true",
        "Before PutSecretValue s 2 false",
        "After PutSecretValue s 2 true",
        "Before PutSecretValue s 3 false",
        "After PutSecretValue s 3 false",
        "Before ListSecrets - 1 false",
        "After ListSecrets - 1 false",
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[tokio::test]
async fn a_hook_that_hangs_up_decides_by_its_side_whether_there_was_an_effect() {
    for (hang_up_at, effect) in [(Side::Before, None), (Side::After, Some("two".to_owned()))] {
        let (server, player) = start();
        server.on_moments(move |moment| if moment.side == hang_up_at { Then::HangUp } else { Then::GoOn });
        assert_eq!(player.play(PUT).await, "no answer");
        assert_eq!(pending(&server), effect);
    }
}

#[test]
fn a_stopped_request_stands_until_it_is_resumed_while_others_pass() {
    let (server, player) = start();
    let stops = server.stop_at(|moment| moment.operation == Operation::PutSecretValue);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let putting = runtime.spawn(async move { player.play(PUT).await });
    let before = stops.next(PATIENCE).unwrap();
    assert_eq!((before.moment.side, pending(&server)), (Side::Before, None));
    let other = Player::new(&client(&server.endpoint()), "");
    assert_eq!(runtime.block_on(other.play("get s")), "one");
    before.resume(Then::GoOn);
    let after = stops.next(PATIENCE).unwrap();
    assert_eq!((after.moment.side, pending(&server)), (Side::After, Some("two".to_owned())));
    assert!(!putting.is_finished());
    drop(after);
    assert_eq!(runtime.block_on(putting).unwrap(), "ok");
    drop(stops);
    assert_eq!(runtime.block_on(other.play("put s #3 three AWSPENDING")), "ok");
}

/// As for a client that is killed at the moment before: what it sent may still be carried out, or be lost with it.
#[test]
fn the_effect_of_a_client_that_is_gone_is_the_tests_to_decide() {
    for (then, effect) in [(Then::GoOn, Some("two".to_owned())), (Then::HangUp, None)] {
        let (server, _) = start();
        let stops = server.stop_at(|_| true);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let hasty = Player::new(&client_that_waits(&server.endpoint(), Duration::from_millis(100)), "");
        assert_eq!(runtime.block_on(hasty.play(PUT)), "no answer in time");
        stops.next(PATIENCE).unwrap().resume(then);
        if then == Then::GoOn {
            assert_eq!(stops.next(PATIENCE).unwrap().moment.side, Side::After);
        }
        assert_eq!(pending(&server), effect);
    }
}
