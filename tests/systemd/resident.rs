//! The resident service in a booted systemd.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::boot::booted;
use crate::installed::{
    FILE, credential, drop_in, edit, install, journal, log, property, start, systemctl, try_systemctl, until_looked,
    until_property,
};
use crate::process::until;
use crate::units::{self, ONCE, RESIDENT, TIMER};

fn process() -> String {
    property("MainPID")
}

fn of_process(file: &str) -> String {
    let bytes = fs::read(format!("/proc/{}/{file}", process())).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn signal(signal: Signal) {
    kill(Pid::from_raw(process().parse().unwrap()), signal).unwrap();
}

#[test]
#[ignore = "boots systemd: .ci/run runs it"]
fn it_is_ready_with_its_credentials_and_tells_nobody() {
    booted("resident::it_is_ready_with_its_credentials_and_tells_nobody", || {
        let installed = install();
        for unit in [RESIDENT, ONCE, TIMER] {
            let output = Command::new("systemd-analyze").args(["verify", "--man=no", unit]).output().unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{unit}");
        }
        start();
        assert_eq!(property("ActiveState"), "active");
        installed.is_settled(1);

        // Who it is, and what it keeps.
        let owner = |path: &str| fs::metadata(path).unwrap().uid();
        let mode = |path: &str| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let user = owner("/var/lib/ncloud-rotator-vault/");
        assert!((61184..=65519).contains(&user), "{user} is no dynamic user");
        for path in ["/var/lib/ncloud-rotator/", "/var/lib/ncloud-rotator-vault/", "/run/ncloud-rotator/"] {
            assert_eq!((owner(path), mode(path)), (user, 0o700), "{path}");
        }
        assert!(Path::new("/var/lib/ncloud-rotator/journal.sqlite").exists());

        // What others see of it.
        for (file, told) in [("environ", of_process("environ")), ("cmdline", of_process("cmdline")), ("the log", log())]
        {
            let secret = installed.secrets().into_iter().find(|secret| told.contains(secret.as_str()));
            assert_eq!(secret, None, "{file}");
        }
        let limits = of_process("limits");
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
        // Its own user has no right but the limit, which a machine that is itself confined may not be able to lift.
        let limit = limits.lines().find_map(|line| line.strip_prefix("Max locked memory")).unwrap();
        let is_lifted = limit.trim_start().starts_with("unlimited");
        let status = of_process("status");
        let locked = status.lines().find_map(|line| line.strip_prefix("VmLck:")).unwrap().trim();
        assert_eq!(locked != "0 kB", is_lifted, "{locked} are locked, by a limit of {limit}");
        let output =
            Command::new("systemd-analyze").args(["security", "--threshold=11", "--no-pager", RESIDENT]).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));

        // The journal knows a line's priority.
        assert!(journal(&["--priority=info"]).contains("event=\"started\""), "{}", log());
        assert!(!journal(&["--priority=warning"]).contains("event=\"started\""), "{}", log());
    });
}

#[test]
#[ignore = "boots systemd: .ci/run runs it"]
fn a_credential_that_is_not_there_is_named() {
    booted("resident::a_credential_that_is_not_there_is_named", || {
        let _installed = install();
        fs::remove_file(credential("age-identity")).unwrap();
        assert!(!try_systemctl(&format!("start {RESIDENT}")).status.success());
        assert!(log().contains("there is no credential \"age-identity\""), "{}", log());
    });
}

#[test]
#[ignore = "boots systemd: .ci/run runs it"]
fn credentials_may_be_encrypted() {
    booted("resident::credentials_may_be_encrypted", || {
        let installed = install();
        fs::create_dir_all("/etc/credstore.encrypted").unwrap();
        for name in ["access-key", "secret-key", "age-identity"] {
            let sealed = format!("/etc/credstore.encrypted/ncloud-rotator.{name}");
            let mut command = Command::new("systemd-creds");
            let command = command.args(["encrypt", "--with-key=host", &format!("--name={name}")]);
            let output = command.arg(credential(name)).arg(&sealed).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            fs::rename(credential(name), format!("/etc/{name}")).unwrap();
        }
        fs::write("/etc/credstore/ncloud-rotator.aws", "[default]\n").unwrap();
        let settings =
            ["encrypted-credentials.conf", "aws-credentials.conf"].map(|name| units::text(&format!("drop-ins/{name}")));
        drop_in(RESIDENT, &settings.map(|text| text.split_once("[Service]\n").unwrap().1.to_owned()).concat());
        start();
        fs::rename("/etc/age-identity", credential("age-identity")).unwrap();
        installed.is_settled(1);
        let aws = "AWS_SHARED_CREDENTIALS_FILE=/run/credentials/ncloud-rotator.service/aws";
        assert!(of_process("environ").split('\0').any(|variable| variable == aws), "{}", of_process("environ"));
    });
}

