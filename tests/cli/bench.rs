//! One test's world: an emulator, a configuration, a vault; and the promise, to be held at any time.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ncloud_rotator::emulator::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY};
use tempfile::TempDir;

use crate::door::{Emulator, Live};
use crate::process::{Finished, Running, Transcript};
use crate::vault::Vault;

/// Active accounts of the sample that the bench's configuration matches.
pub(crate) const ACTIVE: [&str; 7] = ["svc-batch", "svc-report", "svc-backup", "svc-deploy", "df001", "df002", "df003"];

const CONFIGURATION: &str = r#"
time_zone = "Asia/Seoul"
state_dir = "state"

[tenants.main]
site       = "public"
access_key = { env = "NCLOUD_ACCESS_KEY" }
secret_key = { env = "NCLOUD_SECRET_KEY" }
endpoints  = { sub_account = "http://ADDRESS", data_forest = "http://ADDRESS" }
gateway    = GATEWAY
rate       = "100/s"

[vaults.local]
kind     = "age-directory"
path     = "vault"
identity = { file = "identity.txt" }

[policies.default]
rotate_before   = "14d"
expiration_days = 90
on_adopt        = "rotate"
password        = { length = 16, avoid = "url" }

[[accounts]]
tenant = "main"
kind   = "sub-account"
names  = ["svc-*", "doyun.lee"]
except = ["svc-legacy"]
vault  = "local"

[[accounts]]
tenant = "main"
kind   = "data-forest"
names  = ["*"]
vault  = "local"
"#;

/// A world of its own.
pub(crate) struct Bench {
    dir: TempDir,
    pub(crate) emulator: Emulator,
    pub(crate) vault: Vault,
    transcript: Transcript,
}

impl Bench {
    /// With the gateway's real durations: a fence takes eight minutes, so nothing that needs one ends within a test.
    pub(crate) fn new() -> Self {
        Self::with_gateway(r#"{ signature_lifetime = "5m", timeout = "2m", max_clock_skew = "30s" }"#, "5m")
    }

    /// With a fence of eight seconds.
    pub(crate) fn with_short_fence() -> Self {
        Self::with_gateway(r#"{ signature_lifetime = "3s", timeout = "1s", max_clock_skew = "2s" }"#, "3s")
    }

    fn with_gateway(gateway: &str, lifetime: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let emulator = Emulator::start(dir.path(), lifetime);
        let vault = Vault::new(dir.path().join("vault"), dir.path().join("identity.txt"));
        let bench = Self { dir, emulator, vault, transcript: Transcript::default() };
        bench.write(&CONFIGURATION.replace("ADDRESS", bench.emulator.address()).replace("GATEWAY", gateway));
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("rotator.toml")
    }

    pub(crate) fn write(&self, configuration: &str) {
        fs::write(self.config(), configuration).unwrap();
    }

    /// Changes the configuration where it says `from`.
    #[track_caller]
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "the configuration says nothing of {from}");
        self.write(&text.replace(from, to));
    }

    /// The program with these words, the configuration and keys in its environment and nothing else of ours.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, words: &[S]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ncloud-rotator"));
        command
            .env_clear()
            .env("HOME", self.dir.path())
            .env("NCLOUD_ROTATOR_CONFIG", self.config())
            .env("NCLOUD_ACCESS_KEY", DEMO_ACCESS_KEY)
            .env("NCLOUD_SECRET_KEY", DEMO_SECRET_KEY)
            .args(words);
        command
    }

    /// Starts the program.
    pub(crate) fn start(&self, words: &str) -> Running {
        self.start_command(self.command(&words.split_whitespace().collect::<Vec<_>>()))
    }

    pub(crate) fn start_command(&self, command: Command) -> Running {
        Running::start(command, Transcript::clone(&self.transcript))
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(crate) fn run(&self, words: &str) -> Finished {
        self.start(words).finish()
    }

    #[track_caller]
    pub(crate) fn run_command(&self, command: Command) -> Finished {
        self.start_command(command).finish()
    }

    /// Runs the program where it is asked to show passwords: what it says is not held against it.
    #[track_caller]
    pub(crate) fn reveal(&self, words: &str) -> Finished {
        self.reveal_with(self.command(&words.split_whitespace().collect::<Vec<_>>()))
    }

    #[expect(clippy::unused_self, reason = "what is not held against a bench is said on its behalf all the same")]
    #[track_caller]
    pub(crate) fn reveal_with(&self, command: Command) -> Finished {
        Running::start(command, Transcript::default()).finish()
    }

    /// The state directory, all of it, is gone.
    pub(crate) fn lose_state(&self) {
        fs::remove_dir_all(self.state()).unwrap();
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// The secret that an account's password goes to.
    #[track_caller]
    pub(crate) fn secret(&self, account: &str) -> String {
        secret(&self.emulator.account(account))
    }

    /// The password of one version of an account's secret.
    #[track_caller]
    pub(crate) fn stored(&self, account: &str, stage: &str) -> Option<String> {
        self.vault.password(&self.secret(account), stage)
    }

    /// The promise: every password that this program may have made live can be read in the vault; and nothing that was said
    /// so far tells a password or the secret key.
    #[track_caller]
    pub(crate) fn holds_the_promise(&self) {
        for live in self.emulator.accounts().iter().filter(|live| live.changes > 0) {
            let readable = self.vault.passwords(&secret(live));
            assert!(readable.contains(&live.password), "the live password of {} is lost", live.name);
        }
        self.has_told_no_secret();
    }

    /// The end of the promise: live is current, nothing is pending, and the account was changed so often.
    #[track_caller]
    pub(crate) fn is_settled(&self, account: &str, changes: u64) {
        self.holds_the_promise();
        let live = self.emulator.account(account);
        let document = self.vault.open(&secret(&live)).expect("the secret is there");
        assert_eq!(document["current"]["value"]["password"], live.password, "{account}: live is not current");
        assert!(document["pending"].is_null(), "{account} has a pending version");
        assert!(document["superseded"].is_null(), "{account} has superseded versions");
        assert_eq!(live.changes, changes, "changes of {account}");
    }

    /// Every password that was ever live or in the vault, the first ones too, which are not ours to tell either.
    pub(crate) fn every_password(&self) -> BTreeSet<String> {
        let mut known = BTreeSet::new();
        for live in self.emulator.accounts() {
            if self.vault.identity().is_file() {
                known.extend(self.vault.passwords(&secret(&live)));
            }
            known.insert(live.password);
            known.extend(live.past);
        }
        known
    }

    #[track_caller]
    pub(crate) fn has_told_no_secret(&self) {
        tells_nothing("the output", self.transcript.lock().unwrap().as_bytes(), &self.every_password());
    }
}

/// Holds bytes to containing none of the passwords, nor the secret key.
#[track_caller]
pub(crate) fn tells_nothing(what: &str, bytes: &[u8], passwords: &BTreeSet<String>) {
    let secrets = passwords.iter().map(String::as_str).chain([DEMO_SECRET_KEY]);
    for secret in secrets {
        let told = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!told, "{what} tells a secret that begins with {:?}", &secret[..4]);
    }
}

fn secret(live: &Live) -> String {
    format!("ncloud/main/{}/{}", live.kind, live.name)
}

/// The permission bits of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
