//! A signed request: built once, signed, and sent **once** by the client below (`http`).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};

use super::api::Format;
use super::body::{Body, Success};
use super::endpoint::Endpoint;
use super::errors::{Failure, classify_read};
use super::http::{self, Http, Reply, take_in};
use super::once::Once;
use super::remembering::Remembering;
use super::target::Target;
use super::tls;
use crate::domain::secret::Keys;
use crate::domain::signature::{ACCESS_KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use crate::ports::clock::GatewayClock;
use crate::ports::keys::{KeyError, KeySource};
use crate::ports::provider::ProviderError;

/// What a transport is made of. It has no `Debug`: the proxy may carry a password.
pub struct TransportSettings {
    /// Scheme, host and port. Plain http is accepted on loopback only.
    pub base: String,
    /// How long this client waits for a whole answer. It is the client's own and says nothing of how long the gateway
    /// may work on.
    pub timeout: Duration,
    /// Asked at every request. The pair that worked last is remembered until another has worked.
    pub keys: Arc<dyn KeySource>,
    /// Told every `Date` that is heard, and asked for the time that reads are signed with.
    pub clock: Arc<GatewayClock>,
    /// A proxy that is asked to `CONNECT` to an https endpoint: `http://` or `https://`, host, port, and a user and a
    /// password where it wants them. Requests stay end-to-end encrypted. A plain-http endpoint is on this machine, and is
    /// reached without it.
    pub proxy: Option<Url>,
    /// A PEM file of the CA certificates to trust **instead of** the machine's own, by the endpoint and by an https proxy.
    pub ca_file: Option<PathBuf>,
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
    /// The proxy is not what it should be. It is not shown, since it may carry credentials.
    #[error("the proxy {what}; write scheme, host and port, such as http://proxy.example:3128")]
    Proxy {
        /// What is wrong with it.
        what: &'static str,
    },
    /// The file of CA certificates is no such file.
    #[error("the CA file {}{} {what}", .path.display(), at(*.line))]
    CaFile {
        /// The file.
        path: PathBuf,
        /// The line, from 1, where there is one to blame.
        line: Option<usize>,
        /// What is wrong, and what to do.
        what: String,
    },
    /// The address of the server role's metadata is not what it should be, or the role is not.
    #[error("the server role's metadata: {what}")]
    Metadata {
        /// What is wrong, and what to write.
        what: &'static str,
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

fn at(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line},"))
}

/// One gateway, as this program reaches it.
pub struct Transport {
    http: Http,
    endpoint: Endpoint,
    keys: Remembering,
    clock: Arc<GatewayClock>,
    once: Once,
}

/// A request before it is signed.
pub(super) struct Request {
    /// The call, as the provider's documents name it.
    pub(super) call: &'static str,
    pub(super) method: Method,
    pub(super) target: Target,
    pub(super) format: Format,
    pub(super) body: Option<Bytes>,
    /// The longest answer that is taken in, in bytes.
    pub(super) most: usize,
}

impl Transport {
    /// Sets up the client. Nothing is sent.
    pub fn new(settings: TransportSettings) -> Result<Self, TransportError> {
        let endpoint = Endpoint::parse(&settings.base)?;
        let tls = match &settings.ca_file {
            Some(path) => tls::file(path)?,
            None if endpoint.is_plain() => tls::nobody()?,
            None => tls::system()?,
        };
        let proxy = settings.proxy.as_ref().map(http::proxy).transpose()?.filter(|_| !endpoint.is_plain());
        let http = Http::new(tls, settings.timeout, proxy)?;
        let keys = Remembering::new(settings.keys);
        Ok(Self { http, endpoint, keys, clock: settings.clock, once: Once::default() })
    }

    pub(super) const fn clock(&self) -> &Arc<GatewayClock> {
        &self.clock
    }

    /// Host and port of the gateway, for people.
    pub(super) fn host(&self) -> &str {
        self.endpoint.host()
    }

    /// Sends a read, signed with the gateway's time as known, and returns the object that it brings.
    ///
    /// Refused keys are tried once more: the refusal's own `Date` has set the clock, and the keys are read anew. Then the
    /// pair that worked last is tried, once, when it is another.
    pub(super) async fn read(&self, request: &Request) -> Result<Body, ProviderError> {
        let first = self.pair().await?;
        match self.read_with(request, &first).await {
            Err(ProviderError::Authentication { .. }) => self.keys.refused(),
            result => return self.heard_with(&first, result),
        }
        let second = self.pair().await?;
        let refusal = match self.read_with(request, &second).await {
            Err(refusal @ ProviderError::Authentication { .. }) => refusal,
            result => return self.heard_with(&second, result),
        };
        let Some(other) = self.keys.other(&[&first, &second]) else { return Err(refusal) };
        let result = self.read_with(request, &other).await;
        match &result {
            Ok(_) => self.keys.fell_back(&other, &second),
            Err(ProviderError::Authentication { .. }) => return Err(refusal),
            Err(_) => {}
        }
        result
    }

    fn heard_with(&self, pair: &Keys, result: Result<Body, ProviderError>) -> Result<Body, ProviderError> {
        if result.is_ok() {
            self.keys.worked(pair);
        }
        result
    }

    async fn pair(&self) -> Result<Keys, ProviderError> {
        self.keys.keys().await.map_err(|error| ProviderError::Keys(error.to_string()))
    }

    async fn read_with(&self, request: &Request, keys: &Keys) -> Result<Body, ProviderError> {
        let call = request.call;
        let reply = self.send_with(request, self.clock.now(), keys).await;
        let Reply { status, body } = reply.map_err(|failure| failure.into_error(call, self.endpoint.host()))?;
        let body = Body::parse(&body);
        if !(200..=299).contains(&status) {
            return Err(classify_read(call, status, &body));
        }
        if !body.is_object() {
            let what = "its body is no object of JSON or XML".to_owned();
            return Err(ProviderError::Unreadable { call, what });
        }
        if body.success() == Success::No {
            return Err(classify_read(call, status, &body));
        }
        Ok(body)
    }

    /// Signs a change with `signed_at` (or, when that was used already, the nearest time before it) and sends it, once,
    /// whatever becomes of it.
    pub(super) async fn send(&self, request: &Request, signed_at: Timestamp) -> Result<Reply, Failure> {
        let keys = self.keys.keys().await.map_err(Failure::Keys)?;
        let signed_at = self.once.time(request.target.as_str(), signed_at);
        let reply = self.send_with(request, signed_at, &keys).await;
        if reply.as_ref().is_ok_and(|reply| reply.status == 401) {
            // Perhaps temporary keys that were revoked: the next request asks for others.
            self.keys.refused();
        }
        reply
    }

    async fn send_with(&self, request: &Request, signed_at: Timestamp, keys: &Keys) -> Result<Reply, Failure> {
        let url = self.url(&request.target)?;
        let signature = sign(keys, request.method.as_str(), request.target.as_str(), signed_at);
        let mut message = reqwest::Request::new(request.method.clone(), url);
        *message.headers_mut() = headers(request.format, keys, &signature, signed_at)?;
        *message.body_mut() = request.body.clone().map(Into::into);
        let response = self.http.exchange(message).await?;
        self.hear(response.headers());
        take_in(response, request.most).await
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

fn headers(format: Format, keys: &Keys, signature: &str, signed_at: Timestamp) -> Result<HeaderMap, Failure> {
    let media_type = HeaderValue::from_static(format.media_type());
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, media_type.clone());
    headers.insert(ACCEPT, media_type);
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

    #[async_trait]
    impl KeySource for Fixed {
        async fn keys(&self) -> Result<Keys, KeyError> {
            Ok(Keys::new("AK".into(), "SK".into()))
        }
    }

    /// Over TLS whatever the machine trusts; no server of these tests is trusted.
    fn over_tls(base: &str) -> Transport {
        Transport {
            http: Http::new(tls::nobody().unwrap(), TransportSettings::TIMEOUT, None).unwrap(),
            endpoint: Endpoint::parse(base).unwrap(),
            keys: Remembering::new(Arc::new(Fixed)),
            clock: Arc::new(GatewayClock::new(Arc::new(Still))),
            once: Once::default(),
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
        let request =
            Request { call: "PUT", method: Method::PUT, target, format: Format::Json, body, most: http::SHORT };
        let Err(Failure::NotSent(cause)) = over_tls(&base).send(&request, Timestamp::UNIX_EPOCH).await else {
            panic!("a handshake that failed was taken for more")
        };
        assert!(cause.starts_with("TLS: "), "{cause}");
        let wire = server.await.unwrap();
        assert_eq!(wire[0], 0x16, "a TLS handshake record");
        assert!(!wire.windows(12).any(|window| window == b"the-password"));
    }
}
