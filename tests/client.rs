//! The provider's client against a server of raw TCP: what is on the wire, how often, and what is made of every kind of
//! answer and of none.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "this whole file is a test; clippy excuses test functions only, and not what they call"
)]

#[path = "client/formats.rs"]
mod formats;
#[path = "client/harness.rs"]
mod harness;
#[path = "client/keys.rs"]
mod keys;
#[path = "client/network.rs"]
mod network;
#[path = "client/settings.rs"]
mod settings;

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use harness::{
    Act, DATE, ID, PASSWORD, Script, Seen, Server, Source, always, answer, change, date, deciding_read, hasty, keys,
    provider, settings, source, transport, wall,
};
use ncloud_rotator::domain::account::{Kind, Standing};
use ncloud_rotator::domain::rotation::{Answer, Block, Doubt};
use ncloud_rotator::domain::secret::Keys;
use ncloud_rotator::ncloud::{Api, DataForest, Format, SubAccounts, Transport, TransportError, TransportSettings};
use ncloud_rotator::ports::keys::KeyError;
use ncloud_rotator::ports::provider::{Expiration, Provider, ProviderError};
use serde_json::{Value, json};
use tokio::net::TcpListener;

#[tokio::test]
async fn a_sub_accounts_change_is_the_documented_request() {
    let server = Server::start(always(200, r#"{"success":true}"#)).await;
    assert_eq!(change(&SubAccounts::new(transport(&server.base), Api::V1), ID).await, Answer::Accepted);
    let seen = server.only();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("PUT", &*format!("/api/v1/sub-accounts/{ID}/password")));
    assert_eq!(seen.json(), json!({"needPasswordGenerate": false, "newPassword": PASSWORD}));
    assert_eq!((seen.header("content-type"), seen.header("accept")), ("application/json", "application/json"));
    assert_eq!(seen.signed_at(), deciding_read(), "the signed time is the caller's, to the millisecond");
    assert!(seen.is_signed());
}

#[tokio::test]
async fn a_data_forest_change_is_the_documented_request() {
    let server = Server::start(always(200, r#"{"success":true,"id":"5g1WbBT4qMVOkXKz"}"#)).await;
    assert_eq!(
        change(&DataForest::new(transport(&server.base), Format::Json), "5g1WbBT4qMVOkXKz").await,
        Answer::Accepted
    );
    let seen = server.only();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/api/v2/accounts/resetPassword"));
    assert_eq!(seen.json(), json!({"id": "5g1WbBT4qMVOkXKz", "password": PASSWORD}));
    assert_eq!((seen.header("content-type"), seen.header("accept")), ("application/json", "application/json"));
    assert_eq!(seen.signed_at(), deciding_read());
    assert!(seen.is_signed());
}

#[tokio::test]
async fn the_signed_target_is_the_one_on_the_wire_whatever_the_id_holds() {
    for (id, encoded) in [
        ("홍길동", "%ED%99%8D%EA%B8%B8%EB%8F%99"),
        ("a/b?c#d%e f", "a%2Fb%3Fc%23d%25e%20f"),
        ("../../x", "..%2F..%2Fx"),
        ("%2e%2e", "%252e%252e"),
        ("a\\b\t\"<>|^`{}'+&=", "a%5Cb%09%22%3C%3E%7C%5E%60%7B%7D%27%2B%26%3D"),
        (";,@:!$()*[]", "%3B%2C%40%3A%21%24%28%29%2A%5B%5D"),
        ("A-z_0.~", "A-z_0.~"),
    ] {
        let server = Server::start(always(200, r#"{"success":true}"#)).await;
        assert_eq!(change(&SubAccounts::new(transport(&server.base), Api::V1), id).await, Answer::Accepted, "{id}");
        let seen = server.only();
        assert_eq!(seen.target, format!("/api/v1/sub-accounts/{encoded}/password"));
        assert!(seen.is_signed(), "{id}");
    }
}

#[tokio::test]
async fn an_id_that_a_url_would_swallow_is_never_sent() {
    let server = Server::start(always(200, r#"{"success":true}"#)).await;
    for id in ["", ".", ".."] {
        let answer = change(&SubAccounts::new(transport(&server.base), Api::V1), id).await;
        assert_eq!(answer, Answer::Blocked(Block::NotSent), "{id:?}");
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn reads_are_the_documented_requests_signed_with_the_gateways_time() {
    let script = |_, seen: &Seen| {
        let body = match seen.target.as_str() {
            "/api/v1/sub-accounts?page=0&size=100" | "/api/v1/sub-accounts?page=0&size=1" => {
                r#"{"items":[],"totalItems":0,"isLast":true}"#
            }
            "/api/v1/tenant-settings/sub-account-password-policy" => {
                r#"{"usePasswordExpiration":true,"passwordExpirationDays":90}"#
            }
            "/api/v2/accounts/getList" => r#"{"success":true,"total":0,"contents":[]}"#,
            other => panic!("{other}"),
        };
        Act::Send(answer(200, "", body))
    };
    let server = Server::start(script).await;
    let sub_accounts = SubAccounts::new(transport(&server.base), Api::V1);
    assert_eq!(sub_accounts.accounts().await, Ok(vec![]));
    assert_eq!(sub_accounts.probe().await, Ok(()));
    assert_eq!(sub_accounts.expiration().await, Ok(Expiration::Days(90)));
    let data_forest = DataForest::new(transport(&server.base), Format::Json);
    assert_eq!(data_forest.accounts().await, Ok(vec![]));
    assert_eq!(data_forest.probe().await, Ok(()));
    assert_eq!(data_forest.expiration().await, Ok(Expiration::Unset));
    let seen = server.seen();
    assert_eq!(seen.iter().map(|seen| seen.method.as_str()).collect::<Vec<_>>(), ["GET", "GET", "GET", "POST", "POST"]);
    assert!(seen.iter().all(|seen| seen.is_signed() && seen.signed_at() == wall()));
    assert!(seen[..3].iter().all(|seen| seen.body.is_empty()) && seen[3..].iter().all(|seen| seen.json() == json!({})));
}

#[tokio::test]
async fn a_change_is_sent_once_however_its_connection_ends() {
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"success\":true}".to_vec();
    let endings = [vec![], b"HTTP/1.1 20".to_vec(), b"no HTTP at all\r\n\r\n".to_vec(), half];
    for kind in Kind::ALL {
        for ending in endings.clone() {
            let shown = String::from_utf8(ending.clone()).unwrap();
            let server = Server::start(move |_, _| Act::SendAndClose(ending.clone())).await;
            let answer = change(&*provider(kind, transport(&server.base)), ID).await;
            assert_eq!(answer, Answer::Ambiguous(Doubt::Disconnected), "{kind} {shown:?}");
            server.only();
        }
        let server = Server::deaf().await;
        let answer = change(&*provider(kind, transport(&server.base)), ID).await;
        assert_eq!(answer, Answer::Ambiguous(Doubt::Disconnected), "{kind}, closed before it was read");
        assert_eq!(server.connections(), 1);
    }
}

#[tokio::test]
async fn a_change_is_sent_once_whatever_the_status() {
    for (status, expected) in [
        (401, Answer::Blocked(Block::Authentication)),
        (408, Answer::Ambiguous(Doubt::UnknownRefusal)),
        (421, Answer::Ambiguous(Doubt::UnknownRefusal)),
        (425, Answer::Ambiguous(Doubt::UnknownRefusal)),
        (429, Answer::Blocked(Block::Throttled)),
        (500, Answer::Ambiguous(Doubt::ServerError)),
        (503, Answer::Ambiguous(Doubt::ServerError)),
    ] {
        let server = Server::start(move |_, _| Act::Send(answer(status, "retry-after: 0\r\n", ""))).await;
        assert_eq!(change(&SubAccounts::new(transport(&server.base), Api::V1), ID).await, expected, "{status}");
        server.only();
    }
}

/// The server would go on serving the first connection, and a client that pools would go on using it.
#[tokio::test]
async fn no_connection_is_kept_so_that_none_can_be_stale() {
    let server = Server::start(always(200, r#"{"success":true}"#)).await;
    let provider = SubAccounts::new(transport(&server.base), Api::V1);
    for sent in 1..=3 {
        assert_eq!(change(&provider, ID).await, Answer::Accepted);
        assert_eq!((server.connections(), server.seen().len()), (sent, sent));
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Server::start(always(200, r#"{"success":true,"items":[],"totalItems":0}"#)).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: {}/api/v1/x\r\n", elsewhere.base);
        let server = Server::start(move |_, _| Act::Send(answer(status, &location, ""))).await;
        let provider = SubAccounts::new(transport(&server.base), Api::V1);
        assert_eq!(change(&provider, ID).await, Answer::Ambiguous(Doubt::Unreadable), "{status}");
        server.only();
        assert!(matches!(provider.accounts().await, Err(ProviderError::Unreadable { .. })), "{status}");
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_a_doubt() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 16\r\n\r\n".to_vec();
    for start in [vec![], b"HTTP/1.1 200 OK\r\n".to_vec(), head.clone(), [&head[..], b"{\"success\":tr"].concat()] {
        let server = Server::start(move |_, _| Act::SendAndStall(start.clone())).await;
        let provider = SubAccounts::new(hasty(&server.base), Api::V1);
        let answer = tokio::time::timeout(Duration::from_secs(20), change(&provider, ID)).await;
        assert_eq!(answer, Ok(Answer::Ambiguous(Doubt::TimedOut)));
        server.only();
        let error = provider.accounts().await.unwrap_err();
        assert!(matches!(&error, ProviderError::Unreachable { .. }) && error.is_temporary(), "{error}");
    }
}

#[tokio::test]
async fn a_connection_that_is_refused_carried_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    for kind in Kind::ALL {
        let provider = provider(kind, transport(&format!("http://{address}")));
        assert_eq!(change(&*provider, ID).await, Answer::Blocked(Block::NotSent));
        let cause = "no connection (connection refused)".to_owned();
        assert_eq!(provider.probe().await, Err(ProviderError::Unreachable { host: address.to_string(), cause }));
    }
}

#[tokio::test]
async fn a_body_is_taken_in_up_to_a_bound() {
    let declared = b"HTTP/1.1 200 OK\r\ncontent-length: 17000000\r\n\r\n".to_vec();
    let scripts: [Box<Script>; 2] =
        [Box::new(|_, _| Act::Flood), Box::new(move |_, _| Act::SendAndStall(declared.clone()))];
    for script in scripts {
        let server = Server::start(script).await;
        let provider = SubAccounts::new(transport(&server.base), Api::V1);
        assert_eq!(change(&provider, ID).await, Answer::Ambiguous(Doubt::Unreadable));
        server.only();
        let error = provider.accounts().await.unwrap_err();
        assert!(matches!(&error, ProviderError::Unreadable { what, .. } if what.contains("16777216")), "{error}");
    }
    for (spaces, expected) in [(0, Answer::Accepted), (1, Answer::Ambiguous(Doubt::Unreadable))] {
        let padded = format!("{{\"success\":true}}{}", " ".repeat(64 * 1024 - 16 + spaces));
        let server = Server::start(move |_, _| Act::Send(answer(200, "", &padded))).await;
        assert_eq!(change(&SubAccounts::new(transport(&server.base), Api::V1), ID).await, expected);
    }
}

#[tokio::test]
async fn the_date_of_every_answer_sets_the_clock() {
    for status in [200, 302, 400, 401, 403, 404, 429, 500, 503] {
        let server = Server::start(move |_, _| Act::Send(answer(status, DATE, "<html>"))).await;
        let provider = SubAccounts::new(transport(&server.base), Api::V1);
        assert_eq!(provider.clock().age(), None);
        change(&provider, ID).await;
        assert_eq!((provider.clock().now(), provider.clock().age().is_some()), (heard(), true), "{status}");
    }
    let server = Server::start(|_, _| Act::Send(answer(200, "date: soon\r\n", ""))).await;
    let provider = SubAccounts::new(transport(&server.base), Api::V1);
    change(&provider, ID).await;
    assert_eq!(provider.clock().age(), None, "an unreadable Date is none");
    let cut = format!("HTTP/1.1 200 OK\r\n{DATE}content-length: 9\r\n\r\n{{");
    let server = Server::start(move |_, _| Act::SendAndClose(cut.clone().into())).await;
    let provider = SubAccounts::new(transport(&server.base), Api::V1);
    assert_eq!(change(&provider, ID).await, Answer::Ambiguous(Doubt::Disconnected));
    assert_eq!(provider.clock().now(), heard(), "the head was heard although the body broke off");
}

#[tokio::test]
async fn a_read_refused_for_its_time_is_signed_afresh_with_the_gateways_date() {
    let script = |_, seen: &Seen| {
        Act::Send(if seen.signed_at() == heard() {
            answer(200, DATE, r#"{"items":[],"totalItems":0}"#)
        } else {
            answer(401, DATE, r#"{"error":{"errorCode":"200","message":"Authentication Failed"}}"#)
        })
    };
    let server = Server::start(script).await;
    assert_eq!(SubAccounts::new(transport(&server.base), Api::V1).accounts().await, Ok(vec![]));
    assert_eq!(server.seen().iter().map(Seen::signed_at).collect::<Vec<_>>(), [wall(), heard()]);
}

/// The second that the header names, and the fraction that the wall clock shows.
fn heard() -> jiff::Timestamp {
    date() + Duration::from_nanos(u64::from(wall().subsec_nanosecond().unsigned_abs()))
}

#[tokio::test]
async fn keys_that_stay_refused_are_tried_twice_in_a_read_and_once_in_a_change() {
    let server = Server::start(always(401, r#"{"error":{"errorCode":"200","message":"Authentication Failed"}}"#)).await;
    let provider = SubAccounts::new(transport(&server.base), Api::V1);
    let refused = ProviderError::Authentication { status: 401, code: "200".to_owned() };
    assert_eq!(provider.probe().await, Err(refused));
    assert_eq!(server.seen().len(), 2);
    assert_eq!(change(&provider, ID).await, Answer::Blocked(Block::Authentication));
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn keys_are_asked_for_at_every_request_and_without_them_nothing_is_sent() {
    let server = Server::start(always(200, r#"{"success":true,"items":[],"totalItems":0}"#)).await;
    let with = |keys: Arc<Source>| {
        SubAccounts::new(Transport::new(TransportSettings { keys, ..settings(&server.base) }).unwrap(), Api::V1)
    };
    let asked = source(Ok(keys()));
    let provider = with(asked.clone());
    provider.accounts().await.unwrap();
    change(&provider, ID).await;
    assert_eq!((asked.0.load(Ordering::SeqCst), server.connections()), (2, 2));

    let gone = Err(KeyError("keys.txt is gone; restore it".to_owned()));
    let broken = Ok(Keys::new("AK\nsplit".into(), "SK".into()));
    for (keys, text) in [(gone, "keys.txt is gone; restore it"), (broken, "line break")] {
        let provider = with(source(keys));
        assert_eq!(change(&provider, ID).await, Answer::Blocked(Block::NoKeys));
        let error = provider.probe().await.unwrap_err();
        assert!(matches!(error, ProviderError::Keys(_)) && error.to_string().contains(text), "{error}");
        assert!(!format!("{error} {error:?}").contains("split"));
    }
    assert_eq!(server.connections(), 2);
}

fn sub_accounts(range: std::ops::Range<usize>) -> Vec<Value> {
    let item = |n| json!({"subAccountId": format!("u{n}"), "loginId": format!("svc-{n}"), "active": n % 5 != 0});
    range.map(item).collect()
}

/// A page as an honest provider serves it.
fn page_of(page: usize, size: usize, total: usize) -> Value {
    let pages = total.div_ceil(size);
    json!({
        "page": page, "totalPages": pages, "totalItems": total, "hasPrevious": page > 0, "hasNext": page + 1 < pages,
        "isFirst": page == 0, "isLast": page + 1 >= pages,
        "items": sub_accounts((page * size).min(total)..((page + 1) * size).min(total)),
    })
}

type Listed = (Result<Vec<String>, ProviderError>, usize);

/// The names that are read from a provider that serves these pages, and how many requests that took. The script is told
/// how many requests came before, and which page is asked for.
async fn listed(script: impl Fn(usize, usize) -> Value + Send + Sync + 'static) -> Listed {
    let script = move |before, seen: &Seen| Act::Send(answer(200, "", &script(before, seen.page()).to_string()));
    let server = Server::start(script).await;
    let accounts = SubAccounts::new(transport(&server.base), Api::V1).accounts().await;
    (accounts.map(|accounts| accounts.into_iter().map(|account| account.name).collect()), server.seen().len())
}

#[tokio::test]
async fn all_pages_are_read_also_when_the_provider_ignores_the_size() {
    let names = |total: usize| (0..total).map(|n| format!("svc-{n}")).collect::<Vec<_>>();
    assert_eq!(listed(|_, page| page_of(page, 100, 250)).await, (Ok(names(250)), 3));
    assert_eq!(listed(|_, page| page_of(page, 10, 47)).await, (Ok(names(47)), 5));
    let worded = |_, page| {
        let whole = page_of(page, 10, 25);
        json!({"items": whole["items"], "totalItems": "25", "hasNext": if page < 2 { "Y" } else { "N" }})
    };
    assert_eq!(listed(worded).await, (Ok(names(25)), 3));
    let repeating = |_, page: usize| page_of(page.saturating_sub(1), 10, 25);
    assert_eq!(listed(repeating).await, (Ok(names(25)), 4));
}

#[tokio::test]
async fn a_list_that_loops_or_falls_short_is_an_error_and_ends() {
    let looping = |_, _| json!({"items": sub_accounts(0..10), "hasNext": true});
    let endless = |_, page: usize| json!({"items": sub_accounts(page..page + 1), "hasNext": true, "isLast": false});
    let short = |_, page: usize| {
        let mut whole = page_of(page, 10, 30);
        whole["items"].as_array_mut().unwrap().pop();
        whole
    };
    let stuck = |_, _| page_of(0, 10, 30);
    let growing = |before: usize, page: usize| page_of(page, 10, 30 + before);
    for (index, (result, requests)) in
        [listed(looping).await, listed(endless).await, listed(short).await, listed(stuck).await, listed(growing).await]
            .into_iter()
            .enumerate()
    {
        assert!(matches!(&result, Err(ProviderError::Unreadable { .. })), "{index}: {result:?}");
        assert!(requests <= 100, "{index}: {requests} requests");
    }
}

/// An account is deleted after the first page: the second page slides by one, and an account would be lost.
#[tokio::test]
async fn a_list_that_changes_while_it_is_read_is_read_again() {
    let (names, requests) = listed(|before, page| page_of(page, 10, if before == 0 { 25 } else { 24 })).await;
    assert_eq!((names.unwrap().len(), requests), (24, 5));
}

#[tokio::test]
async fn an_item_without_its_names_is_told_by_its_place() {
    let nameless = |_, _| json!({"totalItems": 2, "items": [sub_accounts(0..1)[0], {"subAccountId": "u1"}]});
    let what = "items[1] of page 0 has no loginId".to_owned();
    assert_eq!(listed(nameless).await.0, Err(ProviderError::Unreadable { call: "GET /sub-accounts", what }));
}

#[tokio::test]
async fn data_forest_accounts_are_read_in_every_spelling() {
    let body = r#"{"success":"true","total":"4","more":{},"contents":[
        {"id":"a","name":"df1","status":"RUNNING","disabled":"false","createdAt":"2025-02-20T09:32:55+09:00"},
        {"id":"b","name":"df2","status":"RUNNING","disabled":true,"createAt":"2025-02-20T09:32:55+09:00"},
        {"id":"c","name":"df3","status":"CHANGING","quotas":[1]},
        {"id":4,"name":"df4","status":"RUNNING","principal":"df4@KR.DF.NAVERNCP.COM"}]}"#;
    let server = Server::start(always(200, body)).await;
    let accounts = DataForest::new(transport(&server.base), Format::Json).accounts().await.unwrap();
    let seen: Vec<_> = accounts.into_iter().map(|a| (a.id.0, a.name, a.standing, a.created_at.is_some())).collect();
    let expected = [
        ("a", "df1", Standing::Active, true),
        ("b", "df2", Standing::Inactive, true),
        ("c", "df3", Standing::NotRunning("CHANGING".into()), false),
        ("4", "df4", Standing::Active, false),
    ];
    assert_eq!(seen, expected.map(|(id, name, standing, made)| (id.to_owned(), name.to_owned(), standing, made)));
}

#[tokio::test]
async fn a_read_that_says_no_is_an_error_even_with_200() {
    let body = r#"{"success":false,"message":"no","errorCode":"9011","contents":[]}"#;
    let server = Server::start(always(200, body)).await;
    let error = DataForest::new(transport(&server.base), Format::Json).accounts().await.unwrap_err();
    let expected = ProviderError::Server { call: "POST /accounts/getList", status: 200, code: "9011".to_owned() };
    assert_eq!(error, expected);
}

#[tokio::test]
async fn nothing_of_a_body_reaches_what_is_returned() {
    let echo = "Echoed1!pass";
    let fields =
        ["message", "errorCode", "code", "id", "subAccountId", "success", "status", "items", "contents", "total"];
    let mut body = serde_json::Map::from_iter(fields.map(|field| (field.to_owned(), Value::from(echo))));
    body.insert("error".into(), Value::Object(body.clone()));
    body.insert("usePasswordExpiration".into(), echo.into());
    let item = json!({"subAccountId": echo, "loginId": [echo]});
    let bodies = [
        Value::Object(body).to_string(),
        json!({"items": [item], "contents": [{"id": echo, "name": [echo]}]}).to_string(),
        json!({"items": [{"subAccountId": echo, "loginId": echo, "active": echo}]}).to_string(),
        json!({"contents": [{"id": echo, "name": echo, "disabled": echo}]}).to_string(),
        format!("<html>{echo}</html>"),
        format!("{{\"{echo}"),
    ];
    for body in bodies {
        for status in [200, 302, 400, 401, 403, 404, 409, 413, 429, 500] {
            let sent = body.clone();
            let server = Server::start(move |_, _| Act::Send(answer(status, "", &sent))).await;
            for kind in Kind::ALL {
                let provider = provider(kind, transport(&server.base));
                let error = provider.accounts().await.unwrap_err();
                let answer = change(&*provider, ID).await;
                let others = (provider.probe().await, provider.expiration().await);
                let shown = format!("{error} {error:?} {answer:?} {others:?}");
                assert!(!shown.contains(echo), "{status} {shown}");
            }
        }
    }
}

#[test]
fn without_ca_certificates_https_says_so_and_plain_loopback_works() {
    let empty = tempfile::tempdir().unwrap();
    let bundle = empty.path().join("bundle.pem");
    std::fs::write(&bundle, "").unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "on_a_machine_without_ca_certificates", "--ignored"])
        .env("SSL_CERT_FILE", &bundle)
        .env("SSL_CERT_DIR", empty.path())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && output.contains("1 passed"), "{output}");
}

#[test]
#[ignore = "a part of the test above, which runs it in an environment without CA certificates"]
fn on_a_machine_without_ca_certificates() {
    let error = Transport::new(settings("https://subaccount.apigw.ntruss.com")).unwrap_err();
    assert!(matches!(error, TransportError::NoTrustStore { .. }), "{error}");
    assert!(error.to_string().contains("ca-certificates"));
    transport("http://127.0.0.1:9");
}
