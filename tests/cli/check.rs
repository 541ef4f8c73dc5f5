//! `check`: a line for everything that is wrong, with its remedy; and nothing is changed by looking.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rstest::rstest;
use serde_json::{Value, json};

use crate::bench::Bench;

const ENVIRONMENT: &str = "access_key = { env = \"NCLOUD_ACCESS_KEY\" }\nsecret_key = { env = \"NCLOUD_SECRET_KEY\" }";

/// Everything below a directory but the emulator's own file: paths, modes and bytes.
fn tree(dir: &Path) -> Vec<(PathBuf, u32, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let meta = path.symlink_metadata().unwrap();
        if meta.is_dir() {
            found.push((path.clone(), meta.permissions().mode(), Vec::new()));
            found.extend(tree(&path));
        } else if !path.file_name().unwrap().to_string_lossy().contains("accounts.json") {
            let bytes = fs::read(&path).unwrap();
            found.push((path, meta.permissions().mode(), bytes));
        }
    }
    found.sort();
    found
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[track_caller]
fn line(told: &Value, what: &str) -> Value {
    let mut lines = told["checks"].as_array().unwrap().iter();
    lines
        .rfind(|line| line["what"].as_str().unwrap().starts_with(what))
        .cloned()
        .unwrap_or_else(|| panic!("no line on {what}: {told}"))
}

#[test]
fn a_look_changes_nothing_before_the_first_rotation_and_after() {
    let bench = Bench::new();
    let root = bench.config().parent().unwrap().to_owned();
    let before = tree(&root);
    bench.run("check").ends_with(0);
    bench.run("check --json").ends_with(0);
    bench.run("check --offline").ends_with(0);
    assert_eq!(tree(&root), before);
    bench.emulator.was_only_read();
    bench.emulator.fault_always("svc-report", &json!({ "5xx-before": 503 }));
    bench.run("rotate svc-batch svc-report --wait 0s").ends_with(75);
    let before = tree(&root);
    let requests = bench.emulator.requests().len();
    bench.run("check").ends_with(0);
    assert!(tree(&root) == before, "something was changed");
    let sends = bench.emulator.requests().split_off(requests);
    assert!(sends.iter().all(|entry| entry["changed"] == false && entry["password_sha256"].is_null()), "{sends:?}");
    assert!(bench.stored("svc-report", "pending").is_some());
}

#[rstest]
#[case("sub-accounts", "sub-account accounts of main", "GET /sub-accounts")]
#[case("getList", "data-forest accounts of main", "getList")]
#[case("password-policy", "password expiration of main", "GET /tenant-settings/sub-account-password-policy")]
#[case("login-alias", "login alias of main", "GET /login-alias")]
fn the_call_whose_right_lacks_is_named_and_the_others_are_looked_at(
    #[case] denied: &str,
    #[case] what: &str,
    #[case] call: &str,
    #[values("public", "gov-v2")] site: &str,
) {
    let bench = Bench::new();
    if site == "gov-v2" {
        bench.edit("site       = \"public\"", "site       = \"gov\"\napi        = \"v2\"");
    }
    bench.emulator.door("POST", "/door/permissions", Some(&json!({ "deny": [denied] })));
    let told = bench.run("check --json").ends_with(77).json();
    let failing = line(&told, what);
    let remark = failing["remark"].as_str().unwrap();
    assert_eq!((&failing["state"], &failing["exit"]), (&json!("failed"), &json!("denied")), "{told}");
    assert!(remark.contains(call) && remark.contains("docs/provider-notes.md"), "{remark}");
    let failed = told["checks"].as_array().unwrap().iter().filter(|line| line["state"] == "failed").count();
    assert_eq!(failed, 1, "{told}");
    bench.run("check").ends_with(77).mentions("FAIL").mentions(call);
    bench.emulator.was_only_read();
}

#[test]
fn a_clock_that_is_off_is_told_with_its_remedy() {
    let bench = Bench::new();
    bench.emulator.door("POST", "/door/clock", Some(&json!({ "offset_ms": 60_000 })));
    let told = bench.run("check --json").ends_with(75).json();
    let clock = line(&told, "clock against main's sub-account");
    assert_eq!(clock["state"], "failed");
    assert!(clock["remark"].as_str().unwrap().contains("NTP"), "{clock}");
    bench.emulator.door("POST", "/door/clock", Some(&json!({ "offset_ms": 20_000 })));
    bench.run("check").ends_with(0);
}

