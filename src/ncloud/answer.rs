//! What an answer to a change means (`protocol.md`, "Words"; `ncloud-api.md`, section 4). Pure.
//!
//! The body may echo the password in any of its fields. It is looked at here, wiped, and only a class goes on.

use super::api::{Api, Dialect};
use super::body::{Body, Success};
use super::errors::classify_read;
use crate::domain::account::AccountId;
use crate::domain::rotation::{Answer, Block, Doubt};
use crate::domain::secret::Password;
use crate::ports::provider::{Generated, ProviderError};

/// Classes the answer to a change of the password of `id` to `password`.
///
/// Documents disagree on when an answer holds a generated password. One that holds another than ours says that the account
/// has another than ours.
pub(super) fn classify_change(
    dialect: Dialect,
    id: &AccountId,
    password: &Password,
    status: u16,
    bytes: &[u8],
) -> Answer {
    let mut body = Body::parse(bytes);
    match class(dialect, Some(id), status, bytes, &body) {
        Answer::Accepted if body.take_generated().is_some_and(|other| other != *password) => {
            Answer::Ambiguous(Doubt::Unreadable)
        }
        answer => answer,
    }
}

/// Classes the answer to asking for a password, and takes the password out of it. Success without one is a doubt: the
/// account has a password that nobody knows.
pub(super) fn classify_generated(dialect: Dialect, id: &AccountId, status: u16, bytes: &[u8]) -> Generated {
    let mut body = Body::parse(bytes);
    let answer = class(dialect, Some(id), status, bytes, &body);
    let password = if (200..=299).contains(&status) { body.take_generated() } else { None };
    match (answer, password) {
        (Answer::Accepted, None) => Generated { answer: Answer::Ambiguous(Doubt::Unreadable), password: None },
        (answer @ (Answer::Accepted | Answer::Ambiguous(_)), password) => Generated { answer, password },
        (answer @ (Answer::Refused | Answer::Blocked(_)), _) => Generated { answer, password: None },
    }
}

/// Classes the answer to a tenant's setting, by the same table.
pub(super) fn classify_setting(call: &'static str, api: Api, status: u16, bytes: &[u8]) -> Result<(), ProviderError> {
    let body = Body::parse(bytes);
    let code = || body.code().map_or_else(|| "-".to_owned(), |code| code.to_string());
    match class(Dialect::SubAccount(api), None, status, bytes, &body) {
        Answer::Accepted => Ok(()),
        Answer::Refused => Err(ProviderError::Refused { call, status, code: code() }),
        Answer::Blocked(_) => Err(classify_read(call, status, &body)),
        Answer::Ambiguous(doubt) => Err(ProviderError::Unconfirmed { call, doubt }),
    }
}

/// The table. Gov's v2 has words for codes, and no document lists them, so there the status decides. Its 400 is a refusal
/// of the password unless it finds fault with another field: a refused password is never discarded, while one that is sent
/// again for ever would run into the account's expiry.
fn class(dialect: Dialect, id: Option<&AccountId>, status: u16, bytes: &[u8], body: &Body) -> Answer {
    match (status, body.code()) {
        (200..=299, code) => carried_out(dialect, id, (status, code), bytes, body),
        (400, _) if dialect == Dialect::DataForest && body.speaks_of_quota() => {
            Answer::Ambiguous(Doubt::UnknownRefusal)
        }
        (400, _) if dialect == Dialect::DataForest => Answer::Refused,
        (400, Some(100 | 9015)) => Answer::Refused,
        (400, None)
            if dialect == Dialect::SubAccount(Api::V2)
                && body.tells_an_error()
                && (id.is_none() || !body.blames_another_field()) =>
        {
            Answer::Refused
        }
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

/// A 2xx says nothing by itself: `success` does, for the account that was asked about. Gov's v2 documents no `success`; there
/// an object that tells no error will do, and so will 204, which has no body to say more. An empty 200 will not: something
/// on the way may have made it.
fn carried_out(
    dialect: Dialect,
    id: Option<&AccountId>,
    (status, code): (u16, Option<u32>),
    bytes: &[u8],
    body: &Body,
) -> Answer {
    let refusal = matches!(code, Some(100 | 9015));
    let (field, folds) = match dialect {
        Dialect::SubAccount(_) => ("subAccountId", true),
        Dialect::DataForest => ("id", false),
    };
    let ours = id.is_none_or(|id| body.is_about(id, field, folds));
    let silent = (body.is_object() && !body.tells_an_error()) || (status == 204 && bytes.is_empty());
    match body.success() {
        Success::Yes if refusal || !ours => Answer::Ambiguous(Doubt::Unreadable),
        Success::Yes => Answer::Accepted,
        Success::No if refusal => Answer::Refused,
        Success::No => Answer::Ambiguous(Doubt::Unsuccessful),
        Success::Untold if dialect == Dialect::SubAccount(Api::V2) && ours && silent => Answer::Accepted,
        Success::Untold | Success::Unreadable => Answer::Ambiguous(Doubt::Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::account::Kind;

    const OURS: &str = "2b141960-0000-11ef-8000-246e9659184c";

    fn dialect(kind: Kind) -> Dialect {
        match kind {
            Kind::SubAccount => Dialect::SubAccount(Api::V1),
            Kind::DataForest => Dialect::DataForest,
        }
    }

    fn by(dialect: Dialect, status: u16, body: &str) -> Answer {
        classify_change(dialect, &AccountId(OURS.into()), &Password::new("Ours1!".into()), status, body.as_bytes())
    }

    fn class(kind: Kind, status: u16, body: &str) -> Answer {
        by(dialect(kind), status, body)
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
