//! Rotations that the daemon is asked for: the same words as without one, each done once, and by nobody's patience but its own.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;

use nix::sys::signal::Signal;
use nix::unistd::getuid;
use serde_json::{Value, json};

use crate::bench::{ACTIVE, Bench};
use crate::process::{Finished, Running, until};

fn daemon(bench: &Bench) -> Running {
    let running = bench.start("run");
    running.says("event=\"admin-listens\"");
    running.says("event=\"next\"");
    running
}

fn ends_well(running: Running) -> String {
    running.signal(Signal::SIGTERM);
    running.finish().ends_with(0).out
}

/// The same words with a daemon and without one, in two worlds that are alike.
#[track_caller]
fn alike(benches: &[Bench; 2], words: &str) -> [Finished; 2] {
    let finished = benches.each_ref().map(|bench| bench.run(words));
    let [asked, alone] = &finished;
    assert_eq!((asked.code, &asked.out), (alone.code, &alone.out), "{words}\n{}\n{}", asked.err, alone.err);
    finished
}

fn sends(benches: &[Bench; 2]) -> [usize; 2] {
    benches.each_ref().map(|bench| bench.emulator.sends().len())
}

/// Two worlds in which everything was rotated once, the first with a daemon.
fn worlds() -> ([Bench; 2], Running) {
    let benches = [Bench::new(), Bench::new()];
    let running = daemon(&benches[0]);
    benches[1].run("run --once").ends_with(0);
    (benches, running)
}

#[test]
fn what_is_asked_of_the_daemon_ends_as_it_does_without_one() {
    let (benches, running) = worlds();
    for words in [
        "rotate svc-batch",
        "rotate svc-batch df001 --json",
        "rotate ncloud/main/sub-account/svc-report main/data-forest/df002",
        "rotate df004 doyun.lee",
        "rotate svc-batch --dry-run",
        "rotate --all --dry-run --json",
        "rotate svc-batch --resume",
        "rotate --all --resume --json",
        "rotate --all",
        "rotate svc-bach",
        "rotate svc-bach --json",
        "rotate",
    ] {
        let [asked, alone] = alike(&benches, words);
        assert_eq!(
            asked.err.is_empty(),
            alone.err.lines().all(|line| line.contains("event=")),
            "{words}\n{}",
            asked.err
        );
    }
    assert_eq!(sends(&benches)[0], sends(&benches)[1]);
    for bench in &benches {
        bench.is_settled("svc-batch", 4);
        bench.is_settled("svc-backup", 2);
    }
    ends_well(running);
    benches.iter().for_each(Bench::holds_the_promise);
}

#[test]
fn what_does_not_succeed_ends_as_it_does_without_a_daemon() {
    let (benches, running) = worlds();
    for bench in &benches {
        bench.emulator.fault_always("svc-batch", &json!("drop-before"));
    }
    // What is said of it tells a time, which differs.
    let told = |words: &str, code: i32| {
        benches.each_ref().map(|bench| {
            let mut told: Value = bench.run(words).ends_with(code).json();
            told["accounts"][0]["until"].take();
            told["accounts"][0]["reason"].take();
            told
        })
    };
    let [asked, alone] = told("rotate svc-batch --wait 1s --json", 75);
    assert_eq!(asked, alone);
    assert_eq!(
        (&asked["accounts"][0]["result"], &asked["accounts"][0]["pending"]),
        (&json!("unfinished"), &json!(true))
    );
    for bench in &benches {
        bench.emulator.clear_faults();
    }
    // The daemon may have finished it by itself meanwhile; then this is another rotation.
    for bench in &benches {
        bench.run("rotate svc-batch").ends_with(0);
        bench.holds_the_promise();
        assert!(bench.stored("svc-batch", "pending").is_none());
    }
    ends_well(running);
}

