//! The forms that values of the file have, for the JSON Schema and the reference.
//!
//! A form is never narrower than what the reading takes: what passes there must pass here, and a test holds that. Where it
//! can be as narrow it is, so that an editor finds the slip before the program does.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::defaults;
use super::raw;
use super::tenants::SITES;
use super::vaults::{AGE_DIRECTORY, AWS_SECRETS_MANAGER, KINDS, keys_of};
use crate::domain::account::{self, Site as TenantSite};
use crate::domain::log_format;
use crate::domain::password::{Profile, specials};
use crate::domain::policy::{self, PasswordExpiration, Per};
use crate::ncloud;

/// Forms that several keys share, or that need a word: they stand by themselves in the schema, under their name.
macro_rules! named {
    ($($name:ident = $schema:expr;)*) => { $(
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )* };
}

/// Forms that are told where they are used.
macro_rules! inline {
    ($($name:ident = |$generator:pat_param| $schema:expr;)*) => { $(
        pub(super) struct $name;

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )* };
}

named! {
    Path = json_schema!({
        "description": "A path, relative to the configuration file unless it begins with `/`. A `~` is not expanded.",
        "type": "string",
        "pattern": "^[^~]",
    });
    TimeZone = json_schema!({
        "description": "A name of the IANA time zone database, such as `\"Asia/Seoul\"` or `\"UTC\"`.",
        "type": "string",
        "minLength": 1,
    });
    Duration = json_schema!({
        "description": "Whole days, hours, minutes and seconds, the larger first: `\"14d\"`, `\"2h\"`, `\"5m\"`, `\"90s\"` or \
                        `\"1h30m\"`. More than nothing, and ten years at the most.",
        "type": "string",
        "pattern": DURATION,
        "minLength": 2,
    });
    DurationOrNone = json_schema!({
        "description": "A duration, or `\"0s\"` for none.",
        "type": "string",
        "pattern": DURATION,
        "minLength": 2,
    });
    Cron = json_schema!({
        "description": "A cron pattern of five fields: minute, hour, day of the month, month and day of the week, such as \
                        `\"0 2 * * Tue-Thu\"`. `L` is the last day of the month, `Sat#1` its first Saturday; when both days are \
                        given, either will do.",
        "type": "string",
        "pattern": "^\\s*(?:\\S+\\s+){4}\\S+\\s*$",
    });
    Date = json_schema!({
        "description": "A day: `\"2026-01-31\"`.",
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    });
    Moment = json_schema!({
        "description": "A day, `\"2026-12-24\"`, or a time of a day, `\"2026-12-24T18:00\"`.",
        "type": "string",
        "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2})?$",
    });
    Rate = json_schema!({
        "description": "So many by the second (`s`), minute (`m`) or hour (`h`): `\"5/s\"`, `\"300/m\"` or `\"1000/h\"`.",
        "type": "string",
        "pattern": format!("^0*[1-9][0-9]*/[{}]$", Per::ALL.map(Per::label).concat()),
    });
    Endpoint = json_schema!({
        "description": "Scheme, host and port, and nothing else: `\"https://host.example:8443\"`. Plain http is accepted on \
                        loopback only.",
        "type": "string",
        "pattern": ADDRESS,
    });
    ProxyAddress = json_schema!({
        "description": "Scheme, host and port, and nothing else: `\"http://proxy.example:3128\"` or \
                        `\"https://proxy.example\"`. No user and no password.",
        "type": "string",
        "pattern": ADDRESS,
    });
    MetadataAddress = json_schema!({
        "description": "An address without user, query or fragment: `\"http://169.254.169.254\"`.",
        "type": "string",
        "pattern": ADDRESS,
    });
    Variable = json_schema!({
        "description": "The name of an environment variable.",
        "type": "string",
        "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
    });
    Credential = json_schema!({
        "description": "The name of a systemd credential; it is read from `$CREDENTIALS_DIRECTORY`.",
        "type": "string",
        "pattern": "^[^./][^/]*$",
    });
    ProfileName = json_schema!({
        "description": "The name of a profile, a section of `~/.ncloud/configure`.",
        "type": "string",
        "pattern": "^[^\\]\\n]+$",
    });
    RoleName = json_schema!({
        "description": "The name of a server role: letters, digits, `_`, `-` and `.`.",
        "type": "string",
        "pattern": NAME,
    });
    Recipient = json_schema!({
        "description": "A public key of age, `age1…`.",
        "type": "string",
        "pattern": "^[Aa][Gg][Ee]1",
    });
    Region = json_schema!({
        "description": "A region of AWS, such as `\"ap-northeast-2\"`.",
        "type": "string",
        "pattern": "^[a-z]{2}(?:-[a-z0-9]+)+$",
    });
    KmsKey = json_schema!({
        "description": "The id, the ARN or the alias of a KMS key, such as `\"alias/rotator\"`.",
        "type": "string",
        "pattern": "^[A-Za-z0-9:/_.-]+$",
    });
    RoleArn = json_schema!({
        "description": "The ARN of a role, such as `\"arn:aws:iam::123456789012:role/rotator\"`.",
        "type": "string",
        "pattern": "^arn:[a-z0-9-]+:iam::[0-9]{12}:role/.+$",
    });
    TagValue = json_schema!({
        "description": "The value of a tag, 256 characters at the most.",
        "type": "string",
        "maxLength": 256,
    });
    Pattern = json_schema!({
        "description": "A name, or a pattern of names: `*` stands for any characters, `?` for one, `[ab]` for one of them, \
                        `{a,b}` for either. Case matters.",
        "type": "string",
    });
    Identifier = json_schema!({
        "description": "An identifier as the provider gives it.",
        "type": "string",
        "pattern": "\\S",
    });
    SecretTemplate = json_schema!({
        "description": "A name in which `{tenant}`, `{kind}`, `{name}` and `{id}` stand for the account's. Letters, digits and \
                        `/ _ + = . @ -` are allowed. Characters that a secret's name cannot have, `=`, `/` and a dot at the \
                        beginning of an account's name are written as `=` and two hexadecimal digits: `minji/dev` becomes \
                        `minji=2Fdev`.",
        "type": "string",
        "minLength": 1,
    });
    LoginAlias = json_schema!({
        "description": "3 to 20 lower-case letters and digits.",
        "type": "string",
        "pattern": "^[a-z0-9]{3,20}$",
    });
    Avoid = json_schema!({
        "description": format!(
            "The name of a place where passwords are used, or the special characters themselves, such as `\"$%^\"`.\n\n{}",
            Profile::ALL.map(told).join("\n")
        ),
        "anyOf": [
            { "type": "string", "enum": Profile::ALL.map(Profile::label) },
            { "type": "string", "pattern": "^[!-+\\--/:-@\\[-`{-~]+$" },
        ],
    });
}

