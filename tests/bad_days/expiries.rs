//! Passwords that expire while nothing rotates them: it is told, whatever else is broken.

use std::time::Duration;

use jiff::SignedDuration;
use ncloud_rotator::domain::account::{AccountName, Kind};
use ncloud_rotator::domain::expiry::{Expiry, Outlook};

use crate::world::Days;
use crate::{HOUR, in_virtual_time};

const DAY: Duration = Duration::from_hours(24);
/// The watch sleeps no longer than this, and is quiet for so long after it told something.
const LATE: Duration = Duration::from_mins(11);

/// Holds times to being those that are due, each at most so much late. What they are counted from was noted a call after it
/// was, and a call takes a moment.
#[track_caller]
fn are_due(times: &[Duration], due: &[Duration]) {
    const NOTED: Duration = Duration::from_secs(1);
    let late = |(time, due): (&Duration, &Duration)| *due <= *time + NOTED && *time <= *due + LATE;
    assert!(times.len() == due.len() && times.iter().zip(due).all(late), "due {due:?}, told {times:?}");
}

#[test]
fn an_engine_that_hangs_silences_no_expiry() {
    in_virtual_time(async {
        let days = Days::of(&["svc-batch"]).await;
        days.pass(HOUR).await;
        days.is_settled("svc-batch").await;
        let made = days.noted_at("Staged")[0];
        days.pass_with_a_hanging_engine(92 * DAY).await;
        let expiry = made + 90 * DAY;
        // The margin is two days, by default.
        let soon = days.noted_at("ExpiresSoon");
        let due = [made + 88 * DAY, made + 89 * DAY, made + 89 * DAY + HOUR];
        are_due(&soon[..3], &due);
        // Each hour a little late, so that the last one comes to lie behind the expiry.
        assert!((24..=25).contains(&soon.len()), "{soon:?}");
        let expired = days.noted_at("Expired");
        are_due(&expired[..1], &[expiry]);
        assert!((24..=27).contains(&expired.len()), "hourly for a day, and then daily: {expired:?}");
    });
}

#[test]
fn after_a_restart_with_everything_away_it_is_told_from_the_journal_and_not_again_at_every_start() {
    in_virtual_time(async {
        let days = Days::of(&["svc-batch", "svc-report"]).await;
        days.pass(HOUR).await;
        // What was found is kept while nothing is to tell.
        days.pass_with_a_hanging_engine(80 * DAY).await;
        assert_eq!(days.noted("ExpiresSoon") + days.noted("Expired"), 0);
        days.pass_with_an_engine_that_never_starts(9 * DAY).await;
        let told = days.noted("ExpiresSoon");
        assert!(told >= 4, "two accounts, when it was soon and the day after: {told}");
        for _ in 0..10 {
            days.pass_with_an_engine_that_never_starts(HOUR / 12 + Duration::from_secs(5)).await;
        }
        // Two hours, and two accounts.
        assert!(
            days.noted("ExpiresSoon") - told <= 4,
            "a program that is started again and again does not repeat itself"
        );
        assert_eq!(days.noted("NotRecorded"), 0);
    });
}

#[test]
fn a_rotation_that_comes_at_last_ends_it() {
    in_virtual_time(async {
        let days = Days::of(&["svc-batch"]).await;
        days.pass(HOUR).await;
        days.pass_with_a_hanging_engine(89 * DAY).await;
        let told = days.noted("ExpiresSoon");
        assert!(told >= 1);
        days.pass(HOUR).await;
        days.is_settled("svc-batch").await;
        days.pass_with_a_hanging_engine(30 * DAY).await;
        assert_eq!((days.noted("ExpiresSoon"), days.noted("Expired")), (told, 0));
        assert!(days.now() > 119 * DAY);
    });
}

#[test]
fn a_journal_that_keeps_nothing_silences_nothing_either_and_is_told_of_now_and_then() {
    in_virtual_time(async {
        let days = Days::of(&["svc-batch"]).await;
        days.pass(HOUR).await;
        days.break_the_journal();
        days.pass_with_a_hanging_engine(90 * DAY).await;
        assert!(days.noted("ExpiresSoon") >= 24);
        let complaints = days.noted("NotRecorded");
        assert!((1..=90 * 24 * 6).contains(&complaints), "{complaints}");
        // The end tries once more.
        let mut pauses =
            days.noted_at("NotRecorded").windows(2).map(|pair| pair[1].abs_diff(pair[0])).collect::<Vec<_>>();
        pauses.pop();
        assert!(pauses.iter().all(|pause| *pause >= Duration::from_mins(10)), "{:?}", pauses.iter().min());
    });
}

/// Whose deadlines are spread over a day, so that they do not come in one look.
#[test]
fn ten_thousand_that_expire_are_told_in_a_line_now_and_then() {
    in_virtual_time(async {
        let days = Days::of(&["svc-batch"]).await;
        let name =
            |number| AccountName { tenant: "main".to_owned(), kind: Kind::SubAccount, name: format!("svc-{number}") };
        let names: Vec<AccountName> = (0..10_000).map(name).collect();
        let deadline = |number: i64| days.wall() + SignedDuration::from_secs(60 + number * 8);
        let expiry = |deadline| Expiry { deadline, expires_at: deadline + SignedDuration::from_hours(48) };
        let found = names.iter().zip(0..).map(|(name, number)| (name, Outlook::Expires(expiry(deadline(number)))));
        days.shows(&found.collect::<Vec<_>>());
        days.pass_with_a_hanging_engine(36 * HOUR).await;
        let lines = [days.noted("ManyExpire"), days.noted("ExpiresSoon") + days.noted("Expired")];
        assert!((100..=36 * 6).contains(&lines[0]) && lines[1] <= 20, "{lines:?}");
        assert!(days.noted("Expiring") >= 1);

        // Accounts that a later look shows no more are no business of ours.
        days.shows(&[]);
        let before = days.noted("ManyExpire");
        days.pass_with_a_hanging_engine(DAY).await;
        days.pass_with_an_engine_that_never_starts(DAY).await;
        assert_eq!(days.noted("ManyExpire"), before);
    });
}

/// The planner and the daemon keep to the same rules; here both of them do so through a password's life.
#[test]
fn what_is_planned_is_what_happens() {
    in_virtual_time(async {
        let windows = "windows = [{ cron = \"0 2 * * Tue-Thu\", lasts = \"3h\", time_zone = \"Asia/Seoul\" }]";
        let policy = format!("on_adopt = \"rotate\"\nmargin = \"30d\"\n{windows}");
        let days = Days::with(&["svc-batch", "svc-report", "svc-backup"], &policy).await;
        days.pass(8 * DAY).await;
        let done = days.noted("Staged");
        assert_eq!(done, 3, "taken over");
        let planned = days.planned(60).await;
        assert_eq!(planned.len(), 3, "{planned:?}");
        days.pass_with_few_looks(60 * DAY).await;
        are_due(&days.noted_at("Staged")[done..], &planned);
    });
}
