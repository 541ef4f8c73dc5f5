//! Reads: labels in one call, and what the labelled versions hold, which is asked for once.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::calls::Told;
use super::content::{Content, token_of};
use super::failure::{Failure, Operation};
use super::labels::{ABSENT, Labels};
use super::memory::Seen;
use super::rules::{self, Contents, Sight, Wrote};
use super::vault::{AwsVault, skew};
use crate::domain::account::Subject;
use crate::domain::rotation::snapshot::{Revision, Snapshot};
use crate::domain::secret::SecretName;
use crate::domain::token::Token;
use crate::domain::value::SecretValue;
use crate::ports::clock::GatewayClock;
use crate::ports::vault::{ListedVersion, Listing, Place, Stage, VaultError};

impl AwsVault {
    /// One read. Its time is taken before the request leaves.
    pub(super) async fn look(&self, place: Place<'_>, clock: &GatewayClock) -> Result<Snapshot, VaultError> {
        let as_of = clock.now();
        let Some(Told { answer: labels, date }) = self.labels(place.secret).await? else {
            return Ok(Snapshot { sole: self.settings.sole, ..Snapshot::absent(as_of, ABSENT) });
        };
        let skew = skew(date, as_of, clock);
        self.shown(place, Seen { labels, as_of, leftover: false }, skew, None).await
    }

    /// The labels as they are now; none where there is no such secret.
    pub(super) async fn labels(&self, secret: &SecretName) -> Result<Option<Told<Labels>>, VaultError> {
        match self.calls.describe(secret).await {
            Ok(told) => Ok(Some(told)),
            Err(Failure::Absent) => {
                self.memory.forget(secret);
                Ok(None)
            }
            Err(failure) => Err(self.decide(&failure, Operation::Describe, secret)),
        }
    }

    /// What a write is made over: what was seen last or, where that was another state, what there is now.
    pub(super) async fn base(
        &self,
        place: Place<'_>,
        base: Revision,
        clock: &GatewayClock,
    ) -> Result<Seen, VaultError> {
        let fits = |seen: &Seen| seen.labels.revision() == base;
        if let Some(seen) = self.memory.seen(place.secret).filter(fits) {
            return Ok(seen);
        }
        self.look(place, clock).await?;
        self.memory.seen(place.secret).filter(fits).ok_or(VaultError::Moved)
    }

    /// What these labels show; they are what the next write is made over.
    pub(super) async fn shown(
        &self,
        place: Place<'_>,
        mut seen: Seen,
        skew: Option<SignedDuration>,
        wrote: Option<Wrote>,
    ) -> Result<Snapshot, VaultError> {
        self.memory.saw(place.secret, &seen);
        let contents = self.contents(place.secret, &seen.labels, place.subject).await?;
        seen.leftover = rules::is_left_over(&seen.labels, &contents, place.subject);
        self.memory.saw(place.secret, &seen);
        let sight = Sight { as_of: seen.as_of, skew, sole: self.settings.sole, wrote };
        Ok(rules::snapshot(&seen.labels, &contents, place.subject, &sight))
    }

    /// What must be known of versions to tell whose they are.
    async fn contents(&self, secret: &SecretName, labels: &Labels, subject: &Subject) -> Result<Contents, VaultError> {
        let mut known: Contents =
            labels.labelled().filter_map(|token| Some((token, Some(self.memory.content(secret, token)?)))).collect();
        while let Some(token) = rules::lacking(labels, &known, subject) {
            let content = self.fetched(secret, labels, token).await?;
            if content.is_none() && labels.labelled().any(|labelled| labelled == token) {
                return Err(VaultError::Unavailable(format!(
                    "{}: the version {} bears a label and has no value; it was perhaps only just made, or a rotation of \
                     AWS's began and was given up, whose AWSPENDING somebody must then remove",
                    self.named(secret),
                    labels.id(token)
                )));
            }
            known.insert(token, content);
        }
        Ok(known)
    }

    /// What one version holds; none where there is none, or it has no value.
    pub(super) async fn fetched(
        &self,
        secret: &SecretName,
        labels: &Labels,
        token: Token,
    ) -> Result<Option<Arc<Content>>, VaultError> {
        let address = if labels.arn.is_empty() { secret.as_str() } else { &labels.arn };
        match self.calls.get(address, &labels.id(token)).await {
            Ok(fetched) => Ok(Some(self.memory.learned(secret, &fetched.arn, token_of(&fetched.id), fetched.content))),
            // Which of the two it is for an unknown version is not documented.
            Err(Failure::Absent | Failure::Invalid) => Ok(None),
            Err(failure) => Err(self.decide(&failure, Operation::Get, secret)),
        }
    }

    /// When a version was made, as AWS itself says.
    pub(super) async fn created(&self, secret: &SecretName, labels: &Labels, token: Token) -> Option<Timestamp> {
        match self.memory.content(secret, token).and_then(|content| content.created) {
            Some(created) => Some(created),
            None => self.fetched(secret, labels, token).await.ok()??.created,
        }
    }

    /// One version's value.
    pub(super) async fn value_of(&self, secret: &SecretName, token: Token) -> Result<SecretValue, VaultError> {
        let content = if let Some(content) = self.memory.content(secret, token) {
            content
        } else {
            let labels = self.memory.seen(secret).map(|seen| seen.labels).unwrap_or_default();
            self.fetched(secret, &labels, token).await?.ok_or(VaultError::Moved)?
        };
        let plain = || {
            let place = self.named(secret);
            VaultError::Unreadable(format!("{place}: the version {token} is plain text and no JSON object"))
        };
        content.value.clone().ok_or_else(plain)
    }

    /// Everything about one secret, for people.
    pub(super) async fn listing(&self, secret: &SecretName) -> Result<Option<Listing>, VaultError> {
        let Some(Told { answer: labels, .. }) = self.labels(secret).await? else { return Ok(None) };
        if labels.deleted {
            return Err(VaultError::Unreadable(self.doomed(secret)));
        }
        let single = [
            (Stage::Current, labels.current),
            (Stage::Pending, labels.staged()),
            (Stage::Previous, labels.previous.filter(|previous| Some(*previous) != labels.current)),
        ];
        let single = single.into_iter().filter_map(|(stage, token)| Some((stage, token?)));
        let all = single.chain(labels.replaced().map(|token| (Stage::Superseded, token)));
        let mut versions = Vec::new();
        for (stage, token) in all {
            let Some(content) = (match self.memory.content(secret, token) {
                Some(content) => Some(content),
                None => self.fetched(secret, &labels, token).await?,
            }) else {
                continue;
            };
            let value = content.value.clone().ok_or_else(|| {
                let place = self.named(secret);
                VaultError::Unreadable(format!(
                    "{place}: its {} version is plain text and no JSON object; show it with AWS's own tools",
                    stage.label()
                ))
            })?;
            let candidate = token.candidate_in(&labels.arn);
            versions.push(ListedVersion { stage, token, candidate, created_at: content.made(), value });
        }
        Ok(Some(Listing { versions }))
    }

    /// What is said of a secret that is scheduled for deletion.
    pub(super) fn doomed(&self, secret: &SecretName) -> String {
        format!(
            "{}: it is scheduled for deletion; restore it (`aws secretsmanager restore-secret`), or take the account out of \
             the configuration",
            self.named(secret)
        )
    }
}
