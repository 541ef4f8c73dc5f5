//! Everything that may go wrong on the way, each followed by the promise.

use rstest::rstest;
use serde_json::{Value, json};

use crate::bench::{ACTIVE, Bench};
use crate::door::change_of;
use crate::process::until;

/// What tells nothing, or nothing clear, of a request; and whether the request is carried out.
fn doubtful() -> [(Value, bool); 16] {
    [
        (json!("drop-before"), false),
        (json!("drop-after"), true),
        (json!({ "5xx-before": 500 }), false),
        (json!({ "5xx-before": 503 }), false),
        (json!({ "5xx-before": 504 }), false),
        (json!({ "5xx-after": 500 }), true),
        (json!({ "5xx-after": 503 }), true),
        (json!({ "5xx-after": 504 }), true),
        (json!("html"), false),
        (json!("html-after"), true),
        (json!("empty"), false),
        (json!("empty-after"), true),
        (json!("garbage"), false),
        (json!("garbage-after"), true),
        (json!("success-false"), false),
        (json!("success-false-after"), true),
    ]
}

/// An account for each fault, so that all of them happen within one command.
#[rstest]
#[case("sub-account", "svc-f")]
#[case("data-forest", "df-f")]
fn a_doubtful_answer_is_asked_again_with_the_same_password(#[case] kind: &str, #[case] prefix: &str) {
    let bench = Bench::new();
    let faults = doubtful();
    bench.emulator.change(&json!({ "op": "create", "kind": kind, "count": faults.len(), "prefix": prefix }));
    let accounts: Vec<String> = (1..=faults.len()).map(|number| format!("{prefix}{number}")).collect();
    for (name, (fault, _)) in accounts.iter().zip(&faults) {
        bench.emulator.fault_always(name, fault);
    }
    let finished = bench.run(&format!("rotate {} --wait 0s", accounts.join(" "))).ends_with(75);
    for (name, (fault, _)) in accounts.iter().zip(&faults) {
        assert!(finished.row(&format!("main/{kind}/{name}")).contains("unfinished"), "{fault}");
    }
    bench.holds_the_promise();
    bench.emulator.clear_faults();
    for (name, (fault, _)) in accounts.iter().zip(&faults) {
        bench.emulator.fault_once(name, fault);
    }
    bench.run(&format!("rotate {}", accounts.join(" "))).ends_with(0);
    for (name, (fault, applied)) in accounts.iter().zip(&faults) {
        assert_eq!((bench.emulator.sends_of(name).len(), bench.emulator.passwords_tried(name)), (3, 1), "{fault}");
        bench.is_settled(name, if *applied { 3 } else { 1 });
    }
}

/// Data Forest names the account in its answer; a sub-account's answer does not.
#[test]
fn an_answer_for_another_account_is_doubtful() {
    let bench = Bench::new();
    bench.emulator.fault_once("df001", &json!("other-id"));
    bench.run("rotate df001").ends_with(0);
    assert_eq!((bench.emulator.sends_of("df001").len(), bench.emulator.passwords_tried("df001")), (2, 1));
    bench.is_settled("df001", 2);
}

#[rstest]
#[case(410)]
#[case(420)]
fn a_throttled_request_is_sent_again_after_a_pause(#[case] code: u16) {
    let bench = Bench::new();
    bench.emulator.fault_once("svc-batch", &json!({ "429": code }));
    bench.run("rotate svc-batch").ends_with(0);
    assert_eq!(bench.emulator.sends_of("svc-batch").len(), 2);
    bench.is_settled("svc-batch", 1);
}

#[test]
fn a_used_up_quota_stops_the_tenant_and_nothing_is_lost() {
    let bench = Bench::new();
    for call in ["password", "resetPassword"] {
        bench.emulator.fault(&json!({ "call": call, "times": "always", "fault": { "429": 400 } }));
    }
    bench.run("rotate --all").ends_with(75).mentions("quota is used up").mentions("tenant-stopped");
    assert!(bench.emulator.sends().len() <= ACTIVE.len(), "{:?}", bench.emulator.sends());
    bench.holds_the_promise();
    finishes(&bench);
}

#[test]
fn a_refused_signature_is_signed_afresh_once() {
    let bench = Bench::new();
    for name in ["svc-batch", "df001"] {
        bench.emulator.fault_once(name, &json!("unauthorised"));
    }
    bench.run("rotate svc-batch df001").ends_with(0);
    for name in ["svc-batch", "df001"] {
        assert_eq!(bench.emulator.sends_of(name).len(), 2);
        bench.is_settled(name, 1);
    }
}

#[test]
fn keys_that_stay_refused_stop_the_tenant() {
    let bench = Bench::new();
    bench.edit("\"100/s\"", "\"5/s\"");
    for call in ["password", "resetPassword"] {
        bench.emulator.fault(&json!({ "call": call, "times": "always", "fault": "unauthorised" }));
    }
    bench.run("rotate --all").ends_with(77).mentions("refused the keys").mentions("tenant-stopped");
    assert!(bench.emulator.sends().len() <= ACTIVE.len() + 1, "{} requests", bench.emulator.sends().len());
    bench.holds_the_promise();
    finishes(&bench);
}

