//! The watch over expiries, apart from all rotation: it goes on when the engine hangs, a tenant stands still, or provider and
//! vault are both away.
//!
//! ```text
//! the engine ──facts──► book (what is last known of each account) ◄──look── watch ──► the log, the status line
//!                         ▲                                                   │
//!                         └──────────── the journal's file, at the start ◄────┘ by a connection of its own
//! ```
//!
//! The two share nothing but the book, whose lock nobody holds for longer than it takes to change it. The watch waits for
//! nothing: what it has to tell is told before it is kept, and a journal that hangs keeps it from nothing.

mod book;
mod watch;

pub use book::Book;
pub use watch::Watch;
