//! `rotate --all --emergency`: every password, in waves that halt, and that go on where they halted.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::aws;
use crate::bench::{ACTIVE, Bench};
use crate::process::Finished;
use crate::secrets_manager::server::Server;

const EMERGENCY: &str = "rotate --all --emergency --json";

/// The accounts of `ACTIVE` in the order in which they come when no priority says otherwise.
const ORDER: [&str; 7] = ["svc-backup", "svc-batch", "svc-deploy", "svc-report", "df001", "df002", "df003"];

#[track_caller]
fn answer(finished: &Finished, is: &Value) -> Value {
    let answer = finished.json();
    assert_eq!(&answer["state"], is, "{answer:#}");
    answer
}

fn numbers(answer: &Value, key: &str) -> Vec<u64> {
    answer["waves"].as_array().unwrap().iter().map(|wave| wave[key].as_u64().unwrap()).collect()
}

fn names(answer: &Value, key: &str) -> BTreeSet<String> {
    let of =
        |entry: &Value| entry.as_str().or(entry["account"].as_str()).unwrap().rsplit('/').next().unwrap().to_owned();
    answer[key].as_array().unwrap().iter().map(of).collect()
}

fn set<'n>(names: impl IntoIterator<Item = &'n str>) -> BTreeSet<String> {
    names.into_iter().map(str::to_owned).collect()
}

/// The journal's events about emergencies.
fn events(bench: &Bench) -> Vec<Value> {
    let lines = bench.run("audit export").ends_with(0).out;
    let entries = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["entry"].clone());
    entries.filter(|entry| entry["what"].as_str().unwrap().starts_with("emergency-")).collect()
}

fn whats(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["what"].as_str().unwrap().trim_start_matches("emergency-")).collect()
}

/// The accounts in the order in which the provider was first asked for new passwords of theirs.
fn order(bench: &Bench) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    for send in bench.emulator.sends() {
        let account = send["account"].as_str().unwrap().to_owned();
        if !order.contains(&account) {
            order.push(account);
        }
    }
    order
}

#[test]
fn every_password_is_replaced_in_waves_and_the_page_can_be_quoted() {
    let bench = Bench::new();
    let words = ["rotate", "--all", "--emergency", "--json", "--reason", "key leaked: INC-7"];
    let first = answer(&bench.run_command(bench.command(&words)).ends_with(0), &json!({ "is": "ended" }));
    assert_eq!((numbers(&first, "accounts"), numbers(&first, "failed")), (vec![1, 2, 4], vec![0, 0, 0]));
    assert_eq!(names(&first, "rotated"), set(ACTIVE));
    assert_eq!(names(&first, "skipped"), set(["doyun.lee", "df004"]));
    assert_eq!((&first["failed"], &first["left"], &first["exit"]), (&json!([]), &json!([]), &json!("success")));
    assert_eq!(first["calls"][0]["cause"]["reason"], "key leaked: INC-7");
    for name in ACTIVE {
        bench.is_settled(name, 1);
    }
    let head = first["chain"]["hash"].as_str().unwrap();
    bench.run(&format!("audit verify --head {head}")).ends_with(0);
    let events = events(&bench);
    assert_eq!(whats(&events), ["began", "wave", "wave", "wave", "ended"]);
    for event in &events {
        assert_eq!(event["detail"]["emergency"]["id"], first["emergency"]["id"]);
        assert_eq!(event["cause"]["command"], "rotate --all --emergency");
        assert_eq!(event["cause"]["reason"], "key leaked: INC-7");
    }

    // It has ended: the same command is about another one.
    let page = bench.run("rotate --all --emergency").ends_with(0).mentions("Everybody has a password");
    assert!(!page.out.contains(first["emergency"]["id"].as_str().unwrap()), "{}", page.out);
    assert!(page.row("rotated").contains('7') && page.row("journal").contains("head"), "{}", page.out);
    for name in ACTIVE {
        bench.is_settled(name, 2);
    }
}

