//! Two vaults in memory: one compares the whole secret and counts permits, as the age directory does; the other counts
//! nothing, shows late lists and keeps its own times, as AWS Secrets Manager does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use ncloud_rotator::domain::account::Subject;
use ncloud_rotator::domain::rotation::snapshot::{
    Owner, Pending, Predecessor, Revision, Snapshot, Superseded, Version,
};
use ncloud_rotator::domain::secret::SecretName;
use ncloud_rotator::domain::token::Token;
use ncloud_rotator::domain::value::{Part, SecretValue};
use ncloud_rotator::ports::clock::{Clock, GatewayClock};
use ncloud_rotator::ports::vault::{ListedVersion, Listing, Place, Stage, Status, Vault, VaultError};

use crate::audit::Audit;
use crate::dice::Dice;
use crate::time::Time;
use crate::trouble::{Fate, Troubles};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Age,
    Aws,
}

/// One version.
#[derive(Clone)]
pub(crate) struct Entry {
    token: Token,
    created_at: Timestamp,
    permits: u32,
    before: Predecessor,
    superseded_at: Option<Timestamp>,
    is_edited: bool,
    pub(crate) value: SecretValue,
}

impl Entry {
    /// Whether a human wrote it, from one of ours.
    pub(crate) fn is_edited(&self) -> bool {
        self.is_edited
    }
}

/// One secret.
#[derive(Clone, Default)]
pub(crate) struct Secret {
    revision: u64,
    pub(crate) current: Option<Entry>,
    pub(crate) pending: Option<Entry>,
    pub(crate) previous: Option<Entry>,
    pub(crate) superseded: Vec<Entry>,
    used: Vec<Token>,
    promoted_at: Option<Timestamp>,
    /// What a list showed before the last change, and when that was: a list may be late.
    late: Option<(Timestamp, Option<Timestamp>, bool)>,
}

impl Secret {
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.current.iter().chain(&self.pending).chain(&self.previous).chain(&self.superseded)
    }

    fn status(&self) -> (Option<Timestamp>, bool) {
        let current = self.current.as_ref().filter(|entry| entry.value.password().is_some());
        let changed = current.map(|entry| entry.value.rotated_at().unwrap_or(entry.created_at));
        (changed, self.pending.is_some() || self.current.as_ref().is_some_and(|entry| entry.is_edited))
    }
}

pub(crate) struct SimVault {
    pub(crate) style: Style,
    pub(crate) trouble: Troubles,
    secrets: Mutex<BTreeMap<SecretName, Secret>>,
    time: Time,
    dice: Dice,
    audit: Arc<Audit>,
}

/// How late a list of the second kind may be.
const SETTLE: SignedDuration = SignedDuration::from_secs(60);

impl SimVault {
    pub(crate) fn new(style: Style, time: Time, dice: Dice, audit: Arc<Audit>) -> Self {
        Self { style, trouble: Troubles::default(), secrets: Mutex::default(), time, dice, audit }
    }

    /// A secret as it really is.
    pub(crate) fn secret(&self, name: &SecretName) -> Secret {
        self.secrets.lock().unwrap().get(name).cloned().unwrap_or_default()
    }

    /// A human puts another key beside the current password.
    pub(crate) fn edit(&self, subject: &Subject, name: &SecretName, number: u64) {
        let mut secrets = self.secrets.lock().unwrap();
        let Some(secret) = secrets.get_mut(name).filter(|secret| secret.pending.is_none()) else { return };
        let Some(current) = secret.current.as_mut().filter(|entry| entry.value.password().is_some()) else { return };
        let mut map = current.value.expose().clone();
        map.insert("note".to_owned(), number.into());
        current.value = SecretValue::from_map(map);
        if self.style == Style::Aws {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            let edited = Entry { token: Token::random(bytes), is_edited: true, ..current.clone() };
            secret.previous = secret.current.replace(edited);
        }
        secret.revision += 1;
        self.audit.vault_changed(subject, secret);
    }

    async fn pause(&self) -> Result<Fate, VaultError> {
        self.time.sleep(self.dice.millis(2..40)).await;
        match self.trouble.fate(&self.dice) {
            Fate::Hangs => std::future::pending().await,
            Fate::Away => Err(VaultError::Unavailable("the simulated vault is away".to_owned())),
            fate => Ok(fate),
        }
    }

