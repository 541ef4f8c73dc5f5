//! A clock that is wrong: nothing is applied by it.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::bench::Bench;
use crate::proxy::Proxy;

#[test]
fn with_a_gateway_ten_minutes_away_nothing_is_applied_and_the_clock_is_named() {
    for offset_ms in [600_000, -600_000] {
        let bench = Bench::new();
        bench.emulator.door("POST", "/door/clock", Some(&json!({ "offset_ms": offset_ms })));
        bench.run("rotate svc-batch").ends_with(75).mentions("clock");
        bench.run("check").ends_with(75).mentions("NTP");
        assert_eq!(bench.emulator.sends().len(), 0);
        bench.emulator.door("POST", "/door/clock", Some(&json!({ "offset_ms": 0 })));
        bench.run("check").ends_with(0);
    }
}

#[test]
fn with_this_machines_clock_ten_minutes_off_nothing_is_applied_and_the_clock_is_named() {
    let Some(library) = faketime() else {
        // Not captured, unlike what a test prints.
        let _ = writeln!(std::io::stderr(), "skipped: faketime is not installed (Debian: apt-get install faketime)");
        return;
    };
    for offset in ["+10m", "-10m"] {
        let bench = Bench::new();
        let command = |words: &[&str]| {
            let mut command: Command = bench.command(words);
            command.env("LD_PRELOAD", &library).env("FAKETIME", offset).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
            command
        };
        bench.run_command(command(&["rotate", "svc-batch"])).ends_with(75).mentions("clock");
        bench.run_command(command(&["check"])).ends_with(75).mentions("NTP");
        assert_eq!(bench.emulator.sends().len(), 0);
        bench.run("rotate svc-batch").ends_with(0);
        bench.is_settled("svc-batch", 1);
    }
}

#[test]
fn a_gateway_that_tells_no_time_gets_no_password_and_is_not_asked_for_ever() {
    let bench = Bench::new();
    let proxy = Proxy::without_date(bench.emulator.address());
    let address = bench.emulator.address();
    bench.edit(&format!("sub_account = \"http://{address}\""), &proxy.endpoint("sub_account"));
    bench.run("rotate svc-batch --wait 2s").ends_with(75).mentions("Date header");
    bench.run("check").ends_with(69).mentions("Date header");
    assert_eq!(bench.emulator.sends().len(), 0);
    let log = bench.emulator.door("GET", "/door/log", None);
    let asked = log.as_array().or_else(|| log["requests"].as_array()).expect("the door's log").len();
    assert!(asked < 40, "{asked} requests within two seconds");
}

/// Where Debian puts it.
pub(crate) fn faketime() -> Option<String> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let library = format!("/usr/lib/{triplet}/faketime/libfaketimeMT.so.1");
    Path::new(&library).exists().then_some(library)
}
