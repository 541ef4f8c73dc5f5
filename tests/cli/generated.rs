//! `password = "provider"`: the provider makes each password and tells it once.

use rstest::rstest;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::process::{Finished, until};

/// Sub-accounts only, since the provider makes passwords for those alone; and short gateway times, for a fence of eight
/// seconds, where `short` says so.
fn provider(short: bool) -> Bench {
    let bench = if short { Bench::with_short_fence() } else { Bench::new() };
    bench.edit("password        = { length = 16, avoid = \"url\" }", "password        = \"provider\"");
    bench.edit(
        "\n[[accounts]]\ntenant = \"main\"\nkind   = \"data-forest\"\nnames  = [\"*\"]\nvault  = \"local\"\n",
        "",
    );
    bench
}

/// The end of a rotation of this kind: live is current, and nothing is left over.
#[track_caller]
fn is_current(bench: &Bench, account: &str, changes: u64) {
    bench.has_told_no_secret();
    let live = bench.emulator.account(account);
    let document = document(bench, account);
    assert_eq!(document["current"]["value"]["password"], live.password, "{account}: live is not current");
    assert!(document["pending"].is_null() && document["superseded"].is_null(), "{account}: something is left over");
    assert_eq!(live.changes, changes, "changes of {account}");
}

fn document(bench: &Bench, account: &str) -> Value {
    bench.vault.open(&bench.secret(account)).expect("the secret is there")
}

#[test]
fn the_providers_passwords_are_stored_and_current() {
    let bench = provider(false);
    bench.run("rotate --all").ends_with(0);
    for name in ["svc-batch", "svc-report", "svc-backup", "svc-deploy"] {
        is_current(&bench, name, 1);
        assert!(bench.emulator.sends_of(name)[0]["password_sha256"].is_null(), "no password of ours was sent");
    }
    let before = bench.emulator.account("svc-batch").password;
    let told = bench.run("rotate svc-batch --json").ends_with(0).json();
    assert_eq!(told["accounts"][0]["result"], "rotated");
    is_current(&bench, "svc-batch", 2);
    assert_eq!(bench.stored("svc-batch", "previous"), Some(before));
}

#[test]
fn in_version_2_too() {
    let bench = provider(false);
    bench.edit("site       = \"public\"", "site       = \"gov\"\napi        = \"v2\"");
    bench.run("rotate --all").ends_with(0);
    is_current(&bench, "svc-batch", 1);
    is_current(&bench, "svc-deploy", 1);
}

#[test]
fn the_value_has_the_keys_of_every_other() {
    let bench = provider(false);
    bench.run("rotate svc-batch").ends_with(0);
    let value = document(&bench, "svc-batch")["current"]["value"].clone();
    let keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected =
        ["account_id", "expires_at", "kind", "login_url", "password", "rotated_at", "rotation", "tenant", "username"];
    expected.sort_unstable();
    let mut keys = keys;
    keys.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!(
        (&value["username"], &value["kind"], &value["tenant"]),
        (&json!("svc-batch"), &json!("sub-account"), &json!("main"))
    );
    let mark: Vec<&str> = value["rotation"].as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(mark, ["account", "attempt", "by", "generation", "provider"]);
    assert_eq!(value["rotation"]["provider"], "answer");
    let shown = bench.reveal("secret show svc-batch --reveal --json").ends_with(0).json();
    assert_eq!(shown["value"]["password"], bench.emulator.account("svc-batch").password);
}

#[rstest]
#[case(json!({ "429": 410 }))]
#[case(json!({ "429": 420 }))]
#[case(json!("unauthorised"))]
fn a_definite_refusal_costs_no_fence(#[case] fault: Value) {
    let bench = provider(false);
    bench.emulator.fault_once("svc-batch", &fault);
    bench.run("rotate svc-batch").ends_with(0);
    assert_eq!(bench.emulator.sends_of("svc-batch").len(), 2);
    is_current(&bench, "svc-batch", 1);
}

/// Whatever became of the first request, its password is known to nobody: the next intent follows behind the fence.
#[test]
fn a_lost_answer_is_superseded_and_another_password_is_asked_for_behind_the_fence() {
    let bench = provider(true);
    let faults = [json!("drop-after"), json!("drop-before"), json!({ "5xx-after": 503 }), json!("garbage-after")];
    let names = ["svc-batch", "svc-report", "svc-backup", "svc-deploy"];
    for (name, fault) in names.iter().zip(&faults) {
        bench.emulator.fault_once(name, fault);
    }
    let running = bench.start("rotate --all");
    running.complains("waiting for the fence");
    let shown = bench.run("secret show svc-batch --stage pending --json").ends_with(0).json();
    assert!(shown["value"].get("password").is_none(), "an intent has no password");
    let finished = running.finish().ends_with(0);
    assert!(finished.err.contains("event=\"superseded\""), "{}", finished.err);
    for (name, changes) in names.into_iter().zip([2, 1, 2, 2]) {
        assert_eq!(bench.emulator.sends_of(name).len(), 2, "{name}: an intent is sent once");
        is_current(&bench, name, changes);
    }
}

