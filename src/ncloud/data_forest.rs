//! Data Forest accounts (`ncloud-api.md`, section 3), in JSON.

use std::collections::HashSet;
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
use super::target::Target;
use super::transport::{LONG, Request, SHORT, Transport};
use crate::domain::account::{Account, AccountId, Kind, Standing};
use crate::domain::rotation::Answer;
use crate::domain::secret::Password;
use crate::ports::clock::GatewayClock;
use crate::ports::provider::{Expiration, Provider, ProviderError};

const LIST: &str = "POST /accounts/getList";
const RESET: &str = "POST /accounts/resetPassword";

/// The one status in which an account can be rotated.
const RUNNING: &str = "RUNNING";

/// A tenant's Data Forest accounts.
#[derive(Debug)]
pub struct DataForest(Transport);

impl DataForest {
    /// The Data Forest accounts behind a gateway.
    #[must_use]
    pub const fn new(transport: Transport) -> Self {
        Self(transport)
    }

    async fn list(&self) -> Result<Map<String, Value>, ProviderError> {
        let request = Request {
            call: LIST,
            method: Method::POST,
            target: Target::new("/api/v2/accounts/getList"),
            body: Some(Bytes::from_static(b"{}")),
            most: LONG,
        };
        self.0.read(&request).await
    }
}

#[async_trait]
impl Provider for DataForest {
    fn clock(&self) -> &Arc<GatewayClock> {
        self.0.clock()
    }

    async fn accounts(&self) -> Result<Vec<Account>, ProviderError> {
        contents(&self.list().await?).map_err(|what| ProviderError::Unreadable { call: LIST, what })
    }

    async fn reset_password(&self, id: &AccountId, password: &Password, signed_at: Timestamp) -> Answer {
        let request = Request {
            call: RESET,
            method: Method::POST,
            target: Target::new("/api/v2/accounts/resetPassword"),
            body: Some(reset(id, password)),
            most: SHORT,
        };
        match self.0.send(&request, signed_at).await {
            Ok(reply) => classify_change(Kind::DataForest, id, reply.status, &reply.body),
            Err(failure) => failure.answer(),
        }
    }

    async fn probe(&self) -> Result<(), ProviderError> {
        self.list().await.map(drop)
    }

    /// Data Forest has no such setting; the policy's own days count.
    async fn expiration(&self) -> Result<Expiration, ProviderError> {
        Ok(Expiration::Unset)
    }
}

#[derive(Serialize)]
struct Reset<'a> {
    id: &'a str,
    password: &'a str,
}

/// The body of a reset, in memory that is wiped when the last holder lets it go.
fn reset(id: &AccountId, password: &Password) -> Bytes {
    let parts = Reset { id: &id.0, password: password.expose() };
    // Escaping makes a byte six at the most; a buffer that never grows leaves no copy behind.
    let mut body = Zeroizing::new(Vec::with_capacity(64 + 6 * (parts.id.len() + parts.password.len())));
    let written = serde_json::to_writer(&mut *body, &parts);
    debug_assert!(written.is_ok(), "two texts always serialise");
    Bytes::from_owner(body)
}

/// No paging is documented, so a list that holds fewer than its own total would lose accounts: it is refused.
fn contents(list: &Map<String, Value>) -> Result<Vec<Account>, String> {
    let fields = Fields::new(list);
    let total = fields.number("total");
    let contents = match fields.field("contents") {
        Some(Value::Array(contents)) => contents.as_slice(),
        None if total == Some(0) => &[],
        Some(_) => return Err("contents is no array".to_owned()),
        None => return Err("it has no contents".to_owned()),
    };
    if total.is_some_and(|total| total > contents.len() as u64) {
        return Err("it holds fewer accounts than its total says".to_owned());
    }
    let mut ids = HashSet::new();
    let mut accounts = Vec::with_capacity(contents.len());
    for (index, item) in contents.iter().enumerate() {
        let account = account(item).map_err(|what| format!("contents[{index}] {what}"))?;
        if ids.insert(account.id.clone()) {
            accounts.push(account);
        }
    }
    Ok(accounts)
}

