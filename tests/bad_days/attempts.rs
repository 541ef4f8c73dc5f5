//! Failed turns across restarts: a daemon in a crash loop neither hammers the provider nor forgets.

use std::time::Duration;

use ncloud_rotator::ports::journal::Journal as _;
use serde_json::json;

use crate::world::Days;
use crate::{HOUR, in_virtual_time};

const MINUTE: Duration = Duration::from_mins(1);

impl Days {
    /// How often the only account's turns failed in a row, as the journal keeps it.
    async fn failures(&self) -> Option<u32> {
        let attempts = self.journal().attempts().await.unwrap();
        assert!(attempts.len() <= 1, "{attempts:?}");
        attempts.into_values().next().map(|attempts| attempts.failures)
    }

    /// Lets it run for two hours with a provider in trouble, each start as long as that; how often it was asked.
    async fn asked_in_two_hours(&self, each: Duration) -> usize {
        self.fault("password", &json!({ "5xx-before": 503 }));
        while self.now() < 2 * HOUR {
            self.pass(each).await;
        }
        self.sends().len()
    }
}

#[test]
fn a_daemon_that_is_started_again_and_again_hammers_no_provider() {
    in_virtual_time(async {
        let stays = Days::of(&["svc-batch"]).await.asked_in_two_hours(2 * HOUR).await;
        let days = Days::of(&["svc-batch"]).await;
        let restarted = days.asked_in_two_hours(MINUTE / 2).await;
        // Each start of a turn sends up to three times; one that forgot would do so at each of 240 starts.
        assert!(restarted <= 5 * stays, "{restarted} requests of 240 starts, and {stays} of one");
        assert!(restarted >= 10, "{restarted}: it never gives up");
        assert!(days.failures().await.is_some_and(|failures| failures > 5), "{:?}", days.failures().await);
        // A success is the end of it.
        days.clear_faults();
        days.pass(HOUR / 2).await;
        days.is_settled("svc-batch").await;
        assert_eq!((days.passwords_tried(), days.failures().await), (1, None));
    });
}

/// A clock that was set far into the future left a time there.
#[test]
fn a_time_that_lies_far_ahead_holds_an_account_no_longer_than_the_longest_wait() {
    in_virtual_time(async {
        let days = Days::of(&["svc-batch"]).await;
        days.fault("password", &json!({ "5xx-before": 503 }));
        days.pass(MINUTE).await;
        days.clear_faults();
        days.write_sql("UPDATE attempts SET next = '2099-01-01T00:00:00Z'");
        let sent = days.sends().len();
        days.pass(MINUTE).await;
        assert_eq!(days.sends().len(), sent, "it waits");
        days.pass(HOUR / 3).await;
        days.is_settled("svc-batch").await;
    });
}
