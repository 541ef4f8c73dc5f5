//! Years of a daemon's life: the real engine, and everything around it simulated.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::executor::LocalPool;
use futures::future::RemoteHandle;
use futures::task::LocalSpawnExt;
use jiff::SignedDuration;
use jiff::civil::Weekday;
use ncloud_rotator::config::Config;
use ncloud_rotator::domain::account::{Kind, Site, Subject};
use ncloud_rotator::domain::cause::Cause;
use ncloud_rotator::domain::password::Generator;
use ncloud_rotator::domain::policy::{Policy, Setting};
use ncloud_rotator::domain::secret::SecretName;
use ncloud_rotator::engine::calls::{Asked, Caller, line};
use ncloud_rotator::engine::watch::{Summary, watch};
use ncloud_rotator::engine::world::{Managing, Stop, Tenant, World};
use ncloud_rotator::ports::heartbeat::Unwatched;
use ncloud_rotator::ports::limit::Limit;
use ncloud_rotator::ports::observer::{Backlog, Fact, Observer};
use ncloud_rotator::ports::provider::Provider;
use ncloud_rotator::ports::vault::Vault;
use tokio_util::sync::CancellationToken;

use crate::audit::{Adopts, Audit, BeginCheck, Begins, tenant_of};
use crate::dice::Dice;
use crate::journal::SimJournal;
use crate::pace::{APART, APART_BY, CAP, CATCH_UP, policy_of_tenant};
use crate::provider::{SimGateway, SimProvider};
use crate::time::Time;
use crate::trouble::State;
use crate::vault::{SimVault, Style};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// What a story is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) seed: u64,
    pub(crate) tenants: usize,
    pub(crate) accounts: usize,
    pub(crate) days: u64,
    /// How often accounts are listed.
    pub(crate) relist: SignedDuration,
    /// Whether anything ever goes wrong.
    pub(crate) is_troubled: bool,
    /// What every policy says beside the rest.
    pub(crate) policy: &'static str,
    /// Accounts that are kept apart, by their names, and for how many hours.
    pub(crate) apart: Option<(&'static [&'static str], i64)>,
    /// What facts are printed that have this word in them.
    pub(crate) watched: Option<&'static str>,
}

/// What came of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) rotations: u64,
    pub(crate) checks: u64,
    pub(crate) starts: u64,
    /// Starts that were held to a cap, a rate of catching up, or a distance.
    pub(crate) paced: u64,
}

/// What happens of itself.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// The expiries are looked at.
    Midnight,
    TenantTrouble(usize, State),
    VaultTrouble(usize, State),
    Expiration(usize),
    /// The process ends, softly or not, and starts again later.
    Ends {
        softly: bool,
    },
    Starts,
    /// The wall clock is set wrong, or right again.
    WallClock {
        wrong: bool,
    },
    /// The machine sleeps for hours or days.
    Suspend,
    Edit,
    Reload,
    Asked,
    Comes,
    Goes(usize, bool),
    Tick,
}

pub(crate) struct Story {
    setup: Setup,
    pub(crate) time: Time,
    dice: Dice,
    pub(crate) audit: Arc<Audit>,
    gateways: Vec<Arc<SimGateway>>,
    vaults: Vec<Arc<SimVault>>,
    accounts: Vec<Subject>,
    pub(crate) journal: Arc<SimJournal>,
    pub(crate) told: Arc<Mutex<Told>>,
    events: BTreeMap<(Duration, u64), Event>,
    scheduled: u64,
    daemon: Option<Daemon>,
    rotate_before: u64,
    starts: u64,
    pool: LocalPool,
}

struct Daemon {
    world: Arc<World>,
    caller: Caller,
    shutdown: CancellationToken,
    handle: RemoteHandle<Summary>,
}

/// Prints every fact that has a word in it, when a person looks for the cause of a failure; counts what is told of paces.
struct Watcher {
    time: Time,
    word: Option<&'static str>,
    told: Arc<Mutex<Told>>,
}

