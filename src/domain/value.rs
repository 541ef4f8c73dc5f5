//! The value of a secret: a JSON object of which rotation owns some keys and keeps the rest.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroize;

use super::Timestamp;
use super::account::{Kind, Subject};
use super::secret::Password;
use super::token::Token;

/// The keys that rotation owns; every other key of a value survives.
pub const OWNED_KEYS: [&str; 9] =
    ["username", "password", "account_id", "kind", "tenant", "login_url", "rotated_at", "expires_at", "rotation"];

/// What makes a version ours (`protocol.md`, "Ours").
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mark {
    /// The account, as [`Subject`] prints it.
    pub account: String,
    /// The token of the version that was current when this one was made.
    pub generation: Token,
    /// Which attempt at replacing that version this is, from 0.
    pub attempt: u32,
    /// The journal whose process staged it.
    pub by: String,
    /// Its part in a rotation whose password the provider makes (`protocol.md`, rule 11); none in all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<Part>,
    /// Whether an operator put a previous password back (`protocol.md`, rule 10).
    #[serde(default, skip_serializing_if = "is_false")]
    pub rollback: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A version's part in a rotation whose password the provider makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// It says that the provider is about to be asked, and holds no password.
    Intent,
    /// It holds what the provider answered.
    Answer,
}

/// One version's value. Its `Debug` shows key names only; its strings are wiped on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Map<String, Value>);

/// What a rotation writes into a value.
#[derive(Debug, Clone)]
pub struct Rotated<'a> {
    /// The login id or Data Forest name.
    pub username: &'a str,
    /// The new password.
    pub password: &'a Password,
    /// Whose it is.
    pub subject: &'a Subject,
    /// The tenant's name in the configuration, for people.
    pub tenant: &'a str,
    /// Where to log in, when known.
    pub login_url: Option<&'a str>,
    /// Gateway time of staging.
    pub rotated_at: Timestamp,
    /// When the provider will ask for another, as the policy stands now.
    pub expires_at: Option<Timestamp>,
    /// The version's mark.
    pub mark: &'a Mark,
}

impl SecretValue {
    /// A value as it was read.
    #[must_use]
    pub const fn from_map(map: Map<String, Value>) -> Self {
        Self(map)
    }

    /// The whole object, password included, for the vault adapter that stores it and the command with `--reveal`.
    #[must_use]
    pub const fn expose(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The fixed bytes of a secret that awaits its first rotation. It holds no password.
    #[must_use]
    pub fn placeholder() -> Self {
        let mut map = Map::new();
        map.insert("awaiting_first_rotation".to_owned(), Value::Bool(true));
        Self(map)
    }

    /// The value that replaces `self`: the keys of [`OWNED_KEYS`] as of this rotation, every other key kept.
    #[must_use]
    pub fn rotated(&self, new: &Rotated<'_>) -> Self {
        let mut next = self.without_owned();
        let mut set = |key: &str, value: Value| next.0.insert(key.to_owned(), value);
        set("username", new.username.into());
        set("password", new.password.expose().into());
        set("account_id", new.subject.id.0.as_str().into());
        set("kind", new.subject.kind.label().into());
        set("tenant", new.tenant.into());
        if let Some(url) = new.login_url {
            set("login_url", url.into());
        }
        set("rotated_at", new.rotated_at.to_string().into());
        if let Some(at) = new.expires_at {
            set("expires_at", at.to_string().into());
        }
        set("rotation", new.mark.to_json());
        next
    }

    /// The value of an intent to replace `self`: it tells whose it is, so that it is found by its account's name, and holds
    /// no password and no times.
    #[must_use]
    pub fn intent(&self, username: &str, subject: &Subject, tenant: &str, mark: &Mark) -> Self {
        let mut next = self.without_owned();
        let mut set = |key: &str, value: Value| next.0.insert(key.to_owned(), value);
        set("username", username.into());
        set("account_id", subject.id.0.as_str().into());
        set("kind", subject.kind.label().into());
        set("tenant", tenant.into());
        set("rotation", mark.to_json());
        next
    }

    /// The keys that rotation owns as they are here, every other key as it is in `current`.
    #[must_use]
    pub fn beside(&self, current: &Self) -> Self {
        let mut next = current.without_owned();
        for key in OWNED_KEYS {
            if let Some(value) = self.0.get(key) {
                next.0.insert(key.to_owned(), value.clone());
            }
        }
        next
    }

    /// Every key that rotation does not own.
    fn without_owned(&self) -> Self {
        let mut rest = self.clone();
        rest.0.remove("awaiting_first_rotation");
        for key in OWNED_KEYS {
            if let Some(mut old) = rest.0.remove(key) {
                wipe(&mut old);
            }
        }
        rest
    }

    /// The password, when the value holds one.
    #[must_use]
    pub fn password(&self) -> Option<Password> {
        self.text("password").map(|text| Password::new(text.to_owned()))
    }

    /// Our mark, when the value carries one that can be read.
    #[must_use]
    pub fn mark(&self) -> Option<Mark> {
        self.0.get("rotation").and_then(|mark| Mark::deserialize(mark).ok())
    }

    /// Whether there is a mark of ours, be it damaged. A foreign `rotation` key of another shape is none.
    #[must_use]
    pub fn carries_mark(&self) -> bool {
        self.0.get("rotation").and_then(Value::as_object).is_some_and(|mark| mark.contains_key("account"))
    }

    /// Whether it is a placeholder. A person may have added keys to it; as long as it holds no password it is one.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        self.0.get("awaiting_first_rotation") == Some(&Value::Bool(true))
            && !self.0.contains_key("password")
            && !self.0.contains_key("rotation")
    }

