use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::domain::account::{AccountId, Kind, Site, Subject};
use crate::domain::policy::tests::plain;
use crate::domain::schedule::blackout::Blackout;
use crate::domain::schedule::calendar::tests::any_calendar;
use crate::domain::schedule::pause::Scope;
use crate::domain::schedule::window::Window;

const DAY: i64 = 86_400;

fn at(day: i64) -> Timestamp {
    Timestamp::from_second(day * DAY).unwrap()
}

fn hour(day: i64, hour: i64) -> Timestamp {
    at(day) + SignedDuration::from_hours(hour)
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_secs(days * DAY)
}

pub(in crate::domain) fn spread(id: &str) -> Spread {
    Spread::of(&Subject { site: Site::Public, kind: Kind::SubAccount, id: AccountId(id.to_owned()) })
}

/// An account that was changed on day 100 and whose passwords last 90 days.
pub(in crate::domain) fn steady(policy: &Policy) -> Facts<'_> {
    Facts {
        last_changed: Some(at(100)),
        first_seen: at(10),
        created_at: None,
        unfinished: false,
        paused: None,
        lasts: Some(days(90)),
        spread: spread("a"),
        policy,
    }
}

fn window(pattern: &str, hours: i64) -> Window {
    Window::new(pattern, SignedDuration::from_hours(hours), TimeZone::UTC).unwrap()
}

fn with_windows(windows: Vec<Window>, blackouts: &[(Timestamp, Timestamp)]) -> Policy {
    let blackouts = blackouts.iter().map(|&(from, until)| Blackout::Once(Span { from, until })).collect();
    Policy { calendar: Calendar::new(windows, blackouts).unwrap(), ..plain() }
}

fn now(reason: Reason) -> (Option<Timestamp>, Reason) {
    (None, reason)
}

fn then(at: Timestamp, reason: Reason) -> (Option<Timestamp>, Reason) {
    (Some(at), reason)
}

/// When, with nothing for now and never, and why.
fn told(due: Due) -> (Option<Timestamp>, Reason) {
    match due {
        Due::Now(why) => (None, why.reason),
        Due::At(at, why) => (Some(at), why.reason),
        Due::Never(reason) => (None, reason),
        Due::Paused(pause) => panic!("{pause}"),
    }
}

#[test]
fn each_check_in_its_order() {
    let defer = plain();
    let rotate = Policy { on_adopt: OnAdopt::Rotate, ..plain() };
    let assume = Policy { assume_changed: Some(at(50)), ..plain() };
    let steady = steady(&defer);
    let fresh = Facts { last_changed: None, ..steady };
    let adopted = Facts { policy: &rotate, ..fresh };
    let assumed = Facts { policy: &assume, ..fresh };
    let table = [
        ("unfinished comes before everything", Facts { unfinished: true, ..fresh }, 0, now(Reason::Unfinished)),
        ("never rotated, deferred", fresh, 20, then(at(86), Reason::Deferred)),
        ("never rotated, deferred long enough", fresh, 86, now(Reason::Deferred)),
        ("never rotated, without expiry", Facts { lasts: None, ..fresh }, 86, now(Reason::NoExpiry)),
        ("never seen, to be rotated", adopted, 10, now(Reason::Adopted)),
        ("never seen, to be rotated, without expiry", Facts { lasts: None, ..adopted }, 10, now(Reason::Adopted)),
        ("never rotated, its age assumed", assumed, 60, then(at(126), Reason::Assumed)),
        (
            "an account is no older than itself",
            Facts { created_at: Some(at(60)), ..assumed },
            60,
            then(at(136), Reason::Assumed),
        ),
        (
            "an old account is as old as assumed",
            Facts { created_at: Some(at(2)), ..assumed },
            60,
            then(at(126), Reason::Assumed),
        ),
        ("assumed to be over", assumed, 500, now(Reason::Assumed)),
        ("nothing is assumed of ours", Facts { policy: &assume, ..steady }, 101, then(at(176), Reason::Expires)),
        ("on_adopt says nothing of ours", Facts { policy: &rotate, ..steady }, 101, then(at(176), Reason::Expires)),
        ("a moment before it is due", steady, 175, then(at(176), Reason::Expires)),
        ("when it is due", steady, 176, now(Reason::Expires)),
        ("long after its expiry", steady, 1000, now(Reason::Expires)),
        ("a clock that went back waits", steady, 0, then(at(176), Reason::Expires)),
        ("no expiry", Facts { lasts: None, ..steady }, 1000, now(Reason::NoExpiry)),
    ];
    for (case, facts, today, expected) in table {
        assert_eq!(told(due(at(today), &facts)), expected, "{case}");
    }
}

