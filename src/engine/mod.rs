//! Floor 3: wake, discover, decide what is due, and perform the actions that the protocol asks for, through ports.
//!
//! ```text
//! discovery ─► survey (what is due?) ─► drive (one account: step's actions, performed) ─► report
//!                                          ▲ batch: many at once, within a person's patience
//!                                          └ watch: for ever, by queue, slots and paces; woken by calls and time
//! ```

pub mod accounts;
pub mod ahead;
pub mod asking;
pub mod batch;
pub mod calls;
pub mod drive;
pub mod emergency;
mod errands;
pub mod expiries;
pub mod finish;
mod orders;
pub mod pace;
pub mod pausing;
pub mod queue;
pub mod record;
pub mod report;
mod roster;
pub mod settings;
pub mod slots;
pub mod status;
pub mod survey;
mod turn;
pub mod unlisted;
pub mod watch;
pub mod world;