/// What was told of the pace of things.
#[derive(Default)]
pub(crate) struct Told {
    /// Expirations that changed, by tenant.
    pub(crate) changed: Vec<(String, Backlog)>,
    /// Tenants that go on.
    pub(crate) released: Vec<(String, Backlog)>,
    /// Accounts that were rotated outside of their windows.
    pub(crate) overridden: usize,
}

impl Observer for Watcher {
    fn note(&self, fact: &Fact<'_>) {
        let printed = self.word.map(|word| (word, format!("{fact:?}")));
        if let Some((_, printed)) = printed.filter(|(word, printed)| printed.contains(word)) {
            eprintln!("{} {printed}", self.time.now());
        }
        let mut told = self.told.lock().unwrap();
        match *fact {
            Fact::ExpirationChanged { tenant, backlog, .. } => told.changed.push((tenant.to_owned(), backlog)),
            Fact::TenantReleased { tenant, backlog } => told.released.push((tenant.to_owned(), backlog)),
            Fact::WindowOverridden { .. } => told.overridden += 1,
            _ => {}
        }
    }
}

impl Story {
    pub(crate) fn new(setup: Setup) -> Self {
        let (time, dice) = (Time::new(), Dice::new(setup.seed));
        let adopts = if setup.is_troubled { Adopts::Anytime } else { Adopts::of(setup.policy) };
        let audit = Arc::new(Audit::new(time.clone(), Duration::from_millis(500), setup.relist, adopts));
        let gateway = |_| Arc::new(SimGateway::new(time.clone(), dice.clone(), Arc::clone(&audit), 180));
        let gateways: Vec<_> = (0..setup.tenants).map(gateway).collect();
        let vault = |style| Arc::new(SimVault::new(style, time.clone(), dice.clone(), Arc::clone(&audit)));
        let vaults = vec![vault(Style::Age), vault(Style::Aws)];
        let mut story = Self {
            setup,
            time,
            dice,
            audit,
            gateways,
            vaults,
            accounts: Vec::new(),
            journal: Arc::new(SimJournal::new("j0".to_owned())),
            told: Arc::default(),
            events: BTreeMap::new(),
            scheduled: 0,
            daemon: None,
            rotate_before: 14,
            starts: 0,
            pool: LocalPool::new(),
        };
        for tenant in 0..setup.tenants {
            story.audit.expiration(&format!("t{tenant}"), 180);
        }
        if setup.is_troubled {
            story.refuses_beginnings(Box::new(keeps_to_its_window));
        }
        (0..setup.accounts).for_each(|_| story.comes());
        story.begin();
        story
    }

    /// Lives through all of its days.
    pub(crate) fn run(&mut self) -> Figures {
        let end = Duration::from_secs(self.setup.days * DAY);
        self.run_until(end);
        self.chain_is_whole();
        Figures {
            rotations: self.audit.rotations(),
            checks: self.audit.checked(),
            starts: self.starts,
            paced: self.audit.paced(),
        }
    }

    /// Asks this of every rotation that begins by itself.
    pub(crate) fn refuses_beginnings(&self, check: BeginCheck) {
        self.audit.also_checks(check);
    }

    /// Lists and surveys everything once, as one look of a loop without a queue does.
    pub(crate) fn looks_at_everything(&mut self) {
        let world = self.world(self.daemon.as_ref().map(|daemon| &daemon.world));
        let looking = async move {
            let discovery = world.discover().await;
            world.survey(discovery.managed).await.len()
        };
        let looking = self.pool.spawner().spawn_local_with_handle(looking).unwrap();
        self.run_until(self.time.elapsed() + Duration::from_mins(1));
        assert_eq!(looking.now_or_never(), Some(self.accounts.len()));
    }

    /// Lives on for so many days.
    pub(crate) fn live_on(&mut self, days: f64) {
        let end = self.time.elapsed() + Duration::from_secs(DAY).mul_f64(days);
        self.run_until(end);
        self.time.go_to(end);
    }

    /// Sets what is wrong with every gateway.
    pub(crate) fn gateways_are(&self, state: State) {
        self.gateways.iter().for_each(|gateway| gateway.trouble.set(state));
    }

    /// Sets what is wrong with a vault.
    pub(crate) fn vault_is(&self, vault: usize, state: State) {
        self.vaults[vault].trouble.set(state);
    }

