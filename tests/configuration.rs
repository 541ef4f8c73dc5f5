//! What a configuration means, and how what is wrong with one is told.

#[cfg(test)]
#[path = "configuration/aws.rs"]
mod aws;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::SignedDuration;
use miette::{GraphicalReportHandler, GraphicalTheme};
use ncloud_rotator::config::{
    AgeDirectory, Code, Config, ConfigError, Endpoint, Environment, IdentitySource, KeyPair, KeyPlace, Network, Reach,
    SecretSource, ServerRole, Store, default_recipe,
};
use ncloud_rotator::domain::account::{Kind, Site};
use ncloud_rotator::domain::gateway::Gateway;
use ncloud_rotator::domain::log_format::LogFormat;
use ncloud_rotator::domain::password::{Avoid, Profile, Recipe};
use ncloud_rotator::domain::policy::{OnAdopt, PasswordExpiration, PasswordSource, Setting};
use ncloud_rotator::domain::schedule::calendar::Calendar;
use ncloud_rotator::ncloud::{Api, Format};
use proptest::prelude::*;

#[path = "configuration/schedule.rs"]
mod schedule;

/// The contract's own example.
const GOOD: &str = r#"time_zone = "Asia/Seoul"
state_dir = "/var/lib/ncloud-rotator/state"

[tenants.main]
site       = "public"
access_key = { env = "NCLOUD_ACCESS_KEY" }
secret_key = { env = "NCLOUD_SECRET_KEY" }
endpoints  = { sub_account = "http://127.0.0.1:8610", data_forest = "http://127.0.0.1:8610" }
gateway    = { signature_lifetime = "5m", timeout = "2m", max_clock_skew = "30s" }
rate       = "5/s"

[vaults.local]
kind     = "age-directory"
path     = "vault"
identity = { file = "identity.txt" }

[policies.default]
rotate_before   = "14d"
expiration_days = 90
on_adopt        = "rotate"
password        = { length = 16, avoid = "url" }

[[accounts]]
tenant = "main"
kind   = "sub-account"
names  = ["svc-*"]
except = ["svc-legacy"]
policy = "default"
vault  = "local"
secret = "ncloud/{tenant}/{kind}/{name}"
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, "rotator.toml", Path::new("/etc/rotator"))
}

