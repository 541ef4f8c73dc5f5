//! What is made from the program's own types and published beside them: the schema and the reference of the configuration,
//! and the man pages. `UPDATE_ARTEFACTS=1 cargo test --test artefacts` makes them anew.
#![expect(
    clippy::unwrap_used,
    reason = "this whole file is a test; clippy excuses test functions only, and not what they call"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use clap::ValueEnum;
use clap_complete::Shell;
use jsonschema::Validator;
use ncloud_rotator::cli::artefacts::{completions, man_pages};
use ncloud_rotator::config::{Config, reference, schema, schema_text};
use ncloud_rotator::daemon::admin_api_text;
use ncloud_rotator::domain::account::Kind;
use ncloud_rotator::domain::audit::What;
use ncloud_rotator::domain::password::{Avoid, Profile, complies, specials};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares what is published with what is made, or publishes it when that is asked for.
#[expect(clippy::disallowed_methods, reason = "a test asks its own environment")]
fn published(path: &str, made: &[u8]) {
    let file = root().join(path);
    if std::env::var_os("UPDATE_ARTEFACTS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, made).unwrap();
    }
    let there = fs::read(&file).unwrap_or_default();
    assert!(there == made, "{path} is not what is made today: UPDATE_ARTEFACTS=1 cargo test --test artefacts");
}

fn validator() -> Validator {
    jsonschema::validator_for(&schema()).unwrap()
}

fn complaints(text: &str) -> Vec<String> {
    let document: Value = toml::from_str(text).unwrap();
    validator().iter_errors(&document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn is_read(text: &str) -> bool {
    Config::parse(text, "rotator.toml", Path::new("/etc/rotator")).is_ok()
}

fn shipped() -> Vec<(PathBuf, String)> {
    let files = fs::read_dir(root().join("config")).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|ending| ending == "toml"));
    let files: Vec<_> = files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();
    assert!(files.len() >= 2);
    files
}

#[test]
fn what_is_published_is_what_is_made() {
    published("config/schema.json", schema_text().as_bytes());
    published("docs/admin-api.json", admin_api_text().as_bytes());
    published("docs/configuration.md", reference().as_bytes());
    let pages = man_pages().unwrap();
    for page in &pages {
        published(&format!("docs/man/{}", page.file), &page.text);
    }
    let made: BTreeSet<String> = pages.into_iter().map(|page| page.file).collect();
    let there = fs::read_dir(root().join("docs/man")).unwrap();
    let there: BTreeSet<String> = there.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there, made, "pages of commands that are gone");
}

#[test]
fn the_schema_is_one() {
    jsonschema::meta::validate(&schema()).unwrap();
}

#[test]
fn every_shipped_configuration_is_valid_and_leads_editors_to_the_schema() {
    for (path, text) in shipped() {
        assert_eq!(complaints(&text), [] as [String; 0], "{}", path.display());
        let first = text.lines().next().unwrap();
        let schema = first.strip_prefix("#:schema ").unwrap_or_else(|| panic!("{}: {first}", path.display()));
        assert_eq!(path.with_file_name(schema).canonicalize().unwrap(), root().join("config/schema.json"));
    }
}

/// Every key of every table, by the schema.
fn keys() -> Vec<(String, String)> {
    let schema = schema();
    let root = "Configuration".to_owned();
    let tables = schema["definitions"].as_object().unwrap().iter().chain([(&root, &schema)]);
    let keys = |(table, schema): (&String, &Value)| -> Vec<(String, String)> {
        let keys = schema["properties"].as_object().into_iter().flat_map(serde_json::Map::keys);
        keys.map(|key| (table.clone(), key.clone())).collect()
    };
    tables.flat_map(keys).collect()
}

