//! The service as docs/install-systemd.md installs it, on the machine that a test has booted; with an emulator beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use age::secrecy::ExposeSecret;
use ncloud_rotator::emulator::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY};

use crate::door::Emulator;
use crate::process::until;
use crate::units::RESIDENT;
use crate::vault::Vault;

/// Active accounts that the configuration matches.
pub(crate) const ACTIVE: [&str; 7] = ["svc-batch", "svc-report", "svc-backup", "svc-deploy", "df001", "df002", "df003"];

/// Where the configuration is.
pub(crate) const FILE: &str = "/etc/ncloud-rotator/ncloud-rotator.toml";

/// The one that is shipped, for an emulator and with everything rotated at once.
fn configuration(address: &str) -> String {
    let shipped = include_str!("../../config/systemd.toml").replace("#:schema ./schema.json\n", "");
    let endpoints = format!("endpoints = {{ sub_account = \"http://{address}\", data_forest = \"http://{address}\" }}");
    let rule = "[[accounts]]\ntenant = \"main\"\nkind   = \"data-forest\"\nnames  = [\"*\"]\nvault  = \"local\"\n";
    let mut text = format!("{shipped}\n{rule}");
    for (from, to) in [
        (
            "[vaults.local]",
            format!("{endpoints}\nrate = \"100/s\"\nrequest_timeout = \"4s\"\n\n[vaults.local]").as_str(),
        ),
        ("\"defer\"", "\"rotate\""),
        ("names  = [\"svc-*\"]", "names  = [\"svc-*\"]\nexcept = [\"svc-legacy\"]"),
    ] {
        assert!(text.contains(from), "the configuration says nothing of {from}");
        text = text.replace(from, to);
    }
    text
}

/// The service, its vault and the provider.
pub(crate) struct Installed {
    pub(crate) emulator: Emulator,
    pub(crate) vault: Vault,
}

/// Installs everything, and starts nothing.
pub(crate) fn install() -> Installed {
    let store = Path::new("/etc/credstore");
    make_dir(store, 0o700);
    make_dir(Path::new("/etc/ncloud-rotator"), 0o755);
    let identity = age::x25519::Identity::generate().to_string();
    for (name, secret) in
        [("access-key", DEMO_ACCESS_KEY), ("secret-key", DEMO_SECRET_KEY), ("age-identity", identity.expose_secret())]
    {
        write(&credential(name), &format!("{secret}\n"), 0o600);
    }
    let room = Path::new("/tmp/emulator");
    make_dir(room, 0o700);
    let emulator = Emulator::start(room, "5m");
    write(Path::new(FILE), &configuration(emulator.address()), 0o644);
    let vault = Vault::new("/var/lib/ncloud-rotator-vault/vault".into(), credential("age-identity"));
    Installed { emulator, vault }
}

/// A credential's file.
pub(crate) fn credential(name: &str) -> PathBuf {
    Path::new("/etc/credstore").join(format!("ncloud-rotator.{name}"))
}

fn make_dir(dir: &Path, mode: u32) {
    fs::create_dir_all(dir).unwrap();
    fs::set_permissions(dir, fs::Permissions::from_mode(mode)).unwrap();
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Changes the configuration where it says `from`; what it was.
#[track_caller]
pub(crate) fn edit(from: &str, to: &str) -> String {
    let text = fs::read_to_string(FILE).unwrap();
    assert!(text.contains(from), "the configuration says nothing of {from}");
    fs::write(FILE, text.replace(from, to)).unwrap();
    text
}

/// Adds settings to a unit.
pub(crate) fn drop_in(unit: &str, settings: &str) {
    let dir = Path::new("/etc/systemd/system").join(format!("{unit}.d"));
    fs::create_dir_all(&dir).unwrap();
    fs::write(dir.join("test.conf"), format!("[Service]\n{settings}\n")).unwrap();
    systemctl("daemon-reload");
}

/// `systemctl` with these words, however it ends.
pub(crate) fn try_systemctl(words: &str) -> Output {
    Command::new("systemctl").args(words.split_whitespace()).output().unwrap()
}

/// `systemctl` with these words, which must do what it is asked.
#[track_caller]
pub(crate) fn systemctl(words: &str) {
    let output = try_systemctl(words);
    assert!(output.status.success(), "systemctl {words}: {}\n{}", String::from_utf8_lossy(&output.stderr), log());
}

/// A property of the resident service.
pub(crate) fn property(name: &str) -> String {
    property_of(RESIDENT, name)
}

/// A property of a unit.
pub(crate) fn property_of(unit: &str, name: &str) -> String {
    let output = try_systemctl(&format!("show --property={name} --value {unit}"));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

/// Waits until a property of the resident service is as wanted.
#[track_caller]
pub(crate) fn until_property(name: &str, wanted: impl Fn(&str) -> bool) {
    let last = std::cell::RefCell::new(String::new());
    let is_so = || {
        let found = property(name);
        let so = wanted(&found);
        last.replace(found);
        so
    };
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| until(name, is_so)));
    assert!(found.is_ok(), "{name} stays {:?}\n{}", last.borrow(), log());
}

/// What the journal has of the services.
pub(crate) fn log() -> String {
    journal(&[])
}

/// The same, with these options of `journalctl`.
pub(crate) fn journal(options: &[&str]) -> String {
    let units = ["-u", RESIDENT, "-u", "ncloud-rotator-once.service", "--no-pager", "--quiet", "--output=cat"];
    // What the service has said by now is written before it is read.
    Command::new("journalctl").arg("--sync").status().unwrap();
    let output = Command::new("journalctl").args(units).args(options).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Starts the resident service, and waits until its first look is done.
#[track_caller]
pub(crate) fn start() {
    systemctl(&format!("start {RESIDENT}"));
    until_looked();
}

/// Waits until the resident service has looked, and nothing is under way.
#[track_caller]
pub(crate) fn until_looked() {
    until_property("StatusText", |status| status.starts_with("7 accounts; next is "));
}

impl Installed {
    /// Every account's password was changed so often, and is the vault's current one.
    #[track_caller]
    pub(crate) fn is_settled(&self, changes: u64) {
        for name in ACTIVE {
            self.has(name, changes);
        }
    }

    /// The same of one account.
    #[track_caller]
    pub(crate) fn has(&self, name: &str, changes: u64) {
        let live = self.emulator.account(name);
        let secret = self.vault.open(&self.secret(name));
        let document = secret.unwrap_or_else(|| panic!("{name} has no secret; {}\n{}", property("StatusText"), log()));
        assert_eq!(document["current"]["value"]["password"], live.password, "{name}\n{}", log());
        assert!(document["pending"].is_null(), "{name} has a pending version");
        assert_eq!(live.changes, changes, "{name}");
    }

    /// The name of an account's secret.
    pub(crate) fn secret(&self, name: &str) -> String {
        format!("ncloud/main/{}/{name}", self.emulator.account(name).kind)
    }

    /// Every password that was ever live, and the keys.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let accounts = self.emulator.accounts().into_iter();
        let passwords = accounts.flat_map(|live| live.past.into_iter().chain([live.password]));
        let identity = fs::read_to_string(credential("age-identity")).unwrap().trim_end().to_owned();
        passwords.chain([DEMO_SECRET_KEY.to_owned(), identity]).collect()
    }
}
