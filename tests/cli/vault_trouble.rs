//! A vault that is new, missing parts, damaged or in the wrong place.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::bench::{ACTIVE, Bench, mode};
use crate::vault::files;

const BATCH: &str = "ncloud/main/sub-account/svc-batch";

#[test]
fn what_is_made_is_private() {
    let bench = Bench::new();
    bench.run("rotate --all").ends_with(0);
    assert_eq!(mode(bench.vault.identity()), 0o600);
    for file in files(bench.vault.root()).iter().chain(&files(&bench.state())) {
        assert_eq!(mode(file), 0o600, "{}", file.display());
        assert_eq!(mode(file.parent().unwrap()), 0o700, "{}", file.display());
    }
}

#[test]
fn directories_that_are_found_may_be_open_and_stay_as_they_are() {
    let bench = Bench::new();
    for dir in [bench.vault.root().to_owned(), bench.state()] {
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
    }
    bench.run("rotate svc-batch").ends_with(0);
    assert_eq!((mode(bench.vault.root()), mode(&bench.state())), (0o755, 0o755));
}

#[test]
fn an_identity_is_never_made_where_secrets_exist() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    let kept = fs::read(bench.vault.identity()).unwrap();
    let vault = bench.vault.bytes();
    fs::remove_file(bench.vault.identity()).unwrap();
    for words in ["rotate svc-batch", "rotate svc-report", "secret show svc-batch", "check"] {
        bench.run(words).ends_with(69).mentions("identity.txt is missing").mentions("No new one was made");
        assert!(!bench.vault.identity().exists(), "{words} made one");
    }
    assert_eq!((bench.vault.bytes(), bench.emulator.sends().len()), (vault, 1));
    fs::write(bench.vault.identity(), kept).unwrap();
    fs::set_permissions(bench.vault.identity(), Permissions::from_mode(0o600)).unwrap();
    bench.run("rotate svc-batch svc-report").ends_with(0);
    bench.is_settled("svc-batch", 2);
}

#[test]
fn an_identity_that_others_can_read_is_refused_with_the_remedy() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    fs::set_permissions(bench.vault.identity(), Permissions::from_mode(0o644)).unwrap();
    bench.run("rotate svc-batch").ends_with(77).mentions("chmod 600");
    bench.run("check").ends_with(77).mentions("chmod 600");
    assert_eq!(bench.emulator.sends().len(), 1);
}

#[test]
fn a_file_where_the_vault_belongs_is_told_and_nothing_is_sent() {
    let bench = Bench::new();
    fs::write(bench.vault.root(), "not a directory").unwrap();
    for words in ["rotate svc-batch --wait 0s", "check"] {
        let finished = bench.run(words).mentions(&bench.vault.root().display().to_string());
        assert!([Some(69), Some(75), Some(77)].contains(&finished.code), "{finished:?}");
    }
    assert_eq!(bench.emulator.sends().len(), 0);
    fs::remove_file(bench.vault.root()).unwrap();
    bench.run("rotate svc-batch").ends_with(0);
}

#[test]
fn a_file_where_the_state_belongs_is_told_and_nothing_is_sent() {
    let bench = Bench::new();
    fs::write(bench.state(), "not a directory").unwrap();
    for words in ["rotate svc-batch", "check", "run"] {
        let said = bench.run(words).ends_with(77).text();
        assert_eq!(said.matches(&bench.state().display().to_string()).count(), mentions(words), "{said}");
    }
    assert_eq!(bench.emulator.sends().len(), 0);
}

/// How often a place is named by the command that cannot use it: once, and by `check` in the line's title and its remark.
fn mentions(command: &str) -> usize {
    if command == "check" { 2 } else { 1 }
}

#[test]
fn a_damaged_secret_is_named_and_left_alone_and_the_others_are_rotated() {
    let bench = Bench::new();
    bench.run("rotate --all").ends_with(0);
    let file = bench.vault.file(BATCH);
    let whole = fs::read(&file).unwrap();
    for damaged in [&whole[..whole.len() / 2], &[], b"something else"] {
        fs::write(&file, damaged).unwrap();
        let before = bench.emulator.sends().len();
        let finished = bench.run("rotate --all").ends_with(69).mentions(&file.display().to_string());
        assert!(finished.row("main/sub-account/svc-report").contains("rotated"));
        assert!(!finished.row("main/sub-account/svc-batch").contains("rotated"));
        assert_eq!(bench.emulator.sends().len() - before, ACTIVE.len() - 1);
        assert_eq!(fs::read(&file).unwrap(), damaged);
        bench.run("secret show svc-batch").ends_with(69).mentions(&file.display().to_string());
        bench.run("secret show svc-report").ends_with(0);
        bench.run("secret show svc-legacy").ends_with(69);
        bench.run(&format!("secret show {BATCH}")).ends_with(69).mentions(&file.display().to_string());
        bench.run("check").ends_with(69).mentions(&file.display().to_string());
    }
    fs::write(&file, &whole).unwrap();
    assert_eq!(bench.emulator.sends_of("svc-batch").len(), 1);
    bench.is_settled("svc-batch", 1);
    bench.is_settled("df001", 4);
}

#[test]
fn a_secret_that_was_deleted_is_made_anew_by_the_next_rotation() {
    let bench = Bench::new();
    bench.run("rotate svc-batch df001").ends_with(0);
    fs::remove_file(bench.vault.file(BATCH)).unwrap();
    bench.run("rotate svc-batch df001").ends_with(0);
    bench.is_settled("svc-batch", 2);
    bench.is_settled("df001", 2);
}

#[test]
fn a_secret_that_is_deleted_while_its_password_is_at_the_provider_is_put_back() {
    let bench = Bench::new();
    bench.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
    let running = bench.start("rotate svc-batch --wait 20s");
    bench.emulator.until_sent("svc-batch", 1);
    fs::remove_file(bench.vault.file(BATCH)).unwrap();
    bench.emulator.release();
    running.finish().ends_with(0);
    bench.is_settled("svc-batch", bench.emulator.account("svc-batch").changes);
    assert_eq!(bench.emulator.passwords_tried("svc-batch"), 1);
}

#[test]
fn a_secret_of_another_account_is_not_touched() {
    let bench = Bench::new();
    bench.run("rotate svc-batch svc-report").ends_with(0);
    fs::copy(bench.vault.file("ncloud/main/sub-account/svc-report"), bench.vault.file(BATCH)).unwrap();
    let vault = bench.vault.bytes();
    bench.run("rotate svc-batch").ends_with(69).mentions("holds the password of another account");
    assert_eq!((bench.vault.bytes(), bench.emulator.sends().len()), (vault, 2));
}
