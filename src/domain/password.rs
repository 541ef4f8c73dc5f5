//! Passwords: what the provider's rules and a policy's recipe allow, and drawing one uniformly from exactly that set.

use super::account::Kind;

/// What a policy asks of a password: `password = { length, avoid }`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Length in characters.
    pub length: usize,
    /// What the password must not contain, beyond the provider's rules.
    pub avoid: Avoid,
}

/// Characters that the place where a password will be used cannot take.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Avoid {
    characters: String,
}

/// A recipe by which no password can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Impossible(pub String);

/// Draws passwords for one kind of account by one recipe.
#[derive(Debug, Clone)]
pub struct Generator {
    kind: Kind,
    recipe: Recipe,
}

impl Generator {
    /// Refuses a recipe by which no password can be made.
    pub fn new(kind: Kind, recipe: &Recipe) -> Result<Self, Impossible> {
        Ok(Self { kind, recipe: recipe.clone() })
    }
}
/// stub
#[derive(Debug, thiserror::Error)]
#[error("stub")]
pub struct DrawError;
impl Generator {
    /// stub
    pub fn draw<R: rand::TryCryptoRng>(
        &self,
        _login: &str,
        _rng: &mut R,
    ) -> Result<super::secret::Password, DrawError> {
        let _ = (&self.kind, &self.recipe);
        Err(DrawError)
    }
}
