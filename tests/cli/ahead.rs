//! `plan` and `explain`: what rotates when, told months ahead, from outside.

use std::collections::BTreeMap;
use std::fs;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::bench::{ACTIVE, Bench};

fn time(told: &Value) -> Timestamp {
    told.as_str().unwrap_or_else(|| panic!("{told} is no time")).parse().unwrap()
}

fn list<'v>(document: &'v Value, key: &str) -> &'v [Value] {
    document[key].as_array().unwrap_or_else(|| panic!("no list {key} in {document}"))
}

/// A policy that works in windows alone.
fn in_windows(bench: &Bench, cron: &str, lasts: &str) {
    let windows = format!("windows = [{{ cron = \"{cron}\", lasts = \"{lasts}\" }}]\nspread = \"0s\"\n");
    bench.edit("rotate_before   = \"14d\"\n", &format!("rotate_before   = \"14d\"\n{windows}"));
}

#[test]
fn a_plan_of_accounts_that_are_to_be_taken_over_begins_now_and_changes_nothing() {
    let bench = Bench::new();
    let looked = bench.run("plan --json").ends_with(0);
    assert_eq!(looked.err, "", "there is no journal yet, and nothing wrong with that");
    let plan = looked.json();
    assert_eq!((&plan["exit"], &plan["accounts"]), (&json!("success"), &json!(9)));
    let first: Vec<&Value> = list(&plan, "rotations").iter().filter(|one| one["reason"] == "adopted").collect();
    assert_eq!(first.len(), ACTIVE.len());
    let from = time(&plan["from"]);
    assert!(first.iter().all(|one| time(&one["at"]).duration_since(from) < SignedDuration::from_secs(1)), "{first:?}");
    let unplanned: Vec<_> = list(&plan, "unplanned").iter().map(|one| one["account"].as_str().unwrap()).collect();
    assert_eq!(unplanned.len(), 2, "{unplanned:?}");
    assert!(!bench.vault.root().exists() && !bench.state().exists(), "a look makes nothing");
    bench.emulator.was_only_read();
}

#[test]
fn every_life_of_half_a_year_is_planned_in_its_window() {
    let bench = Bench::new();
    bench.run("rotate --all").ends_with(0);
    in_windows(&bench, "0 2 * * Tue-Thu", "3h");
    let plan = bench.run("plan --json").ends_with(0).json();
    let mut lives: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
    let seoul = TimeZone::get("Asia/Seoul").unwrap();
    for rotation in list(&plan, "rotations") {
        assert_eq!(
            (&rotation["reason"], &rotation["slot"], &rotation["trouble"]),
            (&json!("expires"), &json!("open"), &Value::Null)
        );
        assert_eq!(rotation["window"], "\"0 2 * * Tue-Thu\" for 3h (Asia/Seoul)");
        let at = time(&rotation["at"]);
        assert!((2..5).contains(&at.to_zoned(seoul.clone()).hour()), "{at}");
        assert!(at < time(&rotation["deadline"]) && time(&rotation["deadline"]) < time(&rotation["expires_at"]));
        lives.entry(rotation["account"].as_str().unwrap()).or_default().push(at);
    }
    assert_eq!(lives.len(), ACTIVE.len());
    assert!(lives.values().all(|times| times.len() == 2), "{lives:?}");

    let one = bench.run("plan svc-batch --days 100 --json").ends_with(0).json();
    let told: Vec<_> =
        list(&one, "rotations").iter().map(|one| (one["account"].as_str().unwrap(), time(&one["at"]))).collect();
    assert_eq!(told, [("main/sub-account/svc-batch", lives["main/sub-account/svc-batch"][0])], "the same, told alone");
    let table = bench.run("plan svc-batch --days 100").ends_with(0).mentions("Tue-Thu").mentions("1 rotation from");
    let day = lives["main/sub-account/svc-batch"][0].to_zoned(seoul).strftime("%Y-%m-%d %a").to_string();
    assert!(table.out.contains(&day), "{day}: {}", table.out);
    bench.run("plan --tenant main --days 100").ends_with(0).mentions("7 rotations from");
}

