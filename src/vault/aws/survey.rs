//! Many secrets at once: the list by pages of a hundred, current values twenty a call (`protocol.md`, rule 14).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;

use super::calls::BATCH;
use super::content::{Content, token_of};
use super::failure::{Failure, Operation};
use super::labels::{CURRENT, Labels};
use super::vault::AwsVault;
use crate::domain::secret::SecretName;
use crate::domain::token::Token;
use crate::domain::value::SecretValue;
use crate::ports::vault::{Place, Status, VaultError};

/// Batches under way at once.
const AT_ONCE: usize = 4;
/// The end of the name of a secret that does not exist, by which rights are tried out.
const PROBE: &str = "ncloud-rotator-check";

/// A current version.
type Current = (Token, Arc<Content>);

impl AwsVault {
    /// What every secret of this configuration shows in the list, which may be minutes late (rule 15).
    pub(super) async fn list(&self) -> Result<BTreeMap<SecretName, Labels>, VaultError> {
        let mut found = BTreeMap::new();
        let mut next = None;
        loop {
            let page = self.calls.list(next).await;
            let page = page.map_err(|failure| failure.decide(Operation::List, &self.whole()))?;
            let named = page.secrets.into_iter().filter_map(|(name, labels)| Some((name.parse().ok()?, labels)));
            found.extend(named);
            next = page.next;
            if next.is_none() {
                return Ok(found);
            }
        }
    }

    /// What to plan by, in the order of `places`. The list tells what is pending; how old a password is comes from the values,
    /// since a list that is late would have a password replaced that was only just set.
    pub(super) async fn survey(&self, places: &[Place<'_>]) -> Vec<Result<Status, VaultError>> {
        let listed = match self.list().await {
            Ok(listed) => listed,
            Err(error) => return places.iter().map(|_| Err(error.clone())).collect(),
        };
        let names: BTreeSet<&SecretName> = places.iter().map(|place| place.secret).collect();
        let names: Vec<SecretName> = names.into_iter().cloned().collect();
        let batches: Vec<Vec<SecretName>> = names.chunks(BATCH).map(<[_]>::to_vec).collect();
        let found: BTreeMap<SecretName, Result<Option<Current>, VaultError>> = futures::stream::iter(batches)
            .map(|names| self.currents(names))
            .buffered(AT_ONCE)
            .flat_map(futures::stream::iter)
            .collect()
            .await;
        let mut statuses = Vec::with_capacity(places.len());
        for place in places {
            let status = match found.get(place.secret) {
                Some(Ok(current)) => self.status(*place, current.as_ref(), listed.get(place.secret)).await,
                Some(Err(error)) => Err(error.clone()),
                None => Err(VaultError::Unavailable(format!("{}: AWS said nothing of it", self.named(place.secret)))),
            };
            statuses.push(status);
        }
        statuses
    }

    /// The current versions of a batch of secrets; none where there is no secret, or no version.
    async fn currents(&self, names: Vec<SecretName>) -> Vec<(SecretName, Result<Option<Current>, VaultError>)> {
        let batch = match self.calls.batch(&names).await {
            Ok(batch) => batch,
            Err(failure) => {
                let error = failure.decide(Operation::Batch, &self.whole());
                return names.into_iter().map(|name| (name, Err(error.clone()))).collect();
            }
        };
        let mut found = Vec::new();
        for (name, fetched) in batch.values {
            let Ok(name) = name.parse::<SecretName>() else { continue };
            let token = token_of(&fetched.id);
            let content = self.memory.learned(&name, &fetched.arn, token, fetched.content);
            found.push((name, Ok(Some((token, content)))));
        }
        for (name, failure) in batch.failures {
            let Ok(name) = name.parse::<SecretName>() else { continue };
            let told = match failure {
                Failure::Absent => Ok(None),
                Failure::State => Err(VaultError::Unreadable(self.doomed(&name))),
                // A batch is a read of each: what lacks is the right to read the value.
                other => Err(self.decide(&other, Operation::Get, &name)),
            };
            found.push((name, told));
        }
        found
    }

    async fn status(
        &self,
        place: Place<'_>,
        current: Option<&Current>,
        listed: Option<&Labels>,
    ) -> Result<Status, VaultError> {
        let (secret, account) = (place.secret, place.subject.to_string());
        let Some((token, content)) = current else {
            return Ok(Status {
                last_changed: None,
                unfinished: listed.is_some_and(|labels| labels.staged().is_some()),
            });
        };
        let mark = content.value.as_ref().and_then(SecretValue::mark);
        if let Some(stranger) = mark.as_ref().filter(|mark| mark.account != account) {
            return Err(VaultError::Unreadable(format!(
                "the secret {secret} holds the password of {}, and not of {account}; the account was perhaps made anew. Move \
                 the secret aside, or tell the accounts apart in the rule's template",
                stranger.account
            )));
        }
        // A secret that was made a moment ago is not on the list yet.
        let pending = match listed {
            Some(labels) => labels.staged(),
            None => self.labels(secret).await?.and_then(|told| told.answer.staged()),
        };
        let named = mark.filter(|mark| mark.provider.is_none());
        let named = named.map(|mark| Token::of_attempt(place.subject, mark.generation, mark.attempt));
        let is_placeholder = content.value.as_ref().is_some_and(SecretValue::is_placeholder);
        let made = content.value.as_ref().and_then(SecretValue::rotated_at).or(content.created);
        Ok(Status {
            last_changed: made.filter(|_| !is_placeholder),
            unfinished: pending.is_some_and(|pending| pending != *token) || named.is_some_and(|named| named != *token),
        })
    }

    /// Whether the vault can be used. Rights are tried out on a secret that does not exist, so that nothing can be changed:
    /// who has the right is told so. The right to make a secret shows only in making one.
    pub(super) async fn try_out(&self) -> Result<(), VaultError> {
        let page = self.calls.list(None).await;
        page.map_err(|failure| failure.decide(Operation::List, &self.whole()))?;
        let prefix = self.settings.prefixes.first().map_or("", String::as_str);
        let Ok(probe) = format!("{prefix}{PROBE}").parse::<SecretName>() else { return Ok(()) };
        let id = Token::placeholder().to_string();
        let described = self.calls.describe(&probe).await.map(|_| ());
        let exists = described.is_ok();
        let batch = self.calls.batch(std::slice::from_ref(&probe)).await.map(|_| ());
        let mut tried = vec![
            (Operation::Describe, described),
            (Operation::Batch, batch),
            (Operation::Get, self.calls.get(probe.as_str(), &id).await.map(|_| ())),
        ];
        if !exists {
            let value = SecretValue::placeholder();
            let moved = self.calls.move_label(probe.as_str(), CURRENT, Some(id.clone()), None).await;
            tried.push((Operation::MoveLabel, moved.map(|_| ())));
            tried.push((Operation::Put, self.calls.put(probe.as_str(), &id, &value, CURRENT).await.map(|_| ())));
            tried.push((Operation::Restore, self.calls.restore(&probe).await));
        }
        let mut lacking = Vec::new();
        for (operation, outcome) in tried {
            match outcome {
                Ok(()) | Err(Failure::Absent | Failure::Invalid | Failure::State) => {}
                Err(Failure::Right) => lacking.push(format!("secretsmanager:{}", operation.label())),
                Err(failure) => return Err(self.decide(&failure, operation, &probe)),
            }
        }
        if lacking.is_empty() {
            return Ok(());
        }
        Err(VaultError::Denied(format!(
            "{}: access denied: it may not {}; docs/aws.md lists the rights that are needed",
            self.named(&probe),
            lacking.join(", ")
        )))
    }
}
