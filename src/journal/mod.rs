//! The journal in SQLite: `journal.sqlite` in the state directory.
//!
//! It exists for what the vault cannot know: whether something of a candidate may still be under
//! way (`protocol.md`, rule 7), and what happened when, and because of whom: the chain of events. It holds accounts, tokens,
//! sends and the classes of their answers, what people have paused, when passwords expire, and never a password. Losing it loses no password and rotates
//! nothing that is not due; unfinished rotations then wait the fence out, pauses are over, and the history begins anew.
//!
//! Several processes may use one file at once. A send is on the disk before the request leaves, so that a process which
//! is killed in between leaves a send without an answer and not a send that nobody knows of.

mod attempts;
mod events;
mod expiries;
mod label;
mod open;
mod pauses;
mod reader;
mod schema;
mod store;
mod trouble;

pub use open::Origin;
pub use reader::{About, Reader};
pub use store::Journal;