#[test]
fn a_tenant_whose_keys_are_refused_is_told_at_once() {
    let (benches, running) = worlds();
    for bench in &benches {
        bench.emulator.fault(&json!({ "call": "password", "times": "always", "fault": "unauthorised" }));
        bench.emulator.fault(&json!({ "call": "sub-accounts", "times": "always", "fault": "unauthorised" }));
        bench.run("rotate svc-batch svc-report --wait 60s").ends_with(77);
        bench.holds_the_promise();
    }
    let [asked, _] = &benches;
    asked.emulator.clear_faults();
    asked.run("rotate svc-batch").ends_with(0);
    asked.holds_the_promise();
    ends_well(running);
}

/// Nothing is sent for a tenant that is stopped; whoever asks is not kept waiting until it is released.
#[test]
fn a_stopped_tenant_is_told_at_once() {
    let bench = Bench::new();
    let running = daemon(&bench);
    bench.emulator.fault(&json!({ "call": "password", "times": "always", "fault": "unauthorised" }));
    bench.run("rotate svc-batch --wait 60s").ends_with(77);
    running.says("event=\"tenant-stopped\"");
    let sent = bench.emulator.sends_of("svc-report").len();
    let told = bench.run("rotate svc-report svc-batch --wait 60s --json").ends_with(77).json();
    assert_eq!(told["accounts"][0]["result"], "unfinished", "{told}");
    assert!(bench.emulator.sends_of("svc-report").len() <= sent + 2);
    ends_well(running);
    bench.holds_the_promise();
}

#[test]
fn the_chain_names_who_asked_and_what_for() {
    let bench = Bench::new();
    let running = daemon(&bench);
    let person = bench.start_command(bench.command(&["rotate", "svc-batch", "--reason", "ticket 4711: 퇴사자"]));
    let pid = person.pid().as_raw();
    person.finish().ends_with(0);
    let told = bench.run("history svc-batch --json").ends_with(0).json();
    let began = told["events"].as_array().unwrap().iter().rfind(|event| event["what"] == "began").unwrap().clone();
    let cause = &began["cause"];
    assert_eq!(
        (&cause["by"], &cause["command"], &cause["uid"], &cause["pid"], &cause["reason"]),
        (&json!("peer"), &json!("rotate"), &json!(getuid().as_raw()), &json!(pid), &json!("ticket 4711: 퇴사자"))
    );
    let rotated = told["events"].as_array().unwrap().last().unwrap();
    assert_eq!((&rotated["what"], &rotated["cause"]["by"]), (&json!("rotated"), &json!("peer")));
    bench.run("history svc-batch").ends_with(0).mentions(&format!("asked the daemon, as process {pid}"));
    bench.run("audit verify").ends_with(0);
    ends_well(running);
}

/// Asks for rotations, and gives the lines of the answer as they come.
fn ask(bench: &Bench, order: &Value) -> impl Iterator<Item = Value> + use<> {
    let mut stream = UnixStream::connect(bench.state().join("run/admin.sock")).unwrap();
    let order = order.to_string();
    let head = format!("POST /v1/rotate HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", order.len());
    stream.write_all(format!("{head}{order}").as_bytes()).unwrap();
    let lines = BufReader::new(stream).lines().map_while(Result::ok);
    lines.filter(|line| line.starts_with('{')).map(|line| serde_json::from_str(&line).unwrap())
}

#[test]
fn the_answer_comes_line_by_line_and_its_last_one_is_the_whole() {
    let bench = Bench::new();
    let running = daemon(&bench);
    let told: Vec<Value> = ask(&bench, &json!({ "all": true })).collect();
    assert_eq!(told[0], json!({ "event": "begun", "accounts": ACTIVE.len() }));
    let ended = told.iter().filter(|told| told["event"] == "ended").count();
    assert_eq!(ended, ACTIVE.len());
    let last = &told.last().unwrap();
    assert_eq!((&last["event"], &last["answer"]["exit"]), (&json!("done"), &json!("success")));
    assert_eq!(
        last["answer"]["accounts"].as_array().unwrap().len(),
        ACTIVE.len() + 2,
        "with those that are left alone"
    );
    for (order, refused) in [(json!({}), "which accounts"), (json!({ "names": ["nobody"] }), "nobody")] {
        let told: Vec<Value> = ask(&bench, &order).collect();
        assert_eq!((told.len(), &told[0]["event"]), (1, &json!("refused")), "{told:?}");
        assert!(told[0]["refusal"]["error"].as_str().unwrap().contains(refused), "{told:?}");
    }
    let words = bench.run("rotate svc-batch --reason x").ends_with(0);
    assert!(!words.text().contains("refused"));
    ends_well(running);
}

