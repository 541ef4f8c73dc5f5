//! The rotation protocol.

pub mod answer;
pub mod protocol;
pub mod record;
pub mod snapshot;
pub mod step;

pub use answer::{Answer, Block, Doubt};
pub use protocol::{
    Action, Content, Event, Freeze, Goal, Heard, Insistence, Maker, Moment, Outcome, Plan, VaultTrouble, Waiting,
};
pub use record::Record;
pub use step::{Rotation, step};
