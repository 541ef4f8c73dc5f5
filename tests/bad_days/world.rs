//! The engine's own daemon over real parts, the emulator among them, in virtual time: days pass in seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use ncloud_rotator::config::Config;
use ncloud_rotator::domain::account::{AccountName, Kind, Site};
use ncloud_rotator::domain::expiry::Outlook;
use ncloud_rotator::domain::gateway::Gateway;
use ncloud_rotator::domain::password::Generator;
use ncloud_rotator::domain::policy::Setting;
use ncloud_rotator::domain::secret::Keys;
use ncloud_rotator::emulator::{Emulator, Settings, demo_keys};
use ncloud_rotator::engine::ahead::PlanRequest;
use ncloud_rotator::engine::calls::{Caller, line};
use ncloud_rotator::engine::expiries::{Book, Watch};
use ncloud_rotator::engine::watch::{RELIST, watch};
use ncloud_rotator::engine::world::{Managing, Stop, Tenant, World};
use ncloud_rotator::journal::Journal;
use ncloud_rotator::ncloud::{Api, SubAccounts, Transport, TransportSettings};
use ncloud_rotator::ports::clock::{Clock, GatewayClock};
use ncloud_rotator::ports::entropy::{Entropy, EntropyError};
use ncloud_rotator::ports::heartbeat::{Heartbeat, Unwatched};
use ncloud_rotator::ports::keys::{KeyError, KeySource};
use ncloud_rotator::ports::limit::Limit;
use ncloud_rotator::ports::observer::{Fact, Observer};
use ncloud_rotator::ports::vault::{Listing, Stage, Vault};
use ncloud_rotator::vault::age::{AgeVault, IdentitySource, Settings as AgeSettings};
use rand::TryRng;
use rand::rngs::SysRng;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::clock::Virtual;

const CONFIGURATION: &str = r#"
[tenants.main]
site       = "public"
access_key = { env = "A" }
secret_key = { env = "S" }

[vaults.local]
kind = "age-directory"
path = "vault"

[policies.default]
rotate_before   = "14d"
expiration_days = 90
POLICY

[[accounts]]
tenant = "main"
kind   = "sub-account"
names  = NAMES
vault  = "local"
"#;

/// A watchdog that notes when it is fed.
struct Heart {
    clock: Arc<Virtual>,
    interval: Duration,
    beats: Mutex<Vec<Duration>>,
}

impl Heartbeat for Heart {
    fn interval(&self) -> Option<Duration> {
        Some(self.interval)
    }

    fn beat(&self) {
        self.beats.lock().unwrap().push(self.clock.boot());
    }
}

struct System;

impl Entropy for System {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        SysRng.try_fill_bytes(bytes).map_err(|_| EntropyError)
    }
}

struct Fixed;

#[async_trait]
impl KeySource for Fixed {
    async fn keys(&self) -> Result<Keys, KeyError> {
        Ok(demo_keys())
    }
}

/// What was noted and when, by the facts' names.
struct Notes {
    clock: Arc<Virtual>,
    told: Mutex<Vec<(Duration, String)>>,
}

impl Observer for Notes {
    fn note(&self, fact: &Fact<'_>) {
        self.told.lock().unwrap().push((self.clock.boot(), format!("{fact:?}")));
    }
}

/// One world.
pub(crate) struct Days {
    dir: TempDir,
    clock: Arc<Virtual>,
    emulator: Emulator,
    world: Arc<World>,
    vault: Arc<dyn Vault>,
    notes: Arc<Notes>,
    book: Arc<Book>,
}

/// An emulator on a thread of its own, for as long as the tests run: theirs has nobody else's work to do.
async fn served(settings: Settings) -> Emulator {
    let (tell, told) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            assert!(tell.send(Emulator::start(settings).await.unwrap()).is_ok(), "somebody waits for it");
            std::future::pending::<()>().await;
        });
    });
    told.await.unwrap()
}

impl Days {
    /// With these accounts of the emulator's sample under management.
    pub(crate) async fn of(names: &[&str]) -> Self {
        Self::with(names, "on_adopt = \"rotate\"").await
    }

