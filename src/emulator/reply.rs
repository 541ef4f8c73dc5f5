//! Answers, and the provider's own words for every refusal (`ncloud-api.md`, section 4).
//!
//! The gateway's refusals have the gateway's shape, a service's refusals the service's; calls that no table documents
//! (method, media type) get the shape of the framework that both stand on.

use axum::http::StatusCode;
use serde_json::Value;

use super::problem::{Code, Problem, Shape, reason};

/// An answer before it is written in a body format.
#[derive(Clone)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Body,
    /// The methods that would have been right, for a 405.
    pub(super) allow: Vec<&'static str>,
}

/// What an answer says.
#[derive(Clone)]
pub(super) enum Body {
    /// Said in the format that the caller speaks.
    Data(Value),
    /// An error, in the same format.
    Problem(Box<Problem>),
    /// A proxy's page.
    Html(&'static str),
    /// Bytes that claim to be in the caller's format and are not.
    Garbage(&'static [u8]),
    Empty,
}

impl Reply {
    pub(super) const fn new(status: StatusCode, body: Body) -> Self {
        Self { status, body, allow: Vec::new() }
    }

    pub(super) const fn ok(data: Value) -> Self {
        Self::new(StatusCode::OK, Body::Data(data))
    }

    /// 400, code 100: parameters or body are not what the call takes.
    pub(super) fn bad_request(details: &str) -> Self {
        Self::gateway(StatusCode::BAD_REQUEST, "100", "Bad Request Exception", details)
    }

    /// 401, code 200: signature, key or signed time.
    pub(super) fn authentication_failed(details: &str) -> Self {
        Self::gateway(StatusCode::UNAUTHORIZED, "200", "Authentication Failed", details)
    }

    /// 401, code 210: the keys are good, and do not carry this right.
    pub(super) fn permission_denied() -> Self {
        Self::gateway(
            StatusCode::UNAUTHORIZED,
            "210",
            "Permission Denied",
            "The caller has no right to make this call.",
        )
    }

    /// 403, code 230.
    pub(super) fn forbidden() -> Self {
        Self::gateway(StatusCode::FORBIDDEN, "230", "Forbidden", "The caller may not make this call.")
    }

    /// 404, code 300: no such path.
    pub(super) fn not_found() -> Self {
        Self::gateway(StatusCode::NOT_FOUND, "300", "Not Found Exception", "URL not found.")
    }

    /// 413, code 430.
    pub(super) fn too_large() -> Self {
        let status = StatusCode::PAYLOAD_TOO_LARGE;
        Self::gateway(status, "430", "Request Entity Too Large", "The request's body is too large.")
    }

    /// 500, code 900.
    pub(super) fn unexpected() -> Self {
        Self::gateway(StatusCode::INTERNAL_SERVER_ERROR, "900", "Unexpected Error", "Unexpected error.")
    }

    /// The gateway's shape; the code is a string.
    pub(super) fn gateway(status: StatusCode, code: &str, message: &str, details: &str) -> Self {
        let problem = Problem::new(Shape::Gateway, Some(Code::Text(code.to_owned())), message);
        Self::problem(status, Problem { details: details.to_owned(), ..problem })
    }

    /// The Sub Account service's shape; the code is a number.
    pub(super) fn sub_account(status: StatusCode, code: u32, message: &str) -> Self {
        Self::problem(status, Problem::new(Shape::Flat, Some(Code::Number(code)), message))
    }

    /// The Data Forest service's shape, which has no code.
    pub(super) fn data_forest(status: StatusCode, message: &str) -> Self {
        Self::problem(status, Problem::new(Shape::Message, None, message))
    }

    /// 405 for a path that is known.
    pub(super) fn method_not_allowed(allow: Vec<&'static str>) -> Self {
        Self { allow, ..Self::framework(StatusCode::METHOD_NOT_ALLOWED) }
    }

    /// 415 for a body in a format that the call does not take.
    pub(super) fn unsupported_media_type() -> Self {
        Self::framework(StatusCode::UNSUPPORTED_MEDIA_TYPE)
    }

    /// The same, with the field that is to blame.
    pub(super) fn about(mut self, field: &'static str) -> Self {
        if let Body::Problem(problem) = &mut self.body {
            problem.field = Some(field);
        }
        self
    }

    pub(super) fn problem(status: StatusCode, problem: Problem) -> Self {
        Self::new(status, Body::Problem(Box::new(problem)))
    }

    fn framework(status: StatusCode) -> Self {
        Self::problem(status, Problem::new(Shape::Spring, None, reason(status)))
    }
}
