//! Data Forest accounts (`ncloud-api.md`, section 3), in JSON or XML.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use reqwest::Method;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::answer::classify_change;
use super::api::{Dialect, Format};
use super::body::Body;
use super::errors::{Failure, no_such_account};
use super::http::{LONG, SHORT};
use super::json::{self, Fields};
use super::target::Target;
use super::transport::{Request, Transport};
use super::xml;
use crate::domain::account::{Account, AccountId, Standing};
use crate::domain::rotation::Answer;
use crate::domain::secret::Password;
use crate::ports::clock::GatewayClock;
use crate::ports::provider::{Detail, Expiration, Generated, More, Provider, ProviderError};

/// One call: how the documents name it, its path, and the root of its request in XML.
struct Call {
    name: &'static str,
    path: &'static str,
    root: &'static str,
}

const LIST: Call =
    Call { name: "POST /accounts/getList", path: "/api/v2/accounts/getList", root: "GetAccountListRequest" };
const DETAIL: Call =
    Call { name: "POST /accounts/getDetail", path: "/api/v2/accounts/getDetail", root: "GetAccountDetailRequest" };
const RESET: Call = Call {
    name: "POST /accounts/resetPassword",
    path: "/api/v2/accounts/resetPassword",
    root: "ResetAccountPasswordRequest",
};

/// The one status in which an account can be rotated.
const RUNNING: &str = "RUNNING";

/// A tenant's Data Forest accounts.
#[derive(Debug)]
pub struct DataForest {
    transport: Transport,
    format: Format,
}

impl DataForest {
    /// The Data Forest accounts behind a gateway.
    #[must_use]
    pub const fn new(transport: Transport, format: Format) -> Self {
        Self { transport, format }
    }

    async fn list(&self) -> Result<Body, ProviderError> {
        self.read(&LIST, &[], LONG).await
    }

    async fn read(&self, call: &Call, fields: &[(&str, &str)], most: usize) -> Result<Body, ProviderError> {
        match self.request(call, fields, most) {
            Ok(request) => self.transport.read(&request).await,
            Err(failure) => Err(failure.into_error(call.name, self.transport.host())),
        }
    }

    fn request(&self, call: &Call, fields: &[(&str, &str)], most: usize) -> Result<Request, Failure> {
        let body = match self.format {
            Format::Json => json::document(&Pairs(fields), fields.iter().map(|(_, text)| text.len()).sum()),
            Format::Xml => Bytes::from_owner(xml::document(call.root, fields).ok_or_else(unwritable)?),
        };
        let target = Target::new(call.path);
        Ok(Request { call: call.name, method: Method::POST, target, format: self.format, body: Some(body), most })
    }
}

fn unwritable() -> Failure {
    Failure::NotSent("the request holds a character that XML cannot carry; use format = \"json\"".to_owned())
}

/// Fields as one object.
struct Pairs<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

#[async_trait]
impl Provider for DataForest {
    fn clock(&self) -> &Arc<GatewayClock> {
        self.transport.clock()
    }

    async fn accounts(&self) -> Result<Vec<Account>, ProviderError> {
        contents(self.list().await?.fields()).map_err(|what| ProviderError::Unreadable { call: LIST.name, what })
    }

    async fn reset_password(&self, id: &AccountId, password: &Password, signed_at: Timestamp) -> Answer {
        let request = match self.request(&RESET, &[("id", &id.0), ("password", password.expose())], SHORT) {
            Ok(request) => request,
            Err(failure) => return failure.answer(),
        };
        match self.transport.send(&request, signed_at).await {
            Ok(reply) => classify_change(Dialect::DataForest, id, password, reply.status, &reply.body),
            Err(failure) => failure.answer(),
        }
    }

    async fn generate_password(&self, _: &AccountId, _: Timestamp) -> Result<Generated, ProviderError> {
        let why = "Data Forest makes no passwords; give the policy a password of its own";
        Err(ProviderError::Impossible { call: "making a password", why })
    }

    async fn detail(&self, id: &AccountId) -> Result<Detail, ProviderError> {
        let body = self.read(&DETAIL, &[("id", &id.0)], SHORT).await.map_err(no_such_account)?;
        let unreadable = |what: &str| ProviderError::Unreadable { call: DETAIL.name, what: what.to_owned() };
        if !body.is_about(id, "id", false) {
            return Err(unreadable("it is about another account"));
        }
        detail(body.fields()).map_err(|what| unreadable(&what))
    }

    async fn probe(&self) -> Result<(), ProviderError> {
        self.list().await.map(drop)
    }

    /// Data Forest has no such setting; the policy's own days count.
    async fn expiration(&self) -> Result<Expiration, ProviderError> {
        Ok(Expiration::Unset)
    }
}

