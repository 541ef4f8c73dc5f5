//! Which call a request makes: the provider's paths and methods, in one table.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::domain::account::Kind;

/// A call that the provider documents (`ncloud-api.md`, sections 2 and 3) and this emulator serves. Versions of one call
/// are the same call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    SubAccounts,
    SubAccount,
    Password,
    PasswordPolicy,
    SetPasswordPolicy,
    LoginAlias,
    SetLoginAlias,
    CheckPassword,
    GetList,
    ResetPassword,
    GetDetail,
}

/// The interface that a path belongs to. Data Forest's has a version 2 in its paths as well, and is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    SubAccountV1,
    /// The public institutions' newer one.
    SubAccountV2,
    DataForest,
}

/// Every way to a call: interface, method, path.
const WAYS: [(Call, Api, &str, &str); 15] = [
    (Call::SubAccounts, Api::SubAccountV1, "GET", "/api/v1/sub-accounts"),
    (Call::SubAccount, Api::SubAccountV1, "GET", "/api/v1/sub-accounts/{id}"),
    (Call::Password, Api::SubAccountV1, "PUT", "/api/v1/sub-accounts/{id}/password"),
    (Call::PasswordPolicy, Api::SubAccountV1, "GET", "/api/v1/tenant-settings/sub-account-password-policy"),
    (Call::SetPasswordPolicy, Api::SubAccountV1, "POST", "/api/v1/tenant-settings/sub-account-password-policy"),
    (Call::LoginAlias, Api::SubAccountV1, "GET", "/api/v1/login-alias"),
    (Call::SetLoginAlias, Api::SubAccountV1, "PUT", "/api/v1/login-alias"),
    (Call::CheckPassword, Api::SubAccountV1, "GET", "/api/v1/join/check-password"),
    (Call::SubAccounts, Api::SubAccountV2, "GET", "/api/v2/sub-accounts"),
    (Call::Password, Api::SubAccountV2, "POST", "/api/v2/sub-accounts/{id}/reset-password"),
    (Call::PasswordPolicy, Api::SubAccountV2, "GET", "/api/v2/tenant-settings/sub-account-password-policy"),
    (Call::SetPasswordPolicy, Api::SubAccountV2, "PUT", "/api/v2/tenant-settings/sub-account-password-policy"),
    (Call::GetList, Api::DataForest, "POST", "/api/v2/accounts/getList"),
    (Call::ResetPassword, Api::DataForest, "POST", "/api/v2/accounts/resetPassword"),
    (Call::GetDetail, Api::DataForest, "POST", "/api/v2/accounts/getDetail"),
];

impl Call {
    pub(super) const ALL: [Self; 11] = [
        Self::SubAccounts,
        Self::SubAccount,
        Self::Password,
        Self::PasswordPolicy,
        Self::SetPasswordPolicy,
        Self::LoginAlias,
        Self::SetLoginAlias,
        Self::CheckPassword,
        Self::GetList,
        Self::ResetPassword,
        Self::GetDetail,
    ];

    /// The stable label, as fault rules and the log write it.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::SubAccounts => "sub-accounts",
            Self::SubAccount => "sub-account",
            Self::Password => "password",
            Self::PasswordPolicy => "password-policy",
            Self::SetPasswordPolicy => "set-password-policy",
            Self::LoginAlias => "login-alias",
            Self::SetLoginAlias => "set-login-alias",
            Self::CheckPassword => "check-password",
            Self::GetList => "getList",
            Self::ResetPassword => "resetPassword",
            Self::GetDetail => "getDetail",
        }
    }

    /// The kind of account that the call is about.
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::GetList | Self::ResetPassword | Self::GetDetail => Kind::DataForest,
            Self::SubAccounts
            | Self::SubAccount
            | Self::Password
            | Self::PasswordPolicy
            | Self::SetPasswordPolicy
            | Self::LoginAlias
            | Self::SetLoginAlias
            | Self::CheckPassword => Kind::SubAccount,
        }
    }

    /// Whether the call sets one account's password.
    pub(super) const fn sets_password(self) -> bool {
        matches!(self, Self::Password | Self::ResetPassword)
    }

    /// Whether the call comes with a body, whose type and form are then checked.
    pub(super) const fn has_body(self) -> bool {
        match self {
            Self::SubAccounts | Self::SubAccount | Self::PasswordPolicy | Self::LoginAlias | Self::CheckPassword => {
                false
            }
            Self::Password
            | Self::SetPasswordPolicy
            | Self::SetLoginAlias
            | Self::GetList
            | Self::ResetPassword
            | Self::GetDetail => true,
        }
    }
}

