//! The calls beside those of a rotation: the public institutions' version 2, details, settings, and what must not be used.

use rstest::rstest;
use serde_json::{Value, json};

use super::harness::{Bench, Request};

const V2: &str = "/api/v2/sub-accounts";
const V2_POLICY: &str = "/api/v2/tenant-settings/sub-account-password-policy";
const V1_POLICY: &str = "/api/v1/tenant-settings/sub-account-password-policy";

#[tokio::test]
async fn v2_lists_pages_from_0_of_100_at_the_most() {
    let bench = Bench::start().await;
    let more = json!({ "op": "create", "kind": "sub-account", "count": 120, "prefix": "more-" });
    bench.door("POST", "/door/accounts", Some(more)).await;
    let cases = [
        ("", Some("svc-batch"), 20),
        ("?pageNo=1", Some("more-13"), 20),
        ("?pageNo=6", Some("more-113"), 8),
        ("?pageNo=7", None, 0),
        ("?pageNo=0&pageSize=100", Some("svc-batch"), 100),
        ("?pageNo=1&pageSize=100", Some("more-93"), 28),
        ("?pageNo=127&pageSize=1", Some("more-120"), 1),
        ("?pageNo=18446744073709551615&pageSize=100", None, 0),
    ];
    for (query, first, count) in cases {
        let answer = bench.call("GET", &format!("{V2}{query}"), None).await.json();
        let items = answer["subAccounts"].as_array().unwrap();
        let found = items.first().map(|item| item["loginId"].as_str().unwrap());
        assert_eq!((found, items.len()), (first, count), "{query}");
        assert_eq!(answer.as_object().unwrap().len(), 1, "more than is documented: {answer}");
    }
    for size in ["0", "101"] {
        let answer = bench.call("GET", &format!("{V2}?pageSize={size}"), None).await;
        let error = &answer.json()["error"];
        let expected = (400, json!("BadRequest"), json!([{ "field": "pageSize" }]));
        assert_eq!((answer.status, error["errorCode"].clone(), error["fieldErrors"].clone()), expected, "{size}");
    }
    for query in ["pageNo=-1", "pageSize=x"] {
        assert_eq!(bench.call("GET", &format!("{V2}?{query}"), None).await.status, 400, "{query}");
    }
    let item = bench.call("GET", &format!("{V2}?pageSize=1"), None).await.json()["subAccounts"][0].clone();
    let id = bench.id("svc-batch").await;
    let expected = json!({
        "subAccountId": id, "nrn": format!("nrn:PUB:IAM::emulator:SubAccount/{id}"), "loginId": "svc-batch",
        "name": "Nightly batch", "consoleAccessible": true, "apiGatewayAccessible": true, "active": true,
        "createdDateTime": "2024-03-04T02:00:00Z", "lastLoginDateTime": null,
    });
    assert_eq!(item, expected);
}

async fn reset(bench: &Bench, name: &str, body: Value) -> Request {
    bench.signed("POST", &format!("{V2}/{}/reset-password", bench.id(name).await), Some(body))
}

#[tokio::test]
async fn v2_resets_passwords() {
    let bench = Bench::start().await;
    for body in [
        json!({ "newPassword": "Fresh-Pw7", "passwordGenerationRequired": false }),
        json!({ "newPassword": "Fresh-Pw7" }),
    ] {
        let answer = bench.send(&reset(&bench, "svc-batch", body).await).await.unwrap();
        assert_eq!((answer.status, answer.json()), (200, json!({})));
    }
    assert_eq!(bench.account("svc-batch").await["changes"], 2);
    assert_eq!(bench.live("svc-batch").await, "Fresh-Pw7");

    let body = json!({ "passwordGenerationRequired": true, "newPassword": "Ignored-7" });
    let made = bench.send(&reset(&bench, "svc-batch", body).await).await.unwrap().json();
    assert_eq!(made, json!({ "generatedPassword": bench.live("svc-batch").await }));
    assert_ne!(made["generatedPassword"], "Ignored-7");
    let entry = bench.log().await.pop().unwrap();
    assert_eq!(
        (&entry["call"], &entry["account"], &entry["changed"]),
        (&json!("password"), &json!("svc-batch"), &json!(true))
    );
}

