//! `rotate`: now, due or not.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::bench::{ACTIVE, Bench};

#[test]
fn all_rotates_every_active_account_and_leaves_the_others_alone_without_failing() {
    let bench = Bench::new();
    let finished = bench.run("rotate --all").ends_with(0);
    for name in ACTIVE {
        assert!(finished.row(bench.secret(name).trim_start_matches("ncloud/")).contains("rotated"));
        bench.is_settled(name, 1);
    }
    let inactive = finished.row("main/sub-account/doyun.lee");
    assert!(inactive.contains("skipped") && inactive.contains("inactive"), "{inactive}");
    let changing = finished.row("main/data-forest/df004");
    assert!(changing.contains("skipped") && changing.contains("CHANGING"), "{changing}");
    assert_eq!(bench.emulator.sends().len(), ACTIVE.len());
}

#[test]
fn an_account_that_is_not_in_use_is_skipped_by_name_too() {
    let bench = Bench::new();
    bench.emulator.change(&json!({ "op": "set", "account": "df001", "disabled": true }));
    for name in ["doyun.lee", "df001", "df004"] {
        bench.run(&format!("rotate {name}")).ends_with(0).mentions("skipped");
    }
    assert_eq!(bench.emulator.sends().len(), 0);
}

#[test]
fn a_dry_run_says_what_would_be_done_and_changes_nothing() {
    let bench = Bench::new();
    let fresh = bench.run("rotate --all --dry-run").ends_with(0);
    assert!(fresh.row("main/data-forest/df001").contains("would rotate"));
    assert_eq!(bench.vault.bytes(), []);
    assert!(!bench.vault.identity().exists());
    bench.run("rotate svc-batch").ends_with(0);
    bench.emulator.fault_always("df001", &json!("drop-after"));
    bench.run("rotate df001 --wait 0s").ends_with(75);
    bench.emulator.clear_faults();
    let (sends, vault) = (bench.emulator.sends(), bench.vault.bytes());
    let finished = bench.run("rotate --all --dry-run").ends_with(0);
    assert!(finished.row("main/sub-account/svc-batch").contains("would rotate"));
    assert!(finished.row("main/data-forest/df001").contains("would finish"));
    assert!(finished.row("main/data-forest/df004").contains("skipped"));
    assert_eq!((bench.emulator.sends(), bench.vault.bytes()), (sends, vault));
}

#[test]
fn with_json_the_answer_is_one_document() {
    let bench = Bench::new();
    let finished = bench.run("rotate svc-batch df004 --json").ends_with(0);
    assert_eq!(
        finished.json(),
        json!({ "exit": "success", "accounts": [
            { "account": "main/sub-account/svc-batch", "secret": "ncloud/main/sub-account/svc-batch",
              "result": "rotated", "exit": "success" },
            { "account": "main/data-forest/df004", "secret": "ncloud/main/data-forest/df004",
              "result": "skipped", "reason": "status CHANGING, not RUNNING", "exit": "success" },
        ]})
    );
    let planned = bench.run("rotate svc-batch --dry-run --json").ends_with(0).json();
    assert_eq!(planned["accounts"][0]["result"], "planned");
    assert_eq!(planned["accounts"][0]["finishes"], false);
}

#[test]
fn twice_in_a_row_works_at_once_since_nothing_is_under_way() {
    let bench = Bench::new();
    for times in 1..=3 {
        let finished = bench.run("rotate svc-batch df001 --wait 5s").ends_with(0);
        assert!(!finished.err.contains("fence"), "{}", finished.err);
        bench.is_settled("svc-batch", times);
        bench.is_settled("df001", times);
    }
    let (current, previous) = (bench.stored("svc-batch", "current"), bench.stored("svc-batch", "previous"));
    assert!(current != previous && previous.is_some());
}

#[test]
fn an_account_that_waits_for_its_adoption_is_rotated_all_the_same() {
    let bench = Bench::new();
    bench.edit("on_adopt        = \"rotate\"", "on_adopt = \"defer\"");
    bench.run("rotate svc-batch").ends_with(0);
    bench.is_settled("svc-batch", 1);
}

