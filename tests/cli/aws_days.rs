//! Recovery and bad days with the other vault: the real program between the emulator and a strict Secrets Manager.

use serde_json::{Value, json};

use crate::aws::{command, in_aws};
use crate::bench::Bench;
use crate::process::{Finished, Running};
use crate::secrets_manager::faults::{Fault, Rule};
use crate::secrets_manager::operation::Operation;
use crate::secrets_manager::server::Server;

const BATCH: &str = "ncloud/main/sub-account/svc-batch";

/// A bench whose vault is a Secrets Manager; fences take some seconds.
struct Aws {
    bench: Bench,
    server: Server,
}

impl Aws {
    fn new() -> Self {
        let server = Server::start();
        let bench = in_aws(Bench::with_short_fence(), &server.endpoint(), "");
        Self { bench, server }
    }

    fn start(&self, words: &str) -> Running {
        self.bench.start_command(command(&self.bench, words))
    }

    #[track_caller]
    fn run(&self, words: &str) -> Finished {
        self.start(words).finish()
    }

    /// What `status` says of the account.
    #[track_caller]
    fn status(&self, code: i32) -> Value {
        let told = self.run("status --json").ends_with(code).json();
        let accounts = told["accounts"].as_array().unwrap();
        accounts.iter().find(|line| line["secret"] == BATCH).unwrap_or_else(|| panic!("{told}")).clone()
    }

    /// The value under a label.
    fn value(&self, label: &str) -> Value {
        let secret = self.server.secret(BATCH);
        secret.and_then(|secret| serde_json::from_str(secret.labelled(label)?).ok()).unwrap_or_default()
    }

    /// The promise at its end: live is current, and AWSPENDING is nowhere else.
    #[track_caller]
    fn is_settled(&self) {
        let live = self.bench.emulator.account("svc-batch").password;
        assert_eq!(self.value("AWSCURRENT")["password"], live, "live is not current");
        let secret = self.server.secret(BATCH).unwrap();
        let pending = secret.at("AWSPENDING");
        assert!(pending.is_none_or(|pending| pending.labels.iter().any(|label| label == "AWSCURRENT")), "pending");
        self.bench.has_told_no_secret();
    }

    /// Calls that change something.
    fn writes(&self) -> u64 {
        let writes = [
            Operation::CreateSecret,
            Operation::PutSecretValue,
            Operation::UpdateSecret,
            Operation::UpdateSecretVersionStage,
            Operation::RestoreSecret,
            Operation::DeleteSecret,
        ];
        writes.into_iter().map(|write| self.server.count(write)).sum()
    }
}

#[test]
fn people_recover_as_they_do_with_the_other_vault() {
    let aws = Aws::new();
    aws.run("rotate svc-batch").ends_with(0);
    let first = aws.value("AWSCURRENT")["password"].clone();
    aws.run("rotate svc-batch --wait 60s").ends_with(0);
    let writes = aws.writes();
    assert_eq!(aws.status(0)["state"], "idle");
    aws.run("rotate svc-batch --resume").ends_with(0).mentions("nothing is unfinished");
    assert_eq!(aws.writes(), writes, "looking and finding nothing changes nothing");

    aws.run("secret rollback svc-batch --wait 60s").ends_with(0).mentions("rolled back");
    assert_eq!(aws.value("AWSCURRENT")["password"], first);
    aws.is_settled();

    aws.bench.emulator.fault_always("svc-batch", &json!("drop-before"));
    aws.run("rotate svc-batch --wait 15s").ends_with(75);
    aws.bench.emulator.clear_faults();
    assert_eq!(aws.status(75)["state"], "unfinished");
    aws.bench.emulator.change(&json!({ "op": "set", "account": "svc-batch", "active": false }));
    assert_eq!(aws.status(75)["waits_for"], "account");
    let dropped = aws.run("account drop svc-batch --json").ends_with(0).json();
    assert_eq!(dropped["dropped"], true);
    assert_eq!((aws.status(0)["state"].clone(), aws.value("AWSPENDING")), (json!("idle"), Value::Null));
}

