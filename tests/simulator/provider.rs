//! A provider in memory: a gateway with its accounts, which outlives the daemon, and each process's own way to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ncloud_rotator::domain::account::{Account, AccountId, Kind, Site, Standing, Subject};
use ncloud_rotator::domain::alias::LoginAlias;
use ncloud_rotator::domain::gateway::Gateway;
use ncloud_rotator::domain::rotation::{Answer, Block, Doubt};
use ncloud_rotator::domain::secret::Password;
use ncloud_rotator::ports::clock::{Clock, GatewayClock};
use ncloud_rotator::ports::provider::{Detail, Expiration, Generated, Provider, ProviderError};
use ncloud_rotator::ports::tenant::TenantSettings;

use crate::audit::Audit;
use crate::dice::Dice;
use crate::time::Time;
use crate::trouble::{Fate, State as Trouble, Troubles};

pub(crate) struct SimGateway {
    pub(crate) trouble: Troubles,
    time: Time,
    dice: Dice,
    audit: Arc<Audit>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    accounts: BTreeMap<AccountId, Account>,
    days: u16,
    /// Requests that were accepted and take effect later.
    flights: Vec<(Timestamp, AccountId, String)>,
}

impl SimGateway {
    pub(crate) fn new(time: Time, dice: Dice, audit: Arc<Audit>, days: u16) -> Self {
        let state = Mutex::new(State { days, ..State::default() });
        Self { trouble: Troubles::default(), time, dice, audit, state }
    }

    pub(crate) fn add(&self, name: &str) -> Subject {
        let id = AccountId(name.to_owned());
        let account = Account { id: id.clone(), name: name.to_owned(), standing: Standing::Active, created_at: None };
        self.state.lock().unwrap().accounts.insert(id.clone(), account);
        subject(&id)
    }

    pub(crate) fn set_active(&self, id: &AccountId, is_active: bool) {
        if let Some(account) = self.state.lock().unwrap().accounts.get_mut(id) {
            account.standing = if is_active { Standing::Active } else { Standing::Inactive };
        }
    }

    pub(crate) fn set_days(&self, days: u16) {
        self.state.lock().unwrap().days = days;
    }

    /// Lets requests take effect whose time has come.
    pub(crate) fn land(&self) {
        let now = self.time.now();
        let mut landing = Vec::new();
        {
            let mut state = self.state.lock().unwrap();
            if state.flights.is_empty() {
                return;
            }
            state.flights.sort_by_key(|(at, ..)| *at);
            while state.flights.first().is_some_and(|(at, ..)| *at <= now) {
                landing.push(state.flights.remove(0));
            }
        }
        for (_, id, password) in landing {
            self.audit.landed(&subject(&id), &password, true);
        }
    }

    fn refuses(&self) -> bool {
        match self.trouble.state() {
            Trouble::Refusing => true,
            Trouble::Perfect => false,
            _ => self.dice.happens(500),
        }
    }

    /// When the next request takes effect by itself, after the beginning of time.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.state.lock().unwrap().flights.iter().map(|(at, ..)| *at).min()
    }
}

fn subject(id: &AccountId) -> Subject {
    Subject { site: Site::Public, kind: Kind::SubAccount, id: id.clone() }
}

/// One process's way to the gateway.
pub(crate) struct SimProvider {
    gateway: Arc<SimGateway>,
    clock: Arc<GatewayClock>,
}

impl SimProvider {
    pub(crate) fn new(gateway: Arc<SimGateway>) -> Self {
        let clock = Arc::new(GatewayClock::new(Arc::new(gateway.time.clone())));
        Self { gateway, clock }
    }

    async fn latency(&self, most: u64) -> Fate {
        let gateway = &self.gateway;
        gateway.time.sleep(gateway.dice.millis(20..most)).await;
        gateway.land();
        match gateway.trouble.fate(&gateway.dice) {
            Fate::Hangs => std::future::pending().await,
            fate => fate,
        }
    }

    fn hear(&self) {
        let second = self.gateway.time.now().as_second();
        self.clock.heard(Timestamp::from_second(second).unwrap());
    }

    async fn read<T>(&self, answer: impl FnOnce(&State) -> T + Send) -> Result<T, ProviderError> {
        let away = || ProviderError::Unreachable { host: "simulated".into(), cause: "it is away".into() };
        match self.latency(300).await {
            Fate::Done => {
                self.hear();
                Ok(answer(&self.gateway.state.lock().unwrap()))
            }
            Fate::Throttled => Err(ProviderError::Throttled { status: 429, code: "300".into() }),
            Fate::KeysRefused => {
                self.hear();
                Err(ProviderError::Authentication { status: 401, code: "200".into() })
            }
            Fate::Away | Fate::LostBefore | Fate::LostAfter | Fate::Hangs => Err(away()),
        }
    }
}