/// A call's label, or `*` for every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) enum CallPattern {
    Any,
    One(Call),
}

impl CallPattern {
    pub(super) fn fits(self, call: Call) -> bool {
        match self {
            Self::Any => true,
            Self::One(wanted) => wanted == call,
        }
    }
}

impl TryFrom<String> for CallPattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "*" {
            return Ok(Self::Any);
        }
        let found = Call::ALL.into_iter().find(|call| call.label() == text).map(Self::One);
        let known = || Call::ALL.map(Call::label).join(", ");
        found.ok_or_else(|| format!("{text:?} is no call; write \"*\" or one of {}", known()))
    }
}

impl From<CallPattern> for String {
    fn from(pattern: CallPattern) -> Self {
        match pattern {
            CallPattern::Any => "*".into(),
            CallPattern::One(call) => call.label().into(),
        }
    }
}

/// A call, the interface that it came through, and the account that its path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) call: Call,
    pub(super) api: Api,
    pub(super) id: Option<String>,
}

/// Why a request is no call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoRoute {
    UnknownPath,
    /// The path is known; these are its methods.
    WrongMethod(Vec<&'static str>),
}

/// Finds the call that `method` and `path` (percent-encoded, without query) make.
pub(super) fn route(method: &str, path: &str) -> Result<Route, NoRoute> {
    let mut methods = Vec::new();
    for (call, api, expected, pattern) in WAYS {
        let Some(id) = matched(pattern, path) else { continue };
        if expected == method {
            return Ok(Route { call, api, id });
        }
        methods.push(expected);
    }
    Err(if methods.is_empty() { NoRoute::UnknownPath } else { NoRoute::WrongMethod(methods) })
}

/// What `{id}` stands for in `path`, if `path` has the pattern's form.
#[expect(clippy::option_option, reason = "outer: does the path match; inner: does it name an account")]
fn matched(pattern: &str, path: &str) -> Option<Option<String>> {
    if pattern.split('/').count() != path.split('/').count() {
        return None;
    }
    let mut id = None;
    for (expected, given) in pattern.split('/').zip(path.split('/')) {
        if expected == "{id}" && !given.is_empty() {
            id = Some(percent_decode_str(given).decode_utf8_lossy().into_owned());
        } else if expected != given {
            return None;
        }
    }
    Some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_found_by_its_own_method_and_path() {
        for (call, api, method, path) in WAYS {
            let found = route(method, &path.replace("{id}", "a%2Fb")).unwrap();
            let id = path.contains("{id}").then(|| "a/b".to_owned());
            assert_eq!(found, Route { call, api, id }, "{method} {path}");
            assert_eq!(call.has_body(), method != "GET", "{method} {path}");
        }
        for call in Call::ALL {
            assert!(WAYS.iter().any(|(served, ..)| *served == call), "{} has no path", call.label());
        }
    }

    #[test]
    fn unknown_paths_and_wrong_methods_are_told_apart() {
        for path in [
            "/",
            "/api/v1",
            "/api/v1/sub-accounts/",
            "/api/v1/sub-accounts/x/passwords",
            "/api/v1/sub-accounts/x/reset-password",
            "/api/v2/accounts/getlist",
            "/api/v2/sub-accounts/x",
            "/api/v2/sub-accounts/x/password",
            "/api/v2/login-alias",
        ] {
            assert_eq!(route("GET", path), Err(NoRoute::UnknownPath), "{path}");
        }
        assert_eq!(route("POST", "/api/v1/login-alias"), Err(NoRoute::WrongMethod(vec!["GET", "PUT"])));
        assert_eq!(route("GET", "/api/v2/accounts/getList"), Err(NoRoute::WrongMethod(vec!["POST"])));
        let policy = "/api/v2/tenant-settings/sub-account-password-policy";
        assert_eq!(route("POST", policy), Err(NoRoute::WrongMethod(vec!["GET", "PUT"])));
    }
}
