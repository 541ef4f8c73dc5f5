//! The listener and its connections: starting, serving, hanging up on purpose, and ending.
//!
//! hyper is served by hand since a dropped connection has to be dropped without a byte: the service answers with an error
//! then, and hyper closes. A request is carried out in a task of its own, so that a caller who goes away while it waits
//! does not take it along.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use jiff::{SignedDuration, Timestamp};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accounts::{Accounts, AccountsError};
use super::clock::GatewayTime;
use super::door;
use super::format::Voice;
use super::gate::{Gate, Rights};
use super::gateway::{Asked, Gateway, Service};
use super::keys::{KeyRing, Roles};
use super::log::Log;
use super::programme::Faults;
use super::reply::Reply;
use crate::domain::secret::Keys;
use crate::ports::clock::Clock;
use crate::ports::entropy::Entropy;

/// The access key that is accepted when no other was given: the one in the provider's documents.
pub const DEMO_ACCESS_KEY: &str = "D78BB444D6D3C84CA38A";
/// The secret key to [`DEMO_ACCESS_KEY`]. It opens nothing but emulators.
pub const DEMO_SECRET_KEY: &str = "EXAMPLESECRETKEYdoNotUse0123456789abcdef";

/// The demonstration keys as a pair.
#[must_use]
pub fn demo_keys() -> Keys {
    Keys::new(DEMO_ACCESS_KEY.to_owned(), DEMO_SECRET_KEY.to_owned())
}

/// How long connections may take to finish their answers at the end.
const FAREWELL: Duration = Duration::from_secs(2);
/// The largest body that is read, in bytes; every documented request is far smaller.
const BODY_LIMIT: usize = 64 * 1024;

/// What an emulator is started with.
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The file that keeps the accounts, made with a sample if it is not there. None: the sample, in memory.
    pub accounts: Option<PathBuf>,
    /// Whether the test door opens, to loopback.
    pub test_door: bool,
    /// The keys that are accepted at first; the test door adds and removes others. None: [`demo_keys`].
    pub keys: Option<Keys>,
    /// A request signed so far from the gateway's time, or farther, is refused. The provider documents five minutes.
    pub signature_lifetime: SignedDuration,
    /// The clocks: `Date` and signatures go by the wall clock.
    pub clock: Arc<dyn Clock>,
    /// For the passwords that the provider makes itself.
    pub entropy: Arc<dyn Entropy>,
}

impl Settings {
    /// In memory, on a free port of loopback, with the demonstration keys, the documented lifetime and no test door.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            accounts: None,
            test_door: false,
            keys: None,
            signature_lifetime: SignedDuration::from_mins(5),
            clock,
            entropy,
        }
    }
}

/// Why an emulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// The address cannot be had.
    #[error(
        "the emulator cannot listen on {address}: {source}; choose another address with --listen, or port 0 for a free one"
    )]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The accounts cannot be had.
    #[error(transparent)]
    Accounts(#[from] AccountsError),
}

/// A running emulator. Dropping it ends it at once; [`shutdown`](Self::shutdown) lets answers finish first.
pub struct Emulator {
    address: SocketAddr,
    ends: Ends,
}

/// How the parts of an emulator are told to end, in this order.
#[derive(Clone, Default)]
struct Ends {
    /// No further connections and requests; whatever waits is dropped.
    stop: CancellationToken,
    /// Requests that are being carried out.
    works: TaskTracker,
    /// Connections.
    connections: TaskTracker,
    /// Connections close now.
    close: CancellationToken,
}

impl Emulator {
    /// Opens the accounts, listens and serves. Needs a tokio runtime, whose tasks it uses.
    pub async fn start(settings: Settings) -> Result<Self, EmulatorError> {
        let path = settings.accounts.clone();
        let accounts = tokio::task::spawn_blocking(move || Accounts::open(path.as_deref())).await;
        let accounts = accounts.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        let unlistened = |source| EmulatorError::Listen { address: settings.listen, source };
        let listener = TcpListener::bind(settings.listen).await.map_err(unlistened)?;
        let address = listener.local_addr().map_err(unlistened)?;
        let ends = Ends::default();
        let gateway = Arc::new(Gateway {
            gate: Gate {
                keys: KeyRing::new(settings.keys.unwrap_or_else(demo_keys)),
                rights: Rights::default(),
                lifetime: settings.signature_lifetime,
            },
            roles: Roles::default(),
            service: Service { accounts, entropy: settings.entropy, remember: settings.test_door },
            time: GatewayTime::new(settings.clock),
            faults: Faults::default(),
            log: settings.test_door.then(Log::default),
            refuse_same: AtomicBool::new(false),
            released: watch::Sender::new(0),
            stop: ends.stop.clone(),
        });
        let front = Front::new(gateway, ends.clone(), settings.test_door);
        ends.connections.spawn(accept(listener, front, ends.clone()));
        Ok(Self { address, ends })
    }

