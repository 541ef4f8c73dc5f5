//! The port, over the store: who waits for whom, and which time is noted when.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::document::Document;
use super::identity::{IdentitySource, Recipient};
use super::rules;
use super::store::Store;
use crate::domain::account::Subject;
use crate::domain::rotation::snapshot::{Revision, Snapshot};
use crate::domain::secret::SecretName;
use crate::domain::token::Token;
use crate::domain::value::SecretValue;
use crate::durable;
use crate::ports::clock::GatewayClock;
use crate::ports::vault::{Listing, Place, Status, Vault, VaultError};

/// Secrets that are read at once.
const READ_AT_ONCE: usize = 16;

/// What a vault is made of.
#[derive(Debug)]
pub struct Settings {
    /// The directory; made on first use.
    pub path: PathBuf,
    /// What opens it.
    pub identity: IdentitySource,
    /// Who else can open what is written from now on.
    pub recipients: Vec<Recipient>,
    /// How long another process may hold the lock before a call gives up: [`AgeVault::PATIENCE`] serves.
    pub patience: Duration,
}

/// A directory of age-encrypted files.
pub struct AgeVault {
    store: Arc<Store>,
    queue: Arc<Mutex<()>>,
}

/// The lock, and one's turn in this process's queue for it.
struct Held {
    _guard: durable::Guard,
    _turn: OwnedMutexGuard<()>,
}

impl AgeVault {
    /// Holders keep the lock for some milliseconds; who waits longer than this waits for a process that hangs.
    pub const PATIENCE: Duration = Duration::from_secs(10);

    /// A vault; nothing is read or made before its first use.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let Settings { path, identity, recipients, patience } = settings;
        let store = Store { root: path, identity, recipients, patience };
        Self { store: Arc::new(store), queue: Arc::new(Mutex::new(())) }
    }

    /// The lock, and the time before it was asked for. Calls of this process queue in memory first, so that the patience
    /// counts other processes alone and a burst of calls does not fill the thread pool.
    async fn lock(&self, clock: &GatewayClock) -> Result<(Timestamp, Held), VaultError> {
        let turn = Arc::clone(&self.queue).lock_owned().await;
        let as_of = clock.now();
        Ok((as_of, self.locked(turn).await?))
    }

    async fn locked(&self, turn: OwnedMutexGuard<()>) -> Result<Held, VaultError> {
        self.blocking(move |store| Ok(Held { _guard: store.lock()?, _turn: turn })).await
    }

    /// Changes a secret that is still as `base` showed it. The change is stamped with the time *under* the lock: whoever
    /// read the old state did so before.
    async fn write<C>(
        &self,
        place: Place<'_>,
        base: Revision,
        clock: &GatewayClock,
        change: C,
    ) -> Result<Snapshot, VaultError>
    where
        C: FnOnce(Option<Document>, Option<Timestamp>) -> Result<Document, VaultError> + Send + 'static,
    {
        let (as_of, held) = self.lock(clock).await?;
        let stamp = clock.stamp();
        let (secret, subject) = owned(place);
        self.blocking(move |store| {
            let _held = held;
            let mut loaded = store.load(&secret)?;
            if loaded.revision != base {
                return Err(VaultError::Moved);
            }
            let mut document = change(loaded.document.take(), stamp)?;
            document.secret = secret.to_string();
            let revision = store.save(&secret, &document, loaded)?;
            Ok(rules::snapshot(Some(&document), &subject, as_of, revision))
        })
        .await
    }

    /// A secret as it is, for what needs no order among its readers and writers.
    async fn look<T, L>(&self, secret: &SecretName, look: L) -> Result<T, VaultError>
    where
        T: Send + 'static,
        L: FnOnce(Option<&Document>) -> Result<T, VaultError> + Send + 'static,
    {
        let secret = secret.clone();
        self.blocking(move |store| look(store.load(&secret)?.document.as_ref())).await
    }

    async fn blocking<T, W>(&self, work: W) -> Result<T, VaultError>
    where
        T: Send + 'static,
        W: FnOnce(&Store) -> Result<T, VaultError> + Send + 'static,
    {
        let store = Arc::clone(&self.store);
        let ended =
            |_| VaultError::Doubtful("this program ended while it used the vault; read the secret again".into());
        tokio::task::spawn_blocking(move || work(&store)).await.map_err(ended)?
    }
}

#[async_trait]
impl Vault for AgeVault {
    async fn read(&self, place: Place<'_>, clock: &GatewayClock) -> Result<Snapshot, VaultError> {
        let (as_of, held) = self.lock(clock).await?;
        let (secret, subject) = owned(place);
        self.blocking(move |store| {
            let _held = held;
            let loaded = store.load(&secret)?;
            if loaded.document.is_some() {
                store.settle(&secret)?;
            }
            Ok(rules::snapshot(loaded.document.as_ref(), &subject, as_of, loaded.revision))
        })
        .await
    }

    async fn peek(&self, place: Place<'_>, clock: &GatewayClock) -> Result<Snapshot, VaultError> {
        let as_of = clock.now();
        let (secret, subject) = owned(place);
        self.blocking(move |store| {
            let loaded = store.load(&secret)?;
            Ok(rules::snapshot(loaded.document.as_ref(), &subject, as_of, loaded.revision))
        })
        .await
    }

    async fn value(&self, secret: &SecretName, token: Token) -> Result<SecretValue, VaultError> {
        self.look(secret, move |document| {
            document.and_then(|document| rules::value(document, token)).cloned().ok_or(VaultError::Moved)
        })
        .await
    }

    async fn place(&self, place: Place<'_>, base: Revision, clock: &GatewayClock) -> Result<Snapshot, VaultError> {
        let secret = place.secret.clone();
        self.write(place, base, clock, move |document, now| rules::place(document, &secret, now)).await
    }

    async fn stage(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        value: &SecretValue,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        let value = value.clone();
        self.write(place, base, clock, move |document, now| rules::stage(document, token, value, now)).await
    }

    async fn permit(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        self.write(place, base, clock, move |document, _| rules::permit(document, token)).await
    }

    async fn promote(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        self.write(place, base, clock, move |document, now| rules::promote(document, token, now)).await
    }

    async fn drop_pending(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        self.write(place, base, clock, move |document, now| rules::drop_pending(document, token, now)).await
    }

    async fn show(&self, secret: &SecretName) -> Result<Option<Listing>, VaultError> {
        self.look(secret, |document| Ok(document.map(rules::listing))).await
    }

    async fn statuses(&self, places: &[Place<'_>]) -> Vec<Result<Status, VaultError>> {
        let places: Vec<(SecretName, Subject)> = places.iter().copied().map(owned).collect();
        let look = |(secret, subject): (SecretName, Subject)| async move {
            self.look(&secret, move |document| rules::status(document, &subject)).await
        };
        futures::stream::iter(places).map(look).buffered(READ_AT_ONCE).collect().await
    }

    async fn secrets(&self) -> Result<Vec<SecretName>, VaultError> {
        self.blocking(Store::names).await
    }

    async fn check(&self) -> Result<(), VaultError> {
        self.blocking(Store::check).await
    }
}

fn owned(place: Place<'_>) -> (SecretName, Subject) {
    (place.secret.clone(), place.subject.clone())
}
