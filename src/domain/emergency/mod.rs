//! An emergency: every password is replaced, in waves that grow for as long as they go well. Pure.
//!
//! ```text
//! begin ─► canary ─► 2× ─► 4× ─► … ─► done
//!             │       │     │
//!             └───────┴─────┴──► halt: too large a part of one wave failed
//! ```
//!
//! [`Waves`] says how many accounts come next and when to stop, [`Ledger`] who has had a new password since the emergency
//! began, and [`time_to_finish`] how long the rest takes. Who rotates, and where, is not known here.

mod account;
mod estimate;
mod ledger;
mod share;
mod waves;

pub use account::{Emergency, Halt, Wave};
pub use estimate::{Lane, Shared, Work, time_to_finish};
pub use ledger::{Ledger, Told};
pub use share::{BadShare, Share};
pub use waves::{Ended, Next, Plan, Waves, sizes};
