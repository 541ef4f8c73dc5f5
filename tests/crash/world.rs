//! One provider, one vault, any number of processes, and the promise, held at every moment.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ncloud_rotator::emulator::{DEMO_ACCESS_KEY, DEMO_SECRET_KEY};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::aws::AwsShelf;
use crate::door::{Emulator, Live};
use crate::process::{Running, Transcript};
use crate::relay::{Fate, Moment, Point, Relay, Strike};
use crate::shelf::{AgeShelf, Held, Kind, Shelf};

/// Accounts that the configuration matches.
pub(crate) const ACCOUNTS: [&str; 6] = ["svc-batch", "svc-report", "svc-backup", "df001", "df002", "df003"];

/// The gateway's durations: a fence of 3 s + 1 s + 2 × 2 s.
const LIFETIME: &str = "3s";

const CONFIGURATION: &str = r#"
time_zone = "Asia/Seoul"
state_dir = "STATE"

[tenants.main]
site       = "public"
access_key = { env = "NCLOUD_ACCESS_KEY" }
secret_key = { env = "NCLOUD_SECRET_KEY" }
endpoints  = { sub_account = "http://PROVIDER", data_forest = "http://PROVIDER" }
gateway    = { signature_lifetime = "3s", timeout = "1s", max_clock_skew = "2s" }
rate       = "100/s"

# Whatever is rotated was asked for: nothing is due by itself, at a restart least of all.
[policies.default]
rotate_before   = "14d"
expiration_days = 90
on_adopt        = "defer"
password        = { length = 16, avoid = "url" }

[[accounts]]
tenant = "main"
kind   = "sub-account"
names  = ["svc-batch", "svc-report", "svc-backup"]
vault  = "local"

[[accounts]]
tenant = "main"
kind   = "data-forest"
names  = ["df001", "df002", "df003"]
vault  = "local"

[vaults.local]
VAULT"#;

/// A world of its own.
pub(crate) struct World {
    dir: TempDir,
    pub(crate) emulator: Emulator,
    kind: Kind,
    pub(crate) shelf: Box<dyn Shelf>,
    /// The accounts that were rotated before anything else.
    begun: String,
    transcript: Transcript,
    /// Every live password that could not be read, as its account and the moment at which that was seen first.
    lost: Mutex<Vec<Loss>>,
    seats: AtomicUsize,
    /// Whether the promise is not looked at, since a test itself has made the vault unreadable.
    blind: AtomicBool,
}

/// A password that was live and nowhere to be read.
#[derive(Debug, Clone)]
pub(crate) struct Loss {
    pub(crate) account: String,
    password: String,
    pub(crate) at: String,
}

/// One account as it stands, at the provider and in the vault.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    pub(crate) live: Live,
    pub(crate) held: Held,
    /// Requests for a new password so far.
    pub(crate) sends: usize,
}

impl World {
    /// A new one.
    pub(crate) fn new(kind: Kind) -> Arc<Self> {
        Self::within(tempfile::tempdir().unwrap(), kind, "")
    }

    /// A new one where some accounts have been rotated.
    pub(crate) fn begun(kind: Kind, rotated: &str) -> Arc<Self> {
        let world = Self::within(tempfile::tempdir().unwrap(), kind, rotated);
        let seat = world.seat("state", None, Fate::Lands);
        seat.start(&format!("rotate {rotated}")).finish().ends_with(0);
        seat.ends_well();
        world.is_settled("after the first rotations");
        world
    }

    /// One that is like another, in which no process may be running: like it to the byte, or where the vault is a server's,
    /// by beginning in the same way.
    pub(crate) fn like(other: &Self) -> Arc<Self> {
        match other.kind {
            Kind::Aws if other.begun.is_empty() => Self::new(other.kind),
            Kind::Aws => Self::begun(other.kind, &other.begun),
            Kind::Age => {
                let dir = tempfile::tempdir().unwrap();
                copy(other.dir.path(), dir.path());
                Self::within(dir, other.kind, &other.begun)
            }
        }
    }

