//! The file as it is written: a mirror of its tables, and nothing that means anything yet.
//!
//! Every value keeps its place, so that whatever is found wrong later can be pointed at. All keys are optional here; what
//! is needed is decided where it is read. The JSON Schema and the reference are made from these types: their comments are
//! what users read, the forms that values must have are in `forms.rs`, and the defaults in `defaults.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use toml::Spanned;

use super::choice::{Choice, Days, OrWord};
use super::{defaults, duration, forms};

mod policies;

pub(super) use policies::{Blackout, Password, Policy, Window};

pub(super) type Text = Spanned<String>;
pub(super) type Tables<T> = BTreeMap<Text, Spanned<T>>;

/// The configuration of ncloud-rotator. Relative paths in it are relative to the file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Configuration", extend("required" = ["accounts"]))]
pub(super) struct Raw {
    /// In which time zone people are told times, and windows are meant where a policy says nothing else.
    #[schemars(with = "Option<forms::TimeZone>", extend("default" = defaults::TIME_ZONE))]
    pub(super) time_zone: Option<Text>,
    /// How the log is written: in words, or as one JSON object a line. `--log-format` and its variable win over it.
    #[schemars(with = "Option<forms::LogFormat>", extend("default" = defaults::LOG_FORMAT.label()))]
    pub(super) log_format: Option<Text>,
    /// Where times and attempts are kept, never a password: losing it loses none and rotates nothing. When it is not given:
    /// `$STATE_DIRECTORY`, which systemd sets, then `$XDG_STATE_HOME/ncloud-rotator`, then
    /// `~/.local/state/ncloud-rotator`.
    #[schemars(with = "Option<forms::Path>")]
    pub(super) state_dir: Option<Text>,
    /// How people and programs of this machine ask the running daemon.
    #[schemars(with = "Option<Admin>")]
    pub(super) admin: Option<Spanned<Admin>>,
    /// The main accounts at the provider, each under a name of your choosing.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, Tenant>>", extend("propertyNames" = forms::table_name()))]
    pub(super) tenants: Tables<Tenant>,
    /// Where secrets are kept, each under a name of your choosing.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, Vault>>", extend("propertyNames" = forms::table_name()))]
    pub(super) vaults: Tables<Vault>,
    /// When passwords are replaced and what they are made of, each under a name of your choosing.
    #[serde(default)]
    #[schemars(with = "Option<BTreeMap<String, Policy>>", extend("propertyNames" = forms::table_name()))]
    pub(super) policies: Tables<Policy>,
    /// Groups of accounts of which no two are rotated within `apart_by` of each other, such as two logins that a service
    /// alternates between: each by its name, or by `tenant/kind/name`. Only a deadline overrides it, or a person who asks for
    /// a rotation by `rotate`; what that rotates counts for the others all the same.
    #[schemars(with = "Option<Vec<forms::ApartGroup>>")]
    pub(super) apart: Option<Vec<Spanned<Vec<Text>>>>,
    /// How far apart the accounts of a group are kept.
    #[schemars(with = "Option<forms::Duration>", extend("default" = duration::show(defaults::APART_BY)))]
    pub(super) apart_by: Option<Text>,
    /// Rules: which accounts are rotated, by which policy, into which secret. There is at least one.
    #[serde(default)]
    #[schemars(with = "Vec<Accounts>", length(min = 1))]
    pub(super) accounts: Vec<Spanned<Accounts>>,
}

/// The daemon's admin socket, through which commands such as `status` and `rotate` have their work done when it runs. Only its
/// own user and root may ask. A change takes a restart.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table [admin]")]
pub(super) struct Admin {
    /// Whether the daemon listens, and commands look for it.
    #[serde(default)]
    #[schemars(with = "Option<bool>", extend("default" = true))]
    pub(super) enabled: Option<Spanned<bool>>,
    /// Where, in a directory that is the daemon's alone (0700). When it is not given: `admin.sock` in `$RUNTIME_DIRECTORY`,
    /// which systemd sets, or in `run/` below the state directory.
    #[schemars(with = "Option<forms::Path>")]
    pub(super) socket: Option<Text>,
}

