//! A server of raw TCP that follows a script and counts, and clients that talk to it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ncloud_rotator::domain::account::{AccountId, Kind};
use ncloud_rotator::domain::rotation::Answer;
use ncloud_rotator::domain::secret::{Keys, Password};
use ncloud_rotator::domain::signature::verify;
use ncloud_rotator::ncloud::{Api, DataForest, Format, SubAccounts, Transport, TransportSettings};
use ncloud_rotator::ports::clock::{Clock, GatewayClock};
use ncloud_rotator::ports::keys::{KeyError, KeySource};
use ncloud_rotator::ports::provider::Provider;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const ID: &str = "2b141960-0000-11ef-8000-246e9659184c";
pub(crate) const PASSWORD: &str = "Aa1!\"\\한xyz";

/// One request as it came off the wire.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// The one value of a header; panics when it is missing or there twice.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.iter().filter(|(header, _)| header == name).map(|(_, value)| value.as_str());
        let value = values.next().unwrap_or_else(|| panic!("no {name} in {:?}", self.headers));
        assert_eq!(values.next(), None, "{name} is there twice");
        value
    }

    pub(crate) fn signed_at(&self) -> Timestamp {
        Timestamp::from_millisecond(self.header("x-ncp-apigw-timestamp").parse().unwrap()).unwrap()
    }

    pub(crate) fn is_signed(&self) -> bool {
        let signature = self.header("x-ncp-apigw-signature-v2");
        self.header("x-ncp-iam-access-key") == keys().expose_access()
            && verify(&keys(), &self.method, &self.target, self.signed_at(), signature)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn page(&self) -> usize {
        let query = self.target.split_once('?').expect("a query").1;
        query.split('&').find_map(|pair| pair.strip_prefix("page=")).expect("a page").parse().unwrap()
    }
}

/// What the server does with a request.
pub(crate) enum Act {
    /// Sends these bytes and goes on listening on the same connection.
    Send(Vec<u8>),
    /// Sends these bytes and closes.
    SendAndClose(Vec<u8>),
    /// Sends these bytes and then nothing, keeping the connection open.
    SendAndStall(Vec<u8>),
    /// Sends a head and chunks without end.
    Flood,
}

pub(crate) type Script = dyn Fn(usize, &Seen) -> Act + Send + Sync;

/// A server on loopback that follows a script and counts.
pub(crate) struct Server {
    pub(crate) base: String,
    connections: Arc<AtomicUsize>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    /// The script is told how many requests came before this one.
    pub(crate) async fn start(script: impl Fn(usize, &Seen) -> Act + Send + Sync + 'static) -> Self {
        Self::listen(Some(Arc::new(script))).await
    }

    /// Closes every connection as soon as it is made.
    pub(crate) async fn deaf() -> Self {
        Self::listen(None).await
    }

    async fn listen(script: Option<Arc<Script>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            base: format!("http://{}", listener.local_addr().unwrap()),
            connections: Arc::default(),
            seen: Arc::default(),
        };
        let (connections, seen) = (server.connections.clone(), server.seen.clone());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                if let Some(script) = script.clone() {
                    tokio::spawn(serve(stream, script, seen.clone()));
                }
            }
        });
        server
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!((seen.len(), self.connections()), (1, 1), "one request on one connection");
        seen[0].clone()
    }
}

pub(crate) async fn serve(mut stream: TcpStream, script: Arc<Script>, seen: Arc<Mutex<Vec<Seen>>>) {
    while let Some(request) = receive(&mut stream).await {
        let before = {
            let mut seen = seen.lock().unwrap();
            seen.push(request.clone());
            seen.len() - 1
        };
        match script(before, &request) {
            Act::Send(bytes) => stream.write_all(&bytes).await.unwrap(),
            Act::SendAndClose(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                return;
            }
            Act::SendAndStall(bytes) => {
                stream.write_all(&bytes).await.unwrap();
                std::future::pending::<()>().await;
            }
            Act::Flood => {
                let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                stream.write_all(head).await.unwrap();
                let chunk = [b"1000\r\n".as_slice(), &[b' '; 0x1000], b"\r\n"].concat();
                while stream.write_all(&chunk).await.is_ok() {}
                return;
            }
        }
    }
}

