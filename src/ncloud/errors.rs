//! Why a request failed: what a failure on the way means for a change and for a read, and what a refused read means.
//! Pure. Of a body only a numeric code goes on.

use super::body::Body;
use crate::domain::rotation::{Answer, Block, Doubt};
use crate::ports::keys::KeyError;
use crate::ports::provider::ProviderError;

/// No answer, or none that could be taken in. The texts are ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// The keys could not be read; nothing was sent.
    Keys(KeyError),
    /// Nothing was sent, because of this.
    NotSent(String),
    /// The time ran out after the connection was asked for.
    TimedOut,
    /// The connection broke after it was made.
    Disconnected,
    /// The body was longer than this many bytes.
    TooLong(usize),
}

impl Failure {
    /// What it means for a change.
    pub(super) const fn answer(&self) -> Answer {
        match self {
            Self::Keys(_) => Answer::Blocked(Block::NoKeys),
            Self::NotSent(_) => Answer::Blocked(Block::NotSent),
            Self::TimedOut => Answer::Ambiguous(Doubt::TimedOut),
            Self::Disconnected => Answer::Ambiguous(Doubt::Disconnected),
            Self::TooLong(_) => Answer::Ambiguous(Doubt::Unreadable),
        }
    }

    /// What it means for a tenant's setting.
    pub(super) fn into_setting_error(self, call: &'static str, host: &str) -> ProviderError {
        match self.answer() {
            Answer::Ambiguous(doubt) => ProviderError::Unconfirmed { call, doubt },
            Answer::Blocked(_) | Answer::Accepted | Answer::Refused => self.into_error(call, host),
        }
    }

    /// What it means for a read.
    pub(super) fn into_error(self, call: &'static str, host: &str) -> ProviderError {
        let unreachable = |cause: String| ProviderError::Unreachable { host: host.to_owned(), cause };
        match self {
            Self::Keys(error) => ProviderError::Keys(error.to_string()),
            Self::NotSent(cause) => unreachable(cause),
            Self::TimedOut => unreachable("no whole answer in the time allowed".to_owned()),
            Self::Disconnected => unreachable("the connection broke before the whole answer".to_owned()),
            Self::TooLong(most) => {
                ProviderError::Unreadable { call, what: format!("its body is longer than {most} bytes") }
            }
        }
    }
}

/// Classes an answer to a read that brought no result: any status but 2xx, and a 2xx that says `success: false`.
pub(super) fn classify_read(call: &'static str, status: u16, body: &Body) -> ProviderError {
    let number = body.code();
    let code = number.map_or_else(|| "-".to_owned(), |number| number.to_string());
    match (status, number) {
        (401, Some(30 | 10)) => ProviderError::NoSuchAccount { call, status, code },
        (401, Some(210)) | (403, _) => ProviderError::Permission { call, status, code },
        (401, _) => ProviderError::Authentication { status, code },
        (429, _) => ProviderError::Throttled { status, code },
        (300..=399, _) => ProviderError::Unreadable {
            call,
            what: format!("a redirect (HTTP {status}), and none is followed; look at the endpoint"),
        },
        _ => ProviderError::Server { call, status, code },
    }
}