    /// Makes everything due that is older than the shortest expiration allows.
    pub(crate) fn shorten(&self, days: u16) {
        for (number, gateway) in self.gateways.iter().enumerate() {
            gateway.set_days(days);
            self.audit.expiration(&format!("t{number}"), days);
        }
    }

    /// The process is killed, and started again at once.
    pub(crate) fn is_killed(&mut self) {
        self.audit.machine_trouble();
        self.daemon = None;
        self.starts();
    }

    /// The process is killed, its journal is lost, and it is started again at once.
    pub(crate) fn is_killed_and_loses_its_journal(&mut self) {
        self.loses_its_journal();
        self.journal = Arc::new(SimJournal::new(format!("after{}", self.starts)));
        self.is_killed();
    }

    fn loses_its_journal(&self) {
        self.chain_is_whole();
        self.audit.journal_is_lost();
    }

    /// What `audit verify` would say of the journal.
    fn chain_is_whole(&self) {
        let verdict = self.journal.verdict();
        assert!(verdict.is_whole() || verdict.rows == 0, "{verdict:?}");
    }

    pub(crate) fn look(&self) {
        self.daemon.iter().for_each(|daemon| daemon.caller.look());
    }

    fn run_until(&mut self, end: Duration) {
        loop {
            self.pool.run_until_stalled();
            if let Some(violation) = self.audit.violation() {
                panic!("{violation}");
            }
            let event = self.events.keys().next().map(|(at, _)| *at);
            let landing = self.gateways.iter().filter_map(|gateway| gateway.next()).min();
            let landing = landing.map(|at| {
                let pause = Duration::try_from(at.duration_since(self.time.now())).unwrap_or_default();
                self.time.elapsed() + pause
            });
            let Some(next) = [self.time.next(), event, landing].into_iter().flatten().min().filter(|at| *at <= end)
            else {
                return;
            };
            self.time.go_to(next);
            self.gateways.iter().for_each(|gateway| gateway.land());
            while let Some(entry) = self.events.first_entry().filter(|entry| entry.key().0 <= next) {
                let event = entry.remove();
                self.happens(event);
            }
        }
    }

    fn later(&mut self, seconds: u64, event: Event) {
        self.scheduled += 1;
        self.events.insert((self.time.elapsed() + Duration::from_secs(seconds), self.scheduled), event);
    }

    /// In about so many days.
    fn some_day(&mut self, days: u64, event: Event) {
        let seconds = self.dice.below(days * DAY / 2..days * DAY * 3 / 2);
        self.later(seconds, event);
    }

    fn begin(&mut self) {
        self.later(0, Event::Starts);
        self.later(DAY, Event::Midnight);
        if !self.setup.is_troubled {
            self.gateways.iter().for_each(|gateway| gateway.trouble.set(State::Perfect));
            self.vaults.iter().for_each(|vault| vault.trouble.set(State::Perfect));
            return;
        }
        for tenant in 0..self.gateways.len() {
            self.some_day(60, Event::TenantTrouble(tenant, State::Away));
            self.some_day(200, Event::Expiration(tenant));
        }
        for vault in 0..self.vaults.len() {
            self.some_day(60, Event::VaultTrouble(vault, State::Away));
        }
        let now_and_then = [
            (20, Event::Ends { softly: true }),
            (50, Event::WallClock { wrong: true }),
            (80, Event::Suspend),
            (2, Event::Edit),
            (15, Event::Reload),
            (3, Event::Asked),
            (40, Event::Comes),
            (20, Event::Goes(0, false)),
            (1, Event::Tick),
        ];
        for (days, event) in now_and_then {
            self.some_day(days, event);
        }
    }

