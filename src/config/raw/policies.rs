//! The tables of a policy.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use toml::Spanned;

use super::Text;
use crate::config::choice::{Choice, OrWord};
use crate::config::{defaults, duration, forms};

/// When passwords are replaced, and what they are made of.
///
/// A password expires as its tenant says. Its deadline is `margin` before that, and `rotate_before` ahead of the deadline it is
/// to be replaced: in the first window from then on, else in the last one before. With no window left the deadline is kept
/// outside the windows, and with nothing else left in a blackout.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table [policies.NAME]")]
pub(in crate::config) struct Policy {
    /// How long before its deadline a password is replaced; with `margin` shorter than any expiration that it meets.
    #[schemars(with = "Option<forms::Duration>", extend("default" = duration::show(defaults::ROTATE_BEFORE)))]
    pub(in crate::config) rotate_before: Option<Text>,
    /// How long before its expiry a password's deadline is: time for a rotation that fails to be tried again.
    #[schemars(with = "Option<forms::Duration>", extend("default" = duration::show(defaults::MARGIN)))]
    pub(in crate::config) margin: Option<Text>,
    /// Over how much time accounts are spread that would be due at the same moment: each is due earlier by a part of it that
    /// never changes, and begins so far into a window that it waited for.
    #[schemars(with = "Option<forms::DurationOrNone>", extend("default" = duration::show(defaults::SPREAD)))]
    pub(in crate::config) spread: Option<Text>,
    /// After how many days a password expires, where the provider does not say: Data Forest has no such setting, and
    /// sub-accounts follow the tenant's own where it has one. Left out, Data Forest's passwords are taken to expire after 90
    /// days, and those of a tenant that has switched expiration off never.
    #[schemars(with = "Option<forms::ExpirationDays>")]
    pub(in crate::config) expiration_days: Option<Spanned<i64>>,
    /// An account that was never rotated: `"defer"` waits until it is due, `"rotate"` starts at once, or in the next window.
    #[schemars(with = "Option<forms::OnAdopt>", extend("default" = defaults::ON_ADOPT.label()))]
    pub(in crate::config) on_adopt: Option<Text>,
    /// When passwords are taken to have been changed last that were never changed here; of an account that is younger, when it
    /// was made. Left out, their time is counted from when they were first seen.
    #[schemars(with = "Option<forms::Date>")]
    pub(in crate::config) assume_changed: Option<Text>,
    /// The time zone of the windows, the blackouts and the dates of this policy. When it is not given: the file's `time_zone`.
    #[schemars(with = "Option<forms::TimeZone>")]
    pub(in crate::config) time_zone: Option<Text>,
    /// When rotations may begin. When none is given: at any time.
    #[schemars(with = "Option<Vec<Window>>")]
    pub(in crate::config) windows: Option<Vec<Spanned<Window>>>,
    /// When no rotation begins, windows or not: times that come again and again, or stretches between two dates.
    #[schemars(with = "Option<Vec<Blackout>>")]
    pub(in crate::config) blackouts: Option<Spanned<Vec<Spanned<Blackout>>>>,
    /// How many accounts of this policy that were never rotated may be rotated in a day because of `on_adopt = "rotate"` or
    /// `assume_changed`, past their deadline or not. Trying again is not counted again, and a restart grants no more: the
    /// journal tells what was begun. What a person asks for by `rotate` is neither held nor counted.
    #[schemars(with = "Option<forms::Count>", extend("default" = defaults::FIRST_RUN_CAP))]
    pub(in crate::config) first_run_cap: Option<Spanned<i64>>,
    /// How fast accounts of this policy are rotated that are past their deadline, the most urgent first: after a tenant's
    /// expiration was shortened, or this program was away. The tenant's and the vault's rates hold them beside it. What a
    /// person asks for by `rotate` keeps to those alone.
    #[schemars(with = "Option<forms::Rate>", extend("default" = defaults::CATCH_UP.to_string()))]
    pub(in crate::config) catch_up: Option<Text>,
    /// What passwords are made of, or `"provider"`: the provider makes them and shows each once, so that an answer lost on
    /// the way is a password lost until the next rotation. For sub-accounts only, and better left alone.
    #[schemars(with = "Option<forms::PasswordSource>")]
    pub(in crate::config) password: Option<Spanned<Choice<Password>>>,
}

/// A time that comes again and again. A time that the clocks skip counts as the first moment after the gap, one that they go
/// through twice counts the first time.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table { cron = \"…\", lasts = \"…\" }")]
pub(in crate::config) struct Window {
    /// When it opens.
    #[schemars(with = "forms::Cron")]
    pub(in crate::config) cron: Option<Text>,
    /// How long it stays open.
    #[schemars(with = "forms::Duration")]
    pub(in crate::config) lasts: Option<Text>,
    /// The zone whose clocks the pattern means. When it is not given: the policy's.
    #[schemars(with = "Option<forms::TimeZone>")]
    pub(in crate::config) time_zone: Option<Text>,
}

/// A time in which nothing begins: `cron` and `lasts`, or `from` and `to`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table { cron = \"…\", lasts = \"…\" } or { from = \"…\", to = \"…\" }")]
#[schemars(extend("oneOf" = json!([{ "required": ["cron", "lasts"] }, { "required": ["from", "to"] }])))]
pub(in crate::config) struct Blackout {
    /// When it begins, again and again.
    #[schemars(with = "Option<forms::Cron>")]
    pub(in crate::config) cron: Option<Text>,
    /// How long it lasts each time.
    #[schemars(with = "Option<forms::Duration>")]
    pub(in crate::config) lasts: Option<Text>,
    /// Its first day, or its first moment.
    #[schemars(with = "Option<forms::Moment>")]
    pub(in crate::config) from: Option<Text>,
    /// Its last day, or the moment at which it is over.
    #[schemars(with = "Option<forms::Moment>")]
    pub(in crate::config) to: Option<Text>,
    /// The zone whose clocks are meant. When it is not given: the policy's.
    #[schemars(with = "Option<forms::TimeZone>")]
    pub(in crate::config) time_zone: Option<Text>,
}

/// What passwords are made of.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct Password {
    /// How many characters: sub-accounts take 8 to 16, Data Forest 8 to 20.
    #[schemars(with = "Option<forms::Length>", extend("default" = defaults::PASSWORD_LENGTH))]
    pub(in crate::config) length: Option<Spanned<i64>>,
    /// What passwords must not contain, beyond the provider's own rules: the name of a place where they are used, or the
    /// special characters themselves. When it is not given, nothing.
    #[schemars(with = "Option<forms::Avoid>")]
    pub(in crate::config) avoid: Option<Text>,
}

impl OrWord for Password {
    const EXPECTED: &'static str =
        "a table { length = 16, avoid = \"…\" }, which says how passwords are made, or \"provider\"";
}
