//! XML, gov's v2, one account's detail and generated passwords, on the wire.

use ncloud_rotator::domain::account::{AccountId, Kind, Standing};
use ncloud_rotator::domain::rotation::{Answer, Block, Doubt};
use ncloud_rotator::domain::secret::Password;
use ncloud_rotator::ncloud::{Api, DataForest, Format, SubAccounts};
use ncloud_rotator::ports::provider::{Detail, Expiration, Generated, More, Provider, ProviderError};
use serde_json::json;

use super::harness::{
    Act, ID, PASSWORD, Seen, Server, always, answer, change, deciding_read, hasty, provider, transport, wall,
};

fn xml(server: &Server) -> DataForest {
    DataForest::new(transport(&server.base), Format::Xml)
}

fn v2(server: &Server) -> SubAccounts {
    SubAccounts::new(transport(&server.base), Api::V2)
}

fn id() -> AccountId {
    AccountId(ID.into())
}

/// Quotes and the ampersand that Data Forest forbids are escaped all the same: a password may be an operator's.
#[tokio::test]
async fn a_change_in_xml_is_the_documented_request() {
    let body = "<ResetAccountPasswordResponse><id>5g1W</id><success>true</success></ResetAccountPasswordResponse>";
    let server = Server::start(always(200, body)).await;
    let password = Password::new("A<1>&\"'한]]>".into());
    let answer = xml(&server).reset_password(&AccountId("5g1W".into()), &password, deciding_read()).await;
    assert_eq!(answer, Answer::Accepted);
    let seen = server.only();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/api/v2/accounts/resetPassword"));
    assert_eq!((seen.header("content-type"), seen.header("accept")), ("application/xml", "application/xml"));
    assert!(seen.is_signed() && seen.signed_at() == deciding_read());
    assert_eq!(
        std::str::from_utf8(&seen.body).unwrap(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ResetAccountPasswordRequest><id>5g1W</id>\
         <password>A&lt;1&gt;&amp;&quot;&apos;한]]&gt;</password></ResetAccountPasswordRequest>"
    );
}

#[tokio::test]
async fn what_xml_cannot_carry_is_never_sent() {
    let server = Server::start(always(200, "<r><success>true</success></r>")).await;
    let password = Password::new("A1!\u{1}".into());
    let answer = xml(&server).reset_password(&id(), &password, deciding_read()).await;
    assert_eq!((answer, server.connections()), (Answer::Blocked(Block::NotSent), 0));
}

