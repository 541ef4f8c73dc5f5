//! Serves the socket: who may ask, how many at once, how much, and how slowly.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, FromRequest, FromRequestParts, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use nix::unistd::{Uid, User, geteuid};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::api::Refusal;
use super::socket::Listening;
use crate::domain::cause::{Cause, Reason, Who};
use crate::domain::exit::Exit;

/// Connections that are served at once; others wait until one of them ends.
pub const MOST_CONNECTIONS: usize = 64;
/// How long a request's head may take to come, and then its body.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// The largest head of a request, in bytes.
pub const LARGEST_HEAD: usize = 16 * 1024;
/// The largest body of a request, in bytes: some thousand names.
pub const LARGEST_BODY: usize = 1024 * 1024;
/// How long an answer may take to leave when the daemon has ended.
const FAREWELL: Duration = Duration::from_secs(2);
/// How long nobody is let in after the system could let nobody in.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Who is at the other end, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// As whom it runs.
    pub uid: u32,
    /// Which process it is; none when it is in another namespace.
    pub pid: Option<i32>,
}

impl Peer {
    fn of(stream: &UnixStream) -> io::Result<Self> {
        let found = stream.peer_cred()?;
        Ok(Self { uid: found.uid(), pid: found.pid().filter(|pid| *pid > 0) })
    }

    /// The daemon's own user and root may do everything anyway; nobody else may ask for anything.
    fn may_ask(self) -> bool {
        self.uid == geteuid().as_raw() || self.uid == 0
    }

    /// The cause of what it asks for, by the words of the command that asks the same.
    #[must_use]
    pub fn cause(self, command: &'static str, reason: Option<Reason>) -> Cause {
        let user = User::from_uid(Uid::from_raw(self.uid)).ok().flatten().map(|user| user.name);
        Cause { who: Who::Peer { command, user, uid: self.uid, pid: self.pid }, reason }
    }
}

/// Serves `operations` until `stop`, and then what is still being answered, for a moment. The handlers find the [`Peer`] in the
/// request.
pub async fn serve(listening: Listening, operations: Router, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let connections = TaskTracker::new();
    let operations = operations.fallback(nothing_here).method_not_allowed_fallback(otherwise);
    loop {
        let next = async {
            // It is never closed.
            let slot = Arc::clone(&slots).acquire_owned().await.ok();
            (slot, listening.listener().accept().await)
        };
        let (slot, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            next = next => next,
        };
        match accepted.and_then(|(stream, _)| Ok((Peer::of(&stream)?, stream))) {
            Ok((peer, stream)) => {
                let serving = connection(stream, peer, operations.clone(), stop.clone());
                connections.spawn(async move {
                    serving.await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(event = "admin-not-accepted", %error, "a connection to the admin socket was not accepted");
                // Out of descriptors, most likely: others have to end first.
                let _ = timeout(EXHAUSTED, stop.cancelled()).await;
            }
        }
    }
    connections.close();
    let _ = timeout(FAREWELL, connections.wait()).await;
}

async fn connection(stream: UnixStream, peer: Peer, operations: Router, stop: CancellationToken) {
    let router = if peer.may_ask() {
        operations.layer(Extension(peer))
    } else {
        tracing::warn!(event = "admin-refused", uid = peer.uid, "somebody else's process asked the admin socket");
        Router::new().fallback(any(stranger))
    };
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(LARGEST_HEAD)
        // A connection asks once: nobody holds one without asking.
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut serving = std::pin::pin!(serving);
    // Callers that hang up are nothing that anybody must hear of.
    let ended = tokio::select! {
        _ = serving.as_mut() => true,
        () = stop.cancelled() => false,
    };
    if !ended {
        serving.as_mut().graceful_shutdown();
        let _ = serving.await;
    }
}

async fn stranger() -> Response {
    let error = "only the daemon's own user and root may ask; become one of them, with sudo for instance";
    refuse(&Refusal::new(Exit::Denied, error.to_owned()))
}

async fn nothing_here() -> Response {
    let error = "nothing is served at this path; docs/admin.md tells what is".to_owned();
    (StatusCode::NOT_FOUND, refuse(&Refusal::new(Exit::Usage, error))).into_response()
}

async fn otherwise() -> Response {
    let error = "this path is not asked by this method; docs/admin.md tells how".to_owned();
    (StatusCode::METHOD_NOT_ALLOWED, refuse(&Refusal::new(Exit::Usage, error))).into_response()
}

/// An answer of JSON.
pub fn answer(document: &impl Serialize) -> Response {
    axum::Json(document).into_response()
}

/// A refusal, under the status that says most of it.
#[must_use]
pub fn refuse(refusal: &Refusal) -> Response {
    let status = match refusal.exit {
        Exit::Usage => StatusCode::BAD_REQUEST,
        Exit::Denied => StatusCode::FORBIDDEN,
        Exit::Configuration => StatusCode::UNPROCESSABLE_ENTITY,
        Exit::Temporary | Exit::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Exit::Success | Exit::Data | Exit::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    };
    (status, axum::Json(refusal)).into_response()
}

/// What was asked, as JSON; an empty body asks for what every key leaves out.
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Asked<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response> {
        let wrong = |error: String| refuse(&Refusal::new(Exit::Usage, error));
        let Ok(body) = timeout(PATIENCE, read(request.into_body())).await else {
            let late = Refusal::new(Exit::Temporary, "the request did not come in time".to_owned());
            return Err((StatusCode::REQUEST_TIMEOUT, refuse(&late)).into_response());
        };
        let body = body.map_err(|error| {
            wrong(format!("the request cannot be read: {error}; it has at most {LARGEST_BODY} bytes"))
        })?;
        let text: &[u8] = if body.is_empty() { b"{}" } else { &body };
        serde_json::from_slice(text)
            .map(Self)
            .map_err(|error| wrong(format!("the request is not as it should be: {error}")))
    }
}

/// What was asked, behind the path's question mark.
pub struct Inquired<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Inquired<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let asked = Query::try_from_uri(&parts.uri);
        let wrong = |error: QueryRejection| {
            let error = format!("the request is not as it should be: {}", error.body_text());
            refuse(&Refusal::new(Exit::Usage, error))
        };
        asked.map(|Query(asked)| Self(asked)).map_err(wrong)
    }
}

async fn read(body: Body) -> Result<Vec<u8>, axum::Error> {
    to_bytes(body, LARGEST_BODY).await.map(Into::into)
}
