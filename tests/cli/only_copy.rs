//! A password that is nowhere but in the process: it stays there until a vault takes it, whatever patience says.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::bench::Bench;

/// The policy that leaves sub-accounts' passwords to the provider; Data Forest has no such call.
fn by_the_provider() -> Bench {
    let bench = Bench::new();
    bench.edit(
        "[[accounts]]\ntenant = \"main\"\nkind   = \"sub-account\"",
        "[policies.theirs]\npassword = \"provider\"\n\n[[accounts]]\ntenant = \"main\"\npolicy = \"theirs\"\nkind   = \"sub-account\"",
    );
    bench
}

#[test]
fn an_answer_that_no_vault_takes_outlives_patience_and_the_first_signal() {
    let bench = by_the_provider();
    bench.run("rotate svc-batch").ends_with(0);
    bench.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
    let running = bench.start("rotate svc-batch --wait 0s");
    bench.emulator.until_sent("svc-batch", 2);
    let aside = bench.path("aside");
    fs::rename(bench.vault.root(), &aside).unwrap();
    fs::write(bench.vault.root(), "in the way").unwrap();
    bench.emulator.release();
    running.complains("only-copy");
    running.signal(Signal::SIGTERM);
    fs::remove_file(bench.vault.root()).unwrap();
    fs::rename(&aside, bench.vault.root()).unwrap();
    running.finish().ends_with(0);
    bench.is_settled("svc-batch", 2);
}