/// One window a month that takes one rotation, and seven accounts.
#[test]
fn accounts_that_cannot_make_their_deadline_are_told_first_and_by_the_exit_code() {
    let bench = Bench::new();
    bench.run("rotate --all").ends_with(0);
    in_windows(&bench, "0 2 1 * *", "1h");
    bench.edit("rate       = \"100/s\"", "rate       = \"1/h\"");
    let plan = bench.run("plan --days 100 --json").ends_with(69).json();
    let late = list(&plan, "late");
    assert!((3..=6).contains(&late.len()), "{plan}");
    for rotation in late {
        assert_eq!((&rotation["trouble"], &rotation["held"]["by"]), (&json!("late"), &json!("tenant-rate")));
        assert!(time(&rotation["at"]) > time(&rotation["deadline"]));
    }
    assert_eq!(list(&plan, "rotations").len(), ACTIVE.len(), "late, and rotated all the same");
    let told = bench.run("plan --days 100").ends_with(69);
    let first = told.out.lines().next().unwrap();
    assert_eq!(first, format!("{} rotations CANNOT MAKE THE DEADLINE:", late.len()));
    bench.run("plan --days 20").ends_with(0).mentions("0 rotations from");
}

#[test]
fn names_that_are_not_known_are_answered_with_what_there_is() {
    let bench = Bench::new();
    bench.run("plan svc-bat").ends_with(64).mentions("did you mean main/sub-account/svc-batch?");
    bench.run("plan --tenant other").ends_with(64).mentions("there is no tenant \"other\"; there are: main");
    bench.run("plan --days 0").ends_with(64);
}

#[test]
fn while_the_provider_is_away_the_plan_is_made_of_what_the_vault_tells() {
    let bench = Bench::new();
    bench.run("rotate --all").ends_with(0);
    bench.emulator.stop();
    let plan = bench.run("plan --json").ends_with(69).json();
    assert_eq!((list(&plan, "failures").len(), list(&plan, "late").len()), (2, 0));
    assert_eq!(list(&plan, "rotations").len(), 2 * ACTIVE.len());
    bench.run("plan").ends_with(69).mentions("cannot be listed");
}

const DAY_MS: i64 = 24 * 3600 * 1000;

fn set_gateway_ahead(bench: &Bench, days: i64) {
    bench.emulator.door("POST", "/door/clock", Some(&json!({ "offset_ms": days * DAY_MS })));
}

/// The daemon runs until it has said this, and what comes next.
fn daemon_says(bench: &Bench, told: &str) -> String {
    let running = bench.start("run");
    running.says(told);
    running.signal(Signal::SIGTERM);
    running.finish().ends_with(0).out
}

/// With clocks months apart nothing is applied: rotation is as broken as it can be.
#[test]
fn a_password_that_nothing_replaces_is_told_by_the_daemon_and_recorded_and_not_told_again_at_once() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    bench.edit("names  = [\"svc-*\", \"doyun.lee\"]", "names  = [\"svc-batch\"]");
    bench.edit("names  = [\"*\"]", "names  = [\"df999\"]");
    for (days, told) in [(89, "expires-soon"), (91, "expired")] {
        set_gateway_ahead(&bench, days);
        let said = daemon_says(&bench, &format!("event=\"{told}\" account=main/sub-account/svc-batch"));
        assert!(said.contains("explain main/sub-account/svc-batch"), "{said}");
        bench.run("history svc-batch").ends_with(0).mentions(told);
        let again = daemon_says(&bench, "event=\"waiting\"");
        assert!(!again.contains(&format!("event=\"{told}\"")), "{again}");
    }
    assert_eq!(bench.emulator.sends().len(), 1, "nothing was applied");
    bench.run("audit verify").ends_with(0);
}

/// The daemon knows from its journal when the password expires, and nothing else tells it.
#[test]
fn with_provider_and_vault_away_at_the_start_an_expiry_is_told_all_the_same() {
    let bench = Bench::new();
    bench.run("rotate --all").ends_with(0);
    daemon_says(&bench, "event=\"next\"");
    let journal = rusqlite::Connection::open(bench.state().join("journal.sqlite")).unwrap();
    let kept: i64 = journal.query_row("SELECT count(*) FROM expiries", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 7, "every account that is rotated");
    journal.execute("UPDATE expiries SET deadline = '2026-01-01T00:00:00Z', expires_at = '2026-01-03T00:00:00Z' WHERE account LIKE '%svc-batch'", []).unwrap();
    drop(journal);
    bench.emulator.stop();
    fs::rename(bench.vault.root(), bench.path("aside")).unwrap();
    daemon_says(&bench, "event=\"expired\" account=main/sub-account/svc-batch");
}

