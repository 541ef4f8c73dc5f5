//! Things that must not be seen: passwords and keys, and the names under which a vault keeps them.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

/// A password. It has no `Display` and no `Serialize`, its `Debug` is redacted, and its memory is wiped on drop.
#[derive(Clone)]
pub struct Password(SecretString);

impl Password {
    /// Takes ownership of a password's characters.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// The characters themselves. Only the adapters that must send or store them, and the command with `--reveal`, call
    /// this.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        use subtle::ConstantTimeEq;
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

/// An API key pair. The access key names the caller and is no secret to the provider, but it is kept from logs too.
#[derive(Clone)]
pub struct Keys {
    access: SecretString,
    secret: SecretString,
}

impl Keys {
    /// A pair as the provider issued it.
    #[must_use]
    pub fn new(access: String, secret: String) -> Self {
        Self { access: SecretString::from(access), secret: SecretString::from(secret) }
    }

    /// The access key, for the request's header and the signed message.
    #[must_use]
    pub fn expose_access(&self) -> &str {
        self.access.expose_secret()
    }

    /// The secret key, for the signature alone.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.secret.expose_secret()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(redacted)")
    }
}

/// The name of a secret in a vault: segments of printable characters with `/` between them, none empty, none starting
/// with a dot, 512 bytes at the most. What passes here is safe as a relative file path and as an AWS secret's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SecretName(String);

impl SecretName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts between the slashes.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text cannot name a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSecretName {
    /// Longer than 512 bytes, which AWS Secrets Manager refuses.
    #[error("the secret name is {0} bytes long; 512 is the most")]
    TooLong(usize),
    /// Two slashes in a row, or one at an end.
    #[error("the secret name {0:?} has an empty part; write parts with one `/` between them")]
    EmptySegment(String),
    /// A part such as `..` or `.hidden`.
    #[error("the secret name {0:?} has a part that starts with a dot")]
    LeadingDot(String),
    /// A character that no vault would take.
    #[error(
        "the secret name {0:?} holds {1:?}; letters, digits and / _ + = . @ - are allowed (AWS Secrets Manager's set)"
    )]
    Character(String, char),
}

impl FromStr for SecretName {
    type Err = BadSecretName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > 512 {
            return Err(BadSecretName::TooLong(text.len()));
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || "/_+=.@-".contains(c);
        if let Some(stranger) = text.chars().find(|c| !allowed(*c)) {
            return Err(BadSecretName::Character(text.to_owned(), stranger));
        }
        if text.split('/').any(str::is_empty) {
            return Err(BadSecretName::EmptySegment(text.to_owned()));
        }
        if text.split('/').any(|segment| segment.starts_with('.')) {
            return Err(BadSecretName::LeadingDot(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_a_password_and_of_keys_shows_nothing_of_them() {
        let shown = format!("{:?} {:?}", Password::new("hunter2!A".into()), Keys::new("AK1".into(), "SK2".into()));
        assert!(!shown.contains("hunter2") && !shown.contains("AK1") && !shown.contains("SK2"), "{shown}");
    }

    #[test]
    fn secret_names_are_safe_paths() {
        for good in ["ncloud/main/sub-account/svc-a", "a", "a.b/c@d"] {
            assert_eq!(good.parse::<SecretName>().map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.b", "a b", "a\nb", "가", "a\\b", "a%2e"] {
            assert!(bad.parse::<SecretName>().is_err(), "{bad:?} was accepted");
        }
        assert!("a".repeat(513).parse::<SecretName>().is_err());
    }
}
