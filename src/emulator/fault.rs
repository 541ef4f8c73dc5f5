//! What can go wrong on purpose, and what the caller then sees.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::problem::{Code, Problem, Shape};
use super::reply::{Body, Reply};

/// What goes wrong. "After" means that the call is carried out first, as it would have been without the fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Fault {
    /// The connection closes without an answer; nothing is carried out, not even the signature's check.
    DropBefore,
    /// The call is carried out and the connection closes without an answer.
    DropAfter,
    /// An error of the other side, and nothing is carried out: 500, 503 or 504.
    #[serde(rename = "5xx-before")]
    ServerErrorBefore(ServerError),
    /// The call is carried out, and an error of the other side is answered.
    #[serde(rename = "5xx-after")]
    ServerErrorAfter(ServerError),
    /// 429 with this code: 400 quota, 410 throttled, 420 rate limited.
    #[serde(rename = "429")]
    Throttled(Throttle),
    /// The request is kept this long, as a queue behind the gateway would, and then carried out even if the caller is gone.
    Delay(Delay),
    /// The request is kept until the door releases it.
    Hold(Hold),
    /// The password is refused, by the rules' own answer.
    Refuse,
    /// The password is refused if it is the one that the account has.
    RefuseSame,
    /// 403, code 230.
    Forbid,
    /// 401, code 200, although the signature is good.
    Unauthorised,
    /// A proxy's HTML page with 502.
    Html,
    /// The same after the call was carried out.
    HtmlAfter,
    /// 200 without a body.
    Empty,
    /// The same after the call was carried out.
    EmptyAfter,
    /// 200 that says `success: false` and no code.
    SuccessFalse,
    /// The same after the call was carried out.
    SuccessFalseAfter,
    /// 200 and bytes that are not in the format that they claim to be.
    Garbage,
    /// The same after the call was carried out.
    GarbageAfter,
    /// The call is carried out, and the answer names another account (where it names one).
    OtherId,
    /// An error in a shape of the rule's choice.
    ErrorBody(ErrorBody),
}

/// An error that is answered instead of carrying the call out, or after it: `{"shape": "flat", "status": 400, "code": 9015}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ErrorBody {
    pub(super) shape: Shape,
    pub(super) status: ErrorStatus,
    /// Written as it is given, as a number or as text; without one the shape has none (v2: the status in a word).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<Code>,
    /// `{password}` in it becomes the password that was submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) message: Option<String>,
    /// Whether the call is carried out first.
    #[serde(default)]
    pub(super) after: bool,
}

impl ErrorBody {
    fn reply(&self, submitted: &str) -> Reply {
        let message = self.message.as_deref().unwrap_or("Asked for by a fault rule.").replace("{password}", submitted);
        let problem = Problem::new(self.shape, self.code.clone(), &message);
        Reply::problem(self.status.0, Problem { details: "None.".into(), pinned: true, ..problem })
    }
}

/// 200, which some errors come with, or 400 to 599.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub(super) struct ErrorStatus(StatusCode);

impl TryFrom<u16> for ErrorStatus {
    type Error = String;

    fn try_from(status: u16) -> Result<Self, String> {
        let known = StatusCode::from_u16(status).ok().filter(|_| matches!(status, 200 | 400..=599));
        known.map(Self).ok_or_else(|| format!("{status} is no status of an error; write 200 or 400 to 599"))
    }
}

impl From<ErrorStatus> for u16 {
    fn from(status: ErrorStatus) -> Self {
        status.0.as_u16()
    }
}

/// How long a request is kept, and what then goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Delay {
    /// Milliseconds.
    pub(super) ms: u64,
    #[serde(default, rename = "checked-at")]
    pub(super) checked_at: CheckedAt,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) then: Option<Box<Fault>>,
}

/// What happens to a held request, once it is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hold {
    #[serde(default, rename = "checked-at")]
    pub(super) checked_at: CheckedAt,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) then: Option<Box<Fault>>,
}

/// When the signature of a request that waits is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum CheckedAt {
    Arrival,
    #[default]
    Processing,
}

/// An error of the other side, by its HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub(super) enum ServerError {
    Unexpected,
    Endpoint,
    Timeout,
}

impl TryFrom<u16> for ServerError {
    type Error = String;

    fn try_from(status: u16) -> Result<Self, String> {
        match status {
            500 => Ok(Self::Unexpected),
            503 => Ok(Self::Endpoint),
            504 => Ok(Self::Timeout),
            _ => Err(format!("{status} is no status of this fault; write 500, 503 or 504")),
        }
    }
}

impl From<ServerError> for u16 {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::Unexpected => 500,
            ServerError::Endpoint => 503,
            ServerError::Timeout => 504,
        }
    }
}

impl ServerError {
    fn reply(self) -> Reply {
        match self {
            Self::Unexpected => Reply::unexpected(),
            Self::Endpoint => {
                Reply::gateway(StatusCode::SERVICE_UNAVAILABLE, "500", "Endpoint Error", "Endpoint connection error.")
            }
            Self::Timeout => {
                Reply::gateway(StatusCode::GATEWAY_TIMEOUT, "510", "Endpoint Timeout", "Endpoint connection timed out.")
            }
        }
    }
}

