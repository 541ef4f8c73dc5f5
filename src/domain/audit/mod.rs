//! The audit's book: what happened, in an order that cannot be changed unseen.
//!
//! An [`Entry`] becomes one line of JSON that also holds its number and the hash of the line before it; the SHA-256 of that
//! text is its own hash. Whoever changes, removes, inserts or reorders a row breaks a hash, a number or a link, and
//! [`Walk`] names the row. Cutting off the end, or writing everything from some row on anew, breaks nothing within the
//! chain: that is found against the hash of a last row that was written down elsewhere, such as in the log.

mod beginning;
mod chain;
mod entry;
mod what;

pub use beginning::Beginning;
pub use chain::{BadHash, Flaw, Flawed, Hash, Head, Row, Verdict, Walk};
pub use entry::Entry;
pub use what::What;

#[cfg(test)]
mod tests;
