//! Passwords by a policy's recipe.

use std::error::Error;
use std::mem;

use rand::TryCryptoRng;

use super::avoid::Avoid;
use super::rules::{Class, contains_id, lengths, specials};
use super::space::{Space, is_mixed};
use crate::domain::account::Kind;
use crate::domain::secret::Password;

/// What a policy asks of a password: `password = { length, avoid }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Length in characters.
    pub length: usize,
    /// What the password must not contain, beyond the provider's rules.
    pub avoid: Avoid,
}

/// A recipe by which no password can be made. The text says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Impossible(pub String);

/// Draws passwords for one kind of account by one recipe.
#[derive(Debug, Clone)]
pub struct Generator {
    kind: Kind,
    space: Space,
}

/// Why no password was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DrawError<E: Error + 'static> {
    /// The source of randomness failed.
    #[error(transparent)]
    Source(E),
    /// Thousands of draws in a row broke a rule. The least admissive recipe admits one string in thirteen, so that this is
    /// no bad luck: the source of randomness is broken, or hardly a password lacks the login id.
    #[error(
        "{DRAWS} random strings in a row broke the password rules: the source of randomness is broken, \
         or the login id is a part of nearly every password"
    )]
    Exhausted,
}

const DRAWS: usize = 4096;

impl Generator {
    /// Refuses a recipe by which no password can be made.
    ///
    /// Strength needs no bar of its own: the weakest recipe that passes, eight characters with one special, still has more
    /// than 44 bits.
    pub fn new(kind: Kind, recipe: &Recipe) -> Result<Self, Impossible> {
        let allowed = lengths(kind);
        if !allowed.contains(&recipe.length) {
            return Err(Impossible(format!(
                "a {kind} password has {} to {} characters, and the recipe asks for {}; change `length`",
                allowed.start(),
                allowed.end(),
                recipe.length
            )));
        }
        let letters_and_digits = (b'0'..=b'9').chain(b'A'..=b'Z').chain(b'a'..=b'z');
        let alphabet = letters_and_digits.chain(specials(kind).bytes());
        let kept = alphabet.filter(|character| !recipe.avoid.forbids(char::from(*character))).collect();
        let space = Space::new(kept, recipe.length);
        if let Some(class) = space.empty_class() {
            return Err(Impossible(no_character_left(kind, class)));
        }
        Ok(Self { kind, space })
    }

    /// The kind of account that the passwords are for.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The strength of a password: the binary logarithm of how many there are to draw from, counted exactly. A login id
    /// excludes a few more, which is left out of account.
    #[must_use]
    pub fn entropy_bits(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a logarithm needs the leading digits only")]
        let count = self.space.count() as f64;
        count.log2()
    }

    /// Draws a password for the account with this login id (a Data Forest account's name), every allowed one with the
    /// same chance. A string that breaks a rule is thrown away whole, since mending it would favour some passwords.
    pub fn draw<R: TryCryptoRng>(&self, login_id: &str, rng: &mut R) -> Result<Password, DrawError<R::Error>> {
        for _ in 0..DRAWS {
            let mut text = self.space.draw_string(rng).map_err(DrawError::Source)?;
            if is_mixed(text.as_bytes()) && !contains_id(text.as_bytes(), login_id) {
                return Ok(Password::new(mem::take(&mut *text)));
            }
        }
        Err(DrawError::Exhausted)
    }
}

