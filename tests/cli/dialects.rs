//! The other ways to speak: Data Forest in XML, the sites of public institutions and of finance, Sub Account's version 2.

use rstest::rstest;
use serde_json::{Value, json};

use crate::bench::{ACTIVE, Bench};
use crate::proxy::Proxy;

const PUBLIC: &str = "site       = \"public\"";
const SUB_ACCOUNTS: [&str; 4] = ["svc-batch", "svc-report", "svc-backup", "svc-deploy"];
const FOREST: [&str; 3] = ["df001", "df002", "df003"];

fn bench_for(tenant: &str) -> Bench {
    let bench = Bench::new();
    bench.edit(PUBLIC, tenant);
    bench
}

fn xml() -> Bench {
    bench_for("site       = \"public\"\nformat     = \"xml\"")
}

#[test]
fn in_xml_everything_is_rotated() {
    let bench = xml();
    let address = bench.emulator.address().to_owned();
    let is_not_xml = |head: &str| {
        let head = head.to_ascii_lowercase();
        !["content-type: application/xml", "accept: application/xml"].iter().all(|header| head.contains(header))
    };
    let only_xml = Proxy::start(&address, is_not_xml, "{}");
    bench.edit(&format!("data_forest = \"http://{address}\""), &only_xml.endpoint("data_forest"));
    bench.run("rotate --all").ends_with(0);
    for name in ACTIVE {
        bench.is_settled(name, 1);
    }
    bench.run("accounts").ends_with(0);
    bench.run("check").ends_with(0);
    bench.edit("format     = \"xml\"", "format     = \"json\"");
    bench.run("accounts").ends_with(77);
}

/// The errors' bodies echo the password.
#[rstest]
#[case(json!("drop-after"), true)]
#[case(json!("html-after"), true)]
#[case(json!("empty-after"), true)]
#[case(json!("garbage-after"), true)]
#[case(json!({ "5xx-after": 504 }), true)]
#[case(json!("success-false"), false)]
#[case(json!("other-id"), true)]
#[case(echo("xml", 500, Some("500"), true), true)]
#[case(echo("responseError", 503, Some("500"), false), false)]
#[case(echo("spring", 500, None, true), true)]
fn in_xml_a_doubtful_answer_is_asked_again_with_the_same_password(#[case] fault: Value, #[case] applied: bool) {
    let bench = xml();
    bench.emulator.fault_once("df001", &fault);
    bench.run("rotate df001").ends_with(0);
    assert_eq!((bench.emulator.sends_of("df001").len(), bench.emulator.passwords_tried("df001")), (2, 1));
    bench.is_settled("df001", if applied { 2 } else { 1 });
}

fn echo(shape: &str, status: u16, code: Option<&str>, after: bool) -> Value {
    let mut body = json!({ "shape": shape, "status": status, "message": "no good: {password}", "after": after });
    if let Some(code) = code {
        body["code"] = json!(code);
    }
    json!({ "error-body": body })
}

#[test]
fn in_xml_a_refused_password_is_kept_and_another_one_is_tried_at_once() {
    let bench = xml();
    bench.emulator.fault_once("df001", &echo("responseError", 400, Some("100"), false));
    bench.run("rotate df001").ends_with(0);
    assert_eq!((bench.emulator.sends_of("df001").len(), bench.emulator.passwords_tried("df001")), (2, 2));
    bench.is_settled("df001", 1);
}

#[test]
fn in_xml_a_status_that_forbids_is_told() {
    let bench = xml();
    bench.emulator.fault_once("df001", &json!({ "hold": {} }));
    let running = bench.start("rotate df001 --wait 1s");
    bench.emulator.until_sent("df001", 1);
    bench.emulator.change(&json!({ "op": "set", "account": "df001", "status": "CHANGING" }));
    bench.emulator.release();
    running.finish().ends_with(75).mentions("status CHANGING, not RUNNING");
    bench.holds_the_promise();
    bench.emulator.change(&json!({ "op": "set", "account": "df001", "status": "RUNNING" }));
    bench.run("rotate df001").ends_with(0);
    bench.is_settled("df001", 1);
}

