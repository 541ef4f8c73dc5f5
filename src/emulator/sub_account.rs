//! The Sub Account service, `/api/v1` (`ncloud-api.md`, section 2).

use axum::extract::Query;
use axum::http::{StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Value, json};

use super::accounts::Accounts;
use super::book::{Book, Plain, SubAccount, is_expiration};
use super::format::{Format, Malformed};
use super::gateway::{Done, Service};
use super::reply::Reply;
use super::rules;
use super::sample;
use crate::domain::secret::Password;

/// What `GET /sub-accounts` takes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListQuery {
    search_column: Option<SearchColumn>,
    search_word: Option<String>,
    #[serde(default)]
    page: usize,
    #[serde(default = "ten")]
    size: usize,
}

const fn ten() -> usize {
    10
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
enum SearchColumn {
    LoginId,
    Name,
    SubAccountNo,
}

/// Lists sub-accounts, a page of them, those that match if a search is asked for.
pub(super) async fn list(accounts: &Accounts, uri: &Uri) -> Result<Done, Reply> {
    let Ok(Query(query)) = Query::<ListQuery>::try_from_uri(uri) else {
        return Err(Reply::bad_request("A query parameter is invalid."));
    };
    if query.size == 0 || query.search_column.is_some() != query.search_word.is_some() {
        return Err(Reply::bad_request("size must be positive; searchColumn and searchWord go together."));
    }
    accounts.read(move |book| Done::read(page(book, &query))).await
}

/// One sub-account with its groups and policies.
pub(super) async fn detail(accounts: &Accounts, id: String) -> Result<Done, Reply> {
    accounts
        .look_up(move |book| {
            let account = book.sub_account(&id).ok_or_else(nonexistent)?;
            let mut item = item(account);
            item["groups"] = account.groups.iter().map(|name| group(name)).collect();
            item["policies"] = account.policies.iter().map(|name| policy(name)).collect();
            Ok(Done::read(item))
        })
        .await
}

/// What `PUT /sub-accounts/{id}/password` takes.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PasswordRequest {
    need_password_generate: bool,
    new_password: Option<Plain>,
}

/// Sets a password, the caller's or one made here.
pub(super) async fn set_password(
    service: &Service,
    id: String,
    format: Format,
    body: &[u8],
    refuse_same: bool,
) -> Result<Done, Reply> {
    let request: PasswordRequest = format.decode(body).map_err(malformed)?;
    let wanted = NewPassword::of(request.need_password_generate, request.new_password)?;
    let answer = match change_password(service, id, wanted, refuse_same).await? {
        Some(made) => json!({ "success": true, "generatedPassword": made.expose() }),
        None => json!({ "success": true }),
    };
    Ok(Done::changed(answer))
}

/// Where a new password comes from.
pub(super) enum NewPassword {
    Given(Password),
    /// Made here, and shown in the answer alone.
    Made,
}

impl NewPassword {
    /// A given password does not count when one is to be made, and is required when not.
    pub(super) fn of(generate: bool, given: Option<Plain>) -> Result<Self, Reply> {
        match given {
            _ if generate => Ok(Self::Made),
            Some(Plain(given)) => Ok(Self::Given(given)),
            None => {
                Err(Reply::bad_request("newPassword is required unless one is to be generated.").about("newPassword"))
            }
        }
    }
}

/// Sets a password and returns it if it was made here.
pub(super) async fn change_password(
    service: &Service,
    id: String,
    wanted: NewPassword,
    refuse_same: bool,
) -> Result<Option<Password>, Reply> {
    let service = service.clone();
    let accounts = service.accounts.clone();
    accounts
        .change(move |book| {
            let account = book.sub_account_mut(&id).ok_or_else(nonexistent)?;
            let (password, made) = match wanted {
                NewPassword::Made => {
                    let made =
                        rules::generate(&account.login_id, &*service.entropy).map_err(|_| Reply::unexpected())?;
                    (made.clone(), Some(made))
                }
                NewPassword::Given(given) => {
                    let is_same = given == account.credential.password.0;
                    if rules::sub_account(&account.login_id, given.expose()).is_err() || (refuse_same && is_same) {
                        return Err(unsafe_password());
                    }
                    (given, None)
                }
            };
            account.credential.change(password, service.remember);
            Ok(made)
        })
        .await
}

