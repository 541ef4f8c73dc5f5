//! Writes. Each is sent once, to the secret's ARN, so that none reaches another secret of the same name. What it changed is
//! told from the labels that it was made over, as of the read that showed them: a write shows nothing of the other labels.

use jiff::SignedDuration;

use super::content::Content;
use super::failure::{Failure, Operation};
use super::labels::{self, ABSENT, ARRIVING, CURRENT, Labels, PENDING, SUPERSEDED_INTENT};
use super::memory::Seen;
use super::rules::Wrote;
use super::vault::{AwsVault, skew};
use crate::domain::rotation::snapshot::{Revision, Snapshot};
use crate::domain::secret::SecretName;
use crate::domain::token::Token;
use crate::domain::value::{Part, SecretValue};
use crate::ports::clock::GatewayClock;
use crate::ports::vault::{Place, VaultError};

impl AwsVault {
    /// Gives a secret its placeholder: AWS makes the first version current whatever label is asked for, so that no candidate
    /// can be the first.
    pub(super) async fn begin(
        &self,
        place: Place<'_>,
        base: Revision,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        let (secret, token, value) = (place.secret, Token::placeholder(), SecretValue::placeholder());
        let id = token.to_string();
        if base != ABSENT {
            return Err(VaultError::Moved);
        }
        if let Some(Seen { labels, .. }) = self.memory.seen(secret) {
            self.turn(Operation::Put, secret).await?;
            let put = self.calls.put(&labels.arn, &id, &value, CURRENT).await;
            put.map_err(|failure| self.decide(&failure, Operation::Put, secret))?;
            // The same placeholder may have been put by another replica, and replaced since: that is "done" as well.
            return self.look(place, clock).await;
        }
        self.turn(Operation::Create, secret).await?;
        let as_of = clock.now();
        let created = self.calls.create(secret, &id, &value).await;
        let arn = created.map_err(|failure| self.decide(&failure, Operation::Create, secret))?;
        let labels = Labels { arn, current: Some(token), ..Labels::default() };
        self.memory.learned(secret, &labels.arn, token, Content::written(&value, clock.now()));
        self.shown(place, Seen { labels, as_of, leftover: false }, None, None).await
    }

    /// Puts a candidate into the pending place. What holds it is labelled first: the put takes AWSPENDING from whoever has it,
    /// and what has no label may be gone some day.
    pub(super) async fn put_pending(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        value: &SecretValue,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        let secret = place.secret;
        let mut seen = self.base(place, base, clock).await?;
        if seen.labels.current.is_none() {
            return Err(VaultError::Moved);
        }
        let before = seen.staged();
        if let Some(replaced) = before {
            self.supersede(secret, &mut seen, replaced, token, clock).await?;
        }
        let part = value.mark().and_then(|mark| mark.provider);
        let skew = match part {
            None => self.put(secret, &seen.labels, token, value, PENDING, clock).await?,
            Some(part) => self.put_compared(secret, &seen.labels, token, value, part, clock).await?,
        };
        let wrote = Wrote {
            idle_since: seen.labels.last_changed.filter(|_| before.is_none()),
            before: before.or(seen.labels.current),
        };
        seen.labels.pending = Some(token);
        seen.labels.last_changed = None;
        seen.leftover = false;
        self.memory.learned(secret, &seen.labels.arn, token, Content::written(value, clock.now()));
        self.shown(place, seen, skew, Some(wrote)).await
    }

    async fn put(
        &self,
        secret: &SecretName,
        labels: &Labels,
        token: Token,
        value: &SecretValue,
        label: &str,
        clock: &GatewayClock,
    ) -> Result<Option<SignedDuration>, VaultError> {
        self.turn(Operation::Put, secret).await?;
        let sent = clock.now();
        let put = self.calls.put(&labels.arn, &token.to_string(), value, label).await;
        let told = put.map_err(|failure| self.decide(&failure, Operation::Put, secret))?;
        Ok(skew(told.date, sent, clock))
    }

    /// Puts an intent, or the answer to one (rule 11). An intent's token is random, so that no used one stops a second; and an
    /// answer is current as soon as it is promoted. So neither may take the place of something that the read did not show: it
    /// is put beside, and AWSPENDING is moved from where the read showed it.
    async fn put_compared(
        &self,
        secret: &SecretName,
        labels: &Labels,
        token: Token,
        value: &SecretValue,
        part: Part,
        clock: &GatewayClock,
    ) -> Result<Option<SignedDuration>, VaultError> {
        match self.put(secret, labels, token, value, ARRIVING, clock).await {
            Ok(_) => {}
            // The answer was put before, and moving the label failed or was in doubt.
            Err(VaultError::TokenUsed) if part == Part::Answer && self.holds(secret, labels, token, value).await? => {}
            Err(error) => return Err(error),
        }
        let from = labels.pending.map(|pending| labels.id(pending));
        self.label(secret, labels, PENDING, Some(token.to_string()), from, clock).await
    }

    /// Whether a version holds the password of `value`.
    async fn holds(
        &self,
        secret: &SecretName,
        labels: &Labels,
        token: Token,
        value: &SecretValue,
    ) -> Result<bool, VaultError> {
        let content = self.fetched(secret, labels, token).await?;
        let stored = content.and_then(|content| content.value.as_ref().and_then(SecretValue::password));
        Ok(stored.is_some() && stored == value.password())
    }

