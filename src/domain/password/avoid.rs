//! What a password must not contain for the sake of the place where it will be used.

use std::fmt;
use std::str::FromStr;

/// Characters that the place where a password will be used cannot take. The default avoids nothing beyond the provider's
/// rules.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Avoid {
    characters: String,
}

/// A named place where passwords are used, and so a set of characters to avoid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Anywhere in a URL without percent-encoding: of the specials only RFC 3986's unreserved `-` `.` `_` `~` remain.
    Url,
    /// An unquoted word for POSIX shells, zsh, PowerShell and cmd.exe: only `+` `-` `.` `_` remain. `=` goes for zsh, which
    /// expands `=word`; `@`, `,` and `%` go for PowerShell and cmd.exe.
    Shell,
    /// A field of libpq's `.pgpass`, where `:` parts the fields and `\` escapes.
    Pgpass,
    /// A property within a JDBC URL: no `; & ? = { } ( ) [ ] , : / @ #`, by which drivers part properties, hosts and
    /// comments (Hive's among them), and no `%`, `+` and `\`, which some of them decode.
    Jdbc,
    /// Text and attributes of XML such as Hadoop's configuration files: none of the five characters with an entity,
    /// `<` `>` `&` `'` `"`.
    Xml,
}

impl Profile {
    /// Every profile, in the order in which people are shown them.
    pub const ALL: [Self; 5] = [Self::Url, Self::Shell, Self::Pgpass, Self::Jdbc, Self::Xml];

    /// The stable label, as written in configuration.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Shell => "shell",
            Self::Pgpass => "pgpass",
            Self::Jdbc => "jdbc",
            Self::Xml => "xml",
        }
    }

    /// Whether a special character cannot be used in this place.
    #[must_use]
    pub fn forbids(self, special: char) -> bool {
        match self {
            Self::Url => !"-._~".contains(special),
            Self::Shell => !"+-._".contains(special),
            Self::Pgpass => ":\\".contains(special),
            Self::Jdbc => ";&?={}()[],:/@#%+\\".contains(special),
            Self::Xml => "<>&'\"".contains(special),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl Avoid {
    /// Whether a password must not contain `character`. Letters and digits are never avoided.
    #[must_use]
    pub fn forbids(&self, character: char) -> bool {
        self.characters.contains(character)
    }
}

impl From<Profile> for Avoid {
    fn from(profile: Profile) -> Self {
        Self { characters: special_characters().filter(|special| profile.forbids(*special)).collect() }
    }
}

/// Why a text does not say what to avoid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAvoid {
    /// Nothing to avoid was named.
    #[error("`avoid` is empty; leave it out to avoid nothing beyond the provider's rules")]
    Empty,
    /// A list was written where one text is wanted. No password ever holds a comma, so that none needs avoiding.
    #[error(
        "avoid = {0:?} holds a comma; write one profile, or the characters one after the other (no password holds a comma)"
    )]
    Comma(String),
    /// Neither a profile nor special characters.
    #[error("avoid = {0:?} is no profile ({known}) and not made of special characters only, such as \"$%^\"", known = known())]
    Unknown(String),
}

impl FromStr for Avoid {
    type Err = BadAvoid;

    /// Reads a [`Profile`]'s label, or a text of ASCII special characters, each of which is to be avoided.
    fn from_str(text: &str) -> Result<Self, BadAvoid> {
        if let Some(profile) = Profile::ALL.into_iter().find(|profile| profile.label() == text) {
            return Ok(profile.into());
        }
        if text.is_empty() {
            return Err(BadAvoid::Empty);
        }
        if text.contains(',') {
            return Err(BadAvoid::Comma(text.to_owned()));
        }
        if !text.chars().all(|character| character.is_ascii_punctuation()) {
            return Err(BadAvoid::Unknown(text.to_owned()));
        }
        Ok(Self { characters: text.to_owned() })
    }
}

fn special_characters() -> impl Iterator<Item = char> {
    ('!'..='~').filter(char::is_ascii_punctuation)
}

fn known() -> String {
    Profile::ALL.map(Profile::label).join(", ")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::account::Kind;
    use crate::domain::password::specials;

    #[rstest]
    #[case("url", "-_")]
    #[case("shell", "-_+")]
    #[case("pgpass", "!@#$%^*()-_=+")]
    #[case("jdbc", "!$^*-_")]
    #[case("xml", "!@#$%^*()-_=+")]
    #[case("$%^", "!@#*()-_=+")]
    fn what_is_avoided_leaves_these_specials(#[case] text: &str, #[case] left: &str) {
        let avoid: Avoid = text.parse().unwrap();
        for kind in Kind::ALL {
            let kept: String = specials(kind).chars().filter(|special| !avoid.forbids(*special)).collect();
            assert_eq!(kept, left, "{kind}");
        }
    }

    #[test]
    fn profiles_forbid_what_their_place_cannot_take_wherever_the_special_set_may_grow() {
        for (profile, forbidden) in [
            (Profile::Url, "!#$&'()*+,/:;=?@[]% \"<>\\^`{|}"),
            (Profile::Shell, " \t\"'`$&|;<>()[]{}*?!#~=%\\^@,"),
            (Profile::Pgpass, ":\\"),
            (Profile::Jdbc, ";{}&?=%+#"),
            (Profile::Xml, "<>&'\""),
        ] {
            for special in forbidden.chars() {
                assert!(profile.forbids(special), "{profile} took {special:?}");
                assert!(
                    !special.is_ascii_punctuation() || Avoid::from(profile).forbids(special),
                    "{profile} {special:?}"
                );
            }
        }
    }

    #[test]
    fn nothing_is_avoided_by_default_and_letters_never() {
        assert!(('!'..='~').all(|character| !Avoid::default().forbids(character)));
        for profile in Profile::ALL {
            assert!(('!'..='~').filter(char::is_ascii_alphanumeric).all(|c| !Avoid::from(profile).forbids(c)));
        }
    }

    #[rstest]
    #[case("")]
    #[case("urls")]
    #[case("URL")]
    #[case("url,shell")]
    #[case("!,@")]
    #[case("!a")]
    #[case("! @")]
    #[case("₩")]
    fn anything_else_is_refused(#[case] text: &str) {
        assert!(text.parse::<Avoid>().is_err());
    }

    #[test]
    fn an_unknown_profile_is_told_the_known_ones() {
        let told = "bash".parse::<Avoid>().unwrap_err().to_string();
        assert!(Profile::ALL.iter().all(|profile| told.contains(profile.label())), "{told}");
    }
}
