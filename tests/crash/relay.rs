//! Stands between one process and the servers that it talks to, and knows every moment of theirs: each exchange has three,
//! before the server hears the request, when the server has answered and the process has not heard it, and after that.
//!
//! At a moment that was chosen the process is killed, or kept waiting while the world goes on.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

/// How long a relay waits for what must come; far longer than a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(90);
const LARGEST_BODY: usize = 1 << 20;

/// A moment of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Point {
    /// The request is here, whole; its server has not heard of it.
    Asked,
    /// The server has carried it out, and answered or hung up; the process has not heard.
    Answered,
    /// The answer was passed on.
    Told,
}

/// What is done to the process at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Strike {
    /// SIGKILL, before anything else happens.
    Kill,
    /// It waits for this exchange until [`Relay::release`].
    Stall,
}

/// What becomes of requests that were on their way when their sender died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// They never arrive.
    Lost,
    /// They arrive, and nobody hears the answer.
    Lands,
    /// They arrive when they are released.
    Late,
}

/// A moment as it passes.
pub(crate) struct Moment<'a> {
    pub(crate) point: Point,
    /// Which of the servers, as they were given.
    pub(crate) server: usize,
    /// The request, head and body.
    pub(crate) request: &'a Message,
}

impl fmt::Display for Moment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.point, self.request.line())
    }
}

/// Sees every moment before the process is struck or goes on.
pub(crate) type Watch = Arc<dyn Fn(&Moment<'_>) + Send + Sync>;

/// One process's relay. It closes when it is dropped.
pub(crate) struct Relay {
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
}

struct Shared {
    orders: Mutex<Orders>,
    news: Condvar,
    watch: Watch,
}

struct Orders {
    /// The process.
    victim: Option<Pid>,
    /// What is done at which moment, counted from 0 and from its start.
    strike: Option<(usize, Strike)>,
    fate: Fate,
    /// How many moments have passed.
    passed: usize,
    /// The moment at which it was struck, in words.
    struck: Option<String>,
    dead: bool,
    released: bool,
    closed: bool,
    /// Connections of the process, and how many of them wait.
    connections: usize,
    held: usize,
    /// What went wrong in the relay itself.
    faults: Vec<String>,
}

impl Orders {
    fn new(strike: Option<(usize, Strike)>, fate: Fate) -> Self {
        Self {
            victim: None,
            strike,
            fate,
            passed: 0,
            struck: None,
            dead: false,
            released: false,
            closed: false,
            connections: 0,
            held: 0,
            faults: Vec::new(),
        }
    }
}

impl Relay {
    /// Relays to each of these servers, at an address of its own, for one process.
    pub(crate) fn start(servers: &[SocketAddr], strike: Option<(usize, Strike)>, fate: Fate, watch: Watch) -> Self {
        let orders = Mutex::new(Orders::new(strike, fate));
        let shared = Arc::new(Shared { orders, news: Condvar::new(), watch });
        let listen = |(index, server): (usize, &SocketAddr)| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let (shared, server) = (Arc::clone(&shared), *server);
            thread::spawn(move || shared.accept(&listener, index, server));
            address
        };
        let addresses = servers.iter().enumerate().map(listen).collect();
        Self { addresses, shared }
    }

    /// Where it listens for each server.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Says who is to be struck.
    pub(crate) fn aim(&self, victim: Pid) {
        self.shared.orders().victim = Some(victim);
        self.shared.news.notify_all();
    }

    /// Kills the process now, whatever moment it is.
    pub(crate) fn kill(&self) {
        let mut orders = self.shared.orders();
        orders.victim.into_iter().for_each(end);
        orders.dead = true;
    }

    /// How many moments have passed since the process was started.
    pub(crate) fn passed(&self) -> usize {
        self.shared.orders().passed
    }

    /// Waits until the process is struck, or `over` says that it never will be.
    pub(crate) fn until_struck(&self, over: impl Fn() -> bool) -> Option<String> {
        let mut orders = self.shared.orders();
        loop {
            if orders.struck.is_some() || over() {
                return orders.struck.clone();
            }
            let waited = self.shared.news.wait_timeout(orders, Duration::from_millis(5));
            orders = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Lets go on what waits.
    pub(crate) fn let_go(&self) {
        self.shared.orders().released = true;
        self.shared.news.notify_all();
    }

    /// Whether nothing moves: the process is dead, and what it left on its way has arrived, or waits, or is lost.
    pub(crate) fn is_still(&self) -> bool {
        let orders = self.shared.orders();
        orders.connections == orders.held
    }

    /// Whether nothing is left on its way.
    pub(crate) fn is_over(&self) -> bool {
        self.shared.orders().connections == 0
    }

    /// What went wrong in the relay itself, which is no fault of the process.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.shared.orders().faults.clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.orders().closed = true;
        self.shared.news.notify_all();
        for address in &self.addresses {
            // Wakes the listener, which then sees that it is closed.
            drop(TcpStream::connect(address));
        }
    }
}

impl Shared {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, orders: MutexGuard<'a, Orders>) -> (MutexGuard<'a, Orders>, bool) {
        let (orders, waited) = self.news.wait_timeout(orders, PATIENCE).unwrap_or_else(PoisonError::into_inner);
        (orders, waited.timed_out())
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener, index: usize, server: SocketAddr) {
        for client in listener.incoming() {
            if self.orders().closed {
                return;
            }
            let (Ok(client), shared) = (client, Arc::clone(self)) else { continue };
            self.orders().connections += 1;
            thread::spawn(move || {
                // A process that dies, and a server that hangs up, end a connection; that is what they are here for.
                let ended = catch_unwind(AssertUnwindSafe(|| drop(shared.serve(client, index, server))));
                let mut orders = shared.orders();
                orders.connections -= 1;
                if let Err(panic) = ended {
                    let said = panic.downcast_ref::<String>().cloned();
                    orders.faults.push(said.unwrap_or_else(|| "a relay broke".into()));
                }
            });
        }
    }

    fn serve(&self, client: TcpStream, index: usize, server: SocketAddr) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut to_client = client.try_clone()?;
        let mut from_client = BufReader::new(client);
        let mut upstream = None;
        while let Some(request) = Message::read(&mut from_client)? {
            let moment = |point| Moment { point, server: index, request: &request };
            if !self.pass(&moment(Point::Asked)) {
                return Ok(());
            }
            let answer = exchange(&mut upstream, server, &request);
            self.pass(&moment(Point::Answered));
            to_client.write_all(&answer?.bytes)?;
            self.pass(&moment(Point::Told));
        }
        Ok(())
    }

    /// A moment passes: the process is struck at it, or it is not. Whether the request goes on to its server.
    fn pass(&self, moment: &Moment<'_>) -> bool {
        (self.watch)(moment);
        let mut orders = self.orders();
        let number = orders.passed;
        if !orders.dead {
            orders.passed += 1;
        }
        match orders.strike {
            Some((at, strike)) if at == number && orders.struck.is_none() && !orders.dead => {
                while orders.victim.is_none() {
                    let (next, waited) = self.wait(orders);
                    assert!(!waited, "nobody said whom to strike");
                    orders = next;
                }
                orders.struck = Some(format!("moment {number}, {moment}"));
                if strike == Strike::Kill {
                    orders.victim.into_iter().for_each(end);
                    orders.dead = true;
                } else {
                    self.news.notify_all();
                    orders = self.hold(orders);
                }
                self.news.notify_all();
            }
            _ => {}
        }
        if moment.point != Point::Asked || !orders.dead {
            return true;
        }
        match orders.fate {
            Fate::Lost => false,
            Fate::Lands => true,
            Fate::Late => !self.hold(orders).closed,
        }
    }

    /// Waits for the release, or the end.
    fn hold<'a>(&self, mut orders: MutexGuard<'a, Orders>) -> MutexGuard<'a, Orders> {
        orders.held += 1;
        while !orders.released && !orders.closed {
            let (next, waited) = self.wait(orders);
            orders = next;
            if waited {
                break;
            }
        }
        orders.held -= 1;
        orders
    }
}

