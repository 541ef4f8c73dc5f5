//! What a policy says of when work may be done.

use jiff::{SignedDuration, Timestamp};
use ncloud_rotator::config::Code;
use ncloud_rotator::domain::schedule::blackout::Blackout;
use ncloud_rotator::domain::schedule::span::Span;

use super::{Case, parse, rendered, with};

pub(super) fn cases() -> Vec<Case> {
    let adding = |line: &str| with("expiration_days = 90", line);
    let window = |window: &str| adding(&format!("windows = [\n  {window},\n]"));
    let blackout = |blackout: &str| adding(&format!("blackouts = [\n  {blackout},\n]"));
    vec![
        (
            "always due, because of the margin",
            adding("expiration_days = 60\nmargin = \"46d\""),
            &[(Code::BadDuration, "rotate_before")],
        ),
        (
            "always due, because of the margin alone",
            adding("expiration_days = 60\nmargin = \"46d\"").replace("rotate_before   = \"14d\"\n", ""),
            &[(Code::BadDuration, "margin")],
        ),
        (
            "durations of a policy",
            adding("margin = \"0s\"\nspread = \"some\"\ncatch_up = \"0/h\"\nfirst_run_cap = 0"),
            &[
                (Code::BadDuration, "margin"),
                (Code::BadDuration, "spread"),
                (Code::BadRate, "catch_up"),
                (Code::BadValue, "first_run_cap"),
            ],
        ),
        ("a day that is none", adding("assume_changed = \"2026-02-29\""), &[(Code::BadValue, "assume_changed")]),
        ("no day", adding("assume_changed = \"2026-01-31T00:00\""), &[(Code::BadValue, "assume_changed")]),
        ("a bare day", adding("assume_changed = 2026-01-31"), &[(Code::WrongType, "assume_changed")]),
        (
            "zones of windows that nobody knows",
            adding(
                "time_zone = \"Asia/Soul\"\nwindows = [\n{ cron = \"0 2 * * *\", lasts = \"3h\", time_zone = \"KST\" },\n]",
            ),
            &[(Code::UnknownTimeZone, "time_zone = \"Asia/Soul\""), (Code::UnknownTimeZone, "KST")],
        ),
        ("six fields", window("{ cron = \"0 0 2 * * *\", lasts = \"3h\" }"), &[(Code::BadWindow, "cron")]),
        ("a word for a pattern", window("{ cron = \"@daily\", lasts = \"3h\" }"), &[(Code::BadWindow, "cron")]),
        ("an hour that is none", window("{ cron = \"0 24 * * *\", lasts = \"3h\" }"), &[(Code::BadWindow, "cron")]),
        (
            "a window that never opens and lasts no time",
            window("{ cron = \"0 0 31 2 *\", lasts = \"0s\" }"),
            &[(Code::BadWindow, "cron"), (Code::BadDuration, "lasts")],
        ),
        ("half a window", window("{ lasts = \"3h\" }"), &[(Code::MissingKey, "lasts")]),
        ("a window that is none", window("\"0 2 * * *\""), &[(Code::WrongType, "0 2")]),
        ("a window with another key", window("{ cron = \"0 2 * * *\", last = \"3h\" }"), &[(Code::UnknownKey, "last")]),
        ("half a blackout", blackout("{ from = \"2026-12-24\" }"), &[(Code::MissingKey, "from")]),
        ("nothing of a blackout", blackout("{}"), &[(Code::MissingKey, "{}"), (Code::MissingKey, "{}")]),
        (
            "a blackout of both kinds",
            blackout("{ from = \"2026-12-24\", cron = \"0 2 * * *\", lasts = \"3h\" }"),
            &[(Code::Misplaced, "from")],
        ),
        (
            "a blackout that ends before it begins",
            blackout("{ from = \"2026-12-24\", to = \"2026-12-23\" }"),
            &[(Code::BadValue, "from")],
        ),
        (
            "moments that are none",
            blackout("{ from = \"24.12.\", to = \"2026-12-24T18:00+09:00\" }"),
            &[(Code::BadValue, "from"), (Code::BadValue, "to")],
        ),
        (
            "blackouts that leave nothing",
            adding(
                "windows = [{ cron = \"0 2 * * *\", lasts = \"3h\" }]\nblackouts = [{ cron = \"0 0 * * *\", lasts = \"12h\" }]",
            ),
            &[(Code::BadWindow, "blackouts")],
        ),
        (
            "accounts kept apart from nobody, and from themselves",
            with(
                "state_dir = ",
                "apart = [\n  [\"svc-a\"],\n  [\"svc-a\", \"svc-b\", \"svc-a\"],\n  [\"svc-a\", \"\"],\n]\napart_by = \"soon\"\nstate_dir = ",
            ),
            &[
                (Code::BadValue, "[\"svc-a\"]"),
                (Code::BadValue, "svc-b"),
                (Code::BadValue, "\"\""),
                (Code::BadDuration, "apart_by"),
            ],
        ),
    ]
}

#[test]
fn every_key_of_a_policy_means_what_it_says() {
    let text = with(
        "expiration_days = 90",
        "margin = \"36h\"\nspread = \"0s\"\nassume_changed = \"2026-01-31\"\ntime_zone = \"Europe/Berlin\"\n\
         windows = [{ cron = \"0 2 * * Tue-Thu\", lasts = \"3h\" }, { cron = \"0 2 * * *\", lasts = \"1h\", time_zone = \"UTC\" }]\n\
         blackouts = [{ cron = \"0 0 1 * *\", lasts = \"1d\" }, { from = \"2026-12-24\", to = \"2026-12-26\" },\n\
         { from = \"2026-08-01T18:00\", to = \"2026-08-02T06:00\" }]\nfirst_run_cap = 7\ncatch_up = \"60/h\"",
    );
    let text =
        text.replace("state_dir", "apart = [[\"svc-a\", \"main/sub-account/svc-b\"]]\napart_by = \"36h\"\nstate_dir");
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let config = parse(&text).unwrap_or_else(|error| panic!("{}", rendered(&error)));
    let policy = &config.policies["default"];
    assert_eq!((policy.margin, policy.spread), (SignedDuration::from_hours(36), SignedDuration::ZERO));
    assert_eq!((policy.first_run_cap.get(), policy.catch_up.to_string()), (7, "60/h".to_owned()));
    assert_eq!(policy.assume_changed, Some(at("2026-01-31T00:00:00+01:00")));
    let told: Vec<String> = policy.calendar.windows().iter().map(ToString::to_string).collect();
    assert_eq!(told, ["\"0 2 * * Tue-Thu\" for 3h (Europe/Berlin)", "\"0 2 * * *\" for 1h (UTC)"]);
    let [monthly, christmas, night] = policy.calendar.blackouts() else { panic!("{:?}", policy.calendar) };
    assert!(monthly.covers(at("2026-08-01T00:00:00+02:00")) && !monthly.covers(at("2026-08-02T00:00:00+02:00")));
    let once = |from, until| Blackout::Once(Span { from: at(from), until: at(until) });
    assert_eq!(
        christmas,
        &once("2026-12-24T00:00:00+01:00", "2026-12-27T00:00:00+01:00"),
        "the last day is part of it"
    );
    assert_eq!(night, &once("2026-08-01T18:00:00+02:00", "2026-08-02T06:00:00+02:00"));
    let [group] = config.apart.as_slice() else { panic!("{:?}", config.apart) };
    assert_eq!((group.names.len(), group.by), (2, SignedDuration::from_hours(36)));
}
