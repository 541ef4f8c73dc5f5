//! What people decide: to resume, to put a password back, to take a secret over, to give a rotation up.

use rstest::rstest;
use serde_json::json;

use crate::bench::Bench;

/// An account with an unfinished rotation: its request never arrived.
fn unfinished(bench: &Bench, account: &str) -> String {
    bench.emulator.fault_always(account, &json!("drop-before"));
    bench.run(&format!("rotate {account} --wait 0s")).ends_with(75);
    bench.emulator.clear_faults();
    bench.stored(account, "pending").expect("a candidate is pending")
}

#[test]
fn resuming_finishes_what_is_unfinished_with_the_password_that_is_pending() {
    let bench = Bench::new();
    let pending = unfinished(&bench, "svc-batch");
    let finished = bench.run("rotate svc-batch --resume").ends_with(0);
    assert!(finished.row("main/sub-account/svc-batch").contains("rotated"));
    assert_eq!(bench.stored("svc-batch", "current"), Some(pending));
    bench.is_settled("svc-batch", 1);
}

#[test]
fn resuming_begins_nothing() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    let before = (bench.vault.bytes(), bench.emulator.sends().len());
    for words in ["rotate svc-batch svc-report --resume", "rotate --all --resume"] {
        let finished = bench.run(words).ends_with(0);
        for account in ["svc-batch", "svc-report"] {
            let row = finished.row(&format!("main/sub-account/{account}"));
            assert!(row.contains("skipped") && row.contains("nothing is unfinished"), "{row}");
        }
    }
    assert_eq!((bench.vault.bytes(), bench.emulator.sends().len()), before);
    assert!(bench.vault.open(&bench.secret("svc-report")).is_none(), "a secret was made");
}

#[test]
fn resuming_all_finishes_every_unfinished_account_and_no_other() {
    let bench = Bench::new();
    bench.run("rotate svc-report").ends_with(0);
    for name in ["svc-batch", "df001"] {
        unfinished(&bench, name);
    }
    let planned = bench.run("rotate --all --resume --dry-run").ends_with(0);
    assert!(planned.row("main/data-forest/df001").contains("would finish"));
    assert!(planned.row("main/sub-account/svc-report").contains("nothing is unfinished"));
    let told = bench.run("rotate --all --resume --json").ends_with(0).json();
    let rotated = told["accounts"].as_array().unwrap().iter().filter(|account| account["result"] == "rotated").count();
    assert_eq!(rotated, 2);
    for name in ["svc-batch", "df001", "svc-report"] {
        bench.is_settled(name, 1);
    }
    assert_eq!(bench.emulator.account("svc-backup").changes, 0);
}

#[test]
fn resuming_without_hope_ends_within_its_wait_and_says_what_it_waits_for() {
    let bench = Bench::new();
    unfinished(&bench, "df001");
    bench.emulator.fault_always("df001", &json!({ "5xx-before": 503 }));
    let told = bench.run("rotate df001 --resume --wait 0s --json").ends_with(75).json();
    assert_eq!(told["accounts"][0]["waits_for"], "server-error");
    bench.holds_the_promise();
}

#[rstest]
#[case("svc-batch")]
#[case("df001")]
fn a_rollback_puts_the_previous_password_back_and_another_one_the_newer(#[case] name: &str) {
    let bench = Bench::new();
    bench.run(&format!("rotate {name}")).ends_with(0);
    let first = bench.stored(name, "current");
    bench.run(&format!("rotate {name}")).ends_with(0);
    let second = bench.stored(name, "current");
    let finished = bench.run(&format!("secret rollback {name}")).ends_with(0);
    let kind = if name == "df001" { "data-forest" } else { "sub-account" };
    assert!(finished.row(&format!("main/{kind}/{name}")).contains("rolled back"), "{}", finished.out);
    assert_eq!((bench.stored(name, "current"), bench.stored(name, "previous")), (first, second.clone()));
    bench.is_settled(name, 3);
    let told = bench.run(&format!("secret rollback {name} --yes --json")).ends_with(0).json();
    assert_eq!(told["accounts"][0]["result"], "rolled-back");
    assert_eq!(bench.stored(name, "current"), second);
    bench.is_settled(name, 4);
}

#[test]
fn a_rollback_without_a_previous_password_changes_nothing() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    let before = (bench.vault.bytes(), bench.emulator.sends().len());
    let told = bench.run("secret rollback svc-batch --json").ends_with(69).json();
    assert_eq!(
        (&told["accounts"][0]["result"], &told["accounts"][0]["because"]),
        (&json!("rollback-stopped"), &json!("nothing-before"))
    );
    bench.run("secret rollback nobody").ends_with(64).mentions("no account or secret is called");
    bench.run("secret rollback doyun.lee").ends_with(0).mentions("skipped");
    assert_eq!((bench.vault.bytes(), bench.emulator.sends().len()), before);
}

