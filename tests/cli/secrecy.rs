//! No password and no key is told: not by the output, not by the log at its loudest, not by the state, not by the process.

use std::fs;

use ncloud_rotator::emulator::DEMO_SECRET_KEY;
use nix::sys::signal::Signal;
use serde_json::json;

use crate::bench::{Bench, tells_nothing};
use crate::vault::files;

#[test]
fn nothing_tells_a_password_or_the_key_through_all_faults() {
    let bench = Bench::new();
    let mut known = bench.every_password();
    let daemon = bench.start("run -vv");
    daemon.says("event=\"next\"");
    let faults = ["drop-after", "refuse", "garbage-after", "success-false", "unauthorised", "html-after", "forbid"];
    for fault in faults {
        for name in ["svc-batch", "df001"] {
            bench.emulator.fault_once(name, &json!(fault));
        }
        let running = bench.start("rotate svc-batch df001 -vv --wait 2s");
        bench.emulator.until_sent("svc-batch", 1);
        tells_nothing("the command line", running.arguments().as_bytes(), &known);
        running.finish();
        known.extend(bench.every_password());
        for words in ["secret show svc-batch", "secret show svc-batch --json -vv", "accounts -vv", "check -vv"] {
            bench.run(words);
        }
    }
    daemon.signal(Signal::SIGINT);
    let said = daemon.finish();
    assert!(known.len() > 20, "only {} passwords were seen", known.len());
    bench.holds_the_promise();
    tells_nothing("the daemon", format!("{}{}", said.out, said.err).as_bytes(), &known);
    for file in files(&bench.state()).iter().chain(&files(bench.vault.root())) {
        tells_nothing(&file.display().to_string(), &fs::read(file).unwrap(), &known);
    }
    assert!(files(&bench.state()).iter().any(|file| file.extension().is_some_and(|extension| extension == "sqlite")));
}

/// Errors of the configuration quote its lines.
#[test]
fn a_key_written_into_the_configuration_is_refused_without_repeating_it() {
    let bench = Bench::new();
    for inline in [format!("{DEMO_SECRET_KEY:?}"), format!("{{ value = {DEMO_SECRET_KEY:?} }}")] {
        let old = "{ env = \"NCLOUD_SECRET_KEY\" }";
        bench.edit(old, &inline);
        bench.run("check --offline").ends_with(78);
        bench.run("check --offline --json -vv").ends_with(78);
        bench.has_told_no_secret();
        bench.edit(&inline, old);
    }
}