    /// The same by a policy that says more.
    pub(crate) async fn with(names: &[&str], policy: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(Virtual::default());
        let settings = Settings::new(clock.clone(), Arc::new(System));
        let emulator = served(Settings { test_door: true, ..settings }).await;
        let text = CONFIGURATION.replace("NAMES", &json!(names).to_string()).replace("POLICY", policy);
        let config = Config::parse(&text, "rotator.toml", dir.path()).unwrap();
        let transport = Transport::new(TransportSettings {
            base: format!("http://{}", emulator.address()),
            timeout: TransportSettings::TIMEOUT,
            keys: Arc::new(Fixed),
            clock: Arc::new(GatewayClock::new(clock.clone())),
            proxy: None,
            ca_file: None,
        });
        let sub_accounts = Arc::new(SubAccounts::new(transport.unwrap(), Api::V1));
        let tenant = Tenant {
            site: Site::Public,
            gateway: Gateway::default(),
            providers: [(Kind::SubAccount, sub_accounts.clone() as _)].into(),
            settings: sub_accounts,
            expiration: Setting::Follow,
            login_alias: Setting::Follow,
            limit: Limit::every(Duration::from_millis(10), clock.clone()),
            stopped: Stop::default(),
        };
        let vault: Arc<dyn Vault> = Arc::new(AgeVault::new(AgeSettings {
            path: dir.path().join("vault"),
            identity: IdentitySource::File(dir.path().join("identity.txt")),
            recipients: Vec::new(),
            patience: AgeVault::PATIENCE,
        }));
        let rules = config.rules.iter().map(|rule| {
            let recipe = rule.policy.password.recipe().unwrap();
            let generator = Some(Arc::new(Generator::new(rule.kind, recipe).unwrap()));
            Arc::new(Managing { rule: rule.clone(), generator })
        });
        let notes = Arc::new(Notes { clock: clock.clone(), told: Mutex::default() });
        let book = Arc::new(Book::new(clock.clone()));
        let world = Arc::new(World {
            tenants: [("main".to_owned(), Arc::new(tenant))].into(),
            vaults: [("local".to_owned(), vault.clone())].into(),
            paces: BTreeMap::new(),
            apart: config.apart.clone(),
            rules: rules.collect(),
            journal: Arc::new(Journal::open(&dir.path().join("state"), &System, clock.wall()).unwrap()),
            clock: clock.clone(),
            entropy: Arc::new(System),
            observer: Arc::new(vec![notes.clone() as Arc<dyn Observer>, book.clone()]),
            recorded: Arc::default(),
            last_pauses: Arc::default(),
        });
        Self { dir, clock, emulator, world, vault, notes, book }
    }

    /// Lets the daemon run for so long, from a fresh start.
    pub(crate) async fn pass(&self, time: Duration) {
        self.pass_before(time, &Unwatched).await;
    }

    /// The same before a watchdog that wants to be fed so often: the longest time between two beats.
    pub(crate) async fn longest_silence(&self, time: Duration, interval: Duration) -> Duration {
        let begin = self.clock.boot();
        let heart = Heart { clock: self.clock.clone(), interval, beats: Mutex::new(vec![begin]) };
        self.pass_before(time, &heart).await;
        let beats = heart.beats.into_inner().unwrap().into_iter().chain([self.clock.boot()]).collect::<Vec<_>>();
        beats.iter().zip(beats.iter().skip(1)).map(|(one, next)| next.saturating_sub(*one)).max().unwrap()
    }

    /// The same while somebody does something beside it, who may call the daemon. It runs to its end even when they are done.
    pub(crate) async fn pass_beside<F: Future<Output = ()>>(&self, time: Duration, story: impl FnOnce(Caller) -> F) {
        let shutdown = self.clock.ends_after(time);
        let (caller, calls) = line();
        let daemon = watch(Arc::clone(&self.world), RELIST, calls, &shutdown, &Unwatched);
        tokio::join!(daemon, story(caller));
    }

    /// Waits, in virtual time.
    pub(crate) async fn wait(&self, time: Duration) {
        self.clock.sleep(time).await;
    }

    /// The journal, as another process opens it.
    pub(crate) fn journal(&self) -> Journal {
        Journal::open(&self.dir.path().join("state"), &System, self.clock.wall()).unwrap()
    }

    /// What somebody with a database tool does to the journal.
    pub(crate) fn write_sql(&self, sql: &str) {
        let file = rusqlite::Connection::open(self.dir.path().join("state/journal.sqlite")).unwrap();
        file.execute_batch(sql).unwrap();
    }

    /// When a fact was noted, by its name, since the clock began.
    pub(crate) fn noted_at(&self, fact: &str) -> Vec<Duration> {
        let notes = self.notes.told.lock().unwrap();
        notes.iter().filter(|(_, note)| note.starts_with(fact)).map(|(at, _)| *at).collect()
    }

    async fn pass_before(&self, time: Duration, heart: &dyn Heartbeat) {
        let shutdown = self.clock.ends_after(time);
        let (_caller, calls) = line();
        watch(Arc::clone(&self.world), RELIST, calls, &shutdown, heart).await;
    }

    /// How often a fact was noted, by its name.
    pub(crate) fn noted(&self, fact: &str) -> usize {
        self.noted_at(fact).len()
    }

    /// The wall clock's time.
    pub(crate) fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    /// The time since boot.
    pub(crate) fn now(&self) -> Duration {
        self.clock.boot()
    }