#[test]
fn a_rollback_waits_for_no_other_rotation_and_names_the_command_that_finishes_it() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    let pending = unfinished(&bench, "svc-batch");
    let sends = bench.emulator.sends().len();
    bench.run("secret rollback svc-batch").ends_with(69).mentions("rotate --resume");
    assert_eq!((bench.stored("svc-batch", "pending"), bench.emulator.sends().len()), (Some(pending), sends));
}

#[test]
fn a_rollback_that_the_provider_refuses_is_told_and_nothing_else_is_set() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    let first = bench.stored("svc-batch", "current");
    bench.run("rotate svc-batch").ends_with(0);
    let second = bench.emulator.account("svc-batch").password;
    bench.emulator.fault_once("svc-batch", &json!("refuse"));
    bench.run("secret rollback svc-batch").ends_with(69).mentions("the provider refused the previous password");
    assert_eq!(bench.stored("svc-batch", "pending"), first);
    assert_eq!(bench.emulator.account("svc-batch").password, second);
    let told = bench.run("status --json").ends_with(69).json();
    let line = told["accounts"].as_array().unwrap().iter().find(|line| line["account"] == "main/sub-account/svc-batch");
    let line = line.unwrap();
    assert_eq!((&line["state"], &line["waits_for"]), (&json!("rollback-stopped"), &json!("operator")));
    bench.run("rotate --all --resume").ends_with(69);
    assert_eq!(bench.emulator.passwords_tried("svc-batch"), 2, "the refused one is an old one, and no random one came");
    bench.run("rotate svc-batch").ends_with(0);
    bench.is_settled("svc-batch", 3);
}

#[test]
fn a_rollback_that_is_in_doubt_goes_on_with_the_same_password() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    let first = bench.stored("svc-batch", "current");
    bench.run("rotate svc-batch").ends_with(0);
    bench.emulator.fault_always("svc-batch", &json!("drop-after"));
    bench.run("secret rollback svc-batch --wait 0s").ends_with(75);
    bench.emulator.clear_faults();
    bench.run("rotate svc-batch --resume").ends_with(0);
    assert_eq!(bench.stored("svc-batch", "current"), first);
    bench.is_settled("svc-batch", bench.emulator.account("svc-batch").changes);
}

/// Somebody's own version in a secret of ours.
fn by_another_hand(bench: &Bench, account: &str, stage: &str) {
    let secret = bench.secret(account);
    let mut document = bench.vault.open(&secret).unwrap();
    let mut version = document["current"].clone();
    version["token"] = json!("11111111-2222-4333-8444-555555555555");
    version["value"] = json!({ "username": account, "password": "By-An0ther-Hand!", "host": "db1" });
    document[stage] = version;
    bench.vault.write(&secret, &document);
}

#[rstest]
#[case("current")]
#[case("pending")]
fn what_somebody_else_left_is_frozen_until_it_is_adopted(#[case] stage: &str) {
    let bench = Bench::with_short_fence();
    bench.run("rotate svc-batch svc-report").ends_with(0);
    by_another_hand(&bench, "svc-batch", stage);
    let frozen = bench.vault.bytes();
    for words in ["rotate svc-batch", "rotate svc-batch --resume"] {
        let row = bench.run(words).ends_with(69).row("main/sub-account/svc-batch");
        assert!(row.contains("secret adopt"), "{words}: {row}");
    }
    let row = bench.run("rotate --all --resume").row("main/sub-account/svc-batch");
    assert!(row.contains("secret adopt") || row.contains("nothing is unfinished"), "{row}");
    assert_eq!(bench.vault.bytes(), frozen);
    bench.run("secret adopt svc-batch").ends_with(0);
    let document = bench.vault.open(&bench.secret("svc-batch")).unwrap();
    if stage == "current" {
        assert_eq!(document["current"]["value"]["host"], "db1", "its other keys survive");
        assert_eq!(document["previous"]["value"]["password"], "By-An0ther-Hand!");
    }
    assert_ne!(document["current"]["value"]["password"], "By-An0ther-Hand!");
    bench.is_settled("svc-batch", 2);
    bench.run("status").ends_with(0);
}

#[test]
fn a_foreign_pending_version_is_kept_until_the_adoption_ends() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    by_another_hand(&bench, "svc-batch", "pending");
    bench.emulator.fault_always("svc-batch", &json!("drop-before"));
    bench.run("secret adopt svc-batch --wait 0s").ends_with(75);
    let kept = bench.vault.passwords(&bench.secret("svc-batch"));
    assert!(kept.contains(&"By-An0ther-Hand!".to_owned()), "what may be live is thrown away");
    bench.holds_the_promise();
}

#[test]
fn an_adoption_takes_no_other_accounts_secret() {
    let bench = Bench::new();
    bench.run("rotate svc-batch svc-report").ends_with(0);
    std::fs::copy(bench.vault.file(&bench.secret("svc-report")), bench.vault.file(&bench.secret("svc-batch"))).unwrap();
    let vault = bench.vault.bytes();
    bench.run("secret adopt svc-batch").ends_with(69).mentions("holds the password of another account");
    assert_eq!((bench.vault.bytes(), bench.emulator.sends().len()), (vault, 2));
}

