//! The Sub Account service for public institutions in its newer words, `/api/v2` (`ncloud-api.md`, section 2, "Gov v2").
//!
//! What is not documented is not there: one account's details, the login alias, `success` flags, page counts.

use axum::extract::Query;
use axum::http::Uri;
use serde::Deserialize;
use serde_json::{Value, json};

use super::accounts::Accounts;
use super::book::{Plain, SubAccount};
use super::format::Format;
use super::gateway::{Done, Service};
use super::reply::Reply;
use super::sub_account::{NewPassword, change_expiration, change_password, malformed, nrn};

/// The largest page.
const MOST: usize = 100;

/// What `GET /sub-accounts` takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    #[serde(default)]
    page_no: usize,
    #[serde(default = "twenty")]
    page_size: usize,
}

const fn twenty() -> usize {
    20
}

/// Lists a page of sub-accounts, which are counted from 0.
pub(super) async fn list(accounts: &Accounts, uri: &Uri) -> Result<Done, Reply> {
    let Ok(Query(ListQuery { page_no, page_size })) = Query::<ListQuery>::try_from_uri(uri) else {
        return Err(Reply::bad_request("A query parameter is invalid."));
    };
    if !(1..=MOST).contains(&page_size) {
        return Err(Reply::bad_request("pageSize must be 1 to 100.").about("pageSize"));
    }
    accounts
        .read(move |book| {
            let page = book.sub_accounts.iter().skip(page_no.saturating_mul(page_size)).take(page_size);
            Done::read(json!({ "subAccounts": page.map(item).collect::<Vec<_>>() }))
        })
        .await
}

/// What `POST /sub-accounts/{id}/reset-password` takes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PasswordRequest {
    new_password: Option<Plain>,
    #[serde(default)]
    password_generation_required: bool,
}

/// Sets a password, the caller's or one made here. Only the latter is answered, and only now.
pub(super) async fn reset_password(
    service: &Service,
    id: String,
    format: Format,
    body: &[u8],
    refuse_same: bool,
) -> Result<Done, Reply> {
    let request: PasswordRequest = format.decode(body).map_err(malformed)?;
    let wanted = NewPassword::of(request.password_generation_required, request.new_password)?;
    let answer = match change_password(service, id, wanted, refuse_same).await? {
        Some(made) => json!({ "generatedPassword": made.expose() }),
        None => json!({}),
    };
    Ok(Done::changed(answer))
}

/// The tenant's password expiration.
pub(super) async fn password_policy(accounts: &Accounts) -> Result<Done, Reply> {
    accounts
        .read(|book| policy(book.tenant.use_password_expiration, book.tenant.password_expiration_days))
        .await
        .map(Done::read)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyRequest {
    password_expiration_enabled: bool,
    password_expiration_days: Option<u16>,
}

/// Sets the tenant's password expiration and answers what it is now.
pub(super) async fn set_password_policy(accounts: &Accounts, format: Format, body: &[u8]) -> Result<Done, Reply> {
    let request: PolicyRequest = format.decode(body).map_err(malformed)?;
    let (enabled, days) = (request.password_expiration_enabled, request.password_expiration_days);
    change_expiration(accounts, enabled, days).await?;
    Ok(Done::changed(policy(enabled, days)))
}

fn policy(enabled: bool, days: Option<u16>) -> Value {
    json!({ "passwordExpirationEnabled": enabled, "passwordExpirationDays": days })
}

fn item(account: &SubAccount) -> Value {
    json!({
        "subAccountId": account.id,
        "nrn": nrn(account),
        "loginId": account.login_id,
        "name": account.name,
        "consoleAccessible": true,
        "apiGatewayAccessible": true,
        "active": account.active,
        "createdDateTime": account.created,
        "lastLoginDateTime": null,
    })
}
