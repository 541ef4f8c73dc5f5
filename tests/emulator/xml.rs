//! Data Forest in XML: the documented bodies, both directions, and what no service should take for XML.

use serde_json::{Value, json};

use super::harness::{Answer, Bench, Request};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

fn call(bench: &Bench, call: &str, xml: &str) -> Request {
    let request = bench.signed("POST", &format!("/api/v2/accounts/{call}"), None);
    request.header("content-type", "application/xml").body(xml.as_bytes())
}

async fn reset(bench: &Bench, name: &str, password: &str) -> Request {
    let id = bench.id(name).await;
    call(
        bench,
        "resetPassword",
        &format!(
            "{HEAD}<ResetAccountPasswordRequest><id>{id}</id><password>{password}</password></ResetAccountPasswordRequest>"
        ),
    )
}

fn text(answer: &Answer) -> String {
    String::from_utf8(answer.body.clone()).unwrap()
}

#[tokio::test]
async fn a_password_is_set_in_xml_with_its_entities_resolved() {
    let bench = Bench::start().await;
    let id = bench.id("df001").await;
    let cases = [
        ("Fresh-Pw7", "Fresh-Pw7"),
        ("Less&lt;Pw7-", "Less<Pw7-"),
        ("More&gt;P&#x77;7-", "More>Pw7-"),
        ("<![CDATA[Data<Pw7>-]]>", "Data<Pw7>-"),
        ("Half-<![CDATA[<]]>&lt;Pw7", "Half-<<Pw7"),
    ];
    for (written, meant) in cases {
        let answer = bench.send(&reset(&bench, "df001", written).await).await.unwrap();
        let expected = format!(
            "{HEAD}<ResetAccountPasswordResponse><id>{id}</id><success>true</success></ResetAccountPasswordResponse>"
        );
        assert_eq!((answer.status, text(&answer)), (200, expected), "{written}");
        assert_eq!(answer.all("content-type"), ["application/xml;charset=UTF-8"]);
        assert_eq!(bench.live("df001").await, meant);
    }
    let entry = bench.log().await.pop().unwrap();
    assert_eq!((&entry["account"], &entry["changed"]), (&json!("df001"), &json!(true)));
    assert_eq!(entry["password_sha256"], HALF_SHA256);
}

/// Of `Half-<<Pw7`, by `sha256sum`.
const HALF_SHA256: &str = "e9e297546e751b51f67012a086062fc98198bd1394636b15037be9d0d9ba1f04";

#[tokio::test]
async fn content_type_says_what_came_and_accept_what_is_wanted() {
    let bench = Bench::start().await;
    let json_body = json!({ "id": bench.id("df001").await, "password": "Fresh-Pw7" }).to_string();
    let xml_body = reset(&bench, "df001", "Fresh-Pw7").await.body;
    let (json, xml) = ("application/json;charset=UTF-8", "application/xml;charset=UTF-8");
    let cases = [
        ("application/xml", "", xml),
        ("application/xml; charset=utf-8", "", xml),
        ("text/xml;charset=UTF-8", "*/*", xml),
        ("text/xml", "application/json", json),
        ("application/json", "", json),
        ("application/json", "text/xml", xml),
        ("application/json; charset=utf-8", "application/xml;q=0.9, application/json;q=0.1", xml),
    ];
    for (content_type, accept, expected) in cases {
        let body = if content_type.contains("json") { json_body.as_bytes() } else { &xml_body };
        let request = bench.signed("POST", "/api/v2/accounts/resetPassword", None);
        let request = request.header("content-type", content_type).header("accept", accept).body(body);
        let answer = bench.send(&request).await.unwrap();
        assert_eq!((answer.status, answer.all("content-type")), (200, vec![expected]), "{content_type}, {accept}");
        let first = if expected == json { b'{' } else { b'<' };
        assert_eq!(answer.body.first(), Some(&first), "{content_type}, {accept}");

        // The errors too, those of the gateway before the body is looked at included.
        let unsigned = bench.send(&request.header("x-ncp-apigw-signature-v2", "")).await.unwrap();
        assert_eq!((unsigned.status, unsigned.all("content-type")), (401, vec![expected]), "{content_type}, {accept}");
    }
    let other = bench.signed("POST", "/api/v2/accounts/resetPassword", None).header("content-type", "text/plain");
    assert_eq!(bench.send(&other.body(&xml_body)).await.unwrap().status, 415);
}