    async fn write(
        &self,
        place: Place<'_>,
        base: Option<Revision>,
        clock: &GatewayClock,
        change: impl FnOnce(&mut Secret, Timestamp) -> Result<(), VaultError> + Send,
    ) -> Result<Snapshot, VaultError> {
        let as_of = clock.now();
        let fate = self.pause().await?;
        if fate == Fate::LostBefore {
            return Err(VaultError::Doubtful("lost on the way".to_owned()));
        }
        let stamp = clock.stamp().unwrap_or_else(|| self.time.now());
        let (snapshot, secret) = {
            let mut secrets = self.secrets.lock().unwrap();
            let mut secret = secrets.get(place.secret).cloned().unwrap_or_default();
            if base.is_some_and(|base| base != revision(&secret)) {
                return Err(VaultError::Moved);
            }
            let (changed, unfinished) = secret.status();
            secret.late = Some((self.time.now(), changed, unfinished));
            change(&mut secret, stamp)?;
            secret.revision += 1;
            secrets.insert(place.secret.clone(), secret.clone());
            (self.snapshot(&secret, place.subject, as_of), secret)
        };
        self.audit.vault_changed(place.subject, &secret);
        match fate {
            Fate::LostAfter => Err(VaultError::Doubtful("lost on the way back".to_owned())),
            _ => Ok(snapshot),
        }
    }

    fn snapshot(&self, secret: &Secret, subject: &Subject, as_of: Timestamp) -> Snapshot {
        let was_ours = secret.promoted_at.is_some();
        let version = |entry: &Entry| Version {
            token: entry.token,
            owner: owner(entry, subject, was_ours),
            created_at: Some(entry.created_at),
        };
        let counts = self.style == Style::Age;
        Snapshot {
            current: secret.current.as_ref().map(version),
            previous: secret.previous.as_ref().map(version),
            pending: secret.pending.as_ref().map(|entry| Pending {
                version: version(entry),
                candidate: entry.token.candidate(Some(entry.created_at)),
                predecessor: entry.before,
                permits: counts.then_some(entry.permits),
            }),
            superseded: secret
                .superseded
                .iter()
                .map(|entry| Superseded { version: version(entry), at: entry.superseded_at })
                .collect(),
            counts_permits: counts,
            ..Snapshot::absent(as_of, revision(secret))
        }
    }

    /// What the next pending version takes the place of.
    fn before(&self, secret: &Secret, replaced: Option<&Entry>, now: Timestamp) -> Predecessor {
        let counts = self.style == Style::Age;
        let ended = |entry: &Entry, at: Option<Timestamp>| Predecessor::Ended {
            candidate: Some(entry.token.candidate(Some(entry.created_at))),
            at,
            permits: counts.then_some(entry.permits),
        };
        if let Some(replaced) = replaced {
            return ended(replaced, Some(now));
        }
        match &secret.current {
            Some(current) if secret.promoted_at.is_some() => ended(current, secret.promoted_at),
            _ => Predecessor::Nothing,
        }
    }
}

fn revision(secret: &Secret) -> Revision {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&secret.revision.to_le_bytes());
    Revision(bytes)
}

fn owner(entry: &Entry, subject: &Subject, was_ours: bool) -> Owner {
    match entry.value.mark() {
        Some(mark) if mark.account != subject.to_string() => Owner::OtherAccount,
        Some(_) if entry.is_edited => Owner::Edited,
        Some(mark) => match mark.provider {
            None if mark.rollback => Owner::Rollback { generation: mark.generation, attempt: mark.attempt },
            None => Owner::Ours { generation: mark.generation, attempt: mark.attempt },
            Some(Part::Intent) => Owner::Intent { generation: mark.generation },
            Some(Part::Answer) => Owner::Generated { generation: mark.generation },
        },
        None if entry.value.password().is_none() => Owner::Placeholder,
        None if was_ours => Owner::Stranger,
        None => Owner::NeverOurs,
    }
}

#[async_trait]
impl Vault for SimVault {
    fn settle(&self) -> SignedDuration {
        if self.style == Style::Aws { SETTLE } else { SignedDuration::ZERO }
    }

    async fn read(&self, place: Place<'_>, clock: &GatewayClock) -> Result<Snapshot, VaultError> {
        let as_of = clock.now();
        self.pause().await?;
        Ok(self.snapshot(&self.secret(place.secret), place.subject, as_of))
    }

