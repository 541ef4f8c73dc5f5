//! Whose requests are served: keys that come and go, a server role's temporary ones, and calls that are denied.

use std::time::Duration;

use jiff::Timestamp;
use ncloud_rotator::domain::secret::Keys;
use ncloud_rotator::emulator::{DEMO_ACCESS_KEY, demo_keys};
use ncloud_rotator::ports::clock::Clock as _;
use serde_json::{Value, json};

use super::harness::{Bench, Request};

const ALIAS: &str = "/api/v1/login-alias";

/// Whether a request that is signed now with these keys is served.
async fn served(bench: &Bench, keys: &Keys) -> bool {
    let answer = bench.send(&Request::new("GET", ALIAS, None).sign(keys, bench.clock.wall())).await.unwrap();
    assert!(answer.status == 200 || (answer.status, answer.code().as_str()) == (401, "200"), "{answer:?}");
    answer.status == 200
}

fn pair(access: &str, secret: &str) -> Keys {
    Keys::new(access.into(), secret.into())
}

#[tokio::test]
async fn keys_rotate_while_it_runs() {
    let bench = Bench::start().await;
    let change = async |change: Value| bench.door("POST", "/door/keys", Some(change)).await;
    let fresh = pair("AK2", "SK2");
    assert!(!served(&bench, &fresh).await);
    let listed = change(json!({ "op": "add", "access_key": "AK2", "secret_key": "SK2" })).await;
    let expected = json!({ "keys": [
        { "access_key": DEMO_ACCESS_KEY, "expiration": null }, { "access_key": "AK2", "expiration": null },
    ] });
    assert_eq!(listed, expected);
    assert!(served(&bench, &fresh).await && served(&bench, &demo_keys()).await, "both are good for a while");
    assert!(!served(&bench, &pair("AK2", "other")).await && !served(&bench, &pair(DEMO_ACCESS_KEY, "SK2")).await);

    change(json!([
        { "op": "remove", "access_key": DEMO_ACCESS_KEY },
        { "op": "add", "access_key": "AK2", "secret_key": "changed" },
    ]))
    .await;
    assert!(!served(&bench, &demo_keys()).await && !served(&bench, &fresh).await);
    assert!(served(&bench, &pair("AK2", "changed")).await);
    let shown = bench.door("GET", "/door/keys", None).await.to_string();
    assert!(shown.contains("AK2") && !shown.contains("changed"), "secret keys are not told: {shown}");

    let typo = Request::new("POST", "/door/keys", Some(json!({ "op": "add", "access_key": "AK3" })));
    assert_eq!(bench.send(&typo).await.unwrap().status, 422);
}

#[tokio::test]
async fn an_added_pair_may_expire() {
    let bench = Bench::start().await;
    let until = bench.clock.wall() + Duration::from_mins(1);
    let add = json!({ "op": "add", "access_key": "AK2", "secret_key": "SK2", "expiration": until });
    bench.door("POST", "/door/keys", Some(add)).await;
    bench.clock.advance(Duration::from_millis(59_999));
    assert!(served(&bench, &pair("AK2", "SK2")).await);
    bench.clock.advance(Duration::from_millis(1));
    assert!(!served(&bench, &pair("AK2", "SK2")).await && served(&bench, &demo_keys()).await);
}

/// The role's keys and their expiration, as the metadata service tells them.
async fn role(bench: &Bench, role: &str) -> (Keys, Timestamp) {
    let told = bench.door("GET", &format!("/door/metadata/iam/security-credentials/{role}"), None).await;
    let text = |member: &str| told[member].as_str().unwrap().to_owned();
    assert_eq!(told.as_object().unwrap().len(), 3, "{told}");
    (Keys::new(text("AccessKeyId"), text("SecretAccessKey")), text("Expiration").parse().unwrap())
}

