//! When work may be done: maintenance windows, blackouts, and the spread that keeps accounts from moving all at once.
//!
//! ```text
//! window (cron, duration, zone) ─┐
//!                                ├─► calendar (pieces of time that are open and not blacked out)
//! blackout (a window, or dates) ─┘
//! ```

pub mod blackout;
pub mod calendar;
pub mod pause;
pub mod span;
pub mod spread;
pub mod window;
