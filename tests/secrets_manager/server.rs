//! What a test holds: the running server, its knobs, and a look inside.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::behaviour::Behaviour;
use super::faults::{Rule, RuleId};
use super::front::{Front, lock};
use super::listener;
use super::log::Entry;
use super::moments::{Moment, Stops, Then};
use super::operation::Operation;
use super::refusal::Refusal;
use super::secret::{Content, Limits, PENDING, Secret, Version};
use super::store::Sight;
use super::time::Time;

/// A running server. Dropping it ends it at once.
pub(crate) struct Server {
    runtime: Option<Runtime>,
    front: Arc<Front>,
    address: SocketAddr,
    open: Mutex<Option<Open>>,
}

/// The listener that is open, with its connections.
struct Open {
    close: CancellationToken,
    closed: Receiver<Infallible>,
}

impl Server {
    /// The region that it serves when none is said.
    pub(crate) const REGION: &str = "ap-northeast-2";
    /// The account that its ARNs name.
    pub(crate) const ACCOUNT: &str = "123456789012";

    /// Listens on a free port of loopback, holding nothing.
    pub(crate) fn start() -> Self {
        Self::start_in(Self::REGION)
    }

    /// The same for another region; requests signed for any other are refused.
    pub(crate) fn start_in(region: &str) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).thread_name("secrets-manager").enable_all().build();
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let server = Self {
            runtime: Some(runtime.expect("a runtime starts")),
            front: Arc::new(Front::new(region, Self::ACCOUNT)),
            address: listener.local_addr().expect("a listener has an address"),
            open: Mutex::default(),
        };
        server.serve(listener);
        server
    }

    fn serve(&self, listener: TcpListener) {
        let Some(runtime) = &self.runtime else { return };
        let _context = runtime.enter();
        listener.set_nonblocking(true).expect("a socket can be made not to block");
        let listener = tokio::net::TcpListener::from_std(listener).expect("the runtime takes a socket");
        let close = CancellationToken::new();
        let (sender, closed) = channel();
        runtime.spawn(listener::listen(listener, Arc::clone(&self.front), close.clone(), sender));
        *lock(&self.open) = Some(Open { close, closed });
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as a configuration's `endpoint_url`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Refuses connections and closes those there are. What is being carried out is still carried out.
    pub(crate) fn go_away(&self) {
        let Some(open) = lock(&self.open).take() else { return };
        open.close.cancel();
        // Nothing is ever sent: the wait ends when everything that could send is gone.
        let ended = open.closed.recv_timeout(Duration::from_secs(10));
        assert_eq!(ended, Err(RecvTimeoutError::Disconnected), "connections did not close");
    }

    /// Listens again, at the same address and with everything it held.
    pub(crate) fn come_back(&self) {
        self.serve(TcpListener::bind(self.address).expect("the address is free again"));
    }

    pub(crate) fn time(&self) -> &Time {
        &self.front.time
    }

    /// Changes how it behaves from now on.
    pub(crate) fn behave(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut lock(&self.front.behaviour));
    }

    /// Changes the documented limits.
    pub(crate) fn limit(&self, change: impl FnOnce(&mut Limits)) {
        change(&mut lock(&self.front.store).limits);
    }

    /// Keeps names taken so long after a deletion without recovery, as AWS does for a while.
    pub(crate) fn deletion_takes(&self, duration: SignedDuration) {
        lock(&self.front.store).deletion_takes = duration;
    }

    /// Adds a rule at the end of the programme.
    pub(crate) fn fault(&self, rule: Rule) -> RuleId {
        self.front.programme.append(rule)
    }

    /// Ends a rule.
    pub(crate) fn lift(&self, rule: RuleId) {
        self.front.programme.lift(rule);
    }

    /// Ends every rule.
    pub(crate) fn clear_faults(&self) {
        self.front.programme.clear();
    }

    /// Lets the requests and answers go on that are held at this moment.
    pub(crate) fn release(&self) {
        self.front.released.send_modify(|times| *times += 1);
    }

    /// Shows every moment from now on to this hook, and to no earlier one.
    pub(crate) fn on_moments(&self, hook: impl Fn(&Moment) -> Then + Send + Sync + 'static) {
        self.front.moments.set(Some(Arc::new(hook)));
    }

    /// Makes requests stand at moments of interest, instead of any earlier hook.
    pub(crate) fn stop_at(&self, interesting: impl Fn(&Moment) -> bool + Send + Sync + 'static) -> Stops {
        let (stops, hook) = Stops::new(interesting);
        self.front.moments.set(Some(hook));
        stops
    }

    /// Shows moments to nobody.
    pub(crate) fn forget_moments(&self) {
        self.front.moments.set(None);
    }

    /// Carries an operation out by another hand: not counted, not logged, without fault, moment or lag.
    pub(crate) fn act(&self, operation: Operation, request: Value) -> Result<Value, Refusal> {
        self.front.perform(operation, request, SignedDuration::ZERO).map(|done| done.answer)
    }

    /// Switches AWS-managed rotation of a secret on or off.
    #[track_caller]
    pub(crate) fn set_rotation_enabled(&self, secret: &str, enabled: bool) {
        self.alter(secret, |secret, _| secret.rotation_enabled = Some(enabled));
    }

    /// Says that another service of AWS owns a secret.
    #[track_caller]
    pub(crate) fn set_owning_service(&self, secret: &str, service: &str) {
        self.alter(secret, |secret, _| secret.owning_service = Some(service.to_owned()));
    }

    /// As AWS-managed rotation begins: AWSPENDING on a version that has no value yet.
    #[track_caller]
    pub(crate) fn announce_version(&self, secret: &str, id: &str) {
        self.alter(secret, |secret, now| {
            secret.versions.push(Arc::new(Version { id: id.to_owned(), content: None, created: now }));
            secret.attach(PENDING, id);
        });
    }

    #[track_caller]
    fn alter(&self, id: &str, change: impl FnOnce(&mut Secret, Timestamp)) {
        let mut store = lock(&self.front.store);
        let now = self.front.time.now();
        let found = store.find(id, Sight { now, lag: SignedDuration::ZERO });
        let mut secret = Secret::clone(&*found.expect("the secret exists"));
        change(&mut secret, now);
        secret.last_changed = now;
        store.insert(secret, now);
    }

    /// Every secret with every version that is still kept, by name.
    pub(crate) fn secrets(&self) -> Vec<SecretSeen> {
        let sight = Sight { now: self.front.time.now(), lag: SignedDuration::ZERO };
        lock(&self.front.store).all(sight).iter().map(|secret| SecretSeen::of(secret)).collect()
    }

    /// The secret of this name or ARN.
    pub(crate) fn secret(&self, id: &str) -> Option<SecretSeen> {
        let sight = Sight { now: self.front.time.now(), lag: SignedDuration::ZERO };
        lock(&self.front.store).find(id, sight).map(|secret| SecretSeen::of(&secret))
    }

    /// How many requests came for each operation, the refused ones too.
    pub(crate) fn counts(&self) -> BTreeMap<Operation, u64> {
        self.front.log.counts()
    }

    /// How many requests came for this operation.
    pub(crate) fn count(&self, operation: Operation) -> u64 {
        self.counts().get(&operation).copied().unwrap_or(0)
    }

    /// Every request.
    pub(crate) fn log(&self) -> Vec<Entry> {
        self.front.log.entries()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(open) = lock(&self.open).take() {
            open.close.cancel();
        }
        if let Some(runtime) = self.runtime.take() {
            // Not waiting: a hook may hang, and a runtime must not be waited for within another.
            runtime.shutdown_background();
        }
    }
}

