use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::domain::schedule::window::tests::any_window;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn span(from: &str, until: &str) -> Span {
    Span { from: at(from), until: at(until) }
}

fn window(pattern: &str, hours: i64) -> Window {
    Window::new(pattern, SignedDuration::from_hours(hours), TimeZone::UTC).unwrap()
}

fn first(calendar: &Calendar, range: Span, now: &str) -> Option<Piece> {
    calendar.first_pieces(Wanted { range, now: at(now) }).min_by_key(|piece| piece.span.from)
}

fn last(calendar: &Calendar, range: Span, now: &str) -> Option<Piece> {
    calendar.last_pieces(Wanted { range, now: at(now) }).max_by_key(|piece| piece.span.until)
}

const JANUARY: (&str, &str) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
const LONG_AGO: &str = "2025-01-01T00:00:00Z";

#[test]
fn without_windows_all_of_time_is_open() {
    let range = span(JANUARY.0, JANUARY.1);
    let always = Calendar::default();
    assert_eq!(first(&always, range, LONG_AGO), Some(Piece { span: range, window: None }));
    assert_eq!(last(&always, range, LONG_AGO), Some(Piece { span: range, window: None }));
    assert_eq!(first(&always, range, JANUARY.1), None, "the range is over");
}

#[test]
fn a_blackout_cuts_a_window_and_may_swallow_it() {
    let holidays = Blackout::Once(span("2026-01-02T03:00:00Z", "2026-01-05T03:00:00Z"));
    let calendar = Calendar::new(vec![window("0 2 * * *", 2)], vec![holidays]).unwrap();
    let range = span("2026-01-02T00:00:00Z", JANUARY.1);
    let piece = |from, until| Some(Piece { span: span(from, until), window: Some(0) });
    let before = piece("2026-01-02T02:00:00Z", "2026-01-02T03:00:00Z");
    let after = piece("2026-01-05T03:00:00Z", "2026-01-05T04:00:00Z");
    for (now, expected) in [
        (LONG_AGO, before),
        ("2026-01-02T02:59:59Z", before),
        ("2026-01-02T03:00:00Z", after),
        ("2026-01-04T02:30:00Z", after),
        ("2026-01-05T03:59:59Z", after),
        ("2026-01-05T04:00:00Z", piece("2026-01-06T02:00:00Z", "2026-01-06T04:00:00Z")),
    ] {
        assert_eq!(first(&calendar, range, now), expected, "{now}");
    }
    let until = span("2026-01-01T00:00:00Z", "2026-01-05T03:00:00Z");
    assert_eq!(last(&calendar, until, LONG_AGO), before, "the nights between are blacked out");
    assert_eq!(last(&calendar, until, "2026-01-02T03:00:00Z"), None, "it is over");
    assert!(
        calendar.is_blacked_out(at("2026-01-04T02:30:00Z")) && !calendar.is_blacked_out(at("2026-01-05T03:00:00Z"))
    );
    assert_eq!(calendar.open_at(at("2026-01-04T02:30:00Z")), None);
    assert_eq!(calendar.open_at(at("2026-01-05T03:30:00Z")), after);
}

#[test]
fn the_last_piece_is_cut_at_the_ends_of_the_range() {
    let calendar = Calendar::new(vec![window("0 2 * * Sat", 4)], Vec::new()).unwrap();
    let piece = |from, until| Some(Piece { span: span(from, until), window: Some(0) });
    let table = [
        (JANUARY.0, "2026-01-31T03:00:00Z", piece("2026-01-31T02:00:00Z", "2026-01-31T03:00:00Z")),
        (JANUARY.0, "2026-01-31T02:00:00Z", piece("2026-01-24T02:00:00Z", "2026-01-24T06:00:00Z")),
        ("2026-01-24T05:00:00Z", "2026-01-31T02:00:00Z", piece("2026-01-24T05:00:00Z", "2026-01-24T06:00:00Z")),
        ("2026-01-24T06:00:00Z", "2026-01-31T02:00:00Z", None),
    ];
    for (from, until, expected) in table {
        assert_eq!(last(&calendar, span(from, until), LONG_AGO), expected, "{from} {until}");
    }
}

