//! A tenant's settings on the wire: read, set once, and a doubt told as one.

use ncloud_rotator::domain::alias::LoginAlias;
use ncloud_rotator::domain::rotation::Doubt;
use ncloud_rotator::ncloud::{Api, SubAccounts};
use ncloud_rotator::ports::provider::{Expiration, ProviderError};
use ncloud_rotator::ports::tenant::TenantSettings;
use serde_json::json;

use super::harness::{Act, Server, always, answer, hasty, transport, wall};

const V1_POLICY: &str = "/api/v1/tenant-settings/sub-account-password-policy";
const V2_POLICY: &str = "/api/v2/tenant-settings/sub-account-password-policy";

fn settings(server: &Server, api: Api) -> SubAccounts {
    SubAccounts::new(transport(&server.base), api)
}

fn alias() -> LoginAlias {
    "acme01".parse().unwrap()
}

#[tokio::test]
async fn the_expiration_is_set_as_each_version_has_it() {
    for (api, expiration, method, path, body) in [
        (
            Api::V1,
            Expiration::Days(90),
            "POST",
            V1_POLICY,
            json!({"usePasswordExpiration": true, "passwordExpirationDays": 90}),
        ),
        (Api::V1, Expiration::Off, "POST", V1_POLICY, json!({"usePasswordExpiration": false})),
        (
            Api::V2,
            Expiration::Days(180),
            "PUT",
            V2_POLICY,
            json!({"passwordExpirationEnabled": true, "passwordExpirationDays": 180}),
        ),
        (Api::V2, Expiration::Off, "PUT", V2_POLICY, json!({"passwordExpirationEnabled": false})),
    ] {
        let server = Server::start(always(200, r#"{"success":true}"#)).await;
        assert_eq!(settings(&server, api).set_expiration(expiration).await, Ok(()));
        let seen = server.only();
        assert_eq!((seen.method.as_str(), seen.target.as_str(), seen.json()), (method, path, body));
        assert!(seen.is_signed() && seen.signed_at() == wall());
    }
}

#[tokio::test]
async fn an_expiration_that_the_provider_does_not_have_is_never_sent() {
    let server = Server::start(always(200, r#"{"success":true}"#)).await;
    for api in [Api::V1, Api::V2] {
        for expiration in [Expiration::Days(0), Expiration::Days(30), Expiration::Days(365), Expiration::Unset] {
            let error = settings(&server, api).set_expiration(expiration).await.unwrap_err();
            assert!(matches!(error, ProviderError::Impossible { .. }), "{error}");
        }
    }
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn the_login_alias_is_read_and_set_by_v1_whatever_the_version() {
    for api in [Api::V1, Api::V2] {
        let server = Server::start(always(200, r#"{"loginAlias":"acme01","success":"true"}"#)).await;
        let settings = settings(&server, api);
        assert_eq!(settings.login_alias().await, Ok(Some(alias())));
        assert_eq!(settings.set_login_alias(&alias()).await, Ok(()));
        let seen = server.seen();
        assert_eq!((seen[0].method.as_str(), seen[0].target.as_str()), ("GET", "/api/v1/login-alias"));
        assert_eq!((seen[1].method.as_str(), seen[1].target.as_str()), ("PUT", "/api/v1/login-alias"));
        assert_eq!(seen[1].json(), json!({"loginAlias": "acme01"}));
        assert!(seen.iter().all(super::harness::Seen::is_signed));
    }
}

#[tokio::test]
async fn a_tenant_without_an_alias_has_none_and_an_odd_one_is_not_shown() {
    for body in ["{}", r#"{"loginAlias":null}"#, r#"{"loginAlias":" "}"#] {
        let server = Server::start(always(200, body)).await;
        assert_eq!(settings(&server, Api::V1).login_alias().await, Ok(None), "{body}");
    }
    let server = Server::start(always(200, r#"{"loginAlias":"../Evil\u001b[2J"}"#)).await;
    let error = settings(&server, Api::V1).login_alias().await.unwrap_err();
    assert!(matches!(error, ProviderError::Unreadable { .. }) && !error.to_string().contains("Evil"), "{error}");
}

#[tokio::test]
async fn a_setting_is_sent_once_and_a_doubt_says_to_read_again() {
    let dropped: fn(usize, &super::harness::Seen) -> Act = |_, _| Act::SendAndClose(Vec::new());
    let stalled: fn(usize, &super::harness::Seen) -> Act = |_, _| Act::SendAndStall(Vec::new());
    let failed: fn(usize, &super::harness::Seen) -> Act = |_, _| Act::Send(answer(503, "", ""));
    let unsuccessful: fn(usize, &super::harness::Seen) -> Act =
        |_, _| Act::Send(answer(200, "", r#"{"success":false,"message":"m"}"#));
    for (script, expected) in [
        (dropped, Doubt::Disconnected),
        (stalled, Doubt::TimedOut),
        (failed, Doubt::ServerError),
        (unsuccessful, Doubt::Unsuccessful),
    ] {
        for which in ["expiration", "alias"] {
            let server = Server::start(script).await;
            let settings = SubAccounts::new(hasty(&server.base), Api::V1);
            let error = match which {
                "expiration" => settings.set_expiration(Expiration::Days(90)).await.unwrap_err(),
                _ => settings.set_login_alias(&alias()).await.unwrap_err(),
            };
            assert!(matches!(&error, ProviderError::Unconfirmed { doubt, .. } if *doubt == expected), "{error}");
            let told = error.to_string();
            assert!(told.contains("may have been carried out") && told.contains("read it again"), "{told}");
            server.only();
        }
    }
}

#[tokio::test]
async fn a_setting_that_is_refused_is_sent_once_and_changed_nothing() {
    for (status, body) in [(401, r#"{"errorCode":200}"#), (401, r#"{"errorCode":210}"#), (400, r#"{"errorCode":100}"#)]
    {
        let server = Server::start(always(status, body)).await;
        let error = settings(&server, Api::V1).set_login_alias(&alias()).await.unwrap_err();
        assert!(!matches!(error, ProviderError::Unconfirmed { .. }), "{error}");
        server.only();
    }
}
