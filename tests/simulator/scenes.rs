//! Single scenes in virtual time: what wakes the engine, what hinders it, and what must not follow from either.

use std::time::Duration;

use jiff::SignedDuration;

use crate::story::{Setup, Story};
use crate::trouble::State;

const ACCOUNTS: usize = 80;

/// Half of the accounts in each of the two vaults; nothing goes wrong of itself.
fn quiet() -> Story {
    Story::new(Setup {
        seed: 5,
        tenants: 4,
        accounts: ACCOUNTS,
        days: 0,
        relist: SignedDuration::from_hours(12),
        is_troubled: false,
        watched: None,
    })
}

const ALL: [usize; 2] = [ACCOUNTS / 2, ACCOUNTS / 2];

/// From the first sight to the day on which everything is due.
const DUE: f64 = 166.0;

#[test]
fn a_clock_that_is_set_wrong_rotates_nothing_and_keeps_nothing_from_its_rotation() {
    for hours in [-400 * 24, -30, 30, 400 * 24] {
        let mut story = quiet();
        story.live_on(100.0);
        story.time.set_wall_error(SignedDuration::from_hours(hours));
        story.look();
        story.live_on(3.0);
        story.reload();
        story.live_on(3.0);
        assert_eq!(story.audit.rotations(), 0, "{hours}");
        story.time.set_wall_error(SignedDuration::ZERO);
        story.look();
        story.live_on(DUE - 106.0 + 1.0);
        assert_eq!(story.audit.settled_since(story.time.now() - SignedDuration::from_hours(26)), ALL, "{hours}");
    }
}

#[test]
fn what_became_due_in_a_suspended_machine_is_rotated_when_it_wakes_and_nothing_else_is() {
    let mut story = quiet();
    story.live_on(100.0);
    story.time.go_to(story.time.elapsed() + Duration::from_hours(10 * 24));
    story.live_on(1.0);
    assert_eq!(story.audit.rotations(), 0);
    story.live_on(DUE - 112.0);
    story.audit.machine_trouble();
    story.time.go_to(story.time.elapsed() + Duration::from_hours(5 * 24));
    let woken = story.time.now();
    story.live_on(0.1);
    assert_eq!((story.audit.settled_since(woken), story.audit.rotations()), (ALL, ACCOUNTS as u64));
}

#[test]
fn a_restart_and_a_reload_rotate_nothing_with_or_without_the_journal() {
    let mut story = quiet();
    story.live_on(DUE + 1.0);
    assert_eq!(story.audit.rotations(), ACCOUNTS as u64);
    for _ in 0..5 {
        story.is_killed_and_loses_its_journal();
        story.live_on(0.5);
        story.reload();
        story.live_on(0.5);
    }
    assert_eq!(story.audit.rotations(), ACCOUNTS as u64);
}

#[test]
fn a_vault_that_hangs_starves_no_other_and_loses_no_account() {
    let mut story = quiet();
    story.live_on(DUE - 1.0);
    story.vault_is(0, State::Hanging);
    story.live_on(1.2);
    assert_eq!(story.audit.settled_since(story.time.now() - SignedDuration::from_hours(24)), [0, ACCOUNTS / 2]);
    story.vault_is(0, State::Perfect);
    story.live_on(0.1);
    assert_eq!(story.audit.settled_since(story.time.now() - SignedDuration::from_hours(24)), ALL);
}

#[test]
fn fences_are_waited_out_side_by_side() {
    let minutes = |minutes: f64| minutes / (24.0 * 60.0);
    let mut story = quiet();
    story.live_on(DUE + 1.0);
    story.shorten(60);
    story.live_on(45.0 - minutes(1.0));
    let due = story.time.now();
    // The first candidate of each is in doubt, then refused; the second one must outwait what the first may still do.
    story.gateways_are(State::Mute);
    story.live_on(minutes(6.0));
    story.gateways_are(State::Refusing);
    story.live_on(minutes(6.0));
    story.gateways_are(State::Perfect);
    // A lane has slots for less than half of its accounts, and yet they all wait.
    assert_eq!((story.audit.settled_since(due), story.audit.pending()), ([0, 0], ACCOUNTS));
    story.live_on(minutes(10.0));
    assert_eq!(story.audit.settled_since(due), ALL);
}
