//! What one version holds. A version never changes.

use aws_sdk_secretsmanager::primitives::{Blob, DateTime};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::domain::token::Token;
use crate::domain::value::SecretValue;

/// One version's content, and when it came to be.
pub(super) struct Content {
    /// Its value; none when it is plain text or bytes, and no JSON object.
    pub(super) value: Option<SecretValue>,
    /// When AWS says that it was made.
    pub(super) created: Option<Timestamp>,
    /// Of a version that this process made: when it was there at the latest, in gateway time.
    pub(super) there_by: Option<Timestamp>,
}

/// A version as it was fetched.
pub(super) struct Fetched {
    pub(super) arn: String,
    pub(super) id: String,
    pub(super) content: Content,
}

impl Content {
    /// What AWS answered.
    pub(super) fn read(text: Option<&str>, bytes: Option<&Blob>, created: Option<&DateTime>) -> Self {
        let parse = |text: &[u8]| serde_json::from_slice::<Map<String, Value>>(text).ok();
        // Bytes are taken for text, as whoever wrote them by an older tool meant them.
        let value = text.map_or_else(|| bytes.and_then(|bytes| parse(bytes.as_ref())), |text| parse(text.as_bytes()));
        Self { value: value.map(SecretValue::from_map), created: created.and_then(timestamp), there_by: None }
    }

    /// What this process has just put there.
    pub(super) fn written(value: &SecretValue, there_by: Timestamp) -> Self {
        Self { value: Some(value.clone()), created: None, there_by: Some(there_by) }
    }

    /// When it was made, or later.
    pub(super) fn made(&self) -> Option<Timestamp> {
        self.created.or(self.there_by)
    }
}

/// A date of AWS's.
pub(super) fn timestamp(date: &DateTime) -> Option<Timestamp> {
    Timestamp::new(date.secs(), i32::try_from(date.subsec_nanos()).ok()?).ok()
}

/// The token that a version's id stands for. Ours are UUIDs; others' may be any text, which is then hashed.
pub(super) fn token_of(id: &str) -> Token {
    let uuid = uuid::Uuid::try_parse(id).ok().filter(|uuid| uuid.to_string() == id);
    Token::from_uuid(uuid.unwrap_or_else(|| uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, id.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_a_json_object_or_none() {
        let read = |text: &str| Content::read(Some(text), None, None).value;
        assert_eq!(read("{\"password\":\"p\",\"port\":1}").unwrap().expose()["port"], 1);
        for other in ["hunter2", "[1]", "\"a\"", "{", ""] {
            assert!(read(other).is_none(), "{other:?}");
        }
        let bytes = Content::read(None, Some(&Blob::new(*b"{\"a\":1}")), Some(&DateTime::from_millis(1_500)));
        assert!(bytes.value.is_some());
        assert_eq!(bytes.created, Timestamp::from_millisecond(1_500).ok());
    }

    #[test]
    fn every_id_has_a_token_of_its_own() {
        let uuid = "57cd65de-881f-5c05-9cd5-090a75ad19e9";
        assert_eq!(token_of(uuid).to_string(), uuid);
        let others = ["57CD65DE-881F-5C05-9CD5-090A75AD19E9", "terraform-20231012093512345600000001"];
        let tokens = others.map(token_of);
        assert!(tokens[0] != tokens[1] && tokens.iter().all(|token| token.to_string() != uuid));
    }
}