/// One account was rotated before; of the other's secret there is nothing but the intent.
#[test]
fn a_wait_that_is_too_short_names_what_is_unfinished_and_the_next_call_finishes_it() {
    let bench = provider(true);
    bench.run("rotate svc-report").ends_with(0);
    let first = bench.emulator.account("svc-report").password;
    for name in ["svc-batch", "svc-report"] {
        bench.emulator.fault_once(name, &json!("drop-after"));
    }
    let told = bench.run("rotate svc-batch svc-report --wait 1s --json").ends_with(75).json();
    assert!(told["accounts"].as_array().unwrap().iter().all(|account| account["result"] == "unfinished"), "{told}");
    pending_shows_no_password(&bench);
    assert_eq!(document(&bench, "svc-report")["current"]["value"]["password"], first, "an intent is never current");
    let lost = bench.emulator.account("svc-report").password;
    bench.run("rotate svc-batch svc-report").ends_with(0);
    is_current(&bench, "svc-batch", 2);
    is_current(&bench, "svc-report", 3);
    assert!(!bench.vault.passwords(&bench.secret("svc-report")).contains(&lost));
}

/// Side by side, since each waits for a fence.
#[test]
fn killed_with_the_answer_on_its_way_it_goes_on_with_another_intent() {
    std::thread::scope(|scope| {
        for (state_is_lost, applied) in [(false, false), (false, true), (true, false), (true, true)] {
            scope.spawn(move || killed_with_the_answer_on_its_way(state_is_lost, applied));
        }
    });
}

fn killed_with_the_answer_on_its_way(state_is_lost: bool, applied: bool) {
    let bench = provider(true);
    bench.run("rotate svc-batch").ends_with(0);
    let first = bench.emulator.account("svc-batch").password;
    bench.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
    let running = bench.start("rotate svc-batch");
    bench.emulator.until_sent("svc-batch", 2);
    let intent = document(&bench, "svc-batch")["pending"].clone();
    assert!(intent["value"].get("password").is_none() && intent["token"].is_string());
    running.kill_9();
    if applied {
        bench.emulator.release();
        until("its end", || !bench.emulator.sends_of("svc-batch")[1]["ended"].is_null());
        assert_eq!(bench.emulator.account("svc-batch").changes, 2);
    }
    pending_shows_no_password(&bench);
    if state_is_lost {
        bench.lose_state();
    }
    bench.run("rotate svc-batch").ends_with(0);
    let after = document(&bench, "svc-batch");
    assert_eq!(after["previous"]["value"]["password"], first, "the intent was never current");
    assert_ne!(after["current"]["token"], intent["token"]);
    if !applied {
        bench.emulator.release();
        until("its end", || !bench.emulator.sends_of("svc-batch")[1]["ended"].is_null());
        assert_eq!(bench.emulator.sends_of("svc-batch")[1]["status"], 401, "behind the fence it is too old");
    }
    is_current(&bench, "svc-batch", if applied { 3 } else { 2 });
}

#[track_caller]
fn pending_shows_no_password(bench: &Bench) {
    for words in ["secret show svc-batch --stage pending", "secret show svc-batch --stage pending --reveal"] {
        let shown: Finished = bench.reveal(words).ends_with(0);
        assert!(
            shown.out.contains("pending") && !shown.out.lines().any(|line| line.trim_start().starts_with("password")),
            "{}",
            shown.out
        );
        let shown = bench.reveal(&format!("{words} --json")).ends_with(0).json();
        assert_eq!(shown["stage"], "pending");
        assert!(shown["value"].get("password").is_none(), "{}", shown["stage"]);
    }
    bench.run("accounts").ends_with(0);
}

#[test]
fn for_data_forest_it_is_refused_with_the_line() {
    let bench = Bench::new();
    bench.edit("password        = { length = 16, avoid = \"url\" }", "password        = \"provider\"");
    for words in ["check --offline", "rotate --all"] {
        bench.run(words).ends_with(78).mentions("rotator.toml:").mentions("provider");
    }
    assert!(bench.emulator.requests().is_empty());
}

/// A policy that changes its mind under an unfinished rotation loses nothing either way.
#[test]
fn a_policy_that_changes_while_an_intent_is_pending_ends_with_a_password_of_ours() {
    let bench = provider(true);
    bench.emulator.fault_once("svc-batch", &json!("drop-after"));
    bench.run("rotate svc-batch --wait 0s").ends_with(75);
    bench.edit("password        = \"provider\"", "password        = { length = 16, avoid = \"url\" }");
    bench.run("rotate svc-batch").ends_with(0);
    bench.is_settled("svc-batch", 2);
}