    async fn value(&self, secret: &SecretName, token: Token) -> Result<SecretValue, VaultError> {
        self.pause().await?;
        let secret = self.secret(secret);
        secret.entries().find(|entry| entry.token == token).map(|entry| entry.value.clone()).ok_or(VaultError::Moved)
    }

    async fn place(&self, place: Place<'_>, base: Revision, clock: &GatewayClock) -> Result<Snapshot, VaultError> {
        self.write(place, Some(base), clock, |secret, now| {
            secret.current = Some(Entry {
                token: Token::placeholder(),
                created_at: now,
                permits: 0,
                before: Predecessor::Nothing,
                superseded_at: None,
                is_edited: false,
                value: SecretValue::placeholder(),
            });
            Ok(())
        })
        .await
    }

    async fn stage(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        value: &SecretValue,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        let begins = self.secret(place.secret).pending.is_none();
        if begins {
            self.audit.begins(place.subject, &self.secret(place.secret));
        }
        self.write(place, Some(base), clock, |secret, now| {
            if secret.used.contains(&token) {
                return Err(VaultError::TokenUsed);
            }
            secret.used.push(token);
            let replaced = secret.pending.take();
            let before = self.before(secret, replaced.as_ref(), now);
            secret.superseded.extend(replaced.map(|entry| Entry { superseded_at: Some(now), ..entry }));
            let (created_at, value) = (now, value.clone());
            let staged = Entry { token, created_at, permits: 1, before, superseded_at: None, is_edited: false, value };
            secret.pending = Some(staged);
            Ok(())
        })
        .await
    }

    async fn permit(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        self.write(place, Some(base), clock, |secret, _| {
            let pending = secret.pending.as_mut().filter(|entry| entry.token == token).ok_or(VaultError::Moved)?;
            pending.permits += 1;
            Ok(())
        })
        .await
    }

    async fn promote(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        self.write(place, Some(base), clock, |secret, now| {
            let pending = secret.pending.take_if(|entry| entry.token == token).ok_or(VaultError::Moved)?;
            secret.previous = secret.current.replace(pending).filter(|entry| entry.value.password().is_some());
            secret.superseded.clear();
            secret.used.truncate(0);
            secret.used.push(token);
            secret.promoted_at = Some(now);
            Ok(())
        })
        .await
    }

    async fn drop_pending(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        self.write(place, Some(base), clock, |secret, now| {
            let pending = secret.pending.take_if(|entry| entry.token == token).ok_or(VaultError::Moved)?;
            secret.superseded.push(Entry { superseded_at: Some(now), ..pending });
            Ok(())
        })
        .await
    }

    async fn show(&self, secret: &SecretName) -> Result<Option<Listing>, VaultError> {
        self.pause().await?;
        let secret = self.secret(secret);
        let list = |stage: Stage| {
            move |entry: &Entry| ListedVersion {
                stage,
                token: entry.token,
                candidate: entry.token.candidate(Some(entry.created_at)),
                created_at: Some(entry.created_at),
                value: entry.value.clone(),
            }
        };
        let current = secret.current.iter().map(list(Stage::Current));
        Ok(Some(Listing { versions: current.chain(secret.pending.iter().map(list(Stage::Pending))).collect() }))
    }

    async fn statuses(&self, places: &[Place<'_>]) -> Vec<Result<Status, VaultError>> {
        if let Err(error) = self.pause().await {
            return places.iter().map(|_| Err(error.clone())).collect();
        }
        let (secrets, now) = (self.secrets.lock().unwrap(), self.time.now());
        let status = |place: &Place<'_>| {
            let Some(secret) = secrets.get(place.secret) else {
                return Ok(Status { last_changed: None, unfinished: false });
            };
            let is_late = |at: Timestamp| self.style == Style::Aws && now.duration_since(at) < SETTLE;
            let (last_changed, unfinished) = match secret.late {
                Some((at, changed, unfinished)) if is_late(at) => (changed, unfinished),
                _ => secret.status(),
            };
            Ok(Status { last_changed, unfinished })
        };
        places.iter().map(status).collect()
    }

    async fn secrets(&self) -> Result<Vec<SecretName>, VaultError> {
        self.pause().await?;
        Ok(self.secrets.lock().unwrap().keys().cloned().collect())
    }

    async fn check(&self) -> Result<(), VaultError> {
        Ok(())
    }
}
