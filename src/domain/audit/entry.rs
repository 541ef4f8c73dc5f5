//! One thing that happened.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::what::What;
use crate::domain::Timestamp;
use crate::domain::account::AccountName;
use crate::domain::cause::Cause;
use crate::domain::secret::SecretName;

/// One thing that happened. It never holds a password, a key, or any part of a provider's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// When, by this machine's clock; milliseconds are kept.
    #[serde(serialize_with = "milliseconds")]
    pub at: Timestamp,
    /// When, by the clock of the account's gateway, if that was heard.
    #[serde(serialize_with = "milliseconds_if_any")]
    pub gateway: Option<Timestamp>,
    /// Which account it is about.
    pub account: Option<AccountName>,
    /// Which secret it is about.
    pub secret: Option<SecretName>,
    /// What.
    pub what: What,
    /// What more there is to say.
    pub detail: Map<String, Value>,
    /// What or who caused it.
    pub cause: Cause,
}

/// Always as long, so that the texts sort as the times do.
fn milliseconds<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.3}"))
}

#[expect(clippy::ref_option, reason = "serde's signature")]
fn milliseconds_if_any<S: Serializer>(at: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => milliseconds(at, serializer),
        None => serializer.serialize_none(),
    }
}
