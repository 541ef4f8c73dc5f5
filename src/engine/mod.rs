//! Floor 3: wake, discover, decide what is due, and perform the actions that the protocol asks for, through ports.
//!
//! ```text
//! discovery ─► survey (what is due?) ─► drive (one account: step's actions, performed) ─► report
//!                                          ▲ batch: many at once, within a person's patience
//!                                          └ watch: for ever, woken by trigger, time and signals
//! ```

pub mod accounts;
pub mod batch;
pub mod drive;
pub mod finish;
pub mod queue;
pub mod report;
pub mod settings;
pub mod slots;
pub mod status;
pub mod survey;
pub mod unlisted;
pub mod watch;
pub mod world;
