//! Sub-accounts (`ncloud-api.md`, section 2): the list, one of them, and their passwords.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::Method;
use serde::Serialize;
use serde_json::Value;

use super::answer::{classify_change, classify_generated};
use super::api::{Api, Dialect, Format};
use super::errors::no_such_account;
use super::http::{LONG, SHORT};
use super::json::{self, Fields};
use super::paging::{Pages, Signs, Turn};
use super::target::Target;
use super::tenant;
use super::transport::{Request, Transport};
use crate::domain::account::{Account, AccountId, Standing};
use crate::domain::rotation::Answer;
use crate::domain::secret::Password;
use crate::ports::clock::GatewayClock;
use crate::ports::provider::{Detail, Expiration, Generated, More, Provider, ProviderError};

const LIST: &str = "GET /sub-accounts";
const DETAIL: &str = "GET /sub-accounts/{subAccountId}";
const RESET: &str = "PUT /sub-accounts/{subAccountId}/password";
const RESET_V2: &str = "POST /sub-accounts/{id}/reset-password";

/// Accounts asked for at once, and v2's most. A provider that serves fewer is followed all the same.
const PAGE_SIZE: u64 = 100;
/// How often a list that changes while it is read is started over.
const PASSES: usize = 3;

/// A tenant's sub-accounts, and what the tenant sets for them ([`TenantSettings`](crate::ports::tenant::TenantSettings)).
#[derive(Debug)]
pub struct SubAccounts {
    pub(super) transport: Transport,
    pub(super) api: Api,
}

impl SubAccounts {
    /// The sub-accounts behind a gateway.
    #[must_use]
    pub const fn new(transport: Transport, api: Api) -> Self {
        Self { transport, api }
    }

    async fn pass(&self) -> Result<Option<Vec<Account>>, ProviderError> {
        let mut pages = Pages::default();
        loop {
            let number = pages.next();
            let page = self.transport.read(&self.list(number, PAGE_SIZE)).await?;
            let items = items(page.fields(), self.api, number).map_err(unreadable)?;
            match pages.take(items, Signs::read(page.fields())) {
                Turn::Next => {}
                Turn::Whole => return Ok(Some(pages.into_accounts())),
                Turn::Moved => return Ok(None),
                Turn::Inconsistent(what) => return Err(unreadable(what.to_owned())),
            }
        }
    }

    fn list(&self, page: u64, size: u64) -> Request {
        let target = match self.api {
            Api::V1 => Target::new("/api/v1/sub-accounts").query("page", page).query("size", size),
            Api::V2 => Target::new("/api/v2/sub-accounts").query("pageNo", page).query("pageSize", size),
        };
        Request { call: LIST, method: Method::GET, target, format: Format::Json, body: None, most: LONG }
    }

    /// The request that sets a password, or has one made.
    fn reset(&self, id: &AccountId, password: Option<&Password>) -> Request {
        let new_password = password.map(Password::expose);
        let texts = new_password.map_or(0, str::len);
        let generate = password.is_none();
        let (call, method, target, body) = match self.api {
            Api::V1 => (
                RESET,
                Method::PUT,
                Target::new("/api/v1/sub-accounts").segment(&id.0).segment("password"),
                json::document(&Reset { need_password_generate: generate, new_password }, texts),
            ),
            Api::V2 => (
                RESET_V2,
                Method::POST,
                Target::new("/api/v2/sub-accounts").segment(&id.0).segment("reset-password"),
                json::document(&ResetV2 { new_password, password_generation_required: generate }, texts),
            ),
        };
        Request { call, method, target, format: Format::Json, body: Some(body), most: SHORT }
    }
}

#[async_trait]
impl Provider for SubAccounts {
    fn clock(&self) -> &Arc<GatewayClock> {
        self.transport.clock()
    }

    async fn accounts(&self) -> Result<Vec<Account>, ProviderError> {
        for _ in 0..PASSES {
            if let Some(accounts) = self.pass().await? {
                return Ok(accounts);
            }
        }
        Err(unreadable(format!("its total changed from page to page, {PASSES} times over")))
    }

    async fn reset_password(&self, id: &AccountId, password: &Password, signed_at: Timestamp) -> Answer {
        match self.transport.send(&self.reset(id, Some(password)), signed_at).await {
            Ok(reply) => classify_change(Dialect::SubAccount(self.api), id, password, reply.status, &reply.body),
            Err(failure) => failure.answer(),
        }
    }

    async fn generate_password(&self, id: &AccountId, signed_at: Timestamp) -> Result<Generated, ProviderError> {
        Ok(match self.transport.send(&self.reset(id, None), signed_at).await {
            Ok(reply) => classify_generated(Dialect::SubAccount(self.api), id, reply.status, &reply.body),
            Err(failure) => Generated { answer: failure.answer(), password: None },
        })
    }

    async fn detail(&self, id: &AccountId) -> Result<Detail, ProviderError> {
        // The documents have this call in v1 only; see `Api::V2`.
        let target = Target::new("/api/v1/sub-accounts").segment(&id.0);
        let request =
            Request { call: DETAIL, method: Method::GET, target, format: Format::Json, body: None, most: SHORT };
        let body = self.transport.read(&request).await.map_err(no_such_account)?;
        let unreadable = |what: &str| ProviderError::Unreadable { call: DETAIL, what: what.to_owned() };
        if !body.is_about(id, "subAccountId", true) {
            return Err(unreadable("it is about another account"));
        }
        detail(body.fields()).map_err(|what| unreadable(&what))
    }

    async fn probe(&self) -> Result<(), ProviderError> {
        self.transport.read(&self.list(0, 1)).await.map(drop)
    }