#[test]
fn the_example_and_the_reference_show_every_key() {
    let example = fs::read_to_string(root().join("config/example.toml")).unwrap();
    let reference = reference();
    assert!(keys().len() > 50);
    for (table, key) in keys() {
        assert!(reference.contains(&format!("- **`{key}`**:")), "the reference lacks {table}.{key}");
        let is_set = |(at, _): (usize, &str)| {
            let parted = !example[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            parted && example[at + key.len()..].trim_start_matches(' ').starts_with('=')
        };
        let is_table = || {
            [format!("[{key}."), format!("[[{key}]]"), format!("\n[{key}]\n")]
                .iter()
                .any(|header| example.contains(header))
        };
        let is_shown = example.match_indices(&key).any(is_set) || is_table();
        assert!(is_shown, "config/example.toml lacks {table}.{key}");
    }
}

#[test]
fn every_link_of_the_reference_leads_to_a_heading() {
    let reference = reference();
    let anchor = |heading: &str| -> String {
        let plain = heading.to_lowercase();
        let kept = plain.chars().filter(|c| c.is_alphanumeric() || "_- ".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    let headings: Vec<String> = reference
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim_start()))
        .collect();
    let unique: BTreeSet<&String> = headings.iter().collect();
    assert_eq!(unique.len(), headings.len(), "two headings share an anchor");
    let links: Vec<&str> =
        reference.split("](#").skip(1).map(|rest| rest.split_once(')').map_or(rest, |(link, _)| link)).collect();
    assert!(links.len() > 30);
    for link in links {
        assert!(headings.iter().any(|heading| heading == link), "#{link} leads nowhere");
    }
    for file in reference.split("](").skip(1).filter(|rest| !rest.starts_with(['#', 'h'])) {
        let file = file.split_once(')').map_or(file, |(file, _)| file);
        assert!(root().join("docs").join(file).exists(), "{file} is not there");
    }
}

/// Whoever reads a history finds each event's meaning, and none that no version writes.
#[test]
fn the_page_on_the_journal_tells_of_every_event() {
    let page = fs::read_to_string(root().join("docs/journal.md")).unwrap();
    let table = page.split("| event |").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = table.lines().filter_map(|row| row.strip_prefix("| `")?.split('|').next());
    let told: Vec<&str> = names.flat_map(|names| names.split('`').step_by(2)).collect();
    let unique: BTreeSet<&str> = told.iter().copied().collect();
    assert_eq!(unique.len(), told.len(), "one event has two rows: {told:?}");
    assert_eq!(unique, What::ALL.iter().map(|what| what.label()).collect());
}

#[test]
fn the_page_on_passwords_says_what_each_profile_leaves() {
    let page = fs::read_to_string(root().join("docs/passwords.md")).unwrap();
    let all = specials(Kind::SubAccount);
    assert!(Kind::ALL.iter().all(|kind| specials(*kind) == all));
    for profile in Profile::ALL {
        let row = page.lines().find(|line| line.starts_with(&format!("| `\"{profile}\"` |"))).unwrap();
        let avoid = Avoid::from(profile);
        let left: Vec<String> = all.chars().filter(|c| !avoid.forbids(*c)).map(|c| format!("`{c}`")).collect();
        let left = if left.len() == all.len() { "all".to_owned() } else { left.join(" ") };
        let told: BTreeSet<&str> = row.split(" | ").nth(2).unwrap().split(' ').collect();
        assert_eq!(told, left.split(' ').collect(), "{profile}");
    }
}

const GOOD: &str = r#"time_zone = "Asia/Seoul"
[tenants.main]
site = "public"
access_key = { env = "A" }
secret_key = { env = "S" }
[vaults.local]
kind = "age-directory"
path = "vault"
[policies.default]
password = { length = 16, avoid = "url" }
[[accounts]]
tenant = "main"
kind = "sub-account"
names = ["svc-*"]
vault = "local"
"#;

#[test]
fn what_an_editor_can_find_is_found() {
    assert!(is_read(GOOD) && complaints(GOOD).is_empty());
    for (old, new) in [
        ("time_zone =", "timezone ="),
        ("\"Asia/Seoul\"", "9"),
        ("\"public\"", "\"publik\""),
        ("site = \"public\"\n", ""),
        ("access_key = { env = \"A\" }", "access_key = \"HUNTER2\""),
        ("access_key = { env = \"A\" }", "access_key = { env = \"A\", file = \"a\" }"),
        ("access_key = { env = \"A\" }", "access_key = {}"),
        ("access_key = { env = \"A\" }", "access_key = { env = \"NOT A NAME\" }"),
        ("access_key = { env = \"A\" }\n", ""),
        ("access_key = { env = \"A\" }\nsecret_key = { env = \"S\" }\n", ""),
        ("access_key = { env = \"A\" }\n", "keys = { profile = \"a\" }\n"),
        ("access_key = { env = \"A\" }\nsecret_key = { env = \"S\" }\n", "keys = {}\n"),
        ("secret_key =", "api = \"v2\"\nsecret_key ="),
        ("secret_key =", "format = \"yaml\"\nsecret_key ="),
        ("secret_key =", "expiration = 90\nsecret_key ="),
        ("secret_key =", "expiration = { enforce = 91 }\nsecret_key ="),
        ("secret_key =", "login_alias = { enforce = \"ACME\" }\nsecret_key ="),
        ("secret_key =", "rate = \"0/s\"\nsecret_key ="),
        ("secret_key =", "request_timeout = 30\nsecret_key ="),
        ("secret_key =", "request_timeout = \"5 minutes\"\nsecret_key ="),
        ("secret_key =", "proxy = \"http://me:HUNTER2@proxy.example\"\nsecret_key ="),
        ("secret_key =", "proxy_credentials = { env = \"P\" }\nsecret_key ="),
        ("secret_key =", "emulator = \"a.json\"\nsecret_key ="),
        ("secret_key =", "endpoints = { sub_account = \"host.example\" }\nsecret_key ="),
        ("path = \"vault\"\n", ""),
        ("\"vault\"", "\"~/vault\""),
        ("\"vault\"\n", "\"vault\"\nproxy = \"http://proxy.example\"\n"),
        ("\"vault\"\n", "\"vault\"\nrecipients = [\"AGE-SECRET-KEY-1\"]\n"),
        ("\"vault\"\n", "\"vault\"\nregion = \"eu-west-1\"\n"),
        ("kind = \"age-directory\"\npath = \"vault\"\n", "kind = \"aws-secrets-manager\"\n"),
        ("kind = \"age-directory\"\npath = \"vault\"\n", "kind = \"aws-secrets-manager\"\nregion = \"Seoul\"\n"),
        ("age-directory\"\n", "aws-secrets-manager\"\nregion = \"eu-west-1\"\n"),
        ("length = 16", "length = 0"),
        ("\"url\"", "\"urls\""),
        ("{ length = 16, avoid = \"url\" }", "\"HUNTER2\""),
        ("[policies.default]", "[policies.default]\nexpiration_days = 91"),
        ("[policies.default]", "[policies.\"a b\"]"),
        ("[policies.default]", "[policies.default]\nmargin = 2"),
        ("[policies.default]", "[policies.default]\nspread = \"some\""),
        ("[policies.default]", "[policies.default]\nassume_changed = \"last year\""),
        ("[policies.default]", "[policies.default]\nfirst_run_cap = 0"),
        ("[policies.default]", "[policies.default]\ncatch_up = \"60\""),
        ("[policies.default]", "[policies.default]\nwindows = [{ cron = \"0 0 2 * * *\", lasts = \"3h\" }]"),
        ("[policies.default]", "[policies.default]\nwindows = [{ cron = \"0 2 * * *\" }]"),
        ("[policies.default]", "[policies.default]\nblackouts = [{ from = \"2026-12-24\" }]"),
        ("[policies.default]", "[policies.default]\nblackouts = [{ from = \"24 December\", to = \"2026-12-24\" }]"),
        (
            "[policies.default]",
            "[policies.default]\nblackouts = [{ from = \"2026-12-24\", to = \"2026-12-24\", cron = \"0 2 * * *\", lasts = \"3h\" }]",
        ),
        ("time_zone =", "apart = [[\"svc-a\"]]\ntime_zone ="),
        ("\"sub-account\"", "\"subaccount\""),
        ("names = [\"svc-*\"]\n", ""),
        ("vault = \"local\"", "vault = \"local\"\ncolour = \"red\""),
    ] {
        assert_eq!(GOOD.matches(old).count(), 1, "{old:?}");
        let text = GOOD.replace(old, new);
        assert!(!is_read(&text), "the program reads\n{text}");
        assert!(!complaints(&text).is_empty(), "the schema passes\n{text}");
    }
    let (before, _) = GOOD.split_once("[[accounts]]").unwrap();
    assert!(!is_read(before) && !complaints(before).is_empty());
}

/// One of these values for a key, or the key left out.
fn maybe(key: &'static str, values: &'static [&'static str]) -> impl Strategy<Value = String> {
    let value = prop::sample::select(values).prop_map(move |value| format!("{key} = {value}\n"));
    prop_oneof![2 => Just(String::new()), 1 => value]
}

fn sources() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&[
        "access_key = { env = \"A\" }\nsecret_key = { file = \"key\" }\n",
        "access_key = { credential = \"a.key\" }\nsecret_key = { profile = \"DEFAULT\" }\n",
        "keys = { profile = \"my profile\" }\n",
        "keys = { server_role = \"rotator-1\" }\n",
        "keys = { server_role = \"r\", metadata = \"http://127.0.0.1:8610/door/metadata/\" }\n",
        "keys = { server_role = \"r\", profile = \"p\" }\n",
        "access_key = { env = \"A\" }\n",
        "",
    ] as &[_])
}