#[test]
fn it_halts_when_too_much_of_a_wave_fails_and_goes_on_where_it_halted() {
    let bench = Bench::new();
    bench.emulator.change(&json!({ "op": "create", "kind": "sub-account", "count": 30, "prefix": "svc-n" }));
    bench.emulator.fault_always("svc-batch", &json!("drop-before"));
    let halted = json!({ "is": "halted", "because": "too-many-failed" });
    let first = answer(&bench.run(&format!("{EMERGENCY} --wait 0s")).ends_with(69), &halted);
    assert_eq!((numbers(&first, "accounts"), numbers(&first, "failed")), (vec![1, 2], vec![0, 1]));
    // What is under way when it halts may still end well.
    let others = |answer: &Value| names(answer, "rotated").len() + names(answer, "left").len();
    assert_eq!((names(&first, "failed"), others(&first)), (set(["svc-batch"]), 36));
    assert_eq!(first["failed"][0]["result"], "unfinished");
    assert!(bench.emulator.accounts().iter().filter(|live| live.changes > 0).count() <= 2);

    // Who failed comes last, so that one account that cannot be helped does not keep the others waiting.
    let second = answer(&bench.run(&format!("{EMERGENCY} --wait 0s")).ends_with(69), &halted);
    assert_eq!(second["emergency"]["id"], first["emergency"]["id"]);
    assert_eq!(numbers(&second, "accounts")[..7], [1, 2, 1, 2, 4, 8, 16]);
    assert_eq!((names(&second, "failed"), others(&second)), (set(["svc-batch"]), 36));
    assert!(names(&second, "rotated").len() >= 32);
    assert_eq!(second["calls"].as_array().unwrap().len(), 2);

    bench.emulator.clear_faults();
    let third = answer(&bench.run(EMERGENCY).ends_with(0), &json!({ "is": "ended" }));
    assert_eq!((&third["began"], names(&third, "rotated").len()), (&second["began"], 37));
    for live in bench.emulator.accounts().iter().filter(|live| live.changes > 0) {
        bench.is_settled(&live.name, 1);
    }
    let events = events(&bench);
    let runs: Vec<&str> = whats(&events).into_iter().filter(|what| *what != "wave").collect();
    assert_eq!(runs, ["began", "halted", "resumed", "halted", "resumed", "ended"]);
}

#[test]
fn a_share_that_is_allowed_to_fail_does_not_halt_it_and_it_is_not_ended_without_them() {
    let bench = Bench::new();
    bench.emulator.fault_always("df002", &json!("drop-before"));
    let words = format!("{EMERGENCY} --wait 0s --canary 7 --halt-at 20%");
    let some = json!({ "is": "halted", "because": "some-failed" });
    let first = answer(&bench.run(&words).ends_with(75), &some);
    assert_eq!((numbers(&first, "rotated"), numbers(&first, "failed")), (vec![6], vec![1]));
    bench.emulator.clear_faults();
    answer(&bench.run(&words).ends_with(0), &json!({ "is": "ended" }));
    for name in ACTIVE {
        bench.is_settled(name, 1);
    }
}

#[test]
fn killed_in_the_middle_of_a_wave_it_goes_on_and_rotates_nobody_twice() {
    let bench = Bench::new();
    for name in ["svc-report", "df001"] {
        bench.emulator.fault_once(name, &json!({ "hold": { "then": "drop-after" } }));
    }
    let running = bench.start(EMERGENCY);
    for name in ["svc-report", "df001", "df002", "df003"] {
        bench.emulator.until_sent(name, 1);
    }
    running.kill_9();
    bench.holds_the_promise();
    bench.emulator.release();
    let answer = answer(&bench.run(EMERGENCY).ends_with(0), &json!({ "is": "ended" }));
    assert_eq!(names(&answer, "rotated"), set(ACTIVE));
    for name in ACTIVE {
        assert_eq!(bench.emulator.passwords_tried(name), 1, "{name}");
        bench.is_settled(name, bench.emulator.account(name).changes);
    }
    assert!(["svc-backup", "svc-batch", "svc-deploy"].iter().all(|name| bench.emulator.sends_of(name).len() == 1));
    assert_eq!(whats(&events(&bench)).iter().filter(|what| **what == "began").count(), 1);
}

