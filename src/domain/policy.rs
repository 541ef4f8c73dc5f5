//! stub
use super::password::Recipe;
use jiff::SignedDuration;
/// stub
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// stub
    pub name: String,
    /// stub
    pub rotate_before: SignedDuration,
    /// stub
    pub expiration_days: Option<u16>,
    /// stub
    pub on_adopt: OnAdopt,
    /// stub
    pub password: Recipe,
}
/// stub
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnAdopt {
    /// stub
    #[default]
    Defer,
    /// stub
    Rotate,
}