/// A main account of the provider. Its keys are named by `access_key` and `secret_key`, or by `keys`; with
/// `site = "emulator"` they may be left out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table [tenants.NAME]")]
#[schemars(extend("allOf" = forms::tenant_rules()))]
pub(super) struct Tenant {
    /// The provider's installation, or `"emulator"`: built into this program, without keys.
    #[schemars(with = "forms::Site")]
    pub(super) site: Option<Text>,
    /// Where the access key is. Keys are never written into the configuration, and are read anew for each request.
    #[schemars(with = "Option<KeySource>")]
    pub(super) access_key: Option<Spanned<KeySource>>,
    /// Where the secret key is.
    #[schemars(with = "Option<KeySource>")]
    pub(super) secret_key: Option<Spanned<KeySource>>,
    /// Both keys at once, instead of `access_key` and `secret_key`.
    #[schemars(with = "Option<Keys>")]
    pub(super) keys: Option<Spanned<Keys>>,
    /// Addresses that replace the provider's own.
    #[schemars(with = "Option<Endpoints>")]
    pub(super) endpoints: Option<Spanned<Endpoints>>,
    /// The version of Sub Account's interface, with `site = "gov"` only, which alone has a second one.
    #[schemars(with = "Option<forms::Api>", extend("default" = defaults::API.label()))]
    pub(super) api: Option<Text>,
    /// What Data Forest is spoken to in.
    #[schemars(with = "Option<forms::Format>", extend("default" = defaults::FORMAT.label()))]
    pub(super) format: Option<Text>,
    /// The tenant's password expiration: followed and watched, or enforced. Only enforcing ever changes it at the provider.
    #[schemars(with = "Option<forms::ExpirationSetting>", extend("default" = defaults::FOLLOW))]
    pub(super) expiration: Option<Spanned<Choice<EnforceExpiration>>>,
    /// The tenant's login alias, which the login page's address ends with: followed and watched, or enforced. Only enforcing
    /// ever changes it at the provider.
    #[schemars(with = "Option<forms::LoginAliasSetting>", extend("default" = defaults::FOLLOW))]
    pub(super) login_alias: Option<Spanned<Choice<EnforceAlias>>>,
    /// What is assumed of the provider's gateway. A password that may still be under way is waited out for
    /// `signature_lifetime` + `timeout` + 2 × `max_clock_skew`.
    #[schemars(with = "Option<Gateway>")]
    pub(super) gateway: Option<Spanned<Gateway>>,
    /// How many requests that change something this tenant is sent.
    #[schemars(with = "Option<forms::Rate>", extend("default" = defaults::RATE.to_string()))]
    pub(super) rate: Option<Text>,
    /// How long an answer is waited for, from 1s to 5m. An answer that does not come is a doubt and no failure: the same
    /// password is sent again later.
    #[schemars(with = "Option<forms::Duration>", extend("default" = duration::show(defaults::REQUEST_TIMEOUT)))]
    pub(super) request_timeout: Option<Text>,
    /// A proxy that the requests go through. It sees where they go and nothing of what they say, since TLS ends at the
    /// provider. The proxies that the environment names are not used.
    #[schemars(with = "Option<forms::ProxyAddress>")]
    pub(super) proxy: Option<Text>,
    /// Where the proxy's `user:password` is. It is never written into `proxy`.
    #[schemars(with = "Option<ProxyCredentials>")]
    pub(super) proxy_credentials: Option<Spanned<ProxyCredentials>>,
    /// A file of CA certificates (PEM) that are trusted instead of the machine's own, such as a company's.
    #[schemars(with = "Option<forms::Path>")]
    pub(super) ca_file: Option<Text>,
    /// Where the emulator keeps its accounts, with `site = "emulator"` only; in memory when it is not given.
    #[schemars(with = "Option<forms::Path>")]
    pub(super) emulator: Option<Text>,
}