/// A process that is killed loses at most the row of the step at which it stood.
#[test]
fn who_was_rotated_without_the_row_that_says_so_is_not_rotated_again() {
    let bench = Bench::new();
    bench.emulator.fault_once("svc-deploy", &json!("drop-before"));
    bench.run(&format!("{EMERGENCY} --wait 0s")).ends_with(69);
    let journal = Connection::open(bench.state().join("journal.sqlite")).unwrap();
    let lost = "DROP TRIGGER events_are_not_removed; \
                DELETE FROM events WHERE entry ->> '$.what' = 'rotated' AND account = 'main/sub-account/svc-backup'";
    journal.execute_batch(lost).unwrap();
    answer(&bench.run(EMERGENCY).ends_with(0), &json!({ "is": "ended" }));
    bench.is_settled("svc-backup", 1);
}

#[test]
fn interrupted_it_says_so_and_goes_on() {
    let bench = Bench::new();
    bench.emulator.fault_always("svc-deploy", &json!("drop-after"));
    let running = bench.start(EMERGENCY);
    bench.emulator.until_sent("svc-deploy", 2);
    running.signal(Signal::SIGINT);
    let stopped = answer(&running.finish().ends_with(75), &json!({ "is": "halted", "because": "interrupted" }));
    assert_eq!(names(&stopped, "left"), set(["svc-deploy", "svc-report", "df001", "df002", "df003"]));
    bench.holds_the_promise();
    bench.emulator.clear_faults();
    answer(&bench.run(EMERGENCY).ends_with(0), &json!({ "is": "ended" }));
    for name in ACTIVE {
        assert_eq!(bench.emulator.passwords_tried(name), 1, "{name}");
        bench.is_settled(name, bench.emulator.account(name).changes);
    }
}

/// Whoever reads the vault reads what is pending as well.
#[test]
fn a_password_that_was_staged_before_the_emergency_is_not_new_enough() {
    let bench = Bench::with_short_fence();
    bench.emulator.fault_always("svc-batch", &json!("drop-before"));
    bench.run("rotate svc-batch --wait 0s").ends_with(75);
    let staged = bench.stored("svc-batch", "pending");
    bench.emulator.clear_faults();
    answer(&bench.run(EMERGENCY).ends_with(0), &json!({ "is": "ended" }));
    assert_eq!(bench.stored("svc-batch", "previous"), staged);
    assert_ne!(bench.stored("svc-batch", "current"), staged);
    bench.is_settled("svc-batch", 2);
    bench.is_settled("svc-backup", 1);
}

/// Its service broke with the new password, and somebody put the leaked one back for the time being.
#[test]
fn a_password_that_was_put_back_since_is_replaced_again() {
    let bench = Bench::with_short_fence();
    bench.run("rotate svc-backup").ends_with(0);
    let leaked = bench.stored("svc-backup", "current");
    bench.emulator.fault_always("svc-batch", &json!("drop-before"));
    bench.run(&format!("{EMERGENCY} --wait 0s")).ends_with(69);
    assert_eq!(bench.stored("svc-backup", "previous"), leaked);
    bench.run("secret rollback svc-backup").ends_with(0);
    assert_eq!(bench.stored("svc-backup", "current"), leaked);
    bench.emulator.clear_faults();
    let answer = answer(&bench.run(EMERGENCY).ends_with(0), &json!({ "is": "ended" }));
    assert_eq!(names(&answer, "rotated"), set(ACTIVE));
    assert_ne!(bench.stored("svc-backup", "current"), leaked);
    bench.is_settled("svc-backup", 4);
    bench.is_settled("svc-deploy", 1);
}

/// A fence of eight minutes is no trouble, and must not stop the others.
#[test]
fn who_only_waits_for_the_fence_halts_nothing_and_keeps_it_open() {
    let bench = Bench::new();
    bench.emulator.fault_always("svc-backup", &json!("drop-before"));
    bench.run("rotate svc-backup --wait 0s").ends_with(75);
    bench.emulator.clear_faults();
    let some = json!({ "is": "halted", "because": "some-failed" });
    let answer = answer(&bench.run(&format!("{EMERGENCY} --wait 1s")).ends_with(75), &some);
    assert_eq!((numbers(&answer, "waiting"), numbers(&answer, "failed")), (vec![1, 0, 0], vec![0, 0, 0]));
    assert_eq!((names(&answer, "rotated").len(), names(&answer, "failed")), (6, set(["svc-backup"])));
    bench.holds_the_promise();
}