#[rstest]
#[case::unsafe_password(json!({ "newPassword": "short" }), "svc-batch", 400,
    json!({ "errorCode": "BadRequest", "message": "Unsafe password.", "fieldErrors": [{ "field": "newPassword" }] }))]
#[case::no_password(json!({ "passwordGenerationRequired": false }), "svc-batch", 400,
    json!({ "errorCode": "BadRequest", "message": "Bad Request Exception",
        "detail": "newPassword is required unless one is to be generated.", "fieldErrors": [{ "field": "newPassword" }] }))]
#[case::unreadable(json!([]), "svc-batch", 400,
    json!({ "errorCode": "BadRequest", "message": "Bad Request Exception", "detail": "The request body is invalid." }))]
#[case::nobody(json!({ "newPassword": "Fresh-Pw7" }), "", 400,
    json!({ "errorCode": "BadRequest", "message": "Nonexistent account" }))]
#[tokio::test]
async fn v2_refuses_in_its_own_words(
    #[case] body: Value,
    #[case] name: &str,
    #[case] status: u16,
    #[case] error: Value,
) {
    let bench = Bench::start().await;
    let id = if name.is_empty() { "4e066e50".to_owned() } else { bench.id(name).await };
    let answer = bench.call("POST", &format!("{V2}/{id}/reset-password"), Some(body)).await;
    assert_eq!((answer.status, answer.json()), (status, json!({ "error": error })));
    assert_eq!(bench.account("svc-batch").await["changes"], 0);
}

#[tokio::test]
async fn v2_says_the_gateways_refusals_and_faults_in_its_shape() {
    let bench = Bench::start().await;
    let unsigned = bench.send(&Request::new("GET", V2, None)).await.unwrap();
    let expected = json!({ "error": {
        "errorCode": "Unauthorized", "message": "Authentication Failed",
        "detail": "Authentication information are missing.",
    } });
    assert_eq!((unsigned.status, unsigned.json()), (401, expected));
    for (fault, status, word) in [
        (json!({ "429": 420 }), 429, "TooManyRequests"),
        (json!({ "5xx-after": 503 }), 503, "ServiceUnavailable"),
        (json!("forbid"), 403, "Forbidden"),
        (json!("refuse"), 400, "BadRequest"),
    ] {
        bench.fault(json!({ "call": "password", "fault": fault })).await;
        let answer =
            bench.send(&reset(&bench, "svc-batch", json!({ "newPassword": "Fresh-Pw7" })).await).await.unwrap();
        assert_eq!((answer.status, &answer.json()["error"]["errorCode"]), (status, &json!(word)), "{fault}");
    }
    for (method, path, status) in [
        ("PUT", "/api/v2/sub-accounts", 405),
        ("GET", "/api/v2/login-alias", 404),
        ("GET", "/api/v2/sub-accounts/x", 404),
        ("GET", "/api/v2/accounts", 404),
    ] {
        assert_eq!(bench.call(method, path, None).await.status, status, "{method} {path}");
    }
}