#[tokio::test]
async fn reads_in_xml_are_the_documented_requests_and_rely_on_no_root() {
    let list = "<?xml version=\"1.0\"?><any:Thing xmlns:any=\"urn:x\">\
        <any:contents><any:id>a</any:id><any:name>df&#49;</any:name><any:status>RUNNING</any:status>\
        <any:disabled>false</any:disabled><any:createdAt>2025-02-20T09:32:55+09:00</any:createdAt></any:contents>\
        <contents><id>b</id><name><![CDATA[df2]]></name><status>CHANGING</status></contents>\
        <success>true</success><total>2</total></any:Thing>";
    let detail = "<D><id>a</id><name>df1</name><status>RUNNING</status><success>true</success>\
        <quotas><namespace>koya</namespace><spaceTb>200</spaceTb></quotas></D>";
    let script = move |_, seen: &Seen| {
        let body = match seen.target.as_str() {
            "/api/v2/accounts/getList" => list,
            "/api/v2/accounts/getDetail" => detail,
            other => panic!("{other}"),
        };
        Act::Send(answer(200, "content-type: application/xml;charset=UTF-8\r\n", body))
    };
    let server = Server::start(script).await;
    let accounts = xml(&server).accounts().await.unwrap();
    let seen: Vec<_> = accounts.iter().map(|a| (a.id.0.as_str(), a.name.as_str(), a.created_at.is_some())).collect();
    assert_eq!(seen, [("a", "df1", true), ("b", "df2", false)]);
    assert_eq!(accounts[1].standing, Standing::NotRunning("CHANGING".into()));
    assert_eq!(xml(&server).probe().await, Ok(()));
    let closer = xml(&server).detail(&AccountId("a".into())).await.unwrap();
    let quota = [("namespace", "koya"), ("spaceTb", "200")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(closer.more, More::DataForest { status: Some("RUNNING".into()), quotas: vec![quota.to_vec()] });
    let bodies: Vec<_> = server.seen().into_iter().map(|seen| String::from_utf8(seen.body).unwrap()).collect();
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    assert_eq!(bodies[0], format!("{declaration}<GetAccountListRequest></GetAccountListRequest>"));
    assert_eq!(bodies[1], bodies[0]);
    assert_eq!(bodies[2], format!("{declaration}<GetAccountDetailRequest><id>a</id></GetAccountDetailRequest>"));
}

/// The gateway in front answers errors in JSON whatever was asked for, and some servers in XML.
#[tokio::test]
async fn an_answer_is_read_in_either_format_whatever_was_asked_for() {
    for body in [r#"{"success":true}"#, "<r><success>true</success></r>"] {
        let server = Server::start(always(200, body)).await;
        for format in [Format::Json, Format::Xml] {
            let data_forest = DataForest::new(transport(&server.base), format);
            assert_eq!(change(&data_forest, ID).await, Answer::Accepted, "{format:?} {body}");
        }
    }
    for body in [r#"{"error":{"errorCode":"210"}}"#, "<r><error><errorCode>210</errorCode></error></r>"] {
        let server = Server::start(always(401, body)).await;
        assert_eq!(change(&xml(&server), ID).await, Answer::Blocked(Block::Permission), "{body}");
        let denied = ProviderError::Permission { call: "POST /accounts/getList", status: 401, code: "210".to_owned() };
        assert_eq!(xml(&server).accounts().await, Err(denied), "{body}");
    }
}

#[tokio::test]
async fn a_document_that_brings_its_own_entities_is_not_read() {
    let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]>\
        <r><success>true</success><total>0</total><message>&b;</message></r>";
    let server = Server::start(always(200, bomb)).await;
    assert_eq!(change(&xml(&server), ID).await, Answer::Ambiguous(Doubt::Unreadable));
    assert!(matches!(xml(&server).accounts().await, Err(ProviderError::Unreadable { .. })));
}

/// The documented 400 repeats the password.
#[tokio::test]
async fn nothing_of_an_xml_body_reaches_what_is_returned() {
    for body in [
        format!("<r><success>false</success><message>invalid (password, '{PASSWORD}')</message></r>")
            .replace("Aa1!\"\\한xyz", "Echoed1!pass"),
        "<r><contents><id>Echoed1!pass</id><disabled>Echoed1!pass</disabled></contents></r>".to_owned(),
        "<r><error><errorCode>Echoed1!pass</errorCode></error></r>".to_owned(),
        "<Echoed1pass>Echoed1!pass".to_owned(),
    ] {
        for status in [200, 400, 401, 403, 500] {
            let sent = body.clone();
            let server = Server::start(move |_, _| Act::Send(answer(status, "", &sent))).await;
            let provider = xml(&server);
            let seen = (
                change(&provider, ID).await,
                provider.accounts().await,
                provider.probe().await,
                provider.detail(&id()).await,
            );
            let shown = format!("{seen:?} {}", seen.1.as_ref().unwrap_err());
            assert!(!shown.contains("Echoed1"), "{status} {shown}");
        }
    }
}

#[tokio::test]
async fn v2_speaks_its_own_calls() {
    let script = |_, seen: &Seen| {
        let body = match (seen.method.as_str(), seen.target.as_str()) {
            ("GET", "/api/v2/sub-accounts?pageNo=0&pageSize=100") => {
                r#"{"subAccounts":[{"subAccountId":"u1","loginId":"svc-1","active":true,
                    "createdDateTime":"2019-08-10T13:21:00Z"}]}"#
            }
            ("GET", "/api/v2/sub-accounts?pageNo=1&pageSize=100") => r#"{"subAccounts":[]}"#,
            ("GET", "/api/v2/sub-accounts?pageNo=0&pageSize=1") => r#"{"subAccounts":[{"whatever":1}]}"#,
            ("GET", "/api/v2/tenant-settings/sub-account-password-policy") => {
                r#"{"passwordExpirationEnabled":true,"passwordExpirationDays":120}"#
            }
            ("POST", target) if target == format!("/api/v2/sub-accounts/{ID}/reset-password") => "{}",
            other => panic!("{other:?}"),
        };
        Act::Send(answer(200, "", body))
    };
    let server = Server::start(script).await;
    let provider = v2(&server);
    let accounts = provider.accounts().await.unwrap();
    assert_eq!(accounts.len(), 1);
    assert_eq!((accounts[0].name.as_str(), accounts[0].created_at.is_some()), ("svc-1", true));
    assert_eq!(provider.probe().await, Ok(()));
    assert_eq!(provider.expiration().await, Ok(Expiration::Days(120)));
    assert_eq!(change(&provider, ID).await, Answer::Accepted);
    let sent = server.seen().pop().unwrap();
    assert_eq!(sent.json(), json!({"newPassword": PASSWORD, "passwordGenerationRequired": false}));
    assert!(server.seen().iter().all(Seen::is_signed) && sent.signed_at() == deciding_read());
}

