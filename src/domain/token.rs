//! Version tokens: how two replicas come to ask for the same version without talking to each other.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Timestamp;
use super::account::Subject;

/// Our own namespace for version 5 UUIDs, drawn once for this project; changing it would orphan every unfinished rotation.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f0d_1f5e_93a7_4a55_8d5a_2c1e_74b9_e0c3);

/// Names one version of one secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Token(Uuid);

impl Token {
    /// The placeholder's token: the version a new secret starts from, which holds no password.
    #[must_use]
    pub fn placeholder() -> Self {
        Self(Uuid::new_v5(&NAMESPACE, b"placeholder"))
    }

    /// `T(current, k)`: the token of attempt `k` at replacing `current`. It is made of what the provider and the vault
    /// say, never of configuration names, so that a renamed tenant continues its unfinished rotation.
    #[must_use]
    pub fn of_attempt(subject: &Subject, current: Self, attempt: u32) -> Self {
        let name = format!("{}\n{}\n{}\n{}\n{}", subject.site, subject.kind, subject.id, current.0, attempt);
        Self(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
    }

    /// The token under which the provider's answer to an intent is stored (`protocol.md`, rule 11).
    #[must_use]
    pub fn answer(self) -> Self {
        Self(Uuid::new_v5(&self.0, b"answer"))
    }

    /// A random token, for an intent; the bytes are the caller's to draw.
    #[must_use]
    pub const fn random(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
    }

    /// Names the content that was staged under `self` at that moment (see `Pending::candidate`).
    #[must_use]
    pub fn candidate(self, staged_at: Option<Timestamp>) -> Self {
        let staged_at = staged_at.map_or_else(String::new, |at| at.to_string());
        Self(Uuid::new_v5(&self.0, staged_at.as_bytes()))
    }

    /// Names the content under `self` in one life of a secret, where the vault gives a secret that is made anew another
    /// identity (see `Pending::candidate`).
    #[must_use]
    pub fn candidate_in(self, life: &str) -> Self {
        Self(Uuid::new_v5(&self.0, life.as_bytes()))
    }

    /// Its 16 bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    /// A token that somebody else's version carries, or one made for a test.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::{AccountId, Kind, Site};

    fn subject(id: &str) -> Subject {
        Subject { site: Site::Public, kind: Kind::SubAccount, id: AccountId(id.into()) }
    }

    #[test]
    fn replicas_agree_on_a_token_and_everything_it_is_made_of_changes_it() {
        let base = Token::placeholder();
        let token = Token::of_attempt(&subject("a"), base, 0);
        assert_eq!(token, Token::of_attempt(&subject("a"), base, 0));
        assert_ne!(token, Token::of_attempt(&subject("b"), base, 0));
        assert_ne!(token, Token::of_attempt(&subject("a"), token, 0));
        assert_ne!(token, Token::of_attempt(&subject("a"), base, 1));
        let elsewhere = Subject { site: Site::Fin, ..subject("a") };
        assert_ne!(token, Token::of_attempt(&elsewhere, base, 0));
    }

    /// An unfinished rotation is found again by its token after an upgrade: these bytes are a promise.
    #[test]
    fn tokens_never_change_between_releases() {
        let token = Token::of_attempt(&subject("2b141960-0000-11ef-8000-246e9659184c"), Token::placeholder(), 0);
        assert_eq!(
            (Token::placeholder().to_string(), token.to_string()),
            (PINNED_PLACEHOLDER.to_owned(), PINNED_FIRST.to_owned())
        );
    }

    const PINNED_PLACEHOLDER: &str = "f9f95505-a97a-5935-a5f0-b8234c97f7d1";
    const PINNED_FIRST: &str = "57cd65de-881f-5c05-9cd5-090a75ad19e9";
}