    fn happens(&mut self, event: Event) {
        if self.setup.watched.is_some() && !matches!(event, Event::Midnight | Event::Tick) {
            eprintln!("{} {event:?}", self.time.now());
        }
        match event {
            Event::Midnight => {
                self.audit.nothing_is_expired();
                self.later(DAY, Event::Midnight);
            }
            Event::TenantTrouble(tenant, state) => {
                self.audit.tenant_trouble(&format!("t{tenant}"));
                let gateway = Arc::clone(&self.gateways[tenant]);
                if gateway.trouble.state() == State::Well {
                    gateway.trouble.set(state);
                    let lasts = self.dice.below(600..30 * HOUR);
                    self.later(lasts, Event::TenantTrouble(tenant, State::Well));
                } else {
                    gateway.trouble.set(State::Well);
                    let states = [State::Away, State::Hanging, State::Throttled, State::KeysRefused];
                    let next = states[self.dice.index(states.len())];
                    self.some_day(60, Event::TenantTrouble(tenant, next));
                }
            }
            Event::VaultTrouble(index, state) => {
                self.audit.vault_trouble(index);
                let vault = Arc::clone(&self.vaults[index]);
                if vault.trouble.state() == State::Well {
                    vault.trouble.set(state);
                    let lasts = self.dice.below(60..12 * HOUR);
                    self.later(lasts, Event::VaultTrouble(index, State::Well));
                } else {
                    vault.trouble.set(State::Well);
                    let next = [State::Away, State::Hanging][self.dice.index(2)];
                    self.some_day(60, Event::VaultTrouble(index, next));
                }
            }
            Event::Expiration(tenant) => {
                let days = Policy::EXPIRATION_DAYS[self.dice.index(Policy::EXPIRATION_DAYS.len())];
                self.gateways[tenant].set_days(days);
                self.audit.expiration(&format!("t{tenant}"), days);
                self.some_day(200, Event::Expiration(tenant));
            }
            Event::Ends { softly } => self.ends(softly),
            Event::Starts => self.starts(),
            Event::WallClock { wrong: false } => {
                self.time.set_wall_error(SignedDuration::ZERO);
                self.audit.machine_trouble();
                self.some_day(50, Event::WallClock { wrong: true });
            }
            Event::WallClock { wrong: true } => {
                let hours = i64::try_from(self.dice.below(0..2 * 400 * 24)).unwrap() - 400 * 24;
                self.time.set_wall_error(SignedDuration::from_hours(hours));
                self.audit.machine_trouble();
                let lasts = self.dice.below(60..2 * DAY);
                self.later(lasts, Event::WallClock { wrong: false });
            }
            Event::Suspend => {
                let asleep = Duration::from_secs(self.dice.below(HOUR..3 * DAY));
                self.time.go_to(self.time.elapsed() + asleep);
                self.audit.machine_trouble();
                self.some_day(80, Event::Suspend);
            }
            Event::Edit => {
                let (subject, number) = (self.anybody(), self.dice.next());
                let (vault, secret) = self.place(&subject);
                self.vaults[vault].edit(&subject, &secret, number);
                self.some_day(2, Event::Edit);
            }
            Event::Reload => {
                self.rotate_before = self.dice.below(8..15);
                self.reload();
                self.some_day(15, Event::Reload);
            }
            Event::Asked => {
                let subject = self.anybody();
                self.ask(&subject);
                self.some_day(3, Event::Asked);
            }
            Event::Comes => {
                self.comes();
                self.some_day(40, Event::Comes);
            }
            Event::Goes(index, true) => self.goes(index, true),
            Event::Goes(_, false) => {
                let index = self.dice.index(self.accounts.len());
                self.goes(index, false);
                self.some_day(10, Event::Goes(index, true));
                self.some_day(20, Event::Goes(0, false));
            }
            Event::Tick => {
                if let Some(daemon) = &self.daemon {
                    daemon.caller.look();
                }
                self.some_day(1, Event::Tick);
            }
        }
    }

    fn anybody(&self) -> Subject {
        self.accounts[self.dice.index(self.accounts.len())].clone()
    }

    /// Has an account rotated by its name.
    pub(crate) fn ask(&mut self, subject: &Subject) {
        let Some(daemon) = &self.daemon else { return };
        self.audit.asked(subject);
        let (caller, name) = (daemon.caller.clone(), subject.id.0.clone());
        let asking = async move {
            let _ = caller.rotate(vec![name], Asked { cause: Cause::SCHEDULE, despite_pause: false }).await;
        };
        self.pool.spawner().spawn_local(asking).unwrap();
    }

    pub(crate) fn comes_many(&mut self, accounts: usize) {
        (0..accounts).for_each(|_| self.comes());
    }

