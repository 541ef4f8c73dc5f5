//! A configuration that changes under the daemon.

use std::fs;
use std::os::unix::fs::symlink;

use nix::sys::signal::Signal;

use crate::bench::{ACTIVE, Bench};
use crate::process::{Running, until};

/// A daemon that knows svc-batch alone, and has rotated it.
fn daemon(bench: &Bench) -> Running {
    bench.edit("names  = [\"svc-*\", \"doyun.lee\"]", "names  = [\"svc-batch\"]");
    bench.edit("kind   = \"data-forest\"\nnames  = [\"*\"]", "kind   = \"data-forest\"\nnames  = [\"df001\"]");
    let running = bench.start("run");
    running.says("event=\"next\"");
    assert_eq!(bench.emulator.sends().len(), 2);
    running
}

fn ends_well(running: Running) -> String {
    running.signal(Signal::SIGTERM);
    running.finish().ends_with(0).out
}

#[test]
fn a_changed_file_takes_effect_and_is_told_key_by_key() {
    let bench = Bench::new();
    let running = daemon(&bench);
    bench.edit("names  = [\"svc-batch\"]", "names  = [\"svc-batch\", \"svc-report\"]");
    running.says_so(
        |said| said.lines().any(|line| line.contains("event=\"rotated\"") && line.contains("svc-report")),
        "that the account of the changed rule is rotated",
    );
    let said = ends_well(running);
    let told = said.lines().find(|line| line.contains("event=\"config-changed\"")).unwrap();
    assert!(told.contains("key=\"accounts[0].names[1]\"") && told.contains(r#"to="\"svc-report\"""#), "{told}");
    assert!(said.contains("event=\"reloaded\""), "{said}");
    for name in ["svc-batch", "svc-report", "df001"] {
        bench.is_settled(name, 1);
    }
}

/// Lists of a stopped tenant are not read before it goes on.
#[test]
fn accounts_that_are_kept_apart_do_not_wait_for_another_tenants_keys() {
    let bench = Bench::new();
    bench.edit("on_adopt        = \"rotate\"", "on_adopt        = \"defer\"");
    bench.edit("state_dir = \"state\"", "state_dir = \"state\"\napart = [[\"svc-batch\", \"svc-report\"]]");
    let text = fs::read_to_string(bench.config()).unwrap();
    let tenant = &text[text.find("[tenants.main]").unwrap()..text.find("[vaults.local]").unwrap()];
    let other = tenant.replace("tenants.main", "tenants.other").replace("NCLOUD_SECRET_KEY", "NCLOUD_ACCESS_KEY");
    let rule = "[[accounts]]\ntenant = \"other\"\nkind   = \"sub-account\"\nnames  = [\"app-*\"]\nvault  = \"local\"\n";
    bench.write(&format!("{text}\n{other}\n{rule}"));
    let running = bench.start("run");
    running.says("event=\"tenant-stopped\"");
    running.says("event=\"next\"");
    bench.edit("on_adopt        = \"defer\"", "on_adopt        = \"rotate\"");
    until("one of both", || {
        bench.emulator.accounts().iter().filter(|live| live.changes > 0).count() == ACTIVE.len() - 1
    });
    running.signal(Signal::SIGTERM);
    running.finish();
    let changes = ["svc-batch", "svc-report"].map(|name| bench.emulator.account(name).changes);
    assert_eq!(changes.iter().sum::<u64>(), 1, "{changes:?}");
    bench.holds_the_promise();
}

#[test]
fn another_expiration_is_told_with_what_follows_and_recorded() {
    let bench = Bench::new();
    let running = daemon(&bench);
    // Data Forest has no setting of its own.
    bench.edit("expiration_days = 90", "expiration_days = 60");
    running.says("event=\"expiration-changed\"");
    let said = ends_well(running);
    let told = said.lines().find(|line| line.contains("event=\"expiration-changed\"")).unwrap();
    let words = ["kind=data-forest", r#"from="90 days" to="60 days""#, "accounts=1", "overdue=0", r#"until="-""#];
    assert!(words.iter().all(|word| told.contains(word)), "{told}");
    let exported = bench.run("audit export").ends_with(0).out;
    let row = exported.lines().find(|line| line.contains("expiration-changed")).unwrap();
    assert!(row.contains(r#""from":"90 days""#) && row.contains(r#""to":"60 days""#), "{row}");
}

#[test]
fn a_bad_file_is_told_with_its_errors_and_the_old_one_stays_in_force() {
    let bench = Bench::new();
    let running = daemon(&bench);
    bench.edit("rotate_before   = \"14d\"", "rotate_before   = \"soon\"\ntypo = 1");
    running.says("event=\"reload-refused\"");
    bench.edit("rotate_before   = \"soon\"\ntypo = 1", "rotate_before   = \"13d\"");
    running.says("event=\"reloaded\"");
    let said = ends_well(running);
    let told = |what: &str| said.lines().any(|line| line.contains("event=\"reload-problem\"") && line.contains(what));
    assert!(told("rotate_before") && told("typo"), "{said}");
    let changed: Vec<_> = said.lines().filter(|line| line.contains("event=\"config-changed\"")).collect();
    assert!(matches!(changed.as_slice(), [one] if one.contains("policies.default.rotate_before")), "{changed:?}");
    assert_eq!(bench.emulator.sends().len(), 2, "nothing is rotated because of a reload");
}

/// What the daemon holds open or counts by cannot be exchanged under it.
#[test]
fn a_state_directory_is_not_exchanged_under_the_daemon() {
    let bench = Bench::new();
    let running = daemon(&bench);
    bench.edit("state_dir = \"state\"", "state_dir = \"elsewhere\"");
    running.says("event=\"reload-refused\"");
    assert!(ends_well(running).contains("state_dir cannot be changed while the daemon runs"));
}

#[test]
fn a_hang_up_lists_and_reads_anew_and_rotates_nothing() {
    let bench = Bench::new();
    let running = daemon(&bench);
    let lists = || bench.emulator.calls("sub-accounts").len();
    let before = lists();
    running.signal(Signal::SIGHUP);
    running.says("event=\"reloaded\"");
    until("another list", || lists() > before);
    ends_well(running);
    assert_eq!(bench.emulator.sends().len(), 2);
}

/// As Kubernetes mounts a `ConfigMap`: the file is a link through a link to a directory, and that link is swapped.
#[test]
fn a_swapped_link_is_a_changed_file() {
    let bench = Bench::new();
    bench.edit("\"state\"", &format!("{:?}", bench.path("state")));
    bench.edit("\"vault\"", &format!("{:?}", bench.path("vault")));
    bench.edit("\"identity.txt\"", &format!("{:?}", bench.path("identity.txt")));
    let mounted = bench.path("mounted");
    let version = |name: &str, rotate_before: &str| {
        fs::create_dir_all(mounted.join(name)).unwrap();
        let text = fs::read_to_string(bench.config()).unwrap();
        let text = text.replace("rotate_before   = \"14d\"", &format!("rotate_before = {rotate_before:?}"));
        fs::write(mounted.join(name).join("rotator.toml"), text).unwrap();
    };
    version("..1", "14d");
    symlink("..1", mounted.join("..data")).unwrap();
    symlink("..data/rotator.toml", mounted.join("rotator.toml")).unwrap();
    let mut command = bench.command(&["run"]);
    command.env("NCLOUD_ROTATOR_CONFIG", mounted.join("rotator.toml"));
    let running = bench.start_command(command);
    running.says("event=\"next\"");
    version("..2", "10d");
    symlink("..2", mounted.join("..next")).unwrap();
    fs::rename(mounted.join("..next"), mounted.join("..data")).unwrap();
    running.says("event=\"reloaded\"");
    assert!(ends_well(running).contains("to=\"\\\"10d\\\"\""));
    assert_eq!(bench.emulator.sends().len(), ACTIVE.len());
}

/// A pipe would be waited for, and a device read for ever.
#[test]
fn a_file_that_is_none_any_more_is_refused_and_the_daemon_goes_on() {
    let bench = Bench::new();
    let running = daemon(&bench);
    let text = fs::read_to_string(bench.config()).unwrap();
    for place in ["/dev/zero", "/dev/ptmx"] {
        fs::remove_file(bench.config()).unwrap();
        symlink(place, bench.config()).unwrap();
        running.signal(Signal::SIGHUP);
        running.says("it is no regular file");
    }
    fs::remove_file(bench.config()).unwrap();
    bench.write(&text);
    bench.run("status").ends_with(0);
    ends_well(running);
}
