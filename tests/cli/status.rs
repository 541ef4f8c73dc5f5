//! `status`: what each account waits for, since when, and what to do; whatever else is down, and without changing anything.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use serde_json::{Value, json};

use crate::bench::{ACTIVE, Bench};
use crate::process::until;
use crate::runbook::leads_somewhere;

/// What `status` says of one account.
#[track_caller]
fn told(bench: &Bench, account: &str, code: i32) -> Value {
    let told = bench.run("status --json").ends_with(code).json();
    let accounts = told["accounts"].as_array().unwrap();
    accounts.iter().for_each(leads_somewhere);
    let full = full_name(account);
    let line = accounts.iter().find(|line| line["account"] == full);
    line.unwrap_or_else(|| panic!("nothing of {full}: {told}")).clone()
}

impl Bench {
    fn leaves_unfinished(&self, account: &str, fault: &Value) {
        self.emulator.fault_always(account, fault);
        self.run(&format!("rotate {account} --wait 0s"));
        self.emulator.clear_faults();
    }
}

/// The account's full name.
fn full_name(account: &str) -> String {
    let kind = if account.starts_with("df") { "data-forest" } else { "sub-account" };
    format!("main/{kind}/{account}")
}

/// The emulator's time, which is this machine's.
fn now(bench: &Bench) -> Timestamp {
    time(&bench.emulator.door("POST", "/door/clock", Some(&json!({ "offset_ms": 0 })))["now"])
}

fn time(told: &Value) -> Timestamp {
    told.as_str().unwrap_or_else(|| panic!("{told} is no time")).parse().unwrap()
}

#[test]
fn a_look_at_nothing_makes_nothing_and_asks_only_to_read() {
    let bench = Bench::new();
    let table = bench.run("status").ends_with(0);
    assert!(table.row("main/sub-account/svc-batch").contains("due"), "{}", table.out);
    assert!(!bench.vault.root().exists() && !bench.vault.identity().exists() && !bench.state().exists());
    bench.emulator.was_only_read();
    bench.run("rotate --all").ends_with(0);
    let (vault, sends) = (bench.vault.bytes(), bench.emulator.sends().len());
    let told = bench.run("status --json").ends_with(0).json();
    let accounts = told["accounts"].as_array().unwrap();
    assert_eq!((accounts.len(), &told["exit"]), (9, &json!("success")));
    for name in ACTIVE {
        let line = accounts.iter().find(|line| line["account"] == full_name(name)).unwrap();
        assert_eq!((&line["state"], &line["listed"], &line["waits_for"]), (&json!("idle"), &json!(true), &Value::Null));
        assert!(time(&line["last_changed"]) < time(&line["due"]) && time(&line["due"]) < time(&line["expires_at"]));
        assert_eq!(line["secret"], bench.secret(name));
    }
    assert_eq!((bench.vault.bytes(), bench.emulator.sends().len()), (vault, sends));
}

#[rstest]
#[case(json!("drop-before"), "disconnected")]
#[case(json!({ "5xx-after": 503 }), "server-error")]
#[case(json!("garbage"), "unreadable")]
#[case(json!({ "429": 410 }), "throttled")]
#[case(json!("forbid"), "forbidden")]
fn what_the_provider_said_last_is_what_it_waits_for(#[case] fault: Value, #[case] label: &str) {
    let bench = Bench::new();
    let before = now(&bench);
    bench.leaves_unfinished("svc-batch", &fault);
    let line = told(&bench, "svc-batch", 75);
    assert_eq!((&line["state"], &line["waits_for"]), (&json!("unfinished"), &json!(label)));
    assert!(time(&line["since"]) > before - SignedDuration::from_secs(2) && time(&line["since"]) <= now(&bench));
    assert_eq!(line["remedy"], "ncloud-rotator rotate main/sub-account/svc-batch --resume");
    assert_eq!(line["runbook"], format!("docs/runbook.md#{label}"));
    let finished = bench.run("status").ends_with(75).mentions("rotate main/sub-account/svc-batch --resume");
    assert!(finished.row("main/sub-account/svc-batch").contains(label), "{}", finished.out);
    bench.holds_the_promise();
}

#[test]
fn a_fence_and_a_spacing_are_told_with_their_ends() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    bench.leaves_unfinished("svc-batch", &json!("drop-before"));
    bench.lose_state();
    let line = told(&bench, "svc-batch", 75);
    assert_eq!(line["waits_for"], "fence");
    let left = time(&line["until"]).duration_since(now(&bench));
    assert!(left > SignedDuration::from_mins(6) && left <= SignedDuration::from_mins(8), "{left:#}");
    assert!(!bench.state().exists(), "a look makes no journal");

    for _ in 0..2 {
        bench.emulator.fault_once("df001", &json!("refuse"));
    }
    bench.run("rotate df001").ends_with(75);
    let line = told(&bench, "df001", 75);
    assert_eq!(
        (&line["waits_for"], &line["remedy"]),
        (&json!("spacing"), &json!("ncloud-rotator rotate main/data-forest/df001"))
    );
    assert!(time(&line["until"]) > now(&bench) + SignedDuration::from_mins(10));
}

#[test]
fn what_needs_an_operator_says_so_with_the_remedy() {
    let bench = Bench::new();
    bench.run("rotate svc-batch svc-report svc-backup").ends_with(0);
    let secret = bench.secret("svc-batch");
    fs::copy(bench.vault.file(&bench.secret("svc-report")), bench.vault.file(&secret)).unwrap();
    let line = told(&bench, "svc-batch", 69);
    assert_eq!((&line["state"], &line["runbook"]), (&json!("frozen"), &json!("docs/runbook.md#other-account")));

    let secret = bench.secret("svc-backup");
    let mut document = bench.vault.open(&secret).unwrap();
    document["current"]["value"]["rotation"].take();
    bench.vault.write(&secret, &document);
    let line = told(&bench, "svc-backup", 69);
    assert_eq!((&line["state"], &line["waits_for"]), (&json!("frozen"), &json!("operator")));
    assert_eq!(line["remedy"], "ncloud-rotator secret adopt main/sub-account/svc-backup");
    bench.run("status").ends_with(69).mentions("was replaced by somebody else");
    assert_eq!(bench.emulator.sends().len(), 3);
}