#[test]
#[ignore = "boots systemd: .ci/run runs it"]
fn a_reload_takes_a_good_file_and_refuses_a_bad_one_and_the_service_stays_up() {
    booted("resident::a_reload_takes_a_good_file_and_refuses_a_bad_one_and_the_service_stays_up", || {
        let installed = install();
        start();
        let (first, sends) = (process(), installed.emulator.sends().len());
        edit("rate = \"100/s\"", "rate = \"50/s\"");
        systemctl(&format!("reload {RESIDENT}"));
        // Before 253 `systemctl` may be back before the service has read it.
        until("the reload", || log().contains("event=\"config-changed\" key=\"tenants.main.rate\""));
        until("its end", || log().contains("event=\"reloaded\""));

        // `systemctl` fails, the status tells why, and the service goes on with what it has.
        let good = edit("expiration_days = 90", "expiration_days = 91");
        assert!(!try_systemctl(&format!("reload {RESIDENT}")).status.success());
        signal(Signal::SIGHUP);
        until_property("StatusText", |status| status.ends_with("file is refused, the earlier one in force"));
        until_property("ActiveState", |state| state == "active");
        assert!(journal(&["--priority=err"]).contains("event=\"reload-refused\""), "{}", log());

        fs::write(FILE, good).unwrap();
        systemctl(&format!("reload {RESIDENT}"));
        until_property("StatusText", |status| !status.contains("refused"));

        assert_eq!((process(), installed.emulator.sends().len()), (first, sends));
        installed.is_settled(1);
    });
}

#[test]
#[ignore = "boots systemd: .ci/run runs it"]
fn a_hung_engine_is_killed_and_recovers_and_an_idle_one_is_fed() {
    booted("resident::a_hung_engine_is_killed_and_recovers_and_an_idle_one_is_fed", || {
        let installed = install();
        drop_in(RESIDENT, "WatchdogSec=3s\nRestartSec=100ms");
        start();
        let (first, sends) = (process(), installed.emulator.sends().len());
        for _ in 0..4 {
            let fed = property("WatchdogTimestampMonotonic");
            until_property("WatchdogTimestampMonotonic", |now| now != fed);
        }
        assert_eq!((process(), property("NRestarts").as_str()), (first.clone(), "0"));

        signal(Signal::SIGSTOP);
        until_property("NRestarts", |restarts| restarts == "1");
        until_looked();
        assert_ne!(process(), first);
        let everything = Command::new("journalctl").args(["--no-pager", "--quiet", "-u", RESIDENT]).output().unwrap();
        let told = String::from_utf8_lossy(&everything.stdout).into_owned();
        assert!(told.contains("Watchdog timeout") && told.contains("status=9/KILL"), "{told}");
        assert_eq!(installed.emulator.sends().len(), sends);
        installed.is_settled(1);
    });
}

#[test]
#[ignore = "boots systemd: .ci/run runs it"]
fn a_stop_in_mid_rotation_waits_for_the_answer() {
    booted("resident::a_stop_in_mid_rotation_waits_for_the_answer", || {
        let installed = install();
        installed.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
        systemctl(&format!("start {RESIDENT}"));
        installed.emulator.until_sent("svc-batch", 1);
        systemctl(&format!("stop --no-block {RESIDENT}"));
        until_property("StatusText", |status| status.starts_with("ending; "));
        assert_eq!(property("ActiveState"), "deactivating");
        installed.emulator.release();
        until_property("ActiveState", |state| state == "inactive");
        assert_eq!((property("Result").as_str(), property("ExecMainStatus").as_str()), ("success", "0"));
        installed.has("svc-batch", 1);
    });
}

