//! What `systemd-analyze` says of the units, without booting them.

use std::fs;
use std::io;
use std::process::{Command, Output};

use crate::units::{self, ONCE, RESIDENT, TIMER};

/// The lowest exposure of a client that is honest about needing a network, times ten.
const EXPOSURE: &str = "--threshold=11";

/// Runs `systemd-analyze`; none where there is none, which `tests/run` tells.
fn analyze(words: &[&str], file: &str) -> Option<Output> {
    match Command::new("systemd-analyze").args(words).arg(file).env("SYSTEMD_COLORS", "0").output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            skipped();
            None
        }
        Err(error) => panic!("systemd-analyze: {error}"),
    }
}

#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
fn skipped() {
    eprintln!("skipped, for want of systemd-analyze on PATH");
}

/// What `verify` complains of. It ends with 0 after most complaints, so that what it says is what counts.
fn complaints(unit: &str, drop_in: Option<&str>) -> Option<String> {
    let dir = tempfile::tempdir().unwrap();
    units::install(dir.path());
    if let Some(name) = drop_in {
        let beside = dir.path().join(format!("{unit}.d"));
        fs::create_dir(&beside).unwrap();
        fs::write(beside.join(name), units::text(&format!("drop-ins/{name}"))).unwrap();
    }
    let file = dir.path().join(unit);
    let output = analyze(&["verify", "--man=no"], file.to_str().unwrap())?;
    Some(String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// The version of systemd here.
fn version() -> u32 {
    let output = Command::new("systemd-analyze").arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().nth(1).and_then(|version| version.parse().ok()).expect("a version")
}

#[test]
fn verify_has_nothing_to_say_of_any_unit() {
    for unit in [RESIDENT, ONCE, TIMER] {
        let Some(said) = complaints(unit, None) else { return };
        assert_eq!(said, "", "{unit}");
    }
}

#[test]
fn verify_has_nothing_to_say_of_any_drop_in() {
    for name in units::drop_ins() {
        let Some(said) = complaints(RESIDENT, Some(&name)) else { return };
        // An older systemd knows no such type: that is why it is a drop-in, and all that it may say.
        let is_known = name != "notify-reload.conf" || version() >= 253;
        let expected = |line: &str| !is_known && line.contains("Failed to parse service type, ignoring: notify-reload");
        let others: Vec<&str> = said.lines().filter(|line| !expected(line)).collect();
        assert!(others.is_empty() && (is_known || !said.is_empty()), "{name}: {said}");
    }
}

#[test]
fn a_mistake_is_complained_of() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(RESIDENT);
    fs::write(&file, units::text(RESIDENT).replace("ProtectHome=", "ProtectHouse=")).unwrap();
    let Some(output) = analyze(&["verify", "--man=no"], file.to_str().unwrap()) else { return };
    assert!(String::from_utf8(output.stderr).unwrap().contains("ProtectHouse"));
}

#[test]
fn the_exposure_is_the_lowest_that_a_network_client_reaches() {
    for unit in [RESIDENT, ONCE] {
        let file = units::shipped().join(unit);
        let words = ["security", "--offline=true", EXPOSURE, "--no-pager"];
        let Some(output) = analyze(&words, file.to_str().unwrap()) else { return };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

/// What lets everything through counts as an allow list for the score, and is none.
#[test]
fn no_unit_has_an_allow_list_that_allows_all() {
    for unit in [RESIDENT, ONCE] {
        let settings = units::settings(&units::text(unit), "Service");
        assert!(!settings.iter().any(|(key, _)| key.starts_with("IPAddress")), "{unit}");
    }
    let set = units::settings(&units::text("drop-ins/ip-allow-list.conf"), "Service");
    assert!(set.contains(&("IPAddressDeny".into(), "any".into())), "{set:?}");
    assert!(!set.contains(&("IPAddressAllow".into(), "any".into())), "{set:?}");
}

/// One sandbox for both: whoever hardens one hardens the other.
#[test]
fn both_services_are_confined_alike() {
    const OF_THE_RESIDENT: [&str; 9] = [
        "ExecReload",
        "Restart",
        "RestartPreventExitStatus",
        "RestartSec",
        "RuntimeDirectory",
        "RuntimeDirectoryMode",
        "SuccessExitStatus",
        "WatchdogSec",
        "WatchdogSignal",
    ];
    const OF_EACH: [&str; 5] = ["Type", "ExecStart", "NotifyAccess", "SuccessExitStatus", "TimeoutStartSec"];
    let confined = |unit: &str| {
        let mut settings = units::settings(&units::text(unit), "Service");
        settings.retain(|(key, _)| !OF_THE_RESIDENT.contains(&key.as_str()) && !OF_EACH.contains(&key.as_str()));
        settings
    };
    assert_eq!(confined(RESIDENT), confined(ONCE));
    assert!(confined(RESIDENT).len() > 40);
}

#[test]
fn the_units_say_what_the_program_needs_of_them() {
    let said = units::settings(&units::text(RESIDENT), "Service");
    for (key, value) in [
        ("Type", "notify"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
        ("Restart", "on-failure"),
        ("RestartPreventExitStatus", "64 78"),
        ("DynamicUser", "yes"),
        ("LimitCORE", "0"),
        ("LimitMEMLOCK", "infinity"),
        ("RuntimeDirectoryMode", "0700"),
        ("StateDirectoryMode", "0700"),
    ] {
        assert!(said.contains(&(key.into(), value.into())), "{key}={value}");
    }
}