/// Ends a child of this process where it stands, and returns when nothing of it runs any more. Its exit status stays to be
/// collected.
fn end(victim: Pid) {
    // It may have ended by itself in this very moment.
    let _ = kill(victim, Signal::SIGKILL);
    let _ = waitid(Id::Pid(victim), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT);
}

/// Hands a request to its server. An error: it hung up, whatever it has done before.
fn exchange(
    upstream: &mut Option<(TcpStream, BufReader<TcpStream>)>,
    server: SocketAddr,
    request: &Message,
) -> io::Result<Message> {
    if upstream.is_none() {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        *upstream = Some((stream.try_clone()?, BufReader::new(stream)));
    }
    let (to, from) = upstream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
    to.write_all(&request.bytes)?;
    Message::read(from)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// One HTTP/1.1 message with its body.
pub(crate) struct Message {
    bytes: Vec<u8>,
    head: usize,
}

impl Message {
    /// None: the connection closed before another one began.
    fn read(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"\r\n\r\n") {
            if from.read_until(b'\n', &mut bytes)? == 0 {
                return if bytes.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
        let head = bytes.len();
        let mut message = Self { bytes, head };
        assert!(message.header("transfer-encoding").is_none(), "a body without a length: {}", message.line());
        let length = message.header("content-length").map_or(0, |length| length.parse().unwrap());
        assert!(length <= LARGEST_BODY, "a body of {length} bytes");
        message.bytes.resize(head + length, 0);
        from.read_exact(&mut message.bytes[head..])?;
        Ok(Some(message))
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.bytes[self.head..]
    }

    /// Its first line, or what names the call where all calls have one path.
    pub(crate) fn line(&self) -> String {
        let head = String::from_utf8_lossy(&self.bytes[..self.head]);
        let line = head.lines().next().unwrap_or_default().split(" HTTP/").next().unwrap_or_default().to_owned();
        match self.header("x-amz-target") {
            Some(target) => format!("{line} {target}"),
            None => line,
        }
    }

    fn header(&self, name: &str) -> Option<String> {
        let head = String::from_utf8_lossy(&self.bytes[..self.head]);
        let fits = |line: &str| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        head.lines().skip(1).find_map(fits)
    }
}