    /// Labels what is pending as replaced. An intent holds no password, and one label for the last of them is enough; the
    /// answer to an intent just takes its place.
    async fn supersede(
        &self,
        secret: &SecretName,
        seen: &mut Seen,
        replaced: Token,
        by: Token,
        clock: &GatewayClock,
    ) -> Result<(), VaultError> {
        let labels = &mut seen.labels;
        let content = match self.memory.content(secret, replaced) {
            Some(content) => Some(content),
            None => self.fetched(secret, labels, replaced).await?,
        };
        let is_intent = content.is_some_and(|content| content.value.as_ref().is_some_and(SecretValue::is_intent));
        if is_intent {
            if by != replaced.answer() && labels.superseded_intent != Some(replaced) {
                let from = labels.superseded_intent.map(|last| labels.id(last));
                self.label(secret, labels, SUPERSEDED_INTENT, Some(labels.id(replaced)), from, clock).await?;
                labels.superseded_intent = Some(replaced);
            }
        } else if !labels.is_superseded(replaced) {
            let number = labels.next_number();
            let label = labels::superseded(number);
            self.label(secret, labels, &label, Some(labels.id(replaced)), None, clock).await?;
            labels.superseded.push((number, replaced));
        }
        self.memory.saw(secret, seen);
        Ok(())
    }

    async fn label(
        &self,
        secret: &SecretName,
        labels: &Labels,
        label: &str,
        to: Option<String>,
        from: Option<String>,
        clock: &GatewayClock,
    ) -> Result<Option<SignedDuration>, VaultError> {
        self.turn(Operation::MoveLabel, secret).await?;
        let sent = clock.now();
        let moved = self.calls.move_label(&labels.arn, label, to, from).await;
        let told = moved.map_err(|failure| self.decide(&failure, Operation::MoveLabel, secret))?;
        Ok(skew(told.date, sent, clock))
    }

    /// Makes what is pending current: refused unless AWSCURRENT is still where the base showed it. AWSPENDING stays, which is
    /// idle; AWS moves AWSPREVIOUS.
    pub(super) async fn make_current(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        let secret = place.secret;
        let mut seen = self.base(place, base, clock).await?;
        let labels = &mut seen.labels;
        let current = labels.current.ok_or(VaultError::Moved)?;
        let (to, from) = (Some(labels.id(token)), Some(labels.id(current)));
        let skew = self.label(secret, labels, CURRENT, to, from, clock).await?;
        labels.previous = Some(current);
        labels.current = Some(token);
        labels.last_changed = None;
        seen.leftover = false;
        self.memory.saw(secret, &seen);
        self.release(secret, &mut seen.labels, token, clock).await;
        self.shown(place, seen, skew, None).await
    }

    /// Takes the labels off candidates that the promoted one came after: whatever was under way for them had ended before it
    /// was sent. A later one keeps its label, since it may be live and its promotion still to come. What fails is done with
    /// the next promotion.
    async fn release(&self, secret: &SecretName, labels: &mut Labels, promoted: Token, clock: &GatewayClock) {
        let numbered = labels.superseded.clone().into_iter().map(|(number, token)| (labels::superseded(number), token));
        let intent = labels.superseded_intent.map(|token| (SUPERSEDED_INTENT.to_owned(), token));
        let all: Vec<(String, Token)> = numbered.chain(intent).collect();
        if all.is_empty() {
            return;
        }
        let Some(made) = self.created(secret, labels, promoted).await else { return };
        for (label, token) in all {
            let older = token == promoted || self.created(secret, labels, token).await.is_some_and(|at| at < made);
            if older && self.label(secret, labels, &label, None, Some(labels.id(token)), clock).await.is_ok() {
                labels.superseded.retain(|(number, _)| labels::superseded(*number) != label);
                labels.superseded_intent = labels.superseded_intent.filter(|_| label != SUPERSEDED_INTENT);
            }
        }
    }

    /// Gives up what is pending: kept as replaced, and nothing is pending then.
    pub(super) async fn give_up(
        &self,
        place: Place<'_>,
        base: Revision,
        token: Token,
        clock: &GatewayClock,
    ) -> Result<Snapshot, VaultError> {
        let secret = place.secret;
        let mut seen = self.base(place, base, clock).await?;
        if seen.staged() != Some(token) {
            return Err(VaultError::Moved);
        }
        self.supersede(secret, &mut seen, token, token, clock).await?;
        let from = Some(seen.labels.id(token));
        let skew = self.label(secret, &seen.labels, PENDING, None, from, clock).await?;
        seen.labels.pending = None;
        seen.labels.last_changed = None;
        self.shown(place, seen, skew, None).await
    }

    /// Takes a secret back from deletion.
    pub(super) async fn take_back(&self, place: Place<'_>, clock: &GatewayClock) -> Result<Snapshot, VaultError> {
        self.turn(Operation::Restore, place.secret).await?;
        match self.calls.restore(place.secret).await {
            Ok(()) | Err(Failure::State) => self.look(place, clock).await,
            Err(failure) => Err(self.decide(&failure, Operation::Restore, place.secret)),
        }
    }
}