/// What a person at a terminal is told beside the bar comes from the daemon's own turns.
#[test]
fn what_is_waited_for_is_said_while_it_is() {
    let bench = Bench::new();
    let running = daemon(&bench);
    bench.emulator.fault_always("svc-batch", &json!("drop-before"));
    let told: Vec<Value> = ask(&bench, &json!({ "names": ["svc-batch", "svc-report"], "wait": 1 })).collect();
    let said: Vec<&str> = told.iter().filter_map(|told| told["line"].as_str()).collect();
    assert!(said.iter().any(|line| line.starts_with("main/sub-account/svc-batch: waiting until ")), "{told:?}");
    assert!(!said.iter().any(|line| line.contains("svc-report")), "{said:?}");
    let last = &told.last().unwrap()["answer"];
    assert_eq!((&last["exit"], &last["accounts"][1]["result"]), (&json!("temporary"), &json!("rotated")));
    assert_eq!(
        (&last["accounts"][0]["result"], &last["accounts"][0]["exit"]),
        (&json!("unfinished"), &json!("temporary"))
    );
    bench.emulator.clear_faults();
    ends_well(running);
    bench.holds_the_promise();
}

/// Holds the request for one account's new password, has it rotated and waits until that has come.
fn held(bench: &Bench) -> usize {
    bench.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
    bench.emulator.sends_of("svc-batch").len()
}

#[test]
fn who_goes_away_in_mid_stream_leaves_the_work_going() {
    let bench = Bench::new();
    let running = daemon(&bench);
    let before = held(&bench);
    let mut told = ask(&bench, &json!({ "names": ["svc-batch", "svc-report"] }));
    assert_eq!(told.next().unwrap()["event"], "begun");
    bench.emulator.until_sent("svc-batch", before + 1);
    drop(told);
    bench.emulator.release();
    until("the rotation's end", || bench.emulator.account("svc-batch").changes == 2);
    until("the other's end", || bench.emulator.account("svc-report").changes == 2);
    until("the vault", || bench.stored("svc-batch", "pending").is_none());
    ends_well(running);
    bench.is_settled("svc-batch", 2);
    bench.is_settled("svc-report", 2);
}

#[test]
fn ctrl_c_leaves_the_daemon_working_and_says_how_to_look_again() {
    let bench = Bench::new();
    let running = daemon(&bench);
    let before = held(&bench);
    let person = bench.start("rotate svc-batch");
    bench.emulator.until_sent("svc-batch", before + 1);
    person.signal(Signal::SIGINT);
    person.finish().ends_with(75).mentions("The daemon goes on with it").mentions("history NAME");
    bench.emulator.release();
    until("the rotation's end", || bench.emulator.account("svc-batch").changes == 2);
    until("the vault", || bench.stored("svc-batch", "pending").is_none());
    ends_well(running);
    bench.is_settled("svc-batch", 2);
}

#[test]
fn a_daemon_that_ends_tells_whoever_waits() {
    let bench = Bench::new();
    let running = daemon(&bench);
    let before = held(&bench);
    let person = bench.start("rotate svc-batch --json");
    bench.emulator.until_sent("svc-batch", before + 1);
    running.signal(Signal::SIGTERM);
    running.says("event=\"ending\"");
    bench.run("status").ends_with(75).mentions("main/sub-account/svc-batch");
    bench.emulator.release();
    running.finish().ends_with(0);
    let told = person.finish().ends_with(0).json();
    assert_eq!(told["accounts"][0]["result"], "rotated", "what is under way comes to its end");
    bench.is_settled("svc-batch", 2);
}