#[tokio::test]
async fn a_list_repeats_its_element_and_a_detail_its_quotas() {
    let bench = Bench::start().await;
    let list = text(&bench.send(&call(&bench, "getList", "<GetAccountListRequest/>")).await.unwrap());
    assert!(list.starts_with(&format!("{HEAD}<GetAccountListResponse><contents><createdAt>")), "{list}");
    assert_eq!((list.matches("<contents>").count(), list.matches("</contents>").count()), (4, 4), "{list}");
    assert!(list.contains("<name>df004</name>") && list.contains("<status>CHANGING</status>"), "{list}");
    assert!(list.ends_with("<success>true</success><total>4</total></GetAccountListResponse>"), "{list}");

    let id = bench.id("df002").await;
    let request = format!("<d:GetAccountDetailRequest xmlns:d=\"urn:d\"><d:id>{id}</d:id></d:GetAccountDetailRequest>");
    let detail = text(&bench.send(&call(&bench, "getDetail", &request)).await.unwrap());
    assert_eq!(detail.matches("<quotas>").count(), 2, "{detail}");
    let first =
        "<quotas><fileCountMillion>1</fileCountMillion><namespace>orders</namespace><spaceTb>200</spaceTb></quotas>";
    assert!(detail.contains(first) && detail.contains("<status>RUNNING</status>"), "{detail}");
}

#[tokio::test]
async fn the_refusal_in_xml_echoes_the_password_escaped() {
    let bench = Bench::start().await;
    for (written, echoed) in
        [("Bad/Pw7-x", "Bad/Pw7-x"), ("Bad&amp;&lt;Pw7-x", "Bad&amp;&lt;Pw7-x"), ("Bad&quot;Pw7-x", "Bad&quot;Pw7-x")]
    {
        let answer = bench.send(&reset(&bench, "df001", written).await).await.unwrap();
        let expected = format!(
            "{HEAD}<ResetAccountPasswordResponse><message>invalid request parameters: password &apos;{echoed}&apos; does \
             not satisfy the password policy</message><success>false</success></ResetAccountPasswordResponse>"
        );
        assert_eq!((answer.status, text(&answer)), (400, expected), "{written}");
    }
    let control = json!({ "id": bench.id("df001").await, "password": "Bad\u{1}Pw7-x" });
    let request = bench.signed("POST", "/api/v2/accounts/resetPassword", Some(control)).header("accept", "text/xml");
    let answer = bench.send(&request).await.unwrap();
    assert!(text(&answer).contains("Bad\u{fffd}Pw7-x"), "XML cannot hold that character: {answer:?}");
    assert_eq!(bench.account("df001").await["changes"], 0);
}

#[tokio::test]
async fn other_refusals_in_xml() {
    let bench = Bench::start().await;
    let detail = |id: &str| {
        call(&bench, "getDetail", &format!("<GetAccountDetailRequest><id>{id}</id></GetAccountDetailRequest>"))
    };
    let unsigned = detail("x").header("x-ncp-apigw-timestamp", "");
    let cases = [
        (
            detail("x"),
            404,
            "<GetAccountDetailResponse><message>no such element</message><success>false</success></GetAccountDetailResponse>",
        ),
        (
            reset(&bench, "df004", "Fresh-Pw7").await,
            403,
            "<ResetAccountPasswordResponse><message>not allowed to access</message><success>false</success></ResetAccountPasswordResponse>",
        ),
        (
            unsigned,
            401,
            "<error><details>Authentication information are missing.</details><errorCode>200</errorCode><message>Authentication Failed</message></error>",
        ),
    ];
    for (request, status, expected) in cases {
        let answer = bench.send(&request).await.unwrap();
        assert_eq!((answer.status, text(&answer)), (status, format!("{HEAD}{expected}")));
    }
}