#[test]
#[ignore = "boots systemd: .ci/run runs it"]
fn a_stop_without_an_answer_leaves_what_the_next_start_finishes() {
    booted("resident::a_stop_without_an_answer_leaves_what_the_next_start_finishes", || {
        let installed = install();
        // Shorter than the answer is waited for: the service asks for the time that it needs.
        drop_in(RESIDENT, "TimeoutStopSec=1s");
        installed.emulator.fault_once("svc-batch", &json!({ "hold": {} }));
        systemctl(&format!("start {RESIDENT}"));
        installed.emulator.until_sent("svc-batch", 1);
        systemctl(&format!("stop {RESIDENT}"));
        assert_eq!((property("Result").as_str(), property("ExecMainStatus").as_str()), ("success", "0"), "{}", log());
        let last = log().lines().find(|line| line.contains("event=\"stopped\"")).unwrap_or_default().to_owned();
        assert!(last.contains("main/sub-account/svc-batch"), "{}", log());
        let pending = installed.vault.password(&installed.secret("svc-batch"), "pending").expect("it is pending");

        installed.emulator.release();
        start();
        until("the rotation's end", || installed.vault.password(&installed.secret("svc-batch"), "pending").is_none());
        assert_eq!(installed.vault.password(&installed.secret("svc-batch"), "current"), Some(pending));
        assert_eq!(installed.emulator.passwords_tried("svc-batch"), 1);
        let changes = installed.emulator.account("svc-batch").changes;
        installed.has("svc-batch", changes);
    });
}

#[test]
#[ignore = "boots systemd: .ci/run runs it"]
fn no_restart_rotates_and_a_killed_service_comes_back() {
    booted("resident::no_restart_rotates_and_a_killed_service_comes_back", || {
        let installed = install();
        drop_in(RESIDENT, "RestartSec=100ms");
        start();
        let sends = installed.emulator.sends().len();
        systemctl(&format!("restart {RESIDENT}"));
        until_looked();
        signal(Signal::SIGKILL);
        until_property("NRestarts", |restarts| restarts == "1");
        until_looked();
        systemctl(&format!("stop {RESIDENT}"));
        fs::remove_dir_all("/var/lib/private/ncloud-rotator").unwrap();
        start();
        assert_eq!(installed.emulator.sends().len(), sends);
        installed.is_settled(1);
    });
}

#[test]
#[ignore = "boots systemd: .ci/run runs it"]
fn a_wrong_configuration_is_not_tried_again() {
    booted("resident::a_wrong_configuration_is_not_tried_again", || {
        let _installed = install();
        drop_in(RESIDENT, "RestartSec=100ms");
        edit("[policies.default]", "[policies.other]");
        assert!(!try_systemctl(&format!("start {RESIDENT}")).status.success());
        until_property("ActiveState", |state| state == "failed");
        assert_eq!((property("ExecMainStatus").as_str(), property("NRestarts").as_str()), ("78", "0"));
    });
}

#[test]
#[ignore = "boots systemd: .ci/run runs it"]
fn a_command_of_an_operator_works_on_the_services_own_vault() {
    booted("resident::a_command_of_an_operator_works_on_the_services_own_vault", || {
        let installed = install();
        let script = units::shipped().join("ncloud-rotator-as-service");
        let run = |words: &[&str]| {
            let output = Command::new(&script).args(words).output().unwrap();
            let said = [output.stdout, output.stderr].concat();
            (output.status.code(), String::from_utf8(said).unwrap())
        };
        // Before the first start, beside the service, and after it.
        let (code, said) = run(&["check"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(installed.emulator.sends().len(), 0);
        start();
        let (code, said) = run(&["rotate", "svc-batch", "--yes"]);
        assert_eq!(code, Some(0), "{said}");
        let live = installed.emulator.account("svc-batch");
        assert_eq!(live.changes, 2);
        // The service did it, and is still there to be asked.
        let (code, said) = run(&["history", "svc-batch", "--json"]);
        assert!(code == Some(0) && said.contains("\"by\": \"peer\""), "{said}");
        let socket = fs::symlink_metadata("/run/ncloud-rotator/admin.sock").unwrap();
        assert_eq!(socket.permissions().mode() & 0o777, 0o600);
        assert_eq!(socket.uid(), fs::metadata("/run/ncloud-rotator/").unwrap().uid());
        let (code, said) = run(&["reload"]);
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(installed.emulator.account("svc-batch").changes, 2);
        let (code, said) = run(&["secret", "show", "svc-batch", "--reveal"]);
        assert!(code == Some(0) && said.contains(&live.password), "{code:?}");
        systemctl(&format!("restart {RESIDENT}"));
        until_looked();
        assert!(!log().contains("vault-unreadable"), "{}", log());
        assert_eq!(installed.emulator.account("svc-batch").changes, 2);
        assert_eq!(run(&["rotate", "no-such-account", "--yes"]).0, Some(64));

        // What the unit says of its credentials' directory is said of the command's.
        drop_in(RESIDENT, &format!("LoadCredential=file:{FILE}\nEnvironment=NCLOUD_ROTATOR_CONFIG=%d/file"));
        let (code, said) = run(&["check"]);
        assert!(code == Some(0) && said.contains("/run/credentials/ncloud-rotator-command-"), "{said}");
    });
}
