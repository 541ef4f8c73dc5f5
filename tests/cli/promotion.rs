//! Promotion waits for nothing: not for a provider that is away.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::bench::Bench;
use crate::process::until;

#[test]
fn what_was_accepted_becomes_current_although_the_provider_is_away_by_now() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    bench.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
    let running = bench.start("rotate svc-batch");
    bench.emulator.until_sent("svc-batch", 2);
    let aside = bench.path("aside");
    fs::rename(bench.vault.root(), &aside).unwrap();
    fs::write(bench.vault.root(), "in the way").unwrap();
    bench.emulator.release();
    running.complains("unfinished");
    assert_ne!(running.finish().code, Some(0));
    fs::remove_file(bench.vault.root()).unwrap();
    fs::rename(&aside, bench.vault.root()).unwrap();
    let live = bench.stored("svc-batch", "pending").unwrap();
    assert_eq!(bench.emulator.account("svc-batch").password, live);
    let secret = bench.secret("svc-batch");

    bench.emulator.stop();
    let daemon = bench.start("run");
    until("the promotion", || bench.vault.password(&secret, "current") == Some(live.clone()));
    daemon.signal(Signal::SIGTERM);
    daemon.finish().ends_with(0);
    bench.emulator.restart();
    bench.is_settled("svc-batch", 2);
}