fn rendered(error: &ConfigError) -> String {
    let handler =
        GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(110).with_links(false);
    let mut text = String::new();
    assert!(handler.render_report(&mut text, error).is_ok());
    text.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// The good configuration with one piece of it replaced.
fn with(old: &str, new: &str) -> String {
    assert_eq!(GOOD.matches(old).count(), 1, "{old:?} does not stand once in the good configuration");
    GOOD.replace(old, new)
}

fn adding(text: &str) -> String {
    format!("{GOOD}{text}")
}

const SECOND: &str = "
[[accounts]] # second
tenant = \"main\"
kind   = \"sub-account\"
policy = \"default\"
vault  = \"local\"
";

/// What is wrong, the file, and each problem in the order of the lines: its code, and text of the line it points at.
type Case = (&'static str, String, &'static [(Code, &'static str)]);

fn cases() -> Vec<Case> {
    let mut cases = written();
    cases.extend(tenants());
    cases.extend(key_places());
    cases.extend(settings());
    cases.extend(networks());
    cases.extend(vaults_and_policies());
    cases.extend(schedule::cases());
    cases.extend(rules());
    cases.extend(aws::cases());
    cases
}

fn written() -> Vec<Case> {
    vec![
        ("an empty file", String::new(), &[(Code::NoAccounts, "")]),
        ("no TOML", with("rate       = \"5/s\"", "rate = 5/s"), &[(Code::Syntax, "rate = 5/s")]),
        (
            "no TOML, beside a secret",
            with("access_key = { env = \"NCLOUD_ACCESS_KEY\" }", "access_key = \"HUNTER2"),
            &[(Code::Syntax, "access_key")],
        ),
        (
            "unknown keys everywhere",
            with("site       = \"public\"", "site = \"public\"\nacess_key = \"HUNTER2\"")
                .replace("time_zone", "timezone")
                .replace("sub_account =", "sub_acount =")
                .replace("except =", "colour ="),
            &[
                (Code::UnknownKey, "timezone"),
                (Code::UnknownKey, "acess_key"),
                (Code::UnknownKey, "sub_acount"),
                (Code::UnknownKey, "colour"),
            ],
        ),
        (
            "wrong types",
            with("\"14d\"", "14")
                .replace("[\"svc-legacy\"]", "[\"svc-legacy\", 5]")
                .replace("{ length = 16, avoid = \"url\" }", "[\"HUNTER2\"]"),
            &[(Code::WrongType, "rotate_before"), (Code::WrongType, "password"), (Code::WrongType, "except")],
        ),
        (
            "a table that is none",
            with("[vaults.local]", "[vaults]"),
            &[(Code::WrongType, "kind     ="), (Code::WrongType, "path     ="), (Code::UnknownKey, "identity =")],
        ),
        (
            "inline secrets",
            with("{ env = \"NCLOUD_ACCESS_KEY\" }", "\"HUNTER2\"")
                .replace("{ env = \"NCLOUD_SECRET_KEY\" }", "{ value = \"HUNTER2\" }"),
            &[(Code::InlineSecret, "access_key"), (Code::UnknownKey, "secret_key")],
        ),
        (
            "secrets given twice",
            with("{ env = \"NCLOUD_ACCESS_KEY\" }", "{ env = \"A\", file = \"a\" }")
                .replace("{ file = \"identity.txt\" }", "{ file = \"a\", credential = \"b\" }"),
            &[(Code::SecretTwice, "access_key"), (Code::SecretTwice, "identity")],
        ),
        (
            "a key given twice",
            with("secret_key = { env = \"NCLOUD_SECRET_KEY\" }", "access_key = { file = \"a\" }"),
            &[(Code::SecretTwice, "access_key = { file")],
        ),
        (
            "an unknown form of the log",
            with("Asia/Seoul\"", "Asia/Seoul\"\nlog_format = \"yaml\""),
            &[(Code::BadValue, "log_format")],
        ),
        ("an unknown time zone", with("Asia/Seoul", "Asia/Soul"), &[(Code::UnknownTimeZone, "time_zone")]),
    ]
}

fn tenants() -> Vec<Case> {
    vec![
        ("an unknown site", with("\"public\"", "\"publik\""), &[(Code::BadValue, "site")]),
        ("no site", with("site       = \"public\"\n", ""), &[(Code::MissingKey, "[tenants.main]")]),
        (
            "no keys",
            with("access_key = { env = \"NCLOUD_ACCESS_KEY\" }\n", "").replace("{ env = \"NCLOUD_SECRET_KEY\" }", "{}"),
            &[(Code::MissingKey, "[tenants.main]"), (Code::MissingKey, "secret_key")],
        ),
        (
            "a key where its variable's name belongs",
            with("{ env = \"NCLOUD_SECRET_KEY\" }", "{ env = \"HUNTER2+x/y\" }"),
            &[(Code::BadValue, "secret_key")],
        ),
        (
            "a credential that is a path",
            with("{ env = \"NCLOUD_SECRET_KEY\" }", "{ credential = \"../key\" }"),
            &[(Code::BadValue, "secret_key")],
        ),
        (
            "endpoints that are none",
            with("sub_account = \"http://127.0.0.1:8610\"", "sub_account = \"http://sub.example\"")
                .replace("data_forest = \"http://127.0.0.1:8610\"", "data_forest = \"https://df.example/api/v2\""),
            &[(Code::PlainHttp, "endpoints"), (Code::BadEndpoint, "endpoints")],
        ),
        (
            "an endpoint with a password",
            with("sub_account = \"http://127.0.0.1:8610\"", "sub_account = \"https://me:HUNTER2@sub.example\""),
            &[(Code::BadEndpoint, "endpoints")],
        ),
        (
            "durations",
            with("\"5m\"", "\"0s\"").replace("\"2m\"", "\"-2m\"").replace("\"30s\"", "\"1s\"").replace("\"14d\"", "\"99999d\""),
            &[(Code::BadDuration, "gateway"), (Code::BadDuration, "gateway"), (Code::BadDuration, "rotate_before")],
        ),
        ("a clock skew of a second", with("\"30s\"", "\"1s\""), &[(Code::BadDuration, "gateway")]),
        ("a rate of nothing", with("\"5/s\"", "\"0/s\""), &[(Code::BadRate, "rate")]),
        ("an emulator elsewhere", with("rate       =", "emulator = \"a.json\"\nrate ="), &[(Code::EmulatorOnly, "emulator")]),
        ("an emulator with endpoints", with("\"public\"", "\"emulator\""), &[(Code::EmulatorOnly, "endpoints")]),
        (
            "an emulator with half a pair",
            with("\"public\"", "\"emulator\"")
                .replace("endpoints  = { sub_account = \"http://127.0.0.1:8610\", data_forest = \"http://127.0.0.1:8610\" }\n", "")
                .replace("secret_key = { env = \"NCLOUD_SECRET_KEY\" }\n", ""),
            &[(Code::MissingKey, "[tenants.main]")],
        ),
        (
            "Data Forest where nobody knows it",
            with("\"public\"", "\"gov\"").replace(", data_forest = \"http://127.0.0.1:8610\"", "").replace("\"sub-account\"", "\"data-forest\""),
            &[(Code::MissingEndpoint, "kind   =")],
        ),
        ("a name with a slash", with("[tenants.main]", "[tenants.\"a/b\"]").replace("= \"main\"", "= \"a/b\""), &[(
            Code::BadName,
            "[tenants.",
        )]),
    ]
}

fn key_places() -> Vec<Case> {
    let access = "access_key = { env = \"NCLOUD_ACCESS_KEY\" }\n";
    let secret = "secret_key = { env = \"NCLOUD_SECRET_KEY\" }";
    let keys = |keys: &str| with(access, "").replace(secret, &format!("keys = {keys}"));
    vec![
        (
            "no keys in any way",
            with(access, "").replace(secret, ""),
            &[(Code::MissingKey, "[tenants.main]"), (Code::MissingKey, "[tenants.main]")],
        ),
        ("both keys inline", keys("\"HUNTER2\""), &[(Code::InlineSecret, "keys =")]),
        ("both keys inline, in a table", keys("{ access = \"HUNTER2\" }"), &[(Code::UnknownKey, "keys =")]),
        ("both keys nowhere", keys("{}"), &[(Code::MissingKey, "keys =")]),
        ("both keys twice", keys("{ profile = \"a\", server_role = \"b\" }"), &[(Code::SecretTwice, "keys =")]),
        (
            "the keys together and apart",
            with(secret, "keys = { profile = \"DEFAULT\" }"),
            &[(Code::SecretTwice, "keys =")],
        ),
        ("a profile without a name", keys("{ profile = \" \" }"), &[(Code::BadValue, "keys =")]),
        ("a role that is a path", keys("{ server_role = \"a/b\" }"), &[(Code::BadValue, "keys =")]),
        (
            "metadata of a profile",
            keys("{ profile = \"a\", metadata = \"http://169.254.169.254\" }"),
            &[(Code::Misplaced, "keys =")],
        ),
        (
            "metadata far away",
            keys("{ server_role = \"a\", metadata = \"http://metadata.example\" }"),
            &[(Code::PlainHttp, "keys =")],
        ),
        (
            "metadata with a password",
            keys("{ server_role = \"a\", metadata = \"https://me:HUNTER2@metadata.example\" }"),
            &[(Code::BadEndpoint, "keys =")],
        ),
    ]
}

fn settings() -> Vec<Case> {
    let adding = |line: &str| with("rate       = \"5/s\"", line);
    vec![
        ("an unknown format", adding("format = \"yaml\""), &[(Code::BadValue, "format")]),
        ("a second interface where there is none", adding("api = \"v2\""), &[(Code::Misplaced, "api")]),
        ("a third interface", adding("api = \"v3\"").replace("\"public\"", "\"gov\""), &[(Code::BadValue, "api")]),
        ("an expiration without its verb", adding("expiration = 90"), &[(Code::WrongType, "expiration")]),
        ("an expiration of another word", adding("expiration = \"off\""), &[(Code::BadValue, "expiration")]),
        ("an expiration of nothing", adding("expiration = {}"), &[(Code::MissingKey, "expiration")]),
        ("an expiration of other days", adding("expiration = { enforce = 30 }"), &[(Code::BadValue, "expiration")]),
        (
            "an expiration of other words",
            adding("expiration = { enforce = \"never\" }"),
            &[(Code::BadValue, "expiration")],
        ),
        ("an expiration of a list", adding("expiration = { enforce = [90] }"), &[(Code::WrongType, "expiration")]),
        ("a setting with another verb", adding("expiration = { force = 90 }"), &[(Code::UnknownKey, "expiration")]),
        ("an alias without its verb", adding("login_alias = \"acme\""), &[(Code::BadValue, "login_alias")]),
        ("an alias in capitals", adding("login_alias = { enforce = \"ACME\" }"), &[(Code::BadValue, "login_alias")]),
        (
            "always due, by the tenant's enforced expiration",
            adding("expiration = { enforce = 60 }").replace("\"14d\"", "\"60d\""),
            &[(Code::BadDuration, "policy =")],
        ),
    ]
}

fn networks() -> Vec<Case> {
    let adding = |line: &str| with("rate       = \"5/s\"", line);
    vec![
        ("no time to answer", adding("request_timeout = \"0s\""), &[(Code::BadDuration, "request_timeout")]),
        ("too long for an answer", adding("request_timeout = \"301s\""), &[(Code::BadDuration, "request_timeout")]),
        (
            "a proxy with a password",
            adding("proxy = \"http://me:HUNTER2@proxy.example:3128\""),
            &[(Code::InlineSecret, "proxy")],
        ),
        ("a proxy without a scheme", adding("proxy = \"proxy.example:3128\""), &[(Code::BadEndpoint, "proxy")]),
        (
            "credentials for no proxy",
            adding("proxy_credentials = { env = \"PROXY\" }"),
            &[(Code::MissingKey, "proxy_credentials")],
        ),
        (
            "inline credentials for a proxy",
            adding("proxy = \"http://proxy.example\"\nproxy_credentials = \"me:HUNTER2\""),
            &[(Code::InlineSecret, "proxy_credentials")],
        ),
        (
            "a proxy's credentials in a profile",
            adding("proxy = \"http://proxy.example\"\nproxy_credentials = { profile = \"a\" }"),
            &[(Code::UnknownKey, "proxy_credentials")],
        ),
        (
            "a proxy's credentials nowhere and a CA in a home",
            adding("proxy = \"http://proxy.example\"\nproxy_credentials = {}\nca_file = \"~/ca.pem\""),
            &[(Code::MissingKey, "proxy_credentials"), (Code::BadValue, "ca_file")],
        ),
        (
            "a network inside this process",
            adding("proxy = \"http://proxy.example\"\nca_file = \"ca.pem\"\nrequest_timeout = \"5s\"")
                .replace("\"public\"", "\"emulator\"")
                .replace("endpoints  = { sub_account = \"http://127.0.0.1:8610\", data_forest = \"http://127.0.0.1:8610\" }\n", "")
                .replace("access_key = { env = \"NCLOUD_ACCESS_KEY\" }\n", "")
                .replace("secret_key = { env = \"NCLOUD_SECRET_KEY\" }", "keys = { server_role = \"r\" }"),
            &[(Code::EmulatorOnly, "keys"), (Code::EmulatorOnly, "proxy"), (Code::EmulatorOnly, "ca_file")],
        ),
        (
            "a network to a directory",
            with(
                "path     = \"vault\"",
                "path = \"vault\"\nrequest_timeout = \"5s\"\nproxy = \"http://me:HUNTER2@proxy.example\"\nca_file = \"ca.pem\"",
            ),
            &[(Code::Misplaced, "request_timeout"), (Code::Misplaced, "proxy"), (Code::Misplaced, "ca_file")],
        ),
    ]
}

fn vaults_and_policies() -> Vec<Case> {
    vec![
        (
            "a password, where its recipe belongs",
            with("{ length = 16, avoid = \"url\" }", "\"HUNTER2\""),
            &[(Code::BadValue, "password")],
        ),
        (
            "a provider that makes no such passwords",
            with("{ length = 16, avoid = \"url\" }", "\"provider\"").replace("\"sub-account\"", "\"data-forest\""),
            &[(Code::ImpossiblePassword, "policy =")],
        ),
        ("an unknown kind of vault", with("age-directory", "age-dir"), &[(Code::BadValue, "kind     =")]),
        ("a vault without a path", with("path     = \"vault\"\n", ""), &[(Code::MissingKey, "[vaults.local]")]),
        ("a path with a tilde", with("\"vault\"", "\"~/vault\""), &[(Code::BadValue, "path")]),
        (
            "an identity inside its vault",
            with("\"identity.txt\"", "\"vault/identity.txt\""),
            &[(Code::SharedPath, "identity")],
        ),
        (
            "no recipient",
            with(
                "kind     = \"age-directory\"",
                "kind = \"age-directory\"\nrecipients = [\"AGE-SECRET-KEY-1HUNTER2\"]",
            ),
            &[(Code::BadRecipient, "recipients")],
        ),
        (
            "two vaults in one place",
            adding("\n[vaults.other]\nkind = \"age-directory\"\npath = \"./vault/\" # other\n"),
            &[(Code::SharedPath, "# other")],
        ),
        ("a policy that is always due", with("\"14d\"", "\"90d\""), &[(Code::BadDuration, "rotate_before")]),
        (
            "always due, whatever the tenant says",
            with("\"14d\"", "\"180d\"").replace("expiration_days = 90\n", ""),
            &[(Code::BadDuration, "rotate_before")],
        ),
        ("another expiration", with("= 90", "= 91"), &[(Code::BadValue, "expiration_days")]),
        ("another adoption", with("= \"rotate\"", "= \"now\""), &[(Code::BadValue, "on_adopt")]),
        ("no length", with("= 16", "= -1"), &[(Code::BadValue, "password")]),
        ("too long for the provider", with("= 16", "= 17"), &[(Code::ImpossiblePassword, "password")]),
        ("too short for the provider", with("= 16", "= 7"), &[(Code::ImpossiblePassword, "password")]),
        ("an unknown profile", with("avoid = \"url\"", "avoid = \"sehll\""), &[(Code::BadValue, "password")]),
    ]
}

fn rules() -> Vec<Case> {
    vec![
        (
            "a rule of nothing",
            adding("\n[[accounts]] # empty\n"),
            &[
                (Code::MissingKey, "[[accounts]] # empty"),
                (Code::MissingKey, "[[accounts]] # empty"),
                (Code::MissingKey, "[[accounts]] # empty"),
                (Code::NoSelection, "[[accounts]] # empty"),
            ],
        ),
        (
            "references that lead nowhere",
            with("tenant = \"main\"", "tenant = \"mian\"")
                .replace("policy = \"default\"", "policy = \"strict\"")
                .replace("vault  = \"local\"", "vault = \"Local\""),
            &[(Code::UnknownTenant, "tenant ="), (Code::UnknownPolicy, "policy ="), (Code::UnknownVault, "vault =")],
        ),
        ("an unknown kind", with("\"sub-account\"", "\"subaccount\""), &[(Code::BadValue, "kind   =")]),
        (
            "everybody",
            with("[\"svc-*\"]", "[\"*\"]").replace("except = [\"svc-legacy\"]\n", ""),
            &[(Code::CatchesPeople, "names")],
        ),
        (
            "everybody, in other words",
            with("[\"svc-*\"]", "[\"svc-a\", \"?*\"]").replace("except = [\"svc-legacy\"]", "except = []"),
            &[(Code::CatchesPeople, "names")],
        ),
        ("nobody", with("[\"svc-*\"]", "[]"), &[(Code::NoSelection, "names")]),
        ("a pattern that is none", with("[\"svc-legacy\"]", "[\"ok\", \"svc-[\"]"), &[(Code::BadPattern, "except")]),
        ("an unknown placeholder", with("{name}", "{nmae}"), &[(Code::BadSecretName, "secret =")]),
        ("a brace too few", with("{name}", "{name"), &[(Code::BadSecretName, "secret =")]),
        ("a name that no vault takes", with("\"ncloud/", "\"/ncloud/"), &[(Code::BadSecretName, "secret =")]),
        (
            "a place in an emergency that is no whole number, or too far away",
            with("vault  = \"local\"", "vault  = \"local\"\npriority = 2147483648"),
            &[(Code::BadValue, "priority")],
        ),
        ("one secret for a whole rule", with("/{name}", ""), &[(Code::SharedSecret, "secret =")]),
        (
            "one name in two rules",
            adding(SECOND).replace("# second", "\nnames = [\"svc-batch\"] # second"),
            &[(Code::TwoOwners, "# second")],
        ),
        (
            "one pattern in two rules",
            adding(SECOND).replace("# second", "\nnames = [\"svc-*\"] # second"),
            &[(Code::TwoOwners, "# second")],
        ),
        (
            "one id in two rules",
            adding(SECOND)
                .replace("# second", "\nids = [\"u1\", \"u2\"] # second")
                .replace("names  = [\"svc-*\"]", "ids = [\"u2\"]"),
            &[(Code::TwoOwners, "# second")],
        ),
        (
            "one secret in two rules",
            adding(SECOND)
                .replace("# second", "\nnames = [\"batch\"]\nsecret = \"team/login\" # second")
                .replace("[\"svc-*\"]", "[\"svc-a\"]")
                .replace("\"ncloud/{tenant}/{kind}/{name}\"", "\"team/login\""),
            &[(Code::SharedSecret, "# second")],
        ),
    ]
}

#[test]
fn what_is_wrong_is_told_at_its_line() {
    for (title, text, expected) in cases() {
        let error = parse(&text).err().unwrap_or_else(|| panic!("{title}: was accepted"));
        let found: Vec<(Code, Option<usize>)> =
            error.problems().iter().map(|problem| (problem.kind(), problem.line())).collect();
        let codes: Vec<Code> = found.iter().map(|(code, _)| *code).collect();
        assert_eq!(codes, expected.iter().map(|(code, _)| *code).collect::<Vec<_>>(), "{title}\n{}", rendered(&error));
        for ((code, line), (_, content)) in found.iter().zip(expected) {
            let shown = line.and_then(|line| text.lines().nth(line - 1)).unwrap_or_default();
            assert!(shown.contains(content), "{title}: {code} points at {line:?} {shown:?}\n{}", rendered(&error));
        }
    }
}

#[test]
fn people_are_told_cause_place_and_remedy() {
    let told: Vec<String> = cases()
        .iter()
        .map(|(title, text, _)| format!("━━━ {title}\n\n{}", rendered(&parse(text).unwrap_err())))
        .collect();
    insta::assert_snapshot!("problems", told.join("\n"));
}

#[test]
fn every_kind_of_problem_is_tried_here() {
    let tried: Vec<Code> = cases().iter().flat_map(|(_, _, expected)| expected.iter().map(|(code, _)| *code)).collect();
    let elsewhere = [Code::MissingFile, Code::NoStateDirectory];
    for code in Code::ALL {
        assert!(tried.contains(&code) || elsewhere.contains(&code), "{code} is never provoked");
    }
    let labels: std::collections::BTreeSet<&str> = Code::ALL.iter().map(|code| code.label()).collect();
    assert_eq!(labels.len(), Code::ALL.len(), "two codes share a label");
}

/// Whatever else is wrong, and wherever: the secret is never shown.
#[test]
fn a_secret_in_the_file_is_never_shown() {
    let lines = [
        "access_key = { env = \"A\" } # HUNTER2",
        "access_key = { env = \"A#\" } # was: \"HUNTER2\"",
        "# HUNTER2",
        "access_key = \"HUNTER2\"",
        "access_key = 'HUNTER2",
        "access_key = HUNTER2",
        "access_key \"HUNTER2\"",
        "access_key = \"\"\"\nHUNTER2\nHUNTER2\"\"\"",
        "access_key = \"\"\"\nHUNTER2\nHUNTER2",
        "access_key = [\"HUNTER2\"]",
        "access_key = { value = \"HUNTER2\" }",
        "access_key = { env = \"A\", value = \"HUNTER2\" }",
        "access_key = { env = { key = \"HUNTER2\" } }",
        "access_key = { env = { env = \"HUNTER2\" } }",
        "access_key = { env = \"A\", value = \"HUNTER2 }",
        "access_key = { file = [{ file = \"HUNTER2\" }] }",
        "access_key = { env = [\"HUNTER2\"] }",
        "access_key.plain = \"HUNTER2\"",
        "\"access_key\" = \"HUNTER2\"",
        "ACCESS_KEY = \"HUNTER2\"",
        "acces = \"HUNTER2\"",
        "acces = \"HUNTER2",
        "credentials = \"HUNTER2\"",
        "secret = \"HUNTER2\"",
        "password = \"HUNTER2\"",
        "keys = \"HUNTER2\"",
        "keys = { access = \"HUNTER2\" }",
        "keys = HUNTER2",
        "proxy = \"http://me:HUNTER2@proxy.example\"",
        "proxy = 'http://me:HUNTER2@proxy.example",
        "proxy = http://me:HUNTER2@proxy.example",
        "proxy = \"me:HUNTER2@proxy.example:3128\"",
        "proxy = \"me:HUNTER2@proxy.example:3128",
        "proxy = [\"http://me:HUNTER2@proxy.example\"]",
        "proxy = { url = \"http://me:HUNTER2@proxy.example\" }",
        "https_proxy = \"http://me:HUNTER2@proxy.example\"",
        "# proxy = me:HUNTER2@proxy.example\nsite = 5",
        "endpoints = { sub_account = \"https://me:HUNTER2@sub.example\", data = 5 }",
        "proxy_credentials = \"me:HUNTER2\"",
        "proxy_credentials = \"me:HUNTER2",
        "proxy_credentials = { value = \"me:HUNTER2\" }",
        "proxy_credential = \"me:HUNTER2\"",
        "site = \"public\" # secret_key = \"HUNTER2\"",
        "# secret_key: HUNTER2\nsite = 5",
        "access_key = { env = \"A\" } # was access_key = \"HUNTER2\"\nsite = 5",
        "access_key = \"HUNTER2\"\nsite = = 5",
        "access_key = \"HUNTER2\nsite = 5",
    ];
    for line in lines {
        for rest in ["", "\nrate = 5\n", "\nrate = \"x\n", "\n= 1\n"] {
            let text = format!("[tenants.main]\n{line}{rest}");
            let error = parse(&text).unwrap_err();
            for told in [rendered(&error), error.to_string(), format!("{error:?}")] {
                assert!(!told.contains("HUNTER2"), "{text}\n\n{told}");
            }
        }
    }
    for (title, text, _) in cases() {
        let error = parse(&text).unwrap_err();
        assert!(!format!("{}{error:?}", rendered(&error)).contains("HUNTER2"), "{title}");
    }
    let identity = "[vaults.v]\nidentity = \"AGE-SECRET-KEY-1HUNTER2\"\npath = 5\n# AGE-SECRET-KEY-1HUNTER2\n";
    assert!(!rendered(&parse(identity).unwrap_err()).contains("HUNTER2"));
}

#[test]
fn the_contract_means_what_it_says() {
    let config = parse(GOOD).unwrap_or_else(|error| panic!("{}", rendered(&error)));
    assert_eq!(config.time_zone.iana_name(), Some("Asia/Seoul"));
    assert_eq!(config.state_dir(&Environment::empty()).unwrap(), Path::new("/var/lib/ncloud-rotator/state"));

    let tenant = &config.tenants["main"];
    assert_eq!((tenant.site, tenant.rate.to_string()), (Site::Public, "5/s".to_owned()));
    assert_eq!(tenant.gateway.signature_lifetime, SignedDuration::from_mins(5));
    assert_eq!(tenant.gateway.timeout, SignedDuration::from_mins(2));
    assert_eq!(tenant.gateway.max_clock_skew, SignedDuration::from_secs(30));
    let Reach::Gateway { keys, endpoints } = &tenant.reach else { panic!("{tenant:?}") };
    let [access, secret] = ["NCLOUD_ACCESS_KEY", "NCLOUD_SECRET_KEY"].map(|name| SecretSource::Env(name.into()));
    assert_eq!(keys, &KeyPlace::Pair(KeyPair { access, secret }));
    assert_eq!((tenant.api, tenant.format), (Api::V1, Format::Json));
    assert_eq!((tenant.expiration, &tenant.login_alias), (Setting::Follow, &Setting::Follow));
    let network = Network { request_timeout: SignedDuration::from_secs(30), proxy: None, ca_file: None };
    assert_eq!(tenant.network, network);
    for kind in Kind::ALL {
        assert_eq!(endpoints.of(kind).map(Endpoint::as_str), Some("http://127.0.0.1:8610"));
    }

    let Store::AgeDirectory(AgeDirectory { path, identity, recipients }) = &config.vaults["local"].store else {
        panic!()
    };
    assert_eq!(path, Path::new("/etc/rotator/vault"));
    assert_eq!(identity, &IdentitySource::File("/etc/rotator/identity.txt".into()));
    assert!(recipients.is_empty());

    let policy = &config.policies["default"];
    assert_eq!((policy.on_adopt, policy.expiration_days), (OnAdopt::Rotate, Some(90)));
    let avoid = Avoid::from(Profile::Url);
    assert_eq!(policy.password, PasswordSource::Made(Recipe { length: 16, avoid }));
    assert_eq!(policy.rotate_before, SignedDuration::from_hours(14 * 24));

    let [rule] = config.rules.as_slice() else { panic!("{:?}", config.rules) };
    assert_eq!((rule.tenant.as_str(), rule.kind, rule.vault.as_str()), ("main", Kind::SubAccount, "local"));
    assert_eq!(GOOD.lines().nth(rule.line - 1), Some("[[accounts]]"));
}

#[test]
fn every_key_of_a_tenant_means_what_it_says() {
    let text = with("\"public\"", "\"gov\"")
        .replace("{ length = 16, avoid = \"url\" }", "\"provider\"")
        .replace("access_key = { env = \"NCLOUD_ACCESS_KEY\" }\n", "")
        .replace(
            "secret_key = { env = \"NCLOUD_SECRET_KEY\" }",
            "keys = { server_role = \"rotator\", metadata = \"http://169.254.169.254/latest/\" }",
        )
        .replace(
            "rate       = \"5/s\"",
            "api = \"v2\"\nformat = \"xml\"\nexpiration = { enforce = 90 }\nlogin_alias = { enforce = \"acme\" }\n\
             request_timeout = \"1m\"\nproxy = \"http://proxy.example:3128\"\n\
             proxy_credentials = { env = \"PROXY\" }\nca_file = \"ca.pem\"",
        );
    let config = parse(&text).unwrap_or_else(|error| panic!("{}", rendered(&error)));
    let tenant = &config.tenants["main"];
    assert_eq!((tenant.api, tenant.format), (Api::V2, Format::Xml));
    assert_eq!(tenant.expiration, Setting::Enforce(PasswordExpiration::Days(90)));
    assert_eq!(tenant.login_alias, Setting::Enforce("acme".parse().unwrap()));
    let Reach::Gateway { keys, .. } = &tenant.reach else { panic!("{tenant:?}") };
    let metadata = Some("http://169.254.169.254/latest".to_owned());
    assert_eq!(keys, &KeyPlace::ServerRole(ServerRole { name: "rotator".into(), metadata }));
    assert_eq!(tenant.network.request_timeout, SignedDuration::from_mins(1));
    assert_eq!(tenant.network.ca_file.as_deref(), Some(Path::new("/etc/rotator/ca.pem")));
    let proxy = tenant.network.proxy.as_ref().unwrap();
    assert_eq!(proxy.to_string(), "http://proxy.example:3128");
    assert_eq!(proxy.credentials(), Some(&SecretSource::Env("PROXY".into())));
    assert_eq!(config.policies["default"].password, PasswordSource::Provider);

    let off =
        parse(&with("rate       = \"5/s\"", "expiration = { enforce = \"off\" }\nlogin_alias = \"follow\"")).unwrap();
    assert_eq!(off.tenants["main"].expiration, Setting::Enforce(PasswordExpiration::Off));
    let profile = with("access_key = { env = \"NCLOUD_ACCESS_KEY\" }\n", "")
        .replace("secret_key = { env = \"NCLOUD_SECRET_KEY\" }", "keys = { profile = \"DEFAULT\" }");
    let Reach::Gateway { keys, .. } = &parse(&profile).unwrap().tenants["main"].reach else { panic!() };
    let half = || SecretSource::Profile("DEFAULT".into());
    assert_eq!(keys, &KeyPlace::Pair(KeyPair { access: half(), secret: half() }));
}

#[test]
fn silence_means_the_defaults() {
    let text = "[tenants.t]\nsite = \"emulator\"\n[vaults.v]\nkind = \"age-directory\"\npath = \"../data/vault\"\n\
                [policies.default]\n[[accounts]]\ntenant = \"t\"\nkind = \"data-forest\"\nnames = [\"*\"]\nvault = \"v\"\n";
    let config = parse(text).unwrap_or_else(|error| panic!("{}", rendered(&error)));
    assert_eq!(config.time_zone.iana_name(), Some("Asia/Seoul"));
    let tenant = &config.tenants["t"];
    assert!(matches!(tenant.reach, Reach::BuiltIn { keys: None, accounts: None }));
    assert_eq!((tenant.gateway, tenant.rate.to_string()), (Gateway::default(), "5/s".to_owned()));
    let Store::AgeDirectory(AgeDirectory { identity, .. }) = &config.vaults["v"].store else { panic!() };
    assert_eq!(identity, &IdentitySource::File("/etc/data/identity.txt".into()), "beside the vault");
    let policy = &config.policies["default"];
    assert_eq!((policy.on_adopt, policy.expiration_days), (OnAdopt::Defer, None));
    assert_eq!(policy.password, PasswordSource::Made(default_recipe()));
    assert_eq!(policy.rotate_before, SignedDuration::from_hours(14 * 24));
    assert_eq!((policy.margin, policy.spread), (SignedDuration::from_hours(48), SignedDuration::from_hours(24)));
    assert_eq!((policy.assume_changed, &policy.calendar), (None, &Calendar::default()));
    assert_eq!((policy.first_run_cap.get(), policy.catch_up.to_string()), (100, "300/h".to_owned()));
    assert!(config.apart.is_empty());
    assert_eq!(config.rules[0].secret.to_string(), "ncloud/{tenant}/{kind}/{name}");
    assert_eq!((config.rules[0].priority, config.log_format), (0, LogFormat::Human));

    let home = Environment::from_lookup(|name| (name == "HOME").then(|| "/home/u".into()));
    assert_eq!(config.state_dir(&home).unwrap(), Path::new("/home/u/.local/state/ncloud-rotator"));
    let nowhere = config.state_dir(&Environment::empty()).unwrap_err();
    assert_eq!(nowhere.problems()[0].kind(), Code::NoStateDirectory);
}

#[test]
fn what_is_meant_is_accepted() {
    let everybody = with("[\"svc-*\"]", "[\"*\"]");
    let fine = [
        everybody.clone(),
        everybody.replace("except = [\"svc-legacy\"]", "include_people = true"),
        everybody.replace("except = [\"svc-legacy\"]", "ids = [\"u1\"]"),
        everybody.replace("except = [\"svc-legacy\"]\n", "").replace("\"sub-account\"", "\"data-forest\""),
        with("[\"svc-*\"]", "[\"svc-a\"]").replace("/{name}", ""),
        with("names  = [\"svc-*\"]", "ids = [\"u1\"]").replace("/{name}", ""),
        with("/{name}", "/{id}"),
        adding(SECOND).replace("# second", "\nnames = [\"svc-legacy\"]"),
        adding(SECOND).replace("# second", "\nnames = [\"batch-*\"]"),
        with("\"public\"", "\"fin\"").replace("\"sub-account\"", "\"data-forest\""),
        with("\"14d\"", "\"87d\""),
        with("\"14d\"", "\"89d\"\nmargin = \"1h\""),
        with("\"30s\"", "\"2s\""),
    ];
    for text in fine {
        parse(&text).unwrap_or_else(|error| panic!("{text}\n{}", rendered(&error)));
    }
}

#[test]
fn a_file_is_missed_only_by_who_needs_it() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("folder")).unwrap();
    let file = directory.path().join("rotator.toml");
    let text = with("{ env = \"NCLOUD_ACCESS_KEY\" }", "{ file = \"access\" }")
        .replace("{ env = \"NCLOUD_SECRET_KEY\" }", "{ file = \"folder\" }")
        .replace("rate       = \"5/s\"", "ca_file = \"ca.pem\"");
    fs::write(&file, &text).unwrap();
    let config = Config::load(&file, &Environment::empty()).unwrap();
    let error = config.check_files().unwrap_err();
    let found: Vec<_> = error.problems().iter().map(|problem| (problem.kind(), problem.line())).collect();
    assert_eq!(found, [6, 7, 10].map(|line| (Code::MissingFile, Some(line))));
    assert!(error.problems()[2].to_string().starts_with("the CA file "), "{error:?}");

    fs::write(directory.path().join("access"), "A").unwrap();
    fs::remove_dir(directory.path().join("folder")).unwrap();
    fs::write(directory.path().join("folder"), "S").unwrap();
    fs::write(directory.path().join("ca.pem"), "").unwrap();
    config.check_files().unwrap();
}

#[test]
fn a_configuration_that_is_not_there_is_said_to_be_missing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("absent.toml");
    for (path, prepare) in [(path.clone(), None), (directory.path().to_owned(), None), (path, Some(b"\xff\xfe"))] {
        if let Some(bytes) = prepare {
            fs::write(&path, bytes).unwrap();
        }
        let error = Config::read(&path).unwrap_err();
        assert_eq!(error.problems()[0].kind(), Code::MissingFile);
        let told = rendered(&error);
        assert!(error.to_string().contains(&*path.to_string_lossy()) && told.contains("--config"), "{told}");
    }
}

#[test]
fn every_shipped_configuration_can_be_used() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut configs = BTreeMap::new();
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    for path in files.filter(|path| path.extension().is_some_and(|ending| ending == "toml")) {
        let config = Config::read(&path).unwrap_or_else(|error| panic!("{}", rendered(&error)));
        configs.insert(path.file_name().unwrap().to_string_lossy().into_owned(), config);
    }
    let quickstart = &configs["quickstart.toml"];
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().unwrap().join("target/quickstart");
    let Store::AgeDirectory(AgeDirectory { path, identity, .. }) = &quickstart.vaults["local"].store else { panic!() };
    assert_eq!((path, identity), (&files.join("vault"), &IdentitySource::File(files.join("identity.txt"))));
    assert_eq!(quickstart.state_dir(&Environment::empty()).unwrap(), files.join("state"));
    let Reach::BuiltIn { accounts: Some(accounts), .. } = &quickstart.tenants["main"].reach else { panic!() };
    assert_eq!(accounts, &files.join("accounts.json"));
    assert!(configs.contains_key("example.toml"));
}

