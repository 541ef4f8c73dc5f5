//! Pauses that another process writes while the daemon runs.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ncloud_rotator::domain::schedule::pause::{Change, Paused, Target};
use ncloud_rotator::ports::journal::Journal as _;
use serde_json::{Value, json};

use crate::world::Days;
use crate::{HOUR, in_virtual_time};

/// Nothing was ever rotated, and the assumed age makes it due 19 hours and 40 minutes after the clock began.
const POLICY: &str = "assume_changed = \"2025-09-09\"\nmargin = \"1d\"\nspread = \"0s\"";
const DUE: Duration = Duration::from_mins(19 * 60 + 40);
/// What a look at provider and vault, and the rotation itself, take.
const SOON: Duration = Duration::from_mins(3);

fn tenant() -> Target {
    Target::Tenant { tenant: "main".to_owned() }
}

impl Days {
    /// Somebody pauses the tenant.
    async fn pause(&self, until: Option<Duration>) {
        let since = Timestamp::from_second(1_763_752_800).unwrap();
        let until = until.map(|until| since + SignedDuration::try_from(until).unwrap());
        let paused = Paused { target: tenant(), since, until, cause: Value::Null };
        self.journal().change_pauses(vec![Change::Pause(paused)], Vec::new()).await.unwrap();
    }

    async fn resume(&self) {
        self.journal().change_pauses(vec![Change::Resume(tenant())], Vec::new()).await.unwrap();
    }

    /// Holds the one rotation to having begun then, and not before.
    #[track_caller]
    fn began_within(&self, from: Duration, longest: Duration) {
        let began = self.noted_at("Began ");
        let first = *began.first().expect("it began");
        assert!(first >= from && first <= from + longest, "{first:?} is not within {longest:?} of {from:?}");
        assert_eq!(self.passwords_tried(), 1);
    }
}

#[test]
fn unpaused_it_is_rotated_when_it_is_due() {
    in_virtual_time(async {
        let days = Days::with(&["svc-batch"], POLICY).await;
        days.pass(40 * HOUR).await;
        days.began_within(DUE, SOON);
    });
}

/// It was planned before the pause was said, and the daemon sleeps until then.
#[test]
fn what_is_paused_meanwhile_does_not_begin_and_is_rotated_as_soon_as_the_pause_ends() {
    in_virtual_time(async {
        let days = Days::with(&["svc-batch"], POLICY).await;
        let end = DUE + 5 * HOUR + HOUR / 3;
        days.pass_beside(40 * HOUR, async |_| {
            // Between two looks at the vault, and a moment before it is due.
            days.wait(DUE.checked_sub(SOON).unwrap()).await;
            days.pause(Some(end)).await;
        })
        .await;
        days.began_within(end, SOON);
        assert_eq!((days.noted("Paused "), days.noted("Resumed ")), (1, 1));
        days.is_settled("svc-batch").await;
    });
}

#[test]
fn what_is_resumed_is_rotated_within_minutes_and_at_once_when_the_daemon_is_told() {
    for is_told in [false, true] {
        in_virtual_time(async {
            let days = Days::with(&["svc-batch"], POLICY).await;
            days.pause(None).await;
            let resumed = DUE + 7 * HOUR + HOUR / 20;
            days.pass_beside(40 * HOUR, async |caller| {
                days.wait(resumed).await;
                days.resume().await;
                if is_told {
                    caller.look();
                }
            })
            .await;
            days.began_within(resumed, if is_told { SOON } else { Duration::from_mins(20) });
        });
    }
}

/// A restart neither forgets the pause nor rotates because of it.
#[test]
fn a_pause_outlives_restarts_and_its_end_may_be_put_off() {
    in_virtual_time(async {
        let days = Days::with(&["svc-batch"], POLICY).await;
        days.pause(Some(40 * HOUR)).await;
        for _ in 0..3 {
            days.pass(13 * HOUR).await;
        }
        days.pass_beside(30 * HOUR, async |_| days.pause(Some(60 * HOUR)).await).await;
        days.began_within(60 * HOUR, SOON);
    });
}

/// `docs/protocol.md`, rule 12.
#[test]
fn what_is_unfinished_is_finished_while_everything_is_paused() {
    in_virtual_time(async {
        let days = Days::with(&["svc-batch", "svc-report"], POLICY).await;
        days.fault("password", &json!({ "429": 410 }));
        days.pass_beside(36 * HOUR, async |_| {
            days.wait(DUE + HOUR).await;
            days.pause(None).await;
            days.wait(HOUR).await;
            days.clear_faults();
        })
        .await;
        assert_eq!(days.passwords_tried(), 2);
        for account in ["svc-batch", "svc-report"] {
            days.is_settled(account).await;
        }
    });
}

/// The disk is in trouble: what was paused stays so.
#[test]
fn a_journal_that_cannot_tell_ends_no_pause() {
    in_virtual_time(async {
        let days = Days::with(&["svc-batch"], POLICY).await;
        days.pause(None).await;
        days.pass_beside(36 * HOUR, async |_| {
            days.wait(DUE.saturating_sub(HOUR)).await;
            days.write_sql("ALTER TABLE pauses RENAME TO gone");
            days.wait(3 * HOUR).await;
            assert_eq!(days.sends().len(), 0);
            assert!(days.noted("PausesUnknown") > 0);
            days.write_sql("ALTER TABLE gone RENAME TO pauses");
            days.resume().await;
        })
        .await;
        days.began_within(DUE + 2 * HOUR, Duration::from_mins(20));
    });
}