/// Why the gateway asks for patience, by its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub(super) enum Throttle {
    Quota,
    Pace,
    Rate,
}

impl TryFrom<u16> for Throttle {
    type Error = String;

    fn try_from(code: u16) -> Result<Self, String> {
        match code {
            400 => Ok(Self::Quota),
            410 => Ok(Self::Pace),
            420 => Ok(Self::Rate),
            _ => Err(format!("{code} is no code of a 429; write 400, 410 or 420")),
        }
    }
}

impl From<Throttle> for u16 {
    fn from(throttle: Throttle) -> Self {
        match throttle {
            Throttle::Quota => 400,
            Throttle::Pace => 410,
            Throttle::Rate => 420,
        }
    }
}

impl Throttle {
    fn reply(self) -> Reply {
        let message = match self {
            Self::Quota => "Quota Exceeded",
            Self::Pace => "Throttle Limited",
            Self::Rate => "Rate Limited",
        };
        Reply::gateway(StatusCode::TOO_MANY_REQUESTS, &u16::from(self).to_string(), message, "Too many requests.")
    }
}

impl Fault {
    /// The stable label, as rules and the log write it.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::DropBefore => "drop-before",
            Self::DropAfter => "drop-after",
            Self::ServerErrorBefore(_) => "5xx-before",
            Self::ServerErrorAfter(_) => "5xx-after",
            Self::Throttled(_) => "429",
            Self::Delay(_) => "delay",
            Self::Hold(_) => "hold",
            Self::Refuse => "refuse",
            Self::RefuseSame => "refuse-same",
            Self::Forbid => "forbid",
            Self::Unauthorised => "unauthorised",
            Self::Html => "html",
            Self::HtmlAfter => "html-after",
            Self::Empty => "empty",
            Self::EmptyAfter => "empty-after",
            Self::SuccessFalse => "success-false",
            Self::SuccessFalseAfter => "success-false-after",
            Self::Garbage => "garbage",
            Self::GarbageAfter => "garbage-after",
            Self::OtherId => "other-id",
            Self::ErrorBody(_) => "error-body",
        }
    }

    /// The answer that is given instead of carrying the call out; `refusal` is the one for a password, `submitted` the
    /// password itself.
    pub(super) fn instead(&self, refusal: impl FnOnce() -> Reply, submitted: &str) -> Option<Reply> {
        match self {
            Self::ErrorBody(body) => (!body.after).then(|| body.reply(submitted)),
            Self::ServerErrorBefore(error) => Some(error.reply()),
            Self::Throttled(throttle) => Some(throttle.reply()),
            Self::Refuse => Some(refusal()),
            Self::Forbid => Some(Reply::forbidden()),
            Self::Unauthorised => Some(Reply::authentication_failed("Invalid authentication information.")),
            Self::Html => Some(html()),
            Self::Empty => Some(empty()),
            Self::SuccessFalse => Some(unsuccessful()),
            Self::Garbage => Some(garbage()),
            Self::DropBefore
            | Self::DropAfter
            | Self::ServerErrorAfter(_)
            | Self::Delay(_)
            | Self::Hold(_)
            | Self::RefuseSame
            | Self::HtmlAfter
            | Self::EmptyAfter
            | Self::SuccessFalseAfter
            | Self::GarbageAfter
            | Self::OtherId => None,
        }
    }

    /// What becomes of the answer after the call was carried out; none at all when the connection is dropped.
    pub(super) fn afterwards(&self, reply: Reply, submitted: &str) -> Option<Reply> {
        match self {
            Self::ErrorBody(body) => Some(body.reply(submitted)),
            Self::DropAfter => None,
            Self::ServerErrorAfter(error) => Some(error.reply()),
            Self::HtmlAfter => Some(html()),
            Self::EmptyAfter => Some(empty()),
            Self::SuccessFalseAfter => Some(unsuccessful()),
            Self::GarbageAfter => Some(garbage()),
            Self::OtherId => Some(with_another_id(reply)),
            Self::DropBefore
            | Self::ServerErrorBefore(_)
            | Self::Throttled(_)
            | Self::Delay(_)
            | Self::Hold(_)
            | Self::Refuse
            | Self::RefuseSame
            | Self::Forbid
            | Self::Unauthorised
            | Self::Html
            | Self::Empty
            | Self::SuccessFalse
            | Self::Garbage => Some(reply),
        }
    }
}

const fn html() -> Reply {
    let page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n";
    Reply::new(StatusCode::BAD_GATEWAY, Body::Html(page))
}

const fn empty() -> Reply {
    Reply::new(StatusCode::OK, Body::Empty)
}

fn unsuccessful() -> Reply {
    Reply::ok(json!({ "success": false }))
}

const fn garbage() -> Reply {
    Reply::new(StatusCode::OK, Body::Garbage(b"{\"success\": tr\xff\x00"))
}

fn with_another_id(mut reply: Reply) -> Reply {
    if let Body::Data(data) = &mut reply.body {
        for key in ["id", "subAccountId"] {
            if let Some(id) = data.get_mut(key) {
                *id = json!("0000000000000000000000");
            }
        }
    }
    reply
}
