//! Sending a candidate to the provider: once, recorded before and after, at the tenant's pace.

use std::collections::hash_map::Entry;

use jiff::{SignedDuration, Timestamp};

use super::deadline::{self, look};
use super::{Driver, Ended, Performed, is_staged};
use crate::domain::rotation::{Answer, Block, Doubt, Event, Rotation, Waiting};
use crate::domain::token::Token;
use crate::engine::accounts::Managed;
use crate::ports::journal::SendId;
use crate::ports::observer::Fact;
use crate::ports::provider::Generated;
use crate::ports::vault::VaultError;

impl Driver<'_> {
    /// The record first, then the request: what is recorded as sent was about to leave.
    pub(super) async fn send(&mut self, token: Token, candidate: Token, signed_at: Timestamp) -> Event {
        if let Entry::Vacant(vacant) = self.passwords.entry(candidate) {
            let read = self.vault.value(&self.managed.secret, token);
            match look(self.world.clock.as_ref(), read).await.map(|value| value.password()) {
                Ok(Some(password)) => {
                    vacant.insert(password);
                    // Read again: the signature needs a fresh read, and only if that one still shows this candidate was
                    // the password its own.
                    return Event::Delayed;
                }
                Ok(None) => return self.vault_failed(&VaultError::Unreadable(no_password(self.managed))),
                Err(error) => return self.vault_failed(&error),
            }
        }
        let Some(send) = self.sending(candidate).await else { return Event::NotRecorded };
        let Some(password) = self.passwords.get(&candidate) else {
            return Event::Delayed;
        };
        let call = self.provider.reset_password(&self.managed.subject.id, password, signed_at);
        let answer = deadline::provider(self.time(), &self.managed.tenant.gateway, call).await;
        let answer = answer.unwrap_or(Answer::Ambiguous(Doubt::TimedOut));
        self.answered(send, candidate, answer).await
    }

    /// Asks the provider to make a password. It is told once, so that it is held from here on until it is stored.
    pub(super) async fn generate(&mut self, candidate: Token, signed_at: Timestamp) -> Performed {
        let Some(send) = self.sending(candidate).await else { return Performed::Event(Event::NotRecorded) };
        let call = self.provider.generate_password(&self.managed.subject.id, signed_at);
        let told = deadline::provider(self.time(), &self.managed.tenant.gateway, call).await;
        let in_doubt = || Ok(Generated { answer: Answer::Ambiguous(Doubt::TimedOut), password: None });
        match told.unwrap_or_else(in_doubt) {
            Ok(Generated { answer, password }) => {
                self.passwords.extend(password.map(|password| (candidate, password)));
                Performed::Event(self.answered(send, candidate, answer).await)
            }
            Err(error) => Performed::End(Ended::Failed(error.to_string())),
        }
    }

    /// What comes before any request that changes something: a tenant that is not stopped, and permission by its rate, which
    /// is waited for within patience. What to do instead, when it may not be sent now.
    pub(super) async fn may_send(&mut self, rotation: &Rotation) -> Option<Performed> {
        if let Some(why) = self.managed.tenant.stopped.why() {
            return Some(Performed::Event(Event::ProbeFailed(Some(why))));
        }
        let mut waited = false;
        while !self.has_permission {
            let Err(pause) = self.managed.tenant.limit.try_permission() else {
                self.has_permission = true;
                break;
            };
            waited = true;
            let staged = is_staged(rotation);
            if !self.patience.paced && self.is_too_long(pause) {
                let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
                let until = self.clock.now().checked_add(pause).unwrap_or(Timestamp::MAX);
                return Some(Performed::End(Ended::Unfinished { why: Waiting::Rate, until, detail: None, staged }));
            }
            let _waits = self.managed.tenant.limit.wait();
            tokio::select! {
                biased;
                () = self.world.clock.sleep(pause) => {}
                () = self.patience.shutdown.cancelled() => {
                    return Some(Performed::End(Ended::Interrupted { staged }));
                }
            }
        }
        waited.then_some(Performed::Event(Event::Delayed))
    }

    /// Records a send before it leaves; uses up the permission.
    async fn sending(&mut self, candidate: Token) -> Option<SendId> {
        match self.world.journal.sending(&self.managed.subject, candidate).await {
            Ok(send) => {
                self.has_permission = false;
                let (account, secret) = (&self.managed.name, &self.managed.secret);
                self.record(&Fact::Sending { account, secret, candidate }).await;
                Some(send)
            }
            Err(error) => {
                self.detail = Some(error.to_string());
                None
            }
        }
    }

    async fn answered(&mut self, send: SendId, candidate: Token, answer: Answer) -> Event {
        if let Err(error) = self.world.journal.answered(send, answer).await {
            self.world.note(&Fact::JournalFailed { account: &self.managed.name, error: &error.to_string() });
        }
        let (account, secret) = (&self.managed.name, &self.managed.secret);
        self.record(&Fact::Answered { account, secret, candidate, answer }).await;
        self.detail = None;
        match answer {
            Answer::Blocked(Block::Forbidden) => self.detail = self.standing().await,
            Answer::Blocked(block) if block != Block::Authentication => self.stop_tenant(Some(block)).await,
            _ => {}
        }
        Event::Answered(answer)
    }

    /// After a 403, what the provider says of the account now: a Data Forest account may be CHANGING.
    async fn standing(&self) -> Option<String> {
        let listed = deadline::provider(self.time(), &self.managed.tenant.gateway, self.provider.accounts()).await;
        let accounts = listed?.ok()?;
        let account = accounts.iter().find(|account| account.id == self.managed.subject.id)?;
        Some(format!("the provider lists the account as {}", account.standing))
    }
}

fn no_password(managed: &Managed) -> String {
    format!("the pending version of {} holds no password", managed.secret)
}
