//! Sub-accounts (`ncloud-api.md`, section 2).

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use reqwest::Method;
use serde::Serialize;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::answer::classify_change;
use super::json::Fields;
use super::paging::{Pages, Signs, Turn};
use super::target::Target;
use super::transport::{LONG, Request, SHORT, Transport};
use crate::domain::account::{Account, AccountId, Kind, Standing};
use crate::domain::rotation::Answer;
use crate::domain::secret::Password;
use crate::ports::clock::GatewayClock;
use crate::ports::provider::{Expiration, Provider, ProviderError};

const LIST: &str = "GET /sub-accounts";
const POLICY: &str = "GET /tenant-settings/sub-account-password-policy";
const RESET: &str = "PUT /sub-accounts/{subAccountId}/password";

/// Accounts asked for at once. A provider that serves fewer is followed all the same.
const PAGE_SIZE: u64 = 100;
/// How often a list that changes while it is read is started over.
const PASSES: usize = 3;

/// A tenant's sub-accounts.
#[derive(Debug)]
pub struct SubAccounts(Transport);

impl SubAccounts {
    /// The sub-accounts behind a gateway.
    #[must_use]
    pub const fn new(transport: Transport) -> Self {
        Self(transport)
    }

    async fn pass(&self) -> Result<Option<Vec<Account>>, ProviderError> {
        let mut pages = Pages::default();
        loop {
            let number = pages.next();
            let page = self.0.read(&list(number, PAGE_SIZE)).await?;
            let items = items(&page, number).map_err(unreadable)?;
            match pages.take(items, Signs::read(Fields::new(&page))) {
                Turn::Next => {}
                Turn::Whole => return Ok(Some(pages.into_accounts())),
                Turn::Moved => return Ok(None),
                Turn::Inconsistent(what) => return Err(unreadable(what.to_owned())),
            }
        }
    }
}

#[async_trait]
impl Provider for SubAccounts {
    fn clock(&self) -> &Arc<GatewayClock> {
        self.0.clock()
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
        let request = Request {
            call: RESET,
            method: Method::PUT,
            target: Target::new("/api/v1/sub-accounts").segment(&id.0).segment("password"),
            body: Some(reset(password)),
            most: SHORT,
        };
        match self.0.send(&request, signed_at).await {
            Ok(reply) => classify_change(Kind::SubAccount, id, reply.status, &reply.body),
            Err(failure) => failure.answer(),
        }
    }

    async fn probe(&self) -> Result<(), ProviderError> {
        self.0.read(&list(0, 1)).await.map(drop)
    }

    async fn expiration(&self) -> Result<Expiration, ProviderError> {
        let request = Request {
            call: POLICY,
            method: Method::GET,
            target: Target::new("/api/v1/tenant-settings/sub-account-password-policy"),
            body: None,
            most: SHORT,
        };
        let policy = self.0.read(&request).await?;
        expiration(Fields::new(&policy)).map_err(|what| ProviderError::Unreadable { call: POLICY, what })
    }
}

fn list(page: u64, size: u64) -> Request {
    let target = Target::new("/api/v1/sub-accounts").query("page", page).query("size", size);
    Request { call: LIST, method: Method::GET, target, body: None, most: LONG }
}

fn unreadable(what: String) -> ProviderError {
    ProviderError::Unreadable { call: LIST, what }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reset<'a> {
    need_password_generate: bool,
    new_password: &'a str,
}

/// The body of a reset, in memory that is wiped when the last holder lets it go.
fn reset(password: &Password) -> Bytes {
    let new_password = password.expose();
    // Escaping makes a byte six at the most; a buffer that never grows leaves no copy behind.
    let mut body = Zeroizing::new(Vec::with_capacity(64 + 6 * new_password.len()));
    let written = serde_json::to_writer(&mut *body, &Reset { need_password_generate: false, new_password });
    debug_assert!(written.is_ok(), "text and a flag always serialise");
    Bytes::from_owner(body)
}

fn items(page: &Map<String, Value>, number: u64) -> Result<Vec<Account>, String> {
    let fields = Fields::new(page);
    let items = match fields.field("items") {
        Some(Value::Array(items)) => items.as_slice(),
        None if fields.number("totalItems") == Some(0) => &[],
        Some(_) => return Err(format!("items of page {number} is no array")),
        None => return Err(format!("page {number} has no items")),
    };
    let read = |(index, item)| account(item).map_err(|what| format!("items[{index}] of page {number} {what}"));
    items.iter().enumerate().map(read).collect()
}

/// One item. An account whose `active` is not told counts as active: a reset of one that is switched off is refused by
/// the provider and harms nobody, while a live one that is left out would run into its expiry unseen.
fn account(item: &Value) -> Result<Account, String> {
    let fields = Fields::of(item).ok_or("is no object")?;
    let id = fields.text("subAccountId").ok_or("has no subAccountId")?;
    if id == "." || id == ".." {
        return Err("has a subAccountId that cannot stand in a path".to_owned());
    }
    let name = fields.text("loginId").ok_or("has no loginId")?;
    let active = fields.flag("active").map_err(|field| format!("has an unreadable {}", field.0))?;
    let standing = if active.unwrap_or(true) { Standing::Active } else { Standing::Inactive };
    Ok(Account { id: AccountId(id), name, standing, created_at: fields.time("createTime") })
}

fn expiration(policy: Fields<'_>) -> Result<Expiration, String> {
    let used = policy.flag("usePasswordExpiration").map_err(|field| format!("{} is unreadable", field.0))?;
    match (used, policy.number("passwordExpirationDays")) {
        (Some(false), _) => Ok(Expiration::Off),
        (Some(true), Some(days)) => u16::try_from(days)
            .ok()
            .filter(|days| *days > 0)
            .map(Expiration::Days)
            .ok_or_else(|| "passwordExpirationDays is out of range".to_owned()),
        (Some(true), None) => Err("passwordExpirationDays is missing or no number".to_owned()),
        (None, _) => Err("usePasswordExpiration is missing".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reset_is_the_documented_body_whatever_the_password_holds() {
        let password = Password::new("a\"\\\u{1}한9!".into());
        let body: Value = serde_json::from_slice(&reset(&password)).unwrap();
        assert_eq!(body, json!({"needPasswordGenerate": false, "newPassword": "a\"\\\u{1}한9!"}));
    }

    #[test]
    fn an_item_is_read_tolerantly_but_never_dropped() {
        let read = |item: Value| account(&item);
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
        assert_eq!(items(page.as_object().unwrap(), 2), Err("items[1] of page 2 has no loginId".into()));
        let empty = json!({"totalItems": 0, "items": null});
        assert_eq!(items(empty.as_object().unwrap(), 0), Ok(vec![]));
        assert!(items(json!({"totalItems": 1}).as_object().unwrap(), 0).is_err());
        assert!(items(json!({"items": {}}).as_object().unwrap(), 0).is_err());
    }

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
            assert_eq!(expiration(Fields::of(&policy).unwrap()).ok(), expected, "{policy}");
        }
    }
}
