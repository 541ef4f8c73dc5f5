//! Seeing ahead: what rotates when, and why then. It looks, and changes nothing.

mod explain;
mod plan;
mod view;

pub use explain::{Explanation, Life, Next, OwnedBy};
pub use plan::{Held, PlanReport, PlanRequest, Rotation, Unplanned};
pub use view::{NotFound, Unlisted};
