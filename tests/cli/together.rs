//! Two processes at once.

use nix::sys::signal::Signal;

use crate::bench::{ACTIVE, Bench};

#[test]
fn two_rotations_of_everything_at_once_end_well_and_change_each_account_once_or_twice() {
    let bench = Bench::with_short_fence();
    let both = ["rotate --all", "rotate --all"].map(|words| bench.start(words));
    for running in both {
        running.finish().ends_with(0);
    }
    for name in ACTIVE {
        let tried = bench.emulator.passwords_tried(name);
        assert!((1..=2).contains(&tried), "{name}: {tried} passwords");
        bench.is_settled(name, bench.emulator.account(name).changes);
    }
}

#[test]
fn two_rotations_with_states_of_their_own_end_well_too() {
    let bench = Bench::with_short_fence();
    let one = bench.start("rotate --all");
    one.complains("discovered");
    bench.edit("state_dir = \"state\"", "state_dir = \"elsewhere\"");
    let other = bench.start("rotate --all");
    one.finish().ends_with(0);
    other.finish().ends_with(0);
    for name in ACTIVE {
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