/// Where a key is: one of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table { env | file | credential | profile = \"…\" }")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct KeySource {
    /// An environment variable.
    #[schemars(with = "Option<forms::Variable>")]
    pub(super) env: Option<Text>,
    /// A file with the key in one line and nothing else.
    #[schemars(with = "Option<forms::Path>")]
    pub(super) file: Option<Text>,
    /// A systemd credential, as `LoadCredential=NAME:…` gives it to the unit.
    #[schemars(with = "Option<forms::Credential>")]
    pub(super) credential: Option<Text>,
    /// A profile of the provider's own tools, a section of `~/.ncloud/configure`. As in those tools, `NCLOUD_ACCESS_KEY` and
    /// `NCLOUD_SECRET_KEY` win over it when both are set.
    #[schemars(with = "Option<forms::ProfileName>")]
    pub(super) profile: Option<Text>,
}

/// Where both keys are: `profile` or `server_role`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table { profile = \"…\" } or { server_role = \"…\" }")]
#[schemars(extend("oneOf" = json!([{ "required": ["profile"] }, { "required": ["server_role"] }])))]
#[schemars(extend("dependencies" = json!({ "metadata": ["server_role"] })))]
pub(super) struct Keys {
    /// A profile of the provider's own tools that holds both keys, a section of `~/.ncloud/configure`. As in those tools,
    /// `NCLOUD_ACCESS_KEY` and `NCLOUD_SECRET_KEY` win over it when both are set.
    #[schemars(with = "Option<forms::ProfileName>")]
    pub(super) profile: Option<Text>,
    /// The role of the server that this runs on. Its temporary keys are renewed before they expire.
    #[schemars(with = "Option<forms::RoleName>")]
    pub(super) server_role: Option<Text>,
    /// Where the server's metadata is, when not at the usual address; `/iam/security-credentials/ROLE` is appended. Plain
    /// http is accepted on loopback and link-local addresses only.
    #[schemars(with = "Option<forms::MetadataAddress>")]
    pub(super) metadata: Option<Text>,
}

/// Where the proxy's `user:password` is, in one line: one of these.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table { env | file | credential = \"…\" }")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct ProxyCredentials {
    /// An environment variable.
    #[schemars(with = "Option<forms::Variable>")]
    pub(super) env: Option<Text>,
    /// A file with `user:password` in one line and nothing else.
    #[schemars(with = "Option<forms::Path>")]
    pub(super) file: Option<Text>,
    /// A systemd credential, as `LoadCredential=NAME:…` gives it to the unit.
    #[schemars(with = "Option<forms::Credential>")]
    pub(super) credential: Option<Text>,
}

/// Addresses that replace the provider's own. The provider documents Data Forest for `site = "public"` alone; with `gov` and
/// `fin` its address must be given.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table { sub_account = \"…\", data_forest = \"…\" }")]
pub(super) struct Endpoints {
    /// Sub Account; `/api/v1/…` is appended.
    #[schemars(with = "Option<forms::Endpoint>")]
    pub(super) sub_account: Option<Text>,
    /// Data Forest; `/api/v2/accounts/…` is appended.
    #[schemars(with = "Option<forms::Endpoint>")]
    pub(super) data_forest: Option<Text>,
}

/// Enforces a password expiration on the tenant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnforceExpiration {
    pub(super) enforce: Option<Spanned<Days>>,
}

impl OrWord for EnforceExpiration {
    const EXPECTED: &'static str = "\"follow\" or a table { enforce = 90 }";
}

/// Enforces a login alias on the tenant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnforceAlias {
    pub(super) enforce: Option<Text>,
}

impl OrWord for EnforceAlias {
    const EXPECTED: &'static str = "\"follow\" or a table { enforce = \"…\" }";
}