fn tenant() -> impl Strategy<Value = String> {
    let endpoints: &[_] = &[
        "{}",
        "{ sub_account = \"HTTPS:///Sub.example:8443/\" }",
        "{ data_forest = \"http://[::1]:1\", sub_account = \"http://localhost\" }",
        "{ data_forest = \"http://df.example\" }",
    ];
    let gateway: &[_] =
        &["{}", "{ timeout = \"1d1h1m1s\", max_clock_skew = \"2s\" }", "{ signature_lifetime = \"0s\" }"];
    let first = (
        prop::sample::select(&["public", "gov", "fin", "emulator"] as &[_]),
        sources(),
        maybe("endpoints", endpoints),
        maybe("api", &["\"v1\"", "\"v2\""]),
        maybe("format", &["\"json\"", "\"xml\""]),
        maybe("expiration", &["\"follow\"", "{ enforce = 180 }", "{ enforce = \"off\" }", "{ enforce = \"on\" }"]),
        maybe("login_alias", &["\"follow\"", "{ enforce = \"a1b\" }", "{ enforce = \"00000000000000000000\" }"]),
    );
    let second = (
        maybe("gateway", gateway),
        maybe("rate", &["\"5/s\"", "\"0007/h\"", "\"4294967295/m\"", "\"1/d\""]),
        maybe("request_timeout", &["\"1s\"", "\"5m\"", "\"4m59s\"", "\"5m1s\""]),
        maybe("proxy", &["\"http://proxy.example:3128\"", "\"https://[::1]/\"", "\"HTTP://proxy\"", "\"proxy\""]),
        maybe("proxy_credentials", &["{ env = \"_P1\" }", "{ file = \"/run/p\" }", "{ credential = \"p\" }"]),
        maybe("ca_file", &["\"ca.pem\"", "\"../~ca\"", "\"\""]),
        maybe("emulator", &["\"a.json\""]),
    );
    (first, second).prop_map(|((site, sources, a, b, c, d, e), (f, g, h, i, j, k, l))| {
        format!("[tenants.main]\nsite = \"{site}\"\n{sources}{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}{k}{l}")
    })
}

