//! Keys that are replaced while the daemon runs, and a server role's temporary keys.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use ncloud_rotator::domain::rotation::{Answer, Block};
use ncloud_rotator::domain::secret::Keys;
use ncloud_rotator::ncloud::{Api, RoleKeys, RoleSettings, SubAccounts, Transport, TransportError, TransportSettings};
use ncloud_rotator::ports::clock::Clock;
use ncloud_rotator::ports::keys::{KeyError, KeySource};
use ncloud_rotator::ports::provider::{Provider, ProviderError};

use super::harness::{Act, ID, Seen, Server, always, answer, change, settings};

/// What is on disk now.
struct Disk(Mutex<Keys>);

#[async_trait]
impl KeySource for Disk {
    async fn keys(&self) -> Result<Keys, KeyError> {
        Ok(self.0.lock().unwrap().clone())
    }
}

impl Disk {
    fn put(&self, name: &str) {
        *self.0.lock().unwrap() = pair(name);
    }
}

fn pair(name: &str) -> Keys {
    Keys::new(name.to_owned(), format!("secret of {name}"))
}

/// A gateway that knows some pairs, and a tenant whose keys are on disk.
struct Bench {
    server: Server,
    known: Arc<Mutex<Vec<&'static str>>>,
    disk: Arc<Disk>,
    provider: SubAccounts,
}

