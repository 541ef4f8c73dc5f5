//! An emulator under virtual time, and a client of the test's own that puts every byte on the wire by hand.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use ncloud_rotator::domain::secret::Keys;
use ncloud_rotator::domain::signature::{ACCESS_KEY_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use ncloud_rotator::emulator::{Emulator, Settings, demo_keys};
use ncloud_rotator::ports::clock::Clock;
use ncloud_rotator::ports::entropy::{Entropy, EntropyError};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Where virtual time starts, in milliseconds; the time of one of the official signature vectors.
pub(crate) const START: i64 = 1_763_752_800_001;
pub(crate) const START_DATE: &str = "Fri, 21 Nov 2025 19:20:00 GMT";

/// Stands still until it is told to move.
pub(crate) struct TestClock(watch::Sender<Duration>);

impl TestClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.send_modify(|boot| *boot += by);
    }
}

#[async_trait]
impl Clock for TestClock {
    fn wall(&self) -> Timestamp {
        Timestamp::from_millisecond(START).unwrap() + *self.0.borrow()
    }

    fn boot(&self) -> Duration {
        *self.0.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        let until = self.boot() + duration;
        self.0.subscribe().wait_for(|boot| *boot >= until).await.unwrap();
    }
}

struct Steps(std::sync::atomic::AtomicU8);

impl Entropy for Steps {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
        bytes.fill_with(|| self.0.fetch_add(37, std::sync::atomic::Ordering::Relaxed));
        Ok(())
    }
}

/// Settings under virtual time, with the test door.
pub(crate) fn settings() -> (Settings, Arc<TestClock>) {
    let clock = Arc::new(TestClock(watch::Sender::new(Duration::ZERO)));
    let settings = Settings::new(clock.clone(), Arc::new(Steps(0.into())));
    (Settings { test_door: true, ..settings }, clock)
}

/// An emulator and its clock.
pub(crate) struct Bench {
    pub(crate) emulator: Emulator,
    pub(crate) clock: Arc<TestClock>,
}

impl Bench {
    /// With the sample in memory and the test door open.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with_file(path: &Path) -> Self {
        Self::with(|settings| settings.accounts = Some(path.to_owned())).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let (mut settings, clock) = settings();
        change(&mut settings);
        Self { emulator: Emulator::start(settings).await.unwrap(), clock }
    }

    /// Sends a call, signed now by the machine's clock.
    pub(crate) async fn call(&self, method: &str, target: &str, body: Option<Value>) -> Answer {
        self.send(&self.signed(method, target, body)).await.expect("the connection was dropped")
    }

    pub(crate) fn signed(&self, method: &str, target: &str, body: Option<Value>) -> Request {
        Request::new(method, target, body).sign(&demo_keys(), self.clock.wall())
    }

    /// Sends a request on a connection of its own; none if that closed without a byte.
    pub(crate) async fn send(&self, request: &Request) -> Option<Answer> {
        let stream = self.open(request).await;
        read_answer(stream).await
    }

    /// Sends a request and leaves the answer to be read.
    pub(crate) async fn open(&self, request: &Request) -> TcpStream {
        let mut stream = TcpStream::connect(self.emulator.address()).await.unwrap();
        stream.write_all(&request.bytes()).await.unwrap();
        stream
    }

    pub(crate) async fn door(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self.send(&Request::new(method, path, body)).await.unwrap();
        assert!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    }

    pub(crate) async fn fault(&self, rule: Value) {
        self.door("POST", "/door/faults", Some(rule)).await;
    }

    /// The door's view of one account.
    pub(crate) async fn account(&self, name: &str) -> Value {
        let all = self.door("GET", "/door/accounts", None).await;
        let found = all["accounts"].as_array().unwrap().iter().find(|account| account["name"] == name).cloned();
        found.unwrap_or_else(|| panic!("no account {name}"))
    }

    pub(crate) async fn id(&self, name: &str) -> String {
        self.account(name).await["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn live(&self, name: &str) -> String {
        self.account(name).await["password"].as_str().unwrap().to_owned()
    }

    /// The request that sets an account's password, by the kind of its name.
    pub(crate) async fn change(&self, name: &str, password: &str) -> Request {
        let id = self.id(name).await;
        if name.starts_with("df") {
            self.signed("POST", "/api/v2/accounts/resetPassword", Some(json!({ "id": id, "password": password })))
        } else {
            let body = json!({ "needPasswordGenerate": false, "newPassword": password });
            self.signed("PUT", &format!("/api/v1/sub-accounts/{id}/password"), Some(body))
        }
    }

    pub(crate) async fn log(&self) -> Vec<Value> {
        self.door("GET", "/door/log", None).await["requests"].as_array().unwrap().clone()
    }

    /// Waits until the last request of the log is as wanted, for ten seconds at the most.
    pub(crate) async fn until_last(&self, wanted: impl Fn(&Value) -> bool) {
        let reached = async {
            while !self.log().await.last().is_some_and(&wanted) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), reached).await.expect("the log never showed it");
    }
}

/// A request before it is bytes.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, target: &str, body: Option<Value>) -> Self {
        let headers = vec![("content-type".into(), "application/json".into())];
        let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        Self { method: method.into(), target: target.into(), headers, body }
    }

    pub(crate) fn sign(self, keys: &Keys, at: Timestamp) -> Self {
        let signature = sign(keys, &self.method, &self.target, at);
        self.header(TIMESTAMP_HEADER, &at.as_millisecond().to_string())
            .header(ACCESS_KEY_HEADER, keys.expose_access())
            .header(SIGNATURE_HEADER, &signature)
    }

    /// Replaces a header, or takes it away if the value is empty.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(existing, _)| existing != name);
        if !value.is_empty() {
            self.headers.push((name.into(), value.into()));
        }
        self
    }

    pub(crate) fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let length = ("content-length".to_owned(), self.body.len().to_string());
        let lines = self.headers.iter().chain((!self.body.is_empty()).then_some(&length));
        let lines: String = lines.flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
        let head =
            format!("{} {} HTTP/1.1\r\nhost: emulator\r\nconnection: close\r\n{lines}", self.method, self.target);
        [head.as_bytes(), b"\r\n", &self.body].concat()
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// Every value of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let found = self.headers.iter().filter(|(existing, _)| existing.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str()).collect()
    }

    /// The gateway's error code, or the Sub Account service's, or `-`.
    pub(crate) fn code(&self) -> String {
        let Ok(body) = serde_json::from_slice::<Value>(&self.body) else { return "-".into() };
        match (&body["error"]["errorCode"], &body["errorCode"]) {
            (Value::String(code), _) => code.clone(),
            (_, Value::Number(code)) => code.to_string(),
            _ => "-".into(),
        }
    }
}

/// Reads to the end of the connection; none if not a byte came.
pub(crate) async fn read_answer(mut stream: TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    // A reset is an end as well: what came before it counts.
    let _ = stream.read_to_end(&mut bytes).await;
    if bytes.is_empty() {
        return None;
    }
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer was cut within its head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers =
        lines.map(|line| line.split_once(": ").unwrap()).map(|(name, value)| (name.into(), value.into())).collect();
    Some(Answer { status, headers, body: bytes[end + 4..].to_vec() })
}
