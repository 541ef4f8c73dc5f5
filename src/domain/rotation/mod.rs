//! The rotation protocol.

pub mod answer;
pub mod record;
pub mod snapshot;

pub use answer::{Answer, Block, Doubt};
pub use record::Record;