/// A line of something like a configuration.
fn line() -> impl Strategy<Value = String> {
    let known = "time_zone|state_dir|site|access_key|secret_key|endpoints|gateway|rate|emulator|kind|path|identity|\
                 recipients|rotate_before|expiration_days|keys|expiration|login_alias|proxy|proxy_credentials|ca_file|request_timeout|api|format|on_adopt|password|tenant|names|ids|except|policy|vault|secret|\
                 margin|spread|assume_changed|windows|blackouts|first_run_cap|catch_up|apart|apart_by|enabled|socket|x";
    let value = "\"[a-z0-9{}*/.~:=-]{0,12}\"|[0-9]{1,20}|true|\\[\\]|\\[\"[a-z*\\[]{0,4}\"(, [0-9])?\\]|\
                 \\{ (env|file|length|avoid|cron|lasts|from|sub_account|timeout|enforce|profile|server_role) = (\"[a-z0-9:/]{0,8}\"|-?[0-9]{1,3}) \\}|\"|\\{|'|\"\"\"|가";
    let header =
        "\\[(tenants|vaults|policies|admin)(\\.[a-c가]?){0,2}\\]|\\[\\[(accounts|tenants)\\]\\]|\\[accounts\\]|#.{0,9}";
    prop_oneof![
        4 => (known, value).prop_map(|(key, value)| format!("{key} = {value}")),
        2 => header.prop_map(|header| header),
        1 => "\\PC{0,30}".prop_map(|text| text),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_text_makes_it_panic(lines in prop::collection::vec(line(), 0..14), ends in "\n|\r\n") {
        if let Err(error) = parse(&lines.join(&ends)) {
            prop_assert!(!error.problems().is_empty());
            rendered(&error);
        }
    }

    #[test]
    fn no_damage_to_a_good_configuration_makes_it_panic(at in 0..GOOD.len(), length in 0..40_usize, new in "\\PC{0,6}|[\"'{}\\[\\]=\n#]{1,3}") {
        let end = (at + length).min(GOOD.len());
        if let Err(error) = parse(&format!("{}{new}{}", &GOOD[..at], &GOOD[end..])) {
            prop_assert!(!error.problems().is_empty());
            rendered(&error);
        }
    }
}
