//! `run --once`: one look at what is due, and how it ends.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::bench::{ACTIVE, Bench};

#[test]
fn one_look_rotates_what_is_due_and_the_next_one_nothing() {
    let bench = Bench::new();
    for _ in 0..2 {
        let said = bench.run("run --once").ends_with(0).out;
        assert!(said.lines().last().unwrap().contains("nothing is unfinished"), "{said}");
        for name in ACTIVE {
            bench.is_settled(name, 1);
        }
    }
}

#[test]
fn a_cap_is_not_waited_for_and_is_the_same_for_the_next_look() {
    let bench = Bench::new();
    bench.edit("[policies.default]", "[policies.default]\nfirst_run_cap = 3");
    for left in [ACTIVE.len() - 3, ACTIVE.len() - 3] {
        bench.run("run --once").ends_with(0);
        let untouched = ACTIVE.iter().filter(|name| bench.emulator.account(name).changes == 0).count();
        assert_eq!(untouched, left);
    }
    // A person's word is no part of taking over.
    bench.run("rotate --all").ends_with(0);
    for name in ACTIVE {
        assert!(bench.emulator.account(name).changes > 0, "{name}");
    }
    let events = bench.run("audit export").ends_with(0).out;
    assert_eq!(events.matches("\"first_run\":true").count(), 3, "{events}");
}

#[test]
fn with_json_it_answers_with_one_document() {
    let bench = Bench::new();
    let answer = bench.run("run --once --json").ends_with(0).json();
    assert_eq!(answer, json!({ "rotated": 7, "unfinished": [], "unlisted": [], "unread": [] }));
}

#[test]
fn what_one_look_leaves_the_next_one_finishes() {
    let bench = Bench::new();
    bench.emulator.fault_always("svc-batch", &json!({ "5xx-after": 500 }));
    bench.run("run --once").ends_with(75).mentions("unfinished=\"main/sub-account/svc-batch\"");
    bench.holds_the_promise();
    bench.emulator.clear_faults();
    bench.run("run --once").ends_with(0);
    assert_eq!(bench.emulator.passwords_tried("svc-batch"), 1);
    bench.is_settled("svc-batch", bench.emulator.account("svc-batch").changes);
}

#[test]
fn it_ends_by_the_worst_of_what_it_met() {
    let bench = Bench::new();
    bench.run("run --once").ends_with(0);
    let file = bench.vault.root().join("ncloud/main/sub-account/svc-batch.age");
    fs::write(&file, "no secret").unwrap();
    bench.run("run --once").ends_with(69).mentions("vault-unreadable");
    let id = bench.emulator.account("svc-report").id;
    let rule =
        format!("[[accounts]]\ntenant = \"main\"\nkind = \"sub-account\"\nids = [\"{id}\"]\nvault = \"local\"\n");
    let rule = format!("{rule}secret = \"x/{{id}}\"\n");
    bench.edit("[policies.default]", &format!("{rule}\n[policies.default]"));
    bench.run("run --once").ends_with(78);
}

#[test]
fn a_provider_that_is_away_is_told_and_not_waited_for() {
    let bench = Bench::new();
    bench.emulator.stop();
    bench.run("run --once").ends_with(69).mentions("not-discovered");
}

#[test]
fn a_signal_ends_a_look_and_loses_nothing() {
    let bench = Bench::new();
    bench.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
    let running = bench.start("run --once");
    bench.emulator.until_sent("svc-batch", 1);
    running.signal(Signal::SIGTERM);
    running.says("event=\"ending\"");
    bench.emulator.release();
    running.finish().ends_with(75);
    bench.holds_the_promise();
    bench.run("run --once").ends_with(0);
    bench.is_settled("svc-batch", 1);
}