fn aws() -> impl Strategy<Value = String> {
    let roles: &[_] = &["\"arn:aws:iam::123456789012:role/a/b\"", "\"arn:aws-cn:iam::123456789012:role/x\"", "\"x\""];
    let first = (
        prop::sample::select(&["ap-northeast-2", "us-gov-west-1", "eu-isoe-west-1", "x"] as &[_]),
        maybe("endpoint_url", &["\"https://vpce.example\"", "\"HTTP://127.0.0.1:1\"", "\"http://x\""]),
        maybe("kms_key_id", &["\"alias/a\"", "\"arn:aws:kms:ap-northeast-2:1:key/0-1\"", "\"\""]),
        maybe("tags", &["{}", "{ a = \"1\", \"b c\" = \"\" }", "{ \"가\" = \"나\" }", "{ \"aws:a\" = \"1\" }"]),
        maybe("role_arn", roles),
    );
    let second = (
        maybe("settle", &["\"1s\"", "\"1m1s\"", "\"0s\""]),
        maybe("writes", &["\"40/s\"", "\"1/h\"", "\"0/s\""]),
        maybe("sole", &["true", "false"]),
        maybe("request_timeout", &["\"1s\"", "\"5m1s\""]),
        maybe("ca_file", &["\"ca.pem\""]),
    );
    (first, second).prop_map(|((region, a, b, c, d), (e, f, g, h, i))| {
        format!("kind = \"aws-secrets-manager\"\nregion = \"{region}\"\n{a}{b}{c}{d}{e}{f}{g}{h}{i}")
    })
}

