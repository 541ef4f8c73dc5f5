//! The one place that sends: a request is built once, signed, sent **once**, and its answer taken in within bounds.
//!
//! Nothing below resends: reqwest's retries are off, redirects are off, HTTP/2 (whose refused streams are resent) is off,
//! and no connection is kept for later, since the pool sends again what a stale connection swallowed. A resent change
//! would outlive the protocol's bookkeeping (`protocol.md`, step 2).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, Response, Url, redirect, retry};
use rustls::{ClientConfig, RootCertStore, crypto};
use rustls_platform_verifier::BuilderVerifierExt;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::endpoint::Endpoint;
use super::errors::{Failure, classify_read};
use super::json::Fields;
use super::target::Target;
use crate::domain::secret::Keys;
use crate::domain::signature::{ACCESS_KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use crate::ports::clock::GatewayClock;
use crate::ports::keys::{KeyError, KeySource};
use crate::ports::provider::ProviderError;

/// The longest body that the answer to a change, or a short read, may have, in bytes.
pub(super) const SHORT: usize = 64 * 1024;
/// The longest body that a list may have, in bytes.
pub(super) const LONG: usize = 16 * 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What a transport is made of.
pub struct TransportSettings {
    /// Scheme, host and port. Plain http is accepted on loopback only.
    pub base: String,
    /// How long this client waits for a whole answer. It is the client's own and says nothing of how long the gateway
    /// may work on.
    pub timeout: Duration,
    /// Asked at every request.
    pub keys: Arc<dyn KeySource>,
    /// Told every `Date` that is heard, and asked for the time that reads are signed with.
    pub clock: Arc<GatewayClock>,
}

impl TransportSettings {
    /// The time-out that suits most networks.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
}

/// Why no transport can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The endpoint is not what it should be. It is not shown, since it may carry credentials.
    #[error("the endpoint {what}; write scheme, host and port only, such as https://subaccount.apigw.ntruss.com")]
    Endpoint {
        /// What is wrong with it.
        what: &'static str,
    },
    /// Plain http to another machine.
    #[error(
        "the endpoint http://{host} is not on this machine; passwords go there, so write https (http is for loopback)"
    )]
    PlainHttp {
        /// The host.
        host: String,
    },
    /// There are no CA certificates to check a server by.
    #[error(
        "no CA certificates are found on this machine, so that no https server can be checked ({cause}); install the \
         package ca-certificates, or name a bundle in SSL_CERT_FILE"
    )]
    NoTrustStore {
        /// What the TLS library says.
        cause: String,
    },
    /// The HTTP client cannot be made.
    #[error("the HTTP client cannot be set up: {0}; this is a fault of this program, please report it")]
    Client(String),
}

/// One gateway, as this program reaches it.
pub struct Transport {
    client: Client,
    endpoint: Endpoint,
    keys: Arc<dyn KeySource>,
    clock: Arc<GatewayClock>,
}

/// A request before it is signed.
pub(super) struct Request {
    /// The call, as the provider's documents name it.
    pub(super) call: &'static str,
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) body: Option<Bytes>,
    /// The longest answer that is taken in, in bytes.
    pub(super) most: usize,
}