/// What is assumed of the provider's gateway.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a table { signature_lifetime = \"…\", timeout = \"…\", max_clock_skew = \"…\" }"
)]
pub(super) struct Gateway {
    /// How far a request's signed time may be from the gateway's clock.
    #[schemars(with = "Option<forms::Duration>", extend("default" = duration::show(defaults::gateway().signature_lifetime)))]
    pub(super) signature_lifetime: Option<Text>,
    /// The longest that the gateway may work on a request that it has accepted.
    #[schemars(with = "Option<forms::Duration>", extend("default" = duration::show(defaults::gateway().timeout)))]
    pub(super) timeout: Option<Text>,
    /// How far apart two clocks that take part may be, 2s at the least. Beyond it nothing is applied.
    #[schemars(with = "Option<forms::Duration>", extend("default" = duration::show(defaults::gateway().max_clock_skew)))]
    pub(super) max_clock_skew: Option<Text>,
}

/// A place where secrets are kept. Which keys there are follows from `kind`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table [vaults.NAME]")]
#[schemars(extend("allOf" = forms::vault_rules()))]
pub(super) struct Vault {
    /// `"age-directory"`: a directory of files that the ordinary `age` tool opens, one for each secret.
    /// `"aws-secrets-manager"`: AWS Secrets Manager, with credentials as AWS's own tools find them (environment, profile,
    /// web identity, container, instance, `credential_process`).
    #[schemars(with = "forms::VaultKind")]
    pub(super) kind: Option<Text>,
    /// Of an age directory: the directory; made on first use.
    #[schemars(with = "Option<forms::Path>")]
    pub(super) path: Option<Text>,
    /// Of an age directory: what opens the files. When it is not given: `identity.txt` beside `path`. Back it up: without it
    /// the vault cannot be read.
    #[schemars(with = "Option<Identity>")]
    pub(super) identity: Option<Spanned<Identity>>,
    /// Of an age directory: public keys of others who can open the files as well, such as an escrow key that is kept offline.
    #[schemars(with = "Option<Vec<forms::Recipient>>")]
    pub(super) recipients: Option<Spanned<Vec<Text>>>,
    /// Of AWS Secrets Manager, and needed there: the region.
    #[schemars(with = "Option<forms::Region>")]
    pub(super) region: Option<Text>,
    /// Of AWS Secrets Manager: an address that replaces AWS's own, such as that of a VPC endpoint. Addresses that the
    /// environment or a profile names are not used.
    #[schemars(with = "Option<forms::Endpoint>")]
    pub(super) endpoint_url: Option<Text>,
    /// Of AWS Secrets Manager: the KMS key that secrets made by this program are encrypted with. When it is not given: AWS's
    /// own, `aws/secretsmanager`. Secrets that exist keep theirs.
    #[schemars(with = "Option<forms::KmsKey>")]
    pub(super) kms_key_id: Option<Text>,
    /// Of AWS Secrets Manager: tags that secrets made by this program get.
    #[schemars(with = "Option<BTreeMap<String, forms::TagValue>>")]
    pub(super) tags: Option<Spanned<BTreeMap<Text, Text>>>,
    /// Of AWS Secrets Manager: a role to assume, with the credentials that were found.
    #[schemars(with = "Option<forms::RoleArn>")]
    pub(super) role_arn: Option<Text>,
    /// Of AWS Secrets Manager: how long a write may stay unseen by readers. A password that may still be under way is waited
    /// out for so much longer.
    #[schemars(with = "Option<forms::Duration>", extend("default" = duration::show(defaults::SETTLE)))]
    pub(super) settle: Option<Text>,
    /// Of AWS Secrets Manager: how many writes it is sent. AWS takes 50 a second from everybody in the account and region
    /// together; a rotation is two.
    #[schemars(with = "Option<forms::Rate>", extend("default" = defaults::WRITES.to_string()))]
    pub(super) writes: Option<Text>,
    /// Of AWS Secrets Manager: whether nobody but this one process ever writes these secrets, no other replica, machine or
    /// person. A refused password is then followed by the next without waiting. Said falsely, passwords can be lost.
    #[serde(default)]
    #[schemars(with = "Option<bool>", extend("default" = false))]
    pub(super) sole: Option<Spanned<bool>>,
    /// Of AWS Secrets Manager: how long an answer is waited for, from 1s to 5m.
    #[schemars(with = "Option<forms::Duration>", extend("default" = duration::show(defaults::REQUEST_TIMEOUT)))]
    pub(super) request_timeout: Option<Text>,
    /// Of AWS Secrets Manager: a proxy that the requests go through, those for credentials too, except to addresses of this
    /// machine and its metadata. The proxies that the environment names are not used.
    #[schemars(with = "Option<forms::ProxyAddress>")]
    pub(super) proxy: Option<Text>,
    /// Where the proxy's `user:password` is. It is never written into `proxy`.
    #[schemars(with = "Option<ProxyCredentials>")]
    pub(super) proxy_credentials: Option<Spanned<ProxyCredentials>>,
    /// Of AWS Secrets Manager: a file of CA certificates (PEM) that are trusted instead of the machine's own.
    #[schemars(with = "Option<forms::Path>")]
    pub(super) ca_file: Option<Text>,
}

