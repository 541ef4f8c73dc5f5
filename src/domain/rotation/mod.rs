//! The rotation protocol.

pub mod answer;
pub mod freeze;
pub mod protocol;
pub mod record;
pub mod snapshot;
pub mod state;
pub mod step;

pub use answer::{Answer, Block, Doubt};
pub use freeze::Freeze;
pub use protocol::{
    Action, Content, Event, Goal, Heard, Insistence, Maker, Moment, Outcome, Plan, RollbackStop, VaultTrouble, Waiting,
};
pub use record::Record;
pub use state::State;
pub use step::{Rotation, step};
