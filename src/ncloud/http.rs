//! The HTTP client below everything here: a message is sent **once**, and its answer taken in within bounds.
//!
//! Nothing below resends: reqwest's retries are off, redirects are off, HTTP/2 (whose refused streams are resent) is off,
//! and no connection is kept for later, since the pool sends again what a stale connection swallowed. A resent change
//! would outlive the protocol's bookkeeping (`protocol.md`, step 2).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use reqwest::header::HeaderValue;
use reqwest::{Client, Proxy, Request, Response, Url, redirect, retry};
use rustls::ClientConfig;
use zeroize::Zeroizing;

use super::errors::Failure;
use super::transport::TransportError;

/// The longest body that the answer to a change, or a short read, may have, in bytes.
pub(super) const SHORT: usize = 64 * 1024;
/// The longest body that a list may have, in bytes.
pub(super) const LONG: usize = 16 * 1024 * 1024;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A client that sends once.
pub(super) struct Http(Client);

/// An answer, whole. It has no `Debug`: the body may echo a password.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Zeroizing<Vec<u8>>,
}

impl Http {
    /// Sets up the client. Without `proxy` connections are made directly, whatever the environment says.
    pub(super) fn new(tls: ClientConfig, timeout: Duration, proxy: Option<Proxy>) -> Result<Self, TransportError> {
        let builder = Client::builder().no_proxy();
        let builder = match proxy {
            Some(proxy) => builder.proxy(proxy),
            None => builder,
        };
        let client = builder
            .tls_backend_preconfigured(tls)
            .http1_only()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            .user_agent(concat!("ncloud-rotator/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| TransportError::Client(error.without_url().to_string()))?;
        Ok(Self(client))
    }

    /// Sends a message and returns the head of its answer.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that sends")]
    pub(super) async fn exchange(&self, message: Request) -> Result<Response, Failure> {
        self.0.execute(message).await.map_err(|error| failure(&error))
    }
}

/// A proxy for https by CONNECT. Its user and password are taken out of its address, so that no layer below can show them.
pub(super) fn proxy(url: &Url) -> Result<Proxy, TransportError> {
    let refuse = |what| TransportError::Proxy { what };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse("is neither http nor https"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(refuse("names no host"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("carries a path or a query"));
    }
    let mut address = url.clone();
    if address.set_username("").is_err() || address.set_password(None).is_err() {
        return Err(refuse("carries a user where none can stand"));
    }
    let unusable = || refuse("cannot be used");
    let proxy = Proxy::all(address).map_err(|_| unusable())?;
    if url.username().is_empty() && url.password().is_none() {
        return Ok(proxy);
    }
    Ok(proxy.custom_http_auth(basic(url).ok_or_else(unusable)?))
}

/// The header that brings a URL's user and password to a proxy.
fn basic(url: &Url) -> Option<HeaderValue> {
    let decoded = |text: &str| Zeroizing::new(percent_decode_str(text).collect::<Vec<u8>>());
    let user = decoded(url.username());
    let password = decoded(url.password().unwrap_or_default());
    let pair = Zeroizing::new([user.as_slice(), b":", password.as_slice()].concat());
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(&*pair)));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Reads the body up to `most` bytes.
pub(super) async fn take_in(mut response: Response, most: usize) -> Result<Reply, Failure> {
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
        return "its name, or the proxy's, cannot be resolved".to_owned();
    }
    if error.is_timeout() {
        return format!("no connection within {} s", CONNECT_TIMEOUT.as_secs());
    }
    if let Some(tls) = source::<rustls::Error>(error) {
        return format!("TLS: {tls}");
    }
    let what = tunnel(error).unwrap_or("no connection");
    source::<std::io::Error>(error).map_or_else(|| what.to_owned(), |io| format!("{what} ({})", io.kind()))
}

/// What the proxy did. The library's error has no public type, only fixed words.
fn tunnel(error: &reqwest::Error) -> Option<&'static str> {
    let mut next = std::error::Error::source(error);
    while let Some(here) = next {
        match here.to_string().as_str() {
            "tunnel error: proxy authorization required" => {
                return Some("the proxy asks for a user and a password, or refused the ones that it was given");
            }
            "tunnel error: failed to create underlying connection" => return Some("the proxy cannot be reached"),
            other if other.starts_with("tunnel error: ") => return Some("the proxy would not connect to it"),
            _ => next = here.source(),
        }
    }
    None
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
    use super::*;

    #[test]
    fn a_proxy_is_scheme_host_and_port_and_its_password_is_shown_to_nobody() {
        for good in ["http://proxy:3128", "https://user:hunter2%21@proxy", "http://u:hunter2@[::1]:8080/"] {
            let proxy = proxy(&good.parse().unwrap()).unwrap();
            assert!(!format!("{proxy:?}").contains("hunter2"), "{good}");
        }
        for bad in
            ["socks5://u:hunter2@proxy:1", "http://u:hunter2@proxy/path", "http://u:hunter2@proxy?q", "file:///x"]
        {
            let error = proxy(&bad.parse().unwrap()).unwrap_err();
            assert!(matches!(error, TransportError::Proxy { .. }), "{bad}: {error}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
        let header = basic(&"http://us%3Aer:p%40ss@proxy".parse().unwrap()).unwrap();
        assert_eq!(header.to_str().unwrap(), "Basic dXM6ZXI6cEBzcw==");
        assert!(header.is_sensitive());
    }
}
