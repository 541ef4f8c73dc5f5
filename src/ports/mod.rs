//! Floor 1: the traits through which the engine reaches the world, and errors that carry the decision.
//!
//! An error here says what to do next (refused, blocked, ambiguous, unavailable), not what some library called it. None
//! of them may hold a password, a key or any part of a provider's answer.

pub mod clock;
pub mod entropy;
pub mod expiries;
pub mod heartbeat;
pub mod journal;
pub mod keys;
pub mod limit;
pub mod observer;
pub mod provider;
pub mod tenant;
pub mod vault;
