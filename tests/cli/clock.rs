//! A clock that is wrong: nothing is applied by it.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::bench::Bench;

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

/// Where Debian puts it.
fn faketime() -> Option<String> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let library = format!("/usr/lib/{triplet}/faketime/libfaketimeMT.so.1");
    Path::new(&library).exists().then_some(library)
}