#[test]
fn the_dates_of_a_life() {
    let policy = |before, margin, spread| Policy {
        rotate_before: days(before),
        margin: days(margin),
        spread: days(spread),
        ..plain()
    };
    // rotate_before, margin, spread and the life in days; the deadline and the ideal, counted from the change.
    for (before, margin, spread, lasts, deadline, ideal) in [
        (14, 0, 0, 90, 90, 76),
        (14, 3, 0, 90, 87, 73),
        (89, 0, 0, 90, 90, 45),
        (14, 80, 0, 60, 45, 31),
        (30, 30, 0, 60, 45, 30),
        (170, 5, 0, 180, 175, 90),
    ] {
        let policy = policy(before, margin, spread);
        let dates = Facts { lasts: Some(days(lasts)), ..steady(&policy) }.dates().unwrap();
        let told = (dates.deadline.unwrap(), dates.ideal, dates.expires_at.unwrap());
        assert_eq!(told, (at(100 + deadline), at(100 + ideal), at(100 + lasts)), "{before} {margin} {lasts}");
    }
    let policy = policy(14, 2, 5);
    let dates = steady(&policy).dates().unwrap();
    assert_eq!(dates.ahead, steady(&policy).spread.ahead(days(5)));
    assert_eq!((dates.ideal, dates.deadline), (at(174) - dates.ahead, Some(at(188))));
    let wide = Policy { spread: days(3000), ..policy };
    let early = Facts { lasts: Some(days(60)), ..steady(&wide) }.dates().unwrap();
    assert_eq!(early.ideal, at(115), "never in the first quarter");
}

/// Day 0 is a Thursday; of the account that was changed on day 100, day 176 (a Friday) is ideal and day 190 the deadline.
#[test]
fn the_window_that_best_precedes_the_deadline() {
    let open = |from: Timestamp, until| Slot::Open(Piece { span: Span { from, until }, window: Some(0) });
    let nightly = || vec![window("0 2 * * *", 3)];
    let yearly = || vec![window("0 2 1 1 *", 3)];
    let free = |from: Timestamp, until| Slot::Open(Piece { span: Span { from, until }, window: None });
    let night = |day: i64| open(hour(day, 2), hour(day, 5));
    let mondays = || vec![window("0 2 * * Mon", 3)];
    let monthly = || vec![window("0 2 1 * *", 3)];
    let (july, holidays) = (|| vec![(at(181), at(182))], || vec![(at(170), at(200))]);
    let table = [
        ("the first after the ideal", mondays(), vec![], at(150), hour(179, 2), night(179)),
        ("the next, when it was missed", mondays(), vec![], hour(179, 5), hour(186, 2), night(186)),
        (
            "one that began before the ideal",
            vec![window("0 22 * * *", 4)],
            vec![],
            at(150),
            at(176),
            open(at(176), hour(176, 2)),
        ),
        ("the last before the ideal, with none after it", monthly(), july(), at(150), hour(151, 2), night(151)),
        ("before the deadline, when none is left", yearly(), vec![], at(150), hour(189, 23), Slot::NoWindowLeft),
        (
            "before the deadline, when the last was missed",
            monthly(),
            july(),
            hour(151, 5),
            hour(189, 23),
            Slot::NoWindowLeft,
        ),
        ("not in the first quarter", vec![window("0 2 11 4 *", 3)], vec![], at(100), hour(189, 23), Slot::NoWindowLeft),
        (
            "before the blackout that covers the deadline",
            yearly(),
            vec![(at(189), at(195))],
            at(150),
            hour(188, 23),
            Slot::NoWindowLeft,
        ),
        (
            "after the blackout",
            nightly(),
            vec![(at(170), hour(178, 3))],
            at(150),
            hour(178, 3),
            open(hour(178, 3), hour(178, 5)),
        ),
        ("before the blackout", nightly(), holidays(), at(150), hour(169, 2), night(169)),
        ("in the blackout, when nothing is left", nightly(), holidays(), hour(171, 5), at(190), Slot::BlackedOut),
        (
            "without windows, before the blackout",
            vec![],
            holidays(),
            at(150),
            hour(169, 23),
            free(hour(122, 12), at(170)),
        ),
        (
            "without windows, after the blackout",
            vec![],
            vec![(at(170), at(180))],
            at(120),
            at(180),
            free(at(180), at(190)),
        ),
        ("at the end of a month", vec![window("0 2 L * *", 3)], vec![], at(150), hour(180, 2), night(180)),
    ];
    for (case, windows, blackouts, now, expected, slot) in table {
        let policy = with_windows(windows, &blackouts);
        let facts = steady(&policy);
        let why = Why { reason: Reason::Expires, slot };
        let expected = if expected <= now { Due::Now(why) } else { Due::At(expected, why) };
        assert_eq!(due(now, &facts), expected, "{case}");
    }
}

