//! Where keys come from, and what happens when they are replaced while the daemon is up.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use jiff::Timestamp;
use ncloud_rotator::emulator::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY};
use nix::sys::signal::Signal;
use rstest::rstest;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::process::{Running, until};

const NEW: [&str; 2] = ["NEWACCESS0123456789", "NewSecret0123456789abcdefghijklmnopqrstu"];
const DEMO: [&str; 2] = [DEMO_ACCESS_KEY, DEMO_SECRET_KEY];

/// A way to keep a pair in files, and how the configuration says it.
#[derive(Debug, Clone, Copy)]
enum Place {
    File,
    Credential,
    Profile,
    BothOfAProfile,
}

impl Place {
    fn bench(self) -> Bench {
        let bench = Bench::new();
        let pair = "access_key = { env = \"NCLOUD_ACCESS_KEY\" }\nsecret_key = { env = \"NCLOUD_SECRET_KEY\" }";
        let told = match self {
            Self::File => "access_key = { file = \"access\" }\nsecret_key = { file = \"secret\" }",
            Self::Credential => "access_key = { credential = \"access\" }\nsecret_key = { credential = \"secret\" }",
            Self::Profile => "access_key = { profile = \"rotator\" }\nsecret_key = { profile = \"rotator\" }",
            Self::BothOfAProfile => "keys = { profile = \"rotator\" }",
        };
        bench.edit(pair, told);
        self.write(&bench, DEMO);
        bench
    }

    fn write(self, bench: &Bench, [access, secret]: [&str; 2]) {
        match self {
            Self::File => {
                write_private(&bench.path("access"), &format!("{access}\n"));
                write_private(&bench.path("secret"), &format!("{secret}\n"));
            }
            Self::Credential => {
                fs::create_dir_all(bench.path("credentials")).unwrap();
                write_private(&bench.path("credentials/access"), access);
                write_private(&bench.path("credentials/secret"), secret);
            }
            Self::Profile | Self::BothOfAProfile => {
                fs::create_dir_all(bench.path(".ncloud")).unwrap();
                let text = format!(
                    "[DEFAULT]\nncloud_access_key_id = no\nncloud_secret_access_key = no\n\n\
                     [rotator]\nncloud_access_key_id = {access}\nncloud_secret_access_key = {secret}\n"
                );
                write_private(&bench.path(".ncloud/configure"), &text);
            }
        }
    }
}

