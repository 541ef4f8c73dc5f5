//! How each command ends, where its configuration comes from, and what it needs to be told.

use std::fs;

use rstest::rstest;

use crate::bench::Bench;

#[rstest]
#[case("--help", 0)]
#[case("rotate --help", 0)]
#[case("--version", 0)]
#[case("", 64)]
#[case("turn", 64)]
#[case("rotate", 64)]
#[case("rotate svc-batch --all", 64)]
#[case("rotate svc-batch --wait soon", 64)]
#[case("rotate --all --fast", 64)]
#[case("secret", 64)]
#[case("secret show", 64)]
#[case("secret show svc-batch --stage next", 64)]
#[case("secret show svc-batch", 64)]
#[case("emulator --listen here", 64)]
#[case("emulator --listen 0.0.0.0:0", 64)]
#[case("accounts", 0)]
#[case("check", 0)]
#[case("check --offline", 0)]
fn a_command_ends_with(#[case] words: &str, #[case] code: i32) {
    let bench = Bench::new();
    let finished = bench.run(words).ends_with(code);
    let silent = if code == 0 { &finished.err } else { &finished.out };
    assert_eq!(silent, "", "what is said goes to the other stream");
    assert_eq!(bench.emulator.sends().len(), 0);
}

#[rstest]
#[case("rotate --json")]
#[case("--json rotate svc-batch --all")]
#[case("secret show --json")]
#[case("rotate nobody --json")]
fn with_json_a_wrong_command_line_is_told_in_one_document_too(#[case] words: &str) {
    let bench = Bench::new();
    let told = bench.run(words).ends_with(64).json();
    assert_eq!(told["exit"], "usage");
    assert!(told["error"].as_str().is_some_and(|error| error.len() > 10 && !error.contains('\n')), "{told}");
}

#[test]
fn an_address_in_use_makes_the_emulator_unavailable() {
    let bench = Bench::new();
    bench.run(&format!("emulator --listen {}", bench.emulator.address())).ends_with(69).mentions("--listen");
}

#[test]
fn the_configuration_is_named_before_or_after_the_command_or_by_the_environment() {
    let bench = Bench::new();
    let file = bench.config().display().to_string();
    for words in [format!("--config {file} check --offline"), format!("check --offline --config {file}")] {
        let mut command = bench.command(&words.split_whitespace().collect::<Vec<_>>());
        command.env_remove("NCLOUD_ROTATOR_CONFIG");
        bench.run_command(command).ends_with(0);
        let mut command = bench.command(&words.split_whitespace().collect::<Vec<_>>());
        command.env("NCLOUD_ROTATOR_CONFIG", "missing.toml");
        bench.run_command(command).ends_with(0);
    }
    bench.run("check --offline").ends_with(0);
    for words in ["check", "accounts", "rotate --all", "run", "secret show svc-batch"] {
        let mut command = bench.command(&words.split_whitespace().collect::<Vec<_>>());
        command.env_remove("NCLOUD_ROTATOR_CONFIG");
        bench.run_command(command).ends_with(78).mentions("--config FILE");
    }
}

#[rstest]
#[case("check --offline")]
#[case("check")]
#[case("accounts")]
#[case("rotate --all")]
#[case("run")]
#[case("secret show svc-batch")]
fn a_configuration_that_is_missing_or_wrong_is_told_with_its_line(#[case] words: &str) {
    let bench = Bench::new();
    bench.edit("expiration_days = 90", "expiration_days = 91");
    bench.run(words).ends_with(78).mentions("rotator.toml:20:").mentions("60, 90, 120 or 180");
    let told = bench.run(&format!("{words} --json")).ends_with(78).json();
    assert_eq!(told["exit"], "configuration");
    fs::remove_file(bench.config()).unwrap();
    bench.run(words).ends_with(78).mentions("rotator.toml");
}

#[rstest]
#[case("check", 77)]
#[case("accounts", 77)]
#[case("rotate --all", 77)]
#[case("rotate svc-batch", 77)]
#[case("check --offline", 0)]
#[case("secret show svc-batch", 64)]
fn without_keys(#[case] words: &str, #[case] code: i32) {
    let bench = Bench::new();
    let mut command = bench.command(&words.split_whitespace().collect::<Vec<_>>());
    command.env_remove("NCLOUD_ACCESS_KEY").env_remove("NCLOUD_SECRET_KEY");
    let finished = bench.run_command(command).ends_with(code);
    if code == 77 {
        finished.mentions("NCLOUD_ACCESS_KEY");
    }
}

