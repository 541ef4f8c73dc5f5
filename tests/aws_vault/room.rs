//! What every test here stands in: a Secrets Manager and a gateway whose clocks stand where they are set, and one account.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_secretsmanager::config::{Credentials, SharedCredentialsProvider};
use jiff::{SignedDuration, Timestamp};
use ncloud_rotator::domain::account::{AccountId, Kind, Site, Subject};
use ncloud_rotator::domain::rotation::snapshot::{Revision, Snapshot};
use ncloud_rotator::domain::secret::{Password, SecretName};
use ncloud_rotator::domain::token::Token;
use ncloud_rotator::domain::value::{Mark, Part, Rotated, SecretValue};
use ncloud_rotator::ports::clock::{Clock, GatewayClock};
use ncloud_rotator::ports::vault::{Place, Vault, VaultError};
use ncloud_rotator::vault::aws::{AwsVault, Settings};
use serde_json::{Value, json};

use crate::secrets_manager::operation::Operation;
use crate::secrets_manager::server::{SecretSeen, Server};

/// The revision of a secret that does not exist, or has no version.
pub(crate) const ABSENT: Revision = Revision([0; 32]);
/// Where both clocks stand at first.
pub(crate) const START: i64 = 1_800_000_000;
/// The secret.
pub(crate) const SECRET: &str = "ncloud/main/sub-account/svc-a";

/// A clock that is set by hand; whoever sleeps by it moves it.
pub(crate) struct ManualClock(Mutex<Timestamp>);

#[async_trait]
impl Clock for ManualClock {
    fn wall(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    fn boot(&self) -> Duration {
        self.wall().duration_since(Timestamp::UNIX_EPOCH).unsigned_abs()
    }

    async fn sleep(&self, duration: Duration) {
        *self.0.lock().unwrap() += duration;
    }
}

pub(crate) struct Room {
    pub(crate) server: Server,
    wall: Arc<ManualClock>,
    /// By which the vault waits for its turn to write; the waits of one test do not move another's times.
    pub(crate) pace: Arc<ManualClock>,
    pub(crate) clock: GatewayClock,
    pub(crate) secret: SecretName,
    pub(crate) subject: Subject,
    /// Calls that an earlier step of the test made.
    before: Mutex<BTreeMap<Operation, u64>>,
}

impl Room {
    pub(crate) fn new() -> Self {
        let server = Server::start();
        server.time().stand_at(at(0));
        let [wall, pace] = [(), ()].map(|()| Arc::new(ManualClock(Mutex::new(at(0)))));
        let clock = GatewayClock::new(Arc::clone(&wall) as _);
        clock.heard(at(0));
        let (secret, subject) = (SECRET.parse().unwrap(), subject("id1"));
        Self { server, wall, pace, clock, secret, subject, before: Mutex::default() }
    }

    /// So much later, on both clocks.
    pub(crate) fn later(&self, seconds: i64) {
        *self.wall.0.lock().unwrap() += SignedDuration::from_secs(seconds);
        self.server.time().advance(SignedDuration::from_secs(seconds));
    }

    pub(crate) fn settings(&self) -> Settings {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "the tests");
        Settings {
            name: "aws".to_owned(),
            region: Server::REGION.to_owned(),
            endpoint_url: Some(self.server.endpoint()),
            kms_key_id: None,
            tags: BTreeMap::new(),
            credentials: Some(SharedCredentialsProvider::new(credentials)),
            role_arn: None,
            settle: SignedDuration::from_secs(30),
            write_interval: Duration::from_millis(25),
            sole: false,
            timeout: Duration::from_secs(5),
            proxy: None,
            ca_file: None,
            prefixes: vec!["ncloud/".to_owned()],
            clock: Arc::clone(&self.pace) as _,
        }
    }

    /// A process that knows nothing yet.
    pub(crate) fn vault(&self) -> Box<dyn Vault> {
        self.vault_of(self.settings())
    }

    #[expect(clippy::unused_self, reason = "a room's vault belongs to its server")]
    pub(crate) fn vault_of(&self, settings: Settings) -> Box<dyn Vault> {
        Box::new(AwsVault::new(settings).unwrap())
    }