/// A secret as it is inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretSeen {
    pub(crate) name: String,
    pub(crate) arn: String,
    pub(crate) kms_key_id: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) last_changed: Timestamp,
    pub(crate) is_scheduled_for_deletion: bool,
    /// Oldest first.
    pub(crate) versions: Vec<VersionSeen>,
}

/// A version as it is inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct VersionSeen {
    pub(crate) id: String,
    /// In order.
    pub(crate) labels: Vec<String>,
    /// The value if it is text.
    pub(crate) text: Option<String>,
    pub(crate) created: Timestamp,
}

impl SecretSeen {
    fn of(secret: &Secret) -> Self {
        let versions = secret.versions.iter().map(|version| VersionSeen {
            id: version.id.clone(),
            labels: secret.labels_of(&version.id).into_iter().map(str::to_owned).collect(),
            text: match &version.content {
                Some(Content::Text(text)) => Some(text.clone()),
                Some(Content::Binary(_)) | None => None,
            },
            created: version.created,
        });
        Self {
            name: secret.name.clone(),
            arn: secret.arn.clone(),
            kms_key_id: secret.kms_key_id.clone(),
            tags: secret.tags.clone(),
            last_changed: secret.last_changed,
            is_scheduled_for_deletion: secret.deletion.is_some(),
            versions: versions.collect(),
        }
    }

    /// The version that a label is on.
    pub(crate) fn at(&self, label: &str) -> Option<&VersionSeen> {
        self.versions.iter().find(|version| version.labels.iter().any(|there| there == label))
    }

    /// The value that a label is on, if it is text.
    pub(crate) fn labelled(&self, label: &str) -> Option<&str> {
        self.at(label)?.text.as_deref()
    }
}