#[tokio::test]
async fn v2_pages_are_followed_to_their_end() {
    let script = |_, seen: &Seen| {
        let page: usize = seen.target.split(['=', '&']).nth(1).unwrap().parse().unwrap();
        let items: Vec<_> = (page * 100..250.min((page + 1) * 100))
            .map(|n| json!({"subAccountId": format!("u{n}"), "loginId": format!("svc-{n}")}))
            .collect();
        Act::Send(answer(200, "", &json!({"subAccounts": items}).to_string()))
    };
    let server = Server::start(script).await;
    assert_eq!(v2(&server).accounts().await.unwrap().len(), 250);
    assert_eq!(server.seen().len(), 4, "without a total an empty page ends the list");
}

#[tokio::test]
async fn the_errors_of_v2_are_heard() {
    let body = r#"{"error":{"errorCode":"Unauthorized","message":"m","detail":"d","fieldErrors":[]}}"#;
    let server = Server::start(always(401, body)).await;
    assert_eq!(change(&v2(&server), ID).await, Answer::Blocked(Block::Authentication));
    let refused = ProviderError::Authentication { status: 401, code: "-".to_owned() };
    assert_eq!(v2(&server).accounts().await, Err(refused));
    let body = r#"{"error":{"errorCode":"InvalidParameter","fieldErrors":[{"field":"newPassword"}]}}"#;
    let server = Server::start(always(400, body)).await;
    assert_eq!(change(&v2(&server), ID).await, Answer::Refused);
}

#[tokio::test]
async fn a_sub_accounts_detail_is_read() {
    let body = r#"{"subAccountId":"2B141960-0000-11EF-8000-246E9659184C","loginId":"svc-a","active":true,
        "needPasswordReset":"Y","groups":[{"groupId":"g","groupName":"운영\u001b[2J"},{"name":"dev"},{"groupId":"x"}],
        "policies":[{"policyName":"NCP_ADMINISTRATOR"},"inline"]}"#;
    for api in [Api::V1, Api::V2] {
        let server = Server::start(always(200, body)).await;
        let detail = SubAccounts::new(transport(&server.base), api).detail(&id()).await.unwrap();
        assert_eq!(detail.account.name, "svc-a");
        let expected = More::SubAccount {
            groups: vec!["운영[2J".into(), "dev".into(), "(unnamed)".into()],
            policies: vec!["NCP_ADMINISTRATOR".into(), "inline".into()],
            needs_password_reset: Some(true),
        };
        assert_eq!(detail.more, expected);
        let seen = server.only();
        assert_eq!((seen.method.as_str(), seen.target.clone()), ("GET", format!("/api/v1/sub-accounts/{ID}")));
        assert_eq!(seen.signed_at(), wall());
    }
}

