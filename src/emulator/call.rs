//! Which call a request makes: the provider's paths and methods, in one table.

use percent_encoding::percent_decode_str;

use crate::domain::account::Kind;

/// A call that the provider documents (`ncloud-api.md`, sections 2 and 3) and this emulator serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    SubAccounts,
    SubAccount,
    Password,
    PasswordPolicy,
    SetPasswordPolicy,
    LoginAlias,
    SetLoginAlias,
    GetList,
    ResetPassword,
    GetDetail,
}

impl Call {
    pub(super) const ALL: [Self; 10] = [
        Self::SubAccounts,
        Self::SubAccount,
        Self::Password,
        Self::PasswordPolicy,
        Self::SetPasswordPolicy,
        Self::LoginAlias,
        Self::SetLoginAlias,
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
            | Self::SetLoginAlias => Kind::SubAccount,
        }
    }

    /// Whether the call sets one account's password.
    pub(super) const fn sets_password(self) -> bool {
        matches!(self, Self::Password | Self::ResetPassword)
    }

    /// Whether the call comes with a body, whose type and form are then checked.
    pub(super) fn has_body(self) -> bool {
        self.method() != "GET"
    }

    const fn method(self) -> &'static str {
        match self {
            Self::SubAccounts | Self::SubAccount | Self::PasswordPolicy | Self::LoginAlias => "GET",
            Self::Password | Self::SetLoginAlias => "PUT",
            Self::SetPasswordPolicy | Self::GetList | Self::ResetPassword | Self::GetDetail => "POST",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::SubAccounts => "/api/v1/sub-accounts",
            Self::SubAccount => "/api/v1/sub-accounts/{id}",
            Self::Password => "/api/v1/sub-accounts/{id}/password",
            Self::PasswordPolicy | Self::SetPasswordPolicy => "/api/v1/tenant-settings/sub-account-password-policy",
            Self::LoginAlias | Self::SetLoginAlias => "/api/v1/login-alias",
            Self::GetList => "/api/v2/accounts/getList",
            Self::ResetPassword => "/api/v2/accounts/resetPassword",
            Self::GetDetail => "/api/v2/accounts/getDetail",
        }
    }
}

/// A call, and the account that its path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    pub(super) call: Call,
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
    let known: Vec<(Call, Option<String>)> =
        Call::ALL.into_iter().filter_map(|call| Some((call, matched(call.path(), path)?))).collect();
    if known.is_empty() {
        return Err(NoRoute::UnknownPath);
    }
    let methods = known.iter().map(|(call, _)| call.method()).collect();
    known
        .into_iter()
        .find(|(call, _)| call.method() == method)
        .map(|(call, id)| Route { call, id })
        .ok_or(NoRoute::WrongMethod(methods))
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
        for call in Call::ALL {
            let found = route(call.method(), &call.path().replace("{id}", "a%2Fb")).unwrap();
            let id = call.path().contains("{id}").then(|| "a/b".to_owned());
            assert_eq!(found, Route { call, id }, "{}", call.label());
        }
    }

    #[test]
    fn unknown_paths_and_wrong_methods_are_told_apart() {
        for path in
            ["/", "/api/v1", "/api/v1/sub-accounts/", "/api/v1/sub-accounts/x/passwords", "/api/v2/accounts/getlist"]
        {
            assert_eq!(route("GET", path), Err(NoRoute::UnknownPath), "{path}");
        }
        assert_eq!(route("POST", "/api/v1/login-alias"), Err(NoRoute::WrongMethod(vec!["GET", "PUT"])));
        assert_eq!(route("GET", "/api/v2/accounts/getList"), Err(NoRoute::WrongMethod(vec!["POST"])));
    }
}
