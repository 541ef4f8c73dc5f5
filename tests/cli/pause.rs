//! `pause`, `resume`, `pauses`: what is paused is not rotated, by the daemon or by hand, and what is unfinished is finished.

use std::fs;

use nix::sys::signal::Signal;
use rstest::rstest;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::bench::{ACTIVE, Bench};
use crate::process::{Finished, until};
use crate::runbook::leads_somewhere;

/// Runs the program with a reason of several words.
#[track_caller]
fn because(bench: &Bench, words: &str, reason: &str) -> Finished {
    let words: Vec<&str> = words.split_whitespace().chain(["--reason", reason]).collect();
    bench.run_command(bench.command(&words))
}

#[track_caller]
fn pauses(bench: &Bench) -> Vec<Value> {
    bench.run("pauses --json").ends_with(0).json()["paused"].as_array().unwrap().clone()
}

/// What the chain tells of pauses.
fn events(bench: &Bench) -> Vec<Value> {
    let lines = bench.run("audit export").ends_with(0).out;
    let entries = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["entry"].clone());
    entries.filter(|entry| entry["what"] == "paused" || entry["what"] == "resumed").collect()
}

#[track_caller]
fn line(bench: &Bench, words: &str, account: &str) -> Value {
    let told = bench.run(words).json();
    let accounts = told["accounts"].as_array().unwrap();
    accounts.iter().find(|line| line["account"] == account).unwrap_or_else(|| panic!("{told}")).clone()
}

const BATCH: &str = "main/sub-account/svc-batch";

/// The daemon's first look, to its end.
fn daemon(bench: &Bench) -> Finished {
    let running = bench.start("run");
    running.says("event=\"next\"");
    running.signal(Signal::SIGTERM);
    running.finish().ends_with(0)
}

