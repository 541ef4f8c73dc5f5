use jiff::ToSpan;
use jiff::civil::Date;
use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn window(pattern: &str, hours: i64, zone_name: &str) -> Window {
    Window::new(pattern, SignedDuration::from_hours(hours), zone(zone_name)).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The openings within some days from a date, as the zone's clock shows them, each with its offset.
fn openings(window: &Window, from: &str, days: i64) -> Vec<String> {
    let date: Date = from.parse().unwrap();
    let start = date.to_zoned(window.zone.clone()).unwrap().timestamp();
    let end = date.checked_add(days.days()).unwrap().to_zoned(window.zone.clone()).unwrap().timestamp();
    let spans =
        std::iter::successors(window.beginning_after(just_before(start)), |span| window.beginning_after(span.from));
    let shown = |span: Span| span.from.to_zoned(window.zone.clone()).strftime("%d %H:%M%:z").to_string();
    spans.take_while(|span| span.from < end).map(shown).collect()
}

fn just_before(at: Timestamp) -> Timestamp {
    at - SignedDuration::from_nanos(1)
}

#[rstest]
#[case::on_weekdays("0 2 * * Tue-Thu", "Asia/Seoul", "2026-03-02", 7, &["03 02:00+09:00", "04 02:00+09:00", "05 02:00+09:00"])]
#[case::a_leap_day("0 2 29 2 *", "UTC", "2028-02-27", 7, &["29 02:00+00:00"])]
#[case::no_leap_day("0 2 29 2 *", "UTC", "2027-02-01", 365, &[])]
#[case::no_leap_day_in_2100("0 2 29 2 *", "UTC", "2100-02-01", 365, &[])]
#[case::the_last_of_a_short_month("0 23 L * *", "UTC", "2026-02-01", 59, &["28 23:00+00:00", "31 23:00+00:00"])]
#[case::the_thirty_first("0 1 31 * *", "UTC", "2026-03-01", 62, &["31 01:00+00:00"])]
#[case::the_first_saturday("0 1 * * Sat#1", "UTC", "2026-05-01", 40, &["02 01:00+00:00", "06 01:00+00:00"])]
#[case::either_day("0 1 1 * Mon", "UTC", "2026-06-27", 8, &["29 01:00+00:00", "01 01:00+00:00"])]
#[case::a_skipped_time("30 2 * * *", "America/New_York", "2026-03-07", 3, &["07 02:30-05:00", "08 03:00-04:00", "09 02:30-04:00"])]
#[case::a_time_before_a_skipped_one("59 1 * * *", "America/New_York", "2026-03-08", 1, &["08 01:59-05:00"])]
#[case::skipped_times("*/30 2 * * *", "America/New_York", "2026-03-08", 1, &["08 03:00-04:00"])]
#[case::a_repeated_time("30 1 * * *", "America/New_York", "2026-10-31", 3, &["31 01:30-04:00", "01 01:30-04:00", "02 01:30-05:00"])]
#[case::after_repeated_times("0 2 * * *", "America/New_York", "2026-11-01", 1, &["01 02:00-05:00"])]
#[case::skipped_midnight("0 0 * * *", "Africa/Cairo", "2026-04-23", 2, &["23 00:00+02:00", "24 01:00+03:00"])]
#[case::half_an_hour("15 2 * * *", "Australia/Lord_Howe", "2026-10-03", 2, &["03 02:15+10:30", "04 02:30+11:00"])]
#[case::a_zone_that_gave_summer_time_up("0 0 * * *", "America/Sao_Paulo", "2018-11-03", 2, &["03 00:00-03:00", "04 01:00-02:00"])]
#[case::and_a_year_later("0 0 * * *", "America/Sao_Paulo", "2019-11-02", 2, &["02 00:00-03:00", "03 00:00-03:00"])]
#[case::a_zone_that_moved("30 23 * * *", "Asia/Pyongyang", "2018-05-04", 2, &["05 00:00+09:00", "05 23:30+09:00"])]
#[case::a_zone_that_lost_a_day("0 12 * * *", "Pacific/Apia", "2011-12-29", 3, &["29 12:00-10:00", "31 00:00+14:00", "31 12:00+14:00"])]
#[case::a_zone_that_had_a_day_twice("0 12 * * *", "Pacific/Kwajalein", "1969-09-29", 3, &["29 12:00+11:00", "30 12:00+11:00", "01 12:00-12:00"])]
fn it_opens(#[case] pattern: &str, #[case] zone: &str, #[case] from: &str, #[case] days: i64, #[case] found: &[&str]) {
    assert_eq!(openings(&window(pattern, 1, zone), from, days), found);
}

#[test]
fn it_is_open_from_its_opening_up_to_its_closing() {
    let nightly = window("0 23 * * *", 3, "UTC");
    for (moment, open) in [
        ("2026-01-01T22:59:59.999999999Z", false),
        ("2026-01-01T23:00:00Z", true),
        ("2026-01-02T00:30:00.5Z", true),
        ("2026-01-02T01:59:59.999999999Z", true),
        ("2026-01-02T02:00:00Z", false),
    ] {
        assert_eq!(nightly.is_open(at(moment)), open, "{moment}");
    }
}

#[test]
fn it_lasts_as_long_as_it_says_whatever_the_clock_shows() {
    for (pattern, from, until) in [
        ("0 1 8 3 *", "2026-03-08T01:00:00-05:00", "2026-03-08T05:00:00-04:00"),
        ("30 2 8 3 *", "2026-03-08T03:00:00-04:00", "2026-03-08T06:00:00-04:00"),
        ("0 1 1 11 *", "2026-11-01T01:00:00-04:00", "2026-11-01T03:00:00-05:00"),
    ] {
        let spring = window(pattern, 3, "America/New_York");
        let span = Span { from: at(from), until: at(until) };
        assert_eq!(spring.beginning_after(just_before(span.from)), Some(span), "{pattern}");
        assert!(spring.is_open(span.from) && spring.is_open(just_before(span.until)) && !spring.is_open(span.until));
    }
}

#[test]
fn while_a_clock_shows_an_hour_for_the_second_time_what_opened_is_known() {
    let window = Window::new("*/15 1 * * *", SignedDuration::from_mins(10), zone("America/New_York")).unwrap();
    let second_time = at("2026-11-01T01:05:00-05:00");
    assert_eq!(window.begun_by(second_time).unwrap().from, at("2026-11-01T01:45:00-04:00"));
    assert_eq!(window.beginning_after(second_time).unwrap().from, at("2026-11-02T01:00:00-05:00"));
    assert!(!window.is_open(second_time));
}

#[test]
fn one_that_is_longer_than_its_period_is_always_open() {
    let window = window("0 * * * *", 2, "Asia/Seoul");
    for minute in 0..180 {
        assert!(window.is_open(at("2026-01-01T00:00:30Z") + SignedDuration::from_mins(minute)));
    }
    let (first, last) = (window.ending_after(at("2026-01-01T00:30:00Z")), window.begun_by(at("2026-01-01T00:30:00Z")));
    assert_eq!((first.unwrap().from, last.unwrap().from), (at("2025-12-31T23:00:00Z"), at("2026-01-01T00:00:00Z")));
}

#[rstest]
#[case::six_fields("0 0 2 * * *", BadWindow::Fields(6))]
#[case::a_word("@daily", BadWindow::Fields(1))]
#[case::nothing("", BadWindow::Fields(0))]
#[case::the_thirty_first_of_february("0 0 31 2 *", BadWindow::NeverOpens)]
#[case::a_leap_day_on_a_monday("0 0 29 2 +Mon", BadWindow::NeverOpens)]
fn what_never_opens_is_refused(#[case] pattern: &str, #[case] expected: BadWindow) {
    assert_eq!(Window::new(pattern, SignedDuration::from_hours(1), TimeZone::UTC), Err(expected));
}

#[test]
fn what_cannot_be_read_is_refused() {
    for pattern in [
        "0 24 * * *",
        "60 2 * * *",
        "a b c d e",
        "0 2 * * Tues-Thu",
        "0 2 * * 8",
        "0 2 0 * *",
        "0 2 * * 5-1",
        "÷ 2 * * *",
    ] {
        let refused = Window::new(pattern, SignedDuration::from_hours(1), TimeZone::UTC);
        assert!(matches!(refused, Err(BadWindow::Unreadable(_))), "{pattern}: {refused:?}");
    }
    assert_eq!(Window::new("0 2 * * *", SignedDuration::ZERO, TimeZone::UTC), Err(BadWindow::Empty));
}

/// Zones whose clocks do something odd, and patterns of every kind.
pub(in crate::domain) fn any_window() -> impl Strategy<Value = Window> {
    let zones = [
        "Asia/Seoul",
        "UTC",
        "America/New_York",
        "Europe/Berlin",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
        "Pacific/Apia",
        "America/Sao_Paulo",
        "Asia/Pyongyang",
        "America/St_Johns",
    ];
    let patterns = [
        "0 2 * * *",
        "30 2 * * Tue-Thu",
        "0 0 1 * *",
        "15 1 L * *",
        "*/20 1-3 * * *",
        "0 */6 * * *",
        "0 3 * * Sun#2",
        "59 23 * 2,3,10,11 *",
    ];
    let lasts = prop_oneof![1..600_i64, 600..3000_i64].prop_map(SignedDuration::from_mins);
    (prop::sample::select(zones.to_vec()), prop::sample::select(patterns.to_vec()), lasts)
        .prop_map(|(name, pattern, lasts)| Window::new(pattern, lasts, zone(name)).unwrap())
}

fn moment() -> impl Strategy<Value = Timestamp> {
    (1_262_304_000..2_000_000_000_i64, 0..1_000_000_000_i32)
        .prop_map(|(second, nano)| Timestamp::new(second, nano).unwrap())
}

proptest! {
    #[test]
    fn the_spans_around_a_moment_fit_together(window in any_window(), at in moment()) {
        let begun = window.begun_by(at).unwrap();
        let next = window.beginning_after(at).unwrap();
        prop_assert!(begun.from <= at && next.from > at);
        prop_assert_eq!(window.beginning_after(begun.from), Some(next), "there is none between them");
        prop_assert_eq!(window.begun_by(next.from), Some(next));
        prop_assert_eq!(window.begun_by(just_before(next.from)), Some(begun));
        let ending = window.ending_after(at).unwrap();
        prop_assert!(ending.until > at);
        prop_assert_eq!(window.is_open(at), ending.from <= at);
        prop_assert_eq!(window.is_open(at), begun.until > at);
    }
}