fn explained(bench: &Bench, name: &str, code: i32) -> Value {
    bench.run(&format!("explain {name} --json")).ends_with(code).json()
}

fn held(explanation: &Value) -> Vec<&str> {
    list(explanation, "held").iter().map(|held| held["by"].as_str().unwrap()).collect()
}

#[test]
fn why_an_account_rotates_when_it_does_is_told_with_everything_that_decides() {
    let bench = Bench::new();
    bench.run("rotate --all").ends_with(0);
    in_windows(&bench, "0 2 * * Tue-Thu", "3h");
    bench.edit("spread = \"0s\"", "spread = \"24h\"\nblackouts = [{ from = \"2026-01-01\", to = \"2026-01-02\" }]");
    let told = explained(&bench, "svc-batch", 0);
    let (life, due, rule) = (&told["life"], &told["due"], &told["rule"]);
    let at = |value: &Value| time(value);
    let expires = at(&life["counted_from"]) + SignedDuration::from_hours(90 * 24);
    assert_eq!(
        (&life["counted"], &life["lasts_days"], &life["lasts_by"]),
        (&json!("rotation"), &json!(90), &json!("tenant"))
    );
    assert_eq!((at(&life["expires_at"]), at(&life["deadline"])), (expires, expires - SignedDuration::from_hours(48)));
    let ahead = SignedDuration::from_secs(life["ahead_s"].as_i64().unwrap());
    assert_eq!(at(&life["ideal"]), expires - SignedDuration::from_hours(16 * 24) - ahead);
    assert_eq!((&due["reason"], &due["slot"]), (&json!("expires"), &json!("open")));
    assert!(at(&due["opens"]) <= at(&due["at"]) && at(&due["at"]) < at(&due["closes"]));
    let clock = |value: &Value| at(value).to_zoned(TimeZone::get("Asia/Seoul").unwrap()).strftime("%H:%M").to_string();
    assert_eq!((clock(&due["opens"]), clock(&due["closes"])), ("02:00".to_owned(), "05:00".to_owned()));
    assert_eq!(due["at"], told["planned"]["at"]);
    assert_eq!(
        (&rule["policy"], &rule["vault"], &rule["secret"]),
        (&json!("default"), &json!("local"), &json!(bench.secret("svc-batch")))
    );
    assert_eq!((list(rule, "windows").len(), list(rule, "blackouts").len(), held(&told).len()), (1, 1, 0));
    let text = bench.run("explain main/sub-account/svc-batch").ends_with(0);
    for sentence in [
        "its password nears its expiry",
        ": its last rotation",
        "90 days, as the tenant's setting at the provider says",
        "2d before it expires (`margin`)",
        "14d before the deadline (`rotate_before`)",
        "in a window: \"0 2 * * Tue-Thu\" for 3h (Asia/Seoul), open from",
        "its own part of 1d (`spread`)",
        "at line",
    ] {
        let said = text.text();
        assert!(said.contains(sentence), "{sentence}: {}", text.out);
    }
}

