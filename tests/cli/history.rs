//! What happened, and because of whom: `history`, `audit`, and what is recorded in the first place.

use std::fs;

use nix::sys::signal::Signal;
use nix::unistd::getuid;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::bench::{Bench, tells_nothing};
use crate::process::Finished;

const BATCH: &str = "main/sub-account/svc-batch";

fn events(bench: &Bench, name: &str) -> Vec<Value> {
    let told = bench.run(&format!("history {name} --json")).ends_with(0).json();
    told["events"].as_array().unwrap().clone()
}

fn whats(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["what"].as_str().unwrap()).collect()
}

/// Every entry of the journal.
fn entries(bench: &Bench) -> Vec<Value> {
    let lines = bench.run("audit export").ends_with(0).out;
    lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["entry"].clone()).collect()
}

fn named<'e>(entries: &'e [Value], what: &str) -> Vec<&'e Value> {
    entries.iter().filter(|entry| entry["what"] == what).collect()
}

fn verify(bench: &Bench, words: &str, code: i32) -> Value {
    bench.run(&format!("audit verify --json {words}")).ends_with(code).json()
}

fn database(bench: &Bench) -> Connection {
    Connection::open(bench.state().join("journal.sqlite")).unwrap()
}

/// The hash that the log told last.
fn head(finished: &Finished) -> String {
    let log = format!("{}{}", finished.out, finished.err);
    let line = log.lines().rfind(|line| line.contains("event=\"chain-end\"")).expect("the log tells the chain's end");
    let rest = line.split("head=\"").nth(1).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn daemon_until(bench: &Bench, said: &str) -> Finished {
    let running = bench.start("run");
    running.says(said);
    running.signal(Signal::SIGTERM);
    running.finish().ends_with(0)
}

#[test]
fn a_rotation_tells_each_step_its_times_and_who_asked_what_for() {
    let bench = Bench::new();
    let words = ["rotate", "svc-batch", "--reason", "ticket 4711: 퇴사자"];
    bench.run_command(bench.command(&words)).ends_with(0);
    let events = events(&bench, "svc-batch");
    assert_eq!(whats(&events), ["began", "staged", "sending", "answered", "rotated"]);
    let user = nix::unistd::User::from_uid(getuid()).unwrap().map(|user| user.name);
    for event in &events {
        assert_eq!((&event["account"], &event["secret"]), (&json!(BATCH), &json!("ncloud/main/sub-account/svc-batch")));
        let cause = &event["cause"];
        assert_eq!((&cause["by"], &cause["command"]), (&json!("command"), &json!("rotate")));
        assert_eq!((&cause["user"], &cause["uid"]), (&json!(user), &json!(getuid().as_raw())));
        assert_eq!(cause["reason"], "ticket 4711: 퇴사자");
        let [wall, gateway] =
            ["at", "gateway"].map(|key| event[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap());
        assert!(wall.duration_since(gateway).as_secs().abs() < 30, "{event}");
    }
    let token = &bench.vault.open("ncloud/main/sub-account/svc-batch").unwrap()["current"]["token"];
    assert_eq!((&events[1]["detail"]["token"], &events[4]["detail"]["token"]), (token, token));
    let candidates = [1, 2, 3].map(|step| events[step]["detail"]["candidate"].as_str().unwrap());
    assert!(candidates.iter().all(|candidate| *candidate == candidates[0]), "{candidates:?}");
    assert_eq!(events[3]["detail"]["answer"], "accepted");
    let table = bench.run("history ncloud/main/sub-account/svc-batch").ends_with(0).out;
    let row = table.lines().find(|line| line.contains("answered")).unwrap();
    assert!(row.contains("answer: accepted"), "{table}");
    assert!(table.contains("rotate, by") && table.contains("ticket 4711"), "{table}");
}

#[test]
fn a_name_must_be_one_accounts_and_the_journal_be_there() {
    let bench = Bench::new();
    bench.run("history svc-batch").ends_with(69).mentions("no journal");
    bench.run("audit verify").ends_with(69).mentions("no journal");
    bench.run("audit export").ends_with(69);
    assert!(!bench.state().exists(), "a look made one");
    bench.run("rotate svc-batch").ends_with(0);
    bench.run("history nobody").ends_with(64).mentions("\"nobody\"");
    bench.run("history svc-batch --since soon").ends_with(64).mentions("how long ago");
    bench.run("rotate svc-batch --reason").ends_with(64);
    assert_eq!(events(&bench, "svc-batch --since 1h").len(), 5);
    assert_eq!(events(&bench, "svc-batch --since 2099-01-01").len(), 0);
    assert_eq!(bench.run("audit export --since 2099-01-01").ends_with(0).out, "");
}

#[test]
fn what_the_daemon_does_is_caused_by_its_plan_or_by_what_was_unfinished() {
    let bench = Bench::with_short_fence();
    bench.emulator.fault_once("svc-batch", &json!("drop-before"));
    bench.run("rotate svc-batch --wait 0s").ends_with(75);
    daemon_until(&bench, "event=\"next\"");
    let caused = |name: &str| {
        let events = events(&bench, name);
        let last = events.last().unwrap();
        (last["what"].as_str().unwrap().to_owned(), last["cause"].clone())
    };
    assert_eq!(caused("svc-batch"), ("rotated".to_owned(), json!({ "by": "resume" })));
    assert_eq!(caused("svc-report"), ("rotated".to_owned(), json!({ "by": "schedule" })));
    let entries = entries(&bench);
    assert_eq!(named(&entries, "started")[0]["cause"], json!({ "by": "startup" }));
    assert_eq!(named(&entries, "stopped")[0]["detail"], json!({ "rotated": 7, "unfinished": [] }));
}

/// An outage must not fill the disk.
#[test]
fn what_only_goes_on_is_recorded_once_and_every_request_each_time() {
    let bench = Bench::new();
    bench.emulator.fault_always("svc-batch", &json!({ "5xx-before": 503 }));
    let running = bench.start("rotate svc-batch --wait 20s");
    bench.emulator.until_sent("svc-batch", 4);
    running.kill_9();
    let events = events(&bench, "svc-batch");
    assert!(named(&events, "sending").len() >= 4, "{events:?}");
    assert_eq!((named(&events, "began").len(), named(&events, "staged").len()), (1, 1));
}

#[test]
fn a_row_that_cannot_be_written_stops_no_rotation_and_is_told() {
    let bench = Bench::new();
    bench.run("rotate svc-report").ends_with(0);
    let refuse = "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no room'); END";
    database(&bench).execute_batch(refuse).unwrap();
    let told = bench.run("rotate svc-batch").ends_with(0);
    assert!(told.err.contains("event=\"not-recorded\"") && told.err.contains("no room"), "{}", told.err);
    bench.is_settled("svc-batch", 1);
    bench.run("history svc-batch").ends_with(64);
}

#[test]
fn a_password_is_shown_only_after_that_was_recorded() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    bench.run("secret show svc-batch").ends_with(0);
    assert_eq!(named(&entries(&bench), "revealed").len(), 0);
    let live = bench.emulator.account("svc-batch").password;
    let token = &bench.vault.open("ncloud/main/sub-account/svc-batch").unwrap()["current"]["token"];
    assert!(bench.reveal("secret show svc-batch --reveal --reason handover").ends_with(0).out.contains(&live));
    let entries = entries(&bench);
    let [revealed] = named(&entries, "revealed")[..] else { panic!("{entries:?}") };
    assert_eq!(
        (&revealed["account"], &revealed["detail"]),
        (&json!(BATCH), &json!({ "stage": "current", "token": token }))
    );
    assert_eq!(
        (&revealed["cause"]["command"], &revealed["cause"]["reason"]),
        (&json!("secret show"), &json!("handover"))
    );
    bench.run("secret show svc-batch --reason handover").ends_with(64);

    let refuse = "CREATE TRIGGER full BEFORE INSERT ON events BEGIN SELECT RAISE(ABORT, 'no room'); END";
    database(&bench).execute_batch(refuse).unwrap();
    bench.run("secret show svc-batch --reveal").ends_with(69).mentions("not shown").mentions("no room");
    bench.lose_state();
    fs::write(bench.state(), "not a directory").unwrap();
    for words in ["secret show svc-batch --reveal", "secret show svc-batch --reveal --json"] {
        bench.run(words).ends_with(77).mentions("not shown").mentions("such as age");
    }
    bench.run("secret show svc-batch").ends_with(0);
    bench.has_told_no_secret();
}

#[test]
fn settings_are_changed_only_after_that_was_recorded() {
    let bench = Bench::new();
    let words = ["tenant", "set-expiration", "120", "--yes", "--reason", "new policy"];
    bench.run_command(bench.command(&words)).ends_with(0);
    bench.run("tenant set-expiration 120 --yes").ends_with(0);
    let entries = entries(&bench);
    let set = named(&entries, "setting-set");
    assert_eq!(set.len(), 1, "nothing was changed the second time");
    assert_eq!(
        set[0]["detail"],
        json!({ "tenant": "main", "setting": "expiration", "from": "90 days", "to": "120 days" })
    );
    assert_eq!(
        (&set[0]["cause"]["command"], &set[0]["cause"]["reason"]),
        (&json!("tenant set-expiration"), &json!("new policy"))
    );
    bench.lose_state();
    fs::write(bench.state(), "not a directory").unwrap();
    let writes = bench.emulator.calls("set-password-policy").len();
    bench.run("tenant set-expiration 60 --yes").ends_with(77);
    assert_eq!(bench.emulator.calls("set-password-policy").len(), writes);
}

#[test]
fn what_an_operator_decides_is_recorded_with_its_command() {
    let bench = Bench::new();
    for _ in 0..2 {
        bench.run("rotate svc-batch").ends_with(0);
    }
    bench.run("secret rollback svc-batch --yes --reason breakage").ends_with(0);
    bench.run("rotate svc-batch --resume").ends_with(0);
    bench.emulator.fault_always("svc-batch", &json!("drop-before"));
    bench.run("rotate svc-batch --wait 0s").ends_with(75);
    bench.emulator.change(&json!({ "op": "set", "account": "svc-batch", "active": false }));
    bench.run("account drop svc-batch --yes --reason left").ends_with(0);
    let events = events(&bench, "svc-batch");
    let rollback = named(&events, "rotated")[2];
    assert_eq!(
        (&rollback["cause"]["command"], &rollback["cause"]["reason"]),
        (&json!("secret rollback"), &json!("breakage"))
    );
    let dropped = events.last().unwrap();
    assert_eq!((&dropped["what"], &dropped["cause"]["command"]), (&json!("dropped"), &json!("account drop")));
    let staged = named(&events, "staged")[3];
    assert_eq!(
        (&dropped["cause"]["reason"], &dropped["detail"]["token"]),
        (&json!("left"), &staged["detail"]["token"])
    );
}

#[test]
fn a_broken_chain_is_told_with_its_row_and_ends_with_65() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    let told = verify(&bench, "", 0);
    assert_eq!((&told["exit"], &told["verdict"]["rows"]), (&json!("success"), &json!(6)));
    bench.run("audit verify").ends_with(0).mentions("6 events").mentions(told["verdict"]["head"].as_str().unwrap());
    let file = database(&bench);
    file.execute_batch("DROP TRIGGER events_are_not_changed; DROP TRIGGER events_are_not_removed").unwrap();
    file.execute("UPDATE events SET entry = replace(entry, 'accepted', 'refused') WHERE seq = 5", []).unwrap();
    bench.run("audit verify").ends_with(65).mentions("row 5 was changed").mentions("BROKEN");
    assert_eq!(verify(&bench, "", 65)["verdict"]["flaws"], json!([{ "row": 5, "flaw": "changed" }]));
    file.execute("DELETE FROM events WHERE seq = 5", []).unwrap();
    bench.run("audit verify").ends_with(65).mentions("row 5 was removed");
    // It goes on for everybody else.
    bench.run("rotate svc-batch").ends_with(0);
    bench.run("audit verify").ends_with(65).mentions("row 5 was removed");
    assert_eq!(verify(&bench, "", 65)["exit"], "data");
}