    /// Whether it holds no password, but the intent to have one made: nothing is lost with it.
    #[must_use]
    pub fn is_intent(&self) -> bool {
        self.mark().is_some_and(|mark| mark.provider == Some(Part::Intent)) && self.password().is_none()
    }

    /// When the password was made, as the value tells.
    #[must_use]
    pub fn rotated_at(&self) -> Option<Timestamp> {
        self.text("rotated_at")?.parse().ok()
    }

    /// The kind of account, as the value tells.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        self.text("kind")?.parse().ok()
    }

    /// The provider's identifier of the account.
    #[must_use]
    pub fn account_id(&self) -> Option<&str> {
        self.text("account_id")
    }

    /// The tenant's name at the time of the rotation.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.text("tenant")
    }

    /// The account's name at the time of the rotation.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.text("username")
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(Value::as_str)
    }
}

impl Mark {
    fn to_json(&self) -> Value {
        let mut mark = serde_json::json!({
            "account": self.account,
            "generation": self.generation,
            "attempt": self.attempt,
            "by": self.by,
        });
        if let (Some(part), Value::Object(map)) = (self.provider, &mut mark) {
            map.insert("provider".to_owned(), part.label().into());
        }
        if let (true, Value::Object(map)) = (self.rollback, &mut mark) {
            map.insert("rollback".to_owned(), true.into());
        }
        mark
    }
}

impl Part {
    /// The stable label, as it stands in values.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Answer => "answer",
        }
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Drop for SecretValue {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

/// Overwrites every text of a tree, object keys excepted.
pub fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(map) => map.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::{AccountId, Site};

    #[test]
    fn rotation_replaces_its_own_keys_and_keeps_the_rest() {
        let Value::Object(map) = serde_json::json!({
            "host": "hs2.example", "port": 10000, "password": "old", "login_url": "https://old", "nested": {"a": [1]}
        }) else {
            unreachable!()
        };
        let subject = Subject { site: Site::Public, kind: Kind::DataForest, id: AccountId("id1".into()) };
        let mark = Mark {
            account: subject.to_string(),
            generation: Token::placeholder(),
            attempt: 2,
            by: "j".into(),
            provider: None,
            rollback: false,
        };
        let value = SecretValue::from_map(map).rotated(&Rotated {
            username: "df-a",
            password: &Password::new("new".into()),
            subject: &subject,
            tenant: "main",
            login_url: None,
            rotated_at: Timestamp::UNIX_EPOCH,
            expires_at: None,
            mark: &mark,
        });
        let seen = value.expose();
        assert_eq!(
            (&seen["host"], &seen["port"], &seen["nested"]["a"][0]),
            (&"hs2.example".into(), &10000.into(), &1.into())
        );
        assert!(!seen.contains_key("login_url"), "an owned key of the old rotation survived");
        assert_eq!(value.password(), Some(Password::new("new".into())));
        assert_eq!(value.mark(), Some(mark));
        assert_eq!(value.rotated_at(), Some(Timestamp::UNIX_EPOCH));
        assert!(!format!("{value:?}").contains("new\""));
        let Value::Object(edited) = serde_json::json!({
            "port": 10001, "login_url": "https://old", "awaiting_first_rotation": true
        }) else {
            unreachable!()
        };
        let beside = value.beside(&SecretValue::from_map(edited));
        assert_eq!((beside.password(), beside.mark()), (value.password(), value.mark()));
        let others: Vec<_> =
            beside.expose().keys().map(String::as_str).filter(|key| !OWNED_KEYS.contains(key)).collect();
        assert_eq!((others, &beside.expose()["port"]), (vec!["port"], &10001.into()));
        assert!(!beside.expose().contains_key("login_url"), "an owned key came from elsewhere");
        let intent =
            value.intent("df-a", &subject, "main", &Mark { provider: Some(Part::Intent), ..value.mark().unwrap() });
        assert_eq!(
            (intent.username(), intent.kind(), intent.tenant()),
            (Some("df-a"), Some(Kind::DataForest), Some("main"))
        );
        assert_eq!((intent.password(), intent.rotated_at(), &intent.expose()["port"]), (None, None, &10000.into()));
    }
}
