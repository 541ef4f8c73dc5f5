//! The test door: the live passwords, faults on demand, and what was seen. It needs no signature, so that it opens to
//! loopback only, and not at all unless it was asked for.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /door/accounts` | every account with its live password, its past ones and how often it changed |
//! | `POST /door/accounts` | one change or a list of them: `{"op": "create", "kind", "count", "prefix"}`, `{"op": "set", "account", "active"?, "status"?, "disabled"?, "password"?}`, `{"op": "delete", "account"}`; all or none |
//! | `GET`, `POST`, `DELETE /door/faults` | the rules that are left; appends one rule or a list; clears them |
//! | `POST /door/release` | lets held requests go on |
//! | `GET /door/log` | every request to the provider's calls |
//! | `POST /door/clock` | `{"offset_ms": n}`: the gateway's clock runs so far ahead of the machine's |
//! | `GET`, `POST /door/quirks` | `{"refuse_same_password": bool}` |
//! | `GET`, `POST /door/permissions` | `{"deny": ["resetPassword", …]}`: these calls and no others answer that the caller has no right (401, code 210); `"*"` for all |
//! | `GET`, `POST /door/keys` | the access keys that are accepted; one change or a list of them: `{"op": "add", "access_key", "secret_key", "expiration"?}`, `{"op": "remove", "access_key"}` |
//! | `POST /door/roles` | `{"role", "lifetime_ms"}`: the role's next temporary keys are made at the next question and last so long; an hour otherwise |
//! | `GET /door/metadata/iam/security-credentials/{role}` | what the instance metadata service says of any server role: `{"AccessKeyId", "SecretAccessKey", "Expiration"}`. New keys come shortly before the old ones expire; both are accepted until their end |

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::book::{Book, Credential, Named, Plain, Status};
use super::call::CallPattern;
use super::format::Voice;
use super::gateway::Gateway;
use super::programme::Rule;
use super::reply::Reply;
use super::sample;
use crate::domain::account::Kind;
use crate::domain::secret::Keys;

/// The door's routes.
pub(super) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/door/accounts", get(accounts).post(change_accounts))
        .route("/door/faults", get(faults).post(append_faults).delete(clear_faults))
        .route("/door/release", post(release))
        .route("/door/log", get(log))
        .route("/door/clock", post(set_clock))
        .route("/door/quirks", get(quirks).post(set_quirks))
        .route("/door/permissions", get(permissions).post(set_permissions))
        .route("/door/keys", get(keys).post(change_keys))
        .route("/door/roles", post(set_role))
        .route("/door/metadata/iam/security-credentials/{role}", get(role_keys))
        .with_state(gateway)
}

type Door = State<Arc<Gateway>>;

/// One thing, or a list of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> From<OneOrMany<T>> for Vec<T> {
    fn from(given: OneOrMany<T>) -> Self {
        match given {
            OneOrMany::Many(many) => many,
            OneOrMany::One(one) => vec![one],
        }
    }
}

async fn accounts(State(gateway): Door) -> Response {
    match gateway.service.accounts.read(shown).await {
        Ok(accounts) => Json(json!({ "accounts": accounts })).into_response(),
        Err(_) => broken("the accounts file cannot be read; see the emulator's log"),
    }
}

/// Every account with everything about its password.
fn shown(book: &Book) -> Vec<Value> {
    let live = |kind: Kind, id: &str, name: &str, credential: &Credential| {
        json!({
            "kind": kind, "id": id, "name": name,
            "password": credential.password, "past": credential.past, "changes": credential.changes,
        })
    };
    let with = |mut account: Value, key: &str, value: Value| {
        account[key] = value;
        account
    };
    let people = book.sub_accounts.iter().map(|account| {
        let shown = live(Kind::SubAccount, &account.id, &account.login_id, &account.credential);
        with(shown, "active", json!(account.active))
    });
    let forest = book.data_forest.iter().map(|account| {
        let shown = live(Kind::DataForest, &account.id, &account.name, &account.credential);
        with(with(shown, "status", json!(account.status)), "disabled", json!(account.disabled))
    });
    people.chain(forest).collect()
}