#[derive(Debug, Clone, Copy)]
enum Gone {
    Inactive,
    Changing,
    Deleted,
    OutOfTheRules,
}

impl Gone {
    fn account(self) -> &'static str {
        if matches!(self, Self::Changing) { "df001" } else { "svc-batch" }
    }

    fn come_about(self, bench: &Bench) {
        let account = self.account();
        match self {
            Self::Inactive => {
                bench.emulator.change(&json!({ "op": "set", "account": account, "active": false }));
            }
            Self::Changing => {
                bench.emulator.change(&json!({ "op": "set", "account": account, "status": "CHANGING" }));
            }
            Self::Deleted => bench.emulator.change(&json!({ "op": "delete", "account": account })),
            Self::OutOfTheRules => bench.edit("except = [\"svc-legacy\"]", "except = [\"svc-legacy\", \"svc-batch\"]"),
        }
    }
}

#[rstest]
fn the_rotation_of_an_account_that_is_not_in_use_is_given_up(
    #[values(Gone::Inactive, Gone::Changing, Gone::Deleted, Gone::OutOfTheRules)] gone: Gone,
) {
    let bench = Bench::new();
    let name = gone.account();
    let pending = unfinished(&bench, name);
    let secret = bench.secret(name);
    let token = bench.vault.open(&secret).unwrap()["pending"]["token"].clone();
    let sends = bench.emulator.sends().len();
    gone.come_about(&bench);
    let told = bench.run(&format!("account drop {name} --json")).ends_with(0).json();
    assert_eq!((&told["dropped"], &told["token"], &told["secret"]), (&json!(true), &token, &json!(secret)));
    assert!(told["since"].is_string() && told["reason"].is_string(), "{told}");
    assert_eq!(bench.vault.password(&secret, "pending"), None);
    assert!(bench.vault.passwords(&secret).contains(&pending), "it may be live, and is kept");
    assert_eq!(bench.emulator.sends().len(), sends);
    let vault = bench.vault.bytes();
    bench.run(&format!("account drop {name}")).ends_with(0).mentions("nothing is unfinished");
    bench.run("status").ends_with(0);
    assert_eq!(bench.vault.bytes(), vault);
}

#[test]
fn what_is_given_up_is_shown_first() {
    let bench = Bench::new();
    unfinished(&bench, "svc-batch");
    let token = bench.vault.open(&bench.secret("svc-batch")).unwrap()["pending"]["token"].clone();
    Gone::Inactive.come_about(&bench);
    let finished = bench.run("account drop svc-batch").ends_with(0).mentions("may be live").mentions("inactive");
    assert!(finished.err.contains(token.as_str().unwrap()), "{}", finished.err);
    assert!(finished.out.contains("rotate it by name"), "{}", finished.out);
}

#[test]
fn the_rotation_of_an_account_in_use_is_not_given_up() {
    let bench = Bench::new();
    unfinished(&bench, "svc-batch");
    let vault = bench.vault.bytes();
    bench.run("account drop svc-batch").ends_with(69).mentions("rotate main/sub-account/svc-batch --resume");
    bench.run("account drop nobody").ends_with(64).mentions("holds a secret called");
    bench.emulator.stop();
    bench.run("account drop svc-batch").ends_with(75).mentions("cannot be told");
    assert_eq!(bench.vault.bytes(), vault);
    bench.emulator.restart();
    let id = bench.emulator.account("svc-batch").id;
    let second = format!(
        "[[accounts]]\ntenant = \"main\"\nkind = \"sub-account\"\nids = [\"{id}\"]\nvault = \"local\"\nsecret = \"other/{{name}}\"\n\n"
    );
    bench.edit(
        "[[accounts]]\ntenant = \"main\"\nkind   = \"data-forest\"",
        &format!("{second}[[accounts]]\ntenant = \"main\"\nkind   = \"data-forest\""),
    );
    bench.run("account drop svc-batch").ends_with(78).mentions("belongs to two rules");
    assert_eq!(bench.vault.bytes(), vault);
}

/// Whoever rotates the account again gets a password that is live and current, whatever became of the one that was given up.
#[test]
fn an_account_that_comes_back_is_rotated_by_name() {
    let bench = Bench::with_short_fence();
    bench.run("rotate svc-batch").ends_with(0);
    bench.emulator.fault_always("svc-batch", &json!("drop-after"));
    bench.run("rotate svc-batch --wait 0s").ends_with(75);
    bench.emulator.clear_faults();
    Gone::Inactive.come_about(&bench);
    bench.run("account drop svc-batch --yes").ends_with(0);
    bench.holds_the_promise();
    bench.emulator.change(&json!({ "op": "set", "account": "svc-batch", "active": true }));
    bench.run("rotate svc-batch").ends_with(0);
    bench.is_settled("svc-batch", bench.emulator.account("svc-batch").changes);
}
