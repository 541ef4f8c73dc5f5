//! Floor 5: the only place that wires adapters to ports, and the process's own life: signals, logging, exit codes.

// mod command;
mod log;
mod machine;
mod signals;
// mod wire;

// pub use command::main;
