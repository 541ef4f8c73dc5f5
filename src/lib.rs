//! **ncloud-rotator** keeps NAVER Cloud passwords younger than their expiry, and the vault always right about them.
//!
//! ```text
//! 5 daemon/     the only place that wires adapters to ports
//! 4 cli/ admin/ config/ trigger.rs
//! 3 engine/     performs the actions that the protocol asks for, through ports
//! 2 ncloud/ vault/ journal/ emulator/    adapters: each sees the domain and its own port, never a sibling
//! 1 ports/ durable/                      traits, and files that survive a power cut
//! 0 domain/     pure: the protocol, passwords, signature, due
//! ```
//!
//! A room imports only what stands on a lower floor; `tests/layering.rs` holds that.

pub mod admin;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod domain;
pub mod durable;
pub mod emulator;
pub mod engine;
pub mod journal;
pub mod ncloud;
pub mod ports;
pub mod trigger;
pub mod vault;