#[test]
fn the_rules_priority_says_who_comes_first_and_names_decide_among_equals() {
    let bench = Bench::new();
    bench.run("rotate --all --emergency --canary 1").ends_with(0);
    let plain = order(&bench);
    assert_eq!((plain[0].as_str(), set(plain[1..3].iter().map(String::as_str))), (ORDER[0], set(ORDER[1..3].to_vec())));
    let bench = Bench::new();
    bench.edit("names  = [\"*\"]", "names  = [\"*\"]\npriority = 7");
    bench.run("rotate --all --emergency --canary 3").ends_with(0);
    assert_eq!(set(order(&bench)[..3].iter().map(String::as_str)), set(ORDER[4..].to_vec()));
}

#[test]
fn windows_and_adoption_do_not_hold_it() {
    let bench = Bench::new();
    let shut = "on_adopt = \"defer\"\nblackouts = [{ from = \"2020-01-01\", to = \"2099-01-01\" }]";
    bench.edit("on_adopt        = \"rotate\"", shut);
    answer(&bench.run(EMERGENCY).ends_with(0), &json!({ "is": "ended" }));
    bench.is_settled("svc-batch", 1);
}

#[test]
fn a_pause_holds_unless_it_is_said_otherwise_and_it_is_not_ended_before() {
    let bench = Bench::new();
    bench.run("pause df002").ends_with(0);
    let planned = bench.run(&format!("{EMERGENCY} --dry-run")).ends_with(0).json();
    assert_eq!((names(&planned, "paused"), names(&planned, "left").len()), (set(["df002"]), 6));
    let first = answer(&bench.run(EMERGENCY).ends_with(75), &json!({ "is": "halted", "because": "paused" }));
    assert_eq!((names(&first, "paused"), names(&first, "rotated").len()), (set(["df002"]), 6));
    assert_eq!(bench.emulator.account("df002").changes, 0);
    answer(&bench.run(&format!("{EMERGENCY} --despite-pause")).ends_with(0), &json!({ "is": "ended" }));
    for name in ACTIVE {
        bench.is_settled(name, 1);
    }
}

/// To stop everything before it is understood what is wrong, from another terminal or another office.
#[test]
fn a_pause_that_is_said_while_it_is_under_way_holds_whoever_has_not_begun() {
    let bench = Bench::new();
    bench.emulator.fault_once("svc-backup", &json!({ "hold": {} }));
    let running = bench.start(EMERGENCY);
    bench.emulator.until_sent("svc-backup", 1);
    bench.run("pause --all").ends_with(0);
    bench.emulator.release();
    let stopped = answer(&running.finish().ends_with(75), &json!({ "is": "halted", "because": "paused" }));
    assert_eq!(names(&stopped, "rotated"), set(["svc-backup"]), "what is under way ends");
    assert_eq!(names(&stopped, "paused"), set(ORDER[1..].to_vec()));
    assert_eq!((&stopped["failed"], &stopped["left"]), (&json!([]), &json!([])));
    assert_eq!(bench.emulator.sends().len(), 1);
    bench.run("resume --all").ends_with(0);
    answer(&bench.run(EMERGENCY).ends_with(0), &json!({ "is": "ended" }));
    for name in ACTIVE {
        bench.is_settled(name, 1);
    }
}

#[test]
fn a_dry_run_tells_who_would_be_rotated_and_how_long_it_takes_at_the_least() {
    let bench = Bench::new();
    bench.edit("rate       = \"100/s\"", "rate       = \"6/m\"");
    let planned = answer(&bench.run(&format!("{EMERGENCY} --dry-run")).ends_with(0), &json!({ "is": "planned" }));
    assert_eq!((names(&planned, "left"), &planned["left_takes_seconds"]), (set(ACTIVE), &json!(70)));
    assert!(planned["began"].is_null());
    bench.emulator.was_only_read();
    assert!(!bench.state().exists());
}

#[test]
fn what_cannot_be_recorded_is_not_begun() {
    let bench = Bench::new();
    bench.run("rotate svc-report").ends_with(0);
    let refuse = "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no room'); END";
    Connection::open(bench.state().join("journal.sqlite")).unwrap().execute_batch(refuse).unwrap();
    bench.run(EMERGENCY).ends_with(69).mentions("nothing was begun");
    assert_eq!(bench.emulator.sends().len(), 1);
}

