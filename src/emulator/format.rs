//! Body formats: how a request's bytes become its parameters and an answer becomes bytes.
//!
//! Services deal in typed parameters and in [`Value`](serde_json::Value)s, so that a further format (Data Forest also
//! speaks XML) is one more variant here.

use axum::body::Body as HttpBody;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::reply::{Body, Reply};

/// A format that bodies come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
}

impl Format {
    /// The format that a `Content-Type` names, whatever its parameters (`charset`) say.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let essence = content_type.split(';').next()?.trim();
        essence.eq_ignore_ascii_case("application/json").then_some(Self::Json)
    }

    /// Reads a body's parameters. The reason for a failure is not told: it could quote a password.
    pub(super) fn decode<T: DeserializeOwned>(self, body: &[u8]) -> Result<T, Malformed> {
        match self {
            Self::Json => serde_json::from_slice(body).map_err(|_| Malformed),
        }
    }

    /// Writes an answer.
    pub(super) fn encode(self, reply: Reply) -> Response {
        let (body, content_type) = match reply.body {
            Body::Data(data) => (HttpBody::from(data.to_string()), Some(self.content_type())),
            Body::Html(page) => (HttpBody::from(page), Some("text/html")),
            Body::Garbage(bytes) => (HttpBody::from(bytes), Some(self.content_type())),
            Body::Empty => (HttpBody::empty(), None),
        };
        let mut response = Response::new(body);
        *response.status_mut() = reply.status;
        if let Some(content_type) = content_type {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if !reply.allow.is_empty()
            && let Ok(methods) = reply.allow.join(", ").parse()
        {
            response.headers_mut().insert(header::ALLOW, methods);
        }
        response
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=UTF-8",
        }
    }
}

/// A body that is not what its call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        let cases = [
            (Some("application/json"), Some(Format::Json)),
            (Some("Application/JSON; charset=utf-8"), Some(Format::Json)),
            (Some("application/json;charset=UTF-8"), Some(Format::Json)),
            (Some("application/jsonx"), None),
            (Some("text/plain"), None),
            (Some(""), None),
            (None, None),
        ];
        for (content_type, expected) in cases {
            let mut headers = HeaderMap::new();
            if let Some(content_type) = content_type {
                headers.insert(header::CONTENT_TYPE, content_type.parse().unwrap());
            }
            assert_eq!(Format::of(&headers), expected, "{content_type:?}");
        }
    }
}