    pub(crate) fn place(&self) -> Place<'_> {
        Place { secret: &self.secret, subject: &self.subject }
    }

    pub(crate) async fn read(&self, vault: &dyn Vault) -> Snapshot {
        vault.read(self.place(), &self.clock).await.unwrap()
    }

    /// Stages attempt `k` over what `seen` shows, with the password `password-K`.
    pub(crate) async fn stage(&self, vault: &dyn Vault, seen: &Snapshot, k: u32) -> Result<Snapshot, VaultError> {
        let current = seen.current.as_ref().unwrap().token;
        let value = self.value_over(vault, current, k, None).await;
        let token = self.token(current, k);
        vault.stage(self.place(), seen.revision, token, &value, &self.clock).await
    }

    /// Stages attempt 0 over a version whose value cannot be read any more.
    pub(crate) async fn stage_blindly(
        &self,
        vault: &dyn Vault,
        seen: &Snapshot,
        current: Token,
    ) -> Result<Snapshot, VaultError> {
        let token = self.token(current, 0);
        vault.stage(self.place(), seen.revision, token, &SecretValue::placeholder(), &self.clock).await
    }

    /// The value of attempt `k` over the version `current`, whose other keys it keeps.
    pub(crate) async fn value_over(
        &self,
        vault: &dyn Vault,
        current: Token,
        k: u32,
        part: Option<Part>,
    ) -> SecretValue {
        let base = vault.value(&self.secret, current).await.unwrap();
        let mark = self.mark(current, k, part);
        if part == Some(Part::Intent) {
            return base.intent("svc-a", &self.subject, "main", &mark);
        }
        base.rotated(&Rotated {
            username: "svc-a",
            password: &password(k),
            subject: &self.subject,
            tenant: "main",
            login_url: None,
            rotated_at: self.clock.now(),
            expires_at: None,
            mark: &mark,
        })
    }

    pub(crate) fn mark(&self, generation: Token, attempt: u32, provider: Option<Part>) -> Mark {
        let account = self.subject.to_string();
        Mark { account, generation, attempt, by: "journal".into(), provider, rollback: false }
    }

    pub(crate) async fn promote(&self, vault: &dyn Vault, seen: &Snapshot) -> Result<Snapshot, VaultError> {
        let token = seen.pending.as_ref().unwrap().version.token;
        vault.promote(self.place(), seen.revision, token, &self.clock).await
    }

    /// A secret of ours that was rotated once, by a process that is gone; an hour has passed since.
    pub(crate) async fn rotated_once(&self) -> Token {
        let vault = self.vault();
        let absent = self.read(&*vault).await;
        let placed = vault.place(self.place(), absent.revision, &self.clock).await.unwrap();
        let staged = self.stage(&*vault, &placed, 0).await.unwrap();
        let promoted = self.promote(&*vault, &staged).await.unwrap();
        self.later(3600);
        promoted.current.unwrap().token
    }

    pub(crate) fn token(&self, current: Token, k: u32) -> Token {
        Token::of_attempt(&self.subject, current, k)
    }

    /// Makes the secret by another hand, with one version.
    pub(crate) fn made_by_others(&self, text: &str) {
        self.act(
            Operation::CreateSecret,
            json!({ "Name": SECRET, "SecretString": text, "ClientRequestToken": FOREIGN }),
        );
    }

    /// Puts a version by another hand.
    pub(crate) fn put_by_others(&self, id: &str, text: &str, labels: &[&str]) {
        let put =
            json!({ "SecretId": SECRET, "SecretString": text, "ClientRequestToken": id, "VersionStages": labels });
        self.act(Operation::PutSecretValue, put);
    }

    pub(crate) fn act(&self, operation: Operation, request: Value) {
        self.server.act(operation, request).unwrap();
    }

    /// The secret as it is inside.
    pub(crate) fn seen(&self) -> SecretSeen {
        self.server.secret(SECRET).unwrap()
    }

    /// The JSON under a label.
    pub(crate) fn under(&self, label: &str) -> Value {
        let seen = self.seen();
        let text = seen.labelled(label).unwrap_or_else(|| panic!("nothing is under {label}"));
        serde_json::from_str(text).unwrap()
    }

    /// The labels of a version.
    pub(crate) fn labels(&self, token: Token) -> Vec<String> {
        let seen = self.seen();
        let version = seen.versions.iter().find(|version| version.id == token.to_string());
        version.map(|version| version.labels.clone()).unwrap_or_default()
    }

    /// The calls since this was asked last, by name, in the order of names.
    pub(crate) fn calls(&self) -> Vec<(&'static str, u64)> {
        let counts = self.server.counts();
        let mut before = self.before.lock().unwrap();
        let since = |(operation, count): (&Operation, &u64)| {
            let made = count - before.get(operation).copied().unwrap_or(0);
            (made > 0).then_some((operation.name(), made))
        };
        let calls = counts.iter().filter_map(since).collect();
        *before = counts;
        calls
    }
}

/// A version's id as somebody else's tool makes them.
pub(crate) const FOREIGN: &str = "terraform-20231012093512345600000001";

/// So many seconds after the start.
pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(START + second).unwrap()
}

pub(crate) fn password(k: u32) -> Password {
    Password::new(format!("password-{k}"))
}

pub(crate) fn subject(id: &str) -> Subject {
    Subject { site: Site::Public, kind: Kind::SubAccount, id: AccountId(id.into()) }
}