inline! {
    Site = |_| one_of(&SITES.map(TenantSite::label));
    Api = |_| one_of(&ncloud::Api::ALL.map(ncloud::Api::label));
    Format = |_| one_of(&ncloud::Format::ALL.map(ncloud::Format::label));
    VaultKind = |_| one_of(&KINDS);
    LogFormat = |_| one_of(&log_format::LogFormat::ALL.map(log_format::LogFormat::label));
    Kind = |_| one_of(&account::Kind::ALL.map(account::Kind::label));
    OnAdopt = |_| one_of(&policy::OnAdopt::ALL.map(policy::OnAdopt::label));
    ExpirationDays = |_| json_schema!({ "type": "integer", "enum": policy::Policy::EXPIRATION_DAYS });
    Count = |_| json_schema!({ "type": "integer", "minimum": 1 });
    Priority = |_| json_schema!({ "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX });
    ApartGroup = |_| json_schema!({ "type": "array", "items": { "type": "string", "minLength": 1 }, "minItems": 2 });
    Length = |_| json_schema!({ "type": "integer", "minimum": 1 });
    ExpirationSetting = |_| {
        let mut values: Vec<Value> = policy::Policy::EXPIRATION_DAYS.map(Value::from).into();
        values.push(PasswordExpiration::OFF.into());
        setting(&json!({ "enum": values }))
    };
    LoginAliasSetting = |generator| setting(&generator.subschema_for::<LoginAlias>().to_value());
    PasswordSource = |generator| {
        let recipe = generator.subschema_for::<raw::Password>();
        json_schema!({ "anyOf": [recipe, { "type": "string", "const": policy::PasswordSource::PROVIDER }] })
    };
}

const DURATION: &str = "^(?:[0-9]+d)?(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?$";
const ADDRESS: &str = "^[Hh][Tt][Tt][Pp][Ss]?://[^@]*$";
const NAME: &str = "^[A-Za-z0-9][A-Za-z0-9_.-]*$";

/// Names of tables of the user's choosing.
pub(super) fn table_name() -> Value {
    json!({ "pattern": NAME })
}

/// What keys of a tenant ask of one another.
pub(super) fn tenant_rules() -> Value {
    let site_is = |site: TenantSite| json!({ "properties": { "site": { "const": site.label() } } });
    let role = json!({ "not": { "required": ["server_role"] } });
    let either_key = json!([{ "required": ["access_key"] }, { "required": ["secret_key"] }]);
    json!([
        {
            "if": site_is(TenantSite::Emulator),
            "then": {
                "properties": { "endpoints": false, "proxy": false, "proxy_credentials": false, "ca_file": false, "keys": role }
            },
            "else": {
                "properties": { "emulator": false },
                "anyOf": [{ "required": ["access_key", "secret_key"] }, { "required": ["keys"] }],
            },
        },
        { "if": site_is(TenantSite::Gov), "else": { "properties": { "api": false } } },
        { "if": { "required": ["keys"] }, "then": { "not": { "anyOf": either_key } } },
        { "if": { "anyOf": either_key }, "then": { "required": ["access_key", "secret_key"] } },
        { "if": { "required": ["proxy_credentials"] }, "then": { "required": ["proxy"] } },
    ])
}

/// What the kind of a vault says about its other keys.
pub(super) fn vault_rules() -> Value {
    let kind_is = |kind: &str| json!({ "properties": { "kind": { "const": kind } }, "required": ["kind"] });
    let without = |keys: &[&str]| {
        let refused = keys.iter().map(|key| ((*key).to_owned(), Value::Bool(false)));
        Value::Object(refused.collect())
    };
    let only = |kind: &str, needed: &str| {
        let strangers: Vec<&str> =
            KINDS.iter().filter(|other| **other != kind).flat_map(|other| keys_of(other)).copied().collect();
        json!({ "if": kind_is(kind), "then": { "required": [needed], "properties": without(&strangers) } })
    };
    json!([
        only(AGE_DIRECTORY, "path"),
        only(AWS_SECRETS_MANAGER, "region"),
        { "if": { "required": ["proxy_credentials"] }, "then": { "required": ["proxy"] } },
    ])
}

fn one_of(words: &[&str]) -> Schema {
    json_schema!({ "type": "string", "enum": words })
}

fn setting(value: &Value) -> Schema {
    json_schema!({
        "anyOf": [
            { "type": "string", "const": defaults::FOLLOW },
            { "type": "object", "properties": { "enforce": value }, "required": ["enforce"], "additionalProperties": false },
        ],
    })
}

/// Where a profile's passwords can be used, what that forbids, and why.
fn told(profile: Profile) -> String {
    let (place, why) = match profile {
        Profile::Url => (
            "anywhere in a URL without percent-encoding",
            "everything but the characters that RFC 3986 calls unreserved would be read as the URL's own",
        ),
        Profile::Shell => (
            "an unquoted word in POSIX shells, zsh, PowerShell and cmd.exe",
            "they quote, expand, part or redirect in at least one of them (zsh expands `=word`; PowerShell and cmd.exe have \
             their own about `@`, `,` and `%`)",
        ),
        Profile::Pgpass => {
            ("a field of PostgreSQL's `.pgpass` without escaping", "`:` parts the fields and `\\` escapes")
        }
        Profile::Jdbc => (
            "a property within a JDBC URL",
            "drivers part properties, hosts and comments by them, Hive's among them, or decode them (`%`, `+`, `\\`)",
        ),
        Profile::Xml => (
            "text and attributes of XML without entities, such as Hadoop's configuration files",
            "the five characters with an entity have a meaning there",
        ),
    };
    let forbidden: String = ('!'..='~').filter(|c| c.is_ascii_punctuation() && profile.forbids(*c)).collect();
    let left = specials(account::Kind::SubAccount).chars().filter(|special| !profile.forbids(*special));
    let left: String = left.collect();
    format!("- `\"{profile}\"`: {place}. Forbids `` {forbidden} ``, since {why}; leaves `{left}`.")
}