/// Whatever was left over is finished by one more call, with no password but the first one of each account.
fn finishes(bench: &Bench) {
    bench.emulator.clear_faults();
    bench.run("rotate --all").ends_with(0);
    for name in ACTIVE {
        assert_eq!(bench.emulator.passwords_tried(name), 1, "{name}");
        bench.is_settled(name, 1);
    }
}

#[test]
fn an_account_that_vanishes_under_the_request_is_told_and_its_candidate_is_kept() {
    for (name, reason) in [("svc-batch", "knows no such account"), ("df001", "404")] {
        let bench = Bench::new();
        bench.emulator.fault_once(name, &json!({ "hold": {} }));
        let running = bench.start(&format!("rotate {name}"));
        bench.emulator.until_sent(name, 1);
        let secret = bench.secret(name);
        bench.emulator.change(&json!({ "op": "delete", "account": name }));
        bench.emulator.release();
        running.finish().ends_with(69).mentions(reason);
        assert!(bench.vault.password(&secret, "pending").is_some());
        bench.run(&format!("rotate {name}")).ends_with(64).mentions("no account or secret is called");
        assert!(bench.vault.password(&secret, "pending").is_some());
    }
}

#[test]
fn a_data_forest_account_that_begins_to_change_is_told_with_its_status() {
    let bench = Bench::new();
    bench.emulator.fault_once("df001", &json!({ "hold": {} }));
    let running = bench.start("rotate df001 --wait 1s");
    bench.emulator.until_sent("df001", 1);
    bench.emulator.change(&json!({ "op": "set", "account": "df001", "status": "CHANGING" }));
    bench.emulator.release();
    running.finish().ends_with(75).mentions("status CHANGING, not RUNNING");
    bench.holds_the_promise();
    bench.emulator.change(&json!({ "op": "set", "account": "df001", "status": "RUNNING" }));
    bench.run("rotate df001").ends_with(0);
    assert_eq!(bench.emulator.passwords_tried("df001"), 1);
    bench.is_settled("df001", 1);
}

#[rstest]
#[case("svc-batch")]
#[case("df001")]
fn a_forbidden_account_does_not_hold_up_the_others(#[case] name: &str) {
    let bench = Bench::new();
    bench.emulator.fault_always(name, &json!("forbid"));
    bench.run("rotate --all --wait 1s").ends_with(75).mentions("the provider forbids it now");
    for other in ACTIVE.into_iter().filter(|other| *other != name) {
        bench.is_settled(other, 1);
    }
    bench.emulator.clear_faults();
    bench.run(&format!("rotate {name}")).ends_with(0);
    bench.is_settled(name, 1);
}

#[test]
fn a_storm_of_every_fault_ends_settled() {
    let faults = [
        json!("drop-before"),
        json!("drop-after"),
        json!({ "5xx-after": 503 }),
        json!({ "429": 410 }),
        json!("html-after"),
    ];
    let bench = Bench::new();
    for (turn, name) in ACTIVE.iter().enumerate() {
        for step in 0..3 {
            let fault = &faults[(turn + step) % faults.len()];
            bench.emulator.fault(&json!({ "call": change_of(name), "account": name, "fault": fault }));
        }
    }
    bench.run("rotate --all").ends_with(0);
    for name in ACTIVE {
        assert_eq!((bench.emulator.sends_of(name).len(), bench.emulator.passwords_tried(name)), (4, 1));
        bench.is_settled(name, bench.emulator.account(name).changes);
    }
}

#[test]
fn faults_of_the_list_are_waited_out_and_one_kinds_trouble_is_not_the_others() {
    let bench = Bench::new();
    bench.emulator.fault(&json!([
        { "call": "sub-accounts", "fault": { "5xx-before": 503 } },
        { "call": "getList", "fault": "drop-before" },
    ]));
    bench.run("rotate svc-batch df001").ends_with(0);
    bench.emulator.fault(&json!({ "call": "getList", "times": "always", "fault": "html" }));
    bench.run("rotate svc-batch --wait 0s").ends_with(0);
    bench.run("rotate df001 --wait 0s").ends_with(75).mentions("could not be looked up");
    bench.run("rotate --all --wait 0s").ends_with(75).mentions("event=\"not-discovered\"");
    bench.is_settled("svc-batch", 3);
    bench.is_settled("df001", 1);
    bench.is_settled("svc-report", 1);
}

#[test]
fn a_request_that_is_slow_is_waited_for() {
    let bench = Bench::new();
    bench.emulator.fault_once("svc-batch", &json!({ "delay": { "ms": 1500 } }));
    bench.run("rotate svc-batch").ends_with(0);
    assert_eq!(bench.emulator.sends_of("svc-batch").len(), 1);
    bench.is_settled("svc-batch", 1);
    until("its answer in the log", || bench.emulator.sends_of("svc-batch")[0]["status"] == 200);
}
