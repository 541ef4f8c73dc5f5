//! The way of one request: let in, meet its fault, pass the moment before, be carried out, pass the moment after, be told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use super::behaviour::Behaviour;
use super::faults::{Asked, Fault, Programme};
use super::gate;
use super::log::{Ended, Log};
use super::moments::{Moment, Moments, Side, Then};
use super::operation::Operation;
use super::reads;
use super::refusal::Refusal;
use super::store::{Done, Sight, Store};
use super::time::Time;
use super::writes;

/// Everything behind the listener.
pub(crate) struct Front {
    pub(crate) region: String,
    pub(crate) time: Time,
    pub(crate) store: Mutex<Store>,
    pub(crate) behaviour: Mutex<Behaviour>,
    pub(crate) programme: Programme,
    pub(crate) moments: Moments,
    pub(crate) log: Log,
    pub(crate) released: watch::Sender<u64>,
    recent_writes: Mutex<VecDeque<Timestamp>>,
}

/// What is answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl From<&Refusal> for Reply {
    fn from(refusal: &Refusal) -> Self {
        Self { status: refusal.status, body: refusal.body().to_string().into_bytes() }
    }
}

impl Front {
    pub(crate) fn new(region: &str, account: &str) -> Self {
        Self {
            region: region.to_owned(),
            time: Time::default(),
            store: Mutex::new(Store::new(region, account)),
            behaviour: Mutex::default(),
            programme: Programme::default(),
            moments: Moments::default(),
            log: Log::default(),
            released: watch::Sender::new(0),
            recent_writes: Mutex::default(),
        }
    }

    /// Answers, or says nothing, which means hanging up.
    pub(crate) async fn answer(&self, headers: HeaderMap, body: Bytes) -> Option<Reply> {
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        let Some(operation) = target.strip_prefix("secretsmanager.").and_then(Operation::named) else {
            return Some(Reply::from(&Refusal::new("UnknownOperationException", format!("no operation {target:?}"))));
        };
        let Ok(request) = serde_json::from_slice::<Value>(&body) else {
            return Some(Reply::from(&Refusal::new("SerializationException", "the body is not JSON")));
        };
        let behaviour = *lock(&self.behaviour);
        let now = self.time.now();
        let key = gate::key(&headers, &self.region, now, behaviour.signing_skew);
        let secret = ["SecretId", "Name"].iter().find_map(|member| request[*member].as_str()).map(str::to_owned);
        let key_name = key.as_deref().unwrap_or_default();
        let (seq, nth) = self.log.arrived(now, operation, secret.as_deref(), key_name);
        let call = Call { front: self, behaviour, operation, secret, seq, nth };
        let reply = match key {
            Ok(key) => call.carry_out(&key, request).await,
            Err(refusal) => Some(call.refused(&refusal)),
        };
        if reply.is_none() {
            self.log.note(seq, |entry| entry.ended = Some(Ended::HungUp));
        }
        reply
    }

    /// Carries an operation out, with the clock of the moment at which nothing else is being carried out.
    pub(crate) fn perform(&self, operation: Operation, request: Value, lag: SignedDuration) -> Result<Done, Refusal> {
        let mut store = lock(&self.store);
        let now = self.time.now();
        let sight = Sight { now, lag };
        let read = |answer: Result<Value, Refusal>| answer.map(Done::unchanged);
        match operation {
            Operation::BatchGetSecretValue => read(reads::batch(&store, sight, &parse(request)?)),
            Operation::DescribeSecret => read(reads::describe(&store, sight, &parse(request)?)),
            Operation::GetSecretValue => read(reads::get(&store, sight, &parse(request)?)),
            Operation::ListSecretVersionIds => read(reads::list_versions(&store, sight, &parse(request)?)),
            Operation::ListSecrets => read(reads::list(&store, sight, &parse(request)?)),
            Operation::CreateSecret => writes::create(&mut store, now, parse(request)?),
            Operation::DeleteSecret => writes::delete(&mut store, now, &parse(request)?),
            Operation::PutSecretValue => writes::put(&mut store, now, parse(request)?),
            Operation::RestoreSecret => writes::restore(&mut store, now, &parse(request)?),
            Operation::TagResource => writes::tag(&mut store, now, parse(request)?),
            Operation::UntagResource => writes::untag(&mut store, now, &parse(request)?),
            Operation::UpdateSecret => writes::update(&mut store, now, parse(request)?),
            Operation::UpdateSecretVersionStage => writes::update_stage(&mut store, now, &parse(request)?),
        }
    }