/// A change to the accounts that no call of the provider makes.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum Change {
    /// Makes accounts `{prefix}{n}`, n from 1.
    Create { kind: Kind, count: u32, prefix: String },
    /// Sets what is given, of the account with this id or name.
    Set {
        account: String,
        kind: Option<Kind>,
        active: Option<bool>,
        status: Option<Status>,
        disabled: Option<bool>,
        /// As somebody else's hand would have set it: no rule is looked at.
        password: Option<Plain>,
    },
    /// Takes the account with this id or name away.
    Delete { account: String, kind: Option<Kind> },
}

async fn change_accounts(State(gateway): Door, Json(changes): Json<OneOrMany<Change>>) -> Response {
    let remember = gateway.service.remember;
    let outcome = gateway.service.accounts.change(move |book| {
        let mut changes = Vec::from(changes).into_iter();
        changes.try_for_each(|change| change.make(book, remember)).map_err(|complaint| Reply::bad_request(&complaint))
    });
    match outcome.await {
        Ok(()) => accounts(State(gateway)).await,
        Err(reply) => Voice::default().say(reply),
    }
}

impl Change {
    /// Says what is wrong when it cannot be made.
    fn make(self, book: &mut Book, remember: bool) -> Result<(), String> {
        match self {
            Self::Create { kind, count, prefix } => {
                for name in (1..=count).map(|position| format!("{prefix}{position}")) {
                    create(book, kind, &name)?;
                }
                Ok(())
            }
            Self::Set { account, kind, active, status, disabled, password } => {
                let found = find(book, kind, &account)?;
                let changes = Changes { active, status, disabled, password };
                changes.apply(book, &found, remember)
            }
            Self::Delete { account, kind } => {
                let found = find(book, kind, &account)?;
                book.sub_accounts.retain(|account| found.kind != Kind::SubAccount || account.id != found.id);
                book.data_forest.retain(|account| found.kind != Kind::DataForest || account.id != found.id);
                Ok(())
            }
        }
    }
}

struct Changes {
    active: Option<bool>,
    status: Option<Status>,
    disabled: Option<bool>,
    password: Option<Plain>,
}

impl Changes {
    fn apply(self, book: &mut Book, found: &Named, remember: bool) -> Result<(), String> {
        let of_another_kind = match found.kind {
            Kind::SubAccount => self.status.is_some() || self.disabled.is_some(),
            Kind::DataForest => self.active.is_some(),
        };
        if of_another_kind {
            return Err(format!(
                "{} is a {}; active is for sub-accounts, status and disabled for data-forest",
                found.name, found.kind
            ));
        }
        let credential =
            if let Some(account) = book.sub_account_mut(&found.id).filter(|_| found.kind == Kind::SubAccount) {
                account.active = self.active.unwrap_or(account.active);
                &mut account.credential
            } else if let Some(account) = book.forest_account_mut(&found.id) {
                account.status = self.status.unwrap_or(account.status);
                account.disabled = self.disabled.unwrap_or(account.disabled);
                &mut account.credential
            } else {
                return Err(format!("there is no account {}", found.name));
            };
        if let Some(Plain(password)) = self.password {
            credential.change(password, remember);
        }
        Ok(())
    }
}

fn create(book: &mut Book, kind: Kind, name: &str) -> Result<(), String> {
    if book.find(kind, name).is_some() {
        return Err(format!("there is a {kind} account {name} already"));
    }
    match kind {
        Kind::SubAccount => {
            let last = book.sub_accounts.iter().map(|account| account.no).max().unwrap_or(1000);
            book.sub_accounts.push(sample::sub_account(name, last + 1));
        }
        Kind::DataForest => {
            book.data_forest.push(sample::forest_account(name, book.data_forest.len() as u64 + 1));
        }
    }
    Ok(())
}

