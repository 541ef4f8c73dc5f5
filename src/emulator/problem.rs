//! What an error says, and every documented shape in which it may be said (`ncloud-api.md`, sections 2 and 4).

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An error, before it is put into its shape. It has no `Debug`: its message may echo a password.
#[derive(Clone)]
pub(super) struct Problem {
    pub(super) shape: Shape,
    pub(super) code: Option<Code>,
    pub(super) message: String,
    /// The longer explanation of the shapes that have one.
    pub(super) details: String,
    /// The field that is to blame, for v2.
    pub(super) field: Option<&'static str>,
    /// Whether the shape was asked for by a fault rule, so that no version of the API changes it.
    pub(super) pinned: bool,
}

/// The shape of an error's body, by the labels of fault rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Shape {
    /// `{"error": {"errorCode", "message", "details"}}`: the API gateway's.
    #[serde(rename = "gateway")]
    Gateway,
    /// `{"error": {"code", "message", "detail"}}`: the gateway's in other words.
    #[serde(rename = "code-detail")]
    CodeDetail,
    /// `{"errorCode", "message"}`: the Sub Account service's.
    #[serde(rename = "flat")]
    Flat,
    /// `{"responseError": {"returnCode", "returnMessage"}}`.
    #[serde(rename = "responseError")]
    ResponseError,
    /// `{"timestamp", "status", "error", "message", "path"}`: the framework's under both services.
    #[serde(rename = "spring")]
    Spring,
    /// `{"message", "success": false}`: Data Forest's.
    #[serde(rename = "message")]
    Message,
    /// `{"error": {"errorCode", "message", "detail"?, "fieldErrors"?}}`, the code a word: gov v2's.
    #[serde(rename = "v2")]
    V2,
    /// The gateway's in XML, whatever the request spoke.
    #[serde(rename = "xml")]
    Xml,
    /// No body.
    #[serde(rename = "empty")]
    Empty,
    /// A proxy's page.
    #[serde(rename = "html")]
    Html,
}

/// An error's code, which documents and services write as a number or as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Code {
    Number(u32),
    Text(String),
}

impl Problem {
    pub(super) fn new(shape: Shape, code: Option<Code>, message: &str) -> Self {
        Self { shape, code, message: message.to_owned(), details: String::new(), field: None, pinned: false }
    }

    /// The status and the words of gov v2 for the same thing. Its documents have words for codes, 403 for a missing right,
    /// and 400 for one object that is not there; of the rest the status is kept.
    pub(super) fn in_v2(self, status: StatusCode) -> (StatusCode, Self) {
        if self.pinned {
            return (status, self);
        }
        let status = match &self.code {
            Some(Code::Text(code)) if code == "210" => StatusCode::FORBIDDEN,
            Some(Code::Number(30)) => StatusCode::BAD_REQUEST,
            _ => status,
        };
        (status, Self { shape: Shape::V2, code: None, ..self })
    }

    /// The body's data; none for the shapes that are no data. Codes and details that are not known are left out.
    pub(super) fn data(&self, status: StatusCode, path: &str, now: Timestamp) -> Option<Value> {
        let Self { code, message, .. } = self;
        let details = (!self.details.is_empty()).then_some(&self.details);
        let data = match self.shape {
            Shape::Gateway | Shape::Xml => {
                json!({ "error": known(json!({ "errorCode": code, "message": message, "details": details })) })
            }
            Shape::CodeDetail => {
                json!({ "error": known(json!({ "code": code, "message": message, "detail": details })) })
            }
            Shape::Flat => known(json!({ "errorCode": code, "message": message })),
            Shape::ResponseError => {
                json!({ "responseError": known(json!({ "returnCode": code, "returnMessage": message })) })
            }
            Shape::Spring => json!({
                "timestamp": now.as_millisecond(), "status": status.as_u16(), "error": reason(status),
                "message": message, "path": path,
            }),
            Shape::Message => json!({ "message": message, "success": false }),
            Shape::V2 => {
                let code = code.clone().unwrap_or_else(|| Code::Text(reason(status).replace(' ', "")));
                let fields = self.field.map(|field| json!([{ "field": field }]));
                let error = json!({ "errorCode": code, "message": message, "detail": details, "fieldErrors": fields });
                json!({ "error": known(error) })
            }
            Shape::Empty | Shape::Html => return None,
        };
        Some(data)
    }
}

/// A status in words.
pub(super) fn reason(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Unknown")
}

fn known(mut data: Value) -> Value {
    if let Some(members) = data.as_object_mut() {
        members.retain(|_, member| !member.is_null());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(problem: &Problem, status: u16) -> Value {
        let status = StatusCode::from_u16(status).unwrap();
        problem.data(status, "/p", Timestamp::UNIX_EPOCH).unwrap_or_default()
    }

    #[test]
    fn a_code_keeps_its_type_and_is_left_out_if_there_is_none() {
        let cases = [
            (Some(Code::Number(9015)), json!({ "errorCode": 9015, "message": "m" })),
            (Some(Code::Text("9015".into())), json!({ "errorCode": "9015", "message": "m" })),
            (None, json!({ "message": "m" })),
        ];
        for (code, expected) in cases {
            assert_eq!(shown(&Problem::new(Shape::Flat, code, "m"), 400), expected);
        }
    }

    #[test]
    fn v2_has_words_for_codes_and_its_own_status_for_two_of_them() {
        let cases = [
            (Some(Code::Text("200".into())), 401, 401, "Unauthorized"),
            (Some(Code::Text("210".into())), 401, 403, "Forbidden"),
            (Some(Code::Number(30)), 401, 400, "BadRequest"),
            (Some(Code::Number(9015)), 400, 400, "BadRequest"),
            (Some(Code::Text("410".into())), 429, 429, "TooManyRequests"),
            (None, 503, 503, "ServiceUnavailable"),
        ];
        for (code, status, expected, word) in cases {
            let problem = Problem::new(Shape::Gateway, code, "m");
            let (status, problem) = problem.in_v2(StatusCode::from_u16(status).unwrap());
            assert_eq!(status.as_u16(), expected, "{word}");
            assert_eq!(shown(&problem, expected), json!({ "error": { "errorCode": word, "message": "m" } }));
        }
    }
}
