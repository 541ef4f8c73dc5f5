//! What a candidate holds, and putting it into the vault.

use jiff::Timestamp;

use super::deadline::{look, write};
use super::{Driver, Ended, Performed};
use crate::domain::rotation::snapshot::Revision;
use crate::domain::rotation::{Answer, Content, Event};
use crate::domain::secret::Password;
use crate::domain::token::Token;
use crate::domain::value::{Mark, Part, Rotated, SecretValue};
use crate::ports::entropy::{Draw, EntropyError};
use crate::ports::observer::Fact;
use crate::ports::vault::VaultError;

/// A candidate that is to be staged.
pub(super) struct Staging {
    pub(super) over: Revision,
    pub(super) token: Token,
    pub(super) generation: Token,
    pub(super) attempt: u32,
    pub(super) base: Option<Token>,
    pub(super) part: Option<Part>,
    /// The version whose password it repeats.
    pub(super) repeats: Option<Token>,
    /// Whether it puts a previous password back.
    pub(super) rollback: bool,
    /// The intent whose answer this is, when it takes that very intent's place.
    pub(super) told_by: Option<Token>,
    /// Whether it was lost with its secret, and is put back (rule 13).
    pub(super) again: bool,
    pub(super) superseding: bool,
}

impl Driver<'_> {
    /// The password that a candidate shall hold; none for an intent.
    pub(super) async fn password_for(&mut self, content: Content) -> Result<Option<Password>, Performed> {
        if let Content::Copy(token) = content {
            return self.copied(token).await.map(Some);
        }
        self.held_or_drawn(content).map_err(|cause| Performed::End(Ended::Failed(cause)))
    }

    /// The password of a version in the vault.
    async fn copied(&mut self, token: Token) -> Result<Password, Performed> {
        let value = look(self.time(), self.vault.value(&self.managed.secret, token)).await;
        let secret = &self.managed.secret;
        let none =
            || VaultError::Unreadable(format!("the version of {secret} that was to be copied holds no password"));
        let password = value.and_then(|value| value.password().ok_or_else(none));
        password.map_err(|error| Performed::Event(self.vault_failed(&error)))
    }

    fn held_or_drawn(&self, content: Content) -> Result<Option<Password>, String> {
        match content {
            Content::Intent | Content::Copy(_) => Ok(None),
            Content::Fresh => match &self.managed.managing.generator {
                Some(generator) => generator
                    .draw(&self.managed.account.name, &mut Draw(self.world.entropy.as_ref()))
                    .map(Some)
                    .map_err(|error| error.to_string()),
                None => Err("the policy leaves passwords to the provider".to_owned()),
            },
            Content::Again(candidate) | Content::Generated(candidate) => match self.passwords.get(&candidate) {
                Some(password) => Ok(Some(password.clone())),
                None => Err("the secret was deleted, and this process does not hold its password".to_owned()),
            },
        }
    }

    pub(super) fn random_token(&self) -> Result<Token, EntropyError> {
        let mut bytes = [0; 16];
        self.world.entropy.fill(&mut bytes)?;
        Ok(Token::random(bytes))
    }

    pub(super) async fn stage(&mut self, staging: Staging, password: Option<Password>) -> Event {
        let base = match staging.base {
            Some(token) => match look(self.time(), self.vault.value(&self.managed.secret, token)).await {
                Ok(value) => value,
                Err(error) => return self.vault_failed(&error),
            },
            None => return Event::Woken,
        };
        let value = self.value(&base, &staging, password.as_ref());
        let stage = self.vault.stage(self.place(), staging.over, staging.token, &value, self.clock);
        let staged = write(self.time(), stage).await;
        if let Ok(snapshot) = &staged {
            let candidate = snapshot.pending.as_ref().map(|pending| pending.candidate);
            self.passwords.extend(candidate.zip(password));
            if let (Some(answer), Some(_)) = (candidate, staging.told_by) {
                self.note_answer(answer).await;
            }
            if let (Some(candidate), true) = (candidate, staging.again) {
                self.note_doubt(candidate).await;
            }
            self.record(&Fact::Staged {
                account: &self.managed.name,
                secret: &self.managed.secret,
                token: staging.token,
                candidate,
                repeats: staging.repeats,
                superseding: staging.superseding,
            })
            .await;
        }
        self.written(staged)
    }

    /// Notes that a password which the provider made is live by one request with a definite answer. The stored answer took
    /// its own intent's place, so nothing else can be under way, and the next rotation has no fence to wait for (rule 7).
    async fn note_answer(&self, candidate: Token) {
        let (journal, subject) = (&self.world.journal, &self.managed.subject);
        let noted = match journal.sending(subject, candidate).await {
            Ok(send) => journal.answered(send, Answer::Accepted).await,
            Err(error) => Err(error),
        };
        if let Err(error) = noted {
            self.world.note(&Fact::JournalFailed { account: &self.managed.name, error: &error.to_string() });
        }
    }

    /// Notes one send that nobody heard of. Who else might send a password went with the secret that counted it, so that the
    /// next rotation has to wait the fence (rule 7), also one of another run.
    async fn note_doubt(&self, candidate: Token) {
        if let Err(error) = self.world.journal.sending(&self.managed.subject, candidate).await {
            self.world.note(&Fact::JournalFailed { account: &self.managed.name, error: &error.to_string() });
        }
    }

    /// The value that replaces `base`: every key that is not ours survives.
    fn value(&self, base: &SecretValue, staging: &Staging, password: Option<&Password>) -> SecretValue {
        let now = whole_seconds(self.clock.now());
        let mark = Mark {
            account: self.managed.subject.to_string(),
            generation: staging.generation,
            attempt: staging.attempt,
            by: self.world.journal.id().to_owned(),
            provider: staging.part,
            rollback: staging.rollback,
        };
        let Some(password) = password else {
            let (name, tenant) = (&self.managed.account.name, &self.managed.name.tenant);
            return base.intent(name, &self.managed.subject, tenant, &mark);
        };
        base.rotated(&Rotated {
            username: &self.managed.account.name,
            password,
            subject: &self.managed.subject,
            tenant: &self.managed.name.tenant,
            login_url: self.managed.login_url.as_deref(),
            rotated_at: now,
            expires_at: self.managed.expires_at(now),
            mark: &mark,
        })
    }
}

/// Values are read by people: a fraction of a second says nothing to them. Rounded down, so that nothing expires later than
/// it is said to.
fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}
