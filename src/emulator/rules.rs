//! What the provider takes for a password, as strictly as any version of its documents (`ncloud-api.md`, sections 2 and 3),
//! and the passwords that it makes itself.
//!
//! The documents leave the sub-accounts' hidden check open; this one refuses the login id within the password, and three
//! equal or consecutive characters in a row.

use crate::domain::secret::Password;
use crate::ports::entropy::{Entropy, EntropyError};

/// The rule that a password breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// Too short or too long.
    Length,
    /// Upper case, lower case, digit or special is missing.
    Classes,
    /// A character that is not allowed at all.
    Character,
    /// It contains the login id, in whatever case. Login ids under three characters are not looked for.
    LoginId,
    /// Three equal characters in a row, or three consecutive letters or digits, up or down.
    Run,
}

/// Checks a sub-account's password: 8 to 16 printable ASCII characters of all four classes, and the hidden check.
pub(super) fn sub_account(login_id: &str, password: &str) -> Result<(), Broken> {
    if !(8..=16).contains(&password.chars().count()) {
        return Err(Broken::Length);
    }
    if password.chars().any(|c| !c.is_ascii_graphic()) {
        return Err(Broken::Character);
    }
    if !has_all_classes(password) {
        return Err(Broken::Classes);
    }
    if login_id.chars().count() >= 3 && password.to_lowercase().contains(&login_id.to_lowercase()) {
        return Err(Broken::LoginId);
    }
    if has_run(password) {
        return Err(Broken::Run);
    }
    Ok(())
}

/// Checks a Data Forest password: 8 to 20 characters of all four classes, without the forbidden ones.
pub(super) fn data_forest(password: &str) -> Result<(), Broken> {
    if !(8..=20).contains(&password.chars().count()) {
        return Err(Broken::Length);
    }
    if password.chars().any(|c| c.is_whitespace() || c.is_control() || "'\"`/&\\₩¥".contains(c)) {
        return Err(Broken::Character);
    }
    if !has_all_classes(password) {
        return Err(Broken::Classes);
    }
    Ok(())
}

/// Makes a password for a sub-account, as `needPasswordGenerate` asks for it.
pub(super) fn generate(login_id: &str, entropy: &dyn Entropy) -> Result<Password, EntropyError> {
    const ALPHABET: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789!@#$%^*-_";
    const LENGTH: usize = 14;
    loop {
        let mut text = String::with_capacity(LENGTH);
        while text.len() < LENGTH {
            let mut byte = [0];
            entropy.fill(&mut byte)?;
            // A byte beyond the alphabet is drawn again, so that every character is equally likely.
            if let Some(character) = ALPHABET.get(usize::from(byte[0])) {
                text.push(char::from(*character));
            }
        }
        if sub_account(login_id, &text).is_ok() {
            return Ok(Password::new(text));
        }
    }
}

fn has_all_classes(password: &str) -> bool {
    let any = |class: fn(char) -> bool| password.chars().any(class);
    any(|c| c.is_ascii_uppercase())
        && any(|c| c.is_ascii_lowercase())
        && any(|c| c.is_ascii_digit())
        && any(|c| !c.is_alphanumeric())
}

fn has_run(password: &str) -> bool {
    let follows = |a: u8, b: u8| {
        let same_class = (a.is_ascii_digit() && b.is_ascii_digit())
            || (a.is_ascii_uppercase() && b.is_ascii_uppercase())
            || (a.is_ascii_lowercase() && b.is_ascii_lowercase());
        same_class && a + 1 == b
    };
    password.as_bytes().windows(3).any(|window| match *window {
        [a, b, c] => (a == b && b == c) || (follows(a, b) && follows(b, c)) || (follows(c, b) && follows(b, a)),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sub_account_passwords() {
        let cases = [
            ("Good-Pw7", Ok(())),
            ("Good-Pw7Good-Pw7", Ok(())),
            ("Good-P7", Err(Broken::Length)),
            ("Good-Pw7Good-Pw7x", Err(Broken::Length)),
            ("", Err(Broken::Length)),
            ("good-pw7", Err(Broken::Classes)),
            ("GOOD-PW7", Err(Broken::Classes)),
            ("Good-Pwx", Err(Broken::Classes)),
            ("GoodxPw7", Err(Broken::Classes)),
            ("Good Pw7-", Err(Broken::Character)),
            ("Good-Pw7가", Err(Broken::Character)),
            ("7Svc-aX-", Err(Broken::LoginId)),
            ("xSVC-A7x", Err(Broken::LoginId)),
            ("Gooo-Pw7", Err(Broken::Run)),
            ("Good---w7P", Err(Broken::Run)),
            ("Gabc-Pw7", Err(Broken::Run)),
            ("Gcba-Pw7", Err(Broken::Run)),
            ("GXYZ-pw7", Err(Broken::Run)),
            ("Good-P789", Err(Broken::Run)),
            ("Good-P321", Err(Broken::Run)),
            ("Good-9:;", Ok(())),
            ("Good-aBc7", Ok(())),
            ("Good-ab7", Ok(())),
        ];
        for (password, expected) in cases {
            assert_eq!(sub_account("svc-a", password), expected, "{password:?}");
        }
        assert_eq!(sub_account("oo", "Good-Pw7"), Ok(()), "a login id of two characters is not looked for");
    }

    #[test]
    fn data_forest_passwords() {
        let cases = [
            ("Good-Pw7", Ok(())),
            ("Good-Pw7Good-Pw7Good", Ok(())),
            ("Gooo-P789", Ok(())),
            ("Good-P7", Err(Broken::Length)),
            ("Good-Pw7Good-Pw7Goodx", Err(Broken::Length)),
            ("good-pw7", Err(Broken::Classes)),
            ("GoodxPw7", Err(Broken::Classes)),
        ];
        for (password, expected) in cases {
            assert_eq!(data_forest(password), expected, "{password:?}");
        }
        for forbidden in ['\'', '"', '`', '/', '&', '\\', '₩', '¥', ' ', '\n', '\0'] {
            assert_eq!(data_forest(&format!("Good-Pw7{forbidden}")), Err(Broken::Character), "{forbidden:?}");
        }
    }

    /// Counts up: every byte comes, so that every character is reached.
    struct Counting(std::sync::atomic::AtomicU8);

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyError> {
            bytes.fill(self.0.fetch_add(37, std::sync::atomic::Ordering::Relaxed));
            Ok(())
        }
    }

    #[test]
    fn made_passwords_comply() {
        let entropy = Counting(0.into());
        for _ in 0..100 {
            let made = generate("svc-a", &entropy).unwrap();
            assert_eq!(sub_account("svc-a", made.expose()), Ok(()));
        }
    }
}
