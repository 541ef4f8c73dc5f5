//! Every documented body of an error, on demand, from either service and either version.

use rstest::rstest;
use serde_json::{Value, json};

use super::harness::{Bench, START};

/// What a shape is, when asked for with a numeric code, for a request to `path`.
fn body(shape: &str, path: &str) -> Option<Value> {
    let details = "None.";
    match shape {
        "gateway" => Some(json!({ "error": { "errorCode": 9015, "message": "m", "details": details } })),
        "code-detail" => Some(json!({ "error": { "code": 9015, "message": "m", "detail": details } })),
        "flat" => Some(json!({ "errorCode": 9015, "message": "m" })),
        "responseError" => Some(json!({ "responseError": { "returnCode": 9015, "returnMessage": "m" } })),
        "spring" => Some(json!({
            "timestamp": START, "status": 400, "error": "Bad Request", "message": "m", "path": path,
        })),
        "message" => Some(json!({ "message": "m", "success": false })),
        "v2" => Some(json!({ "error": { "errorCode": 9015, "message": "m", "detail": details } })),
        _ => None,
    }
}

#[rstest]
#[tokio::test]
async fn every_shape_for_every_call(
    #[values(
        ("GET", "/api/v1/sub-accounts"), ("PUT", "/api/v1/sub-accounts/x/password"), ("GET", "/api/v1/login-alias"),
        ("POST", "/api/v2/accounts/resetPassword"), ("POST", "/api/v2/accounts/getList"),
        ("GET", "/api/v2/sub-accounts"), ("POST", "/api/v2/sub-accounts/x/reset-password"),
    )]
    call: (&str, &str),
) {
    let (method, path) = call;
    let bench = Bench::start().await;
    for shape in ["gateway", "code-detail", "flat", "responseError", "spring", "message", "v2", "xml", "empty", "html"]
    {
        let fault = json!({ "error-body": { "shape": shape, "status": 400, "code": 9015, "message": "m" } });
        bench.fault(json!({ "call": "*", "fault": fault })).await;
        let answer = bench.call(method, path, Some(json!({}))).await;
        assert_eq!(answer.status, 400, "{shape}");
        let content_type = answer.all("content-type").first().copied().map(str::to_owned);
        if let Some(expected) = body(shape, path) {
            assert_eq!((content_type.as_deref(), answer.json()), (Some("application/json;charset=UTF-8"), expected));
            continue;
        }
        let text = String::from_utf8(answer.body).unwrap();
        match shape {
            "xml" => {
                assert_eq!(content_type.as_deref(), Some("application/xml;charset=UTF-8"));
                let expected = "<error><details>None.</details><errorCode>9015</errorCode><message>m</message></error>";
                assert!(text.ends_with(expected), "{text}");
            }
            "empty" => assert_eq!((content_type, text.as_str()), (None, "")),
            _ => {
                assert_eq!(content_type.as_deref(), Some("text/html"));
                assert!(text.starts_with("<html>") && text.contains("400 Bad Request"), "{text}");
            }
        }
    }
    assert_eq!(bench.log().await.pop().unwrap()["fault"], "error-body");
}

#[rstest]
#[case(
    "flat",
    "<ResetAccountPasswordResponse><errorCode>7</errorCode><message>m</message></ResetAccountPasswordResponse>"
)]
#[case(
    "message",
    "<ResetAccountPasswordResponse><message>m</message><success>false</success></ResetAccountPasswordResponse>"
)]
#[case("responseError", "<responseError><returnCode>7</returnCode><returnMessage>m</returnMessage></responseError>")]
#[case("gateway", "<error><details>None.</details><errorCode>7</errorCode><message>m</message></error>")]
#[case("code-detail", "<error><code>7</code><detail>None.</detail><message>m</message></error>")]
#[case(
    "spring",
    "<Map><error>Conflict</error><message>m</message><path>/api/v2/accounts/resetPassword</path><status>409</status><timestamp>1763752800001</timestamp></Map>"
)]
#[tokio::test]
async fn shapes_in_xml(#[case] shape: &str, #[case] expected: &str) {
    let bench = Bench::start().await;
    let fault = json!({ "error-body": { "shape": shape, "status": 409, "code": "7", "message": "m" } });
    bench.fault(json!({ "call": "resetPassword", "fault": fault })).await;
    let request = bench.change("df001", "Fresh-Pw7").await.header("accept", "application/xml");
    let answer = bench.send(&request).await.unwrap();
    let text = String::from_utf8(answer.body).unwrap();
    assert_eq!((answer.status, text.split_once("?>").unwrap().1), (409, expected));
}

#[tokio::test]
async fn a_code_is_said_as_it_was_given_or_not_at_all() {
    let bench = Bench::start().await;
    for (code, expected) in [
        (json!(230), json!({ "errorCode": 230, "message": "Asked for by a fault rule." })),
        (json!("230"), json!({ "errorCode": "230", "message": "Asked for by a fault rule." })),
        (Value::Null, json!({ "message": "Asked for by a fault rule." })),
    ] {
        let fault = json!({ "error-body": { "shape": "flat", "status": 403, "code": code } });
        bench.fault(json!({ "call": "login-alias", "fault": fault })).await;
        let answer = bench.call("GET", "/api/v1/login-alias", None).await;
        assert_eq!((answer.status, answer.json()), (403, expected));
    }
    bench.fault(json!({ "call": "*", "fault": { "error-body": { "shape": "v2", "status": 401 } } })).await;
    let answer = bench.call("GET", "/api/v1/login-alias", None).await;
    assert_eq!(answer.json()["error"]["errorCode"], "Unauthorized");
}

#[rstest]
#[case(true, "Fresh-Pw7")]
#[case(false, "")]
#[tokio::test]
async fn an_error_may_come_instead_of_the_change_or_after_it(#[case] after: bool, #[case] live: &str) {
    for name in ["svc-batch", "df001"] {
        let bench = Bench::start().await;
        let before = bench.live(name).await;
        let message = "no room for {password} or {password}";
        let fault = json!({ "error-body": { "shape": "message", "status": 200, "message": message, "after": after } });
        bench.fault(json!({ "call": "*", "account": name, "fault": fault })).await;
        let answer = bench.send(&bench.change(name, "Fresh-Pw7").await).await.unwrap();
        let expected = json!({ "message": "no room for Fresh-Pw7 or Fresh-Pw7", "success": false });
        assert_eq!((answer.status, answer.json()), (200, expected));
        assert_eq!(bench.live(name).await, if live.is_empty() { &before } else { live });
        assert_eq!(bench.log().await.pop().unwrap()["changed"], after);
    }
}

#[tokio::test]
async fn a_bad_signature_is_refused_whatever_error_was_asked_for() {
    let bench = Bench::start().await;
    bench.fault(json!({ "call": "*", "fault": { "error-body": { "shape": "flat", "status": 500 } } })).await;
    let unsigned = bench.signed("GET", "/api/v1/login-alias", None).header("x-ncp-apigw-signature-v2", "AAAA");
    let answer = bench.send(&unsigned).await.unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (401, "200"));
}