    /// Where it listens, with the port that port 0 became.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no further request, lets what is being carried out finish and drops what waits in a delay. When this returns
    /// nothing changes any more.
    pub async fn shutdown(self) {
        self.ends.stop.cancel();
        self.ends.works.close();
        self.ends.works.wait().await;
        self.ends.connections.close();
        if tokio::time::timeout(FAREWELL, self.ends.connections.wait()).await.is_err() {
            self.ends.close.cancel();
            self.ends.connections.wait().await;
        }
        // A connection that was still sending its request may have started one more.
        self.ends.works.wait().await;
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.ends.stop.cancel();
        self.ends.close.cancel();
    }
}

/// What every connection is served by.
#[derive(Clone)]
struct Front {
    gateway: Arc<Gateway>,
    /// The provider's calls alone.
    calls: Router,
    /// With the test door, if it is open.
    loopback: Router,
}

impl Front {
    fn new(gateway: Arc<Gateway>, ends: Ends, test_door: bool) -> Self {
        let calls = Router::new().fallback(call).with_state((Arc::clone(&gateway), ends));
        let loopback = if test_door { calls.clone().merge(door::router(Arc::clone(&gateway))) } else { calls.clone() };
        Self { gateway, calls, loopback }
    }

    /// Answers one request, with the gateway's time in `Date`, or hangs up.
    async fn answer(self, peer: SocketAddr, request: hyper::Request<Incoming>) -> Result<Response, Hangup> {
        let router = if is_local(peer) { self.loopback } else { self.calls };
        let Ok(mut response) = TowerToHyperService::new(router).call(request).await;
        if response.extensions().get::<Hangup>().is_some() {
            return Err(Hangup);
        }
        if let Some(date) = http_date(self.gateway.time.now()) {
            response.headers_mut().insert(header::DATE, date);
        }
        Ok(response)
    }
}

/// The connection is to close without an answer.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("hung up on purpose")]
struct Hangup;

async fn accept(listener: TcpListener, front: Front, ends: Ends) {
    loop {
        let accepted = tokio::select! {
            () = ends.stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => drop(ends.connections.spawn(connection(stream, peer, front.clone(), ends.clone()))),
            Err(error) => {
                tracing::warn!(event = "emulator-not-accepted", %error, "the emulator could not accept a connection");
                // Out of file descriptors, most likely: others have to end first.
                #[expect(clippy::disallowed_methods, reason = "real descriptors take real time")]
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, front: Front, ends: Ends) {
    // Answers are small: they should not wait for a full packet. A socket that cannot do that still serves.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| front.clone().answer(peer, request));
    let serving = http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), service);
    let mut serving = std::pin::pin!(serving);
    let mut stopping = false;
    loop {
        tokio::select! {
            // Callers that hang up, and ourselves: nothing that anybody must hear of.
            _ = serving.as_mut() => return,
            () = ends.close.cancelled() => return,
            () = ends.stop.cancelled(), if !stopping => {
                stopping = true;
                serving.as_mut().graceful_shutdown();
            }
        }
    }
}

/// Takes a request to the provider's calls, or to nothing that is there.
async fn call(State((gateway, ends)): State<(Arc<Gateway>, Ends)>, request: Request) -> Response {
    if ends.stop.is_cancelled() {
        return hangup();
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = whole(body).await else { return hangup() };
    let asked = Asked { method: parts.method.as_str().to_owned(), uri: parts.uri, headers: parts.headers, body };
    let work = ends.works.spawn(async move { gateway.answer(&asked).await });
    match work.await {
        Ok(answer) => answer.unwrap_or_else(hangup),
        Err(_) => Voice::default().say(Reply::unexpected()),
    }
}

/// Reads a body; none if it is too large, an error if its sender went away.
async fn whole(body: Body) -> Result<Option<Bytes>, axum::Error> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        if bytes.len() + chunk.len() > BODY_LIMIT {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(Bytes::from(bytes)))
}

fn hangup() -> Response {
    let mut response = Body::empty().into_response();
    response.extensions_mut().insert(Hangup);
    response
}

/// None before 1970, which HTTP dates cannot say.
fn http_date(now: Timestamp) -> Option<HeaderValue> {
    if now < Timestamp::UNIX_EPOCH {
        return None;
    }
    HeaderValue::from_str(&httpdate::fmt_http_date(SystemTime::from(now))).ok()
}

/// Whether a caller is on this machine, whatever family its address is written in.
fn is_local(peer: SocketAddr) -> bool {
    peer.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_is_for_this_machine() {
        let cases = [
            ("127.0.0.1:1", true),
            ("127.8.9.10:1", true),
            ("[::1]:1", true),
            ("[::ffff:127.0.0.1]:1", true),
            ("10.0.0.1:1", false),
            ("[::ffff:10.0.0.1]:1", false),
            ("[fe80::1]:1", false),
        ];
        for (peer, local) in cases {
            assert_eq!(is_local(peer.parse().unwrap()), local, "{peer}");
        }
    }

    #[test]
    fn dates_are_said_as_far_as_http_can() {
        assert!(http_date(Timestamp::MAX).is_some() && http_date(Timestamp::UNIX_EPOCH).is_some());
        assert_eq!(http_date(Timestamp::MIN), None);
    }
}