/// Reads one request; none when the client closed the connection.
pub(crate) async fn receive(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = std::str::from_utf8(&bytes[..end]).expect("a head in ASCII").to_owned();
    let mut lines = head.split("\r\n");
    let mut start = lines.next()?.split(' ').map(str::to_owned);
    let (method, target) = (start.next()?, start.next()?);
    assert_eq!((start.next().as_deref(), start.next()), (Some("HTTP/1.1"), None));
    let headers: Vec<_> = lines
        .map(|line| line.split_once(": ").expect("a header"))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, length)| length.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    assert_eq!(body.len(), length, "more than one request's bytes");
    Some(Seen { method, target, headers, body })
}

pub(crate) fn answer(status: u16, extra: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\n{extra}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub(crate) fn always(status: u16, body: &'static str) -> impl Fn(usize, &Seen) -> Act + Send + Sync + 'static {
    move |_, _| Act::Send(answer(status, "", body))
}

/// Both clocks stand still, so that every signed time is exact.
pub(crate) struct Still;

#[async_trait]
impl Clock for Still {
    fn wall(&self) -> Timestamp {
        wall()
    }

    fn boot(&self) -> Duration {
        Duration::from_secs(1000)
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending::<()>().await;
    }
}

pub(crate) fn wall() -> Timestamp {
    Timestamp::from_millisecond(1_763_752_800_123).unwrap()
}

/// Some time that is not the wall clock's.
pub(crate) fn deciding_read() -> Timestamp {
    Timestamp::from_millisecond(1_763_752_777_456).unwrap()
}

/// A `Date` header, and the time that it tells.
pub(crate) const DATE: &str = "date: Fri, 21 Nov 2025 20:00:07 GMT\r\n";

pub(crate) fn date() -> Timestamp {
    Timestamp::from_second(1_763_755_207).unwrap()
}

pub(crate) fn keys() -> Keys {
    Keys::new("D78BB444D6D3C84CA38A".into(), "EXAMPLESECRETKEYdoNotUse0123456789abcdef".into())
}

/// Counts how often it is asked.
pub(crate) struct Source(pub(crate) AtomicUsize, Result<Keys, KeyError>);

#[async_trait]
impl KeySource for Source {
    async fn keys(&self) -> Result<Keys, KeyError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        self.1.clone()
    }
}

pub(crate) fn source(keys: Result<Keys, KeyError>) -> Arc<Source> {
    Arc::new(Source(AtomicUsize::new(0), keys))
}

pub(crate) fn settings(base: &str) -> TransportSettings {
    TransportSettings {
        base: base.to_owned(),
        timeout: TransportSettings::TIMEOUT,
        keys: source(Ok(keys())),
        clock: Arc::new(GatewayClock::new(Arc::new(Still))),
        proxy: None,
        ca_file: None,
    }
}

pub(crate) fn transport(base: &str) -> Transport {
    Transport::new(settings(base)).unwrap()
}

/// For the cases in which nothing ever comes.
pub(crate) fn hasty(base: &str) -> Transport {
    Transport::new(TransportSettings { timeout: Duration::from_millis(300), ..settings(base) }).unwrap()
}

pub(crate) fn provider(kind: Kind, transport: Transport) -> Box<dyn Provider> {
    match kind {
        Kind::SubAccount => Box::new(SubAccounts::new(transport, Api::V1)),
        Kind::DataForest => Box::new(DataForest::new(transport, Format::Json)),
    }
}

pub(crate) async fn change(provider: &dyn Provider, id: &str) -> Answer {
    provider.reset_password(&AccountId(id.into()), &Password::new(PASSWORD.into()), deciding_read()).await
}
