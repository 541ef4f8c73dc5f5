//! A server role's temporary keys (`ncloud-api.md`, section 1), read from the server's own metadata address.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use reqwest::header::{ACCEPT, HeaderValue};
use reqwest::{Method, Url};
use tokio::sync::Mutex;

use super::body::Body;
use super::endpoint::is_near;
use super::errors::Failure;
use super::http::{Http, SHORT, take_in};
use super::target::Target;
use super::tls;
use super::transport::TransportError;
use crate::domain::secret::Keys;
use crate::ports::clock::Clock;
use crate::ports::keys::{KeyError, KeySource};

/// Temporary keys are renewed this long before they end.
const EARLY: SignedDuration = SignedDuration::from_mins(5);
/// The metadata address is on this machine or beside it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where a server role's keys are.
pub struct RoleSettings {
    /// The metadata address, below which `iam/security-credentials/{role}` is read. Plain http is accepted on loopback and
    /// link-local addresses.
    pub base: String,
    /// The role.
    pub role: String,
    /// Asked whether the keys that are kept still last.
    pub clock: Arc<dyn Clock>,
}

impl RoleSettings {
    /// The metadata address of the clouds that have this path. NAVER Cloud documents the path and not the address \[open\]:
    /// where it is another, it is configuration.
    pub const BASE: &'static str = "http://169.254.169.254/latest/meta-data";
}

/// Keeps a role's keys until shortly before they end, and asks for others then, or when the gateway refused them.
///
/// When no others can be had, the ones at hand are used to their end.
pub struct RoleKeys {
    http: Http,
    url: Url,
    clock: Arc<dyn Clock>,
    kept: Mutex<Option<Kept>>,
    refused: AtomicBool,
}

#[derive(Clone)]
struct Kept {
    keys: Keys,
    /// Unknown when the answer did not tell it in a form that can be read.
    until: Option<Timestamp>,
}

impl RoleKeys {
    /// Sets up the client. Nothing is sent. No proxy is asked: the address means this machine.
    pub fn new(settings: RoleSettings) -> Result<Self, TransportError> {
        let url = url(&settings.base, &settings.role)?;
        let tls = if url.scheme() == "http" { tls::nobody()? } else { tls::system()? };
        Ok(Self {
            http: Http::new(tls, TIMEOUT, None)?,
            url,
            clock: settings.clock,
            kept: Mutex::default(),
            refused: AtomicBool::new(false),
        })
    }

    async fn fetch(&self) -> Result<Kept, KeyError> {
        let mut message = reqwest::Request::new(Method::GET, self.url.clone());
        message.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let reply = match self.http.exchange(message).await {
            Ok(response) => take_in(response, SHORT).await,
            Err(failure) => Err(failure),
        };
        let reply = reply.map_err(|failure| self.trouble(&told(failure)))?;
        match reply.status {
            200 => read(&Body::parse(&reply.body)).map_err(|what| self.trouble(what)),
            404 => Err(self.trouble("this server has no such role; see the role's name, and that the server has it")),
            status => Err(self.trouble(&format!("HTTP {status}; see that this is a server with that role"))),
        }
    }

    fn trouble(&self, what: &str) -> KeyError {
        KeyError(format!("the server role's keys at {} cannot be read: {what}", self.url))
    }
}

#[async_trait]
impl KeySource for RoleKeys {
    async fn keys(&self) -> Result<Keys, KeyError> {
        // Held while asking, so that many requests at once ask once.
        let mut kept = self.kept.lock().await;
        let refused = self.refused.swap(false, Ordering::Relaxed);
        if !refused && let Some(kept) = kept.as_ref().filter(|kept| kept.lasts(self.clock.wall(), EARLY)) {
            return Ok(kept.keys.clone());
        }
        match self.fetch().await {
            Ok(fresh) => Ok(kept.insert(fresh).keys.clone()),
            Err(error) => {
                let old = kept.as_ref().filter(|kept| kept.lasts(self.clock.wall(), SignedDuration::ZERO));
                old.map(|kept| kept.keys.clone()).ok_or(error)
            }
        }
    }