    /// Whether one more write is within the rate; if so it counts.
    fn is_within_rate(&self, most: usize) -> bool {
        let now = self.time.now();
        let mut recent = lock(&self.recent_writes);
        recent.retain(|at| now.duration_since(*at).abs() < SignedDuration::from_secs(1));
        let is_within = recent.len() < most;
        if is_within {
            recent.push_back(now);
        }
        is_within
    }

    async fn wait_for_release(&self) {
        // The sender lives as long as the front, so that waiting ends with a release alone.
        let _ = self.released.subscribe().changed().await;
    }
}

/// One request that was let in.
struct Call<'a> {
    front: &'a Front,
    behaviour: Behaviour,
    operation: Operation,
    secret: Option<String>,
    seq: u64,
    nth: u64,
}

impl Call<'_> {
    async fn carry_out(&self, key: &str, request: Value) -> Option<Reply> {
        let asked = Asked { operation: self.operation, secret: self.secret.as_deref(), key };
        let fault = self.front.programme.take(&asked);
        self.front.log.note(self.seq, |entry| entry.fault = fault.as_ref().map(Fault::label));
        let most = self.behaviour.writes_per_second.filter(|_| self.operation.shares_the_write_rate());
        if most.is_some_and(|most| !self.front.is_within_rate(most)) {
            return Some(self.refused(&Refusal::throttled()));
        }
        let mut lag = match self.operation {
            Operation::ListSecrets => self.behaviour.listing.of(self.seq),
            _ => self.behaviour.settle.of(self.seq),
        };
        match &fault {
            Some(Fault::DropBefore) => return None,
            Some(Fault::ServerErrorBefore(status)) => return Some(self.refused(&Refusal::internal(*status))),
            Some(Fault::Throttled) => return Some(self.refused(&Refusal::throttled())),
            Some(Fault::Refuse(refusal)) => return Some(self.refused(refusal)),
            Some(Fault::Delay(duration)) => wait(*duration).await,
            Some(Fault::Hold) => self.front.wait_for_release().await,
            Some(Fault::Stale(stale)) => lag = *stale,
            _ => {}
        }
        if self.passes(Side::Before, false).await == Then::HangUp {
            return None;
        }
        let outcome = self.front.perform(self.operation, request, lag);
        let changed = outcome.as_ref().is_ok_and(|done| done.changed);
        self.front.log.note(self.seq, |entry| entry.changed = changed);
        if self.passes(Side::After, changed).await == Then::HangUp {
            return None;
        }
        match &fault {
            Some(Fault::DropAfter) => return None,
            Some(Fault::ServerErrorAfter(status)) => return Some(self.refused(&Refusal::internal(*status))),
            Some(Fault::HoldAfter) => self.front.wait_for_release().await,
            Some(Fault::Garbage) => return Some(self.answered(b"<html>".to_vec())),
            _ => {}
        }
        match outcome {
            Ok(done) => Some(self.answered(done.answer.to_string().into_bytes())),
            Err(refusal) => Some(self.refused(&refusal)),
        }
    }

    async fn passes(&self, side: Side, changed: bool) -> Then {
        let Self { operation, seq, nth, .. } = *self;
        self.front.moments.show(Moment { side, operation, secret: self.secret.clone(), nth, seq, changed }).await
    }

    fn answered(&self, body: Vec<u8>) -> Reply {
        self.front.log.note(self.seq, |entry| entry.ended = Some(Ended::Answered));
        Reply { status: 200, body }
    }

    fn refused(&self, refusal: &Refusal) -> Reply {
        self.front.log.note(self.seq, |entry| entry.ended = Some(Ended::Refused(refusal.code)));
        Reply::from(refusal)
    }
}

fn parse<T: DeserializeOwned>(request: Value) -> Result<T, Refusal> {
    serde_json::from_value(request).map_err(|error| Refusal::new("SerializationException", error.to_string()))
}

#[expect(clippy::disallowed_methods, reason = "a delay that a client of another process waits for is a real one")]
async fn wait(duration: std::time::Duration) {
    tokio::time::sleep(duration).await;
}

/// What is behind a lock, also after a panic: no change here is left half done.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the listener shares with its connections.
pub(crate) type SharedFront = Arc<Front>;