fn no_character_left(kind: Kind, class: Class) -> String {
    format!(
        "a {kind} password needs a {class}, and `avoid` leaves none of {}; take some out of `avoid`",
        if class == Class::Special { specials(kind) } else { "them" }
    )
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;
    use rand::{TryCryptoRng, TryRng};

    use super::*;
    use crate::domain::password::testing::SplitMix;
    use crate::domain::password::{Profile, complies};

    fn recipe(length: usize, avoid: Avoid) -> Recipe {
        Recipe { length, avoid }
    }

    fn avoids() -> impl Iterator<Item = Avoid> {
        Profile::ALL.into_iter().map(Avoid::from).chain([Avoid::default()])
    }

    fn every_generator() -> impl Iterator<Item = (Avoid, Generator)> {
        Kind::ALL.into_iter().flat_map(|kind| {
            lengths(kind).flat_map(move |length| {
                avoids().map(move |avoid| (avoid.clone(), Generator::new(kind, &recipe(length, avoid)).unwrap()))
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn every_drawn_password_complies_for_every_kind_length_and_profile(seed: u64, login_id in "[a-z][a-z0-9._-]{0,19}") {
            let mut rng = SplitMix(seed);
            for (avoid, generator) in every_generator() {
                let password = generator.draw(&login_id, &mut rng).unwrap();
                prop_assert_eq!(complies(generator.kind(), &login_id, password.expose()), Ok(()));
                prop_assert_eq!(password.expose().len(), generator.space.length());
                prop_assert!(!password.expose().chars().any(|character| avoid.forbids(character)));
            }
        }

        #[test]
        fn a_short_login_id_is_drawn_around(seed: u64, login_id in "[a-zA-Z0-9!-]{1,2}") {
            let generator = Generator::new(Kind::SubAccount, &recipe(16, Avoid::default())).unwrap();
            let password = generator.draw(&login_id, &mut SplitMix(seed)).unwrap();
            let (password, login_id) = (password.expose().to_lowercase(), login_id.to_lowercase());
            prop_assert!(!password.contains(&login_id));
        }

        #[test]
        fn explicit_sets_are_kept_out_or_refused_and_never_anything_else(seed: u64, avoid in "[!-+\\--/:-@\\[-`{-~]{1,13}") {
            let parsed: Avoid = avoid.parse().unwrap();
            match Generator::new(Kind::DataForest, &recipe(12, parsed)) {
                Ok(generator) => {
                    let password = generator.draw("df001", &mut SplitMix(seed)).unwrap();
                    prop_assert!(!password.expose().chars().any(|character| avoid.contains(character)));
                }
                Err(_) => prop_assert!(specials(Kind::DataForest).chars().all(|special| avoid.contains(special))),
            }
        }
    }

    #[test]
    fn lengths_that_the_provider_refuses_are_impossible() {
        for (kind, bad) in [(Kind::SubAccount, [0, 7, 17]), (Kind::DataForest, [0, 7, 21])] {
            for length in bad {
                let told = Generator::new(kind, &recipe(length, Avoid::default())).unwrap_err().to_string();
                assert!(told.contains("`length`") && told.contains(&length.to_string()), "{told}");
            }
        }
    }

    #[test]
    fn avoiding_every_special_is_impossible_and_avoiding_all_but_one_is_not() {
        for kind in Kind::ALL {
            let all: Avoid = specials(kind).parse().unwrap();
            let told = Generator::new(kind, &recipe(16, all)).unwrap_err().to_string();
            assert!(told.contains("special") && told.contains("`avoid`"), "{told}");
            assert!(Generator::new(kind, &recipe(16, specials(kind)[1..].parse().unwrap())).is_ok());
        }
    }

    #[test]
    fn the_weakest_recipe_is_strong_enough_and_length_and_freedom_only_add() {
        let bits = |kind, length, avoid: Avoid| Generator::new(kind, &recipe(length, avoid)).unwrap().entropy_bits();
        for kind in Kind::ALL {
            let weakest = bits(kind, 8, specials(kind)[1..].parse().unwrap());
            assert!(weakest > 44.0, "{weakest}");
            assert!(weakest < bits(kind, 8, Profile::Url.into()));
            assert!(bits(kind, 8, Profile::Url.into()) < bits(kind, 8, Avoid::default()));
            assert!(bits(kind, 8, Avoid::default()) + 6.0 < bits(kind, 9, Avoid::default()));
        }
        let quickstart = bits(Kind::SubAccount, 16, Profile::Url.into());
        assert!((93.0..95.5).contains(&quickstart), "{quickstart}");
    }

    #[test]
    fn a_failing_source_and_a_broken_one_make_no_password() {
        let generator = Generator::new(Kind::SubAccount, &recipe(16, Avoid::default())).unwrap();
        assert_eq!(generator.draw("svc", &mut Failing), Err(DrawError::Source(std::fmt::Error)));
        assert_eq!(generator.draw("svc", &mut Stuck), Err(DrawError::Exhausted));
    }

    struct Failing;

    impl TryRng for Failing {
        type Error = std::fmt::Error;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Err(std::fmt::Error)
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Err(std::fmt::Error)
        }

        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
            Err(std::fmt::Error)
        }
    }

    impl TryCryptoRng for Failing {}

    /// Gives the same byte for ever.
    struct Stuck;

    impl TryRng for Stuck {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            Ok(0)
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            Ok(0)
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            bytes.fill(0);
            Ok(())
        }
    }

    impl TryCryptoRng for Stuck {}
}