#[test]
fn expiry_beats_windows_and_blackouts_and_says_so() {
    let nightly = with_windows(vec![window("0 2 * * *", 3)], &[(at(195), at(196))]);
    for (now, label, forced) in [
        (hour(190, 12), "no-window-left", true),
        (hour(191, 3), "open", false),
        (hour(195, 3), "blacked-out", true),
        (at(500), "no-window-left", true),
    ] {
        let Due::Now(why) = due(now, &steady(&nightly)) else { panic!("{now}") };
        assert_eq!((why.slot.label(), why.slot.is_forced()), (label, forced), "{now}");
    }
}

#[test]
fn a_policy_that_was_shortened_overnight() {
    let nightly = with_windows(vec![window("0 2 * * *", 3)], &[]);
    let long = Facts { lasts: Some(days(180)), ..steady(&nightly) };
    let short = Facts { lasts: Some(days(60)), ..long };
    let today = hour(170, 12);
    assert!(matches!(due(today, &long), Due::At(at, _) if at == hour(266, 2)), "{:?}", due(today, &long));
    let Due::Now(why) = due(today, &short) else { panic!("{:?}", due(today, &short)) };
    assert_eq!(why.slot, Slot::NoWindowLeft, "it expired ten days ago, and waits for no window");
    let not_yet = Facts { last_changed: Some(at(115)), ..short };
    assert!(matches!(due(today, &not_yet), Due::At(at, _) if at == hour(171, 2)), "its window still comes in time");
}

#[test]
fn windows_hold_adoption_too_and_without_an_expiry_as_long_as_it_takes() {
    let yearly = Policy { on_adopt: OnAdopt::Rotate, ..with_windows(vec![window("0 2 1 1 *", 3)], &[]) };
    let fresh = Facts { last_changed: None, ..steady(&yearly) };
    assert_eq!(
        told(due(at(20), &fresh)),
        then(hour(99, 23), Reason::Adopted),
        "its expiry is counted from its first sight"
    );
    let lasting = Facts { lasts: None, ..fresh };
    assert_eq!(told(due(at(20), &lasting)), then(hour(365, 2), Reason::Adopted));
    assert_eq!(told(due(hour(365, 3), &lasting)), now(Reason::Adopted));
}

#[test]
fn a_pause_beats_everything_but_an_unfinished_rotation() {
    let policy = plain();
    let pause = Pause { scope: Scope::Everything, until: Some(at(300)) };
    let paused = Facts { paused: Some(pause), ..steady(&policy) };
    assert_eq!(due(at(250), &paused), Due::Paused(pause), "its password expired meanwhile");
    assert!(matches!(due(at(250), &Facts { unfinished: true, ..paused }), Due::Now(_)));
    assert!(matches!(due(at(300), &paused), Due::Now(_)), "the pause is over");
}

#[test]
fn what_a_pause_held_is_due_when_it_ends_and_never_when_it_does_not() {
    let policy = plain();
    let unpaused = steady(&policy);
    let Due::At(ideal, _) = due(at(50), &unpaused) else { panic!("{:?}", due(at(50), &unpaused)) };
    let after = |until| {
        let paused = Some(Pause { scope: Scope::Account, until });
        due_after_pause(at(50), &Facts { paused, ..unpaused }).time(at(50))
    };
    assert_eq!(after(Some(at(51))), Some(ideal), "it was not due before the end");
    assert_eq!(after(Some(at(300))), Some(at(300)));
    assert_eq!(after(Some(at(50))), Some(ideal), "it has ended");
    assert_eq!(after(None), None);
}

#[test]
fn accounts_that_wait_for_the_same_opening_are_spread_over_the_window() {
    let policy = Policy { spread: days(1), ..with_windows(vec![window("0 2 * * Mon", 3)], &[]) };
    let times: Vec<Timestamp> = (0..100)
        .map(|number| {
            due(at(150), &Facts { spread: spread(&number.to_string()), ..steady(&policy) }).time(at(150)).unwrap()
        })
        .collect();
    assert!(times.iter().all(|time| (hour(179, 2)..hour(179, 5)).contains(time)));
    for part in 0..6 {
        let from = hour(179, 2) + SignedDuration::from_mins(30 * part);
        let until = from + SignedDuration::from_mins(30);
        let count = times.iter().filter(|time| (from..until).contains(*time)).count();
        assert!((6..=30).contains(&count), "{count} of 100 in the half hour from {from}");
    }
}