#[test]
fn a_tail_that_was_cut_off_is_found_against_the_log() {
    let bench = Bench::new();
    let early = head(&bench.run("rotate svc-batch").ends_with(0));
    let late = head(&daemon_until(&bench, "event=\"next\""));
    assert_ne!(early, late);
    verify(&bench, &format!("--head {early} --head {late}"), 0);
    let file = database(&bench);
    file.execute_batch("DROP TRIGGER events_are_not_removed; DELETE FROM events WHERE seq > 8").unwrap();
    drop(file);
    verify(&bench, &format!("--head {early}"), 0);
    assert_eq!(verify(&bench, &format!("--head {late}"), 65)["verdict"]["not_found"], json!([late]));
    bench.run(&format!("audit verify --head {late}")).ends_with(65).mentions("cut off");
    bench.run("audit verify --head 12ab").ends_with(64).mentions("64 hexadecimal digits");
    // What is added behind the cut does not hide it.
    bench.run("rotate svc-batch").ends_with(0);
    verify(&bench, &format!("--head {late}"), 65);
}

#[test]
fn an_exported_line_holds_what_its_hash_is_of() {
    let bench = Bench::new();
    bench.run("rotate svc-batch df001").ends_with(0);
    let exported = bench.run("audit export").ends_with(0).out;
    let mut previous = Value::Null;
    for line in exported.lines() {
        let told: Value = serde_json::from_str(line).unwrap();
        let text = line.split_once("\"entry\":").unwrap().1.strip_suffix('}').unwrap();
        assert_eq!(told["hash"], sha256(text));
        assert_eq!(told["entry"]["previous"], previous);
        previous = told["hash"].clone();
    }
    assert_eq!(verify(&bench, "", 0)["verdict"]["head"], previous);
    // A reader that goes away is no error.
    let mut command = std::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_ncloud-rotator");
    command.args(["-c", &format!("{program} --config {} audit export | head -n 1", bench.config().display())]);
    assert_eq!(bench.run_command(command).ends_with(0).out.lines().count(), 1);
}

