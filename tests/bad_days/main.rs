//! Troubles that last for hours and days (`docs/runbook.md`, "Bad days").
#![cfg(test)]

mod attempts;
mod clock;
mod expiries;
mod pauses;
mod world;

use std::time::Duration;

use serde_json::json;

use crate::world::Days;

const HOUR: Duration = Duration::from_hours(1);

/// With one thread for everything, and another one for what blocks: who gives way lets everybody go on who can, so that the clock
/// takes nobody for waiting who only waits for a processor.
fn in_virtual_time(story: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().max_blocking_threads(1).build().unwrap().block_on(story);
}

#[test]
fn a_provider_that_is_away_for_days_is_asked_now_and_then_and_everything_goes_on_afterwards() {
    in_virtual_time(async {
        let days = Days::of(&["svc-batch", "svc-report"]).await;
        days.fault("password", &json!("drop-before"));
        days.pass(HOUR).await;
        days.fault("sub-accounts", &json!("drop-before"));
        let before = days.requests().len();
        days.pass(72 * HOUR).await;
        let asked = days.requests().len() - before;
        // Two requests a look, and a look every ten minutes.
        assert!((72..=1000).contains(&asked), "{asked} requests in three days");
        days.holds_the_promise("svc-batch").await;
        days.clear_faults();
        days.pass(HOUR).await;
        assert_eq!(days.passwords_tried(), 2, "the staged passwords were sent in the end, and no others");
        for account in ["svc-batch", "svc-report"] {
            days.is_settled(account).await;
        }
    });
}

#[test]
fn throttled_for_hours_the_same_password_is_sent_now_and_then() {
    in_virtual_time(async {
        let days = Days::of(&["svc-batch"]).await;
        days.fault("password", &json!({ "429": 410 }));
        days.pass(12 * HOUR).await;
        let sent = days.sends().len();
        // A turn takes half a minute, and fewer than seven requests; a quarter of an hour lies between two.
        assert!((12..=12 * 4 * 8).contains(&sent), "{sent} requests in twelve hours");
        days.holds_the_promise("svc-batch").await;
        days.clear_faults();
        days.pass(HOUR).await;
        assert_eq!(days.passwords_tried(), 1);
        days.is_settled("svc-batch").await;
    });
}

#[test]
fn revoked_keys_stop_the_tenant_as_a_whole_and_one_probe_a_look_asks_whether_it_is_over() {
    in_virtual_time(async {
        let days = Days::of(&["svc-batch", "svc-report", "svc-backup"]).await;
        days.fault("password", &json!("drop-before"));
        days.pass(HOUR / 60).await;
        let keys = ncloud_rotator::emulator::DEMO_ACCESS_KEY;
        days.door("POST", "/door/keys", &json!({ "op": "remove", "access_key": keys }));
        let (before, sent) = (days.requests().len(), days.sends().len());
        days.pass(12 * HOUR).await;
        let asked = days.requests().len() - before;
        assert_eq!(
            (days.noted("TenantStopped"), days.sends().len()),
            (1, sent),
            "it is told once, and nothing is sent"
        );
        // A refused signature is signed afresh once.
        assert!((12..=12 * 8 * 2).contains(&asked), "{asked} requests in twelve hours");
        let add = json!({ "op": "add", "access_key": keys, "secret_key": ncloud_rotator::emulator::DEMO_SECRET_KEY });
        days.door("POST", "/door/keys", &add);
        days.clear_faults();
        days.pass(HOUR).await;
        assert_eq!(days.passwords_tried(), 3);
        for account in ["svc-batch", "svc-report", "svc-backup"] {
            days.is_settled(account).await;
        }
    });
}

#[test]
fn refused_for_days_it_holds_with_every_candidate_kept_and_waits_for_an_operator() {
    in_virtual_time(async {
        let days = Days::of(&["svc-batch"]).await;
        days.fault("password", &json!("refuse"));
        days.pass(96 * HOUR).await;
        assert_eq!(days.passwords_tried(), 9);
        assert!(days.noted("Held") >= 1);
        let sent = days.sends().len();
        days.pass(48 * HOUR).await;
        assert_eq!(days.sends().len(), sent, "nobody asked");
        days.holds_the_promise("svc-batch").await;
    });
}

/// Through waits that are far longer than a watchdog's patience.
#[test]
fn the_watchdog_is_fed_whether_the_engine_works_waits_or_rests() {
    const INTERVAL: Duration = Duration::from_secs(40);
    in_virtual_time(async {
        let days = Days::of(&["svc-batch", "svc-report"]).await;
        days.fault("password", &json!({ "429": 410 }));
        let troubled = days.longest_silence(2 * HOUR, INTERVAL).await;
        days.clear_faults();
        let quiet = days.longest_silence(6 * HOUR, INTERVAL).await;
        for silence in [troubled, quiet] {
            assert!(silence <= INTERVAL + Duration::from_secs(1), "{silence:?}");
        }
        days.is_settled("svc-batch").await;
    });
}
