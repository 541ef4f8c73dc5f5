//! What a tenant sets for its sub-accounts (`ncloud-api.md`, section 2): password expiration and login alias.

use async_trait::async_trait;
use reqwest::Method;
use serde::Serialize;

use super::answer::classify_setting;
use super::api::{Api, Format};
use super::http::SHORT;
use super::json::{self, Fields};
use super::sub_account::SubAccounts;
use super::target::Target;
use super::transport::Request;
use crate::domain::alias::LoginAlias;
use crate::ports::provider::{Expiration, ProviderError};
use crate::ports::tenant::TenantSettings;

const POLICY: &str = "GET /tenant-settings/sub-account-password-policy";
const SET_POLICY: &str = "POST /tenant-settings/sub-account-password-policy";
const SET_POLICY_V2: &str = "PUT /tenant-settings/sub-account-password-policy";
const ALIAS: &str = "GET /login-alias";
const SET_ALIAS: &str = "PUT /login-alias";

/// The days that the provider takes.
const DAYS: [u16; 4] = [60, 90, 120, 180];

/// Reads the expiration, for both ports that have it.
pub(super) async fn expiration(of: &SubAccounts) -> Result<Expiration, ProviderError> {
    let request = request(POLICY, Method::GET, policy(of.api));
    let body = of.transport.read(&request).await?;
    read(body.fields(), of.api).map_err(|what| ProviderError::Unreadable { call: POLICY, what })
}

#[async_trait]
impl TenantSettings for SubAccounts {
    async fn expiration(&self) -> Result<Expiration, ProviderError> {
        expiration(self).await
    }

    async fn set_expiration(&self, expiration: Expiration) -> Result<(), ProviderError> {
        let (call, method) = match self.api {
            Api::V1 => (SET_POLICY, Method::POST),
            Api::V2 => (SET_POLICY_V2, Method::PUT),
        };
        let (used, days) = match expiration {
            Expiration::Days(days) if DAYS.contains(&days) => (true, Some(days)),
            Expiration::Off => (false, None),
            Expiration::Days(_) | Expiration::Unset => {
                return Err(ProviderError::Impossible { call, why: "choose 60, 90, 120 or 180 days, or off" });
            }
        };
        let body = match self.api {
            Api::V1 => json::document(&Policy { use_password_expiration: used, password_expiration_days: days }, 0),
            Api::V2 => {
                json::document(&PolicyV2 { password_expiration_enabled: used, password_expiration_days: days }, 0)
            }
        };
        self.set(Request { body: Some(body), ..request(call, method, policy(self.api)) }, self.api).await
    }

    /// The documents have the alias in v1 only; see [`Api::V2`].
    async fn login_alias(&self) -> Result<Option<LoginAlias>, ProviderError> {
        let body = self.transport.read(&request(ALIAS, Method::GET, Target::new("/api/v1/login-alias"))).await?;
        let Some(text) = body.fields().text("loginAlias") else { return Ok(None) };
        let what = "its loginAlias is none that the documents allow";
        text.parse().map(Some).map_err(|_| ProviderError::Unreadable { call: ALIAS, what: what.to_owned() })
    }

    async fn set_login_alias(&self, alias: &LoginAlias) -> Result<(), ProviderError> {
        let body = json::document(&Alias { login_alias: alias.as_str() }, alias.as_str().len());
        let request = request(SET_ALIAS, Method::PUT, Target::new("/api/v1/login-alias"));
        self.set(Request { body: Some(body), ..request }, Api::V1).await
    }
}

impl SubAccounts {
    /// Sends a setting, signed with the gateway's time as known, once.
    async fn set(&self, request: Request, api: Api) -> Result<(), ProviderError> {
        let call = request.call;
        match self.transport.send(&request, self.transport.clock().now()).await {
            Ok(reply) => classify_setting(call, api, reply.status, &reply.body),
            Err(failure) => Err(failure.into_setting_error(call, self.transport.host())),
        }
    }
}

fn request(call: &'static str, method: Method, target: Target) -> Request {
    Request { call, method, target, format: Format::Json, body: None, most: SHORT }
}

fn policy(api: Api) -> Target {
    Target::new(match api {
        Api::V1 => "/api/v1/tenant-settings/sub-account-password-policy",
        Api::V2 => "/api/v2/tenant-settings/sub-account-password-policy",
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    use_password_expiration: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_expiration_days: Option<u16>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyV2 {
    password_expiration_enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_expiration_days: Option<u16>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alias<'a> {
    login_alias: &'a str,
}

fn read(policy: Fields<'_>, api: Api) -> Result<Expiration, String> {
    let name = match api {
        Api::V1 => "usePasswordExpiration",
        Api::V2 => "passwordExpirationEnabled",
    };
    let used = policy.flag(name).map_err(|field| format!("{} is unreadable", field.0))?;
    match (used, policy.number("passwordExpirationDays")) {
        (Some(false), _) => Ok(Expiration::Off),
        (Some(true), Some(days)) => u16::try_from(days)
            .ok()
            .filter(|days| *days > 0)
            .map(Expiration::Days)
            .ok_or_else(|| "passwordExpirationDays is out of range".to_owned()),
        (Some(true), None) => Err("passwordExpirationDays is missing or no number".to_owned()),
        (None, _) => Err(format!("{name} is missing")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_expiration_policy_is_read_or_refused_but_never_guessed() {
        for (policy, expected) in [
            (json!({"usePasswordExpiration": true, "passwordExpirationDays": 90}), Some(Expiration::Days(90))),
            (json!({"usePasswordExpiration": "true", "passwordExpirationDays": "180"}), Some(Expiration::Days(180))),
            (json!({"usePasswordExpiration": false}), Some(Expiration::Off)),
            (json!({"usePasswordExpiration": false, "passwordExpirationDays": 60}), Some(Expiration::Off)),
            (json!({"usePasswordExpiration": true}), None),
            (json!({"usePasswordExpiration": true, "passwordExpirationDays": 0}), None),
            (json!({"usePasswordExpiration": true, "passwordExpirationDays": 70000}), None),
            (json!({"passwordExpirationDays": 90}), None),
            (json!({}), None),
        ] {
            assert_eq!(read(Fields::of(&policy).unwrap(), Api::V1).ok(), expected, "{policy}");
        }
    }
}
