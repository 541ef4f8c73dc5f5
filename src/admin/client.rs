//! Asks a daemon, if there is one; and is never kept waiting by one that hangs.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use futures::StreamExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use nix::unistd::geteuid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::api::{DAEMON, Greeting, Refusal, VERSION, WorksOn};
use super::socket::Address;
use crate::domain::exit::Exit;

/// How long a daemon may take to say which one it is. While it works on an answer, it is asked that again and again.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// How soon the door of a daemon that many ask is tried again.
const CROWDED: Duration = Duration::from_millis(50);
/// The largest answer, in bytes: some hundred thousand accounts.
const LARGEST: usize = 256 * 1024 * 1024;
/// The largest greeting or refusal, in bytes.
const LARGEST_WORD: usize = 1024 * 1024;

/// A daemon that works on what this process works on.
#[derive(Debug, Clone)]
pub struct Daemon {
    socket: PathBuf,
    process: u32,
}

/// Why a daemon gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// It refused.
    #[error("{}", .0.error)]
    Refused(Refusal),
    /// It hangs.
    #[error(
        "the daemon{} does not answer at {} within {} seconds; look at its log and start it again, which rotates nothing, or \
         do without it: --no-daemon", of_process(*.process), .socket.display(), PATIENCE.as_secs()
    )]
    Hangs {
        /// The socket.
        socket: PathBuf,
        /// The daemon's process id, if it told that before.
        process: Option<u32>,
    },
    /// It is not this program, as it is now.
    #[error(
        "the daemon at {} is version {theirs} and this command is version {VERSION}; start the daemon again, which rotates \
         nothing, or do without it: --no-daemon", .socket.display()
    )]
    OtherVersion {
        /// The socket.
        socket: PathBuf,
        /// What it says it is.
        theirs: String,
    },
    /// It belongs to somebody else.
    #[error(
        "{} is served by a process of uid {uid}, which is not to be believed; look who that is, or do without: --no-daemon",
        .socket.display()
    )]
    Stranger {
        /// The socket.
        socket: PathBuf,
        /// As whom it runs.
        uid: u32,
    },
    /// It went away, or spoke something else.
    #[error(
        "the daemon at {} broke off: {cause}. What it was asked for may be under way: look with `status` and `history`",
        .socket.display()
    )]
    BrokeOff {
        /// The socket.
        socket: PathBuf,
        /// What was seen.
        cause: String,
    },
}

impl NoAnswer {
    /// How a command ends because of it.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self {
            Self::Refused(refusal) => refusal.exit,
            Self::Hangs { .. } | Self::BrokeOff { .. } => Exit::Temporary,
            Self::OtherVersion { .. } => Exit::Unavailable,
            Self::Stranger { .. } => Exit::Denied,
        }
    }
}

fn of_process(process: Option<u32>) -> String {
    process.map(|process| format!(" (process {process})")).unwrap_or_default()
}

/// The daemon that works on `ours` and listens at one of these places, if there is one.
pub async fn find(places: &[PathBuf], ours: &WorksOn) -> Result<Option<Daemon>, NoAnswer> {
    for socket in places {
        let greeting = match timeout(PATIENCE, greet(socket)).await {
            Err(_) => return Err(NoAnswer::Hangs { socket: socket.clone(), process: None }),
            Ok(Err(Unheard::Nobody)) => continue,
            Ok(Err(Unheard::NoAnswer(error))) => return Err(error),
            Ok(Ok(greeting)) => greeting,
        };
        if greeting.works_on == *ours {
            if greeting.version != VERSION {
                return Err(NoAnswer::OtherVersion { socket: socket.clone(), theirs: greeting.version });
            }
            return Ok(Some(Daemon { socket: socket.clone(), process: greeting.process }));
        }
    }
    Ok(None)
}

/// Why a greeting did not come.
enum Unheard {
    /// No daemon listens there.
    Nobody,
    NoAnswer(NoAnswer),
}

async fn greet(socket: &Path) -> Result<Greeting, Unheard> {
    let stream = connect(socket).await?;
    let response = send(socket, stream, request(Method::GET, DAEMON, Bytes::new())).await.map_err(Unheard::NoAnswer)?;
    let other = |theirs: &str| {
        Unheard::NoAnswer(NoAnswer::OtherVersion { socket: socket.to_owned(), theirs: theirs.to_owned() })
    };
    let is_found = response.status().is_success();
    let body = body(socket, response, LARGEST_WORD).await.map_err(Unheard::NoAnswer)?;
    if let Ok(refusal) = serde_json::from_slice::<Refusal>(&body) {
        return Err(Unheard::NoAnswer(NoAnswer::Refused(refusal)));
    }
    if !is_found {
        return Err(other("unknown"));
    }
    serde_json::from_slice(&body).map_err(|_| other("unknown"))
}

async fn connect(socket: &Path) -> Result<UnixStream, Unheard> {
    let broke = |error: io::Error| Unheard::NoAnswer(broke_off(socket, &error));
    let stream = match knock(socket).await {
        Ok(stream) => stream,
        // A user who cannot reach it has no daemon; what that user then does alone, files allow or refuse.
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::PermissionDenied => return Err(Unheard::Nobody),
            _ => return Err(broke(error)),
        },
    };
    let (uid, me) = (stream.peer_cred().map_err(broke)?.uid(), geteuid().as_raw());
    if uid != me && uid != 0 && me != 0 {
        return Err(Unheard::NoAnswer(NoAnswer::Stranger { socket: socket.to_owned(), uid }));
    }
    Ok(stream)
}

