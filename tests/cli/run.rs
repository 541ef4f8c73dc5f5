//! `run`: what a person sees of the daemon, from its start to its end.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;
use rstest::rstest;
use serde_json::{Value, json};

use crate::bench::{ACTIVE, Bench};
use crate::process::{Running, Transcript};
use crate::vault::Vault;

/// Started, and waited for until it says what comes next.
fn started(bench: &Bench, words: &str) -> Running {
    let running = bench.start(words);
    running.says("event=\"next\"");
    running
}

#[rstest]
#[case(Signal::SIGINT)]
#[case(Signal::SIGTERM)]
fn the_daemon_rotates_stays_up_and_ends_well_when_it_is_asked_to(#[case] signal: Signal) {
    let bench = Bench::new();
    let running = started(&bench, "run");
    running.signal(signal);
    let said = running.finish().ends_with(0).out;
    for name in ACTIVE {
        let secret = bench.secret(name);
        let line = said.lines().find(|line| line.contains("rotated") && line.contains(&secret)).unwrap();
        assert!(line.contains(&format!("account={}", secret.trim_start_matches("ncloud/"))), "{line}");
        bench.is_settled(name, 1);
    }
    for told in ["kind=sub-account listed=8 matched=5", "kind=data-forest listed=4 matched=4"] {
        assert!(said.contains(told), "{said}");
    }
    let skipped = |name: &str| said.lines().any(|line| line.contains("skipped") && line.contains(name));
    assert!(skipped("doyun.lee") && skipped("df004"), "{said}");
    let next = said.lines().find(|line| line.contains("event=\"next\"")).unwrap();
    assert!(next.contains("at=\"20") && next.contains("+09:00") && next.contains("account="), "{next}");
    assert!(said.lines().last().unwrap().contains("event=\"stopped\""), "{said}");
}

#[test]
fn a_second_start_rotates_nothing_with_or_without_its_state() {
    let bench = Bench::new();
    started(&bench, "run").signal_and_finish();
    let sends = bench.emulator.sends().len();
    assert_eq!(sends, ACTIVE.len());
    started(&bench, "run").signal_and_finish();
    bench.lose_state();
    started(&bench, "run").signal_and_finish();
    assert_eq!(bench.emulator.sends().len(), sends);
    for name in ACTIVE {
        bench.is_settled(name, 1);
    }
}

#[test]
fn with_json_the_answer_is_one_document_and_the_log_goes_to_standard_error() {
    let bench = Bench::new();
    let running = bench.start("run --json");
    running.complains("event=\"next\"");
    running.signal(Signal::SIGINT);
    let finished = running.finish().ends_with(0);
    assert_eq!(finished.json(), json!({ "rotated": 7, "unfinished": [], "unlisted": [], "unread": [] }));
    assert!(finished.err.contains("rotated"));
}

#[test]
fn by_default_accounts_that_were_never_rotated_wait_for_their_time() {
    let bench = Bench::new();
    bench.edit("on_adopt        = \"rotate\"\n", "");
    let said = {
        let running = started(&bench, "run");
        running.signal(Signal::SIGINT);
        running.finish().ends_with(0).out
    };
    assert_eq!(bench.emulator.sends().len(), 0);
    let next = said.lines().find(|line| line.contains("event=\"next\"")).unwrap();
    assert!(next.contains("it counts from its first sight"), "{next}");
}

#[test]
fn what_one_run_leaves_unfinished_the_next_one_finishes() {
    let bench = Bench::new();
    bench.emulator.fault_always("svc-batch", &json!({ "5xx-after": 500 }));
    let running = bench.start("run");
    bench.emulator.until_sent("svc-batch", 2);
    for name in &ACTIVE[1..] {
        running.says_so(|said| said.lines().any(|line| line.contains("rotated") && line.contains(name)), name);
    }
    running.signal(Signal::SIGTERM);
    running.finish().ends_with(0).mentions("unfinished=\"main/sub-account/svc-batch\"");
    bench.holds_the_promise();
    bench.emulator.clear_faults();
    let running = bench.start("run");
    running.says("event=\"next\"");
    running.signal_and_finish();
    assert_eq!(bench.emulator.passwords_tried("svc-batch"), 1);
    let live = bench.emulator.account("svc-batch");
    bench.is_settled("svc-batch", live.changes);
}

/// The README's first command, its files elsewhere.
#[test]
fn the_quickstart_rotates_within_seconds_and_a_second_start_rotates_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let quickstart = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/quickstart.toml")).unwrap();
    let file = dir.path().join("quickstart.toml");
    fs::write(&file, quickstart.replace("../target/quickstart", &dir.path().display().to_string())).unwrap();
    let run = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ncloud-rotator"));
        command.env_clear().args(["run", "--config"]).arg(&file);
        let running = Running::start(command, Transcript::default());
        running.says("event=\"next\"");
        running.signal(Signal::SIGINT);
        running.finish().ends_with(0).out.matches("event=\"rotated\"").count()
    };
    assert_eq!((run(), run()), (ACTIVE.len(), 0));
    let accounts: Value = serde_json::from_slice(&fs::read(dir.path().join("accounts.json")).unwrap()).unwrap();
    let batch = &accounts["sub_accounts"][0];
    let vault = Vault::new(dir.path().join("vault"), dir.path().join("identity.txt"));
    let current =
        vault.password(&format!("ncloud/main/sub-account/{}", batch["login_id"].as_str().unwrap()), "current");
    assert_eq!(
        (batch["credential"]["password"].as_str(), &batch["credential"]["changes"]),
        (current.as_deref(), &json!(1))
    );
}

/// Well before the ten minutes after which it looks again anyway.
#[test]
fn a_provider_that_is_away_at_the_start_is_asked_again_soon() {
    let bench = Bench::new();
    bench.emulator.stop();
    let running = bench.start("run");
    running.says("event=\"not-discovered\"");
    bench.emulator.restart();
    running.says("event=\"next\"");
    running.signal_and_finish();
    for name in ACTIVE {
        bench.is_settled(name, 1);
    }
}

impl Running {
    fn signal_and_finish(self) {
        self.signal(Signal::SIGINT);
        self.finish().ends_with(0);
    }
}