    fn comes(&mut self) {
        let number = self.accounts.len();
        let tenant = number % self.gateways.len();
        let subject = self.gateways[tenant].add(&format!("t{tenant}-a{number}"));
        self.audit.adds(&subject, self.place(&subject).0);
        self.accounts.push(subject);
    }

    fn goes(&mut self, index: usize, comes_back: bool) {
        let subject = self.accounts[index].clone();
        self.gateways[index % self.gateways.len()].set_active(&subject.id, comes_back);
        self.audit.is_active(&subject, comes_back);
    }

    /// The vault and the secret of an account: tenants use them by turns.
    fn place(&self, subject: &Subject) -> (usize, SecretName) {
        let tenant = tenant_of(subject);
        let number: usize = tenant.trim_start_matches('t').parse().unwrap();
        let secret = format!("ncloud/{tenant}/sub-account/{}", subject.id);
        (number % self.vaults.len(), secret.parse().unwrap())
    }

    fn ends(&mut self, softly: bool) {
        self.audit.machine_trouble();
        // A handle that is dropped takes its future with it, wherever that stands.
        if let Some(daemon) = self.daemon.take()
            && softly
        {
            daemon.shutdown.cancel();
            // It ends what is under way; whatever it takes.
            daemon.handle.forget();
        }
        if self.dice.happens(200_000) {
            self.loses_its_journal();
            self.journal = Arc::new(SimJournal::new(format!("j{}", self.scheduled)));
        }
        let down = self.dice.below(1..6 * HOUR);
        self.later(down, Event::Starts);
        let next = self.dice.happens(300_000);
        self.some_day(20, Event::Ends { softly: next });
    }

    fn starts(&mut self) {
        self.starts += 1;
        self.audit.machine_trouble();
        let world = self.world(None);
        let (caller, calls) = line();
        let shutdown = CancellationToken::new();
        let (watched, token, relist) = (Arc::clone(&world), shutdown.clone(), self.setup.relist);
        let daemon = async move { watch(watched, relist, calls, &token, &Unwatched).await };
        let handle = self.pool.spawner().spawn_local_with_handle(daemon).unwrap();
        self.daemon = Some(Daemon { world, caller, shutdown, handle });
    }

    pub(crate) fn reload(&mut self) {
        let Some(daemon) = &self.daemon else { return };
        let world = self.world(Some(&daemon.world));
        let caller = daemon.caller.clone();
        let again = Arc::clone(&world);
        let reloading = async move {
            let _ = caller.reload(again).await;
        };
        self.pool.spawner().spawn_local(reloading).unwrap();
        self.audit.tenant_trouble("none");
        if let Some(daemon) = &mut self.daemon {
            daemon.world = world;
        }
    }

    /// The world as a process wires it; `before` is the one from which a reload takes over.
    fn world(&self, before: Option<&Arc<World>>) -> Arc<World> {
        let clock = Arc::new(self.time.clone());
        let mut tenants = BTreeMap::new();
        for (number, gateway) in self.gateways.iter().enumerate() {
            let name = format!("t{number}");
            let kept = before.and_then(|before| before.tenants.get(&name)).map(Arc::clone);
            let tenant = kept.unwrap_or_else(|| {
                let provider = Arc::new(SimProvider::new(Arc::clone(gateway)));
                Arc::new(Tenant {
                    site: Site::Public,
                    gateway: ncloud_rotator::domain::gateway::Gateway::default(),
                    providers: BTreeMap::from([(Kind::SubAccount, Arc::clone(&provider) as Arc<dyn Provider>)]),
                    settings: provider,
                    expiration: Setting::Follow,
                    login_alias: Setting::Follow,
                    limit: Limit::every(Duration::from_millis(500), Arc::clone(&clock) as _),
                    stopped: Stop::default(),
                })
            });
            tenants.insert(name, tenant);
        }
        let vault =
            |(number, vault): (usize, &Arc<SimVault>)| (format!("v{number}"), Arc::clone(vault) as Arc<dyn Vault>);
        let config = self.config();
        Arc::new(World {
            tenants,
            vaults: self.vaults.iter().enumerate().map(vault).collect(),
            paces: BTreeMap::from([("v1".to_owned(), Duration::from_millis(100))]),
            apart: config.apart.clone(),
            rules: managing(&config),
            journal: Arc::clone(&self.journal) as _,
            clock,
            entropy: Arc::new(self.dice.clone()),
            observer: Arc::new(Watcher {
                time: self.time.clone(),
                word: self.setup.watched,
                told: Arc::clone(&self.told),
            }),
            recorded: Arc::default(),
            last_pauses: Arc::default(),
        })
    }