#[tokio::test]
async fn both_versions_set_the_one_expiration_of_the_tenant() {
    let bench = Bench::start().await;
    let v1 = async || bench.call("GET", V1_POLICY, None).await.json();
    let v2 = async || bench.call("GET", V2_POLICY, None).await.json();
    let set = json!({ "passwordExpirationEnabled": true, "passwordExpirationDays": 120 });
    let answer = bench.call("PUT", V2_POLICY, Some(set.clone())).await;
    assert_eq!((answer.status, answer.json()), (200, set.clone()));
    assert_eq!(v1().await, json!({ "usePasswordExpiration": true, "passwordExpirationDays": 120 }));
    assert_eq!(v2().await, set);

    for days in [json!(91), json!(0), Value::Null, json!("90")] {
        let wrong = json!({ "passwordExpirationEnabled": true, "passwordExpirationDays": days });
        assert_eq!(bench.call("PUT", V2_POLICY, Some(wrong)).await.status, 400, "{days}");
    }
    let missing = bench.call("PUT", V2_POLICY, Some(json!({ "passwordExpirationEnabled": true }))).await.json();
    assert_eq!(missing["error"]["fieldErrors"], json!([{ "field": "passwordExpirationDays" }]));
    assert_eq!(v2().await, set);

    for days in [60, 90, 120, 180] {
        let body = json!({ "usePasswordExpiration": true, "passwordExpirationDays": days });
        assert_eq!(bench.call("POST", V1_POLICY, Some(body)).await.json(), json!({ "success": true }));
        assert_eq!(v2().await["passwordExpirationDays"], days);
    }
    let off = json!({ "passwordExpirationEnabled": false });
    let expected = json!({ "passwordExpirationEnabled": false, "passwordExpirationDays": null });
    assert_eq!(bench.call("PUT", V2_POLICY, Some(off)).await.json(), expected);
    assert_eq!(v1().await["usePasswordExpiration"], false);
}

#[tokio::test]
async fn details_tell_groups_policies_and_quotas() {
    let bench = Bench::start().await;
    let detail = async |name: &str| {
        bench.call("GET", &format!("/api/v1/sub-accounts/{}", bench.id(name).await), None).await.json()
    };
    let deploy = detail("svc-deploy").await;
    let policies: Vec<(&str, &str)> = deploy["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|policy| (policy["policyName"].as_str().unwrap(), policy["policyType"].as_str().unwrap()))
        .collect();
    assert_eq!(policies, [("NCP_SERVER_MANAGER", "SYSTEM_MANAGED"), ("deploy-from-ci", "USER_CREATED")]);
    assert_eq!((&deploy["loginId"], &deploy["groups"]), (&json!("svc-deploy"), &json!([])));
    let minji = detail("minji.kim").await;
    assert_eq!((&minji["groups"][0]["groupName"], &minji["policies"]), (&json!("operators"), &json!([])));
    assert!(minji["groups"][0]["groupId"].is_string());
    let listed = bench.call("GET", "/api/v1/sub-accounts", None).await.json();
    assert_eq!(listed["items"][0].get("groups"), None, "a list does not tell them");

    let id = bench.id("df002").await;
    let forest = bench.call("POST", "/api/v2/accounts/getDetail", Some(json!({ "id": id }))).await.json();
    let expected = json!({
        "success": true, "id": id, "name": "df002", "status": "RUNNING", "createdAt": "2024-03-04T12:00:00+09:00",
        "quotas": [
            { "namespace": "orders", "fileCountMillion": 1, "spaceTb": 200 },
            { "namespace": "logs", "fileCountMillion": 2, "spaceTb": 50 },
        ],
    });
    assert_eq!(forest, expected);
}

#[tokio::test]
async fn a_file_without_the_newer_fields_is_read_and_a_tenant_may_lack_an_alias() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("accounts.json");
    let book = json!({
        "tenant": { "use_password_expiration": false, "password_expiration_days": null },
        "sub_accounts": [{
            "id": "a", "no": 1, "login_id": "one", "name": "One", "active": true, "created": "2024-03-04T01:00:00Z",
            "credential": { "password": "Start-7x" },
        }],
        "data_forest": [],
    });
    std::fs::write(&path, book.to_string()).unwrap();
    let bench = Bench::with_file(&path).await;
    let alias = async || bench.call("GET", "/api/v1/login-alias", None).await.json();
    assert_eq!(alias().await, json!({ "loginAlias": null }));
    assert_eq!(bench.call("GET", "/api/v1/sub-accounts/a", None).await.json()["groups"], json!([]));
    let set = bench.call("PUT", "/api/v1/login-alias", Some(json!({ "loginAlias": "acme" }))).await;
    assert_eq!((set.status, set.json()), (200, json!({ "success": true })));
    assert_eq!(alias().await, json!({ "loginAlias": "acme" }));
    let twenty = "a2345678901234567890";
    for (wrong, status) in [
        (json!("ac"), 400),
        (json!("ACME"), 400),
        (json!("acme."), 400),
        (json!(""), 400),
        (json!("회사이름"), 400),
        (json!(7), 400),
        (Value::Null, 400),
        (json!(twenty), 200),
        (json!(format!("{twenty}1")), 400),
    ] {
        let answer = bench.call("PUT", "/api/v1/login-alias", Some(json!({ "loginAlias": wrong }))).await;
        assert_eq!(answer.status, status, "{wrong}");
        assert!(status == 200 || answer.code() == "100", "{answer:?}");
    }
    assert_eq!(alias().await, json!({ "loginAlias": twenty }));
}