async fn knock(socket: &Path) -> io::Result<UnixStream> {
    let address = Address::of(socket)?;
    loop {
        match UnixStream::connect(address.path()).await {
            // So many wait already; whoever asks has patience of its own.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let _ = timeout(CROWDED, std::future::pending::<()>()).await;
            }
            connected => return connected,
        }
    }
}

fn request(method: Method, path: &str, body: Bytes) -> Request<Body> {
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap_or_default();
    request.headers_mut().insert(header::HOST, header::HeaderValue::from_static("localhost"));
    request
}

async fn send(socket: &Path, stream: UnixStream, request: Request<Body>) -> Result<Response<Incoming>, NoAnswer> {
    let broke = |error: hyper::Error| broke_off(socket, &error);
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broke)?;
    // It ends with the answer, or with whoever waits for it.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(broke)
}

async fn body(socket: &Path, response: Response<Incoming>, most: usize) -> Result<Bytes, NoAnswer> {
    to_bytes(Body::new(response.into_body()), most).await.map_err(|error| broke_off(socket, &error))
}

fn broke_off(socket: &Path, cause: &dyn std::error::Error) -> NoAnswer {
    NoAnswer::BrokeOff { socket: socket.to_owned(), cause: cause.to_string() }
}

impl Daemon {
    /// The answer to a question.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, NoAnswer> {
        self.whole(request(Method::GET, path, Bytes::new())).await
    }

    /// The answer to an order.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, order: &impl Serialize) -> Result<T, NoAnswer> {
        self.whole(self.order(path, order)?).await
    }

    /// What follows from an order, line by line as it comes; `each` says whether to go on.
    pub async fn follow<T: DeserializeOwned>(
        &self,
        path: &str,
        order: &impl Serialize,
        mut each: impl FnMut(T),
    ) -> Result<(), NoAnswer> {
        let response = self.watched(self.send(self.order(path, order)?)).await??;
        if !response.status().is_success() {
            return Err(self.refusal(response).await);
        }
        let mut pieces = Body::new(response.into_body()).into_data_stream();
        let mut unread = Vec::new();
        while let Some(piece) = self.watched(pieces.next()).await? {
            unread.extend_from_slice(&piece.map_err(|error| broke_off(&self.socket, &error))?);
            while let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = unread.drain(..=end).collect();
                each(self.read(&line)?);
            }
            if unread.len() > LARGEST {
                return Err(NoAnswer::BrokeOff { socket: self.socket.clone(), cause: "a line has no end".to_owned() });
            }
        }
        Ok(())
    }

    /// An answer that lacks its end.
    #[must_use]
    pub fn broke_off(&self, cause: &str) -> NoAnswer {
        NoAnswer::BrokeOff { socket: self.socket.clone(), cause: cause.to_owned() }
    }

    async fn whole<T: DeserializeOwned>(&self, request: Request<Body>) -> Result<T, NoAnswer> {
        let asking = async {
            let response = self.send(request).await?;
            if !response.status().is_success() {
                return Err(self.refusal(response).await);
            }
            let body = body(&self.socket, response, LARGEST).await?;
            self.read(&body)
        };
        self.watched(asking).await?
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Incoming>, NoAnswer> {
        let stream = match connect(&self.socket).await {
            Ok(stream) => stream,
            Err(Unheard::NoAnswer(error)) => return Err(error),
            Err(Unheard::Nobody) => {
                let cause = "it has just ended".to_owned();
                return Err(NoAnswer::BrokeOff { socket: self.socket.clone(), cause });
            }
        };
        send(&self.socket, stream, request).await
    }

    fn order(&self, path: &str, order: &impl Serialize) -> Result<Request<Body>, NoAnswer> {
        let order = serde_json::to_vec(order).map_err(|error| broke_off(&self.socket, &error))?;
        Ok(request(Method::POST, path, order.into()))
    }

    fn read<T: DeserializeOwned>(&self, text: &[u8]) -> Result<T, NoAnswer> {
        serde_json::from_slice(text).map_err(|error| broke_off(&self.socket, &error))
    }

    async fn refusal(&self, response: Response<Incoming>) -> NoAnswer {
        let status = response.status();
        match body(&self.socket, response, LARGEST_WORD).await {
            Ok(body) => serde_json::from_slice(&body).map_or_else(
                |_| NoAnswer::BrokeOff { socket: self.socket.clone(), cause: format!("it answered {status}") },
                NoAnswer::Refused,
            ),
            Err(error) => error,
        }
    }

    /// Waits as long as the daemon lives, which it must say again and again.
    async fn watched<T>(&self, answer: impl Future<Output = T>) -> Result<T, NoAnswer> {
        let mut answer = pin!(answer);
        loop {
            if let Ok(answer) = timeout(PATIENCE, answer.as_mut()).await {
                return Ok(answer);
            }
            // One that has just ended breaks off by itself.
            let heard = timeout(PATIENCE, greet(&self.socket));
            tokio::select! {
                biased;
                answer = answer.as_mut() => return Ok(answer),
                heard = heard => if heard.is_err() {
                    return Err(NoAnswer::Hangs { socket: self.socket.clone(), process: Some(self.process) });
                },
            }
        }
    }
}