    fn config(&self) -> Config {
        let mut text = String::new();
        let apart = if self.setup.is_troubled { Some((&APART[..], APART_BY)) } else { self.setup.apart };
        if let Some((names, hours)) = apart {
            writeln!(text, "apart = [{names:?}]\napart_by = \"{hours}h\"").unwrap();
        }
        let pace = format!("catch_up = \"{CATCH_UP}/h\"");
        let takes_over = format!("{pace}\non_adopt = \"rotate\"\nfirst_run_cap = {CAP}");
        let scenes = "margin = \"1s\"\nspread = \"0s\"";
        let windows = "windows = [{ cron = \"0 2 * * Tue-Thu\", lasts = \"3h\" }]\ntime_zone = \"America/New_York\"";
        for (name, more) in [("anytime", takes_over), ("windowed", format!("{pace}\n{windows}"))] {
            let more = if self.setup.is_troubled { more.as_str() } else { scenes };
            writeln!(text, "[policies.{name}]\nrotate_before = \"{}d\"\n{more}", self.rotate_before).unwrap();
            writeln!(text, "password = {{ length = 16, avoid = \"url\" }}\n{}", self.setup.policy).unwrap();
        }
        for vault in 0..self.vaults.len() {
            writeln!(text, "[vaults.v{vault}]\nkind = \"age-directory\"\npath = \"vault{vault}\"").unwrap();
            writeln!(text, "identity = {{ file = \"identity{vault}\" }}").unwrap();
        }
        for tenant in 0..self.gateways.len() {
            writeln!(text, "[tenants.t{tenant}]\nsite = \"public\"").unwrap();
            writeln!(text, "access_key = {{ env = \"A\" }}\nsecret_key = {{ env = \"S\" }}").unwrap();
            let vault = tenant % self.vaults.len();
            writeln!(text, "[[accounts]]\ntenant = \"t{tenant}\"\nkind = \"sub-account\"\nnames = [\"t*\"]").unwrap();
            writeln!(text, "vault = \"v{vault}\"\npolicy = \"{}\"", policy_of_tenant(tenant)).unwrap();
        }
        Config::parse(&text, "simulated.toml", Path::new("/")).unwrap()
    }
}

fn managing(config: &Config) -> Vec<Arc<Managing>> {
    let managing = |rule: &ncloud_rotator::domain::rule::Rule| {
        let generator = Generator::new(rule.kind, rule.policy.password.recipe().unwrap()).unwrap();
        Arc::new(Managing { rule: rule.clone(), generator: Some(Arc::new(generator)) })
    };
    config.rules.iter().map(managing).collect()
}

/// Whether a rotation that begins now keeps to the windows of its policy, or has reason not to: reckoned here by the clocks
/// of the zone alone, apart from the product's own calendar.
fn keeps_to_its_window(begins: &Begins<'_>) -> Result<(), String> {
    let tenant: usize = tenant_of(begins.subject).trim_start_matches('t').parse().unwrap();
    let local = begins.at.in_tz("America/New_York").unwrap();
    let is_day = matches!(local.weekday(), Weekday::Tuesday | Weekday::Wednesday | Weekday::Thursday);
    let is_open = is_day && (2..5).contains(&local.hour());
    // Past its deadline, two days before the expiry, and an hour and the spread before that, nothing waits for a window.
    let is_forced = begins.at >= begins.expires_at - SignedDuration::from_hours(4 * 24);
    if policy_of_tenant(tenant) == "anytime" || is_open || is_forced {
        return Ok(());
    }
    Err(format!("{local} is in no window, and it expires at {}", begins.expires_at))
}