fn account(item: &Value) -> Result<Account, String> {
    let fields = Fields::of(item).ok_or("is no object")?;
    let id = fields.text("id").ok_or("has no id")?;
    let name = fields.text("name").ok_or("has no name")?;
    let disabled = fields.flag("disabled").map_err(|field| format!("has an unreadable {}", field.0))?;
    let status = fields.text("status");
    let standing = if disabled == Some(true) { Standing::Inactive } else { standing(status.as_deref()) };
    let created_at = fields.time("createdAt").or_else(|| fields.time("createAt"));
    Ok(Account { id: AccountId(id), name, standing, created_at })
}

/// Only `RUNNING` is rotated. The provider's word goes to terminals, so only plain characters of it are kept; a status
/// that is not told is not RUNNING.
fn standing(status: Option<&str>) -> Standing {
    let word = status.unwrap_or("unknown").trim();
    if word.eq_ignore_ascii_case(RUNNING) {
        return Standing::Active;
    }
    let plain = |c: &char| c.is_ascii_alphanumeric() || "_- ".contains(*c);
    Standing::NotRunning(word.chars().filter(plain).take(32).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reset_is_the_documented_body() {
        let body = reset(&AccountId("3\"x".into()), &Password::new("Aa1!<>한".into()));
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body, json!({"id": "3\"x", "password": "Aa1!<>한"}));
    }

    #[test]
    fn the_standing_follows_disabled_and_status_in_every_spelling() {
        let read = |disabled: Value, status: Value| {
            account(&json!({"id": "i", "name": "n", "disabled": disabled, "status": status})).map(|a| a.standing)
        };
        assert_eq!(read(json!(false), json!("RUNNING")), Ok(Standing::Active));
        assert_eq!(read(json!("false"), json!("running")), Ok(Standing::Active));
        assert_eq!(read(json!(null), json!("RUNNING")), Ok(Standing::Active));
        assert_eq!(read(json!("true"), json!("RUNNING")), Ok(Standing::Inactive));
        assert_eq!(read(json!("Y"), json!("CHANGING")), Ok(Standing::Inactive));
        assert_eq!(read(json!(false), json!("CHANGING")), Ok(Standing::NotRunning("CHANGING".into())));
        assert_eq!(read(json!(false), json!("ACCEPTED")), Ok(Standing::NotRunning("ACCEPTED".into())));
        assert_eq!(read(json!(false), json!(null)), Ok(Standing::NotRunning("unknown".into())));
        assert_eq!(read(json!(false), json!("\u{1b}[2Jx")), Ok(Standing::NotRunning("2Jx".into())));
        assert_eq!(read(json!("perhaps"), json!("RUNNING")), Err("has an unreadable disabled".into()));
    }

    #[test]
    fn both_spellings_of_the_creation_time_are_read() {
        for field in ["createdAt", "createAt"] {
            let account = account(&json!({"id": "i", "name": "n", field: "2025-02-20T09:32:55+09:00"})).unwrap();
            assert_eq!(account.created_at.map(Timestamp::as_second), Some(1_740_011_575), "{field}");
        }
    }

    #[test]
    fn no_account_is_dropped_in_silence() {
        let read = |list: Value| contents(list.as_object().unwrap()).map(|accounts| accounts.len());
        let item = |id: &str| json!({"id": id, "name": id, "status": "RUNNING"});
        assert_eq!(read(json!({"contents": [item("a"), item("b"), item("a")], "success": true})), Ok(2));
        assert_eq!(read(json!({"total": "2", "contents": [item("a"), item("b")]})), Ok(2));
        assert_eq!(read(json!({"total": 0})), Ok(0));
        assert!(read(json!({"total": 3, "contents": [item("a"), item("b")]})).is_err());
        assert!(read(json!({"success": true})).is_err());
        assert!(read(json!({"contents": {}})).is_err());
        assert_eq!(read(json!({"contents": [item("a"), {"id": "b"}]})), Err("contents[1] has no name".into()));
        assert_eq!(read(json!({"contents": [{"name": "b"}]})), Err("contents[0] has no id".into()));
    }
}