/// An answer, whole. It has no `Debug`: the body may echo a password.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Transport {
    /// Sets up the client. Nothing is sent.
    pub fn new(settings: TransportSettings) -> Result<Self, TransportError> {
        let endpoint = Endpoint::parse(&settings.base)?;
        let tls = if endpoint.is_plain() { tls_without_roots()? } else { tls_with_system_roots()? };
        let client = client(tls, settings.timeout)?;
        Ok(Self { client, endpoint, keys: settings.keys, clock: settings.clock })
    }

    pub(super) const fn clock(&self) -> &Arc<GatewayClock> {
        &self.clock
    }

    /// Sends a read, signed with the gateway's time as known, and returns the object that it brings. Refused keys are
    /// tried once more: the refusal's own `Date` has set the clock, and the keys are read anew.
    pub(super) async fn read(&self, request: &Request) -> Result<Map<String, Value>, ProviderError> {
        match self.read_once(request).await {
            Err(ProviderError::Authentication { .. }) => self.read_once(request).await,
            result => result,
        }
    }

    async fn read_once(&self, request: &Request) -> Result<Map<String, Value>, ProviderError> {
        let call = request.call;
        let reply = self.send(request, self.clock.now()).await;
        let Reply { status, body } = reply.map_err(|failure| failure.into_error(call, self.endpoint.host()))?;
        if !(200..=299).contains(&status) {
            return Err(classify_read(call, status, &body));
        }
        let object: Map<String, Value> = serde_json::from_slice(&body)
            .map_err(|_| ProviderError::Unreadable { call, what: "its body is no JSON object".to_owned() })?;
        if Fields::new(&object).flag("success") == Ok(Some(false)) {
            return Err(classify_read(call, status, &body));
        }
        Ok(object)
    }

    /// Signs `request` with `signed_at` and sends it, once.
    pub(super) async fn send(&self, request: &Request, signed_at: Timestamp) -> Result<Reply, Failure> {
        let url = self.url(&request.target)?;
        let keys = self.keys.keys().map_err(Failure::Keys)?;
        let signature = sign(&keys, request.method.as_str(), request.target.as_str(), signed_at);
        let mut message = reqwest::Request::new(request.method.clone(), url);
        *message.headers_mut() = headers(&keys, &signature, signed_at)?;
        *message.body_mut() = request.body.clone().map(Into::into);
        let response = self.exchange(message).await.map_err(|error| failure(&error))?;
        self.hear(response.headers());
        take_in(response, request.most).await
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that sends")]
    async fn exchange(&self, message: reqwest::Request) -> Result<Response, reqwest::Error> {
        self.client.execute(message).await
    }

    fn hear(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|value| httpdate::parse_http_date(value.to_str().ok()?).ok());
        if let Some(date) = date.and_then(|date| Timestamp::try_from(date).ok()) {
            self.clock.heard(date);
        }
    }

    /// The URL whose path and query are the target, to the byte. An id such as `..`, or an empty one, has none: URLs
    /// normalise it away, and the request would go elsewhere.
    fn url(&self, target: &Target) -> Result<Url, Failure> {
        let target = target.as_str();
        let url = Url::parse(&format!("{}{target}", self.endpoint.origin())).ok().filter(|url| {
            let sent = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
            sent == target && !url.path().contains("//")
        });
        url.ok_or_else(|| Failure::NotSent("the account's id cannot stand in a URL".to_owned()))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Transport").field(&self.endpoint.host()).finish()
    }
}

fn client(tls: ClientConfig, timeout: Duration) -> Result<Client, TransportError> {
    Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .pool_max_idle_per_host(0)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .user_agent(concat!("ncloud-rotator/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| TransportError::Client(error.to_string()))
}

/// For https: the machine's own CA certificates, and ring whatever else is linked in.
fn tls_with_system_roots() -> Result<ClientConfig, TransportError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TransportError::Client(error.to_string()))?;
    let builder =
        builder.with_platform_verifier().map_err(|error| TransportError::NoTrustStore { cause: error.to_string() })?;
    Ok(builder.with_no_client_auth())
}

/// For plain http on loopback, which must work on a machine without CA certificates too; it trusts nobody.
fn tls_without_roots() -> Result<ClientConfig, TransportError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TransportError::Client(error.to_string()))?;
    Ok(builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}

fn headers(keys: &Keys, signature: &str, signed_at: Timestamp) -> Result<HeaderMap, Failure> {
    let json = HeaderValue::from_static("application/json");
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, json.clone());
    headers.insert(ACCEPT, json);
    headers.insert(HeaderName::from_static(TIMESTAMP_HEADER), HeaderValue::from(signed_at.as_millisecond()));
    for (name, text) in [(ACCESS_KEY_HEADER, keys.expose_access()), (SIGNATURE_HEADER, signature)] {
        let mut value = HeaderValue::from_str(text).map_err(|_| Failure::Keys(unsendable()))?;
        value.set_sensitive(true);
        headers.insert(HeaderName::from_static(name), value);
    }
    Ok(headers)
}