impl Bench {
    async fn start(known: &[&'static str], on_disk: &str) -> Self {
        let known = Arc::new(Mutex::new(known.to_vec()));
        let list = known.clone();
        let script = move |_, seen: &Seen| {
            let key = seen.header("x-ncp-iam-access-key");
            Act::Send(if list.lock().unwrap().contains(&key) {
                answer(200, "", r#"{"success":true,"items":[],"totalItems":0}"#)
            } else {
                answer(401, "", r#"{"error":{"errorCode":"200"}}"#)
            })
        };
        let server = Server::start(script).await;
        let disk = Arc::new(Disk(Mutex::new(pair(on_disk))));
        let settings = TransportSettings { keys: disk.clone(), ..settings(&server.base) };
        let provider = SubAccounts::new(Transport::new(settings).unwrap(), Api::V1);
        Self { server, known, disk, provider }
    }

    /// The access keys of the requests since the last look.
    fn used(&self, before: &mut usize) -> Vec<String> {
        let seen = self.server.seen();
        let used = seen[*before..].iter().map(|seen| seen.header("x-ncp-iam-access-key").to_owned()).collect();
        *before = seen.len();
        used
    }
}

#[tokio::test]
async fn the_old_pair_is_used_while_the_new_one_is_not_known_yet() {
    let bench = Bench::start(&["old"], "old").await;
    let mut before = 0;
    assert_eq!(bench.provider.probe().await, Ok(()));
    assert_eq!(bench.used(&mut before), ["old"]);

    bench.disk.put("new");
    assert_eq!(bench.provider.probe().await, Ok(()), "the old pair still works");
    assert_eq!(bench.used(&mut before), ["new", "new", "old"]);
    assert_eq!(bench.provider.probe().await, Ok(()));
    assert_eq!(change(&bench.provider, ID).await, Answer::Accepted);
    assert_eq!(bench.used(&mut before), ["old", "old"], "it is not asked again which one works");

    bench.known.lock().unwrap().clone_from(&vec!["new"]);
    assert_eq!(bench.provider.probe().await, Ok(()), "the gateway has learnt the new pair and forgotten the old");
    assert_eq!(bench.used(&mut before), ["old", "old", "new"]);
    assert_eq!(bench.provider.probe().await, Ok(()));
    assert_eq!(bench.used(&mut before), ["new"]);
}

#[tokio::test]
async fn a_new_pair_that_works_makes_the_old_one_forgotten() {
    let bench = Bench::start(&["old", "new"], "old").await;
    let mut before = 0;
    assert_eq!(bench.provider.probe().await, Ok(()));
    bench.disk.put("new");
    assert_eq!(bench.provider.probe().await, Ok(()));
    assert_eq!(bench.used(&mut before), ["old", "new"]);
    bench.known.lock().unwrap().clone_from(&vec!["old"]);
    assert!(matches!(bench.provider.probe().await, Err(ProviderError::Authentication { .. })));
    assert_eq!(bench.used(&mut before), ["new", "new"], "the old pair was given up");
}

#[tokio::test]
async fn when_the_source_changes_again_its_pair_is_tried_first() {
    let bench = Bench::start(&["old"], "old").await;
    let mut before = 0;
    assert_eq!(bench.provider.probe().await, Ok(()));
    bench.disk.put("half");
    assert_eq!(bench.provider.probe().await, Ok(()));
    bench.used(&mut before);
    bench.known.lock().unwrap().push("new");
    bench.disk.put("new");
    assert_eq!(bench.provider.probe().await, Ok(()));
    assert_eq!(bench.used(&mut before), ["new"]);
}

#[tokio::test]
async fn when_neither_works_each_read_says_so_after_trying_both_once_more() {
    let bench = Bench::start(&["old"], "old").await;
    let mut before = 0;
    assert_eq!(bench.provider.probe().await, Ok(()));
    bench.used(&mut before);
    bench.known.lock().unwrap().clear();
    bench.disk.put("new");
    for _ in 0..2 {
        let refused = ProviderError::Authentication { status: 401, code: "200".to_owned() };
        assert_eq!(bench.provider.probe().await, Err(refused));
        assert_eq!(bench.used(&mut before), ["new", "new", "old"]);
    }
}

#[tokio::test]
async fn a_change_is_never_sent_twice_whatever_pairs_are_at_hand() {
    let bench = Bench::start(&["old"], "old").await;
    let mut before = 0;
    assert_eq!(bench.provider.probe().await, Ok(()));
    bench.disk.put("new");
    bench.used(&mut before);
    assert_eq!(change(&bench.provider, ID).await, Answer::Blocked(Block::Authentication));
    assert_eq!(bench.used(&mut before), ["new"]);
    assert_eq!(bench.provider.probe().await, Ok(()), "the read that follows finds the pair that works");
    bench.used(&mut before);
    assert_eq!(change(&bench.provider, ID).await, Answer::Accepted);
    assert_eq!(bench.used(&mut before), ["old"]);
}

#[tokio::test]
async fn a_missing_right_is_not_taken_for_a_bad_pair() {
    let server = Server::start(|before, _| {
        Act::Send(if before == 0 {
            answer(200, "", r#"{"items":[],"totalItems":0}"#)
        } else {
            answer(401, "", r#"{"error":{"errorCode":"210"}}"#)
        })
    })
    .await;
    let disk = Arc::new(Disk(Mutex::new(pair("old"))));
    let settings = TransportSettings { keys: disk.clone(), ..settings(&server.base) };
    let provider = SubAccounts::new(Transport::new(settings).unwrap(), Api::V1);
    assert_eq!(provider.probe().await, Ok(()));
    disk.put("new");
    assert!(matches!(provider.probe().await, Err(ProviderError::Permission { .. })));
    assert_eq!(server.seen().len(), 2);
}

/// A wall clock that is set by hand.
struct Hand(Mutex<Timestamp>);

impl Hand {
    fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new("2025-11-21T20:00:00Z".parse().unwrap())))
    }

    fn forward(&self, by: SignedDuration) {
        *self.0.lock().unwrap() += by;
    }
}

#[async_trait]
impl Clock for Hand {
    fn wall(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn boot(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending::<()>().await;
    }
}

fn role(server: &Server, clock: &Arc<Hand>) -> RoleKeys {
    let settings = RoleSettings {
        base: format!("{}/door/metadata", server.base),
        role: "rotator".to_owned(),
        clock: clock.clone(),
    };
    RoleKeys::new(settings).unwrap()
}

fn temporary(name: &str, until: &str) -> String {
    format!(r#"{{"AccessKeyId":"{name}","SecretAccessKey":"secret-{name}","Expiration":"{until}"}}"#)
}

/// Serves these answers in turn, and then 500.
async fn metadata(answers: Vec<String>) -> Server {
    let answers = Mutex::new(VecDeque::from(answers));
    Server::start(move |_, _| {
        Act::Send(match answers.lock().unwrap().pop_front() {
            Some(body) => answer(200, "", &body),
            None => answer(500, "", "secret-of-nobody"),
        })
    })
    .await
}

async fn access(keys: &RoleKeys) -> String {
    keys.keys().await.unwrap().expose_access().to_owned()
}

#[tokio::test]
async fn temporary_keys_are_kept_until_shortly_before_they_end() {
    let one = temporary("one", "2025-11-21T21:00:00Z");
    let server = metadata(vec![one, temporary("two", "2025-11-21T22:00:00Z")]).await;
    let clock = Hand::new();
    let keys = role(&server, &clock);
    assert_eq!(access(&keys).await, "one");
    clock.forward(SignedDuration::from_mins(54));
    assert_eq!(access(&keys).await, "one");
    let seen = server.only();
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("GET", "/door/metadata/iam/security-credentials/rotator")
    );
    assert!(seen.headers.iter().all(|(name, _)| !name.starts_with("x-ncp-")), "nothing is signed");
    clock.forward(SignedDuration::from_mins(1));
    assert_eq!(access(&keys).await, "two");
    assert_eq!(keys.keys().await.unwrap().expose_secret(), "secret-two");
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn without_others_the_keys_at_hand_are_used_to_their_end_and_then_the_cause_is_told() {
    let server = metadata(vec![temporary("one", "2025-11-21T21:00:00Z")]).await;
    let clock = Hand::new();
    let keys = role(&server, &clock);
    assert_eq!(access(&keys).await, "one");
    clock.forward(SignedDuration::from_mins(59));
    assert_eq!(access(&keys).await, "one");
    clock.forward(SignedDuration::from_mins(1));
    let error = keys.keys().await.unwrap_err().to_string();
    assert!(error.contains("iam/security-credentials/rotator") && error.contains("HTTP 500"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

#[tokio::test]
async fn keys_that_the_gateway_refused_are_looked_for_again() {
    let (one, two) = (temporary("one", "2025-11-21T21:00:00Z"), temporary("two", "2025-11-21T21:00:00Z"));
    let server = metadata(vec![one, two]).await;
    let keys = Arc::new(role(&server, &Hand::new()));
    let gateway = Server::start(|_, seen: &Seen| {
        Act::Send(if seen.header("x-ncp-iam-access-key") == "two" {
            answer(200, "", r#"{"items":[],"totalItems":0}"#)
        } else {
            answer(401, "", r#"{"error":{"errorCode":"200"}}"#)
        })
    })
    .await;
    let settings = TransportSettings { keys, ..settings(&gateway.base) };
    let provider = SubAccounts::new(Transport::new(settings).unwrap(), Api::V1);
    assert_eq!(provider.probe().await, Ok(()));
    assert_eq!((gateway.seen().len(), server.seen().len()), (2, 2));
}

#[tokio::test]
async fn many_requests_at_once_ask_once() {
    let server = metadata(vec![temporary("one", "2025-11-21T21:00:00Z")]).await;
    let keys = role(&server, &Hand::new());
    let (a, b, c) = tokio::join!(keys.keys(), keys.keys(), keys.keys());
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    server.only();
}

#[tokio::test]
async fn an_answer_that_is_no_key_pair_is_told_without_being_shown() {
    for body in [
        "",
        "secret-x",
        "{}",
        r#"{"AccessKeyId":"secret-x"}"#,
        r#"{"AccessKeyId":"","SecretAccessKey":"secret-x"}"#,
        r#"{"AccessKeyId":"secret x","SecretAccessKey":"secret-x"}"#,
        r#"{"AccessKeyId":"k","SecretAccessKey":"secret-x\n"}"#,
    ] {
        let server = Server::start(always(200, body)).await;
        let keys = role(&server, &Hand::new());
        let error = keys.keys().await.unwrap_err();
        assert!(!format!("{error} {error:?} {keys:?}").contains("secret"), "{body}: {error}");
    }
    let server = Server::start(always(404, "")).await;
    let error = role(&server, &Hand::new()).keys().await.unwrap_err().to_string();
    assert!(error.contains("no such role"), "{error}");
}

#[tokio::test]
async fn keys_without_a_readable_end_are_asked_for_each_time() {
    let body = r#"{"AccessKeyId":"one","SecretAccessKey":"s","Expiration":"some day"}"#;
    let server = Server::start(always(200, body)).await;
    let keys = role(&server, &Hand::new());
    assert_eq!((access(&keys).await, access(&keys).await), ("one".to_owned(), "one".to_owned()));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn metadata_in_plain_http_from_elsewhere_is_refused() {
    let settings =
        RoleSettings { base: "http://10.0.0.1/latest".to_owned(), role: "rotator".to_owned(), clock: Hand::new() };
    assert!(matches!(RoleKeys::new(settings), Err(TransportError::Metadata { .. })));
}
