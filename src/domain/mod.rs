//! Floor 0: what rotation *is*. Pure data and decisions.
//!
//! Nothing here reads a clock, draws a random number, touches a file or a socket, or knows tokio. Time and randomness
//! arrive as arguments, so that the engine, the model checker and the simulator run the very same code.

pub mod account;
pub mod alias;
pub mod audit;
pub mod backoff;
pub mod cause;
pub mod due;
pub mod emergency;
pub mod exit;
pub mod expiry;
pub mod gateway;
pub mod log_format;
pub mod password;
pub mod plan;
pub mod policy;
pub mod rotation;
pub mod rule;
pub mod schedule;
pub mod secret;
pub mod signature;
pub mod token;
pub mod value;

/// A point in time. Whether it is gateway time or wall time is said by whoever hands it on.
pub use jiff::Timestamp;