    fn within(dir: TempDir, kind: Kind, begun: &str) -> Arc<Self> {
        let emulator = Emulator::start(dir.path(), LIFETIME);
        let shelf: Box<dyn Shelf> = match kind {
            Kind::Age => Box::new(AgeShelf::new(dir.path())),
            Kind::Aws => Box::new(AwsShelf::new()),
        };
        Arc::new(Self {
            dir,
            emulator,
            kind,
            shelf,
            begun: begun.to_owned(),
            transcript: Transcript::default(),
            lost: Mutex::default(),
            seats: AtomicUsize::default(),
            blind: AtomicBool::default(),
        })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A place for one process, with its own configuration and relay, and a state directory.
    pub(crate) fn seat(self: &Arc<Self>, state: &str, strike: Option<(usize, Strike)>, fate: Fate) -> Seat {
        let watching = Arc::clone(self);
        let watch = move |moment: &Moment<'_>| watching.witness(moment);
        let provider: SocketAddr = self.emulator.address().parse().unwrap();
        let servers: Vec<SocketAddr> = [provider].into_iter().chain(self.shelf.servers()).collect();
        let relay = Relay::start(&servers, strike, fate, Arc::new(watch));
        let number = self.seats.fetch_add(1, Ordering::Relaxed);
        let configuration = CONFIGURATION
            .replace("STATE", state)
            .replace("PROVIDER", &relay.addresses()[0].to_string())
            .replace("VAULT", &self.shelf.table(&relay.addresses()[1..]));
        let config = self.path(&format!("rotator-{number}.toml"));
        fs::write(&config, configuration).unwrap();
        Seat { world: Arc::clone(self), relay, config }
    }

    /// Does something while the vault cannot be read, and the promise is not looked at.
    pub(crate) fn blindly(&self, work: impl FnOnce()) {
        self.blind.store(true, Ordering::Relaxed);
        work();
        self.blind.store(false, Ordering::Relaxed);
    }

    /// Looks at the promise as a moment passes: at the latest when the provider hears of a password it can be read, and
    /// every live one can be.
    fn witness(&self, moment: &Moment<'_>) {
        if self.blind.load(Ordering::Relaxed) {
            return;
        }
        let heard = (moment.server == 0 && moment.point == Point::Asked).then(|| password_in(moment.request.body()));
        if let Some(password) = heard.flatten() {
            let is_readable = |name: &&str| self.shelf.read(&secret(name)).readable.contains(&password);
            if !ACCOUNTS.iter().any(is_readable) {
                self.note_loss(&moment.request.line(), &password, &format!("{moment}, before it is sent"));
            }
        }
        self.look(&moment.to_string());
    }

    /// Looks at the promise: every password that this program made live can be read.
    pub(crate) fn look(&self, at: &str) {
        // The provider first: what it says may be old by the time that the vault is read, and is kept there nevertheless.
        for live in self.emulator.accounts().iter().filter(|live| live.changes > 0) {
            if !self.shelf.read(&secret(&live.name)).readable.contains(&live.password) {
                self.note_loss(&live.name, &live.password, at);
            }
        }
    }

    fn note_loss(&self, account: &str, password: &str, at: &str) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if !lost.iter().any(|loss| loss.password == password) {
            lost.push(Loss { account: account.to_owned(), password: password.to_owned(), at: at.to_owned() });
        }
    }

    /// The passwords that were lost so far.
    pub(crate) fn lost(&self) -> Vec<Loss> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Holds it to having lost nothing, and to having told nothing.
    #[track_caller]
    pub(crate) fn holds_the_promise(&self, at: &str) {
        self.look(at);
        let lost: Vec<String> = self.lost().iter().map(|loss| format!("{} at {}", loss.account, loss.at)).collect();
        assert!(lost.is_empty(), "{at}: lost the live password of {}", lost.join("; "));
        self.has_told_no_secret();
    }

    #[track_caller]
    fn has_told_no_secret(&self) {
        let told = self.transcript.lock().unwrap();
        for live in self.emulator.accounts() {
            let secrets = live.past.iter().chain([&live.password]).map(String::as_str).chain([DEMO_SECRET_KEY]);
            for secret in secrets {
                assert!(!told.contains(secret), "the output tells a secret that begins with {:?}", &secret[..4]);
            }
        }
    }

    /// Every account of the configuration.
    pub(crate) fn standing(&self) -> Vec<Standing> {
        let sends = self.emulator.sends();
        let of = |live: Live| Standing {
            held: self.shelf.read(&secret(&live.name)),
            sends: sends.iter().filter(|entry| entry["account"] == live.name.as_str()).count(),
            live,
        };
        self.emulator.accounts().into_iter().filter(|live| ACCOUNTS.contains(&&*live.name)).map(of).collect()
    }

    /// The end of the promise: nothing is under way, and live is current wherever this program ever made it live.
    #[track_caller]
    pub(crate) fn is_settled(&self, at: &str) {
        self.holds_the_promise(at);
        for Standing { live, held, .. } in self.standing() {
            assert!(held.idle, "{at}: {} is not idle", live.name);
            assert!(
                live.changes == 0 || held.current.as_ref() == Some(&live.password),
                "{at}: the live password of {} is not the current one",
                live.name
            );
        }
    }