    async fn expiration(&self) -> Result<Expiration, ProviderError> {
        tenant::expiration(self).await
    }
}

fn unreadable(what: String) -> ProviderError {
    ProviderError::Unreadable { call: LIST, what }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reset<'a> {
    need_password_generate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_password: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResetV2<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    new_password: Option<&'a str>,
    password_generation_required: bool,
}

fn items(page: Fields<'_>, api: Api, number: u64) -> Result<Vec<Account>, String> {
    let name = match api {
        Api::V1 => "items",
        Api::V2 => "subAccounts",
    };
    let items = match page.field(name) {
        Some(Value::Array(items)) => items.as_slice(),
        None if page.number("totalItems") == Some(0) => &[],
        Some(_) => return Err(format!("{name} of page {number} is no array")),
        None => return Err(format!("page {number} has no {name}")),
    };
    let read = |(index, item)| {
        let fields = Fields::of(item).ok_or_else(|| "is no object".to_owned());
        fields.and_then(account).map_err(|what| format!("{name}[{index}] of page {number} {what}"))
    };
    items.iter().enumerate().map(read).collect()
}

/// One item. An account whose `active` is not told counts as active: a reset of one that is switched off is refused by
/// the provider and harms nobody, while a live one that is left out would run into its expiry unseen.
fn account(fields: Fields<'_>) -> Result<Account, String> {
    let id = fields.text("subAccountId").ok_or("has no subAccountId")?;
    if id == "." || id == ".." {
        return Err("has a subAccountId that cannot stand in a path".to_owned());
    }
    let name = fields.text("loginId").ok_or("has no loginId")?;
    let active = fields.flag("active").map_err(|field| format!("has an unreadable {}", field.0))?;
    let standing = if active.unwrap_or(true) { Standing::Active } else { Standing::Inactive };
    let created_at = fields.time("createTime").or_else(|| fields.time("createdDateTime"));
    Ok(Account { id: AccountId(id), name, standing, created_at })
}

fn detail(fields: Fields<'_>) -> Result<Detail, String> {
    let account = account(fields).map_err(|what| format!("it {what}"))?;
    let more = More::SubAccount {
        groups: names(fields.list("groups"), "groupName"),
        policies: names(fields.list("policies"), "policyName"),
        needs_password_reset: fields.flag("needPasswordReset").ok().flatten(),
    };
    Ok(Detail { account, more })
}

/// The names of groups or policies, which no document spells out: one that has none is still counted.
fn names(items: &[Value], own: &str) -> Vec<String> {
    let named = |item: &Value| match Fields::of(item) {
        Some(fields) => fields.text(own).or_else(|| fields.text("name")),
        None => item.as_str().map(str::to_owned),
    };
    items.iter().map(|item| named(item).map_or_else(|| "(unnamed)".to_owned(), |name| json::plain(&name))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reset_is_the_documented_body_whatever_the_password_holds() {
        let reset = Reset { need_password_generate: false, new_password: Some("a\"\\\u{1}한9!") };
        let body: Value = serde_json::from_slice(&json::document(&reset, 9)).unwrap();
        assert_eq!(body, json!({"needPasswordGenerate": false, "newPassword": "a\"\\\u{1}한9!"}));
    }

    #[test]
    fn an_item_is_read_tolerantly_but_never_dropped() {
        let read = |item: Value| account(Fields::of(&item).ok_or("is no object")?);
        let whole = read(json!({
            "subAccountId": "u-1", "subAccountNo": 7, "loginId": "svc-a", "name": "홍길동", "active": "true",
            "createTime": "2019-08-10T13:21:00Z", "new": {"deep": []}
        }));
        let whole = whole.unwrap();
        assert_eq!((whole.id.0.as_str(), whole.name.as_str(), whole.standing), ("u-1", "svc-a", Standing::Active));
        assert_eq!(whole.created_at.map(Timestamp::as_second), Some(1_565_443_260));
        let standing = |active: Value| {
            read(json!({"subAccountId": "u", "loginId": "l", "active": active})).map(|account| account.standing)
        };
        assert_eq!(standing(json!(false)), Ok(Standing::Inactive));
        assert_eq!(standing(json!("N")), Ok(Standing::Inactive));
        assert_eq!(standing(Value::Null), Ok(Standing::Active));
        assert_eq!(standing(json!("perhaps")), Err("has an unreadable active".into()));
        for bad in [json!({}), json!([]), json!("x"), json!(null)] {
            assert!(read(bad).is_err());
        }
        assert_eq!(read(json!({"subAccountId": "", "loginId": "l"})), Err("has no subAccountId".into()));
        assert_eq!(read(json!({"subAccountId": "u", "name": "n"})), Err("has no loginId".into()));
        assert!(read(json!({"subAccountId": "..", "loginId": "l"})).is_err());
    }

    #[test]
    fn a_bad_item_is_named_by_its_place() {
        let page = json!({"items": [{"subAccountId": "u", "loginId": "l"}, {"subAccountId": "v"}]});
        assert_eq!(items(Fields::of(&page).unwrap(), Api::V1, 2), Err("items[1] of page 2 has no loginId".into()));
        let empty = json!({"totalItems": 0, "items": null});
        assert_eq!(items(Fields::of(&empty).unwrap(), Api::V1, 0), Ok(vec![]));
        assert!(items(Fields::of(&json!({"totalItems": 1})).unwrap(), Api::V1, 0).is_err());
        assert!(items(Fields::of(&json!({"items": {}})).unwrap(), Api::V1, 0).is_err());
    }
}