#[test]
fn two_programs_at_once_and_one_killed_leave_one_whole_chain() {
    let bench = Bench::with_short_fence();
    for name in ["svc-batch", "df001"] {
        bench.emulator.fault_once(name, &json!("drop-after"));
    }
    let daemon = bench.start("run");
    let killed = bench.start("rotate --all");
    bench.emulator.until_sent("svc-batch", 1);
    killed.kill_9();
    bench.run("rotate svc-report df002").ends_with(0);
    daemon.says("event=\"next\"");
    daemon.signal(Signal::SIGTERM);
    daemon.finish().ends_with(0);
    verify(&bench, "", 0);
    let events = entries(&bench);
    let by: std::collections::BTreeSet<_> = events.iter().map(|entry| entry["cause"]["by"].as_str().unwrap()).collect();
    assert!(by.contains("command") && by.contains("startup"), "{by:?}");
    assert_eq!(named(&events, "journal-began").len(), 1);
    let exported = bench.run("audit export").ends_with(0).out;
    tells_nothing("the export", exported.as_bytes(), &bench.every_password());
}

#[test]
fn a_lost_journal_is_rebuilt_from_the_vault_and_that_is_said_once() {
    let bench = Bench::new();
    let first = daemon_until(&bench, "event=\"next\"");
    assert!(first.out.contains("event=\"journal-new\"") && !first.out.contains("journal-rebuilt"), "{}", first.out);
    let head = head(&first);
    let rotated =
        bench.vault.open("ncloud/main/sub-account/svc-batch").unwrap()["current"]["value"]["rotated_at"].clone();
    bench.lose_state();
    let second = daemon_until(&bench, "event=\"next\"").out;
    let rebuilt = second.lines().filter(|line| line.contains("event=\"journal-rebuilt\""));
    let accounts: usize = rebuilt.map(|line| line.rsplit_once("accounts=").unwrap().1.parse::<usize>().unwrap()).sum();
    assert_eq!((accounts, second.contains("event=\"journal-new\"")), (7, true), "{second}");
    let events = events(&bench, "svc-batch");
    assert_eq!(whats(&events), ["found"]);
    assert_eq!(events[0]["detail"]["last_changed"], rotated);
    verify(&bench, "", 0);
    verify(&bench, &format!("--head {head}"), 65);
    assert!(!daemon_until(&bench, "event=\"next\"").out.contains("journal-"));
    bench.is_settled("svc-batch", 1);
}

