//! The fence: nothing new is sent while something old may still land.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::bench::Bench;

/// The short fence's length: 3 s + 1 s + 2 × 2 s.
const FENCE: SignedDuration = SignedDuration::from_secs(8);

#[test]
fn a_password_refused_after_a_doubt_is_kept_and_the_next_one_waits_for_the_fence() {
    let bench = Bench::with_short_fence();
    for name in ["svc-batch", "df001", "svc-report"] {
        bench.emulator.fault_once(name, &json!("drop-after"));
        bench.emulator.fault_once(name, &json!("refuse-same"));
    }
    let patient = bench.start("rotate svc-batch df001");
    let told = bench.run("rotate svc-report --wait 3s --json").ends_with(75).json();
    assert_eq!(
        (&told["accounts"][0]["result"], &told["accounts"][0]["waits_for"]),
        (&json!("unfinished"), &json!("fence"))
    );
    assert!(told["accounts"][0]["until"].as_str().unwrap().parse::<Timestamp>().is_ok());
    patient.complains("waiting for the fence");
    bench.holds_the_promise();
    let live = bench.emulator.account("svc-report").password;
    assert!(bench.vault.passwords(&bench.secret("svc-report")).contains(&live));
    assert_ne!(bench.stored("svc-report", "pending"), Some(live), "the refused password is superseded, not pending");
    let finished = patient.finish().ends_with(0);
    let announced = finished.err.lines().find(|line| line.contains("waits_for=\"fence\"")).unwrap();
    assert!(announced.contains("until=\"20") && announced.contains("account=main/"), "{announced}");
    bench.run("rotate svc-report").ends_with(0);
    for name in ["svc-batch", "df001", "svc-report"] {
        assert_eq!(bench.emulator.passwords_tried(name), 2);
        assert!(pause_before_the_last(&bench, name) >= FENCE, "{name}: {}", pause_before_the_last(&bench, name));
        bench.is_settled(name, 2);
    }
}

#[test]
fn a_request_that_nobody_heard_of_is_fenced_off_and_so_is_what_a_lost_journal_knew() {
    let bench = Bench::with_short_fence();
    bench.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
    let running = bench.start("rotate svc-batch");
    bench.emulator.until_sent("svc-batch", 1);
    running.kill_9();
    bench.run("rotate svc-batch df001").ends_with(0);
    bench.is_settled("svc-batch", 1);
    let heard = bench.start("rotate svc-batch");
    heard.complains("waiting for the fence");
    bench.edit("state_dir = \"state\"", "state_dir = \"elsewhere\"");
    let lost = bench.start("rotate df001");
    lost.complains("waiting for the fence");
    heard.finish().ends_with(0);
    lost.finish().ends_with(0);
    bench.is_settled("df001", 2);
    bench.is_settled("svc-batch", 2);
    assert!(pause_before_the_last(&bench, "svc-batch") >= FENCE);
    assert!(pause_before_the_last(&bench, "df001") >= FENCE);
    bench.emulator.release();
    crate::process::until("the end of the request that was held", || {
        bench.emulator.sends_of("svc-batch")[0]["status"] == 401
    });
    bench.is_settled("svc-batch", 2);
}

#[test]
fn a_request_for_what_a_copy_of_the_file_does_not_know_is_fenced_off() {
    let bench = Bench::with_short_fence();
    bench.run("rotate svc-batch").ends_with(0);
    let file = bench.vault.file(&bench.secret("svc-batch"));
    let copy = std::fs::read(&file).unwrap();
    bench.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
    let running = bench.start("rotate svc-batch");
    bench.emulator.until_sent("svc-batch", 2);
    running.kill_9();
    std::fs::write(&file, copy).unwrap();
    let next = bench.start("rotate svc-batch");
    next.complains("waiting for the fence");
    next.finish().ends_with(0);
    assert!(pause_before_the_last(&bench, "svc-batch") >= FENCE);
    bench.emulator.release();
    crate::process::until("the end of the request that was held", || {
        bench.emulator.sends_of("svc-batch")[1]["status"] == 401
    });
    bench.is_settled("svc-batch", 2);
}

/// Between the last two requests for one account, as the gateway saw them.
fn pause_before_the_last(bench: &Bench, name: &str) -> SignedDuration {
    let sends = bench.emulator.sends_of(name);
    let time = |back: usize| sends[sends.len() - back]["time"].as_str().unwrap().parse::<Timestamp>().unwrap();
    // The gateway's times in headers have whole seconds, and the vault's records count by them.
    time(1).duration_since(time(2)) + SignedDuration::from_secs(1)
}