/// No paging is documented, so a list that holds fewer than its own total would lose accounts: it is refused.
fn contents(fields: Fields<'_>) -> Result<Vec<Account>, String> {
    let total = fields.number("total");
    match fields.field("contents") {
        Some(Value::Array(_) | Value::Object(_)) => {}
        None if total == Some(0) => {}
        Some(_) => return Err("contents is no array".to_owned()),
        None => return Err("it has no contents".to_owned()),
    }
    let contents = fields.list("contents");
    if total.is_some_and(|total| total > contents.len() as u64) {
        return Err("it holds fewer accounts than its total says".to_owned());
    }
    let mut ids = HashSet::new();
    let mut accounts = Vec::with_capacity(contents.len());
    for (index, item) in contents.iter().enumerate() {
        let read = Fields::of(item).ok_or_else(|| "is no object".to_owned()).and_then(account);
        let account = read.map_err(|what| format!("contents[{index}] {what}"))?;
        if ids.insert(account.id.clone()) {
            accounts.push(account);
        }
    }
    Ok(accounts)
}

fn account(fields: Fields<'_>) -> Result<Account, String> {
    let id = fields.text("id").ok_or("has no id")?;
    let name = fields.text("name").ok_or("has no name")?;
    let disabled = fields.flag("disabled").map_err(|field| format!("has an unreadable {}", field.0))?;
    let status = fields.text("status");
    let standing = if disabled == Some(true) { Standing::Inactive } else { standing(status.as_deref()) };
    let created_at = fields.time("createdAt").or_else(|| fields.time("createAt"));
    Ok(Account { id: AccountId(id), name, standing, created_at })
}

fn detail(fields: Fields<'_>) -> Result<Detail, String> {
    let account = account(fields).map_err(|what| format!("it {what}"))?;
    let status = fields.text("status").map(|status| json::plain(&status));
    let quotas = fields.list("quotas").iter().filter_map(Value::as_object);
    let quotas = quotas.map(|quota| quota.iter().map(|(name, value)| (json::plain(name), told(value))).collect());
    Ok(Detail { account, more: More::DataForest { status, quotas: quotas.collect() } })
}

/// What a quota says, as it says it.
fn told(value: &Value) -> String {
    value.as_str().map_or_else(|| json::plain(&value.to_string()), json::plain)
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
        let body = json::document(&Pairs(&[("id", "3\"x"), ("password", "Aa1!<>한")]), 14);
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body, json!({"id": "3\"x", "password": "Aa1!<>한"}));
    }

    #[test]
    fn the_standing_follows_disabled_and_status_in_every_spelling() {
        let read = |disabled: Value, status: Value| {
            account(Fields::of(&json!({"id": "i", "name": "n", "disabled": disabled, "status": status})).unwrap())
                .map(|a| a.standing)
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
            let item = json!({"id": "i", "name": "n", field: "2025-02-20T09:32:55+09:00"});
            let account = account(Fields::of(&item).unwrap()).unwrap();
            assert_eq!(account.created_at.map(Timestamp::as_second), Some(1_740_011_575), "{field}");
        }
    }

    #[test]
    fn no_account_is_dropped_in_silence() {
        let read = |list: Value| contents(Fields::of(&list).unwrap()).map(|accounts| accounts.len());
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

    #[test]
    fn xml_lists_are_read_by_the_same_rules() {
        let read = |text: &str| {
            let body = Body::parse(text.as_bytes());
            contents(body.fields()).map(|accounts| accounts.into_iter().map(|account| account.id.0).collect::<Vec<_>>())
        };
        let item = |id: &str| format!("<contents><id>{id}</id><name>{id}</name><status>RUNNING</status></contents>");
        let ids = |ids: &[&str]| Ok(ids.iter().map(|id| (*id).to_owned()).collect());
        assert_eq!(read(&format!("<L>{}<total>1</total></L>", item("a"))), ids(&["a"]));
        assert_eq!(read(&format!("<L>{}<success>true</success>{}</L>", item("a"), item("b"))), ids(&["a", "b"]));
        assert_eq!(read("<L><total>0</total><contents/></L>"), ids(&[]));
        assert_eq!(read("<L><total>0</total></L>"), ids(&[]));
        assert!(read("<L><success>true</success></L>").is_err());
        assert!(read(&format!("<L>{}<total>2</total></L>", item("a"))).is_err());
        let nameless = format!("<L>{}<contents><id>b</id></contents></L>", item("a"));
        assert_eq!(read(&nameless), Err("contents[1] has no name".into()));
        assert_eq!(read(&format!("<L>{}<contents/></L>", item("a"))), Err("contents[1] is no object".into()));
    }
}
