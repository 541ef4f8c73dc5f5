//! Passwords that the provider refuses: kept, and followed by others.

use rstest::rstest;
use serde_json::json;

use crate::bench::Bench;
use crate::proxy::Proxy;

#[rstest]
#[case("svc-batch")]
#[case("df001")]
fn a_refused_password_is_followed_by_another_one_at_once(#[case] name: &str) {
    let bench = Bench::new();
    bench.emulator.fault_once(name, &json!("refuse"));
    let finished = bench.run(&format!("rotate {name} --wait 5s")).ends_with(0);
    assert!(!finished.err.contains("fence"), "{}", finished.err);
    assert_eq!(bench.emulator.passwords_tried(name), 2);
    bench.is_settled(name, 1);
}

#[rstest]
#[case("svc-batch")]
#[case("df001")]
fn two_refused_passwords_are_kept_and_a_person_may_insist_on_a_third(#[case] name: &str) {
    let bench = Bench::new();
    for _ in 0..2 {
        bench.emulator.fault_once(name, &json!("refuse"));
    }
    bench.run(&format!("rotate {name}")).ends_with(75).mentions("the spacing between candidates");
    assert_eq!(bench.vault.passwords(&bench.secret(name)).len(), 2);
    assert_eq!(bench.emulator.account(name).changes, 0);
    bench.holds_the_promise();
    bench.run(&format!("rotate {name}")).ends_with(0);
    assert_eq!(bench.emulator.passwords_tried(name), 3);
    bench.is_settled(name, 1);
}

#[test]
fn after_nine_refusals_an_operator_must_look_and_every_candidate_is_still_there() {
    let bench = Bench::new();
    bench.emulator.fault_always("svc-batch", &json!("refuse"));
    let mut ends = Vec::new();
    while ends.last().is_none_or(|end| *end == Some(75)) && ends.len() < 20 {
        ends.push(bench.run("rotate svc-batch --wait 1s").code);
    }
    assert_eq!(ends.last(), Some(&Some(69)), "{ends:?}");
    assert_eq!(bench.emulator.passwords_tried("svc-batch"), 9);
    assert_eq!(bench.vault.passwords(&bench.secret("svc-batch")).len(), 9);
    bench.holds_the_promise();

    bench.emulator.clear_faults();
    bench.run("rotate --all").ends_with(69);
    assert_eq!(bench.emulator.passwords_tried("svc-batch"), 9, "nobody named it");
    bench.run("rotate svc-batch").ends_with(0);
    bench.is_settled("svc-batch", 1);
}

#[test]
fn keys_without_the_permission_stop_the_tenant() {
    let bench = Bench::new();
    let proxy = Proxy::start(bench.emulator.address(), |head| head.starts_with("PUT /api/v1/sub-accounts/"), DENIED);
    bench.edit(&format!("sub_account = \"http://{}\"", bench.emulator.address()), &proxy.endpoint("sub_account"));
    bench.run("rotate svc-batch").ends_with(77).mentions("the keys lack the permission");
    assert!(bench.stored("svc-batch", "pending").is_some());
    bench.edit(&proxy.endpoint("sub_account"), &format!("sub_account = \"http://{}\"", bench.emulator.address()));
    bench.run("rotate svc-batch").ends_with(0);
    assert_eq!(bench.emulator.passwords_tried("svc-batch"), 1);
    bench.is_settled("svc-batch", 1);
}

const DENIED: &str =
    r#"{"error":{"errorCode":"210","message":"Permission Denied","details":"Access is not permitted."}}"#;
