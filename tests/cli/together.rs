//! Two processes at once.

use nix::sys::signal::Signal;

use crate::bench::{ACTIVE, Bench};

/// Two processes of one machine share what they know of each other's requests; those of two machines do not.
#[test]
fn two_rotations_of_everything_at_once_end_well_and_change_each_account_once_or_twice() {
    let benches = [Bench::with_short_fence(), Bench::with_short_fence()];
    let [one_state, two_states] = &benches;
    let mut running = vec![one_state.start("rotate --all"), one_state.start("rotate --all")];
    let first = two_states.start("rotate --all");
    first.complains("discovered");
    two_states.edit("state_dir = \"state\"", "state_dir = \"elsewhere\"");
    running.extend([first, two_states.start("rotate --all")]);
    for running in running {
        running.finish().ends_with(0);
    }
    for (bench, name) in benches.iter().flat_map(|bench| ACTIVE.map(|name| (bench, name))) {
        let tried = bench.emulator.passwords_tried(name);
        assert!((1..=2).contains(&tried), "{name}: {tried} passwords");
        bench.is_settled(name, bench.emulator.account(name).changes);
    }
}

#[test]
fn the_daemon_and_a_person_at_once_end_well() {
    let bench = Bench::with_short_fence();
    let daemon = bench.start("run");
    let person = bench.start("rotate --all");
    person.finish().ends_with(0);
    daemon.says("event=\"next\"");
    bench.run("rotate svc-batch").ends_with(0);
    daemon.signal(Signal::SIGTERM);
    daemon.finish().ends_with(0);
    for name in ACTIVE {
        let tried = bench.emulator.passwords_tried(name);
        assert!((1..=3).contains(&tried), "{name}: {tried} passwords");
        bench.is_settled(name, bench.emulator.account(name).changes);
    }
}