fn rest() -> impl Strategy<Value = String> {
    let recipients: &[_] =
        &["[]", "[\"age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg\"]", "[\"age1\"]"];
    let password: &[_] = &[
        "\"provider\"",
        "{}",
        "{ length = 8 }",
        "{ length = 20, avoid = \"jdbc\" }",
        "{ avoid = \"!-/+\" }",
        "{ avoid = \"[]\\\\`{|}~^_:;<=>?@#$%&'()*.\\\"\" }",
        "{ avoid = \"$,\" }",
    ];
    let age = (maybe("identity", &["{ file = \"id\" }", "{ credential = \"id\" }"]), maybe("recipients", recipients))
        .prop_map(|(c, d)| format!("kind = \"age-directory\"\npath = \"v\"\n{c}{d}"));
    let vault = prop_oneof![age, aws()];
    let policy = (
        maybe("rotate_before", &["\"14d\"", "\"1m1s\"", "\"90d\"", "\"9999d\""]),
        maybe("margin", &["\"1d\"", "\"0s\"", "\"80d\""]),
        maybe("expiration_days", &["60", "90", "180"]),
        maybe("on_adopt", &["\"defer\"", "\"rotate\""]),
        maybe("password", password),
    );
    let windows: &[_] = &[
        "[]",
        "[{ cron = \"0 2 * * Tue-Thu\", lasts = \"3h\" }]",
        "[{ cron = \" 0  2 L\\t2 * \", lasts = \"3h\", time_zone = \"UTC\" }, { cron = \"*/5 0-6 ? * sun#1\", lasts = \"1m\" }]",
        "[{ cron = \"0 2 * *\", lasts = \"3h\" }]",
    ];
    let blackouts: &[_] = &[
        "[]",
        "[{ from = \"2026-12-24\", to = \"2026-12-24\" }]",
        "[{ from = \"2026-12-24T18:00\", to = \"2026-12-26T00:00\", time_zone = \"Europe/Berlin\" }]",
        "[{ cron = \"0 0 * * Sun\", lasts = \"1d\" }]",
        "[{ from = \"2026-12-24 18:00\", to = \"20261226\" }]",
        "[{ cron = \"0 0 * * *\", to = \"2026-12-24\" }]",
    ];
    let schedule = (
        maybe("spread", &["\"0s\"", "\"12h\"", "\"0\""]),
        maybe("assume_changed", &["\"2026-01-31\"", "\"2026-02-31\"", "\"2026-01-31T00:00\""]),
        maybe("time_zone", &["\"UTC\"", "\"Mars\""]),
        maybe("windows", windows),
        maybe("blackouts", blackouts),
        maybe("first_run_cap", &["1", "4294967295", "0"]),
        maybe("catch_up", &["\"60/h\"", "\"60/d\""]),
    );
    let schedule = schedule.prop_map(|(a, b, c, d, e, f, g)| format!("{a}{b}{c}{d}{e}{f}{g}"));
    let rule = (
        prop::sample::select(&["sub-account", "data-forest"] as &[_]),
        prop_oneof![
            4 => Just("names = [\"svc-*\", \"{a,b}\"]\n"),
            1 => Just("ids = [\"1\", \" x \"]\n"),
            1 => Just("names = [\"\"]\nids = []\n"),
            1 => Just("names = [\"*\"]\n"),
        ],
        maybe("except", &["[]", "[\"svc-legacy\"]"]),
        maybe("include_people", &["true", "false"]),
        maybe("secret", &["\"{id}\"", "\"a=b/{name}@x\"", "\"one\"", "\"\""]),
    );
    let top = (
        maybe("time_zone", &["\"UTC\"", "\"Mars\""]),
        maybe("state_dir", &["\"/s\"", "\"s\"", "\"~/s\""]),
        maybe("apart", &["[]", "[[\"a\", \"b/c\"], [\" x\", \"y\", \"z\"]]", "[[\"a\"]]"]),
        maybe("apart_by", &["\"36h\"", "\"0s\""]),
    );
    let top = top.prop_map(|(a, b, c, d)| format!("{a}{b}{c}{d}"));
    (top, vault, policy, schedule, rule).prop_map(|(top, c, (e, f, g, h, i), schedule, (kind, names, j, k, l))| {
        format!(
            "{top}[vaults.v-1]\n{c}[policies.default]\n{e}{f}{g}{h}{i}{schedule}\
             [[accounts]]\ntenant = \"main\"\nkind = \"{kind}\"\nvault = \"v-1\"\n{names}{j}{k}{l}"
        )
    })
}

