//! Single scenes in virtual time: what wakes the engine, what hinders it, and what must not follow from either.

use std::time::Duration;

use jiff::SignedDuration;

use crate::story::{Setup, Story};
use crate::trouble::State;

const ACCOUNTS: usize = 80;

/// Half of the accounts in each of the two vaults; nothing goes wrong of itself.
fn quiet() -> Story {
    Story::new(SETUP)
}

const SETUP: Setup = Setup {
    seed: 5,
    tenants: 4,
    accounts: ACCOUNTS,
    days: 0,
    relist: SignedDuration::from_hours(12),
    is_troubled: false,
    policy: "",
    apart: None,
    watched: None,
};

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

/// Two policies, of which each takes ten accounts over in a day.
const TAKES_OVER: Setup = Setup { policy: "on_adopt = \"rotate\"\nfirst_run_cap = 10", ..SETUP };

#[test]
fn no_more_accounts_are_taken_over_in_a_day_than_the_cap_says_whatever_is_restarted() {
    let mut story = Story::new(TAKES_OVER);
    for day in 1..=4 {
        for _ in 0..4 {
            story.live_on(0.2);
            assert_eq!(story.audit.rotations(), 20 * day);
            story.reload();
            story.is_killed();
        }
        story.live_on(0.21);
    }
    assert_eq!(story.audit.settled_since(story.time.now() - SignedDuration::from_hours(5 * 24)), ALL);
}

#[test]
fn what_is_held_by_a_cap_keeps_nobody_else_of_its_lane_waiting() {
    let mut story = Story::new(Setup { accounts: 40, ..TAKES_OVER });
    story.live_on(3.0);
    assert_eq!(story.audit.rotations(), 40);
    story.comes_many(40);
    story.live_on(0.6);
    assert_eq!(story.audit.rotations(), 60, "those that came are held again");
    story.shorten(60);
    story.live_on(58.0 - 0.6);
    // Those that were rotated first are due again: 60 days, less 14.
    let again = story.audit.rotations();
    assert!(again >= 40 + 40 + 40, "{again}");
}

#[test]
fn what_became_overdue_overnight_is_caught_up_with_at_its_rate_and_a_restart_is_no_burst() {
    let hours = |hours: f64| hours / 24.0;
    let mut story = Story::new(Setup { policy: "catch_up = \"4/h\"", ..SETUP });
    story.live_on(100.0);
    story.shorten(60);
    // A start reads the lists at once; from then on, four an hour for each of the two policies.
    story.is_killed();
    story.live_on(hours(0.01));
    let begun = story.audit.rotations();
    assert_eq!(begun, 2);
    for hour in 1..=8 {
        for _ in 0..4 {
            story.live_on(hours(0.25));
            story.is_killed();
        }
        let since = story.audit.rotations() - begun;
        assert!(since <= 8 * hour + 2 && since >= 6 * (hour - 1), "{since} after {hour} hours");
    }
    story.live_on(0.5);
    assert_eq!(story.audit.settled_since(story.time.now() - SignedDuration::from_hours(24)), ALL);
}

#[test]
fn what_fails_and_is_overdue_takes_no_turns_from_what_can_be_caught_up_with() {
    let hours = |hours: f64| hours / 24.0;
    let mut story = Story::new(Setup { policy: "catch_up = \"4/h\"", ..SETUP });
    story.live_on(100.0);
    story.shorten(60);
    story.is_killed();
    story.live_on(hours(0.01));
    story.vault_is(0, State::Away);
    // Twenty of each policy can be rotated, four an hour; as many cannot, and try again four times an hour each.
    story.live_on(hours(9.0));
    assert_eq!(story.audit.settled_since(story.time.now() - SignedDuration::from_hours(10))[1], ACCOUNTS / 2);
}