#[test]
fn while_the_provider_is_away_the_vault_tells() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    bench.leaves_unfinished("df001", &json!("drop-before"));
    bench.emulator.stop();
    let line = told(&bench, "df001", 69);
    assert_eq!((&line["waits_for"], &line["listed"]), (&json!("provider-unreachable"), &Value::Null));
    let line = told(&bench, "svc-batch", 69);
    assert_eq!((&line["state"], &line["standing"]), (&json!("idle"), &Value::Null));
    bench.run("status").ends_with(69).mentions("cannot be listed").mentions("what the vault tells");
    bench.emulator.restart();
    let mut command = bench.command(&["status", "--json"]);
    command.env("NCLOUD_SECRET_KEY", "another");
    let answer = bench.run_command(command).ends_with(77).json();
    let line = answer["accounts"].as_array().unwrap().iter().find(|line| line["account"] == "main/data-forest/df001");
    assert_eq!(line.unwrap()["waits_for"], "authentication");
}

#[test]
fn while_the_vault_is_away_it_says_so_and_lists_the_accounts() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    let aside = bench.path("aside");
    fs::rename(bench.vault.root(), &aside).unwrap();
    fs::write(bench.vault.root(), "in the way").unwrap();
    let line = told(&bench, "svc-batch", 77);
    assert_eq!((&line["waits_for"], &line["state"]), (&json!("vault"), &json!("unknown")));
    assert!(line["reason"].as_str().unwrap().contains(&bench.vault.root().display().to_string()), "{line}");
    bench.emulator.stop();
    bench.run("status").ends_with(69).mentions("vault local cannot be looked into");
}

#[test]
fn an_account_that_is_not_in_use_keeps_its_rotation_waiting() {
    let bench = Bench::new();
    for name in ["df001", "svc-batch"] {
        bench.leaves_unfinished(name, &json!("drop-before"));
    }
    bench.emulator.change(&json!({ "op": "set", "account": "df001", "status": "CHANGING" }));
    let line = told(&bench, "df001", 75);
    assert_eq!((&line["waits_for"], &line["state"]), (&json!("account"), &json!("unfinished")));
    assert!(line["reason"].as_str().unwrap().contains("CHANGING"), "{line}");
    assert_eq!(line["remedy"], "ncloud-rotator account drop main/data-forest/df001");
    bench.emulator.change(&json!({ "op": "delete", "account": "svc-batch" }));
    let line = told(&bench, "svc-batch", 69);
    assert_eq!((&line["waits_for"], &line["listed"]), (&json!("account"), &json!(false)));
    assert!(time(&line["since"]) <= now(&bench));
}

#[test]
fn an_account_that_is_gone_with_nothing_unfinished_is_no_business_of_ours() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    bench.emulator.change(&json!({ "op": "delete", "account": "svc-batch" }));
    let told = bench.run("status --json").ends_with(0).json();
    assert_eq!(told["accounts"].as_array().unwrap().len(), 8);
}

#[test]
fn a_journal_that_cannot_be_read_is_told_and_holds_up_what_would_be_sent() {
    let bench = Bench::new();
    bench.run("rotate svc-report").ends_with(0);
    bench.leaves_unfinished("svc-batch", &json!("drop-before"));
    let journal = bench.state().join("journal.sqlite");
    fs::write(&journal, "no database, but long enough to be looked at as one".repeat(100)).unwrap();
    let line = told(&bench, "svc-batch", 75);
    assert_eq!(line["waits_for"], "journal");
    bench.run("status").ends_with(75).mentions(&journal.display().to_string());
    // Nobody knows what is paused, so that nothing begins.
    let line = told(&bench, "svc-report", 75);
    assert_eq!(line["state"], "paused");
    assert!(line["reason"].as_str().unwrap().contains("the journal, which cannot tell what is paused"), "{line}");
}

#[test]
fn failed_attempts_and_the_time_of_the_next_one_are_told_and_survive_a_restart() {
    let bench = Bench::with_short_fence();
    bench.emulator.fault_always("svc-batch", &json!({ "5xx-before": 503 }));
    let attempts = |least: u64| {
        let told = bench.run("status --json").json();
        let line = told["accounts"].as_array().unwrap().iter().find(|line| line["account"] == full_name("svc-batch"));
        let line = line.unwrap().clone();
        line["failed_attempts"].as_u64().filter(|failed| *failed >= least).map(|_| line)
    };
    let daemon = bench.start("run");
    until("a failed attempt", || attempts(1).is_some());
    daemon.kill_9();
    let before = attempts(1).unwrap();
    let daemon = bench.start("run");
    let more = before["failed_attempts"].as_u64().unwrap() + 1;
    until("one more", || attempts(more).is_some());
    daemon.kill_9();
    let after = attempts(more).unwrap();
    leads_somewhere(&after);
    assert!(time(&after["next_attempt"]) > time(&before["next_attempt"]), "{before} {after}");
    bench.run("status").ends_with(75).mentions("failed attempts in a row: ");
    // A person does not wait, and a success is the end of it.
    bench.emulator.clear_faults();
    bench.run("rotate svc-batch --resume").ends_with(0);
    assert_eq!(attempts(0), None);
    bench.is_settled("svc-batch", 1);
}