#[test]
fn of_windows_that_overlap_the_earlier_time_is_kept_whichever_is_open() {
    let policy =
        Policy { spread: days(1), ..with_windows(vec![window("0 2 * * Mon", 3), window("0 3 * * Mon", 3)], &[]) };
    let alone = ["0 2 * * Mon", "0 3 * * Mon"]
        .map(|pattern| Policy { spread: days(1), ..with_windows(vec![window(pattern, 3)], &[]) });
    for number in 0..100 {
        let facts = Facts { spread: spread(&number.to_string()), ..steady(&policy) };
        let chosen = due(at(150), &facts);
        let earliest = alone.each_ref().map(|policy| due(at(150), &Facts { policy, ..facts }).time(at(150)));
        let at = chosen.time(at(150)).unwrap();
        assert_eq!(Some(at), earliest.into_iter().min().flatten());
        for minutes in (0..240).step_by(10) {
            let now = hour(179, 1) + SignedDuration::from_mins(minutes);
            assert!(now >= at || due(now, &facts) == chosen, "{number} at {now}: {:?}", due(now, &facts));
        }
    }
}

#[test]
fn an_account_whose_window_is_open_at_its_ideal_time_waits_no_longer() {
    let policy = Policy { spread: days(1), ..with_windows(vec![window("0 0 * * *", 24)], &[]) };
    for number in 0..20 {
        let facts = Facts { spread: spread(&number.to_string()), ..steady(&policy) };
        assert_eq!(due(at(150), &facts).time(at(150)), facts.dates().map(|dates| dates.ideal));
    }
}

fn any_policy() -> impl Strategy<Value = Policy> {
    let durations = (1..40_i64, 0..10_i64, 0..200_000_i64);
    (any_calendar(), durations, any::<bool>()).prop_map(|(calendar, (before, margin, spread), rotate)| Policy {
        rotate_before: days(before),
        margin: days(margin),
        spread: SignedDuration::from_secs(spread),
        on_adopt: if rotate { OnAdopt::Rotate } else { OnAdopt::Defer },
        calendar,
        ..plain()
    })
}

proptest! {
    #[test]
    fn the_time_is_right_and_stays(
        policy in any_policy(),
        changed in 1_700_000_000..1_735_000_000_i64,
        ours in prop::bool::weighted(0.8),
        lasts in prop::sample::select(vec![60, 90, 120, 180_i64]),
        id in "[a-z]{1,4}",
        now in 0..170 * DAY,
        later in 0.0..1.0_f64,
    ) {
        let changed = Timestamp::from_second(changed).unwrap();
        let facts = Facts {
            last_changed: ours.then_some(changed),
            first_seen: changed,
            lasts: Some(days(lasts)),
            spread: spread(&id),
            ..steady(&policy)
        };
        let Dates { earliest, ahead, ideal, deadline, expires_at, .. } = facts.dates().unwrap();
        let deadline = deadline.unwrap();
        prop_assert!(changed <= earliest && earliest <= ideal && ideal <= deadline && Some(deadline) <= expires_at);
        prop_assert!(ahead.is_zero() || ahead < policy.spread);

        let now = changed + SignedDuration::from_secs(now);
        let found = due(now, &facts);
        let (at, why) = match found {
            Due::Now(why) => (now, why),
            Due::At(at, why) => (at, why),
            other => panic!("{other:?}"),
        };
        let calendar = &policy.calendar;
        prop_assert!(at <= deadline.max(now) && at >= earliest.min(now));
        match why.slot {
            Slot::Open(piece) => {
                prop_assert!(piece.span.contains(at));
                prop_assert!(calendar.open_at(at).is_some() && !calendar.is_blacked_out(at));
            }
            Slot::NoWindowLeft => prop_assert!(!calendar.is_blacked_out(at) || at == now),
            Slot::BlackedOut => prop_assert!(calendar.is_blacked_out(at) || at == deadline),
            Slot::Any => prop_assert!(false),
        }
        let left = Wanted { range: Span { from: earliest, until: deadline }, now };
        if why.slot.is_forced() {
            prop_assert!(calendar.first_pieces(left).next().is_none(), "a window was left");
        }

        if let Due::At(at, _) = found {
            let later = now + SignedDuration::from_secs_f64((at.duration_since(now).as_secs_f64() * later).floor());
            if later < at {
                prop_assert_eq!(due(later, &facts), found, "asked again at {}", later);
            }
            prop_assert!(matches!(due(at, &facts), Due::Now(_)), "it is due when it said");
        }
    }
}
