//! Bad days (`docs/runbook.md`): whatever breaks below or beside a rotation, no password is lost and the operator is told.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::bench::Bench;
use crate::clock::faketime;
use crate::process::{Running, until};

/// A file system of its own, small enough to be filled.
struct Disk(PathBuf);

impl Disk {
    /// None where file systems cannot be mounted, which is said.
    fn at(place: &Path) -> Option<Self> {
        fs::create_dir_all(place).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "tmpfs"]).arg(place).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(place.to_owned()));
        }
        // Not captured, unlike what a test prints.
        let _ = writeln!(std::io::stderr(), "skipped: only root can mount the file system that this test fills");
        None
    }

    fn filler(&self) -> PathBuf {
        self.0.join(".filler")
    }

    fn fill(&self) {
        let mut filler = fs::File::create(self.filler()).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn remount(&self, how: &str) {
        let done = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn ends(running: Running) {
    running.signal(Signal::SIGTERM);
    running.finish().ends_with(0);
}

fn rotates(running: &Running, account: &str) {
    let wanted = |said: &str| said.lines().any(|line| line.contains("event=\"rotated\"") && line.contains(account));
    running.says_so(wanted, &format!("that {account} is rotated"));
}

#[test]
fn with_a_full_disk_under_the_vault_nothing_is_sent_and_what_was_applied_is_promoted_later() {
    let bench = Bench::new();
    let Some(disk) = Disk::at(bench.vault.root()) else { return };
    bench.run("rotate svc-batch").ends_with(0);
    disk.fill();
    bench.run("rotate svc-report --wait 0s").ends_with(75).mentions("no space is left");
    assert_eq!(bench.emulator.sends_of("svc-report").len(), 0, "what is not staged is not sent");
    bench.run("status").ends_with(0);
    disk.make_room();

    bench.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
    let running = bench.start("rotate svc-batch --wait 0s");
    bench.emulator.until_sent("svc-batch", 2);
    disk.fill();
    bench.emulator.release();
    running.finish().ends_with(75).mentions("no space is left");
    bench.holds_the_promise();
    let told = bench.run("status --json").ends_with(75).json();
    let line = told["accounts"].as_array().unwrap().iter().find(|line| line["account"] == "main/sub-account/svc-batch");
    assert_eq!(line.unwrap()["waits_for"], "turn", "it was accepted, and waits for nothing but room");
    disk.make_room();
    bench.run("rotate svc-batch svc-report").ends_with(0);
    bench.is_settled("svc-batch", 2);
    bench.is_settled("svc-report", 1);
}

#[test]
fn with_a_full_disk_under_the_journal_nothing_is_sent_that_cannot_be_recorded() {
    let bench = Bench::new();
    let Some(disk) = Disk::at(&bench.state()) else { return };
    bench.run("rotate svc-batch").ends_with(0);
    bench.emulator.fault(&json!({ "call": "sub-accounts", "fault": { "hold": {} } }));
    let running = bench.start("rotate svc-report --wait 60s");
    until("the list's request", || bench.emulator.requests().iter().any(|entry| entry["fault"] == "hold"));
    disk.fill();
    bench.emulator.release();
    running.complains("the disk is full");
    assert_eq!(bench.emulator.sends_of("svc-report").len(), 0);
    bench.holds_the_promise();
    disk.make_room();
    running.finish().ends_with(0);
    bench.is_settled("svc-report", 1);
}

#[test]
fn a_state_directory_that_is_read_only_is_named_and_looking_goes_on() {
    let bench = Bench::new();
    let Some(disk) = Disk::at(&bench.state()) else { return };
    bench.run("rotate svc-batch").ends_with(0);
    disk.remount("ro");
    for words in ["rotate svc-batch", "run", "check"] {
        bench.run(words).ends_with(77).mentions(&bench.state().display().to_string());
    }
    bench.run("secret show svc-batch").ends_with(0);
    bench.run("status").ends_with(0).mentions("svc-batch");
    assert_eq!(bench.emulator.sends().len(), 1);
    disk.remount("rw");
    bench.run("rotate svc-batch").ends_with(0);
    bench.is_settled("svc-batch", 2);
}

#[test]
fn a_state_directory_deleted_under_the_daemon_loses_no_password_and_rotates_nothing() {
    let bench = Bench::with_short_fence();
    bench.emulator.fault_always("svc-batch", &json!("drop-after"));
    let running = bench.start("run");
    bench.emulator.until_sent("svc-batch", 2);
    bench.lose_state();
    bench.emulator.clear_faults();
    rotates(&running, "svc-batch");
    running.says("event=\"next\"");
    ends(running);
    let sends = bench.emulator.sends().len();
    let running = bench.start("run");
    running.says("event=\"next\"");
    ends(running);
    assert_eq!(bench.emulator.sends().len(), sends, "a restart rotates nothing");
    assert_eq!(bench.emulator.passwords_tried("svc-batch"), 1);
    bench.is_settled("svc-batch", bench.emulator.account("svc-batch").changes);
    bench.run("rotate svc-batch").ends_with(0);
    bench.is_settled("svc-batch", bench.emulator.account("svc-batch").changes);
}

#[test]
fn while_the_clock_steps_away_nothing_is_applied_and_when_it_is_right_again_it_goes_on() {
    let Some(library) = faketime() else {
        let _ = writeln!(std::io::stderr(), "skipped: faketime is not installed (Debian: apt-get install faketime)");
        return;
    };
    let bench = Bench::new();
    let offset = bench.path("offset");
    let step = |text: &str| {
        fs::write(bench.path("offset.next"), text).unwrap();
        fs::rename(bench.path("offset.next"), &offset).unwrap();
    };
    step("+0");
    bench.emulator.fault_once("svc-batch", &json!({ "hold": { "then": "drop-before" } }));
    let mut command = bench.command(&["run"]);
    command.env("LD_PRELOAD", &library).env("FAKETIME_TIMESTAMP_FILE", &offset).env("FAKETIME_NO_CACHE", "1");
    let running = bench.start_command({
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command
    });
    bench.emulator.until_sent("svc-batch", 1);
    step("+600");
    bench.emulator.release();
    running.says("waits_for=\"clock-skew\"");
    assert_eq!(bench.emulator.sends_of("svc-batch").len(), 1, "nothing is applied by such a clock");
    bench.holds_the_promise();
    step("+0");
    rotates(&running, "svc-batch");
    ends(running);
    assert_eq!(bench.emulator.passwords_tried("svc-batch"), 1);
    bench.is_settled("svc-batch", 1);
}

#[test]
fn an_account_suspended_under_the_daemon_keeps_its_rotation_until_it_is_back() {
    let bench = Bench::new();
    bench.emulator.fault_always("df001", &json!("drop-before"));
    let running = bench.start("run");
    bench.emulator.until_sent("df001", 1);
    bench.emulator.change(&json!({ "op": "set", "account": "df001", "disabled": true }));
    ends(running);
    let pending = bench.stored("df001", "pending");
    bench.emulator.clear_faults();
    let sends = bench.emulator.sends_of("df001").len();
    let running = bench.start("run");
    running.says("event=\"next\"");
    running.says_so(|said| said.lines().any(|l| l.contains("skipped") && l.contains("df001")), "that it is skipped");
    ends(running);
    assert_eq!((bench.stored("df001", "pending"), bench.emulator.sends_of("df001").len()), (pending, sends));
    bench.emulator.change(&json!({ "op": "set", "account": "df001", "disabled": false }));
    let running = bench.start("run");
    rotates(&running, "df001");
    ends(running);
    bench.is_settled("df001", 1);
}

#[test]
fn other_keys_that_a_person_changes_under_a_rotation_survive_it() {
    let bench = Bench::new();
    bench.run("rotate svc-batch").ends_with(0);
    bench.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
    let running = bench.start("rotate svc-batch");
    bench.emulator.until_sent("svc-batch", 2);
    let secret = bench.secret("svc-batch");
    let mut document = bench.vault.open(&secret).unwrap();
    document["current"]["value"]["database"] = json!({ "host": "db2" });
    bench.vault.write(&secret, &document);
    bench.emulator.release();
    running.finish().ends_with(0);
    let document = bench.vault.open(&secret).unwrap();
    assert_eq!(document["current"]["value"]["database"], json!({ "host": "db2" }));
    bench.is_settled("svc-batch", 2);
}

/// The same account under two configurations, which call its tenant by two names.
fn a_second_configuration(bench: &Bench, secret: &str) -> PathBuf {
    let text = fs::read_to_string(bench.config()).unwrap();
    let rules = format!("vault  = \"local\"\nsecret = \"{secret}\"");
    let text = text.replace("tenants.main", "tenants.other").replace("tenant = \"main\"", "tenant = \"other\"");
    let text = text.replace("state_dir = \"state\"", "state_dir = \"elsewhere\"").replace("vault  = \"local\"", &rules);
    let file = bench.path("second.toml");
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn two_configurations_that_keep_one_account_in_one_secret_work_with_each_other() {
    let bench = Bench::with_short_fence();
    let second = a_second_configuration(&bench, "ncloud/main/{kind}/{name}");
    let rotate = |file: &Path| {
        let mut command = bench.command(&["rotate", "svc-batch", "df001"]);
        command.env("NCLOUD_ROTATOR_CONFIG", file);
        bench.start_command(command)
    };
    for _ in 0..2 {
        let running = [rotate(&bench.config()), rotate(&second)];
        for running in running {
            running.finish().ends_with(0);
        }
        for name in ["svc-batch", "df001"] {
            bench.is_settled(name, bench.emulator.account(name).changes);
        }
    }
}

/// No vault can tell: whoever rotated last is right, and the other one is behind until it rotates again.
#[test]
fn two_configurations_with_a_secret_each_leave_only_the_last_one_right() {
    let bench = Bench::new();
    let second = a_second_configuration(&bench, "other/{kind}/{name}");
    bench.run("rotate svc-batch").ends_with(0);
    let mut command = bench.command(&["rotate", "svc-batch"]);
    command.env("NCLOUD_ROTATOR_CONFIG", &second);
    bench.run_command(command).ends_with(0);
    let live = bench.emulator.account("svc-batch").password;
    assert_eq!(bench.vault.password("other/sub-account/svc-batch", "current"), Some(live.clone()));
    assert_ne!(bench.stored("svc-batch", "current"), Some(live));
    bench.run("rotate svc-batch").ends_with(0);
    assert_eq!(bench.stored("svc-batch", "current"), Some(bench.emulator.account("svc-batch").password));
}
