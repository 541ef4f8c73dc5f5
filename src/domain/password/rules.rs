//! What a compliant password is, per kind of account (`ncloud-api.md`, sections 2 and 3).
//!
//! The provider documents lengths and classes, and leaves the rest open. Where it is silent these rules are on the strict
//! side, since a password that is refused costs a fence:
//!
//! - Specials are `! @ # $ % ^ * ( ) - _ = +` alone, for both kinds. The set is our choice: none of the nine characters that
//!   Data Forest forbids (`'` `"` `` ` `` `/` `&` `\` `₩` `¥` and space), no other quote, bracket or separator, and at least
//!   two of them left under every [`Profile`](super::Profile).
//! - A password does not contain its own login id, in any case. Short ids are no exception: drawing around one costs
//!   nothing, and nobody documents where the provider's own check begins.
//! - No three characters in a row are equal or consecutive, upwards or downwards, by code point within one class: `aaa`,
//!   `abc`, `321` and `()*` are runs, `aBc` and `?@A` are none.

use std::fmt;
use std::ops::RangeInclusive;

use crate::domain::account::Kind;

/// The class of a character. A password needs one of each, whatever its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// `A` to `Z`.
    Upper,
    /// `a` to `z`.
    Lower,
    /// `0` to `9`.
    Digit,
    /// Everything else.
    Special,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Upper, Self::Lower, Self::Digit, Self::Special];

    /// The class of an ASCII character.
    #[must_use]
    pub const fn of(character: u8) -> Self {
        match character {
            b'A'..=b'Z' => Self::Upper,
            b'a'..=b'z' => Self::Lower,
            b'0'..=b'9' => Self::Digit,
            _ => Self::Special,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upper => "upper-case letter",
            Self::Lower => "lower-case letter",
            Self::Digit => "digit",
            Self::Special => "special character",
        })
    }
}

/// The rule that a text breaks. It says nothing of the text itself, which may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rule {
    /// Shorter or longer than [`lengths`].
    #[error("the length is outside what the provider takes")]
    Length,
    /// Something that is neither an ASCII letter, an ASCII digit nor one of [`specials`].
    #[error("it contains a character that is not used in passwords")]
    Character,
    /// No character of this class.
    #[error("it contains no {0}")]
    Missing(Class),
    /// Three characters in a row that are equal or consecutive.
    #[error("three characters in a row are equal or consecutive")]
    Run,
    /// It contains its own login id.
    #[error("it contains the login id")]
    LoginId,
}

/// How many characters a password may have.
#[must_use]
pub const fn lengths(kind: Kind) -> RangeInclusive<usize> {
    match kind {
        Kind::SubAccount => 8..=16,
        Kind::DataForest => 8..=20,
    }
}

/// The special characters that passwords are made with. The two kinds share one set today.
#[must_use]
pub const fn specials(kind: Kind) -> &'static str {
    match kind {
        Kind::SubAccount | Kind::DataForest => "!@#$%^*()-_=+",
    }
}

/// Whether `text` is a password that this program may set for an account of `kind` with this login id; otherwise the first
/// rule that it breaks.
pub fn complies(kind: Kind, login_id: &str, text: &str) -> Result<(), Rule> {
    if !lengths(kind).contains(&text.chars().count()) {
        return Err(Rule::Length);
    }
    if !text.chars().all(|character| character.is_ascii_alphanumeric() || specials(kind).contains(character)) {
        return Err(Rule::Character);
    }
    if let Some(class) = missing_class(text.as_bytes()) {
        return Err(Rule::Missing(class));
    }
    if has_run(text.as_bytes()) {
        return Err(Rule::Run);
    }
    if contains_id(text.as_bytes(), login_id) {
        return Err(Rule::LoginId);
    }
    Ok(())
}

pub(super) fn missing_class(text: &[u8]) -> Option<Class> {
    Class::ALL.into_iter().find(|class| !text.iter().any(|character| Class::of(*character) == *class))
}