fn unsendable() -> KeyError {
    KeyError(
        "the access key holds a character that no HTTP header can carry, perhaps a line break; look at the tenant's \
         access_key"
            .to_owned(),
    )
}

/// Reads the body up to `most` bytes.
async fn take_in(mut response: Response, most: usize) -> Result<Reply, Failure> {
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Err(Failure::TooLong(most));
    }
    // A buffer that never moves leaves no copy behind when it is wiped.
    let mut body = Zeroizing::new(Vec::with_capacity(most.min(SHORT)));
    while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + chunk.len() > most {
            return Err(Failure::TooLong(most));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status: response.status().as_u16(), body })
}

/// A connection that was never made carried nothing, however it failed; that comes before everything else.
fn failure(error: &reqwest::Error) -> Failure {
    if error.is_connect() || error.is_builder() {
        Failure::NotSent(cause(error))
    } else if error.is_timeout() {
        Failure::TimedOut
    } else {
        Failure::Disconnected
    }
}

/// Why no connection was made, in words that an operator can act on.
fn cause(error: &reqwest::Error) -> String {
    if error.is_dns() {
        return "its name cannot be resolved".to_owned();
    }
    if error.is_timeout() {
        return format!("no connection within {} s", CONNECT_TIMEOUT.as_secs());
    }
    if let Some(tls) = source::<rustls::Error>(error) {
        return format!("TLS: {tls}");
    }
    source::<std::io::Error>(error)
        .map_or_else(|| "no connection could be made".to_owned(), |io| format!("no connection ({})", io.kind()))
}

/// The innermost cause of a type, looking into I/O errors, which hide theirs.
fn source<T: std::error::Error + 'static>(error: &reqwest::Error) -> Option<&T> {
    let mut found = None;
    let mut next = std::error::Error::source(error);
    while let Some(here) = next {
        found = here.downcast_ref::<T>().or(found);
        let inner = here.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = inner.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| here.source());
    }
    found
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::ports::clock::Clock;

    struct Still;

    #[async_trait]
    impl Clock for Still {
        fn wall(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn boot(&self) -> Duration {
            Duration::ZERO
        }

        async fn sleep(&self, _: Duration) {}
    }

    struct Fixed;

    impl KeySource for Fixed {
        fn keys(&self) -> Result<Keys, KeyError> {
            Ok(Keys::new("AK".into(), "SK".into()))
        }
    }

    /// Over TLS whatever the machine trusts; no server of these tests is trusted.
    fn over_tls(base: &str) -> Transport {
        Transport {
            client: client(tls_without_roots().unwrap(), TransportSettings::TIMEOUT).unwrap(),
            endpoint: Endpoint::parse(base).unwrap(),
            keys: Arc::new(Fixed),
            clock: Arc::new(GatewayClock::new(Arc::new(Still))),
        }
    }

    #[tokio::test]
    async fn a_failed_tls_handshake_carried_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut first = vec![0; 5];
            stream.read_exact(&mut first).await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
            [first, rest].concat()
        });
        let body = Some(Bytes::from_static(b"the-password"));
        let target = Target::new("/api/v1/sub-accounts").segment("id").segment("password");
        let request = Request { call: "PUT", method: Method::PUT, target, body, most: SHORT };
        let Err(Failure::NotSent(cause)) = over_tls(&base).send(&request, Timestamp::UNIX_EPOCH).await else {
            panic!("a handshake that failed was taken for more")
        };
        assert!(cause.starts_with("TLS: "), "{cause}");
        let wire = server.await.unwrap();
        assert_eq!(wire[0], 0x16, "a TLS handshake record");
        assert!(!wire.windows(12).any(|window| window == b"the-password"));
    }
}
