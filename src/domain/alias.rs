//! A tenant's login alias: the last part of the page on which its sub-accounts log in (`ncloud-api.md`, section 2).

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// A login alias: 3 to 20 lowercase letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct LoginAlias(String);

impl LoginAlias {
    /// The alias as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The page on which the tenant's sub-accounts log in.
    #[must_use]
    pub fn login_url(&self) -> String {
        format!("https://www.ncloud.com/nsa/{self}")
    }
}

impl fmt::Display for LoginAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a text is no login alias.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadLoginAlias {
    /// Too short or too long.
    #[error("a login alias has 3 to 20 characters, and {text:?} has {length}")]
    Length {
        /// What was given, cut off where it is much too long.
        text: String,
        /// How many characters it has.
        length: usize,
    },
    /// A character that the provider does not take.
    #[error("a login alias has lowercase letters and digits only, and {text:?} has {stranger:?} in it")]
    Character {
        /// What was given.
        text: String,
        /// The first character that does not belong.
        stranger: char,
    },
}

impl FromStr for LoginAlias {
    type Err = BadLoginAlias;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = text.chars().count();
        if !(3..=20).contains(&length) {
            return Err(BadLoginAlias::Length { text: text.chars().take(40).collect(), length });
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        if let Some(stranger) = text.chars().find(|c| !allowed(*c)) {
            return Err(BadLoginAlias::Character { text: text.to_owned(), stranger });
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_what_the_provider_takes() {
        for good in ["abc", "acme", "a1b2c3", "000", "abcdefghijklmnopqrst"] {
            assert_eq!(good.parse::<LoginAlias>().unwrap().as_str(), good);
        }
        for bad in ["", "ab", "abcdefghijklmnopqrstu", "Acme", "ac-me", "ac me", "가나다", "acme\n", "acme/x"] {
            assert!(bad.parse::<LoginAlias>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn a_bad_alias_is_told_what_is_wrong_with_it() {
        let told = |text: &str| text.parse::<LoginAlias>().unwrap_err().to_string();
        assert_eq!(told("ab"), "a login alias has 3 to 20 characters, and \"ab\" has 2");
        assert_eq!(told("Acme"), "a login alias has lowercase letters and digits only, and \"Acme\" has 'A' in it");
        assert!(told(&"a".repeat(9999)).len() < 120);
    }

    #[test]
    fn the_login_page_follows_from_the_alias() {
        let alias: LoginAlias = "acme".parse().unwrap();
        assert_eq!(alias.login_url(), "https://www.ncloud.com/nsa/acme");
    }
}
