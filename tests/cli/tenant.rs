//! A tenant's own settings: shown and set by hand, followed or enforced by the daemon.

use nix::sys::signal::Signal;
use rstest::rstest;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::process::Finished;

const WRITES: [&str; 2] = ["set-password-policy", "set-login-alias"];

/// How many requests asked to set each of the two.
fn writes(bench: &Bench) -> [usize; 2] {
    WRITES.map(|call| bench.emulator.calls(call).len())
}

/// What the tenant really has: the expiration's days and the alias.
fn settings(bench: &Bench) -> (Value, Value) {
    let kept = std::fs::read_to_string(bench.path("accounts.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    let tenant = &kept["tenant"];
    let days =
        if tenant["use_password_expiration"] == true { &tenant["password_expiration_days"] } else { &Value::Null };
    (days.clone(), tenant["login_alias"].clone())
}

/// Two tenants, both at the emulator.
fn several() -> Bench {
    let bench = Bench::new();
    let address = bench.emulator.address().to_owned();
    bench.edit(
        "[vaults.local]",
        &format!(
            "[tenants.other]\nsite = \"public\"\naccess_key = {{ env = \"NCLOUD_ACCESS_KEY\" }}\n\
             secret_key = {{ env = \"NCLOUD_SECRET_KEY\" }}\nendpoints = {{ sub_account = \"http://{address}\" }}\n\n\
             [vaults.local]"
        ),
    );
    bench
}

fn run_until_next(bench: &Bench) -> Finished {
    let running = bench.start("run");
    running.says("event=\"next\"");
    running.signal(Signal::SIGINT);
    running.finish().ends_with(0)
}

#[test]
fn a_tenants_settings_are_shown_with_what_the_configuration_says_of_them() {
    let bench = Bench::new();
    let table = bench.run("tenant show").ends_with(0);
    assert!(
        table.row("expiration").contains("90 days") && table.row("expiration").contains("followed"),
        "{}",
        table.out
    );
    assert!(table.row("login_alias").contains("https://www.ncloud.com/nsa/sample"), "{}", table.out);
    let told = bench.run("tenant show --json").ends_with(0).json();
    assert_eq!(
        told,
        json!({
            "tenant": "main", "expiration_days": 90,
            "login_alias": "sample", "login_url": "https://www.ncloud.com/nsa/sample",
        })
    );
    bench.edit("site       = \"public\"", "site       = \"public\"\nexpiration = { enforce = 60 }");
    assert!(bench.run("tenant show").ends_with(0).row("expiration").contains("enforced: 60"));
    bench.emulator.was_only_read();
}

#[rstest]
#[case("60", json!(60), "90 days -> 60 days")]
#[case("120", json!(120), "90 days -> 120 days")]
#[case("180", json!(180), "90 days -> 180 days")]
#[case("off", json!(null), "90 days -> ")]
fn the_expiration_is_set_once_and_said_before(#[case] word: &str, #[case] days: Value, #[case] change: &str) {
    let bench = Bench::new();
    let set = format!("tenant set-expiration {word} --json");
    let finished = bench.run(&set).ends_with(0);
    assert_eq!(finished.json()["expiration_days"], days);
    assert!(finished.err.contains(change), "{}", finished.err);
    assert_eq!(settings(&bench), (days.clone(), json!("sample")));
    let again = bench.run(&set).ends_with(0);
    assert_eq!((again.json()["expiration_days"].clone(), again.err.as_str()), (days, ""), "nothing changes");
    assert_eq!(writes(&bench), [1, 0]);
}

#[test]
fn the_login_alias_is_set_once_and_said_before() {
    let bench = Bench::new();
    let finished = bench.run("tenant set-login-alias acme1").ends_with(0);
    assert!(finished.err.contains("sample -> acme1"), "{}", finished.err);
    assert!(finished.row("login_alias").contains("nsa/acme1"));
    assert_eq!(settings(&bench).1, "acme1");
    let told = bench.run("tenant set-login-alias acme1 --json").ends_with(0).json();
    assert_eq!(told["login_url"], "https://www.ncloud.com/nsa/acme1");
    assert_eq!(writes(&bench), [0, 1]);
}

/// The provider keeps the request for as long as the test likes, and the change is on the terminal already.
#[test]
fn the_change_is_shown_before_it_is_made() {
    let bench = Bench::new();
    bench.emulator.fault(&json!({ "call": "set-password-policy", "fault": { "hold": {} } }));
    let running = bench.start("tenant set-expiration 120");
    running.complains("90 days -> 120 days");
    assert_eq!(settings(&bench).0, 90);
    crate::process::until("the request", || writes(&bench) == [1, 0]);
    bench.emulator.release();
    running.finish().ends_with(0);
    assert_eq!(settings(&bench).0, 120);
}

#[test]
fn among_several_tenants_the_one_that_is_meant_must_be_named() {
    let bench = several();
    for words in ["tenant show", "tenant set-expiration 60", "tenant set-login-alias acme"] {
        bench.run(words).ends_with(64).mentions("--tenant").mentions("main, other");
        bench.run(&format!("{words} --tenant nobody")).ends_with(64).mentions("main, other");
    }
    assert!(bench.emulator.requests().is_empty());
    assert_eq!(bench.run("tenant show --tenant other --json").ends_with(0).json()["tenant"], "other");
    bench.run("tenant set-expiration 60 --tenant other").ends_with(0).mentions("other: expiration: 90 days -> 60 days");
    assert_eq!(settings(&bench).0, 60);
}

#[rstest]
#[case("tenant set-expiration 91")]
#[case("tenant set-expiration")]
#[case("tenant set-expiration never")]
#[case("tenant set-login-alias ACME")]
#[case("tenant set-login-alias ab")]
#[case("tenant set-login-alias a-b-c")]
#[case("tenant")]
fn values_that_the_provider_has_not_are_usage_errors(#[case] words: &str) {
    let bench = Bench::new();
    bench.run(words).ends_with(64);
    assert!(bench.emulator.requests().is_empty());
}

#[rstest]
#[case("password-policy", "tenant show", "GET /tenant-settings/sub-account-password-policy")]
#[case("login-alias", "tenant show", "GET /login-alias")]
#[case("set-password-policy", "tenant set-expiration 60", "POST /tenant-settings/sub-account-password-policy")]
#[case("set-login-alias", "tenant set-login-alias acme", "PUT /login-alias")]
fn a_right_that_lacks_is_named_with_its_call(#[case] denied: &str, #[case] words: &str, #[case] call: &str) {
    let bench = Bench::new();
    bench.emulator.door("POST", "/door/permissions", Some(&json!({ "deny": [denied] })));
    bench.run(words).ends_with(77).mentions(call);
    assert_eq!(settings(&bench), (json!(90), json!("sample")));
}

/// An alias that another tenant has is refused by the provider: nothing is set, and that is no fault of ours.
#[test]
fn a_value_that_the_provider_refuses_changes_nothing_and_is_told() {
    let bench = Bench::new();
    bench.emulator.fault(&json!({ "call": "set-login-alias", "fault": {
        "error-body": { "shape": "flat", "status": 400, "code": 100, "message": "taken" } } }));
    let finished = bench.run("tenant set-login-alias acme").mentions("PUT /login-alias").mentions("refused");
    assert!(matches!(finished.code, Some(64 | 69)), "{:?}", finished.code);
    assert_eq!(settings(&bench).1, "sample");
}

#[test]
fn an_answer_that_is_lost_is_told_as_a_doubt_and_a_second_call_settles_it() {
    let bench = Bench::new();
    bench.emulator.fault(&json!({ "call": "set-password-policy", "fault": "drop-after" }));
    bench.run("tenant set-expiration 60").ends_with(75).mentions("may have been carried out");
    bench.run("tenant set-expiration 60").ends_with(0);
    assert_eq!((settings(&bench).0, writes(&bench)), (json!(60), [1, 0]));
}

#[test]
fn following_never_writes_and_tells_of_drift() {
    let bench = Bench::new();
    bench.run("tenant set-expiration 60").ends_with(0);
    let said = run_until_next(&bench).out;
    let drift = said.lines().find(|line| line.contains("event=\"drift\"")).expect("drift is told");
    assert!(drift.contains("found=\"60 days\"") && drift.contains("expected=\"90 days\""), "{drift}");
    assert_eq!(writes(&bench), [1, 0], "the one by hand");
}

#[test]
fn without_drift_none_is_told() {
    let bench = Bench::new();
    let said = run_until_next(&bench).out;
    assert!(!said.contains("drift") && said.contains("setting-read"), "{said}");
    bench.edit("site       = \"public\"", "site       = \"public\"\nexpiration = \"follow\"\nlogin_alias = \"follow\"");
    run_until_next(&bench);
    assert_eq!(writes(&bench), [0, 0]);
}

#[test]
fn enforcing_writes_once_and_says_so() {
    let bench = Bench::new();
    bench.edit(
        "site       = \"public\"",
        "site       = \"public\"\nexpiration = { enforce = 180 }\nlogin_alias = { enforce = \"acme\" }",
    );
    bench.emulator.fault_once("svc-batch", &json!("drop-before"));
    let said = run_until_next(&bench).out;
    for told in [
        "setting=\"expiration\" from=\"90 days\" to=\"180 days\"",
        "setting=\"login_alias\" from=\"sample\" to=\"acme\"",
    ] {
        let lines = said.lines().filter(|line| line.contains("event=\"setting-enforced\"") && line.contains(told));
        assert_eq!(lines.count(), 1, "{told}: {said}");
    }
    assert_eq!((settings(&bench), writes(&bench)), ((json!(180), json!("acme")), [1, 1]));
    assert!(!run_until_next(&bench).out.contains("setting-enforced"));
    assert_eq!(writes(&bench), [1, 1], "what is so already is not written");
    assert_eq!(value(&bench, "svc-batch")["login_url"], "https://www.ncloud.com/nsa/acme");
    assert_eq!(days_until_expiry(&value(&bench, "svc-batch")), 180);
}

#[test]
fn what_is_enforced_and_cannot_be_written_is_told_and_rotations_go_on() {
    let bench = Bench::new();
    bench.edit("site       = \"public\"", "site       = \"public\"\nexpiration = { enforce = \"off\" }");
    bench.emulator.door("POST", "/door/permissions", Some(&json!({ "deny": ["set-password-policy"] })));
    let said = run_until_next(&bench).out;
    let told = said.lines().find(|line| line.contains("setting-not-enforced")).expect("it is told");
    assert!(told.contains("POST /tenant-settings/sub-account-password-policy"), "{told}");
    assert_eq!(settings(&bench).0, 90);
    bench.is_settled("svc-batch", 1);
}

/// Only the daemon enforces: a command that is asked for something else writes nothing else.
#[rstest]
#[case("rotate svc-batch")]
#[case("check")]
#[case("accounts")]
#[case("tenant show")]
fn commands_enforce_nothing(#[case] words: &str) {
    let bench = Bench::new();
    bench.edit("site       = \"public\"", "site       = \"public\"\nexpiration = { enforce = 60 }");
    bench.run(words).ends_with(0);
    assert_eq!(writes(&bench), [0, 0]);
}

#[test]
fn a_tenants_expiration_decides_when_its_passwords_expire_and_the_policys_does_elsewhere() {
    let bench = Bench::new();
    for (word, days) in [("60", Some(60)), ("180", Some(180)), ("off", None)] {
        bench.run(&format!("tenant set-expiration {word}")).ends_with(0);
        bench.run("rotate svc-batch df001").ends_with(0);
        let people = value(&bench, "svc-batch");
        match days {
            Some(days) => assert_eq!(days_until_expiry(&people), days),
            None => assert_eq!(days_until_expiry(&people), 90, "then the policy's own rule counts"),
        }
        assert_eq!(days_until_expiry(&value(&bench, "df001")), 90);
    }
}

#[test]
fn a_sub_accounts_secret_tells_where_to_log_in_and_a_data_forest_secret_does_not() {
    let bench = Bench::new();
    bench.run("rotate svc-batch df001").ends_with(0);
    assert_eq!(value(&bench, "svc-batch")["login_url"], "https://www.ncloud.com/nsa/sample");
    assert!(value(&bench, "df001").get("login_url").is_none());
    bench.run("tenant set-login-alias other1").ends_with(0);
    bench.run("rotate svc-batch").ends_with(0);
    assert_eq!(value(&bench, "svc-batch")["login_url"], "https://www.ncloud.com/nsa/other1");
}

fn value(bench: &Bench, account: &str) -> Value {
    bench.vault.open(&bench.secret(account)).unwrap()["current"]["value"].clone()
}

/// From its rotation to its expiry.
#[track_caller]
fn days_until_expiry(value: &Value) -> i64 {
    let time = |key: &str| value[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    time("expires_at").duration_since(time("rotated_at")).as_hours() / 24
}