pub(super) fn has_run(text: &[u8]) -> bool {
    text.array_windows().any(|[a, b, c]| Step::between(*a, *b).continues_in(Step::between(*b, *c)))
}

/// Compares in place: a lower-case copy of a password would have to be wiped.
pub(super) fn contains_id(text: &[u8], login_id: &str) -> bool {
    !login_id.is_empty() && text.windows(login_id.len()).any(|part| part.eq_ignore_ascii_case(login_id.as_bytes()))
}

/// How a character follows the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Same,
    Up,
    Down,
    Other,
}

impl Step {
    pub(super) const fn between(before: u8, after: u8) -> Self {
        if before == after {
            return Self::Same;
        }
        if Class::of(before) as u8 != Class::of(after) as u8 {
            return Self::Other;
        }
        match after.wrapping_sub(before) {
            1 => Self::Up,
            u8::MAX => Self::Down,
            _ => Self::Other,
        }
    }

    /// Whether this step and the next make a run of three.
    fn continues_in(self, next: Self) -> bool {
        self == next && self != Self::Other
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("Zq7-wNb2", Ok(()))]
    #[case("Zq7-wNb2Zq7-wNb2", Ok(()))]
    #[case("Zq7-wNb", Err(Rule::Length))]
    #[case("Zq7-wNb2Zq7-wNb2x", Err(Rule::Length))]
    #[case("Zq7-wN 2", Err(Rule::Character))]
    #[case("Zq7-wN/2", Err(Rule::Character))]
    #[case("Zq7-wNé2", Err(Rule::Character))]
    #[case("zq7-wnb2", Err(Rule::Missing(Class::Upper)))]
    #[case("ZQ7-WNB2", Err(Rule::Missing(Class::Lower)))]
    #[case("Zqx-wNbx", Err(Rule::Missing(Class::Digit)))]
    #[case("Zq7xwNb2", Err(Rule::Missing(Class::Special)))]
    #[case("Zq7-www2", Err(Rule::Run))]
    #[case("Zq7-abc2", Err(Rule::Run))]
    #[case("Zq-321wN", Err(Rule::Run))]
    #[case("Zq7()*Nb", Err(Rule::Run))]
    #[case("Zq7-aBc2", Ok(()))]
    #[case("Zq7-abd2", Ok(()))]
    #[case("Zq7-aab2", Ok(()))]
    #[case("Zq7-aba2", Ok(()))]
    #[case("7Z@AB-qx", Ok(()))]
    #[case("7-sVcAx2", Err(Rule::LoginId))]
    fn a_sub_account_password_is_held_to_every_rule(#[case] text: &str, #[case] verdict: Result<(), Rule>) {
        assert_eq!(complies(Kind::SubAccount, "SvcA", text), verdict);
    }

    #[test]
    fn a_data_forest_password_may_be_longer_and_never_holds_what_the_provider_forbids() {
        let text = "Zq7-wNb2Zq7-wNb2Zq7-";
        assert_eq!(complies(Kind::DataForest, "df001", text), Ok(()));
        assert_eq!(complies(Kind::DataForest, "df001", &format!("{text}x")), Err(Rule::Length));
        for forbidden in "'\"`/&\\₩¥ ".chars() {
            assert_eq!(complies(Kind::DataForest, "df001", &format!("Zq7-wNb2{forbidden}")), Err(Rule::Character));
        }
    }

    #[test]
    fn a_login_id_counts_at_any_length_but_an_empty_or_longer_one_cannot_be_contained() {
        for (id, contained) in
            [("", false), ("w", true), ("B2", true), ("x", false), ("Zq7-wNb2x", false), ("가", false)]
        {
            assert_eq!(complies(Kind::SubAccount, id, "Zq7-wNb2").is_err(), contained, "{id:?}");
        }
    }
}