#[rstest]
#[case("check", 77)]
#[case("accounts", 77)]
#[case("rotate --all", 77)]
#[case("rotate svc-batch --wait 60s", 77)]
fn with_keys_that_the_provider_does_not_know(#[case] words: &str, #[case] code: i32) {
    let bench = Bench::new();
    let mut command = bench.command(&words.split_whitespace().collect::<Vec<_>>());
    command.env("NCLOUD_SECRET_KEY", "another");
    bench.run_command(command).ends_with(code);
    assert_eq!(bench.emulator.sends().len(), 0);
}

#[rstest]
#[case("accounts", 69)]
#[case("check", 69)]
#[case("rotate --all --wait 1s", 75)]
#[case("rotate svc-batch --wait 1s", 75)]
#[case("rotate --all --dry-run --wait 0s", 75)]
#[case("check --offline", 0)]
fn without_the_provider(#[case] words: &str, #[case] code: i32) {
    let bench = Bench::new();
    bench.emulator.stop();
    let finished = bench.run(words).ends_with(code);
    if code != 0 {
        finished.mentions(bench.emulator.address());
    }
}

#[test]
fn a_provider_that_comes_back_within_the_wait_is_waited_for() {
    let bench = Bench::new();
    bench.emulator.stop();
    let running = bench.start("rotate svc-batch");
    running.complains("could not be listed");
    bench.emulator.restart();
    running.finish().ends_with(0);
    bench.is_settled("svc-batch", 1);
}

/// Keys come before the vault, and the vault before the state directory.
#[test]
fn check_ends_like_its_first_failing_line() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    fs::write(bench.vault.file("ncloud/main/sub-account/svc-batch"), "damaged").unwrap();
    fs::remove_dir_all(bench.state()).unwrap();
    fs::write(bench.state(), "not a directory").unwrap();
    let told = bench.run("check --json").ends_with(69).json();
    let exits: Vec<_> = told["checks"].as_array().unwrap().iter().map(|line| line["exit"].as_str().unwrap()).collect();
    assert_eq!(exits[..4], ["success", "success", "unavailable", "denied"], "{told}");
    assert!(told["checks"][3]["remark"].as_str().unwrap().contains(&bench.state().display().to_string()), "{told}");
    assert!(exits[4..].iter().all(|exit| *exit == "success") && exits.len() == 10, "{told}");
    assert_eq!(told["exit"], "unavailable");
    let mut command = bench.command(&["check"]);
    command.env_remove("NCLOUD_SECRET_KEY");
    bench.run_command(command).ends_with(77).mentions("vault local").mentions("state directory");
}

#[test]
fn check_needs_everything_and_leaves_nothing_behind() {
    let bench = Bench::new();
    let finished = bench.run("check").ends_with(0);
    for told in [
        "keys of main",
        "vault local",
        "state directory",
        "clock against main's",
        "s apart, 30s allowed",
        "listed; 4 to be rotated",
    ] {
        assert!(finished.out.contains(told), "{}", finished.out);
    }
    assert!(!finished.out.contains("ms"), "{}", finished.out);
    assert!(!bench.vault.root().exists() && !bench.vault.identity().exists() && !bench.state().exists());
    assert_eq!(bench.emulator.sends().len(), 0);
}

#[test]
fn check_offline_needs_neither_keys_nor_network_nor_files() {
    let bench = Bench::new();
    bench.emulator.stop();
    bench.edit("\"NCLOUD_SECRET_KEY\"", "\"NO_SUCH_VARIABLE\"");
    let mut command = bench.command(&["check", "--offline", "--json"]);
    command.env_remove("NCLOUD_ACCESS_KEY");
    assert_eq!(bench.run_command(command).ends_with(0).json()["exit"], "success");
    assert!(!bench.vault.root().exists() && !bench.state().exists());
}

#[test]
fn accounts_tells_what_is_managed_and_when_each_is_due() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    let table = bench.run("accounts").ends_with(0);
    assert!(table.row("main/sub-account/svc-report").contains("never"));
    assert!(table.row("main/data-forest/df004").contains("CHANGING"));
    let told = bench.run("accounts --json").ends_with(0).json();
    let accounts = told["accounts"].as_array().unwrap();
    assert_eq!(accounts.len(), 9);
    let batch = accounts.iter().find(|account| account["name"] == "svc-batch").unwrap();
    assert!(batch["last_rotated"].is_string() && batch["expires_at"].is_string() && batch["due"].is_string());
}
