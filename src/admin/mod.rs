//! Floor 4: the daemon's admin socket, HTTP and JSON between processes of one machine.
//!
//! ```text
//! a command, curl ─► client ─► socket (0600 in a 0700 directory) ─► server: who is it, is it small, is it quick ─► operations
//! ```
//!
//! What can be asked for is wired in `daemon/`: the same functions that the commands call when no daemon runs. Nothing here
//! knows an account, and no secret is ever part of an answer.

pub mod api;
pub mod client;
pub mod server;
pub mod socket;