#[test]
fn whatever_the_program_reads_is_valid() {
    let validator = validator();
    let usual = GOOD.split_once("[vaults.local]").unwrap();
    let tenants = tenant().prop_map(move |tenant| format!("{tenant}[vaults.local]{}", usual.1));
    let others = rest().prop_map(|rest| format!("{rest}[tenants.main]\nsite = \"emulator\"\n"));
    let mut runner = TestRunner::deterministic();
    for strategy in [tenants.boxed(), others.boxed()] {
        let mut read = 0;
        for _ in 0..4000 {
            let text = strategy.new_tree(&mut runner).unwrap().current();
            if is_read(&text) {
                read += 1;
                let document: Value = toml::from_str(&text).unwrap();
                let complaint = validator.iter_errors(&document).next();
                assert!(complaint.is_none(), "{}\n\n{text}", complaint.unwrap());
            }
        }
        assert!(read > 200, "only {read} of the configurations could be read");
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ncloud-rotator"));
    command.env_remove("NCLOUD_ROTATOR_CONFIG").env_remove("LOG_SENSITIVE_BODIES").current_dir(root());
    command
}

fn output(command: &mut Command) -> String {
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

fn json(command: &mut Command) -> Value {
    serde_json::from_str(&output(command.arg("--json"))).unwrap()
}

#[test]
fn the_program_tells_of_itself_without_a_configuration() {
    assert_eq!(output(program().args(["config", "schema"])), schema_text());
    assert_eq!(json(program().args(["config", "schema"])), schema());
    assert_eq!(output(program().args(["config", "reference"])), reference());
    let folder = tempfile::tempdir().unwrap();
    output(program().args(["man", "--out"]).arg(folder.path()));
    for page in man_pages().unwrap() {
        assert_eq!(fs::read(folder.path().join(page.file)).unwrap(), page.text);
    }
    program().args(["man", "--out"]).arg(folder.path().join("absent")).assert().code(69);
}

#[test]
fn every_shell_and_every_man_page_knows_every_command() {
    let pages = man_pages().unwrap();
    let commands = [
        "run",
        "rotate",
        "status",
        "accounts",
        "account",
        "secret",
        "history",
        "audit",
        "check",
        "tenant",
        "generate",
        "config",
        "emulator",
        "completions",
    ];
    for shell in Shell::value_variants() {
        let script = String::from_utf8(completions(*shell)).unwrap();
        for command in commands {
            assert!(script.contains(command), "{shell} does not complete {command}");
        }
        assert_eq!(output(program().args(["completions", &shell.to_string()])).trim_end(), script.trim_end());
    }
    for command in commands {
        assert!(pages.iter().any(|page| page.file == format!("ncloud-rotator-{command}.1")), "{command}");
    }
    assert!(pages.iter().any(|page| page.file == "ncloud-rotator-tenant-set-login-alias.1"));
}

#[test]
fn generated_passwords_follow_the_policy() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rotator.toml");
    let strict = "[policies.strict]\npassword = { length = 8, avoid = \"shell\" }\n\
                  [policies.theirs]\npassword = \"provider\"\n[policies.long]\npassword = { length = 20 }\n[[accounts]]";
    fs::write(&file, GOOD.replace("[[accounts]]", strict)).unwrap();
    let generate = |words: &[&str]| {
        let mut command = program();
        command.args(["generate", "--kind", "sub-account"]).args(words).arg("--config").arg(&file);
        command
    };

    let plain = json(program().args(["generate", "--kind", "data-forest", "--count", "3"]));
    assert_eq!((&plain["kind"], &plain["policy"]), (&"data-forest".into(), &Value::Null));
    let drawn: BTreeSet<&str> = plain["passwords"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(drawn.len(), 3);
    assert!(drawn.iter().all(|text| text.len() == 16 && complies(Kind::DataForest, "", text).is_ok()));

    let strict = json(&mut generate(&["--policy", "strict", "--count", "50"]));
    let avoid = Avoid::from(Profile::Shell);
    let drawn: Vec<&str> = strict["passwords"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(drawn.len() == 50 && drawn.iter().all(|text| text.len() == 8 && !text.contains(|c| avoid.forbids(c))));
    let bits = |answer: &Value| answer["entropy_bits"].as_f64().unwrap();
    assert!((40.0..60.0).contains(&bits(&strict)) && bits(&plain) > 90.0, "{strict} {plain}");
    let table = output(&mut generate(&["--policy", "strict"]));
    assert!(table.contains("PASSWORD") && table.contains(&format!("{:.1} bits", bits(&strict))), "{table}");

    for (words, code, told) in [
        (["--policy", "absent"], 64, "strict"),
        (["--policy", "theirs"], 64, "provider"),
        (["--policy", "long"], 78, "8 to 16"),
    ] {
        let failed = generate(&words).assert().code(code);
        assert!(String::from_utf8_lossy(&failed.get_output().stderr).contains(told), "{words:?}");
    }
    program().args(["generate", "--kind", "sub-account", "--policy", "strict"]).assert().code(78);
}

#[test]
fn nothing_goes_near_a_network_while_bodies_are_logged() {
    let near: [&[&str]; 8] = [
        &["run"],
        &["rotate", "--all"],
        &["accounts"],
        &["secret", "show", "svc-batch"],
        &["check"],
        &["tenant", "show"],
        &["emulator", "--listen", "127.0.0.1:0"],
        &["tenant", "set-expiration", "90", "--yes"],
    ];
    for words in near {
        let mut command = program();
        command.args(words).args(["--config", "config/quickstart.toml"]).env("LOG_SENSITIVE_BODIES", "false");
        let refused = command.assert().code(78);
        let told = String::from_utf8_lossy(&refused.get_output().stderr).into_owned();
        assert!(told.contains("LOG_SENSITIVE_BODIES"), "{words:?}: {told}");
    }
    let far: [&[&str]; 3] = [&["check", "--offline"], &["config", "schema"], &["generate", "--kind", "sub-account"]];
    for words in far {
        let mut command = program();
        command.args(words).args(["--config", "config/quickstart.toml"]).env("LOG_SENSITIVE_BODIES", "true");
        command.assert().success();
    }
}
