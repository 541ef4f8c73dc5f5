//! Body formats: how a request's bytes become its parameters and an answer becomes bytes.
//!
//! Services deal in typed parameters and in [`Value`]s, whatever the format. Data Forest speaks JSON and
//! XML, Sub Account JSON alone.

use axum::body::Body as HttpBody;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::call::{Api, Call, Route};
use super::problem::{Problem, Shape, reason};
use super::reply::{Body, Reply};
use super::xml;

/// A format that bodies come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Xml,
}

impl Format {
    /// The format that a request's `Content-Type` names, whatever its parameters (`charset`) say; none if `api` does not
    /// speak it.
    pub(super) fn of_request(headers: &HeaderMap, api: Api) -> Option<Self> {
        let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
        Self::named(content_type).filter(|format| *format == Self::Json || api == Api::DataForest)
    }

    /// The format that `Accept` asks for, the most wanted one first and the first one of those; if it names none that
    /// `api` speaks, the request's own.
    pub(super) fn of_answer(headers: &HeaderMap, api: Api) -> Self {
        let own = Self::of_request(headers, api).unwrap_or(Self::Json);
        if api != Api::DataForest {
            return Self::Json;
        }
        let accepted = headers.get_all(header::ACCEPT);
        let ranges = accepted.iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
        let mut best = None;
        for range in ranges {
            let format = Self::named(range).or_else(|| is_any(range).then_some(own));
            let weight = weight(range);
            if weight > best.map_or(0.0, |(_, best)| best) {
                best = format.map(|format| (format, weight)).or(best);
            }
        }
        best.map_or(own, |(format, _)| format)
    }

    /// Reads a body's parameters. The reason for a failure is not told: it could quote a password.
    pub(super) fn decode<T: DeserializeOwned>(self, body: &[u8]) -> Result<T, Malformed> {
        match self {
            Self::Json => serde_json::from_slice(body).map_err(|_| Malformed),
            Self::Xml => serde_json::from_value(xml::read(body)?.content).map_err(|_| Malformed),
        }
    }

    /// The same, for a call whose XML root is documented: another one is refused.
    pub(super) fn decode_rooted<T: DeserializeOwned>(self, body: &[u8], root: &str) -> Result<T, Malformed> {
        match self {
            Self::Json => self.decode(body),
            Self::Xml => {
                let document = xml::read(body)?;
                if document.root != root {
                    return Err(Malformed);
                }
                serde_json::from_value(document.content).map_err(|_| Malformed)
            }
        }
    }

    fn write(self, root: &str, data: &Value) -> HttpBody {
        HttpBody::from(match self {
            Self::Json => data.to_string(),
            Self::Xml => xml::write(root, data),
        })
    }

    /// The format of a media type or range.
    fn named(media: &str) -> Option<Self> {
        let essence = essence(media);
        if essence.eq_ignore_ascii_case("application/json") {
            Some(Self::Json)
        } else if essence.eq_ignore_ascii_case("application/xml") || essence.eq_ignore_ascii_case("text/xml") {
            Some(Self::Xml)
        } else {
            None
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=UTF-8",
            Self::Xml => "application/xml;charset=UTF-8",
        }
    }
}

/// How one request is answered: in which format, and in which interface's words.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    format: Format,
    /// The root of an XML answer.
    root: &'static str,
    v2: bool,
    /// The path and the time, for the errors that quote them.
    path: String,
    now: Timestamp,
}

impl Voice {
    /// For a request to `path` that is answered at `now`; without a route the gateway answers, in JSON.
    pub(super) fn new(route: Option<&Route>, headers: &HeaderMap, path: &str, now: Timestamp) -> Self {
        let api = route.map(|route| route.api);
        Self {
            format: api.map_or(Format::Json, |api| Format::of_answer(headers, api)),
            root: route.map_or(NO_CALL, |route| response_root(route.call)),
            v2: api == Some(Api::SubAccountV2),
            path: path.to_owned(),
            now,
        }
    }