    fn refused(&self) {
        self.refused.store(true, Ordering::Relaxed);
    }
}

impl fmt::Debug for RoleKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RoleKeys").field(&self.url.as_str()).finish()
    }
}

impl Kept {
    fn lasts(&self, now: Timestamp, early: SignedDuration) -> bool {
        self.until.is_some_and(|until| until.duration_since(now) > early)
    }
}

fn url(base: &str, role: &str) -> Result<Url, TransportError> {
    let refuse = |what| TransportError::Metadata { what };
    if role.is_empty() || role == "." || role == ".." {
        return Err(refuse("the role has no name; write the name of the role that this server has"));
    }
    let base = Url::parse(base.trim_end_matches('/')).map_err(|_| refuse("its address is no URL"))?;
    let host = base.host_str().unwrap_or_default();
    if !base.username().is_empty() || base.password().is_some() || base.query().is_some() || base.fragment().is_some() {
        return Err(refuse("its address carries more than scheme, host, port and path"));
    }
    match base.scheme() {
        "https" => {}
        "http" if is_near(host) => {}
        "http" => return Err(refuse("keys come from there, so plain http is for loopback and link-local addresses")),
        _ => return Err(refuse("its address is neither http nor https")),
    }
    let path = Target::new("/iam/security-credentials").segment(role);
    let text = format!("{}{}", base.as_str().trim_end_matches('/'), path.as_str());
    Url::parse(&text).map_err(|_| refuse("its address is no URL"))
}

fn read(body: &Body) -> Result<Kept, &'static str> {
    let fields = body.fields();
    let access = fields.text("AccessKeyId").ok_or("the answer has no AccessKeyId")?;
    let secret = fields.text("SecretAccessKey").ok_or("the answer has no SecretAccessKey")?;
    let until = fields.time("Expiration");
    let printable = |key: &str| key.bytes().all(|byte| byte.is_ascii_graphic());
    let keys = Keys::new(access, secret);
    if printable(keys.expose_access()) && printable(keys.expose_secret()) {
        Ok(Kept { keys, until })
    } else {
        Err("the answer holds a key with a space or a character outside ASCII in it")
    }
}

fn told(failure: Failure) -> String {
    match failure {
        Failure::Keys(error) => error.to_string(),
        Failure::NotSent(cause) => cause,
        Failure::TimedOut => format!("no answer within {} s", TIMEOUT.as_secs()),
        Failure::Disconnected => "the connection broke".to_owned(),
        Failure::TooLong(most) => format!("its answer is longer than {most} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_built_below_the_base_and_stays_near_in_plain_http() {
        for (base, role, expected) in [
            (RoleSettings::BASE, "r", "http://169.254.169.254/latest/meta-data/iam/security-credentials/r"),
            (
                "http://127.0.0.1:1/door/metadata/",
                "a b/c",
                "http://127.0.0.1:1/door/metadata/iam/security-credentials/a%20b%2Fc",
            ),
            ("http://[fe80::1]", "r", "http://[fe80::1]/iam/security-credentials/r"),
            ("https://meta.example", "r", "https://meta.example/iam/security-credentials/r"),
        ] {
            assert_eq!(url(base, role).unwrap().as_str(), expected);
        }
        for (base, role) in [
            ("http://10.0.0.1", "r"),
            ("http://meta.example", "r"),
            ("ftp://127.0.0.1", "r"),
            ("nothing", "r"),
            ("http://u:hunter2@127.0.0.1", "r"),
            ("http://127.0.0.1?q", "r"),
            (RoleSettings::BASE, ""),
            (RoleSettings::BASE, ".."),
        ] {
            let error = url(base, role).unwrap_err();
            assert!(matches!(error, TransportError::Metadata { .. }) && !error.to_string().contains("hunter2"));
        }
    }
}
