//! What every test here stands in: a temporary directory, a clock that is set by hand, and one account.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ncloud_rotator::domain::account::{AccountId, Kind, Site, Subject};
use ncloud_rotator::domain::rotation::snapshot::{Revision, Snapshot};
use ncloud_rotator::domain::secret::{Password, SecretName};
use ncloud_rotator::domain::token::Token;
use ncloud_rotator::domain::value::{Mark, Rotated, SecretValue};
use ncloud_rotator::ports::clock::{Clock, GatewayClock};
use ncloud_rotator::ports::vault::{Place, Status, Vault, VaultError};
use ncloud_rotator::vault::age::{AgeVault, IdentitySource, Settings};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;

/// The revision of a secret that does not exist.
pub(crate) const ABSENT: Revision = Revision([0; 32]);

/// A clock that is set by hand, and that tells how often it was looked at.
pub(crate) struct ManualClock {
    wall: Mutex<Timestamp>,
    looks: watch::Sender<u32>,
}

impl ManualClock {
    pub(crate) fn set(&self, second: i64) {
        *self.wall.lock().unwrap() = at(second);
    }

    pub(crate) fn looks(&self) -> watch::Receiver<u32> {
        self.looks.subscribe()
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn wall(&self) -> Timestamp {
        *self.wall.lock().unwrap()
    }

    fn boot(&self) -> Duration {
        let now = self.wall();
        self.looks.send_modify(|looks| *looks += 1);
        now.duration_since(Timestamp::UNIX_EPOCH).unsigned_abs()
    }

    async fn sleep(&self, _: Duration) {}
}

pub(crate) struct Room {
    pub(crate) dir: TempDir,
    pub(crate) wall: Arc<ManualClock>,
    /// Heard its gateway at second 1000, and shows the time that is set by hand.
    pub(crate) clock: GatewayClock,
    pub(crate) secret: SecretName,
    pub(crate) subject: Subject,
}

impl Room {
    pub(crate) fn new() -> Self {
        let wall = Arc::new(ManualClock { wall: Mutex::new(at(1000)), looks: watch::Sender::new(0) });
        let clock = GatewayClock::new(Arc::clone(&wall) as _);
        clock.heard(at(1000));
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock,
            wall,
            secret: name("ncloud/main/sub-account/svc-a"),
            subject: subject("id1"),
        }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("vault")
    }

    pub(crate) fn identity(&self) -> PathBuf {
        self.dir.path().join("identity.txt")
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.root().join("ncloud/main/sub-account/svc-a.age")
    }

    pub(crate) fn settings(&self) -> Settings {
        Settings {
            path: self.root(),
            identity: IdentitySource::File(self.identity()),
            recipients: Vec::new(),
            patience: AgeVault::PATIENCE,
        }
    }

    pub(crate) fn vault(&self) -> AgeVault {
        AgeVault::new(self.settings())
    }

    pub(crate) fn at(&self) -> Place<'_> {
        Place { secret: &self.secret, subject: &self.subject }
    }

    /// What planning is told of the room's secret.
    pub(crate) async fn status_of(&self, vault: &AgeVault) -> Result<Status, VaultError> {
        vault.statuses(&[self.at()]).await.remove(0)
    }

    pub(crate) async fn read(&self, vault: &AgeVault) -> Result<Snapshot, VaultError> {
        vault.read(self.at(), &self.clock).await
    }

    pub(crate) async fn place(&self, vault: &AgeVault, base: Revision) -> Result<Snapshot, VaultError> {
        vault.place(self.at(), base, &self.clock).await
    }

    pub(crate) async fn stage(
        &self,
        vault: &AgeVault,
        base: Revision,
        token: Token,
        value: &SecretValue,
    ) -> Result<Snapshot, VaultError> {
        vault.stage(self.at(), base, token, value, &self.clock).await
    }

    pub(crate) async fn permit(&self, vault: &AgeVault, base: Revision, token: Token) -> Result<Snapshot, VaultError> {
        vault.permit(self.at(), base, token, &self.clock).await
    }

    pub(crate) async fn promote(&self, vault: &AgeVault, base: Revision, token: Token) -> Result<Snapshot, VaultError> {
        vault.promote(self.at(), base, token, &self.clock).await
    }

    /// A secret with candidate 0 promoted, and the last snapshot.
    pub(crate) async fn rotated_once(&self, vault: &AgeVault) -> Snapshot {
        let placed = self.place(vault, ABSENT).await.unwrap();
        let staged = self.stage(vault, placed.revision, self.token(0), &self.value(0)).await.unwrap();
        self.promote(vault, staged.revision, self.token(0)).await.unwrap()
    }

    pub(crate) fn token(&self, k: u32) -> Token {
        Token::of_attempt(&self.subject, Token::placeholder(), k)
    }

    /// A value of ours with the password `password-K`.
    pub(crate) fn value(&self, k: u32) -> SecretValue {
        self.rotate(&SecretValue::placeholder(), k)
    }

    pub(crate) fn rotate(&self, old: &SecretValue, k: u32) -> SecretValue {
        old.rotated(&Rotated {
            username: "svc-a",
            password: &password(k),
            subject: &self.subject,
            tenant: "main",
            login_url: None,
            rotated_at: at(500 + i64::from(k)),
            expires_at: None,
            mark: &Mark {
                account: self.subject.to_string(),
                generation: Token::placeholder(),
                attempt: k,
                by: "journal".into(),
                provider: None,
                rollback: false,
            },
        })
    }

    /// Seals any bytes to the room's identity and puts them in the secret's place.
    pub(crate) fn put(&self, plain: &[u8]) {
        let sealed = age::encrypt(&self.key().to_public(), plain).unwrap();
        fs::create_dir_all(self.file().parent().unwrap()).unwrap();
        fs::write(self.file(), sealed).unwrap();
    }

    /// The room's identity as the library reads it; made if the vault has not made one.
    pub(crate) fn key(&self) -> age::x25519::Identity {
        use age::secrecy::ExposeSecret;
        if !self.identity().exists() {
            let key = age::x25519::Identity::generate();
            ncloud_rotator::durable::replace(&self.identity(), key.to_string().expose_secret().as_bytes()).unwrap();
        }
        let text = fs::read_to_string(self.identity()).unwrap();
        text.lines().find(|line| line.starts_with("AGE-SECRET-KEY-")).unwrap().parse().unwrap()
    }

    /// The document in the secret's file.
    pub(crate) fn document(&self) -> Value {
        decrypt(&self.key(), &self.file())
    }
}

pub(crate) fn decrypt(key: &age::x25519::Identity, file: &Path) -> Value {
    serde_json::from_slice(&age::decrypt(key, &fs::read(file).unwrap()).unwrap()).unwrap()
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

pub(crate) fn password(k: u32) -> Password {
    Password::new(format!("password-{k}"))
}

pub(crate) fn name(text: &str) -> SecretName {
    text.parse().unwrap()
}

pub(crate) fn subject(id: &str) -> Subject {
    Subject { site: Site::Public, kind: Kind::SubAccount, id: AccountId(id.into()) }
}

/// Every file and directory below `dir`, relative to it, sorted.
pub(crate) fn tree(dir: &Path) -> Vec<String> {
    fn visit(root: &Path, dir: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            if path.is_dir() {
                visit(root, &path, found);
            }
        }
    }
    let mut found = Vec::new();
    visit(dir, dir, &mut found);
    found.sort();
    found
}

pub(crate) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