#[test]
fn whatever_holds_a_rotation_is_named() {
    let bench = Bench::new();
    let first = explained(&bench, "svc-batch", 0);
    assert_eq!((&first["due"]["reason"], &first["life"]["counted"]), (&json!("adopted"), &json!("first-sight")));
    bench.run("rotate --all").ends_with(0);

    bench.run("pause svc-report").ends_with(0);
    let paused = explained(&bench, "svc-report", 69);
    assert_eq!((held(&paused), &paused["due"]["reason"]), (vec!["paused"], &json!("paused")));
    bench.run("explain svc-report").ends_with(69).mentions("the account is paused").mentions("TOO LATE");
    let plan = bench.run("plan svc-report --json").ends_with(69).json();
    assert_eq!((&list(&plan, "late")[0]["trouble"], list(&plan, "rotations").len()), (&json!("left-out"), 0));

    bench.emulator.fault_always("svc-batch", &json!("drop-before"));
    bench.run("rotate svc-batch --wait 0s");
    bench.emulator.clear_faults();
    assert_eq!(held(&explained(&bench, "svc-batch", 75)), ["disconnected"]);

    let mut document = bench.vault.open(&bench.secret("svc-backup")).unwrap();
    document["current"]["value"]["rotation"].take();
    bench.vault.write(&bench.secret("svc-backup"), &document);
    assert_eq!(held(&explained(&bench, "svc-backup", 69)), ["foreign-current"]);

    let mut document = bench.vault.open(&bench.secret("svc-deploy")).unwrap();
    document["pending"] = document["current"].clone();
    document["pending"]["value"]["rotation"].take();
    document["pending"]["token"] = json!("00000000-0000-4000-8000-000000000000");
    bench.vault.write(&bench.secret("svc-deploy"), &document);
    assert_eq!(held(&explained(&bench, "svc-deploy", 69)), ["foreign-pending"]);
    let plan = bench.run("plan svc-deploy --json").ends_with(69).json();
    let late = &list(&plan, "late")[0];
    assert_eq!((&late["held"]["by"], &late["at"]), (&json!("foreign-pending"), &Value::Null));

    bench.emulator.change(&json!({ "op": "set", "account": "df001", "status": "CHANGING" }));
    assert_eq!(held(&explained(&bench, "df001", 0)), ["standing"]);

    assert_eq!(held(&explained(&bench, "svc-legacy", 69)), ["no-rule"]);
    bench.run("explain svc-bat").ends_with(64).mentions("did you mean main/sub-account/svc-batch?");

    in_windows(&bench, "0 2 1 * *", "1h");
    bench.edit("rate       = \"100/s\"", "rate       = \"1/h\"");
    let late = ["df002", "df003"].iter().map(|name| bench.run(&format!("explain {name} --json")).json());
    let late: Vec<Value> = late.filter(|told| told["planned"]["trouble"] == "late").collect();
    assert!(!late.is_empty());
    assert!(late.iter().all(|told| held(told) == ["tenant-rate"] && told["exit"] == "unavailable"), "{late:?}");

    bench.emulator.stop();
    let unlisted = explained(&bench, "df002", 69);
    assert!(held(&unlisted).contains(&"unlisted") && unlisted["standing"].is_null(), "{unlisted}");
}

#[test]
fn status_tells_who_is_next_and_whose_passwords_expire() {
    let bench = Bench::new();
    bench.run("rotate --all").ends_with(0);
    let status = bench.run("status --json").ends_with(0).json();
    let ahead = &status["ahead"];
    assert_eq!((&ahead["expires_soon"], &ahead["expired"], &ahead["first"]), (&json!(0), &json!(0), &Value::Null));
    let due =
        list(&status, "accounts").iter().filter(|line| line["standing"] == "active").map(|line| time(&line["due"]));
    assert_eq!(time(&ahead["next"]["at"]), due.min().unwrap());
    let next = ahead["next"]["account"].as_str().unwrap();
    bench.run("status").ends_with(0).mentions(&format!("Next is {next} at 20"));

    let mut document = bench.vault.open(&bench.secret("svc-batch")).unwrap();
    let rotated = time(&list(&status, "accounts")[0]["last_changed"]);
    for (days, counts) in [(89, (1, 0)), (92, (0, 1))] {
        document["current"]["value"]["rotated_at"] = json!(rotated - SignedDuration::from_hours(24 * days));
        bench.vault.write(&bench.secret("svc-batch"), &document);
        let status = bench.run("status --json").json();
        let ahead = &status["ahead"];
        assert_eq!((&ahead["expires_soon"], &ahead["expired"]), (&json!(counts.0), &json!(counts.1)), "{ahead}");
        assert_eq!(ahead["first"]["account"], "main/sub-account/svc-batch");
    }
    bench.run("status").mentions("EXPIRED PASSWORDS: 1; first main/sub-account/svc-batch at");
}