#[tokio::test]
async fn a_made_password_complies_and_is_shown_once() {
    let bench = Bench::start().await;
    let id = bench.id("svc-batch").await;
    let target = format!("/api/v1/sub-accounts/{id}/password");
    let mut made = Vec::new();
    for _ in 0..5 {
        let answer = bench.call("PUT", &target, Some(json!({ "needPasswordGenerate": true }))).await.json();
        assert_eq!(answer["success"], true);
        made.push(answer["generatedPassword"].as_str().unwrap().to_owned());
        // What was made is taken back when it is given: it passes the rules.
        let given = json!({ "needPasswordGenerate": false, "newPassword": made.last() });
        assert_eq!(bench.call("PUT", &target, Some(given)).await.json(), json!({ "success": true }));
    }
    assert_eq!(made.iter().collect::<std::collections::HashSet<_>>().len(), 5, "every one is another");
    for target in [format!("/api/v1/sub-accounts/{id}"), "/api/v1/sub-accounts".to_owned(), V2.to_owned()] {
        let told = bench.call("GET", &target, None).await.json().to_string();
        assert!(!made.iter().any(|made| told.contains(made.as_str())), "{target} tells a password");
    }
    let log = Value::Array(bench.log().await).to_string();
    assert!(!made.iter().any(|made| log.contains(made.as_str())), "the log tells a password");
}

#[tokio::test]
async fn a_password_in_an_address_is_answered_and_flagged_and_never_logged() {
    let bench = Bench::start().await;
    let target = "/api/v1/join/check-password";
    for (password, safe) in [("Fresh-Pw7", true), ("short", false)] {
        let answer = bench.call("GET", &format!("{target}?password={password}"), None).await;
        assert_eq!((answer.status, &answer.json()["success"]), (200, &json!(safe)));
        assert!(answer.json()["message"].is_string());
    }
    assert_eq!(bench.call("GET", target, None).await.status, 400);
    bench.call("GET", "/api/v1/join/check-passwords?Password=Fresh-Pw7", None).await;
    bench.send(&Request::new("GET", &format!("{target}?p%61ssword=Fresh-Pw7"), None)).await.unwrap();
    bench.call("GET", "/api/v1/sub-accounts?page=0", None).await;

    let log = bench.log().await;
    let seen: Vec<(&str, &Value)> =
        log.iter().map(|entry| (entry["target"].as_str().unwrap(), &entry["flag"])).collect();
    let flagged = json!("password-in-url");
    assert_eq!(
        seen,
        [
            (target, &flagged),
            (target, &flagged),
            (target, &flagged),
            ("/api/v1/join/check-passwords", &Value::Null),
            (target, &flagged),
            ("/api/v1/sub-accounts?page=0", &Value::Null),
        ]
    );
    assert!(!Value::Array(log.clone()).to_string().contains("Fresh-Pw7"));
}
