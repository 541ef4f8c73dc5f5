//! Passwords: what the provider's rules and a policy's recipe allow, and drawing one uniformly from exactly that set.
//!
//! A generator that picks one character of each class and shuffles makes some passwords likelier than others, and nobody
//! can say by how much. Here the allowed passwords are a set that can be counted; a draw takes each of them with the same
//! chance, and its strength is the logarithm of that count.

mod avoid;
mod generator;
mod rules;
mod space;
#[cfg(test)]
mod testing;

pub use avoid::{Avoid, BadAvoid, Profile};
pub use generator::{DrawError, Generator, Impossible, Recipe};
pub use rules::{Class, Rule, complies, lengths, specials};