#[test]
fn accounts_of_two_tenants_are_kept_apart_whatever_is_restarted() {
    // Tenants use the two vaults by turns.
    const PAIR: [&str; 2] = ["t0-a0", "t1-a1"];
    let mut story = Story::new(Setup { accounts: 8, apart: Some((&PAIR, 5 * 24)), ..SETUP });
    story.live_on(DUE + 0.5);
    assert_eq!(story.audit.rotations(), 7, "all but one of the two");
    for _ in 0..8 {
        story.live_on(0.5);
        story.is_killed();
        story.live_on(0.01);
        assert_eq!(story.audit.rotations(), 7);
    }
    story.live_on(1.0);
    assert_eq!(story.audit.rotations(), 8);
}

#[test]
fn only_a_deadline_brings_accounts_together_that_are_kept_apart() {
    let mut story = Story::new(Setup { accounts: 2, apart: Some((&["t0-a0", "t1-a1"], 100 * 24)), ..SETUP });
    story.live_on(DUE + 13.9);
    assert_eq!(story.audit.rotations(), 1);
    story.live_on(0.2);
    assert_eq!(story.audit.rotations(), 2);
}

#[test]
fn a_shortened_expiration_is_told_once_with_how_many_are_overdue_and_until_when() {
    let mut story = Story::new(Setup { policy: "catch_up = \"4/h\"", ..SETUP });
    story.live_on(100.0);
    story.shorten(60);
    // The lists are read every twelve hours, and then what is overdue of the two tenants of a policy takes its turns.
    story.live_on(0.5 + 40.0 / 4.0 / 24.0);
    let told = std::mem::take(&mut *story.told.lock().unwrap());
    let mut tenants: Vec<&str> = told.changed.iter().map(|(tenant, _)| tenant.as_str()).collect();
    tenants.sort_unstable();
    assert_eq!(tenants, ["t0", "t1", "t2", "t3"]);
    assert!(told.changed.iter().all(|(_, backlog)| backlog.overdue == ACCOUNTS / 4), "{:?}", told.changed);
    assert_eq!(story.audit.rotations(), ACCOUNTS as u64);
    // Rotations end within a minute of their turn.
    let last = told.changed.iter().filter_map(|(_, backlog)| backlog.until).max().unwrap();
    let minute = SignedDuration::from_mins(1);
    assert!((last - minute..=last + minute).contains(&story.audit.last_begun().unwrap()), "{last}");
    assert_eq!(story.journal.rows_with("\"what\":\"expiration-changed\""), 4);
    story.live_on(3.0);
    assert!(story.told.lock().unwrap().changed.is_empty());
}

#[test]
fn a_tenant_that_goes_on_tells_what_is_overdue_and_catches_up_at_its_rate() {
    let mut story = Story::new(Setup { policy: "catch_up = \"4/h\"", ..SETUP });
    story.live_on(DUE - 1.0);
    story.gateways_are(State::KeysRefused);
    // Past the deadline, and a probe each quarter of an hour from then on.
    story.live_on(20.0);
    assert_eq!(story.audit.rotations(), 0);
    story.gateways_are(State::Perfect);
    story.live_on(0.25 + 40.0 / 4.0 / 24.0);
    let told = std::mem::take(&mut *story.told.lock().unwrap());
    assert_eq!(told.released.len(), 4);
    assert!(told.released.iter().all(|(_, backlog)| backlog.overdue == ACCOUNTS / 4), "{:?}", told.released);
    assert_eq!(story.audit.settled_since(story.time.now() - SignedDuration::from_hours(24)), ALL);
    assert_eq!(story.journal.rows_with("\"what\":\"tenant-released\""), 4);
}

#[test]
fn a_rotation_that_overrides_its_windows_is_told_and_recorded() {
    let windows = "windows = [{ cron = \"0 2 1 1 *\", lasts = \"1h\" }]";
    let mut story = Story::new(Setup { policy: windows, ..SETUP });
    story.live_on(180.0);
    assert_eq!(story.audit.rotations(), ACCOUNTS as u64);
    assert_eq!(story.told.lock().unwrap().overridden, ACCOUNTS);
    assert_eq!(story.journal.rows_with("\"slot\":\"no-window-left\""), ACCOUNTS);
}