#[test]
fn an_identity_that_others_can_read_is_told_with_its_remedy() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    for mode in [0o640, 0o604] {
        set_mode(bench.vault.identity(), mode);
        let told = bench.run("check --json").ends_with(77).json();
        let remark = line(&told, "vault local")["remark"].as_str().unwrap().to_owned();
        assert!(remark.contains(&format!("chmod 600 {}", bench.vault.identity().display())), "{remark}");
    }
    set_mode(bench.vault.identity(), 0o400);
    bench.run("check").ends_with(0);
}

#[rstest]
#[case("access_key = { file = \"access\" }\nsecret_key = { file = \"secret\" }", "secret")]
#[case("keys = { profile = \"DEFAULT\" }", ".ncloud/configure")]
fn a_key_file_that_others_can_read_is_told_with_its_remedy(#[case] keys: &str, #[case] open: &str) {
    use ncloud_rotator::emulator::{DEMO_ACCESS_KEY as ACCESS, DEMO_SECRET_KEY as SECRET};
    let bench = Bench::new();
    bench.edit(ENVIRONMENT, keys);
    fs::create_dir(bench.path(".ncloud")).unwrap();
    let profile = format!("[DEFAULT]\nncloud_access_key_id = {ACCESS}\nncloud_secret_access_key = {SECRET}\n");
    for (file, text) in [("access", ACCESS), ("secret", SECRET), (".ncloud/configure", profile.as_str())] {
        fs::write(bench.path(file), text).unwrap();
        set_mode(&bench.path(file), 0o600);
    }
    bench.run("check").ends_with(0);
    for mode in [0o640, 0o604] {
        set_mode(&bench.path(open), mode);
        let told = bench.run("check --json").ends_with(77).json();
        let line = line(&told, "keys of main");
        let remark = line["remark"].as_str().unwrap();
        assert!(remark.ends_with(&format!("`chmod 600 {}`", bench.path(open).display())), "{remark}");
        assert!(
            told["checks"].as_array().unwrap().iter().any(|line| line["what"] == "login alias of main"),
            "and the rest is looked at"
        );
    }
    bench.run("rotate svc-batch").ends_with(0);
}

#[test]
fn a_vaults_file_that_others_can_read_is_told_with_its_remedy_and_its_directories_may_be() {
    let bench = Bench::new();
    bench.run("rotate --all").ends_with(0);
    set_mode(bench.vault.root(), 0o755);
    bench.run("check").ends_with(0);
    let file = bench.vault.file("ncloud/main/sub-account/svc-batch");
    set_mode(&file, 0o644);
    let told = bench.run("check --json").ends_with(77).json();
    let remark = line(&told, "vault local")["remark"].as_str().unwrap().to_owned();
    assert!(remark.contains("0644") && remark.ends_with(&format!("`chmod 600 {}`", file.display())), "{remark}");
}

/// As for every other command, whose configuration names a file that is not there.
#[rstest]
#[case(ENVIRONMENT, "access_key = { file = \"nowhere\" }\nsecret_key = { env = \"NCLOUD_SECRET_KEY\" }", "nowhere")]
#[case("site       = \"public\"", "site       = \"public\"\nca_file    = \"nowhere.pem\"", "nowhere.pem")]
fn a_file_that_the_configuration_names_and_that_is_not_there(#[case] from: &str, #[case] to: &str, #[case] file: &str) {
    let bench = Bench::new();
    bench.edit(from, to);
    for words in ["check", "rotate --all", "accounts"] {
        bench.run(words).ends_with(78).mentions(&bench.path(file).display().to_string());
    }
    bench.run("check --offline").ends_with(0);
}

#[test]
fn a_gateway_that_is_not_there_is_told_for_each_kind() {
    let bench = Bench::new();
    bench.emulator.stop();
    let told = bench.run("check --json").ends_with(69).json();
    for what in ["sub-account accounts of main", "data-forest accounts of main"] {
        let remark = line(&told, what)["remark"].as_str().unwrap().to_owned();
        assert!(remark.contains(bench.emulator.address()) && remark.contains("cannot be reached"), "{remark}");
    }
}
