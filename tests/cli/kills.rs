//! `kill -9` at moments that the provider knows: nothing is lost, and the next start goes on.

use nix::sys::signal::Signal;
use rstest::rstest;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::process::until;

#[rstest]
#[case::before_it_is_applied(json!({ "hold": {} }))]
#[case::before_it_is_lost(json!({ "hold": { "then": "drop-before" } }))]
#[case::before_its_answer_is_lost(json!({ "hold": { "then": "drop-after" } }))]
fn killed_while_the_request_is_at_the_provider(
    #[case] fault: Value,
    #[values(false, true)] state_is_lost: bool,
    #[values(false, true)] it_lands_before_the_restart: bool,
) {
    let bench = Bench::new();
    for name in ["svc-batch", "df001"] {
        bench.emulator.fault_once(name, &fault);
    }
    let running = bench.start("rotate svc-batch df001");
    for name in ["svc-batch", "df001"] {
        bench.emulator.until_sent(name, 1);
    }
    running.kill_9();
    let ended = || ["svc-batch", "df001"].iter().all(|name| !bench.emulator.sends_of(name)[0]["ended"].is_null());
    let land = || {
        bench.emulator.release();
        until("the end of the requests that were held", ended);
    };
    if it_lands_before_the_restart {
        land();
    }
    bench.holds_the_promise();
    if state_is_lost {
        bench.lose_state();
    }
    bench.run("rotate svc-batch df001").ends_with(0);
    bench.holds_the_promise();
    if !it_lands_before_the_restart {
        land();
    }
    for name in ["svc-batch", "df001"] {
        assert_eq!(bench.emulator.passwords_tried(name), 1);
        let applied = bench.emulator.sends_of(name).iter().filter(|send| send["changed"] == true).count();
        bench.is_settled(name, applied as u64);
    }
}

#[rstest]
fn killed_after_it_was_applied_and_before_anybody_was_told(#[values(false, true)] state_is_lost: bool) {
    let bench = Bench::new();
    bench.emulator.fault_always("svc-batch", &json!("drop-after"));
    let running = bench.start("rotate svc-batch");
    until("a change that was not answered", || bench.emulator.account("svc-batch").changes > 0);
    running.kill_9();
    bench.holds_the_promise();
    bench.emulator.clear_faults();
    if state_is_lost {
        bench.lose_state();
    }
    bench.run("rotate svc-batch").ends_with(0);
    assert_eq!(bench.emulator.passwords_tried("svc-batch"), 1);
    bench.is_settled("svc-batch", bench.emulator.account("svc-batch").changes);
}

#[test]
fn killed_before_anything_was_decided() {
    let bench = Bench::new();
    bench.emulator.fault(&json!({ "call": "sub-accounts", "fault": { "hold": {} } }));
    let running = bench.start("rotate svc-batch");
    until("the list's request", || {
        let log = bench.emulator.door("GET", "/door/log", None);
        log["requests"].as_array().unwrap().iter().any(|entry| entry["fault"] == "hold")
    });
    running.kill_9();
    assert_eq!(bench.vault.bytes(), []);
    bench.run("rotate svc-batch").ends_with(0);
    bench.is_settled("svc-batch", 1);
}

/// Wherever the program stood when it was killed, the daemon finishes what was begun, with the password that was staged.
#[rstest]
fn killed_again_and_again_at_whatever_moment(#[values(false, true)] state_is_lost: bool) {
    let bench = Bench::new();
    bench.emulator.change(&json!({ "op": "create", "kind": "sub-account", "count": 8, "prefix": "svc-n" }));
    let begun = || bench.emulator.sends().len();
    for turn in 0..6 {
        let before = begun();
        let running = bench.start("run");
        until("requests of this turn", || begun() > before + turn % 3 || turn > 3);
        running.kill_9();
        bench.holds_the_promise();
        if state_is_lost && bench.state().exists() {
            bench.lose_state();
        }
    }
    let running = bench.start("run");
    running.says("event=\"next\"");
    running.signal(Signal::SIGTERM);
    running.finish().ends_with(0);
    for live in bench.emulator.accounts().iter().filter(|live| live.changes > 0) {
        assert_eq!(bench.emulator.passwords_tried(&live.name), 1, "{}", live.name);
        bench.is_settled(&live.name, live.changes);
    }
    let rotated = bench.emulator.accounts().iter().filter(|live| live.changes > 0).count();
    assert_eq!(rotated, 7 + 8);
}
