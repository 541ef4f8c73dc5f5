//! `generate`, and what the program tells of itself: the schema, the reference, completions, man pages.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use rstest::rstest;

use crate::bench::Bench;

/// Without a configuration, an environment, and a home.
fn bare(bench: &Bench, words: &str) -> Command {
    let mut command = bench.command(&words.split_whitespace().collect::<Vec<_>>());
    command.env_clear();
    command
}

#[rstest]
#[case("sub-account", 1)]
#[case("sub-account", 50)]
#[case("data-forest", 50)]
#[case("data-forest", 1000)]
fn passwords_are_made_for_a_kind_without_a_configuration(#[case] kind: &str, #[case] count: usize) {
    let bench = Bench::new();
    let told = bench.run_command(bare(&bench, &format!("generate --kind {kind} --count {count} --json"))).ends_with(0);
    let told = told.json();
    assert_eq!((&told["kind"], &told["policy"]), (&kind.into(), &serde_json::Value::Null));
    let passwords: BTreeSet<&str> =
        told["passwords"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    assert_eq!(passwords.len(), count, "all of them, and each another one");
    for password in passwords {
        assert_eq!(password.chars().count(), 16);
        let has = |kind: fn(&u8) -> bool| password.as_bytes().iter().any(kind);
        assert!(has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit));
        assert!(password.bytes().any(|byte| b"!@#$%^*()-_=+".contains(&byte)));
    }
    let bits = told["entropy_bits"].as_f64().unwrap();
    assert!((80.0..105.0).contains(&bits), "{bits}");
    assert!(bench.emulator.requests().is_empty() && !bench.vault.root().exists() && !bench.state().exists());
}

#[test]
fn the_table_has_a_row_for_each_with_its_strength() {
    let bench = Bench::new();
    let table = bench.run_command(bare(&bench, "generate --kind sub-account --count 3")).ends_with(0).out;
    assert_eq!(table.lines().filter(|line| line.trim_end().ends_with("bits")).count(), 3, "{table}");
}

#[test]
fn a_policy_says_what_they_are_made_of() {
    let bench = Bench::new();
    bench.edit("length = 16, avoid = \"url\"", "length = 12, avoid = \"url\"");
    let told = bench.run("generate --kind sub-account --policy default --count 200 --json").ends_with(0).json();
    for password in told["passwords"].as_array().unwrap() {
        let password = password.as_str().unwrap();
        assert_eq!(password.len(), 12);
        assert!(password.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "unfit for a URL");
    }
    assert_eq!(told["policy"], "default");
}

#[rstest]
#[case("generate", 64, "--kind")]
#[case("generate --kind people", 64, "data-forest")]
#[case("generate --kind sub-account --count 0", 64, "1..=1000")]
#[case("generate --kind sub-account --policy strict", 64, "known are default")]
fn what_cannot_be_generated_is_told(#[case] words: &str, #[case] code: i32, #[case] told: &str) {
    let bench = Bench::new();
    bench.run(words).ends_with(code).mentions(told);
}

#[test]
fn a_policy_needs_a_configuration_and_passwords_of_its_own() {
    let bench = Bench::new();
    bench
        .run_command(bare(&bench, "generate --kind sub-account --policy default"))
        .ends_with(78)
        .mentions("--config FILE");
    bench.edit("[[accounts]]\ntenant = \"main\"\nkind   = \"data-forest\"\nnames  = [\"*\"]\nvault  = \"local\"\n", "");
    bench.edit("password        = { length = 16, avoid = \"url\" }", "password        = \"provider\"");
    bench
        .run("generate --kind sub-account --policy default")
        .ends_with(64)
        .mentions("leaves passwords to the provider");
}

#[test]
fn the_schema_and_the_reference_are_those_that_are_published() {
    let bench = Bench::new();
    let published = |path: &str| fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let schema = bench.run_command(bare(&bench, "config schema")).ends_with(0);
    assert_eq!(schema.json(), serde_json::from_str::<serde_json::Value>(&published("config/schema.json")).unwrap());
    let reference = bench.run_command(bare(&bench, "config reference")).ends_with(0);
    assert_eq!(reference.out.trim_end(), published("docs/configuration.md").trim_end());
    assert!(bench.run_command(bare(&bench, "config reference --json")).ends_with(0).json()["markdown"].is_string());
}

#[rstest]
#[case("bash", "complete -F")]
#[case("zsh", "#compdef ncloud-rotator")]
#[case("fish", "complete -c ncloud-rotator")]
fn shells_complete_every_command(#[case] shell: &str, #[case] mark: &str) {
    let bench = Bench::new();
    let script = bench.run_command(bare(&bench, &format!("completions {shell}"))).ends_with(0).out;
    assert!(script.contains(mark), "{script}");
    for command in ["run", "rotate", "set-expiration", "set-login-alias", "generate", "schema", "dry-run"] {
        assert!(script.contains(command), "{shell} knows nothing of {command}");
    }
    let checker = Command::new(shell).arg("-n").arg(write(&bench, &script)).output();
    // Where the shell is there, it must take the script.
    assert!(checker.is_err() || checker.unwrap().status.success());
}

fn write(bench: &Bench, script: &str) -> std::path::PathBuf {
    let path = bench.path("script");
    fs::write(&path, script).unwrap();
    path
}

#[test]
fn man_pages_are_written_into_a_directory_that_is_there() {
    let bench = Bench::new();
    let room = bench.path("man");
    let words = format!("man --out {} --json", room.display());
    bench.run_command(bare(&bench, &words)).ends_with(69).mentions("name a directory that is there");
    fs::create_dir(&room).unwrap();
    let told = bench.run_command(bare(&bench, &words)).ends_with(0).json();
    let files = told["files"].as_array().unwrap();
    assert_eq!(files.len(), fs::read_dir(&room).unwrap().count());
    for file in files {
        let page = fs::read_to_string(file.as_str().unwrap()).unwrap();
        assert!(page.contains(".TH") && page.contains(".SH NAME"), "{file}");
    }
    assert!(files.iter().any(|file| file.as_str().unwrap().ends_with("ncloud-rotator-tenant-set-expiration.1")));
    bench.run_command(bare(&bench, "man")).ends_with(64);
}