    /// After a restart: it finished what was under way, with the password that was staged unless that was refused; it asked
    /// for nothing else, and drew no other.
    #[track_caller]
    pub(crate) fn goes_on_and_begins_nothing(&self, before: &[Standing], same_password: bool, at: &str) {
        self.is_settled(at);
        self.began_nothing(before, at);
        let unfinished = |(before, _): &(&Standing, Standing)| same_password && !before.held.idle;
        for (before, after) in before.iter().zip(self.standing()).filter(unfinished) {
            let name = &before.live.name;
            assert_eq!(Some(&after.live.password), before.held.pending.as_ref(), "{at}: another one for {name}");
        }
    }

    /// After a restart: accounts where nothing was under way are as they were.
    #[track_caller]
    pub(crate) fn began_nothing(&self, before: &[Standing], at: &str) {
        for (before, after) in before.iter().zip(self.standing()).filter(|(before, _)| before.held.idle) {
            let name = &before.live.name;
            assert_eq!(after.sends, before.sends, "{at}: the restart sent a password for {name}");
            assert_eq!(after.live.password, before.live.password, "{at}: the restart rotated {name}");
            assert_eq!(after.held, before.held, "{at}: the restart touched the secret of {name}");
        }
    }

    /// Whether the provider has answered, or dropped, every request that it has.
    pub(crate) fn has_answered_all(&self) -> bool {
        self.emulator.requests().iter().all(|entry| !entry["ended"].is_null())
    }

    /// What was asked of the provider, for whoever looks for the cause of a loss; passwords by the beginning of their hash.
    pub(crate) fn chronicle(&self) -> String {
        let line = |entry: &Value| {
            let hash: String = entry["password_sha256"].as_str().unwrap_or_default().chars().take(8).collect();
            let text = |key: &str| entry[key].to_string();
            ["time", "call", "account", "fault", "changed", "status"].map(text).join(" ") + " " + &hash + "\n"
        };
        self.emulator.sends().iter().map(line).collect()
    }

    /// Starts the daemon anew, behind `before` on its command line, lets it finish what was begun, and ends it.
    #[track_caller]
    pub(crate) fn restart(self: &Arc<Self>, state: &str, before: &[String]) {
        let seat = self.seat(state, None, Fate::Lost);
        let daemon = seat.run(seat.command(before, "run"));
        daemon.says("event=\"next\"");
        let its_own = if before.is_empty() { daemon.pid() } else { child(daemon.pid()) };
        kill(its_own, Signal::SIGTERM).unwrap();
        daemon.finish().ends_with(0);
        seat.ends_well();
    }

    /// The state directory, all of it, is gone.
    pub(crate) fn lose_state(&self, state: &str) {
        let state = self.path(state);
        if state.exists() {
            fs::remove_dir_all(state).unwrap();
        }
    }
}

/// One process's place in a world.
pub(crate) struct Seat {
    world: Arc<World>,
    pub(crate) relay: Relay,
    config: PathBuf,
}

impl Seat {
    /// The program with these words and this place's configuration, after `before` on the command line.
    pub(crate) fn command(&self, before: &[String], words: &str) -> Command {
        let mut line = before.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_ncloud-rotator")]);
        let mut command = Command::new(line.next().unwrap());
        command
            .args(line)
            .env_clear()
            .env("HOME", self.world.dir.path())
            .env("NCLOUD_ROTATOR_CONFIG", &self.config)
            .env("NCLOUD_ACCESS_KEY", DEMO_ACCESS_KEY)
            .env("NCLOUD_SECRET_KEY", DEMO_SECRET_KEY)
            .envs(self.world.shelf.environment())
            .args(words.split_whitespace());
        command
    }

    /// Starts the program here.
    pub(crate) fn start(&self, words: &str) -> Running {
        let running = self.run(self.command(&[], words));
        self.relay.aim(running.pid());
        running
    }

    /// Starts a command of this place, at which the relay does not aim.
    pub(crate) fn run(&self, command: Command) -> Running {
        Running::start(command, Transcript::clone(&self.world.transcript))
    }

    /// The relay saw nothing that it could not handle.
    #[track_caller]
    pub(crate) fn ends_well(&self) {
        assert_eq!(self.relay.faults(), Vec::<String>::new());
    }
}

/// The secret that an account's password goes to.
pub(crate) fn secret(account: &str) -> String {
    let kind = if account.starts_with("df") { "data-forest" } else { "sub-account" };
    format!("ncloud/main/{kind}/{account}")
}

/// The password that a request asks for.
fn password_in(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    ["newPassword", "password"].iter().find_map(|key| body[key].as_str()).map(str::to_owned)
}

/// The child of a program that runs another one.
fn child(parent: Pid) -> Pid {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap();
    Pid::from_raw(children.trim().parse().unwrap())
}

/// Copies a directory with everything below it that holds anything: sockets do not.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else if !entry.file_type().unwrap().is_socket() {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
