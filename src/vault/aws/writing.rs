//! Writes. Each is sent once; what it changed is told from the labels that it was made over, since that is what it saw.

use super::content::Content;
use super::failure::{Failure, Operation};
use super::labels::{self, ABSENT, CURRENT, Labels, PENDING, SUPERSEDED_INTENT};
use super::rules::{Sight, Wrote};
use super::vault::{AwsVault, skew};
use crate::domain::rotation::snapshot::{Revision, Snapshot};
use crate::domain::secret::SecretName;
use crate::domain::token::Token;
use crate::domain::value::SecretValue;
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
        if self.memory.labels(secret).is_some() {
            self.turn(Operation::Put, secret).await?;
            let put = self.calls.put(secret, &id, &value, CURRENT).await;
            put.map_err(|failure| self.decide(&failure, Operation::Put, secret))?;
            // The same placeholder may have been put by another replica, and replaced since: that is "done" as well.
            return self.look(place, clock).await;
        }
        self.turn(Operation::Create, secret).await?;
        let as_of = clock.now();
        let created = self.calls.create(secret, &id, &value).await;
        let arn = created.map_err(|failure| self.decide(&failure, Operation::Create, secret))?;
        let labels = Labels { arn, current: Some(token), ..Labels::default() };
        self.memory.saw(secret, &labels);
        self.memory.learned(secret, &labels.arn, token, Content::written(&value, clock.now()));
        let sight = Sight { as_of, skew: None, sole: self.settings.sole, wrote: None };
        self.shown(place, &labels, &sight).await
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
        let mut labels = self.base(secret, base).await?;
        if labels.current.is_none() {
            return Err(VaultError::Moved);
        }
        let before = labels.staged();
        if let Some(replaced) = before {
            self.supersede(secret, &mut labels, replaced, token).await?;
        }
        self.turn(Operation::Put, secret).await?;
        let as_of = clock.now();
        let put = self.calls.put(secret, &token.to_string(), value, PENDING).await;
        let told = put.map_err(|failure| self.decide(&failure, Operation::Put, secret))?;
        let wrote =
            Wrote { idle_since: labels.last_changed.filter(|_| before.is_none()), before: before.or(labels.current) };
        labels.pending = Some(token);
        labels.last_changed = None;
        self.memory.learned(secret, &labels.arn, token, Content::written(value, clock.now()));
        self.memory.saw(secret, &labels);
        let sight = Sight { as_of, skew: skew(told.date, as_of, clock), sole: self.settings.sole, wrote: Some(wrote) };
        self.shown(place, &labels, &sight).await
    }

    /// Labels what is pending as replaced. An intent holds no password, and one label for the last of them is enough; the
    /// answer to an intent just takes its place.
    async fn supersede(
        &self,
        secret: &SecretName,
        labels: &mut Labels,
        replaced: Token,
        by: Token,
    ) -> Result<(), VaultError> {
        let content = match self.memory.content(secret, replaced) {
            Some(content) => Some(content),
            None => self.fetched(secret, labels, replaced).await?,
        };
        let is_intent = content.is_some_and(|content| content.value.as_ref().is_some_and(SecretValue::is_intent));
        if is_intent {
            if by != replaced.answer() && labels.superseded_intent != Some(replaced) {
                let from = labels.superseded_intent.map(|last| labels.id(last));
                self.label(secret, SUPERSEDED_INTENT, Some(labels.id(replaced)), from).await?;
                labels.superseded_intent = Some(replaced);
            }
        } else if !labels.is_superseded(replaced) {
            let number = labels.next_number();
            self.label(secret, &labels::superseded(number), Some(labels.id(replaced)), None).await?;
            labels.superseded.push((number, replaced));
        }
        self.memory.saw(secret, labels);
        Ok(())
    }

    async fn label(
        &self,
        secret: &SecretName,
        label: &str,
        to: Option<String>,
        from: Option<String>,
    ) -> Result<(), VaultError> {
        self.turn(Operation::MoveLabel, secret).await?;
        let moved = self.calls.move_label(secret, label, to, from).await;
        moved.map(|_| ()).map_err(|failure| self.decide(&failure, Operation::MoveLabel, secret))
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
        let mut labels = self.base(secret, base).await?;
        let current = labels.current.ok_or(VaultError::Moved)?;
        self.turn(Operation::MoveLabel, secret).await?;
        let as_of = clock.now();
        let moved = self.calls.move_label(secret, CURRENT, Some(labels.id(token)), Some(labels.id(current))).await;
        let told = moved.map_err(|failure| self.decide(&failure, Operation::MoveLabel, secret))?;
        labels.previous = Some(current);
        labels.current = Some(token);
        labels.last_changed = None;
        self.memory.saw(secret, &labels);
        self.release(secret, &mut labels, token).await;
        let sight = Sight { as_of, skew: skew(told.date, as_of, clock), sole: self.settings.sole, wrote: None };
        self.shown(place, &labels, &sight).await
    }

    /// Takes the labels off candidates that the promoted one came after: whatever was under way for them had ended before it
    /// was sent. A later one keeps its label, since it may be live and its promotion still to come. What fails is done with
    /// the next promotion.
    async fn release(&self, secret: &SecretName, labels: &mut Labels, promoted: Token) {
        let numbered = labels.superseded.clone().into_iter().map(|(number, token)| (labels::superseded(number), token));
        let intent = labels.superseded_intent.map(|token| (SUPERSEDED_INTENT.to_owned(), token));
        let all: Vec<(String, Token)> = numbered.chain(intent).collect();
        if all.is_empty() {
            return;
        }
        let Some(made) = self.created(secret, labels, promoted).await else { return };
        for (label, token) in all {
            let older = token == promoted || self.created(secret, labels, token).await.is_some_and(|at| at < made);
            if older && self.label(secret, &label, None, Some(labels.id(token))).await.is_ok() {
                labels.superseded.retain(|(number, _)| labels::superseded(*number) != label);
                labels.superseded_intent = labels.superseded_intent.filter(|_| label != SUPERSEDED_INTENT);
            }
        }
        self.memory.saw(secret, labels);
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
        let mut labels = self.base(secret, base).await?;
        if labels.staged() != Some(token) {
            return Err(VaultError::Moved);
        }
        let as_of = clock.now();
        self.supersede(secret, &mut labels, token, token).await?;
        self.label(secret, PENDING, None, Some(labels.id(token))).await?;
        labels.pending = None;
        labels.last_changed = None;
        self.memory.saw(secret, &labels);
        let sight = Sight { as_of, skew: None, sole: self.settings.sole, wrote: None };
        self.shown(place, &labels, &sight).await
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