#[tokio::test]
async fn a_data_forest_detail_is_read_loosely() {
    let body = r#"{"success":true,"id":"a","name":"df1","status":"CHANGING","createdAt":"2025-02-20T09:32:55+09:00",
        "quotas":[{"fileCountMillion":1,"namespace":"koya","spaceTb":200.5,"more":{"x":[1]}},"odd"]}"#;
    let server = Server::start(always(200, body)).await;
    let data_forest = DataForest::new(transport(&server.base), Format::Json);
    let Detail { account, more } = data_forest.detail(&AccountId("a".into())).await.unwrap();
    assert_eq!(account.standing, Standing::NotRunning("CHANGING".into()));
    let quota = [("fileCountMillion", "1"), ("more", r#"{"x":[1]}"#), ("namespace", "koya"), ("spaceTb", "200.5")];
    let quota = quota.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    assert_eq!(more, More::DataForest { status: Some("CHANGING".into()), quotas: vec![quota] });
    assert_eq!(server.only().json(), json!({"id": "a"}));
}

#[tokio::test]
async fn the_detail_of_nobody_and_of_another_is_told_apart() {
    for (kind, status, body) in [
        (Kind::SubAccount, 401, r#"{"error":{"errorCode":30}}"#),
        (Kind::SubAccount, 404, r#"{"errorCode":300}"#),
        (Kind::DataForest, 404, r#"{"message":"no such element","success":false}"#),
    ] {
        let server = Server::start(always(status, body)).await;
        let error = provider(kind, transport(&server.base)).detail(&id()).await.unwrap_err();
        assert!(matches!(error, ProviderError::NoSuchAccount { .. }) && !error.is_temporary(), "{error}");
        server.only();
    }
    for (kind, body) in [
        (Kind::SubAccount, r#"{"subAccountId":"another","loginId":"l"}"#),
        (Kind::DataForest, r#"{"id":"another","name":"n","success":true}"#),
    ] {
        let server = Server::start(always(200, body)).await;
        let error = provider(kind, transport(&server.base)).detail(&id()).await.unwrap_err();
        assert!(error.to_string().contains("another account"), "{error}");
    }
}

#[tokio::test]
async fn a_password_is_made_by_the_provider_once() {
    let script = |_, seen: &Seen| {
        let body = match seen.target.as_str() {
            target if target.starts_with("/api/v1/") => r#"{"success":true,"generatedPassword":"Theirs1!"}"#,
            _ => r#"{"generatedPassword":"Theirs1!"}"#,
        };
        Act::Send(answer(200, "", body))
    };
    for (api, method, path, expected) in [
        (Api::V1, "PUT", format!("/api/v1/sub-accounts/{ID}/password"), json!({"needPasswordGenerate": true})),
        (
            Api::V2,
            "POST",
            format!("/api/v2/sub-accounts/{ID}/reset-password"),
            json!({"passwordGenerationRequired": true}),
        ),
    ] {
        let server = Server::start(script).await;
        let sub_accounts = SubAccounts::new(transport(&server.base), api);
        let made = sub_accounts.generate_password(&id(), deciding_read()).await.unwrap();
        assert_eq!((made.answer, made.password.as_ref().unwrap().expose()), (Answer::Accepted, "Theirs1!"));
        assert!(!format!("{made:?}").contains("Theirs1!"));
        let seen = server.only();
        assert_eq!((seen.method.as_str(), seen.target.as_str(), seen.json()), (method, path.as_str(), expected));
        assert_eq!(seen.signed_at(), deciding_read());
    }
}

#[tokio::test]
async fn a_password_that_was_made_and_lost_is_a_doubt_and_is_not_asked_for_again() {
    let half = b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"success\":true,\"generatedPassword\":\"Th".to_vec();
    let (cut, stalled) = (half.clone(), half);
    let server = Server::start(move |_, _| Act::SendAndClose(cut.clone())).await;
    let lost = |doubt| Ok(Generated { answer: Answer::Ambiguous(doubt), password: None });
    let sub_accounts = SubAccounts::new(transport(&server.base), Api::V1);
    assert_eq!(sub_accounts.generate_password(&id(), deciding_read()).await, lost(Doubt::Disconnected));
    server.only();
    let server = Server::start(move |_, _| Act::SendAndStall(stalled.clone())).await;
    let sub_accounts = SubAccounts::new(hasty(&server.base), Api::V1);
    assert_eq!(sub_accounts.generate_password(&id(), deciding_read()).await, lost(Doubt::TimedOut));
    server.only();
    let server = Server::start(always(200, r#"{"success":true}"#)).await;
    let sub_accounts = SubAccounts::new(transport(&server.base), Api::V1);
    assert_eq!(sub_accounts.generate_password(&id(), deciding_read()).await, lost(Doubt::Unreadable));
    server.only();
}

#[tokio::test]
async fn data_forest_makes_no_passwords_and_is_not_asked() {
    let server = Server::start(always(200, r#"{"success":true}"#)).await;
    for format in [Format::Json, Format::Xml] {
        let data_forest = DataForest::new(transport(&server.base), format);
        let error = data_forest.generate_password(&id(), deciding_read()).await.unwrap_err();
        assert!(matches!(error, ProviderError::Impossible { .. }), "{error}");
    }
    assert_eq!(server.connections(), 0);
}