#[test]
fn a_daemon_that_is_killed_is_told_and_nothing_is_lost() {
    let bench = Bench::new();
    let running = daemon(&bench);
    let before = held(&bench);
    let person = bench.start("rotate svc-batch");
    bench.emulator.until_sent("svc-batch", before + 1);
    running.kill_9();
    person.finish().ends_with(75).mentions("broke off");
    bench.emulator.release();
    bench.holds_the_promise();
    bench.run("rotate svc-batch").ends_with(0);
    bench.holds_the_promise();
}

#[test]
fn an_account_that_the_daemon_has_not_listed_yet_is_rotated_all_the_same() {
    let bench = Bench::new();
    bench.emulator.change(&json!({ "op": "set", "account": "svc-backup", "active": false }));
    let running = daemon(&bench);
    assert_eq!(bench.emulator.account("svc-backup").changes, 0);
    bench.emulator.change(&json!({ "op": "set", "account": "svc-backup", "active": true }));
    bench.run("rotate svc-backup").ends_with(0);
    bench.is_settled("svc-backup", 1);
    ends_well(running);
}

/// It was looked up by the rules of before, and its turn came after them.
#[test]
fn what_a_reload_overtakes_is_not_done_by_the_rules_of_before() {
    let names = "names  = [\"svc-*\", \"doyun.lee\"]";
    for to in
        ["names  = [\"svc-batch\"]".to_owned(), format!("{names}\nsecret = \"other/{{tenant}}/{{kind}}/{{name}}\"")]
    {
        let bench = Bench::new();
        bench.edit("on_adopt        = \"rotate\"", "on_adopt        = \"defer\"");
        let running = daemon(&bench);
        let before = bench.emulator.calls("sub-accounts").len();
        bench.emulator.fault(&json!({ "call": "sub-accounts", "times": 1, "fault": { "hold": {} } }));
        let person = bench.start("rotate svc-report --json");
        until("the list", || bench.emulator.calls("sub-accounts").len() > before);
        bench.edit(names, &to);
        running.says("event=\"reloaded\"");
        bench.emulator.release();
        let told = person.finish().ends_with(75).json();
        assert_eq!(told["accounts"][0]["result"], "failed", "{told}");
        assert!(told["accounts"][0]["reason"].as_str().unwrap().ends_with("ask again"), "{told}");
        assert_eq!(bench.emulator.account("svc-report").changes, 0);
        ends_well(running);
    }
}

#[test]
fn two_who_ask_for_one_account_are_both_told() {
    let bench = Bench::new();
    let running = daemon(&bench);
    let before = held(&bench);
    let first = bench.start("rotate svc-batch --json");
    bench.emulator.until_sent("svc-batch", before + 1);
    let second = bench.start("rotate svc-batch --json");
    bench.emulator.release();
    for person in [first, second] {
        let told = person.finish().ends_with(0).json();
        assert_eq!(told["accounts"][0]["result"], "rotated");
    }
    ends_well(running);
    bench.holds_the_promise();
}

#[test]
fn a_pause_is_the_same_whether_the_daemon_keeps_it_or_not() {
    let (benches, running) = worlds();
    for words in [
        "pauses",
        "pause svc-batch --until 2036-01-01",
        "pause svc-batch df001 --until 2036-01-01 --reason spring",
        "rotate svc-batch",
        "rotate --all",
        "rotate svc-batch --despite-pause",
        "pause svc-bach",
        "pause --tenant elsewhere --json",
        "pause --all --until 2020-01-01",
        "resume df001",
        "resume svc-batch --json",
        "resume svc-batch",
        "resume --all --json",
        "pauses --json",
        "rotate svc-batch",
    ] {
        alike(&benches, words);
    }
    let told = benches[0].run("history svc-batch --json").ends_with(0).json();
    let paused = told["events"].as_array().unwrap().iter().find(|event| event["what"] == "paused").unwrap().clone();
    assert_eq!((&paused["cause"]["by"], &paused["cause"]["command"]), (&json!("peer"), &json!("pause")));
    ends_well(running);
}