/// Where the identity is: one of these. It lies outside the vault's directory.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table { file | credential = \"…\" }")]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(super) struct Identity {
    /// A file; made on first use, never where secrets already exist.
    #[schemars(with = "Option<forms::Path>")]
    pub(super) file: Option<Text>,
    /// A systemd credential, as `LoadCredential=NAME:…` gives it to the unit.
    #[schemars(with = "Option<forms::Credential>")]
    pub(super) credential: Option<Text>,
}

/// Which accounts are rotated, by which policy, into which secret: an account has one rule, and a secret one account. With
/// both `names` and `ids`, an account must match both.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table [[accounts]]")]
#[schemars(extend("anyOf" = json!([{ "required": ["names"] }, { "required": ["ids"] }])))]
pub(super) struct Accounts {
    /// The NAME of one of the `[tenants.NAME]`.
    #[schemars(with = "String")]
    pub(super) tenant: Option<Text>,
    /// Console logins, or logins of the analytics platform.
    #[schemars(with = "forms::Kind")]
    pub(super) kind: Option<Text>,
    /// Login ids, or Data Forest names.
    #[schemars(with = "Option<Vec<forms::Pattern>>")]
    pub(super) names: Option<Spanned<Vec<Text>>>,
    /// The provider's identifiers.
    #[schemars(with = "Option<Vec<forms::Identifier>>")]
    pub(super) ids: Option<Spanned<Vec<Text>>>,
    /// Names that are left out.
    #[schemars(with = "Option<Vec<forms::Pattern>>")]
    pub(super) except: Option<Spanned<Vec<Text>>>,
    /// Whether `names = ["*"]` may take people's logins, too; without this it is refused for sub-accounts, unless `except` or
    /// `ids` narrow it.
    #[serde(default)]
    pub(super) include_people: bool,
    /// The NAME of one of the `[policies.NAME]`.
    #[schemars(with = "Option<String>", extend("default" = defaults::POLICY))]
    pub(super) policy: Option<Text>,
    /// The NAME of one of the `[vaults.NAME]`.
    #[schemars(with = "String")]
    pub(super) vault: Option<Text>,
    /// The secret's name.
    #[schemars(with = "Option<forms::SecretTemplate>", extend("default" = defaults::SECRET))]
    pub(super) secret: Option<Text>,
    /// Whose turn comes first in an emergency (`rotate --all --emergency`): accounts of the rule with the highest number. What is
    /// due by its plan is not ordered by it.
    #[schemars(with = "Option<forms::Priority>", extend("default" = defaults::PRIORITY))]
    pub(super) priority: Option<Spanned<i64>>,
}
