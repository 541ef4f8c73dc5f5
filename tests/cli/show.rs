//! `secret show`: the password masked unless it is asked for, whatever else is down.

use serde_json::json;

use crate::bench::Bench;

const BATCH: &str = "ncloud/main/sub-account/svc-batch";

#[test]
fn the_password_is_masked_until_it_is_asked_for() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    let live = bench.emulator.account("svc-batch").password;
    bench.run("secret show svc-batch").ends_with(0).mentions("********").mentions("svc-batch");
    let masked = bench.run("secret show svc-batch --json").ends_with(0).json();
    assert_eq!(masked["value"]["password"], "********");
    let shown = bench.reveal("secret show svc-batch --json --reveal").ends_with(0).json();
    assert_eq!(shown["value"]["password"], live);
    let keys: Vec<_> = shown.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys.len(), 4);
    assert!(["name", "stage", "token", "value"].iter().all(|key| keys.contains(key)), "{keys:?}");
    assert_eq!((&shown["name"], &shown["stage"]), (&json!(BATCH), &json!("current")));
    assert_eq!(shown["token"], bench.vault.open(BATCH).unwrap()["current"]["token"]);
    assert!(bench.reveal("secret show svc-batch --reveal").ends_with(0).out.contains(&live));
    bench.has_told_no_secret();
}

#[test]
fn it_needs_neither_the_provider_nor_keys_nor_the_state() {
    let bench = Bench::new();
    bench.run("rotate svc-batch df001").ends_with(0);
    bench.lose_state();
    bench.emulator.stop();
    for name in ["svc-batch", "main/data-forest/df001", BATCH] {
        let mut command = bench.command(&["secret", "show", name]);
        command.env_remove("NCLOUD_ACCESS_KEY").env_remove("NCLOUD_SECRET_KEY");
        bench.run_command(command).ends_with(0).mentions("********");
    }
    assert!(!bench.state().exists());
}

#[test]
fn every_stage_can_be_shown_and_one_that_is_not_there_is_told() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    let first = bench.emulator.account("svc-batch").password;
    bench.run("secret show svc-batch --stage previous").ends_with(69).mentions("has no previous version");
    bench.run("rotate svc-batch").ends_with(0);
    let previous = bench.reveal("secret show svc-batch --stage previous --reveal --json").ends_with(0).json();
    assert_eq!((&previous["stage"], &previous["value"]["password"]), (&json!("previous"), &json!(first)));
    bench.run("secret show svc-batch --stage pending").ends_with(69).mentions("has no pending version");
    bench.emulator.fault_always("svc-batch", &json!("drop-before"));
    bench.run("rotate svc-batch --wait 0s").ends_with(75);
    let pending = bench.run("secret show svc-batch --stage pending --json").ends_with(0).json();
    assert_eq!((&pending["stage"], &pending["value"]["password"]), (&json!("pending"), &json!("********")));
}

#[test]
fn a_secret_that_awaits_its_first_password_shows_none() {
    let bench = Bench::new();
    bench.emulator.fault_always("svc-batch", &json!("drop-before"));
    bench.run("rotate svc-batch --wait 0s").ends_with(75);
    let shown = bench.run("secret show svc-batch --json --reveal").ends_with(0).json();
    assert!(shown["value"]["password"].is_null(), "{shown}");
}
