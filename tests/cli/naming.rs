//! Which account a name stands for.

use rstest::rstest;
use serde_json::json;

use crate::bench::Bench;

#[rstest]
#[case::login_id("svc-batch", "svc-batch")]
#[case::data_forest_name("df001", "df001")]
#[case::full_name("main/sub-account/svc-batch", "svc-batch")]
#[case::full_name_of_data_forest("main/data-forest/df001", "df001")]
#[case::secret("ncloud/main/sub-account/svc-report", "svc-report")]
fn an_account_is_named_in_any_of_its_ways(#[case] name: &str, #[case] account: &str) {
    let bench = Bench::new();
    bench.run(&format!("rotate {name}")).ends_with(0).mentions("rotated");
    assert_eq!(bench.emulator.sends().len(), 1);
    bench.is_settled(account, 1);
}

#[test]
fn the_same_account_named_twice_is_rotated_once() {
    let bench = Bench::new();
    bench.run("rotate svc-batch main/sub-account/svc-batch ncloud/main/sub-account/svc-batch").ends_with(0);
    bench.is_settled("svc-batch", 1);
}

#[test]
fn an_ambiguous_name_lists_its_candidates_and_rotates_nothing() {
    let bench = Bench::new();
    bench.emulator.change(&json!({ "op": "create", "kind": "sub-account", "count": 1, "prefix": "svc-twin" }));
    bench.emulator.change(&json!({ "op": "create", "kind": "data-forest", "count": 1, "prefix": "svc-twin" }));
    bench
        .run("rotate svc-twin1")
        .ends_with(64)
        .mentions("ambiguous")
        .mentions("main/sub-account/svc-twin1")
        .mentions("main/data-forest/svc-twin1");
    let error = bench.run("rotate svc-twin1 --json").ends_with(64).json();
    assert_eq!(error["exit"], "usage");
    assert_eq!(bench.emulator.sends().len(), 0);
    bench.run("rotate main/data-forest/svc-twin1 main/sub-account/svc-twin1").ends_with(0);
    bench
        .run("secret show svc-twin1")
        .ends_with(64)
        .mentions("ambiguous")
        .mentions("ncloud/main/data-forest/svc-twin1");
    bench.run("secret show main/data-forest/svc-twin1").ends_with(0);
}

#[rstest]
#[case::nobody("nobody")]
#[case::excepted("svc-legacy")]
#[case::matched_by_no_rule("minji.kim")]
#[case::other_case("SVC-BATCH")]
#[case::other_kind("main/data-forest/svc-batch")]
#[case::empty("")]
fn a_name_that_nothing_answers_to_is_refused_and_nothing_is_rotated(#[case] name: &str) {
    let bench = Bench::new();
    let command = bench.command(&["rotate", "svc-report", name]);
    bench.run_command(command).ends_with(64).mentions("no account or secret is called");
    assert_eq!(bench.emulator.sends().len(), 0);
}

#[test]
fn an_unknown_name_comes_with_those_that_look_alike() {
    let bench = Bench::new();
    bench.run("rotate batch").ends_with(64).mentions("did you mean main/sub-account/svc-batch?");
}
