//! The port, over the calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::calls::Calls;
use super::failure::{Failure, Operation};
use super::memory::Memory;
use super::settings::{BadSettings, Settings};
use crate::domain::rotation::snapshot::{Revision, Snapshot};
use crate::domain::secret::SecretName;
use crate::domain::token::Token;
use crate::domain::value::SecretValue;
use crate::ports::clock::GatewayClock;
use crate::ports::limit::Limit;
use crate::ports::vault::{Listing, Place, Status, Vault, VaultError};

/// AWS Secrets Manager, in one region.
pub struct AwsVault {
    pub(super) settings: Arc<Settings>,
    pub(super) calls: Calls,
    pub(super) memory: Memory,
    writes: Limit,
}

/// How long a write may wait for its turn by the rate.
const PATIENCE: Duration = Duration::from_secs(30);

impl AwsVault {
    /// A vault; nothing is sent, and no credentials are looked for, before its first use.
    pub fn new(settings: Settings) -> Result<Self, BadSettings> {
        let settings = Arc::new(settings);
        let calls = Calls::new(Arc::clone(&settings))?;
        let writes = Limit::every(settings.write_interval, Arc::clone(&settings.clock));
        Ok(Self { settings, calls, memory: Memory::default(), writes })
    }

    /// Waits for a write's turn.
    pub(super) async fn turn(&self, operation: Operation, secret: &SecretName) -> Result<(), VaultError> {
        let mut waited = Duration::ZERO;
        while let Err(pause) = self.writes.try_permission() {
            if waited + pause > PATIENCE {
                return Err(VaultError::Unavailable(format!(
                    "{}: {}: its turn by `writes` does not come within {} s; it is tried again later",
                    self.named(secret),
                    operation.label(),
                    PATIENCE.as_secs()
                )));
            }
            self.settings.clock.sleep(pause).await;
            waited += pause;
        }
        Ok(())
    }

    /// The vault and a secret in it, for people.
    pub(super) fn named<'a>(&'a self, secret: &'a SecretName) -> impl fmt::Display + 'a {
        Named { settings: &self.settings, secret: Some(secret) }
    }

    /// The vault, for people.
    pub(super) fn whole(&self) -> impl fmt::Display + '_ {
        Named { settings: &self.settings, secret: None }
    }

    /// What to do about a failed call for one secret.
    pub(super) fn decide(&self, failure: &Failure, operation: Operation, secret: &SecretName) -> VaultError {
        failure.decide(operation, &self.named(secret))
    }
}

/// How far AWS's clock is ahead of the gateway's: nothing where one of them was not heard. A `Date` has whole seconds, and was
/// told at some time between the request and its answer; the greater difference counts, so that a slow answer hides none.
pub(super) fn skew(date: Option<Timestamp>, before: Timestamp, clock: &GatewayClock) -> Option<SignedDuration> {
    let (date, after) = (date?.as_second(), clock.stamp()?.as_second());
    let differences = [date - before.as_second(), date - after].map(SignedDuration::from_secs);
    differences.into_iter().max_by_key(|difference| difference.abs())
}

struct Named<'a> {
    settings: &'a Settings,
    secret: Option<&'a SecretName>,
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { name, region, endpoint_url, .. } = self.settings;
        write!(f, "vault {name} (AWS Secrets Manager, {region}")?;
        if let Some(address) = endpoint_url {
            write!(f, ", {address}")?;
        }
        f.write_str(")")?;
        self.secret.map_or(Ok(()), |secret| write!(f, ": secret {secret}"))
    }
}

#[async_trait]
impl Vault for AwsVault {
    fn settle(&self) -> SignedDuration {
        self.settings.settle
    }

    async fn read(&self, place: Place<'_>, clock: &GatewayClock) -> Result<Snapshot, VaultError> {
        self.look(place, clock).await
    }

    async fn value(&self, secret: &SecretName, token: Token) -> Result<SecretValue, VaultError> {
        self.value_of(secret, token).await
    }

    async fn place(&self, place: Place<'_>, base: Revision, clock: &GatewayClock) -> Result<Snapshot, VaultError> {
        self.begin(place, base, clock).await
    }

    async fn stage(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        value: &SecretValue,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        self.put_pending(place, base, token, value, clock).await
    }

    async fn permit(
        &self,
        place: Place<'_>,
        _base: Revision,
        _token: Token,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        self.look(place, clock).await
    }

    async fn promote(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        self.make_current(place, base, token, clock).await
    }

    async fn restore(&self, place: Place<'_>, _base: Revision, clock: &GatewayClock) -> Result<Snapshot, VaultError> {
        self.take_back(place, clock).await
    }

    async fn drop_pending(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        self.give_up(place, base, token, clock).await
    }

    async fn show(&self, secret: &SecretName) -> Result<Option<Listing>, VaultError> {
        self.listing(secret).await
    }

    async fn statuses(&self, places: &[Place<'_>]) -> Vec<Result<Status, VaultError>> {
        self.survey(places).await
    }

    async fn secrets(&self) -> Result<Vec<SecretName>, VaultError> {
        Ok(self.list().await?.into_keys().collect())
    }

    async fn check(&self) -> Result<(), VaultError> {
        self.try_out().await
    }
}