/// Where one account was asked for, 404 speaks of that account.
pub(super) fn no_such_account(error: ProviderError) -> ProviderError {
    match error {
        ProviderError::Server { call, status: 404, code } => ProviderError::NoSuchAccount { call, status: 404, code },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const CALL: &str = "GET /sub-accounts";

    fn class(status: u16, body: &str) -> ProviderError {
        classify_read(CALL, status, &Body::parse(body.as_bytes()))
    }

    #[rstest]
    #[case(400, "100", ProviderError::Server { call: CALL, status: 400, code: "100".into() })]
    #[case(401, "200", ProviderError::Authentication { status: 401, code: "200".into() })]
    #[case(401, "30", ProviderError::NoSuchAccount { call: CALL, status: 401, code: "30".into() })]
    #[case(401, "10", ProviderError::NoSuchAccount { call: CALL, status: 401, code: "10".into() })]
    #[case(401, "210", ProviderError::Permission { call: CALL, status: 401, code: "210".into() })]
    #[case(403, "230", ProviderError::Permission { call: CALL, status: 403, code: "230".into() })]
    #[case(404, "300", ProviderError::Server { call: CALL, status: 404, code: "300".into() })]
    #[case(413, "430", ProviderError::Server { call: CALL, status: 413, code: "430".into() })]
    #[case(429, "400", ProviderError::Throttled { status: 429, code: "400".into() })]
    #[case(429, "410", ProviderError::Throttled { status: 429, code: "410".into() })]
    #[case(429, "420", ProviderError::Throttled { status: 429, code: "420".into() })]
    #[case(503, "500", ProviderError::Server { call: CALL, status: 503, code: "500".into() })]
    #[case(504, "510", ProviderError::Server { call: CALL, status: 504, code: "510".into() })]
    #[case(500, "900", ProviderError::Server { call: CALL, status: 500, code: "900".into() })]
    #[case(200, "9011", ProviderError::Server { call: CALL, status: 200, code: "9011".into() })]
    fn a_refused_read(#[case] status: u16, #[case] code: &str, #[case] expected: ProviderError) {
        for body in [
            format!(r#"{{"error":{{"errorCode":"{code}","message":"m"}}}}"#),
            format!(r#"{{"errorCode":{code}}}"#),
            format!(r#"{{"responseError":{{"returnCode":"{code}"}}}}"#),
            format!("<?xml version=\"1.0\"?><r><error><errorCode>{code}</errorCode><message>m</message></error></r>"),
            format!("<x:r xmlns:x=\"u\"><x:errorCode>{code}</x:errorCode></x:r>"),
            format!("<r><responseError><returnCode> {code} </returnCode></responseError></r>"),
        ] {
            assert_eq!(class(status, &body), expected, "{body}");
        }
    }

    #[rstest]
    #[case(401, ProviderError::Authentication { status: 401, code: "-".into() })]
    #[case(403, ProviderError::Permission { call: CALL, status: 403, code: "-".into() })]
    #[case(429, ProviderError::Throttled { status: 429, code: "-".into() })]
    #[case(500, ProviderError::Server { call: CALL, status: 500, code: "-".into() })]
    fn without_a_code(#[case] status: u16, #[case] expected: ProviderError) {
        for body in [
            "",
            "<html>401</html>",
            "<!DOCTYPE html><html><code>210</code></html>",
            r#"{"status":210,"error":"Unauthorized"}"#,
            r#"{"error":{"errorCode":"Unauthorized","message":"m","fieldErrors":[]}}"#,
            r#"{"success":false}"#,
            "<r><success>false</success></r>",
        ] {
            assert_eq!(class(status, body), expected, "{body}");
        }
        assert!(matches!(class(302, ""), ProviderError::Unreadable { .. }));
    }

    #[test]
    fn nothing_of_a_body_is_in_what_is_said_of_it() {
        let echo = "Echoed1!pass";
        let body = format!(
            r#"{{"message":"{echo}","errorCode":"{echo}","error":{{"errorCode":"{echo}","code":"{echo}","message":"{echo}",
            "details":["{echo}"],"{echo}":1}},"responseError":{{"returnCode":"{echo}","returnMessage":"{echo}"}},
            "status":"{echo}","success":"{echo}","id":"{echo}","subAccountId":"{echo}"}}"#
        );
        for status in (200..600).chain([600, 999]) {
            let error = class(status, &body);
            assert!(!format!("{error} {error:?}").contains(echo), "{status}: {error}");
        }
    }

    #[test]
    fn a_failure_on_the_way_is_definite_only_when_nothing_was_sent() {
        let keys = KeyError("the file is gone".into());
        for (failure, answer, temporary) in [
            (Failure::Keys(keys), Answer::Blocked(Block::NoKeys), false),
            (Failure::NotSent("refused".into()), Answer::Blocked(Block::NotSent), true),
            (Failure::TimedOut, Answer::Ambiguous(Doubt::TimedOut), true),
            (Failure::Disconnected, Answer::Ambiguous(Doubt::Disconnected), true),
            (Failure::TooLong(9), Answer::Ambiguous(Doubt::Unreadable), true),
        ] {
            assert_eq!(failure.answer(), answer);
            assert_eq!(failure.into_error(CALL, "h:1").is_temporary(), temporary);
        }
    }
}
