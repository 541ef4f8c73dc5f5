//! The Data Forest service, `/api/v2/accounts/…` (`ncloud-api.md`, section 3), in JSON or XML.

use axum::http::StatusCode;
use jiff::tz::{self, TimeZone};
use serde::Deserialize;
use serde_json::{Value, json};

use super::accounts::Accounts;
use super::book::{DataForest, Plain, Quota, Status};
use super::format::{Format, Malformed};
use super::gateway::{Done, Service};
use super::reply::Reply;
use super::rules;

/// `{}`: whatever else is in it is ignored.
#[derive(Deserialize)]
struct ListRequest {}

/// Lists every account at once.
pub(super) async fn list(accounts: &Accounts, format: Format, body: &[u8]) -> Result<Done, Reply> {
    let ListRequest {} = format.decode(body).map_err(malformed)?;
    accounts
        .read(|book| {
            let contents: Vec<Value> = book.data_forest.iter().map(content).collect();
            Done::read(json!({ "success": true, "total": contents.len(), "contents": contents }))
        })
        .await
}

#[derive(Deserialize)]
struct DetailRequest {
    id: String,
}

/// One account with its quotas.
pub(super) async fn detail(accounts: &Accounts, format: Format, body: &[u8]) -> Result<Done, Reply> {
    let DetailRequest { id } = format.decode(body).map_err(malformed)?;
    accounts
        .look_up(move |book| {
            let account = book.forest_account(&id).ok_or_else(no_such_element)?;
            Ok(Done::read(json!({
                "success": true,
                "id": account.id,
                "name": account.name,
                "status": account.status.label(),
                "createdAt": created_at(account),
                "quotas": account.quotas.iter().map(quota).collect::<Vec<_>>(),
            })))
        })
        .await
}

#[derive(Deserialize)]
struct ResetRequest {
    id: String,
    password: Plain,
}

/// Sets a password. The account must be running and enabled.
pub(super) async fn reset_password(
    service: &Service,
    format: Format,
    body: &[u8],
    refuse_same: bool,
) -> Result<Done, Reply> {
    let request = format.decode_rooted(body, "ResetAccountPasswordRequest").map_err(malformed)?;
    let ResetRequest { id, password: Plain(password) } = request;
    let remember = service.remember;
    service
        .accounts
        .change(move |book| {
            let account = book.forest_account_mut(&id).ok_or_else(no_such_element)?;
            if account.status != Status::Running || account.disabled {
                return Err(Reply::data_forest(StatusCode::FORBIDDEN, "not allowed to access"));
            }
            let is_same = password == account.credential.password.0;
            if rules::data_forest(password.expose()).is_err() || (refuse_same && is_same) {
                return Err(refused_password(password.expose()));
            }
            account.credential.change(password, remember);
            Ok(Done::changed(json!({ "id": id, "success": true })))
        })
        .await
}

/// The documented 400, which echoes the password that was sent.
pub(super) fn refused_password(password: &str) -> Reply {
    let message = format!("invalid request parameters: password '{password}' does not satisfy the password policy");
    Reply::data_forest(StatusCode::BAD_REQUEST, &message)
}

fn malformed(_: Malformed) -> Reply {
    Reply::data_forest(StatusCode::BAD_REQUEST, "invalid request parameters")
}

fn no_such_element() -> Reply {
    Reply::data_forest(StatusCode::NOT_FOUND, "no such element")
}

fn content(account: &DataForest) -> Value {
    json!({
        "id": account.id,
        "name": account.name,
        "principal": format!("{}@KR.DF.NAVERNCP.COM", account.name),
        "status": account.status.label(),
        "disabled": account.disabled,
        "createdAt": created_at(account),
    })
}

fn quota(quota: &Quota) -> Value {
    json!({
        "namespace": quota.namespace,
        "fileCountMillion": quota.file_count_million,
        "spaceTb": quota.space_tb,
    })
}

/// Korean time with its offset, as the documents show it.
fn created_at(account: &DataForest) -> String {
    account.created.to_zoned(TimeZone::fixed(tz::offset(9))).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}