#[test]
fn a_paused_account_is_not_rotated_and_everybody_is_told_who_paused_it_and_why() {
    let bench = Bench::new();
    bench.run("pauses").ends_with(0).mentions("nothing is paused");
    because(&bench, "pause svc-batch --for 2d", "점검 #12").ends_with(0).mentions("paused until");
    let [paused] = &pauses(&bench)[..] else { panic!() };
    assert_eq!((&paused["scope"], &paused["account"]), (&json!("account"), &json!(BATCH)));
    assert_eq!((&paused["cause"]["command"], &paused["cause"]["reason"]), (&json!("pause"), &json!("점검 #12")));
    let [since, until] =
        ["since", "until"].map(|key| paused[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap());
    assert_eq!(until.duration_since(since), jiff::SignedDuration::from_hours(48));
    bench.run("pauses").ends_with(0).mentions("점검 #12").mentions(BATCH);

    let said = daemon(&bench).out;
    assert!(said.contains("event=\"paused\"") && said.contains(&format!("target={BATCH}")), "{said}");
    for name in ACTIVE {
        assert_eq!(bench.emulator.account(name).changes, u64::from(name != "svc-batch"), "{name}");
    }
    let status = line(&bench, "status --json", BATCH);
    leads_somewhere(&status);
    assert_eq!((&status["state"], &status["waits_for"]), (&json!("paused"), &json!("pause")));
    assert_eq!((&status["paused"], &status["until"], &status["since"]), (paused, &paused["until"], &paused["since"]));
    assert_eq!(status["remedy"], format!("ncloud-rotator resume {BATCH}"));
    let told = bench.run("status").ends_with(0);
    assert!(told.row(BATCH).contains("paused"), "{}", told.out);
    told.mentions("점검 #12");
    let account = line(&bench, "accounts --json", BATCH);
    assert_eq!((&account["paused"], &account["due"]), (paused, &paused["until"]));
    bench.run("accounts").ends_with(0).mentions("(the account is paused)");
    let history = bench.run("history svc-batch --json").ends_with(0).json();
    assert_eq!(
        (&history["events"][0]["what"], &history["events"][0]["detail"]["until"]),
        (&json!("paused"), &paused["until"])
    );
    bench.has_told_no_secret();
}

#[rstest]
#[case("svc-batch svc-report", "svc-batch svc-report", 2)]
#[case("ncloud/main/sub-account/svc-batch", "main/sub-account/svc-batch", 1)]
#[case("--tenant main", "--tenant main", 7)]
#[case("--all", "--all", 7)]
fn what_is_paused_is_resumed_by_the_same_words(#[case] pause: &str, #[case] resume: &str, #[case] held: usize) {
    let bench = Bench::new();
    bench.run(&format!("pause {pause}")).ends_with(0);
    let told = bench.run("rotate --all --json").ends_with(0).json();
    let results = told["accounts"].as_array().unwrap();
    let is_held = |line: &&Value| line["reason"].as_str().is_some_and(|reason| reason.contains("--despite-pause"));
    assert_eq!(results.iter().filter(is_held).filter(|line| line["result"] == "skipped").count(), held);
    assert_eq!(bench.emulator.sends().len(), ACTIVE.len() - held);
    let resumed = bench.run(&format!("resume {resume} --json")).ends_with(0).json();
    assert!(resumed["resumed"].as_array().unwrap().iter().all(|one| one["was_paused"] == true), "{resumed}");
    assert_eq!(pauses(&bench), [] as [Value; 0]);
    bench.run("rotate svc-batch").ends_with(0);
    let events = events(&bench);
    assert_eq!(events.len(), 2 * if pause.contains(' ') && !pause.contains("--") { 2 } else { 1 });
    assert_eq!(
        (&events[0]["cause"]["command"], &events.last().unwrap()["cause"]["command"]),
        (&json!("pause"), &json!("resume"))
    );
    bench.run(&format!("resume {resume}")).ends_with(0).mentions("was not paused");
    assert_eq!(self::events(&bench).len(), events.len(), "nothing happened");
}

/// Sixteen rotations are under way at once; the others have not begun.
#[test]
fn a_pause_holds_whoever_has_not_begun_of_all_that_are_being_rotated() {
    let bench = Bench::new();
    bench.emulator.change(&json!({ "op": "create", "kind": "sub-account", "count": 30, "prefix": "svc-n" }));
    for call in ["password", "resetPassword"] {
        bench.emulator.fault(&json!({ "call": call, "times": "always", "fault": { "hold": {} } }));
    }
    let running = bench.start("rotate --all --json");
    until("sixteen rotations under way", || bench.emulator.sends().len() >= 16);
    bench.run("pause --all").ends_with(0);
    bench.emulator.clear_faults();
    bench.emulator.release();
    let told = running.finish().ends_with(0).json();
    let results = told["accounts"].as_array().unwrap();
    let is_held = |line: &&Value| line["reason"].as_str().is_some_and(|reason| reason.contains("--despite-pause"));
    assert_eq!(results.iter().filter(is_held).filter(|line| line["result"] == "skipped").count(), 37 - 16, "{told}");
    assert_eq!(bench.emulator.sends().len(), 16);
    bench.holds_the_promise();
}

#[test]
fn a_pause_holds_whoever_has_not_begun_of_what_the_daemon_was_asked_for() {
    let bench = Bench::new();
    bench.edit("rate       = \"100/s\"", "rate       = \"1/s\"");
    bench.edit("on_adopt        = \"rotate\"", "on_adopt        = \"defer\"");
    let daemon = bench.start("run");
    daemon.says("event=\"admin-listens\"");
    daemon.says("event=\"next\"");
    let asking = bench.start("rotate --all --json");
    until("the first rotation", || !bench.emulator.sends().is_empty());
    bench.run("pause --all").ends_with(0);
    let told = asking.finish().ends_with(0).json();
    assert!(bench.emulator.sends().len() < ACTIVE.len(), "{told}");
    let rotated = told["accounts"].as_array().unwrap().iter().filter(|line| line["result"] == "rotated").count();
    assert_eq!(rotated, bench.emulator.sends().len(), "{told}");
    bench.run("rotate svc-batch --json").ends_with(69);
    daemon.signal(Signal::SIGTERM);
    daemon.finish().ends_with(0);
    bench.holds_the_promise();
}

/// It would be forgotten by the next start.
#[test]
fn a_daemon_whose_journal_was_moved_away_takes_no_pause_that_it_cannot_keep() {
    let bench = Bench::new();
    let daemon = bench.start("run");
    daemon.says("event=\"admin-listens\"");
    daemon.says("event=\"next\"");
    fs::rename(bench.state().join("journal.sqlite"), bench.path("moved.sqlite")).unwrap();
    bench.run("pause svc-batch").ends_with(69).mentions("was moved or removed while this program ran");
    daemon.signal(Signal::SIGTERM);
    daemon.finish().ends_with(0);
    bench.run("pause svc-batch").ends_with(0);
    assert_eq!(pauses(&bench).len(), 1);
}

/// One row that makes no sense hides all others.
#[test]
fn while_nobody_knows_what_is_paused_nothing_begins_and_that_is_told() {
    let bench = Bench::new();
    bench.run("pause --all").ends_with(0);
    let journal = Connection::open(bench.state().join("journal.sqlite")).unwrap();
    let nonsense = "INSERT INTO pauses VALUES ('account', 'nobody', 'x', '2026-01-01T00:00:00Z', NULL, '{}')";
    journal.execute_batch(nonsense).unwrap();
    let told = daemon(&bench).out;
    assert!(told.contains("event=\"pauses-unknown\""), "{told}");
    bench.run("rotate --all").ends_with(0).mentions("event=\"pauses-unknown\"");
    assert_eq!(bench.emulator.sends().len(), 0);
    journal.execute_batch("DELETE FROM pauses WHERE name = 'x'").unwrap();
    bench.run("resume --all").ends_with(0);
    daemon(&bench);
    assert_eq!(bench.emulator.sends().len(), ACTIVE.len());
}

/// Whoever pauses then makes a new journal, and is told that it is paused.
#[test]
fn a_daemon_whose_journal_was_moved_away_obeys_what_it_knew_and_what_is_said_since() {
    let bench = Bench::new();
    bench.edit("on_adopt        = \"rotate\"", "on_adopt        = \"defer\"");
    bench.run("pause svc-report").ends_with(0);
    let daemon = bench.start("run");
    daemon.says("event=\"next\"");
    bench.lose_state();
    bench.run("pause svc-batch").ends_with(0);
    bench.edit("on_adopt        = \"defer\"", "on_adopt        = \"rotate\"");
    until("the others", || bench.emulator.accounts().iter().filter(|live| live.changes > 0).count() == 5);
    daemon.says_so(|said| said.matches("event=\"next\"").count() > 1, "what comes next");
    daemon.signal(Signal::SIGTERM);
    daemon.finish().ends_with(0).mentions("was moved or removed while this program ran");
    for name in ["svc-batch", "svc-report"] {
        assert_eq!(bench.emulator.account(name).changes, 0, "{name}");
    }
    bench.holds_the_promise();
}

#[test]
fn a_narrower_word_outlasts_a_wider_one_and_that_is_told() {
    let bench = Bench::new();
    for words in ["pause svc-batch", "pause --tenant main --for 1h", "pause --all --for 30m"] {
        bench.run(words).ends_with(0);
    }
    bench
        .run("resume --all")
        .ends_with(0)
        .mentions("everything: resumed; still paused: tenant main, main/sub-account/svc-batch");
    bench.run("resume svc-batch").ends_with(0).mentions("still paused: tenant main (`resume --tenant main`)");
    assert_eq!(pauses(&bench).len(), 1);
    // The last word of the same counts.
    bench.run("pause --tenant main").ends_with(0);
    assert_eq!(pauses(&bench)[0]["until"], Value::Null);
    bench.run("rotate svc-batch").ends_with(69).mentions("its tenant is paused").mentions("resume --tenant main");
}

#[test]
fn whoever_names_a_paused_account_is_refused_unless_they_say_that_they_know() {
    let bench = Bench::new();
    bench.run("pause svc-batch").ends_with(0);
    let refused = bench.run("rotate svc-batch svc-report --json").ends_with(69).json();
    let results: Vec<_> =
        refused["accounts"].as_array().unwrap().iter().map(|line| line["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["paused", "rotated"]);
    assert_eq!(refused["accounts"][0]["scope"], "account");
    bench.run("rotate svc-batch --dry-run").ends_with(69).mentions("the account is paused");
    assert_eq!(bench.emulator.account("svc-batch").changes, 0);
    bench.run("rotate svc-batch --despite-pause --dry-run").ends_with(0).mentions("would rotate");
    bench.run("rotate svc-batch --despite-pause").ends_with(0);
    bench.is_settled("svc-batch", 1);
    assert_eq!(pauses(&bench).len(), 1, "it stays paused");
    // A decision about one secret is no rotation that was to be held back.
    bench.run("rotate svc-batch --despite-pause").ends_with(0);
    bench.run("secret rollback svc-batch --yes").ends_with(0);
    bench.is_settled("svc-batch", 3);
}

/// `docs/protocol.md`, rule 12.
#[rstest]
#[case("run")]
#[case("rotate svc-batch")]
#[case("rotate --all")]
#[case("rotate svc-batch --resume")]
fn what_is_unfinished_is_finished_whatever_is_paused(#[case] words: &str) {
    let bench = Bench::with_short_fence();
    bench.emulator.fault_once("svc-batch", &json!("drop-before"));
    bench.run("rotate svc-batch --wait 0s").ends_with(75);
    bench.run("pause --all").ends_with(0);
    if words == "run" {
        daemon(&bench);
    } else {
        bench.run(words).ends_with(0);
    }
    bench.is_settled("svc-batch", 1);
    assert_eq!(bench.emulator.account("svc-report").changes, 0);
    // That was all: nothing new begins.
    bench.run("rotate svc-batch").ends_with(69);
    bench.is_settled("svc-batch", 1);
}

#[test]
fn a_tenant_and_everything_are_paused_while_the_provider_is_away_and_an_account_as_the_vault_knows_it() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    bench.emulator.fault(&json!({ "call": "sub-accounts", "times": "always", "fault": "drop-before" }));
    bench.run("pause --tenant main").ends_with(0);
    bench.run("pause svc-batch").ends_with(0);
    // Of this one nobody can tell.
    bench.run("pause svc-report").ends_with(75).mentions("could not be looked up");
    assert_eq!(pauses(&bench).len(), 2);
    bench.run("resume svc-batch").ends_with(0).mentions("svc-batch: resumed");
}

#[rstest]
#[case("pause", "<NAME|")]
#[case("pause svc-batch --until 2001-01-01", "is over")]
#[case("pause nobody", "no account or secret is called \"nobody\"")]
#[case("pause svc-bat", "did you mean")]
#[case("pause --tenant other", "no tenant \"other\"; there are: main")]
#[case("resume --tenant other", "no tenant \"other\"; there are: main")]
#[case("resume nobody", "no account or secret is called \"nobody\"")]
fn what_cannot_be_meant_is_refused_and_changes_nothing(#[case] words: &str, #[case] told: &str) {
    let bench = Bench::new();
    let told = told.replace("<NAME|", "--tenant <NAME>");
    bench.run(words).ends_with(64).mentions(&told);
    assert_eq!(pauses(&bench), [] as [Value; 0]);
}

#[test]
fn a_pause_that_cannot_be_kept_is_refused_and_what_was_paused_stays_so() {
    let bench = Bench::new();
    bench.run("pause svc-batch").ends_with(0);
    let file = Connection::open(bench.state().join("journal.sqlite")).unwrap();
    let refuse = "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no room'); END";
    file.execute_batch(refuse).unwrap();
    drop(file);
    bench.run("pause --all").ends_with(69).mentions("nothing is paused").mentions("no room");
    bench.run("resume svc-batch").ends_with(69).mentions("nothing is resumed");
    assert_eq!(pauses(&bench).len(), 1);
    bench.lose_state();
    fs::write(bench.state(), "not a directory").unwrap();
    bench.run("pause --all").ends_with(77);
}

/// A pause that another process writes is obeyed by the daemon that runs, before it begins anything more.
#[test]
fn a_running_daemon_obeys_a_pause_that_is_said_beside_it() {
    let bench = Bench::new();
    let all = r#"names  = ["svc-*", "doyun.lee"]"#;
    let one = r#"names  = ["svc-backup"]"#;
    bench.edit(all, one);
    let running = bench.start("run");
    running.says("event=\"next\"");
    bench.run("pause --tenant main").ends_with(0);
    // Those that come now would be due at once.
    bench.edit(one, all);
    running.says("event=\"reloaded\"");
    running.says_so(|said| said.matches("event=\"next\"").count() == 2, "a second look");
    assert_eq!(bench.emulator.sends_of("svc-batch").len(), 0, "{}", running.stdout());
    bench.run("resume --tenant main").ends_with(0);
    running.signal(Signal::SIGHUP);
    for name in ["svc-batch", "svc-report", "svc-deploy"] {
        running.says_so(|said| said.lines().any(|line| line.contains("\"rotated\"") && line.contains(name)), name);
    }
    running.signal(Signal::SIGTERM);
    running.finish().ends_with(0);
}

#[test]
fn a_lost_journal_loses_the_pauses_and_says_so() {
    let bench = Bench::new();
    bench.run("pause --all").ends_with(0);
    bench.lose_state();
    let said = daemon(&bench).out;
    let new = said.lines().find(|line| line.contains("event=\"journal-new\"")).unwrap();
    assert!(new.contains("nothing is paused"), "{new}");
    assert_eq!(bench.emulator.sends().len(), ACTIVE.len());
}