#[async_trait]
impl Provider for SimProvider {
    fn clock(&self) -> &Arc<GatewayClock> {
        &self.clock
    }

    async fn accounts(&self) -> Result<Vec<Account>, ProviderError> {
        self.read(|state| state.accounts.values().cloned().collect()).await
    }

    async fn reset_password(&self, id: &AccountId, password: &Password, signed_at: Timestamp) -> Answer {
        let (gateway, subject, bounds) = (&self.gateway, subject(id), Gateway::default());
        gateway.audit.sent(&subject);
        let word = password.expose();
        gateway.audit.flies(&subject, word);
        let mut flight = Flight { gateway, subject: &subject, word, has_landed: false };
        let fate = self.latency(2000).await;
        let left = bounds.signature_lifetime - gateway.time.now().duration_since(signed_at).abs();
        if left.is_negative() && fate == Fate::Done {
            self.hear();
            return Answer::Blocked(Block::Authentication);
        }
        match fate {
            Fate::Done if gateway.trouble.state() == Trouble::Mute => Answer::Ambiguous(Doubt::Disconnected),
            Fate::Done if gateway.refuses() => {
                self.hear();
                Answer::Refused
            }
            Fate::Done => {
                self.hear();
                flight.lands(true);
                Answer::Accepted
            }
            Fate::LostAfter if gateway.dice.happens(500_000) => {
                flight.lands(true);
                Answer::Ambiguous(Doubt::ServerError)
            }
            Fate::LostAfter if !left.is_negative() => {
                // Accepted at any time before the signature is too old, and worked on for as long as the gateway may.
                let most = u64::try_from((left + bounds.timeout).as_millis()).unwrap();
                let at = gateway.time.now() + gateway.dice.millis(1..most);
                gateway.state.lock().unwrap().flights.push((at, id.clone(), word.to_owned()));
                flight.has_landed = true;
                gateway.time.sleep(Duration::from_secs(20)).await;
                Answer::Ambiguous(Doubt::TimedOut)
            }
            Fate::LostBefore | Fate::LostAfter | Fate::Hangs => Answer::Ambiguous(Doubt::Disconnected),
            Fate::Away => Answer::Blocked(Block::NotSent),
            Fate::Throttled => Answer::Blocked(Block::Throttled),
            Fate::KeysRefused => {
                self.hear();
                Answer::Blocked(Block::Authentication)
            }
        }
    }

    async fn generate_password(&self, _: &AccountId, _: Timestamp) -> Result<Generated, ProviderError> {
        Err(ProviderError::Impossible { call: "generate", why: "it is not simulated" })
    }

    async fn detail(&self, _: &AccountId) -> Result<Detail, ProviderError> {
        Err(ProviderError::Impossible { call: "detail", why: "it is not simulated" })
    }

    async fn probe(&self) -> Result<(), ProviderError> {
        self.read(|_| ()).await
    }

    async fn expiration(&self) -> Result<Expiration, ProviderError> {
        self.read(|state| Expiration::Days(state.days)).await
    }
}

#[async_trait]
impl TenantSettings for SimProvider {
    async fn expiration(&self) -> Result<Expiration, ProviderError> {
        Provider::expiration(self).await
    }

    async fn set_expiration(&self, _: Expiration) -> Result<(), ProviderError> {
        Err(ProviderError::Impossible { call: "set", why: "it is not simulated" })
    }

    async fn login_alias(&self) -> Result<Option<LoginAlias>, ProviderError> {
        Ok(None)
    }

    async fn set_login_alias(&self, _: &LoginAlias) -> Result<(), ProviderError> {
        Err(ProviderError::Impossible { call: "set", why: "it is not simulated" })
    }
}

/// A request on its way; when its process ends, it is lost with it.
struct Flight<'a> {
    gateway: &'a SimGateway,
    subject: &'a Subject,
    word: &'a str,
    has_landed: bool,
}

impl Flight<'_> {
    fn lands(&mut self, is_set: bool) {
        self.has_landed = true;
        self.gateway.audit.landed(self.subject, self.word, is_set);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if !self.has_landed && !std::thread::panicking() {
            self.lands(false);
        }
    }
}
