//! The file as it is written: a mirror of its tables, and nothing that means anything yet.
//!
//! Every value keeps its place, so that whatever is found wrong later can be pointed at. All keys are optional here; what
//! is needed is decided where it is read.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

pub(super) type Text = Spanned<String>;
pub(super) type Tables<T> = BTreeMap<Text, Spanned<T>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct Raw {
    pub(super) time_zone: Option<Text>,
    pub(super) state_dir: Option<Text>,
    #[serde(default)]
    pub(super) tenants: Tables<Tenant>,
    #[serde(default)]
    pub(super) vaults: Tables<Vault>,
    #[serde(default)]
    pub(super) policies: Tables<Policy>,
    #[serde(default)]
    pub(super) accounts: Vec<Spanned<Accounts>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table [tenants.NAME]")]
pub(super) struct Tenant {
    pub(super) site: Option<Text>,
    pub(super) access_key: Option<Spanned<KeySource>>,
    pub(super) secret_key: Option<Spanned<KeySource>>,
    pub(super) endpoints: Option<Spanned<Endpoints>>,
    pub(super) gateway: Option<Spanned<Gateway>>,
    pub(super) rate: Option<Text>,
    pub(super) emulator: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table { env | file | credential | profile = \"…\" }")]
pub(super) struct KeySource {
    pub(super) env: Option<Text>,
    pub(super) file: Option<Text>,
    pub(super) credential: Option<Text>,
    pub(super) profile: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table { sub_account = \"…\", data_forest = \"…\" }")]
pub(super) struct Endpoints {
    pub(super) sub_account: Option<Text>,
    pub(super) data_forest: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table { signature_lifetime = \"…\", timeout = \"…\", max_clock_skew = \"…\" }"
)]
pub(super) struct Gateway {
    pub(super) signature_lifetime: Option<Text>,
    pub(super) timeout: Option<Text>,
    pub(super) max_clock_skew: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table [vaults.NAME]")]
pub(super) struct Vault {
    pub(super) kind: Option<Text>,
    pub(super) path: Option<Text>,
    pub(super) identity: Option<Spanned<Identity>>,
    #[serde(default)]
    pub(super) recipients: Vec<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table { file | credential = \"…\" }")]
pub(super) struct Identity {
    pub(super) file: Option<Text>,
    pub(super) credential: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table [policies.NAME]")]
pub(super) struct Policy {
    pub(super) rotate_before: Option<Text>,
    pub(super) expiration_days: Option<Spanned<i64>>,
    pub(super) on_adopt: Option<Text>,
    pub(super) password: Option<Spanned<Password>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table { length = 16, avoid = \"…\" }, which says how passwords are made")]
pub(super) struct Password {
    pub(super) length: Option<Spanned<i64>>,
    pub(super) avoid: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table [[accounts]]")]
pub(super) struct Accounts {
    pub(super) tenant: Option<Text>,
    pub(super) kind: Option<Text>,
    pub(super) names: Option<Spanned<Vec<Text>>>,
    pub(super) ids: Option<Spanned<Vec<Text>>>,
    pub(super) except: Option<Spanned<Vec<Text>>>,
    #[serde(default)]
    pub(super) include_people: bool,
    pub(super) policy: Option<Text>,
    pub(super) vault: Option<Text>,
    pub(super) secret: Option<Text>,
}