#[tokio::test]
async fn what_is_no_documented_request_is_refused_and_changes_nothing() {
    let bench = Bench::start().await;
    let id = bench.id("df001").await;
    let inner = format!("<id>{id}</id><password>Fresh-Pw7</password>");
    let root = |inner: &str| format!("<ResetAccountPasswordRequest>{inner}</ResetAccountPasswordRequest>");
    let good = root(&inner);
    let bodies = [
        ("another root", format!("<ResetPasswordRequest>{inner}</ResetPasswordRequest>")),
        ("no password", root(&format!("<id>{id}</id>"))),
        ("two passwords", root(&format!("{inner}<password>Other-Pw7</password>"))),
        ("a password of elements", root(&format!("<id>{id}</id><password><a>Fresh-Pw7</a></password>"))),
        ("cut", good[..good.len() - 3].to_owned()),
        ("two roots", format!("{good}{good}")),
        ("text around", format!("x{good}")),
        ("a document type", format!("<!DOCTYPE ResetAccountPasswordRequest>{good}")),
        (
            "an entity of its own",
            format!(
                "<!DOCTYPE r [<!ENTITY p \"Fresh-Pw7\">]>{}",
                root(&format!("<id>{id}</id><password>&p;</password>"))
            ),
        ),
        (
            "an external entity",
            format!(
                "<!DOCTYPE r [<!ENTITY p SYSTEM \"file:///etc/hostname\">]>{}",
                root(&format!("<id>{id}</id><password>&p;</password>"))
            ),
        ),
        ("an unknown entity", root(&format!("<id>{id}</id><password>Fresh&nbsp;Pw7</password>"))),
        ("a bare ampersand", root(&format!("<id>{id}</id><password>Fresh&Pw7-</password>"))),
        ("JSON", json!({ "id": id, "password": "Fresh-Pw7" }).to_string()),
        ("nothing", String::new()),
    ];
    for (what, body) in bodies {
        let answer = bench.send(&call(&bench, "resetPassword", &body)).await.unwrap();
        assert_eq!(answer.status, 400, "{what}: {answer:?}");
        assert!(text(&answer).contains("<message>invalid request parameters</message>"), "{what}: {answer:?}");
    }
    assert_eq!(bench.account("df001").await["changes"], 0);
    assert_eq!(bench.send(&call(&bench, "resetPassword", &good)).await.unwrap().status, 200);
}

#[tokio::test]
async fn sub_accounts_are_spoken_to_in_json_alone() {
    let bench = Bench::start().await;
    let request = bench.change("svc-batch", "Fresh-Pw7").await;
    let xml = request.clone().header("content-type", "application/xml").body(b"<PasswordRequest/>");
    let refused = bench.send(&xml.header("accept", "application/xml")).await.unwrap();
    assert_eq!((refused.status, &refused.json()["status"]), (415, &json!(415)));
    let answer = bench.send(&request.header("accept", "application/xml")).await.unwrap();
    assert_eq!((answer.status, answer.json()), (200, json!({ "success": true })));
}

#[tokio::test]
async fn faults_are_said_in_xml_to_those_who_speak_it() {
    let bench = Bench::start().await;
    for (fault, status, expected) in [
        (json!({ "5xx-after": 503 }), 503, "<errorCode>500</errorCode>"),
        (json!({ "429": 410 }), 429, "<errorCode>410</errorCode>"),
        (
            json!("success-false"),
            200,
            "<ResetAccountPasswordResponse><success>false</success></ResetAccountPasswordResponse>",
        ),
        (json!("other-id"), 200, "<id>0000000000000000000000</id><success>true</success>"),
        (json!("refuse"), 400, "password &apos;Fresh-Pw7&apos;"),
    ] {
        bench.fault(json!({ "call": "resetPassword", "account": "df001", "fault": fault })).await;
        let answer = bench.send(&reset(&bench, "df001", "Fresh-Pw7").await).await.unwrap();
        assert!(answer.status == status && text(&answer).contains(expected), "{fault}: {}", text(&answer));
    }
    bench.fault(json!({ "call": "*", "fault": "garbage" })).await;
    let garbage = bench.send(&reset(&bench, "df001", "Fresh-Pw7").await).await.unwrap();
    assert_eq!(garbage.all("content-type"), ["application/xml;charset=UTF-8"]);
    assert!(serde_json::from_slice::<Value>(&garbage.body).is_err() && !garbage.body.starts_with(b"<"));
}