    /// Writes an answer.
    pub(super) fn say(&self, reply: Reply) -> Response {
        let Reply { status, body, allow } = reply;
        let (status, body, content_type) = match body {
            Body::Data(data) => (status, self.format.write(self.root, &data), Some(self.format.content_type())),
            Body::Problem(problem) => {
                let (status, problem) = if self.v2 { problem.in_v2(status) } else { (status, *problem) };
                let (body, content_type) = self.complain(status, &problem);
                (status, body, content_type)
            }
            Body::Html(page) => (status, HttpBody::from(page), Some(HTML)),
            Body::Garbage(bytes) => (status, HttpBody::from(bytes), Some(self.format.content_type())),
            Body::Empty => (status, HttpBody::empty(), None),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        if let Some(content_type) = content_type {
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if !allow.is_empty()
            && let Ok(methods) = allow.join(", ").parse()
        {
            response.headers_mut().insert(header::ALLOW, methods);
        }
        response
    }

    fn complain(&self, status: StatusCode, problem: &Problem) -> (HttpBody, Option<&'static str>) {
        let format = if problem.shape == Shape::Xml { Format::Xml } else { self.format };
        let root = if problem.shape == Shape::Spring { SPRING_ROOT } else { self.root };
        if let Some(data) = problem.data(status, &self.path, self.now) {
            return (format.write(root, &data), Some(format.content_type()));
        }
        if problem.shape == Shape::Empty {
            return (HttpBody::empty(), None);
        }
        let page = format!("<html><head><title>{0} {1}</title></head></html>\n", status.as_u16(), reason(status));
        (HttpBody::from(page), Some(HTML))
    }
}

impl Default for Voice {
    fn default() -> Self {
        Self { format: Format::Json, root: NO_CALL, v2: false, path: String::new(), now: Timestamp::UNIX_EPOCH }
    }
}

const HTML: &str = "text/html";
const NO_CALL: &str = "Response";
/// What the framework makes of its error when it writes XML.
const SPRING_ROOT: &str = "Map";

/// The root of an XML answer: documented for two calls, named like them for the list.
const fn response_root(call: Call) -> &'static str {
    match call {
        Call::GetList => "GetAccountListResponse",
        Call::GetDetail => "GetAccountDetailResponse",
        Call::ResetPassword => "ResetAccountPasswordResponse",
        _ => NO_CALL,
    }
}

/// A body that is not what its call takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

fn essence(media: &str) -> &str {
    media.split(';').next().unwrap_or_default().trim()
}

fn is_any(range: &str) -> bool {
    matches!(essence(range), "*/*" | "application/*")
}

/// How much a media range is wanted, from 0 to 1.
fn weight(range: &str) -> f32 {
    let parameters = range.split(';').skip(1).map(str::trim);
    let weight = parameters.filter_map(|parameter| parameter.strip_prefix("q=")).find_map(|weight| weight.parse().ok());
    weight.unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(content_type: Option<&str>, accept: Option<&str>) -> HeaderMap {
        let given = [(header::CONTENT_TYPE, content_type), (header::ACCEPT, accept)];
        given.into_iter().filter_map(|(name, value)| Some((name, value?.parse().unwrap()))).collect()
    }

    #[test]
    fn content_types() {
        let cases = [
            (Some("application/json"), Some(Format::Json)),
            (Some("Application/JSON; charset=utf-8"), Some(Format::Json)),
            (Some("application/json;charset=UTF-8"), Some(Format::Json)),
            (Some("application/xml"), Some(Format::Xml)),
            (Some("application/XML;charset=UTF-8"), Some(Format::Xml)),
            (Some("text/xml; charset=utf-8"), Some(Format::Xml)),
            (Some("application/jsonx"), None),
            (Some("application/soap+xml"), None),
            (Some("text/plain"), None),
            (Some(""), None),
            (None, None),
        ];
        for (content_type, expected) in cases {
            let headers = headers(content_type, None);
            assert_eq!(Format::of_request(&headers, Api::DataForest), expected, "{content_type:?}");
            let json = expected.filter(|format| *format == Format::Json);
            assert_eq!(Format::of_request(&headers, Api::SubAccountV1), json, "{content_type:?}");
        }
    }

    #[test]
    fn answers_come_as_accept_asks_and_else_as_the_request_came() {
        let (json, xml) = (Some("application/json"), Some("text/xml"));
        let cases = [
            (json, None, Format::Json),
            (xml, None, Format::Xml),
            (None, None, Format::Json),
            (json, xml, Format::Xml),
            (xml, json, Format::Json),
            (json, Some("application/xml;charset=UTF-8"), Format::Xml),
            (xml, Some("*/*"), Format::Xml),
            (xml, Some("application/*;q=0.5"), Format::Xml),
            (json, Some("text/html, application/xml"), Format::Xml),
            (json, Some("application/xml;q=0.5, application/json;q=0.9"), Format::Json),
            (json, Some("application/xml;q=0, */*;q=0.1"), Format::Json),
            (json, Some("application/xml, application/json"), Format::Xml),
            (xml, Some("text/html"), Format::Xml),
        ];
        for (content_type, accept, expected) in cases {
            let headers = headers(content_type, accept);
            assert_eq!(Format::of_answer(&headers, Api::DataForest), expected, "{content_type:?}, {accept:?}");
            assert_eq!(Format::of_answer(&headers, Api::SubAccountV2), Format::Json, "{content_type:?}, {accept:?}");
        }
    }
}
