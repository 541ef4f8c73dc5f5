//! The real program with its secrets in AWS Secrets Manager: the strict one of these tests, and moto as a second opinion.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::bench::{ACTIVE, Bench};
use crate::moto::Moto;
use crate::process::{Finished, until};
use crate::secrets_manager::faults::{Fault, Rule};
use crate::secrets_manager::operation::Operation;
use crate::secrets_manager::refusal::Refusal;
use crate::secrets_manager::server::Server;

/// The bench, its vault in a Secrets Manager at this address.
fn bench(endpoint: &str, lines: &str) -> Bench {
    in_aws(Bench::new(), endpoint, lines)
}

/// That bench, with its vault there.
pub(crate) fn in_aws(bench: Bench, endpoint: &str, lines: &str) -> Bench {
    let age = "kind     = \"age-directory\"\npath     = \"vault\"\nidentity = { file = \"identity.txt\" }\n";
    let region = Server::REGION;
    let aws = "kind = \"aws-secrets-manager\"\nsettle = \"1s\"\n";
    bench.edit(age, &format!("{aws}region = \"{region}\"\nendpoint_url = \"{endpoint}\"\n{lines}\n"));
    bench
}

/// The program with credentials of AWS in its environment.
pub(crate) fn command(bench: &Bench, words: &str) -> Command {
    let mut command = bench.command(&words.split_whitespace().collect::<Vec<_>>());
    command.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "of-the-tests");
    command
}

#[track_caller]
fn run(bench: &Bench, words: &str) -> Finished {
    bench.run_command(command(bench, words))
}

fn value(server: &Server, secret: &str, label: &str) -> Value {
    let seen = server.secret(secret).unwrap();
    serde_json::from_str(seen.labelled(label).unwrap()).unwrap()
}

/// Live is current, nothing is pending, and no password was said.
#[track_caller]
fn is_settled(bench: &Bench, server: &Server, account: &str, changes: u64) {
    let (live, secret) = (bench.emulator.account(account), bench.secret(account));
    let seen = server.secret(&secret).unwrap();
    assert_eq!(value(server, &secret, "AWSCURRENT")["password"], live.password, "{account}: live is not current");
    assert_eq!(seen.at("AWSPENDING"), seen.at("AWSCURRENT"), "{account} has a pending version");
    assert_eq!(live.changes, changes, "changes of {account}");
    bench.has_told_no_secret();
}

#[test]
fn all_rotates_every_active_account_with_two_writes_each_beside_the_placeholder() {
    let server = Server::start();
    let bench = bench(&server.endpoint(), "tags = { team = \"platform\" }");
    run(&bench, "check").ends_with(0).mentions("secretsmanager:CreateSecret");
    let tried = server.counts();
    run(&bench, "rotate --all").ends_with(0);
    for account in ACTIVE {
        is_settled(&bench, &server, account, 1);
        assert_eq!(server.secret(&bench.secret(account)).unwrap().tags["team"], "platform");
    }
    let made = |operation| server.count(operation) - tried.get(&operation).copied().unwrap_or(0);
    let accounts = ACTIVE.len() as u64;
    assert_eq!(made(Operation::CreateSecret), accounts);
    assert_eq!(made(Operation::PutSecretValue), accounts);
    assert_eq!(made(Operation::UpdateSecretVersionStage), accounts);
    assert_eq!(made(Operation::GetSecretValue), 0);

    let shown = bench.reveal_with(command(&bench, "secret show svc-batch --reveal --json")).ends_with(0).json();
    assert_eq!(shown["value"]["password"], bench.emulator.account("svc-batch").password);
    let accounts = run(&bench, "accounts --json").ends_with(0).json();
    assert!(accounts.to_string().contains("svc-batch"));
}

