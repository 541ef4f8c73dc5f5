//! What an answer to a password change means (`protocol.md`, "Words"; `ncloud-api.md`, section 4). Pure.
//!
//! The body may echo the password in any of its fields. It is looked at here, wiped, and only a class goes on.

use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::json::{self, Fields};
use crate::domain::account::{AccountId, Kind};
use crate::domain::rotation::{Answer, Block, Doubt};

/// Classes the answer to a change of the password of `id`.
pub(super) fn classify_change(kind: Kind, id: &AccountId, status: u16, body: &[u8]) -> Answer {
    let body = Body::parse(body);
    let code = body.code();
    match (status, code) {
        (200..=299, _) => carried_out(kind, id, &body),
        (400, _) if kind == Kind::DataForest && body.speaks_of_quota() => Answer::Ambiguous(Doubt::UnknownRefusal),
        (400, _) if kind == Kind::DataForest => Answer::Refused,
        (400, Some(100 | 9015)) => Answer::Refused,
        (401, Some(30 | 10)) => Answer::Blocked(Block::NoSuchAccount),
        (401, Some(210)) => Answer::Blocked(Block::Permission),
        (401, _) => Answer::Blocked(Block::Authentication),
        (403, _) => Answer::Blocked(Block::Forbidden),
        (404, _) => Answer::Blocked(Block::NotFound),
        (413, _) => Answer::Blocked(Block::TooLarge),
        (429, Some(400)) => Answer::Blocked(Block::Quota),
        (429, _) => Answer::Blocked(Block::Throttled),
        (400..=499, _) => Answer::Ambiguous(Doubt::UnknownRefusal),
        (500..=599, _) => Answer::Ambiguous(Doubt::ServerError),
        _ => Answer::Ambiguous(Doubt::Unreadable),
    }
}

/// A 2xx says nothing by itself: `success` does, for the account that was asked about.
fn carried_out(kind: Kind, id: &AccountId, body: &Body) -> Answer {
    let refusal = matches!(body.code(), Some(100 | 9015));
    match body.success() {
        Some(true) if refusal || !body.is_about(kind, id) => Answer::Ambiguous(Doubt::Unreadable),
        Some(true) => Answer::Accepted,
        Some(false) if refusal => Answer::Refused,
        Some(false) => Answer::Ambiguous(Doubt::Unsuccessful),
        None => Answer::Ambiguous(Doubt::Unreadable),
    }
}

/// A body that is looked at and then wiped; empty when it was no JSON object. It has no `Debug`.
pub(super) struct Body(Map<String, Value>);

impl Body {
    pub(super) fn parse(bytes: &[u8]) -> Self {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(map)) => Self(map),
            Ok(mut other) => {
                wipe(&mut other);
                Self(Map::new())
            }
            Err(_) => Self(Map::new()),
        }
    }

    /// The provider's error code, wherever a documented body has it: below `error` or `responseError`, or on top. Only
    /// numbers count, so that nothing else of a body can travel in a code. Spring's `status` is HTTP's, and no code.
    pub(super) fn code(&self) -> Option<u32> {
        let nested = ["error", "responseError"].into_iter().filter_map(|name| Fields::of(self.fields().field(name)?));
        let names = ["errorCode", "code", "returnCode"];
        nested.chain([self.fields()]).find_map(|fields| {
            names.into_iter().find_map(|name| fields.number(name).and_then(|code| u32::try_from(code).ok()))
        })
    }

    /// What the answer says of its own success, if it does.
    fn success(&self) -> Option<bool> {
        self.fields().field("success").and_then(json::flag)
    }

    /// Whether no other account is named. A UUID is the same in upper and lower case; a base62 id is not.
    fn is_about(&self, kind: Kind, id: &AccountId) -> bool {
        let (field, folds) = match kind {
            Kind::SubAccount => ("subAccountId", true),
            Kind::DataForest => ("id", false),
        };
        match self.fields().field(field) {
            None => true,
            Some(Value::String(text)) => *text == id.0 || (folds && text.eq_ignore_ascii_case(&id.0)),
            Some(Value::Number(number)) => number.to_string() == id.0,
            Some(_) => false,
        }
    }

    fn speaks_of_quota(&self) -> bool {
        self.0.values().any(mentions_quota)
    }

    fn fields(&self) -> Fields<'_> {
        Fields::new(&self.0)
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