#[tokio::test]
async fn a_server_roles_keys_are_accepted_until_they_expire() {
    let bench = Bench::start().await;
    let (first, expiration) = role(&bench, "rotator").await;
    assert_eq!(expiration, bench.clock.wall() + Duration::from_hours(1));
    assert!(served(&bench, &first).await);
    assert_eq!(role(&bench, "rotator").await.0.expose_access(), first.expose_access(), "the same while they are good");
    assert_ne!(role(&bench, "other").await.0.expose_access(), first.expose_access());

    bench.clock.advance(Duration::from_mins(55));
    let (second, later) = role(&bench, "rotator").await;
    assert_eq!(later, expiration + Duration::from_mins(55));
    assert!(served(&bench, &first).await && served(&bench, &second).await, "the old ones are good to their end");
    bench.clock.advance(Duration::from_mins(5));
    assert!(!served(&bench, &first).await && served(&bench, &second).await);
}

#[tokio::test]
async fn a_roles_keys_may_be_short_lived_and_be_taken_away() {
    let bench = Bench::start().await;
    bench.door("POST", "/door/roles", Some(json!({ "role": "rotator", "lifetime_ms": 2000 }))).await;
    let (keys, expiration) = role(&bench, "rotator").await;
    assert_eq!(expiration, bench.clock.wall() + Duration::from_secs(2));
    bench.clock.advance(Duration::from_millis(1999));
    assert!(served(&bench, &keys).await);
    bench.clock.advance(Duration::from_millis(1));
    assert!(!served(&bench, &keys).await);

    let (keys, _) = role(&bench, "rotator").await;
    bench.door("POST", "/door/keys", Some(json!({ "op": "remove", "access_key": keys.expose_access() }))).await;
    assert!(!served(&bench, &keys).await);
}

#[tokio::test]
async fn denied_calls_say_so_and_the_others_are_served() {
    let bench = Bench::start().await;
    let deny = async |calls: Value| bench.door("POST", "/door/permissions", Some(json!({ "deny": calls }))).await;
    let status = async |method: &str, target: &str, body: Option<Value>| {
        let answer = bench.call(method, target, body).await;
        (answer.status, answer.code())
    };
    let (denied, fine) = ((401, "210".to_owned()), (200, "-".to_owned()));
    let calls = json!(["resetPassword", "sub-accounts", "set-login-alias"]);
    assert_eq!(deny(calls.clone()).await, json!({ "deny": calls }));
    assert_eq!(status("GET", "/api/v1/sub-accounts", None).await, denied);
    assert_eq!(status("PUT", ALIAS, Some(json!({ "loginAlias": "other" }))).await, denied);
    assert_eq!(status("GET", ALIAS, None).await, fine);
    assert_eq!(status("POST", "/api/v2/accounts/getList", Some(json!({}))).await, fine);
    assert_eq!(bench.send(&bench.change("svc-batch", "Fresh-Pw7").await).await.unwrap().status, 200);
    let reset = bench.send(&bench.change("df001", "Fresh-Pw7").await).await.unwrap();
    let expected = json!({ "error": {
        "errorCode": "210", "message": "Permission Denied", "details": "The caller has no right to make this call.",
    } });
    assert_eq!((reset.status, reset.json()), (401, expected));
    assert_eq!(bench.account("df001").await["changes"], 0);
    assert_eq!(bench.call("GET", ALIAS, None).await.json(), json!({ "loginAlias": "sample" }));

    // A caller who is nobody is told that first, and v2 has a status of its own for a missing right.
    let unsigned = bench.send(&Request::new("GET", "/api/v1/sub-accounts", None)).await.unwrap();
    assert_eq!(unsigned.code(), "200");
    assert_eq!(status("GET", "/api/v2/sub-accounts", None).await, (403, "Forbidden".to_owned()));

    deny(json!(["*"])).await;
    assert_eq!(status("GET", ALIAS, None).await, denied);
    deny(json!([])).await;
    assert_eq!(status("GET", "/api/v1/sub-accounts", None).await, fine);
    assert_eq!(bench.door("GET", "/door/permissions", None).await, json!({ "deny": [] }));
    let unknown = Request::new("POST", "/door/permissions", Some(json!({ "deny": ["rotate"] })));
    assert_eq!(bench.send(&unknown).await.unwrap().status, 422);
}