#[test]
fn what_others_left_there_is_refused_untouched_with_the_remedy() {
    type Prepare = fn(&Server, &str);
    let table: [(Prepare, &str); 5] = [
        (|server, secret| create(server, secret, "hunter2"), "make it a JSON object"),
        (
            |server, secret| {
                create(server, secret, "{\"password\":\"x\"}");
                server.act(Operation::DeleteSecret, json!({ "SecretId": secret })).unwrap();
            },
            "scheduled for deletion",
        ),
        (
            |server, secret| {
                create(server, secret, "{\"password\":\"x\"}");
                server.set_rotation_enabled(secret, true);
            },
            "the vault's own rotation is switched on",
        ),
        (
            |server, secret| {
                create(server, secret, "{\"password\":\"x\"}");
                put(server, secret, 2, "{\"password\":\"theirs\"}", "AWSPENDING");
            },
            "a pending version that this program did not make",
        ),
        (
            |server, secret| {
                create(server, secret, "{\"password\":\"x\"}");
                put(server, secret, 2, "{\"password\":\"theirs\"}", "AWSPENDING");
                server
                    .act(
                        Operation::UpdateSecretVersionStage,
                        json!({ "SecretId": secret, "VersionStage": "AWSPREVIOUS", "MoveToVersionId": id(2) }),
                    )
                    .unwrap();
            },
            "labelled pending and previous at once",
        ),
    ];
    for (prepare, remedy) in table {
        let server = Server::start();
        let bench = bench(&server.endpoint(), "");
        let secret = bench.secret("svc-batch");
        prepare(&server, &secret);
        let before = server.secret(&secret);
        let finished = run(&bench, "rotate svc-batch --wait 0s").mentions(remedy);
        assert_ne!(finished.code, Some(0), "{remedy}");
        assert_eq!(server.secret(&secret), before, "{remedy}: it was touched");
        assert!(server.log().iter().all(|entry| !entry.operation.writes()), "{remedy}: {:?}", server.log());
        assert_eq!(bench.emulator.account("svc-batch").changes, 0, "{remedy}");
    }
}

#[test]
fn a_secret_with_other_keys_keeps_them_and_one_without_a_version_gets_its_first() {
    let server = Server::start();
    let bench = in_aws(Bench::with_short_fence(), &server.endpoint(), "");
    create(&server, &bench.secret("svc-batch"), "{\"host\":\"hs2.example\",\"password\":\"by hand\"}");
    server.act(Operation::CreateSecret, json!({ "Name": bench.secret("svc-report") })).unwrap();
    run(&bench, "rotate svc-batch svc-report --wait 1m").ends_with(0);
    for account in ["svc-batch", "svc-report"] {
        is_settled(&bench, &server, account, 1);
    }
    let secret = bench.secret("svc-batch");
    assert_eq!(value(&server, &secret, "AWSCURRENT")["host"], "hs2.example");
    assert_eq!(value(&server, &secret, "AWSPREVIOUS")["password"], "by hand");
}

#[test]
fn the_next_rotation_waits_the_fence_and_the_settling() {
    let server = Server::start();
    let bench = in_aws(Bench::with_short_fence(), &server.endpoint(), "");
    run(&bench, "rotate svc-batch").ends_with(0);
    run(&bench, "rotate svc-batch --wait 0s").ends_with(75).mentions("fence");
    let staged = value(&server, &bench.secret("svc-batch"), "AWSPENDING");
    assert_eq!(bench.emulator.account("svc-batch").changes, 1, "nothing is sent within the fence");
    run(&bench, "rotate svc-batch --wait 1m").ends_with(0);
    is_settled(&bench, &server, "svc-batch", 2);
    assert_eq!(staged["password"], bench.emulator.account("svc-batch").password, "what was staged is finished");
}

#[test]
fn an_answer_lost_at_every_write_loses_no_password() {
    for operation in [Operation::CreateSecret, Operation::PutSecretValue, Operation::UpdateSecretVersionStage] {
        for fault in [Fault::DropBefore, Fault::DropAfter, Fault::ServerErrorAfter(500), Fault::Throttled] {
            let server = Server::start();
            let bench = in_aws(Bench::with_short_fence(), &server.endpoint(), "");
            let label = fault.label();
            server.fault(Rule::on(operation, fault));
            let finished = run(&bench, "rotate svc-batch --wait 1m");
            assert_eq!(finished.code, Some(0), "{operation:?} {label}: {}", finished.text());
            is_settled(&bench, &server, "svc-batch", 1);
        }
    }
}

