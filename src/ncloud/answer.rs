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
/// of the password unless it finds fault with another field. It may mean that the account is gone, too: then the next list
/// does not have it. Taking it for a refusal loses nothing, since a refused password is never discarded, while one that is
/// sent again for ever would run into the account's expiry.
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

    const V2: Dialect = Dialect::SubAccount(Api::V2);
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
                assert_eq!(by(V2, status, &body), sub_account, "v2 {body}");
                assert_eq!(class(Kind::DataForest, status, &body), data_forest, "{body}");
            }
        }
        for body in [
            format!("<?xml version=\"1.0\"?><X><error><errorCode>{code}</errorCode><message>m</message></error></X>"),
            format!("<X><error><code> {code} </code><detail>d</detail></error></X>"),
            format!("<a:X xmlns:a=\"u\"><a:errorCode>{code}</a:errorCode><a:message><![CDATA[m]]></a:message></a:X>"),
            format!("<X><responseError><returnCode>{code}</returnCode><returnMessage/></responseError></X>"),
            format!("<X><timestamp>1</timestamp><status>{status}</status><error>Bad</error><code>{code}</code></X>"),
            format!("\u{feff}\n<X><success>false</success><message>m</message><errorCode>{code}</errorCode></X>"),
        ] {
            assert_eq!(class(Kind::DataForest, status, &body), data_forest, "{body}");
            assert_eq!(class(Kind::SubAccount, status, &body), sub_account, "{body}");
        }
    }

    /// The bodies that hold no code.
    const WITHOUT_CODE: [&str; 16] = [
        "",
        "<html><body>Error 9015</body></html>",
        r#"{"timestamp":"2025-01-01T00:00:00Z","status":100,"error":"Bad Request","message":"9015"}"#,
        r#"{"message":"m","success":false}"#,
        r#"{"error":{"errorCode":"Unauthorized","message":"m","fieldErrors":[{"field":"newPassword"}]}}"#,
        r#"{"errorCode":-9015}"#,
        r#"{"errorCode":"9015x"}"#,
        "[9015]",
        "{\"errorCode\":9015",
        "<X><message>9015</message><success>false</success></X>",
        "<X><timestamp>2025-01-01</timestamp><status>100</status><error>Bad Request</error></X>",
        "<X><error><errorCode>Unauthorized</errorCode></error></X>",
        "<X><errorCode>9015</errorCode>",
        "<!DOCTYPE X><X><errorCode>9015</errorCode></X>",
        "<!DOCTYPE X [<!ENTITY c \"9015\">]><X><errorCode>&c;</errorCode></X>",
        "<X errorCode=\"9015\"/>",
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
            if status != 400 {
                assert_eq!(by(V2, status, body), expected, "v2 {body}");
            }
            let expected = if status == 400 { Answer::Refused } else { expected };
            assert_eq!(class(Kind::DataForest, status, body), expected, "{body}");
        }
    }

    #[rstest]
    #[case(r#"{"success":false,"message":"Exceeded limit on resource QUOTA"}"#)]
    #[case(r#"{"error":{"message":"exceeded limit on resource quota"}}"#)]
    #[case(r#"{"error":{"errorCode":100,"details":["quota"]}}"#)]
    #[case("<X><success>false</success><message>exceeded limit on resource Quota</message></X>")]
    #[case("<X><error><message><![CDATA[quota]]></message></error></X>")]
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
    #[case("<X><success>true</success></X>", Answer::Accepted)]
    #[case("<x:X xmlns:x='u'><x:success> true </x:success><x:id/></x:X>", Answer::Accepted)]
    #[case("<X><success>t&#114;ue</success><message>&lt;&amp;</message></X>", Answer::Accepted)]
    #[case("<X><success>false</success><errorCode>9015</errorCode></X>", Answer::Refused)]
    #[case("<X><success>false</success></X>", Answer::Ambiguous(Doubt::Unsuccessful))]
    #[case("<X><success>true</success><success>false</success></X>", Answer::Ambiguous(Doubt::Unreadable))]
    #[case("<X><deeper><success>true</success></deeper></X>", Answer::Ambiguous(Doubt::Unreadable))]
    #[case("<X><success>true</success>", Answer::Ambiguous(Doubt::Unreadable))]
    #[case("<!DOCTYPE X><X><success>true</success></X>", Answer::Ambiguous(Doubt::Unreadable))]
    #[case(r#"{"success":true,"generatedPassword":"Ours1!"}"#, Answer::Accepted)]
    #[case(r#"{"success":true,"generatedPassword":null}"#, Answer::Accepted)]
    #[case(r#"{"success":true,"generatedPassword":""}"#, Answer::Accepted)]
    #[case(r#"{"success":true,"generatedPassword":"Theirs1!"}"#, Answer::Ambiguous(Doubt::Unreadable))]
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
            (Kind::DataForest, "<X><success>true</success><id>another</id></X>", other),
            (
                Kind::DataForest,
                "<X><success>true</success><id>2b141960-0000-11ef-8000-246e9659184c</id></X>",
                Answer::Accepted,
            ),
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

    /// `{"error":{…}}` as gov's v2 writes it, with a word for a code.
    fn v2_error(word: &str, fields: &[&str]) -> String {
        let faults: Vec<_> = fields.iter().map(|field| format!(r#"{{"field":"{field}","message":"m"}}"#)).collect();
        let faults = faults.join(",");
        format!(r#"{{"error":{{"errorCode":"{word}","message":"m","detail":"d","fieldErrors":[{faults}]}}}}"#)
    }

    #[rstest]
    #[case(400, "InvalidParameter", Answer::Refused)]
    #[case(401, "Unauthorized", Answer::Blocked(Block::Authentication))]
    #[case(403, "Forbidden", Answer::Blocked(Block::Forbidden))]
    #[case(404, "NotFound", Answer::Blocked(Block::NotFound))]
    #[case(409, "Conflict", Answer::Ambiguous(Doubt::UnknownRefusal))]
    #[case(413, "TooLarge", Answer::Blocked(Block::TooLarge))]
    #[case(422, "Unprocessable", Answer::Ambiguous(Doubt::UnknownRefusal))]
    #[case(429, "TooManyRequests", Answer::Blocked(Block::Throttled))]
    #[case(500, "InternalServerError", Answer::Ambiguous(Doubt::ServerError))]
    #[case(503, "ServiceUnavailable", Answer::Ambiguous(Doubt::ServerError))]
    fn the_words_of_v2_are_classed_by_their_status(#[case] status: u16, #[case] word: &str, #[case] expected: Answer) {
        for fields in [&[][..], &["newPassword"], &["passwordGenerationRequired", "newPassword"]] {
            assert_eq!(by(V2, status, &v2_error(word, fields)), expected, "{fields:?}");
        }
        assert_eq!(by(V2, status, &format!(r#"{{"error":{{"errorCode":"{word}"}}}}"#)), expected);
    }

    #[test]
    fn a_400_of_v2_refuses_the_password_only_where_it_speaks_of_an_error_that_may_be_the_passwords() {
        let doubt = Answer::Ambiguous(Doubt::UnknownRefusal);
        assert_eq!(by(V2, 400, &v2_error("InvalidParameter", &["subAccountId"])), doubt);
        for body in ["", "<html/>", "{}", r#"{"message":"m"}"#] {
            assert_eq!(by(V2, 400, body), doubt, "{body}");
        }
        assert_eq!(
            class(Kind::SubAccount, 400, &v2_error("InvalidParameter", &["newPassword"])),
            doubt,
            "v1 has codes"
        );
    }

    #[test]
    fn v2_needs_no_success_but_an_object_without_an_error() {
        for body in ["{}", r#"{"generatedPassword":null}"#, r#"{"success":true}"#, r#"{"generatedPassword":"Ours1!"}"#]
        {
            assert_eq!(by(V2, 200, body), Answer::Accepted, "{body}");
        }
        assert_eq!(by(V2, 204, ""), Answer::Accepted);
        for (status, body) in [
            (200, ""),
            (202, " "),
            (204, "x"),
            (200, "true"),
            (200, "<html>"),
            (200, r#"{"success":"perhaps"}"#),
            (200, r#"{"subAccountId":"another"}"#),
            (200, r#"{"generatedPassword":"Theirs1!"}"#),
            (200, r#"{"error":{"errorCode":"Unauthorized"}}"#),
            (200, r#"{"errorCode":"x"}"#),
        ] {
            assert_eq!(by(V2, status, body), Answer::Ambiguous(Doubt::Unreadable), "{status} {body}");
        }
        assert_eq!(by(V2, 200, r#"{"success":false}"#), Answer::Ambiguous(Doubt::Unsuccessful));
        assert_eq!(class(Kind::SubAccount, 200, "{}"), Answer::Ambiguous(Doubt::Unreadable), "v1 documents success");
        assert_eq!(class(Kind::SubAccount, 204, ""), Answer::Ambiguous(Doubt::Unreadable));
    }

    #[rstest]
    #[case(200, r#"{"success":true,"generatedPassword":"Theirs1!"}"#, Answer::Accepted, Some("Theirs1!"))]
    #[case(200, r#"{"success":true}"#, Answer::Ambiguous(Doubt::Unreadable), None)]
    #[case(200, r#"{"success":true,"generatedPassword":""}"#, Answer::Ambiguous(Doubt::Unreadable), None)]
    #[case(200, r#"{"success":true,"generatedPassword":["x"]}"#, Answer::Ambiguous(Doubt::Unreadable), None)]
    #[case(200, "{\"success\":true,\"generatedPassword\":\"a\\nb\"}", Answer::Ambiguous(Doubt::Unreadable), None)]
    #[case(
        200,
        r#"{"success":false,"generatedPassword":"Theirs1!"}"#,
        Answer::Ambiguous(Doubt::Unsuccessful),
        Some("Theirs1!")
    )]
    #[case(
        200,
        r#"{"success":true,"subAccountId":"x","generatedPassword":"Theirs1!"}"#,
        Answer::Ambiguous(Doubt::Unreadable),
        Some("Theirs1!")
    )]
    #[case(200, r#"{"success":false,"errorCode":9015,"generatedPassword":"Theirs1!"}"#, Answer::Refused, None)]
    #[case(400, r#"{"errorCode":9015,"generatedPassword":"Theirs1!"}"#, Answer::Refused, None)]
    #[case(401, r#"{"errorCode":30}"#, Answer::Blocked(Block::NoSuchAccount), None)]
    #[case(500, r#"{"generatedPassword":"Theirs1!"}"#, Answer::Ambiguous(Doubt::ServerError), None)]
    fn a_generated_password(
        #[case] status: u16,
        #[case] body: &str,
        #[case] answer: Answer,
        #[case] password: Option<&str>,
    ) {
        let id = AccountId(OURS.into());
        let generated = classify_generated(dialect(Kind::SubAccount), &id, status, body.as_bytes());
        assert_eq!(generated, Generated { answer, password: password.map(|text| Password::new(text.into())) });
    }

    #[test]
    fn v2_makes_passwords_without_telling_success() {
        let read = |body: &str| classify_generated(V2, &AccountId(OURS.into()), 200, body.as_bytes());
        let made = read(r#"{"generatedPassword":"Theirs1!"}"#);
        assert_eq!((made.answer, made.password.unwrap().expose()), (Answer::Accepted, "Theirs1!"));
        assert_eq!(read("{}"), Generated { answer: Answer::Ambiguous(Doubt::Unreadable), password: None });
    }

    const CALL: &str = "PUT /login-alias";

    #[rstest]
    #[case(200, r#"{"success":true}"#, Ok(()))]
    #[case(200, r#"{"success":false}"#, Err(ProviderError::Unconfirmed { call: CALL, doubt: Doubt::Unsuccessful }))]
    #[case(200, r#"{"success":false,"errorCode":100}"#, Err(ProviderError::Refused { call: CALL, status: 200, code: "100".into() }))]
    #[case(200, "{}", Err(ProviderError::Unconfirmed { call: CALL, doubt: Doubt::Unreadable }))]
    #[case(200, "", Err(ProviderError::Unconfirmed { call: CALL, doubt: Doubt::Unreadable }))]
    #[case(400, r#"{"errorCode":"100"}"#, Err(ProviderError::Refused { call: CALL, status: 400, code: "100".into() }))]
    #[case(400, r#"{"errorCode":7}"#, Err(ProviderError::Unconfirmed { call: CALL, doubt: Doubt::UnknownRefusal }))]
    #[case(401, r#"{"errorCode":200}"#, Err(ProviderError::Authentication { status: 401, code: "200".into() }))]
    #[case(401, r#"{"errorCode":210}"#, Err(ProviderError::Permission { call: CALL, status: 401, code: "210".into() }))]
    #[case(404, "", Err(ProviderError::Server { call: CALL, status: 404, code: "-".into() }))]
    #[case(429, "", Err(ProviderError::Throttled { status: 429, code: "-".into() }))]
    #[case(302, "", Err(ProviderError::Unconfirmed { call: CALL, doubt: Doubt::Unreadable }))]
    #[case(500, "", Err(ProviderError::Unconfirmed { call: CALL, doubt: Doubt::ServerError }))]
    fn a_setting(#[case] status: u16, #[case] body: &str, #[case] expected: Result<(), ProviderError>) {
        assert_eq!(classify_setting(CALL, Api::V1, status, body.as_bytes()), expected);
    }

    #[test]
    fn a_setting_of_v2_is_refused_whatever_field_is_blamed() {
        let body = v2_error("InvalidParameter", &["passwordExpirationDays"]);
        let refused = ProviderError::Refused { call: CALL, status: 400, code: "-".into() };
        assert_eq!(classify_setting(CALL, Api::V2, 400, body.as_bytes()), Err(refused));
        assert_eq!(classify_setting(CALL, Api::V2, 200, b"{}"), Ok(()));
    }
}
