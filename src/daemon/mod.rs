//! Floor 5: the only place that wires adapters to ports, and the process's own life: signals, logging, exit codes.

mod acts;
mod admin;
mod admin_schema;
mod ahead;
mod artefacts;
mod ask;
mod check;
mod command;
mod drop;
mod emergency;
mod emulate;
mod expiries;
mod generate;
mod history;
mod inspect;
mod last_words;
mod log;
mod machine;
mod modes;
mod no_journal;
mod pausing;
mod reach;
mod reload;
mod rotate;
mod rotating;
mod run;
mod service;
mod signals;
mod standing;
mod status;
mod tenant;
mod watching;
mod wire;

pub use admin_schema::{admin_api, admin_api_text};
pub use command::main;