#[test]
fn a_right_that_lacks_is_named_and_ends_with_77() {
    let server = Server::start();
    let bench = bench(&server.endpoint(), "");
    let denied = || Fault::Refuse(Refusal::access_denied("it"));
    server.fault(Rule::on(Operation::PutSecretValue, denied()).always());
    run(&bench, "check").ends_with(77).mentions("secretsmanager:PutSecretValue");
    run(&bench, "rotate svc-batch --wait 0s").ends_with(77).mentions("secretsmanager:PutSecretValue");
    server.clear_faults();
    server.fault(Rule::any(Fault::Refuse(Refusal::unrecognized_client())).always());
    run(&bench, "check").ends_with(77).mentions("the AWS credentials are not taken");
    server.go_away();
    run(&bench, "check").ends_with(75).mentions("no connection");
    assert_eq!(bench.emulator.account("svc-batch").changes, 0);
}

#[test]
fn without_credentials_it_says_where_they_were_looked_for() {
    let server = Server::start();
    let bench = bench(&server.endpoint(), "");
    let mut bare = bench.command(&["check"]);
    bare.env("AWS_EC2_METADATA_DISABLED", "true");
    bench.run_command(bare).ends_with(77).mentions("no AWS credentials").mentions("docs/aws.md");
    assert_eq!(server.log(), []);

    fs::create_dir(bench.path(".aws")).unwrap();
    let process = "[profile rotator]\ncredential_process = /bin/echo \
                   {\"Version\":1,\"AccessKeyId\":\"AKIDPROCESS\",\"SecretAccessKey\":\"s\"}\n";
    fs::write(bench.path(".aws/config"), process.replace("{\"", "'{\"").replace("\"}", "\"}'")).unwrap();
    let mut profile = bench.command(&["check"]);
    profile.env("AWS_PROFILE", "rotator");
    bench.run_command(profile).ends_with(0);
    assert!(server.log().iter().all(|entry| entry.key == "AKIDPROCESS"));
}

#[test]
fn the_sole_writer_keeps_a_second_process_out_and_names_itself() {
    let server = Server::start();
    let bench = bench(&server.endpoint(), "sole = true");
    let first = bench.start_command(command(&bench, "run"));
    let lock = bench.state().join("vault-local.lock");
    until("the lock", || fs::read_to_string(&lock).is_ok_and(|text| text.starts_with("process ")));
    let holder = fs::read_to_string(&lock).unwrap();
    run(&bench, "rotate svc-batch --no-daemon").ends_with(75).mentions(&holder).mentions("sole = true");
    // The daemon is the one that may.
    run(&bench, "rotate svc-batch").ends_with(0).mentions("rotated");
    run(&bench, "accounts").ends_with(0);
    first.signal(Signal::SIGTERM);
    first.finish().ends_with(0);
    run(&bench, "rotate df001 --wait 0s");
}

#[test]
fn moto_is_of_the_same_opinion() {
    let moto = Moto::start();
    let bench = in_aws(Bench::with_short_fence(), moto.endpoint(), "tags = { team = \"platform\" }");
    run(&bench, "check").ends_with(0);
    run(&bench, "rotate --all").ends_with(0);
    run(&bench, "rotate svc-batch --wait 1m").ends_with(0);
    for account in ACTIVE {
        let words = format!("secret show {} --reveal --json", bench.secret(account));
        let shown = bench.reveal_with(command(&bench, &words)).ends_with(0).json();
        assert_eq!(shown["value"]["password"], bench.emulator.account(account).password, "{account}");
    }
    assert_eq!(bench.emulator.account("svc-batch").changes, 2);
    bench.has_told_no_secret();
}

fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn create(server: &Server, secret: &str, text: &str) {
    let request = json!({ "Name": secret, "SecretString": text, "ClientRequestToken": id(1) });
    server.act(Operation::CreateSecret, request).unwrap();
}

fn put(server: &Server, secret: &str, number: u32, text: &str, label: &str) {
    let request =
        json!({ "SecretId": secret, "SecretString": text, "ClientRequestToken": id(number), "VersionStages": [label] });
    server.act(Operation::PutSecretValue, request).unwrap();
}