#[test]
fn a_secret_scheduled_for_deletion_under_its_rotation_is_taken_back() {
    let aws = Aws::new();
    aws.run("rotate svc-batch").ends_with(0);
    aws.bench.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
    let running = aws.start("rotate svc-batch --wait 60s");
    aws.bench.emulator.until_sent("svc-batch", 2);
    aws.server.act(Operation::DeleteSecret, json!({ "SecretId": BATCH })).unwrap();
    aws.bench.emulator.release();
    running.finish().ends_with(0);
    aws.is_settled();
}

#[test]
fn a_secret_scheduled_for_deletion_or_rotated_by_aws_is_frozen_and_told() {
    let aws = Aws::new();
    aws.run("rotate svc-batch").ends_with(0);
    let (writes, sends) = (aws.writes(), aws.bench.emulator.sends().len());
    aws.server.set_rotation_enabled(BATCH, true);
    for words in ["rotate svc-batch", "secret adopt svc-batch"] {
        aws.run(words).ends_with(69).mentions("own rotation is switched on");
    }
    assert_eq!(aws.status(69)["runbook"], "docs/runbook.md#managed-rotation");
    aws.server.set_rotation_enabled(BATCH, false);
    aws.server.act(Operation::DeleteSecret, json!({ "SecretId": BATCH })).unwrap();
    aws.run("rotate svc-batch").ends_with(69).mentions("scheduled for deletion");
    assert_eq!(aws.status(69)["runbook"], "docs/runbook.md#scheduled-for-deletion");
    assert_eq!((aws.writes(), aws.bench.emulator.sends().len()), (writes, sends));
    aws.server.act(Operation::RestoreSecret, json!({ "SecretId": BATCH })).unwrap();
    assert_eq!(aws.status(0)["state"], "idle");
    aws.is_settled();
}

#[test]
fn a_throttled_vault_gets_nothing_sent_that_is_not_staged() {
    let aws = Aws::new();
    aws.server.fault(Rule::on(Operation::PutSecretValue, Fault::Throttled).always());
    aws.run("rotate svc-batch --wait 5s").ends_with(75).mentions("svc-batch");
    assert_eq!(aws.bench.emulator.sends().len(), 0);
    aws.server.clear_faults();
    aws.run("rotate svc-batch --wait 60s").ends_with(0);
    aws.is_settled();
}

#[test]
fn a_vault_that_is_away_after_a_password_was_set_gets_it_promoted_when_it_is_back() {
    let aws = Aws::new();
    aws.run("rotate svc-batch").ends_with(0);
    aws.bench.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
    let running = aws.start("rotate svc-batch --wait 15s");
    aws.bench.emulator.until_sent("svc-batch", 2);
    aws.server.go_away();
    aws.bench.emulator.release();
    running.finish().ends_with(75);
    let told = aws.status(75);
    assert_eq!((&told["state"], &told["waits_for"]), (&json!("unknown"), &json!("vault")));
    aws.server.come_back();
    let live = aws.bench.emulator.account("svc-batch").password;
    assert_eq!(aws.value("AWSPENDING")["password"], live);
    aws.run("rotate svc-batch --resume").ends_with(0);
    assert_eq!(aws.bench.emulator.passwords_tried("svc-batch"), 2);
    aws.is_settled();
}

#[test]
fn a_current_version_of_somebody_else_is_frozen_until_it_is_adopted() {
    let aws = Aws::new();
    aws.run("rotate svc-batch").ends_with(0);
    let theirs = json!({ "username": "svc-batch", "password": "By-An0ther-Hand!", "host": "db1" }).to_string();
    let put = json!({ "SecretId": BATCH, "ClientRequestToken": "11111111-2222-4333-8444-555555555555",
        "SecretString": theirs });
    aws.server.act(Operation::PutSecretValue, put).unwrap();
    let (writes, sends) = (aws.writes(), aws.bench.emulator.sends().len());
    aws.run("rotate svc-batch").ends_with(69).mentions("secret adopt");
    assert_eq!(aws.status(69)["remedy"], "ncloud-rotator secret adopt main/sub-account/svc-batch");
    assert_eq!((aws.writes(), aws.bench.emulator.sends().len()), (writes, sends));
    aws.run("secret adopt svc-batch --wait 60s").ends_with(0);
    assert_eq!(aws.value("AWSCURRENT")["host"], "db1");
    aws.is_settled();
}