#[test]
fn an_unfinished_rotation_is_finished_first_and_counts() {
    let bench = Bench::new();
    bench.emulator.fault_always("svc-batch", &json!("drop-before"));
    bench.run("rotate svc-batch --wait 0s").ends_with(75);
    let pending = bench.stored("svc-batch", "pending");
    assert!(pending.is_some());
    bench.emulator.clear_faults();
    bench.run("rotate svc-batch").ends_with(0);
    assert_eq!(bench.stored("svc-batch", "current"), pending);
    bench.is_settled("svc-batch", 1);
    assert_eq!(bench.emulator.passwords_tried("svc-batch"), 1);
}

#[test]
fn an_account_that_stopped_running_keeps_its_unfinished_rotation() {
    let bench = Bench::new();
    bench.emulator.fault_always("df001", &json!("drop-before"));
    bench.run("rotate df001 --wait 0s").ends_with(75);
    bench.emulator.clear_faults();
    let pending = bench.stored("df001", "pending");
    bench.emulator.change(&json!({ "op": "set", "account": "df001", "status": "CHANGING" }));
    bench.run("rotate df001").ends_with(0).mentions("skipped");
    assert_eq!(bench.stored("df001", "pending"), pending);
    bench.emulator.change(&json!({ "op": "set", "account": "df001", "status": "RUNNING" }));
    bench.run("rotate df001").ends_with(0);
    assert_eq!(bench.stored("df001", "current"), pending);
    bench.is_settled("df001", 1);
}

#[test]
fn a_value_has_the_documented_keys_and_a_persons_own_keys_survive() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    let document = bench.vault.open("ncloud/main/sub-account/svc-batch").unwrap();
    let value = &document["current"]["value"];
    let account = bench.emulator.account("svc-batch");
    assert_eq!(value["username"], "svc-batch");
    assert_eq!(value["account_id"], account.id);
    assert_eq!(value["kind"], "sub-account");
    assert_eq!(value["tenant"], "main");
    for time in ["rotated_at", "expires_at"] {
        assert!(value[time].as_str().is_some_and(|time| time.parse::<jiff::Timestamp>().is_ok()), "{value}");
    }
    assert!(value["rotation"]["generation"].is_string());
    let mut edited = document.clone();
    edited["current"]["value"]["database"] = json!({ "host": "db1", "port": 5432 });
    bench.vault.write("ncloud/main/sub-account/svc-batch", &edited);
    bench.run("rotate svc-batch").ends_with(0);
    let document = bench.vault.open("ncloud/main/sub-account/svc-batch").unwrap();
    assert_eq!(document["current"]["value"]["database"], json!({ "host": "db1", "port": 5432 }));
    bench.is_settled("svc-batch", 2);
}

#[test]
fn a_rotation_that_cannot_end_names_what_is_unfinished_within_its_wait() {
    let bench = Bench::new();
    bench.emulator.fault_always("df001", &json!({ "5xx-before": 503 }));
    let finished = bench.run("rotate df001 svc-batch --wait 1s").ends_with(75);
    assert!(finished.row("main/data-forest/df001").contains("unfinished"));
    assert!(finished.row("main/sub-account/svc-batch").contains("rotated"));
    assert!(bench.emulator.sends_of("df001").len() >= 2, "the first retry comes within a second");
    let told = bench.run("rotate df001 --wait 0s --json").ends_with(75).json();
    assert_eq!((&told["exit"], &told["accounts"][0]["result"]), (&json!("temporary"), &json!("unfinished")));
    assert_eq!(told["accounts"][0]["pending"], true);
}

#[test]
fn a_rotation_that_is_asked_to_end_says_what_goes_on_later() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let bench = Bench::new();
        bench.emulator.fault_always("svc-batch", &json!("drop-after"));
        let running = bench.start("rotate svc-batch");
        bench.emulator.until_sent("svc-batch", 3);
        running.signal(signal);
        let finished = running.finish().ends_with(75);
        assert!(finished.row("main/sub-account/svc-batch").contains("goes on at the next start"));
        bench.holds_the_promise();
        bench.emulator.clear_faults();
        bench.run("rotate svc-batch").ends_with(0);
        assert_eq!(bench.emulator.passwords_tried("svc-batch"), 1);
        bench.is_settled("svc-batch", bench.emulator.account("svc-batch").changes);
    }
}
