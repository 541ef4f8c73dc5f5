//! Seeing ahead: what rotates when, and why then. It looks, and changes nothing.

mod plan;
mod view;

pub use plan::{Held, PlanReport, PlanRequest, Rotation, Unplanned};
pub use view::{NotFound, Unlisted};