#[test]
fn a_damaged_journal_is_set_aside_and_that_is_said() {
    let bench = Bench::new();
    bench.run("rotate --all").ends_with(0);
    let file = bench.state().join("journal.sqlite");
    let damaged = b"no journal any more, and longer than a header ".repeat(50);
    fs::write(&file, &damaged).unwrap();
    for words in ["history svc-batch", "audit verify", "check"] {
        bench.run(words).ends_with(65).mentions("is damaged");
    }
    assert_eq!(fs::read(&file).unwrap(), damaged, "a look changed it");
    let said = daemon_until(&bench, "event=\"next\"").out;
    assert!(said.contains("event=\"journal-set-aside\"") && said.contains("event=\"journal-rebuilt\""), "{said}");
    let began = &entries(&bench)[0];
    let aside = bench.state().join(began["detail"]["set_aside"].as_str().unwrap());
    assert_eq!((began["what"].as_str(), fs::read(aside).unwrap()), (Some("journal-began"), damaged));
    bench.is_settled("svc-batch", 1);
}

/// The state directory is taken away under the daemon: the next start begins anew.
#[test]
fn a_state_that_is_taken_away_while_the_daemon_runs_costs_no_password() {
    let bench = Bench::with_short_fence();
    let running = bench.start("run");
    running.says("event=\"next\"");
    bench.lose_state();
    running.signal(Signal::SIGTERM);
    running.finish().ends_with(0);
    bench.run("rotate svc-batch").ends_with(0);
    verify(&bench, "", 0);
    bench.is_settled("svc-batch", 2);
}

fn sha256(text: &str) -> String {
    use sha2::Digest;
    use std::fmt::Write;
    sha2::Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    })
}