    /// Lets time pass in which the daemon's engine hangs and only the watch over expiries goes on.
    pub(crate) async fn pass_with_a_hanging_engine(&self, time: Duration) {
        self.watch(Arc::clone(&self.book)).run(&self.clock.ends_after(time)).await;
    }

    /// The same after a restart, with nothing but what the journal keeps.
    pub(crate) async fn pass_with_an_engine_that_never_starts(&self, time: Duration) {
        let watch = self.watch(Arc::new(Book::new(self.clock.clone())));
        watch.remember().await;
        watch.run(&self.clock.ends_after(time)).await;
    }

    /// The same with two looks a day, for months.
    pub(crate) async fn pass_with_few_looks(&self, time: Duration) {
        let shutdown = self.clock.ends_after(time);
        let (_caller, calls) = line();
        watch(Arc::clone(&self.world), SignedDuration::from_hours(12), calls, &shutdown, &Unwatched).await;
    }

    /// When something rotates in so many days by the plan, since boot.
    pub(crate) async fn planned(&self, days: u16) -> Vec<Duration> {
        let request = PlanRequest { days, names: Vec::new(), tenant: None };
        let plan = self.world.plan(&request).await.unwrap();
        let since = |at: Timestamp| Duration::try_from(at.duration_since(self.wall())).unwrap();
        plan.rotations.iter().map(|rotation| self.now() + since(rotation.at.unwrap())).collect()
    }

    /// Tells the watch over expiries what a look showed, as the engine does.
    pub(crate) fn shows(&self, found: &[(&AccountName, Outlook)]) {
        let now = self.clock.wall();
        self.book.note(&Fact::Expiries { tenant: "main", kind: Kind::SubAccount, now, found, whole: true });
    }

    /// Breaks the journal's room for expiries.
    pub(crate) fn break_the_journal(&self) {
        let file = self.dir.path().join("state/journal.sqlite");
        rusqlite::Connection::open(file).unwrap().execute_batch("DROP TABLE expiries").unwrap();
    }

    fn watch(&self, book: Arc<Book>) -> Watch {
        let journal = Journal::open(&self.dir.path().join("state"), &System, self.clock.wall()).unwrap();
        Watch::new(book, Arc::new(journal), self.clock.clone(), self.notes.clone())
    }

    /// Asks the emulator's test door.
    #[track_caller]
    pub(crate) fn door(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect(self.emulator.address()).unwrap();
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: door\r\nconnection: close\r\ncontent-type: application/json");
        stream.write_all(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
        if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() }
    }

    /// A fault of one call, from now on.
    pub(crate) fn fault(&self, call: &str, fault: &Value) {
        self.door("POST", "/door/faults", &json!({ "call": call, "times": "always", "fault": fault }));
    }

    pub(crate) fn clear_faults(&self) {
        self.door("DELETE", "/door/faults", &Value::Null);
    }

    /// Every request that the emulator got so far.
    pub(crate) fn requests(&self) -> Vec<Value> {
        self.door("GET", "/door/log", &Value::Null)["requests"].as_array().unwrap().clone()
    }

    /// Every request so far for a new password.
    pub(crate) fn sends(&self) -> Vec<Value> {
        self.requests().into_iter().filter(|entry| entry["call"] == "password").collect()
    }

    /// The different passwords among them.
    pub(crate) fn passwords_tried(&self) -> usize {
        let sends = self.sends();
        sends.iter().map(|entry| entry["password_sha256"].to_string()).collect::<BTreeSet<_>>().len()
    }

    async fn listing(&self, account: &str) -> Listing {
        let secret = format!("ncloud/main/sub-account/{account}").parse().unwrap();
        self.vault.show(&secret).await.unwrap().expect("the secret is there")
    }

    fn live(&self, account: &str) -> Value {
        let told = self.door("GET", "/door/accounts", &Value::Null);
        told["accounts"].as_array().unwrap().iter().find(|live| live["name"] == account).unwrap().clone()
    }

    /// The promise: what is live can be read in the vault, if we ever set it.
    pub(crate) async fn holds_the_promise(&self, account: &str) {
        let live = self.live(account);
        let listing = self.listing(account).await;
        let readable = |password: &Value| {
            listing.versions.iter().any(|version| version.value.expose().get("password") == Some(password))
        };
        assert!(live["changes"] == 0 || readable(&live["password"]), "the live password of {account} is lost");
    }

    /// Its end: live is current, and nothing else is there but what was current before.
    pub(crate) async fn is_settled(&self, account: &str) {
        let live = self.live(account)["password"].clone();
        let listing = self.listing(account).await;
        for version in &listing.versions {
            let is_live = version.value.expose().get("password") == Some(&live);
            assert_eq!(is_live, version.stage == Stage::Current, "{account}: {:?}", version.stage);
            assert!([Stage::Current, Stage::Previous].contains(&version.stage), "{account}: {:?}", version.stage);
        }
    }
}