#[test]
fn another_one_at_the_same_time_is_refused() {
    let bench = Bench::new();
    bench.emulator.fault_once("svc-backup", &json!({ "hold": {} }));
    let running = bench.start(EMERGENCY);
    bench.emulator.until_sent("svc-backup", 1);
    bench.run(EMERGENCY).ends_with(75).mentions("another process");
    bench.emulator.release();
    answer(&running.finish().ends_with(0), &json!({ "is": "ended" }));
    bench.is_settled("svc-backup", 1);
}

#[test]
fn afresh_is_another_emergency_although_the_last_one_stopped() {
    let bench = Bench::with_short_fence();
    bench.emulator.fault_once("svc-batch", &json!("drop-before"));
    let first = bench.run(&format!("{EMERGENCY} --wait 0s")).ends_with(69).json();
    let second = answer(&bench.run(&format!("{EMERGENCY} --afresh")).ends_with(0), &json!({ "is": "ended" }));
    assert_ne!(first["emergency"]["id"], second["emergency"]["id"]);
    bench.is_settled("svc-backup", 2);
}

#[test]
fn it_is_not_ended_while_some_accounts_cannot_be_listed() {
    let bench = Bench::new();
    bench.emulator.fault(&json!({ "call": "getList", "times": "always", "fault": { "5xx-before": 503 } }));
    let missing = json!({ "is": "halted", "because": "not-listed" });
    let first = answer(&bench.run(&format!("{EMERGENCY} --wait 0s")).ends_with(75), &missing);
    assert_eq!(names(&first, "rotated"), set(ORDER[..4].to_vec()));
    assert_eq!(first["not_listed"].as_array().unwrap().len(), 1);
    bench.emulator.clear_faults();
    answer(&bench.run(EMERGENCY).ends_with(0), &json!({ "is": "ended" }));
    for name in ACTIVE {
        bench.is_settled(name, 1);
    }
}

/// A vault that only one process may write is written by that one.
#[test]
fn where_the_vault_is_the_daemons_alone_the_daemon_rotates_and_the_waves_are_the_same() {
    let server = Server::start();
    let bench = aws::in_aws(Bench::new(), &server.endpoint(), "sole = true");
    bench.edit("on_adopt        = \"rotate\"", "on_adopt = \"defer\"");
    let daemon = bench.start_command(aws::command(&bench, "run"));
    daemon.says("event=\"next\"");
    bench.emulator.fault_always("svc-batch", &json!("drop-before"));
    let run = |words: &str| bench.run_command(aws::command(&bench, &format!("{EMERGENCY} {words}")));
    let halted = json!({ "is": "halted", "because": "too-many-failed" });
    let first = answer(&run("--wait 0s --reason INC-7").ends_with(69), &halted);
    assert_eq!((numbers(&first, "accounts"), numbers(&first, "failed")), (vec![1, 2], vec![0, 1]));
    bench.emulator.clear_faults();
    let ended = answer(&run("").ends_with(0), &json!({ "is": "ended" }));
    assert_eq!(names(&ended, "rotated"), set(ACTIVE));
    for name in ACTIVE {
        assert_eq!(bench.emulator.passwords_tried(name), 1, "{name}");
        assert_eq!(bench.emulator.account(name).changes, 1, "{name}");
    }
    daemon.signal(Signal::SIGTERM);
    daemon.finish().ends_with(0);
}

#[test]
fn beside_a_daemon_it_is_done_here_and_nobody_is_rotated_twice() {
    let bench = Bench::new();
    bench.edit("on_adopt        = \"rotate\"", "on_adopt = \"defer\"");
    let daemon = bench.start("run");
    daemon.says("event=\"next\"");
    answer(&bench.run(EMERGENCY).ends_with(0), &json!({ "is": "ended" }));
    daemon.signal(Signal::SIGTERM);
    daemon.finish().ends_with(0);
    for name in ACTIVE {
        bench.is_settled(name, 1);
    }
}

#[test]
fn it_is_about_a_tenant_of_the_configuration() {
    let bench = Bench::new();
    bench.run(&format!("{EMERGENCY} --tenant mian")).ends_with(64).mentions("there are: main");
    let halted = bench.run(&format!("{EMERGENCY} --tenant main")).ends_with(0).json();
    assert_eq!(halted["emergency"]["tenant"], "main");
    assert_eq!(names(&halted, "rotated"), set(ACTIVE));
}