fn write_private(path: &Path, text: &str) {
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::set_permissions(&next, fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(next, path).unwrap();
}

/// Without keys in the environment, and with a directory of credentials.
fn start(bench: &Bench, words: &str) -> Running {
    let mut command = bench.command(&words.split_whitespace().collect::<Vec<_>>());
    command.env_remove("NCLOUD_ACCESS_KEY").env_remove("NCLOUD_SECRET_KEY");
    command.env("CREDENTIALS_DIRECTORY", bench.path("credentials"));
    bench.start_command(command)
}

fn keys(bench: &Bench, change: &Value) {
    bench.emulator.door("POST", "/door/keys", Some(change));
}

fn add(bench: &Bench, [access, secret]: [&str; 2]) {
    keys(bench, &json!({ "op": "add", "access_key": access, "secret_key": secret }));
}

fn remove(bench: &Bench, [access, _]: [&str; 2]) {
    keys(bench, &json!({ "op": "remove", "access_key": access }));
}

/// The daemon, with one account's request held at the provider; it will have to be sent again.
fn daemon(bench: &Bench) -> Running {
    bench.emulator.fault_once("svc-batch", &json!({ "hold": { "then": "drop-before" } }));
    let running = start(bench, "run");
    bench.emulator.until_sent("svc-batch", 1);
    running
}

/// The request is lost, and the daemon gets the account through all the same.
fn rotates_at_last(bench: &Bench, running: Running) {
    bench.emulator.release();
    running.says_so(
        |said| said.lines().any(|line| line.contains("event=\"rotated\"") && line.contains("svc-batch")),
        "that it is rotated",
    );
    running.signal(Signal::SIGINT);
    running.finish().ends_with(0);
    bench.is_settled("svc-batch", 1);
}

#[rstest]
fn keys_are_read_from(#[values(Place::File, Place::Credential, Place::Profile, Place::BothOfAProfile)] place: Place) {
    let bench = place.bench();
    start(&bench, "rotate svc-batch df001").finish().ends_with(0);
    bench.is_settled("svc-batch", 1);
    bench.is_settled("df001", 1);
    place.write(&bench, [DEMO_ACCESS_KEY, "another"]);
    start(&bench, "rotate svc-batch").finish().ends_with(77);
}

#[rstest]
#[case(Place::Profile, 0)]
#[case(Place::BothOfAProfile, 0)]
#[case(Place::File, 77)]
#[case(Place::Credential, 77)]
fn the_environment_wins_over_a_profile_and_over_nothing_else(#[case] place: Place, #[case] code: i32) {
    let bench = place.bench();
    place.write(&bench, ["no", "no"]);
    let mut command = bench.command(&["rotate", "svc-batch"]);
    command.env("CREDENTIALS_DIRECTORY", bench.path("credentials"));
    bench.run_command(command).ends_with(code);
    place.write(&bench, DEMO);
    let mut command = bench.command(&["accounts"]);
    command.env("CREDENTIALS_DIRECTORY", bench.path("credentials"));
    bench.run_command(command).ends_with(0);
}

#[rstest]
#[case(Place::File, "access", 78)]
#[case(Place::Credential, "credentials/access", 77)]
#[case(Place::Profile, ".ncloud/configure", 77)]
fn a_file_that_is_missing_is_named(#[case] place: Place, #[case] file: &str, #[case] code: i32) {
    let bench = place.bench();
    fs::remove_file(bench.path(file)).unwrap();
    for words in ["rotate svc-batch", "check", "tenant show"] {
        start(&bench, words).finish().ends_with(code).mentions(&bench.path(file).display().to_string());
    }
}

#[rstest]
fn keys_that_are_replaced_under_the_daemon_are_used_without_a_restart(
    #[values(Place::File, Place::Credential, Place::BothOfAProfile)] place: Place,
) {
    let bench = place.bench();
    let running = daemon(&bench);
    add(&bench, NEW);
    place.write(&bench, NEW);
    remove(&bench, DEMO);
    rotates_at_last(&bench, running);
}

/// First the files, and the gateway hears of the new pair only later.
#[test]
fn a_new_pair_that_the_gateway_does_not_know_yet_does_not_stop_the_old_one_for_long() {
    let bench = Place::File.bench();
    let running = daemon(&bench);
    Place::File.write(&bench, NEW);
    rotates_at_last(&bench, running);
    let refused = bench.emulator.calls("sub-accounts").into_iter().filter(|entry| entry["status"] == 401).count();
    // Whatever is on its way when the pair is replaced finds out for itself: once signed, once afresh, and a probe.
    assert!((1..=6).contains(&refused), "the new pair is tried first, and not on and on: {refused}");
}

#[test]
fn keys_that_are_gone_stop_the_tenant_until_good_ones_are_back() {
    let bench = Place::File.bench();
    let running = daemon(&bench);
    remove(&bench, DEMO);
    bench.emulator.release();
    running.says("event=\"tenant-stopped\"");
    add(&bench, NEW);
    Place::File.write(&bench, NEW);
    rotates_at_last(&bench, running);
}

fn role() -> Bench {
    let bench = Bench::new();
    let address = bench.emulator.address().to_owned();
    bench.edit(
        "access_key = { env = \"NCLOUD_ACCESS_KEY\" }\nsecret_key = { env = \"NCLOUD_SECRET_KEY\" }",
        &format!("keys = {{ server_role = \"rotator\", metadata = \"http://{address}/door/metadata\" }}"),
    );
    bench
}

#[test]
fn a_server_roles_temporary_keys_are_used() {
    let bench = role();
    remove(&bench, DEMO);
    start(&bench, "rotate --all").finish().ends_with(0);
    bench.is_settled("svc-batch", 1);
    start(&bench, "check").finish().ends_with(0);
    bench.edit("/door/metadata", "/door/elsewhere");
    start(&bench, "rotate svc-batch").finish().ends_with(77).mentions("server role");
    start(&bench, "check").finish().ends_with(77).mentions("server role");
}

#[test]
fn a_server_roles_keys_are_renewed_when_they_end() {
    let bench = role();
    bench.emulator.door("POST", "/door/roles", Some(&json!({ "role": "rotator", "lifetime_ms": 3000 })));
    let running = daemon(&bench);
    let until_when = || {
        let keys = bench.emulator.door("GET", "/door/keys", None)["keys"].as_array().cloned().unwrap_or_default();
        keys.into_iter().filter_map(|pair| pair["expiration"].as_str()?.parse::<Timestamp>().ok()).max()
    };
    assert!(until_when().is_some(), "the role has keys");
    let now = || {
        let told = bench.emulator.door("POST", "/door/clock", Some(&json!({ "offset_ms": 0 })));
        told["now"].as_str().unwrap().parse::<Timestamp>().ok()
    };
    until("their end", || until_when() < now());
    rotates_at_last(&bench, running);
}

#[rstest]
fn with_bodies_in_the_log_nothing_starts(
    #[values("run", "rotate --all", "accounts", "check", "secret show svc-batch", "tenant show", "emulator")]
    words: &str,
) {
    let bench = Bench::new();
    let mut command = bench.command(&words.split_whitespace().collect::<Vec<_>>());
    command.env("LOG_SENSITIVE_BODIES", "true");
    bench.run_command(command).ends_with(78).mentions("LOG_SENSITIVE_BODIES").mentions("unset it");
    assert!(bench.emulator.requests().is_empty() && !bench.vault.root().exists());
}

#[test]
fn without_a_network_bodies_in_the_log_do_not_matter() {
    let bench = Bench::new();
    for words in ["check --offline", "generate --kind sub-account", "config schema"] {
        let mut command = bench.command(&words.split_whitespace().collect::<Vec<_>>());
        command.env("LOG_SENSITIVE_BODIES", "true");
        bench.run_command(command).ends_with(0);
    }
}
