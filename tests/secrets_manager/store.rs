//! All secrets, as they are and as they were: a read that lags shows an earlier state, a write acts on the last one.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::refusal::Refusal;
use super::secret::{Limits, Secret};

/// How far back reads can reach.
const MEMORY: SignedDuration = SignedDuration::from_hours(1);

/// How an operation ended that was not refused.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) answer: Value,
    pub(crate) changed: bool,
}

impl Done {
    pub(crate) fn changed(answer: Value) -> Self {
        Self { answer, changed: true }
    }

    pub(crate) fn unchanged(answer: Value) -> Self {
        Self { answer, changed: false }
    }
}

/// What a read sees: the last state, or that of an earlier time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sight {
    pub(crate) now: Timestamp,
    pub(crate) lag: SignedDuration,
}

/// The secrets of one account in one region.
pub(crate) struct Store {
    region: String,
    account: String,
    pub(crate) limits: Limits,
    /// How long a name stays taken after a deletion without recovery.
    pub(crate) deletion_takes: SignedDuration,
    secrets: BTreeMap<String, Vec<State>>,
    made: u64,
}

/// A secret from a time on; none where it was deleted.
struct State {
    since: Timestamp,
    secret: Option<Arc<Secret>>,
}

impl Store {
    pub(crate) fn new(region: &str, account: &str) -> Self {
        Self {
            region: region.to_owned(),
            account: account.to_owned(),
            limits: Limits::default(),
            deletion_takes: SignedDuration::ZERO,
            secrets: BTreeMap::new(),
            made: 0,
        }
    }

    /// A secret that does not exist yet. The end of its ARN is never the same twice, also for the same name.
    pub(crate) fn fresh(&mut self, name: &str, now: Timestamp) -> Secret {
        self.made += 1;
        let digest = Sha256::digest(format!("{} {name}", self.made));
        let suffix: String = digest.iter().take(6).map(|byte| char::from(b'a' + byte % 26)).collect();
        let arn = format!("arn:aws:secretsmanager:{}:{}:secret:{name}-{suffix}", self.region, self.account);
        Secret::new(name.to_owned(), arn, now)
    }

    pub(crate) fn insert(&mut self, secret: Secret, now: Timestamp) {
        self.push(&secret.name.clone(), Some(secret), now);
    }

    /// Takes a secret away for good.
    pub(crate) fn remove(&mut self, name: &str, now: Timestamp) {
        self.push(name, None, now);
    }

    /// The secret that a name or an ARN, whole or without its end, means; scheduled for deletion or not.
    pub(crate) fn find(&self, id: &str, sight: Sight) -> Option<Arc<Secret>> {
        let Some(rest) = id.strip_prefix("arn:") else { return self.named(id, sight) };
        let name = rest.split_once(":secret:")?.1;
        let whole = name.len().checked_sub(7).and_then(|end| name.get(..end));
        let matching = |name: &str| self.named(name, sight).filter(|secret| secret.arn.starts_with(id));
        whole.and_then(matching).or_else(|| matching(name))
    }

    /// [`find`](Self::find), or the refusal.
    pub(crate) fn view(&self, id: &str, sight: Sight) -> Result<Arc<Secret>, Refusal> {
        self.find(id, sight).ok_or_else(Refusal::no_secret)
    }

    /// Every secret, scheduled for deletion or not, by name.
    pub(crate) fn all(&self, sight: Sight) -> Vec<Arc<Secret>> {
        self.secrets.keys().filter_map(|name| self.named(name, sight)).collect()
    }

    /// Changes a secret that is not scheduled for deletion, or leaves it altogether as it is when the change is refused.
    pub(crate) fn edit(
        &mut self,
        id: &str,
        now: Timestamp,
        change: impl FnOnce(&mut Secret, Limits) -> Result<Done, Refusal>,
    ) -> Result<Done, Refusal> {
        let mut secret = Secret::clone(&*self.view(id, Sight { now, lag: SignedDuration::ZERO })?);
        if secret.deletion.is_some() {
            return Err(Refusal::marked_for_deletion());
        }
        let done = change(&mut secret, self.limits)?;
        if done.changed {
            secret.last_changed = now;
            self.insert(secret, now);
        }
        Ok(done)
    }

    fn named(&self, name: &str, sight: Sight) -> Option<Arc<Secret>> {
        let states = self.secrets.get(name)?;
        let state = if sight.lag.is_zero() {
            states.last()
        } else {
            states.iter().rev().find(|state| state.since <= sight.now - sight.lag)
        };
        let secret = state?.secret.clone()?;
        let is_gone = secret.deletion.is_some_and(|deletion| deletion.at <= sight.now);
        (!is_gone).then_some(secret)
    }

    fn push(&mut self, name: &str, secret: Option<Secret>, now: Timestamp) {
        let states = self.secrets.entry(name.to_owned()).or_default();
        // What was replaced too long ago for any read to see it.
        let seen = states.iter().rposition(|state| state.since < now - MEMORY).unwrap_or(0);
        states.drain(..seen);
        states.push(State { since: now, secret: secret.map(Arc::new) });
    }
}