#[test]
fn in_xml_a_storm_ends_settled() {
    let bench = xml();
    let faults = [json!("drop-after"), json!({ "429": 410 }), json!("garbage"), json!({ "5xx-after": 500 })];
    for (turn, name) in FOREST.iter().enumerate() {
        for step in 0..3 {
            bench.emulator.fault_once(name, &faults[(turn + step) % faults.len()]);
        }
    }
    bench.run("rotate --all").ends_with(0);
    for name in FOREST {
        assert_eq!((bench.emulator.sends_of(name).len(), bench.emulator.passwords_tried(name)), (4, 1), "{name}");
        bench.is_settled(name, bench.emulator.account(name).changes);
    }
}

#[rstest]
#[case("site       = \"gov\"\napi        = \"v2\"", "/api/v2/")]
#[case("site       = \"gov\"", "/api/v1/")]
#[case("site       = \"fin\"", "/api/v1/")]
fn on_other_sites_everything_is_rotated_and_nothing_twice(#[case] tenant: &str, #[case] below: &str) {
    let bench = bench_for(tenant);
    bench.emulator.change(&json!({ "op": "create", "kind": "sub-account", "count": 120, "prefix": "other-" }));
    let listed = bench.run("accounts --json").ends_with(0).json();
    assert_eq!(listed["accounts"].as_array().unwrap().len(), 9, "every page is read, and only ours are told");
    bench.emulator.fault_once("svc-batch", &json!("drop-after"));
    bench.emulator.fault_once("svc-report", &json!({ "5xx-before": 503 }));
    bench.emulator.fault_once("svc-backup", &json!({ "429": 420 }));
    bench.run("rotate --all").ends_with(0);
    for (name, changes) in SUB_ACCOUNTS.into_iter().zip([2, 1, 1, 1]).chain(FOREST.map(|name| (name, 1))) {
        assert_eq!(bench.emulator.passwords_tried(name), 1, "{name}");
        bench.is_settled(name, changes);
    }
    for entry in ["sub-accounts", "password", "password-policy"].iter().flat_map(|call| bench.emulator.calls(call)) {
        assert!(entry["target"].as_str().unwrap().starts_with(below), "{entry}");
    }
    bench.run("rotate svc-deploy svc-backup df001").ends_with(0);
    bench.run("check").ends_with(0);
}

#[test]
fn in_version_2_the_password_expiration_is_shown_and_set() {
    let bench = bench_for("site       = \"gov\"\napi        = \"v2\"");
    let shown = bench.run("tenant show --json").ends_with(0).json();
    assert_eq!(shown["expiration_days"], 90);
    for (word, days) in [("180", json!(180)), ("off", json!(null)), ("60", json!(60))] {
        let told = bench.run(&format!("tenant set-expiration {word} --json")).ends_with(0).json();
        assert_eq!(told["expiration_days"], days, "{word}");
        assert_eq!(bench.run("tenant show --json").ends_with(0).json()["expiration_days"], days);
    }
    assert_eq!(bench.emulator.calls("set-password-policy").len(), 3);
}

#[test]
fn in_version_2_a_refused_password_is_superseded_and_the_next_one_taken() {
    let bench = bench_for("site       = \"gov\"\napi        = \"v2\"");
    bench.emulator.fault_once("svc-batch", &json!("refuse"));
    bench.run("rotate svc-batch").ends_with(0);
    assert_eq!(bench.emulator.passwords_tried("svc-batch"), 2);
    bench.is_settled("svc-batch", 1);
}

#[rstest]
#[case("gov")]
#[case("fin")]
fn data_forest_on_other_sites_needs_its_endpoint(
    #[case] site: &str,
    #[values("check --offline", "rotate --all", "accounts")] words: &str,
) {
    let bench = bench_for(&format!("site       = \"{site}\""));
    let forest = format!(", data_forest = \"http://{}\"", bench.emulator.address());
    bench.edit(&forest, "");
    bench.run(words).ends_with(78).mentions("data_forest").mentions("rotator.toml:");
    assert!(bench.emulator.requests().is_empty());
}

#[rstest]
#[case("public")]
#[case("fin")]
fn version_2_is_of_public_institutions_alone(#[case] site: &str) {
    let bench = bench_for(&format!("site       = \"{site}\"\napi        = \"v2\""));
    bench.run("check --offline").ends_with(78).mentions("v2");
}