/// The tenant's password expiration.
pub(super) async fn password_policy(accounts: &Accounts) -> Result<Done, Reply> {
    accounts
        .read(|book| {
            Done::read(json!({
                "usePasswordExpiration": book.tenant.use_password_expiration,
                "passwordExpirationDays": book.tenant.password_expiration_days,
            }))
        })
        .await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PolicyRequest {
    use_password_expiration: bool,
    password_expiration_days: Option<u16>,
}

/// Sets the tenant's password expiration.
pub(super) async fn set_password_policy(accounts: &Accounts, format: Format, body: &[u8]) -> Result<Done, Reply> {
    let request: PolicyRequest = format.decode(body).map_err(malformed)?;
    change_expiration(accounts, request.use_password_expiration, request.password_expiration_days).await?;
    Ok(Done::changed(json!({ "success": true })))
}

/// Sets whether passwords expire, and after how many days: 60, 90, 120 or 180, required when they do.
pub(super) async fn change_expiration(accounts: &Accounts, used: bool, days: Option<u16>) -> Result<(), Reply> {
    if days.is_some_and(|days| !is_expiration(days)) || (used && days.is_none()) {
        let refusal = Reply::bad_request("passwordExpirationDays must be 60, 90, 120 or 180.");
        return Err(refusal.about("passwordExpirationDays"));
    }
    accounts
        .change(move |book| {
            book.tenant.use_password_expiration = used;
            book.tenant.password_expiration_days = days;
            Ok(())
        })
        .await
}

/// The last part of the login page's address; null if none was chosen.
pub(super) async fn login_alias(accounts: &Accounts) -> Result<Done, Reply> {
    let chosen = |book: &Book| Some(book.tenant.login_alias.clone()).filter(|alias| !alias.is_empty());
    accounts.read(move |book| Done::read(json!({ "loginAlias": chosen(book) }))).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AliasRequest {
    login_alias: String,
}

/// Sets the login alias: 3 to 20 lowercase letters and digits.
pub(super) async fn set_login_alias(accounts: &Accounts, format: Format, body: &[u8]) -> Result<Done, Reply> {
    let AliasRequest { login_alias } = format.decode(body).map_err(malformed)?;
    let well_formed = login_alias.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if !well_formed || !(3..=20).contains(&login_alias.len()) {
        return Err(Reply::bad_request("loginAlias must be 3 to 20 lowercase letters and digits."));
    }
    accounts
        .change(move |book| {
            book.tenant.login_alias = login_alias;
            Ok(Done::changed(json!({ "success": true })))
        })
        .await
}

/// Says whether a password would do, without a login id to hold it against. It is there since the provider has it; a client
/// that sends a real password in an address has lost it.
pub(super) fn check_password(uri: &Uri) -> Result<Done, Reply> {
    let Ok(Query(CheckQuery { password: Plain(password) })) = Query::<CheckQuery>::try_from_uri(uri) else {
        return Err(Reply::bad_request("password is required."));
    };
    let is_safe = rules::sub_account("", password.expose()).is_ok();
    let message = if is_safe { "Safe password." } else { "Unsafe password." };
    Ok(Done::read(json!({ "success": is_safe, "message": message })))
}

#[derive(Deserialize)]
struct CheckQuery {
    password: Plain,
}

/// 400, code 9015: the password is refused, for whatever reason.
pub(super) fn unsafe_password() -> Reply {
    Reply::sub_account(StatusCode::BAD_REQUEST, 9015, "Unsafe password.").about("newPassword")
}

/// 401, code 30: a 401 that says nothing about the keys.
fn nonexistent() -> Reply {
    Reply::sub_account(StatusCode::UNAUTHORIZED, 30, "Nonexistent account")
}

pub(super) fn malformed(_: Malformed) -> Reply {
    Reply::bad_request("The request body is invalid.")
}

fn page(book: &Book, query: &ListQuery) -> Value {
    let matching: Vec<&SubAccount> = book.sub_accounts.iter().filter(|account| query.matches(account)).collect();
    let total_pages = matching.len().div_ceil(query.size);
    let has_next = query.page.saturating_add(1) < total_pages;
    let items: Vec<Value> = matching
        .iter()
        .skip(query.page.saturating_mul(query.size))
        .take(query.size)
        .map(|account| item(account))
        .collect();
    json!({
        "page": query.page,
        "totalPages": total_pages,
        "totalItems": matching.len(),
        "hasPrevious": query.page > 0,
        "hasNext": has_next,
        "isFirst": query.page == 0,
        "isLast": !has_next,
        "items": items,
    })
}

impl ListQuery {
    /// A search matches parts of a column.
    fn matches(&self, account: &SubAccount) -> bool {
        let (Some(column), Some(word)) = (self.search_column, &self.search_word) else { return true };
        match column {
            SearchColumn::LoginId => account.login_id.contains(word),
            SearchColumn::Name => account.name.contains(word),
            SearchColumn::SubAccountNo => account.no.to_string().contains(word),
        }
    }
}

/// The provider's name for the account among all its resources.
pub(super) fn nrn(account: &SubAccount) -> String {
    format!("nrn:PUB:IAM::emulator:SubAccount/{}", account.id)
}

fn group(name: &str) -> Value {
    json!({ "groupId": sample::id_of("group", name), "groupName": name })
}

fn policy(name: &str) -> Value {
    let kind = if name.starts_with("NCP_") { "SYSTEM_MANAGED" } else { "USER_CREATED" };
    json!({ "policyId": sample::id_of("policy", name), "policyName": name, "policyType": kind })
}

fn item(account: &SubAccount) -> Value {
    json!({
        "subAccountId": account.id,
        "subAccountNo": account.no,
        "loginId": account.login_id,
        "name": account.name,
        "email": account.email,
        "memo": account.memo,
        "nrn": nrn(account),
        "needPasswordReset": false,
        "canAPIGatewayAccess": true,
        "canConsoleAccess": true,
        "active": account.active,
        "createTime": account.created,
        "modifiedTime": account.created,
        "lastLoginTime": null,
    })
}