#[test]
fn windows_may_overlap_and_each_has_its_pieces() {
    let calendar = Calendar::new(vec![window("0 2 * * *", 3), window("0 3 * * *", 3)], Vec::new()).unwrap();
    let range = span("2026-01-02T04:00:00Z", JANUARY.1);
    let found: Vec<Piece> = calendar.first_pieces(Wanted { range, now: at(LONG_AGO) }).collect();
    let piece = |until, window| Piece { span: span("2026-01-02T04:00:00Z", until), window: Some(window) };
    assert_eq!(found, [piece("2026-01-02T05:00:00Z", 0), piece("2026-01-02T06:00:00Z", 1)]);
}

#[test]
fn a_calendar_in_which_nothing_is_left_is_refused() {
    let nightly = || vec![window("0 2 * * *", 2)];
    for (windows, blackouts) in [
        (nightly(), vec![window("0 2 * * *", 2)]),
        (nightly(), vec![window("0 0 * * *", 3), window("30 2 * * *", 2)]),
        (Vec::new(), vec![window("0 * * * *", 1)]),
        (Vec::new(), vec![window("0 0 * * *", 12), window("0 12 * * *", 13)]),
    ] {
        let blackouts = blackouts.into_iter().map(|window| Blackout::Recurring(Box::new(window))).collect();
        assert_eq!(Calendar::new(windows, blackouts), Err(NothingLeft));
    }
    let years = Blackout::Once(span(LONG_AGO, "2045-01-01T00:00:00Z"));
    assert!(Calendar::new(nightly(), vec![years]).is_ok(), "a blackout of dates ends");
    let rest = Calendar::new(nightly(), vec![Blackout::Recurring(Box::new(window("0 0 * * *", 3)))]).unwrap();
    let found = first(&rest, span(JANUARY.0, JANUARY.1), LONG_AGO).unwrap();
    assert_eq!(found.span, span("2026-01-01T03:00:00Z", "2026-01-01T04:00:00Z"));
}

pub(in crate::domain) fn any_calendar() -> impl Strategy<Value = Calendar> {
    let once = (1_700_000_000..1_740_000_000_i64, 1..3_000_000_i64).prop_map(|(from, lasts)| {
        let from = Timestamp::from_second(from).unwrap();
        Blackout::Once(Span::lasting(from, SignedDuration::from_secs(lasts)))
    });
    let blackout = prop_oneof![2 => once, 1 => any_window().prop_map(|window| Blackout::Recurring(Box::new(window)))];
    (prop::collection::vec(any_window(), 0..3), prop::collection::vec(blackout, 0..3))
        .prop_filter_map("nothing is left", |(windows, blackouts)| Calendar::new(windows, blackouts).ok())
}

proptest! {
    #[test]
    fn pieces_are_open_free_and_the_same_whenever_they_are_asked_for(
        calendar in any_calendar(),
        from in 1_700_000_000..1_740_000_000_i64,
        days in 1..60_i64,
        later in 0..5_000_000_i64,
    ) {
        let from = Timestamp::from_second(from).unwrap();
        let range = Span::lasting(from, SignedDuration::from_hours(24 * days));
        let pieces = |now| {
            let wanted = Wanted { range, now };
            let (first, last): (Vec<_>, Vec<_>) = (calendar.first_pieces(wanted).collect(), calendar.last_pieces(wanted).collect());
            (first, last)
        };
        let now = from + SignedDuration::from_secs(later);
        let (first, last) = pieces(now);
        for piece in first.iter().chain(&last) {
            let span = piece.span;
            prop_assert!(range.from <= span.from && span.from < span.until && span.until <= range.until && span.until > now);
            for moment in [span.from, span.from + span.length() / 2, just_before(span.until)] {
                prop_assert!(!calendar.is_blacked_out(moment));
                prop_assert!(piece.window.is_none_or(|window| calendar.windows()[window].is_open(moment)));
                prop_assert!(calendar.open_at(moment).is_some());
            }
        }
        for piece in &last {
            prop_assert!(first.iter().any(|first| first.window == piece.window), "a last piece without a first");
        }
        let (first_before, last_before) = pieces(from);
        for (before, after) in [(first_before, &first), (last_before, &last)] {
            for piece in before.iter().filter(|piece| piece.span.until > now) {
                prop_assert!(after.contains(piece), "{:?} became {:?}", piece, after);
            }
        }
        for minute in 0..200 {
            let moment = from + SignedDuration::from_mins(minute * 17);
            let open = calendar.windows().is_empty() || calendar.windows().iter().any(|window| window.is_open(moment));
            prop_assert_eq!(calendar.open_at(moment).is_some(), open && !calendar.is_blacked_out(moment));
        }
    }
}