fn find(book: &Book, kind: Option<Kind>, name_or_id: &str) -> Result<Named, String> {
    let kinds = kind.map_or(Kind::ALL.to_vec(), |kind| vec![kind]);
    let found: Vec<Named> = kinds.into_iter().filter_map(|kind| book.find(kind, name_or_id)).collect();
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(format!("there is no account {name_or_id}")),
        _ => Err(format!("{name_or_id} is the name of two accounts; say which kind")),
    }
}

async fn faults(State(gateway): Door) -> Response {
    Json(json!({ "rules": gateway.faults.left() })).into_response()
}

async fn append_faults(state: Door, Json(rules): Json<OneOrMany<Rule>>) -> Response {
    state.faults.append(rules.into());
    faults(state).await
}

async fn clear_faults(state: Door) -> Response {
    state.faults.clear();
    faults(state).await
}

async fn release(State(gateway): Door) -> StatusCode {
    gateway.release();
    StatusCode::NO_CONTENT
}

async fn log(State(gateway): Door) -> Response {
    let entries = gateway.log.as_ref().map(super::log::Log::entries).unwrap_or_default();
    Json(json!({ "requests": entries })).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockSetting {
    offset_ms: i64,
}

async fn set_clock(State(gateway): Door, Json(ClockSetting { offset_ms }): Json<ClockSetting>) -> Response {
    gateway.time.set_offset(offset_ms);
    Json(json!({ "offset_ms": offset_ms, "now": gateway.time.now() })).into_response()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Quirks {
    refuse_same_password: bool,
}

async fn quirks(State(gateway): Door) -> Response {
    Json(Quirks { refuse_same_password: gateway.refuse_same.load(Ordering::Relaxed) }).into_response()
}

async fn set_quirks(state: Door, Json(wanted): Json<Quirks>) -> Response {
    state.refuse_same.store(wanted.refuse_same_password, Ordering::Relaxed);
    quirks(state).await
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Permissions {
    deny: Vec<CallPattern>,
}

async fn permissions(State(gateway): Door) -> Response {
    Json(Permissions { deny: gateway.gate.rights.denied() }).into_response()
}

async fn set_permissions(state: Door, Json(wanted): Json<Permissions>) -> Response {
    state.gate.rights.deny(wanted.deny);
    permissions(state).await
}

/// A change to the keys that are accepted. It has no `Debug`: it holds a secret key.
#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
enum KeyChange {
    /// Accepts a pair, until then or for good, in place of any other with its access key.
    Add {
        access_key: String,
        secret_key: String,
        expiration: Option<Timestamp>,
    },
    Remove {
        access_key: String,
    },
}

async fn keys(State(gateway): Door) -> Response {
    Json(json!({ "keys": gateway.gate.keys.list() })).into_response()
}

async fn change_keys(state: Door, Json(changes): Json<OneOrMany<KeyChange>>) -> Response {
    for change in Vec::from(changes) {
        match change {
            KeyChange::Add { access_key, secret_key, expiration } => {
                state.gate.keys.accept(Keys::new(access_key, secret_key), expiration);
            }
            KeyChange::Remove { access_key } => drop(state.gate.keys.forget(&access_key)),
        }
    }
    keys(state).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RoleSetting {
    role: String,
    lifetime_ms: u32,
}

async fn set_role(State(gateway): Door, Json(RoleSetting { role, lifetime_ms }): Json<RoleSetting>) -> StatusCode {
    gateway.roles.set(role, SignedDuration::from_millis(lifetime_ms.into()));
    StatusCode::NO_CONTENT
}

async fn role_keys(State(gateway): Door, Path(role): Path<String>) -> Response {
    let now = gateway.time.now();
    match gateway.roles.credentials(&role, now, &gateway.gate.keys, &*gateway.service.entropy) {
        Ok(temporary) => Json(json!({
            "AccessKeyId": temporary.keys.expose_access(),
            "SecretAccessKey": temporary.keys.expose_secret(),
            "Expiration": temporary.expiration,
        }))
        .into_response(),
        Err(_) => broken("no random bytes can be had"),
    }
}

fn broken(what: &str) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({ "error": what }))).into_response()
}
