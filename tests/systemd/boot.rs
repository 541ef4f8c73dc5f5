//! A test within a booted systemd: this machine's own `/usr`, read-only, with everything else fresh and gone afterwards.
//!
//! The test's own executable is started again as a unit of that systemd, and runs the same test there.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use crate::units;

/// Set within the machine.
const INSIDE: &str = "NCLOUD_ROTATOR_BOOTED";
/// Says that a machine without root or containers may skip these tests.
const SKIP: &str = "NCLOUD_ROTATOR_SKIP_SYSTEMD";
/// Seconds that a machine may take, booting and shutting down included.
const PATIENCE: &str = "180";

/// Runs `test`, which is the body of the test `name`, within a booted systemd.
#[track_caller]
pub(crate) fn booted(name: &str, test: impl FnOnce()) {
    if variable(INSIDE).is_some() {
        test();
        fs::write("/out/passed", "").unwrap();
        return;
    }
    if variable(SKIP).is_some_and(|value| value == "1") {
        skipped();
        return;
    }
    let lacks = |what: &str| panic!("{what}; set {SKIP}=1 to do without the tests that boot systemd");
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        lacks("only root can boot a systemd");
    }
    if Command::new("systemd-nspawn").arg("--version").output().is_err() {
        lacks("there is no systemd-nspawn (Debian: apt-get install systemd-container)");
    }
    let dir = tempfile::Builder::new().prefix("boot").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let ended = boot(name, dir.path());
    let [told, console] = ["out/log", "console"].map(|file| {
        let read = fs::read(dir.path().join(file));
        read.map_or_else(|error| error.to_string(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
    });
    assert!(dir.path().join("out/passed").exists(), "{ended}\nwithin systemd:\n{told}\nthe console:\n{console}");
}

#[expect(clippy::disallowed_methods, reason = "a test that boots a machine asks who starts it, and where it runs")]
fn variable(name: &str) -> Option<OsString> {
    env::var_os(name)
}

#[expect(clippy::print_stderr, reason = "a test that was skipped says so")]
fn skipped() {
    eprintln!("skipped, by {SKIP}=1");
}

/// Boots a machine that does nothing but this test, and returns when it is off again. How it ended tells only how a failure
/// came about: whether the test passed, the test itself says.
fn boot(name: &str, dir: &Path) -> ExitStatus {
    let [units, programs, out] = ["units", "programs", "out"].map(|name| {
        fs::create_dir(dir.join(name)).unwrap();
        dir.join(name).display().to_string()
    });
    // What a service's user may read.
    fs::set_permissions(&programs, fs::Permissions::from_mode(0o755)).unwrap();
    let installed = Path::new(&programs).join("ncloud-rotator");
    fs::hard_link(units::PROGRAM, &installed).or_else(|_| fs::copy(units::PROGRAM, &installed).map(drop)).unwrap();
    let suite = env::current_exe().unwrap();
    install(Path::new(&units), &suite, name);

    let built = Path::new(units::PROGRAM).parent().unwrap().display().to_string();
    let words = [
        "--quiet".to_owned(),
        "--directory=/".to_owned(),
        "--volatile=yes".to_owned(),
        "--register=no".to_owned(),
        "--keep-unit".to_owned(),
        "--settings=no".to_owned(),
        "--private-network".to_owned(),
        "--console=pipe".to_owned(),
        // As random as the directory.
        format!("--machine={}", dir.file_name().unwrap().display()),
        format!("--bind={units}:/etc/systemd/system"),
        format!("--bind={out}:/out"),
        format!("--bind-ro={programs}:/usr/local/bin"),
        // Where the tests look for the program, and the certificates without which there is no client.
        format!("--bind-ro={built}"),
        format!("--bind-ro={}", units::shipped().display()),
        "--bind-ro=/etc/ssl".to_owned(),
        "--boot".to_owned(),
        "systemd.firstboot=off".to_owned(),
        "systemd.unit=scenario.target".to_owned(),
        "systemd.mask=nftables.service".to_owned(),
        "systemd.mask=systemd-networkd-wait-online.service".to_owned(),
    ];
    let console = fs::File::create(dir.join("console")).unwrap();
    let ended = Command::new("unshare")
        .args(["--mount", "--propagation=private", "sh", "-c", ALONE, "sh"])
        .arg(dir.file_name().unwrap())
        .args(["timeout", "-s", "KILL", PATIENCE, "systemd-nspawn"])
        .args(words)
        .stdin(Stdio::null())
        .stdout(console.try_clone().unwrap())
        .stderr(console)
        .status();
    ended.expect("unshare starts")
}

/// Runs a command with a `/run` and control groups of its own: two machines, and a machine within a container, are not in each
/// other's way. Without groups of its own a machine uses its caller's, and so does the other one: the first one to be off
/// removes the group of a unit that the other one is about to start.
const ALONE: &str = r#"
name=$1; shift
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/nspawn || exit
own() {
    for tree in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
        case $tree in */systemd) is='[^:]*:name=systemd:' ;; *) is=0:: ;; esac
        group=$(sed -n "s/^$is//p" /proc/self/cgroup)
        [ ! -e "$tree$group/cgroup.procs" ] || echo "$tree${group%/}/$name"
    done
}
groups=$(own)
for group in $groups; do mkdir "$group" || exit; done
(
    for group in $groups; do sh -c 'echo $PPID' >"$group/cgroup.procs" || exit; done
    exec "$@"
)
ended=$?
for group in $groups; do find "$group" -depth -type d -exec rmdir {} +; done
exit $ended
"#;

/// The units of the machine: those that are shipped, as they are, and the one that runs the test.
fn install(dir: &Path, suite: &Path, name: &str) {
    for unit in [units::RESIDENT, units::ONCE, units::TIMER] {
        fs::write(dir.join(unit), units::text(unit)).unwrap();
    }
    let suite = suite.display();
    let scenario = format!(
        "[Unit]\nSuccessAction=exit-force\nFailureAction=exit-force\n\n[Service]\nType=oneshot\nEnvironment={INSIDE}=1 RUST_BACKTRACE=0\n\
         ExecStart={suite} --ignored --exact {name} --nocapture\nStandardOutput=file:/out/log\nStandardError=inherit\n"
    );
    fs::write(dir.join("scenario.service"), scenario).unwrap();
    let target = "[Unit]\nRequires=scenario.service basic.target\nAfter=basic.target\n";
    fs::write(dir.join("scenario.target"), target).unwrap();
}
