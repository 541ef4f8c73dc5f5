//! The listener and its connections. hyper is served by hand, since a connection that hangs up has to close without a byte:
//! the service answers with an error then, and hyper closes. A request is carried out in a task of its own, so that a client
//! that is killed while it waits does not take it along.

use std::convert::Infallible;
use std::sync::mpsc;
use std::time::SystemTime;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderValue, Response, header};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::front::{Reply, SharedFront};
use super::refusal::Refusal;

/// The most bytes of a request: a value, in base64, and what is around it.
const BODY_LIMIT: usize = 256 * 1024;

/// The connection is to close without an answer.
#[derive(Debug, thiserror::Error)]
#[error("hung up on purpose")]
struct Hangup;

/// Dropped by the listener and each of its connections when it is closed, so that somebody can wait for all of them.
pub(crate) type Closed = mpsc::Sender<Infallible>;

/// Takes connections until it is told to close, which closes them too.
pub(crate) async fn listen(listener: TcpListener, front: SharedFront, close: CancellationToken, closed: Closed) {
    loop {
        tokio::select! {
            () = close.cancelled() => return,
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(serve(stream, front.clone(), close.clone(), closed.clone()));
                }
            }
        }
    }
}

async fn serve(stream: TcpStream, front: SharedFront, close: CancellationToken, _closed: Closed) {
    // Small answers should not wait for a full packet; a socket that cannot do that still serves.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(front.clone(), request));
    let serving = http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        // Clients that hang up, and ourselves: nothing that anybody must hear of.
        _ = serving => {}
        () = close.cancelled() => {}
    }
}

async fn answer(front: SharedFront, request: hyper::Request<Incoming>) -> Result<Response<Body>, Hangup> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(Body::new(body), BODY_LIMIT).await.map_err(|_| Hangup)?;
    let is_call = parts.method == "POST" && parts.uri.path() == "/";
    let working = {
        let front = front.clone();
        tokio::spawn(async move {
            if is_call {
                front.answer(parts.headers, body).await
            } else {
                Some(Reply::from(&Refusal { status: 404, ..Refusal::new("UnknownOperationException", "POST / only") }))
            }
        })
    };
    let reply = working.await.ok().flatten().ok_or(Hangup)?;
    let response = Response::builder()
        .status(reply.status)
        .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
        .header(header::DATE, http_date(front.time.now()));
    response.body(Body::from(reply.body)).map_err(|_| Hangup)
}

fn http_date(now: Timestamp) -> HeaderValue {
    let date = httpdate::fmt_http_date(SystemTime::from(now));
    HeaderValue::from_str(&date).unwrap_or_else(|_| HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
}