fn mentions_quota(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            text.as_bytes().windows(b"quota".len()).any(|window| window.eq_ignore_ascii_case(b"quota"))
        }
        Value::Array(items) => items.iter().any(mentions_quota),
        Value::Object(map) => map.values().any(mentions_quota),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(map) => map.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const OURS: &str = "2b141960-0000-11ef-8000-246e9659184c";

    fn class(kind: Kind, status: u16, body: &str) -> Answer {
        classify_change(kind, &AccountId(OURS.into()), status, body.as_bytes())
    }

    /// Every row of section 4, for every shape of body in which a code can come, as a number and as a string.
    #[rstest]
    #[case(400, 100, Answer::Refused, Answer::Refused)]
    #[case(400, 9015, Answer::Refused, Answer::Refused)]
    #[case(400, 9999, Answer::Ambiguous(Doubt::UnknownRefusal), Answer::Refused)]
    #[case(401, 200, Answer::Blocked(Block::Authentication), Answer::Blocked(Block::Authentication))]
    #[case(401, 210, Answer::Blocked(Block::Permission), Answer::Blocked(Block::Permission))]
    #[case(401, 30, Answer::Blocked(Block::NoSuchAccount), Answer::Blocked(Block::NoSuchAccount))]
    #[case(401, 10, Answer::Blocked(Block::NoSuchAccount), Answer::Blocked(Block::NoSuchAccount))]
    #[case(401, 77, Answer::Blocked(Block::Authentication), Answer::Blocked(Block::Authentication))]
    #[case(403, 230, Answer::Blocked(Block::Forbidden), Answer::Blocked(Block::Forbidden))]
    #[case(404, 300, Answer::Blocked(Block::NotFound), Answer::Blocked(Block::NotFound))]
    #[case(409, 9012, Answer::Ambiguous(Doubt::UnknownRefusal), Answer::Ambiguous(Doubt::UnknownRefusal))]
    #[case(409, 9015, Answer::Ambiguous(Doubt::UnknownRefusal), Answer::Ambiguous(Doubt::UnknownRefusal))]
    #[case(413, 430, Answer::Blocked(Block::TooLarge), Answer::Blocked(Block::TooLarge))]
    #[case(429, 400, Answer::Blocked(Block::Quota), Answer::Blocked(Block::Quota))]
    #[case(429, 410, Answer::Blocked(Block::Throttled), Answer::Blocked(Block::Throttled))]
    #[case(429, 420, Answer::Blocked(Block::Throttled), Answer::Blocked(Block::Throttled))]
    #[case(503, 500, Answer::Ambiguous(Doubt::ServerError), Answer::Ambiguous(Doubt::ServerError))]
    #[case(504, 510, Answer::Ambiguous(Doubt::ServerError), Answer::Ambiguous(Doubt::ServerError))]
    #[case(500, 900, Answer::Ambiguous(Doubt::ServerError), Answer::Ambiguous(Doubt::ServerError))]
    #[case(500, 9015, Answer::Ambiguous(Doubt::ServerError), Answer::Ambiguous(Doubt::ServerError))]
    fn a_status_with_a_code(
        #[case] status: u16,
        #[case] code: u32,
        #[case] sub_account: Answer,
        #[case] data_forest: Answer,
    ) {
        for code in [format!("{code}"), format!("\"{code}\""), format!("\" {code} \"")] {
            for body in [
                format!(r#"{{"error":{{"errorCode":{code},"message":"m","details":"d"}}}}"#),
                format!(r#"{{"error":{{"code":{code},"message":"m","detail":"d"}}}}"#),
                format!(r#"{{"errorCode":{code},"message":"m"}}"#),
                format!(r#"{{"responseError":{{"returnCode":{code},"returnMessage":"m"}}}}"#),
                format!(r#"{{"timestamp":1,"status":{status},"error":"Bad","message":"m","code":{code}}}"#),
                format!(r#"{{"success":false,"message":"m","errorCode":{code}}}"#),
                format!(r#"{{"code":"FAIL","error":{{"errorCode":{code}}}}}"#),
            ] {
                assert_eq!(class(Kind::SubAccount, status, &body), sub_account, "{body}");
                assert_eq!(class(Kind::DataForest, status, &body), data_forest, "{body}");
            }
        }
    }

    /// The bodies that hold no code.
    const WITHOUT_CODE: [&str; 9] = [
        "",
        "<html><body>Error 9015</body></html>",
        r#"{"timestamp":"2025-01-01T00:00:00Z","status":100,"error":"Bad Request","message":"9015"}"#,
        r#"{"message":"m","success":false}"#,
        r#"{"error":{"errorCode":"Unauthorized","message":"m","fieldErrors":[{"field":"newPassword"}]}}"#,
        r#"{"errorCode":-9015}"#,
        r#"{"errorCode":"9015x"}"#,
        "[9015]",
        "{\"errorCode\":9015",
    ];

    #[rstest]
    #[case(300, Answer::Ambiguous(Doubt::Unreadable))]
    #[case(302, Answer::Ambiguous(Doubt::Unreadable))]
    #[case(307, Answer::Ambiguous(Doubt::Unreadable))]
    #[case(400, Answer::Ambiguous(Doubt::UnknownRefusal))]
    #[case(401, Answer::Blocked(Block::Authentication))]
    #[case(402, Answer::Ambiguous(Doubt::UnknownRefusal))]
    #[case(403, Answer::Blocked(Block::Forbidden))]
    #[case(404, Answer::Blocked(Block::NotFound))]
    #[case(405, Answer::Ambiguous(Doubt::UnknownRefusal))]
    #[case(408, Answer::Ambiguous(Doubt::UnknownRefusal))]
    #[case(413, Answer::Blocked(Block::TooLarge))]
    #[case(415, Answer::Ambiguous(Doubt::UnknownRefusal))]
    #[case(422, Answer::Ambiguous(Doubt::UnknownRefusal))]
    #[case(429, Answer::Blocked(Block::Throttled))]
    #[case(500, Answer::Ambiguous(Doubt::ServerError))]
    #[case(502, Answer::Ambiguous(Doubt::ServerError))]
    #[case(599, Answer::Ambiguous(Doubt::ServerError))]
    #[case(600, Answer::Ambiguous(Doubt::Unreadable))]
    #[case(101, Answer::Ambiguous(Doubt::Unreadable))]
    fn a_status_without_a_code(#[case] status: u16, #[case] expected: Answer) {
        for body in WITHOUT_CODE {
            assert_eq!(class(Kind::SubAccount, status, body), expected, "{body}");
            let expected = if status == 400 { Answer::Refused } else { expected };
            assert_eq!(class(Kind::DataForest, status, body), expected, "{body}");
        }
    }

    #[rstest]
    #[case(r#"{"success":false,"message":"Exceeded limit on resource QUOTA"}"#)]
    #[case(r#"{"error":{"message":"exceeded limit on resource quota"}}"#)]
    #[case(r#"{"error":{"errorCode":100,"details":["quota"]}}"#)]
    fn a_quota_of_data_forest_says_nothing_of_the_password(#[case] body: &str) {
        assert_eq!(class(Kind::DataForest, 400, body), Answer::Ambiguous(Doubt::UnknownRefusal));
    }

    #[rstest]
    #[case(r#"{"success":true}"#, Answer::Accepted)]
    #[case(r#"{"success":"true"}"#, Answer::Accepted)]
    #[case(r#"{"success":"Y","message":"x","unknown":[1]}"#, Answer::Accepted)]
    #[case(r#"{"success":true,"id":null,"subAccountId":null}"#, Answer::Accepted)]
    #[case(r#"{"success":true,"code":0}"#, Answer::Accepted)]
    #[case(r#"{"success":true,"id":"2b141960-0000-11ef-8000-246e9659184c"}"#, Answer::Accepted)]
    #[case(r#"{"success":true,"errorCode":9015}"#, Answer::Ambiguous(Doubt::Unreadable))]
    #[case(r#"{"success":false,"errorCode":"9015"}"#, Answer::Refused)]
    #[case(r#"{"success":false,"error":{"errorCode":100}}"#, Answer::Refused)]
    #[case(r#"{"success":false,"errorCode":9011}"#, Answer::Ambiguous(Doubt::Unsuccessful))]
    #[case(r#"{"success":false}"#, Answer::Ambiguous(Doubt::Unsuccessful))]
    #[case(r#"{"success":"false","message":"m"}"#, Answer::Ambiguous(Doubt::Unsuccessful))]
    #[case(r#"{"success":"perhaps"}"#, Answer::Ambiguous(Doubt::Unreadable))]
    #[case(r#"{"success":1}"#, Answer::Ambiguous(Doubt::Unreadable))]
    #[case(r#"{"errorCode":9015}"#, Answer::Ambiguous(Doubt::Unreadable))]
    #[case("{}", Answer::Ambiguous(Doubt::Unreadable))]
    #[case("true", Answer::Ambiguous(Doubt::Unreadable))]
    #[case("", Answer::Ambiguous(Doubt::Unreadable))]
    #[case("<html>success</html>", Answer::Ambiguous(Doubt::Unreadable))]
    #[case(r#"{"success":true"#, Answer::Ambiguous(Doubt::Unreadable))]
    fn a_2xx_is_what_its_body_says(#[case] body: &str, #[case] expected: Answer) {
        for status in [200, 201, 202, 204, 299] {
            for kind in Kind::ALL {
                assert_eq!(class(kind, status, body), expected, "{kind} {status}");
            }
        }
    }

    #[test]
    fn success_for_another_account_proves_nothing_for_ours() {
        let other = Answer::Ambiguous(Doubt::Unreadable);
        for (kind, body, expected) in [
            (Kind::DataForest, r#"{"success":true,"id":"another"}"#, other),
            (Kind::DataForest, r#"{"success":true,"id":"2B141960-0000-11EF-8000-246E9659184C"}"#, other),
            (Kind::DataForest, r#"{"success":true,"id":["x"]}"#, other),
            (Kind::SubAccount, r#"{"success":true,"subAccountId":"another"}"#, other),
            (
                Kind::SubAccount,
                r#"{"success":true,"subAccountId":"2B141960-0000-11EF-8000-246E9659184C"}"#,
                Answer::Accepted,
            ),
            (Kind::SubAccount, r#"{"success":true,"id":"of the request"}"#, Answer::Accepted),
        ] {
            assert_eq!(class(kind, 200, body), expected, "{kind} {body}");
        }
    }
}
